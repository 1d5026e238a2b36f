"""What changed between two texts of an answer, word by word, for whoever must approve it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from templates.answer import AnswerText

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
        return "\n".join(f"{file.name} ({len(file.content)} B)" for file in answer.attachments)
    if isinstance(value, tuple):
        return "\n".join(value)
    return str(value)


def _runs(before: str, after: str) -> Iterator[tuple[Kind, str]]:
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    for tag, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Kind.SAME, "".join(old[start:end])
            continue
        if end > start:
            yield Kind.OUT, "".join(old[start:end])
        if last > first:
            yield Kind.IN, "".join(new[first:last])
