"""Access tokens for mailboxes that take no password (OAuth 2.0, RFC 6749), by authlib.

A token is kept in memory for 80 % of its life, one for each mailbox; nothing is written to disk but a refresh
token that the provider replaced. Secrets and tokens appear in no error and in no log.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpdesk.errors import MailboxUnreachable
from helpdesk.mail.trouble import Trouble

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 15
READ_TIMEOUT_S = 30
SHARE_OF_LIFE = 0.8
# For a provider that does not say how long its token lives.
USUAL_LIFE_S = 300
# Entra ID names the cause in the description; nothing else of a stranger's text is repeated.
CODE = re.compile(r"AADSTS\d{3,9}")
WORD = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """One mailbox's way to a token: `secret` is the client secret, `refresh_token` what a person consented to.

    With a refresh token the grant is `refresh_token`, without one `client_credentials`.
    """

    token_url: str
    client_id: str
    account: str
    scope: str | None = None
    secret: str | None = field(default=None, repr=False, compare=False)
    refresh_token: str | None = field(default=None, repr=False, compare=False)
    refresh_file: Path | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str = field(repr=False)
    until: float


_kept: dict[OAuthClient, _Kept] = {}
_locks: defaultdict[OAuthClient, threading.Lock] = defaultdict(threading.Lock)


def access_token(client: OAuthClient, clock: Callable[[], float] = time.monotonic) -> str:
    """A token that is good for now. Raises MailboxUnreachable (kind `token`) when there is none to be had."""
    with _locks[client]:
        kept = _kept.get(client)
        if kept and clock() < kept.until:
            return kept.token
        answer = _fetch(client)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token or not token.isprintable():
            raise _no_token("respuesta sin token")
        life = _seconds(answer.get("expires_in"))
        _kept[client] = _Kept(token, clock() + life * SHARE_OF_LIFE)
        _keep_refresh_token(client, answer.get("refresh_token"))
        return token


def forget_token(client: OAuthClient) -> None:
    """Ask for a new token next time: the mail server did not take this one."""
    with _locks[client]:
        _kept.pop(client, None)


def _fetch(client: OAuthClient) -> dict[str, Any]:
    # Imported here: neither the pages nor the parser wait for authlib and requests.
    from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
    from authlib.integrations.requests_client import OAuth2Session  # type: ignore[import-untyped]
    from requests import RequestException

    options = {
        "timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        "allow_redirects": False,  # a redirected POST would carry the secret to another host
    }
    method = "client_secret_post" if client.secret else "none"
    try:
        with OAuth2Session(
            client.client_id, client.secret, scope=client.scope, token_endpoint_auth_method=method
        ) as session:
            if client.refresh_token:
                return dict(
                    session.refresh_token(client.token_url, refresh_token=client.refresh_token, **options)
                )
            return dict(session.fetch_token(client.token_url, grant_type="client_credentials", **options))
    except OAuthError as error:
        raise _no_token(_reason(error)) from None  # its text may repeat what was sent
    except (RequestException, ValueError, TypeError, AttributeError) as error:
        raise _no_token(type(error).__name__) from None


def _reason(error: Any) -> str:
    word = WORD.fullmatch(str(error.error or ""))
    code = CODE.search(str(error.description or ""))
    return " ".join(found[0] for found in (word, code) if found) or "rechazado"


def _no_token(reason: str) -> MailboxUnreachable:
    return MailboxUnreachable(f"no se obtuvo permiso de acceso (token): {reason}", Trouble.TOKEN, reason)


def _seconds(value: object) -> float:
    try:
        return max(float(str(value)), 0.0)
    except ValueError:
        return USUAL_LIFE_S


def _keep_refresh_token(client: OAuthClient, new: object) -> None:
    """Write down the refresh token that replaces ours: some providers end the old one."""
    if not client.refresh_file or not isinstance(new, str) or new in ("", client.refresh_token):
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=client.refresh_file.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(new)
        os.replace(name, client.refresh_file)
    except OSError as error:
        log.warning(
            "the new refresh token of %s cannot be written to %s (%s): the old one is used until it ends",
            client.account,
            client.refresh_file,
            error.strerror,
        )
