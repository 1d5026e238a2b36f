"""The worker against a server or a network that misbehaves on purpose (F22–F27, L11, L12).

Passwords and certificates: `test_smtp_encryption.py`.
"""

from __future__ import annotations

import datetime as dt
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import health, sending
from helpdesk.desk.health import SMTP
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.sending import send_due
from helpdesk.mail import smtp
from helpdesk.mail.smtp import Handed, Parcel, hand_over, open_server
from tests.desk import Desk
from tests.outgoing import alarms, fill_outbox, queue_reply, reply, send, smtp_server, trouble
from tests.ports import free_port
from tests.smtp_script import Script, running_script
from tests.smtp_sink import Sink

SENT, READY, FAILED, UNCERTAIN = (
    OutgoingState.SENT,
    OutgoingState.READY,
    OutgoingState.FAILED,
    OutgoingState.UNCERTAIN,
)


@pytest.fixture
def script() -> Iterator[Script]:
    """A server that follows a script."""
    with running_script() as running:
        yield running


@pytest.fixture
def due(desk: Desk, ana: User) -> Desk:
    """A desk with one reply that is due."""
    queue_reply(desk, ana)
    return desk


# What the server says, where it says it, and what becomes of the mail and of the queue (F24).
ANSWERS = [
    ("MAIL", "421 4.3.2 shutting down", READY, None),
    ("MAIL", "450 4.2.0 greylisted", READY, None),
    ("MAIL", "451 4.3.0 local error", READY, None),
    ("MAIL", "452 4.3.1 disk full", READY, None),
    ("MAIL", "530 5.7.0 authentication required", READY, "credentials"),
    ("MAIL", "550 5.7.1 sender not allowed", READY, "sender"),
    ("MAIL", "552 5.3.4 message too big", FAILED, None),
    ("MAIL", "553 5.7.1 not owned by user", READY, "sender"),
    ("RCPT", "421 4.7.0 too many connections", READY, None),
    ("RCPT", "450 4.1.1 mailbox busy", READY, None),
    ("RCPT", "451 4.7.1 try again later", READY, None),
    ("RCPT", "452 4.2.2 mailbox full", READY, None),
    ("RCPT", "530 5.7.0 authentication required", READY, "credentials"),
    ("RCPT", "550 5.1.1 no such user", FAILED, None),
    ("RCPT", "551 5.1.6 moved", FAILED, None),
    ("RCPT", "552 5.2.2 mailbox full for good", FAILED, None),
    ("RCPT", "553 5.1.3 bad address", FAILED, None),
    ("RCPT", "554 5.7.1 relay access denied", FAILED, None),
    ("DATA", "250 odd", READY, None),
    ("DATA", "421 4.3.2 shutting down", READY, None),
    ("DATA", "451 4.3.0 later", READY, None),
    ("DATA", "503 5.5.1 bad sequence", FAILED, None),
    ("DATA", "530 5.7.0 authentication required", READY, "credentials"),
    ("DATA", "554 5.5.1 no valid recipients", FAILED, None),
    ("text", "250 2.0.0 queued", SENT, None),
    ("text", "251 2.1.5 forwarded", SENT, None),
    ("text", "250-2.0.0\r\n250 in two lines", SENT, None),
    ("text", "354 what", UNCERTAIN, None),
    ("text", "421 4.3.2 shutting down", READY, None),
    ("text", "451 4.3.0 later", READY, None),
    ("text", "452 4.3.1 disk full", READY, None),
    ("text", "530 5.7.0 authentication required", READY, "credentials"),
    ("text", "550 5.7.1 spam", FAILED, None),
    ("text", "552 5.3.4 message too big", FAILED, None),
    ("text", "554 5.6.0 refused\x00\x07 \xff", FAILED, None),
    ("text", "gibberish", UNCERTAIN, None),
    ("text", "hang up", UNCERTAIN, None),
    ("MAIL", "hang up", READY, None),
    ("RCPT", "hang up", READY, None),
    ("DATA", "hang up", READY, None),
    ("RCPT", "gibberish", READY, None),
]


@pytest.mark.parametrize(("command", "answer", "state", "kind"), ANSWERS)
def test_F24_every_answer_has_its_consequence(
    due: Desk, script: Script, command: str, answer: str, state: OutgoingState, kind: str | None
) -> None:
    script.moves = {command: [answer]}
    sent = send(due, port=script.port)
    row, found = reply(due), trouble(due)
    assert (row.state, sent) == (state, int(state is SENT))
    assert (found.error_kind if found else None) == kind
    assert row.lease_until is None
    assert len(script.texts) == (command == "text")
    if kind:
        assert (row.tries, row.reason) == (0, ""), "the server's trouble costs the mail nothing"
    else:
        assert row.tries == 1
        assert row.reason
    if state is FAILED:
        (ticket,) = due.tickets()
        assert ticket.status == TicketStatus.OPEN
        assert any(event.kind == "send_failed" for event in ticket.events)
    due.make_due()
    assert send(due, port=script.port) == int(state in (READY, UNCERTAIN)), (
        "what is not over leaves next time"
    )


def test_a_null_sender_that_is_refused_fails_its_notice_and_stops_nothing(due: Desk, script: Script) -> None:
    with due.sessions.begin() as session:
        session.get_one(Outgoing, reply(due).id).envelope_from = ""
    script.moves = {"MAIL": ["550 5.7.1 no null sender here"]}
    send(due, port=script.port)
    assert reply(due).state == FAILED
    assert trouble(due) is None


@pytest.mark.parametrize("command", ["connect", "EHLO", "MAIL", "RCPT", "DATA", "text"])
def test_F26_no_hand_over_outlives_its_lease_however_slowly_the_server_drips(
    due: Desk, script: Script, command: str
) -> None:
    script.moves = {command: ["drip"]}
    before = time.monotonic()
    send_due(due.sessions, smtp_server(due, port=script.port, timeout_s=0.5), lease_s=1.5)
    assert time.monotonic() - before < 10, "an endless answer ends"
    row = reply(due)
    assert row.state == (UNCERTAIN if command == "text" else READY)
    assert row.lease_until is None, "how it went was written down within the lease"


def test_F26_a_server_slow_at_every_command_is_cut_off_within_the_lease(due: Desk) -> None:
    with running_script(MAIL="slow 0.6", RCPT="slow 0.6", DATA="slow 0.6", text="slow 0.6") as script:
        before = time.monotonic()
        assert send(due, port=script.port, lease_s=2) == 0
        assert time.monotonic() - before < 6
        assert reply(due).state == READY, "the text was not out"
        assert script.texts == []
        due.make_due()
        assert send(due, port=script.port, lease_s=60) == 1
        assert len(script.texts) == 1, "slow is not lost, and not twice"


def test_F26_slowness_before_the_text_gives_no_second_copy(due: Desk) -> None:
    with running_script(RCPT="slow 1.2") as script:
        slow = threading.Thread(target=send, args=[due], kwargs={"port": script.port, "lease_s": 60})
        slow.start()
        wait_until(lambda: script.seen["RCPT"] == 1)
        with due.sessions.begin() as session:  # as if the lease had run out meanwhile
            session.execute(text("update outgoing set lease_until = now() - interval '1 s'"))
        assert due.send() == 1, "another worker takes it over"
        slow.join()
        assert script.seen["RSET"] == 1
        assert script.seen["DATA"] == 0
        assert script.texts == []
    assert (reply(due).state, reply(due).tries) == (SENT, 1)


def test_a_server_slower_than_a_claim_gets_its_mail_although_several_workers_want_to_send_it(
    due: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "CLAIM_S", 0.4)
    over = time.monotonic() + 20

    def work(port: int) -> None:
        while reply(due).state != SENT and time.monotonic() < over:
            send(due, port=port)
            time.sleep(0.05)

    with running_script(RCPT="slow 0.9") as script:
        workers = [threading.Thread(target=work, args=[script.port]) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert reply(due).state == SENT
        assert reply(due).fence <= 5, "they took it from each other a few times, not for ever"
        assert len(script.texts) == 1


@contextmanager
def dead_addresses(count: int) -> Iterator[list[tuple[str, int]]]:
    """Addresses at which nobody answers, not even to refuse: as where IPv6 leads nowhere."""
    with ExitStack() as stack:
        doors = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0)) for _ in range(count)]
        for door in doors:
            for _ in range(3):  # its queue is full
                guest = stack.enter_context(socket.socket())
                guest.setblocking(False)
                guest.connect_ex(door.getsockname())
        yield [door.getsockname() for door in doors]


def test_a_server_of_which_many_addresses_are_dead_is_reached_at_the_one_that_lives(
    due: Desk, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    with dead_addresses(3) as dead, monkeypatch.context() as patched:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", at) for at in [*dead, ("127.0.0.1", script.port)]
        ]
        patched.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: found if host == "mx.test" else real(host, *a, **k)
        )
        server = smtp_server(due, host="mx.test", port=script.port, timeout_s=0.5)
        assert send_due(due.sessions, server, lease_s=60) == 1
    assert trouble(due) is None


def test_a_machine_without_a_full_name_greets_with_its_address(
    desk: Desk, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "a1b2c3d4e5f6")
    smtp._own_name.cache_clear()
    try:
        with open_server(smtp_server(desk, port=script.port)) as client:
            name = client.local_hostname
    finally:
        smtp._own_name.cache_clear()
    assert re.fullmatch(r"\[[0-9.]+\]", name), "RFC 5321, 4.1.3; a bare name is refused by many"


def wait_until(look: Any) -> None:
    end = time.monotonic() + 20
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_mail_that_is_not_ours_any_more_ends_the_transaction_and_the_connection_goes_on(
    desk: Desk, script: Script
) -> None:
    parcel = Parcel("a@example.com", "b@example.com", 5, lambda: None)
    whole = Parcel("a@example.com", "b@example.com", 5, lambda: b"A: b\r\n\r\n.\r\n..c\r\n")
    with open_server(smtp_server(desk, port=script.port)) as client:
        assert hand_over(client, parcel, limit_s=5).outcome is Handed.KEPT
        assert hand_over(client, whole, limit_s=5).outcome is Handed.ACCEPTED
    assert script.texts == [b"A: b\r\n\r\n..\r\n...c\r\n"], "T55: leading dots are doubled"


def test_a_size_is_announced_to_a_server_that_wants_to_know(desk: Desk, smtp_sink: Sink) -> None:
    huge = Parcel("a@example.com", "b@example.com", 10**9, lambda: b"never asked for")
    with open_server(smtp_server(desk)) as client:
        answer = hand_over(client, huge, limit_s=5)
    assert (answer.outcome, answer.reason[:3]) == (Handed.REFUSED, "552")


def test_F27_an_outage_costs_no_tries_waits_longer_and_longer_and_ends_by_itself(
    due: Desk, smtp_sink: Sink
) -> None:
    waits = []
    hours = [utc_now()]
    away = smtp_server(due, port=free_port())
    for _ in range(8):
        send_due(due.sessions, away, lease_s=5, clock=lambda: hours[-1])
        found = trouble(due)
        assert found is not None
        assert found.retry_at is not None
        waits.append((found.retry_at - hours[-1]).total_seconds())
        hours.append(found.retry_at)
    assert waits == [5, 10, 20, 40, 80, 120, 120, 120]
    assert (reply(due).state, reply(due).tries) == (READY, 0)
    assert alarms(due) == [health.TROUBLES[SMTP, "unreachable"].sentence]
    assert send(due) == 0, "the wait holds for every worker"
    due.make_due()
    assert send(due) == 1
    assert trouble(due) is None
    assert alarms(due) == []


def test_F27_a_hiccup_alarms_nobody(due: Desk) -> None:
    send(due, port=free_port())
    assert trouble(due) is not None
    assert alarms(due) == []


def test_after_an_outage_the_server_is_asked_although_no_mail_waits(desk: Desk, smtp_sink: Sink) -> None:
    with desk.sessions.begin() as session:
        health.note_trouble(session, SMTP, "unreachable", "x", utc_now() - dt.timedelta(hours=1))
    assert send(desk) == 0
    assert trouble(desk) is None


def test_after_an_outage_one_of_several_workers_asks(due: Desk) -> None:
    send(due, port=free_port())
    due.make_due()
    with running_script(connect="slow 1") as script:
        workers = [threading.Thread(target=send, args=[due], kwargs={"port": script.port}) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert script.seen["connect"] == 1
        assert len(script.texts) == 1


def test_a_server_that_puts_off_one_mail_after_the_other_is_left_alone_for_a_while(
    desk: Desk, smtp_sink: Sink
) -> None:
    fill_outbox(desk.sessions, desk.settings, 30)
    smtp_sink.answers += ["451 4.7.0 too fast"] * 30
    assert send(desk) == 0
    found = trouble(desk)
    assert found is not None
    assert found.error_kind == "busy"
    assert sum(row.tries for row in desk.outgoing()) == sending.SETBACKS


# --- the database under our feet ----------------------------------------------------------------------------


def test_F22_a_database_that_fails_after_the_server_took_the_mail_gives_no_second_copy(
    due: Desk, smtp_sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, cut = sending.settle, []

    def settle(session: Any, *arguments: Any) -> bool:
        if not cut:  # the connection that the worker stands on is gone
            cut.append(True)
            session.execute(text("select pg_terminate_backend(pg_backend_pid())"))
        return real(session, *arguments)

    monkeypatch.setattr(sending, "settle", settle)
    assert send(due) == 1
    assert cut
    assert (reply(due).state, reply(due).tries) == (SENT, 1)
    assert send(due) == 0
    assert len(smtp_sink.to("rosario@example.com")) == 2, "the acknowledgement, and the reply once"
