"""The tree of parts of a mail, found by offsets in its bytes, under hard limits.

In: entities, boundaries, content types (RFC 2045, RFC 2046). Not in: decoding a part (`body.py`).
The walk is our own because `email.parser` takes seconds to minutes, or overflows the stack, on small mails
with many or deeply nested parts; here every level is one search for its boundary, and both numbers are
capped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from helpdesk.mail.headers import Headers, read_headers, read_parameters
from helpdesk.mail.parsed import MAX_DEPTH, MAX_MESSAGE_BYTES, MAX_PARTS

MAX_DELIMITERS = 20_000
MAX_PREAMBLE_BYTES = 4_000
MAX_BOUNDARY_BYTES = 200  # RFC 2046, 5.1.1 allows 70; some programs write more
RAW_TYPE = "application/octet-stream"

_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)
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
    parameters: dict[str, str]
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
    root = _entity(raw, 0, len(raw), budget, depth=0, default="text/plain")
    return raw, root, tuple(dict.fromkeys(budget.defects))


def _entity(raw: bytes, start: int, end: int, budget: _Budget, *, depth: int, default: str) -> Part:
    budget.parts -= 1
    headers, body, defects = read_headers(raw, start, end)
    budget.defects.extend(defects)
    declared, parameters = read_parameters(headers.get("content-type"))
    kind = declared if _TYPE.fullmatch(declared) else default
    if not kind.startswith("multipart/"):
        return Part(headers, kind, parameters, body, end)
    if depth >= MAX_DEPTH:
        budget.defects.append("too-deep")
        return _raw_part(start, end)
    boundary = parameters.get("boundary", "").rstrip().encode("utf-8", "replace")[:MAX_BOUNDARY_BYTES]
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
    position = max(start - 1, 0)
    while budget.delimiters > 0 and len(spans) <= max(budget.parts, 0):
        hit = raw.find(b"\n" + delimiter, position, end)
        if hit < 0:
            break
        budget.delimiters -= 1
        after = hit + 1 + len(delimiter)
        stop = raw.find(b"\n", after, end)
        stop = end if stop < 0 else stop
        position = stop
        closing = raw.startswith(b"--", after, stop)
        if raw[after + 2 * closing : stop].strip():
            continue
        if opened is not None:
            spans.append((opened, _without_line_end(raw, opened, hit)))
        if closing:
            return spans
        opened = min(stop + 1, end)
    if opened is not None:
        budget.defects.append("unclosed-multipart")
        spans.append((opened, end))
    return spans


def _without_line_end(raw: bytes, start: int, hit: int) -> int:
    """The line end before a delimiter belongs to the delimiter."""
    return max(start, hit - 1 if raw[hit - 1 : hit] == b"\r" else hit)
