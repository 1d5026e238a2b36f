"""Merge, move, split, link and review: what each does, that each can be undone, and that both are in the history."""

from __future__ import annotations

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
from helpdesk.desk.ticket import Event, Ticket, TicketLink, change_status
from helpdesk.errors import NotAllowed
from tests.desk import Desk
from tests.mails import mail

OTHER = "Otra Persona <otra@example.net>"


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A desk with two tickets; the first has two messages."""
    desk.file(mail(message_id="<first@example.com>"))
    desk.file(mail("Algo más.", reply_to_id="<first@example.com>"), mail("De otra persona.", sender=OTHER))
    return desk


def do(desk: Desk, agent: User, action: Callable[[Session, Ticket, Ticket, By], Any]) -> Any:
    """Do something with the first two tickets."""
    with desk.sessions.begin() as session:
        first, second = session.scalars(select(Ticket).order_by(Ticket.id)).all()[:2]
        return action(session, first, second, By(session.get_one(User, agent.id), utc_now()))


def undo_last(desk: Desk, agent: User, kind: str) -> None:
    """Undo the newest event of a kind."""
    with desk.sessions.begin() as session:
        event = session.scalars(select(Event).where(Event.kind == kind).order_by(Event.id.desc())).first()
        assert event is not None
        ticket = session.get_one(Ticket, event.ticket_id)
        joining.undo(session, ticket, event, By(session.get_one(User, agent.id), utc_now()))


def shape(desk: Desk) -> list[tuple[str, list[int], list[str]]]:
    """What a person sees: status, messages and participants of each ticket."""
    with desk.sessions() as session:
        tickets = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        return [
            (ticket.status, [m.id for m in ticket.messages], [p.address for p in ticket.participants])
            for ticket in tickets
        ]


def test_a_merge_moves_everything_and_lets_the_other_person_write(two: Desk, ana: User) -> None:
    do(two, ana, lambda s, first, second, by: joining.merge(s, second, first, by))
    first, second = two.tickets()
    assert len(first.messages) == 3
    assert second.messages == []
    assert second.status == TicketStatus.CLOSED
    assert shape(two)[0][2] == ["otra@example.net"]
    assert "absorbed" in [event.kind for event in first.events]


def test_a_merge_can_be_undone(two: Desk, ana: User) -> None:
    before = shape(two)
    do(two, ana, lambda s, first, second, by: joining.merge(s, second, first, by))
    undo_last(two, ana, "merged")
    assert shape(two) == before
    assert "undone" in [event.kind for event in two.tickets()[1].events]


def test_a_merge_of_what_waits_opens_the_other_and_the_undo_closes_it_again(two: Desk, ana: User) -> None:
    do(
        two,
        ana,
        lambda s, first, second, by: change_status(
            s, first, TicketStatus.CLOSED, now=by.now, actor=by.actor, why=""
        ),
    )
    do(two, ana, lambda s, first, second, by: joining.merge(s, second, first, by))
    assert two.tickets()[0].status == TicketStatus.OPEN
    undo_last(two, ana, "merged")
    assert [ticket.status for ticket in two.tickets()] == [TicketStatus.CLOSED, TicketStatus.OPEN]


def test_mail_that_came_after_a_merge_stays_where_it_came_to(two: Desk, ana: User) -> None:
    do(two, ana, lambda s, first, second, by: joining.merge(s, second, first, by))
    number = two.tickets()[1].number
    two.file(mail("Después.", sender=OTHER, subject=f"Re: [{number}]"))
    undo_last(two, ana, "merged")
    assert [len(ticket.messages) for ticket in two.tickets()] == [3, 1]


def test_nothing_is_merged_twice_or_with_itself(two: Desk, ana: User) -> None:
    with pytest.raises(NotAllowed):
        do(two, ana, lambda s, first, second, by: joining.merge(s, first, first, by))
    do(two, ana, lambda s, first, second, by: joining.merge(s, second, first, by))
    with pytest.raises(NotAllowed):
        do(two, ana, lambda s, first, second, by: joining.merge(s, first, second, by))


def test_a_message_moves_and_returns(two: Desk, ana: User) -> None:
    before = shape(two)

    def move(session: Session, first: Ticket, second: Ticket, by: By) -> None:
        joining.move(session, first, first.messages[1], second, by)

    do(two, ana, move)
    assert [len(ticket.messages) for ticket in two.tickets()] == [1, 2]
    undo_last(two, ana, "moved")
    assert shape(two) == before


def test_a_tickets_only_message_cannot_be_moved_away(two: Desk, ana: User) -> None:
    with pytest.raises(NotAllowed, match="único"):
        do(two, ana, lambda s, first, second, by: joining.move(s, second, second.messages[0], first, by))


def test_a_split_makes_a_linked_ticket_and_its_undo_brings_the_messages_back(two: Desk, ana: User) -> None:
    def split(session: Session, first: Ticket, second: Ticket, by: By) -> str:
        return joining.split(session, first, [first.messages[1]], by).number

    number = do(two, ana, split)
    first, _, made = two.tickets()
    assert made.number == number
    assert [len(first.messages), len(made.messages)] == [1, 1]
    assert made.requester is not None
    assert made.requester.email == "rosario@example.com"
    with two.sessions() as session:
        assert session.scalars(select(TicketLink.kind)).all() == ["split_from"]
    undo_last(two, ana, "split")
    first, _, made = two.tickets()
    assert [len(first.messages), len(made.messages)] == [2, 0]
    assert made.merged_into_id == first.id


def test_a_link_is_seen_from_both_sides_and_can_be_undone(two: Desk, ana: User) -> None:
    do(two, ana, lambda s, first, second, by: joining.link_by_hand(s, first, second, by))
    do(two, ana, lambda s, first, second, by: joining.link_by_hand(s, first, second, by))
    seen = do(
        two,
        ana,
        lambda s, first, second, by: [
            [how for how, _ in joining.links_of(s, row)] for row in (first, second)
        ],
    )
    assert seen == [["see_also"], ["see_also_back"]]
    undo_last_on_first = [event for event in two.tickets()[0].events if event.kind == "linked"]
    assert len(undo_last_on_first) == 1, "linking twice changes nothing"
    with two.sessions.begin() as session:
        event = session.get_one(Event, undo_last_on_first[0].id)
        by = By(session.get_one(User, ana.id), utc_now())
        joining.undo(session, session.get_one(Ticket, event.ticket_id), event, by)
    with two.sessions() as session:
        assert session.scalars(select(TicketLink)).all() == []


@pytest.fixture
def for_review(two: Desk) -> Desk:
    """A desk where a stranger has named the first ticket."""
    number = two.tickets()[0].number
    two.file(mail("Soy su hermana.", sender="hermana@example.org", subject=f"Re: [{number}]"))
    return two


def reviewed(desk: Desk, agent: User, decide: Callable[[Session, Ticket, By], Any]) -> None:
    with desk.sessions.begin() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.review_of_id.is_not(None))).one()
        decide(session, ticket, By(session.get_one(User, agent.id), utc_now()))


def test_a_stranger_who_is_accepted_is_on_the_ticket_from_then_on(for_review: Desk, ana: User) -> None:
    reviewed(for_review, ana, joining.accept_stranger)
    first, _, third = for_review.tickets()
    assert len(first.messages) == 3
    assert third.merged_into_id == first.id
    for_review.file(mail("Otra vez yo.", sender="hermana@example.org", subject=f"[{first.number}]"))
    assert len(for_review.tickets()[0].messages) == 4


def test_accepting_a_stranger_can_be_undone(for_review: Desk, ana: User) -> None:
    before = shape(for_review)
    reviewed(for_review, ana, joining.accept_stranger)
    undo_last(for_review, ana, "merged")
    assert shape(for_review) == before
    assert for_review.tickets()[2].review_of is not None


def test_a_stranger_kept_apart_has_a_ticket_and_a_link_and_it_can_be_undone(
    for_review: Desk, ana: User
) -> None:
    reviewed(for_review, ana, joining.keep_apart)
    third = for_review.tickets()[2]
    assert third.review_of is None
    with for_review.sessions() as session:
        assert session.scalars(select(TicketLink.kind)).all() == ["mentions"]
    undo_last(for_review, ana, "kept_apart")
    assert for_review.tickets()[2].review_of is not None


def test_nothing_is_undone_twice(two: Desk, ana: User) -> None:
    do(two, ana, lambda s, first, second, by: joining.merge(s, second, first, by))
    undo_last(two, ana, "merged")
    with pytest.raises(NotAllowed):
        undo_last(two, ana, "merged")


def test_what_is_waiting_to_leave_moves_with_its_message(two: Desk, ana: User) -> None:
    from helpdesk.desk.outbox import Outgoing
    from helpdesk.desk.reply import Draft, send_reply

    def answer_and_merge(session: Session, first: Ticket, second: Ticket, by: By) -> None:
        send_reply(session, second, Draft("Hola.", "k"), agent=by.actor, settings=two.settings, now=by.now)
        joining.merge(session, second, first, by)

    do(two, ana, answer_and_merge)
    with two.sessions() as session:
        row = session.scalars(select(Outgoing).where(Outgoing.reply_id.is_not(None))).one()
        assert row.ticket_id == two.tickets()[0].id
        assert session.get_one(Message, row.reply_id).ticket_id == row.ticket_id
