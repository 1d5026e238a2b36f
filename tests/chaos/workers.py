"""The fork server as the runner sees it: orders go in, ends come out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.chaos.nursery import End, Order
from tests.chaos.plan import Plan, Victim
from tests.chaos.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


class Workers:
    """The fork server as the runner sees it."""

    def __init__(self, child: subprocess.Popen[bytes], mailbox_id: int) -> None:
        self._child = child
        self.mailbox_id = mailbox_id
        self._numbers = count(1)
        self.waiting = 0

    def order(self, victim: Victim) -> None:
        """Let a victim live."""
        assert self._child.stdin
        self._child.stdin.write(Order(next(self._numbers), self.mailbox_id, victim).to_line())
        self._child.stdin.flush()
        self.waiting += 1

    def end(self) -> End:
        """Wait for the next end."""
        assert self._child.stdout
        line = self._child.stdout.readline()
        assert line, "the fork server died"
        self.waiting -= 1
        return End(**json.loads(line))


@contextmanager
def running_workers(stage: Stage, plan: Plan, mailbox_id: int) -> Iterator[Workers]:
    """A fork server; its workers' errors go to a file."""
    command = [sys.executable, "-m", "tests.chaos.nursery", plan.way, str(plan.workers), str(mailbox_id)]
    with error_log(stage).open("wb") as log:
        child = subprocess.Popen(
            command,
            env=stage.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
        assert child.stdin
        assert child.stdout
        try:
            assert child.stdout.readline() == b"ready\n", error_log(stage).read_text()
            yield Workers(child, mailbox_id)
        finally:
            child.stdin.close()
            child.wait(PATIENCE_S)
            child.stdout.close()


def error_log(stage: Stage) -> Path:
    """Where the workers complain."""
    return stage.folder / "workers.log"
