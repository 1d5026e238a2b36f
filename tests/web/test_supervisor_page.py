"""The supervisor's first view: figures that can be recounted by hand."""

from __future__ import annotations

import datetime as dt

from helpdesk.accounts.users import User
from helpdesk.clock.working_calendar import WorkingCalendar
from helpdesk.db import utc_now
from helpdesk.desk.ticket import Ticket
from helpdesk.reports.response_times import LineFigures, first_response
from tests.desk import Desk
from tests.mails import mail
from tests.web.conftest import Person

HOUR = 3600.0


def prepare(desk: Desk, waits_h: list[float | None], line: str = "return") -> dt.datetime:
    """Tickets of one line, each answered after so many hours, or not at all."""
    desk.file(*(mail(f"n {n}", sender=f"p{n}@example.com") for n in range(len(waits_h))))
    now = utc_now()
    with desk.sessions.begin() as session:
        for ticket, wait in zip(desk.tickets(), waits_h, strict=True):
            row = session.get_one(Ticket, ticket.id)
            row.line, row.opened_at = line, now - dt.timedelta(hours=100)
            row.first_response_at = row.opened_at + dt.timedelta(hours=wait) if wait is not None else None
    return now


def of_line(figures: list[LineFigures], line: str | None) -> LineFigures:
    return next(row for row in figures if row.line == line)


def test_median_and_p90_count_answered_tickets_and_the_last_column_all(desk: Desk) -> None:
    now = prepare(desk, [1, 2, 3, 4, 5, None])
    with desk.sessions() as session:
        figures = first_response(session, since=now - dt.timedelta(days=30), now=now, calendar=None)
    row = of_line(figures, "return")
    assert (row.arrived, row.answered, row.unanswered, row.open) == (6, 5, 1, 6)
    assert row.median_s == 3 * HOUR
    assert row.p90_s is not None
    assert abs(row.p90_s - 4.6 * HOUR) < 1
    assert row.oldest_unanswered_s == 100 * HOUR
    assert row.p90_with_open_s is not None
    assert row.p90_with_open_s > 50 * HOUR
    assert of_line(figures, "all").arrived == 6
    assert of_line(figures, "abroad").median_s is None


def test_automatic_mail_does_not_count(desk: Desk) -> None:
    desk.file(mail(headers={"List-Id": "<x.example.org>"}))
    with desk.sessions() as session:
        now = utc_now()
        figures = first_response(session, since=now - dt.timedelta(days=1), now=now, calendar=None)
    assert of_line(figures, "all").arrived == 0


def test_office_hours_do_not_count_the_night(desk: Desk) -> None:
    calendar = WorkingCalendar(dt.time(8, 30), dt.time(16, 30))
    monday_eve = dt.datetime(2026, 11, 16, 16, 0, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    tuesday = dt.datetime(2026, 11, 17, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
    assert calendar.working_seconds(monday_eve, tuesday) == HOUR


def test_the_page_shows_the_figures_and_their_meaning(supervisor: Person, desk: Desk) -> None:
    prepare(desk, [1, 2, 3, None])
    page = supervisor.get("/tablero?horas=corridas").text
    assert "2 h" in page
    assert "sobre 3 respondidas" in page
    assert "El acuse de recibo y los correos automáticos no cuentan" in page
    assert "4 días 4 h" in page, "the oldest unanswered one waits 100 h"


def test_an_empty_desk_shows_dashes(supervisor: Person) -> None:
    assert "–" in supervisor.get("/tablero?dias=7").text


def test_the_menu_shows_the_view_to_supervisors_only(supervisor: Person, agent: Person, rosa: User) -> None:
    assert "/tablero" in supervisor.get("/bandeja").text
    assert "/tablero" not in agent.get("/bandeja").text
