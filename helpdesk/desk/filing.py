"""From the ledger to a ticket: parse, find the thread, sort, suggest, acknowledge; all in one transaction.

A few mails share a transaction; when it fails, each of them gets its own, so that one never takes others along.

Idempotent: a ledger row becomes a message at most once (unique raw_mail_id), and the very same bytes under
another UID are a duplicate. A mail that cannot be filed is set aside with its reason; the next one goes on.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

import classifier
from helpdesk import failpoints
from helpdesk.db import Sessions, utc_now
from helpdesk.desk import ledger
from helpdesk.desk.answers import Catalogue
from helpdesk.desk.files import attach
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.notices import acknowledge
from helpdesk.desk.sorting import Sorter, sort
from helpdesk.desk.suggestions import suggest
from helpdesk.desk.threading import Thread, find_thread, returned_mail
from helpdesk.desk.ticket import (
    Ticket,
    change_status,
    find_or_add_requester,
    lock_ticket,
    next_number,
    record,
)
from helpdesk.desk.words import PARSER_REASONS_ES
from helpdesk.errors import HelpdeskError
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from helpdesk.settings import Settings

log = logging.getLogger(__name__)

# Mails that are read, and then written, together: fewer waits for the disk and the parser.
BATCH = 50
SNIPPET_CHARACTERS = 160
NO_SUBJECT = "(sin asunto)"

Parsed = ParsedMail | ParseFailed


@dataclass(frozen=True, slots=True)
class Item:
    """A message of the ledger with what was read out of it."""

    raw_id: int
    mail: Parsed
    prediction: classifier.Prediction | None

    @property
    def parsed(self) -> ParsedMail:
        """The mail; asked only once it is known that it could be parsed."""
        assert isinstance(self.mail, ParsedMail)
        return self.mail


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids that a mail's ticket and message will have."""

    ticket: int
    message: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What one round of filing did."""

    filed: int = 0
    duplicates: int = 0
    set_aside: int = 0

    def plus(self, state: MailState) -> Counts:
        """These counts with one more message in `state`."""
        return Counts(
            self.filed + (state is MailState.FILED),
            self.duplicates + (state is MailState.DUPLICATE),
            self.set_aside + (state is MailState.SET_ASIDE),
        )


@dataclass(frozen=True, slots=True)
class Filer:
    """Everything filing needs that outlives one mail."""

    sessions: Sessions
    settings: Settings
    parser: ParserProcess
    sorter: Sorter
    catalogue: Catalogue
    stopping: threading.Event = field(default_factory=threading.Event)

    def file_all(self, *, progress: Callable[[], None] | None = None) -> Counts:
        """File until nothing is left to claim; `progress` is called after each batch.

        The next batch is read by the parser's process while this one is written to the database.
        """
        counts = Counts()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader") as reader:
            upcoming = reader.submit(self._read_batch)
            # A mail that failed came back into line after the next batch was claimed: look once more.
            while items := upcoming.result() or self._read_batch():
                upcoming = reader.submit(self._read_batch)
                for state in self._file_group(items):
                    counts = counts.plus(state)
                if progress:
                    progress()
        return counts

    def _read_batch(self) -> list[Item]:
        """Claim some mails and read them: parsed, and sorted by the classifier in one go. Nothing when stopping."""
        if self.stopping.is_set():
            return []
        with self.sessions.begin() as session:
            ledger.set_aside_exhausted(session, self.settings.filing_attempts)
            batch = ledger.claim(session, limit=BATCH, lease_s=self.settings.lease_s)
        parsed = [self._parse(mail) for mail in batch]
        read = zip(batch, parsed, self._predict(parsed), strict=True)
        return [Item(raw.id, mail, prediction) for raw, mail, prediction in read]

    def _parse(self, raw: RawMail) -> Parsed:
        try:
            return self.parser.parse(raw.raw or b"")
        except ParseFailed as failure:
            return failure

    def _predict(self, parsed: list[Parsed]) -> list[classifier.Prediction | None]:
        texts = [
            classifier.Text(mail.subject, mail.new_text or mail.text)
            if isinstance(mail, ParsedMail)
            else _EMPTY
            for mail in parsed
        ]
        return self.sorter.predict(texts)

    def _file_group(self, group: list[Item]) -> list[MailState]:
        """File some mails in one transaction; when one of them cannot be filed, each in its own."""
        try:
            # Ids are drawn beforehand, so that all rows of a group are written together, at its end: one
            # statement a table instead of one a row. Nothing that is still pending is queried before.
            with self.sessions(autoflush=False) as session, session.begin():
                return self._file_items(session, group, utc_now())
        except OperationalError:
            self._give_back(group)  # the database is busy or away: that is not the mails' fault
            raise
        except (HelpdeskError, SQLAlchemyError, ValueError) as error:
            if len(group) > 1:
                return [state for item in group for state in self._file_group([item])]
            # Where it happened, but not the error's own words: the database quotes what it was given (T100).
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("ledger row %s: %s\n%s", group[0].raw_id, type(error).__name__, where)
            return [self._fail(group[0].raw_id, f"no se pudo archivar ({type(error).__name__})")]

    def _give_back(self, group: list[Item]) -> None:
        with contextlib.suppress(OperationalError), self.sessions.begin() as session:
            ledger.give_back(session, [item.raw_id for item in group])

    def _fail(self, raw_id: int, reason: str) -> MailState:
        with self.sessions.begin() as session:
            raw = ledger.lock_rows(session, [raw_id])[raw_id]
            if raw.state != MailState.RECEIVED.value:
                return MailState(raw.state)
            return ledger.fail(raw, reason, attempts_allowed=self.settings.filing_attempts)

    def _file_items(self, session: Session, items: list[Item], now: dt.datetime) -> list[MailState]:
        # One group at a time: groups would meet at the number series anyway, and nowhere else in a ring.
        session.execute(_FILING_LOCK)
        rows = ledger.lock_rows(session, [item.raw_id for item in items])
        twins = ledger.filed_twins(session, rows.values())
        ids = draw_ids(session, len(items))
        states = []
        for item, own in zip(items, ids, strict=True):
            raw = rows[item.raw_id]
            states.append(self._file_item(session, raw, item, own, twins, now))
            if raw.state == MailState.FILED.value:
                twins.setdefault(raw.sha256, raw.id)
        return states

    def _file_item(
        self,
        session: Session,
        raw: RawMail,
        item: Item,
        ids: Ids,
        twins: dict[str | None, int],
        now: dt.datetime,
    ) -> MailState:
        if raw.state != MailState.RECEIVED.value:  # another worker was faster; its word stands
            return MailState(raw.state)
        if isinstance(item.mail, ParseFailed):
            reason = PARSER_REASONS_ES.get(str(item.mail), str(item.mail))
            return ledger.fail(raw, reason, attempts_allowed=self.settings.filing_attempts)
        if raw.sha256 in twins:
            ledger.settle(raw, MailState.DUPLICATE, f"el mismo correo que el registro {twins[raw.sha256]}")
            return MailState.DUPLICATE
        thread = find_thread(session, item.mail, self.settings.key)
        if thread.ticket is not None:
            lock_ticket(session, thread.ticket)
            ids = draw_ids(session, 1)[0]  # newer than anything an agent has seen on this ticket
        ticket = thread.ticket or open_ticket(session, raw, item, ids.ticket, now)
        message = add_inbound(session, ticket, raw, item.mail, ids.message, now)
        failpoints.hit("inside-filing")
        if thread.ticket is None:
            self._welcome(session, ticket, message, item.prediction, thread, now)
        else:
            join(session, ticket, message, item.mail, thread.why, now)
        ledger.settle(raw, MailState.FILED, f"{ticket.number}: {thread.why}")
        return MailState.FILED

    def _welcome(
        self,
        session: Session,
        ticket: Ticket,
        message: Message,
        prediction: classifier.Prediction | None,
        thread: Thread,
        now: dt.datetime,
    ) -> None:
        row = sort(session, ticket, prediction, now)
        suggest(session, ticket, message, row, self.catalogue, now)
        acknowledge(session, ticket, message, self.settings, now)
        if thread.related is not None:
            ticket.review_of_id = thread.related.id
            record(session, ticket, "related", now=now, why=thread.why, named=thread.related.number)
        if message.automatic:
            # Nobody waits for an answer to a machine; it is kept, found, and never in the way.
            record(session, ticket, "automatic", now=now, why=message.automatic)
            change_status(session, ticket, TicketStatus.CLOSED, now=now, actor=None, why="correo automático")


_EMPTY = classifier.Text("", "")
_FILING_LOCK = text("select pg_advisory_xact_lock(7263503)")


def draw_ids(session: Session, count: int) -> list[Ids]:
    """Ids for as many tickets and messages, from the tables' own sequences."""
    query = text("select nextval('ticket_id_seq'), nextval('message_id_seq') from generate_series(1, :count)")
    return [Ids(*row) for row in session.execute(query, {"count": count})]


def open_ticket(session: Session, raw: RawMail, item: Item, id_: int, now: dt.datetime) -> Ticket:
    """A new ticket for a mail that belongs to none."""
    mail, prediction = item.parsed, item.prediction
    sender = mail.sender[0] if mail.sender else None
    requester = (
        find_or_add_requester(session, sender.address, sender.name, mail.language, now) if sender else None
    )
    ticket = Ticket(
        id=id_,
        number=next_number(session, now),
        requester=requester,
        subject=mail.subject or NO_SUBJECT,
        snippet=snippet(mail),
        line=prediction.line if prediction else None,
        automatic=mail.automatic is not None,
        status=TicketStatus.OPEN.value,
        opened_at=arrival(raw, now),
        waiting_since=arrival(raw, now),
        updated_at=now,
    )
    session.add(ticket)
    record(session, ticket, "opened", now=now, why="correo recibido", mailbox=raw.mailbox_id)
    return ticket


def arrival(raw: RawMail, now: dt.datetime) -> dt.datetime:
    """When the mail reached us: the server's INTERNALDATE, never in the future."""
    return min(raw.arrived_at, now)


def snippet(mail: ParsedMail) -> str:
    """The first words the sender wrote."""
    return " ".join((mail.new_text or mail.text).split())[:SNIPPET_CHARACTERS]


def add_inbound(
    session: Session, ticket: Ticket, raw: RawMail, mail: ParsedMail, id_: int, now: dt.datetime
) -> Message:
    """The mail as a message of the ticket, with its files."""
    sender = mail.sender[0] if mail.sender else None
    defects = [*mail.defects, *(["too-large: only the beginning was read"] if raw.truncated else [])]
    message = Message(
        id=id_,
        ticket_id=ticket.id,
        direction=Direction.INBOUND.value,
        sender_name=sender.name if sender else "",
        sender_address=sender.address if sender else None,
        subject=mail.subject,
        text=mail.text,
        new_text=mail.new_text,
        html=mail.html,
        message_id=mail.message_id,
        references=[*mail.references],
        written_at=mail.date,
        at=arrival(raw, now),
        automatic=mail.automatic,
        defects=defects,
        raw_mail_id=raw.id,
    )
    session.add(message)
    attach(session, message, mail.attachments)
    return message


def join(
    session: Session, ticket: Ticket, message: Message, mail: ParsedMail, why: str, now: dt.datetime
) -> None:
    """Add a mail to its ticket's history. A person's mail opens the ticket again; a machine's never does."""
    ticket.updated_at = now
    record(session, ticket, "joined", now=now, why=why, message=message.id)
    returned = returned_mail(session, mail)
    if returned is not None and mail.bounce is not None and mail.bounce.is_final:
        record(session, ticket, "bounced", now=now, why=mail.bounce.status or "", message=returned.reply_id)
        if returned.reply is not None and returned.reply.bounced_at is None:  # once for each reply (T57)
            returned.reply.bounced_at = now
            change_status(
                session, ticket, TicketStatus.OPEN, now=now, actor=None, why="la respuesta no llegó"
            )
        return
    if message.automatic:
        record(session, ticket, "automatic", now=now, why=message.automatic)
        return
    ticket.snippet = snippet(mail)
    if ticket.status != TicketStatus.OPEN:
        ticket.waiting_since = message.at
    change_status(session, ticket, TicketStatus.OPEN, now=now, actor=None, why="la persona escribió otra vez")
