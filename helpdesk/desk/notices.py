"""Automatic mail of ours: when an acknowledgement may be sent, and the acknowledgement itself.

It holds the number and no text that the sender chose (T09), and is never sent to machines (T56, RFC 3834).
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from helpdesk.desk.message import Message
from helpdesk.desk.outbox import TAGGED, Outgoing
from helpdesk.desk.ticket import Ticket, record
from helpdesk.errors import ReplyRefused
from helpdesk.mail.compose import Letter, build
from helpdesk.mail.tokens import make_message_id
from helpdesk.settings import Settings
from templates.catalogue import read_notice
from templates.placeholders import fill
from templates.rendering import Rendered, render

NO_REPLY = (
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "mailer-daemon",
    "postmaster",
    "bounce",
)

# As PostgreSQL and Python read it alike.
TAG = r"^([^@+]+)[+][^@]*@"
DAY = dt.timedelta(hours=24)
MINUTE = dt.timedelta(minutes=1)


@dataclass(slots=True)
class Budget:
    """How many notices some people and domains have been sent of late: the brake on loops and mail bombs (T09).

    Read once for a group of mails, and counted on while they are filed. `of_address` goes by `_mailbox`.
    """

    settings: Settings
    of_address: Counter[str]
    of_domain: Counter[str]

    def refusal(self, address: str) -> str | None:
        """Why this address gets no notice now."""
        already = self.of_address[_mailbox(address)]
        if already >= self.settings.acknowledgements_per_day:
            return f"ya hubo {already} acuses a esta dirección en 24 h"
        if self.of_domain[_domain(address)] >= self.settings.acknowledgements_per_domain_minute:
            return "ya hubo demasiados acuses a este dominio en un minuto"
        return None

    def spend(self, address: str) -> None:
        """One more was queued."""
        self.of_address[_mailbox(address)] += 1
        self.of_domain[_domain(address)] += 1


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _mailbox(address: str) -> str:
    """The address without its tag: ana+1@… and ana+2@… are one person's (RFC 5233), however many somebody makes up."""
    return re.sub(TAG, r"\1@", address)


def open_budget(session: Session, addresses: Collection[str], settings: Settings, now: dt.datetime) -> Budget:
    """The budget of these addresses. The caller holds the lock under which alone notices are queued."""
    mailbox = func.regexp_replace(Outgoing.recipient, TAG, r"\1@")
    wanted = {_mailbox(address) for address in addresses}
    recent = select(Outgoing.recipient, func.count()).where(Outgoing.notice).group_by(Outgoing.recipient)
    today = recent.where(Outgoing.created_at > now - DAY)
    plain = today.where(Outgoing.recipient.in_(wanted))
    tagged = today.where(text(TAGGED), mailbox.in_(wanted))
    just_now = session.execute(recent.where(Outgoing.created_at > now - MINUTE))
    of_address: Counter[str] = Counter()
    for address, count in (*session.execute(plain), *session.execute(tagged)):
        of_address[_mailbox(address)] += count
    of_domain: Counter[str] = Counter()
    for address, count in just_now:
        of_domain[_domain(address)] += count
    return Budget(settings, of_address, of_domain)


def why_not_acknowledge(ticket: Ticket, message: Message, budget: Budget, now: dt.datetime) -> str | None:
    """The reason why this mail gets no acknowledgement; None when it gets one."""
    settings = budget.settings
    if message.automatic:
        return f"correo automático ({message.automatic})"
    if message.forwarded_by:
        return "lo reenvió una persona de la mesa: la dirección no está comprobada"
    if ticket.requester is None:
        return "no se conoce al remitente"
    if ticket.urgency:
        # A person answers it, and soon; and whoever holds somebody may be the one who reads the phone.
        return "es urgente: la responde una persona"
    address = ticket.requester.email
    if address in settings.own:
        return "viene de nuestra propia dirección"
    if address.partition("@")[0].startswith(NO_REPLY):
        return "es una dirección que no recibe respuestas"
    if now - message.at > dt.timedelta(hours=settings.acknowledge_within_h):
        return f"el correo tiene más de {settings.acknowledge_within_h} h"
    return budget.refusal(address)


def acknowledge(
    session: Session,
    ticket: Ticket,
    message: Message,
    budget: Budget,
    now: dt.datetime,
    *,
    refused: str | None = None,
) -> None:
    """Queue the acknowledgement of a new ticket, or write down why there is none (`refused`: known before)."""
    reason = refused or why_not_acknowledge(ticket, message, budget, now)
    if reason is None:
        try:
            notice = _acknowledgement(ticket, message, budget.settings, now)
            session.add(notice)
            budget.spend(notice.recipient)
        except ReplyRefused as error:
            reason = str(error)
    kind = "not_acknowledged" if reason else "acknowledged"
    record(session, ticket, kind, now=now, why=reason or "")


@cache
def acknowledgement_form() -> tuple[str, Rendered]:
    """The acknowledgement's subject and body, rendered once with the number still to be filled in."""
    notice = read_notice("acknowledgement")
    return notice.subject, render(notice.body, title=notice.subject)


def _acknowledgement(ticket: Ticket, message: Message, settings: Settings, now: dt.datetime) -> Outgoing:
    facts = {"numero": ticket.number}
    subject, rendered = acknowledgement_form()
    assert ticket.requester is not None
    message_id = make_message_id(settings.key, ticket.id, settings.mail_domain)
    letter = Letter(
        sender_name=settings.mail_from_name,
        sender=settings.mail_from,
        recipient_name="",
        recipient=ticket.requester.email,
        subject=fill(subject, facts),
        text=fill(rendered.text, facts),
        html=fill(rendered.html, facts),
        message_id=message_id,
        at=now,
        in_reply_to=message.message_id,
        references=tuple(message.references),
        automatic=True,
    )
    return Outgoing(
        ticket_id=ticket.id,
        notice=True,
        idempotency_key=f"acknowledgement-{ticket.id}",
        message_id=message_id,
        envelope_from="",  # the null sender: a bounce of a notice goes nowhere (RFC 3834, 3.3)
        recipient=ticket.requester.email,
        content=build(letter),
        send_at=now,
        created_at=now,
    )
