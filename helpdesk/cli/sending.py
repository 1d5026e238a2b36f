"""`helpdesk mail resume-sending`: start the sending again after its trouble was mended."""

from __future__ import annotations

import click

from helpdesk.db import utc_now
from helpdesk.desk import health
from helpdesk.desk.worker import open_sessions_of
from helpdesk.settings import load


@click.command("resume-sending")
def resume_sending() -> None:
    """Let the worker ask the SMTP server again now, after a password or a certificate was mended.

    After three refused passwords in a row the sending halts until somebody says this, so that the account is not
    locked. Nothing is lost meanwhile: the mail waits.

    \b
    Example:
      helpdesk mail resume-sending
    """
    with open_sessions_of(load()) as sessions, sessions.begin() as session:
        trouble = health.trouble_with(session, health.SMTP)
        said = trouble.error if trouble else None
        resumed = health.resume(session, health.SMTP, utc_now())
    if resumed:
        click.echo(f"Sending is tried again at the worker's next tick. What it failed on: {said}")
    else:
        click.echo("Nothing to resume: sending is not in trouble.")
