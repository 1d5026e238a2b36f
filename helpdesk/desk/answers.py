"""The template answers in the database, by version; their files in `templates/answers/` seed them."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Iterable
from time import monotonic

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from classifier import LINES, NONE
from helpdesk.db import Base
from templates.catalogue import AnswerText
from templates.ranking import Candidate
from templates.ranking import Index as RankingIndex

LOOK_AGAIN_S = 5.0


class Answer(Base):
    """One version of a template answer. Exactly one version of a slug is approved at a time."""

    __tablename__ = "answer"
    __table_args__ = (
        UniqueConstraint("slug", "version"),
        CheckConstraint("status in ('draft', 'approved', 'retired')", name="status_known"),
        CheckConstraint(f"line in {(*LINES, NONE)}", name="line_known"),
        Index("ix_answer_approved", "slug", unique=True, postgresql_where=text("status = 'approved'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    version: Mapped[int]
    status: Mapped[str]
    title: Mapped[str]
    line: Mapped[str]
    topic: Mapped[str]
    language: Mapped[str]
    owner: Mapped[str]
    source: Mapped[list[str]]
    keywords: Mapped[list[str]]
    body: Mapped[str]
    public: Mapped[bool]
    valid_from: Mapped[dt.date]
    review_by: Mapped[dt.date]
    digest: Mapped[str]
    created_at: Mapped[dt.datetime]


def _digest(answer: AnswerText) -> str:
    return hashlib.sha256(repr(answer).encode()).hexdigest()


def seed_answers(session: Session, texts: Iterable[AnswerText], now: dt.datetime) -> int:
    """Bring the catalogue's files into the database: a changed text becomes a new approved version.

    Returns how many versions were written. What agents changed in the database since is a newer version
    with another digest and is left alone only if the file did not change.
    """
    session.execute(
        text("select pg_advisory_xact_lock(7263502)")
    )  # two that seed at once wait for each other
    written = 0
    for text_ in texts:
        digest = _digest(text_)
        versions = list(session.scalars(select(Answer).where(Answer.slug == text_.slug)))
        if any(version.digest == digest for version in versions):
            continue
        for version in versions:
            if version.status == "approved":
                version.status = "retired"
        session.flush()
        number = max((version.version for version in versions), default=0) + 1
        session.add(_row(text_, number, digest, now))
        written += 1
    session.flush()
    return written


def _row(text_: AnswerText, version: int, digest: str, now: dt.datetime) -> Answer:
    return Answer(
        slug=text_.slug,
        version=version,
        status="approved",
        title=text_.title,
        line=text_.line,
        topic=text_.topic,
        language=text_.language,
        owner=text_.owner,
        source=list(text_.source),
        keywords=list(text_.keywords),
        body=text_.body,
        public=text_.public,
        valid_from=text_.valid_from,
        review_by=text_.review_by,
        digest=digest,
        created_at=now,
    )


def approved_answers(session: Session) -> list[Answer]:
    """The answers that agents may send, by title."""
    return list(session.scalars(select(Answer).where(Answer.status == "approved").order_by(Answer.title)))


def approved_answer(session: Session, slug: str) -> Answer | None:
    """The approved version of a slug."""
    return session.scalar(select(Answer).where(Answer.slug == slug, Answer.status == "approved"))


class Catalogue:
    """The approved answers ready for ranking; looked at every few seconds, rebuilt when a version changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._known: tuple[RankingIndex, dict[str, int]] = (RankingIndex([]), {})
        self._looked_at = -LOOK_AGAIN_S

    def current(self, session: Session) -> tuple[RankingIndex, dict[str, int]]:
        """The ranking index and the row id of each slug in it. Threads share it: one looks, the others wait."""
        with self._lock:
            if monotonic() - self._looked_at >= LOOK_AGAIN_S:
                self._look(session)
                self._looked_at = monotonic()
            return self._known

    def _look(self, session: Session) -> None:
        approved = Answer.status == "approved"
        count, newest = session.execute(select(func.count(), func.max(Answer.id)).where(approved)).one()
        stamp = (count, newest or 0)
        if stamp != self._stamp:
            answers = approved_answers(session)
            index = RankingIndex(
                Candidate(a.slug, a.title, a.line, tuple(a.keywords), a.body, a.topic) for a in answers
            )
            self._known = (index, {answer.slug: answer.id for answer in answers})
            self._stamp = stamp
