"""Reading the template answers and notices from their Markdown files, with every fault named by file and line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from classifier import LINES, NONE
from templates import ANSWERS, NOTICES
from templates.placeholders import PLACEHOLDERS, names_in

FENCE = "---"


class CatalogueError(ValueError):
    """An answer file cannot be used; the message names file, line and what is wrong."""


@dataclass(frozen=True, slots=True)
class AnswerText:
    """A template answer as its file says it. `body` is Markdown with placeholders."""

    slug: str
    title: str
    line: str
    topic: str
    language: str
    owner: str
    source: tuple[str, ...]
    keywords: tuple[str, ...]
    placeholders: tuple[str, ...]
    attachments: tuple[str, ...]
    valid_from: dt.date
    review_by: dt.date
    public: bool
    body: str


@dataclass(frozen=True, slots=True)
class NoticeText:
    """An automatic mail as its file says it."""

    subject: str
    body: str


def answer_files(folder: Path = ANSWERS) -> list[Path]:
    """Every answer file below `folder`, in a stable order."""
    return sorted(folder.glob("*/*.md"))


def read_answers(folder: Path = ANSWERS) -> Iterator[AnswerText]:
    """Every answer of `folder`. Raises CatalogueError at the first file that is wrong."""
    seen: dict[str, Path] = {}
    for path in answer_files(folder):
        answer = read_answer(path)
        if answer.slug in seen:
            raise CatalogueError(f"{path}: the slug {answer.slug!r} stands in {seen[answer.slug]} too")
        seen[answer.slug] = path
        yield answer


def read_answer(path: Path) -> AnswerText:
    """One answer file. Raises CatalogueError."""
    front, body = _split(path)
    answer = AnswerText(
        slug=_text(path, front, "slug"),
        title=_text(path, front, "title"),
        line=_text(path, front, "line"),
        topic=_text(path, front, "topic"),
        language=_text(path, front, "language"),
        owner=_text(path, front, "owner"),
        source=_list(path, front, "source"),
        keywords=_list(path, front, "keywords"),
        placeholders=_list(path, front, "placeholders"),
        attachments=_list(path, front, "attachments"),
        valid_from=_date(path, front, "valid_from"),
        review_by=_date(path, front, "review_by"),
        public=bool(front.get("public", False)),
        body=body,
    )
    _check(path, answer)
    return answer


def read_notice(name: str) -> NoticeText:
    """The notice `templates/notices/NAME.md`. Raises CatalogueError."""
    path = NOTICES / f"{name}.md"
    front, body = _split(path)
    return NoticeText(_text(path, front, "subject"), body)


def _check(path: Path, answer: AnswerText) -> None:
    if answer.slug != path.stem:
        raise CatalogueError(f"{path}: the slug {answer.slug!r} is not the file's name")
    if answer.line not in (*LINES, NONE):
        raise CatalogueError(f"{path}: there is no line {answer.line!r}")
    used = set(names_in(answer.body))
    if unknown := used - PLACEHOLDERS.keys():
        raise CatalogueError(f"{path}: unknown placeholder {sorted(unknown)[0]!r}")
    if used != set(answer.placeholders):
        raise CatalogueError(f"{path}: `placeholders` must list exactly {sorted(used)}")
    if not answer.body:
        raise CatalogueError(f"{path}: there is no text")


def _split(path: Path) -> tuple[dict[str, Any], str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].strip() != FENCE or FENCE not in lines[1:]:
        raise CatalogueError(f"{path}:1: the file must begin with front matter between two lines of ---")
    end = lines.index(FENCE, 1)
    try:
        front = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise CatalogueError(f"{path}:{line}: {error.problem}") from error
    if not isinstance(front, dict):
        raise CatalogueError(f"{path}:2: the front matter must be `key: value` lines")
    return front, "\n".join(lines[end + 1 :]).strip()


def _text(path: Path, front: dict[str, Any], name: str) -> str:
    value = front.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CatalogueError(f"{path}: `{name}` must be a text")
    return value.strip()


def _list(path: Path, front: dict[str, Any], name: str) -> tuple[str, ...]:
    value = front.get(name, [])
    if not isinstance(value, list):
        raise CatalogueError(f"{path}: `{name}` must be a list")
    return tuple(str(item) for item in value)


def _date(path: Path, front: dict[str, Any], name: str) -> dt.date:
    value = front.get(name)
    if not isinstance(value, dt.date):
        raise CatalogueError(f"{path}: `{name}` must be a date such as 2026-11-23")
    return value
