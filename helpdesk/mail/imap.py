"""Reading a mailbox over IMAP4rev1 (RFC 3501/9051) with imapclient. No database, no decisions.

imapclient 4 takes integers only: UID ranges such as `1:*` raise ValueError in `fetch`, so ranges are searched
for first and fetched by number. Every body is read by PEEK: reading never marks a message as seen.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from helpdesk.errors import MailboxRefused, MailboxUnreachable

CONNECT_TIMEOUT_S = 15
READ_TIMEOUT_S = 60
# A literal of a few megabytes keeps memory flat and the round trips few.
CHUNK_MESSAGES = 100
CHUNK_BYTES = 8_000_000
HEAD_BYTES = 1_000_000

KEYWORD = b"$InfomigraFiled"
DONE_FOLDER = "Infomigra/Procesados"


@dataclass(frozen=True, slots=True)
class ImapAccount:
    """Where and as whom to read; the password stays out of `repr`, so out of every log."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tls: bool = True


@dataclass(frozen=True, slots=True)
class FetchedMail:
    """One message as the server gave it; `raw` is None when it vanished before it could be read."""

    uid: int
    size: int
    arrived_at: dt.datetime | None
    raw: bytes | None
    truncated: bool = False


@contextmanager
def open_folder(account: ImapAccount) -> Iterator[OpenFolder]:
    """Log in and select the account's folder.

    Raises MailboxRefused for a wrong password or folder, MailboxUnreachable for everything that may pass.
    """
    try:
        client = _connect(account)
    except (OSError, IMAPClientError) as error:
        raise MailboxUnreachable(
            f"no se puede conectar con {account.host}:{account.port} ({_name(error)})"
        ) from error
    try:
        yield _select(client, account)
    except (OSError, IMAPClientError) as error:
        raise MailboxUnreachable(f"se cortó la conexión con {account.host} ({_name(error)})") from error
    finally:
        _close(client)


def _connect(account: ImapAccount) -> IMAPClient:
    return IMAPClient(
        account.host,
        port=account.port,
        ssl=account.tls,
        ssl_context=ssl.create_default_context() if account.tls else None,
        timeout=SocketTimeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
    )


def _select(client: IMAPClient, account: ImapAccount) -> OpenFolder:
    client.normalise_times = False  # aware INTERNALDATE instead of naive local time
    try:
        client.login(account.username, account.password)
    except LoginError as error:
        raise MailboxRefused(
            f"el servidor rechazó el usuario {account.username!r} o la contraseña"
        ) from error
    try:
        selected = client.select_folder(account.folder)
    except IMAPClientError as error:
        if not client.folder_exists(account.folder):
            raise MailboxRefused(f"no existe la carpeta {account.folder!r}") from error
        raise
    if b"UIDVALIDITY" not in selected:
        raise MailboxRefused("el servidor no da UIDVALIDITY: sus mensajes no se pueden distinguir")
    permanent = selected.get(b"PERMANENTFLAGS", ())
    return OpenFolder(client, account.folder, int(selected[b"UIDVALIDITY"]), b"\\*" in permanent)


def _close(client: IMAPClient) -> None:
    try:
        client.logout()
    except (OSError, IMAPClientError):
        with suppress(OSError, IMAPClientError):
            client.shutdown()  # the server is gone; only our side of the socket is left to close


def _name(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "no se conoce ese servidor"
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """A selected folder. Methods raise what imapclient raises; `open_folder` gives it our names."""

    client: IMAPClient
    name: str
    uidvalidity: int
    keeps_keywords: bool

    def uids_after(self, last: int) -> list[int]:
        """UIDs above `last`, ascending. A server answers `N:*` with its last message even below N."""
        found = self.client.search(["UID", f"{last + 1}:*"])
        return sorted(uid for uid in found if uid > last)

    def all_uids(self) -> list[int]:
        """Every UID of the folder, ascending."""
        return sorted(self.client.search(["ALL"]))

    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[list[FetchedMail]]:
        """The messages of `uids` in chunks, in order; of one above `max_bytes` only the first megabyte."""
        for start in range(0, len(uids), CHUNK_MESSAGES):
            batch = list(uids[start : start + CHUNK_MESSAGES])
            facts = self.client.fetch(batch, ["RFC822.SIZE", "INTERNALDATE"])
            for chunk in _by_bytes(batch, facts):
                yield self._fetch_chunk(chunk, facts, max_bytes)

    def _fetch_chunk(
        self, uids: list[int], facts: dict[int, dict[bytes, object]], max_bytes: int
    ) -> list[FetchedMail]:
        big = [uid for uid in uids if _size(facts, uid) > max_bytes]
        small = [uid for uid in uids if uid not in big]
        bodies = self.client.fetch(small, ["BODY.PEEK[]"]) if small else {}
        heads = self.client.fetch(big, [f"BODY.PEEK[]<0.{HEAD_BYTES}>"]) if big else {}
        mails = []
        for uid in uids:
            answer, key = (heads, b"BODY[]<0>") if uid in big else (bodies, b"BODY[]")
            raw = answer.get(uid, {}).get(key)  # None: expunged since the search
            arrived = facts.get(uid, {}).get(b"INTERNALDATE")
            size = _size(facts, uid)
            mails.append(
                FetchedMail(uid, size, _aware(arrived), raw, truncated=raw is not None and uid in big)
            )
        return mails

    def mark_done(self, uids: Sequence[int]) -> str:
        """Show on the server that messages are filed; never deletes. Returns how it was shown."""
        if self.keeps_keywords:
            for start in range(0, len(uids), CHUNK_MESSAGES):
                self.client.add_flags(list(uids[start : start + CHUNK_MESSAGES]), [KEYWORD], silent=True)
            return "keyword"
        if self.client.has_capability("MOVE"):
            if not self.client.folder_exists(DONE_FOLDER):
                self.client.create_folder(DONE_FOLDER)
            self.client.move(list(uids), DONE_FOLDER)
            return "moved"
        return "ledger only"


def _size(facts: dict[int, dict[bytes, object]], uid: int) -> int:
    size = facts.get(uid, {}).get(b"RFC822.SIZE", 0)
    return size if isinstance(size, int) else 0


def _aware(value: object) -> dt.datetime | None:
    return value if isinstance(value, dt.datetime) and value.tzinfo is not None else None


def _by_bytes(uids: list[int], facts: dict[int, dict[bytes, object]]) -> Iterator[list[int]]:
    chunk: list[int] = []
    total = 0
    for uid in uids:
        size = _size(facts, uid)
        if chunk and total + size > CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
        chunk.append(uid)
        total += size
    if chunk:
        yield chunk
