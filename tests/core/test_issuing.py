"""Issuing: which day a filing counts on, the clock, the address in the code, the series of a new year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from helpdesk.certificates import document
from helpdesk.certificates.issuing import calendar_of, submit
from helpdesk.certificates.records import Constancia, Filing
from helpdesk.clock.working_calendar import WorkingCalendar
from helpdesk.db import utc_now
from helpdesk.desk.ticket import NumberSeries
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA
from tests.desk import Desk
from tests.filings import submission, worker

CALENDAR = WorkingCalendar(dt.time(8, 30), dt.time(16, 30), [dt.date(2026, 12, 7)])


def lima(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=LIMA)


@pytest.mark.parametrize(
    ("filed", "day"),
    [
        ("2026-11-26T10:00", "2026-11-26"),
        ("2026-11-26T05:00", "2026-11-26"),  # before the office opens
        ("2026-11-26T16:29:59", "2026-11-26"),
        ("2026-11-26T16:30", "2026-11-27"),  # after it has closed
        ("2026-11-27T18:00", "2026-11-30"),  # on a Friday
        ("2026-11-28T10:00", "2026-11-30"),  # on a Saturday
        ("2026-12-04T17:00", "2026-12-10"),  # a day decreed off, and two holidays of the nation
        ("2026-12-31T23:59", "2027-01-04"),
    ],
)
def test_a_filing_counts_on_its_working_day(filed: str, day: str) -> None:
    assert CALENDAR.counts_on(lima(filed)) == dt.date.fromisoformat(day)


def test_two_working_days_pass_over_holidays() -> None:
    assert CALENDAR.add_working_days(dt.date(2026, 12, 4), 2) == dt.date(2026, 12, 11)
    assert CALENDAR.add_working_days(dt.date(2026, 11, 26), 2) == dt.date(2026, 11, 30)
    assert CALENDAR.add_working_days(dt.date(2026, 11, 26), 0) == dt.date(2026, 11, 26)


@pytest.fixture
def session(desk: Desk) -> Iterator[Session]:
    with desk.sessions() as opened:
        yield opened


def issue(session: Session, desk: Desk, number: int) -> Constancia:
    result = submit(session, submission(workers=[worker(document_number=f"10{number:08d}")]), desk.settings)
    assert result.filing is not None
    row = result.filing.workers[0].constancia
    assert row is not None
    return row


def test_the_real_instant_and_the_day_that_counts_are_both_kept(session: Session, desk: Desk) -> None:
    filing = issue(session, desk, 1).worker.filing
    assert abs(filing.filed_at - utc_now()) < dt.timedelta(minutes=1)
    assert filing.counts_on == calendar_of(desk.settings).counts_on(filing.filed_at)


def test_T88_nothing_is_issued_before_the_last_constancia(session: Session, desk: Desk) -> None:
    at = issue(session, desk, 1).issued_at
    session.execute(update(Constancia).values(issued_at=utc_now() + dt.timedelta(hours=2)))
    with pytest.raises(NotAllowed, match="reloj"), session.begin_nested():
        issue(session, desk, 2)
    session.execute(update(Constancia).values(issued_at=at))
    assert issue(session, desk, 3).ordinal == 2  # the refusal took no number


def test_T87_the_address_in_the_code_is_the_settings(session: Session, desk: Desk) -> None:
    row = issue(session, desk, 1)
    settings = desk.settings.model_copy(update={"public_url": "https://mesa.example.com/"})
    text = document.text_of(row, row.worker.filing, settings, utc_now())
    assert text.verify_url == f"https://mesa.example.com/v/{row.code}"


def test_each_year_has_a_series_of_its_own(session: Session, desk: Desk) -> None:
    row = issue(session, desk, 1)
    assert row.number == f"CTMA-{row.year}-000001"
    series = session.get_one(NumberSeries, ("CTMA", row.year))
    assert series.last == 1
    assert row.year == utc_now().astimezone(LIMA).year


def test_a_filing_that_is_rejected_leaves_no_trace(session: Session, desk: Desk) -> None:
    result = submit(session, submission(contract__pay=0), desk.settings)
    assert [fault.rule for fault in result.reasons] == ["pay"]
    assert session.scalars(select(Filing)).all() == []
    assert session.scalars(select(NumberSeries).where(NumberSeries.name == "CTMA")).all() == []
