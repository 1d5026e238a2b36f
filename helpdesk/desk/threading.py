"""Which ticket a mail belongs to: the security boundary of a helpdesk (T01–T03, T14, T15).

A mail names a ticket by a token of ours (Reply-To address, Message-ID), by the Message-ID of a message that is on
it, or by its number in the subject. It joins only when its sender is on that ticket as well; a stranger's mail
becomes a ticket of its own that an agent looks at ("por revisar"). What the database knows is looked up for a
group of mails at once; the decision itself is made here, in memory.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, defer, joinedload, selectinload

from helpdesk.desk.message import Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.ticket import NUMBER_PREFIX, Ticket, TicketLink, is_on_ticket
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.tokens import REFERENCES_READ, Named, named_tickets, ticket_of

MERGES_FOLLOWED = 20
NUMBERS_READ = 5
_NUMBER = re.compile(rf"(?<![A-Za-z0-9]){NUMBER_PREFIX}-(\d{{4}})-(\d{{6,12}})(?!\d)", re.IGNORECASE)


class Evidence(StrEnum):
    """What names a ticket, the strongest first."""

    TOKEN = "token"
    REFERENCE = "reference"
    NUMBER = "number"


JOINS_ES = {
    Evidence.TOKEN: "responde a un correo nuestro, desde una dirección de esta atención",
    Evidence.REFERENCE: "responde a un mensaje de esta atención, desde una dirección que está en ella",
    Evidence.NUMBER: "trae el número de la atención, desde una dirección que está en ella",
}
NEW_ES = "no responde a ningún correo nuestro"
STRANGER_ES = "su remitente no está en la atención que menciona"
REPORT_ES = "informe sobre un correo de esta atención"
OTHER_REPORT_ES = (
    "informe sobre un correo de la atención que menciona, con un destinatario que no está en ella"
)


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a mail goes and why.

    `review_of` is a ticket it names but may not join; `follows`, one that was closed too long ago; `returned`, the
    mail of ours that a report is about, as far as it can be believed.
    """

    ticket: Ticket | None
    why: str
    review_of: Ticket | None = None
    follows: Ticket | None = None
    returned: Outgoing | None = None


@dataclass(slots=True)
class Known:
    """What the database knows of the tickets that some mails name; grows with what is filed meanwhile."""

    named: dict[int, Named]  # by the ledger row of the mail
    tickets: dict[int, Ticket] = field(default_factory=dict)
    by_number: dict[str, int] = field(default_factory=dict)
    by_message_id: dict[str, list[int]] = field(default_factory=dict)
    returned: dict[tuple[str, str | None], Outgoing] = field(default_factory=dict)
    reported: dict[str, Outgoing] = field(default_factory=dict)  # by Message-ID alone, whoever it went to
    followers: dict[int, list[int]] = field(default_factory=dict)  # of a ticket that was closed long ago

    def learn(self, ticket: Ticket, message_id: str | None) -> None:
        """A message was just filed: the next mail may answer it."""
        self.tickets[ticket.id] = ticket
        self.by_number[ticket.number] = ticket.id
        if message_id:
            self.by_message_id.setdefault(message_id, []).append(ticket.id)

    def ticket(self, ticket_id: int) -> Ticket | None:
        """The ticket, or the one it was merged into."""
        found = self.tickets.get(ticket_id)
        for _ in range(MERGES_FOLLOWED):
            if found is None or found.merged_into_id is None:
                return found
            found = self.tickets.get(found.merged_into_id)
        return None


def numbers_in(subject: str) -> list[str]:
    """The ticket numbers in a subject, in order."""
    found = (f"{NUMBER_PREFIX}-{year}-{number}" for year, number in _NUMBER.findall(subject))
    return list(dict.fromkeys(found))[:NUMBERS_READ]


def named_ids(mail: ParsedMail) -> list[str]:
    """The Message-IDs that a mail says it answers, nearest first, at most 20 (T14)."""
    ids = dict.fromkeys([*mail.in_reply_to, *reversed(mail.references)])
    return list(ids)[:REFERENCES_READ]


def addressed(mail: ParsedMail) -> list[str]:
    """Where a mail was sent to, by its own words and by the server's."""
    written = [person.address for person in (*mail.to, *mail.cc)]
    delivered = [value for name, value in mail.headers if name in _DELIVERED]
    return [*written, *(value.strip().strip("<>") for value in delivered)]


_DELIVERED = frozenset({"delivered-to", "envelope-to", "x-original-to"})


def look_up(session: Session, mails: dict[int, ParsedMail], key: str) -> Known:
    """Everything that the database knows of the tickets these mails name, in a few queries for all of them.

    `mails` are by their ledger row. The tickets are held until the commit, so that what is decided about a mail is
    still true when it is written: nobody merges or closes them meanwhile.
    """
    known = Known({row: named_tickets(key, named_ids(mail), addressed(mail)) for row, mail in mails.items()})
    ids = {ticket_id for named in known.named.values() for ticket_id in named.tickets}
    ids |= _look_up_references(session, known, {name for mail in mails.values() for name in named_ids(mail)})
    for row, mail in mails.items():
        known.named[row] = _where_they_are_now(known, row, mail, key)
    ids |= _look_up_reports(session, known, list(mails.values()))
    numbers = {number for mail in mails.values() for number in numbers_in(mail.subject)}
    _look_up_tickets(session, known, ids, numbers)
    return known


def _look_up_references(session: Session, known: Known, named: set[str]) -> set[int]:
    if not named:
        return set()
    query = select(Message.message_id, Message.ticket_id).where(Message.message_id.in_(named))
    for message_id, ticket_id in session.execute(query.order_by(Message.id)):
        known.by_message_id.setdefault(str(message_id), []).append(ticket_id)
    return {ticket_id for ids in known.by_message_id.values() for ticket_id in ids}


def _where_they_are_now(known: Known, row: int, mail: ParsedMail, key: str) -> Named:
    """The tickets that a mail's tokens name, with a message of ours that was moved or split off where it is now."""
    named = known.named[row]
    tickets: dict[int, None] = {}
    for name in named_ids(mail) if named.tickets else ():
        made_for = ticket_of(key, name)
        if made_for is not None:
            tickets |= dict.fromkeys(known.by_message_id.get(name, [made_for]))
    return Named((*tickets, *(ticket for ticket in named.tickets if ticket not in tickets)), named.forged)


def _look_up_tickets(session: Session, known: Known, ids: set[int], numbers: set[str]) -> None:
    """The tickets, those that they were merged into, and those that continue them, locked in the order of their ids.

    Whoever locks several tickets does so in this order: nobody waits in a ring.
    """
    wanted = _with_relatives(session, known, ids, numbers) if ids or numbers else set()
    load = (joinedload(Ticket.requester), selectinload(Ticket.participants))
    while wanted:
        query = select(Ticket).where(Ticket.id.in_(wanted)).order_by(Ticket.id).options(*load)
        locked = query.with_for_update(of=Ticket).execution_options(populate_existing=True)
        for ticket in session.scalars(locked):
            known.tickets[ticket.id] = ticket
            known.by_number[ticket.number] = ticket.id
        targets = {ticket.merged_into_id for ticket in known.tickets.values() if ticket.merged_into_id}
        wanted = targets - set(known.tickets)  # merged while we waited for the lock


def _with_relatives(session: Session, known: Known, ids: set[int], numbers: set[str]) -> set[int]:
    found: set[int] = set()
    wanted = or_(Ticket.id.in_(ids), Ticket.number.in_(numbers))
    for _ in range(MERGES_FOLLOWED):
        rows = session.execute(select(Ticket.id, Ticket.merged_into_id).where(wanted)).all()
        found |= {row[0] for row in rows}
        missing = {row[1] for row in rows if row[1]} - found
        if not missing:
            break
        wanted = Ticket.id.in_(missing)
    links = select(TicketLink.other_id, TicketLink.ticket_id).where(
        TicketLink.other_id.in_(found), TicketLink.kind == "follows"
    )
    for old, new in session.execute(links.order_by(TicketLink.id)):
        known.followers.setdefault(old, []).append(new)
    return found.union(*known.followers.values())


def _look_up_reports(session: Session, known: Known, mails: list[ParsedMail]) -> set[int]:
    """The mails of ours that reports are about: each must name its Message-ID *and* whom it was sent to.

    Anybody can call himself mailer-daemon; a Message-ID alone would let whoever knows one into the ticket. Only
    a report that names nobody at all may go by the Message-ID, when there was one recipient. One that names
    somebody else (an alias behind the address that we wrote to, or a forger) is for an agent to judge.
    """
    ids = {mail.report.message_id for mail in mails if mail.report is not None and mail.report.message_id}
    if not ids:
        return set()
    ours = (Outgoing.message_id.in_(ids), Outgoing.ticket_id.is_not(None))
    query = select(Outgoing).where(*ours).order_by(Outgoing.id)
    rows = session.scalars(query.options(defer(Outgoing.content))).all()
    recipients = Counter(row.message_id for row in rows)
    for row in rows:
        known.returned[(row.message_id, row.recipient)] = row
        known.reported.setdefault(row.message_id, row)
        if recipients[row.message_id] == 1:
            known.returned[(row.message_id, None)] = row
    return {row.ticket_id for row in rows if row.ticket_id is not None}


def candidates(known: Known, row: int, mail: ParsedMail) -> Iterator[tuple[Evidence, Ticket]]:
    """The tickets that a mail names, the strongest evidence first; each once."""
    by_reference = (ticket for name in named_ids(mail) for ticket in known.by_message_id.get(name, ()))
    by_number = (known.by_number[number] for number in numbers_in(mail.subject) if number in known.by_number)
    named: Iterable[tuple[Evidence, int]] = (
        *((Evidence.TOKEN, ticket) for ticket in known.named[row].tickets),
        *((Evidence.REFERENCE, ticket) for ticket in by_reference),
        *((Evidence.NUMBER, ticket) for ticket in by_number),
    )
    seen = set()
    for evidence, ticket_id in named:
        ticket = known.ticket(ticket_id)
        if ticket is not None and ticket.id not in seen:
            seen.add(ticket.id)
            yield evidence, ticket


def find_thread(
    known: Known,
    row: int,
    mail: ParsedMail,
    *,
    sender: str | None,
    closed_before: dt.datetime | None = None,
) -> Thread:
    """The thread of a mail from `sender`: None when it is not known, or not to be believed, who that is.

    A ticket that was closed before `closed_before` is not joined but followed.
    """
    returned, ticket = _returned(known, mail, exactly=True)
    if ticket is not None:
        return Thread(ticket, REPORT_ES, returned=returned)
    named = list(candidates(known, row, mail))
    own = [(evidence, ticket) for evidence, ticket in named if is_on_ticket(ticket, sender)]
    for evidence, ticket in own:
        if not _closed_too_long(ticket, closed_before):
            return Thread(ticket, JOINS_ES[evidence])
    if own:
        return _follow(known, own[0][1], sender, closed_before)
    returned, ticket = _returned(known, mail, exactly=False)
    if ticket is not None:
        return Thread(None, OTHER_REPORT_ES, review_of=ticket, returned=returned)
    if named:
        return Thread(None, STRANGER_ES, review_of=named[0][1])
    return Thread(None, NEW_ES)


def _returned(known: Known, mail: ParsedMail, *, exactly: bool) -> tuple[Outgoing | None, Ticket | None]:
    """The mail of ours that a report is about, and its ticket; `exactly`: only when the recipient is right, too."""
    report = mail.report
    if report is None or report.message_id is None:
        return None, None
    recipient = (report.recipient or "").lower() or None
    exact = known.returned.get((report.message_id, recipient))
    found = exact if exactly else known.reported.get(report.message_id)
    return found, known.ticket(found.ticket_id) if found and found.ticket_id else None


def _closed_too_long(ticket: Ticket, closed_before: dt.datetime | None) -> bool:
    return closed_before is not None and ticket.closed_at is not None and ticket.closed_at < closed_before


def _follow(known: Known, old: Ticket, sender: str | None, closed_before: dt.datetime | None) -> Thread:
    """The ticket that continues an old one, or that a new one must."""
    for ticket_id in reversed(known.followers.get(old.id, [])):
        newer = known.ticket(ticket_id)
        if newer and is_on_ticket(newer, sender) and not _closed_too_long(newer, closed_before):
            return Thread(newer, f"responde a {old.number}, que esta atención continúa")
    return Thread(None, f"la atención {old.number} se cerró hace tiempo", follows=old)


def written_to(known: Known, row: int, mail: ParsedMail) -> tuple[Ticket, str] | None:
    """The ticket that a mail of *ours* answers, and the address on it that it went to."""
    recipients = [person.address.lower() for person in (*mail.to, *mail.cc)]
    for _, ticket in candidates(known, row, mail):
        for recipient in recipients:
            if is_on_ticket(ticket, recipient):
                return ticket, recipient
    return None
