"""Received mail, for supervisors: what came in, what became of it and why; what was set aside is decided here."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.db import utc_now
from helpdesk.desk.by_hand import file_by_hand
from helpdesk.desk.ledger import RawMail, retry
from helpdesk.desk.ledger_page import SOURCE_BYTES, Filter, ledger_page, source, state_counts
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import mailboxes
from helpdesk.desk.receive import WITHHELD
from helpdesk.desk.reconcile import newest
from helpdesk.errors import NotAllowed
from helpdesk.web.guard import row_id
from helpdesk.web.period import day_asked
from helpdesk.web.session import agent, session, settings

ledger = Blueprint("ledger", __name__, url_prefix="/correo")

STATES = tuple(state.value for state in MailState)
AUTOMATIC = {"si": True, "no": False}
# The colours of the chips, by what a person has to do about it.
CHIPS = {
    "received": "out-ready",
    "filed": "out-sent",
    "duplicate": "status-closed",
    "set_aside": "out-failed",
    "vanished": "out-uncertain",
    "unrelated": "status-closed",
}


def filter_from_request() -> Filter:
    """The filter that the page's address names; anything unknown in it is left out (T74)."""
    state = request.args.get("estado")
    return Filter(
        state=state if state in STATES else None,
        mailbox_id=row_id(request.args, "buzon"),
        automatic=AUTOMATIC.get(request.args.get("automatico", "")),
        since=day_asked("desde"),
        until=day_asked("hasta"),
        search=request.args.get("q", "").strip().replace("\x00", "")[:200],
        page=min(max(request.args.get("pagina", 1, type=int), 1), 10_000),
    )


def filter_arguments(wanted: Filter) -> dict[str, Any]:
    """The address arguments of a filter, without those at their default."""
    automatic = {True: "si", False: "no", None: None}[wanted.automatic]
    arguments = {
        "estado": wanted.state,
        "buzon": wanted.mailbox_id,
        "automatico": automatic,
        "desde": wanted.since.isoformat() if wanted.since else None,
        "hasta": wanted.until.isoformat() if wanted.until else None,
        "q": wanted.search or None,
        "pagina": wanted.page if wanted.page > 1 else None,
    }
    return {name: value for name, value in arguments.items() if value is not None}


@ledger.get("")
@needs(Role.SUPERVISOR)
def show() -> str:
    """The mails of a filter, the newest first."""
    wanted = filter_from_request()
    return render_template(
        "ledger.html",
        wanted=wanted,
        here=filter_arguments(wanted),
        page=ledger_page(session(), wanted),
        counts=state_counts(session(), wanted),
        mailboxes=mailboxes(session()),
        compared=newest(session()),
        chips=CHIPS,
        withheld=WITHHELD,
        now=utc_now(),
    )


@ledger.get("/<id:raw_id>/texto")
@needs(Role.SUPERVISOR)
def text(raw_id: int) -> str:
    """A mail's source, as text that can only be looked at."""
    found = source(session(), raw_id) or abort(404)
    return render_template("ledger_mail.html", source=found, shown=SOURCE_BYTES, chips=CHIPS)


@ledger.post("/<id:raw_id>/reintentar")
@needs(Role.SUPERVISOR)
def try_again(raw_id: int) -> Response:
    """Put a mail back into line; the worker files it at its next tick."""
    mail = session().get(RawMail, raw_id) or abort(404)
    try:
        retry(session(), mail)
    except NotAllowed as error:
        session().rollback()
        flash(str(error), "error")
    else:
        session().commit()
        flash(gettext("Se intentará de nuevo en unos segundos."))
    return _back()


@ledger.post("/<id:raw_id>/archivar")
@needs(Role.SUPERVISOR)
def by_hand(raw_id: int) -> Response:
    """Make a ticket of a mail that could not be read, from what can be had of it."""
    mail = session().get(RawMail, raw_id) or abort(404)
    try:
        ticket = file_by_hand(session(), mail, own=settings().own, now=utc_now(), actor=agent())
    except NotAllowed as error:
        session().rollback()
        flash(str(error), "error")
        return _back()
    number = ticket.number
    session().commit()
    flash(gettext("El correo es ahora la atención %(number)s. El original está adjunto.", number=number))
    return redirect(url_for("ticket.show", number=number))


def _back() -> Response:
    return redirect(url_for("ledger.show", **filter_arguments(filter_from_request())))
