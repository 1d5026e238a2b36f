"""Who a server is, before it is told anything: certificates, TLS, and what may not be in a command."""

from __future__ import annotations

import shutil
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpdesk.desk.mailbox import Mailbox
from helpdesk.errors import MailboxError, MailboxRefused
from helpdesk.mail.imap import open_folder
from helpdesk.mail.trouble import Trouble
from tests import certificates, dovecot
from tests.certificates import Authority
from tests.desk import Desk
from tests.edges.conftest import connect
from tests.edges.test_imap_trouble import account, kind_of, poll
from tests.imap_script import script
from tests.mails import mail


@pytest.fixture
def fresh_root() -> Iterator[Path]:
    """A folder for a server of this test alone, where other users may look."""
    folder = Path(tempfile.mkdtemp(prefix="infomigra-dovecot-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = certificates.authority()
    certificates.write(tmp_path_factory.mktemp("ca") / "ca.pem", made.pem())
    return made


def tls_server(tmp_path: Path, pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.write(tmp_path / "server.pem", pem))
    return context


@pytest.mark.parametrize("bad", ["expired", "self-signed", "wrong-host"])
def test_F18_T62_a_bad_certificate_means_that_no_login_is_sent(
    tmp_path: Path, trusted: Authority, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.write(tmp_path / "ca.pem", trusted.pem())))
    pem = {
        "expired": trusted.issue(days=-1),
        "self-signed": certificates.authority().issue(),
        "wrong-host": trusted.issue(host="imap.example.com"),
    }[bad]
    with script(context=tls_server(tmp_path, pem)) as server:
        with (
            pytest.raises(MailboxError, match="certificado") as caught,
            open_folder(account(server, tls=True)),
        ):
            pass
        assert caught.value.kind == Trouble.CERTIFICATE
        assert server.said == []


@pytest.mark.needs("dovecot")
def test_a_good_certificate_of_ones_own_authority_is_enough_to_read_mail(
    desk: Desk,
    tmp_path: Path,
    trusted: Authority,
    monkeypatch: pytest.MonkeyPatch,
    fresh_root: Path,
    user: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.write(tmp_path / "ca.pem", trusted.pem())))
    server = dovecot.start(fresh_root, dovecot.Features(certificate=trusted.issue()))
    try:
        server.deliver(user, mail("Por TLS"))
        mailbox = connect(desk, server.port, user)
        with desk.sessions.begin() as session:
            box = session.get_one(Mailbox, mailbox.id)
            box.tls, box.port = True, server.tls_port
        assert poll(desk, mailbox).filed.filed == 1
    finally:
        server.stop()


def test_a_port_without_tls_is_refused_when_tls_is_asked_for() -> None:
    with script() as server:
        assert kind_of(server, tls=True) == Trouble.UNREACHABLE
        assert not any(b"LOGIN" in line for line in server.said)


@pytest.mark.parametrize("field", ["folder", "username", "password"])
def test_T79_control_characters_never_reach_the_server(field: str) -> None:
    with script() as server:
        with pytest.raises(MailboxRefused):
            account(server, **{field: 'INBOX"\r\nA1 DELETE x'})
        assert server.connections == 0
