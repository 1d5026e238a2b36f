"""Bytes to characters: what the mail declares, else UTF-8, else Windows-1252. No guessing by statistics.

In: choosing the codec, removing what a database cannot hold, repairing twice-encoded text.
Not in: transfer encodings (`body.py`).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from itertools import islice

# What mail programs declare, by Python's name, and the superset that they really send (WHATWG Encoding, 4.2).
_SUPERSETS = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
# Names that programs write and Python does not know.
_ALIASES = {
    "ansi": "cp1252",
    "dos-866": "cp866",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-8-i": "iso-8859-8",
    "unicode": "utf-16",
    "utf8mb4": "utf-8",
    "windows-31j": "cp932",
    "windows-874": "cp874",
    "win-1252": "cp1252",
    "x-cp1252": "cp1252",
    "x-gbk": "gbk",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-roman": "mac-roman",
    "x-sjis": "cp932",
    "x-ansi": "cp1252",
}
_STATEFUL = ("iso2022", "hz", "utf-7")
_WIDER = {"iso2022_jp": ("iso2022_jp_2", "iso2022_jp_ext", "iso2022_jp_2004")}
# Codecs of Python that are no charset of mail; some of them take quadratic time (CVE-2022-45061).
_REFUSED = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff]")
_MOJIBAKE = re.compile("[ÃÂ]|â€")
MAX_REPAIRED_CHARACTERS = 100_000
MAX_REPAIRED_LINES = 5_000


@lru_cache(maxsize=256)
def find_codec(charset: str) -> str | None:
    """Return Python's name of a declared charset, or None when there is none to be trusted."""
    # "3D" is what a twice-encoded quoted-printable header leaves before the value.
    name = charset.strip(" \t\"'").removeprefix('3D"').lower()
    try:
        info = codecs.lookup(_ALIASES.get(name, name))
    except (LookupError, ValueError, TypeError):
        return None
    refused = info.name.replace("-", "_") in _REFUSED or not getattr(info, "_is_text_encoding", True)
    return None if refused else _SUPERSETS.get(info.name, info.name)


def decode_bytes(octets: bytes, charset: str | None) -> str:
    """Return the characters: by the declared charset, else strict UTF-8, else Windows-1252, else Latin-1.

    Text that is broken in a multi-byte charset keeps its good parts, with U+FFFD for the rest.
    """
    if charset is None and octets.isascii():
        return octets.decode("ascii")
    declared = find_codec(charset[:80]) if charset else None
    if declared and declared.startswith(_STATEFUL):
        return _shifted(octets, declared)
    ladder = [declared] if declared else []
    if octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        ladder.append("utf-16")
    for name in (*ladder, "utf-8"):
        try:
            return _SURROGATES.sub("\ufffd", octets.decode(name))
        except (UnicodeError, ValueError):
            continue
    if declared not in (None, "utf-8", "cp1252"):
        return _SURROGATES.sub("\ufffd", octets.decode(declared or "utf-8", "replace"))
    return _mostly_utf8(octets) or _western(octets)


def _shifted(octets: bytes, declared: str) -> str:
    """Text in seven bits with shifts between alphabets: as UTF-8 it would be readable garbage."""
    for name in (declared, *_WIDER.get(declared, ())):
        try:
            return octets.decode(name)
        except (UnicodeError, ValueError):
            continue
    return _SURROGATES.sub("\ufffd", octets.decode(declared, "replace"))


def _mostly_utf8(octets: bytes) -> str | None:
    """The text as damaged UTF-8, when more of its non-ASCII characters are right than wrong."""
    text = octets.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return text if right > wrong else None


def _western(octets: bytes) -> str:
    try:
        return octets.decode("cp1252")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def clean_text(text: str) -> str:
    """Return the text with LF line ends and without NUL, lone surrogates and other control characters."""
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n")
    return _CONTROLS.sub("", _SURROGATES.sub("\ufffd", text))


def repair_mojibake(text: str) -> str:
    """Return the text with twice-encoded lines ("informaciÃ³n") put right; other lines are not touched."""
    if not _MOJIBAKE.search(text):
        return text
    # Imported here because most mails never need it and it is slow to load.
    import ftfy

    left = MAX_REPAIRED_CHARACTERS
    lines = text.split("\n")
    broken = (number for number, line in enumerate(lines) if _MOJIBAKE.search(line))
    for number in islice(broken, MAX_REPAIRED_LINES):
        if len(lines[number]) <= left:
            left -= len(lines[number])
            lines[number] = ftfy.fix_encoding(lines[number])
    return "\n".join(lines)
