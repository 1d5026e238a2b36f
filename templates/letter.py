"""A reply as a letter: greeting, one answer or several, closing; so that answers hold nothing but the answer.

The texts of each language are data in `templates/letters/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from templates import LETTERS
from templates.answer import LANGUAGES
from templates.catalogue import read_front
from templates.placeholders import fill

# What stands below "Atentamente," is a signature, and no more text, when it is no longer.
CLOSING_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the answers in one language. `nameless`: the greeting when no name is known."""

    greeting: str
    nameless: str
    heading: str
    closing: str


@dataclass(frozen=True, slots=True)
class Part:
    """One answer of a letter."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter, filled in as far as the facts are known. `cursor`: where another answer would go in."""

    text: str
    cursor: int


@cache
def frame_of(language: str) -> Frame:
    """The frame of a language, or of Spanish when we have none in it."""
    known = language if language in LANGUAGES else LANGUAGES[0]
    front, body = read_front(LETTERS / f"{known}.md")
    return Frame(front["greeting"], front["nameless"], front["heading"], body)


def without_frame(text: str) -> str:
    """What a letter says between greeting and closing, whatever its language; a text that is no letter stays."""
    for language in LANGUAGES:
        frame = frame_of(language)
        greeting = re.escape(frame.greeting).replace(re.escape("{{nombre}}"), r"[^\n]{1,200}?")
        text = re.sub(rf"\A\s*(?:{greeting}|{re.escape(frame.nameless)})\s*\n", "", text)
        first = frame.closing.partition("\n")[0]
        above, closing, below = text.rpartition(f"\n{first}\n")
        if closing and len(below) <= CLOSING_CHARACTERS:
            text = above
    return text.strip()


def section(part: Part, language: str, facts: Mapping[str, str]) -> str:
    """An answer that goes into a letter beside others: under its title."""
    heading = frame_of(language).heading.replace("{{titulo}}", part.title)
    return f"{heading}\n\n{fill(part.body, facts)}"


def compose(
    parts: Sequence[Part], language: str, facts: Mapping[str, str], *, grown: bool = False
) -> Composed:
    """A letter with these answers, in order. One answer needs no heading, nor does the first of a letter that grew."""
    frame = frame_of(language)
    greeting = fill(frame.greeting if facts.get("nombre") else frame.nameless, facts)
    bare = 1 if grown or len(parts) == 1 else 0
    bodies = [fill(part.body, facts) for part in parts[:bare]]
    bodies += [section(part, language, facts) for part in parts[bare:]]
    above = "\n\n".join([greeting, *bodies])
    return Composed(f"{above}\n\n{fill(frame.closing, facts)}", len(above))
