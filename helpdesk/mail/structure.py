"""The tree of parts of a mail, found by offsets in its bytes, under hard limits.

In: entities, boundaries, content types (RFC 2045, RFC 2046). Not in: decoding a part (`body.py`).
The walk is our own because `email.parser` takes seconds to minutes, or overflows the stack, on small mails
with many or deeply nested parts; here the lines that may be boundaries are looked up once for all levels, and
levels, parts and such lines are capped.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from helpdesk.mail.headers import Headers, read_headers, read_parameters
from helpdesk.mail.parsed import MAX_DEPTH, MAX_MESSAGE_BYTES, MAX_PARTS

MAX_DELIMITERS = 20_000
MAX_DASHED_LINES = 200_000
MAX_PREAMBLE_BYTES = 4_000
MAX_BOUNDARY_BYTES = 200  # RFC 2046, 5.1.1 allows 70; some programs write more
RAW_TYPE = "application/octet-stream"

_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+*-]{1,100}", re.ASCII)
_DASHED_LINE = re.compile(rb"\n(--[^\n]{0,220})")
_DELIMITER = re.compile(
    rb"^(--[^\s-][^\s]{2,190}|-{6,70}[^\s-][^\s]{2,120})[ \t]{0,9}\r?\nContent-", re.M | re.I
)


@dataclass(frozen=True, slots=True)
class Part:
    """One entity: its headers, what they say about it, and where its body lies in the bytes of the mail.

    A part that was cut off by a limit has `cut` set; its body is then all of its bytes, headers included.
    """

    headers: Headers
    type: str
    parameters: Mapping[str, str]
    start: int
    end: int
    children: tuple[Part, ...] = ()
    cut: bool = False

    def octets(self, raw: bytes) -> bytes:
        """The body as it was sent, still encoded."""
        return raw[self.start : self.end]


@dataclass(slots=True)
class _Budget:
    """What may still be spent on this mail, and what was found wrong with it."""

    lines: dict[bytes, list[int]] = field(default_factory=dict)
    parts: int = MAX_PARTS
    delimiters: int = MAX_DELIMITERS
    defects: list[str] = field(default_factory=list)


def read_structure(raw: bytes) -> tuple[bytes, Part, tuple[str, ...]]:
    """Return the bytes as they were read, the root part, and the defects.

    Offsets refer to the returned bytes.
    """
    budget = _Budget()
    if len(raw) > MAX_MESSAGE_BYTES:
        raw = raw[:MAX_MESSAGE_BYTES]
        budget.defects.append("too-large")
    raw = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    budget.lines = _dashed_lines(raw, budget)
    root = _entity(raw, 0, len(raw), budget, depth=0, default="text/plain")
    return raw, root, tuple(dict.fromkeys(budget.defects))


def _dashed_lines(raw: bytes, budget: _Budget) -> dict[bytes, list[int]]:
    """Where every line that begins with two dashes is, by its words without the white space at their end."""
    lines: dict[bytes, list[int]] = {}
    for match in islice(_DASHED_LINE.finditer(raw), MAX_DASHED_LINES):
        lines.setdefault(match[1].rstrip(), []).append(match.start())
    if sum(map(len, lines.values())) == MAX_DASHED_LINES:
        budget.defects.append("too-many-delimiters")
    return lines


def _entity(raw: bytes, start: int, end: int, budget: _Budget, *, depth: int, default: str) -> Part:
    budget.parts -= 1
    headers, body, defects = read_headers(raw, start, end)
    budget.defects.extend(defects)
    declared, parameters = read_parameters(headers.get("content-type"))
    declared = "multipart/mixed" if declared == "multipart" else declared
    kind = declared if _TYPE.fullmatch(declared) else default
    if not kind.startswith("multipart/"):
        return Part(headers, kind, parameters, body, end)
    if depth >= MAX_DEPTH:
        budget.defects.append("too-deep")
        return _raw_part(start, end)
    boundary = parameters.get("boundary", "").encode("utf-8", "replace")[:MAX_BOUNDARY_BYTES].rstrip()
    spans = _spans(raw, body, end, b"--" + boundary, budget) if boundary else []
    if not spans and (seen := _DELIMITER.search(raw, body, min(end, body + MAX_PREAMBLE_BYTES))):
        # The declared boundary is not in the body: the first line that looks like one is taken for it.
        budget.defects.append("wrong-boundary")
        spans = _spans(raw, body, end, seen[1], budget)
    if not spans:
        # Without its boundary the body is one text; that is also what most mail programs show.
        budget.defects.append("no-boundary")
        return Part(headers, "text/plain", parameters, body, end)
    inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    children = _children(raw, spans, budget, depth=depth + 1, default=inner)
    return Part(headers, kind, parameters, body, end, children)


def _children(
    raw: bytes, spans: list[tuple[int, int]], budget: _Budget, *, depth: int, default: str
) -> tuple[Part, ...]:
    children = []
    for start, end in spans:
        if budget.parts <= 0:
            budget.defects.append("too-many-parts")
            children.append(_raw_part(start, spans[-1][1]))
            break
        children.append(_entity(raw, start, end, budget, depth=depth, default=default))
    return tuple(children)


def _raw_part(start: int, end: int) -> Part:
    return Part(Headers(), RAW_TYPE, {}, start, end, cut=True)


def _spans(raw: bytes, start: int, end: int, delimiter: bytes, budget: _Budget) -> list[tuple[int, int]]:
    """Where the parts between the delimiter lines begin and end. Text before and after them is not mail text.

    When the mail has more parts than allowed the last span holds the rest. Source: RFC 2046, 5.1.1.
    """
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    # One byte back, so that a delimiter on the very first line is found behind the line end of the headers.
    start = max(start - 1, 0)
    for hit, closing in _hits(start, end, delimiter, budget):
        if budget.delimiters <= 0 or len(spans) > max(budget.parts, 0):
            break
        budget.delimiters -= 1
        if opened is not None:
            spans.append((opened, _without_line_end(raw, opened, hit)))
        if closing:
            return spans
        stop = raw.find(b"\n", hit + 1, end)
        opened = end if stop < 0 else stop + 1
    if opened is not None:
        budget.defects.append("unclosed-multipart")
        spans.append((opened, end))
    return spans


def _hits(start: int, end: int, delimiter: bytes, budget: _Budget) -> list[tuple[int, bool]]:
    """The delimiter lines from `start` to `end` in order, and whether each closes."""
    found = []
    # Where the boundary was declared with a blank at its end, that stands before the closing dashes.
    for line, closing in ((delimiter, False), (delimiter + b"--", True), (delimiter + b" --", True)):
        places = budget.lines.get(line, [])
        within = places[bisect_left(places, start) : bisect_left(places, end)]
        # No more can be used than there are parts left, and a closing line ends the search.
        found += [(place, closing) for place in within[: 1 if closing else budget.parts + 2]]
    return sorted(found)


def _without_line_end(raw: bytes, start: int, hit: int) -> int:
    """The line end before a delimiter belongs to the delimiter."""
    return max(start, hit - 1 if raw[hit - 1 : hit] == b"\r" else hit)
