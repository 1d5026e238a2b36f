"""What agents teach: the line of a ticket as a person decided it, as a training row without personal data.

In: keeping the last word of each ticket, masking it, and noticing whose words contradict what is surely right.
Not in: training with it (learning.py).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ForeignKey, Index, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from classifier import Row, Text, masked
from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.ticket import Ticket

MOST_CHARS = 6_000
NAME = "xnombre"

# Of the model's certain predictions about 3 of 100 are wrong. Whoever contradicts many more of them is mistaken
# about the lines, or means harm; either way a supervisor must look before it is learned (T96).
SUSPECT_SHARE = 0.30
SUSPECT_AT_LEAST = 8


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
    """The message that a ticket began with: what is sorted, and learned from."""
    query = select(Message).where(
        Message.ticket_id == ticket.id, Message.direction == Direction.INBOUND.value
    )
    return session.scalar(query.order_by(Message.id).limit(1))


def teach(
    session: Session, ticket: Ticket, label: str | None, said: Said | None, *, now: dt.datetime, actor: User
) -> None:
    """Keep what a person decided about a ticket; None takes it back. A machine's mail teaches nothing."""
    if label is None or ticket.automatic:
        session.execute(delete(Lesson).where(Lesson.ticket_id == ticket.id))
        return
    message = first_inbound(session, ticket)
    if message is None:
        return
    text = without_names(Text(message.subject, message.new_text or message.text), names_of(ticket, message))
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
    session.execute(new.on_conflict_do_update(index_elements=["ticket_id"], set_=row))


def names_of(ticket: Ticket, message: Message) -> set[str]:
    """The names that the desk knows of the people on a ticket, word by word."""
    said = [message.sender_name, ticket.requester.name if ticket.requester else ""]
    said += [person.name for person in ticket.participants]
    return {word.lower() for name in said for word in re.findall(r"[^\W\d_]{3,}", name)}


def without_names(text: Text, names: Iterable[str]) -> Text:
    """The text with addresses, numbers, stated names and the known names of its people replaced by stand-ins."""
    known = sorted(names, key=len, reverse=True)
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, known))})\b", re.I) if known else None

    def hidden(said: str) -> str:
        plain = masked(said[:MOST_CHARS])
        return pattern.sub(NAME, plain) if pattern else plain

    return Text(hidden(text.subject), hidden(text.body))


def lessons(session: Session, *, since: dt.datetime | None = None) -> list[Lesson]:
    """Every lesson decided since a moment, oldest first."""
    query = select(Lesson).order_by(Lesson.at, Lesson.id)
    return list(session.scalars(query if since is None else query.where(Lesson.at > since)))


def as_row(lesson: Lesson) -> Row:
    """The lesson as the classifier learns it; each ticket is a story of its own."""
    return Row(Text(lesson.subject, lesson.body), lesson.label, f"ticket-{lesson.ticket_id}")


def suspects(taught: Sequence[Lesson]) -> set[int]:
    """The people whose words contradict the model's certainty far more often than it can be wrong."""
    found = set()
    for user_id in {lesson.user_id for lesson in taught}:
        certain = [
            lesson
            for lesson in taught
            if lesson.user_id == user_id and lesson.predicted is not None and not lesson.abstained
        ]
        against = sum(lesson.contradicts_certainty for lesson in certain)
        if against >= SUSPECT_AT_LEAST and against > SUSPECT_SHARE * len(certain):
            found.add(user_id)
    return found
