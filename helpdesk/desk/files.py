"""The files of messages: contents stored once under their hash, names beside them, and what people are told.

In: the tables, storing a mail's files, whether a file lies about itself, is held, or is damaged. Not in: asking
the scanner (`scans.py`), making small pictures (`previews.py`), how a download leaves (`helpdesk.web.original`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, foreign, mapped_column, relationship

from helpdesk.db import Base
from helpdesk.desk.lifecycle import state_check
from helpdesk.desk.message import Message
from helpdesk.desk.words import N_
from helpdesk.mail import filetype
from helpdesk.mail.filetype import agree, claimed_type, detect_type
from helpdesk.mail.parsed import ParsedAttachment

# What each type is called, with its article: the page says "dice ser un PDF, es un programa".
KINDS_ES = {
    filetype.PDF: N_("un PDF"),
    filetype.PNG: N_("una imagen PNG"),
    filetype.JPEG: N_("una imagen JPEG"),
    filetype.GIF: N_("una imagen GIF"),
    filetype.WEBP: N_("una imagen WebP"),
    filetype.SVG: N_("un dibujo SVG"),
    "image/heic": N_("una imagen HEIC"),
    "image/avif": N_("una imagen AVIF"),
    "image/tiff": N_("una imagen TIFF"),
    "image/bmp": N_("una imagen BMP"),
    filetype.DOCX: N_("un documento de Word"),
    filetype.DOC: N_("un documento de Word antiguo"),
    filetype.XLSX: N_("una hoja de Excel"),
    filetype.XLS: N_("una hoja de Excel antigua"),
    filetype.PPTX: N_("una presentación de PowerPoint"),
    filetype.PPT: N_("una presentación de PowerPoint antigua"),
    filetype.ODT: N_("un documento de LibreOffice"),
    filetype.ODS: N_("una hoja de LibreOffice"),
    filetype.ODP: N_("una presentación de LibreOffice"),
    filetype.OLE: N_("un documento antiguo de Office"),
    filetype.MSG: N_("un correo de Outlook"),
    filetype.RTF: N_("un documento RTF"),
    filetype.ZIP: N_("un archivo ZIP"),
    "application/vnd.rar": N_("un archivo RAR"),
    "application/x-7z-compressed": N_("un archivo 7z"),
    "application/gzip": N_("un archivo GZIP"),
    filetype.TEXT: N_("un texto"),
    filetype.CSV: N_("una tabla CSV"),
    filetype.XML: N_("un archivo XML"),
    filetype.EML: N_("un correo"),
    filetype.HTML: N_("una página web"),
    filetype.PROGRAM: N_("un programa"),
    filetype.SCRIPT: N_("un programa en texto"),
    filetype.SHORTCUT: N_("un acceso directo"),
    "audio/ogg": N_("un audio"),
    "audio/mpeg": N_("un audio"),
    "audio/amr": N_("un audio"),
    "audio/mp4": N_("un audio"),
    "audio/wav": N_("un audio"),
    "video/mp4": N_("un video"),
    "video/quicktime": N_("un video"),
    "video/x-msvideo": N_("un video"),
}


class HasContent(Protocol):
    """A named file whose content is a blob."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...


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
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    scan: Mapped[str] = mapped_column(default=Scan.NOT_ASKED.value)
    scanned_at: Mapped[dt.datetime | None]
    # The virus' name, or why the scanner could not check this content.
    scan_result: Mapped[str | None]

    def is_held(self, *, scanning: bool) -> bool:
        """Whether nobody may have this content: it has a virus, or the scanner has not said that it has none.

        `scanning` tells whether a scanner is configured; without one, only a virus once found counts.
        """
        return self.scan == Scan.INFECTED or (scanning and self.scan != Scan.CLEAN)

    def is_whole(self) -> bool:
        """Whether the content is what was stored (F52)."""
        return hashlib.sha256(self.content).hexdigest() == self.sha256


class Preview(Base):
    """A small picture of a content, encoded anew by us; `content` is null when none could be made."""

    __tablename__ = "preview"

    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"), primary_key=True)
    type: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    reason: Mapped[str | None]
    made_at: Mapped[dt.datetime]


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
    # Both without their contents, which are loaded only where they are sent.
    blob: Mapped[Blob] = relationship(lazy="joined", innerjoin=True, viewonly=True)
    preview: Mapped[Preview | None] = relationship(
        lazy="joined", viewonly=True, primaryjoin=lambda: Attachment.sha256 == foreign(Preview.sha256)
    )

    @property
    def claimed_type(self) -> str | None:
        """What the file says that it is: by its name, or else by what the mail says of it; None when neither does.

        A name comes first because it decides which program opens the file.
        """
        return claimed_type(self.name) or (self.type if self.type in KINDS_ES else None)

    @property
    def lies(self) -> bool:
        """Whether the content is something else than the file says."""
        claimed = self.claimed_type
        return claimed is not None and self.size > 0 and not agree(claimed, self.detected_type)

    @property
    def is_risky(self) -> bool:
        """Whether opening it may run something, whatever it is called."""
        return self.detected_type in filetype.RISKY or self.claimed_type in (
            filetype.PROGRAM,
            filetype.SCRIPT,
            filetype.SHORTCUT,
        )


def keep_contents(session: Session, contents: Mapping[str, bytes]) -> None:
    """Store contents under their SHA-256; equal content is stored once.

    They are written in the order of their hash, so that two workers never wait for each other in a ring.
    """
    rows = [
        {"sha256": sha256, "size": len(content), "content": content}
        for sha256, content in sorted(contents.items())
    ]
    if rows:
        session.execute(insert(Blob).on_conflict_do_nothing(index_elements=["sha256"]), rows)


def attach(session: Session, message: Message, files: tuple[ParsedAttachment, ...]) -> None:
    """Store a mail's files with its message."""
    keep_contents(session, {file.sha256: file.content for file in files})
    session.add_all(
        Attachment(
            message_id=message.id,
            name=file.name,
            type=file.type,
            size=file.size,
            inline=file.inline,
            content_id=file.content_id,
            detected_type=detect_type(file.content, file.name),
            sha256=file.sha256,
        )
        for file in files
    )


def attach_copies(session: Session, message: Message, files: Iterable[HasContent]) -> None:
    """Note on a reply of ours which stored files went along."""
    session.add_all(
        Attachment(
            message_id=message.id,
            name=file.name,
            type=file.type,
            size=file.size,
            inline=False,
            detected_type=file.type,
            sha256=file.sha256,
        )
        for file in files
    )
