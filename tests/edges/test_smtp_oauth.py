"""Signing in to the SMTP server with an access token: a real token endpoint, a real server that reads the token."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from sqlalchemy import text

from helpdesk.accounts.users import User
from helpdesk.desk import health
from helpdesk.desk.health import SMTP
from helpdesk.desk.sending import send_due
from helpdesk.mail import oauth
from helpdesk.mail.smtp import SmtpServer
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.outgoing import alarms, queue_reply, reply, trouble
from tests.ports import free_port
from tests.smtp_script import running_script
from tests.smtp_sink import Handler, Sink
from tests.token_endpoint import REFRESH, SECRET, Endpoint, token_endpoint

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

USER = "mesa@example.com"
WAYS = pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])


@dataclass(frozen=True)
class TokenHandler(Handler):
    """What aiosmtpd calls: it lets in who brings a token of the right person that is still good."""

    tried: list[tuple[str, bool]] = field(default_factory=list)

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:
        """Google's and Microsoft's."""
        return await self.check(server, args[1], "user=", b"")

    async def auth_OAUTHBEARER(self, server: Any, args: list[str]) -> AuthResult:
        """RFC 7628."""
        return await self.check(server, args[1], "n,a=", b"\x01")

    async def check(self, server: Any, given: str, begin: str, farewell: bytes) -> AuthResult:
        """A refusal is a challenge with its reason; 535 follows the answer that this mechanism ends with."""
        first, *rest = base64.b64decode(given).decode().split("\x01")
        assert rest[1:] == ["", ""]
        user, token = first.removeprefix(begin).rstrip(","), rest[0].removeprefix("auth=Bearer ")
        good = self.is_good(user, token)
        self.tried.append((token, good))
        if good:
            return AuthResult(success=True, auth_data=user)
        assert await server.challenge_auth(b'{"status":"401","schemes":"bearer"}') == farewell
        return AuthResult(success=False, handled=False)

    def is_good(self, user: str, token: str) -> bool:
        """Whether the endpoint made this token, for this user, and it has not expired."""
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))
        return bool(user == USER == claims["sub"] and claims["exp"] > time.time())


@contextmanager
def running_server() -> Iterator[TokenHandler]:
    """A server that takes mail only from who has signed in with a token."""
    handler = TokenHandler(Sink(free_port()))
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=handler.sink.port,
        server_hostname="token.example.com",
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield handler
    finally:
        controller.stop()


@pytest.fixture
def server() -> Iterator[TokenHandler]:
    with running_server() as running:
        yield running


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with token_endpoint(USER) as running:
        yield running
    oauth._kept.clear()


@pytest.fixture
def due(desk: Desk, ana: User) -> Desk:
    """A desk with one reply that is due."""
    queue_reply(desk, ana)
    return desk


def with_token(
    settings: Settings, endpoint: Endpoint, port: int, auth: str = "xoauth2", *, refresh: bool = False
) -> Settings:
    """Settings of a desk whose SMTP user has no password."""
    secret, token = settings.var / "smtp_secret", settings.var / "smtp_refresh"
    secret.write_text(SECRET)
    token.write_text(REFRESH)
    changes: dict[str, Any] = {
        "smtp_port": port,
        "smtp_user": USER,
        "smtp_auth": auth,
        "smtp_token_url": endpoint.url,
        "smtp_client_id": "cliente-1",
        "smtp_client_secret_file": secret,
        "smtp_refresh_token_file": token if refresh else None,
        "smtp_scope": "correo/.default",
    }
    return settings.model_copy(update=changes)


def send(desk: Desk, settings: Settings) -> int:
    return send_due(desk.sessions, SmtpServer.from_settings(settings), lease_s=60)


@WAYS
@pytest.mark.parametrize("refresh", [False, True], ids=["client-credentials", "refresh-token"])
def test_mail_leaves_with_a_token_and_one_token_serves_many_connections(
    due: Desk, ana: User, server: TokenHandler, endpoint: Endpoint, auth: str, refresh: bool
) -> None:
    settings = with_token(due.settings, endpoint, server.sink.port, auth, refresh=refresh)
    settings.check()
    assert send(due, settings) == 1
    queue_reply_again(due, ana)
    assert send(due, settings) == 1
    assert [good for _, good in server.tried] == [True, True]
    (asked,) = endpoint.asked
    assert asked["grant_type"] == ("refresh_token" if refresh else "client_credentials")
    assert (asked["client_id"], asked["scope"]) == ("cliente-1", "correo/.default")


def queue_reply_again(desk: Desk, agent: User) -> None:
    """Another mail that is due."""
    with desk.sessions.begin() as session:
        session.execute(text("update outgoing set state = 'ready', sent_at = null where not notice"))


@WAYS
def test_a_token_that_the_server_does_not_take_is_asked_for_anew_within_the_same_round(
    due: Desk, server: TokenHandler, endpoint: Endpoint, auth: str
) -> None:
    endpoint.life_s = -5  # already over, although the endpoint promises an hour
    settings = with_token(due.settings, endpoint, server.sink.port, auth)
    client = SmtpServer.from_settings(settings).oauth
    assert client is not None
    oauth.access_token(client)
    endpoint.life_s = 3600
    assert send(due, settings) == 1
    assert [good for _, good in server.tried] == [False, True]
    assert len(endpoint.asked) == 2
    assert trouble(due) is None


@WAYS
def test_a_token_that_is_never_taken_is_the_queues_trouble_and_no_mails(
    due: Desk, server: TokenHandler, endpoint: Endpoint, auth: str, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.life_s = -5
    settings = with_token(due.settings, endpoint, server.sink.port, auth)
    with caplog.at_level(logging.DEBUG):
        for _ in range(4):
            assert send(due, settings) == 0
            due.make_due()
    found = trouble(due)
    assert found is not None
    assert (found.error_kind, found.failures) == ("token", 4)
    assert found.retry_at is not None, "it locks no account: tried again by itself"
    assert alarms(due) == [health.TROUBLES[SMTP, "token"].sentence]
    assert (reply(due).state, reply(due).tries, reply(due).lease_until) == ("ready", 0, None)
    assert len(server.tried) == len(endpoint.asked) == 2 * 4, "each round asks once anew"
    secrets = {SECRET, REFRESH, *(token for token, _ in server.tried)}
    with due.sessions() as session:
        dump = str(
            session.scalars(text("select row_to_json(service_health)::text from service_health")).all()
        )
    said = f"{dump} {caplog.text} {SmtpServer.from_settings(settings)!r}"
    assert not [secret for secret in secrets if secret in said], "T61"
    endpoint.life_s = 3600
    assert send(due, settings) == 1
    assert trouble(due) is None


def test_an_endpoint_that_gives_no_token_is_told_and_the_server_is_not_even_asked(
    due: Desk, server: TokenHandler, endpoint: Endpoint
) -> None:
    endpoint.refusal = {"error": "invalid_client", "error_description": f"AADSTS7000215: {SECRET}"}
    settings = with_token(due.settings, endpoint, server.sink.port)
    assert send(due, settings) == 0
    assert (len(endpoint.asked), server.sink.connections) == (1, 0)
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "token"
    assert "invalid_client AADSTS7000215" in str(found.error)
    assert SECRET not in str(found.error)


def test_a_refresh_token_that_the_provider_replaces_is_kept(
    due: Desk, server: TokenHandler, endpoint: Endpoint
) -> None:
    endpoint.new_refresh_token = "otro-r3fresco"
    settings = with_token(due.settings, endpoint, server.sink.port, refresh=True)
    assert send(due, settings) == 1
    assert settings.smtp_refresh_token_file is not None
    assert settings.smtp_refresh_token_file.read_text() == "otro-r3fresco"


@pytest.mark.parametrize(
    ("moves", "kind"),
    [
        ({"AUTH": "454 4.7.0 temporary authentication failure"}, "unreachable"),
        ({"AUTH": "hang up"}, "unreachable"),
        ({"AUTH": "504 5.5.4 unrecognized authentication type"}, "token"),
        ({"EHLO": "250-script.example.com\r\n250 AUTH PLAIN LOGIN"}, "token"),
    ],
)
def test_what_else_a_server_does_with_a_token(
    due: Desk, endpoint: Endpoint, moves: dict[str, str], kind: str
) -> None:
    offer = {"EHLO": "250-script.example.com\r\n250 AUTH XOAUTH2"}
    with running_script(**{**offer, **moves}) as script:
        assert send(due, with_token(due.settings, endpoint, script.port)) == 0
        assert script.texts == []
    found = trouble(due)
    assert found is not None
    assert found.error_kind == kind


def test_a_secret_that_is_gone_makes_the_queue_wait(
    due: Desk, server: TokenHandler, endpoint: Endpoint
) -> None:
    settings = with_token(due.settings, endpoint, server.sink.port)
    Path(settings.var / "smtp_secret").unlink()
    assert send(due, settings) == 0
    found = trouble(due)
    assert found is not None
    assert found.error_kind == "settings"
    assert "HELPDESK_SMTP_CLIENT_SECRET_FILE" in str(found.error)
