"""Citizens who write, agents who answer, servers that return mail; and the list of what must come of it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select

from helpdesk.db import utc_now
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.ticket import Ticket
from tests.chaos.sink import Arrival
from tests.chaos.stage import Stage
from tests.mails import mail

RECENT = 60

REPORT = """\
From: MAILER-DAEMON@mx.example.com
To: consultas@infomigra.example.com
Subject: Undelivered Mail Returned to Sender
Message-ID: {message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="chaos"

--chaos
Content-Type: text/plain

The mail could not be delivered.
--chaos
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {arrival.recipient}
Action: failed
Status: 5.1.1

--chaos
Content-Type: text/rfc822-headers

Message-ID: {arrival.message_id}
To: {arrival.recipient}

--chaos--
"""


@dataclass(frozen=True)
class Expected:
    """A mail that was delivered. `answers` is the Message-ID of ours that it answers or returns."""

    answers: str | None = None
    bad: bool = False  # poison: it must be set aside


@dataclass
class People:
    """Everybody outside the desk. What they did is remembered, for the invariants to compare with."""

    stage: Stage
    chance: random.Random
    user: str = ""
    delivered: dict[str, Expected] = field(default_factory=dict)
    copies: int = 0
    clicks: dict[str, int] = field(default_factory=dict)  # idempotency key → ticket
    recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=RECENT))

    def do(self, act: str) -> None:
        """Do one thing of `plan.ACTS`."""
        deeds: dict[str, Callable[[], None]] = {
            "ask": self.ask,
            "answer": self.answer,
            "answer twice": lambda: self.answer(times=2),
            "reply": self.reply,
            "same again": self.same_again,
            "bounce": self.bounce,
            "poison": lambda: self.ask("poison"),
            "deadly": lambda: self.ask("deadly"),
        }
        deeds[act]()

    def ask(self, chaos: str = "") -> None:
        """A citizen nobody has heard of writes."""
        number = len(self.delivered)
        raw = mail(
            f"Consulta número {number}: quiero volver al Perú con mis herramientas.",
            sender=f"p{number}@example.com",
            message_id=self._new_id(Expected(bad=bool(chaos))),
            headers={"X-Chaos": chaos} if chaos else None,
        )
        self._deliver(raw)
        if not chaos:
            self.recent.append(raw)

    def same_again(self) -> None:
        """A server delivers once more what it delivered before."""
        if self.recent:
            self.copies += 1
            self._deliver(self.chance.choice(self.recent))

    def reply(self) -> None:
        """A citizen answers a mail that reached him."""
        if arrival := self._some_arrival():
            message_id = self._new_id(Expected(answers=arrival.message_id))
            self._deliver(
                mail(
                    "Muchas gracias. Todavía tengo una duda.",
                    sender=arrival.recipient,
                    message_id=message_id,
                    reply_to_id=arrival.message_id,
                )
            )

    def bounce(self) -> None:
        """A server returns a mail of ours (RFC 3464)."""
        if arrival := self._some_arrival():
            message_id = self._new_id(Expected(answers=arrival.message_id))
            report = REPORT.format(message_id=message_id, arrival=arrival)
            self._deliver(report.replace("\n", "\r\n").encode())

    def answer(self, times: int = 1) -> None:
        """An agent answers a ticket; a click that arrives twice brings the same key twice."""
        with self.stage.sessions() as session:
            ids = select(Ticket.id).where(Ticket.requester_id.is_not(None)).order_by(Ticket.id.desc())
            tickets = session.scalars(ids.limit(RECENT)).all()
        if not tickets:
            return
        ticket_id = self.chance.choice(tickets)
        key = f"click-{len(self.clicks)}"
        draft = Draft(f"Estimada señora: esta es la respuesta {key}.", key)
        for _ in range(times):
            self._click(ticket_id, draft)
        self.clicks[key] = ticket_id

    def _click(self, ticket_id: int, draft: Draft) -> None:
        with self.stage.sessions.begin() as session:
            ticket = session.get_one(Ticket, ticket_id)
            agent = session.merge(self.stage.agent, load=False)
            send_reply(session, ticket, draft, agent=agent, settings=self.stage.settings, now=utc_now())

    def _some_arrival(self) -> Arrival | None:
        kept = [arrival for arrival in self.stage.sink.look()[-RECENT:] if arrival.kept]
        return self.chance.choice(kept) if kept else None

    def _new_id(self, expected: Expected) -> str:
        message_id = f"<chaos-{len(self.delivered)}@example.com>"
        self.delivered[message_id] = expected
        return message_id

    def _deliver(self, raw: bytes) -> None:
        self.stage.server.deliver(self.user, raw)
