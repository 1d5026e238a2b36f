"""The worker as a process: APScheduler ticks, mail becomes tickets, notices leave, SIGTERM ends it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from helpdesk.desk.mailbox import Mailbox
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.edges.conftest import environment, process, wait_for
from tests.mails import mail
from tests.smtp_sink import Sink


@pytest.mark.needs("dovecot")
def test_the_worker_turns_mail_into_tickets_and_sends_the_notice(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str, settings: Settings, smtp_sink: Sink
) -> None:
    imap_server.deliver(user, mail("Quiero volver."))
    with process(["-m", "scheduler"], settings) as worker:
        wait_for(lambda: smtp_sink.mails)
        imap_server.deliver(user, mail("Otra.", sender="otra@example.com"))
        wait_for(lambda: len(smtp_sink.mails) == 2)
        worker.terminate()
        assert worker.wait(15) == 0
    assert len(desk.tickets()) == 2


@pytest.mark.needs("dovecot")
def test_F29_two_workers_on_one_mailbox_double_nothing(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str, settings: Settings, smtp_sink: Sink
) -> None:
    with process(["-m", "scheduler"], settings), process(["-m", "scheduler"], settings):
        for number in range(20):
            imap_server.deliver(user, mail(f"Consulta {number}", sender=f"p{number}@example.com"))
        wait_for(lambda: len(smtp_sink.mails) >= 20)
    assert len(desk.tickets()) == 20
    assert len(smtp_sink.mails) == 20


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 40}, "SECRET_KEY"),
        ({"SECRET_KEY": "please-change-me-please-change-me-1234"}, "SECRET_KEY"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "DATABASE_URL"),
        ({"HELPDESK_UNDO_S": "soon"}, "HELPDESK_UNDO_S"),
        ({"HELPDESK_SMTP_PORT": "70000"}, "HELPDESK_SMTP_PORT"),
        ({"HELPDESK_MODE": "holiday"}, "HELPDESK_MODE"),
        (
            {"HELPDESK_MODE": "production", "HELPDESK_PUBLIC_URL": "http://desk.example.com"},
            "HELPDESK_PUBLIC_URL",
        ),
        ({"HELPDESK_MODE": "production", "HELPDESK_FAILPOINTS": "after-fetch"}, "HELPDESK_FAILPOINTS"),
        ({"HELPDESK_SMTP_HOST": "mx.example.com"}, "HELPDESK_SMTP_SECURITY"),
    ],
)
@pytest.mark.parametrize("command", ["web", "worker"])
def test_T76_wrong_settings_end_in_one_sentence_that_names_the_setting(
    settings: Settings, command: str, change: dict[str, str], named: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from helpdesk.cli import main; main()", command],
        env=environment(settings, **change),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_T76_production_refuses_the_demos_accounts(desk: Desk, settings: Settings) -> None:
    from helpdesk.accounts.users import Role, add_user
    from helpdesk.app import create_app
    from helpdesk.errors import SettingsError

    with desk.sessions.begin() as session:
        add_user(session, email="ana@demo.example", name="Ana", role=Role.AGENT, password="demo", demo=True)
    serious = settings.model_copy(update={"mode": "production"})
    with pytest.raises(SettingsError, match="demo's accounts"):
        create_app(serious)


def test_F41_an_old_schema_is_refused(settings: Settings, desk: Desk) -> None:
    from sqlalchemy import text

    with desk.sessions.begin() as session:
        session.execute(text("delete from alembic_version"))
    done = subprocess.run(
        [sys.executable, "-m", "scheduler"],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "helpdesk db upgrade" in done.stderr
