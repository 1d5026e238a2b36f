"""`helpdesk db`: the schema and what is seeded with it."""

from __future__ import annotations

import click

from helpdesk.db import Sessions, upgrade, utc_now
from helpdesk.desk.answer_files import import_answers
from helpdesk.desk.worker import open_sessions_of
from helpdesk.embedded import database_url
from helpdesk.settings import Settings, load
from templates.catalogue import read_answers


@click.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the schema to the newest version and load the template answers.

    \b
    Example:
      DATABASE_URL=postgresql://desk@db/desk helpdesk db upgrade
    """
    settings = load()
    written = prepare(settings)
    click.echo(f"The schema is up to date; {written} template answers were new or changed.")


def prepare(settings: Settings) -> int:
    """Migrate and seed; what is there already is left alone. Returns how many answers were written."""
    upgrade(database_url(settings.database_url, settings.var))
    with open_sessions_of(settings) as sessions:
        return seed(sessions)


def seed(sessions: Sessions) -> int:
    """Load the answers' files. One that is wrong is named on stderr, and keeps no other from being loaded."""
    reading = read_answers()
    for fault in reading.faults:
        click.echo(fault, err=True)
    with sessions.begin() as session:
        return import_answers(session, reading.answers, utc_now())
