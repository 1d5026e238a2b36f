"""`helpdesk web`, `helpdesk worker`, `helpdesk demo`: the processes, started and stopped by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import click

from helpdesk.accounts.users import check_no_demo_users
from helpdesk.cli import demonstration
from helpdesk.cli.children import child_environment, web_command
from helpdesk.db import check_schema
from helpdesk.desk.worker import open_sessions_of
from helpdesk.embedded import database_url
from helpdesk.settings import Settings, load


@click.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="Address and port to serve on.")
def web(bind: str) -> None:
    """Serve the pages (gunicorn).

    \b
    Example:
      helpdesk web --bind 127.0.0.1:8000
    """
    settings = load()
    _check(settings)
    run(settings, web_command(settings, bind))


@click.command()
def worker() -> None:
    """Read the mailboxes, file, send: the periodic jobs, in a process of their own.

    \b
    Example:
      helpdesk worker
    """
    settings = load()
    _check(settings)
    run(settings, [sys.executable, "-m", "scheduler"])


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Usual port of the pages."
)
def demo(port: int) -> None:
    """A whole desk on this machine: database, demo mailbox, web, worker, and people who write.

    \b
    Example:
      helpdesk demo
    """
    demonstration.run(load(), port)


def _check(settings: Settings) -> None:
    settings.check()


def run(settings: Settings, command: list[str]) -> None:
    """Become `command`; with the embedded server, stay its parent so that the server stops with it."""
    with open_sessions_of(settings) as sessions:
        check_schema(sessions)
        if settings.effective_mode == "production":
            with sessions() as session:
                check_no_demo_users(session)
    if not settings.embedded:
        os.execv(command[0], command)
    url = database_url(None, settings.var)
    child = subprocess.Popen(command, env=child_environment(settings, url))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: child.terminate())
    sys.exit(child.wait())
