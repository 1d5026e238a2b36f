"""Tickets and their messages put together and taken apart: merge, move, split, link, review; all of it undoable.

Each act writes an event that holds what it takes to undo it; the undo is an event of its own. Nothing is deleted
but a link. What was changed by people in between stays as they left it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import JSON
from helpdesk.desk.handover import (
    clock_moved,
    clock_of,
    hand_over,
    let_in,
    let_out,
    lock_both,
    message_ids,
    restore_clock,
    take_over_clock,
    waits,
)
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.message import Direction, Message, snippet
from helpdesk.desk.ticket import (
    Event,
    Requester,
    Ticket,
    TicketLink,
    change_status,
    check_not_merged,
    close_numbers,
    is_on_ticket,
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


def merge(
    session: Session, ticket: Ticket, target: Ticket, by: By, *, why: str = "", clock: bool = True
) -> None:
    """Move everything of a ticket into another one; later mail to the first goes there too. Raises NotAllowed.

    The address of the first ticket's requester may write to the other one from now on. `clock`: whoever waited on
    the first ticket waits on the other.
    """
    lock_both(session, ticket, target)
    if ticket.id == target.id:
        raise NotAllowed("Una atención no se puede unir consigo misma.")
    if ticket.merged_into_id is not None or target.merged_into_id is not None:
        raise NotAllowed("Una de las dos atenciones ya está unida a otra.")
    moved = message_ids(session, ticket)
    detail: JSON = {
        "into": target.number,
        "into_id": target.id,
        "messages": moved,
        "status": ticket.status,
        "review_of": ticket.review_of_id,
        "target": clock_of(target),
    }
    hand_over(session, moved, ticket, target)
    let_in(session, ticket, target, actor=by.actor, now=by.now)
    if clock and ticket.status == TicketStatus.OPEN:
        said = f"se le unió {ticket.number}"
        take_over_clock(session, target, ticket.waiting_since, actor=by.actor, now=by.now, why=said)
    _set_status(session, ticket, TicketStatus.CLOSED, by, f"unida a {target.number}")
    ticket.merged_into_id, ticket.review_of_id = target.id, None
    if ticket.urgency and not target.urgency:
        target.urgency = ticket.urgency
        record(session, target, "urgent", now=by.now, actor=by.actor, why=ticket.urgency)
    ticket.updated_at = target.updated_at = by.now
    _say(session, target, "absorbed", by, of=ticket.number)
    _say(session, ticket, "merged", by, why=why, **detail)


def _set_status(session: Session, ticket: Ticket, status: TicketStatus, by: By, why: str) -> None:
    change_status(session, ticket, status, now=by.now, actor=by.actor, why=why)


def _say(session: Session, ticket: Ticket, kind: str, by: By, *, why: str = "", **detail: Any) -> None:
    record(session, ticket, kind, now=by.now, actor=by.actor, why=why, **detail)


def _undo_merge(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    target = session.get_one(Ticket, event.detail["into_id"])
    if ticket.merged_into_id != target.id:
        raise NotAllowed("La atención ya no está unida a aquella.")
    if target.merged_into is not None:
        raise NotAllowed(
            f"{target.number} está unida a su vez a {target.merged_into.number}: deshaga primero eso."
        )
    back = message_ids(session, target, event.detail["messages"])
    hand_over(session, back, target, ticket)
    ticket.merged_into_id, ticket.review_of_id = None, event.detail["review_of"]
    let_out(session, ticket, target)
    why = "unión deshecha"
    _set_status(session, ticket, TicketStatus(event.detail["status"]), by, why)
    restore_clock(session, target, event.detail["target"], event, actor=by.actor, now=by.now, why=why)


def move(session: Session, ticket: Ticket, message: Message, target: Ticket, by: By) -> None:
    """Move one message to another ticket, which waits with it if the first one did.

    Raises NotAllowed for a ticket's only message: that is a merge.
    """
    lock_both(session, ticket, target)
    if ticket.id == target.id:
        raise NotAllowed("El mensaje ya está en esa atención.")
    if target.merged_into_id is not None:
        raise NotAllowed("Esa atención está unida a otra.")
    _check_something_stays(session, ticket, [message])
    before = clock_of(target)
    hand_over(session, [message.id], ticket, target)
    if waits(ticket, message):
        said = f"se movió aquí un mensaje de {ticket.number}"
        take_over_clock(session, target, message.at, actor=by.actor, now=by.now, why=said)
    ticket.updated_at = target.updated_at = by.now
    _say(session, target, "moved_here", by, of=ticket.number, message=message.id)
    moved: JSON = {"to": target.number, "to_id": target.id, "messages": [message.id], "target": before}
    _say(session, ticket, "moved", by, **moved)


def _check_something_stays(session: Session, ticket: Ticket, leaving: Sequence[Message]) -> None:
    """As the database knows it: somebody else may have moved them a moment ago."""
    ids = [message.id for message in leaving]
    if len(message_ids(session, ticket, ids)) < len(ids):
        raise NotAllowed("Ese mensaje no es de esta atención.")
    stays = select(Message.id).where(
        Message.ticket_id == ticket.id,
        Message.id.not_in(ids),
        Message.direction != Direction.NOTE.value,
        Message.undone_at.is_(None),
    )
    if session.scalar(stays.limit(1)) is None:
        raise NotAllowed("Es el único mensaje de la atención: únala a la otra.")


def _undo_move(session: Session, ticket: Ticket, event: Event, by: By) -> None:
    target = session.get_one(Ticket, event.detail["to_id"])
    found = message_ids(session, target, event.detail["messages"])
    if not found:
        raise NotAllowed("El mensaje ya no está en aquella atención.")
    hand_over(session, found, target, ticket)
    if before := event.detail.get("target"):
        why = "movimiento deshecho"
        restore_clock(session, target, before, event, actor=by.actor, now=by.now, why=why)


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
    hand_over(session, ids, ticket, made)
    link(session, made, ticket, "split_from", now=by.now, actor=by.actor)
    _say(session, made, "opened", by, why=f"separada de {ticket.number}")
    _say(session, ticket, "split", by, to=made.number, to_id=made.id, messages=ids)
    return made


def _asks(session: Session, ticket: Ticket, first: Message) -> int | None:
    """Whose matter a message is: its sender's, so that no answer to it goes to somebody else on the ticket."""
    if first.automatic or not is_on_ticket(ticket, first.sender_address):
        return ticket.requester_id
    known = session.scalar(select(Requester.id).where(Requester.email == first.sender_address))
    return known or ticket.requester_id


def _new_ticket(session: Session, ticket: Ticket, first: Message, number: str, by: By) -> Ticket:
    made = Ticket(
        number=number,
        requester_id=_asks(session, ticket, first),
        subject=first.subject or ticket.subject,
        snippet=snippet(first),
        line=ticket.line,
        line_by_agent=ticket.line_by_agent,
        kind=ticket.kind,
        urgency=ticket.urgency,
        topic=ticket.topic,
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
    made = session.get_one(Ticket, event.detail["to_id"])
    merge(session, made, ticket, by, why="separación deshecha", clock=clock_moved(session, made, after=event))


def link_by_hand(session: Session, ticket: Ticket, other: Ticket, by: By) -> None:
    """Say that two tickets have to do with each other. Raises NotAllowed for one and the same."""
    lock_both(session, ticket, other)
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
    lock_both(session, ticket, ticket.review_of or ticket)
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
            TicketLink.ticket_id == ticket.id,
            TicketLink.other_id == event.detail["named_id"],
            TicketLink.kind == "mentions",
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
    other = event.detail.get("into_id") or event.detail.get("to_id")
    lock_both(session, ticket, session.get_one(Ticket, other) if other else ticket)
    events = session.scalars(select(Event).where(Event.ticket_id == ticket.id)).all()
    if event.ticket_id != ticket.id or event.id not in undoable(events):
        raise NotAllowed("Eso no se puede deshacer, o ya se deshizo.")
    if event.kind != "merged":
        check_not_merged(ticket)  # what returns would be seen by nobody
    UNDO[event.kind](session, ticket, event, by)
    ticket.updated_at = by.now
    _say(session, ticket, "undone", by, event=event.id, of=event.kind)
