"""The statistics of constancias, for supervisors: the page, the report as a PDF, the tables as CSV and XLSX.

What is on the page and in the tables is exact and stays at the desk; the PDF is made to be published
(`reports/published.py`).
"""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.db import utc_now
from helpdesk.reports.constancia_document import report_document
from helpdesk.reports.constancia_tables import csv_of, xlsx_of
from helpdesk.reports.constancias import Report, constancia_report, first_day_of_issue
from helpdesk.reports.findings import counted, definitions, finding, leaders, percentage
from helpdesk.reports.published import for_the_desk_only
from helpdesk.reports.quarters import Period, days, quarter_of, quarters_until, read_period, year
from helpdesk.settings import LIMA
from helpdesk.web.guard import FILE_CSP
from helpdesk.web.session import session

constancia_figures = Blueprint("constancia_figures", __name__, url_prefix="/constancias/estadisticas")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def period_asked(today: dt.date) -> Period | None:
    """The period that the address names; the present quarter for none. None: it is no period, or not begun yet."""
    arguments = request.args
    if "desde" in arguments or "hasta" in arguments:
        asked = days(arguments.get("desde", ""), arguments.get("hasta", ""))
    elif "periodo" in arguments:
        asked = read_period(arguments["periodo"])
    else:
        asked = quarter_of(today)
    return asked if asked and asked.first <= today else None


def _report() -> Report:
    """The report that a file is made of; a file of another period than the one asked for would mislead."""
    now = utc_now()
    period = period_asked(now.astimezone(LIMA).date()) or abort(404)
    return constancia_report(session(), period, now=now)


@constancia_figures.get("")
@needs(Role.SUPERVISOR)
def show() -> str:
    """The figures of a period, each table as a chart whose heading is what it says."""
    now = utc_now()
    today = now.astimezone(LIMA).date()
    asked = period_asked(today)
    period = asked or quarter_of(today)
    report = constancia_report(session(), period, now=now)
    next_one = period.next
    return render_template(
        "constancia_figures.html",
        report=report,
        period=period,
        understood=asked is not None,
        before=period.previous,
        after=next_one if next_one and next_one.first <= today else None,
        periods=_offered(period, today),
        today=today,
        definitions=definitions(report),
        desk_only=for_the_desk_only(report),
        finding=finding,
        leaders=leaders,
        percentage=percentage,
        counted=counted,
    )


def _offered(shown: Period, today: dt.date) -> list[Period]:
    """The quarters and years in which something may have been issued, and the one that is shown; the newest first."""
    first = min(first_day_of_issue(session()) or today, today)
    offered = {
        *quarters_until(first, today),
        *(year(number) for number in range(first.year, today.year + 1)),
        shown,
    }
    return sorted(offered, key=lambda period: (period.last, period.first), reverse=True)


@constancia_figures.get("/informe.pdf")
@needs(Role.SUPERVISOR)
def pdf() -> Response:
    """The report that may be published."""
    report = _report()
    return _download(report_document(report), "application/pdf", f"constancias-{report.period.name}.pdf")


@constancia_figures.get("/tablas.csv")
@needs(Role.SUPERVISOR)
def csv() -> Response:
    """All tables in one file of text."""
    report = _report()
    return _download(csv_of(report), "text/csv; charset=utf-8", f"constancias-{report.period.name}.csv")


@constancia_figures.get("/tablas.xlsx")
@needs(Role.SUPERVISOR)
def xlsx() -> Response:
    """All tables in one workbook."""
    report = _report()
    return _download(xlsx_of(report), XLSX, f"constancias-{report.period.name}.xlsx")


def _download(content: bytes, kind: str, name: str) -> Response:
    """A file that is saved, and that no page can be made of."""
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response
