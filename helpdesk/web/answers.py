"""The template answers: find one, read it with its history, propose another text, decide about a proposal."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from classifier import LINES, NONE, TOPICS
from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role, User
from helpdesk.db import utc_now
from helpdesk.desk import authoring
from helpdesk.desk.answer_uses import MissingAnswer, recent_slugs, uses_of
from helpdesk.desk.answers import (
    Answer,
    AnswerFile,
    approved_answer,
    count_overdue,
    favourites_of,
    is_behind,
    set_favourite,
    versions_of,
)
from helpdesk.desk.lifecycle import AnswerState
from helpdesk.desk.message import Direction, Message
from helpdesk.errors import AnswerRefused, HelpdeskError, NotAllowed, StaleAnswer
from helpdesk.settings import LIMA
from helpdesk.web.answer_form import Form, form_of, text_from
from helpdesk.web.guard import FILE_CSP, row_id
from helpdesk.web.session import agent, catalogue, session
from templates.answer import GENERAL, LANGUAGES, AnswerText, AttachedFile
from templates.differences import changes
from templates.letter import without_frame
from templates.placeholders import PLACEHOLDERS

answers = Blueprint("answers", __name__, url_prefix="/respuestas")

FOUND, LISTED = 12, 50
SEARCHED = 100
# A shorter name is a word of many sentences.
NAME_LETTERS = 4
REVIEWED_FOR = dt.timedelta(days=182)
STATES = tuple(state.value for state in AnswerState)
TOPICS_OF = {line: (*TOPICS[line], GENERAL) for line in (*LINES, NONE)}


def today() -> dt.date:
    """The day in Lima."""
    return utc_now().astimezone(LIMA).date()


@answers.app_context_processor
def page_context() -> dict[str, object]:
    """What every page's header shows."""
    return {"proposals": lambda: len(authoring.waiting_for_review(session()))}


@answers.get("")
def show() -> str:
    """All the answers: those in use, or those in another state; with a search and one line at a time."""
    query, state = request.args.get("q", "").strip()[:SEARCHED], request.args.get("estado", "approved")
    line, stale = request.args.get("linea"), "vencidas" in request.args
    state = state if state in STATES else AnswerState.APPROVED.value
    rows = _found(query) if query else _in_state(state)
    if line in TOPICS_OF:
        rows = [row for row in rows if row.line == line]
    if stale:
        rows = [row for row in rows if row.is_stale(today())]
    return render_template(
        "answers.html",
        rows=rows,
        query=query,
        state=state,
        line=line,
        stale=stale,
        lines=(*LINES, NONE),
        states=STATES,
        today=today(),
        favourites=favourites_of(session(), agent()),
        overdue=count_overdue(session(), today()),
    )


def _found(query: str) -> list[Answer]:
    known = catalogue().current(session(), today())
    return known.rows(session(), ((hit.slug, hit.language) for hit in known.search.find(query, limit=LISTED)))


def _in_state(state: str) -> list[Answer]:
    query = select(Answer).where(Answer.status == state)
    if state == AnswerState.APPROVED:
        query = query.order_by(Answer.line, Answer.title)
    else:
        query = query.order_by(Answer.changed_at.desc())
    return list(session().scalars(query))


@answers.get("/buscar")
def search() -> str:
    """What the palette shows: the answers that hold the words, or, without any, favourites and the last ones."""
    query, number = request.args.get("q", "").strip()[:SEARCHED], request.args.get("atencion", "")
    language = request.args.get("idioma", LANGUAGES[0])
    known, favourites = catalogue().current(session(), today()), favourites_of(session(), agent())
    if query:
        found = known.search.find(query, language=language, limit=FOUND)
        wanted = [(hit.slug, hit.language) for hit in found]
    else:
        slugs = dict.fromkeys([*sorted(favourites), *recent_slugs(session(), agent())])
        kept = [slug for slug in slugs if slug in known.index.slugs][:FOUND]
        wanted = [(slug, known.index.in_language(slug, language).language) for slug in kept]
    return render_template(
        "answers/_hits.html",
        rows=known.rows(session(), wanted),
        query=query,
        number=number,
        today=today(),
        favourites=favourites,
    )


@answers.get("/<slug>")
def one(slug: str) -> str:
    """One answer: its text in a language, its versions, its use and its age."""
    versions = versions_of(session(), slug) or abort(404)
    language = request.args.get("idioma", LANGUAGES[0])
    of_language = [row for row in versions if row.language == language] or versions
    current = _current(of_language)
    uses = uses_of(session(), slug)
    return render_template(
        "answer.html",
        answer=current,
        versions=[row for row in versions if row.language == current.language],
        languages=list(dict.fromkeys(row.language for row in versions)),
        all_languages=LANGUAGES,
        behind=is_behind(current, approved_answer(session(), slug)),
        uses=uses,
        edited=sum(use.edit_share for use in uses) / len(uses) if uses else None,
        favourite=slug in favourites_of(session(), agent()),
        today=today(),
        until=today() + REVIEWED_FOR,
        fields=PLACEHOLDERS,
    )


def _current(versions: list[Answer]) -> Answer:
    """The version that a page about an answer is about: the approved one, or the newest."""
    return next((row for row in versions if row.status == AnswerState.APPROVED), versions[0])


@answers.post("/<slug>/favorita")
def favourite(slug: str) -> Response:
    """Put an answer among one's favourites, or take it out."""
    if not versions_of(session(), slug):
        abort(404)
    set_favourite(session(), agent(), slug, wanted=request.form.get("favorita") == "1")
    session().commit()
    return redirect(url_for("answers.one", slug=slug))


@answers.get("/nueva")
def new() -> str:
    """The form for a new answer; begun with a reply that was sent, or with what was missing."""
    reply, missing = row_id(request.args, "mensaje"), row_id(request.args, "falta")
    text = _blank()
    message = session().get(Message, reply) if reply else None
    if message is not None and message.direction == Direction.OUTBOUND:
        text = _of_reply(text, message)
    elif missing and (entry := session().get(MissingAnswer, missing)) is not None:
        text = replace(text, title=entry.wanted[:100], line=entry.line or NONE, topic=entry.topic or GENERAL)
    return _editor(form_of(text), reply=reply, missing=missing)


def _of_reply(text: AnswerText, message: Message) -> AnswerText:
    """A new answer made of a reply: its text without the letter around it, and without whose ticket it was."""
    ticket = message.ticket
    body = without_frame(message.new_text).replace(ticket.number, "{{numero}}")
    name = ticket.requester.name if ticket.requester else ""
    if len(name) >= NAME_LETTERS:
        body = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "{{nombre}}", body)
    return replace(text, title=ticket.subject[:100], body=body, line=ticket.line or NONE)


def _blank() -> AnswerText:
    return AnswerText(
        slug="",
        title="",
        line=LINES[0],
        topic=GENERAL,
        language=LANGUAGES[0],
        source=(),
        owner=agent().name,
        valid_from=today(),
        review_by=today() + REVIEWED_FOR,
        public=False,
        keywords=(),
        questions=(),
        attachments=(),
        body="",
    )


@answers.post("/nueva")
def create() -> Response | tuple[str, int]:
    """Keep a new answer as a draft."""
    reply, missing = row_id(request.form, "mensaje"), row_id(request.form, "falta")
    form = Form.from_request(request.form)
    now, me = utc_now(), agent()
    try:
        message = session().get(Message, reply) if reply else None
        answer = authoring.begin(session(), text_from(form, ()), now=now, actor=me, reply=message)
    except AnswerRefused as refusal:
        session().rollback()
        return _editor(form, faults=refusal.faults, reply=reply, missing=missing), 422
    except NotAllowed as refusal:
        session().rollback()
        return _editor(form, faults={"": str(refusal)}, missing=missing), 422
    if missing and (entry := session().get(MissingAnswer, missing)) is not None and entry.done_at is None:
        entry.done_at, entry.done_by_id = now, me.id
    return _after_saving(answer)


@answers.get("/version/<id:answer_id>")
def version(answer_id: int) -> str:
    """One version, with what it would change, and what can be done about it."""
    row = session().get(Answer, answer_id) or abort(404)
    beside = authoring.approved_beside(session(), row)
    older = [v for v in versions_of(session(), row.slug, row.language) if v.version < row.version]
    compared = beside or (older[0] if older else None)
    return render_template(
        "answer_version.html",
        answer=row,
        compared=compared,
        changes=changes(compared.as_text() if compared else None, row.as_text()),
        today=today(),
    )


@answers.post("/version/<id:answer_id>/borrador")
def draft(answer_id: int) -> Response:
    """Begin another text with a version, in its language or in another; or go on with the draft that is there."""
    row = session().get(Answer, answer_id) or abort(404)
    language = request.form.get("idioma") or row.language
    if language not in LANGUAGES:
        abort(400)
    found = authoring.draft_of(session(), row, language=language, now=utc_now(), actor=agent())
    session().commit()
    if found.status == AnswerState.IN_REVIEW:
        flash(gettext("Ya hay una propuesta en revisión."))
        return redirect(url_for("answers.version", answer_id=found.id))
    return redirect(url_for("answers.edit", answer_id=found.id))


@answers.get("/version/<id:answer_id>/editar")
def edit(answer_id: int) -> str | Response:
    """The form for a draft."""
    row = session().get(Answer, answer_id) or abort(404)
    if row.status != AnswerState.DRAFT:
        return redirect(url_for("answers.version", answer_id=row.id))
    return _editor(form_of(row.as_text(), seen=row.changed_at), row)


@answers.post("/version/<id:answer_id>/editar")
def save(answer_id: int) -> Response | tuple[str, int]:
    """Keep a draft, with the files that were added or taken away; or keep it and hand it to the supervisors."""
    row = session().get(Answer, answer_id) or abort(404)
    form = Form.from_request(request.form)
    now, me = utc_now(), agent()
    try:
        text = text_from(replace(form, slug=row.slug, language=row.language), _files_after(row))
        authoring.save(session(), row, text, seen=form.seen or now, now=now, actor=me)
        return _after_saving(row)
    except AnswerRefused as refusal:
        session().rollback()
        return _editor(form, session().get_one(Answer, answer_id), refusal.faults), 422
    except (StaleAnswer, NotAllowed) as refusal:
        session().rollback()
        row = session().get_one(Answer, answer_id)
        return _editor(replace(form, seen=row.changed_at), row, {"": str(refusal)}), 409


def _files_after(row: Answer) -> tuple[AttachedFile, ...]:
    """The files that the form leaves: without those that were ticked, with those that were chosen."""
    ticked = set(request.form.getlist("quitar"))
    uploads = (one for one in request.files.getlist("archivo") if one.filename)
    added = {str(one.filename): AttachedFile(str(one.filename), one.read()) for one in uploads}
    gone = [file.name for file in row.files if str(file.id) in ticked]
    return authoring.files_after(row, tuple(added.values()), gone)


def _after_saving(answer: Answer) -> Response | tuple[str, int]:
    """Commit; hand the draft over when the button said so."""
    if "revision" in request.form:
        authoring.submit(session(), answer, now=utc_now(), actor=agent())
        flash(gettext("Enviada a revisión. Quien supervisa la aprobará o la devolverá."), "fine")
    else:
        flash(gettext("Borrador guardado."), "fine")
    session().commit()
    return redirect(url_for("answers.version", answer_id=answer.id))


def _editor(
    form: Form,
    answer: Answer | None = None,
    faults: dict[str, str] | None = None,
    **hidden: int | None,
) -> str:
    return render_template(
        "answer_edit.html",
        form=form,
        answer=answer,
        faults=faults or {},
        hidden=hidden,
        lines=(*LINES, NONE),
        topics=TOPICS_OF,
        languages=LANGUAGES,
        fields=PLACEHOLDERS,
    )


@answers.post("/version/<id:answer_id>/enviar")
def submit(answer_id: int) -> Response:
    """Hand a draft to the supervisors."""
    done = gettext("Enviada a revisión. Quien supervisa la aprobará o la devolverá.")
    return _act(answer_id, done, lambda row, now, me: authoring.submit(session(), row, now=now, actor=me))


@answers.post("/version/<id:answer_id>/aprobar")
@needs(Role.SUPERVISOR)
def approve(answer_id: int) -> Response:
    """Let agents send a version."""
    done = gettext("Aprobada: desde ahora se envía este texto.")
    return _act(answer_id, done, lambda row, now, me: authoring.approve(session(), row, now=now, actor=me))


@answers.post("/version/<id:answer_id>/devolver")
@needs(Role.SUPERVISOR)
def send_back(answer_id: int) -> Response:
    """Give a proposal back with a word why."""
    note = request.form.get("nota", "")[:1000]
    return _act(
        answer_id,
        gettext("Devuelta a quien la escribió."),
        lambda row, now, me: authoring.send_back(session(), row, note, now=now, actor=me),
    )


@answers.post("/version/<id:answer_id>/retirar")
def retire(answer_id: int) -> Response:
    """Take an approved version out of use (supervisors), or throw a draft away."""
    row = session().get(Answer, answer_id) or abort(404)
    if row.status == AnswerState.APPROVED and not Role(agent().role).covers(Role.SUPERVISOR):
        abort(403)
    note = request.form.get("nota", "")[:1000]
    return _act(
        answer_id,
        gettext("Retirada. Sus versiones se conservan."),
        lambda row, now, me: authoring.retire(session(), row, note, now=now, actor=me),
    )


@answers.post("/version/<id:answer_id>/vigente")
@needs(Role.SUPERVISOR)
def reviewed(answer_id: int) -> Response:
    """Say that the text still holds, until another date."""
    try:
        until = dt.date.fromisoformat(request.form.get("hasta", ""))
    except ValueError:
        abort(400)
    return _act(
        answer_id,
        gettext("Revisada: sigue vigente."),
        lambda row, now, me: authoring.reviewed(session(), row, until, now=now, actor=me),
    )


def _act(answer_id: int, done: str, action: Callable[[Answer, dt.datetime, User], object]) -> Response:
    """Do something to a version, commit, and go to its page; a refusal is told in words."""
    row = session().get(Answer, answer_id) or abort(404)
    slug, language = row.slug, row.language
    try:
        result = action(row, utc_now(), agent())
    except HelpdeskError as refusal:
        session().rollback()
        flash(str(refusal), "error")
        return redirect(url_for("answers.version", answer_id=answer_id))
    shown = result if isinstance(result, Answer) else row
    in_use = shown.status == AnswerState.APPROVED
    session().commit()
    flash(done, "fine")
    if in_use:
        return redirect(url_for("answers.one", slug=slug, idioma=language))
    return redirect(url_for("answers.version", answer_id=answer_id))


@answers.get("/archivo/<id:file_id>")
def file(file_id: int) -> Response:
    """A file of an answer."""
    row: Any = session().get(AnswerFile, file_id) or abort(404)
    response = send_file(
        BytesIO(row.blob.content), mimetype=row.type, as_attachment=True, download_name=row.name
    )
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response
