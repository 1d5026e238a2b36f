"""The figures of the sorter, recounted by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.lessons import Lesson
from helpdesk.desk.sorting import Prediction
from helpdesk.desk.ticket import Ticket
from helpdesk.reports.sorting import DRIFT_AT_LEAST, LineQuality, sorting_figures, stability_index
from tests.desk import Desk


def add(
    desk: Desk,
    user: User,
    said: str,
    decided: str | None,
    *,
    days_ago: float = 1,
    abstained: bool = False,
    probability: float = 0.95,
) -> None:
    """One ticket that the model read, and that a person decided about or not."""
    when = utc_now() - dt.timedelta(days=days_ago)
    with desk.sessions.begin() as session:
        ticket = Ticket(
            number=f"T{when.timestamp()}{said}{decided}",
            participants=[],
            subject="x",
            line=None if abstained else said,
            opened_at=when,
            waiting_since=when,
            updated_at=when,
        )
        session.add(ticket)
        session.flush()
        session.add(
            Prediction(
                ticket_id=ticket.id,
                label=said,
                probability=probability,
                probabilities={said: probability},
                why=[],
                signs=[],
                also={},
                abstained=abstained,
                model="m",
                at=when,
            )
        )
        if decided:
            session.add(
                Lesson(
                    ticket_id=ticket.id,
                    user_id=user.id,
                    at=when,
                    arrived_at=when,
                    subject="",
                    body="x",
                    label=decided,
                    predicted=said,
                    probability=probability,
                    abstained=abstained,
                    model="m",
                )
            )


def line(lines: list[LineQuality], name: str) -> LineQuality:
    return next(found for found in lines if found.line == name)


def test_precision_and_recall_are_those_of_the_tickets_that_people_looked_at(desk: Desk, ana: User) -> None:
    for _ in range(3):
        add(desk, ana, "return", "return")
    add(desk, ana, "return", "abroad")
    add(desk, ana, "return", "return", abstained=True, probability=0.4)
    add(desk, ana, "abroad", None)
    add(desk, ana, "abroad", "abroad", days_ago=40)
    with desk.sessions() as session:
        now = utc_now()
        figures = sorting_figures(session, since=now - dt.timedelta(days=30), now=now)
    assert (figures.arrived, figures.sorted, figures.abstained, figures.without_model) == (6, 5, 1, 0)
    assert (figures.confirmed, figures.corrected) == (4, 1)
    found = line(figures.lines, "return")
    assert (found.sorted_into, found.belonged) == (4, 4)
    assert found.precision == 3 / 4
    assert found.recall == 3 / 4
    assert line(figures.lines, "abroad").recall == 0
    assert line(figures.lines, "foreigner").precision is None
    assert figures.confusion["abroad"]["return"] == 1
    assert figures.confusion["return"]["unsorted"] == 1
    assert sum(bin_.rows for bin_ in figures.bins) == 5
    assert sum(week.checked for week in figures.weeks) == 5
    assert figures.drift.reading is None


def test_drift_is_seen_when_the_mail_becomes_another(desk: Desk, ana: User) -> None:
    for number in range(DRIFT_AT_LEAST):
        add(desk, ana, "return", None, days_ago=40 + number / 10)
        add(desk, ana, "foreigner", None, days_ago=2 + number / 10)
    with desk.sessions() as session:
        now = utc_now()
        drift = sorting_figures(session, since=now, now=now).drift
    assert (drift.now, drift.before) == (DRIFT_AT_LEAST, DRIFT_AT_LEAST)
    assert drift.reading == "drifted"
    assert drift.certainty == pytest.approx(0)


def test_the_stability_index_is_zero_for_the_same_and_grows_with_the_difference() -> None:
    same = stability_index(["a", "b"] * 50, ["b", "a"] * 50)
    some = stability_index(["a", "b"] * 50, ["a"] * 60 + ["b"] * 40)
    more = stability_index(["a", "b"] * 50, ["a"] * 90 + ["b"] * 10)
    assert same == pytest.approx(0)
    assert 0 < some < more
    # By hand, with half a case more in each category: (.604-.5)·ln(.604/.5) + (.396-.5)·ln(.396/.5).
    share = 60.5 / 101
    assert some == pytest.approx((share - 0.5) * 0.1808 + (1 - share - 0.5) * -0.2211, abs=2e-3)
