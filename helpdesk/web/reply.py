"""A reply from the page: send it now or later, take it back, send it again. What may leave is `desk.reply`'s."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask import Response as FlaskResponse
from flask import session as cookie
from flask_babel import gettext
from werkzeug.wrappers import Response

from helpdesk.db import utc_now
from helpdesk.desk import letters, outbox
from helpdesk.desk import reply as replies
from helpdesk.desk.message import Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.queue import View, next_open
from helpdesk.desk.reply import AnswerKey, Draft
from helpdesk.desk.ticket import Ticket
from helpdesk.errors import NotAllowed, ReplyRefused, StaleReply
from helpdesk.settings import LIMA
from helpdesk.web.guard import OWN_MAIL_CSP, row_id
from helpdesk.web.session import agent, session, settings
from helpdesk.web.ticket import act, back, clean_text, found, refused, ticket_page

reply = Blueprint("reply", __name__, url_prefix="/atenciones/<number>")

KEY_CHARACTERS = 64
COPIES_READ = 1000
FILES_READ = 50
ANSWERS_CHARACTERS = 1000


@reply.post("/respuesta")
def send(number: str) -> Response | tuple[str, int]:
    """Queue a reply; a reply that cannot go out comes back with its reason and its text."""
    row, me = found(number), agent()
    written = _draft_from_form()
    try:
        check_form()
        outgoing = replies.send_reply(session(), row, written, agent=me, settings=settings(), now=utc_now())
    except ReplyRefused as error:
        session().rollback()
        stale = isinstance(error, StaleReply)
        again = replace(written, idempotency_key=secrets.token_hex(16))
        return ticket_page(found(number), again, str(error)), 409 if stale else 422
    session().commit()
    if outgoing.scheduled:
        flash(gettext("La respuesta saldrá el %(when)s.", when=replies.in_lima(outgoing.send_at)))
    else:
        until = outgoing.send_at.timestamp()
        cookie["undo"] = {"number": row.number, "reply": outgoing.reply_id, "until": until}
    if not written.close:
        return back(row, "final")
    following = next_open(session(), row, View(), me.id)
    return back(following) if following else redirect(url_for("queue.show"))


def _draft_from_form() -> Draft:
    form = request.form
    key = form.get("clave", "")[:KEY_CHARACTERS] or secrets.token_hex(16)
    return Draft(
        text=clean_text(form),
        idempotency_key=key,
        last_seen=row_id(form, "visto"),
        answers=_answers(form.get("respuesta", "")),
        files=tuple(int(value) for value in form.getlist("archivo")[:FILES_READ] if value.isdecimal()),
        close="cerrar" in form,
        cc=tuple(form.getlist("copia")[:COPIES_READ]),
        send_at=lima_hour(form.get("salida", "")),
        opened_at=_instant(form.get("abierto", "")),
    )


def _answers(value: str) -> tuple[AnswerKey, ...]:
    """The answers of the form's field: `slug.language`, with blanks between them."""
    pairs = (key.rpartition(".") for key in value[:ANSWERS_CHARACTERS].split())
    return tuple(dict.fromkeys((slug, language) for slug, _, language in pairs if slug))


def _instant(value: str) -> dt.datetime | None:
    """When the page was opened, as the page says; None for nonsense."""
    try:
        return dt.datetime.fromtimestamp(int(value), dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def lima_hour(value: str) -> dt.datetime | None:
    """The instant of a `datetime-local` field, which knows no time zone; None for none or nonsense."""
    try:
        hour = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return hour.replace(tzinfo=LIMA).astimezone(dt.UTC) if hour.tzinfo is None and hour.year < 9999 else None


def check_form() -> None:
    """Raise ReplyRefused when a later hour was wanted and cannot be read: such a reply must not leave at once."""
    wanted = request.form.get("salida", "").strip()
    if (wanted or "programar" in request.form) and lima_hour(wanted) is None:
        raise ReplyRefused(gettext("Elija el día y la hora en que debe salir la respuesta."))


@reply.post("/vista-previa")
def preview(number: str) -> FlaskResponse:
    """The reply as it will arrive, in a frame that can do nothing; nothing is stored."""
    row, written = found(number), _draft_from_form()
    answers = replies.answers_in(session(), written)
    rendered = letters.rendered_reply(row, written.text, letters.language_of_letter(answers))
    page = FlaskResponse(rendered.html)
    page.headers["Content-Security-Policy"] = OWN_MAIL_CSP
    return page


@reply.app_context_processor
def composer() -> dict[str, Any]:
    """What `_composer.html` asks for."""
    return {"composer_facts": composer_facts}


def composer_facts(row: Ticket, draft: Draft) -> dict[str, Any]:
    """Who may get a copy and who is chosen, the hours that may be chosen, and a reply that was held."""
    people, now = replies.may_get_copies(row, settings()), utc_now()

    def field(instant: dt.datetime | None) -> str:
        return instant.astimezone(LIMA).strftime("%Y-%m-%dT%H:%M") if instant else ""

    return {
        "people": people,
        "chosen": replies.chosen_copies(people, draft),
        "many": len(people) > replies.PRESELECTED_COPIES,
        "held": replies.held_reply(session(), row),
        "files": letters.files_of(replies.answers_in(session(), draft)),
        "hour": field(draft.send_at),
        "earliest": field(now),
        "latest": field(now + replies.SCHEDULE_AT_MOST),
    }


@reply.post("/deshacer/<id:reply_id>")
def undo(number: str, reply_id: int) -> Response:
    """Take a reply back in time; its text returns to the composer."""
    row = found(number)
    written = session().get(Message, reply_id) or abort(404)
    try:
        replies.undo_reply(session(), row, written, agent=agent(), now=utc_now())
    except NotAllowed as error:
        return refused(row, error)
    session().commit()
    cookie.pop("undo", None)
    flash(gettext("Respuesta deshecha: no se envió nada."))
    return redirect(url_for("ticket.show", number=row.number, retomar=reply_id))


@reply.post("/reenviar/<id:outgoing_id>")
def send_again(number: str, outgoing_id: int) -> Response:
    """Try once more to send a mail that was refused."""
    row = found(number)
    mail = session().get(Outgoing, outgoing_id)
    if mail is None or mail.ticket_id != row.id:
        abort(404)
    return act(row, lambda now, me: outbox.send_again(session(), mail, actor=me, now=now))


@reply.post("/enviar-ahora/<id:reply_id>")
def send_now(number: str, reply_id: int) -> Response:
    """Let a reply that was meant for later leave now; the undo window begins."""
    row = found(number)
    written = session().get(Message, reply_id)
    if written is None or written.ticket_id != row.id:
        abort(404)
    undo_s = settings().undo_s
    return act(row, lambda now, me: outbox.send_now(session(), written, actor=me, now=now, undo_s=undo_s))
