"""Prints, for realistic mails in a real Dovecot, one in five with a file of 50 kB:

messages a second and CPU seconds per 1,000 messages, every process counted, of (a) a raw fetch with imapclient,
(b) fetch + standard-library parse, (c) our whole intake to committed, classified tickets with suggestions; the
ratios; the same for ten times as many mails; one worker against two; how fast mail leaves; how long a mail takes
from delivery to ticket; peak memory; and p50/p95 of the queue and of a ticket page.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time

from flask.testing import FlaskClient
from sqlalchemy import text

from helpdesk import db
from helpdesk.app import create_app
from helpdesk.desk.intake import poll_one
from helpdesk.desk.sending import send_due
from helpdesk.desk.worker import Worker
from helpdesk.mail.smtp import SmtpServer
from helpdesk.settings import Settings
from tests.benchmarks.measured import Measured, measure, parser_bytes
from tests.benchmarks.stage import Stage, open_stage, parse_all, parse_default, raw_fetch, running_worker
from tests.benchmarks.workers import arrivals, file_with
from tests.conftest import PASSWORD
from tests.smtp_sink import running_sink

PAGE_VIEWS = 200


def intake(worker: Worker, mailbox_id: int) -> None:
    """Our whole intake by a worker that is up, as it is when mail comes in."""
    poll = poll_one(worker.sessions, worker.filer, worker.settings, mailbox_id)
    assert poll is not None
    assert poll.error is None, poll.error


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
                    " made as (insert into ticket (number, requester_id, subject, snippet, line, line_by_agent, kind,"
                    " status, automatic, opened_at, waiting_since, updated_at)"
                    " select 'X-' || (:start + n), requester_id, subject, snippet, line, false, kind, status, false,"
                    " opened_at - n * interval '7 min', waiting_since - n * interval '7 min', updated_at"
                    " from source where n <= :more returning id, number)"
                    " insert into message (ticket_id, direction, sender_name, subject, text, new_text, html,"
                    ' "references", at, defects, cc, contains)'
                    " select made.id, 'inbound', 'x', 'x', m.text, m.new_text, m.html, '[]', m.at, '[]', '[]', '[]'"
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


def baseline(stage: Stage, user: str, count: int) -> list[Measured]:
    """What reading the same mailbox costs without a desk."""
    list(raw_fetch(stage.server, user))  # Dovecot writes its index at the first look; that is nobody's cost
    return [
        measure("(a) raw fetch, imapclient", count, lambda: list(raw_fetch(stage.server, user))),
        measure("(b) fetch + stdlib parse, policy.default", count, lambda: parse_default(stage.server, user)),
        measure("(b') fetch + stdlib parse, compat32", count, lambda: parse_all(stage.server, user)),
    ]


def show_intake(stage: Stage, worker: Worker, count: int) -> Measured:
    """Our intake beside the baseline, with the ratios."""
    user = f"banco{count}"
    mailbox_id = stage.mailbox(user, count)
    runs = baseline(stage, user, count)
    ours = measure("(c) our intake to committed tickets", count, lambda: intake(worker, mailbox_id))
    print(f"{count:,} mails")
    print("\n".join(run.line() for run in [*runs, ours]))
    a, b, b_compat = (ours.rate / run.rate for run in runs)
    print(f"c/a {a:.3f}   c/b {b:.2f}   c/b' {b_compat:.3f}", flush=True)
    return ours


def show_sending(worker: Worker) -> None:
    """How fast the outbox empties into a server on this machine."""
    server = SmtpServer.from_settings(worker.settings)
    with worker.sessions() as session:
        due = session.scalar(text("select count(*) from outgoing where state = 'ready' and send_at <= now()"))

    def work() -> None:
        while send_due(worker.sessions, server, lease_s=worker.settings.lease_s):
            pass

    print(measure("sending, notices of the tickets above", int(due or 0), work).line(), flush=True)


def show_pages(settings: Settings, tickets: int) -> None:
    """How long pages take when there are many tickets."""
    fill_up(settings, tickets)
    client = signed_in(settings)
    pages = {
        "queue": "/bandeja",
        "queue, one line": "/bandeja?linea=return",
        "queue, page 20": "/bandeja?pagina=20",
        "ticket": "/atenciones/PI-2026-000001",
    }
    for name, path in pages.items():
        p50, p95 = page_times(client, path)
        print(f"{name:<20} with {tickets:,} tickets: p50 {p50:.1f} ms, p95 {p95:.1f} ms")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--mails", type=int, default=2000)
    options.add_argument("--many", type=int, default=20_000, help="0: leave the large mailbox out")
    options.add_argument("--tickets", type=int, default=10_000)
    given = options.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    with running_sink() as sink, open_stage(sink.port) as stage:
        with running_worker(stage.settings) as worker:
            few = show_intake(stage, worker, given.mails)
            show_sending(worker)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            print(
                f"peak memory {peak / 1e6:.0f} MB, and {parser_bytes() / 1e6:.0f} MB in the parser's processes"
            )
            alone = file_with(stage, worker, 1, "solo", given.mails)
            both = file_with(stage, worker, 2, "dos", given.mails)
            print(f"{alone.line()}\n{both.line()}\ntwo against one: {both.rate / alone.rate:.2f}", flush=True)
        p50, p95 = arrivals(stage, "llegada")
        print(f"from delivery to ticket with IDLE: p50 {p50:.2f} s, p95 {p95:.2f} s", flush=True)
        show_pages(stage.settings, given.tickets)
    if given.many:
        with open_stage() as stage, running_worker(stage.settings) as worker:
            many = show_intake(stage, worker, given.many)
        print(f"rate with {given.many:,} against {given.mails:,} mails: {many.rate / few.rate:.2f}")


if __name__ == "__main__":
    main()
