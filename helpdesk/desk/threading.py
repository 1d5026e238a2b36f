"""Which ticket a mail belongs to: the security boundary of a helpdesk (T01–T03, T14, T15).

A mail joins a ticket when In-Reply-To or References name a Message-ID that we signed for it *and* its sender
is already on that ticket. A number in the subject, a stranger with a good token, anything else: a new ticket.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.desk.message import Direction, Message
from helpdesk.desk.ticket import Ticket, is_on_ticket
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.tokens import tickets_of


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a mail goes and why. `related` is a ticket it names but may not join."""

    ticket: Ticket | None
    why: str
    related: Ticket | None = None


def find_thread(session: Session, mail: ParsedMail, key: str) -> Thread:
    """The thread of a mail. A bounce belongs to the ticket whose own mail it returns."""
    named = [*mail.in_reply_to, *reversed(mail.references)]
    if mail.bounce and mail.bounce.message_id:
        returned = _tickets(session, key, [mail.bounce.message_id])
        if returned:
            return Thread(returned[0], "bounce of a mail of this ticket")
    tickets = _tickets(session, key, named)
    sender = mail.sender[0].address if mail.sender else None
    for ticket in tickets:
        if is_on_ticket(ticket, sender):
            return Thread(ticket, "reply to a mail of ours, from an address on the ticket")
    if tickets:
        return Thread(None, "names a ticket, but its sender is not on it", related=tickets[0])
    return Thread(None, "names no mail of ours")


def _tickets(session: Session, key: str, message_ids: list[str]) -> list[Ticket]:
    found = (session.get(Ticket, ticket_id) for ticket_id in tickets_of(key, message_ids))
    return [ticket for ticket in found if ticket is not None]


def bounced_message(session: Session, mail: ParsedMail) -> Message | None:
    """The message of ours that a bounce returns."""
    if mail.bounce is None or mail.bounce.message_id is None:
        return None
    query = select(Message).where(
        Message.message_id == mail.bounce.message_id, Message.direction == Direction.OUTBOUND
    )
    return session.scalar(query.limit(1))
