"""The working calendar: what counts as office time in Lima."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.clock.working_calendar import LIMA, WorkingCalendar, national_holidays

OPENS, CLOSES = dt.time(8, 30), dt.time(16, 30)
CALENDAR = WorkingCalendar(OPENS, CLOSES)
DAY_S = 8 * 3600.0
EASTER = {2025: ((4, 17), (4, 18)), 2026: ((4, 2), (4, 3)), 2027: ((3, 25), (3, 26))}
FIXED = (
    (1, 1), (5, 1), (6, 7), (6, 29), (7, 23), (7, 28), (7, 29),
    (8, 6), (8, 30), (10, 8), (11, 1), (12, 8), (12, 9), (12, 25),
)  # fmt: skip

instants = st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2045, 1, 1), timezones=st.just(dt.UTC))
whole = instants.map(lambda instant: instant.replace(microsecond=0))


def lima(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=LIMA)


def hours(start: str, end: str, calendar: WorkingCalendar = CALENDAR) -> float:
    return calendar.working_seconds(lima(start), lima(end)) / 3600


@pytest.mark.parametrize("year", EASTER)
def test_the_sixteen_national_holidays_of_a_year_are_days_off(year: int) -> None:
    ours = {dt.date(year, month, day) for month, day in (*FIXED, *EASTER[year])}
    assert len(ours) == 16
    assert ours <= national_holidays(year)
    # The library may count Easter Sunday too; nobody works on it anyway.
    assert {day for day in national_holidays(year) - ours if day.weekday() != 6} == set()
    assert [day for day in ours if CALENDAR.is_working_day(day)] == []


@pytest.mark.parametrize(
    ("day", "holiday"),
    [("2021-08-06", False), ("2022-08-06", True), ("2021-12-09", False), ("2022-12-09", True),
     ("2023-06-07", False), ("2024-06-07", True), ("2022-07-23", False), ("2024-07-23", True)],
)  # fmt: skip
def test_a_holiday_begins_with_the_year_of_its_law(day: str, holiday: bool) -> None:
    assert (dt.date.fromisoformat(day) in national_holidays(int(day[:4]))) is holiday


@pytest.mark.parametrize(("year", "days"), [(2026, 248), (2027, 247)])
def test_a_year_has_so_many_working_days(year: int, days: int) -> None:
    every = (dt.date(year, 1, 1) + dt.timedelta(days=number) for number in range(365))
    holidays = {dt.date(year, month, day) for month, day in (*FIXED, *EASTER[year])}
    counted = sum(day.weekday() < 5 and day not in holidays for day in every)
    assert counted == days
    assert hours(f"{year}-01-01T00:00", f"{year + 1}-01-01T00:00") == days * 8


@pytest.mark.parametrize(
    ("start", "end", "office_hours"),
    [
        ("2026-11-23T09:00", "2026-11-23T10:00", 1),
        ("2026-11-23T08:30", "2026-11-23T16:30", 8),
        ("2026-11-23T00:00", "2026-11-23T23:59", 8),
        ("2026-11-23T07:00", "2026-11-23T08:30", 0),
        ("2026-11-23T16:30", "2026-11-24T08:30", 0),
        ("2026-11-23T16:00", "2026-11-24T09:00", 1),
        ("2026-11-20T18:00", "2026-11-23T08:30", 0),
        ("2026-11-20T18:00", "2026-11-23T09:30", 1),
        ("2026-11-20T16:00", "2026-11-23T09:00", 1),
        ("2026-11-21T12:00", "2026-11-22T12:00", 0),
        ("2026-12-07T16:00", "2026-12-10T09:00", 1),
        ("2026-04-01T16:00", "2026-04-06T09:00", 1),
        ("2026-12-31T16:00", "2027-01-04T09:00", 1),
        ("2027-03-24T16:00", "2027-03-29T09:00", 1),
        ("2026-11-23T10:00", "2026-11-23T10:00", 0),
        ("2026-11-24T10:00", "2026-11-23T10:00", 0),
    ],
)
def test_only_office_hours_of_working_days_count(start: str, end: str, office_hours: float) -> None:
    assert hours(start, end) == office_hours


@given(st.integers(0, 62 * 60))
def test_a_mail_of_friday_evening_counts_from_monday_half_past_eight(minutes: int) -> None:
    written = lima("2026-11-20T18:00") + dt.timedelta(minutes=minutes)
    monday = lima("2026-11-23T08:30")
    assert CALENDAR.working_seconds(written, monday) == 0
    assert CALENDAR.working_seconds(written, monday + dt.timedelta(seconds=1)) == 1


def test_a_day_off_that_was_decreed_counts_as_no_day() -> None:
    decreed = WorkingCalendar(OPENS, CLOSES, [dt.date(2026, 11, 24), dt.date(2026, 11, 22)])
    assert not decreed.is_working_day(dt.date(2026, 11, 24))
    assert hours("2026-11-23T16:00", "2026-11-25T09:00", decreed) == 1
    assert hours("2026-11-23T16:00", "2026-11-25T09:00") == 9


def test_the_office_keeps_the_hours_it_is_given() -> None:
    early = WorkingCalendar(dt.time(7), dt.time(13, 15))
    assert hours("2026-11-23T00:00", "2026-11-25T00:00", early) == 12.5


@pytest.mark.parametrize(("opens", "closes"), [(dt.time(9), dt.time(9)), (dt.time(17), dt.time(9))])
def test_an_office_that_closes_before_it_opens_is_refused(opens: dt.time, closes: dt.time) -> None:
    with pytest.raises(ValueError, match="close after it opens"):
        WorkingCalendar(opens, closes)


@given(whole, whole)
def test_the_zone_in_which_an_instant_is_written_changes_nothing(
    start: dt.datetime, end: dt.datetime
) -> None:
    elsewhere = [instant.astimezone(ZoneInfo("Europe/Madrid")) for instant in (start, end)]
    assert CALENDAR.working_seconds(*elsewhere) == CALENDAR.working_seconds(start, end)


@given(st.lists(whole, min_size=3, max_size=3).map(sorted))
def test_two_stretches_are_as_long_as_the_whole(three: list[dt.datetime]) -> None:
    a, b, c = three
    assert CALENDAR.working_seconds(a, b) + CALENDAR.working_seconds(b, c) == CALENDAR.working_seconds(a, c)


@given(st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_two_stretches_are_as_long_as_the_whole_to_the_microsecond(three: list[dt.datetime]) -> None:
    a, b, c = three
    parts = CALENDAR.working_seconds(a, b) + CALENDAR.working_seconds(b, c)
    assert parts == pytest.approx(CALENDAR.working_seconds(a, c), abs=1e-6)


@given(st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_a_longer_stretch_is_never_shorter_in_office_hours(three: list[dt.datetime]) -> None:
    a, b, c = three
    assert 0 <= CALENDAR.working_seconds(a, b) <= CALENDAR.working_seconds(a, c)
    assert CALENDAR.working_seconds(b, c) <= CALENDAR.working_seconds(a, c)


@given(instants, instants)
def test_office_time_is_never_negative_nor_longer_than_the_clock_on_the_wall(
    start: dt.datetime, end: dt.datetime
) -> None:
    counted = CALENDAR.working_seconds(start, end)
    assert 0 <= counted <= max(0.0, (end - start).total_seconds()) + 1e-6


@given(st.dates(dt.date(2000, 1, 1), dt.date(2044, 12, 31)))
def test_a_day_is_worth_eight_hours_or_nothing(day: dt.date) -> None:
    start = dt.datetime.combine(day, dt.time(), LIMA)
    counted = CALENDAR.working_seconds(start, start + dt.timedelta(days=1))
    assert counted == DAY_S * CALENDAR.is_working_day(day)


@pytest.mark.parametrize("first", [2045, 2026, 2001])
def test_the_order_in_which_years_are_asked_for_changes_nothing(first: int) -> None:
    fresh = WorkingCalendar(OPENS, CLOSES)
    fresh.working_seconds(lima(f"{first}-06-15T00:00"), lima(f"{first}-06-16T00:00"))
    stretch = lima("2019-03-04T10:00"), lima("2031-09-05T11:00")
    assert fresh.working_seconds(*stretch) == CALENDAR.working_seconds(*stretch)
