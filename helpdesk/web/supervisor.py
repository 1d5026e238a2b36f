"""The supervisor's first view: what waits, and how fast people get their first answer, by line."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, render_template, request

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.clock.working_calendar import WorkingCalendar
from helpdesk.db import utc_now
from helpdesk.reports.response_times import first_response
from helpdesk.web.session import session, settings

supervisor = Blueprint("supervisor", __name__, url_prefix="/tablero")

PERIODS_DAYS = (7, 30, 90)
DEFAULT_DAYS = 30


@supervisor.get("")
@needs(Role.SUPERVISOR)
def show() -> str:
    """First-response times by line, in office hours or by the clock on the wall."""
    days = request.args.get("dias", DEFAULT_DAYS, type=int)
    days = days if days in PERIODS_DAYS else DEFAULT_DAYS
    natural = request.args.get("horas") == "corridas"
    now, office = utc_now(), settings()
    calendar = None if natural else WorkingCalendar(office.office_opens, office.office_closes)
    figures = first_response(session(), since=now - dt.timedelta(days=days), now=now, calendar=calendar)
    return render_template(
        "supervisor.html", figures=figures, days=days, natural=natural, periods=PERIODS_DAYS, office=office
    )
