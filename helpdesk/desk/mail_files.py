"""The mails that lie in files: mbox files, maildirs, folders of .eml files, single ones.

In: finding them, in an order that is the same every time, and reading them one after the other. Not in: what becomes
of them (`importing.py`). Whatever cannot be read is one sentence, and the next file goes on.
"""

from __future__ import annotations

import datetime as dt
import os
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from helpdesk.mail.mbox import (
    BOM,
    LINE_BYTES,
    LOOKED_AT,
    MARK,
    Piece,
    is_from_line,
    looks_like_mail,
    read_mail,
    split_mbox,
)
from helpdesk.mail.peek import peek

MBOX_SUFFIXES = frozenset({".mbox", ".mbx"})
MAIL_SUFFIXES = frozenset({".eml"})
MAILDIR_MAILS = ("cur", "new")  # what lies in tmp was never delivered completely
MAILDIR_FOLDERS = frozenset({"cur", "new", "tmp"})
MAX_FOLDER_CHARACTERS = 200  # an index of the ledger holds it
BEFORE_MARK = 4_096  # of a file; in it the empty lines are looked for that may stand above an mbox
# No mail is older than SMTP (RFC 821). What claims to be, comes from a clock that stood at its zero.
FIRST_MAIL = dt.datetime(1982, 8, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file with mails in it. `folder` and `number` name its source in the ledger, the same at every run."""

    path: Path
    folder: str
    number: int
    size: int


@dataclass(frozen=True, slots=True)
class FoundMail:
    """A mail in a file; `read_bytes` is how far its file was read."""

    file: MailFile
    piece: Piece
    arrived_at: dt.datetime
    read_bytes: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or part of one, that gives no mail; `reason` ends the sentence that begins with its name."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{shown(self.path)} {self.reason}"


def shown(path: Path | str) -> str:
    """A path as it can be printed and stored: file names are bytes, and not all of them are UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace").replace("\x00", "")


def find_files(paths: Iterable[Path]) -> Iterator[MailFile | Unreadable]:
    """Every file with mails below some paths, in the order of their names."""
    for path in paths:
        whole = path.resolve()
        if whole.is_dir():
            yield from _below(whole, shown(whole.name or str(whole)))
        else:
            yield _file(whole, whole, shown(whole.name))


def _below(folder: Path, name: str) -> Iterator[MailFile | Unreadable]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Unreadable(folder, f"cannot be read ({error.strerror}).")
        return
    folders = {entry.name: None for entry in entries if entry.is_dir(follow_symlinks=False)}
    maildir = any(part in folders for part in MAILDIR_MAILS)
    for part in MAILDIR_MAILS if maildir else ():
        yield from _all_files(folder / part, folder, name)
    for entry in entries:
        path = folder / entry.name
        if entry.name in folders:
            continue  # whatever it is called: Apple Mail exports a folder "Consultas.mbox" with a file in it
        if _suffix(entry.name) in MAIL_SUFFIXES:
            yield _file(path, folder, name)
        elif _suffix(entry.name) in MBOX_SUFFIXES or _is_mbox(entry):
            yield _file(path, path, f"{name}/{shown(entry.name)}")
    for inner in folders:
        if not (maildir and inner in MAILDIR_FOLDERS):
            yield from _below(folder / inner, f"{name}/{shown(inner)}")


def _all_files(folder: Path, source: Path, name: str) -> Iterator[MailFile | Unreadable]:
    """The files of a maildir's cur or new, oldest first: their names begin with the second of their delivery."""
    try:
        names = sorted(os.listdir(folder), key=os.fsencode)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Unreadable(folder, f"cannot be read ({error.strerror}).")
        return
    for file in names:
        if not file.startswith("."):
            yield _file(folder / file, source, name)


def _is_mbox(entry: os.DirEntry[str]) -> bool:
    """Whether a file of any name is an mbox: mail programs call it as its folder is called ("INBOX", "Dr. Poma")."""
    try:
        if not entry.is_file():
            return False
        with open(entry.path, "rb") as opened:
            line = opened.readline(LOOKED_AT)
    except OSError:
        return False
    return is_from_line(line) or (not _suffix(entry.name) and line.startswith(MARK))


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _file(path: Path, source: Path, folder: str) -> MailFile | Unreadable:
    try:
        size = path.stat().st_size
    except OSError as error:
        return Unreadable(path, f"cannot be read ({error.strerror}).")
    if not path.is_file():
        return Unreadable(path, "is not a file.")
    return MailFile(path, folder[-MAX_FOLDER_CHARACTERS:], zlib.crc32(os.fsencode(source)) or 1, size)


def read_mails(
    file: MailFile, max_bytes: int, now: dt.datetime, start: int | None = None
) -> Generator[FoundMail | Unreadable, None, None]:
    """The mails of one file, as they lie in it. Of one above `max_bytes` only the first megabyte is kept.

    `start` is where one of them began when the file was read before; then that one comes first.
    """
    try:
        with file.path.open("rb") as opened:
            put_at = _put_at(opened)
            is_mbox, pieces = _pieces(opened, max_bytes, start)
            found = False
            for piece in pieces:
                found = True
                if is_mbox or looks_like_mail(piece.raw):
                    yield FoundMail(file, piece, arrival(piece, put_at, now), opened.tell())
                elif piece.raw or _suffix(file.path.name) not in MBOX_SUFFIXES:
                    yield Unreadable(
                        file.path, "is neither a mail nor an mbox." if piece.raw else "is empty."
                    )
            if not found and start is None:
                yield Unreadable(file.path, "begins like an mbox, but no mail in it can be told apart.")
    except OSError as error:
        yield Unreadable(file.path, f"cannot be read ({error.strerror}).")


def read_again(file: MailFile, start: int, max_bytes: int, now: dt.datetime) -> FoundMail | Unreadable:
    """The mail that began at `start` when the file was read before."""
    changed = Unreadable(file.path, "was changed while it was read: import it again.")
    with closing(read_mails(file, max_bytes, now, start)) as mails:
        found = next(mails, changed)
    moved = isinstance(found, FoundMail) and found.piece.start != start
    return changed if moved else found


def _pieces(opened: BinaryIO, max_bytes: int, start: int | None) -> tuple[bool, Iterable[Piece]]:
    """Whether a file is an mbox, and its mails."""
    head = opened.read(BEFORE_MARK)
    first = len(head) - len(head.removeprefix(BOM).lstrip(b"\r\n"))
    if not head.startswith(MARK, first):
        opened.seek(0)
        return False, [read_mail(opened, max_bytes)]
    opened.seek(first)
    loose = not is_from_line(opened.readline(LINE_BYTES))
    opened.seek(first if start is None else start)
    return True, split_mbox(opened, max_bytes, loose=loose)


def _put_at(opened: BinaryIO) -> dt.datetime | None:
    """The file's own time; None where it is beyond all calendars, as on disks that were damaged."""
    try:
        return dt.datetime.fromtimestamp(os.fstat(opened.fileno()).st_mtime, dt.UTC)
    except (ValueError, OverflowError):
        return None


def arrival(piece: Piece, put_at: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """When a mail arrived: by its last server, its Date, its `From ` line, its file; never in the future."""
    known = peek(piece.raw)
    said = (known.received_at, known.written_at, piece.from_line_at, put_at)
    return next((at for at in said if at is not None and FIRST_MAIL <= at <= now), now)
