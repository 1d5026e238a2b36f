"""The files of messages: contents stored once under their hash, names beside them, previews, the scanner's word."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from helpdesk.db import Base
from helpdesk.desk.lifecycle import state_check
from helpdesk.desk.message import Message
from helpdesk.mail.parsed import ParsedAttachment


class Scan(StrEnum):
    """What the virus scanner said of a content."""

    NOT_ASKED = "not_asked"  # no scanner is configured
    WAITING = "waiting"  # held until the scanner answers
    CLEAN = "clean"
    INFECTED = "infected"


class Blob(Base):
    """Content, stored once under its SHA-256."""

    __tablename__ = "blob"
    __table_args__ = (
        CheckConstraint(state_check(Scan, "scan"), name="scan_known"),
        Index("ix_blob_scan_waiting", "sha256", postgresql_where=text("scan = 'waiting'")),
    )

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    scan: Mapped[str] = mapped_column(default=Scan.NOT_ASKED.value)
    scanned_at: Mapped[dt.datetime | None]
    scan_result: Mapped[str | None]


class Attachment(Base):
    """A named file of a message; its content is a blob."""

    __tablename__ = "attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), index=True)
    name: Mapped[str]
    type: Mapped[str]
    size: Mapped[int]
    inline: Mapped[bool] = mapped_column(default=False)
    content_id: Mapped[str | None]
    # By content, not by name or by what the mail claims; null: none that we know.
    detected_type: Mapped[str | None]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), index=True)

    message: Mapped[Message] = relationship(back_populates="attachments")


class Preview(Base):
    """A small picture of a content, encoded anew by us; `content` is null when none could be made."""

    __tablename__ = "preview"

    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), primary_key=True)
    type: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    reason: Mapped[str | None]
    made_at: Mapped[dt.datetime]


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
            content_id=file.content_id,
            sha256=file.sha256,
        )
        for file in files
    )
