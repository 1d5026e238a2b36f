"""`helpdesk mailbox`: which mailboxes we read, whether they can be read, and starting or stopping to read one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from classifier import LINES
from helpdesk.desk.mailbox import (
    Auth,
    Grant,
    Mailbox,
    OAuthWay,
    add_mailbox,
    find_mailbox,
    imap_mailboxes,
    pause,
    resume,
)
from helpdesk.desk.mailbox_check import check
from helpdesk.desk.worker import open_sessions_of
from helpdesk.errors import SettingsError
from helpdesk.settings import load

FILE = click.Path(path_type=Path)


@click.group()
def mailbox() -> None:
    """Mailboxes that are read."""


OPTIONS = (
    click.option("--host", required=True, help="IMAP server."),
    click.option("--port", type=click.IntRange(1, 65535), default=993, show_default=True, help="Its port."),
    click.option("--user", "username", required=True, help="IMAP user."),
    click.option(
        "--password-file",
        type=FILE,
        help="File with the password; with OAuth, the client secret or the refresh token.",
    ),
    click.option("--folder", default="INBOX", show_default=True, help="Folder to read."),
    click.option(
        "--line",
        "--default-line",
        "default_line",
        type=click.Choice(LINES),
        help="Line of mail that the classifier leaves unsorted.",
    ),
    click.option(
        "--poll-interval",
        type=click.IntRange(1),
        default=60,
        show_default=True,
        help="Seconds between polls.",
    ),
    click.option("--no-tls", is_flag=True, help="Plain text; only for a server on this machine."),
    click.option(
        "--auth", type=click.Choice([way.value for way in Auth]), default="password", show_default=True
    ),
    click.option(
        "--oauth-grant", type=click.Choice([grant.value for grant in Grant]), help="OAuth 2.0 grant."
    ),
    click.option("--token-url", help="OAuth 2.0 token endpoint, https."),
    click.option("--client-id", help="OAuth 2.0 client id."),
    click.option("--client-secret-file", type=FILE, help="File with the OAuth 2.0 client secret."),
    click.option("--scope", help="OAuth 2.0 scope."),
    click.option("--sent-folder", help="Sent folder; found by itself if not given."),
    click.option("--no-sent-folder", is_flag=True, help="Neither read nor write a Sent folder."),
    click.option("--no-idle", is_flag=True, help="Only poll; do not wait for news on a second connection."),
)


def all_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of `mailbox add`, in the order of the help page."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@mailbox.command("add")
@click.argument("name")
@all_options
def mailbox_add(name: str, **given: Any) -> None:
    """Add a mailbox.

    \b
    Example:
      helpdesk mailbox add consultas --host imap.example.com --port 993 \\
        --user consultas@example.com --password-file /run/secrets/imap
      helpdesk mailbox add consultas --host outlook.office365.com --user consultas@example.com \\
        --auth xoauth2 --oauth-grant client_credentials --client-id 00000000-0000-0000-0000-000000000001 \\
        --client-secret-file /run/secrets/oauth --scope https://outlook.office365.com/.default \\
        --token-url https://login.microsoftonline.com/TENANT/oauth2/v2.0/token
    """
    auth, oauth, password_file = Auth(given["auth"]), _oauth_way(given), _password_file(given)
    with open_sessions_of(load()) as sessions, sessions.begin() as session:
        add_mailbox(
            session,
            name=name,
            host=given["host"],
            port=given["port"],
            username=given["username"],
            password_file=password_file,
            folder=given["folder"],
            tls=not given["no_tls"],
            poll_interval_s=given["poll_interval"],
            default_line=given["default_line"],
            auth=auth,
            oauth=oauth,
            sent_folder="" if given["no_sent_folder"] else given["sent_folder"],
            idle=not given["no_idle"],
        )
    click.echo(f"Mailbox {name} added. Try it: helpdesk mailbox check {name}")


def _oauth_way(given: dict[str, Any]) -> OAuthWay | None:
    """What the OAuth options say. Raises SettingsError when they are incomplete or not asked for."""
    required = ("oauth_grant", "token_url", "client_id")
    some = [name for name in (*required, "scope", "client_secret_file") if given[name]]
    if given["auth"] == Auth.PASSWORD:
        if some:
            raise SettingsError("The OAuth options need --auth xoauth2 or --auth oauthbearer.")
        return None
    missing = [f"--{name.replace('_', '-')}" for name in required if not given[name]]
    if missing:
        raise SettingsError(f"--auth {given['auth']} also needs {' and '.join(missing)}.")
    grant = Grant(given["oauth_grant"])
    # With client credentials there is one secret only, whichever option names its file.
    file = given["client_secret_file"] if grant is Grant.REFRESH_TOKEN else None
    return OAuthWay(grant, given["token_url"], given["client_id"], file, given["scope"])


def _password_file(given: dict[str, Any]) -> Path:
    file: Path | None = given["password_file"]
    if file is None and given["oauth_grant"] == Grant.CLIENT_CREDENTIALS:
        file = given["client_secret_file"]
    if file is None:
        raise SettingsError(
            "--password-file is missing (with --oauth-grant refresh_token: the refresh token)."
        )
    return file


@mailbox.command("list")
def mailbox_list() -> None:
    """List the mailboxes and how they are doing.

    \b
    Example:
      helpdesk mailbox list
    """
    with open_sessions_of(load()) as sessions, sessions() as session:
        rows = imap_mailboxes(session)
    if not rows:
        click.echo("No mailbox yet. Add one: helpdesk mailbox add --help")
    for row in rows:
        where = f"{row.username} at {row.host}:{row.port}"
        click.echo("\t".join([row.name, where, row.folder, row.default_line or "-", _state(row)]))


def _state(row: Mailbox) -> str:
    if not row.active:
        return f"paused: helpdesk mailbox resume {row.name}"
    if row.halted_at:
        return f"halted ({row.error_kind}: {row.error}): helpdesk mailbox resume {row.name}"
    if row.error:
        return f"failing since {row.failures} polls ({row.error_kind}: {row.error})"
    return "never read" if row.succeeded_at is None else f"read {row.succeeded_at:%Y-%m-%d %H:%M} UTC"


@mailbox.command("check")
@click.argument("name")
def mailbox_check(name: str) -> None:
    """Try every step and say in words what works and what does not. Exit code 1 when something does not.

    \b
    Example:
      helpdesk mailbox check consultas
    """
    with open_sessions_of(load()) as sessions, sessions() as session:
        row = find_mailbox(session, name)
    said = check(row)
    for works, sentence in said:
        click.echo(f"{'ok  ' if works else 'FAIL'}  {sentence}")
    sys.exit(0 if all(works for works, _ in said) else 1)


@mailbox.command("resume")
@click.argument("name")
def mailbox_resume(name: str) -> None:
    """Read a mailbox again that was paused, or that was halted because somebody had to look at it.

    \b
    Example:
      helpdesk mailbox resume consultas
    """
    _change(name, resume)
    click.echo(f"Mailbox {name} is read again at the worker's next tick.")


@mailbox.command("pause")
@click.argument("name")
def mailbox_pause(name: str) -> None:
    """Do not read a mailbox until it is resumed.

    \b
    Example:
      helpdesk mailbox pause consultas
    """
    _change(name, pause)
    click.echo(f"Mailbox {name} is paused. Read it again: helpdesk mailbox resume {name}")


def _change(name: str, what: Callable[[Mailbox], None]) -> None:
    with open_sessions_of(load()) as sessions, sessions.begin() as session:
        what(find_mailbox(session, name))
