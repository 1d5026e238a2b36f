"""The parser's child by fork instead of by exec: the child's own code, pipe and limits, in milliseconds.

A child that is started anew loads its libraries for half a second. The nursery has them loaded already, so a
fork of the worker becomes the child. One worker in fifty still starts its child as in production.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import IO, cast

from helpdesk.mail import child, sandbox
from helpdesk.mail.answering import serve

OPEN_FILES = 1024
GLANCE_S = 0.002


class ForkedChild:
    """As much of `subprocess.Popen` as `LimitedChild` uses."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it lives."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. Raises TimeoutExpired."""
        until = time.monotonic() + (timeout if timeout is not None else 3600)
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("parser", timeout or 0)
            time.sleep(GLANCE_S)
        return code


def start(module: str) -> subprocess.Popen[bytes]:
    """A child with two pipes, as `helpdesk.mail.child` starts one."""
    assert module == sandbox.__name__
    request_read, request_write = os.pipe()
    answer_read, answer_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_child(request_read, answer_write)
    os.close(request_read)
    os.close(answer_write)
    for handle in (request_write, answer_read):
        os.set_blocking(handle, False)
    forked = ForkedChild(pid, os.fdopen(request_write, "wb", 0), os.fdopen(answer_read, "rb", 0))
    return cast("subprocess.Popen[bytes]", forked)


def _become_child(requests: int, answers: int) -> None:
    try:
        os.setsid()
        os.dup2(requests, 0)
        os.dup2(answers, 1)
        # The worker's database and mailbox must not stay open when the worker is killed and this child is not.
        os.closerange(3, OPEN_FILES)
        serve(sandbox._answer, sandbox.LIMITS, sandbox.load_libraries)
    finally:
        os._exit(1)


def fork_instead_of_starting() -> None:
    """From now on, in this process, a parser's child is a fork."""
    child._start = start
