"""The supervisor's first view: what waits, and how fast people get their first answer, by line."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, render_template, request

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.clock.working_calendar import WorkingCalendar
from helpdesk.db import utc_now
from helpdesk.reports.response_times import first_response
from helpdesk.web.period import PERIODS_DAYS, days_asked
from helpdesk.web.session import session, settings

supervisor = Blueprint("supervisor", __name__, url_prefix="/tablero")


@supervisor.get("")
@needs(Role.SUPERVISOR)
def show() -> str:
    """First-response times by line, in office hours or by the clock on the wall."""
    days = days_asked()
    natural = request.args.get("horas") == "corridas"
    now, office = utc_now(), settings()
    calendar = None if natural else WorkingCalendar(office.office_opens, office.office_closes)
    figures = first_response(session(), since=now - dt.timedelta(days=days), now=now, calendar=calendar)
    return render_template(
        "supervisor.html", figures=figures, days=days, natural=natural, periods=PERIODS_DAYS, office=office
    )
