"""Polling the mailboxes: take the lease, receive, file, mark; and say how it went on the mailbox's row.

In a worker each mailbox is polled in a thread of its own (`Polls`): a server that stalls holds up nobody else's mail.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError
from sqlalchemy.exc import OperationalError

from helpdesk import failpoints
from helpdesk.db import Sessions, utc_now
from helpdesk.desk.filing import Counts, Filer
from helpdesk.desk.mailbox import Mailbox, imap_mailboxes
from helpdesk.desk.mailbox_lease import (
    due_mailbox_ids,
    end_lease,
    lease_dropped_on_fault,
    new_holder,
    renew_lease,
    take_lease,
)
from helpdesk.desk.mailbox_trouble import attempt
from helpdesk.desk.receive import Progress, mark, receive, silent
from helpdesk.desk.sent_copies import copy_sent, open_sent_folder
from helpdesk.mail.imap import OpenFolder, open_folder
from helpdesk.settings import Settings

log = logging.getLogger(__name__)

NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll of one mailbox did. `sent_read`: mail of the Sent folder; `copied`: ours, put there."""

    mailbox: str
    received: int = 0
    filed: Counts = NOTHING
    marked: int = 0
    error: str | None = None
    kind: str | None = None
    sent_read: int = 0
    copied: int = 0


@dataclass(frozen=True, slots=True)
class Polls:
    """The polls under way in a worker. Of several workers, the lease on the mailbox's row decides who polls it."""

    sessions: Sessions
    filer: Filer
    settings: Settings
    _running: dict[int, threading.Thread] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start_due(self) -> None:
        """Begin to poll every mailbox that is due and that nobody polls; returns at once."""
        with self._lock, self.sessions() as session:
            for mailbox_id in due_mailbox_ids(session):
                running = self._running.get(mailbox_id)
                if running is None or not running.is_alive():
                    self._start(mailbox_id)

    def wait(self, seconds: float) -> None:
        """Wait for the polls under way. One that hangs in a connection ends with the process."""
        end = time.monotonic() + seconds
        for thread in list(self._running.values()):
            thread.join(max(end - time.monotonic(), 0))

    def _start(self, mailbox_id: int) -> None:
        thread = threading.Thread(
            target=self._poll, args=[mailbox_id], name=f"poll-{mailbox_id}", daemon=True
        )
        self._running[mailbox_id] = thread
        thread.start()

    def _poll(self, mailbox_id: int) -> None:
        try:
            while True:
                poll_one(self.sessions, self.filer, self.settings, mailbox_id)
                with self._lock:
                    # News that came during the poll: whoever brings later ones finds nobody running.
                    if self.filer.stopping.is_set() or not self._is_due(mailbox_id):
                        del self._running[mailbox_id]
                        return
        except OperationalError:
            log.warning("intake: the database does not answer; trying again at the next tick")
        except Exception:  # the next tick finds this thread ended, and begins another
            log.exception("intake: the poll ended")

    def _is_due(self, mailbox_id: int) -> bool:
        with self.sessions() as session:
            return mailbox_id in due_mailbox_ids(session)


def poll_all(sessions: Sessions, filer: Filer, settings: Settings, progress: Progress = silent) -> list[Poll]:
    """Poll every active mailbox now, but those that were halted: another try might lock an account."""
    with sessions() as session:
        active = [mailbox for mailbox in imap_mailboxes(session) if mailbox.active]
    polls: list[Poll | None] = [
        Poll(mailbox.name, error=f"detenido: {mailbox.error}", kind=mailbox.error_kind)
        if mailbox.halted_at
        else poll_one(sessions, filer, settings, mailbox.id, progress)
        for mailbox in active
    ]
    return [poll for poll in polls if poll]


def poll_one(
    sessions: Sessions, filer: Filer, settings: Settings, mailbox_id: int, progress: Progress = silent
) -> Poll | None:
    """Poll one mailbox; None when another worker has it, or this one is stopping."""
    if filer.stopping.is_set():
        return None
    holder = new_holder()
    with sessions.begin() as session:
        mailbox = take_lease(session, mailbox_id, holder, settings.lease_s)
    if mailbox is None:
        return None
    failpoints.hit("after-mailbox-lease")
    reading = _Reading(sessions, filer, settings, mailbox, progress)
    with lease_dropped_on_fault(sessions, mailbox):
        poll, error = attempt(mailbox.name, reading.poll)
    failpoints.hit("before-lease-end")
    with sessions.begin() as session:
        end_lease(session, mailbox_id, holder, error)
    return Poll(mailbox.name, error=str(error), kind=error.kind) if error else poll


@dataclass(frozen=True, slots=True)
class _Reading:
    """One poll under way."""

    sessions: Sessions
    filer: Filer
    settings: Settings
    mailbox: Mailbox
    progress: Progress

    def poll(self) -> Poll:
        """Receive, file and mark; then the Sent folder, both ways."""
        with open_folder(self.mailbox.account()) as imap:
            received = self._receive(imap, sent=False)
            counts = self.filer.file_all(progress=self._keep_lease)
            marked = mark_or_leave(self.sessions, self.mailbox, imap)
            poll = Poll(self.mailbox.name, received, counts, marked)
            sent_folder = None if self.filer.stopping.is_set() else open_sent_folder(self.mailbox, imap)
            if sent_folder is None:
                return poll
            copied = copy_sent(self.sessions, self.mailbox, sent_folder)
            sent_read = self._receive(sent_folder, sent=True)
        if sent_read:
            self.filer.file_all(progress=self._keep_lease)
        return replace(poll, copied=copied, sent_read=sent_read)

    def _receive(self, imap: OpenFolder, *, sent: bool) -> int:
        return receive(
            self.sessions,
            self.mailbox,
            imap,
            now=utc_now(),
            max_bytes=self.settings.max_message_bytes,
            progress=self._report,
            stopping=self.filer.stopping.is_set,
            sent=sent,
        )

    def _report(self, done: int, total: int) -> None:
        self._keep_lease()
        self.progress(done, total)

    def _keep_lease(self) -> None:
        renew_lease(self.sessions, self.mailbox, self.settings.lease_s)


def mark_or_leave(sessions: Sessions, mailbox: Mailbox, imap: OpenFolder) -> int:
    """Show on the server what is filed. A folder that cannot be written to is no failure: the ledger knows."""
    try:
        return mark(sessions, mailbox, imap)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        log.warning("mailbox %s: filed mail cannot be marked on the server (%s)", mailbox.name, error)
        return 0
