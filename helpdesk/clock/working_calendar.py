"""The working calendar: Monday to Friday, office hours, without Peru's national holidays (D.Leg. 713).

A message that arrives after hours or on a day off counts from the next working day on (DS 075-2023-PCM), which
follows from counting office hours only. Lima has no daylight saving time. Days off that are decreed for the
public sector are passed in; the national holidays come from the `holidays` library.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from functools import lru_cache

import holidays

from helpdesk.settings import LIMA

FRIDAY = 4
# Where the running count begins; nothing we measure is older.
EPOCH_YEAR = 2000


@lru_cache(maxsize=64)
def national_holidays(year: int) -> frozenset[dt.date]:
    """Peru's national holidays of a year."""
    return frozenset(holidays.country_holidays("PE", years=year))


class WorkingCalendar:
    """Office hours from `opens` to `closes` (Lima time) on every working day; `days_off` come on top."""

    def __init__(self, opens: dt.time, closes: dt.time, days_off: Collection[dt.date] = ()) -> None:
        if closes <= opens:
            raise ValueError("the office must close after it opens")
        self._opens, self._closes = opens, closes
        self._days_off = frozenset(days_off)
        self._day_s = _seconds(closes) - _seconds(opens)
        self._before: dict[dt.date, int] = {}

    def is_working_day(self, day: dt.date) -> bool:
        """Whether the office is open on a day."""
        off = day in self._days_off or day in national_holidays(day.year)
        return day.weekday() <= FRIDAY and not off

    def counts_on(self, instant: dt.datetime) -> dt.date:
        """The working day on which what is received at an instant counts as received.

        After the office has closed, or on a day off, that is the next working day (DS 075-2023-PCM).
        """
        local = instant.astimezone(LIMA)
        day = local.date()
        if self.is_working_day(day) and local.time() < self._closes:
            return day
        return self.add_working_days(day, 1)

    def add_working_days(self, day: dt.date, count: int) -> dt.date:
        """The `count`-th working day after a day; the term begins on the day that follows it."""
        while count > 0:
            day += dt.timedelta(days=1)
            count -= self.is_working_day(day)
        return day

    def working_seconds(self, start: dt.datetime, end: dt.datetime) -> float:
        """Seconds of office hours between two aware instants; 0 when `end` is not after `start`."""
        return max(0.0, self._until(end) - self._until(start))

    def _until(self, instant: dt.datetime) -> float:
        """Office seconds from the beginning of the count to an instant: a running total, so sums are exact."""
        local = instant.astimezone(LIMA)
        day = local.date()
        today = 0.0
        if self.is_working_day(day):
            time_s = _seconds(local.time()) + local.microsecond / 1e6
            today = min(max(time_s - _seconds(self._opens), 0.0), float(self._day_s))
        return self._days_before(day) * self._day_s + today

    def _days_before(self, day: dt.date) -> int:
        """Working days from EPOCH to the day before `day`; a year is counted once and remembered."""
        if day not in self._before:
            self._count_year(day.year)
        return self._before[day]

    def _count_year(self, year: int) -> None:
        day = dt.date(year, 1, 1)
        count = 0 if year <= EPOCH_YEAR else self._days_before(dt.date(year - 1, 12, 31))
        if year > EPOCH_YEAR:
            count += self.is_working_day(dt.date(year - 1, 12, 31))
        while day.year == year:
            self._before[day] = count
            count += self.is_working_day(day)
            day += dt.timedelta(days=1)


def _seconds(time: dt.time) -> int:
    return time.hour * 3600 + time.minute * 60 + time.second
