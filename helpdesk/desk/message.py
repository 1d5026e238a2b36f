"""What was said on a ticket: inbound mail, outbound replies and notices, internal notes; and attachments."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.lifecycle import state_check
from helpdesk.desk.ticket import Ticket
from helpdesk.mail.parsed import ParsedAttachment


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

    ticket: Mapped[Ticket] = relationship(back_populates="messages")
    author: Mapped[User | None] = relationship()
    attachments: Mapped[list[Attachment]] = relationship(order_by="Attachment.id")


class Blob(Base):
    """Content, stored once under its SHA-256."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Attachment(Base):
    """A named file of a message; its content is a blob."""

    __tablename__ = "attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), index=True)
    name: Mapped[str]
    type: Mapped[str]
    size: Mapped[int]
    inline: Mapped[bool] = mapped_column(default=False)
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), index=True)

    message: Mapped[Message] = relationship(back_populates="attachments")


def attach(session: Session, message: Message, files: tuple[ParsedAttachment, ...]) -> None:
    """Store a mail's files with its message; equal content is stored once.

    Blobs are written in the order of their hash, so that two workers never wait for each other in a ring.
    """
    blobs = {
        file.sha256: {"sha256": file.sha256, "size": file.size, "content": file.content} for file in files
    }
    if blobs:
        rows = [blobs[key] for key in sorted(blobs)]
        session.execute(insert(Blob).on_conflict_do_nothing(index_elements=["sha256"]), rows)
    session.add_all(
        Attachment(
            message_id=message.id,
            name=file.name,
            type=file.type,
            size=file.size,
            inline=file.inline,
            sha256=file.sha256,
        )
        for file in files
    )


def last_public_message(session: Session, ticket: Ticket, *, by_people: bool = False) -> Message | None:
    """The newest message that came or went and still stands; `by_people` leaves automatic mail out."""
    query = select(Message).where(
        Message.ticket_id == ticket.id, Message.direction != Direction.NOTE, Message.undone_at.is_(None)
    )
    if by_people:
        query = query.where(Message.automatic.is_(None))
    return session.scalar(query.order_by(Message.id.desc()).limit(1))
