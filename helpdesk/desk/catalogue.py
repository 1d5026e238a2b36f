"""The approved answers in memory, ready to be ranked and searched; looked at anew every few seconds."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from helpdesk.desk.answer_uses import past_uses
from helpdesk.desk.answers import Answer
from helpdesk.desk.lifecycle import AnswerState
from templates.ranking import Candidate, Index, Sent, candidate_of, index_of
from templates.search import Search, search_of

LOOK_AGAIN_S = 5.0
_RANKED = (
    Answer.slug,
    Answer.title,
    Answer.line,
    Answer.topic,
    Answer.language,
    Answer.keywords,
    Answer.questions,
    Answer.body,
    Answer.review_by,
)
# What was sent lately changes the ranking slowly; to count it anew is worth less than the half second it takes.
COUNT_AGAIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Known:
    """What a process knows of the answers: their ranking, their search, and the row of each slug and language."""

    index: Index
    candidates: tuple[Candidate, ...]
    ids: dict[tuple[str, str], int]

    @property
    def search(self) -> Search:
        """The search; a worker never asks for it."""
        return search_of(self.candidates)

    def rows(self, session: Session, wanted: Iterable[tuple[str, str]]) -> list[Answer]:
        """The rows of these slugs and languages, in order; without those that are not approved any more."""
        ids = [self.ids[key] for key in wanted if key in self.ids]
        found = select(Answer).where(Answer.id.in_(ids), Answer.status == AnswerState.APPROVED)
        rows = {row.id: row for row in session.scalars(found)}
        return [rows[id_] for id_ in ids if id_ in rows]


class Catalogue:
    """The approved answers of this process. Threads share it: one looks, the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[object, ...] | None = None
        self._known = Known(Index([]), (), {})
        self._looked_at = -LOOK_AGAIN_S
        self._counted_at = -COUNT_AGAIN_S

    def current(self, session: Session, today: dt.date) -> Known:
        """What is approved and valid today."""
        with self._lock:
            if monotonic() - self._looked_at >= LOOK_AGAIN_S:
                self._look(session, today)
                self._looked_at = monotonic()
            return self._known

    def _look(self, session: Session, today: dt.date) -> None:
        approved = Answer.status == AnswerState.APPROVED.value
        look = select(func.count(), func.max(Answer.id), func.max(Answer.changed_at)).where(approved)
        stamp = (*session.execute(look).one(), today)
        if stamp == self._stamp and monotonic() - self._counted_at < COUNT_AGAIN_S:
            return
        # Columns, no objects: a process that files mail looks every few seconds, and wants nothing else of them.
        answers = session.execute(
            select(Answer.id, *_RANKED).where(approved, Answer.valid_from <= today).order_by(Answer.id)
        ).all()
        candidates = tuple(candidate_of(answer, today) for answer in answers)
        self._known = Known(
            index_of(candidates, tuple(Sent(text, slug) for text, slug in past_uses(session))),
            candidates,
            {(answer.slug, answer.language): answer.id for answer in answers},
        )
        self._stamp, self._counted_at = stamp, monotonic()
