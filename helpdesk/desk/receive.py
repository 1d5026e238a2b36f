"""From the mailbox into the ledger, and back: receive, then mark what is decided. Nothing is parsed here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from helpdesk import failpoints
from helpdesk.db import Sessions
from helpdesk.desk import ledger
from helpdesk.desk.ledger import Folder, RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.mail.imap import FetchedMail, OpenFolder
from helpdesk.settings import LIMA

Progress = Callable[[int, int], None]

WITHHELD = "el servidor lo anuncia pero no lo entrega"
# A message that the server withholds is asked for again at every poll of a week, so many at a time.
ASK_AGAIN_FOR = dt.timedelta(days=7)
ASK_AGAIN_AT_ONCE = 20


def silent(_done: int, _total: int) -> None:
    """The progress of somebody who is not watching."""


def never() -> bool:
    """Nobody asks us to stop."""
    return False


def receive(
    sessions: Sessions,
    mailbox: Mailbox,
    imap: OpenFolder,
    *,
    now: dt.datetime,
    max_bytes: int,
    progress: Progress = silent,
    stopping: Callable[[], bool] = never,
    sent: bool = False,
) -> int:
    """Write every message the ledger does not know into it, a commit for each chunk. Returns how many.

    `sent`: the folder holds what we wrote; the first time, only what is there since the mailbox was added.
    """
    folder = Folder(mailbox.id, imap.name, imap.uidvalidity)
    with sessions() as session:
        last = ledger.last_uid(session, folder)
        again = withheld_uids(session, folder, now)
    uids = imap.uids_since(_first_day(mailbox)) if sent and not last else imap.uids_after(last)
    failpoints.hit("after-search")
    return receive_missing(
        sessions,
        mailbox,
        imap,
        [*again, *uids],
        now=now,
        max_bytes=max_bytes,
        progress=progress,
        stopping=stopping,
        sent=sent,
    )


def _first_day(mailbox: Mailbox) -> dt.date:
    # The calendar of Lima is never ahead of the server's, where that is UTC or Lima time, too.
    return mailbox.created_at.astimezone(LIMA).date()


def receive_missing(
    sessions: Sessions,
    mailbox: Mailbox,
    imap: OpenFolder,
    uids: Sequence[int],
    *,
    now: dt.datetime,
    max_bytes: int,
    progress: Progress = silent,
    stopping: Callable[[], bool] = never,
    sent: bool = False,
) -> int:
    """Write these messages into the ledger, wherever the watermark stands. Returns how many were new."""
    folder = Folder(mailbox.id, imap.name, imap.uidvalidity)
    received = done = 0
    for chunk in imap.fetch(uids, max_bytes):
        failpoints.hit("after-fetch")
        with sessions.begin() as session:
            received += _enter(session, folder, chunk, now, sent=sent)
            failpoints.hit("inside-raw-commit")
        failpoints.hit("after-raw-commit")
        done += len(chunk)
        progress(done, len(uids))
        if stopping():
            break
    return received


def _enter(
    session: Session, folder: Folder, mails: list[FetchedMail], now: dt.datetime, *, sent: bool
) -> int:
    given = [mail.uid for mail in mails if not mail.withheld]
    if given:
        # What could not be had at first is here now, or gone for good: its row is written anew.
        session.execute(delete(RawMail).where(_vanished(folder), RawMail.uid.in_(given)))
    entered = ledger.enter(session, folder, mails, now, sent=sent)
    withheld = [mail.uid for mail in mails if mail.withheld]
    if withheld:
        vanished = and_(_vanished(folder), RawMail.uid.in_(withheld))
        session.execute(update(RawMail).where(vanished).values(reason=WITHHELD))
    return entered


def withheld_uids(session: Session, folder: Folder, now: dt.datetime) -> list[int]:
    """Messages that the server listed and did not give, and that are worth another question."""
    query = select(RawMail.uid).where(_withheld(folder), RawMail.received_at > now - ASK_AGAIN_FOR)
    return list(session.scalars(query.order_by(RawMail.uid).limit(ASK_AGAIN_AT_ONCE)))


def _withheld(folder: Folder) -> ColumnElement[bool]:
    return and_(_vanished(folder), RawMail.reason == WITHHELD)


def _vanished(folder: Folder) -> ColumnElement[bool]:
    return and_(_of(folder), RawMail.state == MailState.VANISHED.value)


def _of(folder: Folder) -> ColumnElement[bool]:
    return and_(
        RawMail.mailbox_id == folder.mailbox_id,
        RawMail.folder == folder.name,
        RawMail.uidvalidity == folder.uidvalidity,
    )


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
        failpoints.hit("after-marking")
        with sessions.begin() as session:
            ids = [mail.id for mail in mails]
            session.execute(update(RawMail).where(RawMail.id.in_(ids)).values(marked_at=func.now()))
        marked += len(mails)
