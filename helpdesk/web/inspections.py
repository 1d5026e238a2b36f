"""The control after approval: the draws of each semester, and the tasks that they opened."""

from __future__ import annotations

import re

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.certificates.inspection import draw, eligible, semester_before, semester_of
from helpdesk.certificates.records import Filing, Inspection, InspectionDraw
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import InspectionState
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA
from helpdesk.web.session import agent, session, settings

inspections = Blueprint("inspections", __name__, url_prefix="/constancias/fiscalizacion")

SHOWN = 200
_SEMESTER = re.compile(r"20\d\d-[12]")


@inspections.get("")
def show() -> str:
    """The tasks, those that wait first; and how they came to be."""
    today = utc_now().astimezone(LIMA).date()
    tasks = (
        select(Inspection)
        .options(joinedload(Inspection.filing).joinedload(Filing.ticket), joinedload(Inspection.assignee))
        .order_by(Inspection.decided_at.is_not(None), Inspection.id)
        .limit(SHOWN)
    )
    draws = (
        select(InspectionDraw).options(joinedload(InspectionDraw.drawn_by)).order_by(InspectionDraw.id.desc())
    )
    semesters = [semester_of(today), semester_before(today)]
    return render_template(
        "inspections.html",
        tasks=session().scalars(tasks).all(),
        draws=session().scalars(draws.limit(SHOWN)).all(),
        undrawn={semester: len(eligible(session(), semester)) for semester in semesters},
        states=[state.value for state in InspectionState],
        share=settings().inspection_share,
        most=settings().inspection_most,
    )


@inspections.post("/sorteo")
@needs(Role.SUPERVISOR)
def draw_now() -> Response:
    """Draw among the filings of a semester that took part in no draw yet."""
    semester = request.form.get("semestre", "")
    if not _SEMESTER.fullmatch(semester):
        abort(400)
    try:
        made = draw(session(), semester, settings(), now=utc_now(), actor=agent())
    except NotAllowed as error:
        session().rollback()
        flash(str(error), "error")
        return redirect(url_for("inspections.show"))
    session().commit()
    words = gettext("Salieron %(n)s de %(of)s solicitudes.", n=len(made.drawn), of=len(made.population))
    flash(words, "fine")
    return redirect(url_for("inspections.show"))
