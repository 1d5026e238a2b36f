"""What the page of received mail asks: which mails came, what became of each, and why.

In: the filters, one page of rows, the counts of each state, one mail's source as text. Not in: changing
anything (`ledger.retry`, `by_hand.file_by_hand`), and the comparison with the server (`reconcile.py`).
A page is found in two steps: the ids by an index alone, then what is shown of those fifty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, exists, func, select, union_all
from sqlalchemy.orm import Session, joinedload, load_only

from helpdesk.desk.ledger import STUCK_AFTER, RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import Ticket
from helpdesk.mail.charset import clean_text, decode_bytes
from helpdesk.mail.parsed import Address
from helpdesk.mail.peek import PEEK_BYTES, Peek, peek
from helpdesk.settings import LIMA

PAGE_SIZE = 50
DUPLICATE = MailState.DUPLICATE.value
NOBODY = Address("", "")
SHOWN_OF_MESSAGE = (Message.sender_name, Message.sender_address, Message.subject, Message.automatic)
SOURCE_BYTES = 200_000
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which mails; its fields are the page's address, so that a view can be kept as a link.

    `automatic` is about mail that became part of a ticket: of other mail nobody knows. `since` and `until` are
    days in Lima, both included.
    """

    state: str | None = None
    mailbox_id: int | None = None
    automatic: bool | None = None
    since: dt.date | None = None
    until: dt.date | None = None
    search: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One mail as the page shows it. `known` is what its header says, where it is no message of a ticket."""

    mail: RawMail
    sender_name: str
    sender_address: str | None
    subject: str
    automatic: str | None
    ticket_number: str | None

    def stuck(self, now: dt.datetime) -> bool:
        """Whether it should long have been filed (I-10)."""
        return self.mail.state == MailState.RECEIVED.value and now - self.mail.received_at > STUCK_AFTER


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """One page of rows; `more` says whether there is a next one."""

    rows: list[Row]
    more: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A mail's own text; `cut` when there is more of it than is shown."""

    mail: RawMail
    peeked: Peek
    text: str
    cut: bool


def ledger_page(session: Session, wanted: Filter) -> LedgerPage:
    """The mails of a filter, the last arrived first."""
    query = select(RawMail.id).where(*_conditions(wanted))
    start = (max(wanted.page, 1) - 1) * PAGE_SIZE
    newest_first = query.order_by(RawMail.arrived_at.desc(), RawMail.id.desc())
    ids = list(session.scalars(newest_first.offset(start).limit(PAGE_SIZE + 1)))
    return LedgerPage(_rows(session, ids[:PAGE_SIZE]), len(ids) > PAGE_SIZE)


def state_counts(session: Session, wanted: Filter) -> dict[str, int]:
    """How many mails of a filter are in each state, whatever state the filter names."""
    conditions = _conditions(replace(wanted, state=None))
    query = select(RawMail.state, func.count()).where(*conditions).group_by(RawMail.state)
    return {state.value: 0 for state in MailState} | {row[0]: row[1] for row in session.execute(query)}


def count_set_aside(session: Session) -> int:
    """How many mails wait for a person because they could not be filed."""
    query = select(func.count()).where(RawMail.state == MailState.SET_ASIDE.value)
    return session.scalar(query) or 0


def source(session: Session, raw_id: int) -> Source | None:
    """The beginning of a mail's bytes as text that can only be looked at; None where there are no bytes."""
    query = select(RawMail, func.substring(RawMail.raw, 1, SOURCE_BYTES), func.length(RawMail.raw))
    found = session.execute(query.where(RawMail.id == raw_id, RawMail.raw.is_not(None))).one_or_none()
    if found is None:
        return None
    mail, head, length = found
    return Source(mail, peek(head), harmless_text(head), length > SOURCE_BYTES or mail.truncated)


def harmless_text(octets: bytes) -> str:
    """Bytes as characters that say what is there: nothing that turns the writing round or hides itself."""
    text = clean_text(decode_bytes(octets, None))
    return "".join(c if c in "\n\t" or c.isprintable() else "\ufffd" for c in text.replace("\xa0", " "))


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions.append(RawMail.state == wanted.state)
    if wanted.mailbox_id is not None:
        conditions.append(RawMail.mailbox_id == wanted.mailbox_id)
    if wanted.since is not None:
        conditions.append(RawMail.arrived_at >= _midnight(wanted.since))
    if wanted.until is not None:
        conditions.append(RawMail.arrived_at < _midnight(wanted.until) + DAY)
    if wanted.automatic is not None:
        known = Message.automatic.is_not(None) if wanted.automatic else Message.automatic.is_(None)
        conditions.append(exists().where(Message.raw_mail_id == RawMail.id, known))
    if wanted.search:
        conditions.append(_says(wanted.search))
    return conditions


def _says(search: str) -> ColumnElement[bool]:
    """Each table is looked through once; without an extension for it no index helps to find parts of words."""
    like = f"%{escaped(search)}%"
    address = func.coalesce(Message.sender_address, "")
    said = (Message.subject + " " + Message.sender_name + " " + address).ilike(like)
    of_messages = select(Message.raw_mail_id).where(Message.raw_mail_id.is_not(None), said)
    return RawMail.id.in_(union_all(select(RawMail.id).where(RawMail.reason.ilike(like)), of_messages))


def escaped(search: str) -> str:
    """A text to look for, with nothing in it that LIKE reads as a pattern."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), LIMA)


def _rows(session: Session, ids: Sequence[int]) -> list[Row]:
    query = (
        select(RawMail, Message, Ticket.number)
        .outerjoin(Message, Message.raw_mail_id == RawMail.id)
        .outerjoin(Ticket, Ticket.id == Message.ticket_id)
        .options(joinedload(RawMail.mailbox), load_only(*SHOWN_OF_MESSAGE))
        .where(RawMail.id.in_(ids))
    )
    found = {mail.id: (mail, message, number) for mail, message, number in session.execute(query)}
    peeked = _peeks(session, [mail.id for mail, message, _ in found.values() if message is None])
    twins = _twins(session, [mail for mail, _, _ in found.values() if mail.state == DUPLICATE], peeked)
    return [
        _known_row(mail, message, number) if message else _peeked_row(mail, peeked[id_], twins.get(id_))
        for id_ in ids
        for mail, message, number in [found[id_]]
    ]


def _known_row(mail: RawMail, message: Message, number: str) -> Row:
    return Row(mail, message.sender_name, message.sender_address, message.subject, message.automatic, number)


def _peeked_row(mail: RawMail, peeked: Peek, number: str | None) -> Row:
    sender = peeked.sender or NOBODY
    return Row(mail, sender.name, sender.address or None, peeked.subject, None, number)


def _peeks(session: Session, ids: Sequence[int]) -> dict[int, Peek]:
    """What the headers of mails say that are no message of a ticket; only their beginning leaves the database."""
    query = select(RawMail.id, func.substring(RawMail.raw, 1, PEEK_BYTES)).where(RawMail.id.in_(ids))
    return {id_: peek(head or b"") for id_, head in session.execute(query)} if ids else {}


def _twins(session: Session, mails: Sequence[RawMail], peeked: Mapping[int, Peek]) -> dict[int, str]:
    """For each duplicate: the ticket of the mail that it repeats (the same bytes, or body and Message-ID)."""
    query = (
        select(RawMail.body_sha256, RawMail.sha256, Message.message_id, Ticket.number)
        .join(Message, Message.raw_mail_id == RawMail.id)
        .join(Ticket, Ticket.id == Message.ticket_id)
        .where(RawMail.body_sha256.in_([mail.body_sha256 for mail in mails]))
    )
    filed = session.execute(query.order_by(RawMail.id)).all() if mails else []
    # Many mails have an empty body and no Message-ID: there only the very bytes tell one from another.
    of_bytes = {row.sha256: row.number for row in reversed(filed)}
    of_ids = {(row.body_sha256, row.message_id): row.number for row in reversed(filed) if row.message_id}
    found = {
        mail.id: of_bytes.get(mail.sha256) or of_ids.get((mail.body_sha256, peeked[mail.id].message_id))
        for mail in mails
    }
    return {id_: number for id_, number in found.items() if number}
