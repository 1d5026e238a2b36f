"""Handing mail to the SMTP server (RFC 5321) and naming what it said. No retries here: the outbox decides.

Two kinds of bad news are kept apart: what the server says about one mail (an `Answer`), and what stops all mail
(`ServerTrouble`, or an answer's `trouble`): no connection, no encryption, a wrong password. The second is not the
mail's fault and costs it no try.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from helpdesk.mail.compose import one_line
from helpdesk.mail.smtp_server import ServerTrouble, SmtpServer, sign_in, token_for

__all__ = ["Answer", "Handed", "Parcel", "ServerTrouble", "SmtpServer", "hand_over", "open_server"]

REASON_CHARACTERS = 200
# Greeting, encrypting and signing in take at most so many answers' time, however slowly they drip.
GREETING_TIMEOUTS = 2
GOODBYE_S = 5
NEEDS_SIGN_IN = frozenset({530, 535, 538})
TOO_LARGE = frozenset({523, 552})
_FIRST_DOTS = re.compile(rb"(?m)^\.")


class Handed(StrEnum):
    """How an attempt to hand over a mail ended."""

    ACCEPTED = "accepted"
    LATER = "later"  # 4xx, or the line broke before the text was given: try again
    REFUSED = "refused"  # 5xx: never
    UNCERTAIN = "uncertain"  # the line broke after the last dot: the server may have it
    KEPT = "kept"  # nothing was tried: the mail is not ours any more, or the server takes none at all


_OUTCOMES = {2: Handed.ACCEPTED, 4: Handed.LATER, 5: Handed.REFUSED}


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one attempt with the server's reason. `trouble`: the kind of trouble that stops all mail."""

    outcome: Handed
    reason: str
    hung_up: bool = False
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """One mail for one recipient. `text` gives its bytes when the server is ready for them, or None: not any more."""

    envelope_from: str
    recipient: str
    size: int
    text: Callable[[], bytes | None]


@contextmanager
def open_server(server: SmtpServer) -> Iterator[smtplib.SMTP]:
    """A connection, encrypted and signed in as configured. Raises ServerTrouble.

    With `starttls` a server that does not offer it gets neither our password nor our mail (T62).
    """
    client = _ready(server)
    try:
        yield client
    finally:
        _quit(client)


def _ready(server: SmtpServer) -> smtplib.SMTP:
    """A connection that takes mail. A token that the server does not take is asked for anew, once."""
    if server.unusable:
        raise ServerTrouble("settings", server.unusable)
    if server.oauth is None:
        return _connected(server, server.password)
    token = token_for(server.oauth)
    try:
        return _connected(server, token)
    except ServerTrouble as refusal:
        if refusal.kind != "token":
            raise
    # The server forgot it, somebody revoked it, or its life was shorter than promised.
    return _connected(server, token_for(server.oauth))


def _connected(server: SmtpServer, secret: str | None) -> smtplib.SMTP:
    client = _client(server)
    try:
        _connect(client, server, secret)
    except BaseException:
        client.close()
        raise
    return client


def _client(server: SmtpServer) -> smtplib.SMTP:
    client = smtplib.SMTP(local_hostname=_own_name(), timeout=server.timeout_s)
    # The name that the certificate is checked against; smtplib takes it only together with connecting at once,
    # and the connection must exist before, so that it can be cut off from outside.
    client._host = server.host  # type: ignore[attr-defined]
    return client


@cache
def _own_name() -> str:
    # May ask a name server: once for all connections. A name without a dot is none that a server must take (RFC
    # 5321, 2.3.5): smtplib then says the address instead, and only when it is not given a name.
    return smtplib.SMTP().local_hostname


def _connect(client: smtplib.SMTP, server: SmtpServer, secret: str | None) -> None:
    """Connect, encrypt and sign in; whatever goes wrong is named by kind, without the server's words on secrets."""
    try:
        _reach(client, server)
        with cut_off_after(client, GREETING_TIMEOUTS * server.timeout_s) as was_cut:
            _greet(client, server, secret)
    except ssl.SSLCertVerificationError as error:
        reason = f"el certificado del servidor SMTP no es válido ({one_line(error.verify_message)})"
        raise ServerTrouble("certificate", reason) from None
    except ssl.SSLError as error:
        reason = f"el servidor SMTP no habla TLS ({error.reason or type(error).__name__})"
        raise ServerTrouble("no-encryption", reason) from None
    except (smtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a challenge that is no base64
        raise ServerTrouble("unreachable", f"no se llega al servidor SMTP ({type(error).__name__})") from None
    if was_cut.is_set():
        raise ServerTrouble("unreachable", "el servidor SMTP tarda demasiado en saludar")


def _reach(client: smtplib.SMTP, server: SmtpServer) -> None:
    """The line. A time-out for each address of the name, so that dead ones use up nobody else's time."""
    client.sock = socket.create_connection((server.host, server.port), server.timeout_s)
    if server.security == "tls":
        context = ssl.create_default_context()
        client.sock = context.wrap_socket(client.sock, server_hostname=server.host)


def _greet(client: smtplib.SMTP, server: SmtpServer, secret: str | None) -> None:
    code, words = client.getreply()
    if code != 220:
        raise ServerTrouble("unreachable", f"el servidor SMTP no atiende: {_reason(code, words)}")
    _encrypt(client, server)
    sign_in(client, server, secret)
    client.ehlo_or_helo_if_needed()


def _encrypt(client: smtplib.SMTP, server: SmtpServer) -> None:
    if server.security != "starttls":
        return
    client.ehlo_or_helo_if_needed()
    if not client.has_extn("starttls"):
        raise ServerTrouble("no-encryption", "el servidor SMTP no ofrece STARTTLS")
    try:
        code, words = client.starttls(context=ssl.create_default_context())
    except smtplib.SMTPResponseException as error:
        code, words = error.smtp_code, _bytes(error.smtp_error)
    if code != 220:
        kind = "unreachable" if code // 100 == 4 else "no-encryption"
        raise ServerTrouble(kind, f"el servidor SMTP no empieza TLS: {_reason(code, words)}")


@contextmanager
def cut_off_after(client: smtplib.SMTP, seconds: float) -> Iterator[threading.Event]:
    """Cut the connection when the block takes longer, however slowly the server drips its answers (F26).

    Yields what says afterwards whether it was cut: half an answer may look like a whole one.
    """
    was_cut = threading.Event()
    timer = threading.Timer(seconds, _cut, [client, was_cut])
    timer.daemon = True
    timer.start()
    try:
        yield was_cut
    finally:
        timer.cancel()


def _cut(client: smtplib.SMTP, was_cut: threading.Event) -> None:
    was_cut.set()
    if client.sock is not None:
        with suppress(OSError):
            # The plain socket's: an SSL socket's own would let a reading thread go on in plain text.
            socket.socket.shutdown(client.sock, socket.SHUT_RDWR)


def _quit(client: smtplib.SMTP) -> None:
    try:
        with cut_off_after(client, GOODBYE_S):
            client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()  # the server hung up first; the mail's own answer is known already


def hand_over(client: smtplib.SMTP, parcel: Parcel, *, limit_s: float) -> Answer:
    """Send one mail to one recipient and say how it went; never raises for what the server says or does.

    The whole takes at most `limit_s` seconds; then the line is cut.
    """
    talk = _Talk(client)
    try:
        with cut_off_after(client, limit_s) as was_cut:
            answer = talk.go(parcel)
        return _cut_short(talk, "demora") if was_cut.is_set() else answer
    except _Reply as refusal:
        return _reset(client, refusal.answer)
    except ValueError:
        return _reset(client, Answer(Handed.REFUSED, "la dirección no es válida"))
    except (smtplib.SMTPException, OSError) as error:
        return _cut_short(talk, type(error).__name__)


def _cut_short(talk: _Talk, why: str) -> Answer:
    outcome = Handed.UNCERTAIN if talk.given else Handed.LATER
    return Answer(outcome, f"se cortó la conexión con el servidor ({why})", hung_up=True)


@dataclass(slots=True)
class _Talk:
    """One transaction. `given`: the last dot is out, so the server may have the mail whatever comes next."""

    client: smtplib.SMTP
    given: bool = False

    def go(self, parcel: Parcel) -> Answer:
        client = self.client
        sized = [f"size={parcel.size}"] if client.has_extn("size") else []
        _expect(client.mail(parcel.envelope_from, sized), said=_mail_refused(parcel))
        _expect(client.rcpt(parcel.recipient))
        text = parcel.text()
        if text is None:
            return _reset(client, Answer(Handed.KEPT, "el correo ya no es de este proceso"))
        _expect(client.docmd("DATA"), wanted=354)
        self._give(text)
        code, words = client.getreply()
        return _refused(code, _answer(code, words, given=True))

    def _give(self, text: bytes) -> None:
        """The text, with its leading dots doubled (RFC 5321, 4.5.2), and then the dot that makes it the server's."""
        assert self.client.sock is not None
        self.client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = _FIRST_DOTS.sub(b"..", text)
        self.client.send(body if body.endswith(b"\r\n") else body + b"\r\n")
        self.given = True
        self.client.send(".\r\n")


class _Reply(Exception):
    """A reply that ends the transaction before the text is given."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


Said = Callable[[int, Answer], Answer]


def _refused(code: int, answer: Answer) -> Answer:
    """What a refusal means wherever it comes: a server that wants us to sign in takes no mail at all."""
    if code not in NEEDS_SIGN_IN:
        return answer
    return replace(answer, outcome=Handed.KEPT, trouble="credentials", hung_up=True)


def _mail_refused(parcel: Parcel) -> Said:
    """A refusal of MAIL FROM: every mail from this address would hear it, unless it is this one's size."""

    def said(code: int, answer: Answer) -> Answer:
        if code in TOO_LARGE or answer.outcome is not Handed.REFUSED or not parcel.envelope_from:
            return _refused(code, answer)
        kind = "credentials" if code in NEEDS_SIGN_IN else "sender"
        return replace(answer, outcome=Handed.KEPT, trouble=kind, hung_up=True)

    return said


def _expect(reply: tuple[int, bytes], wanted: int | None = None, said: Said = _refused) -> None:
    """Go on when the server does; raise _Reply otherwise."""
    code, words = reply
    if code == wanted or (wanted is None and code // 100 == 2):
        return
    answer = said(code, _answer(code, words))
    if answer.outcome is Handed.ACCEPTED:  # "250" where 354 belongs: nothing was accepted yet
        answer = replace(answer, outcome=Handed.LATER, hung_up=True)
    raise _Reply(answer)


def _reset(client: smtplib.SMTP, answer: Answer) -> Answer:
    """End the transaction, so that the next mail begins a new one (RFC 5321, 4.1.1.5)."""
    if answer.hung_up:
        return answer
    try:
        with cut_off_after(client, GOODBYE_S):
            client.rset()
    except (smtplib.SMTPException, OSError):
        return replace(answer, hung_up=True)
    return answer


def _answer(code: int, words: bytes | str, *, given: bool = False) -> Answer:
    reason = _reason(code, words)
    known = _OUTCOMES.get(code // 100)
    if known is not None:
        # 421: the server closes the connection, whatever was asked (RFC 5321, 3.8).
        return Answer(known, reason, hung_up=code == 421)
    # Not an answer of SMTP's (smtplib gives -1 for a line without a number): nothing is certain but the doubt.
    return Answer(Handed.UNCERTAIN if given else Handed.LATER, reason, hung_up=True)


def _reason(code: int, words: bytes | str) -> str:
    text = words if isinstance(words, str) else words.decode("utf-8", "replace")
    return f"{code} {one_line(text)[:REASON_CHARACTERS]}".rstrip()


def _bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode("utf-8", "replace")
