"""Reading the template answers and notices from their Markdown files, with every fault named by file and line."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

try:  # libyaml's, where the wheel has it: ten times as quick
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # pragma: no cover - every wheel that we lock has it
    from yaml import SafeLoader  # type: ignore[assignment]

from templates import ANSWERS, NOTICES
from templates.answer import FAULTS, LANGUAGES, AnswerText, AttachedFile, faults_of, is_file_name
from templates.placeholders import names_in

FENCE = "---"
# These read better one item a line.
_BLOCKS = ("source", "questions")
_FRONT = (*(name for name in AnswerText.__slots__ if name not in ("attachments", "body")), "placeholders")


class CatalogueError(ValueError):
    """An answer file cannot be used; the message names file, line and what is wrong."""


@dataclass(frozen=True, slots=True)
class NoticeText:
    """An automatic mail as its file says it."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from a folder: the answers that can be used, and a sentence for each file that cannot."""

    answers: tuple[AnswerText, ...]
    faults: tuple[str, ...]


def file_name(slug: str, language: str) -> str:
    """What the file of an answer is called: the language stands in the name unless it is Spanish."""
    return f"{slug}.md" if language == LANGUAGES[0] else f"{slug}.{language}.md"


def answer_files(folder: Path = ANSWERS) -> list[Path]:
    """Every answer file below `folder`, in a stable order: those in Spanish first."""
    return sorted(folder.glob("*/*.md"), key=lambda path: (len(path.suffixes), path))


def read_answers(folder: Path = ANSWERS) -> Reading:
    """Every answer of `folder`. A file that is wrong is named, and keeps no other from being read."""
    answers: dict[tuple[str, str], tuple[Path, AnswerText]] = {}
    faults: list[str] = []
    for path in answer_files(folder):
        try:
            file = _read(path)
            answer = _answer_of(file)
            _check_among(file, answer, answers)
        except CatalogueError as error:
            faults.append(str(error))
        else:
            answers[answer.slug, answer.language] = (path, answer)
    return Reading(tuple(answer for _, answer in answers.values()), tuple(faults))


def _check_among(
    file: _File, answer: AnswerText, others: Mapping[tuple[str, str], tuple[Path, AnswerText]]
) -> None:
    """Raise CatalogueError for an answer that is there already, or that says otherwise in another language."""
    if (answer.slug, answer.language) in others:
        path = others[answer.slug, answer.language][0]
        raise file.fault(f"the slug {answer.slug!r} stands in {path} too", "slug")
    for (slug, _), (path, other) in others.items():
        if slug == answer.slug and (other.line, other.topic) != (answer.line, answer.topic):
            raise file.fault(f"`line` and `topic` must be those of {path}", "line")


def read_answer(path: Path) -> AnswerText:
    """One answer file. Raises CatalogueError."""
    return _answer_of(_read(path))


def _answer_of(file: _File) -> AnswerText:
    answer = AnswerText(
        slug=_text(file, "slug"),
        title=_text(file, "title"),
        line=_text(file, "line"),
        topic=_text(file, "topic"),
        language=_text(file, "language"),
        owner=_text(file, "owner"),
        source=_list(file, "source"),
        keywords=_list(file, "keywords"),
        questions=_list(file, "questions"),
        attachments=_attached(file),
        valid_from=_date(file, "valid_from"),
        review_by=_date(file, "review_by"),
        public=_public(file),
        body=file.body,
    )
    _check(file, answer)
    return answer


def as_file(answer: AnswerText) -> str:
    """The file of an answer, without its attachments: `read_answer` of it gives the same answer again."""
    front = {name: getattr(answer, name) for name in _FRONT}
    front["attachments"] = [file.name for file in answer.attachments]
    lines = [_yaml(name, list(value) if isinstance(value, tuple) else value) for name, value in front.items()]
    return f"{FENCE}\n{''.join(lines)}{FENCE}\n{answer.body}\n"


def write_answer(folder: Path, answer: AnswerText) -> Path:
    """Write an answer's file and its attachments below `folder`; returns the file. Raises OSError."""
    path = folder / answer.line / file_name(answer.slug, answer.language)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_file(answer), encoding="utf-8")
    beside = _beside(path)
    for file in answer.attachments:
        beside.mkdir(exist_ok=True)
        (beside / file.name).write_bytes(file.content)
    return path


def _beside(path: Path) -> Path:
    """The folder of an answer's attachments: each language has its own."""
    return path.with_name(path.name.removesuffix(".md"))


def _yaml(name: str, value: Any) -> str:
    block = isinstance(value, list) and value and name in _BLOCKS
    # What a reader of YAML might take for a line's end is written as an escape.
    plain = "".join(value).isprintable() if isinstance(value, list) else str(value).isprintable()
    dumped: str = yaml.safe_dump(
        {name: value}, allow_unicode=plain, width=10_000, default_flow_style=not block
    )
    return dumped if block else dumped.strip()[1:-1] + "\n"


def read_front(path: Path) -> tuple[dict[str, Any], str]:
    """The front matter of a file of ours, and the text below it. Raises CatalogueError."""
    file = _read(path)
    return file.front, file.body


def read_notice(name: str, language: str = LANGUAGES[0]) -> NoticeText:
    """The notice `templates/notices/NAME.md`, or its file in another language. Raises CatalogueError."""
    file = _read(NOTICES / file_name(name, language))
    return NoticeText(_text(file, "subject"), file.body)


class _Loader(SafeLoader):
    """YAML without dates: a date is read by us, so that a wrong one is named by its line."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML reads this class attribute as it is
        first: [(tag, shape) for tag, shape in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
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
    lines = re.split(r"\r\n|\r|\n", _decode(path))
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
    for fault in faults_of(answer):
        words = FAULTS[fault.code].format(fault.detail)
        raise file.body_fault(words, fault.detail) if fault.key == "body" else file.fault(words, fault.key)
    if file.path.name != file_name(answer.slug, answer.language):
        wanted = file_name(answer.slug, answer.language)
        raise file.fault(f"an answer {answer.slug!r} in {answer.language!r} must be called {wanted}", "slug")
    if unknown := sorted(str(key) for key in file.front if key not in (*_FRONT, "attachments")):
        raise file.fault(f"unknown key {unknown[0]!r}", unknown[0])
    if set(_list(file, "placeholders")) != set(answer.placeholders):
        raise file.fault(f"`placeholders` must list exactly {list(answer.placeholders)}", "placeholders")


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


def _attached(file: _File) -> tuple[AttachedFile, ...]:
    folder = _beside(file.path)
    names = _list(file, "attachments")
    if strange := [name for name in names if not is_file_name(name)]:
        raise file.fault(FAULTS["file_name"].format(strange[0]), "attachments")
    try:
        return tuple(AttachedFile(name, (folder / name).read_bytes()) for name in names)
    except OSError as error:
        raise file.fault(f"the file {error.filename} cannot be read", "attachments") from error


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
