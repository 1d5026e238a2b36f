"""The supervisor's page about the answers: are they of use, which are missing, which nobody sends."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape

import pytest
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.desk.answer_uses import AnswerUse, MissingAnswer
from helpdesk.desk.answers import Answer
from helpdesk.desk.message import Message
from helpdesk.desk.suggestions import Suggestion
from tests.desk import Desk
from tests.mails import mail
from tests.web.conftest import Person, check_page

PAGE = "/respuestas-medidas"
HOSTILE = "<script>alert(1)</script> {{config}} {{7*7}} {% x %} ${x} 100% %(x)s"


@pytest.fixture
def number(desk: Desk) -> str:
    """A ticket."""
    desk.file(mail("¿Cómo obtengo la tarjeta del migrante retornado?", subject="Tarjeta"))
    return desk.tickets()[0].number


def rows(page: str, caption: str) -> dict[str, list[str]]:
    """The cells of a table by the words of each row's head."""
    (table,) = re.findall(rf"<caption>{re.escape(caption)}</caption>(.*?)</table>", page, re.DOTALL)
    found = {}
    for head, cells in re.findall(r'<tr[^>]*><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL):
        found[unescape(re.sub("<[^>]+>", "", head))] = re.findall(r"<td>([^<]*)</td>", cells)
    return found


def tiles(page: str) -> list[str]:
    """The four large figures."""
    return re.findall(r"<p><b>([^<]*)</b>", page)


def use_the_first(agent: Person, desk: Desk, number: str) -> Answer:
    """Send the answer that is offered first, as it is."""
    page = agent.get(f"/atenciones/{number}").text
    slug = re.findall(r'data-answer="([^"]+)"', page)[0]
    page = agent.get(f"/atenciones/{number}?respuesta={slug}").text
    text = re.search(r'<textarea id="texto"[^>]*>([^<]*)</textarea>', page)
    assert text is not None
    fields = dict(re.findall(r'name="(clave|visto|respuesta)" value="([^"]*)"', page))
    agent.post(f"/atenciones/{number}/respuesta", **fields, texto=unescape(text[1]))
    with desk.sessions() as session:
        return session.scalars(select(Answer).where(Answer.slug == slug, Answer.language == "es")).one()


def test_only_supervisors_see_the_figures_and_tidy_the_list(agent: Person, desk: Desk, number: str) -> None:
    agent.post(f"/atenciones/{number}/ninguna", falta="Algo")
    with desk.sessions() as session:
        entry = session.scalars(select(MissingAnswer)).one().id
    assert "no tiene permiso" in agent.get(PAGE, 403).text
    agent.post(f"{PAGE}/faltantes/{entry}", 403)
    assert PAGE not in agent.get("/respuestas").text
    with desk.sessions() as session:
        assert session.scalars(select(MissingAnswer)).one().done_at is None


def test_before_anything_was_sent_the_page_says_so(supervisor: Person) -> None:
    page = supervisor.get(PAGE).text
    assert tiles(page) == ["–", "–", "–", "pocos datos"]
    assert "Todavía no se ofreció ni se envió ninguna en este tiempo." in page
    assert "Nadie echó de menos ninguna." in page
    assert set(rows(page, "Por línea")["Todas"]) == {"0", "–", "pocos datos"}
    assert PAGE in supervisor.get("/respuestas").text


def test_an_answer_that_was_sent_as_it_is_is_counted(
    agent: Person, supervisor: Person, desk: Desk, number: str
) -> None:
    answer = use_the_first(agent, desk, number)
    page = supervisor.get(PAGE).text
    assert tiles(page)[:3] == ["100 %", "100 %", "0 %"]
    assert "de 1 veces que se ofreció" in page
    assert rows(page, "Por respuesta")[answer.title] == ["1", "1", "1", "0 %", "0", "pocos datos"]
    assert rows(page, "Por línea")["Todas"][:7] == ["1", "100 %", "100 %", "0", "1", "1", "0 %"]
    unused = page.split("Nadie las envió en este tiempo")[1]
    assert f"/respuestas/{answer.slug}?" not in unused
    assert "/respuestas/retorno-vehiculo?" in unused
    assert "Enviada 1 vez" in supervisor.get(f"/respuestas/{answer.slug}").text


def test_only_the_chosen_time_counts(agent: Person, supervisor: Person, desk: Desk, number: str) -> None:
    answer = use_the_first(agent, desk, number)
    before = dt.timedelta(days=40)
    with desk.sessions.begin() as session:
        for use in session.scalars(select(AnswerUse)):
            use.at -= before
            session.get_one(Message, use.reply_id).at -= before
        for suggestion in session.scalars(select(Suggestion)):
            assert suggestion.outcome_at is not None
            suggestion.outcome_at -= before
    for days, chosen, seen in [("7", 7, False), ("90", 90, True), ("", 30, False), ("1e9", 30, False)]:
        page = supervisor.get(f"{PAGE}?dias={days}").text
        assert f'<option value="{chosen}" selected>' in page
        assert (answer.title in rows(page, "Por respuesta")) == seen
    for odd in ("-1", "99999999999999999999", "{{7*7}}", "<script>"):
        assert '<option value="30" selected>' in supervisor.get(f"{PAGE}?dias={odd}").text


def test_what_is_missing_is_listed_in_the_agents_words_and_taken_off(
    agent: Person, supervisor: Person, desk: Desk, number: str, rosa: User
) -> None:
    agent.get(f"/atenciones/{number}")
    agent.post(f"/atenciones/{number}/ninguna", falta=HOSTILE)
    with desk.sessions() as session:
        entry = session.scalars(select(MissingAnswer)).one()
    page = supervisor.get(PAGE).text
    (missing,) = re.findall(r'id="faltan">(.*?)</section>', page, re.DOTALL)
    assert HOSTILE in unescape(missing)
    assert "<script>alert" not in page
    for told in (number, "Ana Torres", f'href="/respuestas/nueva?falta={entry.id}"'):
        assert told in missing
    assert rows(page, "Por línea")["Todas"][3] == "1", "none of what was offered fitted"
    for _ in range(2):
        done = supervisor.post(f"{PAGE}/faltantes/{entry.id}")
        check_page(done)
        assert "Quitada de la lista." in done.text
        assert "Nadie echó de menos ninguna." in done.text
    with desk.sessions() as session:
        assert session.scalars(select(MissingAnswer)).one().done_by_id == rosa.id
    for unknown in ("999999", str(2**70), "abc"):
        supervisor.post(f"{PAGE}/faltantes/{unknown}", 404)


def test_titles_and_subjects_come_out_as_text(supervisor: Person, agent: Person, desk: Desk) -> None:
    desk.file(mail("¿Cómo obtengo la tarjeta del migrante retornado?", subject=HOSTILE))
    number = desk.tickets()[0].number
    answer = use_the_first(agent, desk, number)
    desk.file(mail("Otra cosa.", subject=HOSTILE, sender="otra@example.com"))
    agent.post(f"/atenciones/{desk.tickets()[1].number}/ninguna", falta="")
    with desk.sessions.begin() as session:
        for row in session.scalars(select(Answer).where(Answer.slug.in_((answer.slug, "retorno-vehiculo")))):
            row.title = HOSTILE
    page = supervisor.get(PAGE).text
    assert unescape(page).count(HOSTILE) == page.count("&lt;script&gt;alert(1)") >= 3
    assert "<script>alert" not in page
