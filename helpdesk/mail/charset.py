"""Bytes to characters: what the mail declares, else UTF-8, else Windows-1252. No guessing by statistics.

In: choosing the codec, removing what a database cannot hold, repairing twice-encoded text.
Not in: transfer encodings (`body.py`).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# What mail programs declare, and the superset that they really send (WHATWG Encoding, 4.2).
_SUPERSETS = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "tis-620": "cp874",
    "utf8mb4": "utf-8",
}
# Codecs of Python that are no charset of mail; some of them take quadratic time (CVE-2022-45061).
_REFUSED = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff]")
_MOJIBAKE = re.compile("[ÃÂ]|â€")
MAX_REPAIRED_CHARACTERS = 100_000


@lru_cache(maxsize=256)
def find_codec(charset: str) -> str | None:
    """Return Python's name of a declared charset, or None when there is none to be trusted."""
    name = charset.strip(" \t\"'").lower()
    try:
        info = codecs.lookup(_SUPERSETS.get(name, name))
    except (LookupError, ValueError, TypeError):
        return None
    refused = info.name.replace("-", "_") in _REFUSED or not getattr(info, "_is_text_encoding", True)
    return None if refused else info.name


def decode_bytes(octets: bytes, charset: str | None) -> str:
    """Return the characters: by the declared charset, else strict UTF-8, else Windows-1252, else Latin-1.

    Text that is broken in a multi-byte charset keeps its good parts, with U+FFFD for the rest.
    """
    declared = find_codec(charset[:80]) if charset else None
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
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n")
    return _CONTROLS.sub("", _SURROGATES.sub("\ufffd", text))


def repair_mojibake(text: str) -> str:
    """Return the text with twice-encoded lines ("informaciÃ³n") put right; other lines are not touched."""
    if not _MOJIBAKE.search(text):
        return text
    # Imported here because most mails never need it and it is slow to load.
    import ftfy

    left = MAX_REPAIRED_CHARACTERS
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if len(line) <= left and _MOJIBAKE.search(line):
            lines[number] = ftfy.fix_encoding(line)
            left -= len(line)
    return "\n".join(lines)
