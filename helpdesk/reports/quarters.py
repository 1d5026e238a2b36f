"""The days that a report looks at: a quarter, a year, or any days of Lima, as an address writes them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from helpdesk.settings import LIMA

FIRST_YEAR, LAST_YEAR = 1990, 2200
MONTHS_OF_A_QUARTER = 3
QUARTERS = ("I", "II", "III", "IV")
MONTHS_ES = ("enero a marzo", "abril a junio", "julio a setiembre", "octubre a diciembre")
_DAY = r"\d{4}-\d\d-\d\d"
_WRITTEN = re.compile(
    rf"(?P<year>\d{{4}})(-(?P<quarter>[1-4]))?|(?P<first>{_DAY})\.\.(?P<last>{_DAY})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Period:
    """Days of Lima; the first and the last of them count."""

    first: dt.date
    last: dt.date

    @property
    def is_quarter(self) -> bool:
        """Whether it is a quarter of a year."""
        return self == quarter_of(self.first)

    @property
    def is_year(self) -> bool:
        """Whether it is a whole year."""
        return self == year(self.first.year)

    @property
    def begins(self) -> dt.datetime:
        """The instant of its first midnight."""
        return dt.datetime.combine(self.first, dt.time.min, LIMA)

    @property
    def ends(self) -> dt.datetime:
        """The instant at which it is over, which is no longer in it."""
        return dt.datetime.combine(self.last + dt.timedelta(days=1), dt.time.min, LIMA)

    @property
    def name(self) -> str:
        """As addresses and files write it: "2026-4", "2026", "2026-10-05..2026-11-20"."""
        if self.is_year:
            return f"{self.first.year}"
        if self.is_quarter:
            return f"{self.first.year}-{_place(self.first) + 1}"
        return f"{self.first}..{self.last}"

    @property
    def label(self) -> str:
        """As people read it."""
        if self.is_year:
            return f"Año {self.first.year}"
        if self.is_quarter:
            place = _place(self.first)
            return f"{QUARTERS[place]} trimestre de {self.first.year} ({MONTHS_ES[place]})"
        return f"Del {self.first:%d/%m/%Y} al {self.last:%d/%m/%Y}"

    @property
    def previous(self) -> Period | None:
        """The quarter or year before it; None for days that are neither."""
        return self._beside(self.first - dt.timedelta(days=1))

    @property
    def next(self) -> Period | None:
        """The quarter or year after it; None for days that are neither."""
        return self._beside(self.last + dt.timedelta(days=1))

    def _beside(self, day: dt.date) -> Period | None:
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            return None
        if self.is_year:
            return year(day.year)
        return quarter_of(day) if self.is_quarter else None


def _place(day: dt.date) -> int:
    return (day.month - 1) // MONTHS_OF_A_QUARTER


def year(number: int) -> Period:
    """A whole year."""
    return Period(dt.date(number, 1, 1), dt.date(number, 12, 31))


def quarter(number: int, place: int) -> Period:
    """The first to fourth quarter of a year."""
    begins = dt.date(number, MONTHS_OF_A_QUARTER * (place - 1) + 1, 1)
    in_the_next = begins + dt.timedelta(days=31 * MONTHS_OF_A_QUARTER)
    return Period(begins, in_the_next.replace(day=1) - dt.timedelta(days=1))


def quarter_of(day: dt.date) -> Period:
    """The quarter of a day."""
    return quarter(day.year, _place(day) + 1)


def read_period(text: str) -> Period | None:
    """The period that an address names; None when it names none."""
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        return None
    if written["year"] is None:
        return days(written["first"], written["last"])
    number = int(written["year"])
    if not FIRST_YEAR <= number <= LAST_YEAR:
        return None
    return quarter(number, int(written["quarter"])) if written["quarter"] else year(number)


def days(first: str, last: str) -> Period | None:
    """The days from one to another, written as 2026-10-05; None when they are no days or in no order."""
    try:
        period = Period(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    except ValueError:
        return None
    if period.first > period.last or period.first.year < FIRST_YEAR or period.last.year > LAST_YEAR:
        return None
    return period


def quarters_until(first: dt.date, today: dt.date) -> Iterator[Period]:
    """The quarters from today's back to that of an earlier day."""
    now: Period | None = quarter_of(today)
    while now is not None and now.last >= first:
        yield now
        now = now.previous
