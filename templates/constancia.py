"""The constancia as a PDF that can be kept (PDF/A-2a) and read aloud (PDF/UA-1): `documents/constancia.typ`, filled in.

What people typed reaches typst as JSON and is shown as text: it is no markup and loads nothing (T80). The same text
gives the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from threading import Lock
from typing import Any

import segno
import typst

from templates import FOLDER

SOURCE = FOLDER / "documents" / "constancia.typ"
QR_MARGIN = 4  # modules of white around the code: ISO/IEC 18004
LONGEST_ELSEWHERE_S = 60

# The characters that Libertinus Serif, which the typst wheel brings, has in regular, semibold and bold; of the scripts
# that run from left to right, so that no value can turn the order of what stands beside it. One that it lacks would
# stop the document: PDF/A and PDF/UA allow no empty boxes.
_LATIN = "\x20-\x7e\xa1-\xac\xae-\u023f\u0250-\u02e4\u1e00-\u1e9b\u1e9e\u1ea0-\u1ef9\ua78b\ua78c"
_GREEK = "\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce"
_CYRILLIC = "\u0400-\u045f\u0490-\u04c4"
_MARKS = "\u0300-\u0331"
_SIGNS = (
    "\u2010-\u2015\u2018-\u201e\u2020-\u2022\u2026\u2030\u2032\u2033\u2039\u203a\u2044"
    "\u20ac\u2116\u2122\u2212\u2248\u2260\u2264\u2265"
)
SHOWN = re.compile(f"[{_LATIN}{_GREEK}{_CYRILLIC}{_MARKS}{_SIGNS}]+")
# More marks on one letter than any language writes would reach into the lines above.
_PILE = re.compile(f"([{_MARKS}]{{2}})[{_MARKS}]+")
_UNSEEN = ("Cc", "Cf", "Mn", "Me")
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a constancia: a heading and pairs of label and value."""

    heading: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ConstanciaText:
    """Everything that a constancia says. `created_at` (aware) is the file's own date; `issued` is what people read."""

    title: str
    number: str
    issued: str
    created_at: datetime
    opening: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    legal_base: tuple[str, ...]
    code: str
    verify_url: str


def constancia_pdf(text: ConstanciaText) -> bytes:
    """The document. Never fails on what people typed, whatever it is."""
    assert text.created_at.tzinfo is not None
    return _typeset(data_of(text), int(text.created_at.timestamp()))


def data_of(text: ConstanciaText) -> str:
    """What the typst source is given: the words as JSON, and the QR code as an SVG."""
    assert text.verify_url.isascii()
    words = asdict(text)
    del words["created_at"]
    return json.dumps(_printable(words) | {"qr": _qr_code(text.verify_url)})


def printable(value: str) -> str:
    """A value on one line, in characters that the document can show.

    Others become what they are made of ("ﬁ" → "fi", "Ａ" → "A") or else "?"; what nobody sees (controls, marks of
    direction) goes. A value of which nothing is left is a dash.
    """
    value = unicodedata.normalize("NFC", " ".join(value.split()))
    if not SHOWN.fullmatch(value):
        value = " ".join("".join(map(_shown, value)).split())
    return _PILE.sub(r"\1", value) or "–"


def _shown(character: str) -> str:
    if SHOWN.fullmatch(character):
        return character
    if unicodedata.category(character) in _UNSEEN:
        return ""
    parts = [part for part in unicodedata.normalize("NFKD", character) if _is_seen(part)]
    return "".join(parts) if all(map(SHOWN.fullmatch, parts)) else UNKNOWN


def _is_seen(part: str) -> bool:
    return bool(SHOWN.fullmatch(part)) or unicodedata.category(part) not in _UNSEEN


def _printable(words: Any) -> Any:
    """The same structure with every string `printable`."""
    if isinstance(words, str):
        return printable(words)
    if isinstance(words, dict):
        return {name: _printable(value) for name, value in words.items()}
    return [_printable(value) for value in words]


def _qr_code(url: str) -> str:
    out = BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", border=QR_MARGIN, xmldecl=False)
    return out.getvalue().decode()


_turn = Lock()  # a compiler serves one thread at a time
_home: int | None = None  # the process that has typeset


@cache
def _compiler() -> typst.Compiler:
    """One for the process: it keeps the fonts and what did not change since the last document."""
    return typst.Compiler(str(SOURCE), root=str(SOURCE.parent), ignore_system_fonts=True)


def _typeset(data: str, timestamp: int) -> bytes:
    global _home
    _home = _home or os.getpid()
    if _home != os.getpid():
        return _typeset_elsewhere(data, timestamp)
    with _turn:
        # PDF/A at level 2 and not 3: nothing is attached to the file, and no archive need ask what might be.
        pdf = _compiler().compile(
            format="pdf", sys_inputs={"data": data}, pdf_standards=["a-2a", "ua-1"], timestamp=timestamp
        )
    assert isinstance(pdf, bytes)
    return pdf


def _typeset_elsewhere(data: str, timestamp: int) -> bytes:
    """In a process of its own: typst's threads do not survive a fork, and a child would wait for them for ever."""
    done = subprocess.run(
        [sys.executable, "-m", "templates.constancia"],
        input=json.dumps([data, timestamp]).encode(),
        stdout=subprocess.PIPE,
        cwd=FOLDER.parent,
        timeout=LONGEST_ELSEWHERE_S,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    sys.stdout.buffer.write(_typeset(*json.load(sys.stdin)))
