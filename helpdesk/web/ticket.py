"""One ticket: read it, answer it, note, assign, sort, close. Every action is a form that works without JavaScript."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from helpdesk.accounts.users import User, assignable_users
from helpdesk.certificates.records import Filing
from helpdesk.certificates.successors import filings_about, numbers_in
from helpdesk.db import utc_now
from helpdesk.desk import letters
from helpdesk.desk import reply as replies
from helpdesk.desk.answers import Answer, approved_answer
from helpdesk.desk.joining import links_of, undoable
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.outbox import queue_of_ticket
from helpdesk.desk.reply import Draft
from helpdesk.desk.sorting import change_kind, change_line, change_urgency, likeliest, prediction_of
from helpdesk.desk.suggestions import (
    language_of,
    none_fits,
    note_shown,
    reading_on,
    suggest,
    suggestions_of,
    withdraw,
)
from helpdesk.desk.ticket import (
    Ticket,
    assign,
    change_status,
    check_not_merged,
    find_ticket,
    lock_ticket,
    others_of,
)
from helpdesk.errors import NotAllowed, ReplyRefused
from helpdesk.settings import LIMA
from helpdesk.web.guard import row_id
from helpdesk.web.session import agent, catalogue, session

ticket = Blueprint("ticket", __name__, url_prefix="/atenciones/<number>")

MOST_ANSWERS = 6
WANTED_CHARACTERS = 500


def found(number: str) -> Ticket:
    """The ticket of the address, or 404."""
    return find_ticket(session(), number) or abort(404)


def back(row: Ticket, fragment: str | None = None) -> Response:
    """Back to the ticket."""
    return redirect(url_for("ticket.show", number=row.number, _anchor=fragment))


def ticket_page(row: Ticket, draft: Draft | None = None, error: str | None = None) -> str:
    """The page of a ticket, with a draft in the composer and what is wrong with it."""
    messages = (
        session()
        .scalars(
            select(Message)
            .where(Message.ticket_id == row.id)
            .options(selectinload(Message.attachments))
            .order_by(Message.id)
        )
        .all()
    )
    public = [
        message.id for message in messages if message.direction != Direction.NOTE and not message.undone_at
    ]
    now, suggestions = utc_now(), suggestions_of(session(), row)
    page = render_template(
        "ticket.html",
        ticket=row,
        messages=messages,
        outgoing=queue_of_ticket(session(), row),
        prediction=prediction_of(session(), row),
        likeliest=likeliest,
        suggestions=suggestions,
        users=assignable_users(session()),
        links=links_of(session(), row),
        others=others_of(session(), row),
        undoable=undoable(row.events),
        filings=filings_of(row, messages),
        draft=draft or Draft("", secrets.token_hex(16), opened_at=now),
        last_seen=public[-1] if public else 0,
        error=error,
        me=agent(),
        now=now,
        today=now.astimezone(LIMA).date(),
    )
    if row.requester and note_shown(suggestions, now):
        session().commit()
    return page


def filings_of(row: Ticket, messages: Sequence[Message]) -> list[Filing]:
    """The filings of the person who asks, and those whose documents or numbers the messages name."""
    texts = (message.new_text for message in messages if message.direction == Direction.INBOUND)
    numbers = numbers_in(" ".join((row.subject, *texts)))
    return filings_about(session(), row.requester.email if row.requester else None, numbers)


@ticket.get("")
def show(number: str) -> str:
    """The ticket; `?respuesta=SLUG` puts an answer into the composer, several of them together one letter;
    `?retomar=ID` a reply taken back.
    """
    row, now = found(number), utc_now()
    slugs, taken_back = request.args.getlist("respuesta")[:MOST_ANSWERS], row_id(request.args, "retomar")
    text, answers = "", [answer_for(row, slug) for slug in dict.fromkeys(slugs)]
    keys = tuple((answer.slug, answer.language) for answer in answers)
    files = tuple(file.id for file in letters.files_of(answers))
    undone = session().get(Message, taken_back) if taken_back else None
    if answers:
        text = letters.letter_of(answers, row, agent(), now).text
    elif undone is not None and undone.undone_at and undone.ticket_id == row.id:
        text, (keys, files) = undone.new_text, replies.parts_of(session(), undone)
    return ticket_page(row, Draft(text, secrets.token_hex(16), answers=keys, files=files, opened_at=now))


def answer_for(row: Ticket, slug: str) -> Answer:
    """An approved answer in the person's language, or 404. `?idioma=` asks for another language."""
    return approved_answer(session(), slug, request.args.get("idioma") or language_of(row)) or abort(404)


@ticket.get("/borrador/<slug>")
def draft(number: str, slug: str) -> dict[str, Any]:
    """An answer, filled in for this ticket: the whole letter, or what goes into one that is there already."""
    row, now = found(number), utc_now()
    answer = answer_for(row, slug)
    letter = letters.letter_of([answer], row, agent(), now)
    return {
        "key": f"{answer.slug}.{answer.language}",
        "letter": letter.text,
        "cursor": letter.cursor,
        "section": letters.section_of(answer, row, agent(), now),
        "files": [{"id": file.id, "name": file.name} for file in answer.files],
    }


@ticket.post("/ninguna")
def none_of_them(number: str) -> Response:
    """None of the suggestions fits: they go, and the list of missing answers grows."""
    row = found(number)
    wanted = request.form.get("falta", "")[:WANTED_CHARACTERS]
    flash(gettext("Gracias. Quien supervisa verá que falta una respuesta para esta consulta."), "fine")
    return act(row, lambda now, me: none_fits(session(), row, wanted, now=now, actor=me))


def clean_text(form: MultiDict[str, str]) -> str:
    """A text as it was typed, with this house's line ends."""
    return form.get("texto", "").replace("\r\n", "\n").replace("\x00", "")


@ticket.post("/nota")
def note(number: str) -> Response | tuple[str, int]:
    """Write an internal note."""
    row = found(number)
    try:
        replies.add_note(session(), row, clean_text(request.form), agent=agent(), now=utc_now())
    except ReplyRefused as error:
        session().rollback()
        return ticket_page(found(number), error=str(error)), 422
    session().commit()
    return back(row, "final")


@ticket.post("/asignar")
def assign_to(number: str) -> Response:
    """Give the ticket to somebody: an id, or nothing for nobody."""
    row, wanted = found(number), row_id(request.form, "persona")
    person = session().get(User, wanted) if wanted else None
    if request.form.get("persona") and person is None:
        abort(404)
    return act(row, lambda now, me: assign(session(), row, person, now=now, actor=me))


@ticket.post("/linea")
def sort(number: str) -> Response:
    """Confirm or correct the line; the suggestions follow it."""
    row, line = found(number), request.form.get("linea") or None

    def decide(now: Any, me: User) -> None:
        change_line(session(), row, line, now=now, actor=me)
        first = next((message for message in row.messages if message.direction == Direction.INBOUND), None)
        if first is not None:
            withdraw(session(), row)
            reading = reading_on(row, prediction_of(session(), row))
            suggest(session(), row, first, reading, catalogue(), now, language=language_of(row))

    return act(row, decide)


@ticket.post("/lectura")
def read_further(number: str) -> Response:
    """Decide the kind of matter, and whether it is urgent. What the form showed and was left alone, stays.

    So a page from before the mail was marked does not take the mark away.
    """
    row, form = found(number), request.form

    def decide(now: Any, me: User) -> None:
        if (kind := form.get("tipo", "")) != form.get("tipo_antes"):
            change_kind(session(), row, kind, now=now, actor=me)
        if (urgency := form.get("urgencia", "")) != form.get("urgencia_antes"):
            change_urgency(session(), row, urgency or None, now=now, actor=me)

    return act(row, decide)


@ticket.post("/estado")
def status(number: str) -> Response:
    """Close the ticket, or open it again."""
    row, wanted = found(number), request.form.get("estado", "")
    if wanted not in {status.value for status in TicketStatus}:
        abort(400)
    why = gettext("decisión de quien atiende")

    def decide(now: Any, me: User) -> None:
        check_not_merged(row)
        change_status(session(), row, TicketStatus(wanted), now=now, actor=me, why=why)

    return act(row, decide)


def act(row: Ticket, action: Any) -> Response:
    """Do something to a ticket under its lock, commit, and go back to it; a refusal is told in words."""
    lock_ticket(session(), row)
    try:
        action(utc_now(), agent())
    except NotAllowed as error:
        return refused(row, error)
    session().commit()
    return back(row)


def refused(row: Ticket, error: NotAllowed) -> Response:
    """Back to the ticket with the reason why nothing was done."""
    number = row.number
    session().rollback()
    flash(str(error), "error")
    return redirect(url_for("ticket.show", number=number))
