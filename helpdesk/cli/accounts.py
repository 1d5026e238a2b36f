"""`helpdesk user`: accounts."""

from __future__ import annotations

from pathlib import Path

import click

from helpdesk.accounts.users import Role, add_user
from helpdesk.desk.worker import open_sessions_of
from helpdesk.settings import load, read_secret


@click.group()
def user() -> None:
    """Accounts of agents, supervisors and admins."""


@user.command("add")
@click.argument("email")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), required=True, help="What they may do."
)
@click.option("--name", help="How answers are signed; default: the part before the @.")
@click.option(
    "--password-file", type=click.Path(path_type=Path), help="Read the password from here; else it is asked."
)
def user_add(email: str, role: str, name: str | None, password_file: Path | None) -> None:
    """Add an account.

    \b
    Example:
      helpdesk user add rosa@example.com --role supervisor --name "Rosa Quispe"
    """
    if password_file:
        password = read_secret(password_file, "--password-file")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    with open_sessions_of(load()) as sessions, sessions.begin() as session:
        added = add_user(
            session, email=email, name=name or email.partition("@")[0], role=Role(role), password=password
        )
    click.echo(f"{added.email} can sign in as {added.role}.")
