"""A ticket, the person who asks, and the history: one event a row, with who, when and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from classifier import KINDS, LINES, NONE, URGENCIES
from helpdesk.accounts.users import User
from helpdesk.db import JSON, Base, append, hold
from helpdesk.desk.lifecycle import TICKET, TicketStatus, check_can_move, state_check
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA

if TYPE_CHECKING:
    from helpdesk.desk.message import Message

NUMBER_PREFIX = "PI"
# How a matter came to us. A filing of a contract is answered by its document, not by a person.
MAIL, WEB, FILINGS = CHANNELS = ("mail", "web", "constancia")


class Requester(Base):
    """A person who writes to the desk, known by an address."""

    __tablename__ = "requester"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_lower"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    language: Mapped[str | None]
    created_at: Mapped[dt.datetime]


class Ticket(Base):
    """One matter of one requester. `line` is null while nobody, man or machine, has decided it."""

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint(state_check(TicketStatus, "status"), name="status_known"),
        CheckConstraint(f"line in {(*LINES, NONE)}", name="line_known"),
        CheckConstraint(f"kind in {KINDS}", name="kind_known"),
        CheckConstraint(f"urgency in {URGENCIES}", name="urgency_known"),
        CheckConstraint(f"channel in {CHANNELS}", name="channel_known"),
        Index("ix_ticket_queue", "status", "line", "waiting_since"),
        Index(
            "ix_ticket_open",
            text("(urgency is null)"),
            "waiting_since",
            postgresql_where=text("status = 'open'"),
        ),
        Index("ix_ticket_requester_id", "requester_id"),
        Index("ix_ticket_assignee_id", "assignee_id"),
        Index("ix_ticket_opened_at", "opened_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    channel: Mapped[str] = mapped_column(default=MAIL)
    requester_id: Mapped[int | None] = mapped_column(ForeignKey("requester.id"))
    subject: Mapped[str]
    snippet: Mapped[str] = mapped_column(default="")
    line: Mapped[str | None]
    line_by_agent: Mapped[bool] = mapped_column(default=False)
    kind: Mapped[str] = mapped_column(default=KINDS[0])
    # Why it must be looked at before the others; null: it is not urgent.
    urgency: Mapped[str | None]
    topic: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=TicketStatus.OPEN.value)
    automatic: Mapped[bool] = mapped_column(default=False)
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    opened_at: Mapped[dt.datetime]
    waiting_since: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    first_response_at: Mapped[dt.datetime | None]
    closed_at: Mapped[dt.datetime | None]
    # Merged: the ticket that holds its messages now, and gets its later mail.
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    # "Por revisar": the ticket that its mail names while its sender is not on it; an agent decides.
    review_of_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)

    requester: Mapped[Requester | None] = relationship()
    assignee: Mapped[User | None] = relationship()
    merged_into: Mapped[Ticket | None] = relationship(remote_side=[id], foreign_keys=[merged_into_id])
    review_of: Mapped[Ticket | None] = relationship(remote_side=[id], foreign_keys=[review_of_id])
    participants: Mapped[list[Participant]] = relationship(order_by="Participant.id")
    messages: Mapped[list[Message]] = relationship(back_populates="ticket", order_by="Message.id")
    events: Mapped[list[Event]] = relationship(order_by="Event.id")


class Participant(Base):
    """Somebody besides the requester whose mail may join the ticket, because an agent said so."""

    __tablename__ = "participant"
    __table_args__ = (
        UniqueConstraint("ticket_id", "address"),
        CheckConstraint("address = lower(address)", name="address_lower"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    address: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    added_at: Mapped[dt.datetime]
    added_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))


class TicketLink(Base):
    """Two tickets that have to do with each other; `kind` says how, read from `ticket` to `other`."""

    __tablename__ = "ticket_link"
    __table_args__ = (
        UniqueConstraint("ticket_id", "other_id"),
        CheckConstraint("ticket_id <> other_id", name="two_tickets"),
        CheckConstraint("kind in ('follows', 'mentions', 'split_from', 'see_also')", name="kind_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    other_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    kind: Mapped[str]
    at: Mapped[dt.datetime]

    ticket: Mapped[Ticket] = relationship(foreign_keys=[ticket_id])
    other: Mapped[Ticket] = relationship(foreign_keys=[other_id])


class Event(Base):
    """One row of a ticket's history. Append-only."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    at: Mapped[dt.datetime]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    kind: Mapped[str]
    why: Mapped[str] = mapped_column(default="")
    detail: Mapped[JSON] = mapped_column(default=dict)

    actor: Mapped[User | None] = relationship()


class NumberSeries(Base):
    """The last number given out in a year; its row lock makes the series gapless."""

    __tablename__ = "number_series"

    name: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]


# Two statements of every mail's way, built once: building them costs as much as running them.
_LOCK_SERIES = (
    insert(NumberSeries)
    .values(name=bindparam("of_series"), year=bindparam("of_year"), last=0)
    .on_conflict_do_update(index_elements=["name", "year"], set_={"last": NumberSeries.last})
    .returning(NumberSeries.last)
)
_KEEP_SERIES = (
    update(NumberSeries)
    .where(NumberSeries.name == bindparam("of_series"), NumberSeries.year == bindparam("of_year"))
    .values(last=bindparam("reached"))
)
_NEW_REQUESTER = insert(Requester)
_KEEP_REQUESTER = _NEW_REQUESTER.on_conflict_do_update(
    index_elements=["email"],
    set_={
        "name": func.coalesce(func.nullif(Requester.name, ""), _NEW_REQUESTER.excluded.name),
        "language": func.coalesce(_NEW_REQUESTER.excluded.language, Requester.language),
    },
)


@dataclass(slots=True)
class Numbers:
    """The next numbers of a series, such as PI-2026-000123 (the year is Lima's); taken while the series is locked."""

    series: str
    year: int
    last: int

    def take(self) -> str:
        """The next one."""
        self.last += 1
        return f"{self.series}-{self.year}-{self.last:06d}"


def open_numbers(session: Session, now: dt.datetime, series: str = NUMBER_PREFIX) -> Numbers:
    """A series of this year, locked until the commit; `close_numbers` writes down how far it was used."""
    year = now.astimezone(LIMA).year
    last = session.scalar(_LOCK_SERIES, {"of_series": series, "of_year": year})
    return Numbers(series, year, last or 0)


def close_numbers(session: Session, numbers: Numbers) -> None:
    """Write down the last number that was taken."""
    reached = {"of_series": numbers.series, "of_year": numbers.year, "reached": numbers.last}
    session.execute(_KEEP_SERIES, reached)


def others_of(session: Session, ticket: Ticket, limit: int = 5) -> list[Ticket]:
    """The newest other tickets of the same requester that were not merged away."""
    if ticket.requester_id is None:
        return []
    query = select(Ticket).where(
        Ticket.requester_id == ticket.requester_id, Ticket.id != ticket.id, Ticket.merged_into_id.is_(None)
    )
    return list(session.scalars(query.order_by(Ticket.id.desc()).limit(limit)))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who wrote, as the mail shows them."""

    address: str
    name: str
    language: str | None


def find_or_add_requesters(
    session: Session, people: Iterable[Person], now: dt.datetime
) -> dict[str, Requester]:
    """The requesters of some addresses, made on first sight; by address in lower case.

    A name replaces an empty one; the language is the last. Rows are written in the order of their address, so
    that two writers never wait for each other in a ring.
    """
    found: dict[str, Person] = {}
    for person in people:
        found.setdefault(person.address.lower(), person)
    if not found:
        return {}
    rows = [
        {"email": email, "name": found[email].name, "language": found[email].language, "created_at": now}
        for email in sorted(found)
    ]
    session.execute(_KEEP_REQUESTER, rows)
    kept = session.scalars(
        select(Requester).where(Requester.email.in_(found)).execution_options(populate_existing=True)
    )
    return {requester.email: requester for requester in kept}


def find_ticket(session: Session, number: str) -> Ticket | None:
    """The ticket of a number."""
    return session.scalar(select(Ticket).where(Ticket.number == number))


def record(
    session: Session,
    ticket: Ticket,
    kind: str,
    *,
    now: dt.datetime,
    actor: User | None = None,
    why: str = "",
    **detail: Any,
) -> None:
    """Write one row of history. `kind` is one of `helpdesk.desk.words.EVENTS`."""
    actor_id = actor.id if actor else None
    event = {
        "ticket_id": ticket.id,
        "at": now,
        "actor_id": actor_id,
        "kind": kind,
        "why": why,
        "detail": detail,
    }
    append(session, Event, event)


def lock_ticket(session: Session, ticket: Ticket) -> None:
    """Hold the ticket until the commit and see it as it is now: whoever changes it comes one after the other."""
    hold(session, ticket)


def check_not_merged(ticket: Ticket) -> None:
    """Raise NotAllowed on a ticket that is merged into another one: what is done there is seen by nobody."""
    if ticket.merged_into is not None:
        raise NotAllowed(f"Esta atención está unida a {ticket.merged_into.number}: continúe en aquella.")


def link(
    session: Session,
    ticket: Ticket,
    other: Ticket,
    kind: str,
    *,
    now: dt.datetime,
    actor: User | None = None,
    why: str = "",
) -> None:
    """Say that a ticket has to do with another one; both histories show it. Linking twice changes nothing."""
    row = {"ticket_id": ticket.id, "other_id": other.id, "kind": kind, "at": now}
    session.flush()
    made = session.scalar(insert(TicketLink).values(row).on_conflict_do_nothing().returning(TicketLink.id))
    if made is not None:
        record(
            session, ticket, "linked", now=now, actor=actor, why=why, link=made, other=other.number, how=kind
        )
        record(
            session, other, "linked", now=now, actor=actor, why=why, other=ticket.number, how=f"{kind}_back"
        )


def change_status(
    session: Session, ticket: Ticket, status: TicketStatus, *, now: dt.datetime, actor: User | None, why: str
) -> None:
    """Move the ticket along its life cycle. Raises NotAllowed; staying where it is does nothing.

    `waiting_since` stays: how long somebody has waited does not begin anew because we did something.
    """
    before = TicketStatus(ticket.status)
    if before is status:
        return
    check_can_move(TICKET, before, status)
    ticket.status = status.value
    ticket.updated_at = now
    ticket.closed_at = now if status is TicketStatus.CLOSED else None
    record(session, ticket, "status_changed", now=now, actor=actor, why=why, before=before, after=status)


def assign(session: Session, ticket: Ticket, assignee: User | None, *, now: dt.datetime, actor: User) -> None:
    """Give the ticket to somebody, or to nobody. Raises NotAllowed for an account that is switched off."""
    if assignee is not None and not assignee.active:
        raise NotAllowed(f"La cuenta de {assignee.name} está desactivada.")
    if ticket.assignee_id == (assignee.id if assignee else None):
        return
    before = ticket.assignee.name if ticket.assignee else None
    ticket.assignee_id = assignee.id if assignee else None
    ticket.updated_at = now
    after = assignee.name if assignee else None
    record(session, ticket, "assigned", now=now, actor=actor, before=before, after=after)


def is_on_ticket(ticket: Ticket, address: str | None) -> bool:
    """Whether an address belongs to the ticket: only its own mail may join it (T03)."""
    if not address:
        return False
    wanted = address.lower()
    if ticket.requester is not None and ticket.requester.email == wanted:
        return True
    return any(person.address == wanted for person in ticket.participants)
