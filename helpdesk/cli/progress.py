"""Progress bars on a terminal; elsewhere silence, or for hours of work a line now and then. Always on stderr,
so that output can be piped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

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


LineReport = Callable[[int, int, str], None]
LINE_EVERY_S = 10.0


@contextmanager
def progress_of_bytes(title: str) -> Iterator[LineReport]:
    """A bar with rate and time left, to report (done, total, note) in bytes to; a plain line now and then elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines(title)
        return
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()),
        *(TimeRemainingColumn(), TextColumn("{task.fields[note]}")),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, note="")

        def report(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield report


def _plain_lines(title: str) -> LineReport:
    began = said = time.monotonic()

    def report(done: int, total: int, note: str) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= LINE_EVERY_S and done < total:
            left = f", about {(now - began) / done * (total - done) / 60:.0f} min left" if done else ""
            click.echo(f"{title}: {done / total:.0%}, {note}{left}", err=True)
            said = now

    return report
