"""From the mailbox into the ledger, and back: receive, then mark what is decided. Nothing is parsed here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from sqlalchemy import func, update

from helpdesk import failpoints
from helpdesk.db import Sessions
from helpdesk.desk import ledger
from helpdesk.desk.ledger import Folder, RawMail
from helpdesk.desk.mailbox import Mailbox
from helpdesk.mail.imap import OpenFolder

Progress = Callable[[int, int], None]


def silent(_done: int, _total: int) -> None:
    """The progress of somebody who is not watching."""


def receive(
    sessions: Sessions,
    mailbox: Mailbox,
    imap: OpenFolder,
    *,
    now: dt.datetime,
    max_bytes: int,
    progress: Progress = silent,
) -> int:
    """Write every message the ledger does not know into it, a commit for each chunk. Returns how many."""
    folder = Folder(mailbox.id, imap.name, imap.uidvalidity)
    with sessions() as session:
        last = ledger.last_uid(session, folder)
    uids = imap.uids_after(last)
    received = done = 0
    for chunk in imap.fetch(uids, max_bytes):
        failpoints.hit("after-fetch")
        with sessions.begin() as session:
            received += ledger.enter(session, folder, chunk, now)
        failpoints.hit("after-raw-commit")
        done += len(chunk)
        progress(done, len(uids))
    return received


def mark(sessions: Sessions, mailbox: Mailbox, imap: OpenFolder) -> int:
    """Show on the server what the ledger has decided. Only after the commit; a failure is made good next time."""
    folder = Folder(mailbox.id, imap.name, imap.uidvalidity)
    marked = 0
    while True:
        with sessions() as session:
            mails = ledger.unmarked(session, folder)
        if not mails:
            return marked
        failpoints.hit("before-marking")
        imap.mark_done([mail.uid for mail in mails])
        with sessions.begin() as session:
            ids = [mail.id for mail in mails]
            session.execute(update(RawMail).where(RawMail.id.in_(ids)).values(marked_at=func.now()))
        marked += len(mails)
