"""The answers' Markdown files and the database: what one has, the other gets, and nothing is lost on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.desk.answers import (
    Answer,
    AnswerEvent,
    add_version,
    approved_answers,
    approved_texts,
    digest_of,
    lock_answers,
    move,
    note_event,
)
from helpdesk.desk.lifecycle import AnswerState
from templates.answer import AnswerText
from templates.catalogue import write_answer


def import_answers(session: Session, texts: Iterable[AnswerText], now: dt.datetime) -> int:
    """Bring texts into the database: one that no version has yet becomes the approved one.

    Returns how many versions were written. What people changed on the pages is a version of its own, which a file
    replaces only when the file changed; a file that is an older version again changes nothing.
    """
    lock_answers(session)
    return sum(_import(session, text_, now) for text_ in texts)


def _import(session: Session, text_: AnswerText, now: dt.datetime) -> bool:
    if digest_of(text_) in _once_approved(session, text_.slug, text_.language):
        return False
    if (before := approved_texts(session, text_.slug).get(text_.language)) is not None:
        move(session, before, AnswerState.RETIRED, "replaced", now, note="por un archivo")
    answer = add_version(session, text_, AnswerState.APPROVED, now)
    note_event(session, answer, "imported", now)
    return True


def _once_approved(session: Session, slug: str, language: str) -> set[str]:
    """The texts that agents could send once; a draft that happens to say the same does not count."""
    query = (
        select(Answer.digest)
        .join(AnswerEvent, AnswerEvent.answer_id == Answer.id)
        .where(Answer.slug == slug, Answer.language == language)
        .where(AnswerEvent.kind.in_(("approved", "imported")))
    )
    return set(session.scalars(query))


def export_answers(session: Session, folder: Path) -> Iterator[Path]:
    """Write every approved answer below `folder`, as `import_answers` and the catalogue read it. Raises OSError."""
    for answer in approved_answers(session):
        yield write_answer(folder, answer.as_text())
