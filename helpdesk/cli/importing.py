"""`helpdesk mail import`: years of mail from files, looked over first, brought in as often as one likes."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from helpdesk.cli.progress import progress_of_bytes
from helpdesk.db import check_schema, utc_now
from helpdesk.desk.importing import BATCH_MAILS, Imported, Report, import_mails, look_over
from helpdesk.desk.worker import open_sessions_of, open_worker
from helpdesk.settings import LIMA, Settings, load

# In the order in which people want to know.
STATES = (
    ("filed", "filed"),
    ("duplicate", "the same as a mail filed before"),
    ("set_aside", "set aside"),
    ("received", "still to be filed"),
)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would happen; write nothing.")
@click.option(
    "--closed/--open",
    "closed",
    default=True,
    help="Tickets are closed, as history (the default), or open, to be answered.",
)
@click.option(
    "--batch", type=click.IntRange(1, 5000), default=BATCH_MAILS, show_default=True, help="Mails a commit."
)
def mail_import(paths: tuple[Path, ...], dry_run: bool, closed: bool, batch: int) -> None:
    """Bring mail from mbox files, maildirs, folders of .eml files or single ones. Nobody is written to.

    Each mail comes in once, however often this runs and even when it came by IMAP before. Exit code 1 when
    a file could not be read.

    \b
    Example:
      helpdesk mail import --dry-run consultas-2019-2025.mbox
      helpdesk mail import consultas-2019-2025.mbox
    """
    settings = load()
    settings.check()
    with progress_of_bytes("Looking" if dry_run else "Importing") as line:

        def report(done: int, total: int, counted: Imported) -> None:
            line(done, total, f"{counted.mails:,} mails, {counted.new:,} new")

        counted = (
            _look_over(settings, list(paths), report)
            if dry_run
            else _import(settings, list(paths), report, opened=not closed, batch_mails=batch)
        )
    for file in counted.unreadable:
        click.echo(str(file), err=True)
    click.echo(summary(counted, dry_run=dry_run))
    sys.exit(1 if counted.unreadable else 0)


def _look_over(settings: Settings, paths: list[Path], report: Report) -> Imported:
    with open_sessions_of(settings) as sessions:
        check_schema(sessions)
        return look_over(sessions, paths, max_bytes=settings.max_message_bytes, now=utc_now(), report=report)


def _import(
    settings: Settings, paths: list[Path], report: Report, *, opened: bool, batch_mails: int
) -> Imported:
    with open_worker(settings) as worker:
        check_schema(worker.sessions)
        return import_mails(
            worker.sessions,
            worker.filer,
            paths,
            opened=opened,
            now=utc_now(),
            batch_mails=batch_mails,
            report=report,
        )


def summary(counted: Imported, *, dry_run: bool) -> str:
    """What was found and what became of it, in a few lines."""
    if not counted.mails:
        lines = ["No mail found: no mbox, no maildir and no .eml file with a mail in it."]
    else:
        new = "would be new" if dry_run else "new"
        lines = [f"{counted.mails:,} mails: {counted.new:,} {new}, {counted.known:,} known already."]
        lines += [f"From {_day(counted.oldest)} to {_day(counted.newest)}."]
    if counted.truncated:
        lines.append(f"{counted.truncated:,} too large: only the first megabyte of each is kept.")
    became = [f"{counted.states[state]:,} {words}" for state, words in STATES if counted.states.get(state)]
    if became:
        lines.append(f"Of the new ones: {', '.join(became)}.")
    if counted.unreadable:
        lines.append(f"{len(counted.unreadable):,} files could not be read; they are named above.")
    if dry_run and counted.new:
        lines.append("Nothing was written. Without --dry-run this import is done.")
    return "\n".join(lines)


def _day(at: dt.datetime | None) -> str:
    return at.astimezone(LIMA).date().isoformat() if at else "–"
