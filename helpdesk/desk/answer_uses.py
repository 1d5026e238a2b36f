"""What became of the answers: which were sent, how much of them was changed, and what was missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein
from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.answers import Answer
from helpdesk.desk.lifecycle import AnswerState
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import Ticket
from templates.answer import LANGUAGES

# So many of the last uses have a say in what is offered.
PAST_USES = 2_000
# An answer of which less than this is left was not used: it was only a beginning.
MOST_CHANGED = 0.7
RECENT = 8


class AnswerUse(Base):
    """An answer that went out in a reply. `edit_share`: which part of the words was changed, 0 to 1."""

    __tablename__ = "answer_use"
    __table_args__ = (Index("ix_answer_use_user_id", "user_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"), index=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    reply_id: Mapped[int] = mapped_column(ForeignKey("message.id"), index=True)
    # The message that it answered.
    asked_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    # Its place among what was offered; null: somebody searched for it.
    rank: Mapped[int | None]
    edit_share: Mapped[float]
    at: Mapped[dt.datetime]

    answer: Mapped[Answer] = relationship()


class MissingAnswer(Base):
    """That none of the answers fitted a message, said by an agent; a supervisor closes it."""

    __tablename__ = "missing_answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    asked_id: Mapped[int] = mapped_column(ForeignKey("message.id"), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[dt.datetime]
    # What would have been needed, in the agent's words; may be empty.
    wanted: Mapped[str] = mapped_column(default="")
    line: Mapped[str | None]
    topic: Mapped[str | None]
    done_at: Mapped[dt.datetime | None]
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    ticket: Mapped[Ticket] = relationship()
    user: Mapped[User] = relationship(foreign_keys=[user_id])


def edit_share(before: str, after: str) -> float:
    """Which part of a text was changed: the edit distance of its words, 0 (as it was) to 1 (nothing is left)."""
    return round(float(Levenshtein.normalized_distance(before.split(), after.split())), 3)


def past_uses(session: Session) -> list[tuple[str, str]]:
    """The last messages that were answered with an answer, and its slug, the newest first; undone ones do not count."""
    reply, asked = aliased(Message), aliased(Message)
    query = (
        select(asked.subject, asked.new_text, Answer.slug)
        .select_from(AnswerUse)
        .join(Answer, Answer.id == AnswerUse.answer_id)
        .join(reply, reply.id == AnswerUse.reply_id)
        .join(asked, asked.id == AnswerUse.asked_id)
        .where(reply.undone_at.is_(None), AnswerUse.edit_share <= MOST_CHANGED)
        .order_by(AnswerUse.id.desc())
        .limit(PAST_USES)
    )
    return [(f"{subject}\n{text}", slug) for subject, text, slug in session.execute(query)]


def recent_slugs(session: Session, user: User) -> list[str]:
    """The answers that somebody sent last, each once."""
    newest = func.max(AnswerUse.at)
    query = (
        select(Answer.slug)
        .join(AnswerUse, AnswerUse.answer_id == Answer.id)
        .join(Message, Message.id == AnswerUse.reply_id)
        .where(AnswerUse.user_id == user.id, Message.undone_at.is_(None))
        .group_by(Answer.slug)
        .order_by(newest.desc())
        .limit(RECENT)
    )
    return list(session.scalars(query))


def uses_of(session: Session, slug: str) -> Sequence[AnswerUse]:
    """The replies in which any version of an answer went out, the newest first."""
    query = (
        select(AnswerUse)
        .join(Answer, Answer.id == AnswerUse.answer_id)
        .join(Message, Message.id == AnswerUse.reply_id)
        .where(Answer.slug == slug, Message.undone_at.is_(None))
        .order_by(AnswerUse.id.desc())
    )
    return session.scalars(query).all()


def missing_answers(session: Session) -> list[MissingAnswer]:
    """What was missing and nobody has written yet, the newest first."""
    query = select(MissingAnswer).where(MissingAnswer.done_at.is_(None))
    return list(session.scalars(query.order_by(MissingAnswer.id.desc())))


def approved_without_use(session: Session, since: dt.datetime) -> list[Answer]:
    """The approved answers (in Spanish, or whatever they have) that nobody sent since."""
    used = (
        select(Answer.slug)
        .join(AnswerUse, AnswerUse.answer_id == Answer.id)
        .join(Message, Message.id == AnswerUse.reply_id)
        .where(AnswerUse.at >= since, Message.undone_at.is_(None))
        .distinct()
    )
    query = select(Answer).where(Answer.status == AnswerState.APPROVED, Answer.slug.not_in(used))
    rows = session.scalars(query.order_by(Answer.language == LANGUAGES[0], Answer.language.desc())).all()
    one_of_each = {row.slug: row for row in rows}.values()
    return sorted(one_of_each, key=lambda row: (row.line, row.title))
