"""`make bench`: how fast and how large, as ratios within one run. Nothing here is a test; nothing is timed in one.

Prints for N realistic mails in a real Dovecot: messages a second and CPU seconds per 1,000 messages of
(a) a raw fetch with imapclient, (b) fetch + standard-library parse, (c) our whole intake to committed,
classified tickets with suggestions; the ratios; peak memory; and p50/p95 of the queue and of a ticket page.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import os
import platform
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from flask.testing import FlaskClient
from sqlalchemy import text

from classifier import Text, corpus_rows, train
from helpdesk import db
from helpdesk.accounts.users import Role, add_user
from helpdesk.app import create_app
from helpdesk.cli.database import seed
from helpdesk.desk.intake import poll_one
from helpdesk.desk.mailbox import add_mailbox
from helpdesk.desk.worker import Worker, open_worker
from helpdesk.settings import Settings
from tests import dovecot
from tests.conftest import KEY, PASSWORD
from tests.mails import realistic_mails
from tests.postgres import start as start_postgres

USER = "banco"
FETCHED_AT_ONCE = 100
PAGE_VIEWS = 200


@dataclass(frozen=True)
class Measured:
    """One way through the mailbox."""

    name: str
    count: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.count / self.seconds

    def line(self) -> str:
        """The row that is printed."""
        return f"{self.name:<44}{self.rate:>8.0f} msg/s{1000 * self.cpu_s / self.count:>8.1f} CPU s per 1,000"


def measure(name: str, count: int, work: Callable[[], object]) -> Measured:
    """Run once; CPU counts this process and its children that have ended."""
    start, before = time.perf_counter(), _cpu()
    work()
    return Measured(name, count, time.perf_counter() - start, _cpu() - before)


def _cpu() -> float:
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in own) + sum(
        sum(child.cpu_times()[:2])
        for child in psutil.Process().children(recursive=False)
        if _is_parser(child)
    )


def _is_parser(child: psutil.Process) -> bool:
    return "helpdesk.mail.sandbox" in " ".join(child.cmdline())


def raw_fetch(server: dovecot.Dovecot) -> Iterator[bytes]:
    """Every message, fetched in chunks."""
    client = server.client(USER)
    uids = client.search("ALL")
    for start in range(0, len(uids), FETCHED_AT_ONCE):
        for item in client.fetch(uids[start : start + FETCHED_AT_ONCE], ["BODY.PEEK[]"]).values():
            yield item[b"BODY[]"]
    client.logout()


def parse_all(server: dovecot.Dovecot, policy: email.policy.Policy) -> None:
    """Fetch and parse with the standard library, reading the text body."""
    for raw in raw_fetch(server):
        mail = email.message_from_bytes(raw, policy=policy)
        _ = (mail["From"], mail["Subject"])
        for part in mail.walk():
            if part.get_content_maintype() == "text":
                part.get_payload(decode=True).decode("utf-8", "replace")


def parse_default(server: dovecot.Dovecot) -> None:
    """Fetch and parse as `email`'s documentation advises: policy.default, get_body, iter_attachments."""
    for raw in raw_fetch(server):
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        _ = (mail["From"], mail["To"], mail["Subject"], mail["Date"])
        body = mail.get_body(("plain", "html"))
        if body is not None:
            body.get_content()
        for part in mail.iter_attachments():
            part.get_content()


def intake(worker: Worker, mailbox_id: int) -> None:
    """Our whole intake by a worker that is up, as it is when mail comes in."""
    poll_one(worker.sessions, worker.filer, worker.settings, mailbox_id)


@contextmanager
def running_worker(settings: Settings) -> Iterator[Worker]:
    """A worker whose model and parser are up; says what that took."""
    start = time.perf_counter()
    with open_worker(settings) as worker:
        worker.filer.sorter.predict([Text("", "hola")])
        worker.filer.parser.parse(b"From: a@example.com\r\n\r\nhola")
        print(
            f"a worker is up after {time.perf_counter() - start:.1f} s (libraries, model, parser's process)"
        )
        yield worker


def parser_bytes() -> int:
    """Memory of the parser's processes."""
    children = psutil.Process().children(recursive=True)
    return sum(child.memory_full_info().uss for child in children if _is_parser(child))


@contextmanager
def prepared(count: int) -> Iterator[tuple[Settings, dovecot.Dovecot, int]]:
    """A database, a model and a mailbox with `count` mails."""
    root = Path(tempfile.mkdtemp(prefix="infomigra-bench-"))
    mail_root = Path(tempfile.mkdtemp(prefix="infomigra-bench-mail-"))
    server = dovecot.start(mail_root)
    try:
        server.deliver(USER, *realistic_mails(count))
        settings = prepared_settings(root)
        yield settings, server, prepared_mailbox(settings, server)
    finally:
        server.stop()
        shutil.rmtree(mail_root, ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


def prepared_settings(var: Path) -> Settings:
    """A migrated and seeded database and a trained model."""
    url = start_postgres()
    db.upgrade(url)
    sessions = db.open_sessions(db.open_engine(url))
    seed(sessions)
    train(list(corpus_rows())).save(var / "model.skops")
    with sessions.begin() as session:
        add_user(session, email="ana@example.com", name="Ana", role=Role.AGENT, password=PASSWORD)
    return Settings(DATABASE_URL=url, SECRET_KEY=KEY, mode="development", var=var)


def prepared_mailbox(settings: Settings, server: dovecot.Dovecot) -> int:
    """The desk's mailbox on the server."""
    password_file = settings.var / "password"
    password_file.write_text(dovecot.PASSWORD)
    sessions = db.open_sessions(db.open_engine(str(settings.database_url)))
    with sessions.begin() as session:
        mailbox = add_mailbox(
            session,
            name="bench",
            host="127.0.0.1",
            port=server.port,
            username=USER,
            password_file=password_file,
            tls=False,
        )
        return mailbox.id


def fill_up(settings: Settings, target: int) -> None:
    """Copy tickets with their messages until there are `target`, by SQL."""
    engine = db.open_engine(str(settings.database_url))
    with engine.begin() as connection:
        have = connection.scalar(text("select count(*) from ticket")) or 0
        for start in range(have, target, have):
            more = min(have, target - start)
            connection.execute(
                text(
                    "with source as (select *, row_number() over (order by id) n from ticket where id <= :have),"
                    " made as (insert into ticket (number, requester_id, subject, snippet, line, line_by_agent, status,"
                    " automatic, opened_at, waiting_since, updated_at)"
                    " select 'X-' || (:start + n), requester_id, subject, snippet, line, false, status, false,"
                    " opened_at - n * interval '7 min', waiting_since - n * interval '7 min', updated_at"
                    " from source where n <= :more returning id, number)"
                    " insert into message (ticket_id, direction, sender_name, subject, text, new_text, html,"
                    ' "references", at, defects)'
                    " select made.id, 'inbound', 'x', 'x', m.text, m.new_text, m.html, '[]', m.at, '[]'"
                    " from made join message m on m.ticket_id = substr(made.number, 3)::bigint - :start"
                    " where m.direction = 'inbound'"
                ),
                {"have": have, "start": start, "more": more},
            )
        connection.execute(text("analyze"))
    engine.dispose()


def page_times(client: FlaskClient, path: str) -> tuple[float, float]:
    """p50 and p95 of a page, milliseconds."""
    times = []
    for _ in range(PAGE_VIEWS):
        start = time.perf_counter()
        assert client.get(path).status_code == 200
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def signed_in(settings: Settings) -> FlaskClient:
    """A client of the pages, signed in."""
    client = create_app(settings).test_client()  # in process: what the network adds is not ours
    page = client.get("/ingresar").text
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    form = {"email": "ana@example.com", "password": PASSWORD, "csrf_token": token}
    assert client.post("/ingresar", data=form).status_code == 302
    return client


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--mails", type=int, default=2000)
    options.add_argument("--tickets", type=int, default=10_000)
    given = options.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with prepared(given.mails) as (settings, server, mailbox_id):
        list(raw_fetch(server))  # Dovecot writes its index at the first look; that is nobody's cost
        compat32 = email.policy.compat32
        runs = [
            measure("(a) raw fetch, imapclient", given.mails, lambda: list(raw_fetch(server))),
            measure("(b) fetch + stdlib parse, policy.default", given.mails, lambda: parse_default(server)),
            measure("(b') fetch + stdlib parse, compat32", given.mails, lambda: parse_all(server, compat32)),
        ]
        with running_worker(settings) as worker:
            runs.append(
                measure(
                    "(c) our intake to committed tickets", given.mails, lambda: intake(worker, mailbox_id)
                )
            )
            parsers = parser_bytes()
        print("\n".join(run.line() for run in runs))
        a, b, b_compat, c = (run.rate for run in runs)
        print(f"c/a {c / a:.3f}   c/b {c / b:.2f}   c/b' {c / b_compat:.3f}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(
            f"peak memory {peak / 1e6:.0f} MB, and {parsers / 1e6:.0f} MB of its own in the parser's processes"
        )
        fill_up(settings, given.tickets)
        client = signed_in(settings)
        for name, path in {
            "queue": "/bandeja",
            "queue, one line": "/bandeja?linea=return",
            "queue, page 20": "/bandeja?pagina=20",
            "ticket": "/atenciones/PI-2026-000001",
        }.items():
            p50, p95 = page_times(client, path)
            print(f"{name:<20} with {given.tickets:,} tickets: p50 {p50:.1f} ms, p95 {p95:.1f} ms")


if __name__ == "__main__":
    main()
