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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from helpdesk.errors import MailboxUnreachable
from helpdesk.mail.trouble import Trouble

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 15
READ_TIMEOUT_S = 30
# For the whole request: the time-outs above end a silence, never an endpoint that drips.
REQUEST_TIMEOUT_S = 60
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
# A refresh token that was replaced, and by what: whoever read the file before holds the old one still, and where
# the file cannot be written everybody does. To use an ended one twice may end the person's consent (RFC 9700, 4.14).
_replaced: dict[OAuthClient, tuple[str | None, str]] = {}
_locks: dict[OAuthClient, threading.Lock] = {}


def _lock_of(client: OAuthClient) -> threading.Lock:
    return _locks.setdefault(client, threading.Lock())  # one step; a defaultdict takes two


def access_token(client: OAuthClient, clock: Callable[[], float] = time.monotonic) -> str:
    """A token that is good for now. Raises MailboxUnreachable (kind `token`) when there is none to be had."""
    with _lock_of(client):
        kept = _kept.get(client)
        if kept and clock() < kept.until:
            return kept.token
        answer = _in_time(lambda: _fetch(client))
        token = answer.get("access_token")
        if not isinstance(token, str) or not token or not token.isprintable():
            raise _no_token("respuesta sin token")
        life = _seconds(answer.get("expires_in"))
        _kept[client] = _Kept(token, clock() + life * SHARE_OF_LIFE)
        _keep_refresh_token(client, answer.get("refresh_token"))
        return token


def forget_token(client: OAuthClient) -> None:
    """Ask for a new token next time: the mail server did not take this one."""
    with _lock_of(client):
        _kept.pop(client, None)


def _in_time(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` returns or raises; a thread that hangs on is left behind."""
    done: SimpleQueue[dict[str, Any] | Exception] = SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except Exception as error:  # whatever it is, it belongs to who asked
            done.put(error)

    threading.Thread(target=run, name="token", daemon=True).start()
    try:
        result = done.get(timeout=REQUEST_TIMEOUT_S)
    except Empty:
        raise _no_token("no respondió a tiempo") from None
    if isinstance(result, Exception):
        raise result
    return result


def _refresh_token(client: OAuthClient) -> str | None:
    """The refresh token that is good now."""
    old, new = _replaced.get(client, (None, None))
    return new if new and client.refresh_token == old else client.refresh_token


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
            if refresh_token := _refresh_token(client):
                return dict(session.refresh_token(client.token_url, refresh_token=refresh_token, **options))
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
    if not client.refresh_file or not isinstance(new, str) or new in ("", _refresh_token(client)):
        return
    _replaced[client] = (client.refresh_token, new)
    try:
        _write(client.refresh_file, new)
    except OSError as error:
        log.warning(
            "the new refresh token of %s cannot be written to %s (%s): it is kept in memory only",
            client.account,
            client.refresh_file,
            error.strerror,
        )


def _write(path: Path, secret: str) -> None:
    """Put a secret in the place of the one in `path`, whole or not at all, for our own eyes only."""
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secret)
            file.flush()
            os.fsync(descriptor)  # the provider may have ended the old one: this is the only one left
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def bearer(mechanism: str, user: str, token: str) -> Callable[..., str]:
    """What answers a server's challenges by XOAUTH2 (Google, Microsoft) or OAUTHBEARER (RFC 7628): first the token.

    A refusal comes as a challenge with a reason; the server says NO, or 535, only after the answer to that
    (RFC 7628, 3.2.3).
    """
    if mechanism == "oauthbearer":
        name = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801, 4
        first, farewell = f"n,a={name},\x01auth=Bearer {token}\x01\x01", "\x01"
    else:
        first, farewell = f"user={user}\x01auth=Bearer {token}\x01\x01", ""
    answers = iter([first])
    return lambda _challenge=None: next(answers, farewell)
