"""Which answers are offered on a ticket, why, and what became of each offer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

import classifier
from classifier import LINE_OF, LINES, NONE
from helpdesk.accounts.users import User
from helpdesk.db import Base, append
from helpdesk.desk.answer_uses import MOST_CHANGED, AnswerUse, MissingAnswer
from helpdesk.desk.answers import Answer
from helpdesk.desk.catalogue import Catalogue
from helpdesk.desk.lifecycle import state_check
from helpdesk.desk.message import Message
from helpdesk.desk.sorting import Prediction
from helpdesk.desk.ticket import Ticket, record
from helpdesk.settings import LIMA
from templates.answer import LANGUAGES
from templates.offering import Offer, offer
from templates.ranking import Reading

SHOWN = 3


class Outcome(StrEnum):
    """What became of a suggestion."""

    USED = "used"  # it went out as it is
    EDITED = "edited"  # it went out, changed
    DISCARDED = "discarded"  # an agent said that nothing fitted, or wrote something else over it
    PASSED = "passed"  # something else was sent


class Suggestion(Base):
    """An answer offered for a message, with its rank and the reason shown."""

    __tablename__ = "suggestion"
    __table_args__ = (
        Index("ix_suggestion_ticket_id", "ticket_id"),
        Index("ix_suggestion_shown_at", "shown_at"),
        CheckConstraint(f"outcome is null or {state_check(Outcome, 'outcome')}", name="outcome_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"))
    answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"))
    rank: Mapped[int]
    score: Mapped[float]
    # Why: the words in common, the probability of its topic, how often it was sent for the like, and, in a message
    # that asks several things, the question that it is for.
    words: Mapped[list[str]]
    topic: Mapped[float] = mapped_column(default=0.0)
    sent: Mapped[int] = mapped_column(default=0)
    question: Mapped[str | None]
    at: Mapped[dt.datetime]
    # When somebody first saw it.
    shown_at: Mapped[dt.datetime | None]
    outcome: Mapped[str | None]
    outcome_at: Mapped[dt.datetime | None]
    outcome_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    edit_share: Mapped[float | None]
    # The reply that decided; taken back, it decided nothing.
    reply_id: Mapped[int | None] = mapped_column(ForeignKey("message.id"), index=True)

    ticket: Mapped[Ticket] = relationship()
    message: Mapped[Message] = relationship(foreign_keys=[message_id])
    answer: Mapped[Answer] = relationship()


def reading_of(prediction: classifier.Prediction | None) -> Reading:
    """What the classifier reads in a message, for the ranking."""
    if prediction is None:
        return Reading()
    topic = prediction.also.get("topic")
    return Reading(prediction.probabilities, dict(topic.likely) if topic else {})


def reading_on(ticket: Ticket, prediction: Prediction | None) -> Reading:
    """The same from the stored prediction, with an agent's word on the line."""
    if prediction is None:
        return as_decided(ticket, Reading())
    topics = dict(prediction.also.get("topic", {}).get("likely", []))
    return as_decided(ticket, Reading(dict(prediction.probabilities), topics))


def as_decided(ticket: Ticket, reading: Reading) -> Reading:
    """A reading after an agent decided the ticket's line: it is certain, and rules out the topics of other lines."""
    if not (ticket.line_by_agent and ticket.line):
        return reading
    within = {topic: share for topic, share in reading.topics.items() if LINE_OF.get(topic) == ticket.line}
    whole = sum(within.values())
    return Reading(
        {label: float(label == ticket.line) for label in (*LINES, NONE)},
        {topic: share / whole for topic, share in within.items()} if whole else {},
        decided=ticket.line,
    )


def language_of(ticket: Ticket) -> str:
    """The language in which the person is answered, if there is an answer in it."""
    language = ticket.requester.language if ticket.requester else None
    return language if language in LANGUAGES else LANGUAGES[0]


def suggest(
    session: Session,
    ticket: Ticket,
    message: Message,
    reading: Reading,
    catalogue: Catalogue,
    now: dt.datetime,
    *,
    language: str | None,
) -> None:
    """Offer the best answers for a message; `language` is the person's, and may be one that no answer has."""
    known = catalogue.current(session, now.astimezone(LIMA).date())
    offers = offer(
        known.index,
        message.subject,
        message.new_text or message.text,
        reading,
        language=language or LANGUAGES[0],
        limit=SHOWN,
    )
    for rank, item in enumerate(offers, 1):
        append(session, Suggestion, _row(ticket, message, item, rank, known.ids, now))


def _row(
    ticket: Ticket,
    message: Message,
    item: Offer,
    rank: int,
    ids: Mapping[tuple[str, str], int],
    now: dt.datetime,
) -> dict[str, Any]:
    ranked = item.answer
    return {
        "ticket_id": ticket.id,
        "message_id": message.id,
        "answer_id": ids[ranked.slug, ranked.language],
        "rank": rank,
        "score": ranked.score,
        "words": list(ranked.words),
        "topic": ranked.topic,
        "sent": ranked.sent,
        "question": item.question,
        "at": now,
    }


def withdraw(session: Session, ticket: Ticket) -> None:
    """Take back what is offered on a ticket: what nobody saw is deleted, the rest was passed over."""
    still = (Suggestion.ticket_id == ticket.id, Suggestion.outcome.is_(None))
    session.execute(delete(Suggestion).where(*still, Suggestion.shown_at.is_(None)))
    passed = {"outcome": Outcome.PASSED.value}
    session.execute(update(Suggestion).where(*still).values(passed))


def suggestions_of(session: Session, ticket: Ticket) -> list[Suggestion]:
    """What is offered on a ticket now, best first: for the newest message, when two came at once."""
    query = select(Suggestion).where(Suggestion.ticket_id == ticket.id, Suggestion.outcome.is_(None))
    offered = session.scalars(query.order_by(Suggestion.rank)).all()
    newest = max((suggestion.message_id for suggestion in offered), default=None)
    return [suggestion for suggestion in offered if suggestion.message_id == newest]


def note_shown(suggestions: Iterable[Suggestion], now: dt.datetime) -> bool:
    """Remember when suggestions were first seen; whether any of them was new."""
    new = [suggestion for suggestion in suggestions if suggestion.shown_at is None]
    for suggestion in new:
        suggestion.shown_at = now
    return bool(new)


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes out on a ticket: the reply, the answers that it was made of, and how much of them was changed."""

    reply: Message
    answers: Sequence[Answer]
    edit_share: float


def note_sent(session: Session, ticket: Ticket, sending: Sending, *, now: dt.datetime, actor: User) -> None:
    """Remember which answers a reply was made of, and what became of everything that was offered."""
    offered = suggestions_of(session, ticket)
    ranks = {suggestion.answer.slug: suggestion for suggestion in offered}
    kept = sending.edit_share <= MOST_CHANGED
    used = {answer.slug for answer in sending.answers} if kept else set()
    written_over = {answer.slug for answer in sending.answers} - used
    for answer in sending.answers:
        place = ranks.get(answer.slug)
        if kept:
            session.add(_use(ticket, sending, answer, place, now, actor))
            rank = place.rank if place else None
            record(session, ticket, "answer_used", now=now, actor=actor, slug=answer.slug, rank=rank)
    for suggestion in offered:
        suggestion.reply_id = sending.reply.id
        slug = suggestion.answer.slug
        if slug in used:
            as_it_is = sending.edit_share == 0
            _settle(suggestion, Outcome.USED if as_it_is else Outcome.EDITED, now, actor)
            suggestion.edit_share = sending.edit_share
        else:
            _settle(suggestion, Outcome.DISCARDED if slug in written_over else Outcome.PASSED, now, actor)


def note_undone(session: Session, reply: Message) -> None:
    """A reply was taken back: what it decided about suggestions is open again."""
    open_again = {
        "outcome": None,
        "outcome_at": None,
        "outcome_by_id": None,
        "edit_share": None,
        "reply_id": None,
    }
    session.execute(update(Suggestion).where(Suggestion.reply_id == reply.id).values(open_again))


def _use(
    ticket: Ticket, sending: Sending, answer: Answer, place: Suggestion | None, now: dt.datetime, actor: User
) -> AnswerUse:
    return AnswerUse(
        answer_id=answer.id,
        ticket_id=ticket.id,
        reply_id=sending.reply.id,
        asked_id=place.message_id if place else _asked_id(ticket),
        user_id=actor.id,
        rank=place.rank if place else None,
        edit_share=sending.edit_share,
        at=now,
    )


def _asked_id(ticket: Ticket) -> int | None:
    """The last message of the person."""
    ids = [message.id for message in ticket.messages if message.direction == "inbound"]
    return max(ids, default=None)


def none_fits(
    session: Session, ticket: Ticket, wanted: str, *, now: dt.datetime, actor: User
) -> MissingAnswer | None:
    """An agent says that nothing fits: the offers are discarded, and a supervisor sees what is missing.

    Returns the entry in the list of missing answers; None when the ticket has no message of the person.
    """
    for suggestion in suggestions_of(session, ticket):
        _settle(suggestion, Outcome.DISCARDED, now, actor)
    asked_id = _asked_id(ticket)
    if asked_id is None:
        return None
    query = select(MissingAnswer).where(MissingAnswer.asked_id == asked_id)
    entry = session.scalar(query.with_for_update())
    if entry is None:
        entry = MissingAnswer(
            ticket_id=ticket.id,
            asked_id=asked_id,
            user_id=actor.id,
            at=now,
            line=ticket.line,
            topic=ticket.topic,
        )
        session.add(entry)
        record(session, ticket, "no_answer_fits", now=now, actor=actor, why=wanted.strip())
    if wanted.strip():
        entry.wanted = wanted.strip()
    return entry


def _settle(suggestion: Suggestion, outcome: Outcome, now: dt.datetime, actor: User) -> None:
    suggestion.outcome = outcome.value
    suggestion.outcome_at, suggestion.outcome_by_id = now, actor.id
