"""Progress bars on a terminal, silence elsewhere; always on stderr, so that output can be piped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from helpdesk.desk.receive import Progress as Report


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """A bar to report (done, total) to; nothing is drawn when stderr is not a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report
