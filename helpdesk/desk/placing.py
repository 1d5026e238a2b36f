"""What becomes of one mail: a duplicate, a message of a ticket, a ticket of its own, an answer of ours.

In: the order of the questions, and the rows that each answer writes. Not in: which ticket a mail names
(`threading.py`), what is looked up (`group.py`), transactions and attempts (`filing.py`).
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select

from helpdesk import failpoints
from helpdesk.desk import ledger
from helpdesk.desk.files import attach
from helpdesk.desk.group import HOUR, Group, Ids, Item, draw_ids, likeness
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.desk.mailbox import IMPORTED_CLOSED, MailboxKind
from helpdesk.desk.message import Direction, Message, snippet, words_of_mail
from helpdesk.desk.notices import acknowledge
from helpdesk.desk.outbox import hold_scheduled
from helpdesk.desk.sorting import mark_if_urgent, sort
from helpdesk.desk.suggestions import as_decided, reading_of, suggest, withdraw
from helpdesk.desk.threading import Thread, find_thread
from helpdesk.desk.ticket import Event, Ticket, change_status, link, record
from helpdesk.desk.words import PARSER_REASONS_ES
from helpdesk.desk.written_elsewhere import UNRELATED_ES, place_answer, place_sent
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed

NO_SUBJECT = "(sin asunto)"


def place(group: Group, position: int) -> MailState:
    """File the mail at this position of the group; return what became of it."""
    item, ids = group.items[position], group.ids[position]
    raw = group.rows[item.raw_id]
    if raw.state != MailState.RECEIVED.value:  # another worker was faster; its word stands
        return MailState(raw.state)
    if isinstance(item.mail, ParseFailed):
        reason = PARSER_REASONS_ES.get(str(item.mail), str(item.mail))
        return ledger.fail(raw, reason, attempts_allowed=group.settings.filing_attempts)
    twin = _twin(group, raw, item.parsed)
    if twin is not None:
        return _settle(raw, MailState.DUPLICATE, twin)
    state = _place_readable(group, position, raw, item, ids)
    if state is MailState.FILED:
        _remember(group, raw, item.parsed)
    return state


def _settle(raw: RawMail, state: MailState, reason: str) -> MailState:
    ledger.settle(raw, state, reason)
    return state


def _twin(group: Group, raw: RawMail, mail: ParsedMail) -> str | None:
    """Why this mail is one that we have already."""
    same = group.same_bytes.get(raw.sha256)
    if same is not None:
        return f"el mismo correo que el registro {same}"
    same = group.same_mail.get(likeness(mail, raw.body_sha256)) if mail.message_id else None
    return f"el mismo correo que el registro {same}, por otro camino" if same is not None else None


def _remember(group: Group, raw: RawMail, mail: ParsedMail) -> None:
    group.same_bytes.setdefault(raw.sha256, raw.id)
    group.same_mail.setdefault(likeness(mail, raw.body_sha256), raw.id)
    group.message_ids.add(mail.message_id)


def _place_readable(group: Group, position: int, raw: RawMail, item: Item, ids: Ids) -> MailState:
    if raw.sent:
        outcome = place_sent(group, raw, item)
        return _settle(raw, *outcome)
    if item.staff and (answered := place_answer(group, raw, item)) is not None:
        return _settle(raw, *answered)
    sender = item.sender.address.lower() if item.sender and item.believed else None
    if is_import(group, raw) and sender in group.settings.own and not item.passed_on:
        return _settle(raw, MailState.UNRELATED, UNRELATED_ES)
    automatic = _automatic(group, raw, item)
    # What a machine says of an old ticket stays with it: it never opens it.
    closed_before = None if automatic else group.now - dt.timedelta(days=group.settings.reopen_days)
    thread = find_thread(group.known, raw.id, item.parsed, sender=sender, closed_before=closed_before)
    if thread.ticket is not None:
        ticket = _join(group, thread, raw, item, automatic)
    else:
        ticket = _open(group, thread, raw, item, ids, automatic)
    return _settle(raw, MailState.FILED, f"{ticket.number}: {thread.why}")


def _automatic(group: Group, raw: RawMail, item: Item) -> str | None:
    """Why nobody must be answered: by the mail's own marks, by whose it is, or because there are too many (T56)."""
    if item.parsed.automatic or item.passed_on:
        return item.parsed.automatic
    sender = item.sender.address.lower() if item.sender else None
    if sender in group.settings.own:
        return "own mail: from our own address"
    if sender is None or is_import(group, raw) or raw.arrived_at < group.now - HOUR:
        return None
    group.recent[sender] += 1
    if group.recent[sender] > group.settings.loop_mails_per_hour:
        return f"loop: more than {group.settings.loop_mails_per_hour} mails in an hour from one address"
    return None


def is_import(group: Group, raw: RawMail) -> bool:
    """Whether the mail was brought from files."""
    return group.mailboxes[raw.mailbox_id].kind == MailboxKind.IMPORT.value


def _join(group: Group, thread: Thread, raw: RawMail, item: Item, automatic: str | None) -> Ticket:
    """Add a mail to its ticket's history. A person's mail opens the ticket again; a machine's never does."""
    session, now, ticket = group.session, group.now, thread.ticket
    assert ticket is not None
    session.flush()  # what the mails before it in this group did to the ticket (it is locked: `look_up`)
    own = draw_ids(session, 1)[0]  # newer than anything an agent has seen on this ticket
    message = add_inbound(group, ticket, raw, item, own.message, automatic)
    failpoints.hit("inside-filing")
    ticket.updated_at = now
    record(session, ticket, "joined", now=now, why=thread.why, message=message.id)
    if thread.returned is not None:
        note_report(group, thread, item.parsed)
    elif automatic:
        record(session, ticket, "automatic", now=now, why=automatic)
    else:
        _open_again(group, ticket, message, raw)
        if not message.automatic and not is_import(group, raw):
            mark_if_urgent(session, ticket, item.prediction, now)
            _suggest_again(group, ticket, message, item)
    return ticket


def _suggest_again(group: Group, ticket: Ticket, message: Message, item: Item) -> None:
    """Offer what answers the new message; what was offered for the one before it goes."""
    withdraw(group.session, ticket)
    reading, language = as_decided(ticket, reading_of(item.prediction)), item.parsed.language
    suggest(group.session, ticket, message, reading, group.catalogue, group.now, language=language)


def _open_again(group: Group, ticket: Ticket, message: Message, raw: RawMail) -> None:
    session, now = group.session, group.now
    ticket.snippet = snippet(message)
    if imported_closed(group, raw):
        return
    if _too_many_joins(group, ticket):
        why = f"loop: more than {group.settings.loop_joins_per_hour} mails in an hour to one ticket"
        message.automatic = why
        record(session, ticket, "automatic", now=now, why=why)
        return
    hold_scheduled(session, ticket, now)
    if ticket.status != TicketStatus.OPEN:
        ticket.waiting_since = message.at
    change_status(session, ticket, TicketStatus.OPEN, now=now, actor=None, why="la persona escribió otra vez")


def _too_many_joins(group: Group, ticket: Ticket) -> bool:
    since = group.now - HOUR
    joined = select(func.count()).where(
        Event.ticket_id == ticket.id, Event.kind == "joined", Event.at > since
    )
    group.joins[ticket.id] += 1
    earlier = group.session.scalar(joined) or 0
    return earlier + group.joins[ticket.id] > group.settings.loop_joins_per_hour


def note_report(group: Group, thread: Thread, mail: ParsedMail) -> None:
    """Mark the very mail that came back; a person's reply that failed for good opens the ticket, once (T57)."""
    session, now, ticket, returned = group.session, group.now, thread.ticket, thread.returned
    assert ticket is not None
    assert returned is not None
    report = mail.bounce
    if report is None:
        record(session, ticket, "complained", now=now, why=returned.recipient, message=returned.reply_id)
        return
    if not report.is_final:
        record(session, ticket, "delayed", now=now, why=report.status or "")
        return
    why = f"{returned.recipient} {report.status or ''}".strip()
    record(session, ticket, "bounced", now=now, why=why, message=returned.reply_id)
    if returned.bounced_at is not None:
        return
    returned.bounced_at = now
    if returned.reply is None:
        return
    if returned.recipient == returned.reply.recipient:  # of a copy, its own row tells
        returned.reply.bounced_at = now
        returned.reply.bounce_status = report.status
    change_status(session, ticket, TicketStatus.OPEN, now=now, actor=None, why="la respuesta no llegó")


def _open(group: Group, thread: Thread, raw: RawMail, item: Item, ids: Ids, automatic: str | None) -> Ticket:
    """A new ticket for a mail that joins none: sorted, with suggestions, acknowledged where that is due."""
    session, now = group.session, group.now
    ticket = open_ticket(group, raw, item, ids.ticket, automatic)
    message = add_inbound(group, ticket, raw, item, ids.message, automatic)
    failpoints.hit("inside-filing")
    sort(session, ticket, item.prediction, now)
    if ticket.line is None and (usual := group.mailboxes[raw.mailbox_id].default_line):
        ticket.line = usual
        record(session, ticket, "line_by_mailbox", now=now, line=usual)
    reading, language = reading_of(item.prediction), item.parsed.language
    suggest(session, ticket, message, reading, group.catalogue, now, language=language)
    acknowledge(session, ticket, message, group.budget, now, refused=_no_notice(group, raw, item))
    unseen = automatic is not None and not _lost_a_reply(thread, item.parsed)
    _relate(group, ticket, thread, raw.id, unseen=unseen)
    if automatic:
        record(session, ticket, "automatic", now=now, why=automatic)
    if unseen:
        # Nobody waits for an answer to a machine; it is kept, found, and never in the way.
        change_status(session, ticket, TicketStatus.CLOSED, now=now, actor=None, why="correo automático")
    elif imported_closed(group, raw):
        change_status(session, ticket, TicketStatus.CLOSED, now=now, actor=None, why="importado")
    return ticket


def _lost_a_reply(thread: Thread, mail: ParsedMail) -> bool:
    """Whether a report says that somebody will never get a person's reply: whose, an agent must judge."""
    returned, report = thread.returned, mail.bounce
    is_reply = returned is not None and returned.reply_id is not None
    return is_reply and report is not None and report.is_final


def _no_notice(group: Group, raw: RawMail, item: Item) -> str | None:
    if is_import(group, raw):
        return "correo importado"
    return None if item.believed else "nuestro servidor de correo no confirma al remitente"


def imported_closed(group: Group, raw: RawMail) -> bool:
    """Whether the mail is history that was brought along, not work to do."""
    return group.mailboxes[raw.mailbox_id].name == IMPORTED_CLOSED


def _relate(group: Group, ticket: Ticket, thread: Thread, row: int, *, unseen: bool) -> None:
    """Tie a new ticket to those that it names. `unseen`: no agent needs to look at it."""
    session, now = group.session, group.now
    if forged := group.known.named[row].forged:
        record(session, ticket, "forged_token", now=now, tokens=forged)
    if thread.follows is not None:
        link(session, ticket, thread.follows, "follows", now=now, why=thread.why)
        group.known.followers.setdefault(thread.follows.id, []).append(ticket.id)
    if thread.review_of is None:
        return
    if unseen:
        link(session, ticket, thread.review_of, "mentions", now=now, why=thread.why)
    else:
        ticket.review_of_id = thread.review_of.id
        record(session, ticket, "related", now=now, why=thread.why, named=thread.review_of.number)


def open_ticket(group: Group, raw: RawMail, item: Item, id_: int, automatic: str | None) -> Ticket:
    """A new ticket for a mail that belongs to none."""
    mail, prediction, now = item.parsed, item.prediction, group.now
    original = mail.forwarded if item.passed_on else None
    ticket = Ticket(
        id=id_,
        number=group.numbers.take(),
        requester=group.requesters.get(item.sender.address.lower()) if item.sender else None,
        participants=[],
        subject=(original.subject if original else mail.subject) or NO_SUBJECT,
        line=prediction.line if prediction else None,
        automatic=automatic is not None,
        status=TicketStatus.OPEN.value,
        opened_at=raw.reached_us(now),
        waiting_since=raw.reached_us(now),
        updated_at=now,
    )
    group.session.add(ticket)
    why = "correo importado" if is_import(group, raw) else "correo recibido"
    record(group.session, ticket, "opened", now=now, why=why, mailbox=raw.mailbox_id)
    if original is not None:
        record(group.session, ticket, "forwarded", now=now, why=mail.sender[0].address)
    return ticket


def add_inbound(
    group: Group, ticket: Ticket, raw: RawMail, item: Item, id_: int, automatic: str | None
) -> Message:
    """The mail as a message of the ticket, with its files."""
    mail, sender = item.parsed, item.sender
    original = mail.forwarded if item.passed_on else None
    words = words_of_mail(mail)
    if original is not None:
        words |= {"new_text": original.text, "written_at": original.date}
    message = Message(
        id=id_,
        ticket_id=ticket.id,
        direction=Direction.INBOUND.value,
        sender_name=sender.name if sender else "",
        sender_address=sender.address.lower() if sender else None,
        at=raw.reached_us(group.now),
        automatic=automatic,
        defects=[*mail.defects, *_own_defects(group, raw, mail)],
        forwarded_by=mail.sender[0].address if original else None,
        raw_mail_id=raw.id,
        **words,
    )
    group.session.add(message)
    attach(group.session, message, mail.attachments)
    group.known.learn(ticket, mail.message_id)
    if not ticket.snippet:
        ticket.snippet = snippet(message)
    return message


def _own_defects(group: Group, raw: RawMail, mail: ParsedMail) -> list[str]:
    reused = mail.message_id is not None and mail.message_id in group.message_ids
    return [
        *(["too-large: only the beginning was read"] if raw.truncated else []),
        *(["message-id-reused"] if reused else []),
    ]
