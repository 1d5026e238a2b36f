"""Tickets and their messages put together and taken apart: merge, move, split, link, review; all of it undoable.

Each act writes an event that holds what it takes to undo it; the undo is an event of its own. Nothing is deleted
but a link. What was changed by people in between stays as they left it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import JSON
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.ticket import (
    Event,
    Participant,
    Ticket,
    TicketLink,
    change_status,
    close_numbers,
    link,
    lock_ticket,
    open_numbers,
    record,
)
from helpdesk.errors import NotAllowed


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and when."""

    actor: User
    now: dt.datetime


def merge(session: Session, ticket: Ticket, target: Ticket, by: By, *, why: str = "") -> None:
    """Move everything of a ticket into another one; later mail to the first goes there too. Raises NotAllowed.

    The address of the first ticket's requester may write to the other one from now on.
    """
    _lock_both(session, ticket, target)
    if ticket.id == target.id:
        raise NotAllowed("Una atención no se puede unir consigo misma.")
    if ticket.merged_into_id is not None or target.merged_into_id is not None:
        raise NotAllowed("Una de las dos atenciones ya está unida a otra.")
    detail: JSON = {
        "into": target.number,
        "into_id": target.id,
        "messages": _move_all(session, ticket, target),
        "status": ticket.status,
        "review_of": ticket.review_of_id,
        "target": _clock_of(target),
        "participants": _let_in(session, target, ticket, by),
    }
    _take_over_clock(session, ticket, target, by)
    change_status(
        session, ticket, TicketStatus.CLOSED, now=by.now, actor=by.actor, why=f"unida a {target.number}"
    )
    ticket.merged_into_id, ticket.review_of_id = target.id, None
    ticket.updated_at = target.updated_at = by.now
    _say(session, target, "absorbed", by, of=ticket.number)
    _say(session, ticket, "merged", by, why=why, **detail)


def _lock_both(session: Session, one: Ticket, other: Ticket) -> None:
    for ticket in sorted({one.id: one, other.id: other}.values(), key=lambda row: row.id):
        lock_ticket(session, ticket)


def _say(session: Session, ticket: Ticket, kind: str, by: By, *, why: str = "", **detail: Any) -> None:
    record(session, ticket, kind, now=by.now, actor=by.actor, why=why, **detail)


def _move(session: Session, ids: Sequence[int], target_id: int) -> None:
    for table, column in ((Message, Message.id), (Outgoing, Outgoing.reply_id)):
        session.execute(update(table).where(column.in_(ids)).values(ticket_id=target_id))


def _move_all(session: Session, ticket: Ticket, target: Ticket) -> list[int]:
    ids = list(session.scalars(select(Message.id).where(Message.ticket_id == ticket.id)))
    _move(session, ids, target.id)
    session.expire(ticket, ["messages"])
    session.expire(target, ["messages"])
    return ids


def _let_in(session: Session, target: Ticket, ticket: Ticket, by: By) -> list[int]:
    """The addresses of a ticket may write to the other one from now on; returns the rows that were made."""
    people = {person.address: person.name for person in ticket.participants}
    if ticket.requester is not None:
        people[ticket.requester.email] = ticket.requester.name
    known = {person.address for person in target.participants}
    if target.requester is not None:
        known.add(target.requester.email)
    made = [
        Participant(ticket_id=target.id, address=address, name=name, added_at=by.now, added_by_id=by.actor.id)
        for address, name in people.items()
        if address not in known
    ]
    session.add_all(made)
    session.flush()
    session.expire(target, ["participants"])
    return [row.id for row in made]


def _clock_of(ticket: Ticket) -> JSON:
    return {"status": ticket.status, "waiting_since": ticket.waiting_since.isoformat()}


def _take_over_clock(session: Session, ticket: Ticket, target: Ticket, by: By) -> None:
    """Whoever waited on the first ticket goes on waiting on the other."""
    if ticket.status != TicketStatus.OPEN:
        return
    already = target.status == TicketStatus.OPEN
    target.waiting_since = (
        min(target.waiting_since, ticket.waiting_since) if already else ticket.waiting_since
    )
    why = f"se le unió {ticket.number}"
    change_status(session, target, TicketStatus.OPEN, now=by.now, actor=by.actor, why=why)


def _undo_merge(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    target = session.get_one(Ticket, event.detail["into_id"])
    _lock_both(session, ticket, target)
    if ticket.merged_into_id != target.id:
        raise NotAllowed("La atención ya no está unida a aquella.")
    still_there = select(Message.id).where(
        Message.id.in_(event.detail["messages"]), Message.ticket_id == target.id
    )
    _move(session, list(session.scalars(still_there)), ticket.id)
    session.execute(delete(Participant).where(Participant.id.in_(event.detail["participants"])))
    ticket.merged_into_id, ticket.review_of_id = None, event.detail["review_of"]
    change_status(
        session,
        ticket,
        TicketStatus(event.detail["status"]),
        now=by.now,
        actor=by.actor,
        why="unión deshecha",
    )
    _restore_clock(session, target, event.detail["target"], by)
    for row in (ticket, target):
        session.expire(row, ["messages", "participants"])


def _restore_clock(session: Session, target: Ticket, before: JSON, by: By) -> None:
    """The other ticket's state, unless somebody has written on it since."""
    wrote = select(Message.id).where(Message.ticket_id == target.id, Message.at > target.updated_at).limit(1)
    if session.scalar(wrote) is None:
        target.waiting_since = dt.datetime.fromisoformat(before["waiting_since"])
        status = TicketStatus(before["status"])
        change_status(session, target, status, now=by.now, actor=by.actor, why="unión deshecha")


def move(session: Session, ticket: Ticket, message: Message, target: Ticket, by: By) -> None:
    """Move one message to another ticket. Raises NotAllowed for a ticket's only message: that is a merge."""
    _lock_both(session, ticket, target)
    if ticket.id == target.id:
        raise NotAllowed("El mensaje ya está en esa atención.")
    if target.merged_into_id is not None:
        raise NotAllowed("Esa atención está unida a otra.")
    _check_something_stays(session, ticket, [message])
    _move(session, [message.id], target.id)
    for row in (ticket, target):
        session.expire(row, ["messages"])
        row.updated_at = by.now
    _say(session, target, "moved_here", by, of=ticket.number, message=message.id)
    _say(session, ticket, "moved", by, to=target.number, to_id=target.id, messages=[message.id])


def _check_something_stays(session: Session, ticket: Ticket, leaving: Sequence[Message]) -> None:
    ids = [message.id for message in leaving]
    if any(message.ticket_id != ticket.id for message in leaving):
        raise NotAllowed("Ese mensaje no es de esta atención.")
    stays = select(Message.id).where(
        Message.ticket_id == ticket.id, Message.id.not_in(ids), Message.direction != Direction.NOTE.value
    )
    if session.scalar(stays.limit(1)) is None:
        raise NotAllowed("Es el único mensaje de la atención: únala a la otra.")


def _undo_move(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    target = session.get_one(Ticket, event.detail["to_id"])
    _lock_both(session, ticket, target)
    found = session.scalars(
        select(Message.id).where(Message.id.in_(event.detail["messages"]), Message.ticket_id == target.id)
    ).all()
    if not found:
        raise NotAllowed("El mensaje ya no está en aquella atención.")
    _move(session, found, ticket.id)
    for row in (ticket, target):
        session.expire(row, ["messages"])


def split(session: Session, ticket: Ticket, messages: Sequence[Message], by: By) -> Ticket:
    """Make a ticket of its own out of some messages; it is linked to the first. Raises NotAllowed."""
    numbers = open_numbers(session, by.now)  # first, as filing does: nobody waits in a ring
    lock_ticket(session, ticket)
    inbound = next((row for row in messages if row.direction == Direction.INBOUND), None)
    if inbound is None:
        raise NotAllowed("Elija al menos un mensaje que haya llegado.")
    _check_something_stays(session, ticket, messages)
    made = _new_ticket(session, ticket, inbound, numbers.take(), by)
    close_numbers(session, numbers)
    ids = [message.id for message in messages]
    _move(session, ids, made.id)
    session.expire(ticket, ["messages"])
    link(session, made, ticket, "split_from", now=by.now, actor=by.actor)
    _say(session, made, "opened", by, why=f"separada de {ticket.number}")
    _say(session, ticket, "split", by, to=made.number, to_id=made.id, messages=ids)
    return made


def _new_ticket(session: Session, ticket: Ticket, first: Message, number: str, by: By) -> Ticket:
    made = Ticket(
        number=number,
        requester_id=ticket.requester_id,
        subject=first.subject or ticket.subject,
        snippet=" ".join(first.new_text.split())[:160],
        line=ticket.line,
        line_by_agent=ticket.line_by_agent,
        status=TicketStatus.OPEN.value,
        assignee_id=ticket.assignee_id,
        opened_at=first.at,
        waiting_since=first.at,
        updated_at=by.now,
    )
    session.add(made)
    session.flush()
    return made


def _undo_split(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    """The messages return; the ticket that was made stays in the records, merged into the first."""
    merge(session, session.get_one(Ticket, event.detail["to_id"]), ticket, by, why="separación deshecha")


def link_by_hand(session: Session, ticket: Ticket, other: Ticket, by: By) -> None:
    """Say that two tickets have to do with each other. Raises NotAllowed for one and the same."""
    if ticket.id == other.id:
        raise NotAllowed("Una atención no se enlaza consigo misma.")
    link(session, ticket, other, "see_also", now=by.now, actor=by.actor)


def links_of(session: Session, ticket: Ticket) -> list[tuple[str, Ticket]]:
    """What a ticket is linked with, both ways: how, and the other ticket. `…_back` reads from the other side."""
    there = session.execute(
        select(TicketLink.kind, Ticket)
        .join(Ticket, Ticket.id == TicketLink.other_id)
        .where(TicketLink.ticket_id == ticket.id)
    )
    back = session.execute(
        select(TicketLink.kind, Ticket)
        .join(Ticket, Ticket.id == TicketLink.ticket_id)
        .where(TicketLink.other_id == ticket.id)
    )
    return [*((kind, other) for kind, other in there), *((f"{kind}_back", other) for kind, other in back)]


def _undo_link(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    gone = session.execute(delete(TicketLink).where(TicketLink.id == event.detail["link"]))
    if not getattr(gone, "rowcount", 0):
        raise NotAllowed("El enlace ya no existe.")


def accept_stranger(session: Session, ticket: Ticket, by: By) -> None:
    """ "Por revisar": the mail belongs to the ticket it names, and its sender may write there. Raises NotAllowed."""
    if ticket.review_of is None:
        raise NotAllowed("Esta atención ya fue revisada.")
    target = ticket.review_of
    while target.merged_into is not None:
        target = target.merged_into
    merge(session, ticket, target, by, why="revisada: corresponde a esa atención")


def keep_apart(session: Session, ticket: Ticket, by: By) -> None:
    """ "Por revisar": the mail is a matter of its own; the link to what it names stays. Raises NotAllowed."""
    lock_ticket(session, ticket)
    if ticket.review_of is None:
        raise NotAllowed("Esta atención ya fue revisada.")
    named = ticket.review_of
    ticket.review_of_id = None
    link(session, ticket, named, "mentions", now=by.now, actor=by.actor)
    _say(session, ticket, "kept_apart", by, named=named.number, named_id=named.id)


def _undo_keep_apart(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    ticket.review_of_id = event.detail["named_id"]
    session.execute(
        delete(TicketLink).where(
            TicketLink.ticket_id == ticket.id, TicketLink.other_id == event.detail["named_id"]
        )
    )


UNDO: dict[str, Callable[[Session, Ticket, Event, By], None]] = {
    "merged": _undo_merge,
    "moved": _undo_move,
    "split": _undo_split,
    "linked": _undo_link,
    "kept_apart": _undo_keep_apart,
}


def undoable(events: Sequence[Event]) -> set[int]:
    """The events of a history that can be undone: those with a way back that nobody has gone yet."""
    undone = {event.detail.get("event") for event in events if event.kind == "undone"}
    return {
        event.id
        for event in events
        if event.kind in UNDO
        and event.id not in undone
        and (event.kind != "linked" or "link" in event.detail)
    }


def undo(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    """Go back on one act. Raises NotAllowed when it cannot be undone, or was undone before."""
    lock_ticket(session, ticket)
    events = session.scalars(select(Event).where(Event.ticket_id == ticket.id)).all()
    if event.ticket_id != ticket.id or event.id not in undoable(events):
        raise NotAllowed("Eso no se puede deshacer, o ya se deshizo.")
    UNDO[event.kind](session, ticket, event, by)
    ticket.updated_at = by.now
    _say(session, ticket, "undone", by, event=event.id, of=event.kind)
