"""The SMTP server at the other end: a process of its own that writes down each mail, fsynced, before it says 250.

It misbehaves by a seed: puts off, refuses, hangs up after the last dot with and without the mail, answers late.
`python -m tests.chaos.sink LOG PORT SEED` serves until its standard input is closed.
"""

from __future__ import annotations

import asyncio
import email
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from tests.ports import free_port

SLOW_S = 0.06
# What happens at the end of a mail, and how often of a hundred mails.
FAULTS = {
    "none": 87,
    "later": 4,  # 451, not kept
    "refused": 1,  # 554, not kept
    "kept, then hung up": 3,  # the mail is in, its sender cannot know
    "lost, then hung up": 2,  # the mail is not in, its sender cannot know
    "slow": 3,
}
KEPT = ("none", "slow", "kept, then hung up")
ANSWERS = {"later": "451 4.3.0 try again later", "refused": "554 5.7.1 not wanted"}


@dataclass(frozen=True)
class Arrival:
    """A mail at the sink, whether it was kept or not."""

    message_id: str
    recipient: str
    sha256: str
    fault: str

    @property
    def kept(self) -> bool:
        """Whether the server has the mail."""
        return self.fault in KEPT


class Handler:
    """What aiosmtpd asks when a mail is complete."""

    def __init__(self, log: Path, seed: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._chance = random.Random(seed)

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:
        """Log, fsync, answer; or what the seed wants instead."""
        fault = self._chance.choices(tuple(FAULTS), tuple(FAULTS.values()))[0]
        content: bytes = envelope.original_content
        found = email.message_from_bytes(content)["Message-ID"] or ""
        digest = hashlib.sha256(content).hexdigest()
        for recipient in envelope.rcpt_tos:
            self._write(Arrival(found.strip(), recipient, digest, fault))
        if fault == "slow":
            await asyncio.sleep(SLOW_S)
        if fault.endswith("hung up"):
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return ANSWERS.get(fault, "250 OK")

    def _write(self, arrival: Arrival) -> None:
        os.write(self._log, json.dumps(vars(arrival)).encode() + b"\n")
        os.fsync(self._log)


class Sink:
    """The running sink as others see it: a port and a log that grows."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self._log = log
        self._read = 0
        self.arrivals: list[Arrival] = []

    def look(self) -> list[Arrival]:
        """Everything that arrived so far."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if line.endswith(b"\n"):
                    self._read += len(line)
                    self.arrivals.append(Arrival(**json.loads(line)))
        return self.arrivals


@contextmanager
def running(log: Path, seed: int) -> Iterator[Sink]:
    """A sink in its own process; it ends with the context."""
    port = free_port()
    log.touch()
    command = [sys.executable, "-m", "tests.chaos.sink", str(log), str(port), str(seed)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin
    assert child.stdout
    try:
        assert child.stdout.readline() == b"ready\n"
        yield Sink(port, log)
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


async def serve(log: Path, port: int, seed: int) -> None:
    """Serve until standard input ends."""
    handler = Handler(log, seed)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="sink"), "127.0.0.1", port)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
