"""The supervisor's view of the sorter: can it be trusted, what has it learned, and the way back."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.db import utc_now
from helpdesk.desk.health import sorter_trouble
from helpdesk.desk.learning import LESSONS_AT_LEAST, ask, is_under_way, last_run
from helpdesk.desk.lessons import Lesson, suspect_names
from helpdesk.desk.models import SorterModel, active_model, bring_back, known_models
from helpdesk.errors import NotAllowed
from helpdesk.reports.sorting import sorting_figures
from helpdesk.web.period import PERIODS_DAYS, days_asked
from helpdesk.web.session import agent, session, settings

sorter = Blueprint("sorter", __name__, url_prefix="/clasificador")


def news() -> int:
    """How many decisions about models the supervisor has not looked at yet."""
    seen = agent().sorter_seen_at or agent().created_at
    query = select(func.count()).select_from(SorterModel).where(SorterModel.decided_at > seen)
    return session().scalar(query) or 0


@sorter.app_context_processor
def page_context() -> dict[str, object]:
    """What every page's header shows."""
    return {"sorter_news": news}


@sorter.get("")
@needs(Role.SUPERVISOR)
def show() -> str:
    """The figures of a period, the models, the last training."""
    days = days_asked()
    now, me = utc_now(), agent()
    seen_before = me.sorter_seen_at or me.created_at
    active = active_model(session())
    new = select(func.count()).select_from(Lesson)
    if active is not None:
        new = new.where(Lesson.at > active.learned_until)
    run = last_run(session())
    page = render_template(
        "sorter.html",
        figures=sorting_figures(session(), since=now - dt.timedelta(days=days), now=now),
        days=days,
        periods=PERIODS_DAYS,
        active=active,
        models=known_models(session()),
        seen_before=seen_before,
        run=run,
        under_way=run is not None and is_under_way(run, now),
        new_lessons=session().scalar(new) or 0,
        lessons_needed=LESSONS_AT_LEAST,
        suspects=suspect_names(session(), now),
        trouble=sorter_trouble(session(), now),
    )
    me.sorter_seen_at = now
    session().commit()
    return page


@sorter.post("/entrenar")
@needs(Role.SUPERVISOR)
def train() -> Response:
    """Ask for a training now; a worker does it."""
    ask(session(), now=utc_now(), actor=agent())
    session().commit()
    flash(gettext("El entrenamiento empieza en unos segundos; esta página dirá cómo terminó."), "fine")
    return redirect(url_for("sorter.show"))


@sorter.post("/modelos/<id_>/usar")
@needs(Role.SUPERVISOR)
def use(id_: str) -> Response:
    """Let another model sort the mail."""
    if not id_.isalnum():
        abort(404)
    try:
        row = bring_back(session(), id_, settings().models_folder, now=utc_now(), actor=agent())
        name = row.id
    except NotAllowed as error:
        session().rollback()
        flash(str(error), "error")
        return redirect(url_for("sorter.show"))
    session().commit()
    flash(gettext("Desde ahora clasifica el modelo %(id)s.", id=name), "fine")
    return redirect(url_for("sorter.show"))
