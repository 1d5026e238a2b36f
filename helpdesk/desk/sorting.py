"""Which line a ticket belongs to, its kind, its urgency: the classifier's reading, and the agent's last word."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

import classifier
from classifier import KINDS, LINE_OF, LINES, NONE, NOT_URGENT, URGENCIES
from helpdesk.accounts.users import User
from helpdesk.db import JSON, Base, append
from helpdesk.desk.lessons import Said, teach
from helpdesk.desk.ticket import Ticket, check_not_merged, record
from helpdesk.errors import NotAllowed

WORDS_KEPT = 8
# Mail that is older when it is read (an import) is urgent no more.
URGENT_FOR = dt.timedelta(days=14)


class Prediction(Base):
    """What the classifier said about a message, with the model's version, so that it can be explained later."""

    __tablename__ = "prediction"
    __table_args__ = (Index("ix_prediction_ticket_id", "ticket_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    label: Mapped[str]
    probability: Mapped[float]
    probabilities: Mapped[dict[str, Any]]
    why: Mapped[list[Any]]
    # Relations that the message states (classifier/signals.py), each with its weight.
    signs: Mapped[list[Any]] = mapped_column(default=list)
    abstained: Mapped[bool]
    model: Mapped[str]
    # Its other answers (kind, urgency, topic), each with its probability.
    also: Mapped[JSON] = mapped_column(default=dict)
    at: Mapped[dt.datetime]

    ticket: Mapped[Ticket] = relationship()


def sort(
    session: Session, ticket: Ticket, prediction: classifier.Prediction | None, now: dt.datetime
) -> None:
    """Store what the classifier said about a new ticket, with its reasons."""
    if prediction is None:
        record(session, ticket, "not_sorted", now=now, why="no hay un modelo que se pueda usar")
        return
    row = {
        "ticket_id": ticket.id,
        "label": prediction.label,
        "probability": round(prediction.probability, 4),
        "probabilities": {label: round(value, 4) for label, value in prediction.probabilities.items()},
        "why": [[word, round(weight, 3)] for word, weight in prediction.why[:WORDS_KEPT]],
        "signs": [[name, round(weight, 3)] for name, weight in prediction.signs],
        "abstained": prediction.abstained,
        "model": prediction.model,
        "also": {
            name: {
                "label": said.label,
                "probability": round(said.probability, 4),
                "likely": [[label, round(value, 4)] for label, value in said.likely],
            }
            for name, said in prediction.also.items()
        },
        "at": now,
    }
    append(session, Prediction, row)
    kind = "abstained" if prediction.abstained else "sorted"
    words = ", ".join(word for word, weight in prediction.why[:3] if weight > 0)
    record(
        session,
        ticket,
        kind,
        now=now,
        why=words,
        line=prediction.label,
        probability=row["probability"],
        model=prediction.model,
    )
    _read_further(session, ticket, prediction, now)


def _read_further(
    session: Session, ticket: Ticket, prediction: classifier.Prediction, now: dt.datetime
) -> None:
    """Take over the kind, the urgency and the topic, as far as the model knows them."""
    said = {name: answer.label for name, answer in prediction.also.items()}
    if (kind := said.get("kind")) in KINDS:
        ticket.kind = kind
    ticket.topic = said.get("topic")
    if not ticket.automatic and now - ticket.opened_at < URGENT_FOR:
        mark_if_urgent(session, ticket, prediction, now)


def mark_if_urgent(
    session: Session, ticket: Ticket, prediction: classifier.Prediction | None, now: dt.datetime
) -> None:
    """Mark a ticket whose mail shows danger or a near term; one that is marked already keeps its reason."""
    answer = prediction.also.get("urgency") if prediction else None
    if answer is None or answer.label not in URGENCIES or ticket.urgency is not None:
        return
    ticket.urgency = answer.label
    record(session, ticket, "urgent", now=now, why=answer.label, probability=round(answer.probability, 4))


def prediction_of(session: Session, ticket: Ticket) -> Prediction | None:
    """The newest prediction of a ticket."""
    query = select(Prediction).where(Prediction.ticket_id == ticket.id)
    return session.scalar(query.order_by(Prediction.id.desc()).limit(1))


def likeliest(prediction: Prediction) -> list[tuple[str, float]]:
    """The lines with their probabilities, the likeliest first."""
    return sorted(prediction.probabilities.items(), key=lambda pair: pair[1], reverse=True)


def change_line(session: Session, ticket: Ticket, line: str | None, *, now: dt.datetime, actor: User) -> None:
    """The agent decides the line (None: not sorted). Raises NotAllowed for a line that does not exist."""
    check_not_merged(ticket)
    if line is not None and line not in (*LINES, NONE):
        raise NotAllowed(f"No existe la línea «{line}».")
    kind = "line_confirmed" if line == ticket.line else "line_changed"
    record(session, ticket, kind, now=now, actor=actor, before=ticket.line, after=line)
    ticket.line = line
    ticket.line_by_agent = True
    ticket.updated_at = now
    found = prediction_of(session, ticket)
    topic = found.also.get("topic", {}).get("label") if found else None
    ticket.topic = topic if topic and LINE_OF.get(topic) == line else None  # each line has its own topics
    said = Said(found.label, found.probability, found.abstained, found.model) if found else None
    teach(session, ticket, line, said, now=now, actor=actor)


def change_kind(session: Session, ticket: Ticket, kind: str, *, now: dt.datetime, actor: User) -> None:
    """The agent decides what sort of matter it is. Raises NotAllowed for a kind that does not exist."""
    check_not_merged(ticket)
    if kind not in KINDS:
        raise NotAllowed(f"No existe el tipo «{kind}».")
    if kind != ticket.kind:
        record(session, ticket, "kind_changed", now=now, actor=actor, before=ticket.kind, after=kind)
        ticket.kind, ticket.updated_at = kind, now


def change_urgency(
    session: Session, ticket: Ticket, urgency: str | None, *, now: dt.datetime, actor: User
) -> None:
    """The agent decides whether it is urgent, and why. Raises NotAllowed for a reason that does not exist."""
    check_not_merged(ticket)
    if urgency is not None and urgency not in URGENCIES:
        raise NotAllowed(f"No existe el motivo de urgencia «{urgency}».")
    if urgency != ticket.urgency:
        before, after = ticket.urgency or NOT_URGENT, urgency or NOT_URGENT
        record(session, ticket, "urgency_changed", now=now, actor=actor, before=before, after=after)
        ticket.urgency, ticket.updated_at = urgency, now
