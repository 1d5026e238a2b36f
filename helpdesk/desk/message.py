"""What was said on a ticket: inbound mail, outbound replies and notices, internal notes."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from helpdesk.accounts.users import User
from helpdesk.db import JSON, Base
from helpdesk.desk.lifecycle import state_check
from helpdesk.desk.ticket import Ticket
from helpdesk.mail.parsed import ParsedMail

if TYPE_CHECKING:
    from helpdesk.desk.files import Attachment


SNIPPET_CHARACTERS = 160


class Direction(StrEnum):
    """Who speaks to whom."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    NOTE = "note"


class Message(Base):
    """One message of a ticket. `new_text` is `text` with quotes and signature folded away; both are kept."""

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint(state_check(Direction, "direction"), name="direction_known"),
        Index("ix_message_message_id", "message_id"),
        Index("ix_message_ticket_id", "ticket_id"),
        Index("ix_message_sender_address", "sender_address", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    direction: Mapped[str]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    sender_name: Mapped[str] = mapped_column(default="")
    sender_address: Mapped[str | None]
    recipient: Mapped[str | None]
    subject: Mapped[str] = mapped_column(default="")
    text: Mapped[str] = mapped_column(default="")
    new_text: Mapped[str] = mapped_column(default="")
    html: Mapped[str] = mapped_column(default="")
    message_id: Mapped[str | None]
    references: Mapped[list[str]] = mapped_column(default=list)
    written_at: Mapped[dt.datetime | None]
    at: Mapped[dt.datetime]
    automatic: Mapped[str | None]
    defects: Mapped[list[str]] = mapped_column(default=list)
    raw_mail_id: Mapped[int | None] = mapped_column(ForeignKey("raw_mail.id"), unique=True)
    undone_at: Mapped[dt.datetime | None]
    bounced_at: Mapped[dt.datetime | None]
    bounce_status: Mapped[str | None]
    cc: Mapped[list[str]] = mapped_column(default=list)
    contains: Mapped[list[str]] = mapped_column(default=list)
    # An agent's address, when the agent forwarded this mail to the desk.
    forwarded_by: Mapped[str | None]
    # How an outbound message came to be known that was not written here: "sent-folder" or "copy".
    written_elsewhere: Mapped[str | None]
    # Seconds from opening the page to sending the reply; null when it is not known, or was longer than an hour.
    writing_s: Mapped[int | None]

    ticket: Mapped[Ticket] = relationship(back_populates="messages")
    author: Mapped[User | None] = relationship()
    attachments: Mapped[list[Attachment]] = relationship(order_by="Attachment.id")


def words_of_mail(mail: ParsedMail) -> JSON:
    """What a message takes over from a mail as it is, whoever wrote it: the columns and their values."""
    return {
        "subject": mail.subject,
        "text": mail.text,
        "new_text": mail.new_text,
        "html": mail.html,
        "message_id": mail.message_id,
        "references": [*mail.references],
        "cc": [person.address for person in mail.cc],
        "written_at": mail.date,
        "contains": list(mail.contains),
    }


def snippet(message: Message) -> str:
    """The first words the sender wrote."""
    return " ".join((message.new_text or message.text).split())[:SNIPPET_CHARACTERS]


def last_public_message(session: Session, ticket: Ticket, *, by_people: bool = False) -> Message | None:
    """The newest message that came or went and still stands; `by_people` leaves automatic mail out."""
    query = select(Message).where(
        Message.ticket_id == ticket.id, Message.direction != Direction.NOTE, Message.undone_at.is_(None)
    )
    if by_people:
        query = query.where(Message.automatic.is_(None))
    return session.scalar(query.order_by(Message.id.desc()).limit(1))
