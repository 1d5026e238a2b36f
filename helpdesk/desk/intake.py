"""One poll of the mailboxes: take the lease, receive, file, mark; and say how it went on the mailbox's row."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from imapclient.exceptions import IMAPClientError
from sqlalchemy.exc import OperationalError

from helpdesk.db import Sessions, utc_now
from helpdesk.desk.filing import Counts, Filer
from helpdesk.desk.mailbox import Mailbox, due_mailbox_ids, end_lease, mailboxes, renew_lease, take_lease
from helpdesk.desk.receive import Progress, mark, receive, silent
from helpdesk.errors import HelpdeskError, MailboxRefused, MailboxUnreachable, SettingsError
from helpdesk.mail.imap import OpenFolder, open_folder
from helpdesk.settings import Settings

log = logging.getLogger(__name__)

NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll of one mailbox did."""

    mailbox: str
    received: int = 0
    filed: Counts = NOTHING
    marked: int = 0
    error: str | None = None


def poll_due(sessions: Sessions, filer: Filer, settings: Settings) -> list[Poll]:
    """Poll every mailbox whose interval is over, and file what is left over from before."""
    with sessions() as session:
        due = due_mailbox_ids(session)
    polls = [poll for mailbox_id in due if (poll := poll_one(sessions, filer, settings, mailbox_id))]
    filer.file_all()
    return polls


def poll_all(sessions: Sessions, filer: Filer, settings: Settings, progress: Progress = silent) -> list[Poll]:
    """Poll every active mailbox now."""
    with sessions() as session:
        ids = [mailbox.id for mailbox in mailboxes(session) if mailbox.active]
    return [poll for mailbox_id in ids if (poll := poll_one(sessions, filer, settings, mailbox_id, progress))]


def poll_one(
    sessions: Sessions, filer: Filer, settings: Settings, mailbox_id: int, progress: Progress = silent
) -> Poll | None:
    """Poll one mailbox; None when another worker has it."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    with sessions.begin() as session:
        mailbox = take_lease(session, mailbox_id, holder, settings.lease_s)
    if mailbox is None:
        return None
    try:
        poll = _poll(sessions, filer, settings, mailbox, progress)
    except OperationalError:
        raise  # the database is away: there is nowhere to write how the poll went
    except Exception as error:  # whatever a server makes us stumble over, the other mailboxes are read
        log.exception("mailbox %s", mailbox.name)
        poll = Poll(mailbox.name, error=f"error inesperado ({type(error).__name__})")
    with sessions.begin() as session:
        end_lease(session, mailbox_id, holder, poll.error)
    return poll


def _poll(sessions: Sessions, filer: Filer, settings: Settings, mailbox: Mailbox, progress: Progress) -> Poll:
    def keep_lease() -> None:
        renew_lease(sessions, mailbox, settings.lease_s)

    def report(done: int, total: int) -> None:
        keep_lease()
        progress(done, total)

    try:
        with open_folder(mailbox.account()) as imap:
            received = receive(
                sessions,
                mailbox,
                imap,
                now=utc_now(),
                max_bytes=settings.max_message_bytes,
                progress=report,
            )
            counts = filer.file_all(progress=keep_lease)
            return Poll(mailbox.name, received, counts, mark_or_leave(sessions, mailbox, imap))
    except (MailboxRefused, MailboxUnreachable, SettingsError) as error:
        log.warning("mailbox %s: %s", mailbox.name, error)
        return Poll(mailbox.name, error=str(error))


def mark_or_leave(sessions: Sessions, mailbox: Mailbox, imap: OpenFolder) -> int:
    """Show on the server what is filed. A folder that cannot be written to is no failure: the ledger knows."""
    try:
        return mark(sessions, mailbox, imap)
    except IMAPClientError as error:
        log.warning("mailbox %s: filed mail cannot be marked on the server (%s)", mailbox.name, error)
        return 0


def check(mailbox: Mailbox) -> list[tuple[bool, str]]:
    """Try a mailbox and say in words what works and what does not."""
    said: list[tuple[bool, str]] = []

    def step(sentence: str, attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except HelpdeskError as error:
            said.append((False, f"{sentence}: {error}"))
            return False
        said.append((True, sentence))
        return True

    if not step(f"password file {mailbox.password_file}", mailbox.account):
        return said

    def look() -> None:
        with open_folder(mailbox.account()) as imap:
            count = len(imap.all_uids())
            how = "a keyword" if imap.keeps_keywords else "moving it, or the ledger only"
            said.append((True, f"folder {imap.name!r} holds {count} messages; filed mail is shown by {how}"))

    step(f"login as {mailbox.username!r} at {mailbox.host}:{mailbox.port}", look)
    return said
