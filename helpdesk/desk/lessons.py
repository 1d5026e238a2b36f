"""What agents teach: the line of a ticket as a person decided it, as a training row without personal data.

In: keeping the last word of each ticket, masking it, and noticing whose words contradict what is surely right.
Not in: training with it (learning.py).
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ForeignKey, Index, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from classifier import Row, Text, masked
from classifier.parts import LETTER
from classifier.text import NAME, fold
from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.ticket import Ticket

MOST_CHARS = 6_000
MOST_NAMES = 12
_WORD = re.compile(r"[^\W\d_]+")
_NOT_NAMES = frozenset(
    "consulta consultas del las los para por migrante ministerio empresa servicio the and".split()
)

# Of the model's certain predictions about 3 of 100 are wrong. Whoever contradicts many more of them is mistaken
# about the lines, or means harm; either way a supervisor must look before it is learned (T96).
SUSPECT_SHARE = 0.30
SUSPECT_AT_LEAST = 8
SUSPECT_FOR = dt.timedelta(days=90)


class Lesson(Base):
    """The line that a person gave to a ticket, with its first message; one a ticket, the last word counts."""

    __tablename__ = "lesson"
    __table_args__ = (Index("ix_lesson_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[dt.datetime]
    # When the mail came: figures of a week are about the mail of that week.
    arrived_at: Mapped[dt.datetime]
    subject: Mapped[str]
    body: Mapped[str]
    label: Mapped[str]
    # What the model said when the mail came; null: there was none.
    predicted: Mapped[str | None]
    probability: Mapped[float | None]
    abstained: Mapped[bool] = mapped_column(default=False)
    model: Mapped[str | None]

    ticket: Mapped[Ticket] = relationship()
    user: Mapped[User] = relationship()

    @property
    def confirms(self) -> bool:
        """Whether the person said the same as the model."""
        return self.predicted == self.label

    @property
    def contradicts_certainty(self) -> bool:
        """Whether the model was certain, and the person said otherwise."""
        return self.predicted is not None and not self.abstained and not self.confirms


@dataclass(frozen=True, slots=True)
class Said:
    """What the classifier had said about a ticket."""

    label: str
    probability: float
    abstained: bool
    model: str


def first_inbound(session: Session, ticket: Ticket) -> Message | None:
    """The message that a ticket began with; None when it was moved or split away, or a machine wrote it."""
    query = select(Message).where(
        Message.ticket_id == ticket.id,
        Message.direction == Direction.INBOUND.value,
        Message.at == ticket.opened_at,
        Message.automatic.is_(None),
    )
    return session.scalar(query.order_by(Message.id).limit(1))


def beginning_of(session: Session, ticket: Ticket) -> Text | None:
    """What a ticket began with, as the classifier reads it."""
    message = first_inbound(session, ticket)
    return _as_read(ticket, message) if message else None


def _as_read(ticket: Ticket, message: Message) -> Text:
    if message.forwarded_by:  # the words of the person who asks, not of whoever passed them on
        return Text(ticket.subject, message.new_text)
    return Text(message.subject, message.new_text or message.text)


def teach(
    session: Session, ticket: Ticket, label: str | None, said: Said | None, *, now: dt.datetime, actor: User
) -> None:
    """Keep what a person decided about a ticket; None takes it back. A machine's mail teaches nothing.

    Saying the same again changes nothing: a lesson that was learned must not look like a new one.
    """
    message = None if label is None or ticket.automatic else first_inbound(session, ticket)
    if message is None:
        session.execute(delete(Lesson).where(Lesson.ticket_id == ticket.id))
        return
    text = without_names(_as_read(ticket, message), names_of(ticket, message))
    row = {
        "ticket_id": ticket.id,
        "user_id": actor.id,
        "at": now,
        "arrived_at": message.at,
        "subject": text.subject,
        "body": text.body,
        "label": label,
        "predicted": said.label if said else None,
        "probability": said.probability if said else None,
        "abstained": said.abstained if said else False,
        "model": said.model if said else None,
    }
    new = insert(Lesson).values(row)
    changed = Lesson.label != new.excluded.label
    session.execute(new.on_conflict_do_update(index_elements=["ticket_id"], set_=row, where=changed))


def names_of(ticket: Ticket, message: Message) -> set[str]:
    """The names that the desk knows of the people on a ticket, word by word, folded.

    Words that play a part in a request ("consulta", "trabajo") are no names, whatever a sender calls himself.
    """
    said = [message.sender_name, ticket.requester.name if ticket.requester else ""]
    said += [person.name for person in ticket.participants]
    # Letters with their accents as one character each, as masking leaves them; macOS writes them as two.
    composed = (unicodedata.normalize("NFC", name) for name in said)
    words = (fold(word) for name in composed for word in _WORD.findall(name)[:MOST_NAMES])
    return {word for word in words if len(word) > 2 and word not in LETTER and word not in _NOT_NAMES}


def without_names(text: Text, names: Collection[str]) -> Text:
    """The text with addresses, numbers, stated names and the known names of its people replaced by stand-ins."""

    def hidden(said: str) -> str:
        plain = masked(said[:MOST_CHARS])
        return _WORD.sub(lambda word: NAME if fold(word[0]) in names else word[0], plain)

    return Text(hidden(text.subject), hidden(text.body))


def lessons(session: Session, *, most: int) -> list[Lesson]:
    """The newest lessons, at most so many, oldest first."""
    newest = session.scalars(select(Lesson).order_by(Lesson.at.desc(), Lesson.id.desc()).limit(most)).all()
    return list(reversed(newest))


def as_row(lesson: Lesson) -> Row:
    """The lesson as the classifier learns it; those with the same words are one story, whatever ticket they are of."""
    return Row(Text(lesson.subject, lesson.body), lesson.label)


def suspects(taught: Sequence[Lesson]) -> set[int]:
    """The people whose words of late contradict the model's certainty far more often than it can be wrong."""
    newest = max((lesson.at for lesson in taught), default=None)
    certain: Counter[int] = Counter()
    against: Counter[int] = Counter()
    for lesson in taught:
        if (
            newest
            and lesson.at > newest - SUSPECT_FOR
            and lesson.predicted is not None
            and not lesson.abstained
        ):
            certain[lesson.user_id] += 1
            against[lesson.user_id] += lesson.contradicts_certainty
    return {user for user, count in certain.items() if is_suspect(against[user], count)}


def is_suspect(against: int, certain: int) -> bool:
    """Whether so many contradictions of so many certain predictions are more than error."""
    return against >= SUSPECT_AT_LEAST and against > SUSPECT_SHARE * certain


def suspect_names(session: Session, now: dt.datetime) -> list[str]:
    """The names of the people whose lessons are not learned; counted by the database."""
    against = func.count().filter(Lesson.predicted != Lesson.label)
    query = (
        select(User.name, against, func.count())
        .join(User, User.id == Lesson.user_id)
        .where(Lesson.at > now - SUSPECT_FOR, Lesson.predicted.is_not(None), Lesson.abstained.is_(False))
        .group_by(User.id, User.name)
        .order_by(User.name)
    )
    return [name for name, wrong, certain in session.execute(query) if is_suspect(wrong, certain)]
