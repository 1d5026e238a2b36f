"""imapclient with an end to everything: time, bytes, and nonsense. What is asked for is in `imap_folder`.

imaplib reads a literal as long as the server announces, waits for as long as bytes drip, and raises ValueError
here and there for an answer that it cannot read. A server may be broken or hostile (T108), so each group of
commands is an `exchange`: bounded in seconds and bytes, and nonsense in it is a ProtocolError.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import ProtocolError
from imapclient.imapclient import join_message_ids
from imapclient.response_parser import parse_fetch_response

from helpdesk.mail.deadline import Watchdog

# The greeting, the capabilities, and whatever a server likes to say before anybody asks.
GREETING_BYTES = 200_000
# So long at least each of a host's addresses is tried.
LEAST_SHARE_S = 0.2
# One SEARCH answer is one line: 1.4 million UIDs. imaplib's own limit (1 MB) ends at 120,000 messages.
LONGEST_LINE = 16_000_000
imaplib._MAXLINE = LONGEST_LINE  # type: ignore[attr-defined]  # the only way to say so

Items = dict[bytes, object]


class TooMuch(ProtocolError):  # type: ignore[misc]  # imapclient carries no types
    """The server sent, or announced, more than was allowed for this exchange."""


class _Connection(imaplib.IMAP4):
    """imaplib's connection that counts what it reads and can be cut off."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext | None, timeout_s: float, watchdog: Watchdog
    ) -> None:
        self._context, self._watchdog = context, watchdog
        self.allowance = GREETING_BYTES
        super().__init__(host, port, timeout=timeout_s)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        sock = _reach(self.host, self.port, timeout)
        self._watchdog.watch(sock)
        if self._context is None:
            return sock
        try:
            wrapped = self._context.wrap_socket(
                sock, server_hostname=self.host, do_handshake_on_connect=False
            )
        except (OSError, ValueError):
            sock.close()
            raise
        self._watchdog.watch(wrapped)
        try:
            wrapped.do_handshake()
        except (OSError, ValueError):
            wrapped.close()
            raise
        return wrapped

    def read(self, size: int) -> bytes:
        """A literal, unless it is announced as longer than what is left of the allowance."""
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        """A line."""
        line = super().readline()
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self.allowance -= size
        if self.allowance < 0:
            raise TooMuch("more data than was asked for")


def _reach(host: str, port: int, timeout_s: float | None) -> socket.socket:
    """A connection to the first of a host's addresses that answers; the time is shared out among them (F10).

    Large providers have a dozen addresses, and a firewall may swallow what goes to half of them.
    """
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # two dots in a row, or a part that is too long
        raise socket.gaierror(socket.EAI_NONAME, "no such name") from error
    end = time.monotonic() + (timeout_s or 0)
    trouble = OSError("no address")
    for number, (*_, place) in enumerate(places):
        share = (end - time.monotonic()) / (len(places) - number)
        try:
            sock = socket.create_connection((str(place[0]), int(place[1])), max(share, LEAST_SHARE_S))
        except OSError as error:
            trouble = error
        else:
            sock.settimeout(timeout_s)
            return sock
    raise trouble


@contextmanager
def _readable() -> Iterator[None]:
    """Nonsense from the server is a ProtocolError, wherever the libraries stumble over it."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        AssertionError,
        RecursionError,
    ) as error:
        if isinstance(error, OSError):
            raise  # a bad certificate is a ValueError, too
        raise ProtocolError(f"an answer that cannot be read ({type(error).__name__})") from error


class Client(IMAPClient):  # type: ignore[misc]  # imapclient carries no types
    """An IMAP connection whose every exchange ends."""

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self.watchdog = Watchdog()
        with self.watchdog.within(connect_timeout_s + read_timeout_s), _readable():
            super().__init__(
                host,
                port=port,
                ssl=context is not None,
                ssl_context=context,
                timeout=SocketTimeout(connect=connect_timeout_s, read=read_timeout_s),
            )
        self.normalise_times = False  # aware INTERNALDATE instead of naive local time

    def _create_IMAP4(self) -> _Connection:
        return _Connection(self.host, self.port, self.ssl_context, self._timeout.connect, self.watchdog)

    def allow(self, max_bytes: int) -> None:
        """Read no more than so much from now on."""
        self._imap.allowance = max_bytes

    @contextmanager
    def exchange(self, seconds: float, max_bytes: int) -> Iterator[None]:
        """A group of commands that ends in time and reads no more than `max_bytes`.

        Raises TimeoutError, OSError, IMAPClientError (ProtocolError for an answer that cannot be read).
        """
        self.allow(max_bytes)
        with self.watchdog.within(seconds), _readable():
            yield

    def fetch_by_uid(self, uids: Sequence[int], items: str) -> dict[int, Items]:
        """UID FETCH of `items`: only answers that name one of `uids` themselves.

        imapclient files an answer without UID under its sequence number, which may be another message's UID
        (F15). So an answer counts only when it is the same under its UID and under its sequence number.
        """
        tag = self._imap._command("UID", "FETCH", join_message_ids(uids), items)
        typ, data = self._imap._command_complete("FETCH", tag)
        self._checkok("fetch", typ, data)
        _, data = self._imap._untagged_response(typ, data, "FETCH")
        by_uid = parse_fetch_response(data, normalise_times=False, uid_is_key=True)
        by_sequence = parse_fetch_response(data, normalise_times=False, uid_is_key=False)
        return {
            uid: by_uid[uid]
            for uid in uids
            if uid in by_uid and by_sequence.get(by_uid[uid][b"SEQ"], {}).get(b"UID") == uid
        }
