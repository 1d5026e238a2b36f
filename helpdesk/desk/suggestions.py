"""Which answers are offered on a ticket, why, and whether they were used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import ForeignKey, Index, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from classifier import LINES, NONE
from helpdesk.accounts.users import User
from helpdesk.db import Base, append
from helpdesk.desk.answers import Answer, Catalogue
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import Ticket, record

SHOWN = 3


class Suggestion(Base):
    """An answer offered for a message, with its rank and the reason shown."""

    __tablename__ = "suggestion"
    __table_args__ = (Index("ix_suggestion_ticket_id", "ticket_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"))
    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"))
    rank: Mapped[int]
    score: Mapped[float]
    words: Mapped[list[str]]
    at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    used_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    ticket: Mapped[Ticket] = relationship()
    message: Mapped[Message] = relationship()
    answer: Mapped[Answer] = relationship()


def likely_lines(ticket: Ticket, probabilities: Mapping[str, float] | None) -> dict[str, float]:
    """How likely each line is: certain once an agent decided it, else what the classifier said."""
    if ticket.line_by_agent and ticket.line:
        return {label: float(label == ticket.line) for label in (*LINES, NONE)}
    return dict(probabilities or {})


def suggest(
    session: Session,
    ticket: Ticket,
    message: Message,
    probabilities: Mapping[str, float] | None,
    catalogue: Catalogue,
    now: dt.datetime,
    *,
    topic_probability: float = 0.0,
) -> None:
    """Offer the best answers for a message; `probabilities` are those of the ticket's lines and of its topic."""
    index, ids = catalogue.current(session)
    text = f"{message.subject}\n{message.subject}\n{message.new_text or message.text}"
    topic = (ticket.topic or "", topic_probability)
    ranked = index.rank(text, likely_lines(ticket, probabilities), SHOWN, topic)
    for rank, item in enumerate(ranked, 1):
        offer = {
            "ticket_id": ticket.id,
            "message_id": message.id,
            "answer_id": ids[item.slug],
            "rank": rank,
            "score": item.score,
            "words": list(item.words),
            "at": now,
        }
        append(session, Suggestion, offer)


def withdraw(session: Session, ticket: Ticket) -> None:
    """Take back what was offered on a ticket and not used."""
    session.execute(delete(Suggestion).where(Suggestion.ticket_id == ticket.id, Suggestion.used_at.is_(None)))


def suggestions_of(session: Session, ticket: Ticket) -> list[Suggestion]:
    """What is offered on a ticket now, best first."""
    query = select(Suggestion).where(Suggestion.ticket_id == ticket.id, Suggestion.used_at.is_(None))
    return list(session.scalars(query.order_by(Suggestion.rank)))


def note_used(session: Session, ticket: Ticket, slug: str, *, now: dt.datetime, actor: User) -> None:
    """Remember that an answer was put into the reply that is being sent."""
    query = select(Suggestion).join(Answer).where(Suggestion.ticket_id == ticket.id, Answer.slug == slug)
    row = session.scalar(query.order_by(Suggestion.id.desc()).limit(1))
    if row is not None and row.used_at is None:
        row.used_at, row.used_by_id = now, actor.id
    record(session, ticket, "answer_used", now=now, actor=actor, slug=slug, rank=row.rank if row else None)
