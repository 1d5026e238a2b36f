"""What a ticket hands over to another one, and gets back: messages, people, and who waits since when.

In: the rows. Not in: who may do it, and what the histories say of it (`joining.py`). Every function expects both
tickets to be locked (`lock_both`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import JSON
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.ticket import Event, Participant, Ticket, change_status, lock_ticket

# Events after which a ticket's state is no longer the one that an act of ours found or made.
_CLOCK_EVENTS = ("joined", "answered_elsewhere", "replied", "reply_undone", "status_changed", "moved_here")


def lock_both(session: Session, one: Ticket, other: Ticket) -> None:
    """Hold two tickets until the commit, always in the same order: nobody waits in a ring."""
    for ticket in sorted({one.id: one, other.id: other}.values(), key=lambda row: row.id):
        lock_ticket(session, ticket)


def hand_over(session: Session, ids: Sequence[int], ticket: Ticket, target: Ticket) -> None:
    """Messages of one ticket become the other's, with what is on its way out."""
    for table, column in ((Message, Message.id), (Outgoing, Outgoing.reply_id)):
        session.execute(update(table).where(column.in_(ids)).values(ticket_id=target.id))
    for row in (ticket, target):
        session.expire(row, ["messages"])


def message_ids(session: Session, ticket: Ticket, among: Sequence[int] | None = None) -> list[int]:
    """The ids of a ticket's messages: all, or those of `among` that are on it."""
    query = select(Message.id).where(Message.ticket_id == ticket.id).order_by(Message.id)
    return list(session.scalars(query if among is None else query.where(Message.id.in_(among))))


def people_of(ticket: Ticket) -> dict[str, str]:
    """Names by address: who may write to a ticket. A robot is nobody who would be written to."""
    people = {person.address: person.name for person in ticket.participants}
    if ticket.requester is not None and not ticket.automatic:
        people[ticket.requester.email] = ticket.requester.name
    return people


def let_in(session: Session, ticket: Ticket, target: Ticket, *, actor: User, now: dt.datetime) -> None:
    """Whoever may write to a ticket may write to the other one from now on."""
    known = {person.address for person in target.participants}
    if target.requester is not None:
        known.add(target.requester.email)
    session.add_all(
        Participant(ticket_id=target.id, address=address, name=name, added_at=now, added_by_id=actor.id)
        for address, name in people_of(ticket).items()
        if address not in known
    )
    session.flush()
    session.expire(target, ["participants"])


def let_out(session: Session, ticket: Ticket, target: Ticket) -> None:
    """The reverse, for a ticket that is merged no more: whom no other merged ticket brought may not write any more.

    Nobody but merged tickets brings participants.
    """
    session.flush()
    still = session.scalars(select(Ticket).where(Ticket.merged_into_id == target.id)).all()
    needed = {address for other in still for address in people_of(other)}
    leaving = set(people_of(ticket)) - needed
    session.execute(
        delete(Participant).where(Participant.ticket_id == target.id, Participant.address.in_(leaving))
    )
    session.expire(target, ["participants"])


def clock_of(ticket: Ticket) -> JSON:
    """What `restore_clock` needs."""
    return {"status": ticket.status, "waiting_since": ticket.waiting_since.isoformat()}


def take_over_clock(
    session: Session, target: Ticket, waiting_since: dt.datetime, *, actor: User, now: dt.datetime, why: str
) -> None:
    """Whoever waited on the first ticket goes on waiting on the other."""
    already = target.status == TicketStatus.OPEN
    target.waiting_since = min(target.waiting_since, waiting_since) if already else waiting_since
    change_status(session, target, TicketStatus.OPEN, now=now, actor=actor, why=why)


def waits(ticket: Ticket, message: Message) -> bool:
    """Whether a message is one that its open ticket waits with."""
    by_a_person = message.direction == Direction.INBOUND and message.automatic is None
    return ticket.status == TicketStatus.OPEN and by_a_person and message.at >= ticket.waiting_since


def clock_moved(session: Session, ticket: Ticket, after: Event) -> bool:
    """Whether anything happened on a ticket since that its state depends on."""
    later = (Event.ticket_id == ticket.id, Event.id > after.id)
    still_merged = exists().where(
        Ticket.number == Event.detail["of"].astext, Ticket.merged_into_id == ticket.id
    )
    tells = or_(Event.kind.in_(_CLOCK_EVENTS), (Event.kind == "absorbed") & still_merged)
    return session.scalar(select(Event.id).where(*later, tells).limit(1)) is not None


def restore_clock(
    session: Session, target: Ticket, before: JSON, since: Event, *, actor: User, now: dt.datetime, why: str
) -> None:
    """The state that a ticket was in before an act, unless more has happened since: nobody who waits is forgotten."""
    if clock_moved(session, target, since):
        return
    target.waiting_since = dt.datetime.fromisoformat(before["waiting_since"])
    change_status(session, target, TicketStatus(before["status"]), now=now, actor=actor, why=why)
