"""Who reads or watches a mailbox now, and when it is read next. Compare and set on the mailbox's row, no locks.

A holder's name is never used twice: two threads of one process are two holders (L15).
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from helpdesk.db import Sessions
from helpdesk.desk.mailbox import Mailbox, MailboxKind
from helpdesk.desk.mailbox_trouble import care_of
from helpdesk.errors import MailboxError
from helpdesk.mail.trouble import Trouble

# Before a poll that was no fault of the mailbox's server is begun again.
BUSY_S = 10.0


def new_holder() -> str:
    """A name for one poll or one watch: where it runs, and what nobody else is called."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def _readable() -> ColumnElement[bool]:
    return and_(Mailbox.active, Mailbox.kind == MailboxKind.IMAP.value, Mailbox.halted_at.is_(None))


def _after(seconds: float) -> ColumnElement[dt.datetime]:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def due_mailbox_ids(session: Session) -> list[int]:
    """The mailboxes that are to be polled now, longest due first, by the database's clock."""
    free = or_(Mailbox.lease_until.is_(None), Mailbox.lease_until < func.now())
    query = select(Mailbox.id).where(_readable(), Mailbox.due_at <= func.now(), free)
    return list(session.scalars(query.order_by(Mailbox.due_at, Mailbox.id)))


def take_lease(session: Session, mailbox_id: int, holder: str, lease_s: float) -> Mailbox | None:
    """Own the mailbox for `lease_s` seconds; None when another worker does (L15: compare and set, no lock).

    None, too, for one that was halted since it was found due: another wrong password may lock the account.
    """
    free = or_(Mailbox.lease_until.is_(None), Mailbox.lease_until < func.now(), Mailbox.holder == holder)
    taken = session.scalar(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id, free, Mailbox.halted_at.is_(None))
        .values(holder=holder, polled_at=func.now(), lease_until=_after(lease_s))
        .returning(Mailbox.id)
    )
    return session.get(Mailbox, taken, populate_existing=True) if taken else None


def renew_lease(sessions: Sessions, mailbox: Mailbox, lease_s: float) -> None:
    """Go on owning the mailbox while a long poll is under way."""
    with sessions.begin() as session:
        session.execute(
            update(Mailbox)
            .where(Mailbox.id == mailbox.id, Mailbox.holder == mailbox.holder)
            .values(lease_until=_after(lease_s))
        )


def end_lease(session: Session, mailbox_id: int, holder: str, error: MailboxError | None) -> None:
    """Give the mailbox back, note how the poll went, and say when the next one is due."""
    owned = select(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.holder == holder).with_for_update()
    mailbox = session.scalar(owned.execution_options(populate_existing=True))
    if mailbox is None:
        return
    # Not the transaction's beginning: news may have come while the row was waited for.
    now = session.scalars(select(func.clock_timestamp())).one()
    mailbox.holder = mailbox.lease_until = None
    if error is None:
        wait_s = float(mailbox.poll_interval_s)
        mailbox.failures, mailbox.error, mailbox.error_kind, mailbox.halted_at = 0, None, None, None
        mailbox.succeeded_at = now
    else:
        wait_s = _note_failure(mailbox, error, now)
    if not _asked_for_meanwhile(mailbox, now):
        mailbox.due_at = now + dt.timedelta(seconds=wait_s)


@contextmanager
def lease_dropped_on_fault(sessions: Sessions, mailbox: Mailbox) -> Iterator[None]:
    """Give the mailbox back when the block raises, for another try in a moment.

    The database is busy, or somebody interrupts us: that says nothing about the mailbox's server.
    """
    try:
        yield
    except BaseException:
        ours = (Mailbox.id == mailbox.id, Mailbox.holder == mailbox.holder)
        freed = {Mailbox.holder: None, Mailbox.lease_until: None, Mailbox.due_at: _after(BUSY_S)}
        with suppress(OperationalError), sessions.begin() as session:
            session.execute(update(Mailbox).where(*ours).values(freed))
        raise


def _note_failure(mailbox: Mailbox, error: MailboxError, now: dt.datetime) -> float:
    # Another kind of trouble begins its own row of waits, but is not a first failure for who looks at the page.
    before = mailbox.failures if mailbox.error_kind == error.kind else min(mailbox.failures, 2)
    care = care_of(error.kind)
    mailbox.failures = before + 1
    mailbox.error, mailbox.error_kind = str(error), Trouble(error.kind).value
    if care.halts(mailbox.failures):
        mailbox.halted_at = mailbox.halted_at or now
    return care.wait_s(mailbox.failures)


def _asked_for_meanwhile(mailbox: Mailbox, now: dt.datetime) -> bool:
    """Whether the watcher or a person asked for a poll after this one had begun: it may have come too early."""
    return mailbox.polled_at is not None and mailbox.polled_at < mailbox.due_at <= now


def watchable_ids(session: Session) -> list[int]:
    """Mailboxes that nobody watches and whose polls succeed: watching follows polling, it never tries on its own."""
    free = or_(Mailbox.watch_until.is_(None), Mailbox.watch_until < func.now())
    healthy = and_(Mailbox.failures == 0, Mailbox.succeeded_at.is_not(None))
    return list(session.scalars(select(Mailbox.id).where(_readable(), Mailbox.idle, healthy, free)))


def take_watch(session: Session, mailbox_id: int, watcher: str, lease_s: float) -> Mailbox | None:
    """Be the one that watches a mailbox for `lease_s` seconds, or go on being it; None when that is not ours.

    Nobody goes on watching while polls fail: on a server that allows one connection, ours would keep them out.
    """
    free = or_(Mailbox.watch_until.is_(None), Mailbox.watch_until < func.now(), Mailbox.watcher == watcher)
    taken = session.scalar(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id, free, _readable(), Mailbox.idle, Mailbox.failures == 0)
        .values(watcher=watcher, watch_until=_after(lease_s))
        .returning(Mailbox.id)
    )
    return session.get(Mailbox, taken, populate_existing=True) if taken else None


def end_watch(session: Session, mailbox_id: int, watcher: str) -> None:
    """Let somebody else watch."""
    session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id, Mailbox.watcher == watcher)
        .values(watcher=None, watch_until=None)
    )


def news(session: Session, mailbox_id: int) -> None:
    """Something arrived: poll as soon as a worker can."""
    session.execute(update(Mailbox).where(Mailbox.id == mailbox_id).values(due_at=func.clock_timestamp()))
