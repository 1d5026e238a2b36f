"""The server where our mail leaves: what the settings say of it, and signing in there (RFC 4954).

In: passwords and access tokens, and what a refusal of them means. Not in: the connection and the mail (`smtp.py`).
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helpdesk.errors import MailboxError, SettingsError
from helpdesk.mail.oauth import OAuthClient, access_token, bearer, forget_token
from helpdesk.settings import Settings, read_secret


class ServerTrouble(Exception):
    """No mail at all can leave now. `kind` is one of `unreachable`, `busy`, `no-encryption`, `certificate`,
    `credentials`, `token`, `settings`, `sender`; the reason holds nothing secret (T61)."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where our mail leaves. With `oauth`, `auth` is the SASL mechanism `xoauth2` or `oauthbearer`.

    `unusable`: why it cannot even be asked; a file with a secret that could not be read.
    """

    host: str
    port: int
    security: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_s: float = 60
    auth: str = "password"
    oauth: OAuthClient | None = None
    unusable: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> SmtpServer:
        """The server of the settings, with its secrets as the files hold them now."""
        server = cls(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_security,
            settings.smtp_user,
            timeout_s=settings.smtp_timeout_s,
            auth=settings.smtp_auth,
        )
        try:
            if settings.smtp_auth == "password":
                password = _secret(settings.smtp_password_file, "HELPDESK_SMTP_PASSWORD_FILE")
                return replace(server, password=password)
            return replace(server, oauth=_oauth(settings))
        except SettingsError as error:
            # The queue waits and says so on every page, as with any other trouble of the server's.
            return replace(server, unusable=str(error))


def _oauth(settings: Settings) -> OAuthClient:
    refresh_file = settings.smtp_refresh_token_file
    return OAuthClient(
        settings.smtp_token_url or "",
        settings.smtp_client_id or "",
        f"smtp/{settings.smtp_user}",
        settings.smtp_scope,
        secret=_secret(settings.smtp_client_secret_file, "HELPDESK_SMTP_CLIENT_SECRET_FILE"),
        refresh_token=_secret(refresh_file, "HELPDESK_SMTP_REFRESH_TOKEN_FILE"),
        refresh_file=refresh_file,
    )


def _secret(path: Path | None, setting: str) -> str | None:
    return read_secret(path, setting) if path else None


def token_for(client: OAuthClient) -> str:
    """An access token, fetched before the server is asked for anything: it need not wait. Raises ServerTrouble."""
    try:
        return access_token(client)
    except MailboxError as error:
        raise ServerTrouble("token", str(error)) from None


def sign_in(client: smtplib.SMTP, server: SmtpServer, secret: str | None) -> None:
    """Sign in by what we and the server know, one way after the other. Raises ServerTrouble.

    Not by smtplib's own `login`: it forgets a refusal when the server hangs up after it, and a wrong password that
    looks like a broken line is tried until the account is locked.
    """
    if not server.user or secret is None:
        return
    kind = "token" if server.oauth else "credentials"
    if not f"{server.user}{secret}".isascii():
        raise ServerTrouble(kind, "el usuario o la contraseña de SMTP tiene letras que no son ASCII")
    client.ehlo_or_helo_if_needed()
    ways = _ways_to_sign_in(client, server, server.user, secret)
    offered = client.esmtp_features.get("auth", "").upper().split()
    known = [mechanism for mechanism in ways if mechanism in offered]
    if not known:
        missing = f"no ofrece AUTH con {' ni '.join(ways)}" if offered else "no ofrece identificarse (AUTH)"
        raise ServerTrouble(kind, f"el servidor SMTP {missing}")
    refusal: smtplib.SMTPAuthenticationError | None = None
    for mechanism in known:
        try:
            client.auth(mechanism, ways[mechanism])
            return
        except smtplib.SMTPAuthenticationError as error:
            refusal = error
        except smtplib.SMTPServerDisconnected:
            if refusal is None:
                raise
            break
    assert refusal is not None
    raise _not_let_in(server, refusal.smtp_code)


def _not_let_in(server: SmtpServer, code: int) -> ServerTrouble:
    """The refusal by its number: what the server says may quote what it was given (T61)."""
    if code // 100 != 5:  # 454 is the server's own weakness (RFC 4954, 4); what is no number says nothing
        return ServerTrouble("unreachable", f"el servidor SMTP no pudo comprobar quiénes somos ({code})")
    if server.oauth is None:
        return ServerTrouble("credentials", f"el servidor SMTP rechazó nuestro usuario o contraseña ({code})")
    forget_token(server.oauth)
    return ServerTrouble("token", f"el servidor SMTP no aceptó nuestro permiso de acceso (token) ({code})")


def _ways_to_sign_in(
    client: smtplib.SMTP, server: SmtpServer, user: str, secret: str
) -> dict[str, Callable[..., Any]]:
    """What answers the server's challenges, by mechanism, the best first."""
    if server.oauth is not None:
        return {server.auth.upper(): bearer(server.auth, user, secret)}
    client.user, client.password = user, secret
    return {"CRAM-MD5": client.auth_cram_md5, "PLAIN": client.auth_plain, "LOGIN": client.auth_login}
