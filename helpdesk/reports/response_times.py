"""First response: from a mail's arrival to the moment the first human reply left, by line.

Acknowledgements do not count, nor do automatic mails. A ticket belongs to the days in which it arrived. Beside
the percentiles over answered tickets stands the P90 that counts unanswered ones at their present age: the
first alone would flatter a growing backlog.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from classifier import LINES, NONE
from helpdesk.clock.working_calendar import WorkingCalendar
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.ticket import FILINGS, Ticket

# A ticket without a line is a row of its own: the key is None.
ROWS: tuple[str | None, ...] = (*LINES, None, NONE)

Seconds = Callable[[dt.datetime, dt.datetime], float]


@dataclass(frozen=True, slots=True)
class LineFigures:
    """The figures of one line (`line` None: por clasificar; "all": every line). Times in seconds."""

    line: str | None
    arrived: int
    answered: int
    open: int
    unanswered: int
    oldest_unanswered_s: float | None
    median_s: float | None
    p90_s: float | None
    p90_with_open_s: float | None


def natural_seconds(start: dt.datetime, end: dt.datetime) -> float:
    """Seconds by the clock on the wall."""
    return max(0.0, (end - start).total_seconds())


def percentile(values: list[float], share: float) -> float | None:
    """The percentile by linear interpolation between order statistics (R's type 7); None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def first_response(
    session: Session, *, since: dt.datetime, now: dt.datetime, calendar: WorkingCalendar | None
) -> list[LineFigures]:
    """The figures of the tickets that arrived since `since`, by line, the sum of all lines last.

    With a calendar, time is office hours; without, it is the clock on the wall.
    """
    seconds: Seconds = calendar.working_seconds if calendar else natural_seconds
    query = select(Ticket.line, Ticket.opened_at, Ticket.first_response_at, Ticket.status).where(
        # What was merged is counted with the ticket that holds it now.
        Ticket.opened_at >= since,
        Ticket.automatic.is_(False),
        Ticket.merged_into_id.is_(None),
        # A filing is answered by its document, at once: it would flatter whoever answers mail.
        Ticket.channel != FILINGS,
    )
    rows = [_Row(*row) for row in session.execute(query)]
    figures = [_figures(line, [row for row in rows if row.line == line], seconds, now) for line in ROWS]
    return [*figures, _figures("all", rows, seconds, now)]


@dataclass(frozen=True, slots=True)
class _Row:
    line: str | None
    opened_at: dt.datetime
    first_response_at: dt.datetime | None
    status: str

    @property
    def unanswered(self) -> bool:
        return self.first_response_at is None and self.status != TicketStatus.CLOSED


def _figures(line: str | None, rows: list[_Row], seconds: Seconds, now: dt.datetime) -> LineFigures:
    answered = [seconds(row.opened_at, row.first_response_at) for row in rows if row.first_response_at]
    ages = [seconds(row.opened_at, now) for row in rows if row.unanswered]
    return LineFigures(
        line=line,
        arrived=len(rows),
        answered=len(answered),
        open=sum(row.status == TicketStatus.OPEN for row in rows),
        unanswered=len(ages),
        oldest_unanswered_s=max(ages, default=None),
        median_s=percentile(answered, 0.5),
        p90_s=percentile(answered, 0.9),
        p90_with_open_s=percentile(answered + ages, 0.9),
    )
