"""Connecting to a mailbox over IMAP4rev1 (RFC 3501/9051): TLS, sign-in, the folder; and naming what went wrong.

What is asked on the open connection is in `imap_folder`; how long and how much, in `imap_client`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from helpdesk.errors import MailboxError, MailboxRefused, MailboxUnreachable
from helpdesk.mail.imap_client import Client
from helpdesk.mail.imap_folder import (
    CHUNK_BYTES,
    CHUNK_MESSAGES,
    HEAD_BYTES,
    KEYWORD,
    SMALL_ANSWER,
    FetchedMail,
    OpenFolder,
    select_folder,
)
from helpdesk.mail.oauth import OAuthClient, access_token, bearer, forget_token
from helpdesk.mail.trouble import NO_FOLDER, Trouble, detail_of, trouble_of

__all__ = [
    "CHUNK_BYTES",
    "CHUNK_MESSAGES",
    "HEAD_BYTES",
    "KEYWORD",
    "FetchedMail",
    "ImapAccount",
    "OpenFolder",
    "connection",
    "open_folder",
    "select",
    "sign_in",
]

CONNECT_TIMEOUT_S = 15
READ_TIMEOUT_S = 60
GOODBYE_S = 5


@dataclass(frozen=True, slots=True)
class ImapAccount:
    """Where and as whom to read; secrets stay out of `repr`, so out of every log.

    `auth` is `password`, or with `oauth` the SASL mechanism `xoauth2` or `oauthbearer`.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tls: bool = True
    auth: str = "password"
    oauth: OAuthClient | None = None
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    read_timeout_s: float = READ_TIMEOUT_S

    def __post_init__(self) -> None:
        """Refuse what could end a line of the protocol and begin another command (T79)."""
        for text in (self.host, self.username, self.password, self.folder):
            if has_controls(text):
                raise MailboxRefused(
                    "el usuario, la contraseña o la carpeta tienen caracteres de control", Trouble.SETTINGS
                )


def has_controls(text: str) -> bool:
    """Whether a text holds control characters."""
    return any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)


@contextmanager
def open_folder(account: ImapAccount) -> Iterator[OpenFolder]:
    """Log in and select the account's folder.

    Raises MailboxRefused for a wrong password or folder, MailboxUnreachable for everything that may pass.
    """
    with connection(account) as client:
        yield select(client, account)


@contextmanager
def connection(account: ImapAccount) -> Iterator[Client]:
    """A connection that is signed in. What breaks on it, then or later, gets our names."""
    client = sign_in(account)
    try:
        yield client
    except (OSError, IMAPClientError) as error:
        raise _named(error, account, f"se cortó la conexión con {account.host}") from error
    finally:
        _close(client)


def connect(account: ImapAccount) -> Client:
    """A connection with TLS; nothing is sent before the certificate is found good (T62)."""
    context = ssl.create_default_context() if account.tls else None
    try:
        return Client(
            account.host,
            account.port,
            context,
            connect_timeout_s=account.connect_timeout_s,
            read_timeout_s=account.read_timeout_s,
        )
    except (OSError, IMAPClientError) as error:
        raise _named(error, account, f"no se puede conectar con {account.host}:{account.port}") from error


def sign_in(account: ImapAccount) -> Client:
    """Connect and sign in. A token that the server does not take is asked for anew, once."""
    if account.oauth is None:
        return _signed_in(account, "")
    token = access_token(account.oauth)
    try:
        return _signed_in(account, token)
    except MailboxError as refusal:
        if refusal.kind != Trouble.TOKEN:
            raise
    # The server forgot it, somebody revoked it, or its life was shorter than promised.
    return _signed_in(account, access_token(account.oauth))


def _signed_in(account: ImapAccount, token: str) -> Client:
    client = connect(account)
    try:
        with client.exchange(account.read_timeout_s, SMALL_ANSWER):
            _log_in(client, account, token)
            client.capabilities()  # asked for here, where it ends in time; remembered from now on
    except (OSError, IMAPClientError) as error:
        _close(client)
        raise _named(error, account, f"no se pudo ingresar en {account.host}", token) from error
    return client


def _log_in(client: Client, account: ImapAccount, token: str) -> None:
    if account.oauth is not None:
        client.sasl_login(account.auth.upper(), bearer(account.auth, account.username, token))
    elif (account.username + account.password).isascii():
        client.login(account.username, account.password)
    else:
        # LOGIN carries ASCII only (RFC 3501, 9); PLAIN carries UTF-8 (RFC 4616).
        client.plain_login(account.username, account.password)


def select(client: Client, account: ImapAccount) -> OpenFolder:
    """Select the account's folder. Raises MailboxRefused when there is none."""
    try:
        return select_folder(client, account.folder, account.read_timeout_s)
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        if trouble_of(error) is Trouble.PROTOCOL and _is_missing(client, account, error):
            sentence = f"no existe la carpeta {account.folder!r}, o no se permite abrirla"
            raise MailboxRefused(sentence, Trouble.FOLDER, detail_of(error)) from error
        raise


def _is_missing(client: Client, account: ImapAccount, error: IMAPClientError) -> bool:
    if NO_FOLDER.search(str(error)):
        return True
    with client.exchange(account.read_timeout_s, SMALL_ANSWER):
        return not client.folder_exists(account.folder)


SENTENCES = {
    Trouble.BUSY: "el servidor pide esperar",
    Trouble.CERTIFICATE: "el certificado del servidor {host} no es válido",
    Trouble.REFUSED: "el servidor rechazó el usuario {username!r} o la contraseña",
    Trouble.TOKEN: "el servidor no aceptó el permiso de acceso (token) de {username!r}",
    Trouble.PROTOCOL: "el servidor {host} respondió algo que no se entiende",
}


def _named(error: Exception, account: ImapAccount, unreachable: str, token: str = "") -> MailboxError:
    kind = trouble_of(error)
    if kind is Trouble.REFUSED and account.oauth is not None:
        kind = Trouble.TOKEN
    if kind is Trouble.TOKEN and account.oauth is None:
        kind = Trouble.UNREACHABLE  # a session that ended; with a password there is no token to mend
    if kind is Trouble.TOKEN and account.oauth is not None:
        forget_token(account.oauth)
    detail = detail_of(error, account.password, token)
    sentence = SENTENCES.get(kind, unreachable).format(host=account.host, username=account.username)
    family = MailboxRefused if kind is Trouble.REFUSED else MailboxUnreachable
    return family(f"{sentence} ({detail})", kind, detail)


def _close(client: Client) -> None:
    try:
        with client.exchange(GOODBYE_S, SMALL_ANSWER):
            client.logout()
    except (OSError, IMAPClientError):
        with suppress(OSError, IMAPClientError):
            client.shutdown()  # the server is gone; only our side of the socket is left to close
