"""The jobs, as data: a name, an interval, and a function that asks the database what is due.

A tick that is lost, late or doubled changes nothing: work is taken under leases, and what was not done
is still due at the next tick.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from helpdesk.certificates.deciding import lapse_due
from helpdesk.certificates.inspection import draw_due
from helpdesk.certificates.retention import forget_due
from helpdesk.certificates.sealing import seal_due
from helpdesk.db import utc_now
from helpdesk.desk.learning import is_due
from helpdesk.desk.previews import make_due
from helpdesk.desk.reconcile import reconcile_due
from helpdesk.desk.scans import scan_due
from helpdesk.desk.sending import send_due
from helpdesk.desk.unsorted import sort_waiting
from helpdesk.desk.worker import Worker
from helpdesk.mail.clamav import Scanner
from helpdesk.mail.smtp import SmtpServer
from helpdesk.settings import LIMA

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Run `work` every `interval_ticks` ticks (a tick is `HELPDESK_TICK_S` seconds)."""

    name: str
    interval_ticks: float
    work: Callable[[Worker], object]


def intake(worker: Worker) -> None:
    """Begin to poll the mailboxes that are due; each poll files what it brought."""
    worker.polls.start_due()


def filing(worker: Worker) -> None:
    """File what is left over: a worker died, somebody tried again by hand."""
    worker.filer.file_all()


def outbox(worker: Worker) -> None:
    """Hand over the mail that is due."""
    server = SmtpServer.from_settings(worker.settings)
    stopping = worker.filer.stopping.is_set
    send_due(worker.sessions, server, lease_s=worker.settings.lease_s, stopping=stopping)


def scan(worker: Worker) -> None:
    """Have the virus scanner look at what waits for it, if there is one."""
    address = worker.settings.clamav
    scanner = Scanner(address) if address else None
    scan_due(worker.sessions, scanner, stopping=worker.filer.stopping.is_set)


def previews(worker: Worker) -> None:
    """Make small pictures of the attachments that are pictures."""
    scanning = worker.settings.clamav is not None
    make_due(worker.sessions, scanning=scanning, stopping=worker.filer.stopping.is_set)


def reconcile(worker: Worker) -> None:
    """Compare the mailboxes with the ledger, each once a day (Lima)."""
    reconcile_due(worker.sessions, worker.filer, utc_now())


def sort_late(worker: Worker) -> None:
    """Sort what came while there was no model."""
    sort_waiting(worker.sessions, worker.filer.sorter)


def seal(worker: Worker) -> None:
    """Put the seal on the constancias that wait for it, and let them leave."""
    seal_due(worker.sessions, worker.settings, stopping=worker.filer.stopping.is_set)


def lapse(worker: Worker) -> None:
    """Close the filings that were not put right in their term."""
    with worker.sessions.begin() as session:
        lapse_due(session, worker.settings, utc_now().astimezone(LIMA).date())


def draw(worker: Worker) -> None:
    """Draw the control of the semester that ended, once."""
    with worker.sessions.begin() as session:
        draw_due(session, worker.settings, utc_now())


def forget(worker: Worker) -> None:
    """Forget the people of contracts that ended long ago, and what was begun and left."""
    with worker.sessions.begin() as session:
        forget_due(session, worker.settings, utc_now())


def learn(worker: Worker) -> None:
    """Train a new model when that is due, in a process of its own: it takes a minute of work and some memory."""
    with worker.sessions.begin() as session:
        due = is_due(session, utc_now())
    if not due or worker.filer.stopping.is_set():
        return
    stopping = worker.filer.stopping
    child = subprocess.Popen(LEARN)
    while child.poll() is None and not stopping.wait(1):
        pass
    if child.poll() is None:
        child.terminate()  # what it had begun is taken up again after its lease
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
    elif child.returncode not in (0, 1):
        log.error("the training ended with code %s", child.returncode)
        stopping.wait(60)


LEARN = [sys.executable, "-m", "helpdesk.cli", "model", "learn"]
JOBS = (
    Job("intake", 1, intake),
    Job("filing", 1, filing),
    Job("outbox", 0.5, outbox),
    Job("scan", 1, scan),
    Job("previews", 5, previews),
    Job("reconcile", 150, reconcile),
    Job("sort_late", 15, sort_late),
    Job("learn", 5, learn),
    Job("seal", 1, seal),
    Job("lapse", 150, lapse),
    Job("draw", 1800, draw),
    Job("forget", 1800, forget),
)
