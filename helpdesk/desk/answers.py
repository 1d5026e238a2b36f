"""The template answers in the database: every version of every one, its files, its history, and who likes it.

In: the tables and finding answers. Not in: how a version comes to be approved (`authoring.py`), their files on disk
(`answer_files.py`), which of them fit a message (`catalogue.py`), what became of them (`answer_uses.py`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    delete,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from classifier import LINES, NONE
from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.files import Blob, keep_contents
from helpdesk.desk.lifecycle import AnswerState, state_check
from helpdesk.mail.filetype import detect_type
from templates.answer import LANGUAGES, AnswerText, AttachedFile


class Answer(Base):
    """One version of a template answer in one language."""

    __tablename__ = "answer"
    __table_args__ = (
        UniqueConstraint("slug", "language", "version"),
        CheckConstraint(state_check(AnswerState, "status"), name="status_known"),
        CheckConstraint(f"line in {(*LINES, NONE)}", name="line_known"),
        CheckConstraint(f"language in {LANGUAGES}", name="language_known"),
        Index(
            "uq_answer_approved",
            "slug",
            "language",
            unique=True,
            postgresql_where=text("status = 'approved'"),
        ),
        Index(
            "uq_answer_being_written",
            "slug",
            "language",
            unique=True,
            postgresql_where=text("status in ('draft', 'in_review')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]
    language: Mapped[str]
    version: Mapped[int]
    status: Mapped[str]
    title: Mapped[str]
    line: Mapped[str]
    topic: Mapped[str]
    owner: Mapped[str]
    source: Mapped[list[str]]
    keywords: Mapped[list[str]]
    questions: Mapped[list[str]]
    body: Mapped[str]
    public: Mapped[bool]
    valid_from: Mapped[dt.date]
    review_by: Mapped[dt.date]
    digest: Mapped[str]
    created_at: Mapped[dt.datetime]
    # Changes with every save, so that two who write at the same time do not overwrite each other.
    changed_at: Mapped[dt.datetime]
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    # The reply that it was made of.
    reply_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))

    created_by: Mapped[User | None] = relationship()
    files: Mapped[list[AnswerFile]] = relationship(order_by="AnswerFile.id", cascade="all, delete-orphan")
    events: Mapped[list[AnswerEvent]] = relationship(order_by="AnswerEvent.id")

    def as_text(self) -> AnswerText:
        """The answer as its file would say it."""
        return AnswerText(
            slug=self.slug,
            title=self.title,
            line=self.line,
            topic=self.topic,
            language=self.language,
            source=tuple(self.source),
            owner=self.owner,
            valid_from=self.valid_from,
            review_by=self.review_by,
            public=self.public,
            keywords=tuple(self.keywords),
            questions=tuple(self.questions),
            attachments=tuple(AttachedFile(file.name, file.blob.content) for file in self.files),
            body=self.body,
        )

    def is_stale(self, today: dt.date) -> bool:
        """Whether it should have been reviewed before today."""
        return self.review_by < today


class AnswerFile(Base):
    """A file that goes out with an answer."""

    __tablename__ = "answer_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"), index=True)
    name: Mapped[str]
    type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))

    blob: Mapped[Blob] = relationship()


class AnswerEvent(Base):
    """One step in the life of a version: who, when, and why."""

    __tablename__ = "answer_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"), index=True)
    at: Mapped[dt.datetime]
    kind: Mapped[str]
    # Null: the catalogue's files.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    note: Mapped[str] = mapped_column(default="")

    user: Mapped[User | None] = relationship()


class Favourite(Base):
    """An answer that somebody wants at hand."""

    __tablename__ = "answer_favourite"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    slug: Mapped[str] = mapped_column(primary_key=True)


def digest_of(answer: AnswerText) -> str:
    """What tells two texts of an answer apart: a hash of everything that it says, files included."""
    return hashlib.sha256(repr(answer).encode()).hexdigest()


def approved_answers(session: Session) -> list[Answer]:
    """The answers that agents may send, by title."""
    return list(session.scalars(select(Answer).where(_APPROVED).order_by(Answer.title, Answer.id)))


def approved_texts(session: Session, slug: str) -> dict[str, Answer]:
    """The approved version of an answer in each language that it has."""
    query = select(Answer).where(Answer.slug == slug, _APPROVED)
    return {answer.language: answer for answer in session.scalars(query)}


def approved_answer(session: Session, slug: str, language: str = LANGUAGES[0]) -> Answer | None:
    """The approved version of an answer, in this language or in the first one that there is."""
    versions = approved_texts(session, slug)
    return next((versions[name] for name in (language, *LANGUAGES) if name in versions), None)


def count_overdue(session: Session, today: dt.date) -> int:
    """How many approved texts should have been reviewed before today."""
    query = select(func.count()).select_from(Answer).where(_APPROVED, Answer.review_by < today)
    return session.scalar(query) or 0


def published(today: dt.date) -> tuple[ColumnElement[bool], ...]:
    """The conditions under which anybody may read an answer."""
    return (_APPROVED, Answer.public.is_(True), Answer.valid_from <= today)


def versions_of(session: Session, slug: str, language: str | None = None) -> list[Answer]:
    """Every version of an answer, the newest first; of all languages, or of one."""
    query = select(Answer).where(Answer.slug == slug)
    if language:
        query = query.where(Answer.language == language)
    return list(session.scalars(query.order_by(Answer.language, Answer.version.desc())))


def is_behind(answer: Answer, first: Answer | None) -> bool:
    """Whether a translation is older than the approved text that it translates."""
    return first is not None and first.language != answer.language and answer.created_at < first.created_at


def slug_exists(session: Session, slug: str) -> bool:
    """Whether there is any version of an answer."""
    return bool(session.scalar(select(exists().where(Answer.slug == slug))))


def favourites_of(session: Session, user: User) -> set[str]:
    """The answers that somebody wants at hand."""
    return set(session.scalars(select(Favourite.slug).where(Favourite.user_id == user.id)))


def set_favourite(session: Session, user: User, slug: str, *, wanted: bool) -> None:
    """Put an answer among somebody's favourites, or take it out; twice is once."""
    if wanted:
        session.execute(insert(Favourite).values(user_id=user.id, slug=slug).on_conflict_do_nothing())
    else:
        session.execute(delete(Favourite).where(Favourite.user_id == user.id, Favourite.slug == slug))


def lock_answers(session: Session) -> None:
    """Let others who begin, approve or import answers wait until this transaction ends: they are few and short."""
    session.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})


def add_version(
    session: Session, text_: AnswerText, state: AnswerState, now: dt.datetime, actor: User | None = None
) -> Answer:
    """Write a text as the next version of its answer."""
    of_answer = (Answer.slug == text_.slug, Answer.language == text_.language)
    newest = session.scalar(select(func.max(Answer.version)).where(*of_answer))
    answer = Answer(
        slug=text_.slug,
        language=text_.language,
        version=(newest or 0) + 1,
        status=state.value,
        created_at=now,
        created_by_id=actor.id if actor else None,
    )
    set_text(session, answer, text_, now)
    session.add(answer)
    session.flush()
    return answer


def set_text(session: Session, answer: Answer, text_: AnswerText, now: dt.datetime) -> None:
    """Let a version say a text, files included; what names it stays."""
    for name in ("title", "line", "topic", "owner", "valid_from", "review_by", "public", "body"):
        setattr(answer, name, getattr(text_, name))
    for name in ("source", "keywords", "questions"):
        setattr(answer, name, list(getattr(text_, name)))
    keep_files(session, answer, text_.attachments)
    answer.digest, answer.changed_at = digest_of(text_), now


def move(
    session: Session,
    answer: Answer,
    state: AnswerState,
    kind: str,
    now: dt.datetime,
    actor: User | None = None,
    note: str = "",
) -> None:
    """Bring a version into another state, with a line in its history."""
    answer.status, answer.changed_at = state.value, now
    session.flush()
    note_event(session, answer, kind, now, actor, note)


def note_event(
    session: Session,
    answer: Answer,
    kind: str,
    now: dt.datetime,
    actor: User | None = None,
    note: str = "",
) -> None:
    """Add a line to the history of a version; without a person it is the catalogue's files that did it."""
    user_id = actor.id if actor else None
    session.add(AnswerEvent(answer_id=answer.id, at=now, kind=kind, user_id=user_id, note=note))


def keep_files(session: Session, answer: Answer, files: Iterable[AttachedFile]) -> None:
    """Store the files of a version instead of those that it had."""
    named = [(file, hashlib.sha256(file.content).hexdigest()) for file in files]
    keep_contents(session, {sha256: file.content for file, sha256 in named})
    answer.files = [
        AnswerFile(
            name=file.name,
            type=detect_type(file.content, file.name) or "application/octet-stream",
            size=len(file.content),
            sha256=sha256,
        )
        for file, sha256 in named
    ]


_LOCK = 7263502
_APPROVED = Answer.status == AnswerState.APPROVED.value
