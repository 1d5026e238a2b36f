"""A visitor whose case the filing is not for asks a person: the page's words become a ticket like any other."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Session

from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.message import SNIPPET_CHARACTERS, Direction, Message
from helpdesk.desk.ticket import (
    WEB,
    Person,
    Ticket,
    close_numbers,
    find_or_add_requesters,
    open_numbers,
    record,
)

LINE = "foreigner"
SUBJECT = "Consulta desde la página de la constancia"


def ask_a_person(session: Session, answers: dict[str, Any], now: dt.datetime) -> Ticket:
    """Open a ticket of what was written: `email`, `name`, `question`. The address was not confirmed."""
    person = Person(answers["email"], answers["name"], "es")
    requester = find_or_add_requesters(session, [person], now)[person.address]
    numbers = open_numbers(session, now)
    ticket = Ticket(
        number=numbers.take(),
        channel=WEB,
        requester=requester,
        subject=SUBJECT,
        snippet=answers["question"][:SNIPPET_CHARACTERS],
        line=LINE,
        status=TicketStatus.OPEN.value,
        opened_at=now,
        waiting_since=now,
        updated_at=now,
    )
    session.add(ticket)
    close_numbers(session, numbers)
    session.flush()
    session.add(
        Message(
            ticket_id=ticket.id,
            direction=Direction.INBOUND.value,
            sender_name=person.name,
            sender_address=person.address,
            subject=SUBJECT,
            text=answers["question"],
            new_text=answers["question"],
            written_at=now,
            at=now,
        )
    )
    record(session, ticket, "opened", now=now, why="lo escribió en la página de la constancia")
    return ticket
