"""The worker as a process: APScheduler ticks, mail becomes tickets, notices leave, SIGTERM ends it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import intake
from helpdesk.desk.filing import Counts, Filer
from helpdesk.desk.learning import ask, last_run
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.mailbox_lease import news
from helpdesk.desk.models import active_model
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.edges.conftest import connect, environment, process, wait_for
from tests.imap_script import script
from tests.mails import mail
from tests.smtp_sink import Sink

T = TypeVar("T")


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


def test_the_worker_registers_its_model_and_does_the_training_that_is_asked_for(
    desk: Desk, settings: Settings, rosa: User
) -> None:
    with process(["-m", "scheduler"], settings) as worker:
        wait_for(lambda: look(desk, active_model))
        with desk.sessions.begin() as session:
            ask(session, now=utc_now(), actor=session.get_one(User, rosa.id))
        run = wait_for(lambda: (found := look(desk, last_run)) and found.finished_at and found)
        assert run.outcome.startswith("faltan correcciones")
        worker.terminate()
        assert worker.wait(15) == 0


def look(desk: Desk, at: Callable[[Session], T]) -> T:
    with desk.sessions() as session:
        return at(session)


@pytest.mark.needs("dovecot")
def test_a_server_that_stalls_holds_up_no_other_mailbox(
    desk: Desk, imap_server: Dovecot, user: str, settings: Settings
) -> None:
    imap_server.deliver(user, mail("Quiero volver."))
    with script({"LOGIN": lambda talk: None}) as server:
        stalled = connect(desk, server.port, "stalled")
        with desk.sessions.begin() as session:
            session.get_one(Mailbox, stalled.id).name = "stalled"
        connect(desk, imap_server.port, user)
        with desk.sessions.begin() as session:
            # The one that stalls is due first.
            session.get_one(Mailbox, stalled.id).due_at = utc_now() - dt.timedelta(hours=1)
        with process(["-m", "scheduler"], settings) as worker:
            wait_for(lambda: server.connections)
            wait_for(desk.tickets)
            imap_server.deliver(user, mail("Otra.", sender="otra@example.com"))
            wait_for(lambda: len(desk.tickets()) == 2)
            assert server.connections == 1, "and it is not asked again while it is being asked"
            stopping = time.monotonic()
            worker.terminate()
            assert worker.wait(40) == 0
            assert time.monotonic() - stopping < 30, "F53"


@pytest.mark.needs("dovecot")
def test_news_that_come_during_a_poll_are_polled_for_at_once(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, mailbox.id).poll_interval_s = 3600
    filed = type(desk.worker.filer).file_all
    came = []

    def while_filing(self: Filer, **more: Any) -> Counts:
        if not came:
            came.append(mail("Y una más.", sender="otra@example.com"))
            imap_server.deliver(user, *came)
            with desk.sessions.begin() as session:
                news(session, mailbox.id)
            desk.worker.polls.start_due()
        return filed(self, **more)

    monkeypatch.setattr(type(desk.worker.filer), "file_all", while_filing)
    imap_server.deliver(user, mail("Quiero volver."))
    desk.worker.polls.start_due()
    desk.worker.polls.wait(30)
    assert len(desk.tickets()) == 2


def test_a_poll_that_ends_badly_is_begun_again_by_the_next_tick(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(intake, "poll_one", broken)
        desk.worker.polls.start_due()
        desk.worker.polls.wait(30)
    assert "the poll ended" in caplog.text
    desk.worker.polls.start_due()
    desk.worker.polls.wait(30)
    with desk.sessions() as session:
        assert session.get_one(Mailbox, desk.mailbox_id).error is not None, "it was tried"


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
