"""A mail that could not be parsed becomes a ticket by a person's decision, made of what can be had of it.

In: sender and subject by a look at the header, the beginning of its source as text, the whole as a file. Not in:
threads, lines, suggestions and acknowledgements, which need a mail that can be read; an agent decides them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from helpdesk.accounts.users import User
from helpdesk.desk.files import attach
from helpdesk.desk.ledger import RawMail, filed_twins, lock_filing, settle
from helpdesk.desk.ledger_page import harmless_text
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.ticket import (
    Person,
    Ticket,
    close_numbers,
    find_or_add_requesters,
    open_numbers,
    record,
)
from helpdesk.errors import NotAllowed
from helpdesk.mail.parsed import ParsedAttachment
from helpdesk.mail.peek import Peek, peek

TEXT_CHARACTERS = 20_000
NO_SUBJECT = "(sin asunto)"
SNIPPET = "Correo que no se pudo leer; el original está adjunto."
WHY = "se archivó a mano: el correo no se pudo leer"


def file_by_hand(
    session: Session, mail: RawMail, *, own: Collection[str], now: dt.datetime, actor: User
) -> Ticket:
    """The ticket of a mail that was set aside. `own` are our addresses, which are nobody's requester.

    Of the very same mail that is filed already no second ticket is made: it becomes a duplicate, and the ticket
    that there is is returned. Raises NotAllowed when the mail is not set aside (any more), or its bytes are damaged.
    """
    lock_filing(session)
    session.refresh(mail, with_for_update={"of": RawMail})
    if mail.state != MailState.SET_ASIDE.value:
        raise NotAllowed("Este correo ya no está apartado.")
    if twin := filed_twins(session, [mail]).get(mail.sha256):
        return _repeats(session, mail, twin)
    raw = _bytes_of(session, mail)
    why = mail.reason or ""
    known = peek(raw)
    ticket = _open(session, mail, known, own, now)
    message = _message(ticket, mail, known, raw)
    session.add(message)
    session.flush()
    attach(session, message, (_original(mail, raw),))
    record(session, ticket, "filed_by_hand", now=now, actor=actor, why=why, message=message.id)
    settle(mail, MailState.FILED, f"{ticket.number}: {WHY}")
    return ticket


def _repeats(session: Session, mail: RawMail, twin: int) -> Ticket:
    settle(mail, MailState.RECEIVED, "")
    settle(mail, MailState.DUPLICATE, f"el mismo correo que el registro {twin}")
    query = select(Ticket).join(Message, Message.ticket_id == Ticket.id).where(Message.raw_mail_id == twin)
    return session.scalars(query).one()


def _bytes_of(session: Session, mail: RawMail) -> bytes:
    loaded = session.get_one(RawMail, mail.id, options=[undefer(RawMail.raw)], populate_existing=True)
    if not loaded.is_intact:
        raise NotAllowed(
            "Correo dañado: lo guardado ya no es lo que llegó. Avise a quien administra la mesa."
        )
    return loaded.raw or b""


def _open(session: Session, mail: RawMail, known: Peek, own: Collection[str], now: dt.datetime) -> Ticket:
    found = known.sender
    asks = [Person(found.address, found.name, None)] if found and found.address.lower() not in own else []
    requesters = find_or_add_requesters(session, asks, now)
    numbers = open_numbers(session, now)
    arrived = mail.reached_us(now)
    ticket = Ticket(
        number=numbers.take(),
        requester=next(iter(requesters.values()), None),
        subject=known.subject or NO_SUBJECT,
        snippet=SNIPPET,
        line=None,
        status=TicketStatus.OPEN.value,
        opened_at=arrived,
        waiting_since=arrived,
        updated_at=now,
    )
    session.add(ticket)
    close_numbers(session, numbers)
    session.flush()
    return ticket


def _message(ticket: Ticket, mail: RawMail, known: Peek, raw: bytes) -> Message:
    text = harmless_text(raw[: 4 * TEXT_CHARACTERS])[:TEXT_CHARACTERS]
    return Message(
        ticket_id=ticket.id,
        direction=Direction.INBOUND.value,
        sender_name=known.sender.name if known.sender else "",
        sender_address=known.sender.address.lower() if known.sender else None,
        subject=known.subject,
        text=text,
        new_text=text,
        message_id=known.message_id,
        written_at=known.written_at,
        at=ticket.opened_at,
        defects=["filed-by-hand"],
        raw_mail_id=mail.id,
    )


def _original(mail: RawMail, raw: bytes) -> ParsedAttachment:
    return ParsedAttachment(
        name=f"correo-{mail.id}.eml",
        type="message/rfc822",
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        inline=False,
        content_id=None,
        content=raw,
    )
