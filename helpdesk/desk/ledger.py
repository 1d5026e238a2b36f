"""The intake ledger: one row for every message a mailbox ever held, with its bytes and what became of it.

A row is written before anything is parsed and is unique by mailbox, folder, UIDVALIDITY and UID (RFC 9051,
2.3.1.1), so a message is received once whatever happens. The watermark is the ledger itself (I-4).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship, undefer

from helpdesk.db import Base
from helpdesk.desk.lifecycle import MAIL, MailState, check_can_move, state_check
from helpdesk.desk.mailbox import Mailbox
from helpdesk.mail.imap import FetchedMail

# What a worker holds in memory at once: mails of up to 25 MB are claimed nearly alone.
CLAIM_BYTES = 8_000_000
# Filing takes seconds; what waits for longer than this has been forgotten, or there is no worker (I-10).
STUCK_AFTER = dt.timedelta(minutes=15)
WORKER_DIED = "el proceso que lo leía terminó cada vez antes de acabar"
# The number means nothing; whoever files names the same one.
_FILING_LOCK = text("select pg_advisory_xact_lock(7263503)")


class RawMail(Base):
    """A message as the server gave it."""

    __tablename__ = "raw_mail"
    __table_args__ = (
        UniqueConstraint("mailbox_id", "folder", "uidvalidity", "uid"),
        CheckConstraint(state_check(MailState, "state"), name="state_known"),
        Index("ix_raw_mail_arrived_at", "arrived_at", "id"),
        Index("ix_raw_mail_state", "state", "arrived_at", "id"),
        Index("ix_raw_mail_due", "id", postgresql_where=text("state = 'received'")),
        Index("ix_raw_mail_set_aside", "id", postgresql_where=text("state in ('set_aside', 'vanished')")),
        Index("ix_raw_mail_unmarked", "mailbox_id", postgresql_where=text("marked_at is null")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id"))
    folder: Mapped[str]
    uidvalidity: Mapped[int]
    uid: Mapped[int]
    sha256: Mapped[str | None] = mapped_column(index=True)
    # Of what follows the header: the same mail by another way has other trace headers (T10).
    body_sha256: Mapped[str | None] = mapped_column(index=True)
    # From the Sent folder: written by us.
    sent: Mapped[bool] = mapped_column(default=False)
    size: Mapped[int]
    truncated: Mapped[bool] = mapped_column(default=False)
    raw: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    arrived_at: Mapped[dt.datetime]
    received_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    state: Mapped[str] = mapped_column(default=MailState.RECEIVED.value)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[dt.datetime | None]
    reason: Mapped[str | None]
    marked_at: Mapped[dt.datetime | None]

    mailbox: Mapped[Mailbox] = relationship()

    def reached_us(self, now: dt.datetime) -> dt.datetime:
        """When the mail reached us: the server's INTERNALDATE, never in the future."""
        return min(self.arrived_at, now)

    @property
    def is_intact(self) -> bool:
        """Whether the bytes are those that the server gave (F52). They must be loaded."""
        return self.raw is not None and hashlib.sha256(self.raw).hexdigest() == self.sha256


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a mailbox in one of its lives (UIDVALIDITY)."""

    mailbox_id: int
    name: str
    uidvalidity: int


def last_uid(session: Session, folder: Folder) -> int:
    """The highest UID of this folder that the ledger holds; 0 when it holds none."""
    query = select(func.max(RawMail.uid)).where(
        RawMail.mailbox_id == folder.mailbox_id,
        RawMail.folder == folder.name,
        RawMail.uidvalidity == folder.uidvalidity,
    )
    return session.scalar(query) or 0


def enter(
    session: Session, folder: Folder, mails: list[FetchedMail], now: dt.datetime, *, sent: bool = False
) -> int:
    """Write messages into the ledger; one that is there already is left alone. Returns how many were new.

    `sent` says that the folder holds what we wrote ourselves.
    """
    rows = [_row(folder, mail, now, sent) for mail in mails]
    if not rows:
        return 0
    statement = insert(RawMail).on_conflict_do_nothing().returning(RawMail.id)
    return len(session.scalars(statement, rows).all())


def _row(folder: Folder, mail: FetchedMail, now: dt.datetime, sent: bool) -> dict[str, object]:
    gone = mail.raw is None
    return {
        "mailbox_id": folder.mailbox_id,
        "folder": folder.name,
        "uidvalidity": folder.uidvalidity,
        "uid": mail.uid,
        "sha256": None if mail.raw is None else hashlib.sha256(mail.raw).hexdigest(),
        "body_sha256": None if mail.raw is None else body_sha256(mail.raw),
        "size": mail.size,
        "truncated": mail.truncated,
        "raw": mail.raw,
        "arrived_at": mail.arrived_at or now,
        "state": (MailState.VANISHED if gone else MailState.RECEIVED).value,
        "reason": "desapareció del buzón antes de poder leerse" if gone else None,
        "marked_at": now if gone else None,
        "attempts": 0,
        "sent": sent,
    }


def body_sha256(raw: bytes) -> str:
    """The hash of what follows the header's blank line, line ends made alike; of nothing when there is none."""
    body = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[1:]
    return hashlib.sha256(b"".join(body).replace(b"\r\n", b"\n").rstrip()).hexdigest()


def set_aside_exhausted(session: Session, attempts_allowed: int) -> None:
    """Set aside what was taken as often as is allowed and never came to an end: its workers died (T26)."""
    session.execute(
        update(RawMail)
        .where(
            RawMail.state == MailState.RECEIVED.value,
            RawMail.attempts >= attempts_allowed,
            RawMail.lease_until < func.now(),
        )
        .values(state=MailState.SET_ASIDE.value, reason=WORKER_DIED, lease_until=None)
    )


def claim(session: Session, *, limit: int, lease_s: float) -> list[RawMail]:
    """Take messages to file, oldest first, counting the attempt before anything is parsed (T26).

    Up to `limit` that were never tried come together; one that failed before comes alone, so that it can
    never take the blame from, or put it on, its neighbours. Other workers skip what is taken.
    """
    free = or_(RawMail.lease_until.is_(None), RawMail.lease_until < func.now())
    query = (
        select(RawMail.id, RawMail.attempts, RawMail.size)
        .where(RawMail.state == MailState.RECEIVED.value, free)
        .order_by(RawMail.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = session.execute(query).all()
    before = accumulate((row.size for row in found), initial=0)
    fitting = [row for row, size in zip(found, before, strict=False) if size <= CLAIM_BYTES]
    ids = [row.id for row in fitting if row.attempts == 0] or [row.id for row in fitting[:1]]
    if not ids:
        return []
    session.execute(
        update(RawMail)
        .where(RawMail.id.in_(ids))
        .values(
            attempts=RawMail.attempts + 1,
            lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s),
        )
    )
    rows = select(RawMail).where(RawMail.id.in_(ids)).order_by(RawMail.id).options(undefer(RawMail.raw))
    return list(session.scalars(rows.execution_options(populate_existing=True)))


def give_back(session: Session, ids: Sequence[int]) -> None:
    """Put claimed messages back as if they had not been tried."""
    waiting = (RawMail.id.in_(ids), RawMail.state == MailState.RECEIVED.value)
    session.execute(update(RawMail).where(*waiting).values(attempts=RawMail.attempts - 1, lease_until=None))


def settle(mail: RawMail, state: MailState, reason: str) -> None:
    """Write down what became of a message. Raises NotAllowed when that is already decided otherwise."""
    check_can_move(MAIL, MailState(mail.state), state)
    mail.state = state.value
    mail.reason = reason
    mail.lease_until = None


def lock_rows(session: Session, ids: Sequence[int]) -> dict[int, RawMail]:
    """The rows of `ids`, locked until the commit, in the order of their ids."""
    query = select(RawMail).where(RawMail.id.in_(ids)).order_by(RawMail.id).with_for_update()
    return {mail.id: mail for mail in session.scalars(query)}


def filed_twins(session: Session, mails: Collection[RawMail]) -> dict[str | None, int]:
    """For each content (SHA-256) that is filed already: the row under which it is.

    Bytes, not Message-IDs: a Message-ID that somebody else reused must not hide a mail (T10).
    """
    hashes = [mail.sha256 for mail in mails]
    query = select(RawMail.sha256, func.min(RawMail.id)).where(
        RawMail.sha256.in_(hashes), RawMail.state == MailState.FILED.value
    )
    return {row[0]: row[1] for row in session.execute(query.group_by(RawMail.sha256))}


def fail(mail: RawMail, reason: str, *, attempts_allowed: int) -> MailState:
    """Note a failed attempt; the last one sets the message aside. Returns the state it is in then."""
    if mail.attempts >= attempts_allowed:
        settle(mail, MailState.SET_ASIDE, reason)
    else:
        mail.reason = reason
        mail.lease_until = None
    return MailState(mail.state)


def retry(session: Session, mail: RawMail) -> None:
    """Put a message that was set aside back into line, with its attempts forgiven. Raises NotAllowed."""
    session.refresh(mail, with_for_update={"of": RawMail})
    settle(mail, MailState.RECEIVED, "se intenta de nuevo a mano")
    mail.attempts = 0


def unmarked(session: Session, folder: Folder, limit: int = 1000) -> list[RawMail]:
    """Filed messages of this folder that the server does not show as done yet."""
    query = select(RawMail).where(
        RawMail.mailbox_id == folder.mailbox_id,
        RawMail.folder == folder.name,
        RawMail.uidvalidity == folder.uidvalidity,
        RawMail.marked_at.is_(None),
        RawMail.state.in_([MailState.FILED.value, MailState.DUPLICATE.value]),
    )
    return list(session.scalars(query.order_by(RawMail.uid).limit(limit)))


def stuck(session: Session) -> list[RawMail]:
    """What was received long ago and is still not filed, oldest first (I-10)."""
    query = select(RawMail).where(
        RawMail.state == MailState.RECEIVED.value, RawMail.received_at < func.now() - STUCK_AFTER
    )
    return list(session.scalars(query.order_by(RawMail.id).options(joinedload(RawMail.mailbox))))


def lock_filing(session: Session) -> None:
    """Wait until nobody else is filing, and let nobody file until the commit.

    Whoever opens tickets meets the others at the number series; meeting here first, nobody waits in a ring.
    """
    session.execute(_FILING_LOCK)
