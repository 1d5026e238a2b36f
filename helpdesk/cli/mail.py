"""`helpdesk mail`: reading it, and looking at it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from helpdesk.cli.importing import mail_import
from helpdesk.cli.progress import progress
from helpdesk.cli.reconciling import mail_reconcile
from helpdesk.desk.intake import Poll, poll_all
from helpdesk.desk.worker import open_worker
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from helpdesk.settings import load


@click.group()
def mail() -> None:
    """Mail: receive it, bring it from files, compare it with the server, look at it."""


for command in (mail_import, mail_reconcile):
    mail.add_command(command)


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
    said = (
        f"{poll.received} received, {filed.filed} filed, "
        f"{filed.duplicates} duplicates, {filed.set_aside} set aside"
    )
    if poll.sent_read:
        said += f", {poll.sent_read} read from the Sent folder"
    return f"{said}, {poll.copied} copied to the Sent folder" if poll.copied else said


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
