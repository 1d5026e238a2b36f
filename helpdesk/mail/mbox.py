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

_ESCAPED = re.compile(rb">+From ")
_HEADER = re.compile(rb"[!-9;-~]{1,200}[ \t]*:|>From ")
# "From ana@example.com Mon Nov 23 10:00:00 2026", with a zone before or behind the year, or none: then it is UTC.
_DATED = re.compile(
    rb"From .*?\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+"
    rb"(?P<day>\d{1,2})\s+(?P<time>\d{1,2}:\d\d(?::\d\d)?)(?:\s+(?P<before>[+-]\d{4}|[A-Z]{3,4}))?"
    rb"\s+(?P<year>\d{4})(?:\s+(?P<behind>[+-]\d{4}))?"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """One mail. `size` is in bytes as the mail travels; `truncated` when only its first megabyte is in `raw`."""

    raw: bytes
    size: int
    truncated: bool
    from_line_at: dt.datetime | None = None


@dataclass(slots=True)
class _Collector:
    """The lines of one mail, as far as they are kept."""

    max_bytes: int
    from_line_at: dt.datetime | None = None
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
            return Piece(travelling(kept)[:HEAD_BYTES], size, True, self.from_line_at)
        if of_mbox and kept.endswith((b"\n\n", b"\n\r\n")):
            kept = kept[: -2 if kept.endswith(b"\r\n") else -1]
        raw = travelling(kept)
        return Piece(raw, len(raw), False, self.from_line_at)


def travelling(raw: bytes) -> bytes:
    """A mail's bytes with the line ends of SMTP and IMAP, so that they are the same whichever way it came."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def read_mail(file: BinaryIO, max_bytes: int) -> Piece:
    """The one mail of a file. Raises OSError."""
    collector = _Collector(max_bytes)
    while line := file.read(LINE_BYTES):
        collector.add(line)
    return collector.piece(of_mbox=False)


def split_mbox(file: BinaryIO, max_bytes: int) -> Iterator[Piece]:
    """The mails of an mbox, one after the other. Raises OSError.

    A message begins at a `From ` line behind an empty line, with a date in it and a header field below it; so
    words such as "From now on" in a body that was not escaped cut no mail in two. Where the very first `From `
    line has no date, none is asked for.
    """
    current: _Collector | None = None
    mark: bytes | None = None
    dated, after_blank = True, True
    for line, whole in _lines(file):
        if mark is not None:
            if current is None or _below_mark(line, dated=dated):
                if current is not None:
                    yield current.piece(of_mbox=True)
                current = _Collector(max_bytes, from_line_date(mark))
            else:
                current.add(mark)
            mark = None
        if current is None:
            dated = _DATED.match(line[:LOOKED_AT]) is not None
        if whole and after_blank and _may_begin(line, dated=dated):
            mark = line
        elif current is not None:
            current.add(line[1:] if whole and _ESCAPED.match(line) else line)
        after_blank = whole and line in (b"\n", b"\r\n")
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


def _may_begin(line: bytes, *, dated: bool) -> bool:
    return line.startswith(MARK) and (not dated or _DATED.match(line[:LOOKED_AT]) is not None)


def _below_mark(line: bytes, *, dated: bool) -> bool:
    return _HEADER.match(line) is not None or (dated and line in (b"\n", b"\r\n"))


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
    headers, _, _ = read_headers(raw[: 4 * LINE_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"))
    return bool(headers.fields)
