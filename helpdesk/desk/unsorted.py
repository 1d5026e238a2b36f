"""Mail that came while no model could be used: the desk is told, and the mail is sorted when there is one again."""

from __future__ import annotations

import datetime as dt
import socket
import time

from sqlalchemy import select
from sqlalchemy.orm import Session

import classifier
from helpdesk.db import Sessions, utc_now
from helpdesk.desk.health import SORTER, note_trouble, note_working
from helpdesk.desk.lessons import beginning_of
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.models import in_use
from helpdesk.desk.sorter import Sorter
from helpdesk.desk.sorting import Prediction, sort
from helpdesk.desk.ticket import Event, Ticket, lock_ticket, record

BATCH = 50
# A machine in trouble says so again this often; what is older than a few times that is a machine that is gone.
TOLD_EVERY_S = 60.0


def note_sorter(sessions: Sessions, sorter: Sorter) -> None:
    """Raise this machine's alarm when the model became unusable, and end it when there is a good one."""
    with sorter.telling:
        trouble = sorter.trouble or ""
        fresh = time.monotonic() - sorter.told_at < TOLD_EVERY_S
        if sorter.told == trouble and (not trouble or fresh):
            return
        name = f"{SORTER} {socket.gethostname()}"
        with sessions.begin() as session:
            if trouble:
                note_trouble(session, name, "unusable", trouble, utc_now())
            else:
                note_working(session, name, utc_now())
        sorter.told, sorter.told_at = trouble, time.monotonic()


def sort_waiting(sessions: Sessions, sorter: Sorter) -> int:
    """Sort the open tickets that came while there was no model, oldest first; how many were sorted."""
    with sessions() as session:
        waiting = _never_sorted(session)
        texts = [beginning_of(session, ticket) for ticket in waiting]
        model = in_use(session)
    # Nothing is held while the model thinks.
    predictions = sorter.predict([text or classifier.Text() for text in texts], model) if texts else []
    note_sorter(sessions, sorter)
    done = 0
    for ticket, prediction in zip(waiting, predictions, strict=True):
        if prediction is not None:
            with sessions.begin() as session:
                done += _sort_late(session, session.get_one(Ticket, ticket.id), prediction, utc_now())
    return done


def _never_sorted(session: Session) -> list[Ticket]:
    predicted = select(Prediction.id).where(Prediction.ticket_id == Ticket.id).exists()
    had_no_model = select(Event.id).where(Event.ticket_id == Ticket.id, Event.kind == "not_sorted").exists()
    query = select(Ticket).where(
        Ticket.status == TicketStatus.OPEN.value,
        Ticket.line_by_agent.is_(False),
        Ticket.merged_into_id.is_(None),
        had_no_model,
        ~predicted,
    )
    return list(session.scalars(query.order_by(Ticket.id).limit(BATCH)))


def _sort_late(session: Session, ticket: Ticket, prediction: classifier.Prediction, now: dt.datetime) -> bool:
    """Sort one ticket, unless somebody did meanwhile."""
    lock_ticket(session, ticket)
    known = session.scalar(select(Prediction.id).where(Prediction.ticket_id == ticket.id).limit(1))
    if ticket.line_by_agent or ticket.merged_into_id is not None or known is not None:
        return False
    ticket.line = prediction.line or ticket.line  # in doubt the mailbox's own line stays
    record(session, ticket, "sorted_late", now=now, why="llegó cuando no había un modelo que se pudiera usar")
    sort(session, ticket, prediction, now)
    return True
