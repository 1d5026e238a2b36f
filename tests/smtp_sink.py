"""A real SMTP server that keeps what it is given and answers as it is told to.

For a server that breaks the protocol or the line on purpose see `smtp_script.py`.
"""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.ports import free_port

ACCEPTED = "250 OK"


@dataclass
class Sink:
    """What arrived, and what will be answered next: one answer for each DATA, then always 250.

    `recipients` holds an answer for each address that is refused; `users` may sign in.
    """

    port: int
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    recipients: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    sign_ins: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def mails(self) -> list[EmailMessage]:
        """What arrived, parsed by the standard library."""
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.raw]

    def to(self, address: str) -> list[EmailMessage]:
        """The mails whose envelope names an address."""
        return [mail for mail, (_, to) in zip(self.mails, self.envelopes, strict=True) if address in to]

    def sign_in(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        """Whether a user and password are right."""
        assert isinstance(data, LoginPassword)
        user, password = data.login.decode(), data.password.decode()
        self.sign_ins.append(user)
        return AuthResult(success=self.users.get(user) == password, handled=False)


@dataclass(frozen=True)
class Handler:
    """What aiosmtpd calls. Not the sink itself: at each connection it looks at every attribute, `mails` too."""

    sink: Sink

    async def handle_EHLO(
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count the connections; a second greeting after STARTTLS is the same one."""
        session.host_name = hostname
        self.sink.connections += session.ssl is None
        return responses

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take the recipient, unless there is an answer for it."""
        answer = self.sink.recipients.get(address, ACCEPTED)
        if answer == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        """Keep the mail when it is accepted; `drop` keeps it and hangs up before the answer."""
        sink = self.sink
        answer = sink.answers.pop(0) if sink.answers else ACCEPTED
        if answer == ACCEPTED or answer == "drop":
            sink.raw.append(envelope.original_content)
            sink.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        if answer == "drop":
            server.transport.abort()
        return answer


@contextmanager
def running_sink(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    users: dict[str, str] | None = None,
) -> Iterator[Sink]:
    """A sink on a free port, encrypted and with users as wished."""
    sink = Sink(free_port(), users=users or {})
    controller = Controller(
        Handler(sink),
        hostname="127.0.0.1",
        port=sink.port,
        server_hostname="sink.example.com",  # else it asks a name server at each connection
        tls_context=starttls,
        ssl_context=tls,
        require_starttls=starttls is not None,
        authenticator=sink.sign_in if users else None,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
