"""Mailboxes without a password: tokens from a real endpoint, checked by a real Dovecot (XOAUTH2, OAUTHBEARER)."""

from __future__ import annotations

import errno
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helpdesk.desk import intake
from helpdesk.desk.intake import Poll
from helpdesk.desk.mailbox import Auth, Grant, Mailbox, OAuthWay, add_mailbox
from helpdesk.desk.mailbox_check import check
from helpdesk.errors import MailboxError
from helpdesk.mail import oauth
from helpdesk.mail.oauth import OAuthClient, access_token, forget_token
from helpdesk.mail.trouble import Trouble
from tests import dovecot
from tests.desk import Desk
from tests.mails import mail
from tests.token_endpoint import KEY, REFRESH, SECRET, Endpoint, token_endpoint

pytestmark = pytest.mark.needs("dovecot")


@pytest.fixture(scope="module")
def server() -> Iterator[dovecot.Dovecot]:
    """A Dovecot that takes tokens."""
    root = Path(tempfile.mkdtemp(prefix="infomigra-dovecot-"))
    running = dovecot.start(root, dovecot.Features(oauth_key=KEY))
    yield running
    running.stop()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def endpoint(user: str) -> Iterator[Endpoint]:
    with token_endpoint(user) as running:
        yield running
    oauth._kept.clear()
    oauth._replaced.clear()


def oauth_mailbox(
    desk: Desk,
    server: dovecot.Dovecot,
    endpoint: Endpoint,
    auth: Auth = Auth.XOAUTH2,
    *,
    refresh: bool = False,
) -> Mailbox:
    """A mailbox of the desk that signs in with a token."""
    secret, token = desk.settings.var / "secret", desk.settings.var / "refresh"
    secret.write_text(SECRET)
    token.write_text(REFRESH)
    grant = Grant.REFRESH_TOKEN if refresh else Grant.CLIENT_CREDENTIALS
    with desk.sessions.begin() as session:
        return add_mailbox(
            session,
            name="token",
            host="127.0.0.1",
            port=server.port,
            username=endpoint.user,
            password_file=token if refresh else secret,
            tls=False,
            auth=auth,
            oauth=OAuthWay(grant, endpoint.url, "cliente-1", secret if refresh else None, "correo/.default"),
        )


def poll(desk: Desk, mailbox: Mailbox) -> Poll:
    done = intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    assert done is not None
    return done


@pytest.mark.parametrize("auth", [Auth.XOAUTH2, Auth.OAUTHBEARER])
@pytest.mark.parametrize("refresh", [False, True], ids=["client-credentials", "refresh-token"])
def test_mail_is_read_with_a_token_and_one_token_serves_many_polls(
    desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint, auth: Auth, refresh: bool
) -> None:
    mailbox = oauth_mailbox(desk, server, endpoint, auth, refresh=refresh)
    server.deliver(endpoint.user, mail("Sin contraseña"))
    assert poll(desk, mailbox).filed.filed == 1
    assert poll(desk, mailbox).error is None
    (asked,) = endpoint.asked
    assert asked["grant_type"] == ("refresh_token" if refresh else "client_credentials")
    assert (asked["client_id"], asked["scope"]) == ("cliente-1", "correo/.default")


def test_a_token_is_asked_for_anew_at_80_percent_of_its_life(endpoint: Endpoint) -> None:
    now = [1000.0]
    client = OAuthClient(endpoint.url, "cliente-1", endpoint.user, secret=SECRET)
    endpoint.expires_in = 100
    first = access_token(client, lambda: now[0])
    now[0] += 79
    assert access_token(client, lambda: now[0]) == first
    now[0] += 2
    assert access_token(client, lambda: now[0]) != first
    assert len(endpoint.asked) == 2


def test_F16_a_token_that_the_server_says_has_expired_is_replaced_within_the_same_poll(
    desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint
) -> None:
    mailbox = oauth_mailbox(desk, server, endpoint)
    endpoint.life_s = -5  # already over, although the endpoint promises an hour
    account = mailbox.account()
    assert account.oauth is not None
    access_token(account.oauth)
    endpoint.life_s = 3600
    assert poll(desk, mailbox).error is None
    assert len(endpoint.asked) == 2


def test_a_token_that_the_server_never_takes_is_trouble_with_the_token_and_not_a_halt(
    desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint
) -> None:
    mailbox = oauth_mailbox(desk, server, endpoint)
    endpoint.key = b"otra-clave-que-el-servidor-ignora"
    assert poll(desk, mailbox).kind == Trouble.TOKEN
    with desk.sessions() as session:
        row = session.get_one(Mailbox, mailbox.id)
        assert (row.halted_at, row.failures) == (None, 1)


def test_failing_tokens_halt_the_mailbox_after_a_quarter_of_an_hour(
    desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint
) -> None:
    mailbox = oauth_mailbox(desk, server, endpoint)
    endpoint.refusal = {"error": "invalid_client", "error_description": "AADSTS7000222: secret expired"}
    waited = 0.0
    while True:
        assert poll(desk, mailbox).kind == Trouble.TOKEN
        with desk.sessions() as session:
            row = session.get_one(Mailbox, mailbox.id)
            if row.halted_at:
                break
            assert row.polled_at is not None
            waited += (row.due_at - row.polled_at).total_seconds()
    assert 14 * 60 < waited < 18 * 60
    assert row.error is not None
    assert "AADSTS7000222" in row.error


@pytest.mark.parametrize(
    "raw",
    [
        (200, b"not json"),
        (200, b"[1, 2]"),
        (200, b"{}"),
        (200, b'{"access_token": "", "expires_in": 60}'),
        (200, b'{"access_token": "a\\r\\nb"}'),
        (500, b"<html>away</html>"),
        (307, b"http://127.0.0.1:9/elsewhere"),
        (400, ('{"error": "' + SECRET + '", "error_description": "' + SECRET + '"}').encode()),
    ],
)
def test_whatever_an_endpoint_answers_is_trouble_with_the_token_and_tells_no_secret(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, raw: tuple[int, bytes]
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.raw = raw
    client = OAuthClient(endpoint.url, "cliente-1", "u", secret=SECRET, refresh_token=REFRESH)
    with pytest.raises(MailboxError) as caught:
        access_token(client)
    assert caught.value.kind == Trouble.TOKEN
    told = f"{caught.value} {caught.value.detail} {client!r} {caplog.text}"
    assert SECRET not in told
    assert REFRESH not in told


def test_an_endpoint_that_is_away_is_trouble_with_the_token() -> None:
    with pytest.raises(MailboxError) as caught:
        access_token(OAuthClient("http://127.0.0.1:9/token", "c", "u", secret=SECRET))
    assert caught.value.kind == Trouble.TOKEN


def test_a_refresh_token_that_the_provider_replaced_is_kept(
    desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint
) -> None:
    mailbox = oauth_mailbox(desk, server, endpoint, refresh=True)
    endpoint.new_refresh_token = "r3fresco-nuevo"
    assert poll(desk, mailbox).error is None
    assert Path(mailbox.password_file).read_text() == "r3fresco-nuevo"
    assert Path(mailbox.password_file).stat().st_mode & 0o077 == 0
    assert poll(desk, mailbox).error is None
    assert len(endpoint.asked) == 1, "the kept token outlives the change of the file"


@pytest.mark.parametrize("writable", [True, False])
def test_a_refresh_token_that_ended_is_never_used_again(
    desk: Desk,
    server: dovecot.Dovecot,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    writable: bool,
) -> None:
    mailbox = oauth_mailbox(desk, server, endpoint, refresh=True)
    file = Path(mailbox.password_file)
    if not writable:
        # As where a file is mounted by itself: what is beside it can be written, and it cannot be replaced.
        def busy(*_names: object) -> None:
            raise OSError(errno.EBUSY, "Device or resource busy")

        monkeypatch.setattr("helpdesk.mail.oauth.os.replace", busy)
    before = set(file.parent.iterdir())
    endpoint.rotates = True
    endpoint.life_s = (
        -5
    )  # the server takes none: another one is asked for in the same poll, with the new token
    assert poll(desk, mailbox).kind == Trouble.TOKEN
    endpoint.life_s = 3600
    assert poll(desk, mailbox).error is None
    assert [form["refresh_token"] for form in endpoint.asked] == [REFRESH, "r3fresco-1", "r3fresco-2"]
    assert file.read_text() == ("r3fresco-3" if writable else REFRESH)
    assert set(file.parent.iterdir()) == before, "no secret lies about"
    assert "r3fresco" not in caplog.text


def test_a_refresh_token_that_somebody_put_into_the_file_is_used(
    desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint
) -> None:
    mailbox = oauth_mailbox(desk, server, endpoint, refresh=True)
    endpoint.rotates = True
    assert poll(desk, mailbox).error is None
    endpoint.refresh_token = "otro-consentimiento"
    Path(mailbox.password_file).write_text(endpoint.refresh_token)
    oauth._kept.clear()
    assert poll(desk, mailbox).error is None


def test_F10_an_endpoint_that_drips_does_not_hold_the_poll(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "REQUEST_TIMEOUT_S", 1)
    endpoint.drips = threading.Event()
    began = time.monotonic()
    with pytest.raises(MailboxError) as caught:
        access_token(OAuthClient(endpoint.url, "cliente-1", "u", secret=SECRET))
    endpoint.drips.set()
    assert caught.value.kind == Trouble.TOKEN
    assert time.monotonic() - began < 5


def test_threads_that_need_the_first_token_at_once_ask_for_it_once(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_hash(client: OAuthClient) -> int:
        time.sleep(0.05)  # where one thread may be stopped and another begin
        return hash(client.token_url)

    monkeypatch.setattr(OAuthClient, "__hash__", slow_hash)
    client = OAuthClient(endpoint.url, "cliente-1", endpoint.user, secret=SECRET)
    with ThreadPoolExecutor(4) as threads:
        tokens = set(threads.map(lambda _: access_token(client), range(4)))
    assert len(tokens) == len(endpoint.asked) == 1


def test_tokens_and_secrets_are_in_no_log_and_no_error(
    desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    mailbox = oauth_mailbox(desk, server, endpoint)
    account = mailbox.account()
    assert account.oauth is not None
    token = access_token(account.oauth)
    poll(desk, mailbox)
    forget_token(account.oauth)
    endpoint.key = b"otra-clave-que-el-servidor-ignora"
    done = poll(desk, mailbox)
    told = f"{caplog.text} {done} {account!r} {check(mailbox)}"
    assert SECRET not in told
    assert token not in told
    assert token[-20:] not in told


def test_check_says_that_a_token_was_fetched(desk: Desk, server: dovecot.Dovecot, endpoint: Endpoint) -> None:
    said = check(oauth_mailbox(desk, server, endpoint, Auth.OAUTHBEARER))
    assert all(works for works, _ in said)
    assert any("access token fetched" in sentence for _, sentence in said)


@pytest.mark.parametrize("module", ["helpdesk.mail.parse", "helpdesk.desk.intake", "scheduler.jobs"])
def test_neither_the_parser_nor_the_workers_start_waits_for_the_oauth_library(module: str) -> None:
    code = f"import sys, {module}; print('authlib.integrations.requests_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
