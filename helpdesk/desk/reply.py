"""The agent's side of the talk: replies with an undo window, and internal notes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.desk import outbox
from helpdesk.desk.answer_uses import AnswerUse
from helpdesk.desk.answers import Answer, AnswerFile, approved_answer
from helpdesk.desk.files import attach_copies
from helpdesk.desk.letters import (
    LOCALES,
    changed_share,
    files_of,
    language_of_letter,
    rendered_reply,
    reply_subject,
)
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from helpdesk.desk.message import Direction, Message, last_public_message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.suggestions import Sending, note_sent, note_undone
from helpdesk.desk.ticket import Event, Participant, Ticket, assign, change_status, lock_ticket, record
from helpdesk.errors import NotAllowed, ReplyRefused, StaleReply
from helpdesk.mail.compose import Enclosure, Letter, Person, build
from helpdesk.mail.tokens import make_message_id, plus_address
from helpdesk.settings import LIMA, Settings
from templates.placeholders import unfilled

# A page that was open for longer was not only written on.
WRITING_AT_MOST = dt.timedelta(hours=1)
REPLY_CHARACTERS = 100_000
# More people than these are not chosen by themselves: whoever answers must want it (T59).
PRESELECTED_COPIES = 10
MOST_COPIES = 50
SCHEDULE_AT_MOST = dt.timedelta(days=90)
# Of several answers together: base64 adds a third, and many a mailbox takes no more than 10 MB.
MOST_ATTACHED_BYTES = 7_000_000

AnswerKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply as the agent left it. `last_seen` is the newest message on the page it was written on.

    `answers`: the template answers that were put into it, in order, each a slug and a language. `files`: which of
    their files go along. `cc`: the addresses chosen for a copy; None before anybody chose. `send_at`: for later; None
    for now. `opened_at`: when the page was opened that it was written on.
    """

    text: str
    idempotency_key: str
    last_seen: int | None = None
    answers: tuple[AnswerKey, ...] = ()
    files: tuple[int, ...] = ()
    close: bool = False
    cc: tuple[str, ...] | None = None
    send_at: dt.datetime | None = None
    opened_at: dt.datetime | None = None


def may_get_copies(ticket: Ticket, settings: Settings) -> list[Participant]:
    """The people whom an agent let onto the ticket, without the requester and ourselves."""
    known = settings.own | ({ticket.requester.email} if ticket.requester else set())
    return [person for person in ticket.participants if person.address not in known]


def chosen_copies(people: Sequence[Participant], draft: Draft) -> set[str]:
    """Whose boxes are ticked on the page: who was chosen, or, before that, all of them when they are few."""
    if draft.cc is not None:
        return set(draft.cc)
    return {person.address for person in people} if len(people) <= PRESELECTED_COPIES else set()


def answers_in(session: Session, draft: Draft) -> list[Answer]:
    """The answers that were put into a draft, as far as they are still approved."""
    found = (approved_answer(session, slug, language) for slug, language in draft.answers)
    return [answer for answer in found if answer is not None]


def check_sendable(session: Session, ticket: Ticket, draft: Draft, now: dt.datetime) -> str:
    """The recipient's address. Raises ReplyRefused or StaleReply with a sentence for the agent."""
    if ticket.merged_into is not None:
        raise StaleReply(f"La atención se unió a {ticket.merged_into.number}: responda en aquella.")
    if ticket.requester is None:
        raise ReplyRefused("No se conoce el correo del remitente: no es posible responder.")
    if not draft.text.strip():
        raise ReplyRefused("Escriba la respuesta antes de enviarla.")
    if len(draft.text) > REPLY_CHARACTERS:
        raise ReplyRefused("La respuesta es demasiado larga.")
    if holes := unfilled(draft.text):
        raise ReplyRefused(f"Falta completar: {', '.join(holes)}. No se envió nada.")
    check_hour(draft, now)
    newest = last_public_message(session, ticket)
    if draft.last_seen is not None and newest is not None and newest.id > draft.last_seen:
        raise StaleReply("Llegó o se envió otro mensaje mientras usted escribía. Revíselo antes de enviar.")
    return ticket.requester.email


def check_hour(draft: Draft, now: dt.datetime) -> None:
    """Raise ReplyRefused for an hour that is over, or too far away."""
    if draft.send_at is None:
        return
    if draft.send_at <= now:
        raise ReplyRefused("La hora de salida ya pasó. Elija otra, o envíe ahora.")
    if draft.send_at > now + SCHEDULE_AT_MOST:
        raise ReplyRefused(f"Elija una hora de salida dentro de los próximos {SCHEDULE_AT_MOST.days} días.")


def checked_copies(ticket: Ticket, draft: Draft, settings: Settings) -> list[Participant]:
    """The people who get a copy. Raises ReplyRefused for anybody whom no agent let onto the ticket (T59)."""
    allowed = {person.address: person for person in may_get_copies(ticket, settings)}
    wanted = list(dict.fromkeys(address.lower() for address in draft.cc or ()))
    if strangers := [address for address in wanted if address not in allowed]:
        raise ReplyRefused(f"No participa en esta atención: {', '.join(strangers[:3])}. No se envió nada.")
    if len(wanted) > MOST_COPIES:
        raise ReplyRefused(f"Elija {MOST_COPIES} personas con copia como máximo.")
    return [allowed[address] for address in wanted]


def checked_files(answers: Sequence[Answer], draft: Draft) -> list[AnswerFile]:
    """The files that go along. Raises ReplyRefused for one that belongs to no answer of the reply."""
    known = {file.id: file for file in files_of(answers)}
    wanted = list(dict.fromkeys(draft.files))
    if any(id_ not in known for id_ in wanted):
        raise ReplyRefused(
            "Un archivo elegido ya no es de la respuesta. Revise los archivos y envíe de nuevo."
        )
    if sum(known[id_].size for id_ in wanted) > MOST_ATTACHED_BYTES:
        raise ReplyRefused("Los archivos pesan demasiado para un correo. Quite alguno. No se envió nada.")
    return [known[id_] for id_ in wanted]


def check_same_reply(already: Sequence[Outgoing], ticket: Ticket, draft: Draft) -> Outgoing:
    """The reply that a form queued before, if this is the same one. Raises StaleReply when it would be dropped."""
    first = already[0]
    same = (
        first.reply is not None
        and first.reply.new_text == draft.text.strip()
        and set(first.reply.cc) == set(draft.cc or ())
        and draft.send_at in (None, first.send_at)
    )
    if first.ticket_id != ticket.id or first.state == OutgoingState.CANCELLED or not same:
        raise StaleReply(
            "Esta página ya envió una respuesta. Revise el texto y envíelo si todavía hace falta."
        )
    return first


def send_reply(
    session: Session, ticket: Ticket, draft: Draft, *, agent: User, settings: Settings, now: dt.datetime
) -> Outgoing:
    """Queue a reply; it leaves when the undo window is over, or at its hour. Returns the requester's row.

    The same key queues the same reply once (T60). Raises ReplyRefused and StaleReply.
    """
    lock_ticket(session, ticket)
    by_key = select(Outgoing).where(Outgoing.idempotency_key == draft.idempotency_key).order_by(Outgoing.id)
    if already := session.scalars(by_key).all():
        return check_same_reply(already, ticket, draft)
    recipient = check_sendable(session, ticket, draft, now)
    copies = checked_copies(ticket, draft, settings)
    answers = answers_in(session, draft)
    language = language_of_letter(answers)
    message = _message(session, ticket, draft, recipient, language, agent=agent, settings=settings, now=now)
    message.cc = [person.address for person in copies]
    files = checked_files(answers, draft)
    attach_copies(session, message, files)
    outgoing = _outgoing(ticket, message, copies, files, draft, settings, now, language)
    session.add_all(outgoing)
    session.flush()
    changed = changed_share(answers, draft.text, ticket, agent, now)
    note_sent(session, ticket, Sending(message, answers, changed), now=now, actor=agent)
    why = f"saldrá el {in_lima(draft.send_at)}" if draft.send_at else ""
    record(session, ticket, "replied", now=now, actor=agent, why=why, message=message.id)
    if ticket.assignee_id is None:
        assign(session, ticket, agent, now=now, actor=agent)
    status = TicketStatus.CLOSED if draft.close else TicketStatus.WAITING
    change_status(session, ticket, status, now=now, actor=agent, why="respuesta enviada")
    return outgoing[0]


def in_lima(instant: dt.datetime) -> str:
    """Date and hour as people in Lima write them."""
    return instant.astimezone(LIMA).strftime("%d/%m/%Y a las %H:%M")


def _message(
    session: Session,
    ticket: Ticket,
    draft: Draft,
    recipient: str,
    language: str,
    *,
    agent: User,
    settings: Settings,
    now: dt.datetime,
) -> Message:
    answered = last_public_message(session, ticket, by_people=True)
    chain = [*answered.references, answered.message_id] if answered else []
    rendered = rendered_reply(ticket, draft.text, language)
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
        writing_s=_writing_s(draft, now),
    )
    session.add(message)
    session.flush()
    return message


def _writing_s(draft: Draft, now: dt.datetime) -> int | None:
    """How long the reply took to write, as far as the page can tell."""
    if draft.opened_at is None or not dt.timedelta() <= now - draft.opened_at <= WRITING_AT_MOST:
        return None
    return round((now - draft.opened_at).total_seconds())


def _letter(
    ticket: Ticket,
    message: Message,
    copies: Sequence[Participant],
    files: Sequence[AnswerFile],
    settings: Settings,
    date: dt.datetime,
    language: str,
) -> Letter:
    assert ticket.requester is not None
    assert message.recipient is not None
    assert message.message_id is not None
    own_way_back = plus_address(message.message_id, settings.mail_from) if settings.plus_addressing else None
    return Letter(
        sender_name=settings.mail_from_name,
        sender=settings.mail_from,
        recipient_name=ticket.requester.name,
        recipient=message.recipient,
        subject=message.subject,
        text=message.text,
        html=message.html,
        message_id=message.message_id,
        at=date,
        language=LOCALES[language],
        cc=tuple(Person(person.address, person.name) for person in copies),
        reply_to=own_way_back,
        in_reply_to=message.references[-1] if message.references else None,
        references=tuple(message.references),
        files=tuple(Enclosure(file.name, file.type, file.blob.content) for file in files),
    )


def _outgoing(
    ticket: Ticket,
    message: Message,
    copies: Sequence[Participant],
    files: Sequence[AnswerFile],
    draft: Draft,
    settings: Settings,
    now: dt.datetime,
    language: str,
) -> list[Outgoing]:
    """One row a recipient, the requester's first; all with the same bytes."""
    leaves_at = max(draft.send_at or now, now + dt.timedelta(seconds=settings.undo_s))
    letter = _letter(ticket, message, copies, files, settings, draft.send_at or now, language)
    content = build(letter)
    return [
        Outgoing(
            ticket_id=ticket.id,
            reply_id=message.id,
            idempotency_key=draft.idempotency_key,
            message_id=letter.message_id,
            envelope_from=settings.mail_from,
            recipient=recipient,
            content=content,
            send_at=leaves_at,
            created_at=now,
        )
        for recipient in (letter.recipient, *message.cc)
    ]


def undo_reply(session: Session, ticket: Ticket, reply: Message, *, agent: User, now: dt.datetime) -> str:
    """Take a reply back within its window and return its text for the composer. Raises NotAllowed."""
    if reply.ticket_id != ticket.id:
        raise NotAllowed("Esa respuesta no es de esta atención.")
    lock_ticket(session, ticket)
    outbox.cancel(session, reply)
    reply.undone_at = now
    note_undone(session, reply)
    record(session, ticket, "reply_undone", now=now, actor=agent, message=reply.id)
    change_status(session, ticket, TicketStatus.OPEN, now=now, actor=agent, why="respuesta deshecha")
    return reply.new_text


def parts_of(session: Session, reply: Message) -> tuple[tuple[AnswerKey, ...], tuple[int, ...]]:
    """The answers that a reply was made of, and the files of theirs that went along: for writing it again."""
    uses = (
        select(Answer).join(AnswerUse, AnswerUse.answer_id == Answer.id).where(AnswerUse.reply_id == reply.id)
    )
    answers = session.scalars(uses.order_by(AnswerUse.id)).all()
    sent = {file.sha256 for file in reply.attachments}
    files = tuple(file.id for file in files_of(answers) if file.sha256 in sent)
    return tuple((answer.slug, answer.language) for answer in answers), files


def held_reply(session: Session, ticket: Ticket) -> Message | None:
    """The reply that was meant for later and was held because the citizen wrote; None once there is another one."""
    here = select(Ticket.id).where(or_(Ticket.id == ticket.id, Ticket.merged_into_id == ticket.id))
    query = select(Event).where(Event.ticket_id.in_(here), Event.kind == "reply_held")
    event = session.scalar(query.order_by(Event.id.desc()).limit(1))
    held = session.get(Message, event.detail["message"]) if event else None
    if held is None or held.ticket_id != ticket.id:  # it was moved on to another ticket
        return None
    later = select(Message.id).where(
        Message.ticket_id == ticket.id,
        Message.direction == Direction.OUTBOUND,
        Message.undone_at.is_(None),
        Message.id > held.id,
    )
    return None if session.scalar(later.limit(1)) else held


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
