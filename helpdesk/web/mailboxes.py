"""The mailboxes, for supervisors: how each is doing, and the buttons that try, stop and start one.

Mailboxes are added and changed on the command line only: no page may make the desk connect to a chosen host (T78).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext
from flask_security import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.db import utc_now
from helpdesk.desk.mailbox import Mailbox, MailboxKind, pause, poll_now, resume
from helpdesk.desk.mailbox_health import MailboxView, health_lines, mailbox_alarms, mailbox_views
from helpdesk.desk.words import N_
from helpdesk.web.session import session

mailboxes = Blueprint("mailboxes", __name__, url_prefix="/buzones")

# What each button does, and what is said then.
STEPS: dict[str, tuple[Callable[[Mailbox], None], str]] = {
    "probar": (poll_now, N_("Se leerá en unos segundos.")),
    "reanudar": (resume, N_("El buzón se vuelve a leer en unos segundos.")),
    "pausar": (pause, N_("El buzón queda en pausa: no se lee hasta que alguien lo reanude.")),
}


@mailboxes.app_context_processor
def health() -> dict[str, Any]:
    """What the alarm on every page and the queue's line ask for, and only when a page shows them."""
    return {"mailbox_alarms": alarms, "mailbox_lines": lambda: health_lines(session(), utc_now())}


def alarms() -> list[MailboxView]:
    """The mailboxes that every agent should know of now."""
    if not current_user.is_authenticated:
        return []
    try:
        return mailbox_alarms(session())
    except SQLAlchemyError:
        return []  # the page that says that the database is away must not fail because it is


@mailboxes.get("")
@needs(Role.SUPERVISOR)
def show() -> str:
    """Every mailbox with its state, in words."""
    return render_template("mailboxes.html", views=mailbox_views(session(), utc_now()))


@mailboxes.post("/<id:mailbox_id>/<any(probar, reanudar, pausar):step>")
@needs(Role.SUPERVISOR)
def change(mailbox_id: int, step: str) -> Response:
    """Try now, read again, or stop reading."""
    mailbox = session().get(Mailbox, mailbox_id, with_for_update=True)
    if mailbox is None or mailbox.kind != MailboxKind.IMAP:
        abort(404)
    work, said = STEPS[step]
    work(mailbox)
    session().commit()
    flash(gettext(said))
    return redirect(url_for("mailboxes.show"))
