"""The supervisor's view of the answers: are the suggestions of use, and which answers are missing."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.db import utc_now
from helpdesk.desk.answer_uses import MissingAnswer, missing_answers
from helpdesk.reports.answers import answer_figures as figures_of
from helpdesk.web.period import PERIODS_DAYS, days_asked
from helpdesk.web.session import agent, session

answer_figures = Blueprint("answer_figures", __name__, url_prefix="/respuestas-medidas")


@answer_figures.get("")
@needs(Role.SUPERVISOR)
def show() -> str:
    """The figures of a period and the list of what is missing."""
    days = days_asked()
    figures = figures_of(session(), since=utc_now() - dt.timedelta(days=days))
    return render_template(
        "answer_figures.html",
        figures=figures,
        all=figures.lines[-1],
        days=days,
        periods=PERIODS_DAYS,
        missing=missing_answers(session()),
    )


@answer_figures.post("/faltantes/<id:entry_id>")
@needs(Role.SUPERVISOR)
def done(entry_id: int) -> Response:
    """Take something off the list of missing answers."""
    entry = session().get(MissingAnswer, entry_id) or abort(404)
    if entry.done_at is None:
        entry.done_at, entry.done_by_id = utc_now(), agent().id
    session().commit()
    flash(gettext("Quitada de la lista."), "fine")
    return redirect(url_for("answer_figures.show", _anchor="faltan"))
