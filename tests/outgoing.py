"""Mail that waits to leave, for tests and for measuring how fast it leaves."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from typing import Any

from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import Sessions, utc_now
from helpdesk.desk import health
from helpdesk.desk.health import ServiceHealth
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.sending import send_due
from helpdesk.desk.ticket import Participant, Ticket
from helpdesk.mail.compose import Letter, build
from helpdesk.mail.smtp import SmtpServer
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.mails import mail


def let_on(desk: Desk, *addresses: str) -> None:
    """Put people on the first ticket, as an agent would."""
    with desk.sessions.begin() as session:
        for address in addresses:
            person = Participant(ticket_id=desk.tickets()[0].id, address=address, added_at=utc_now())
            session.add(person)


def write_reply(desk: Desk, agent: User, draft: Draft) -> Outgoing:
    """Queue a reply on the first ticket."""
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        return send_reply(session, ticket, draft, agent=agent, settings=desk.settings, now=utc_now())


def queue_reply(desk: Desk, agent: User, *copies: str) -> None:
    """A ticket with a reply that is due; its acknowledgement is out already."""
    desk.file(mail())
    desk.send()
    let_on(desk, *copies)
    write_reply(desk, agent, Draft("Hola.", "k", cc=copies))
    desk.make_due()


def replies(desk: Desk) -> list[Outgoing]:
    """The rows of the replies, one a recipient."""
    return [row for row in desk.outgoing() if not row.notice]


def smtp_server(desk: Desk, **changes: Any) -> SmtpServer:
    """The desk's SMTP server, changed."""
    return dataclasses.replace(SmtpServer.from_settings(desk.settings), **changes)


def reply(desk: Desk) -> Outgoing:
    """The first reply's row."""
    return replies(desk)[0]


def send(desk: Desk, *, lease_s: float = 60, **changes: Any) -> int:
    """Hand over what is due to the desk's server, changed."""
    return send_due(desk.sessions, smtp_server(desk, timeout_s=10, **changes), lease_s=lease_s)


def trouble(desk: Desk) -> ServiceHealth | None:
    """What keeps all mail from leaving."""
    with desk.sessions() as session:
        return health.trouble_with(session, health.SMTP)


def alarms(desk: Desk) -> list[str]:
    """What every agent's page says."""
    with desk.sessions() as session:
        return health.alarms(session)


def fill_outbox(sessions: Sessions, settings: Settings, count: int) -> None:
    """Queue so many replies, each on a ticket of its own, due now."""
    now = utc_now()
    with sessions.begin() as session:
        for number in range(count):
            session.add(_reply(session, settings, number, now))


def _reply(session: Session, settings: Settings, number: int, now: dt.datetime) -> Outgoing:
    recipient = f"persona{number}@example.com"
    ticket = Ticket(
        number=f"CARGA-{number:06d}", subject="Carga", opened_at=now, waiting_since=now, updated_at=now
    )
    session.add(ticket)
    session.flush()
    message = Message(ticket_id=ticket.id, direction=Direction.OUTBOUND.value, recipient=recipient, at=now)
    session.add(message)
    session.flush()
    letter = Letter(
        sender_name=settings.mail_from_name,
        sender=settings.mail_from,
        recipient_name="Persona",
        recipient=recipient,
        subject=f"Re: Carga [{ticket.number}]",
        text="Estimada persona:\n\n" + "Su trámite sigue su curso. " * 40,
        html="<p>Estimada persona:</p><p>" + "Su trámite sigue su curso. " * 40 + "</p>",
        message_id=f"<carga-{message.id}@infomigra.example.com>",
        at=now,
    )
    return Outgoing(
        ticket_id=ticket.id,
        reply_id=message.id,
        idempotency_key=f"carga-{message.id}",
        message_id=letter.message_id,
        envelope_from=settings.mail_from,
        recipient=recipient,
        content=build(letter),
        send_at=now,
        created_at=now,
    )


def sending_rate(sessions: Sessions, settings: Settings, count: int = 1000) -> float:
    """Mails handed over a second, one worker and one connection after the other, to the server of the settings."""
    fill_outbox(sessions, settings, count)
    server = SmtpServer.from_settings(settings)
    start = time.perf_counter()
    sent = send_due(sessions, server, lease_s=settings.lease_s)
    assert sent >= count
    return sent / (time.perf_counter() - start)
