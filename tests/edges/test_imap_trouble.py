"""Servers that are broken, hostile, slow, far too big, or not who they say they are."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import socket
import threading
import time

import pytest

from helpdesk.db import utc_now
from helpdesk.desk import intake
from helpdesk.desk.intake import Poll
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.receive import WITHHELD, receive, receive_missing
from helpdesk.errors import MailboxError
from helpdesk.mail.imap import ImapAccount, open_folder
from helpdesk.mail.trouble import Trouble
from tests import dovecot
from tests.desk import Desk
from tests.edges.conftest import connect
from tests.imap_script import Answer, Script, Talk, script
from tests.mails import mail

MAX_BYTES = 25_000_000


def account(server: Script, **changes: object) -> ImapAccount:
    plain = ImapAccount("127.0.0.1", server.port, "u", "clave-secreta", tls=False, read_timeout_s=5)
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def scripted(desk: Desk, server: Script) -> Mailbox:
    """The desk's mailbox, on a scripted server."""
    return connect(desk, server.port, "u")


def poll(desk: Desk, mailbox: Mailbox) -> Poll:
    done = intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    assert done is not None
    return done


def poll_due(desk: Desk) -> None:
    desk.worker.polls.start_due()
    desk.worker.polls.wait(30)


def kind_of(server: Script, **changes: object) -> str:
    with pytest.raises(MailboxError) as caught, open_folder(account(server, **changes)) as folder:
        list(folder.fetch(folder.uids_after(0), MAX_BYTES))
    assert "clave-secreta" not in f"{caught.value} {caught.value.detail}"
    return caught.value.kind


def fetched(uid: int, body: bytes, *, sequence: int = 1) -> bytes:
    """A good FETCH answer."""
    return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (sequence, uid, len(body), body)


def facts(*uids: int, size: int = 100) -> bytes:
    date = b'"20-Nov-2026 10:00:00 -0500"'
    return b"".join(
        b"* %d FETCH (UID %d RFC822.SIZE %d INTERNALDATE %s)\r\n" % (n, uid, size, date)
        for n, uid in enumerate(uids, 1)
    )


def giving(uids: tuple[int, ...], bodies: bytes, size: int = 100) -> dict[str, Answer]:
    """The answers of a server that lists `uids` and answers every question for bodies with `bodies`."""

    def fetch(talk: Talk) -> None:
        talk.say(bodies if b"BODY.PEEK" in talk.line else facts(*uids, size=size))
        talk.done()

    listed = b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids) + b"\r\nOK done"
    return {"UID SEARCH": listed, "UID FETCH": fetch}


# What a server may say instead of yes (F16, F17)


@pytest.mark.parametrize(
    ("command", "answer", "kind"),
    [
        ("LOGIN", b"NO [AUTHENTICATIONFAILED] Authentication failed.", Trouble.REFUSED),
        ("LOGIN", b"NO LOGIN failed.", Trouble.REFUSED),
        ("LOGIN", b"NO [UNAVAILABLE] Temporary authentication failure.", Trouble.BUSY),
        ("LOGIN", b"NO [ALERT] Too many simultaneous connections. (Failure)", Trouble.BUSY),
        ("LOGIN", b"NO [LIMIT] Rate limit hit.", Trouble.BUSY),
        ("LOGIN", b"* BYE Server is busy, try again\r\nNO gone", Trouble.BUSY),
        ("SELECT", b"BAD User is authenticated but not connected.", Trouble.BUSY),
        ("SELECT", b"NO [INUSE] Mailbox is in use", Trouble.BUSY),
        ("SELECT", b"NO [NONEXISTENT] Unknown Mailbox", Trouble.FOLDER),
        ("SELECT", b"NO Server unavailable. 15", Trouble.PROTOCOL),
        ("SELECT", b"* 3 EXISTS\r\nOK done", Trouble.PROTOCOL),  # no UIDVALIDITY
        # With a password there is no token to mend.
        ("UID SEARCH", b"* BYE Session invalidated - AccessTokenExpired\r\nNO x", Trouble.UNREACHABLE),
        ("UID SEARCH", b"* BYE Session expired, please login again\r\nNO x", Trouble.UNREACHABLE),
        ("LOGIN", b"NO [AUTHENTICATIONFAILED] Wrong password. Please try again", Trouble.REFUSED),
        ("UID SEARCH", b"NO Request is throttled. Suggested Backoff Time: 299 milliseconds", Trouble.BUSY),
        ("UID SEARCH", b"* SEARCH one two\r\nOK done", Trouble.PROTOCOL),
        ("UID SEARCH", b"%% nonsense\r\nOK done", Trouble.PROTOCOL),
        ("UID SEARCH", b"* SEARCH 1 2\r\n* 1 FETCH (((\r\nOK done", None),  # not asked for: not read
    ],
)
def test_F16_F17_what_a_server_says_is_named_by_kind(command: str, answer: bytes, kind: str | None) -> None:
    with script({command: answer, "UID FETCH": b"OK done"}) as server:
        if kind is None:
            with open_folder(account(server)) as folder:
                assert folder.uids_after(0) == [1, 2]
        else:
            assert kind_of(server) == kind


def test_F11_a_connection_that_breaks_during_the_login_is_not_a_wrong_password() -> None:
    with script({"LOGIN": lambda talk: talk.sock.shutdown(2)}) as server:
        assert kind_of(server) == Trouble.UNREACHABLE


def test_a_password_that_is_not_ascii_is_sent_as_utf_8() -> None:
    tags = []

    def authenticate(talk: Talk) -> None:
        tags.append(talk.tag)
        talk.say(b"+ \r\n")

    def taken(talk: Talk) -> None:
        good = base64.b64decode(talk.tag).decode() == "\0peña@example.com\0contraseña"
        talk.say(tags.pop() + (b" OK welcome\r\n" if good else b" NO [AUTHENTICATIONFAILED] no\r\n"))

    with script({"AUTHENTICATE": authenticate, "?": taken}) as server:
        changes = {"username": "peña@example.com", "password": "contraseña"}
        with open_folder(account(server, **changes)) as folder:
            assert folder.uids_after(0) == []


@pytest.mark.parametrize("host", ["imap..example.com", f"{'x' * 64}.example.com"])
def test_a_host_that_is_no_name_is_a_host_that_is_not_known(host: str) -> None:
    with script() as server:
        assert kind_of(server, host=host) == Trouble.UNREACHABLE


def test_capabilities_that_cannot_be_read_are_nonsense_like_any_other() -> None:
    with script({"CAPABILITY": b"* CAPABILITY IMAP4rev1 \xe9\r\nOK done"}) as server:
        assert kind_of(server) == Trouble.PROTOCOL


def test_F10_the_time_to_connect_is_for_all_addresses_of_a_host_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        # Nobody accepts, and the queue is full: what else comes is not answered.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(full.getsockname())
        with script() as server:
            swallowed = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", full.getsockname())] * 5
            good = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
            found = [*swallowed, good]
            real = socket.getaddrinfo

            def resolve(host: str, *given: object, **more: object) -> object:
                return found if host == "imap.example.com" else real(host, *given, **more)  # type: ignore[arg-type]

            monkeypatch.setattr(socket, "getaddrinfo", resolve)
            began = time.monotonic()
            with open_folder(account(server, host="imap.example.com", connect_timeout_s=2)) as folder:
                assert folder.uids_after(0) == []
            found.pop()
            assert kind_of(server, host="imap.example.com", connect_timeout_s=2) == Trouble.UNREACHABLE
            assert time.monotonic() - began < 7


def test_a_refused_password_halts_the_mailbox_and_nothing_more_is_tried(desk: Desk) -> None:
    with script({"LOGIN": b"NO [AUTHENTICATIONFAILED] no"}) as server:
        mailbox = scripted(desk, server)
        poll_due(desk)
        with desk.sessions.begin() as session:
            row = session.get_one(Mailbox, mailbox.id)
            assert row.halted_at is not None
            row.due_at = utc_now()
        poll_due(desk)
        (told,) = intake.poll_all(desk.sessions, desk.worker.filer, desk.settings)
        assert told.error is not None
        assert told.error.startswith("detenido")
        assert server.connections == 1


# Answers that never end (F09, F10, T108)


def test_T108_a_literal_of_2_gb_is_refused_before_it_is_read() -> None:
    body = b"* 1 FETCH (UID 5 BODY[] {2147483648}\r\nxxx"
    with script(giving((5,), body)) as server:
        began = time.monotonic()
        assert kind_of(server) == Trouble.PROTOCOL
        assert time.monotonic() - began < 4


def test_T108_untagged_data_without_end_is_cut_off() -> None:
    def flood(talk: Talk) -> None:
        while True:
            talk.say(b"* OK " + b"still here " * 10_000 + b"\r\n")

    with script({"UID SEARCH": flood}) as server:
        assert kind_of(server) == Trouble.PROTOCOL


def test_F10_a_server_that_stalls_ends_the_poll_by_the_read_time_out() -> None:
    with script({"SELECT": lambda talk: None}) as server:
        began = time.monotonic()
        assert kind_of(server, read_timeout_s=0.5) == Trouble.UNREACHABLE
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("where", ["greeting", "SELECT", "UID FETCH"])
def test_F10_a_server_that_drips_is_cut_off_by_the_clock(where: str) -> None:
    stop = threading.Event()

    def drip(talk: Talk) -> None:
        talk.say(b"* OK ")
        while not stop.wait(0.1):
            talk.say(b"x")

    answers: dict[str, Answer] = {"UID SEARCH": b"* SEARCH 1\r\nOK done"}
    if where != "greeting":
        answers[where] = drip
    # Each byte comes in time for the read time-out; only the wall clock can end it.
    greeting = b"" if where == "greeting" else b"* OK ready\r\n"
    with script(answers, greeting=greeting) as server:
        began = time.monotonic()
        assert kind_of(server, read_timeout_s=1, connect_timeout_s=1) == Trouble.UNREACHABLE
        assert time.monotonic() - began < 10
        stop.set()


def test_F10_there_is_no_account_without_time_outs() -> None:
    plain = ImapAccount("imap.example.com", 993, "u", "p")
    assert (plain.connect_timeout_s, plain.read_timeout_s) == (15, 60)


# Answers about other messages (F15, T108)


def received(desk: Desk, server: Script) -> dict[int, bytes | None]:
    """What one receive writes into the ledger."""
    mailbox = scripted(desk, server)
    with open_folder(account(server)) as folder:
        receive(desk.sessions, mailbox, folder, now=utc_now(), max_bytes=MAX_BYTES)
    with desk.sessions() as session:
        return {row.uid: session.merge(row).raw for row in desk.ledger()}


def test_F15_an_answer_for_another_uid_is_dropped(desk: Desk) -> None:
    bodies = fetched(5, b"five") + fetched(99, b"not asked for", sequence=2)
    with script(giving((5,), bodies)) as server:
        assert received(desk, server) == {5: b"five"}


def test_F15_an_answer_without_uid_is_not_stored_under_its_sequence_number(desk: Desk) -> None:
    # Message number 5 is not the message with UID 5: this one must not be taken for it.
    bodies = b"* 5 FETCH (BODY[] {5}\r\nwrong)\r\n" + fetched(9, b"nine", sequence=5)
    with script(giving((5, 9), bodies)) as server:
        assert received(desk, server)[5] is None


def test_F15_repeated_and_impossible_uids_are_taken_once_or_not_at_all(desk: Desk) -> None:
    answers = giving((9, 5, 5), fetched(5, b"five") + fetched(9, b"nine", sequence=2))
    answers["UID SEARCH"] = b"* SEARCH 9 5 5 0 99999999999\r\nOK done"
    with script(answers) as server:
        assert received(desk, server) == {5: b"five", 9: b"nine"}


def test_a_message_that_the_server_withholds_is_noted_and_asked_for_again(desk: Desk) -> None:
    given = {"now": fetched(6, b"six", sequence=2)}

    def fetch(talk: Talk) -> None:
        asked = talk.line.split()[3].split(b",")
        if b"BODY.PEEK" in talk.line and b"5" in asked and b"5" not in given:
            talk.done(b"NO error while converting this message")
            return
        talk.say(given["now"] if b"BODY.PEEK" in talk.line else facts(5, 6))
        talk.done()

    def search(talk: Talk) -> None:
        asked_after = b"7:*" in talk.line
        talk.say(b"* SEARCH\r\n" if asked_after else b"* SEARCH 5 6\r\n")
        talk.done()

    with script({"UID SEARCH": search, "UID FETCH": fetch}) as server:
        assert received(desk, server) == {5: None, 6: b"six"}
        row = desk.ledger()[0]
        assert (row.state, row.reason) == (MailState.VANISHED, WITHHELD)
        mailbox = Mailbox(id=row.mailbox_id)
        given.update({"now": fetched(5, b"five"), b"5": b""})  # type: ignore[dict-item]
        with open_folder(account(server)) as folder:
            assert receive(desk.sessions, mailbox, folder, now=utc_now(), max_bytes=MAX_BYTES) == 1
        assert {row.uid: row.state for row in desk.ledger()} == {5: "received", 6: "received"}


@pytest.mark.parametrize(
    "date", [b'"20-Nov-2026 10:00:00 +99999999"', b'"01-Jan-0001 00:00:00 +1400"', b'"99-Abc-0000 x"', b"NIL"]
)
def test_a_date_that_cannot_be_does_not_keep_mail_out(desk: Desk, date: bytes) -> None:
    given = {
        b"RFC822.SIZE": b"* 1 FETCH (UID 5 RFC822.SIZE 4 INTERNALDATE " + date + b")\r\n",
        b"BODY.PEEK": fetched(5, b"five"),
    }

    def fetch(talk: Talk) -> None:
        talk.say(next(answer for word, answer in given.items() if word in talk.line))
        talk.done()

    with script({"UID SEARCH": b"* SEARCH 5\r\nOK done", "UID FETCH": fetch}) as server:
        assert received(desk, server) == {5: b"five"}


def test_a_server_that_understates_a_size_cannot_fill_the_ledger(desk: Desk) -> None:
    with script(giving((5,), fetched(5, b"x" * 3_000_000))) as server:
        mailbox = scripted(desk, server)
        with open_folder(account(server)) as folder:
            receive(desk.sessions, mailbox, folder, now=utc_now(), max_bytes=2_000_000)
    (row,) = desk.ledger()
    assert row.truncated
    assert row.size == 3_000_000


# The ledger below the watermark, and several pollers


@pytest.mark.needs("dovecot")
def test_a_message_below_the_watermark_is_received_when_asked_for(
    desk: Desk, mailbox: Mailbox, imap_server: dovecot.Dovecot, user: str
) -> None:
    imap_server.deliver(user, mail("Uno"), mail("Dos"), mail("Tres"))
    options = {"now": utc_now(), "max_bytes": MAX_BYTES}
    with open_folder(mailbox.account()) as folder:
        first, second, third = folder.all_uids()
        assert receive_missing(desk.sessions, mailbox, folder, [third], **options) == 1  # type: ignore[arg-type]
        assert receive(desk.sessions, mailbox, folder, **options) == 0  # type: ignore[arg-type]
        missing = receive_missing(desk.sessions, mailbox, folder, [first, second, third], **options)  # type: ignore[arg-type]
    assert missing == 2
    assert [row.uid for row in desk.ledger()] == [third, first, second]


@pytest.mark.needs("dovecot")
def test_F08_four_threads_of_one_process_poll_once_each_mail(
    desk: Desk, mailbox: Mailbox, imap_server: dovecot.Dovecot, user: str
) -> None:
    imap_server.deliver(user, *(mail(f"Consulta {n}", sender=f"p{n}@example.com") for n in range(30)))
    polls: list[Poll | None] = []

    def one() -> None:
        polls.append(intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done.received for done in polls if done) == 30
    assert len(desk.ledger()) == len(desk.tickets()) == 30
    assert None in polls, "one thread at a time holds the mailbox"
