"""Putting tickets together and taking them apart: merge, move, split, link, review, and going back on each."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, request
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from helpdesk.db import utc_now
from helpdesk.desk import joining as rules
from helpdesk.desk.joining import By
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.ticket import NUMBER_PREFIX, Event, Ticket, find_ticket
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA
from helpdesk.web.session import agent, session
from helpdesk.web.ticket import back, found, refused

joining = Blueprint("joining", __name__, url_prefix="/atenciones/<number>")

_SHORT = re.compile(r"#?\s*(\d{1,9})", re.ASCII)
_LONG = re.compile(rf"#?\s*{NUMBER_PREFIX}-?(\d{{4}})-?(\d{{1,9}})", re.IGNORECASE | re.ASCII)


def named_ticket() -> Ticket:
    """The other ticket of the form: its whole number, or the last digits of one of this year's."""
    typed = request.form.get("otra", "").strip()
    year, digits = utc_now().astimezone(LIMA).year, ""
    if match := _LONG.fullmatch(typed):
        year, digits = int(match[1]), match[2]
    elif match := _SHORT.fullmatch(typed):
        digits = match[1]
    other = find_ticket(session(), f"{NUMBER_PREFIX}-{year}-{int(digits):06d}") if digits else None
    if other is None:
        raise NotAllowed(gettext("No hay una atención con el número «%(typed)s».", typed=typed[:40]))
    return other


def doing(number: str, said: str, action: Callable[[Ticket, By], Any]) -> Response:
    """Do something on a ticket, say that it was done, and go back to it."""
    row = found(number)
    try:
        action(row, By(agent(), utc_now()))  # the rules lock what they change, in one order
    except NotAllowed as error:
        return refused(row, error)
    session().commit()
    flash(said)
    return back(row)


@joining.post("/unir")
def merge(number: str) -> Response:
    """Merge this ticket into another one."""
    said = gettext("Atención unida. Los correos que lleguen irán a la otra.")
    return doing(number, said, lambda row, by: rules.merge(session(), row, named_ticket(), by))


@joining.post("/enlazar")
def link(number: str) -> Response:
    """Link this ticket with another one."""
    return doing(
        number,
        gettext("Atenciones enlazadas."),
        lambda row, by: rules.link_by_hand(session(), row, named_ticket(), by),
    )


@joining.post("/revision")
def review(number: str) -> Response:
    """Decide about a mail that names a ticket its sender is not on."""
    decision = request.form.get("decision")
    if decision not in ("unir", "aparte"):
        abort(400)
    if decision == "unir":
        said = (
            gettext("El informe se unió a la atención que menciona.")
            if found(number).automatic
            else gettext(
                "El mensaje se unió a la atención que menciona; su remitente ya puede escribir en ella."
            )
        )
        return doing(number, said, lambda row, by: rules.accept_stranger(session(), row, by))
    said = gettext("Queda como una atención aparte.")
    return doing(number, said, lambda row, by: rules.keep_apart(session(), row, by))


def message_of(row: Ticket, message_id: int) -> Message:
    """A message of the ticket, or 404."""
    message = session().get(Message, message_id)
    if message is None or message.ticket_id != row.id:
        abort(404)
    return message


@joining.post("/mover/<id:message_id>")
def move(number: str, message_id: int) -> Response:
    """Move one message to another ticket."""
    said = gettext("Mensaje movido.")
    return doing(
        number,
        said,
        lambda row, by: rules.move(session(), row, message_of(row, message_id), named_ticket(), by),
    )


@joining.post("/separar/<id:message_id>")
def split(number: str, message_id: int) -> Response:
    """Make a ticket of its own of one message, or with `siguientes` of it and all that came after."""
    row = found(number)
    first = message_of(row, message_id)
    later = Message.id > first.id if "siguientes" in request.form else Message.id == first.id
    query = select(Message).where(
        Message.ticket_id == row.id,
        later | (Message.id == first.id),
        Message.direction != Direction.NOTE.value,
    )
    messages = session().scalars(query.order_by(Message.id)).all()
    said = gettext("Los mensajes están ahora en una atención nueva, enlazada con esta.")
    return doing(number, said, lambda row, by: rules.split(session(), row, messages, by))


@joining.post("/historia/<id:event_id>/deshacer")
def undo(number: str, event_id: int) -> Response:
    """Go back on an act of the history."""
    event = session().get(Event, event_id) or abort(404)
    return doing(number, gettext("Deshecho."), lambda row, by: rules.undo(session(), row, event, by))
