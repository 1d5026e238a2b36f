"""The queue as an agent sees it."""

from __future__ import annotations

import pytest

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.sorting import change_line
from helpdesk.desk.ticket import Ticket, assign
from tests.desk import Desk
from tests.mails import mail
from tests.web.conftest import Person


def test_an_empty_queue_says_when_mail_was_last_read(agent: Person) -> None:
    page = agent.get("/bandeja").text
    assert "Nada por responder." in page
    assert "todavía no se ha leído ningún correo" in page


def test_tickets_show_who_what_line_and_how_long_they_wait(agent: Person, desk: Desk) -> None:
    desk.file(mail("Quiero volver con mi carro.", subject="Mi regreso"))
    page = agent.get("/bandeja").text
    for words in ("Rosario Mamani", "Mi regreso", "Quiero volver con mi carro.", "espera menos de 1 min"):
        assert words in page
    assert desk.tickets()[0].number in page


def test_each_line_is_a_view_with_its_count(agent: Person, desk: Desk, ana: User) -> None:
    desk.file(mail("Uno", subject="Asunto uno"), mail("Dos", subject="Asunto dos"))
    with desk.sessions.begin() as session:
        for ticket, line in zip(desk.tickets(), ("foreigner", None), strict=True):
            change_line(session, session.get_one(Ticket, ticket.id), line, now=utc_now(), actor=ana)
    foreigners, unsorted = (
        agent.get("/bandeja?linea=foreigner").text,
        agent.get("/bandeja?linea=unsorted").text,
    )
    assert "Asunto uno" in foreigners
    assert "Asunto dos" not in foreigners
    assert "Asunto dos" in unsorted
    assert "Asunto uno" not in unsorted
    assert agent.get("/bandeja").text.count('<b class="count">1</b>') == 2


def test_mine_and_nobodys_are_views(agent: Person, desk: Desk, ana: User) -> None:
    desk.file(mail("Uno", subject="Asunto uno"), mail("Dos", subject="Asunto dos"))
    with desk.sessions.begin() as session:
        assign(session, session.get_one(Ticket, desk.tickets()[0].id), ana, now=utc_now(), actor=ana)
    mine, nobodys = agent.get("/bandeja?asignada=me").text, agent.get("/bandeja?asignada=nobody").text
    assert "Asunto uno" in mine
    assert "Asunto dos" not in mine
    assert "Asunto dos" in nobodys


@pytest.mark.parametrize("words", ["rosario", "ASUNTO", "rosario@example.com", "PI-"])
def test_search_finds_by_name_subject_address_and_number(agent: Person, desk: Desk, words: str) -> None:
    desk.file(mail(subject="Asunto especial"))
    assert "Asunto especial" in agent.get(f"/bandeja?q={words}").text


def test_a_search_finds_a_ticket_wherever_it_stands(agent: Person, desk: Desk) -> None:
    desk.file(mail(subject="Ya cerrada"))
    number = desk.tickets()[0].number
    agent.post(f"/atenciones/{number}/estado", estado="closed")
    assert "Ya cerrada" not in agent.get("/bandeja").text
    assert "Ya cerrada" in agent.get(f"/bandeja?q={number}").text


def test_a_search_without_result_offers_to_take_it_back(agent: Person, desk: Desk) -> None:
    desk.file(mail())
    page = agent.get("/bandeja?q=%25").text
    assert "Nada coincide con" in page
    assert "Quitar la búsqueda" in page


@pytest.mark.parametrize(
    "query",
    [
        "linea='",
        "linea[]=1",
        "estado=';drop",
        "pagina=-1",
        "pagina=99999999999999999999",
        "q=%00",
        "asignada=1",
    ],
)
def test_T74_odd_addresses_show_the_queue(agent: Person, query: str) -> None:
    assert "Nada" in agent.get(f"/bandeja?{query}").text


def test_the_queue_comes_in_pages(agent: Person, desk: Desk) -> None:
    desk.file(*(mail(f"n {n}", subject=f"Asunto {n:03}", sender=f"p{n}@example.com") for n in range(51)))
    first, second = agent.get("/bandeja").text, agent.get("/bandeja?pagina=2").text
    assert "Asunto 000" in first
    assert "Siguientes" in first
    assert "Asunto 050" in second
    assert "Anteriores" in second


def test_T30_markup_in_subject_name_and_text_is_text(agent: Person, desk: Desk) -> None:
    desk.file(
        mail(
            "<script>alert(1)</script>",
            subject="<script>alert(2)</script>",
            sender='"<b>x</b>" <x@example.com>',
        )
    )
    page = agent.get("/bandeja").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(2)" in page
    assert "<b>x</b>" not in page


def test_a_mailbox_that_cannot_be_read_is_said_on_the_queue(agent: Person, desk: Desk) -> None:
    from helpdesk.desk.mailbox import Mailbox

    with desk.sessions.begin() as session:
        box = session.get_one(Mailbox, desk.mailbox_id)
        box.failures, box.error = 3, "the server refused the user"
    assert "no se puede leer" in agent.get("/bandeja").text
