"""`helpdesk answers`: the template answers between their Markdown files and the database."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy.orm import Session

from helpdesk.cli.progress import progress
from helpdesk.db import utc_now
from helpdesk.desk.answer_files import export_answers, import_answers
from helpdesk.desk.answers import approved_answers
from helpdesk.desk.worker import open_sessions_of
from helpdesk.errors import SettingsError
from helpdesk.settings import load
from templates import ANSWERS
from templates.catalogue import Reading, read_answers

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def answers() -> None:
    """The template answers: their files and the database."""


@answers.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=ANSWERS)
def check(folder: Path) -> None:
    """Say which files cannot be used, each by file, line and fault. Needs no database.

    \b
    Example:
      helpdesk answers check templates/answers
    """
    reading = _read(folder)
    click.echo(f"{len(reading.answers)} answers can be used, {len(reading.faults)} files cannot.")
    if reading.faults:
        raise SystemExit(1)


@answers.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def import_(folder: Path) -> None:
    """Bring the files of a folder into the database; what changed becomes the approved version.

    A file that cannot be used is named and left out; the others are brought in, and the exit code is 1.

    \b
    Example:
      helpdesk answers import my-answers
    """
    reading = _read(folder)
    settings = load()
    with open_sessions_of(settings) as sessions, sessions.begin() as session:
        written = import_answers(session, reading.answers, utc_now())
    click.echo(f"{written} of {len(reading.answers)} answers were new or changed.")
    if reading.faults:
        raise SystemExit(1)


@answers.command("export")
@click.argument("folder", type=FOLDER)
@click.option("--force", is_flag=True, help="Write into a folder that is not empty; its other files stay.")
def export(folder: Path, force: bool) -> None:
    """Write every approved answer as a Markdown file, with its attachments; `import` reads them back as they were.

    \b
    Example:
      helpdesk answers export my-answers
    """
    if folder.exists() and any(folder.iterdir()) and not force:
        raise SettingsError(f"{folder} is not empty; --force writes into it.")
    with open_sessions_of(load()) as sessions, sessions() as session:
        count = _export(session, folder)
    click.echo(f"{count} answers were written to {folder}.")


def _export(session: Session, folder: Path) -> int:
    total = len(approved_answers(session))
    try:
        with progress("answers") as report:
            for done, _ in enumerate(export_answers(session, folder), 1):
                report(done, total)
    except OSError as error:
        raise SettingsError(f"{error.filename}: {error.strerror}.") from error
    return total


def _read(folder: Path) -> Reading:
    reading = read_answers(folder)
    for fault in reading.faults:
        click.echo(fault, err=True)
    if not reading.answers and not reading.faults:
        raise SettingsError(f"{folder} holds no answers: they are expected as LINE/SLUG.md below it.")
    return reading
