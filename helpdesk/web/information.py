"""What anybody may read: the public answers, word for word as they are sent, by line, with a search."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from sqlalchemy import ColumnElement, func, select

from classifier import LINES, NONE
from helpdesk.desk.answers import Answer, published
from helpdesk.web.answers import SEARCHED, today
from helpdesk.web.session import catalogue, session
from templates.answer import LANGUAGES

information = Blueprint("information", __name__, url_prefix="/informacion")

# A line in the address, as people say it.
ADDRESSES = {
    "abroad": "trabajar-en-el-extranjero",
    "return": "retornar-al-peru",
    "resident_abroad": "trabajo-en-el-extranjero",
    "foreigner": "extranjeros-en-el-peru",
    "none": "otros-tramites",
}
LINE_OF = {address: line for line, address in ADDRESSES.items()}
FOUND = 30


@information.app_template_filter("line_address")
def line_address(line: str) -> str:
    """The part of an address that names a line."""
    return ADDRESSES[line]


def language_asked() -> str:
    """The language of the page's answers: `?idioma=`, else Spanish."""
    wanted = request.args.get("idioma", LANGUAGES[0])
    return wanted if wanted in LANGUAGES else LANGUAGES[0]


@information.get("/")
def show() -> str:
    """The lines, and what a search found in all of them."""
    query, language = request.args.get("q", "").strip()[:SEARCHED], language_asked()
    known = catalogue().current(session(), today())
    found = known.search.find(query, language=language, limit=FOUND)
    rows = [row for row in known.rows(session(), ((hit.slug, hit.language) for hit in found)) if row.public]
    counted = select(Answer.line, func.count()).where(*published(today()), Answer.language == language)
    counts = dict.fromkeys(ADDRESSES, 0)
    for line, count in session().execute(counted.group_by(Answer.line)):
        counts[line] = count
    return render_template(
        "information/start.html",
        lines=(*LINES, NONE),
        counts=counts,
        query=query,
        rows=rows,
        language=language,
        languages=LANGUAGES,
    )


@information.get("/<line>/")
def of_line(line: str) -> str:
    """The answers of a line, by topic."""
    name, language = LINE_OF.get(line) or abort(404), language_asked()
    rows = _published(Answer.line == name, Answer.language == language)
    return render_template(
        "information/line.html", line=name, rows=rows, language=language, languages=LANGUAGES
    )


@information.get("/<line>/<slug>")
def answer(line: str, slug: str) -> str:
    """One answer, with its source and until when it was reviewed."""
    name, language = LINE_OF.get(line) or abort(404), language_asked()
    versions = {row.language: row for row in _published(Answer.slug == slug, Answer.line == name)}
    row = versions.get(language) or next(iter(versions.values()), None) or abort(404)
    alike = (Answer.line == row.line, Answer.topic == row.topic, Answer.language == row.language)
    near = _published(*alike, Answer.slug != slug)
    return render_template(
        "information/answer.html",
        answer=row,
        near=near,
        language=row.language,
        languages=[name for name in LANGUAGES if name in versions],
        today=today(),
    )


def _published(*which: ColumnElement[bool]) -> list[Answer]:
    query = select(Answer).where(*published(today()), *which)
    return list(session().scalars(query.order_by(Answer.topic, Answer.title)))
