"""Automatic mail of ours: when an acknowledgement may be sent, and the acknowledgement itself.

It holds the number and no text that the sender chose (T09), and is never sent to machines (T56, RFC 3834).
"""

from __future__ import annotations

import datetime as dt
from functools import cache

from sqlalchemy import text
from sqlalchemy.orm import Session

from helpdesk.desk.message import Message
from helpdesk.desk.outbox import Outgoing
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


# Addresses for which this session has queued a notice that may not be written yet.
QUEUED_NOW = "notices queued now"
DAY = dt.timedelta(hours=24)

_LOCK_ADDRESS = text("select pg_advisory_xact_lock(hashtextextended(:address, 0))")
_COUNT_NOTICES = text(
    "select count(*) from outgoing where recipient = :address and notice and created_at > :since"
)


def why_not_acknowledge(
    session: Session, ticket: Ticket, message: Message, settings: Settings, now: dt.datetime
) -> str | None:
    """The reason why this mail gets no acknowledgement; None when it gets one."""
    if message.automatic:
        return f"correo automático ({message.automatic})"
    if ticket.requester is None:
        return "no se conoce al remitente"
    address = ticket.requester.email
    if address in settings.own:
        return "viene de nuestra propia dirección"
    if address.partition("@")[0].startswith(NO_REPLY):
        return "es una dirección que no recibe respuestas"
    if now - message.at > dt.timedelta(hours=settings.acknowledge_within_h):
        return f"el correo tiene más de {settings.acknowledge_within_h} h"
    if acknowledged_today(session, address, now) >= settings.acknowledgements_per_day:
        return f"ya hubo {settings.acknowledgements_per_day} acuses a esta dirección en 24 h"
    return None


def acknowledged_today(session: Session, address: str, now: dt.datetime) -> int:
    """Notices queued to an address in the last 24 hours. Holds a lock on the address until the commit."""
    if address in session.info.get(QUEUED_NOW, ()):
        session.flush()  # what this very transaction has queued counts too
    connection = session.connection()
    connection.execute(_LOCK_ADDRESS, {"address": address})
    return connection.scalar(_COUNT_NOTICES, {"address": address, "since": now - DAY}) or 0


def acknowledge(
    session: Session, ticket: Ticket, message: Message, settings: Settings, now: dt.datetime
) -> None:
    """Queue the acknowledgement of a new ticket, or write down why there is none."""
    reason = why_not_acknowledge(session, ticket, message, settings, now)
    if reason is None:
        try:
            notice = _acknowledgement(ticket, message, settings, now)
            session.add(notice)
            session.info.setdefault(QUEUED_NOW, set()).add(notice.recipient)
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
