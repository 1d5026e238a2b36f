"""Header lines: splitting the block, decoding words, parameters, dates and ids. Every function is total.

In: RFC 5322 header syntax, RFC 2047 encoded words, RFC 2231 parameters. Not in: addresses (`addresses.py`),
what a header means for us (`automatic.py`). Nothing here raises on any input, and all work is linear.
"""

from __future__ import annotations

import binascii
import datetime as dt
import email.utils
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from helpdesk.mail.charset import decode_bytes
from helpdesk.mail.parsed import MAX_HEADER_BYTES, MAX_HEADER_LINES, MAX_REFERENCES

MAX_BASE64_PIECES = 100_000
MAX_PARAMETERS = 200
MAX_PARAMETER_BYTES = 32_000
MAX_ID_CHARACTERS = 998  # RFC 5322, 2.1.1
MAX_DATE_CHARACTERS = 200
EARLIEST_YEAR, LATEST_YEAR = 1900, 2200

_FIELD = re.compile(rb"([!-9;-~]{1,998})[ \t]{0,20}:")
_KNOWN_FIELD = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|reply-to|in-reply-to|references|sender|received|return-path"
    rb"|mime-version|content-[a-z-]{2,30}|x-[a-z0-9-]{2,40}|dkim-signature):",
    re.I,
)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
# Lenient: a `?` may stand unencoded in the word, and a word cut off at the end of the header counts. It never
# reaches over the start of another word, so that looking for words is linear.
_ENCODED_WORD = re.compile(r"=\?([^?\s=]{1,80})\?([bBqQ])\?((?:[^?=]|=(?!\?(?!=))|\?(?!=|\Z))*)(?:\?=|\??\Z)")
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
)
_BASE64_AND_BLANKS = re.compile(rb"[A-Za-z0-9+/=\s]*")
_PADDING = re.compile(rb"=[=\s]*")
_FIRST_TOKEN = re.compile(r"[^\s;()=]+")
_COMMENT_BEHIND = re.compile(r"\s{1,20}\([^()]{0,200}\)$")
_FILE_NAMES = ("filename", "name")  # their parentheses are part of the name: "contrato (1).pdf"
_YEAR_ZERO = re.compile(r"(?<![+\-\d:])0000(?!\d)")  # the standard library reads it as the year 2000
# Forms of the zone and the hour that are no RFC 5322 and that the standard library reads as UTC, or as forenoon.
_ZONE = re.compile(r"(:\d{2})(?:\.\d{1,9})? ?(?:GMT|UTC)? ?([+-]) ?(\d{1,2})(?::?(\d{2}))?(?!\d)")
_TWELVE_HOURS = re.compile(r"(?<!\d)(\d{1,2}):(\d{2}(?::\d{2})?) ?([AP])\.? ?M\b\.?", re.I)
_ZONE_NAME = re.compile(r"(?<=:\d\d) ([A-Z]{3,4})\b")
# Those that name one offset only (IANA tzdata); the North American ones the standard library knows.
_ZONES = {
    "PET": "-0500", "COT": "-0500", "BOT": "-0400", "BRT": "-0300", "ART": "-0300", "UYT": "-0300",
    "CET": "+0100", "CEST": "+0200", "MEZ": "+0100", "MESZ": "+0200", "WET": "+0000", "WEST": "+0100",
    "EET": "+0200", "EEST": "+0300", "MSK": "+0300", "JST": "+0900",
}  # fmt: skip
_ID = re.compile(r"<([^<>]{1,2000})>")


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of one header block: lower-case name and unfolded, still encoded value, in order."""

    fields: tuple[tuple[str, str], ...] = ()
    _first: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Many more names are asked for than are there, so asking must be cheap.
        object.__setattr__(self, "_first", dict(reversed(self.fields)))

    def get(self, name: str, default: str = "") -> str:
        """The first field of this lower-case name as it was sent."""
        return self._first.get(name, default)

    def get_all(self, name: str) -> list[str]:
        """Every field of this lower-case name."""
        return [value for key, value in self.fields if key == name] if name in self._first else []

    def text(self, name: str) -> str:
        """The first field of this name, decoded for reading, on one line."""
        return one_line(decode_words(self.get(name)))

    def __contains__(self, name: str) -> bool:
        return name in self._first


def read_headers(raw: bytes, start: int = 0, end: int | None = None) -> tuple[Headers, int, tuple[str, ...]]:
    """Return the headers at `start`, the offset where the body begins, and the defects.

    At most 256 kB and 1,000 lines are read; fields beyond them are skipped. Source: RFC 5322, 2.2.
    """
    end = len(raw) if end is None else end
    fields: list[list[bytes]] = []
    position = start
    defects: list[str] = []
    for _ in range(MAX_HEADER_LINES):
        if position >= end or position - start > MAX_HEADER_BYTES:
            break
        stop = raw.find(b"\n", position, end)
        after = end if stop < 0 else stop + 1
        line = raw[position : min(after, position + MAX_HEADER_BYTES)].rstrip(b"\r\n")
        if not line:
            return _unfold(fields), after, tuple(defects)
        if not _take_line(fields, line, first=position == start):
            defects = ["header-without-colon"]
            # A line that is no header ends the block even without a blank line, as most mail programs read it,
            # unless the block plainly goes on behind it.
            if not _KNOWN_FIELD.match(raw, after, end):
                return _unfold(fields), position, tuple(defects)
        position = after
    if position < end:
        defects.append("headers-too-long")
        blank = _BLANK_LINE.search(raw, max(start, position - 2), end)
        position = blank.end() if blank else end
    return _unfold(fields), position, tuple(defects)


def _take_line(fields: list[list[bytes]], line: bytes, *, first: bool) -> bool:
    if line[:1] in (b" ", b"\t"):
        if fields:
            fields[-1].append(line)
            return True
        line = line.lstrip()  # The first header, indented on the way: there is none that it could go on with.
    if first and line.startswith((b"From ", b">From ")):
        return True
    if not _FIELD.match(line):
        return False
    fields.append([line])
    return True


def _unfold(fields: list[list[bytes]]) -> Headers:
    unfolded = []
    for lines in fields:
        name, _, value = b"".join(lines).partition(b":")
        unfolded.append((name.strip().decode("ascii").lower(), decode_bytes(value, None).strip()))
    return Headers(tuple(unfolded))


def one_line(value: str, limit: int | None = None) -> str:
    """Return the value on one line, without control, format (bidi, zero width) and surrogate characters."""
    if value.isascii() and value.isprintable():
        return value.strip()[:limit]
    kept = (
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in value
        if unicodedata.category(c) not in ("Cf", "Cs")
    )
    return " ".join("".join(kept).split())[:limit]


def decode_words(value: str) -> str:
    """Return the value with its encoded words decoded; what cannot be decoded stays as it is.

    Words that were encoded twice are decoded twice. Source: RFC 2047.
    """
    for _ in range(2):
        if "=?" not in value:
            break
        value = _decode_once(value)
    return value


def _decode_once(value: str) -> str:
    out: list[str] = []
    run: list[re.Match[str]] = []
    last = 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[last : match.start()]
        # White space between two encoded words is not shown, and a character may be split over both.
        adjacent = bool(run) and not between.strip()
        if not adjacent or _charset(run[-1]) != _charset(match):
            out += (_decode_run(run), "" if adjacent else between)
            run = []
        run.append(match)
        last = match.end()
    return "".join((*out, _decode_run(run), value[last:]))


def _charset(word: re.Match[str]) -> str:
    return word[1].partition("*")[0].lower()


def _decode_run(words: list[re.Match[str]]) -> str:
    """The text of neighbouring words of one charset."""
    octets: list[bytes] = []
    open_base64 = ""
    for word in words:
        if word[2] in "bB":
            # Some programs cut base64 anywhere: four characters may be split over two words.
            open_base64 += "".join(word[3].split())
            if len(open_base64) % 4 and not open_base64.endswith("=") and word is not words[-1]:
                continue
            octets.append(lenient_base64(open_base64.encode("utf-8", "replace")))
        else:
            octets += [lenient_base64(open_base64.encode("utf-8", "replace"))] if open_base64 else []
            octets.append(binascii.a2b_qp(word[3].encode("utf-8", "replace"), header=True))
        open_base64 = ""
    return decode_bytes(b"".join(octets), _charset(words[0])) if words else ""


def lenient_base64(octets: bytes) -> bytes:
    """Decode base64, skipping strange characters and repairing a cut end. Source: RFC 2045, 6.8."""
    inner = octets.rstrip(b"= \t\r\n")
    if 0 < inner.count(b"=") <= MAX_BASE64_PIECES and _BASE64_AND_BLANKS.fullmatch(inner):
        # Some programs encode piece by piece, each with its own padding; the decoder would end at the first.
        return b"".join(map(_base64_piece, _PADDING.split(inner)))
    return _base64_piece(octets)


def _base64_piece(octets: bytes) -> bytes:
    for tail in (b"", b"=", b"=="):
        try:
            return binascii.a2b_base64(octets + tail)
        except binascii.Error:
            continue
    # One character is left over after the last group of four: it carries no whole byte.
    body = octets.translate(None, _NOT_BASE64)
    return binascii.a2b_base64(body[: len(body) // 4 * 4])


@lru_cache(maxsize=64)
def read_parameters(value: str) -> tuple[str, Mapping[str, str]]:
    """Split `type; name=value; …` into the lower-case first token and its parameters. Source: RFC 2045, 2231.

    At most 200 parameters of 32 kB in all are read. Continued (`name*0`) and encoded (`name*`) ones are
    joined.
    """
    value = value[:MAX_PARAMETER_BYTES].lstrip()
    token = _FIRST_TOKEN.match(value)
    # A parameter in the place of the first token: it has none.
    head = token[0] if token and not value.startswith("=", token.end()) else ""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, text in _split_parameters(value[len(head) :]):
        base, star, number = name.partition("*")
        if not star:
            plain.setdefault(base, decode_words(text))
            continue
        encoded = number.endswith("*") or not number
        digits = number.rstrip("*") or "0"
        if digits.isascii() and digits.isdigit() and len(digits) < 5:
            pieces.setdefault(base, {}).setdefault(int(digits), (text, encoded))
    plain.update((base, _join_pieces(parts)) for base, parts in pieces.items())
    return head.lower(), MappingProxyType(plain)


def _split_parameters(rest: str) -> Iterator[tuple[str, str]]:
    position = 0
    for _ in range(MAX_PARAMETERS):
        equals = rest.find("=", position)
        if equals < 0:
            return
        # The last word before the equals sign: some programs forget the semicolon.
        name = rest[position:equals].rpartition(";")[2].strip().lower().rpartition(" ")[2]
        position = equals + 1
        while position < len(rest) and rest[position] in " \t":
            position += 1
        if rest[position : position + 1] == '"':
            text, position = _quoted(rest, position + 1)
        else:
            stop = rest.find(";", position)
            stop = len(rest) if stop < 0 else stop
            text, position = rest[position:stop].strip(), stop
            text = text if name in _FILE_NAMES else _COMMENT_BEHIND.sub("", text)
        yield name, text


def _quoted(value: str, position: int) -> tuple[str, int]:
    end = value.find('"', position)
    if end >= 0 and "\\" not in value[position:end]:
        return value[position:end], end + 1
    out = []
    while position < len(value) and value[position] != '"':
        if value[position] == "\\" and value[position + 1 : position + 2] in ('"', "\\"):
            position += 1
        out.append(value[position])
        position += 1
    return "".join(out), position + 1


def _join_pieces(pieces: dict[int, tuple[str, bool]]) -> str:
    charset, octets = None, []
    for index, number in enumerate(sorted(pieces)):
        text, encoded = pieces[number]
        if encoded and index == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        raw = text.encode("utf-8", "replace")
        octets.append(unquote_to_bytes(raw) if encoded else raw)
    return decode_words(decode_bytes(b"".join(octets), charset or None))


def read_date(value: str) -> dt.datetime | None:
    """Return the aware date of a Date header, or None when it names no moment from 1900 to 2200.

    RFC 5322, 3.3.
    """
    if _YEAR_ZERO.search(value, 0, MAX_DATE_CHARACTERS):
        return None
    try:
        fields = email.utils.parsedate_tz(_plain_date(value[:MAX_DATE_CHARACTERS]))
        if fields is None:
            moment = dt.datetime.fromisoformat(value.strip()[:MAX_DATE_CHARACTERS])
        else:
            zone = dt.timezone(dt.timedelta(seconds=fields[9] or 0))
            moment = dt.datetime(*fields[:5], min(fields[5], 59), tzinfo=zone)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return aware if EARLIEST_YEAR <= aware.astimezone(dt.UTC).year <= LATEST_YEAR else None
    except (ValueError, TypeError, OverflowError, IndexError, RecursionError):
        return None


def _plain_date(value: str) -> str:
    """The date with its zone and hour as RFC 5322 has them: "10:15 PM GMT-05:00" is "22:15 -0500"."""
    value = _TWELVE_HOURS.sub(_on_24_hours, value, count=1)
    value = _ZONE_NAME.sub(lambda name: f" {_ZONES.get(name[1], name[1])}", value, count=1)
    return _ZONE.sub(lambda zone: f"{zone[1]} {zone[2]}{zone[3]:0>2}{zone[4] or '00'}", value, count=1)


def _on_24_hours(time: re.Match[str]) -> str:
    hour = int(time[1])
    if not 1 <= hour <= 12:
        return f"{time[1]}:{time[2]}"
    return f"{hour % 12 + 12 * (time[3] in 'pP'):02}:{time[2]}"


def read_ids(value: str) -> tuple[str, ...]:
    """Return the message ids of a header with their angle brackets, each once. Source: RFC 5322, 3.6.4."""
    found = ["".join(match.split()) for match in _ID.findall(value)]
    if not found:
        # Brackets that were forgotten, or cut off at the end.
        words = (word.removeprefix("<") for word in value[:MAX_HEADER_BYTES].split())
        found = [word for word in words if "@" in word and not set(word) & set("<>")]
    ids = (f"<{one_line(inner)}>" for inner in found if 0 < len(inner) <= MAX_ID_CHARACTERS)
    return tuple(dict.fromkeys(ids))[:MAX_REFERENCES]
