"""Mail that came while no model could be used: the desk is told, and the mail is sorted when there is one again."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

import classifier
from classifier import Text
from helpdesk.db import Sessions, utc_now
from helpdesk.desk.health import SORTER, note_trouble, note_working
from helpdesk.desk.lessons import first_inbound
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.models import in_use
from helpdesk.desk.sorter import Sorter
from helpdesk.desk.sorting import Prediction, sort
from helpdesk.desk.ticket import Ticket, record

BATCH = 50


def note_sorter(sessions: Sessions, sorter: Sorter) -> None:
    """Raise the alarm when the model became unusable, and end it when there is a good one; written on a change only."""
    if sorter.told == (sorter.trouble or ""):
        return
    with sessions.begin() as session:
        if sorter.trouble:
            note_trouble(session, SORTER, "unusable", sorter.trouble, utc_now())
        else:
            note_working(session, SORTER, utc_now())
    sorter.told = sorter.trouble or ""


def sort_waiting(sessions: Sessions, sorter: Sorter) -> int:
    """Sort the open tickets that never got a prediction, oldest first; how many were sorted."""
    with sessions.begin() as session:
        tickets = _never_sorted(session)
        messages = [first_inbound(session, ticket) for ticket in tickets]
        texts = [Text(m.subject, m.new_text or m.text) if m else Text() for m in messages]
        predictions = sorter.predict(texts, in_use(session)) if texts else []
        done = 0
        for ticket, prediction in zip(tickets, predictions, strict=True):
            if prediction is not None:
                _sort_late(session, ticket, prediction, utc_now())
                done += 1
    note_sorter(sessions, sorter)
    return done


def _never_sorted(session: Session) -> list[Ticket]:
    predicted = select(Prediction.id).where(Prediction.ticket_id == Ticket.id).exists()
    query = select(Ticket).where(
        Ticket.status == TicketStatus.OPEN.value,
        Ticket.line.is_(None),
        Ticket.line_by_agent.is_(False),
        Ticket.merged_into_id.is_(None),
        ~predicted,
    )
    return list(session.scalars(query.order_by(Ticket.id).limit(BATCH).with_for_update(skip_locked=True)))


def _sort_late(session: Session, ticket: Ticket, prediction: classifier.Prediction, now: dt.datetime) -> None:
    ticket.line = prediction.line
    record(session, ticket, "sorted_late", now=now, why="llegó cuando no había un modelo que se pudiera usar")
    sort(session, ticket, prediction, now)
