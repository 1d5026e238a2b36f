"""A group of mails that are filed in one transaction, with everything the database knows about them beforehand.

In: looking it all up in a few queries, and keeping it true while the group is filed. Not in: any decision about a
mail (`placing.py`). Nothing of it is valid outside the filing lock.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

import classifier
from helpdesk.accounts.users import User
from helpdesk.desk import ledger
from helpdesk.desk.catalogue import Catalogue
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.notices import Budget, open_budget
from helpdesk.desk.threading import Known, look_up
from helpdesk.desk.ticket import (
    Numbers,
    Person,
    Requester,
    close_numbers,
    find_or_add_requesters,
    open_numbers,
)
from helpdesk.mail.authentication import border_verdict
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed
from helpdesk.settings import Settings

HOUR = dt.timedelta(hours=1)

Parsed = ParsedMail | ParseFailed
# What makes two mails the same one although their trace headers differ: it came by two ways (T10).
Likeness = tuple[str | None, str | None, str, str | None]


@dataclass(frozen=True, slots=True)
class Item:
    """A message of the ledger with what was read out of it.

    `believed`: our mail border does not deny that the sender is who he says; `staff`: then a person of the desk
    wrote it.
    """

    raw_id: int
    mail: Parsed
    prediction: classifier.Prediction | None
    believed: bool = True
    staff: bool = False

    @property
    def parsed(self) -> ParsedMail:
        """The mail; asked only once it is known that it could be parsed."""
        assert isinstance(self.mail, ParsedMail)
        return self.mail

    @property
    def passed_on(self) -> bool:
        """Whether a person of the desk passes on somebody's mail: that somebody is the requester."""
        return self.staff and isinstance(self.mail, ParsedMail) and self.mail.forwarded is not None

    @property
    def sender(self) -> Person | None:
        """Whose mail it is."""
        if not isinstance(self.mail, ParsedMail):
            return None
        if self.passed_on and self.mail.forwarded is not None:
            original = self.mail.forwarded.sender
            return Person(original.address, original.name, self.mail.language)
        if not self.mail.sender:
            return None
        return Person(self.mail.sender[0].address, self.mail.sender[0].name, self.mail.language)


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids that a mail's ticket and message will have."""

    ticket: int
    message: int


@dataclass(slots=True)
class Group:
    """What the filing of some mails works with."""

    session: Session
    settings: Settings
    catalogue: Catalogue
    now: dt.datetime
    items: list[Item]
    rows: dict[int, RawMail]
    ids: list[Ids]
    known: Known
    requesters: dict[str, Requester]
    numbers: Numbers
    budget: Budget
    mailboxes: dict[int, Mailbox]
    staff: dict[str, User]
    same_bytes: dict[str | None, int]
    same_mail: dict[Likeness, int]
    message_ids: set[str | None]
    recent: Counter[str]
    joins: Counter[int] = field(default_factory=Counter)

    def close(self) -> None:
        """Write down what was counted."""
        close_numbers(self.session, self.numbers)


def open_group(
    session: Session, items: list[Item], settings: Settings, catalogue: Catalogue, now: dt.datetime
) -> Group:
    """Lock the ledger rows of a group and look up what is known about its mails."""
    rows = ledger.lock_rows(session, [item.raw_id for item in items])
    readable = [item for item in items if isinstance(item.mail, ParsedMail)]
    mails = {item.raw_id: item.parsed for item in readable}
    people = [item.sender for item in readable if not rows[item.raw_id].sent]
    senders = {person.address.lower() for person in people if person is not None}
    same_mail, message_ids = _same_mail(session, list(mails.values()))
    requesters = find_or_add_requesters(session, [person for person in people if person], now)
    numbers = open_numbers(session, now)  # before the tickets: whoever wants both locks them in this order
    return Group(
        session=session,
        settings=settings,
        catalogue=catalogue,
        now=now,
        items=items,
        rows=rows,
        ids=draw_ids(session, len(items)),
        known=look_up(session, mails, settings.key),
        requesters=requesters,
        numbers=numbers,
        budget=open_budget(session, senders, settings, now),
        mailboxes={row.id: row for row in session.scalars(select(Mailbox))},
        staff=staff(session),
        same_bytes=ledger.filed_twins(session, rows.values()),
        same_mail=same_mail,
        message_ids=message_ids,
        recent=_recent(session, senders, now),
    )


def draw_ids(session: Session, count: int) -> list[Ids]:
    """Ids for as many tickets and messages, from the tables' own sequences."""
    query = text("select nextval('ticket_id_seq'), nextval('message_id_seq') from generate_series(1, :count)")
    return [Ids(*row) for row in session.execute(query, {"count": count})]


def staff(session: Session) -> dict[str, User]:
    """The people of the desk by their address."""
    return {user.email: user for user in session.scalars(select(User).where(User.active))}


def is_believed(mail: ParsedMail, borders: Collection[str]) -> bool:
    """Whether the sender is who he says, as far as our own mail border can tell (T06, T12).

    Where a border is configured, mail that it did not check did not come through it.
    """
    verdict = border_verdict(mail.headers, borders)
    return not borders or (verdict.is_verified and verdict.dmarc != "fail")


def likeness(mail: ParsedMail, body_sha256: str | None) -> Likeness:
    """What makes a mail the same as another; equal only for the very same words by the same sender."""
    sender = mail.sender[0].address.lower() if mail.sender else None
    return mail.message_id, sender, mail.subject, body_sha256


def _same_mail(session: Session, mails: list[ParsedMail]) -> tuple[dict[Likeness, int], set[str | None]]:
    ids = [mail.message_id for mail in mails if mail.message_id]
    query = (
        select(
            Message.message_id,
            Message.sender_address,
            Message.subject,
            RawMail.body_sha256,
            RawMail.id,
        )
        .join(RawMail, RawMail.id == Message.raw_mail_id)
        .where(Message.message_id.in_(ids))
    )
    found = session.execute(query).all() if ids else []
    alike = {(row[0], (row[1] or "").lower() or None, row[2], row[3]): row[4] for row in found}
    return alike, {row[0] for row in found}


def _recent(session: Session, senders: set[str], now: dt.datetime) -> Counter[str]:
    """How many mails each address sent in the last hour."""
    query = (
        select(Message.sender_address, func.count())
        .where(
            Message.sender_address.in_(senders),
            Message.at > now - HOUR,
            Message.direction == Direction.INBOUND.value,
        )
        .group_by(Message.sender_address)
    )
    return Counter({str(address): count for address, count in session.execute(query)})
