"""Which ticket a mail belongs to: the security boundary of a helpdesk (T01–T03, T14, T15).

A mail joins a ticket when In-Reply-To or References name a Message-ID that we signed for it *and* its sender
is already on that ticket. A number in the subject, a stranger with a good token, anything else: a new ticket.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.desk.outbox import Outgoing
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
    """The thread of a mail. A delivery report belongs to the ticket of the mail that it returns."""
    returned = returned_mail(session, mail)
    if returned is not None:
        return Thread(returned.ticket, "informe de entrega de un correo de esta atención")
    tickets = _tickets(session, key, [*mail.in_reply_to, *reversed(mail.references)])
    sender = mail.sender[0].address if mail.sender else None
    for ticket in tickets:
        if is_on_ticket(ticket, sender):
            return Thread(ticket, "responde a un correo nuestro, desde una dirección de esta atención")
    if tickets:
        return Thread(None, "su remitente no está en la atención que menciona", related=tickets[0])
    return Thread(None, "no responde a ningún correo nuestro")


def _tickets(session: Session, key: str, message_ids: list[str]) -> list[Ticket]:
    found = (session.get(Ticket, ticket_id) for ticket_id in tickets_of(key, message_ids))
    return [ticket for ticket in found if ticket is not None]


def returned_mail(session: Session, mail: ParsedMail) -> Outgoing | None:
    """The mail of ours that a delivery report returns: it must name its Message-ID *and* whom it was sent to.

    Anybody can call himself mailer-daemon; a Message-ID alone would let whoever knows one into the ticket.
    """
    bounce = mail.bounce
    if bounce is None or bounce.message_id is None or bounce.recipient is None:
        return None
    query = select(Outgoing).where(
        Outgoing.message_id == bounce.message_id, Outgoing.recipient == bounce.recipient.lower()
    )
    return session.scalar(query)
