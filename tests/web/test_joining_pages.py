"""Merging, moving, splitting, linking and reviewing by the pages' own forms, without JavaScript."""

from __future__ import annotations

import re

import pytest

from helpdesk.db import utc_now
from tests.desk import Desk
from tests.mails import mail
from tests.web.conftest import Person

OTHER = "Otra Persona <otra@example.net>"


@pytest.fixture
def numbers(desk: Desk) -> list[str]:
    """Two tickets; the first has two messages."""
    desk.file(mail(message_id="<first@example.com>"))
    desk.file(mail("Algo más.", reply_to_id="<first@example.com>"), mail("De otra persona.", sender=OTHER))
    return [ticket.number for ticket in desk.tickets()]


def undo_address(page: str) -> str:
    found = re.search(r'action="([^"]+/historia/\d+/deshacer)"', page)
    assert found is not None
    return found[1]


def test_a_merge_by_the_last_digits_shows_where_everything_is_and_can_be_undone(
    agent: Person, numbers: list[str], desk: Desk
) -> None:
    first, second = numbers
    page = agent.post(f"/atenciones/{second}/unir", otra="1").text
    assert "Esta atención está unida a" in page
    assert f"/atenciones/{first}" in page
    assert 'id="texto"' not in page, "nobody answers on a ticket that is empty now"
    assert "De otra persona." in agent.get(f"/atenciones/{first}").text
    page = agent.post(undo_address(agent.get(f"/atenciones/{second}").text)).text
    assert "Deshecho." in page
    assert "De otra persona." in page
    assert len(desk.tickets()[0].messages) == 2


@pytest.mark.parametrize(
    "typed", ["99", "PI-2020-000001", "hola", "", "9" * 40, "PI-1-2-3", "<script>", "-1", "１"]
)
def test_a_number_that_is_none_is_refused_in_words(agent: Person, numbers: list[str], typed: str) -> None:
    page = agent.post(f"/atenciones/{numbers[0]}/unir", otra=typed).text
    assert "No hay una atención con el número" in page
    assert "<script>" not in page.split("<main", 1)[1]


def test_links_are_shown_on_both_pages(agent: Person, numbers: list[str]) -> None:
    agent.post(f"/atenciones/{numbers[0]}/enlazar", otra=numbers[1])
    for here, there in (numbers, reversed(numbers)):
        page = agent.get(f"/atenciones/{here}").text
        assert "Vea también" in page
        assert f'href="/atenciones/{there}"' in page


def test_a_message_is_moved_and_comes_back(agent: Person, numbers: list[str], desk: Desk) -> None:
    message = desk.tickets()[0].messages[1].id
    page = agent.post(f"/atenciones/{numbers[0]}/mover/{message}", otra=numbers[1]).text
    assert "Mensaje movido." in page
    assert "Algo más." not in page.split('class="thread"')[1].split("<aside")[0]
    assert "Algo más." in agent.get(f"/atenciones/{numbers[1]}").text
    agent.post(undo_address(page))
    assert "Algo más." in agent.get(f"/atenciones/{numbers[0]}").text


def test_a_message_is_split_off_into_a_ticket_of_its_own(
    agent: Person, numbers: list[str], desk: Desk
) -> None:
    message = desk.tickets()[0].messages[1].id
    page = agent.post(f"/atenciones/{numbers[0]}/separar/{message}").text
    assert "De aquí se separó" in page
    assert len(desk.tickets()) == 3
    agent.post(undo_address(page))
    assert len(desk.tickets()[0].messages) == 2


def test_another_tickets_message_cannot_be_named(agent: Person, numbers: list[str], desk: Desk) -> None:
    foreign = desk.tickets()[1].messages[0].id
    agent.post(f"/atenciones/{numbers[0]}/separar/{foreign}", 404)
    agent.post(f"/atenciones/{numbers[0]}/mover/{foreign}", 404, otra=numbers[1])
    assert [len(ticket.messages) for ticket in desk.tickets()] == [2, 1]


@pytest.mark.parametrize(
    ("decision", "said"), [("unir", "se unió a la atención"), ("aparte", "atención aparte")]
)
def test_a_strangers_mail_is_shown_with_both_choices(
    agent: Person, numbers: list[str], desk: Desk, decision: str, said: str
) -> None:
    desk.file(mail("Soy su hermana.", sender="hermana@example.org", subject=f"Re: [{numbers[0]}]"))
    assert re.search(r"Por revisar</span><b class=\"count\">1<", agent.get("/bandeja").text)
    view = agent.get("/bandeja?revisar=1").text
    third = desk.tickets()[2].number
    assert third in view
    assert numbers[1] not in view.split("titulo")[1]
    page = agent.get(f"/atenciones/{third}").text
    assert "Es de esa atención" in page
    assert "Es una atención aparte" in page
    assert said in agent.post(f"/atenciones/{third}/revision", decision=decision).text
    assert "Por revisar</h2>" not in agent.get(f"/atenciones/{third}").text
    agent.post(f"/atenciones/{third}/revision", 400, decision="otra")


def test_the_same_persons_other_tickets_are_one_click_away(agent: Person, desk: Desk) -> None:
    desk.file(mail("Una."), mail("Dos."))
    first, second = (ticket.number for ticket in desk.tickets())
    page = agent.get(f"/atenciones/{second}").text
    assert "De la misma persona" in page
    assert f'href="/atenciones/{first}"' in page


def test_a_merged_ticket_counts_once_for_the_supervisor(
    supervisor: Person, agent: Person, numbers: list[str], desk: Desk
) -> None:
    from helpdesk.reports.response_times import first_response

    agent.post(f"/atenciones/{numbers[1]}/unir", otra=numbers[0])
    with desk.sessions() as session:
        now = utc_now()
        figures = first_response(session, since=now.replace(year=2020), now=now, calendar=None)
    assert figures[-1].arrived == 1
