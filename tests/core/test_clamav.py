"""The virus scanner: the protocol, what waits, what is found, and a scanner that is down (T47)."""

from __future__ import annotations

import datetime as dt
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update

from helpdesk.db import utc_now
from helpdesk.desk.files import Blob, Scan
from helpdesk.desk.health import ServiceHealth, alarms
from helpdesk.desk.previews import due
from helpdesk.desk.scans import SERVICE, scan_due
from helpdesk.mail.clamav import Scanner, ScannerDown, ScanRefused
from tests.clamd import running_clamd
from tests.desk import Desk
from tests.hostile_files import EICAR
from tests.mails import mail
from tests.ports import free_port


@pytest.fixture(scope="module")
def clamd() -> Iterator[Scanner]:
    """A real daemon."""
    with tempfile.TemporaryDirectory(prefix="clamd-") as folder, running_clamd(Path(folder)) as address:
        yield Scanner(address)


@contextmanager
def scripted(answer: Callable[[socket.socket], None]) -> Iterator[Scanner]:
    """A scanner that does with every connection what it is told, instead of what a scanner does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Scanner(f"127.0.0.1:{server.getsockname()[1]}", answer_s=1.0)
        done.set()
        thread.join()


def saying(words: bytes) -> Callable[[socket.socket], None]:
    """Read everything up to the empty chunk, then say this."""

    def answer(connection: socket.socket) -> None:
        connection.settimeout(5)
        received = b""
        while not received.endswith(bytes(4)):
            received += connection.recv(65_536)
        connection.sendall(words)

    return answer


def hang_up(connection: socket.socket) -> None:
    connection.recv(10)


def silent(connection: socket.socket) -> None:
    connection.settimeout(5)
    while connection.recv(65_536):
        pass


def refuse_early(connection: socket.socket) -> None:
    connection.settimeout(5)
    connection.recv(1_000)
    connection.sendall(b"INSTREAM size limit exceeded. ERROR\0")
    connection.shutdown(socket.SHUT_WR)
    silent(connection)


@pytest.mark.needs("clamd")
@pytest.mark.parametrize(
    ("content", "virus"),
    [
        (b"", None),
        (b"hola", None),
        (bytes(3_000_000), None),
        (EICAR, "Eicar-Test.UNOFFICIAL"),
        (b"antes " + EICAR + b" despues", "Eicar-Test.UNOFFICIAL"),
    ],
)
def test_T47_the_real_daemon_gives_its_word(clamd: Scanner, content: bytes, virus: str | None) -> None:
    assert clamd.scan(content) == virus


@pytest.mark.needs("clamd")
def test_T47_a_virus_is_found_within_a_whole_mail(clamd: Scanner) -> None:
    assert clamd.scan(with_files(("virus.txt", EICAR))) is not None
    assert clamd.scan(with_files(("hola.txt", b"hola"))) is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (hang_up, ScannerDown),
        (silent, ScannerDown),
        (saying(b""), ScannerDown),
        (saying(b"COMMAND READ TIMED OUT. ERROR\0"), ScanRefused),
        (saying(b"stream: algo ERROR\0"), ScanRefused),
        (saying(b"stream: OK\nstream: X FOUND\0"), ScanRefused),
        (saying(b"x" * 5_000), ScanRefused),
        (refuse_early, ScanRefused),
    ],
)
def test_T47_a_scanner_that_does_not_answer_properly_never_means_clean(
    answer: Callable[[socket.socket], None], error: type[Exception]
) -> None:
    with scripted(answer) as scanner, pytest.raises(error):
        scanner.scan(bytes(2_000_000))


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "unix:/nowhere/clamd.socket", "[::1]:{port}"])
def test_a_scanner_that_is_not_there_is_down(address: str) -> None:
    with pytest.raises(ScannerDown):
        Scanner(address.format(port=free_port())).scan(b"x")


def with_files(*files: tuple[str, bytes]) -> bytes:
    """A mail with these files."""
    from email import message_from_bytes, policy

    built = message_from_bytes(mail(), policy=policy.SMTP)
    for name, content in files:
        built.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return built.as_bytes()


def scans(desk: Desk) -> dict[int, tuple[str, str | None]]:
    """What is known of every content, by its size."""
    with desk.sessions() as session:
        return {blob.size: (blob.scan, blob.scan_result) for blob in session.scalars(select(Blob))}


@pytest.mark.needs("clamd")
def test_T47_what_arrives_is_scanned_and_the_infected_file_is_marked(desk: Desk, clamd: Scanner) -> None:
    desk.file(with_files(("virus.com", EICAR), ("hola.txt", b"hola")))
    assert set(scans(desk).values()) == {(Scan.NOT_ASKED.value, None)}
    assert scan_due(desk.sessions, clamd) == 2
    assert scans(desk) == {
        len(EICAR): ("infected", "Eicar-Test.UNOFFICIAL"),
        4: ("clean", None),
    }
    assert scan_due(desk.sessions, clamd) == 0


def test_T47_a_scanner_that_is_down_holds_everything_and_says_so(desk: Desk) -> None:
    desk.file(with_files(("a.txt", b"hola"), ("b.txt", b"buenas")))
    down = Scanner(f"127.0.0.1:{free_port()}")
    for _ in range(3):
        assert scan_due(desk.sessions, down) == 0
        ask_again_now(desk)
    assert set(scans(desk).values()) == {(Scan.WAITING.value, None)}
    with desk.sessions() as session:
        row = session.get_one(ServiceHealth, SERVICE)
        assert row.failures == 3
        assert row.error == "Connection refused"
        assert any("antivirus" in sentence for sentence in alarms(session))
    with scripted(saying(b"stream: OK\0")) as back:
        assert scan_due(desk.sessions, back) == 2
    assert set(scans(desk).values()) == {(Scan.CLEAN.value, None)}
    with desk.sessions() as session:
        assert alarms(session) == []


def ask_again_now(desk: Desk) -> None:
    """Let the wait for the scanner be over."""
    with desk.sessions.begin() as session:
        session.execute(update(ServiceHealth).values(retry_at=utc_now() - dt.timedelta(seconds=1)))


def test_a_scanner_that_is_down_is_not_asked_at_every_tick(desk: Desk) -> None:
    desk.file(with_files(("a.txt", b"hola")))
    scan_due(desk.sessions, Scanner(f"127.0.0.1:{free_port()}"))
    with scripted(saying(b"stream: OK\0")) as back:
        assert scan_due(desk.sessions, back) == 0


def test_nobody_is_told_of_a_scanner_that_is_no_longer_wanted(desk: Desk) -> None:
    desk.file(with_files(("a.txt", b"hola")))
    for _ in range(3):
        scan_due(desk.sessions, Scanner(f"127.0.0.1:{free_port()}"))
        ask_again_now(desk)
    assert scan_due(desk.sessions, None) == 0
    with desk.sessions() as session:
        assert alarms(session) == []


def test_a_content_that_cannot_be_checked_stays_held_and_stops_no_other(desk: Desk) -> None:
    desk.file(with_files(("a.txt", b"hola")))
    with scripted(saying(b"INSTREAM size limit exceeded. ERROR\0")) as scanner:
        assert scan_due(desk.sessions, scanner) == 1
    assert list(scans(desk).values()) == [("waiting", "size limit exceeded. ERROR")]
    desk.file(with_files(("b.txt", b"buenas")))
    with scripted(saying(b"stream: OK\0")) as scanner:
        assert scan_due(desk.sessions, scanner) == 1
    assert {scan for scan, _ in scans(desk).values()} == {"waiting", "clean"}


def test_with_a_scanner_only_what_it_passed_is_decoded(desk: Desk) -> None:
    desk.file(with_files(("foto.gif", b"GIF89a" + bytes(20))))
    with desk.sessions() as session:
        assert len(due(session, scanning=False)) == 1
        assert due(session, scanning=True) == []


@pytest.mark.parametrize("word", ["host", "host:", ":3310", "unix:relative", "a b:1", "http://x:1"])
def test_an_address_that_is_none_is_refused_at_start(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from helpdesk.errors import SettingsError
    from helpdesk.settings import load

    monkeypatch.setenv("HELPDESK_CLAMAV", word)
    with pytest.raises(SettingsError, match="HELPDESK_CLAMAV"):
        load()
