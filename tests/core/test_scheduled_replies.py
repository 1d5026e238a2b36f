"""Replies for a later hour: when they leave, how they are taken back, and what holds them."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import update

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import outbox
from helpdesk.desk.joining import By, merge
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from helpdesk.desk.message import Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reply import Draft, held_reply, undo_reply
from helpdesk.desk.ticket import Ticket, lock_ticket
from helpdesk.errors import NotAllowed, ReplyRefused, StaleReply
from tests.desk import Desk
from tests.mails import mail
from tests.outgoing import replies, reply, write_reply
from tests.smtp_sink import Sink

TOMORROW = utc_now().replace(microsecond=0) + dt.timedelta(days=1)


def schedule(desk: Desk, agent: User, hour: dt.datetime = TOMORROW) -> Outgoing:
    """A reply that waits for an hour."""
    desk.file(mail())
    desk.send()
    return write_reply(desk, agent, Draft("Hasta mañana.", "k", send_at=hour))


def test_a_reply_for_later_leaves_at_its_hour_and_says_that_hour(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    row = schedule(desk, ana)
    assert row.scheduled
    assert row.send_at == TOMORROW
    assert desk.send() == 0
    desk.make_due()
    assert desk.send() == 1
    assert smtp_sink.mails[-1]["Date"].datetime == TOMORROW


def test_a_reply_for_later_can_leave_now_after_all(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    row = schedule(desk, ana)
    now = utc_now().replace(microsecond=0)
    with desk.sessions.begin() as session:
        written = session.get_one(Message, row.reply_id)
        outbox.send_now(session, written, actor=ana, now=now, undo_s=10)
    assert reply(desk).send_at == now + dt.timedelta(seconds=10)
    assert not reply(desk).scheduled
    with desk.sessions.begin() as session:
        written = session.get_one(Message, row.reply_id)
        with pytest.raises(NotAllowed):
            outbox.send_now(session, written, actor=ana, now=now, undo_s=10)
    desk.make_due()
    assert desk.send() == 1
    assert smtp_sink.mails[-1]["Date"].datetime == now + dt.timedelta(seconds=10)
    changed = [line for line in row.content.split(b"\r\n") if line not in smtp_sink.raw[-1].split(b"\r\n")]
    assert [line.partition(b":")[0] for line in changed] == [b"Date"], "nothing else is changed"


def hold(desk: Desk) -> int:
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        lock_ticket(session, ticket)
        return outbox.hold_scheduled(session, ticket, utc_now())


def test_a_reply_for_later_is_held_when_the_citizen_writes_and_its_text_is_handed_back(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    schedule(desk, ana)
    assert hold(desk) == 1
    assert hold(desk) == 0
    desk.make_due()
    assert desk.send() == 0
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.OPEN
    assert [event.why for event in ticket.events if event.kind == "reply_held"] == [outbox.HELD_ES]
    with desk.sessions() as session:
        held = held_reply(session, ticket)
        assert held is not None
        assert held.new_text == "Hasta mañana."
    write_reply(desk, ana, Draft("Ahora sí.", "k2"))
    with desk.sessions() as session:
        assert held_reply(session, ticket) is None, "there is another reply now"


def test_a_held_reply_is_handed_back_on_the_ticket_that_its_own_was_merged_into(
    desk: Desk, ana: User
) -> None:
    schedule(desk, ana)
    hold(desk)
    desk.file(mail("Por otro lado.", sender="prima@example.com"))
    first, second = desk.tickets()
    with desk.sessions.begin() as session:
        rows = [session.get_one(Ticket, ticket.id) for ticket in (first, second)]
        merge(session, *rows, By(ana, utc_now()))
    with desk.sessions() as session:
        held = held_reply(session, session.get_one(Ticket, second.id))
        assert held is not None
        assert held.new_text == "Hasta mañana."
        assert held_reply(session, session.get_one(Ticket, first.id)) is None


def test_only_replies_for_later_are_held(desk: Desk, ana: User) -> None:
    desk.file(mail())
    write_reply(desk, ana, Draft("Hola.", "k"))
    assert hold(desk) == 0
    assert reply(desk).state == OutgoingState.READY


def test_a_reply_for_later_that_a_server_was_asked_to_take_is_not_held(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    schedule(desk, ana)
    with desk.sessions.begin() as session:
        session.execute(update(Outgoing).values(state=OutgoingState.HANDING.value))
    assert hold(desk) == 0


def test_a_reply_for_later_can_be_taken_back_until_it_leaves(desk: Desk, ana: User) -> None:
    row = schedule(desk, ana)
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, row.ticket_id)
        text = undo_reply(session, ticket, session.get_one(Message, row.reply_id), agent=ana, now=utc_now())
    assert text == "Hasta mañana."
    desk.make_due()
    assert desk.send() == 0


@pytest.mark.parametrize(
    ("wait", "sentence"),
    [
        (dt.timedelta(), "ya pasó"),
        (-dt.timedelta(days=400), "ya pasó"),
        (dt.timedelta(days=91), "90 días"),
        (dt.timedelta(days=2_000_000), "90 días"),
    ],
)
def test_an_hour_that_is_over_or_too_far_away_is_refused(
    desk: Desk, ana: User, wait: dt.timedelta, sentence: str
) -> None:
    desk.file(mail())
    with pytest.raises(ReplyRefused, match=sentence):
        write_reply(desk, ana, Draft("Hola.", "k", send_at=utc_now() + wait))
    assert replies(desk) == []


def test_a_stale_reply_for_later_is_refused_when_it_is_queued(desk: Desk, ana: User) -> None:
    desk.file(mail())
    with pytest.raises(StaleReply):
        write_reply(desk, ana, Draft("Hola.", "k", last_seen=0, send_at=TOMORROW))


def test_the_same_form_with_another_hour_is_not_the_same_reply(desk: Desk, ana: User) -> None:
    row = schedule(desk, ana)
    assert write_reply(desk, ana, Draft("Hasta mañana.", "k", send_at=TOMORROW)).id == row.id
    with pytest.raises(StaleReply):
        write_reply(desk, ana, Draft("Hasta mañana.", "k", send_at=TOMORROW + dt.timedelta(hours=1)))
    assert len(replies(desk)) == 1
