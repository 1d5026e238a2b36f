"""A client for ClamAV's daemon: one content to it, one word back.

In: the address, INSTREAM over TCP or a Unix socket, with time-outs. Not in: what is done with the word
(`helpdesk.desk.scans`). Source: clamd(8), "INSTREAM".
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

CHUNK = 1 << 16
MAX_ANSWER = 4_096
CONNECT_S = 5.0
# For all writes, and for each read; a content of 25 MB takes the daemon a few seconds.
ANSWER_S = 25.0

_FOUND = re.compile(r"stream: (.{1,200}) FOUND")


class ScannerDown(Exception):
    """The scanner could not be asked, or gave no answer: nothing is known of the content."""


class ScanRefused(Exception):
    """The scanner answers but cannot check this content; its words are the reason."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """Where the daemon listens: `host:port` or `unix:/path`, as in `HELPDESK_CLAMAV`."""

    address: str
    answer_s: float = ANSWER_S

    def scan(self, content: bytes) -> str | None:
        """Return the name of the virus in `content`, or None when it is clean.

        Raises ScannerDown, or ScanRefused when the daemon answers with an error.
        """
        try:
            with self._connect() as connection:
                connection.settimeout(self.answer_s)
                answer = self._exchange(connection, content)
        except OSError as error:
            raise ScannerDown(error.strerror or type(error).__name__) from error
        if answer == "stream: OK":
            return None
        if found := _FOUND.fullmatch(answer):
            return found[1]
        if not answer:
            raise ScannerDown("the connection was closed without an answer")
        raise ScanRefused(answer.removeprefix("INSTREAM ")[:200])

    def _connect(self) -> socket.socket:
        if self.address.startswith("unix:"):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(CONNECT_S)
            try:
                connection.connect(self.address.removeprefix("unix:"))
            except OSError:
                connection.close()
                raise
            return connection
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S)

    def _exchange(self, connection: socket.socket, content: bytes) -> str:
        """Send the content in chunks with their lengths, an empty one at the end; read one line back."""
        try:
            connection.sendall(b"zINSTREAM\0")
            for at in range(0, len(content), CHUNK):
                chunk = content[at : at + CHUNK]
                connection.sendall(len(chunk).to_bytes(4, "big") + chunk)
            connection.sendall(bytes(4))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has said why before it hung up ("size limit exceeded"); that is read below
        answer = b""
        while b"\0" not in answer and len(answer) < MAX_ANSWER:
            received = connection.recv(MAX_ANSWER)
            if not received:
                break
            answer += received
        return answer.split(b"\0")[0].decode("utf-8", "replace").strip()
