"""The fork server: everything is imported and loaded once; each worker is a fork that begins in milliseconds.

`python -m tests.chaos.nursery WAY WORKERS MAILBOX` reads one JSON line for each victim and answers one line for
each end. It is the workers' parent, so it never kills a process that only has an old worker's number.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import logging
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections import deque
from dataclasses import asdict, dataclass

from helpdesk.mail.sandbox import load_libraries
from helpdesk.settings import load
from tests.chaos.naive import WAYS
from tests.chaos.plan import IN_PEACE, Victim
from tests.chaos.worker import Tools, Way, live

GLANCE_S = 0.002
READ_BYTES = 1 << 16
# A round without work on an idle machine of 2024; a slower one stretches the victims' lives.
IDLE_ROUND_S = 0.06


@dataclass(frozen=True)
class Order:
    """A victim, and the mailbox it works on."""

    number: int
    mailbox: int
    victim: Victim

    def to_line(self) -> bytes:
        """The order on the pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """The order that came over the pipe."""
        given = json.loads(line)
        return cls(given["number"], given["mailbox"], Victim(**given["victim"]))


@dataclass(frozen=True)
class End:
    """How a worker ended: `failpoint`, `moment` (our clock), `mail` (a deadly one), `peace`, `error`."""

    number: int
    how: str
    failpoint: str


class Nursery:
    """Keeps up to `workers` victims alive and ends each in its time."""

    def __init__(self, tools: Tools, way: Way, workers: int, slowness: float) -> None:
        self._tools = tools
        self._slowness = slowness
        self._way = way
        self._workers = workers
        self._waiting: deque[Order] = deque()
        self._alive: dict[int, tuple[Order, float]] = {}
        self._killed: set[int] = set()
        self._half = b""

    def serve(self) -> None:
        """Work off orders until the pipe is closed and the last worker is gone."""
        while self._read():
            while self._waiting and len(self._alive) < self._workers:
                self._fork(self._waiting.popleft())
            self._kill_due()
            self._bury()
        for pid in self._alive:
            os.kill(pid, signal.SIGKILL)

    def _read(self) -> bool:
        """Take what orders there are; False at the end of the pipe. Sleeps only when nobody lives."""
        idle = not self._alive and not self._waiting
        ready, _, _ = select.select([0], [], [], None if idle else GLANCE_S)
        if not ready:
            return True
        data = os.read(0, READ_BYTES)
        *lines, self._half = (self._half + data).split(b"\n")
        self._waiting.extend(Order.from_line(line) for line in lines)
        return bool(data)

    def _fork(self, order: Order) -> None:
        pid = os.fork()
        if pid == 0:
            self._be(order)
        self._alive[pid] = (order, time.monotonic() + self._slowness * order.victim.after_ms / 1000)

    def _be(self, order: Order) -> None:
        """The worker. It leaves by a kill, or by `os._exit`."""
        code = 1
        try:
            victim = order.victim
            os.environ["HELPDESK_FAILPOINTS"] = victim.failpoint
            live(self._tools, self._way, order.mailbox, victim)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _kill_due(self) -> None:
        now = time.monotonic()
        for pid, (_, due) in self._alive.items():
            if due <= now and pid not in self._killed:
                os.kill(pid, signal.SIGKILL)
                self._killed.add(pid)

    def _bury(self) -> None:
        while self._alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            order, _ = self._alive.pop(pid)
            end = End(order.number, self._how(pid, status), order.victim.failpoint)
            os.write(1, json.dumps(asdict(end)).encode() + b"\n")

    def _how(self, pid: int, status: int) -> str:
        code = os.waitstatus_to_exitcode(status)
        by_us = pid in self._killed
        self._killed.discard(pid)
        if code == -signal.SIGKILL:
            return "moment" if by_us else "failpoint"
        return {0: "peace", -signal.SIGABRT: "mail", -signal.SIGTERM: "moment"}.get(code, "error")


def main() -> None:
    """Load, work once in peace so that everything is warm, then serve."""
    logging.basicConfig(level=logging.WARNING, format="%(process)d %(levelname)s %(name)s %(message)s")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    way, workers, mailbox = WAYS[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    tools = Tools.from_settings(load())
    load_libraries()
    with tools.sessions() as session:
        tools.catalogue.current(session, dt.date.today())  # a second's work that forks inherit
    slowness = max(1.0, warm_up(tools, mailbox) / IDLE_ROUND_S)
    gc.disable()  # lives are short; collecting would copy the pages that all workers share
    gc.freeze()
    os.write(1, b"ready\n")
    Nursery(tools, way, workers, slowness).serve()


def warm_up(tools: Tools, mailbox: int) -> float:
    """Do all the work once, then find nothing to do. Returns the seconds of that last round."""
    live(tools, WAYS["ours"], mailbox, IN_PEACE)
    tools.engine.dispose()  # a fork opens connections of its own
    began = time.monotonic()
    live(tools, WAYS["ours"], mailbox, IN_PEACE)
    tools.engine.dispose()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
