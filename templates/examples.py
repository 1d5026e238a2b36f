"""Messages of the corpus, each with the answers that were judged right for it: what the ranking knows from day one.

`examples.jsonl` names the messages by their id in `classifier/corpus/`; docs/answers.md says how they were judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from classifier.data import CORPUS
from templates import FOLDER
from templates.wording import terms_of

EXAMPLES = FOLDER / "examples.jsonl"


@dataclass(frozen=True, slots=True)
class Example:
    """A message as the set of its terms, and the answers that are right for it, the best one first."""

    terms: frozenset[str]
    slugs: tuple[str, ...]


@cache
def examples() -> tuple[Example, ...]:
    """The judged messages for which there is a right answer."""
    slugs = {row["id"]: tuple(row["slugs"]) for row in _rows(EXAMPLES)}
    return tuple(
        Example(terms_of(f"{row['subject']}\n{row['body']}"), slugs[row["id"]])
        for path in sorted(CORPUS.glob("*.jsonl"))
        for row in _rows(path)
        if slugs.get(row["id"])
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines; a line ends with a line feed and nothing else."""
    return map(json.loads, filter(None, path.read_text(encoding="utf-8").split("\n")))
