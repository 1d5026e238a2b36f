"""New mail at once: the worker is told by IDLE, hears dead lines, and hands over to another worker."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from helpdesk.db import utc_now
from helpdesk.desk import intake
from helpdesk.desk.mailbox import Mailbox, pause
from helpdesk.desk.mailbox_lease import watchable_ids
from helpdesk.desk.watch import Watch
from helpdesk.settings import Settings
from tests import dovecot
from tests.desk import Desk
from tests.edges.conftest import connect, process, wait_for
from tests.imap_script import Answer, Talk, script
from tests.mails import mail

AN_HOUR_S = 3600


@contextmanager
def watching(desk: Desk, **options: float) -> Iterator[threading.Event]:
    """A worker's watch, and an event that is set when it wakes the worker."""
    woken = threading.Event()
    watch = Watch(desk.sessions, woken.set, **{"look_s": 0.2, "lease_s": 3, **options})
    watch.start()
    try:
        yield woken
    finally:
        began = time.monotonic()
        watch.stop()
        assert time.monotonic() - began < 3


def polled(desk: Desk, mailbox: Mailbox) -> Mailbox:
    """The mailbox after a first good poll, with the next one far away."""
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, mailbox.id).poll_interval_s = AN_HOUR_S
    done = intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    assert done is not None
    assert done.error is None
    return mailbox


def row(desk: Desk, mailbox: Mailbox) -> Mailbox:
    with desk.sessions() as session:
        return session.get_one(Mailbox, mailbox.id)


def due(desk: Desk, mailbox: Mailbox) -> bool:
    return row(desk, mailbox).due_at <= utc_now()


def watched(desk: Desk, mailbox: Mailbox) -> str | None:
    return row(desk, mailbox).watcher


@pytest.mark.needs("dovecot")
def test_a_delivered_mail_is_a_ticket_within_seconds_although_ticks_and_polls_are_far_apart(
    desk: Desk, mailbox: Mailbox, imap_server: dovecot.Dovecot, user: str, settings: Settings
) -> None:
    polled(desk, mailbox)
    slow = {"HELPDESK_TICK_S": str(AN_HOUR_S)}
    with process(["-m", "scheduler"], settings, **slow) as worker:
        wait_for(lambda: watched(desk, mailbox))
        imap_server.deliver(user, mail("Calienta el lector y el modelo"))
        wait_for(desk.tickets)
        imap_server.deliver(user, mail("Urgente", sender="otra@example.com"))
        delivered = time.monotonic()
        wait_for(lambda: len(desk.tickets()) == 2)
        assert time.monotonic() - delivered < 5
        stopping = time.monotonic()
        worker.terminate()
        assert worker.wait(15) == 0
        assert time.monotonic() - stopping < 5
    assert watched(desk, mailbox) is None, "who stops in peace leaves the watch to others at once"


@pytest.mark.needs("dovecot")
def test_news_make_the_mailbox_due_and_wake_the_worker(
    desk: Desk, mailbox: Mailbox, imap_server: dovecot.Dovecot, user: str
) -> None:
    with watching(desk) as woken:
        polled(desk, mailbox)
        assert woken.wait(20), "what came before the watch began was not announced"
        polled(desk, mailbox)
        woken.clear()
        imap_server.deliver(user, mail("Nueva"))
        assert woken.wait(10)
        assert due(desk, mailbox)


@pytest.mark.needs("dovecot")
def test_F11_a_server_that_was_stopped_and_started_is_watched_again(desk: Desk, user: str) -> None:
    root = Path(tempfile.mkdtemp(prefix="infomigra-dovecot-"))
    server = dovecot.start(root)
    mailbox = polled(desk, connect(desk, server.port, user))
    try:
        with watching(desk, round_s=1) as woken:
            wait_for(lambda: watched(desk, mailbox))
            server.stop()
            wait_for(lambda: watched(desk, mailbox) is None)
            server.launch()
            polled(desk, mailbox)
            wait_for(lambda: watched(desk, mailbox))
            assert woken.wait(20)
            polled(desk, mailbox)
            woken.clear()
            server.deliver(user, mail("Después"))
            assert woken.wait(10)
    finally:
        server.stop()
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.needs("dovecot")
def test_when_the_watching_worker_is_killed_another_takes_over(
    desk: Desk, mailbox: Mailbox, settings: Settings
) -> None:
    polled(desk, mailbox)
    short = {"HELPDESK_LEASE_S": "3"}
    with process(["-m", "scheduler"], settings, **short) as first:
        before = wait_for(lambda: watched(desk, mailbox))
        assert f":{first.pid}:" in before
        first.kill()
        first.wait()
        with process(["-m", "scheduler"], settings, **short) as second:
            wait_for(lambda: f":{second.pid}:" in (watched(desk, mailbox) or ""))


@pytest.mark.needs("dovecot")
def test_of_two_workers_one_watches(desk: Desk, mailbox: Mailbox) -> None:
    polled(desk, mailbox)
    with watching(desk), watching(desk):
        first = wait_for(lambda: watched(desk, mailbox))
        for _ in range(20):
            time.sleep(0.1)
            assert watched(desk, mailbox) == first


@pytest.mark.needs("dovecot")
def test_a_mailbox_that_is_paused_is_left_alone(desk: Desk, mailbox: Mailbox) -> None:
    polled(desk, mailbox)
    with watching(desk):
        wait_for(lambda: watched(desk, mailbox))
        with desk.sessions.begin() as session:
            pause(session.get_one(Mailbox, mailbox.id))
        wait_for(lambda: watched(desk, mailbox) is None)


def test_a_mailbox_whose_polls_fail_or_that_does_not_want_it_is_not_watched(desk: Desk) -> None:
    with script() as server:
        mailbox = connect(desk, server.port, "u")
        with watching(desk):
            time.sleep(1)
            with desk.sessions.begin() as session:
                found = session.get_one(Mailbox, mailbox.id)
                found.failures, found.succeeded_at = 1, utc_now()
            time.sleep(1)
            with desk.sessions.begin() as session:
                found = session.get_one(Mailbox, mailbox.id)
                found.failures, found.idle = 0, False
            time.sleep(1)
        assert server.connections == 0


def row_is(desk: Desk, mailbox: Mailbox, **values: object) -> None:
    """Make the row so, as a poll of another worker would."""
    with desk.sessions.begin() as session:
        for name, value in values.items():
            setattr(session.get_one(Mailbox, mailbox.id), name, value)


def test_F17_a_watch_ends_when_polls_fail_it_may_hold_the_only_connection(desk: Desk) -> None:
    with script(idling(lambda talk: None, b"OK done")) as server:
        mailbox = polled(desk, connect(desk, server.port, "u"))
        with watching(desk, lease_s=1):
            wait_for(lambda: watched(desk, mailbox))
            row_is(desk, mailbox, failures=1, error_kind="busy", error="demasiadas conexiones")
            wait_for(lambda: watched(desk, mailbox) is None)
            wait_for(lambda: b"LOGOUT" in server.said[-1])
            row_is(desk, mailbox, failures=0, error_kind=None, error=None)
            wait_for(lambda: watched(desk, mailbox))


def test_a_wrong_password_is_not_tried_again_by_the_watch_and_comes_to_light_at_once(desk: Desk) -> None:
    answers: dict[str, Answer] = {}
    with script(answers) as server:
        mailbox = polled(desk, connect(desk, server.port, "u"))
        server.answers = {**server.answers, "LOGIN": b"NO [AUTHENTICATIONFAILED] no"}
        before = server.connections
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("helpdesk.desk.watch.FIRST_PAUSE_S", 0.1)
            with watching(desk) as woken:
                assert woken.wait(10), "a poll is to find out, tell people, and halt the mailbox"
                assert due(desk, mailbox)
                time.sleep(2)
            assert server.connections == before + 1


def test_whatever_happens_while_looking_for_mailboxes_to_watch_the_looking_goes_on(desk: Desk) -> None:
    with script(idling(lambda talk: None, b"OK done")) as server:
        mailbox = polled(desk, connect(desk, server.port, "u"))
        looks = []

        def look(session: Session) -> list[int]:
            looks.append(session)
            if len(looks) == 1:
                raise PoolTimeout("QueuePool limit reached")
            return watchable_ids(session)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("helpdesk.desk.watch.watchable_ids", look)
            with watching(desk):
                wait_for(lambda: watched(desk, mailbox))


def test_a_server_without_idle_is_only_polled(desk: Desk) -> None:
    with script({"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nOK done"}) as server:
        mailbox = polled(desk, connect(desk, server.port, "u"))
        before = server.connections
        with watching(desk):
            time.sleep(2)
        assert server.connections == before + 1, "asked once, and not again for an hour"
        assert watched(desk, mailbox) is None


def idling(then: Answer, noop: Answer) -> dict[str, Answer]:
    """A server that begins to idle and then does what the test says."""

    def idle(talk: Talk) -> None:
        talk.say(b"+ idling\r\n")
        if callable(then):
            then(talk)

    return {"IDLE": idle, "NOOP": noop, "DONE": lambda talk: None}


def test_F11_a_line_that_died_without_a_word_is_noticed(desk: Desk) -> None:
    # The server takes everything and answers nothing any more, as behind a firewall that forgot the line.
    with script(idling(lambda talk: None, lambda talk: None)) as server:
        mailbox = polled(desk, connect(desk, server.port, "u"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("helpdesk.mail.imap_idle.ANSWER_S", 1)
            with watching(desk, round_s=1):
                wait_for(lambda: watched(desk, mailbox))
                wait_for(lambda: watched(desk, mailbox) is None)


def test_F11_an_end_of_the_line_does_not_turn_the_watch_into_a_busy_loop(desk: Desk) -> None:
    with script(idling(lambda talk: talk.sock.shutdown(2), b"OK done")) as server:
        mailbox = polled(desk, connect(desk, server.port, "u"))
        with watching(desk, round_s=AN_HOUR_S):
            wait_for(lambda: server.connections >= 2)
            wait_for(lambda: watched(desk, mailbox) is None)
            used, began = time.process_time(), time.monotonic()
            time.sleep(1)
            assert time.process_time() - used < (time.monotonic() - began) / 2


def test_a_goodbye_while_idling_ends_the_watch_for_a_while(desk: Desk) -> None:
    def goodbye(talk: Talk) -> None:
        talk.say(b"* BYE [ALERT] Server shutting down\r\n")
        talk.sock.shutdown(1)

    with script(idling(goodbye, b"OK done")) as server:
        mailbox = polled(desk, connect(desk, server.port, "u"))
        before = server.connections
        with watching(desk):
            wait_for(lambda: server.connections > before)
            wait_for(lambda: watched(desk, mailbox) is None)
            time.sleep(2)
            assert server.connections == before + 1, "five seconds of peace come first"
