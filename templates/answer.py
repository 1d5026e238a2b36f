"""A template answer, and the rules that every one keeps, whether it comes from a file or was written on a page."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from classifier import LINES, NONE, TOPICS
from templates.placeholders import PLACEHOLDERS, names_in

# The topic of an answer that fits every matter of its line.
GENERAL = "general"
# The first is the one that every answer has.
LANGUAGES = ("es", "en", "pt")
# What stands in addresses where a slug does.
PAGES = frozenset({"nueva", "buscar", "version", "archivo"})
# Attachments of one answer, together: many a mailbox takes no more than 10 MB, and base64 adds a third.
MAX_ATTACHED_BYTES = 5_000_000
# The mail, with greeting, closing and footer, stays below 20 KB: half of it is the page around the text.
MAX_BODY_BYTES = 7_000
MAX_TITLE = 120
MAX_ITEMS, MAX_ITEM = 40, 300

_SLUG = re.compile(r"(?=.{1,60}\Z)[a-z0-9]+(-[a-z0-9]+)*")
_FILE_NAME = re.compile(r"(?=.{1,100}\Z)[^\W_][\w ().,-]*\.[A-Za-z0-9]{2,5}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

# What can be wrong, in the words of whoever keeps the files; the pages have their own.
FAULTS = {
    "slug": "`slug` may hold small letters, digits and hyphens, 60 at most",
    "title": f"`title` must be one line of {MAX_TITLE} characters at most, without placeholders",
    "language": f"`language` must be one of {', '.join(LANGUAGES)}",
    "line": "there is no line {!r}",
    "topic": "the line has no topic {!r}",
    "placeholder": "unknown placeholder {!r}",
    "empty": "there is no text",
    "long": f"the text is longer than {MAX_BODY_BYTES} bytes: a mail must stay small",
    "control": "the text holds a control character",
    "public": "who reads it on the web fills in nothing: no placeholders",
    "dates": "`review_by` must be later than `valid_from`",
    "items": f"at most {MAX_ITEMS} items of {MAX_ITEM} characters",
    "file_name": "{!r} is no name for a file: letters, digits, blanks, dots",
    "files": f"the files weigh more than {MAX_ATTACHED_BYTES // 1_000_000} MB",
}


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file that goes out with an answer. In the catalogue it lies in a folder named after the answer."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class AnswerText:
    """A template answer in one language; `slug` and `language` together name it.

    `body` is Markdown with placeholders, without greeting and signature: those are the letter's (letter.py).
    `questions` are ways in which people ask for it; the ranking reads them, nobody is shown them.
    """

    slug: str
    title: str
    line: str
    topic: str
    language: str
    source: tuple[str, ...]
    owner: str
    valid_from: dt.date
    review_by: dt.date
    public: bool
    keywords: tuple[str, ...]
    questions: tuple[str, ...]
    attachments: tuple[AttachedFile, ...]
    body: str

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The placeholders that the text uses, in alphabetical order."""
        return tuple(sorted(names_in(self.body)))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an answer: the field, the code of `FAULTS`, and the value that it is about."""

    key: str
    code: str
    detail: str = ""


def faults_of(answer: AnswerText) -> Iterator[Fault]:
    """Everything that keeps an answer from being used."""
    used = answer.placeholders
    checks = (
        (bool(_SLUG.fullmatch(answer.slug)) and answer.slug not in PAGES, Fault("slug", "slug")),
        (_is_title(answer.title), Fault("title", "title")),
        (answer.language in LANGUAGES, Fault("language", "language")),
        (answer.line in (*LINES, NONE), Fault("line", "line", answer.line)),
        (answer.topic in (*TOPICS.get(answer.line, ()), GENERAL), Fault("topic", "topic", answer.topic)),
        (bool(answer.body), Fault("body", "empty")),
        (len(answer.body.encode("utf-8", "replace")) <= MAX_BODY_BYTES, Fault("body", "long")),
        (not _CONTROL.search(answer.body), Fault("body", "control")),
        (not (answer.public and used), Fault("public", "public")),
        (answer.valid_from < answer.review_by, Fault("review_by", "dates")),
        (sum(len(file.content) for file in answer.attachments) <= MAX_ATTACHED_BYTES, _FILES),
    )
    yield from (fault for fine, fault in checks if not fine)
    yield from (Fault("body", "placeholder", name) for name in used if name not in PLACEHOLDERS)
    lists = (("source", answer.source), ("keywords", answer.keywords), ("questions", answer.questions))
    yield from (Fault(key, "items") for key, items in lists if not _is_short(items))
    names = (file.name for file in answer.attachments)
    yield from (Fault("attachments", "file_name", name) for name in names if not is_file_name(name))


_FILES = Fault("attachments", "files")


def _is_title(title: str) -> bool:
    """One line without placeholders: a title is a heading, on the web and in letters of several answers."""
    one_line = len(title.splitlines()) == 1 and not _CONTROL.search(title)
    return one_line and len(title) <= MAX_TITLE and not names_in(title)


def _is_short(items: Sequence[str]) -> bool:
    return len(items) <= MAX_ITEMS and all(len(item) <= MAX_ITEM for item in items)


def is_file_name(name: str) -> bool:
    """Whether a file of an answer may be called so: nothing that a path or a header could trip over."""
    return bool(_FILE_NAME.fullmatch(name))
