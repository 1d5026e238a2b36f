"""What becomes of tickets that were put together, taken apart or passed on, when more mail comes afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import joining
from helpdesk.desk.joining import By
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.message import Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.ticket import Event, Participant, Ticket, TicketLink, change_status
from helpdesk.errors import NotAllowed, StaleReply
from tests.desk import Desk
from tests.mails import mail

FIRST = "<first@example.com>"
OTHER = "Otra Persona <otra@example.net>"
ROBOT = "MAILER-DAEMON@mx.example.org"

Act = Callable[[Session, list[Ticket], By], Any]


def do(desk: Desk, agent: User, action: Act) -> Any:
    """Do something with the tickets, oldest first."""
    with desk.sessions.begin() as session:
        tickets = list(session.scalars(select(Ticket).order_by(Ticket.id)))
        return action(session, tickets, By(session.get_one(User, agent.id), utc_now()))


def merge(desk: Desk, agent: User, which: int, into: int) -> None:
    do(desk, agent, lambda s, rows, by: joining.merge(s, rows[which], rows[into], by))


def put(desk: Desk, agent: User, which: int, status: TicketStatus) -> None:
    """Bring a ticket into a state."""
    do(
        desk,
        agent,
        lambda s, rows, by: change_status(s, rows[which], status, now=by.now, actor=by.actor, why=""),
    )


def undo(desk: Desk, agent: User, kind: str, which: int | None = None) -> None:
    """Undo the newest act of a kind, on any ticket or on this one."""
    with desk.sessions.begin() as session:
        rows = list(session.scalars(select(Ticket).order_by(Ticket.id)))
        events = session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id.desc())).all()
        event = next(row for row in events if which is None or row.ticket_id == rows[which].id)
        ticket = session.get_one(Ticket, event.ticket_id)
        joining.undo(session, ticket, event, By(session.get_one(User, agent.id), utc_now()))


def reply(desk: Desk, agent: User, which: int = 0, key: str = "k", cc: tuple[str, ...] = ()) -> str:
    """An agent answers; the Message-ID of what leaves."""

    def send(session: Session, rows: list[Ticket], by: By) -> str:
        draft = Draft("Buenos días.", key, cc=cc)
        sent = send_reply(session, rows[which], draft, agent=by.actor, settings=desk.settings, now=by.now)
        return sent.message_id

    answered: str = do(desk, agent, send)
    return answered


def texts(ticket: Ticket) -> list[str]:
    return [message.new_text.strip() for message in ticket.messages]


def of_other(ticket: Ticket) -> Message:
    """The message of the other person on a ticket."""
    return next(message for message in ticket.messages if message.sender_address == "otra@example.net")


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A desk with two tickets of two people; the first has two messages."""
    desk.file(mail("Una.", message_id=FIRST))
    desk.file(mail("Dos.", reply_to_id=FIRST), mail("De otra persona.", sender=OTHER))
    return desk


# Merged, written to, and taken apart again.


def test_who_wrote_after_a_merge_still_waits_when_it_is_undone(two: Desk, ana: User) -> None:
    put(two, ana, 0, TicketStatus.WAITING)
    merge(two, ana, 1, 0)
    two.file(mail("¿Y bien?", reply_to_id=FIRST))
    undo(two, ana, "merged")
    assert two.tickets()[0].status == TicketStatus.OPEN


def test_what_was_answered_after_a_merge_is_not_opened_by_its_undo(two: Desk, ana: User) -> None:
    merge(two, ana, 1, 0)
    reply(two, ana, 0)
    undo(two, ana, "merged")
    assert two.tickets()[0].status == TicketStatus.WAITING


def test_the_undo_of_a_merge_leaves_those_waiting_who_were_merged_later(two: Desk, ana: User) -> None:
    two.file(mail("De una tercera.", sender="tercera@example.org"))
    put(two, ana, 0, TicketStatus.WAITING)
    merge(two, ana, 1, 0)
    merge(two, ana, 2, 0)
    undo(two, ana, "merged", which=1)
    assert two.tickets()[0].status == TicketStatus.OPEN


def test_a_merge_into_what_was_merged_itself_is_undone_from_the_last_one_back(two: Desk, ana: User) -> None:
    two.file(mail("De una tercera.", sender="tercera@example.org"))
    merge(two, ana, 1, 0)
    merge(two, ana, 0, 2)
    with pytest.raises(NotAllowed, match="primero"):
        undo(two, ana, "merged", which=1)
    undo(two, ana, "merged", which=0)
    undo(two, ana, "merged", which=1)
    assert [texts(ticket) for ticket in two.tickets()] == [
        ["Una.", "Dos."],
        ["De otra persona."],
        ["De una tercera."],
    ]


def test_who_was_let_in_by_two_merges_stays_when_one_is_undone(two: Desk, ana: User) -> None:
    two.file(mail("Otra vez, otra cosa.", sender=OTHER))
    merge(two, ana, 1, 0)
    merge(two, ana, 2, 0)
    undo(two, ana, "merged", which=1)
    two.file(mail("Sigo yo.", sender=OTHER, subject=f"[{two.tickets()[2].number}]"))
    assert texts(two.tickets()[0])[-1] == "Sigo yo."
    undo(two, ana, "merged", which=2)
    with two.sessions() as session:
        assert session.scalars(select(Participant)).all() == []


def test_a_robots_ticket_that_is_merged_lets_no_robot_in(two: Desk, ana: User) -> None:
    two.file(mail("No llegó.", sender=ROBOT, subject="Undelivered Mail Returned to Sender"))
    merge(two, ana, 2, 0)
    with two.sessions() as session:
        assert session.scalars(select(Participant)).all() == [], "its address would get copies of our replies"


def test_nothing_comes_back_to_a_ticket_that_was_merged_meanwhile(two: Desk, ana: User) -> None:
    two.file(mail("De una tercera.", sender="tercera@example.org"))
    do(two, ana, lambda s, rows, by: joining.move(s, rows[0], rows[0].messages[1], rows[1], by))
    merge(two, ana, 0, 2)
    with pytest.raises(NotAllowed, match="unida"):
        undo(two, ana, "moved")


def test_nobody_answers_on_a_ticket_that_was_merged_while_the_page_was_open(two: Desk, ana: User) -> None:
    merge(two, ana, 1, 0)
    with pytest.raises(StaleReply, match=two.tickets()[0].number):
        reply(two, ana, 1)


# Split and moved.


def test_an_answer_to_a_message_that_was_moved_follows_it(two: Desk, ana: User) -> None:
    two.file(mail("Un asunto distinto.", message_id="<third@example.com>"))
    ours = reply(two, ana, 0)
    do(two, ana, lambda s, rows, by: joining.move(s, rows[0], rows[0].messages[-1], rows[2], by))
    two.file(mail("Gracias.", reply_to_id=ours))
    assert texts(two.tickets()[2])[-1] == "Gracias."


def test_a_waiting_mail_that_is_moved_waits_where_it_is_now(two: Desk, ana: User) -> None:
    put(two, ana, 1, TicketStatus.CLOSED)
    do(two, ana, lambda s, rows, by: joining.move(s, rows[0], rows[0].messages[1], rows[1], by))
    assert two.tickets()[1].status == TicketStatus.OPEN
    undo(two, ana, "moved")
    assert two.tickets()[1].status == TicketStatus.CLOSED


def test_what_is_split_off_belongs_to_whoever_wrote_it(two: Desk, ana: User) -> None:
    merge(two, ana, 1, 0)
    do(two, ana, lambda s, rows, by: joining.split(s, rows[0], [of_other(rows[0])], by))
    made = two.tickets()[-1]
    assert made.requester is not None
    assert made.requester.email == "otra@example.net", "an answer would go to somebody else"


def test_the_undo_of_a_split_leaves_the_clock_as_it_was(two: Desk, ana: User) -> None:
    put(two, ana, 0, TicketStatus.CLOSED)
    do(two, ana, lambda s, rows, by: joining.split(s, rows[0], [rows[0].messages[1]], by))
    undo(two, ana, "split")
    assert two.tickets()[0].status == TicketStatus.CLOSED


def test_the_undo_of_keeping_apart_leaves_a_link_that_somebody_made(two: Desk, ana: User) -> None:
    two.file(mail("Soy su hermana.", sender="h@example.org", subject=f"[{two.tickets()[0].number}]"))
    do(two, ana, lambda s, rows, by: joining.link_by_hand(s, rows[2], rows[0], by))
    do(two, ana, lambda s, rows, by: joining.keep_apart(s, rows[2], by))
    undo(two, ana, "kept_apart")
    with two.sessions() as session:
        assert session.scalars(select(TicketLink.kind)).all() == ["see_also"]


# Closed long ago, and named together with one that lives.


def test_a_mail_that_names_an_old_ticket_and_its_follower_joins_the_follower(desk: Desk, ana: User) -> None:
    desk.file(mail())
    old = desk.tickets()[0].number
    with desk.sessions.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
        then = utc_now() - dt.timedelta(days=99)
        change_status(session, ticket, TicketStatus.CLOSED, now=then, actor=None, why="")
    desk.file(mail("Vuelvo a escribir.", subject=f"Re: [{old}]"))
    desk.file(mail("Y otra cosa.", subject=f"Re: [{old}] [{desk.tickets()[1].number}]"))
    assert [len(ticket.messages) for ticket in desk.tickets()] == [1, 2]


def test_who_answers_twice_to_what_was_closed_long_ago_gets_one_new_ticket(desk: Desk, ana: User) -> None:
    desk.file(mail(message_id=FIRST))
    with desk.sessions.begin() as session:
        ticket = session.scalars(select(Ticket)).one()
        then = utc_now() - dt.timedelta(days=99)
        change_status(session, ticket, TicketStatus.CLOSED, now=then, actor=None, why="")
    desk.file(mail("Vuelvo a escribir.", reply_to_id=FIRST), mail("Olvidé el adjunto.", reply_to_id=FIRST))
    desk.file(mail("¿Lo recibieron?", reply_to_id=FIRST))
    assert [len(ticket.messages) for ticket in desk.tickets()] == [1, 3]


# Reports.


def test_T57_a_copys_bounce_does_not_hide_that_the_answer_itself_came_back(two: Desk, ana: User) -> None:
    from tests.core.test_filing import bounce_of

    merge(two, ana, 1, 0)
    ours = reply(two, ana, 0, cc=("otra@example.net",))
    two.file(bounce_of(ours).replace(b"rosario@example.com", b"otra@example.net"))
    first = two.tickets()[0]
    assert first.status == TicketStatus.OPEN, "its agent is told"
    assert first.messages[-2].bounced_at is None, "the person who asked has got it"
    put(two, ana, 0, TicketStatus.WAITING)
    two.file(bounce_of(ours).replace(b"bounce-1@", b"bounce-2@"))
    first = two.tickets()[0]
    assert first.status == TicketStatus.OPEN
    assert first.messages[-3].bounced_at is not None
    with two.sessions() as session:
        bounced = select(Outgoing.recipient).where(Outgoing.bounced_at.is_not(None)).order_by(Outgoing.id)
        assert session.scalars(bounced).all() == ["rosario@example.com", "otra@example.net"]


def test_a_bounce_finds_its_message_after_merge_and_undo(two: Desk, ana: User) -> None:
    from tests.core.test_filing import bounce_of

    ours = reply(two, ana, 0)
    merge(two, ana, 0, 1)
    undo(two, ana, "merged")
    two.file(bounce_of(ours))
    assert two.tickets()[0].messages[2].bounced_at is not None
