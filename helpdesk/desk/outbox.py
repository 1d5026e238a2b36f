"""Mail on its way out: a row first, SMTP after the commit, the same bytes and Message-ID at every try.

In: the table, and what people and incoming mail do to a mail that has not left. Not in: the worker that claims and
hands over (`sending.py`), what a reply may contain (`reply.py`). Each recipient of a mail is a row with its own fate.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, or_, select, text
from sqlalchemy.orm import Mapped, Session, defer, mapped_column, relationship

from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.lifecycle import OUTGOING, OutgoingState, TicketStatus, check_can_move, state_check
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import Ticket, change_status, record
from helpdesk.errors import NotAllowed
from helpdesk.mail.compose import redated

# Written out, so that the planner can see that the index of the due covers it.
ON_ITS_WAY = "state in ('ready', 'handing', 'uncertain')"
# Written to an address with a tag (RFC 5233): rare.
TAGGED = "strpos(recipient, '+') > 0"
# A reply that waits longer than any undo window was meant for later.
LATER_THAN_UNDO = dt.timedelta(seconds=120)
HELD_ES = "Llegó un mensaje nuevo: revise antes de enviar"


class Outgoing(Base):
    """One mail to one recipient; the bytes are frozen when it is queued (F28)."""

    __tablename__ = "outgoing"
    __table_args__ = (
        CheckConstraint(state_check(OutgoingState, "state"), name="state_known"),
        Index("ix_outgoing_due", "send_at", postgresql_where=text(ON_ITS_WAY)),
        Index("ix_outgoing_recipient", "recipient", "created_at"),
        Index("ix_outgoing_ticket_id", "ticket_id"),
        Index("ix_outgoing_notices", "created_at", postgresql_where=text("notice")),
        Index("ix_outgoing_tagged", "created_at", postgresql_where=text(f"notice and {TAGGED}")),
        Index(
            "ix_outgoing_to_copy",
            "id",
            postgresql_where=text("state = 'sent' and copied_at is null and not notice"),
        ),
        # Each recipient of a mail is a row with its own fate; all of them carry the same bytes.
        UniqueConstraint("message_id", "recipient"),
        UniqueConstraint("reply_id", "recipient"),
        UniqueConstraint("idempotency_key", "recipient"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # Null for a one-time code, which is sent before there is any matter.
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))
    reply_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    notice: Mapped[bool] = mapped_column(default=False)
    idempotency_key: Mapped[str]
    message_id: Mapped[str]
    envelope_from: Mapped[str]
    recipient: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(default=OutgoingState.READY.value)
    send_at: Mapped[dt.datetime]
    created_at: Mapped[dt.datetime]
    sent_at: Mapped[dt.datetime | None]
    # How often the server was asked to take it; what never came so far does not count.
    tries: Mapped[int] = mapped_column(default=0)
    # Who may touch it: a worker, until `lease_until`, if it knows the last `fence` (F25, F26).
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[dt.datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    # When the mail's copy was found in, or put into, the Sent folder.
    copied_at: Mapped[dt.datetime | None]
    bounced_at: Mapped[dt.datetime | None]

    ticket: Mapped[Ticket | None] = relationship()
    reply: Mapped[Message | None] = relationship()

    @property
    def can_be_undone(self) -> bool:
        """Whether it can still be taken back: no server has been asked to take it."""
        return self.state == OutgoingState.READY.value and self.tries == 0

    @property
    def scheduled(self) -> bool:
        """Whether it waits for an hour that the agent chose."""
        return self.can_be_undone and self.send_at - self.created_at > LATER_THAN_UNDO


def queue_of_ticket(session: Session, ticket: Ticket) -> dict[int, list[Outgoing]]:
    """The outgoing mail of each of a ticket's replies, one row a recipient, by the reply's id; without the bytes."""
    query = select(Outgoing).where(Outgoing.ticket_id == ticket.id, Outgoing.reply_id.is_not(None))
    found: dict[int, list[Outgoing]] = defaultdict(list)
    for row in session.scalars(query.order_by(Outgoing.id).options(defer(Outgoing.content))):
        assert row.reply_id is not None
        found[row.reply_id].append(row)
    return dict(found)


def undelivered(session: Session, tickets: Sequence[Ticket]) -> set[int]:
    """Which of these tickets, by id, have a reply that some server refused for good or that came back."""
    failed = or_(Outgoing.state == OutgoingState.FAILED.value, Outgoing.bounced_at.is_not(None))
    query = select(Outgoing.ticket_id).where(
        Outgoing.ticket_id.in_([ticket.id for ticket in tickets]), Outgoing.reply_id.is_not(None), failed
    )
    return set(session.scalars(query.distinct()))


def _rows_of(session: Session, reply: Message) -> Sequence[Outgoing]:
    """A reply's rows, locked. The caller holds the ticket: ticket first, then its mail, everywhere."""
    query = select(Outgoing).where(Outgoing.reply_id == reply.id).order_by(Outgoing.id)
    locked = query.options(defer(Outgoing.content)).with_for_update(of=Outgoing)
    return session.scalars(locked.execution_options(populate_existing=True)).all()


def cancel(session: Session, reply: Message) -> None:
    """Take a reply back before it leaves for anybody. Raises NotAllowed once a server was asked to take it."""
    rows = _rows_of(session, reply)
    if not rows or not all(row.can_be_undone for row in rows):
        raise NotAllowed("El correo ya salió: no se puede deshacer.")
    for row in rows:
        _move(row, OutgoingState.CANCELLED)


def _move(row: Outgoing, state: OutgoingState) -> None:
    check_can_move(OUTGOING, OutgoingState(row.state), state)
    row.state = state.value


def send_now(session: Session, reply: Message, *, actor: User, now: dt.datetime, undo_s: float) -> None:
    """Let a reply that was meant for later leave when the undo window is over. Raises NotAllowed."""
    rows = _rows_of(session, reply)
    if not rows or not all(row.scheduled for row in rows):
        raise NotAllowed("Ese correo no estaba programado, o ya salió.")
    for row in rows:
        row.created_at, row.send_at = now, now + dt.timedelta(seconds=undo_s)
        # The hour that the mail carries was that of its planned departure: still to come.
        row.content = redated(row.content, row.send_at)
    record(session, reply.ticket, "send_hastened", now=now, actor=actor, message=reply.id)


def hold_scheduled(session: Session, ticket: Ticket, now: dt.datetime) -> int:
    """Take back what waits for a later hour, because the citizen wrote meanwhile. Returns how many replies.

    The caller holds the ticket's lock. The text goes back to the composer (`held_reply`); nothing is lost.
    """
    query = select(Outgoing.reply_id).where(
        Outgoing.ticket_id == ticket.id,
        Outgoing.reply_id.is_not(None),
        Outgoing.state == OutgoingState.READY.value,
        Outgoing.send_at - Outgoing.created_at > LATER_THAN_UNDO,
    )
    held = 0
    for reply_id in session.scalars(query.distinct()).all():
        reply = session.get_one(Message, reply_id)
        rows = _rows_of(session, reply)
        if not all(row.scheduled for row in rows):
            continue
        for row in rows:
            _move(row, OutgoingState.CANCELLED)
        reply.undone_at = now
        record(session, ticket, "reply_held", now=now, why=HELD_ES, message=reply.id)
        if ticket.status != TicketStatus.OPEN:
            change_status(session, ticket, TicketStatus.OPEN, now=now, actor=None, why=HELD_ES)
        held += 1
    return held


def send_again(session: Session, mail: Outgoing, *, actor: User, now: dt.datetime) -> None:
    """Let an agent try a refused mail once more: the same bytes, the same Message-ID. Raises NotAllowed."""
    session.refresh(mail, with_for_update={"of": Outgoing})
    if mail.state != OutgoingState.FAILED.value:
        raise NotAllowed("Ese correo ya está en camino.")
    _move(mail, OutgoingState.READY)
    # The waits begin anew. Not from nought: a mail that some server has been asked to take cannot be undone.
    mail.tries, mail.lease_until = 1, None
    mail.send_at = mail.created_at = now
    assert mail.ticket is not None, "what an agent sends again stands on a ticket's page"
    record(session, mail.ticket, "sent_again", now=now, actor=actor, to=mail.recipient)
