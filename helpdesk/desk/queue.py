"""What the queue page asks: which tickets, in which order, and how many of each kind."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session, contains_eager, joinedload

from classifier import LINES, NONE
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.ticket import Requester, Ticket

PAGE_SIZE = 50
UNSORTED = "unsorted"
LINE_FILTERS = (*LINES, UNSORTED, NONE)


@dataclass(frozen=True, slots=True)
class View:
    """A view of the queue; its fields are the page's address, so a view can be kept as a link."""

    line: str | None = None
    status: str | None = TicketStatus.OPEN.value  # None: whatever it is
    assignee: str | None = None  # "me", "nobody" or None for everybody
    urgent: bool = False
    review: bool = False  # only mail of strangers that an agent must look at
    search: str = ""
    page: int = 1


_FIRST_TO_LAST = (Ticket.urgency.is_(None), Ticket.waiting_since, Ticket.id)


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of tickets; `more` says whether there is a next one."""

    tickets: list[Ticket]
    more: bool


def line_is(line: str | None) -> ColumnElement[bool]:
    """The condition of a line filter."""
    return Ticket.line.is_(None) if line == UNSORTED else Ticket.line == line


def _filtered(query: Select[Ticket], view: View, user_id: int) -> Select[Ticket]:
    if view.status is not None:
        query = query.where(Ticket.status == view.status)
    if view.line in LINE_FILTERS:
        query = query.where(line_is(view.line))
    if view.assignee == "me":
        query = query.where(Ticket.assignee_id == user_id)
    elif view.assignee == "nobody":
        query = query.where(Ticket.assignee_id.is_(None))
    if view.urgent:
        query = query.where(Ticket.urgency.is_not(None))
    if view.review:
        query = query.where(Ticket.review_of_id.is_not(None))
    if view.search:
        like = f"%{_escaped(view.search)}%"
        query = query.where(
            or_(
                Ticket.number.ilike(like),
                Ticket.subject.ilike(like),
                Requester.email.ilike(like),
                Requester.name.ilike(like),
            )
        )
    return query


def _escaped(search: str) -> str:
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def queue_page(session: Session, view: View, user_id: int) -> QueuePage:
    """The tickets of a view. What is open: the urgent, then who has waited longest; the rest, newest first."""
    query = select(Ticket).outerjoin(Ticket.requester).options(contains_eager(Ticket.requester))
    query = _filtered(query.options(joinedload(Ticket.assignee)), view, user_id)
    oldest_first = view.status == TicketStatus.OPEN.value
    order = _FIRST_TO_LAST if oldest_first else (Ticket.updated_at.desc(), Ticket.id.desc())
    start = (max(view.page, 1) - 1) * PAGE_SIZE
    found = list(session.scalars(query.order_by(*order).offset(start).limit(PAGE_SIZE + 1)))
    return QueuePage(found[:PAGE_SIZE], len(found) > PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class Counts:
    """Open tickets: by line filter, all, mine, nobody's, urgent, to be reviewed."""

    lines: dict[str, int]
    all: int
    mine: int
    nobody: int
    urgent: int
    review: int


def open_counts(session: Session, user_id: int) -> Counts:
    """How many tickets are open, for the queue's navigation; one query."""
    open_ = Ticket.status == TicketStatus.OPEN.value
    query = select(
        Ticket.line,
        func.count(),
        func.count().filter(Ticket.assignee_id == user_id),
        func.count().filter(Ticket.assignee_id.is_(None)),
        func.count().filter(Ticket.urgency.is_not(None)),
        func.count().filter(Ticket.review_of_id.is_not(None)),
    ).where(open_)
    rows = session.execute(query.group_by(Ticket.line)).all()
    lines = dict.fromkeys(LINE_FILTERS, 0) | {row[0] or UNSORTED: row[1] for row in rows}
    every, mine, nobody, urgent, review = (
        sum(int(row[column] or 0) for row in rows) for column in range(1, 6)
    )
    return Counts(lines, every, mine, nobody, urgent, review)


def next_open(session: Session, after: Ticket, view: View, user_id: int) -> Ticket | None:
    """The ticket that comes after this one in a view of the queue, or its first one."""
    later = select(Ticket).outerjoin(Ticket.requester).where(Ticket.id != after.id)
    query = _filtered(later, view, user_id).order_by(*_FIRST_TO_LAST)
    here = tuple_(literal(after.urgency is None), literal(after.waiting_since))
    following = query.where(tuple_(Ticket.urgency.is_(None), Ticket.waiting_since) >= here)
    return session.scalar(following.limit(1)) or session.scalar(query.limit(1))
