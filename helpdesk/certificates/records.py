"""The tables of filings and constancias. What was issued is never changed: it is replaced, ended or annulled.

In: columns, constraints, what can be told from one row. Not in: who may do what, and when (`issuing.py`,
`successors.py`, `inspection.py`).
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from helpdesk.accounts.users import User
from helpdesk.certificates.fields import CATEGORIES_ES
from helpdesk.certificates.identity import last_characters
from helpdesk.db import JSON, Base
from helpdesk.desk.files import Blob
from helpdesk.desk.lifecycle import ConstanciaState, FilingState, InspectionState, state_check
from helpdesk.desk.ticket import Ticket

# What stands where a person's data were forgotten.
FORGOTTEN = "•"


class FilingKind(StrEnum):
    """What a filing asks for."""

    REGISTRATION = "registration"  # a contract, for the first time
    EXTENSION = "extension"  # prórroga
    MODIFICATION = "modification"
    CORRECTION = "correction"  # of a material error
    END = "end"  # término: the contract is over
    DUPLICATE = "duplicate"  # the same document once more


class Source(StrEnum):
    """Where a filing came from."""

    WEB = "web"
    FILE = "file"
    IMPORT = "import"  # a contract of the register's past


class Filing(Base):
    """One filing of an employer: a contract and its workers. The same thing as its ticket, seen as a register."""

    __tablename__ = "filing"
    __table_args__ = (
        CheckConstraint(state_check(FilingState, "state"), name="state_known"),
        CheckConstraint(state_check(FilingKind, "kind"), name="kind_known"),
        CheckConstraint(state_check(Source, "source"), name="source_known"),
        CheckConstraint(f"category in {tuple(CATEGORIES_ES)}", name="category_known"),
        Index("ix_filing_employer_ruc", "employer_ruc"),
        Index("ix_filing_email", "email"),
        Index("ix_filing_due_on", "due_on", postgresql_where=text("state = 'observed'")),
        Index("ix_filing_filed_at", "filed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), unique=True)
    kind: Mapped[str] = mapped_column(default=FilingKind.REGISTRATION.value)
    source: Mapped[str]
    state: Mapped[str]
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("filing.id"), index=True)
    # The same filing sent twice, by whichever way, is one filing.
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    category: Mapped[str]
    details: Mapped[JSON] = mapped_column(default=dict)
    employer_ruc: Mapped[str]
    employer_name: Mapped[str]
    employer_address: Mapped[str]
    employer_ubigeo: Mapped[str]
    employer_activity: Mapped[str]
    representative: Mapped[JSON] = mapped_column(default=dict)
    email: Mapped[str]
    phone: Mapped[str | None]
    contract_type: Mapped[str]
    signed: Mapped[dt.date]
    starts: Mapped[dt.date]
    ends: Mapped[dt.date | None]
    occupation: Mapped[str]
    workplace_address: Mapped[str]
    workplace_ubigeo: Mapped[str]
    pay: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    currency: Mapped[str]
    hours_per_week: Mapped[Decimal | None] = mapped_column(Numeric(6, 2))
    declarations: Mapped[JSON] = mapped_column(default=dict)
    contract_name: Mapped[str | None]
    contract_mime: Mapped[str | None]
    contract_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    # The instant at which it was filed, and the working day on which it counts as filed.
    filed_at: Mapped[dt.datetime]
    counts_on: Mapped[dt.date]
    # What a person must look at, or what was asked to be put right: key, rule, message, source.
    observations: Mapped[list[Any]] = mapped_column(default=list)
    due_on: Mapped[dt.date | None]
    corrected_at: Mapped[dt.datetime | None]
    # When it was registered, lapsed or refused; and why a person refused it.
    decided_at: Mapped[dt.datetime | None]
    refusal: Mapped[str] = mapped_column(default="")
    # What the follower says that it changes, in the filer's words.
    request: Mapped[str] = mapped_column(default="")

    ticket: Mapped[Ticket] = relationship()
    follows: Mapped[Filing | None] = relationship(remote_side=[id])
    workers: Mapped[list[FiledWorker]] = relationship(
        back_populates="filing", order_by="FiledWorker.position"
    )
    contract: Mapped[Blob | None] = relationship(viewonly=True)


class FiledWorker(Base):
    """A person on a filing."""

    __tablename__ = "filed_worker"
    __table_args__ = (
        UniqueConstraint("filing_id", "position"),
        Index("ix_filed_worker_document_number", "document_number"),
        Index(
            "ix_filed_worker_words", text("to_tsvector('simple'::regconfig, words)"), postgresql_using="gin"
        ),
        CheckConstraint("nationality in ('BOL', 'COL', 'ECU')", name="nationality_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    filing_id: Mapped[int] = mapped_column(ForeignKey("filing.id"))
    position: Mapped[int]
    nationality: Mapped[str]
    document_type: Mapped[str]
    document_number: Mapped[str]
    surnames: Mapped[str]
    given_names: Mapped[str]
    birth_date: Mapped[dt.date]
    sex: Mapped[str]
    marital_status: Mapped[str]
    address_abroad: Mapped[str]
    address_peru: Mapped[str | None]
    email: Mapped[str | None]
    # The person's and the employer's names as they are searched for (`plain_words`).
    words: Mapped[str]

    filing: Mapped[Filing] = relationship(back_populates="workers")
    constancia: Mapped[Constancia | None] = relationship(back_populates="worker")

    @property
    def name(self) -> str:
        """Given names, then surnames."""
        return f"{self.given_names} {self.surnames}"

    @property
    def document(self) -> tuple[str, str, str]:
        """What tells one person from another."""
        return (self.nationality, self.document_type, self.document_number)

    @property
    def initials(self) -> str:
        """What the public may see of the name."""
        return " ".join(f"{word[0].upper()}." for word in self.name.split() if word[0].isalpha())

    @property
    def document_end(self) -> str:
        """What the public may see of the document."""
        return last_characters(self.document_number)


class Constancia(Base):
    """A document that was issued. `code` and the PDF are null for those of the register's past alone."""

    __tablename__ = "constancia"
    __table_args__ = (
        CheckConstraint(state_check(ConstanciaState, "state"), name="state_known"),
        UniqueConstraint("year", "ordinal"),
        CheckConstraint("(state = 'annulled') = (annulled_at is not null)", name="annulled_with_date"),
        CheckConstraint("ordinal is null or code is not null", name="issued_with_code"),
        Index("ix_constancia_issued_at", "issued_at"),
        Index("ix_constancia_sha256", "sha256"),
        Index("ix_constancia_sealing", "id", postgresql_where=text("state = 'sealing'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    worker_id: Mapped[int] = mapped_column(ForeignKey("filed_worker.id"), unique=True)
    number: Mapped[str] = mapped_column(unique=True)
    # Its place in the year's series, which has no gaps; null for what the past numbered in its own way.
    year: Mapped[int]
    ordinal: Mapped[int | None]
    code: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[str]
    issued_at: Mapped[dt.datetime]
    valid_from: Mapped[dt.date]
    valid_until: Mapped[dt.date | None]
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("constancia.id"), index=True)
    annulled_at: Mapped[dt.datetime | None]
    annulled_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    annulment: Mapped[str] = mapped_column(default="")
    pdf: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    sha256: Mapped[str | None]
    sealed_at: Mapped[dt.datetime | None]

    worker: Mapped[FiledWorker] = relationship(back_populates="constancia")
    replaced_by: Mapped[Constancia | None] = relationship(remote_side=[id])
    annulled_by: Mapped[User | None] = relationship()

    @property
    def pdf_stored(self) -> bool:
        """Whether there is a document: not of what the register's past numbered, nor of people who were forgotten."""
        return self.sha256 is not None and self.worker.document_number != FORGOTTEN

    def standing(self, today: dt.date) -> Standing:
        """What it is worth on a day (Lima)."""
        if (
            self.state == ConstanciaState.VALID.value
            and self.valid_until is not None
            and self.valid_until < today
        ):
            return Standing.EXPIRED
        return _STANDINGS[ConstanciaState(self.state)]


class Standing(StrEnum):
    """What a constancia is worth, as the verification says it."""

    IN_FORCE = "in_force"
    REPLACED = "replaced"
    ANNULLED = "annulled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


_STANDINGS = {
    # Nobody has it yet: its code is on no paper.
    ConstanciaState.SEALING: Standing.UNKNOWN,
    ConstanciaState.VALID: Standing.IN_FORCE,
    ConstanciaState.REPLACED: Standing.REPLACED,
    ConstanciaState.ANNULLED: Standing.ANNULLED,
}


class FilingDraft(Base):
    """A filing that is being written by somebody without an account, who comes back by a secret link."""

    __tablename__ = "filing_draft"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    # The one-time code that was mailed: its hash, when, and how often it was guessed at.
    code_sha256: Mapped[str | None]
    code_sent_at: Mapped[dt.datetime | None]
    code_tries: Mapped[int] = mapped_column(default=0)
    codes_sent: Mapped[int] = mapped_column(default=0)
    confirmed_at: Mapped[dt.datetime | None]
    answers: Mapped[JSON] = mapped_column(default=dict)
    kind: Mapped[str] = mapped_column(default=FilingKind.REGISTRATION.value)
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("filing.id"), index=True)
    # An observed filing that is being put right.
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("filing.id"), index=True)
    contract_name: Mapped[str | None]
    contract_mime: Mapped[str | None]
    contract_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime] = mapped_column(index=True)
    filing_id: Mapped[int | None] = mapped_column(ForeignKey("filing.id"), index=True)

    filing: Mapped[Filing | None] = relationship(foreign_keys=[filing_id])
    follows: Mapped[Filing | None] = relationship(foreign_keys=[follows_id])
    corrects: Mapped[Filing | None] = relationship(foreign_keys=[corrects_id])
    contract: Mapped[Blob | None] = relationship(viewonly=True)


class FilingLook(Base):
    """Somebody of the desk looked at a filing: who, when, at what. Append-only (Ley 29733)."""

    __tablename__ = "filing_look"
    __table_args__ = (Index("ix_filing_look_filing_id", "filing_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    filing_id: Mapped[int] = mapped_column(ForeignKey("filing.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[dt.datetime]
    what: Mapped[str]

    user: Mapped[User] = relationship()


class InspectionDraw(Base):
    """A draw of filings for the control after approval, with everything that is needed to repeat it."""

    __tablename__ = "inspection_draw"
    __table_args__ = (CheckConstraint("share > 0 and share <= 1", name="share_of_one"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    semester: Mapped[str] = mapped_column(index=True)
    seed: Mapped[str]
    share: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    most: Mapped[int]
    # The ids of the filings that could be drawn, in order, and of those that were.
    population: Mapped[list[Any]]
    drawn: Mapped[list[Any]]
    drawn_at: Mapped[dt.datetime]
    drawn_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    drawn_by: Mapped[User | None] = relationship()
    inspections: Mapped[list[Inspection]] = relationship(back_populates="draw", order_by="Inspection.id")


class Inspection(Base):
    """One drawn filing: who looks at it, and what was found."""

    __tablename__ = "inspection"
    __table_args__ = (CheckConstraint(state_check(InspectionState, "state"), name="state_known"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    draw_id: Mapped[int] = mapped_column(ForeignKey("inspection_draw.id"), index=True)
    filing_id: Mapped[int] = mapped_column(ForeignKey("filing.id"), unique=True)
    state: Mapped[str] = mapped_column(default=InspectionState.OPEN.value)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    findings: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime | None]

    draw: Mapped[InspectionDraw] = relationship(back_populates="inspections")
    filing: Mapped[Filing] = relationship()
    assignee: Mapped[User | None] = relationship()
