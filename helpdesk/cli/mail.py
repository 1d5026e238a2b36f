"""`helpdesk mailbox` and `helpdesk mail`: what we read, and reading it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from helpdesk.cli.progress import progress
from helpdesk.desk.intake import Poll, check, poll_all
from helpdesk.desk.mailbox import add_mailbox, mailboxes
from helpdesk.desk.worker import open_sessions_of, open_worker
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from helpdesk.settings import load


@click.group()
def mailbox() -> None:
    """Mailboxes that are read."""


@mailbox.command("add")
@click.argument("name")
@click.option("--host", required=True, help="IMAP server.")
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Its port; 993 for TLS.")
@click.option("--user", "username", required=True, help="IMAP user.")
@click.option(
    "--password-file", type=click.Path(path_type=Path), required=True, help="File with the password."
)
@click.option("--folder", default="INBOX", show_default=True, help="Folder to read.")
@click.option(
    "--poll-interval", type=click.IntRange(1), default=60, show_default=True, help="Seconds between polls."
)
@click.option("--no-tls", is_flag=True, help="Plain text; only for a server on this machine.")
def mailbox_add(
    name: str,
    host: str,
    port: int,
    username: str,
    password_file: Path,
    folder: str,
    poll_interval: int,
    no_tls: bool,
) -> None:
    """Add a mailbox.

    \b
    Example:
      helpdesk mailbox add consultas --host imap.example.com --port 993 \\
        --user consultas@example.com --password-file /run/secrets/imap
    """
    with open_sessions_of(load()) as sessions, sessions.begin() as session:
        add_mailbox(
            session,
            name=name,
            host=host,
            port=port,
            username=username,
            password_file=password_file,
            folder=folder,
            tls=not no_tls,
            poll_interval_s=poll_interval,
        )
    click.echo(f"Mailbox {name} added. Try it: helpdesk mailbox check {name}")


@mailbox.command("list")
def mailbox_list() -> None:
    """List the mailboxes and how they are doing.

    \b
    Example:
      helpdesk mailbox list
    """
    with open_sessions_of(load()) as sessions, sessions() as session:
        rows = mailboxes(session)
    if not rows:
        click.echo("No mailbox yet. Add one: helpdesk mailbox add --help")
    for row in rows:
        state = row.error or (
            "never read" if row.succeeded_at is None else f"read {row.succeeded_at:%Y-%m-%d %H:%M} UTC"
        )
        click.echo(f"{row.name}\t{row.username} at {row.host}:{row.port}\t{row.folder}\t{state}")


@mailbox.command("check")
@click.argument("name")
def mailbox_check(name: str) -> None:
    """Log in and say in words what works and what does not. Exit code 1 when something does not.

    \b
    Example:
      helpdesk mailbox check consultas
    """
    with open_sessions_of(load()) as sessions, sessions() as session:
        row = next((row for row in mailboxes(session) if row.name == name), None)
    if row is None:
        raise click.UsageError(f"There is no mailbox {name!r}.")
    said = check(row)
    for works, sentence in said:
        click.echo(f"{'ok  ' if works else 'FAIL'}  {sentence}")
    sys.exit(0 if all(works for works, _ in said) else 1)


@click.group()
def mail() -> None:
    """Mail: poll, inspect."""


@mail.command("poll")
@click.option("--once", is_flag=True, help="Poll once and end (the default; kept for scripts that say so).")
def mail_poll(once: bool) -> None:
    """Receive and file now; print counts. Exit code 1 when a mailbox could not be read.

    \b
    Example:
      helpdesk mail poll --once
    """
    settings = load()
    settings.check()
    with open_worker(settings) as worker, progress("Receiving") as report:
        polls = poll_all(worker.sessions, worker.filer, settings, report)
    if not polls:
        click.echo("Nothing polled: no active mailbox, or another worker is reading them.")
    for poll in polls:
        click.echo(f"{poll.mailbox}: {poll.error or _counts(poll)}")
    sys.exit(1 if any(poll.error for poll in polls) else 0)


def _counts(poll: Poll) -> str:
    filed = poll.filed
    return (
        f"{poll.received} received, {filed.filed} filed, "
        f"{filed.duplicates} duplicates, {filed.set_aside} set aside"
    )


@mail.command("inspect")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def mail_inspect(paths: tuple[Path, ...], as_json: bool) -> None:
    """Show what the parser sees in .eml files or folders of them. Needs no database.

    \b
    Example:
      helpdesk mail inspect --json saved-mails/ | head -1
    """
    files = list(_eml_files(paths))
    failed = False
    with ParserProcess() as parser, progress("Parsing") as report:
        for number, path in enumerate(files, 1):
            try:
                parsed = parser.parse(path.read_bytes())
            except ParseFailed as failure:
                failed = True
                click.echo(f"{path}: {failure}", err=True)
                continue
            click.echo(_as_json(path, parsed) if as_json else _as_text(path, parsed))
            report(number, len(files))
    sys.exit(1 if failed else 0)


def _eml_files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.eml"))
        else:
            yield path


def _as_json(path: Path, parsed: ParsedMail) -> str:
    return json.dumps({"file": str(path), **parsed.to_json()}, ensure_ascii=False)


def _as_text(path: Path, parsed: ParsedMail) -> str:
    sender = (
        ", ".join(f"{address.name} <{address.address}>".strip() for address in parsed.sender) or "unknown"
    )
    files = ", ".join(f"{file.name} ({file.size} bytes)" for file in parsed.attachments) or "none"
    return "\n".join(
        [
            f"{path}",
            f"  from         {sender}",
            f"  subject      {parsed.subject or '(none)'}",
            f"  date         {parsed.date or 'unknown'}",
            f"  message id   {parsed.message_id or 'none'}",
            f"  automatic    {parsed.automatic or 'no'}",
            f"  language     {parsed.language or 'unknown'}",
            f"  attachments  {files}",
            f"  defects      {', '.join(parsed.defects) or 'none'}",
            *(f"  | {line}" for line in parsed.new_text.splitlines()[:12]),
        ]
    )
