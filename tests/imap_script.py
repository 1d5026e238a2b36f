"""A server that speaks IMAP as a test tells it to: the hostile and the broken ones that no real server can play.

Each command is answered by a line or a function; what a test leaves out is answered as a harmless empty mailbox.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# What comes before the tagged answer, and that answer without its tag; or a function that writes what it likes.
Answer = bytes | Callable[["Talk"], None]

EMPTY: dict[str, Answer] = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE MOVE\r\nOK done",
    "LOGIN": b"OK logged in",
    "SELECT": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [PERMANENTFLAGS (\\*)] x\r\nOK [READ-WRITE] done",
    "LIST": b'* LIST (\\HasNoChildren) "/" INBOX\r\nOK done',
    "UID SEARCH": b"* SEARCH\r\nOK done",
    "LOGOUT": b"* BYE see you\r\nOK done",
}


@dataclass
class Talk:
    """One command of one client."""

    sock: socket.socket
    tag: bytes
    line: bytes

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def done(self, result: bytes = b"OK done") -> None:
        """Send the tagged answer."""
        self.say(self.tag + b" " + result + b"\r\n")


@dataclass
class Script:
    """The server; `said` is every line that clients sent, decrypted, and `connections` how many came."""

    answers: Mapping[str, Answer]
    greeting: bytes
    context: ssl.SSLContext | None
    listener: socket.socket
    said: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=[sock], daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        # Clients that go away, or never come through TLS, are what these tests are about.
        with sock, suppress(OSError, ValueError):
            if self.context is not None:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock:
                sock.sendall(self.greeting)
                for line in sock.makefile("rb"):
                    self.said.append(line)
                    self._answer(sock, line)

    def _answer(self, sock: socket.socket, line: bytes) -> None:
        tag, _, rest = line.strip().partition(b" ")
        words = rest.decode("ascii", "replace").upper().split()
        name = " ".join(words[:2]) if words[:1] == ["UID"] else (words or ["?"])[0]
        answer = self.answers.get(name, b"BAD what?")
        talk = Talk(sock, tag, line)
        if callable(answer):
            answer(talk)
            return
        untagged, _, last = answer.rpartition(b"\r\n")
        talk.say(untagged + b"\r\n" if untagged else b"")
        talk.done(last)


@contextmanager
def script(
    answers: Mapping[str, Answer] | None = None,
    *,
    greeting: bytes = b"* OK ready\r\n",
    context: ssl.SSLContext | None = None,
) -> Iterator[Script]:
    """A scripted server on loopback for one test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Script({**EMPTY, **(answers or {})}, greeting, context, listener)
        threading.Thread(target=server.serve, daemon=True).start()
        yield server
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
