"""From the ledger to a ticket: parse, find the thread, sort, suggest, acknowledge; one transaction a mail.

Idempotent: a ledger row becomes a message at most once (unique raw_mail_id), and the very same bytes under
another UID are a duplicate. A mail that cannot be filed is set aside with its reason; the next one goes on.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import classifier
from helpdesk import failpoints
from helpdesk.db import Sessions, utc_now
from helpdesk.desk import ledger
from helpdesk.desk.answers import Catalogue
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.desk.message import Direction, Message, attach
from helpdesk.desk.notices import acknowledge
from helpdesk.desk.sorting import Sorter, sort
from helpdesk.desk.suggestions import suggest
from helpdesk.desk.threading import find_thread, returned_mail
from helpdesk.desk.ticket import Ticket, change_status, find_or_add_requester, next_number, record
from helpdesk.errors import HelpdeskError
from helpdesk.mail.parsed import Bounce, ParsedMail
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from helpdesk.settings import Settings

log = logging.getLogger(__name__)

BATCH = 50
SNIPPET_CHARACTERS = 160
NO_SUBJECT = "(sin asunto)"

Parsed = ParsedMail | ParseFailed


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

    def file_all(self, *, progress: Callable[[], None] | None = None) -> Counts:
        """File until nothing is left to claim; `progress` is called after each batch."""
        counts = Counts()
        while batch := self._claim():
            for state in self._file_batch(batch):
                counts = counts.plus(state)
            if progress:
                progress()
        return counts

    def _claim(self) -> list[RawMail]:
        with self.sessions.begin() as session:
            ledger.set_aside_exhausted(session, self.settings.filing_attempts)
            return ledger.claim(session, limit=BATCH, lease_s=self.settings.lease_s)

    def _file_batch(self, batch: list[RawMail]) -> list[MailState]:
        parsed = [self._parse(mail) for mail in batch]
        predictions = self._predict(parsed)
        return [
            self._file_one(raw.id, mail, prediction)
            for raw, mail, prediction in zip(batch, parsed, predictions, strict=True)
        ]

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

    def _file_one(self, raw_id: int, mail: Parsed, prediction: classifier.Prediction | None) -> MailState:
        if isinstance(mail, ParseFailed):
            return self._fail(raw_id, str(mail))
        try:
            with self.sessions.begin() as session:
                return self._file(session, raw_id, mail, prediction, utc_now())
        except (HelpdeskError, SQLAlchemyError, ValueError) as error:
            log.exception("a mail could not be filed (ledger row %s)", raw_id)
            return self._fail(raw_id, f"no se pudo archivar ({type(error).__name__})")

    def _fail(self, raw_id: int, reason: str) -> MailState:
        with self.sessions.begin() as session:
            raw = session.get_one(RawMail, raw_id, with_for_update=True)
            if raw.state != MailState.RECEIVED.value:
                return MailState(raw.state)
            return ledger.fail(raw, reason, attempts_allowed=self.settings.filing_attempts)

    def _file(
        self,
        session: Session,
        raw_id: int,
        mail: ParsedMail,
        prediction: classifier.Prediction | None,
        now: dt.datetime,
    ) -> MailState:
        raw = session.get_one(RawMail, raw_id, with_for_update=True)
        if raw.state != MailState.RECEIVED.value:  # another worker was faster; its word stands
            return MailState(raw.state)
        if original := ledger.filed_twin(session, raw):
            ledger.settle(raw, MailState.DUPLICATE, f"el mismo correo que el registro {original.id}")
            return MailState.DUPLICATE
        thread = find_thread(session, mail, self.settings.key)
        if thread.ticket is None:
            ticket = open_ticket(session, raw, mail, now)
            message = add_inbound(session, ticket, raw, mail, now)
            failpoints.hit("inside-filing")
            self._welcome(session, ticket, message, prediction, now)
            if thread.related is not None:
                ticket.related_ticket_id = thread.related.id
                record(session, ticket, "related", now=now, why=thread.why, named=thread.related.number)
        else:
            ticket = thread.ticket
            message = add_inbound(session, ticket, raw, mail, now)
            failpoints.hit("inside-filing")
            join(session, ticket, message, mail, thread.why, now)
        ledger.settle(raw, MailState.FILED, f"{ticket.number}: {thread.why}")
        return MailState.FILED

    def _welcome(
        self,
        session: Session,
        ticket: Ticket,
        message: Message,
        prediction: classifier.Prediction | None,
        now: dt.datetime,
    ) -> None:
        row = sort(session, ticket, prediction, now)
        suggest(session, ticket, message, row, self.catalogue, now)
        acknowledge(session, ticket, message, self.settings, now)
        if message.automatic:
            # Nobody waits for an answer to a machine; it is kept, found, and never in the way.
            record(session, ticket, "automatic", now=now, why=message.automatic)
            change_status(session, ticket, TicketStatus.CLOSED, now=now, actor=None, why="correo automático")


_EMPTY = classifier.Text("", "")


def open_ticket(session: Session, raw: RawMail, mail: ParsedMail, now: dt.datetime) -> Ticket:
    """A new ticket for a mail that belongs to none."""
    sender = mail.sender[0] if mail.sender else None
    requester = find_or_add_requester(session, sender.address, sender.name, now) if sender else None
    if requester is not None and mail.language:
        requester.language = mail.language
    ticket = Ticket(
        number=next_number(session, now),
        requester=requester,
        subject=mail.subject or NO_SUBJECT,
        snippet=snippet(mail),
        automatic=mail.automatic is not None,
        status=TicketStatus.OPEN.value,
        opened_at=arrival(raw, now),
        waiting_since=arrival(raw, now),
        updated_at=now,
    )
    session.add(ticket)
    session.flush()
    record(session, ticket, "opened", now=now, why="correo recibido", mailbox=raw.mailbox_id)
    return ticket


def arrival(raw: RawMail, now: dt.datetime) -> dt.datetime:
    """When the mail reached us: the server's INTERNALDATE, never in the future."""
    return min(raw.arrived_at, now)


def snippet(mail: ParsedMail) -> str:
    """The first words the sender wrote."""
    return " ".join((mail.new_text or mail.text).split())[:SNIPPET_CHARACTERS]


def add_inbound(
    session: Session, ticket: Ticket, raw: RawMail, mail: ParsedMail, now: dt.datetime
) -> Message:
    """The mail as a message of the ticket, with its files."""
    sender = mail.sender[0] if mail.sender else None
    defects = [*mail.defects, *(["too-large: only the beginning was read"] if raw.truncated else [])]
    message = Message(
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
    session.flush()
    attach(session, message, mail.attachments)
    return message


def is_final(bounce: Bounce) -> bool:
    """Whether a delivery report says that the mail will never arrive (RFC 3463: class 5, or no class given)."""
    return bounce.status is None or bounce.status.startswith("5")


def join(
    session: Session, ticket: Ticket, message: Message, mail: ParsedMail, why: str, now: dt.datetime
) -> None:
    """Add a mail to its ticket's history. A person's mail opens the ticket again; a machine's never does."""
    ticket.updated_at = now
    record(session, ticket, "joined", now=now, why=why, message=message.id)
    returned = returned_mail(session, mail)
    if returned is not None and mail.bounce is not None and is_final(mail.bounce):
        if returned.reply is not None:
            returned.reply.bounced_at = now
        record(session, ticket, "bounced", now=now, why=mail.bounce.status or "", message=returned.reply_id)
        change_status(session, ticket, TicketStatus.OPEN, now=now, actor=None, why="la respuesta no llegó")
        return
    if message.automatic:
        record(session, ticket, "automatic", now=now, why=message.automatic)
        return
    ticket.snippet = snippet(mail)
    if ticket.status != TicketStatus.OPEN:
        ticket.waiting_since = message.at
    change_status(session, ticket, TicketStatus.OPEN, now=now, actor=None, why="la persona escribió otra vez")
