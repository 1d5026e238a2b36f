"""How a template answer comes to be: an agent writes, a supervisor approves, and every version stays.

Drafts can be changed; what is in review or was approved cannot: who wants another text begins another version.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.desk.answers import (
    Answer,
    add_version,
    approved_texts,
    digest_of,
    lock_answers,
    move,
    note_event,
    set_text,
    slug_exists,
)
from helpdesk.desk.lifecycle import ANSWER, AnswerState, check_can_move
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.words import ANSWER_FAULTS_ES
from helpdesk.errors import AnswerRefused, NotAllowed, StaleAnswer
from helpdesk.settings import LIMA
from templates.answer import LANGUAGES, AnswerText, AttachedFile, faults_of

BEING_WRITTEN = (AnswerState.DRAFT, AnswerState.IN_REVIEW)


def check_text(text: AnswerText) -> None:
    """Raise AnswerRefused with everything that is wrong, in the words of the pages, by field."""
    faults: dict[str, str] = {}
    for fault in faults_of(text):
        faults.setdefault(fault.key, ANSWER_FAULTS_ES[fault.code] % {"detail": fault.detail})
    if faults:
        raise AnswerRefused(faults)


def begin(
    session: Session, text: AnswerText, *, now: dt.datetime, actor: User, reply: Message | None = None
) -> Answer:
    """Write the first version of a new answer, as a draft. Raises AnswerRefused."""
    check_text(text)
    lock_answers(session)
    if slug_exists(session, text.slug):
        raise AnswerRefused({"slug": ANSWER_FAULTS_ES["taken"]})
    if reply is not None and reply.direction != Direction.OUTBOUND:
        raise NotAllowed("Solo una respuesta enviada puede guardarse como plantilla.")
    answer = _add(session, text, now, actor, "created")
    answer.reply_id = reply.id if reply else None
    session.flush()
    return answer


def being_written(session: Session, slug: str, language: str) -> Answer | None:
    """The version of an answer that somebody is writing, or that waits for its review."""
    states = [state.value for state in BEING_WRITTEN]
    query = select(Answer).where(Answer.slug == slug, Answer.language == language, Answer.status.in_(states))
    return session.scalar(query.with_for_update())


def draft_of(session: Session, old: Answer, *, language: str, now: dt.datetime, actor: User) -> Answer:
    """The draft of an answer in a language, begun with the text of a version; the one that is there, if there is one.

    In another language than that of the version it is the beginning of a translation.
    """
    lock_answers(session)
    if found := being_written(session, old.slug, language):
        return found
    text = replace(old.as_text(), language=language)
    note = f"a partir de la versión {old.version}" + (
        f" ({old.language})" if language != old.language else ""
    )
    return _add(session, text, now, actor, "created", note)


def save(
    session: Session, answer: Answer, text: AnswerText, *, seen: dt.datetime, now: dt.datetime, actor: User
) -> None:
    """Change a draft. Raises AnswerRefused for a text that cannot be used, StaleAnswer when another was quicker."""
    _lock(session, answer)
    if answer.status != AnswerState.DRAFT:
        raise NotAllowed("Solo se cambia un borrador. Devuélvalo primero, o empiece otra versión.")
    if answer.changed_at != seen:
        raise StaleAnswer(
            "Otra persona cambió este borrador mientras usted escribía. Compare antes de guardar."
        )
    check_text(text)
    if text == answer.as_text():
        return
    set_text(session, answer, text, now)
    note_event(session, answer, "saved", now, actor)


def submit(session: Session, answer: Answer, *, now: dt.datetime, actor: User) -> None:
    """Hand a draft to the supervisors. Raises NotAllowed, and AnswerRefused when it says nothing new."""
    _lock(session, answer)
    check_can_move(ANSWER, AnswerState(answer.status), AnswerState.IN_REVIEW)
    check_text(answer.as_text())
    approved = approved_beside(session, answer)
    if approved is not None and digest_of(approved.as_text()) == digest_of(answer.as_text()):
        raise AnswerRefused({"body": ANSWER_FAULTS_ES["unchanged"]})
    move(session, answer, AnswerState.IN_REVIEW, "submitted", now, actor)


def send_back(session: Session, answer: Answer, note: str, *, now: dt.datetime, actor: User) -> None:
    """Give a proposal back to whoever wrote it, with a word why. Raises NotAllowed."""
    _lock(session, answer)
    check_can_move(ANSWER, AnswerState(answer.status), AnswerState.DRAFT)
    if not note.strip():
        raise NotAllowed("Diga en una frase qué falta, para que pueda corregirse.")
    move(session, answer, AnswerState.DRAFT, "sent_back", now, actor, note.strip())


def approve(session: Session, answer: Answer, *, now: dt.datetime, actor: User) -> None:
    """Let agents send it; the version before it retires. Raises NotAllowed and AnswerRefused."""
    lock_answers(session)
    _lock(session, answer)
    check_can_move(ANSWER, AnswerState(answer.status), AnswerState.APPROVED)
    check_text(answer.as_text())
    if answer.review_by <= now.astimezone(LIMA).date():
        raise AnswerRefused({"review_by": ANSWER_FAULTS_ES["overdue"]})
    _check_same_place(session, answer)
    _replace(session, answer, now, actor)
    for other in _approved_elsewhere(session, answer).values():
        if (other.line, other.topic) != (answer.line, answer.topic):
            _follow(session, other, answer, now, actor)


def _replace(session: Session, answer: Answer, now: dt.datetime, actor: User) -> None:
    if (before := approved_beside(session, answer)) is not None:
        note = f"por la versión {answer.version}"
        move(session, before, AnswerState.RETIRED, "replaced", now, actor, note)
    move(session, answer, AnswerState.APPROVED, "approved", now, actor)


def _check_same_place(session: Session, answer: Answer) -> None:
    """Raise AnswerRefused for a translation that stands under another line or topic than the Spanish text."""
    spanish = _approved_elsewhere(session, answer).get(LANGUAGES[0])
    if spanish is not None and (spanish.line, spanish.topic) != (answer.line, answer.topic):
        raise AnswerRefused({"topic": ANSWER_FAULTS_ES["line_of_spanish"]})


def _follow(session: Session, other: Answer, answer: Answer, now: dt.datetime, actor: User) -> None:
    """Let a translation stand where the Spanish text stands now: a version of its own with the same words."""
    if being_written(session, other.slug, other.language):
        raise NotAllowed("Hay una traducción en preparación: decida primero sobre ella.")
    text = replace(other.as_text(), line=answer.line, topic=answer.topic)
    version = _add(session, text, now, actor, "created", "línea y tema del texto en español")
    version.status = AnswerState.IN_REVIEW.value
    _replace(session, version, now, actor)


def _approved_elsewhere(session: Session, answer: Answer) -> dict[str, Answer]:
    """The approved texts of an answer in other languages."""
    texts = approved_texts(session, answer.slug)
    texts.pop(answer.language, None)
    return texts


def retire(session: Session, answer: Answer, note: str, *, now: dt.datetime, actor: User) -> None:
    """Take an approved version out of use, or throw a draft away. Nothing is deleted. Raises NotAllowed."""
    _lock(session, answer)
    check_can_move(ANSWER, AnswerState(answer.status), AnswerState.RETIRED)
    move(session, answer, AnswerState.RETIRED, "retired", now, actor, note.strip())


def reviewed(session: Session, answer: Answer, until: dt.date, *, now: dt.datetime, actor: User) -> Answer:
    """Say that an approved text still holds: a new version of the same words with a later date. Raises as `approve`."""
    lock_answers(session)
    _lock(session, answer)
    if answer.status != AnswerState.APPROVED:
        raise NotAllowed("Solo se confirma un texto aprobado.")
    if being_written(session, answer.slug, answer.language):
        raise NotAllowed("Hay otra versión en preparación: decida primero sobre ella.")
    text = replace(answer.as_text(), review_by=until)
    check_text(text)
    version = _add(session, text, now, actor, "created", "revisada: el texto sigue vigente")
    submit(session, version, now=now, actor=actor)
    approve(session, version, now=now, actor=actor)
    return version


def files_after(
    answer: Answer, added: Sequence[AttachedFile] = (), gone: Collection[str] = ()
) -> tuple[AttachedFile, ...]:
    """The files of an answer with some more, each instead of one of the same name, and without some."""
    replaced = {file.name for file in added}.union(gone)
    kept = (file for file in answer.as_text().attachments if file.name not in replaced)
    return (*kept, *added)


def waiting_for_review(session: Session) -> list[Answer]:
    """What supervisors must decide, the oldest first."""
    query = select(Answer).where(Answer.status == AnswerState.IN_REVIEW)
    return list(session.scalars(query.order_by(Answer.changed_at, Answer.id)))


def approved_beside(session: Session, answer: Answer) -> Answer | None:
    """The approved version that a proposal would replace."""
    found = approved_texts(session, answer.slug).get(answer.language)
    return None if found is answer else found


def _add(
    session: Session, text: AnswerText, now: dt.datetime, actor: User, kind: str, note: str = ""
) -> Answer:
    answer = add_version(session, text, AnswerState.DRAFT, now, actor)
    note_event(session, answer, kind, now, actor, note)
    return answer


def _lock(session: Session, answer: Answer) -> None:
    session.flush()  # what is not written yet would be forgotten
    session.refresh(answer, with_for_update=True)
