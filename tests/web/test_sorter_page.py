"""The page about the sorter, and what an agent sees and presses on a ticket."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from classifier import Model
from helpdesk.db import utc_now
from helpdesk.desk import models
from helpdesk.desk.learning import is_due
from helpdesk.desk.lessons import Lesson
from helpdesk.desk.models import SorterModel
from helpdesk.desk.sorting import Prediction
from helpdesk.desk.ticket import Ticket
from tests.core.test_models import add, file_of, small_model, use
from tests.desk import Desk
from tests.mails import mail
from tests.web.conftest import Person


@pytest.fixture(scope="module")
def two() -> tuple[Model, Model]:
    """Two small models."""
    return small_model(), small_model("gracias")


def register(desk: Desk, *made: Model) -> None:
    """Register models; the last one sorts."""
    for model in made:
        use(desk, add(desk, model))


def test_an_agent_does_not_see_it_and_a_supervisor_does(agent: Person, supervisor: Person) -> None:
    agent.get("/clasificador", 403)
    page = supervisor.get("/clasificador").text
    assert "Ninguno está registrado" in page
    assert "nadie ha confirmado" in page


def test_decisions_about_models_are_news_until_they_are_looked_at(
    supervisor: Person, desk: Desk, two: tuple[Model, Model]
) -> None:
    assert 'title="novedades"' not in supervisor.get("/bandeja").text
    register(desk, *two)
    assert 'title="novedades">2<' in supervisor.get("/bandeja").text
    page = supervisor.get("/clasificador").text
    assert page.count("nuevo</span>") == 2
    assert 'title="novedades"' not in supervisor.get("/bandeja").text


def test_one_click_goes_back_to_the_model_before(
    supervisor: Person, desk: Desk, two: tuple[Model, Model]
) -> None:
    register(desk, *two)
    page = supervisor.get("/clasificador").text
    assert "Volver a este modelo" in page
    after = supervisor.post(f"/clasificador/modelos/{two[0].id}/usar").text
    assert f"Desde ahora clasifica el modelo {two[0].id}." in after
    with desk.sessions() as session:
        chosen = models.in_use(session)
        assert chosen is not None
        assert chosen.id == two[0].id
        assert session.get_one(SorterModel, two[0].id).decided_by_id is not None


def test_a_model_that_cannot_be_used_is_refused_in_words(
    supervisor: Person, desk: Desk, two: tuple[Model, Model]
) -> None:
    register(desk, *two)
    file_of(desk, two[0].id).unlink()
    assert "no se puede usar" in supervisor.post(f"/clasificador/modelos/{two[0].id}/usar").text
    assert "no está registrado" in supervisor.post("/clasificador/modelos/nadie/usar").text
    supervisor.post("/clasificador/modelos/x%00y/usar", 400)


def test_a_training_can_be_asked_for(supervisor: Person, desk: Desk) -> None:
    assert "empieza en unos segundos" in supervisor.post("/clasificador/entrenar").text
    assert "Hay un entrenamiento en marcha." in supervisor.get("/clasificador").text
    with desk.sessions.begin() as session:
        assert is_due(session, utc_now())


def set_prediction(desk: Desk, *, abstained: bool) -> str:
    """One ticket whose prediction is known; returns its number."""
    desk.file(mail())
    (ticket,) = desk.tickets()
    with desk.sessions.begin() as session:
        row = session.get_one(Ticket, ticket.id)
        row.line = None if abstained else "return"
        found = session.scalars(select(Prediction)).one()
        found.label, found.probability, found.abstained = "return", 0.5, abstained
        found.probabilities = {"return": 0.5, "resident_abroad": 0.4, "none": 0.1}
        found.why = [["quiero volver", 1.2], ["Italia", -0.7]]
        found.signs = [["vivo_fuera", 0.4]]
    return ticket.number


def buttons(page: str) -> dict[str, str]:
    """The line behind each key of the page."""
    found = re.findall(r'name="linea" value="(\w+)"><button class="quiet" data-key="(\w)"', page)
    return {key: line for line, key in found}


def lessons(desk: Desk) -> list[Lesson]:
    with desk.sessions() as session:
        return list(session.scalars(select(Lesson)))


def test_one_key_confirms_and_the_reasons_stand_beside_it(agent: Person, desk: Desk) -> None:
    number = set_prediction(desk, abstained=False)
    page = agent.get(f"/atenciones/{number}").text
    assert buttons(page) == {"c": "return"}
    assert "<em>quiero volver</em>" in page
    assert "vive fuera del Perú" in page
    assert re.search(r"En contra</dt><dd><em>Italia</em>", page)
    after = agent.post(f"/atenciones/{number}/linea", linea="return").text
    assert "Decidida por una persona." in after
    assert buttons(after) == {}
    assert [lesson.label for lesson in lessons(desk)] == ["return"]


def test_in_doubt_the_two_likeliest_lines_are_one_key_each(agent: Person, desk: Desk) -> None:
    number = set_prediction(desk, abstained=True)
    page = agent.get(f"/atenciones/{number}").text
    assert "El clasificador duda." in page
    assert buttons(page) == {"c": "return", "v": "resident_abroad"}
    agent.post(f"/atenciones/{number}/linea", linea="resident_abroad")
    (lesson,) = lessons(desk)
    assert (lesson.label, lesson.predicted, lesson.abstained) == ("resident_abroad", "return", True)


def test_urgent_mail_comes_first_and_can_be_unmarked(agent: Person, desk: Desk) -> None:
    desk.file(mail("Primero."), mail("Segundo.", sender="b@example.com"))
    first, second = desk.tickets()
    agent.post(f"/atenciones/{second.number}/lectura", tipo="denuncia", urgencia="trafficking")
    queue = agent.get("/bandeja").text
    assert queue.index(second.number) < queue.index(first.number)
    assert "Posible trata de personas" in queue
    assert "Denuncia" in queue
    assert first.number not in agent.get("/bandeja?urgente=1").text
    unmarked = {"tipo": "denuncia", "urgencia": "", "urgencia_antes": "trafficking"}
    page = agent.post(f"/atenciones/{second.number}/lectura", **unmarked).text
    assert "Urgencia cambiada" in page
    queue = agent.get("/bandeja").text
    assert queue.index(first.number) < queue.index(second.number)


def test_a_page_from_before_the_mark_does_not_take_it_away(agent: Person, desk: Desk) -> None:
    desk.file(mail())
    (ticket,) = desk.tickets()
    with desk.sessions.begin() as session:
        session.get_one(Ticket, ticket.id).urgency = "detention"
    shown = {"tipo_antes": ticket.kind, "urgencia_antes": "", "urgencia": ""}
    agent.post(f"/atenciones/{ticket.number}/lectura", tipo="queja", **shown)
    assert (desk.tickets()[0].kind, desk.tickets()[0].urgency) == ("queja", "detention")


def test_a_kind_or_an_urgency_that_does_not_exist_changes_nothing(agent: Person, desk: Desk) -> None:
    desk.file(mail())
    (ticket,) = desk.tickets()
    assert "No existe el tipo" in agent.post(f"/atenciones/{ticket.number}/lectura", tipo="otro").text
    wrong = agent.post(f"/atenciones/{ticket.number}/lectura", tipo="queja", urgencia="otra").text
    assert "No existe el motivo" in wrong
    assert desk.tickets()[0].kind == ticket.kind
