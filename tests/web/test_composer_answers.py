"""Answers in the composer: one letter of several, the preview, the palette, and why each one is offered."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from helpdesk.desk.answer_uses import MissingAnswer
from helpdesk.desk.answers import Answer, AnswerFile, approved_answer, keep_files
from helpdesk.desk.message import Message
from helpdesk.desk.suggestions import Suggestion
from helpdesk.web.answers import today
from templates.answer import AttachedFile
from tests.desk import Desk
from tests.mails import mail
from tests.outgoing import replies
from tests.smtp_sink import Sink
from tests.web.conftest import Person, check_page

CARD, VEHICLE = "retorno-tarjeta-migrante-retornado", "retorno-vehiculo"
HOSTILE = "<script>alert(1)</script> {% x %} ${x} %(x)s 100%"
ASKED = "¿Cómo obtengo la tarjeta del migrante retornado para volver?"
ALSO = "¿Puedo traer mi carro usado desde Italia al volver al Perú?"


@pytest.fixture
def number(desk: Desk) -> str:
    """A ticket that asks two things; its acknowledgement is out."""
    desk.file(mail(f"Buenas tardes.\n{ASKED}\n{ALSO}\nGracias.", subject="Retorno"))
    desk.send()
    return desk.tickets()[0].number


def answer(desk: Desk, slug: str, language: str = "es") -> Answer:
    with desk.sessions() as session:
        found = approved_answer(session, slug, language)
        assert found is not None
        _ = found.files
        return found


def fields(page: str) -> dict[str, Any]:
    """What the composer's form would send."""
    known = dict(re.findall(r'name="(clave|visto|abierto|respuesta)" value="([^"]*)"', page))
    known["archivo"] = re.findall(r'name="archivo" value="(\d+)" checked', page)
    return {**known, "texto": composer(page)}


def composer(page: str) -> str:
    found = re.search(r'<textarea id="texto"[^>]*>([^<]*)</textarea>', page)
    assert found is not None
    return unescape(found[1]).removeprefix("\n")


def search(agent: Person, **query: str) -> str:
    """What the palette gets: a piece of a page."""
    response = agent.client.get("/respuestas/buscar", query_string=query)
    assert response.status_code == 200
    assert "<html" not in response.text
    return response.text


def slugs(fragment: str) -> list[str]:
    return re.findall(r'data-slug="([^"]+)"', fragment)


def preview(agent: Person, number: str, form: dict[str, Any]) -> TestResponse:
    return agent.post(f"/atenciones/{number}/vista-previa", **form)


def with_file(desk: Desk, slug: str, name: str = "Guia.pdf") -> AnswerFile:
    """Give an answer a file."""
    with desk.sessions.begin() as session:
        row = approved_answer(session, slug)
        assert row is not None
        keep_files(session, row, [AttachedFile(name, b"%PDF-1.4 guia")])
    return answer(desk, slug).files[0]


def test_several_answers_make_one_letter(agent: Person, desk: Desk, number: str) -> None:
    query = "&".join(f"respuesta={slug}" for slug in (CARD, VEHICLE, CARD))
    page = agent.get(f"/atenciones/{number}?{query}").text
    text = composer(page)
    assert text.startswith("Estimado/a Rosario Mamani:\n\n")
    assert text.count("Estimado/a") == text.count("Atentamente,") == 1
    first, second = (
        f"**{answer(desk, slug).title}**\n\n{answer(desk, slug).body}" for slug in (CARD, VEHICLE)
    )
    assert f"{first}\n\n{second}\n\nAtentamente," in text
    assert fields(page)["respuesta"].split() == [f"{CARD}.es", f"{VEHICLE}.es"]


def test_a_letter_is_written_in_the_language_that_is_asked_for(
    agent: Person, desk: Desk, number: str, smtp_sink: Sink
) -> None:
    page = agent.get(f"/atenciones/{number}?respuesta={CARD}&idioma=pt").text
    assert answer(desk, CARD, "pt").body in composer(page)
    assert "Estimado/a" not in composer(page)
    assert fields(page)["respuesta"].split() == [f"{CARD}.pt"]
    assert '<html lang="pt-BR">' in preview(agent, number, fields(page)).text
    spanish = agent.get(f"/atenciones/{number}?respuesta={CARD}&idioma={{{{7*7}}}}").text
    assert answer(desk, CARD).body in composer(spanish)


@pytest.mark.parametrize("path", ["?respuesta=", "/borrador/"])
def test_only_an_approved_answer_goes_into_a_letter(
    agent: Person, desk: Desk, number: str, path: str
) -> None:
    with desk.sessions.begin() as session:
        for row in session.scalars(select(Answer).where(Answer.slug == VEHICLE)):
            row.status = "retired"
    for slug in ("no-existe", "%7B%7B7*7%7D%7D", VEHICLE):
        agent.get(f"/atenciones/{number}{path}{slug}", 404)
    agent.get(f"/atenciones/{number}{path}{CARD}")
    agent.get(f"/atenciones/PI-1999-000001{path}{CARD}", 404)


def test_a_draft_is_told_as_data_for_the_page(agent: Person, desk: Desk, number: str) -> None:
    file, wanted = with_file(desk, VEHICLE), answer(desk, VEHICLE)
    told = agent.get(f"/atenciones/{number}/borrador/{VEHICLE}").get_json()
    page = agent.get(f"/atenciones/{number}?respuesta={VEHICLE}").text
    assert told["letter"] == composer(page)
    assert told["section"] == f"**{wanted.title}**\n\n{wanted.body}"
    assert told["letter"][: told["cursor"]].endswith(wanted.body)
    assert told["letter"][told["cursor"] :].startswith("\n\nAtentamente,")
    assert told["key"] == f"{VEHICLE}.es"
    assert told["files"] == [{"id": file.id, "name": "Guia.pdf"}]


def test_the_files_that_are_left_ticked_go_along(
    agent: Person, desk: Desk, number: str, smtp_sink: Sink
) -> None:
    file, other = with_file(desk, VEHICLE), with_file(desk, CARD, "Otra.pdf")
    form = fields(agent.get(f"/atenciones/{number}?respuesta={VEHICLE}").text)
    assert form["archivo"] == [str(file.id)]
    refused = agent.post(f"/atenciones/{number}/respuesta", 422, **{**form, "archivo": str(other.id)})
    check_page(refused)
    assert "ya no es de la respuesta" in refused.text
    agent.post(f"/atenciones/{number}/respuesta", **form)
    desk.make_due()
    desk.send()
    (attached,) = smtp_sink.mails[-1].iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("Guia.pdf", b"%PDF-1.4 guia")


def test_none_of_them_clears_the_suggestions_and_says_what_is_missing(
    agent: Person, desk: Desk, number: str
) -> None:
    assert "data-answer=" in agent.get(f"/atenciones/{number}").text
    for wanted in (HOSTILE, "", "Cómo traer un caballo" + "o" * 600):
        response = agent.post(f"/atenciones/{number}/ninguna", falta=wanted)
        check_page(response)
    assert "Quien supervisa verá que falta una respuesta" in response.text
    assert "data-answer=" not in response.text
    assert "Ninguna respuesta se parece a este mensaje." in response.text
    assert "<script>alert" not in response.text
    assert HOSTILE in unescape(response.text), "in the history"
    with desk.sessions() as session:
        entry = session.scalars(select(MissingAnswer)).one()
        assert entry.wanted.startswith("Cómo traer un caballo")
        assert len(entry.wanted) == 500
        assert set(session.scalars(select(Suggestion.outcome))) == {"discarded"}
    agent.post("/atenciones/PI-1999-000001/ninguna", 404, falta="x")


def test_the_preview_is_exactly_what_is_sent_and_stores_nothing(
    agent: Person, desk: Desk, number: str, smtp_sink: Sink
) -> None:
    form = fields(agent.get(f"/atenciones/{number}?respuesta={CARD}").text)
    form["texto"] += f"\r\n\r\n{HOSTILE} [x](javascript:alert(1)) <img src=x onerror=alert(1)>"
    shown = preview(agent, number, form)
    assert replies(desk) == []
    assert not re.search(r'<script|<img|href="javascript', shown.text)
    assert HOSTILE in unescape(shown.text)
    assert number in shown.text
    agent.post(f"/atenciones/{number}/respuesta", **form)
    desk.make_due()
    desk.send()
    html = smtp_sink.mails[-1].get_body(("html",))
    assert html is not None
    assert html.get_content().replace("\r\n", "\n").strip() == shown.text.strip()
    with desk.sessions() as session:
        assert session.get_one(Message, replies(desk)[0].reply_id).html == shown.text


def test_the_preview_can_do_nothing(agent: Person, stranger: Person, number: str) -> None:
    policy = preview(agent, number, {"texto": "Falta {{consulado}}."}).headers["Content-Security-Policy"]
    told = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert told["sandbox"] == [], "no scripts, no forms, no pop-ups"
    assert told["default-src"] == told["form-action"] == told["base-uri"] == ["'none'"]
    assert told["frame-ancestors"] == ["'self'"]
    assert not {"script-src", "img-src", "connect-src"} & set(told)
    agent.post("/atenciones/PI-1999-000001/vista-previa", 404, texto="Hola.")
    assert stranger.post(f"/atenciones/{number}/vista-previa", texto="Hola.").request.path == "/ingresar"


def test_the_palette_finds_by_words_and_leads_to_the_letter(agent: Person, desk: Desk, number: str) -> None:
    found = search(agent, q="traer vehicluo", atencion=number)
    assert slugs(found)[0] == VEHICLE
    assert f'href="/atenciones/{number}?respuesta={VEHICLE}#texto"' in found
    assert len(re.findall(r'role="option" id="hallada-(\d+)"', found)) == found.count('class="seen"') <= 12
    assert f'href="/respuestas/{VEHICLE}?idioma=es"' in search(agent, q="traer vehiculo")
    portuguese = search(agent, q="tarjeta migrante retornado", idioma="pt")
    assert f'data-slug="{CARD}" data-language="pt"' in portuguese
    for odd in ("zzzzqq", f"zzzzqq{HOSTILE}", "zzzzqq\x00", "z" * 5000):
        page = search(agent, q=odd, atencion=HOSTILE, idioma=HOSTILE)
        assert "Ninguna respuesta contiene esas palabras." in page
        assert "<script>" not in page
    assert "<script>" not in search(agent, q="vehiculo", atencion='"><script>alert(1)</script>')


def test_the_palette_begins_with_favourites_and_what_was_sent_last(
    agent: Person, supervisor: Person, number: str
) -> None:
    assert "Aquí estarán sus favoritas" in search(agent)
    agent.post(f"/respuestas/{VEHICLE}/favorita", favorita="1")
    form = fields(agent.get(f"/atenciones/{number}?respuesta={CARD}").text)
    agent.post(f"/atenciones/{number}/respuesta", **form)
    found = search(agent, q=" ")
    assert slugs(found) == [VEHICLE, CARD]
    assert found.count("★") == 1
    assert "Sus favoritas y las últimas que envió" in found
    assert slugs(search(supervisor)) == [], "everybody has their own"


def test_several_questions_are_shown_and_answered_in_one_letter(agent: Person, number: str) -> None:
    page = agent.get(f"/atenciones/{number}").text
    assert f"«{ASKED}»" in unescape(page)
    assert f"«{ALSO}»" in unescape(page)
    link = re.search(r'href="([^"#]+)#texto">Responder a sus 2 preguntas en una carta', page)
    assert link is not None
    letter = agent.get(unescape(link[1])).text
    assert len(fields(letter)["respuesta"].split()) == 2
    assert f"{VEHICLE}.es" in fields(letter)["respuesta"]
    assert composer(letter).count("Atentamente,") == 1


def test_a_question_of_the_person_comes_out_as_text(agent: Person, desk: Desk) -> None:
    asked = f"¿Puedo traer mi carro usado {HOSTILE} desde Italia al Perú?"
    desk.file(mail(f"{ASKED}\n{asked}", subject="Carro"))
    with desk.sessions.begin() as session:
        for row in session.scalars(select(Suggestion)):
            row.question, row.words = HOSTILE, [HOSTILE]
    page = agent.get(f"/atenciones/{desk.tickets()[0].number}").text
    assert f"«{HOSTILE}»" in unescape(page)
    assert f"Coincide en: {HOSTILE}" in unescape(page)
    assert "<script>alert" not in page


def test_each_suggestion_tells_why_it_is_offered(agent: Person, desk: Desk, number: str) -> None:
    with desk.sessions.begin() as session:
        row, other, *_ = session.scalars(select(Suggestion).order_by(Suggestion.rank))
        row.words, row.topic, row.sent = ["carro", "volver"], 0.42, 3
        row.answer.topic, row.answer.review_by = "vehicle", today() - dt.timedelta(days=2)
        other.words, other.topic, other.sent = [], 0.29, 0
        other.answer.review_by = today() + dt.timedelta(days=9)
        first, second = row.answer.slug, other.answer.slug
    items = re.findall(
        r'<li>\s*<a [^>]*data-answer="([^"]+)"(.*?)</li>', agent.get(f"/atenciones/{number}").text, re.S
    )
    why = {slug: " ".join(re.sub("<[^>]+>", " ", text).split()) for slug, text in items}
    assert "Coincide en: carro, volver." in why[first]
    assert "Trata de lo que se lee en el mensaje (vehículo, 42 %)." in why[first]
    assert "Se envió en 3 consultas parecidas." in why[first]
    assert "Revisión vencida." in why[first]
    for word in ("Coincide", "Trata de", "Se envió", "vencida"):
        assert word not in why[second]
    assert (today() + dt.timedelta(days=9)).strftime("Revisar antes del %d/%m/%Y.") in why[second]
