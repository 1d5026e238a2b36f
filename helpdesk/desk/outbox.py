"""Mail on its way out: a row first, SMTP after the commit, the same bytes and Message-ID at every try.

Claimed under SKIP LOCKED with a lease and a fencing number (L12): a worker that dies loses nothing, one that is
late changes nothing. At least once, and each copy is the same message (I-5, I-6).
"""

from __future__ import annotations

import datetime as dt
import smtplib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

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
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from helpdesk import failpoints
from helpdesk.accounts.users import User
from helpdesk.db import Base, Sessions, utc_now
from helpdesk.desk.lifecycle import OUTGOING, OutgoingState, TicketStatus, check_can_move, state_check
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import Ticket, change_status, record
from helpdesk.errors import NotAllowed
from helpdesk.mail.smtp import Answer, Handed, SmtpServer, hand_over, open_server, unreachable

# Waits after the 1st, 2nd … try that the server put off, seconds; then every two hours up to 72 h (F24).
DELAYS_S = (30, 60, 300, 900, 1800, 3600, 7200)
GIVE_UP_AFTER_H = 72
UNCERTAIN_WAIT_S = 600

Clock = Callable[[], dt.datetime]


class Outgoing(Base):
    """One mail to one recipient; the bytes are frozen when it is queued (F28)."""

    __tablename__ = "outgoing"
    __table_args__ = (
        CheckConstraint(state_check(OutgoingState, "state"), name="state_known"),
        Index(
            "ix_outgoing_due", "send_at", postgresql_where=text("state in ('ready', 'handing', 'uncertain')")
        ),
        Index("ix_outgoing_recipient", "recipient", "created_at"),
        Index("ix_outgoing_ticket_id", "ticket_id"),
        Index("ix_outgoing_to_copy", "id", postgresql_where=text("state = 'sent' and copied_at is null")),
        # Each recipient of a mail is a row with its own fate; all of them carry the same bytes.
        UniqueConstraint("message_id", "recipient"),
        UniqueConstraint("reply_id", "recipient"),
        UniqueConstraint("idempotency_key", "recipient"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
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
    tries: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[dt.datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    # When the mail's copy was found in, or put into, the Sent folder.
    copied_at: Mapped[dt.datetime | None]
    bounced_at: Mapped[dt.datetime | None]

    ticket: Mapped[Ticket] = relationship()
    reply: Mapped[Message | None] = relationship()


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a worker needs to hand one mail over, and the number that proves it still owns it."""

    id: int
    fence: int
    envelope_from: str
    recipient: str
    content: bytes


def queue_of_ticket(session: Session, ticket: Ticket) -> dict[int, Outgoing]:
    """The outgoing mail of each of a ticket's replies, by the reply's id."""
    rows = session.scalars(
        select(Outgoing).where(Outgoing.ticket_id == ticket.id, Outgoing.reply_id.is_not(None))
    )
    return {row.reply_id: row for row in rows if row.reply_id is not None}


def claim(session: Session, *, lease_s: float) -> Claimed | None:
    """Own the mail that has been due longest: ready, uncertain, or left behind by a worker that died."""
    due = or_(
        Outgoing.state.in_([OutgoingState.READY.value, OutgoingState.UNCERTAIN.value]),
        (Outgoing.state == OutgoingState.HANDING.value) & (Outgoing.lease_until < func.now()),
    )
    query = select(Outgoing.id).where(due, Outgoing.send_at <= func.now()).order_by(Outgoing.send_at)
    found = session.scalar(query.limit(1).with_for_update(skip_locked=True))
    if found is None:
        return None
    row = session.execute(
        update(Outgoing)
        .where(Outgoing.id == found)
        .values(
            state=OutgoingState.HANDING.value,
            tries=Outgoing.tries + 1,
            fence=Outgoing.fence + 1,
            lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s),
        )
        .returning(Outgoing.id, Outgoing.fence, Outgoing.envelope_from, Outgoing.recipient, Outgoing.content)
    ).one()
    return Claimed(*row)


def settle(session: Session, claimed: Claimed, answer: Answer, now: dt.datetime) -> bool:
    """Write down how a try went. False when the lease was lost meanwhile: then nothing is changed (F26)."""
    query = select(Outgoing).where(
        Outgoing.id == claimed.id,
        Outgoing.fence == claimed.fence,
        Outgoing.state == OutgoingState.HANDING.value,
    )
    mail = session.scalar(query.with_for_update())
    if mail is None:
        return False
    mail.lease_until = None
    mail.reason = answer.reason
    state = _next_state(mail, answer, now)
    check_can_move(OUTGOING, OutgoingState(mail.state), state)
    mail.state = state.value
    if state is OutgoingState.SENT:
        _note_sent(session, mail, now)
    elif state is OutgoingState.FAILED:
        _note_failed(session, mail, now)
    elif state is OutgoingState.UNCERTAIN:
        mail.send_at = now + dt.timedelta(seconds=UNCERTAIN_WAIT_S)
    else:
        mail.send_at = now + dt.timedelta(seconds=DELAYS_S[min(mail.tries, len(DELAYS_S)) - 1])
    return True


def _next_state(mail: Outgoing, answer: Answer, now: dt.datetime) -> OutgoingState:
    if answer.outcome is Handed.ACCEPTED:
        return OutgoingState.SENT
    if answer.outcome is Handed.REFUSED or now - mail.created_at > dt.timedelta(hours=GIVE_UP_AFTER_H):
        return OutgoingState.FAILED
    return OutgoingState.UNCERTAIN if answer.outcome is Handed.UNCERTAIN else OutgoingState.READY


def _note_sent(session: Session, mail: Outgoing, now: dt.datetime) -> None:
    mail.sent_at = now
    if mail.notice:
        return
    if mail.ticket.first_response_at is None:
        mail.ticket.first_response_at = now
    record(session, mail.ticket, "sent", now=now, why=mail.reason, to=mail.recipient)


def _note_failed(session: Session, mail: Outgoing, now: dt.datetime) -> None:
    record(session, mail.ticket, "send_failed", now=now, why=mail.reason, to=mail.recipient)
    if not mail.notice and mail.ticket.status != TicketStatus.OPEN:
        change_status(
            session,
            mail.ticket,
            TicketStatus.OPEN,
            now=now,
            actor=None,
            why="la respuesta no se pudo entregar",
        )


def cancel(session: Session, reply: Message) -> Outgoing:
    """Take a reply back before it leaves. Raises NotAllowed once a worker has it."""
    mail = session.scalar(select(Outgoing).where(Outgoing.reply_id == reply.id).with_for_update())
    if mail is None or mail.state != OutgoingState.READY.value or mail.tries:
        raise NotAllowed("El correo ya salió: no se puede deshacer.")
    mail.state = OutgoingState.CANCELLED.value
    return mail


def send_due(sessions: Sessions, server: SmtpServer, *, lease_s: float, clock: Clock = utc_now) -> int:
    """Hand over everything that is due over one connection. Returns how many the server took.

    One mail is claimed at a time, so that its lease covers its own hand-over and nobody else's.
    """
    sent = 0
    with ExitStack() as stack:
        client: smtplib.SMTP | None = None
        while True:
            with sessions.begin() as session:
                mail = claim(session, lease_s=lease_s)
            if mail is None:
                return sent
            failpoints.hit("after-claim")
            try:
                client = client or stack.enter_context(open_server(server))
                answer = hand_over(client, mail.envelope_from, mail.recipient, mail.content)
            except (smtplib.SMTPException, OSError, ValueError) as error:
                answer = unreachable(error)
            failpoints.hit("after-send")
            with sessions.begin() as session:
                settle(session, mail, answer, clock())
            sent += answer.outcome is Handed.ACCEPTED
            if answer.hung_up:
                # The rest stays due: a server that refuses us is asked once a tick, not once a mail.
                return sent


def send_again(session: Session, mail: Outgoing, *, actor: User, now: dt.datetime) -> None:
    """Let an agent try a refused mail once more: the same bytes, the same Message-ID. Raises NotAllowed."""
    session.refresh(mail, with_for_update={"of": Outgoing})
    if mail.state != OutgoingState.FAILED.value:
        raise NotAllowed("Ese correo ya está en camino.")
    mail.state, mail.tries = OutgoingState.READY.value, 0
    mail.send_at = mail.created_at = now
    record(session, mail.ticket, "sent_again", now=now, actor=actor, to=mail.recipient)
