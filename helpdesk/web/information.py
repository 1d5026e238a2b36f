"""What anybody may read: the public answers, word for word as they are sent, by line, with a search."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from sqlalchemy import select

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
    found = catalogue().current(session(), today()).search.find(query, language=language, limit=FOUND)
    public = {(row.slug, row.language): row for row in _published()}
    rows = [public[hit.slug, hit.language] for hit in found if (hit.slug, hit.language) in public]
    counts = {
        line: sum(row.line == line and row.language == language for row in public.values())
        for line in ADDRESSES
    }
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
    rows = [row for row in _published() if row.line == name and row.language == language]
    return render_template(
        "information/line.html", line=name, rows=rows, language=language, languages=LANGUAGES
    )


@information.get("/<line>/<slug>")
def answer(line: str, slug: str) -> str:
    """One answer, with its source and until when it was reviewed."""
    name, language = LINE_OF.get(line) or abort(404), language_asked()
    versions = {row.language: row for row in _published(slug) if row.line == name}
    row = versions.get(language) or next(iter(versions.values()), None) or abort(404)
    near = [
        other
        for other in _published()
        if other.topic == row.topic
        and other.line == row.line
        and other.language == row.language
        and other.slug != slug
    ]
    return render_template(
        "information/answer.html",
        answer=row,
        near=near,
        language=row.language,
        languages=[name for name in LANGUAGES if name in versions],
        today=today(),
    )


def _published(slug: str | None = None) -> list[Answer]:
    query = select(Answer).where(*published(today())).order_by(Answer.topic, Answer.title)
    if slug:
        query = query.where(Answer.slug == slug)
    return list(session().scalars(query))
