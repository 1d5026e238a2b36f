"""Encryption and credentials on the way to the SMTP server: what is wrong gets neither password nor mail (T61, T62)."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from helpdesk.accounts.users import User
from helpdesk.cli import main
from helpdesk.db import utc_now
from helpdesk.desk import health
from helpdesk.desk.health import SMTP
from helpdesk.desk.sending import send_due
from helpdesk.mail.smtp import SmtpServer
from tests import certificates
from tests.certificates import Authority
from tests.desk import Desk
from tests.edges.conftest import environment
from tests.outgoing import alarms, queue_reply, reply, send, smtp_server, trouble
from tests.smtp_script import Script, running_script
from tests.smtp_sink import running_sink

SECRET = "Clave-Que-Nadie-Ve-7"


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


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts."""
    made = certificates.authority()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.write(tmp_path / "authority.pem", made.pem())))
    return made


def server_side(folder: Path, pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.write(folder / "server.pem", pem))
    return context


BAD = {
    "expired": lambda trusted: trusted.issue(days=-1),
    "another host's": lambda trusted: trusted.issue(host="mx.example.com"),
    "nobody's": lambda _trusted: certificates.authority().issue(),
}


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("which", BAD)
def test_T62_a_wrong_certificate_gets_neither_password_nor_mail(
    due: Desk, trusted: Authority, tmp_path: Path, which: str, security: str
) -> None:
    context = server_side(tmp_path, BAD[which](trusted))
    with running_sink(**{security: context}, users={"mesa": SECRET}) as sink:
        send(due, port=sink.port, security=security, user="mesa", password=SECRET)
        assert sink.sign_ins == []
        assert sink.raw == []
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "certificate"
    assert alarms(due) == [health.TROUBLES[SMTP, "certificate"].sentence]
    assert reply(due).tries == 0


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_T62_a_good_certificate_and_the_right_password_send_the_mail(
    due: Desk, trusted: Authority, tmp_path: Path, security: str
) -> None:
    context = server_side(tmp_path, trusted.issue())
    with running_sink(**{security: context}, users={"mesa": SECRET}) as sink:
        assert send(due, port=sink.port, security=security, user="mesa", password=SECRET) == 1
        assert sink.sign_ins == ["mesa"]


def test_T62_starttls_that_was_stripped_gets_neither_password_nor_mail(due: Desk, script: Script) -> None:
    script.always["EHLO"] = "250-script.example.com\r\n250 AUTH PLAIN LOGIN"
    send(due, port=script.port, security="starttls", user="mesa", password=SECRET)
    assert set(script.seen) <= {"connect", "EHLO", "QUIT"}
    found = trouble(due)
    assert found is not None
    assert (found.error_kind, found.error) == ("no-encryption", "el servidor SMTP no ofrece STARTTLS")


def test_T62_a_plain_server_on_the_port_of_tls_is_named_so(due: Desk, script: Script) -> None:
    send(due, port=script.port, security="tls")
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "no-encryption"


def test_T61_a_password_that_the_server_repeats_is_written_down_nowhere(
    due: Desk, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.always = {
        "EHLO": "250-script.example.com\r\n250 AUTH PLAIN LOGIN",
        "AUTH": f"535 5.7.8 wrong password {SECRET} for mesa",
    }
    server = smtp_server(due, port=script.port, user="mesa", password=SECRET)
    with caplog.at_level(logging.DEBUG):
        send_due(due.sessions, server, lease_s=60)
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "credentials"
    assert SECRET not in f"{found.error} {reply(due).reason} {caplog.text} {server!r}"
    with due.sessions() as session:
        for table in ("service_health", "event", "outgoing"):
            dump = session.scalars(text(f"select row_to_json({table})::text from {table}")).all()
            assert SECRET not in str(dump)


def test_F24_refused_credentials_stop_the_queue_before_the_account_is_locked_until_somebody_resumes(
    due: Desk,
) -> None:
    with running_sink(users={"mesa": SECRET}) as sink:
        for _ in range(10):
            send(due, port=sink.port, user="mesa", password="otra")
            due.make_due()
        assert len(sink.sign_ins) <= 2 * 3, "two mechanisms, three times"
        found = trouble(due)
        assert found is not None
        assert (found.failures, found.retry_at) == (3, None)
        assert alarms(due) == [health.TROUBLES[SMTP, "credentials"].sentence, health.HALTED_ES]
        assert send(due, port=sink.port, user="mesa", password=SECRET) == 0, "nobody said that it is mended"
        said = CliRunner().invoke(main, ["mail", "resume-sending"], env=environment(due.settings))
        assert "rechazó nuestro usuario o contraseña" in said.output
        assert send(due, port=sink.port, user="mesa", password=SECRET) == 1
    assert trouble(due) is None
    assert reply(due).tries == 1


def test_a_server_that_is_itself_too_weak_to_check_a_password_is_only_away(due: Desk, script: Script) -> None:
    script.always = {
        "EHLO": "250-script.example.com\r\n250 AUTH PLAIN",
        "AUTH": "454 4.7.0 temporary authentication failure",
    }
    send(due, port=script.port, user="mesa", password=SECRET)
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "unreachable"


SIGN_IN = "250-script.example.com\r\n250 AUTH PLAIN LOGIN"


def test_F24_a_refusal_after_which_the_server_hangs_up_is_still_a_refused_password(
    due: Desk, script: Script
) -> None:
    script.always = {"EHLO": SIGN_IN}
    for _ in range(10):
        script.moves = {"AUTH": ["535 5.7.8 wrong password", "hang up"]}
        send(due, port=script.port, user="mesa", password=SECRET)
        due.make_due()
    found = trouble(due)
    assert found is not None
    assert (found.error_kind, found.failures, found.retry_at) == ("credentials", 3, None)
    assert script.seen["AUTH"] == 2 * 3, "no more: the account would be locked"


def test_F24_a_server_that_shuts_the_door_between_two_refusals_does_not_make_us_forget_them(
    due: Desk, script: Script
) -> None:
    script.always = {"EHLO": SIGN_IN, "AUTH": "535 5.7.8 wrong password"}
    for _ in range(10):
        script.moves = {"connect": ["220 script.example.com", "421 4.7.0 too many failed logins"]}
        for _ in range(2):
            send(due, port=script.port, user="mesa", password=SECRET)
            due.make_due()
    with due.sessions.begin() as session:  # another worker, which was on its way to the server
        health.note_trouble(session, SMTP, "unreachable", "x", utc_now())
    found = trouble(due)
    assert found is not None
    assert (found.error_kind, found.failures, found.retry_at) == ("credentials", 3, None)


@pytest.mark.parametrize("answer", ["334 Enter password", "334 abcde", "hola", "334 " + "QQ==" * 3])
def test_nonsense_while_signing_in_is_a_server_that_is_away_and_no_refused_password(
    due: Desk, script: Script, answer: str
) -> None:
    script.always = {"EHLO": SIGN_IN, "AUTH": answer, "QQ==": answer}
    send(due, port=script.port, user="mesa", password=SECRET)
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "unreachable"
    assert (reply(due).state, reply(due).lease_until) == ("ready", None)


def test_a_password_that_smtp_cannot_carry_is_named_so_and_never_sent(due: Desk, script: Script) -> None:
    script.always = {"EHLO": SIGN_IN}
    send(due, port=script.port, user="mesa", password="Contraseña-7")
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "credentials"
    assert "ASCII" in str(found.error)
    assert "Contrase" not in str(found.error).replace("contraseña", "")
    assert script.seen["AUTH"] == 0


def test_a_password_file_that_cannot_be_read_makes_the_queue_wait_and_is_told(
    due: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "smtp_password"
    changes = {"smtp_user": "mesa", "smtp_password_file": file}
    settings = due.settings.model_copy(update=changes)
    send_due(due.sessions, SmtpServer.from_settings(settings), lease_s=60)
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "settings"
    assert "HELPDESK_SMTP_PASSWORD_FILE" in str(found.error)
    assert alarms(due) == [health.TROUBLES[SMTP, "settings"].sentence]
    assert (reply(due).state, reply(due).tries, reply(due).lease_until) == ("ready", 0, None)
    file.write_text(SECRET)
    due.make_due()
    with running_sink(users={"mesa": SECRET}) as sink:
        again = SmtpServer.from_settings(settings.model_copy(update={"smtp_port": sink.port}))
        assert send_due(due.sessions, again, lease_s=60) == 1
    assert trouble(due) is None
