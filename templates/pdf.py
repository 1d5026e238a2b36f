"""Typst documents as PDFs that can be kept (PDF/A-2a) and read aloud (PDF/UA-1): their letters, and the compiler.

What people typed reaches typst as JSON and is shown as text: it is no markup and loads nothing (T80). The same words
give the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from templates import FOLDER

DOCUMENTS = FOLDER / "documents"
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


def all_printable(words: Any) -> Any:
    """The same structure with every string `printable`; numbers stay."""
    match words:
        case str():
            return printable(words)
        case int() | float():
            return words
        case dict():
            return {name: all_printable(value) for name, value in words.items()}
        case _:
            return [all_printable(value) for value in words]


_turn = Lock()  # a compiler serves one thread at a time
_home: int | None = None  # the process that has typeset


def pdf_of(source: Path, data: str, created_at: datetime) -> bytes:
    """A document of `DOCUMENTS` that is filled in with JSON. `created_at` (aware) is the file's own date."""
    assert created_at.tzinfo is not None
    return _typeset(source, data, int(created_at.timestamp()))


@cache
def _compiler(source: Path) -> typst.Compiler:
    """One for a document and process: it keeps the fonts and what did not change since the last time."""
    return typst.Compiler(str(source), root=str(source.parent), ignore_system_fonts=True)


def _typeset(source: Path, data: str, timestamp: int) -> bytes:
    global _home
    _home = _home or os.getpid()
    if _home != os.getpid():
        return _typeset_elsewhere(source, data, timestamp)
    with _turn:
        # PDF/A at level 2 and not 3: nothing is attached to the file, and no archive need ask what might be.
        pdf = _compiler(source).compile(
            format="pdf", sys_inputs={"data": data}, pdf_standards=["a-2a", "ua-1"], timestamp=timestamp
        )
    assert isinstance(pdf, bytes)
    return pdf


def _typeset_elsewhere(source: Path, data: str, timestamp: int) -> bytes:
    """In a process of its own: typst's threads do not survive a fork, and a child would wait for them for ever."""
    done = subprocess.run(
        [sys.executable, "-m", "templates.pdf"],
        input=json.dumps([str(source), data, timestamp]).encode(),
        stdout=subprocess.PIPE,
        cwd=FOLDER.parent,
        timeout=LONGEST_ELSEWHERE_S,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    _source, _data, _timestamp = json.load(sys.stdin)
    sys.stdout.buffer.write(_typeset(Path(_source), _data, _timestamp))
