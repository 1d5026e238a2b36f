"""Answers of ours that were not written here: from Outlook's Sent folder, or copied to the desk by Cc or Bcc.

They become outbound messages of their ticket and count as answers. What an account's own Sent folder holds is
proved by our signing in to it; a copy that arrives by mail must also name the ticket and have gone to somebody
on it. Nothing else can be done by mail (T04).
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select

from helpdesk.desk.files import attach
from helpdesk.desk.group import Group, Item, draw_ids
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.desk.message import Direction, Message, words_of_mail
from helpdesk.desk.threading import written_to
from helpdesk.desk.ticket import Ticket, change_status, record
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.tokens import ticket_of

SENT_FOLDER = "sent-folder"
COPY = "copy"
OURS_ES = "copia de un correo que salió de aquí"
UNRELATED_ES = "enviado desde el buzón, sin relación con una atención"

Outcome = tuple[MailState, str]


def place_sent(group: Group, raw: RawMail, item: Item) -> Outcome:
    """A mail of the Sent folder: our own copy, an answer on a ticket, or none of our business."""
    if _is_ours(group, item.parsed):
        return MailState.DUPLICATE, OURS_ES
    found = written_to(group.known, raw.id, item.parsed)
    if found is None:
        return MailState.UNRELATED, UNRELATED_ES
    return _add_answer(group, raw, item, *found, how=SENT_FOLDER)


def place_answer(group: Group, raw: RawMail, item: Item) -> Outcome | None:
    """A mail that a person of the desk sent, with a copy to the desk; None when it answers nobody's ticket."""
    if _is_ours(group, item.parsed):
        return MailState.DUPLICATE, OURS_ES
    if item.parsed.automatic:
        return None
    found = written_to(group.known, raw.id, item.parsed)
    if found is None or (item.passed_on and not _is_addressed(item.parsed, found[1])):
        return None  # the desk is asked to do something; whoever wrote the mail has a copy at most
    return _add_answer(group, raw, item, *found, how=COPY)


def _is_addressed(mail: ParsedMail, address: str) -> bool:
    return any(person.address.lower() == address for person in mail.to)


def _is_ours(group: Group, mail: ParsedMail) -> bool:
    return mail.message_id is not None and ticket_of(group.settings.key, mail.message_id) is not None


def _add_answer(
    group: Group, raw: RawMail, item: Item, ticket: Ticket, recipient: str, *, how: str
) -> Outcome:
    session, now, mail = group.session, group.now, item.parsed
    session.flush()  # what the mails before it in this group did to the ticket (it is locked: `look_up`)
    if (twin := _twin(group, ticket, mail)) is not None:
        return MailState.DUPLICATE, f"la misma respuesta que el registro {twin}, por otro camino"
    author = group.staff.get(mail.sender[0].address.lower()) if mail.sender else None
    message = Message(
        id=draw_ids(session, 1)[0].message,
        ticket_id=ticket.id,
        direction=Direction.OUTBOUND.value,
        author_id=author.id if author else None,
        sender_name=mail.sender[0].name if mail.sender else "",
        sender_address=mail.sender[0].address.lower() if mail.sender else None,
        recipient=recipient,
        at=raw.reached_us(now),
        automatic=mail.automatic,
        defects=list(mail.defects),
        written_elsewhere=how,
        raw_mail_id=raw.id,
        **words_of_mail(mail),
    )
    session.add(message)
    attach(session, message, mail.attachments)
    group.known.learn(ticket, mail.message_id)
    if mail.automatic:
        record(session, ticket, "automatic", now=now, why=mail.automatic)
    else:
        _count_answer(group, ticket, message)
    return MailState.FILED, f"{ticket.number}: respuesta escrita fuera de la mesa"


def _twin(group: Group, ticket: Ticket, mail: ParsedMail) -> int | None:
    """The ledger row of the same answer, which its mail server may have given other parts and boundaries (T10)."""
    if mail.message_id not in group.message_ids:
        return None
    query = select(Message.raw_mail_id, Message.subject, Message.new_text).where(
        Message.ticket_id == ticket.id,
        Message.message_id == mail.message_id,
        Message.written_elsewhere.is_not(None),
    )
    words = mail.new_text.split()
    rows = group.session.execute(query)
    return next((row[0] for row in rows if row[1] == mail.subject and row[2].split() == words), None)


def _count_answer(group: Group, ticket: Ticket, message: Message) -> None:
    """An answer stops the clock, unless the requester has written since."""
    session, now = group.session, group.now
    record(
        session,
        ticket,
        "answered_elsewhere",
        now=now,
        why=message.written_elsewhere or "",
        message=message.id,
    )
    if ticket.first_response_at is None:
        ticket.first_response_at = max(message.at, ticket.opened_at)
    if ticket.status != TicketStatus.OPEN or message.at < ticket.waiting_since:
        return
    if (later := _wrote_since(group, message)) is not None:
        ticket.waiting_since = later
    else:
        change_status(session, ticket, TicketStatus.WAITING, now=now, actor=None, why="respuesta enviada")


def _wrote_since(group: Group, answer: Message) -> dt.datetime | None:
    """When a person first wrote on the ticket after this answer, which was found late."""
    query = select(func.min(Message.at)).where(
        Message.ticket_id == answer.ticket_id,
        Message.direction == Direction.INBOUND.value,
        Message.automatic.is_(None),
        Message.at > answer.at,
    )
    return group.session.scalar(query)
