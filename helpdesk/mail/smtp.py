"""Handing mail to the SMTP server (RFC 5321) and naming what it said. No retries here: the outbox decides."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from helpdesk.settings import Settings, read_secret


class Handed(StrEnum):
    """How an attempt to hand over a mail ended."""

    ACCEPTED = "accepted"
    LATER = "later"  # 4xx, no connection: try again
    REFUSED = "refused"  # 5xx: never
    UNCERTAIN = "uncertain"  # the line broke after the last dot: the server may have it


_OUTCOMES = {2: Handed.ACCEPTED, 4: Handed.LATER, 5: Handed.REFUSED}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where our mail leaves."""

    host: str
    port: int
    security: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 60

    @classmethod
    def from_settings(cls, settings: Settings) -> SmtpServer:
        """The server of the settings. Raises SettingsError when the password file cannot be read."""
        path = settings.smtp_password_file
        password = read_secret(path, "HELPDESK_SMTP_PASSWORD_FILE") if path else None
        return cls(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_security,
            settings.smtp_user,
            password,
            settings.smtp_timeout_s,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one attempt with the server's reason, free of credentials (T61)."""

    outcome: Handed
    reason: str
    hung_up: bool = False


@contextmanager
def open_server(server: SmtpServer) -> Iterator[smtplib.SMTP]:
    """A connection, encrypted and signed in as configured. Raises smtplib's errors and OSError.

    With `starttls` a server that does not offer it is an error, never plain text (T62).
    """
    context = ssl.create_default_context()
    if server.security == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=server.timeout_s, context=context
        )
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
    try:
        if server.security == "starttls":
            client.starttls(context=context)
        if server.user and server.password is not None:
            client.login(server.user, server.password)
        client.ehlo_or_helo_if_needed()
        yield client
    finally:
        _quit(client)


def _quit(client: smtplib.SMTP) -> None:
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()  # the server hung up first; the mail's own answer is known already


def hand_over(client: smtplib.SMTP, envelope_from: str, recipient: str, content: bytes) -> Answer:
    """Send one mail to one recipient and say how it went; never raises for what the server says or does."""
    text_given = False
    try:
        _command(client.mail(envelope_from))
        _command(client.rcpt(recipient))
        text_given = True
        return _answer(*client.data(content), text_given=True)
    except (_Reply, smtplib.SMTPDataError) as refusal:
        answer = (
            refusal.answer()
            if isinstance(refusal, _Reply)
            else _answer(refusal.smtp_code, refusal.smtp_error)
        )
        return _reset(client, answer)
    except (smtplib.SMTPException, OSError) as error:
        outcome = Handed.UNCERTAIN if text_given else Handed.LATER
        return Answer(outcome, f"el servidor cortó la conexión ({type(error).__name__})", hung_up=True)


def _reset(client: smtplib.SMTP, answer: Answer) -> Answer:
    """End the refused transaction, so that the next mail begins a new one (RFC 5321, 4.1.1.5)."""
    try:
        client.rset()
    except (smtplib.SMTPException, OSError):
        return replace(answer, hung_up=True)
    return answer


class _Reply(Exception):
    def __init__(self, code: int, text: bytes) -> None:
        self.code, self.text = code, text

    def answer(self) -> Answer:
        return _answer(self.code, self.text)


def _command(reply: tuple[int, bytes]) -> None:
    code, text = reply
    if code >= 400 or code < 200:
        raise _Reply(code, text)


def _answer(code: int, text: bytes | str, *, text_given: bool = False) -> Answer:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    reason = f"{code} {' '.join(words.split())[:200]}"
    known = _OUTCOMES.get(code // 100)
    if known is not None:
        return Answer(known, reason)
    # Not an answer of SMTP's (smtplib gives -1 for a line without a number): nothing is certain but the doubt.
    return Answer(Handed.UNCERTAIN if text_given else Handed.LATER, reason, hung_up=True)


def unreachable(error: Exception) -> Answer:
    """The answer for a server that could not even be talked to."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        reason = "el servidor SMTP rechazó nuestro usuario o contraseña"
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        reason = "el servidor SMTP no ofrece lo que exigimos (STARTTLS o AUTH)"
    else:
        reason = f"no se llega al servidor SMTP ({type(error).__name__})"
    return Answer(Handed.LATER, reason, hung_up=True)
