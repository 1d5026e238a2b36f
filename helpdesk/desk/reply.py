"""The agent's side of the talk: replies with an undo window, internal notes, drafts from answers."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.desk import outbox
from helpdesk.desk.answers import Answer
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from helpdesk.desk.message import Direction, Message, last_public_message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.suggestions import note_used
from helpdesk.desk.ticket import Ticket, assign, change_status, lock_ticket, record
from helpdesk.desk.words import LINES_ES
from helpdesk.errors import NotAllowed, ReplyRefused, StaleReply
from helpdesk.mail.compose import Letter, build
from helpdesk.mail.tokens import make_message_id
from helpdesk.settings import LIMA, Settings
from templates.catalogue import read_notice
from templates.placeholders import fill, unfilled
from templates.rendering import Rendered, render

GREETING_WITHOUT_NAME = "señora, señor"
REPLY_CHARACTERS = 100_000

_NOT_IN_NAMES = re.compile(r"[^\w\s'’.,&-]|_")
_DOTTED = re.compile(r"\.(?=\w)")  # evil.example would become a link


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply as the agent left it. `last_seen` is the newest message on the page it was written on."""

    text: str
    idempotency_key: str
    last_seen: int | None = None
    answer: str | None = None
    close: bool = False


def facts(ticket: Ticket, agent: User, now: dt.datetime) -> dict[str, str]:
    """What the placeholders stand for on this ticket; what is not known stays for the agent to fill in."""
    name = plain_name(ticket.requester.name) if ticket.requester else ""
    return {
        "nombre": name or GREETING_WITHOUT_NAME,
        "numero": ticket.number,
        "agente": agent.name,
        "linea": LINES_ES.get(ticket.line or "", ""),
        "fecha": now.astimezone(LIMA).strftime("%d/%m/%Y"),
    }


def plain_name(name: str) -> str:
    """A sender's name without anything that Markdown or a link finder would read as more than a name."""
    return " ".join(_DOTTED.sub(". ", _NOT_IN_NAMES.sub(" ", name)).split())


def draft_from(answer: Answer, ticket: Ticket, agent: User, now: dt.datetime) -> str:
    """An answer's text with everything known filled in."""
    return fill(answer.body, facts(ticket, agent, now))


def rendered_reply(ticket: Ticket, text: str, settings: Settings) -> Rendered:
    """Exactly what the citizen gets: the agent's text and the footer."""
    footer = fill(read_notice("footer").body, {"numero": ticket.number})
    return render(f"{text.strip()}\n\n{footer}", title=reply_subject(ticket))


def reply_subject(ticket: Ticket) -> str:
    """The subject of our replies: the requester's, with the number."""
    subject = ticket.subject.removeprefix("Re: ") or "Su consulta"
    return f"Re: {subject} [{ticket.number}]"


def check_sendable(session: Session, ticket: Ticket, draft: Draft) -> str:
    """The recipient's address. Raises ReplyRefused or StaleReply with a sentence for the agent."""
    if ticket.requester is None:
        raise ReplyRefused("No se conoce el correo del remitente: no es posible responder.")
    if not draft.text.strip():
        raise ReplyRefused("Escriba la respuesta antes de enviarla.")
    if len(draft.text) > REPLY_CHARACTERS:
        raise ReplyRefused("La respuesta es demasiado larga.")
    if holes := unfilled(draft.text):
        raise ReplyRefused(f"Falta completar: {', '.join(holes)}. No se envió nada.")
    newest = last_public_message(session, ticket)
    if draft.last_seen is not None and newest is not None and newest.id > draft.last_seen:
        raise StaleReply("Llegó o se envió otro mensaje mientras usted escribía. Revíselo antes de enviar.")
    return ticket.requester.email


def check_same_reply(already: Outgoing, ticket: Ticket, draft: Draft) -> Outgoing:
    """The reply that a form queued before, if this is the same one. Raises StaleReply when it would be dropped."""
    same = already.reply is not None and already.reply.new_text == draft.text.strip()
    if already.ticket_id != ticket.id or already.state == OutgoingState.CANCELLED or not same:
        raise StaleReply(
            "Esta página ya envió una respuesta. Revise el texto y envíelo si todavía hace falta."
        )
    return already


def send_reply(
    session: Session, ticket: Ticket, draft: Draft, *, agent: User, settings: Settings, now: dt.datetime
) -> Outgoing:
    """Queue a reply; it leaves when the undo window is over. The same key queues the same reply once (T60)."""
    lock_ticket(session, ticket)
    already = session.scalar(select(Outgoing).where(Outgoing.idempotency_key == draft.idempotency_key))
    if already is not None:
        return check_same_reply(already, ticket, draft)
    recipient = check_sendable(session, ticket, draft)
    message = _message(session, ticket, draft, recipient, agent=agent, settings=settings, now=now)
    outgoing = _outgoing(ticket, message, draft, settings, now)
    session.add(outgoing)
    session.flush()
    if draft.answer:
        note_used(session, ticket, draft.answer, now=now, actor=agent)
    record(session, ticket, "replied", now=now, actor=agent, message=message.id)
    if ticket.assignee_id is None:
        assign(session, ticket, agent, now=now, actor=agent)
    status = TicketStatus.CLOSED if draft.close else TicketStatus.WAITING
    change_status(session, ticket, status, now=now, actor=agent, why="respuesta enviada")
    return outgoing


def _message(
    session: Session,
    ticket: Ticket,
    draft: Draft,
    recipient: str,
    *,
    agent: User,
    settings: Settings,
    now: dt.datetime,
) -> Message:
    answered = last_public_message(session, ticket, by_people=True)
    chain = [*answered.references, answered.message_id] if answered else []
    rendered = rendered_reply(ticket, draft.text, settings)
    message = Message(
        ticket_id=ticket.id,
        direction=Direction.OUTBOUND.value,
        author_id=agent.id,
        sender_name=settings.mail_from_name,
        sender_address=settings.mail_from,
        recipient=recipient,
        subject=reply_subject(ticket),
        text=rendered.text,
        new_text=draft.text.strip(),
        html=rendered.html,
        message_id=make_message_id(settings.key, ticket.id, settings.mail_domain),
        references=[item for item in chain if item],
        written_at=now,
        at=now,
    )
    session.add(message)
    session.flush()
    return message


def _outgoing(
    ticket: Ticket, message: Message, draft: Draft, settings: Settings, now: dt.datetime
) -> Outgoing:
    assert ticket.requester is not None
    assert message.recipient is not None
    assert message.message_id is not None
    letter = Letter(
        sender_name=settings.mail_from_name,
        sender=settings.mail_from,
        recipient_name=ticket.requester.name,
        recipient=message.recipient,
        subject=message.subject,
        text=message.text,
        html=message.html,
        message_id=message.message_id,
        at=now,
        in_reply_to=message.references[-1] if message.references else None,
        references=tuple(message.references),
    )
    return Outgoing(
        ticket_id=ticket.id,
        reply_id=message.id,
        idempotency_key=draft.idempotency_key,
        message_id=message.message_id,
        envelope_from=settings.mail_from,
        recipient=message.recipient,
        content=build(letter),
        send_at=now + dt.timedelta(seconds=settings.undo_s),
        created_at=now,
    )


def undo_reply(session: Session, ticket: Ticket, reply: Message, *, agent: User, now: dt.datetime) -> str:
    """Take a reply back within its window and return its text for the composer. Raises NotAllowed."""
    if reply.ticket_id != ticket.id:
        raise NotAllowed("Esa respuesta no es de esta atención.")
    outbox.cancel(session, reply)
    reply.undone_at = now
    record(session, ticket, "reply_undone", now=now, actor=agent, message=reply.id)
    change_status(session, ticket, TicketStatus.OPEN, now=now, actor=agent, why="respuesta deshecha")
    return reply.new_text


def add_note(session: Session, ticket: Ticket, text: str, *, agent: User, now: dt.datetime) -> Message:
    """Write an internal note; it never leaves the desk. Raises ReplyRefused when it is empty."""
    if not text.strip():
        raise ReplyRefused("Escriba la nota antes de guardarla.")
    note = Message(
        ticket_id=ticket.id,
        direction=Direction.NOTE.value,
        author_id=agent.id,
        sender_name=agent.name,
        text=text.strip(),
        new_text=text.strip(),
        at=now,
    )
    session.add(note)
    session.flush()
    ticket.updated_at = now
    record(session, ticket, "noted", now=now, actor=agent, message=note.id)
    return note
