"""`helpdesk mail import` as people run it: as a process that may be killed, started again, and run twice."""

from __future__ import annotations

import mailbox as boxes
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpdesk.db import utc_now
from helpdesk.desk import intake
from helpdesk.desk.importing import import_mails
from helpdesk.desk.mailbox import Mailbox
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.edges.conftest import environment
from tests.mails import mail, realistic_mails

COMMAND = [
    sys.executable,
    "-c",
    "from helpdesk.cli import main; main(prog_name='helpdesk')",
    "mail",
    "import",
]
MANY = 2_000


def run(settings: Settings, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(settings, **more),
        capture_output=True,
        text=True,
        timeout=250,
    )


def small(number: int) -> bytes:
    return mail(f"Consulta {number}", sender=f"p{number}@example.com", message_id=f"<{number}@example.com>")


def mbox(path: Path, mails: list[bytes]) -> Path:
    box = boxes.mbox(path)
    for raw in mails:
        box.add(raw)
    box.close()
    return path


@pytest.mark.timeout(600)
def test_two_thousand_mails_come_in_once_though_the_import_is_killed_twice(
    desk: Desk, tmp_path: Path
) -> None:
    path = mbox(tmp_path / "años.mbox", [*realistic_mails(50), *map(small, range(MANY - 50))])
    for pass_ in ("after-import-commit@3", "before-filing-commit@9"):
        killed = run(desk.settings, path, HELPDESK_FAILPOINTS=pass_, HELPDESK_LEASE_S="1")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert 0 < len(desk.ledger()) < MANY
    done = run(desk.settings, path, HELPDESK_LEASE_S="1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"2,000 mails: [\d,]+ new, [\d,]+ known already\.", done.stdout)
    rows, tickets = desk.ledger(), desk.tickets()
    assert len(rows) == len({row.sha256 for row in rows}) == MANY
    assert {row.state for row in rows} == {"filed"}
    assert sum(len(ticket.messages) for ticket in tickets) == MANY
    assert {ticket.status for ticket in tickets} == {"closed"}
    assert desk.outgoing() == []
    again = import_mails(desk.sessions, desk.worker.filer, [path], opened=False, now=utc_now())
    assert (again.mails, again.new) == (MANY, 0)
    assert len(desk.ledger()) == MANY


def test_a_dry_run_tells_and_writes_nothing_then_a_maildir_comes_in(desk: Desk, tmp_path: Path) -> None:
    box = boxes.Maildir(tmp_path / "Maildir")
    for number in range(5):
        box.add(small(number))
    box.add_folder("Viejos").add(small(5))
    told = run(desk.settings, "--dry-run", tmp_path / "Maildir")
    assert told.returncode == 0, told.stderr
    assert "6 mails: 6 would be new, 0 known already." in told.stdout
    assert "From 2026-11-20 to 2026-11-20." in told.stdout
    assert "Nothing was written." in told.stdout
    assert desk.ledger() == []
    done = run(desk.settings, "--open", "--batch", "2", tmp_path / "Maildir")
    assert "Of the new ones: 6 filed." in done.stdout
    assert {ticket.status for ticket in desk.tickets()} == {"open"}
    assert {row.folder for row in desk.ledger()} == {"Maildir", "Maildir/.Viejos"}


def test_broken_files_are_named_and_the_rest_comes_in(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "bueno.eml").write_bytes(small(1))
    (tmp_path / "roto.eml").write_bytes(b"\x00\x01\x02" * 100)
    done = run(desk.settings, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("roto.eml is neither a mail nor an mbox.")
    assert "1 mails: 1 new" in done.stdout
    assert "1 files could not be read; they are named above." in done.stdout


def test_an_empty_folder_gets_a_friendly_sentence(desk: Desk, tmp_path: Path) -> None:
    empty = tmp_path / "nada"
    empty.mkdir()
    done = run(desk.settings, empty)
    assert (done.returncode, done.stdout) == (
        0,
        "No mail found: no mbox, no maildir and no .eml file with a mail in it.\n",
    )
    assert run(desk.settings, tmp_path / "no-such").returncode == 2


@pytest.mark.needs("dovecot")
def test_the_same_mails_by_imap_and_by_import_are_the_same_mails(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str, tmp_path: Path
) -> None:
    mails = [*(small(number) for number in range(5)), *realistic_mails(5)]
    imap_server.deliver(user, *mails[:8])
    intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    path = mbox(tmp_path / "exportado.mbox", mails)
    assert "10 mails: 2 new, 8 known already." in run(desk.settings, path).stdout
    imap_server.deliver(user, *mails[8:])
    done = intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    assert done is not None
    assert done.filed.duplicates == 2
    assert len(desk.tickets()) == 10
