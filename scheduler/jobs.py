"""The jobs, as data: a name, an interval, and a function that asks the database what is due.

A tick that is lost, late or doubled changes nothing: work is taken under leases, and what was not done
is still due at the next tick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from helpdesk.desk.intake import poll_due
from helpdesk.desk.outbox import send_due
from helpdesk.desk.worker import Worker
from helpdesk.mail.smtp import SmtpServer


@dataclass(frozen=True, slots=True)
class Job:
    """Run `work` every `interval_ticks` ticks (a tick is `HELPDESK_TICK_S` seconds)."""

    name: str
    interval_ticks: float
    work: Callable[[Worker], object]


def intake(worker: Worker) -> None:
    """Poll the mailboxes that are due and file what they brought."""
    poll_due(worker.sessions, worker.filer, worker.settings)


def outbox(worker: Worker) -> None:
    """Hand over the mail that is due."""
    server = SmtpServer.from_settings(worker.settings)
    send_due(worker.sessions, server, lease_s=worker.settings.lease_s)


JOBS = (
    Job("intake", 1, intake),
    Job("outbox", 0.5, outbox),
)
