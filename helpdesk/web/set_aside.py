"""Mail that could not be filed: why, the original, and another try."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from helpdesk.desk import ledger
from helpdesk.desk.ledger import RawMail, set_aside_mails
from helpdesk.errors import NotAllowed
from helpdesk.web.session import session

set_aside = Blueprint("set_aside", __name__, url_prefix="/correo-apartado")


@set_aside.get("")
def show() -> str:
    """What was set aside, newest first."""
    return render_template("set_aside.html", mails=set_aside_mails(session()))


@set_aside.post("/<id:raw_id>/reintentar")
def retry(raw_id: int) -> Response:
    """Put a mail back into line; the worker files it at its next tick."""
    mail = session().get(RawMail, raw_id) or abort(404)
    try:
        ledger.retry(session(), mail)
    except NotAllowed as error:
        session().rollback()
        flash(str(error), "error")
    else:
        session().commit()
        flash(gettext("Se intentará de nuevo en unos segundos."))
    return redirect(url_for("set_aside.show"))
