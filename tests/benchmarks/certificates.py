"""Prints what a filing and a verification cost: one web process and one worker, two cores, nothing faked.

From the click on "Presentar" to the page that offers the document, at a steady ten filings a second for half a minute,
while the worker mails them to a real SMTP server; then `/v/CODE` among a million constancias.
"""

from __future__ import annotations

import argparse
import http.client
import queue
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from helpdesk import db
from helpdesk.certificates.codes import new_code
from helpdesk.certificates.issuing import submit
from helpdesk.certificates.records import Constancia, Filing
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.worker import open_sessions_of
from helpdesk.settings import Settings
from tests.conftest import KEY
from tests.edges.conftest import answers, process
from tests.filings import submission, worker
from tests.issuers import broken, form_of, whole_draft
from tests.ports import free_port
from tests.postgres import start as start_postgres
from tests.smtp_sink import running_sink

A_SECOND, SECONDS = 10, 30
CLERKS = 16
LOOKS = 400


def spread(times: list[float]) -> str:
    """p50, p95 and the worst, milliseconds."""
    found = sorted(1000 * value for value in times)
    p95 = statistics.quantiles(found, n=20)[-1]
    return f"p50 {statistics.median(found):.0f} ms, p95 {p95:.0f} ms, worst {found[-1]:.0f} ms"


def settings_of(folder: Path, smtp_port: int) -> Settings:
    """A fresh database."""
    url = start_postgres()
    db.upgrade(url)
    return Settings(
        database_url=url,
        secret_key=KEY,
        var=folder,
        mode="development",
        smtp_port=smtp_port,
        smtp_security="none",
    )


@dataclass(frozen=True)
class Register:
    """A database and its settings."""

    sessions: db.Sessions
    settings: Settings


class Clerks:
    """People who press the button when it is their turn, each turn at its fixed time, late or not."""

    def __init__(self, port: int, drafts: list[str]) -> None:
        self.port, self.waiting = port, queue.Queue[tuple[float, str]]()
        self.cookie, self.csrf = form_of(port, f"/constancia/tramite/{drafts[0]}/revisar")
        self.took: list[float] = []
        self.statuses: list[int] = []
        for place, secret in enumerate(drafts):
            self.waiting.put((place / A_SECOND, f"/constancia/tramite/{secret}/revisar"))

    def run(self) -> float:
        """File everything; the seconds that it took."""
        self.begin = time.perf_counter()
        clerks = [threading.Thread(target=self._work) for _ in range(CLERKS)]
        for clerk in clerks:
            clerk.start()
        for clerk in clerks:
            clerk.join()
        return time.perf_counter() - self.begin

    def _work(self) -> None:
        while True:
            try:
                at, address = self.waiting.get_nowait()
            except queue.Empty:
                return
            time.sleep(max(0.0, self.begin + at - time.perf_counter()))
            due = self.begin + at
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", address, f"csrf_token={self.csrf}", headers)
            first = connection.getresponse()
            first.read()
            connection.request("GET", first.getheader("Location") or "/", headers={"Cookie": self.cookie})
            second = connection.getresponse()
            page = second.read()
            connection.close()
            self.took.append(time.perf_counter() - due)
            self.statuses.append(second.status if b".pdf" in page else 0)


def filings(desk: Register, port: int) -> None:
    """Ten filings a second."""
    drafts = [whole_draft(desk, number) for number in range(1, A_SECOND * SECONDS + 1)]
    clerks = Clerks(port, drafts)
    seconds = clerks.run()
    wrong = [status for status in clerks.statuses if status != 200]
    print(
        f"{len(drafts)} filings in {seconds:.1f} s ({len(drafts) / seconds:.1f} a second), {len(wrong)} wrong"
    )
    print(f"from the click to the page with the document: {spread(clerks.took)}")
    begin = time.perf_counter()
    while (left := _unsent(desk)) and time.perf_counter() - begin < 60:
        time.sleep(0.5)
    print(f"mail left over {time.perf_counter() - begin:.1f} s after the last click: {left}")
    with desk.sessions() as session:
        print("register:", broken(session) or "no gap, no double, every document as stored")


def _unsent(desk: Register) -> int:
    with desk.sessions() as session:
        return session.scalar(select(func.count()).where(Outgoing.state != "sent")) or 0


def parts(desk: Register, count: int = 100) -> None:
    """An issue by itself, in this process, one after the other."""
    times = []
    for number in range(count):
        people = [worker(document_number=f"20{number:08d}", email=None)]
        start = time.perf_counter()
        with desk.sessions.begin() as session:
            submit(session, submission(workers=people), desk.settings)
        times.append(time.perf_counter() - start)
    print(f"submit, number, render, store, commit; no web: {spread(times)}")


def verifications(desk: Register, port: int, target: int) -> None:
    """`/v/CODE` among so many constancias; half of the codes are nobody's."""
    fill_up(desk, target)
    with desk.sessions() as session:
        known = list(session.scalars(select(Constancia.code).order_by(func.random()).limit(LOOKS // 2)))
        total = session.scalar(select(func.count(Constancia.id)))
    for label, codes in (("known", known), ("unknown", [new_code() for _ in known])):
        times = []
        for code in codes:
            _forget_askings(desk)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            start = time.perf_counter()
            connection.request("GET", f"/v/{code}")
            connection.getresponse().read()
            times.append(time.perf_counter() - start)
            connection.close()
        print(f"verification among {total:,} constancias, {label} codes: {spread(times)}")


def _forget_askings(desk: Register) -> None:
    with desk.sessions.begin() as session:
        session.execute(text("delete from ask_count"))


def fill_up(desk: Register, target: int) -> None:
    """Copy filings with their people and constancias by SQL until there are so many; the documents are left out."""
    with desk.sessions.begin() as session:
        have = session.scalar(select(func.count(Constancia.id))) or 0
        one = session.scalars(select(Filing).order_by(Filing.id)).first()
        assert one is not None
        session.execute(text("alter table filing drop constraint uq_filing_ticket_id"))
        columns = ", ".join(
            c.name for c in Filing.__table__.columns if c.name not in ("id", "idempotency_key")
        )
        session.execute(
            text(
                f"with f as (insert into filing ({columns}) select {columns} from filing, generate_series(1, :more)"
                " where filing.id = :one returning id),"
                " w as (insert into filed_worker (filing_id, position, nationality, document_type, document_number,"
                "  surnames, given_names, birth_date, sex, marital_status, address_abroad, words)"
                "  select id, 1, 'COL', 'cc', '9' || lpad(id::text, 9, '0'), 'Ejemplo', 'Ana', '1990-01-01', 'female',"
                "  'single', 'Calle 1', 'ana ejemplo ' || id from f returning id)"
                " insert into constancia (worker_id, number, year, ordinal, code, state, issued_at, valid_from,"
                "  annulment, sha256) select id, 'CTMA-2001-' || id, 2001, id,"
                "  translate(upper(substr(md5(id::text) || md5('x' || id), 1, 25)), 'ILOU', '1100'), 'valid', now(),"
                "  '2026-01-01', '', encode(sha256(id::text::bytea), 'hex') from w"
            ),
            {"more": target - have, "one": one.id},
        )
    engine = db.open_engine(str(desk.settings.database_url))
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("vacuum analyze"))
    engine.dispose()


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--constancias", type=int, default=1_000_000)
    wanted = arguments.parse_args()
    with ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = settings_of(folder, sink.port)
        sessions = stack.enter_context(open_sessions_of(settings))
        desk = Register(sessions, settings)
        port = free_port()
        web = [
            *("-m", "gunicorn", "helpdesk.app:create_app()", "--bind", f"127.0.0.1:{port}", "--workers", "1"),
            *("--worker-class", "gthread", "--threads", "8", "--no-control-socket"),
        ]
        stack.enter_context(process(web, settings))
        stack.enter_context(process(["-m", "scheduler"], settings))
        while not answers(f"http://127.0.0.1:{port}/healthz"):
            time.sleep(0.2)
        filings(desk, port)
        parts(desk)
        verifications(desk, port, wanted.constancias)


if __name__ == "__main__":
    main()
