"""People and intake change several tickets at the same time: nobody waits in a ring, nobody decides on old news."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import joining
from helpdesk.desk.joining import By
from helpdesk.desk.ticket import Event, Ticket, lock_ticket
from tests.desk import Desk
from tests.mails import mail

FIRST, SECOND = "<first@example.com>", "<second@example.com>"
OTHER = "Otra Persona <otra@example.net>"
WAITING = text(
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A desk with two tickets of two people."""
    desk.file(mail("Una.", message_id=FIRST), mail("Otra.", sender=OTHER, message_id=SECOND))
    return desk


def until_somebody_waits(session: Session) -> None:
    """Return when another transaction waits for a lock of ours."""
    for _ in range(200):
        if session.scalar(WAITING):
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


@contextmanager
def filing(desk: Desk) -> Iterator[None]:
    """Both people have written again, the second one first, and that is filed meanwhile."""
    desk.receive(mail("Más, de la otra.", sender=OTHER, reply_to_id=SECOND), mail("Más.", reply_to_id=FIRST))
    worker = threading.Thread(target=desk.worker.filer.file_all)
    worker.start()
    try:
        yield
    finally:
        worker.join(timeout=30)
    assert not worker.is_alive()


def test_a_merge_and_a_group_of_mails_never_wait_for_each_other_in_a_ring(two: Desk) -> None:
    with two.sessions.begin() as session:
        first, second = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        lock_ticket(session, first)
        with filing(two):
            until_somebody_waits(session)
            lock_ticket(session, second)  # would end in a deadlock if the group held it already
            session.commit()
    assert [len(ticket.messages) for ticket in two.tickets()] == [2, 2]


def test_mail_that_waited_for_a_merge_goes_where_the_merge_says(two: Desk, ana: User) -> None:
    with two.sessions.begin() as session:
        first, second = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        lock_ticket(session, first)
        with filing(two):
            until_somebody_waits(session)
            joining.merge(session, second, first, By(session.get_one(User, ana.id), utc_now()))
            session.commit()
    assert [len(ticket.messages) for ticket in two.tickets()] == [4, 0]


def test_an_undo_locks_the_older_ticket_first(two: Desk, ana: User) -> None:
    with two.sessions.begin() as session:
        first, second = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        joining.merge(session, second, first, By(session.get_one(User, ana.id), utc_now()))

    def undo() -> None:
        with two.sessions.begin() as mine:
            event = mine.scalars(select(Event).where(Event.kind == "merged")).one()
            ticket = mine.get_one(Ticket, event.ticket_id)
            joining.undo(mine, ticket, event, By(mine.get_one(User, ana.id), utc_now()))

    undoing = threading.Thread(target=undo)
    with two.sessions.begin() as session:
        first, second = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        lock_ticket(session, first)
        undoing.start()
        until_somebody_waits(session)
        lock_ticket(session, second)
        session.commit()
    undoing.join(timeout=30)
    assert [len(ticket.messages) for ticket in two.tickets()] == [1, 1]
