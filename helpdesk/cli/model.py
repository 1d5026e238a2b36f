"""`helpdesk model`: the register of trained models, from a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from classifier import ModelError
from helpdesk.cli.progress import progress
from helpdesk.db import check_schema, utc_now
from helpdesk.desk import models
from helpdesk.desk.learning import ask, learn
from helpdesk.desk.worker import open_sessions_of
from helpdesk.errors import SettingsError
from helpdesk.settings import load


@click.group()
def model() -> None:
    """Which trained model sorts the mail, and which ones could.

    \b
    Example:
      helpdesk model list
    """


@model.command("list")
def model_list() -> None:
    """Print the known models, the one in use first.

    \b
    Example:
      helpdesk model list
    """
    settings = load()
    with open_sessions_of(settings) as sessions:
        check_schema(sessions)
        with sessions() as session:
            rows = models.known_models(session)
    for row in rows:
        figure = row.card["metrics"]["macro_f1"]
        when = f"{row.decided_at:%Y-%m-%d %H:%M} UTC"
        click.echo(
            f"{row.id}  {row.state:9}  macro-F1 {figure:.3f}  {row.lessons} lessons  {when}  {row.why}"
        )
    if not rows:
        click.echo("No model is registered. A worker registers its own when it starts.", err=True)


@model.command("use")
@click.argument("model_file", metavar="FILE", type=click.Path(path_type=Path))
def model_use(model_file: Path) -> None:
    """Let the model of FILE (made by `python -m classifier train`) sort the mail from now on.

    \b
    Example:
      helpdesk model use var/lines.model
    """
    settings = load()
    with open_sessions_of(settings) as sessions:
        check_schema(sessions)
        with sessions.begin() as session:
            try:
                row = models.take_in(session, settings.models_folder, model_file, utc_now())
            except ModelError as error:
                raise SettingsError(str(error)) from error
            models.activate(session, row, now=utc_now(), why="de un archivo, por la línea de comandos")
            click.echo(f"Model {row.id} sorts the mail now.")


@model.command("learn")
@click.option("--now", "at_once", is_flag=True, help="Whether or not a training is due.")
def model_learn(at_once: bool) -> None:
    """Train a challenger on the corpus and on what agents decided, compare it, and let it take over if it is better.

    Without --now only what is due: at night, once a day, or when a supervisor asked. Exit code 1: nothing was due.

    \b
    Example:
      helpdesk model learn --now
    """
    settings = load()
    with open_sessions_of(settings) as sessions:
        check_schema(sessions)
        if at_once:
            with sessions.begin() as session:
                ask(session, now=utc_now(), actor=None)
        with progress("Training") as report:
            outcome = learn(
                sessions, settings.models_folder, progress=lambda _, done, total: report(done, total)
            )
    if outcome is None:
        click.echo("Nothing is due.", err=True)
        sys.exit(1)
    click.echo(outcome)
