"""The form of an answer: what somebody typed, kept as it was typed until it is right."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from helpdesk.desk.words import ANSWER_FAULTS_ES
from helpdesk.errors import AnswerRefused
from templates.answer import AnswerText, AttachedFile

_TEXTS = (
    "slug",
    "title",
    "line",
    "topic",
    "language",
    "owner",
    "valid_from",
    "review_by",
    "source",
    "keywords",
)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as they stand on the page; lists one item a line, keywords with commas between them."""

    slug: str
    title: str
    line: str
    topic: str
    language: str
    owner: str
    valid_from: str
    review_by: str
    source: str
    keywords: str
    questions: str
    body: str
    public: bool
    # When the draft was changed last, as the page knew it.
    seen: dt.datetime | None = None

    @classmethod
    def from_request(cls, values: MultiDict[str, str]) -> Form:
        """What was typed, with this house's line ends."""
        texts = {name: _clean(values.get(name, "")) for name in (*_TEXTS, "questions", "body")}
        texts["line"], _, topic = (
            texts["topic"].partition("/") if "/" in texts["topic"] else (texts["line"], "", "")
        )
        texts["topic"] = topic or texts["topic"]
        return cls(**texts, public="public" in values, seen=_instant(values.get("seen", "")))


def _clean(value: str) -> str:
    return value.replace("\r\n", "\n").replace("\x00", "").strip()


def _instant(value: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(value)
    except ValueError:
        return None


def form_of(text: AnswerText, seen: dt.datetime | None = None) -> Form:
    """The form of a text that there is."""
    return Form(
        slug=text.slug,
        title=text.title,
        line=text.line,
        topic=text.topic,
        language=text.language,
        owner=text.owner,
        valid_from=text.valid_from.isoformat(),
        review_by=text.review_by.isoformat(),
        source="\n".join(text.source),
        keywords=", ".join(text.keywords),
        questions="\n".join(text.questions),
        body=text.body,
        public=text.public,
        seen=seen,
    )


def text_from(form: Form, files: tuple[AttachedFile, ...]) -> AnswerText:
    """The answer that a form describes. Raises AnswerRefused for dates that are none."""
    return AnswerText(
        slug=form.slug,
        title=form.title,
        line=form.line,
        topic=form.topic,
        language=form.language,
        source=_items(form.source.split("\n")),
        owner=form.owner or "orientacion",
        valid_from=_date(form.valid_from, "valid_from"),
        review_by=_date(form.review_by, "review_by"),
        public=form.public,
        keywords=_items(form.keywords.replace("\n", ",").split(",")),
        questions=_items(form.questions.split("\n")),
        attachments=files,
        body=form.body,
    )


def _items(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.strip() for value in values if value.strip()))


def _date(value: str, name: str) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise AnswerRefused({name: ANSWER_FAULTS_ES["date"]}) from None
