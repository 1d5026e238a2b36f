"""What changed between two texts of an answer, word by word, for whoever must approve it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from rapidfuzz.distance import Indel

from templates.answer import AnswerText, AttachedFile

_TOKEN = re.compile(r"\s+|[^\s]+")
FIELDS = (
    "title",
    "line",
    "topic",
    "source",
    "owner",
    "valid_from",
    "review_by",
    "public",
    "keywords",
    "questions",
    "attachments",
    "body",
)


class Kind(StrEnum):
    """What became of a run of words."""

    SAME = "same"
    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changed: runs of words that stayed, went out or came in, in order."""

    field: str
    runs: tuple[tuple[Kind, str], ...]


def changes(before: AnswerText | None, after: AnswerText) -> list[Change]:
    """The fields that changed; all of them when there was nothing before."""
    pairs = ((name, _shown(before, name) if before else "", _shown(after, name)) for name in FIELDS)
    return [Change(name, tuple(_runs(old, new))) for name, old, new in pairs if old != new]


def _shown(answer: AnswerText, name: str) -> str:
    value = getattr(answer, name)
    if name == "attachments":
        return "\n".join(_file(file) for file in answer.attachments)
    if isinstance(value, tuple):
        return "\n".join(value)
    return str(value)


def _file(file: AttachedFile) -> str:
    """A file as somebody who approves must see it: another content under the same name is another file."""
    return f"{file.name} ({len(file.content)} B, {sha256(file.content).hexdigest()[:12]})"


def _runs(before: str, after: str) -> Iterator[tuple[Kind, str]]:
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    gone: list[str] = []
    come: list[str] = []
    # rapidfuzz: difflib takes minutes for few words in many orders.
    for step in Indel.opcodes(old, new):
        if step.tag == "equal":
            yield from _changed(gone, come)
            gone, come = [], []
            yield Kind.SAME, "".join(old[step.src_start : step.src_end])
        else:
            gone += old[step.src_start : step.src_end]
            come += new[step.dest_start : step.dest_end]
    yield from _changed(gone, come)


def _changed(gone: list[str], come: list[str]) -> Iterator[tuple[Kind, str]]:
    """What went out, and then what came in its place."""
    if gone:
        yield Kind.OUT, "".join(gone)
    if come:
        yield Kind.IN, "".join(come)
