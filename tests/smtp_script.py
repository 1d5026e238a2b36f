"""An SMTP server that misbehaves by a script: it hangs up, falls silent, drips, or answers late, at any command.

A moves table names a command (`connect`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `text`, `RSET`, `QUIT`) and its next moves:

    "451 4.3.0 later"   this answer          "hang up"       close the connection without one
    "silence"           no answer at all     "slow 0.2"      the usual answer after so many seconds
    "drip"              an answer that never ends, one letter at a time
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

USUAL = {
    "connect": "220 script.example.com",
    "EHLO": "250 script.example.com",
    "DATA": "354 go on",
    "QUIT": "221 bye",
}
DRIP_S = 0.02


@dataclass
class Script:
    """What it will do, and what it has seen. `texts` holds every mail whose last dot arrived."""

    port: int = 0
    moves: dict[str, list[str]] = field(default_factory=dict)
    always: dict[str, str] = field(default_factory=dict)
    texts: list[bytes] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)

    def move(self, command: str) -> str:
        """What to do now."""
        self.seen[command] += 1
        if self.moves.get(command):
            return self.moves[command].pop(0)
        return self.always.get(command, "")

    def answer(self, line: socket.socket, command: str) -> str | None:
        """Make the next move; return what was said, or None when the connection is over."""
        move = self.move(command)
        if move == "hang up":
            return None
        if move == "silence":
            self.over.wait()
            return None
        if move == "drip":
            while not self.over.wait(DRIP_S):
                line.sendall(b"2")
            return None
        if move.startswith("slow "):
            self.over.wait(float(move.removeprefix("slow ")))
            move = ""
        said = move or USUAL.get(command, "250 OK")
        line.sendall(said.encode("latin-1") + b"\r\n")
        return said if command != "QUIT" else None

    def talk(self, line: socket.socket) -> None:
        """One connection."""
        with line, suppress(OSError), line.makefile("rb") as words:
            answer = self.answer(line, "connect")
            while answer is not None and (said := words.readline()):
                command = said.split(maxsplit=1)[0].decode("latin-1").upper()
                answer = self.answer(line, command)
                if command == "DATA" and answer == USUAL["DATA"] and self.read_text(words):
                    answer = self.answer(line, "text")

    def read_text(self, words: Iterator[bytes]) -> bool:
        """Read a mail up to its last dot; False when the line ended before."""
        text = b""
        for part in words:
            if part == b".\r\n":
                self.texts.append(text)
                return True
            text += part
        return False


@contextmanager
def running_script(**always: str) -> Iterator[Script]:
    """A server on a free port; `always` gives moves that are made every time."""
    script = Script(always=always)
    with socket.create_server(("127.0.0.1", 0)) as door:
        script.port = door.getsockname()[1]

        def welcome() -> None:
            with suppress(OSError):
                while True:
                    line, _ = door.accept()
                    threading.Thread(target=script.talk, args=[line], daemon=True).start()

        threading.Thread(target=welcome, daemon=True).start()
        try:
            yield script
        finally:
            script.over.set()
            door.shutdown(socket.SHUT_RDWR)
