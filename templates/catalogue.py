"""Reading the template answers and notices from their Markdown files, with every fault named by file and line."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from classifier import LINES, NONE, TOPICS
from templates import ANSWERS, NOTICES
from templates.placeholders import PLACEHOLDERS, names_in

FENCE = "---"
# The topic of an answer that fits every matter of its line.
GENERAL = "general"


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
            raise _read(path).fault(f"the slug {answer.slug!r} stands in {seen[answer.slug]} too", "slug")
        seen[answer.slug] = path
        yield answer


def read_answer(path: Path) -> AnswerText:
    """One answer file. Raises CatalogueError."""
    file = _read(path)
    answer = AnswerText(
        slug=_text(file, "slug"),
        title=_text(file, "title"),
        line=_text(file, "line"),
        topic=_text(file, "topic"),
        language=_text(file, "language"),
        owner=_text(file, "owner"),
        source=_list(file, "source"),
        keywords=_list(file, "keywords"),
        placeholders=_list(file, "placeholders"),
        attachments=_list(file, "attachments"),
        valid_from=_date(file, "valid_from"),
        review_by=_date(file, "review_by"),
        public=_public(file),
        body=file.body,
    )
    _check(file, answer)
    return answer


def read_notice(name: str) -> NoticeText:
    """The notice `templates/notices/NAME.md`. Raises CatalogueError."""
    file = _read(NOTICES / f"{name}.md")
    return NoticeText(_text(file, "subject"), file.body)


class _Loader(yaml.SafeLoader):
    """YAML without dates: a date is read by us, so that a wrong one is named by its line."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML reads this class attribute as it is
        first: [(tag, shape) for tag, shape in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True)
class _File:
    """A file's lines, where its front matter ends (index of the second fence), and what it says."""

    path: Path
    lines: list[str]
    end: int
    front: dict[str, Any]

    @property
    def body(self) -> str:
        return "\n".join(self.lines[self.end + 1 :]).strip()

    def fault(self, words: str, key: str) -> CatalogueError:
        """What is wrong, at the line of a key; at the first line when the key is not there."""
        shape = re.compile(rf"['\"]?{re.escape(key)}['\"]?\s*:")
        numbers = (number for number in range(1, self.end) if shape.match(self.lines[number]))
        return CatalogueError(f"{self.path}:{next(numbers, 0) + 1}: {words}")

    def body_fault(self, words: str, placeholder: str) -> CatalogueError:
        """What is wrong, at the line of the text that uses a placeholder."""
        below = range(self.end + 1, len(self.lines))
        numbers = (number for number in below if placeholder in names_in(self.lines[number]))
        return CatalogueError(f"{self.path}:{next(numbers, self.end) + 1}: {words}")


def _read(path: Path) -> _File:
    lines = _decode(path).splitlines()
    if not lines or lines[0].strip() != FENCE or FENCE not in lines[1:]:
        raise CatalogueError(f"{path}:1: the file must begin with front matter between two lines of ---")
    end = lines.index(FENCE, 1)
    try:
        front = yaml.load("\n".join(lines[1:end]), _Loader)  # noqa: S506 - ours is a safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise CatalogueError(f"{path}:{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise CatalogueError(f"{path}:1: the front matter holds a control character") from error
    if not isinstance(front, dict):
        raise CatalogueError(f"{path}:2: the front matter must be `key: value` lines")
    return _File(path, lines, end, front)


def _decode(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogueError(f"{path}:{line}: the file must be UTF-8") from error


def _check(file: _File, answer: AnswerText) -> None:
    if answer.slug != file.path.stem:
        raise file.fault(f"the slug {answer.slug!r} is not the file's name", "slug")
    if answer.line not in (*LINES, NONE):
        raise file.fault(f"there is no line {answer.line!r}", "line")
    if answer.topic not in (*TOPICS[answer.line], GENERAL):
        raise file.fault(f"the line {answer.line!r} has no topic {answer.topic!r}", "topic")
    if unknown := sorted(str(key) for key in file.front if key not in AnswerText.__slots__):
        raise file.fault(f"unknown key {unknown[0]!r}", unknown[0])
    used = set(names_in(answer.body))
    if strange := sorted(used - PLACEHOLDERS.keys()):
        raise file.body_fault(f"unknown placeholder {strange[0]!r}", strange[0])
    if used != set(answer.placeholders):
        raise file.fault(f"`placeholders` must list exactly {sorted(used)}", "placeholders")
    if not answer.body:
        raise file.body_fault("there is no text", "")


def _text(file: _File, name: str) -> str:
    value = file.front.get(name)
    if not isinstance(value, str) or not value.strip():
        raise file.fault(f"`{name}` must be a text", name)
    return value.strip()


def _list(file: _File, name: str) -> tuple[str, ...]:
    value = file.front.get(name, [])
    if not isinstance(value, list):
        raise file.fault(f"`{name}` must be a list", name)
    for item in value:
        # YAML reads a bare `no` as false.
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise file.fault(f"`{name}` holds {item!r}, which is no text: write it in quotes", name)
    return tuple(str(item) for item in value)


def _date(file: _File, name: str) -> dt.date:
    try:
        return dt.date.fromisoformat(str(file.front.get(name)))
    except ValueError:
        raise file.fault(f"`{name}` must be a date such as 2026-11-23", name) from None


def _public(file: _File) -> bool:
    value = file.front.get("public", False)
    if not isinstance(value, bool):
        raise file.fault("`public` must be true or false", "public")
    return value
