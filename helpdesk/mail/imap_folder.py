"""Asking an open connection: folders, UIDs, messages, marks and copies. No database, no decisions.

imapclient 4 takes integers only: UID ranges such as `1:*` raise ValueError in `fetch`, so ranges are searched
for first and fetched by number. Every body is read by PEEK: reading never marks a message as seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, ProtocolError

from helpdesk.mail.imap_client import LONGEST_LINE, Client, Items
from helpdesk.mail.trouble import Trouble, trouble_of

# A literal of a few megabytes keeps memory flat and the round trips few.
CHUNK_MESSAGES = 100
CHUNK_BYTES = 8_000_000
HEAD_BYTES = 1_000_000
SMALL_ANSWER = 2_000_000
# The slowest line that a large mail may come over; slower is a server that holds us on purpose.
SLOWEST_BYTES_PER_S = 50_000
LARGEST_UID = 2**32 - 1
REFUSALS_IN_A_ROW = 10

KEYWORD = b"$InfomigraFiled"
DONE_FOLDER = ("Infomigra", "Procesados")
SENT_FLAG = b"\\Sent"
# What mail programs and servers call the folder where they keep what was sent, likeliest first.
SENT_NAMES = (
    *("sent", "enviados", "elementos enviados", "sent items", "sent messages", "sent mail"),
    *("correo enviado", "mensajes enviados", "correos enviados", "itens enviados"),
)
SENT_PARENTS = ("", "inbox", "[gmail]", "[google mail]")


@dataclass(frozen=True, slots=True)
class FetchedMail:
    """One message as the server gave it; `raw` is None when it vanished before it could be read.

    `withheld`: the server lists it, and does not give it.
    """

    uid: int
    size: int
    arrived_at: dt.datetime | None
    raw: bytes | None
    truncated: bool = False
    withheld: bool = False


class SentMail(NamedTuple):
    """A mail that left, for its copy in the Sent folder."""

    message_id: str
    content: bytes
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """A selected folder. Methods raise what imapclient raises; `open_folder` gives it our names.

    Selecting another folder of the same connection ends this one.
    """

    client: Client
    name: str
    uidvalidity: int
    keeps_keywords: bool
    patience_s: float

    def uids_after(self, last: int) -> list[int]:
        """UIDs above `last`, ascending. A server answers `N:*` with its last message even below N."""
        return [uid for uid in self._search(["UID", f"{last + 1}:*"]) if uid > last]

    def uids_since(self, day: dt.date) -> list[int]:
        """UIDs of what arrived on `day` or later, by the server's calendar, ascending."""
        return self._search(["SINCE", day])

    def all_uids(self) -> list[int]:
        """Every UID of the folder, ascending."""
        return self._search(["ALL"])

    def _search(self, criteria: list[object]) -> list[int]:
        with self.client.exchange(self.patience_s, LONGEST_LINE):
            found = set(self.client.search(criteria))
        return sorted(uid for uid in found if 0 < uid <= LARGEST_UID)

    def fetch(self, uids: Sequence[int], max_bytes: int) -> Iterator[list[FetchedMail]]:
        """The messages of `uids` in chunks, in order; of one above `max_bytes` only the first megabyte."""
        for start in range(0, len(uids), CHUNK_MESSAGES):
            batch = list(uids[start : start + CHUNK_MESSAGES])
            facts = self._ask(batch, "(RFC822.SIZE INTERNALDATE)", SMALL_ANSWER, self.patience_s)
            for chunk in _by_bytes(batch, facts):
                yield self._fetch_chunk(chunk, facts, max_bytes)

    def _fetch_chunk(self, uids: list[int], facts: dict[int, Items], max_bytes: int) -> list[FetchedMail]:
        bodies: dict[int, bytes] = {}
        for big in (False, True):
            part = [uid for uid in uids if (_size(facts, uid) > max_bytes) is big]
            bodies |= self._bodies(part, facts, max_bytes, head_only=big)
        missing = [uid for uid in uids if uid not in bodies]
        listed = self._still_listed(missing)
        return [_mail(uid, facts, bodies.get(uid), max_bytes, withheld=uid in listed) for uid in uids]

    def _bodies(
        self, uids: list[int], facts: dict[int, Items], max_bytes: int, *, head_only: bool
    ) -> dict[int, bytes]:
        """The bytes of those messages that the server gives."""
        items, key = ("(BODY.PEEK[])", b"BODY[]")
        if head_only:
            items, key = (f"(BODY.PEEK[]<0.{HEAD_BYTES}>)", b"BODY[]<0>")
        announced = sum(min(_size(facts, uid), max_bytes) for uid in uids)
        seconds = self.patience_s + announced / SLOWEST_BYTES_PER_S
        # Servers misjudge sizes (Exchange reckons them before it converts a mail), hence twice the largest.
        answers = self._ask(uids, items, 2 * max_bytes + CHUNK_BYTES, seconds)
        return {uid: raw for uid, given in answers.items() if isinstance(raw := given.get(key), bytes)}

    def _ask(self, uids: list[int], items: str, max_bytes: int, seconds: float) -> dict[int, Items]:
        """UID FETCH; when the server refuses a group, each of it alone, so that one never holds back others."""
        if not uids:
            return {}
        try:
            with self.client.exchange(seconds, max_bytes):
                return self.client.fetch_by_uid(uids, items)
        except (IMAPClientAbortError, ProtocolError):
            raise
        except IMAPClientError as refusal:
            if trouble_of(refusal) is not Trouble.PROTOCOL:
                raise  # the server asks for patience: it is not about these messages
            return self._ask_one_by_one(uids, items, max_bytes, seconds, refusal) if len(uids) > 1 else {}

    def _ask_one_by_one(
        self, uids: list[int], items: str, max_bytes: int, seconds: float, refusal: IMAPClientError
    ) -> dict[int, Items]:
        answers: dict[int, Items] = {}
        for number, uid in enumerate(uids, 1):
            answers |= self._ask([uid], items, max_bytes, seconds)
            if not answers and number == REFUSALS_IN_A_ROW:
                raise refusal  # it is not about single messages either
        return answers

    def _still_listed(self, uids: list[int]) -> set[int]:
        """Which of these messages the server still lists; a message that is not was deleted or moved."""
        if not uids:
            return set()
        return set(self._search(["UID", ",".join(map(str, uids))])) & set(uids)

    def mark_done(self, uids: Sequence[int]) -> str:
        """Show on the server that messages are filed; never deletes. Returns how it was shown."""
        way = self.way_of_marking()
        if way == "ledger only":
            return way
        done_folder = self._done_folder() if way == "moved" else ""
        for start in range(0, len(uids), CHUNK_MESSAGES):
            part = list(uids[start : start + CHUNK_MESSAGES])
            with self.client.exchange(self.patience_s, SMALL_ANSWER):
                if way == "keyword":
                    self.client.add_flags(part, [KEYWORD], silent=True)
                else:
                    self.client.move(part, done_folder)
        return way

    def way_of_marking(self) -> str:
        """How this server can show that a message is filed: a keyword, moving it, or not at all."""
        if self.keeps_keywords:
            return "keyword"
        # Without MOVE (RFC 6851) moving would be copying and deleting: that can lose mail.
        return "moved" if self.client.has_capability("MOVE") else "ledger only"

    def _done_folder(self) -> str:
        name = done_folder_name(self.client, self.patience_s)
        with self.client.exchange(self.patience_s, SMALL_ANSWER):
            if not self.client.folder_exists(name):
                self.client.create_folder(name)
        return name

    def select(self, name: str, *, readonly: bool = False) -> OpenFolder:
        """Another folder of the same connection, instead of this one."""
        return select_folder(self.client, name, self.patience_s, readonly=readonly)


def select_folder(client: Client, name: str, patience_s: float, *, readonly: bool = False) -> OpenFolder:
    """Select a folder. Raises what imapclient raises."""
    with client.exchange(patience_s, SMALL_ANSWER):
        selected = client.select_folder(name, readonly=readonly)
    if b"UIDVALIDITY" not in selected:
        raise ProtocolError("no UIDVALIDITY: its messages cannot be told apart")
    permanent = selected.get(b"PERMANENTFLAGS", ())
    keeps_keywords = b"\\*" in permanent or KEYWORD in permanent
    return OpenFolder(client, name, int(selected[b"UIDVALIDITY"]), keeps_keywords, patience_s)


def done_folder_name(client: Client, patience_s: float) -> str:
    """The folder of what is filed, in this server's way of writing folders inside folders."""
    with client.exchange(patience_s, SMALL_ANSWER):
        prefix: str = ""
        delimiter: str | bytes | None = "/"
        if client.has_capability("NAMESPACE") and (personal := client.namespace().personal):
            prefix, delimiter = personal[0]
        elif root := client.list_folders("", ""):
            delimiter = root[0][1]
    if isinstance(delimiter, bytes):
        delimiter = delimiter.decode("ascii", "replace")
    return f"{prefix}{delimiter.join(DONE_FOLDER)}" if delimiter else "-".join(DONE_FOLDER)


def find_sent_folder(client: Client, patience_s: float) -> str | None:
    """The folder that the server calls \\Sent (RFC 6154), else one with a usual name; None when there is none."""
    with client.exchange(patience_s, LONGEST_LINE):
        folders = [
            (flags, delimiter, name)
            for flags, delimiter, name in client.list_folders()
            if not {b"\\noselect", b"\\nonexistent"} & {flag.lower() for flag in flags}
        ]
    for flags, _, name in folders:
        if SENT_FLAG.lower() in {flag.lower() for flag in flags}:
            return str(name)
    named = {key: str(name) for _, delimiter, name in folders if (key := _sent_key(delimiter, str(name)))}
    return next((named[key] for key in SENT_NAMES if key in named), None)


def _sent_key(delimiter: bytes | None, name: str) -> str | None:
    separator = (delimiter or b"").decode("ascii", "replace")
    parent, _, last = name.lower().rpartition(separator) if separator else ("", "", name.lower())
    return last if parent in SENT_PARENTS and last in SENT_NAMES else None


def append_copies(folder: OpenFolder, mails: Collection[SentMail]) -> list[str]:
    """Put copies of what we sent into the selected Sent folder, each only when it is not there yet.

    Returns the Message-IDs that are there now. Copies are marked as read: nobody has to look at them.
    """
    done = []
    for mail in mails:
        seconds = folder.patience_s + len(mail.content) / SLOWEST_BYTES_PER_S
        with folder.client.exchange(seconds, SMALL_ANSWER):
            if not folder.client.search(["HEADER", "Message-ID", mail.message_id]):
                folder.client.append(folder.name, mail.content, [b"\\Seen"], mail.at)
        done.append(mail.message_id)
    return done


def _mail(
    uid: int, facts: dict[int, Items], raw: bytes | None, max_bytes: int, *, withheld: bool
) -> FetchedMail:
    size = _size(facts, uid)
    too_big = size > max_bytes or (raw is not None and len(raw) > max_bytes)
    return FetchedMail(
        uid,
        max(size, len(raw or b"")),
        _aware(facts.get(uid, {}).get(b"INTERNALDATE")),
        raw[:HEAD_BYTES] if raw is not None and too_big else raw,
        truncated=raw is not None and too_big,
        withheld=withheld,
    )


def _size(facts: dict[int, Items], uid: int) -> int:
    size = facts.get(uid, {}).get(b"RFC822.SIZE", 0)
    return size if isinstance(size, int) else 0


def _aware(value: object) -> dt.datetime | None:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        return None
    try:
        return value.astimezone(dt.UTC)
    except (ValueError, OverflowError):  # an offset of days, or before the year 1
        return None


def _by_bytes(uids: list[int], facts: dict[int, Items]) -> Iterator[list[int]]:
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
