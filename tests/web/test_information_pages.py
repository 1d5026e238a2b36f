"""The public pages: anybody reads the approved answers, word for word, with their source and date, and nothing else."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.answers import Answer, add_version, approved_answer, published
from helpdesk.desk.letters import letter_of, rendered_reply
from helpdesk.desk.lifecycle import AnswerState
from helpdesk.desk.ticket import Ticket
from helpdesk.web.answers import today
from helpdesk.web.information import ADDRESSES
from templates.answer import AnswerText
from templates.rendering import to_fragment
from tests.desk import Desk
from tests.web.conftest import Person

HOME = "/informacion/"
LINE = f"{HOME}retornar-al-peru/"
VEHICLE = f"{LINE}retorno-vehiculo"
SLUG = "caballos-de-paso"
PAGE = f"{LINE}{SLUG}"
HOSTILE = "<script>alert(1)</script> {{config}} {{7*7}} {% x %} ${x} 100% %(x)s"
DAY = dt.timedelta(days=1)


def write(desk: Desk, state: AnswerState = AnswerState.APPROVED, **changes: Any) -> None:
    """An answer about horses, public and valid unless it is said otherwise."""
    given: dict[str, Any] = {
        "slug": SLUG,
        "title": "Traer caballos de paso",
        "line": "return",
        "topic": "vehicle",
        "language": "es",
        "source": ("Ley 30001",),
        "owner": "secreto-del-equipo",
        "valid_from": today() - DAY,
        "review_by": today() + DAY,
        "public": True,
        "keywords": ("caballos",),
        "questions": ("secreto: como traigo mi yegua",),
        "attachments": (),
        "body": "Sí, puede traer **caballos**.\n\n1. Pida el permiso.\n2. Guárdelo.",
    }
    with desk.sessions.begin() as session:
        add_version(session, AnswerText(**{**given, **changes}), state, utc_now())


def listed(page: str) -> list[str]:
    """The addresses of the answers in a list, without their language."""
    (found,) = re.findall(r'<ul class="public-list">(.*?)</main>', page, re.DOTALL) or [""]
    return re.findall(r'href="([^"?]+)[^"]*" lang=', found)


def test_anybody_reads_without_an_account_and_without_a_cookie(stranger: Person) -> None:
    for path in (HOME, LINE, VEHICLE, f"{HOME}?q=carro", f"{VEHICLE}?idioma=en"):
        response = stranger.get(path)
        assert response.request.path == path.partition("?")[0], "not sent to the sign-in page"
        assert "Set-Cookie" not in response.headers
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert "csrf" not in response.text
        assert "/atenciones" not in response.text
    assert stranger.client.get_cookie("infomigra") is None
    assert stranger.get("/respuestas").request.path == "/ingresar", "the desk's own pages stay closed"


def test_every_line_lists_all_of_its_public_answers_and_nothing_else(stranger: Person, desk: Desk) -> None:
    start = stranger.get(HOME).text
    with desk.sessions() as session:
        public = list(session.scalars(select(Answer).where(*published(today()), Answer.language == "es")))
    assert len(public) > 24
    for line, address in ADDRESSES.items():
        wanted = {f"{HOME}{address}/{row.slug}" for row in public if row.line == line}
        found = listed(stranger.get(f"{HOME}{address}/").text)
        assert len(found) == len(wanted)
        assert set(found) == wanted
        count = re.search(rf'href="{HOME}{address}/"><strong>[^<]+</strong><small>(\d+) ', start)
        assert count is not None
        assert int(count[1]) == len(wanted)


def test_what_is_public_approved_and_valid_is_there(stranger: Person, desk: Desk) -> None:
    write(desk, valid_from=today())
    page = stranger.get(PAGE).text
    assert "<h1>Traer caballos de paso</h1>" in page
    assert "secreto" not in page, "neither the owner nor the questions are anybody's business"
    assert PAGE in listed(stranger.get(LINE).text)
    assert PAGE in listed(stranger.get(f"{HOME}?q=caballos").text)
    assert PAGE in listed(stranger.get(VEHICLE).text), "under what is about the same"


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (AnswerState.DRAFT, {}),
        (AnswerState.IN_REVIEW, {}),
        (AnswerState.RETIRED, {}),
        (AnswerState.APPROVED, {"public": False}),
        (AnswerState.APPROVED, {"valid_from": today() + 2 * DAY, "review_by": today() + 9 * DAY}),
    ],
)
def test_what_is_not_for_everybody_is_nowhere(
    stranger: Person, desk: Desk, state: AnswerState, changes: dict[str, Any]
) -> None:
    write(desk, state, **changes)
    stranger.get(PAGE, 404)
    for path in (LINE, f"{HOME}?q=caballos", VEHICLE):
        assert SLUG not in stranger.get(path).text


def test_a_retired_answer_disappears_at_once_also_from_a_search_that_knew_it(
    stranger: Person, desk: Desk
) -> None:
    write(desk)
    assert listed(stranger.get(f"{HOME}?q=caballos").text) == [PAGE]
    with desk.sessions.begin() as session:
        session.scalars(select(Answer).where(Answer.slug == SLUG)).one().status = AnswerState.RETIRED.value
    assert listed(stranger.get(f"{HOME}?q=caballos").text) == []
    assert SLUG not in stranger.get(LINE).text
    stranger.get(PAGE, 404)


def test_a_new_text_beside_the_approved_one_is_not_shown_before_it_is_approved(
    stranger: Person, desk: Desk
) -> None:
    write(desk)
    with desk.sessions.begin() as session:
        old = session.scalars(select(Answer).where(Answer.slug == SLUG)).one().as_text()
        new = replace(old, body="Todavía no", title="Todavía no")
        add_version(session, new, AnswerState.IN_REVIEW, utc_now())
    assert "Todavía no" not in stranger.get(PAGE).text + stranger.get(LINE).text


def test_the_text_is_word_for_word_what_is_sent(stranger: Person, desk: Desk) -> None:
    ticket, agent = Ticket(number="PI-2026-000001", subject="Mi carro"), User(name="Ana Torres")
    with desk.sessions() as session:
        answer = approved_answer(session, "retorno-vehiculo")
        assert answer is not None
        sent = rendered_reply(ticket, letter_of([answer], ticket, agent, utc_now()).text).html
    text = to_fragment(answer.body).strip()
    assert len(text) > 500
    assert text in sent
    assert text in stranger.get(VEHICLE).text


def test_source_and_dates_are_told_and_an_overdue_review_warns(stranger: Person, desk: Desk) -> None:
    write(desk, review_by=today(), source=("Ley 30001, artículo 3", HOSTILE))
    page = stranger.get(PAGE).text
    assert today().strftime("<dt>Revisada hasta el</dt><dd>%d/%m/%Y</dd>") in page
    assert (today() - DAY).strftime("<dt>Vigente desde</dt><dd>%d/%m/%Y</dd>") in page
    assert f"Ley 30001, artículo 3<br>{HOSTILE}" in unescape(page)
    assert "<script>" not in page
    assert "Confirme los datos" not in page
    with desk.sessions.begin() as session:
        row = session.scalars(select(Answer).where(Answer.slug == SLUG)).one()
        row.review_by, row.source = today() - DAY, []
    page = stranger.get(PAGE).text
    assert (today() - DAY).strftime("Debió revisarse antes del %d/%m/%Y. Confirme los datos") in page
    assert "Revisada hasta" not in page
    assert "<dt>Fuente</dt>" not in page


def test_an_answer_is_read_in_the_languages_that_it_has(stranger: Person, desk: Desk) -> None:
    write(desk)
    write(desk, language="pt", title="Trazer cavalos", body="Sim, pode.")
    page = stranger.get(f"{PAGE}?idioma=pt").text
    assert 'lang="pt">\n  <h1>Trazer cavalos</h1>' in page
    assert set(re.findall(r'hreflang="(\w+)"', page)) == {"es", "pt"}
    assert f'href="{PAGE}" hreflang="es"' in page
    for other in ("en", "qu", "{{7*7}}", "<script>"):
        assert "<h1>Traer caballos de paso</h1>" in stranger.get(f"{PAGE}?idioma={other}").text
    of_line = stranger.get(f"{LINE}?idioma=pt").text
    assert PAGE in listed(of_line)
    assert "Trazer cavalos" in of_line
    assert "Traer caballos" not in of_line
    found = stranger.get(f"{HOME}?q=cavalos&idioma=pt").text
    assert "Trazer cavalos" in found
    assert '<input type="hidden" name="idioma" value="pt">' in found


def test_a_line_without_answers_in_a_language_leads_to_spanish(stranger: Person, desk: Desk) -> None:
    with desk.sessions.begin() as session:
        for row in session.scalars(select(Answer).where(Answer.language == "pt", Answer.line == "return")):
            row.public = False
    page = stranger.get(f"{LINE}?idioma=pt").text
    assert "Todavía no hay respuestas en este idioma." in page
    assert f'<a href="{LINE}">Ver en español</a>' in page


def test_the_search_forgives_slips_and_says_when_there_is_nothing(stranger: Person) -> None:
    assert VEHICLE in listed(stranger.get(f"{HOME}?q=traer+vehicluo").text)
    for query in ("zzzzqq", HOSTILE, "%00zzzzqq", "z" * 5000):
        response = stranger.client.get(HOME, query_string={"q": query})
        assert response.status_code == 200
        assert "No encontramos nada con esas palabras." in response.text
        assert "<script>alert" not in response.text
    assert f"Resultados para «{HOSTILE}»" in unescape(
        stranger.client.get(HOME, query_string={"q": HOSTILE}).text
    )


def test_markup_in_an_answer_comes_out_as_text(stranger: Person, desk: Desk) -> None:
    write(desk, title=HOSTILE, body=f"{HOSTILE} [x](javascript:alert(1)) <img src=x onerror=alert(1)>")
    for path in (PAGE, LINE, VEHICLE, f"{HOME}?q=caballos"):
        page = stranger.get(path).text
        assert HOSTILE in unescape(page)
        assert not re.search(r'<script|<img src=x|href="javascript', page)


def test_what_there_is_not_is_not_found(stranger: Person) -> None:
    for path in (
        "marte/",
        "return/",
        "{{7*7}}/",
        "retornar-al-peru/no-existe",
        "retornar-al-peru/%3Cscript%3E",
        "extranjeros-en-el-peru/retorno-vehiculo",
    ):
        assert "<script>" not in stranger.get(f"{HOME}{path}", 404).text
