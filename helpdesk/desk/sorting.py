"""Which line a ticket belongs to: the classifier's prediction with its reasons, and the agent's last word."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

import classifier
from classifier import LINES, NONE, ModelError, Text
from helpdesk.accounts.users import User
from helpdesk.db import Base, append
from helpdesk.desk.ticket import Ticket, record
from helpdesk.errors import NotAllowed

log = logging.getLogger(__name__)

WORDS_KEPT = 8


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
    abstained: Mapped[bool]
    model: Mapped[str]
    at: Mapped[dt.datetime]

    ticket: Mapped[Ticket] = relationship()


class Sorter:
    """The trained model, loaded when first needed and again when its file changes.

    A missing or damaged model never stops intake: mail arrives unsorted and the log says why (T95).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._model: classifier.Model | None = None

    def predict(self, texts: Sequence[Text]) -> list[classifier.Prediction | None]:
        """One prediction for each text, or None for each when there is no usable model."""
        model = self._current()
        return [None] * len(texts) if model is None else list(model.predict(texts))

    def _current(self) -> classifier.Model | None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            stamp = None
        if stamp != self._stamp or (stamp is None and self._model is None):
            self._stamp = stamp
            self._model = self._load()
        return self._model

    def _load(self) -> classifier.Model | None:
        try:
            return classifier.Model.load(self._path)
        except ModelError as error:
            log.error("mail arrives unsorted: %s", error)
            return self._model  # the model in memory is still a good one


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
        "abstained": prediction.abstained,
        "model": prediction.model,
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


def prediction_of(session: Session, ticket: Ticket) -> Prediction | None:
    """The newest prediction of a ticket."""
    query = select(Prediction).where(Prediction.ticket_id == ticket.id)
    return session.scalar(query.order_by(Prediction.id.desc()).limit(1))


def change_line(session: Session, ticket: Ticket, line: str | None, *, now: dt.datetime, actor: User) -> None:
    """The agent decides the line (None: not sorted). Raises NotAllowed for a line that does not exist."""
    if line is not None and line not in (*LINES, NONE):
        raise NotAllowed(f"No existe la línea «{line}».")
    kind = "line_confirmed" if line == ticket.line else "line_changed"
    record(session, ticket, kind, now=now, actor=actor, before=ticket.line, after=line)
    ticket.line = line
    ticket.line_by_agent = True
    ticket.updated_at = now
