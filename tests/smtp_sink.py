"""A real SMTP server that keeps what it is given and answers as it is told to."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.ports import free_port

ACCEPTED = "250 OK"


@dataclass
class Sink:
    """What arrived, and what will be answered next: one answer for each DATA, then always 250."""

    port: int
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def mails(self) -> list[EmailMessage]:
        """What arrived, parsed by the standard library."""
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.raw]

    def to(self, address: str) -> list[EmailMessage]:
        """The mails whose envelope names an address."""
        return [mail for mail, (_, to) in zip(self.mails, self.envelopes, strict=True) if address in to]

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        """Keep the mail when it is accepted; `drop` keeps it and hangs up before the answer."""
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if answer == ACCEPTED or answer == "drop":
            self.raw.append(envelope.original_content)
            self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        if answer == "drop":
            _server.transport.abort()
        return answer


@contextmanager
def running_sink() -> Iterator[Sink]:
    """A sink on a free port."""
    sink = Sink(free_port())
    controller = Controller(sink, hostname="127.0.0.1", port=sink.port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
