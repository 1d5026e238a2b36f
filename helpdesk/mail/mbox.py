"""Mail kept in files: an mbox taken apart message by message, and one file read as one mail; memory stays flat.

In: `From ` lines, their date, `>From ` unescaping (the mboxrd way), line ends as they travel (CRLF, RFC 5322, 2.1),
the size cap. Not in: which files there are and what becomes of the mails. Source: RFC 4155; qmail's mbox(5).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from helpdesk.mail.headers import read_date, read_headers
from helpdesk.mail.imap import HEAD_BYTES

LINE_BYTES = 1 << 16
MARK = b"From "
LOOKED_AT = 400  # of a line that may begin a message
BOM = b"\xef\xbb\xbf"

_BLANK = (b"\n", b"\r\n")
_ESCAPED = re.compile(rb">+From ")
_HEADER = re.compile(rb"[!-9;-~]{1,200}[ \t]*:|>From ")
# "From ana@example.com Mon Nov 23 10:00:00 2026", with a zone before or behind the year, or none: then it is UTC.
_DATED = re.compile(
    rb"From .*?\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+"
    rb"(?P<day>\d{1,2})\s+(?P<time>\d{1,2}:\d\d(?::\d\d)?)(?:\s+(?P<before>[+-]\d{4}|[A-Z]{3,4}))?"
    rb"\s+(?P<year>\d{4})(?:\s+(?P<behind>[+-]\d{4}))?"
)
# What Thunderbird writes since 2023, also behind the dated lines of its older versions.
_BARE = re.compile(rb"From (?:-[ \t]*)?\r?\n?\Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """One mail. `size` is in bytes as the mail travels; `truncated` when only its first megabyte is in `raw`;
    `start` is where it begins in its file."""

    raw: bytes
    size: int
    truncated: bool
    from_line_at: dt.datetime | None = None
    start: int = 0


@dataclass(slots=True)
class _Collector:
    """The lines of one mail, as far as they are kept."""

    max_bytes: int
    from_line_at: dt.datetime | None = None
    start: int = 0
    kept: bytearray = field(default_factory=bytearray)
    size: int = 0

    def add(self, line: bytes) -> None:
        bare = line.count(b"\n") - line.count(b"\r\n")
        self.size += len(line) + bare
        if self.size <= self.max_bytes:
            self.kept += line
        else:
            del self.kept[HEAD_BYTES:]

    def piece(self, *, of_mbox: bool) -> Piece:
        """The mail; in an mbox an empty line stands behind it that is not its own."""
        kept, size = bytes(self.kept), self.size
        if self.size > self.max_bytes:
            return Piece(travelling(kept)[:HEAD_BYTES], size, True, self.from_line_at, self.start)
        if of_mbox and kept.endswith((b"\n\n", b"\n\r\n")):
            kept = kept[: -2 if kept.endswith(b"\r\n") else -1]
        raw = travelling(kept)
        return Piece(raw, len(raw), False, self.from_line_at, self.start)


def travelling(raw: bytes) -> bytes:
    """A mail's bytes with the line ends of SMTP and IMAP, so that they are the same whichever way it came."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def read_mail(file: BinaryIO, max_bytes: int) -> Piece:
    """The one mail of a file. Raises OSError."""
    collector = _Collector(max_bytes)
    while line := file.read(LINE_BYTES):
        collector.add(line)
    return collector.piece(of_mbox=False)


def split_mbox(file: BinaryIO, max_bytes: int, *, loose: bool | None = None) -> Iterator[Piece]:
    """The mails of an mbox from a `From ` line on, one after the other. Raises OSError.

    A message begins at a `From ` line with a date or with nothing else in it, and a header field below it; so
    words such as "From now on" in a body that was not escaped cut no mail in two. Many programs write an empty
    line above it, and not all do. In a `loose` mbox every `From ` line below an empty one counts; None: it is
    loose when its first such line is of neither kind.
    """
    current: _Collector | None = None
    mark: bytes | None = None
    at = marked_at = file.tell()
    after_blank = marked_after_blank = True
    for line, whole in _lines(file):
        if mark is not None:
            if current is None or _below_mark(line, mark, after_blank=marked_after_blank):
                if current is not None:
                    yield current.piece(of_mbox=True)
                current = _Collector(max_bytes, from_line_date(mark), marked_at)
            else:
                current.add(mark)
            mark = None
        if loose is None:
            loose = not is_from_line(line)
        if whole and line.startswith(MARK) and (is_from_line(line) or (loose and after_blank)):
            mark, marked_at, marked_after_blank = line, at, after_blank
        elif current is not None:
            current.add(line[1:] if whole and _ESCAPED.match(line) else line)
        after_blank = whole and line in _BLANK
        at += len(line)
    if current is not None:
        if mark is not None:
            current.add(mark)
        yield current.piece(of_mbox=True)


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Lines, each with whether it begins one: of a very long line come several pieces."""
    whole = True
    while line := file.readline(LINE_BYTES):
        yield line, whole
        whole = line.endswith(b"\n")


def is_from_line(line: bytes) -> bool:
    """Whether a line is what programs write above a message, and hardly a sentence that begins with "From"."""
    head = line[:LOOKED_AT]
    return _DATED.match(head) is not None or _BARE.match(head) is not None


def _below_mark(line: bytes, mark: bytes, *, after_blank: bool) -> bool:
    # A mail without a header: only where nothing else leaves a doubt.
    headless = after_blank and line in _BLANK and _DATED.match(mark[:LOOKED_AT]) is not None
    return headless or _HEADER.match(line) is not None


def from_line_date(line: bytes) -> dt.datetime | None:
    """When the message was put into the mbox, by its `From ` line."""
    found = _DATED.match(line[:LOOKED_AT])
    if found is None:
        return None
    part = {name: (value or b"").decode() for name, value in found.groupdict().items()}
    zone = part["before"] or part["behind"] or "+0000"
    return read_date(f"{part['day']} {part['month']} {part['year']} {part['time']} {zone}")


def looks_like_mail(raw: bytes) -> bool:
    """Whether bytes begin as a mail does: with a header field."""
    headers, _, _ = read_headers(raw[: 4 * LINE_BYTES].removeprefix(BOM).lstrip(b"\r\n"))
    return bool(headers.fields)
