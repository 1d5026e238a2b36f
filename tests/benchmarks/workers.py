"""Measurements with processes of their own: two workers against one, and the time from delivery to ticket."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from sqlalchemy import func, select

from helpdesk import db
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.receive import receive
from helpdesk.desk.worker import Worker, open_worker
from helpdesk.mail.imap import open_folder
from helpdesk.settings import Settings, load
from tests.benchmarks.measured import Measured, measure
from tests.benchmarks.stage import Stage
from tests.conftest import KEY
from tests.mails import mail

ARRIVALS = 60
PAUSE_S = 0.4
FILE = "file"


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a worker on the same desk."""
    return {
        **os.environ,
        "DATABASE_URL": str(settings.database_url),
        "SECRET_KEY": KEY,
        "HELPDESK_MODE": "development",
        "HELPDESK_VAR": str(settings.var),
        "HELPDESK_SMTP_PORT": str(settings.smtp_port),
        "HELPDESK_SMTP_SECURITY": "none",
        "HELPDESK_ACKNOWLEDGEMENTS_PER_DOMAIN_MINUTE": str(settings.acknowledgements_per_domain_minute),
        **more,
    }


def receive_only(worker: Worker, mailbox_id: int) -> None:
    """Fill the ledger and file nothing: the same work lies before one worker or two."""
    with worker.sessions() as session:
        mailbox = session.get_one(Mailbox, mailbox_id)
    with open_folder(mailbox.account()) as imap:
        receive(worker.sessions, mailbox, imap, now=db.utc_now(), max_bytes=worker.settings.max_message_bytes)


def file_with(stage: Stage, worker: Worker, workers: int, user: str, count: int) -> Measured:
    """Filing by some workers at once, each a process of its own that is up before the clock starts."""
    mailbox_id = stage.mailbox(user, count, seed_=workers * 1000)
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.workers", FILE],
            env=environment(stage.settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(workers)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    receive_only(worker, mailbox_id)

    def work() -> None:
        for child in children:
            assert child.stdin is not None
            child.stdin.write(b"go\n")
            child.stdin.flush()
        for child in children:
            assert child.wait() == 0

    return measure(f"filing by {workers} worker{'s' * (workers > 1)}", count, work)


def arrivals(stage: Stage, user: str) -> tuple[float, float]:
    """Seconds from delivery to the committed ticket with a running worker and IDLE: p50 and p95."""
    stage.mailbox(user, 0)
    engine = db.open_engine(str(stage.settings.database_url))
    sessions = db.open_sessions(engine)
    child = subprocess.Popen(
        [sys.executable, "-m", "scheduler"], env=environment(stage.settings), stdout=subprocess.DEVNULL
    )
    try:
        _until_filed(sessions, _deliver(stage, user, 0), 60)
        time.sleep(2)  # the watch begins after the first poll
        waits = []
        for number in range(1, ARRIVALS + 1):
            start = time.perf_counter()
            _until_filed(sessions, _deliver(stage, user, number), 60)
            waits.append(time.perf_counter() - start)
            time.sleep(PAUSE_S)
    finally:
        child.terminate()
        child.wait()
        engine.dispose()
    return statistics.median(waits), statistics.quantiles(waits, n=20)[-1]


def _deliver(stage: Stage, user: str, number: int) -> str:
    message_id = f"<arrival-{number}@example.com>"
    stage.server.deliver(
        user, mail(f"Consulta {number}", message_id=message_id, sender=f"a{number}@example.com")
    )
    return message_id


def _until_filed(sessions: db.Sessions, message_id: str, patience_s: float) -> None:
    from helpdesk.desk.message import Message

    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        with sessions() as session:
            if session.scalar(select(Message.id).where(Message.message_id == message_id)):
                return
        time.sleep(0.02)
    raise AssertionError(f"{message_id} was not filed in {patience_s} s")


def waiting(worker: Worker) -> int:
    """How many mails are still to be filed."""
    with worker.sessions() as session:
        state = RawMail.state == MailState.RECEIVED.value
        return session.scalar(select(func.count()).select_from(RawMail).where(state)) or 0


def file_until_done() -> None:
    """A worker's process: up, waits for the word, files until nothing is left."""
    with open_worker(load()) as worker:
        worker.filer.sorter.predict([])
        worker.filer.parser.parse(b"From: a@example.com\r\n\r\nhola")
        print("up", flush=True)
        sys.stdin.readline()
        while waiting(worker):
            worker.filer.file_all()


if __name__ == "__main__":
    file_until_done()
