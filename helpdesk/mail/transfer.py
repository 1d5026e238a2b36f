"""Transfer encodings: the octets of a part as its sender had them, and what old programs hide inside text.

In: base64, quoted-printable, uuencode (RFC 2045, 6; POSIX uuencode), uuencoded files between lines of text.
Not in: finding parts (`structure.py`), characters (`charset.py`).
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from helpdesk.mail.headers import lenient_base64
from helpdesk.mail.structure import Part

MAX_UU_LINES = 600_000  # 25 MB in lines of 62 characters are 400,000
MAX_UU_FILES = 100
PROSE_BYTES = 4_000
MAX_BLANK_ENDS = 200_000
MAX_ENCODING_NAME = 1_000

_COMMENT = re.compile(r"\([^()]{0,200}\)")
_IDENTITY = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "none"})
_UU_NAMES = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
_BLANKS_AT_END = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")
_UU_LINE = re.compile(r"[ -`]+")
_UU_BEGIN = re.compile(r"^begin [0-7]{3,4} (\S.{0,250})$", re.M)


@dataclass(frozen=True, slots=True)
class HiddenFile:
    """A file that stood as lines of text in the body."""

    name: str
    type: str
    content: bytes


def decode_part(raw: bytes, part: Part) -> tuple[bytes, str | None]:
    """Return the content of a part, and a defect when its transfer encoding is unknown.

    Source: RFC 2045, 6.
    """
    octets = part.octets(raw)
    declared = _COMMENT.sub("", part.headers.get("content-transfer-encoding")[:MAX_ENCODING_NAME])
    encoding = declared.split(";")[0].strip("\"' \t").lower()
    if part.cut or encoding in _IDENTITY:
        return octets, None
    if encoding == "base64":
        if part.type.startswith("text/") and _is_prose(octets):
            return octets, "bad-encoding"
        return lenient_base64(octets), None
    if encoding in ("quoted-printable", "quotedprintable", "q"):
        # Blanks at the end of a line were added on the way (RFC 2045, 6.7, rule 3).
        return binascii.a2b_qp(_BLANKS_AT_END.sub(b"", octets, count=MAX_BLANK_ENDS)), None
    if encoding in _UU_NAMES:
        return _decode_uu(octets), None
    return octets, "unknown-encoding"


def _is_prose(octets: bytes) -> bool:
    """Whether octets that should be base64 are words between blanks: most lines have a blank inside."""
    lines = [line.strip() for line in octets[:PROSE_BYTES].splitlines() if line.strip()]
    return sum(b" " in line for line in lines) * 2 > len(lines)


def _decode_uu(octets: bytes) -> bytes:
    start = octets.find(b"begin ")
    first = octets.find(b"\n", start) + 1 if start >= 0 else 0
    out = []
    for line in octets[first:].split(b"\n", MAX_UU_LINES)[:MAX_UU_LINES]:
        if line.strip() == b"end":
            break
        out.append(_uu_line(line.rstrip(b"\r")))
    return b"".join(out)


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders pad wrongly; the first byte says how many characters count.
        try:
            return binascii.a2b_uu(line[: 1 + (((line[0] - 32) & 63) * 4 + 2) // 3])
        except binascii.Error:
            return b""


def take_uu_files(text: str) -> tuple[str, list[HiddenFile]]:
    """Return the text without its uuencoded blocks, and the files that they were. Linear; never raises.

    Only a block of nothing but well-formed lines from `begin` to `end` counts.
    """
    if "begin " not in text or "\nend" not in text:
        return text, []
    text = text.replace("\r\n", "\n")
    kept: list[str] = []
    files: list[HiddenFile] = []
    position = 0
    while len(files) < MAX_UU_FILES and (begin := _UU_BEGIN.search(text, position)):
        content, end = _read_block(text, begin.end() + 1)
        kept.append(text[position : begin.start() if content is not None else end])
        if content is not None:
            files.append(HiddenFile(begin[1].strip(), "application/octet-stream", content))
        position = end
    return ("".join((*kept, text[position:])), files) if files else (text, [])


def _read_block(text: str, position: int) -> tuple[bytes | None, int]:
    """The content of the block whose lines begin here and the offset behind it; None when it is no block."""
    out: list[bytes] = []
    while position < len(text):
        stop = text.find("\n", position)
        stop = len(text) if stop < 0 else stop
        line = text[position:stop].rstrip()
        if line == "end" and out:
            return b"".join(out), min(stop + 1, len(text))
        if not _is_uu_line(line):
            return None, position
        if line:
            out.append(_uu_line(line.encode("ascii")))
        position = stop + 1
    return None, len(text)


def _is_uu_line(line: str) -> bool:
    """Whether the first character says how long the rest may be; blanks at the end may have got lost on the way."""
    if not line:
        return True
    if not _UU_LINE.fullmatch(line):
        return False
    wanted = (((ord(line[0]) - 32) & 63) + 2) // 3 * 4
    return len(line) - 1 <= wanted + 1
