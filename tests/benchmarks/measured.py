"""What is measured and how: messages, seconds, and the CPU seconds of every process that has a part in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

SERVERS = ("postgres", "dovecot", "imap", "imap-login", "anvil", "stats", "config", "log", "auth")


@dataclass(frozen=True)
class Measured:
    """One way through the mailbox."""

    name: str
    count: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.count / self.seconds

    def line(self) -> str:
        """The row that is printed."""
        return f"{self.name:<48}{self.rate:>8.0f} msg/s{1000 * self.cpu_s / self.count:>8.1f} CPU s per 1,000"


def measure(name: str, count: int, work: Callable[[], object]) -> Measured:
    """Run once; CPU counts this process, its children, PostgreSQL and Dovecot: what one message costs in all."""
    start, before = time.perf_counter(), cpu_seconds()
    work()
    return Measured(name, count, time.perf_counter() - start, cpu_seconds() - before)


def cpu_seconds() -> float:
    """CPU of this process and all that it started, ended or not, and of the servers on this machine."""
    me = psutil.Process()
    mine = {me.pid, *(child.pid for child in me.children(recursive=True))}
    total = 0.0
    for process in psutil.process_iter(["name"]):
        if process.pid in mine or process.info["name"] in SERVERS:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
    return total


def parser_bytes() -> int:
    """Memory of the parser's processes."""
    children = psutil.Process().children(recursive=True)
    return sum(child.memory_full_info().uss for child in children if is_parser(child))


def is_parser(child: psutil.Process) -> bool:
    """Whether a process is a parser's."""
    try:
        return "helpdesk.mail" in " ".join(child.cmdline())
    except psutil.NoSuchProcess:
        return False
