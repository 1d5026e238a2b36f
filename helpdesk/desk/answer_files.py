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
    approved_answers,
    digest_of,
    keep_files,
    lock_answers,
    new_version,
    next_version,
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
    versions = list(
        session.scalars(select(Answer).where(Answer.slug == text_.slug, Answer.language == text_.language))
    )
    if digest_of(text_) in _once_approved(session, versions):
        return False
    for version in versions:
        if version.status == AnswerState.APPROVED:
            version.status = AnswerState.RETIRED.value
            session.add(AnswerEvent(answer_id=version.id, at=now, kind="replaced", note="por un archivo"))
    session.flush()
    answer = new_version(text_, next_version(session, text_.slug, text_.language), AnswerState.APPROVED, now)
    session.add(answer)
    keep_files(session, answer, text_.attachments)
    session.flush()
    session.add(AnswerEvent(answer_id=answer.id, at=now, kind="imported"))
    return True


def _once_approved(session: Session, versions: Iterable[Answer]) -> set[str]:
    """The texts that agents could send once; a draft that happens to say the same does not count."""
    digests = {version.id: version.digest for version in versions}
    query = select(AnswerEvent.answer_id).where(
        AnswerEvent.answer_id.in_(digests), AnswerEvent.kind.in_(("approved", "imported"))
    )
    return {digests[id_] for id_ in session.scalars(query)}


def export_answers(session: Session, folder: Path) -> Iterator[Path]:
    """Write every approved answer below `folder`, as `import_answers` and the catalogue read it. Raises OSError."""
    for answer in approved_answers(session):
        yield write_answer(folder, answer.as_text())
