"""Whether mail leaves: the alarm on every agent's page, and the button that starts the sending again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, url_for
from flask_babel import gettext
from flask_security import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.certificates.verifying import many_misses
from helpdesk.db import utc_now
from helpdesk.desk import health
from helpdesk.web.session import session

sending = Blueprint("sending", __name__, url_prefix="/envio")


@sending.app_context_processor
def alarms() -> dict[str, Any]:
    """What `_alarms.html` asks for, and only when a page shows it."""
    return {"alarm_lines": alarm_lines, "sending_trouble": sending_trouble}


def alarm_lines() -> list[str]:
    """What every agent should know now."""
    if not current_user.is_authenticated:
        return []
    try:
        trying = many_misses(session(), utc_now())
        return [*health.alarms(session()), *([trying] if trying else [])]
    except SQLAlchemyError:
        return []  # the page that says that the database is away must not fail because it is


def sending_trouble() -> str | None:
    """Why no mail leaves, for those who may start it again."""
    if not current_user.is_authenticated or not current_user.may(Role.SUPERVISOR):
        return None
    try:
        row = health.trouble_with(session(), health.SMTP)
    except SQLAlchemyError:
        return None
    return row.error if row is not None and row.failures >= health.trouble_of(row).told_after else None


@sending.post("/reanudar")
@needs(Role.SUPERVISOR)
def resume() -> Response:
    """Let the worker ask the SMTP server again at its next tick."""
    resumed = health.resume(session(), health.SMTP, utc_now())
    session().commit()
    flash(
        gettext("Se probará el envío en unos segundos.")
        if resumed
        else gettext("El envío de correo funciona: no había nada que reanudar.")
    )
    return redirect(url_for("queue.show"))
