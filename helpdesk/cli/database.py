"""`helpdesk db`: the schema and what is seeded with it."""

from __future__ import annotations

import click

from helpdesk.db import Sessions, upgrade, utc_now
from helpdesk.desk.answers import seed_answers
from helpdesk.desk.worker import open_sessions_of
from helpdesk.embedded import database_url
from helpdesk.errors import AnswerFileError
from helpdesk.settings import Settings, load
from templates.catalogue import CatalogueError, read_answers


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
    """Load the answers' files. Raises AnswerFileError naming the file that is wrong."""
    try:
        with sessions.begin() as session:
            return seed_answers(session, read_answers(), utc_now())
    except CatalogueError as error:
        raise AnswerFileError(str(error)) from error
