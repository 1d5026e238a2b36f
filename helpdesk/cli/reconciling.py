"""`helpdesk mail reconcile`: is every message of the mailboxes accounted for?"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict

import click

from helpdesk.db import check_schema
from helpdesk.desk import ledger
from helpdesk.desk.mailbox import Mailbox, find_mailbox, imap_mailboxes
from helpdesk.desk.reconcile import Comparison, reconcile_one
from helpdesk.desk.worker import Worker, open_worker
from helpdesk.settings import load

BUSY = "another worker is reading it; try again in a minute"
WAIT_S = 20.0
WORDS = {
    "filed": "filed",
    "duplicate": "duplicates",
    "unrelated": "unrelated",
    "set_aside": "set aside",
    "received": "still to be filed",
    "vanished": "not given by the server",
    "moved": "moved by us after filing",
}
SHOWN_UIDS = 20


@click.command("reconcile")
@click.option("--mailbox", "name", help="Only this mailbox; default: every active one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a folder.")
def mail_reconcile(name: str | None, as_json: bool) -> None:
    """Compare every message of the mailboxes with the ledger; receive what is missing.

    Exit code 1 when a message is not accounted for or a mailbox could not be read.

    \b
    Example:
      helpdesk mail reconcile --mailbox consultas
    """
    settings = load()
    settings.check()
    with open_worker(settings) as worker:
        check_schema(worker.sessions)
        with worker.sessions() as session:
            chosen = [find_mailbox(session, name)] if name else imap_mailboxes(session)
        chosen = [mailbox for mailbox in chosen if name or mailbox.active]
        found = [item for mailbox in chosen for item in _compare(worker, mailbox)]
        with worker.sessions() as session:
            stuck = ledger.stuck(session)
    for item in found:
        click.echo(as_line(item) if as_json else as_text(item))
    if not found:
        click.echo("No active mailbox to compare. Add one: helpdesk mailbox add --help", err=True)
    for mail in stuck:
        where = f"ledger row {mail.id} ({mail.mailbox.name}, {mail.folder}, UID {mail.uid})"
        click.echo(
            f"{where}: received at {mail.received_at:%Y-%m-%d %H:%M} UTC and still not filed.", err=True
        )
    sys.exit(0 if all(item.complete for item in found) else 1)


def _compare(worker: Worker, mailbox: Mailbox) -> list[Comparison]:
    """Compare a mailbox; somebody else's poll is waited for. One that was halted is left alone (account lock)."""
    if mailbox.halted_at:
        return [Comparison(mailbox.name, error=f"halted: {mailbox.error}")]
    until = time.monotonic() + WAIT_S
    while True:
        found = reconcile_one(worker.sessions, worker.filer, mailbox.id)
        if found is not None:
            return found
        if time.monotonic() > until:
            return [Comparison(mailbox.name, error=BUSY)]
        time.sleep(0.5)


def as_line(item: Comparison) -> str:
    """One JSON object."""
    given = asdict(item) | {"accounted": item.accounted, "missing": list(item.missing)}
    return json.dumps(given, ensure_ascii=False)


def as_text(item: Comparison) -> str:
    """One sentence, such as "consultas: 1,204 in the mailbox, 1,204 accounted for (1,180 filed, 24 duplicates)"."""
    if item.error:
        return f"{item.mailbox}: {item.error}"
    states = ", ".join(
        f"{item.states[state]:,} {words}" for state, words in WORDS.items() if item.states.get(state)
    )
    parts = [f"{item.on_server:,} in {item.folder}, {item.accounted:,} accounted for"]
    parts[0] += f" ({states})" if states else ""
    if item.received:
        parts.append(f"{item.received:,} of them were missing and received now")
    if item.gone:
        parts.append(f"{item.gone:,} more in the ledger were moved or deleted on the server")
    if item.missing:
        uids = ", ".join(map(str, item.missing[:SHOWN_UIDS]))
        more = ", …" if len(item.missing) > SHOWN_UIDS else ""
        parts.append(f"{len(item.missing):,} NOT ACCOUNTED FOR: UID {uids}{more}")
    return f"{item.mailbox}: {'; '.join(parts)}"
