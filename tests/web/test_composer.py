"""The composer and what became of a reply, as an agent sees them, without JavaScript."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from helpdesk.db import utc_now
from helpdesk.desk import health
from helpdesk.desk.lifecycle import OutgoingState
from helpdesk.desk.outbox import Outgoing, hold_scheduled
from helpdesk.desk.ticket import Ticket, lock_ticket
from helpdesk.settings import LIMA
from tests.desk import Desk
from tests.mails import mail
from tests.outgoing import let_on, replies
from tests.smtp_sink import Sink
from tests.web.conftest import Person

TOMORROW = (utc_now().astimezone(LIMA) + dt.timedelta(days=1)).replace(second=0, microsecond=0)


@pytest.fixture
def number(desk: Desk) -> str:
    """A ticket whose acknowledgement is out."""
    desk.file(mail())
    desk.send()
    return desk.tickets()[0].number


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def send(agent: Person, number: str, text: str, status: int = 200, **more: Any) -> str:
    page = agent.get(f"/atenciones/{number}").text
    fields = {"texto": text, "clave": hidden(page, "clave"), "visto": hidden(page, "visto"), **more}
    return agent.post(f"/atenciones/{number}/respuesta", status, **fields).text


def copies(page: str) -> dict[str, bool]:
    """The people who can get a copy, and whether their box is ticked."""
    boxes = re.findall(r'name="copia" value="([^"]+)" (checked)?', page)
    return {address: bool(ticked) for address, ticked in boxes}


def action(page: str, verb: str) -> str:
    found = re.search(rf'action="(/atenciones/[^"]+/{verb}/\d+)"', page)
    assert found is not None
    return found[1]


def test_participants_are_offered_for_a_copy_and_each_ones_fate_is_shown(
    agent: Person, desk: Desk, number: str, smtp_sink: Sink
) -> None:
    assert "Con copia a" not in agent.get(f"/atenciones/{number}").text
    let_on(desk, "hijo@example.com", "nadie@example.com")
    page = agent.get(f"/atenciones/{number}").text
    assert copies(page) == {"hijo@example.com": True, "nadie@example.com": True}
    send(agent, number, "Hola.", copia=["hijo@example.com", "nadie@example.com"])
    smtp_sink.recipients = {"nadie@example.com": "550 5.1.1 no such user"}
    desk.make_due()
    assert desk.send() == 2
    page = agent.get(f"/atenciones/{number}").text
    (fates,) = re.findall(r'<ul class="deliveries">(.*?)</ul>', page, re.DOTALL)
    got, copied, refused = fates.split("<li>")[1:]
    assert "rosario@example.com" in got
    assert "enviada" in got
    assert "enviada" in copied
    assert "no se pudo entregar" in refused
    assert "550 5.1.1 no such user" in refused
    smtp_sink.recipients = {}
    agent.post(action(page, "reenviar"))
    assert desk.send() == 1
    assert {row.state for row in replies(desk)} == {OutgoingState.SENT}


def test_T59_with_many_participants_none_is_chosen_beforehand(agent: Person, desk: Desk, number: str) -> None:
    let_on(desk, *(f"p{n}@example.com" for n in range(11)))
    page = agent.get(f"/atenciones/{number}").text
    assert set(copies(page).values()) == {False}
    assert "Son muchas personas" in page


def test_T59_a_stranger_in_the_form_is_refused_and_the_choice_is_kept(
    agent: Person, desk: Desk, number: str
) -> None:
    let_on(desk, "hijo@example.com", "hija@example.com")
    page = send(agent, number, "Hola.", 422, copia=["hija@example.com", "extra@evil.example"])
    assert "No participa en esta atención: extra@evil.example" in page
    assert copies(page) == {"hijo@example.com": False, "hija@example.com": True}
    assert replies(desk) == []


def test_a_reply_is_scheduled_shown_sent_now_and_undone(agent: Person, desk: Desk, number: str) -> None:
    page = send(agent, number, "Hasta mañana.", salida=TOMORROW.strftime("%Y-%m-%dT%H:%M"))
    assert TOMORROW.strftime("La respuesta saldrá el %d/%m/%Y a las %H:%M") in page
    assert TOMORROW.strftime("Saldrá el %d/%m/%Y a las %H:%M") in page
    assert "data-undo-seconds" not in page, "no countdown for a day"
    assert replies(desk)[0].send_at == TOMORROW
    page = agent.post(action(page, "enviar-ahora")).text
    assert "Saldrá el" not in page
    assert replies(desk)[0].send_at <= utc_now() + dt.timedelta(seconds=desk.settings.undo_s)
    after = agent.post(action(page, "deshacer")).text
    assert "Hasta mañana.</textarea>" in after
    assert replies(desk)[0].state == OutgoingState.CANCELLED
    assert "no se puede deshacer" in agent.post(action(page, "deshacer")).text, "a second click is told so"


@pytest.mark.parametrize(
    ("hour", "sentence"),
    [
        ("mañana temprano", "Elija el día y la hora"),
        ("2026-13-45T99:99", "Elija el día y la hora"),
        ("2020-01-01T08:00", "La hora de salida ya pasó"),
        ("0001-01-01T00:00", "La hora de salida ya pasó"),
        ("9998-12-31T23:59", "dentro de los próximos 90 días"),
        ("9999-12-31T23:59", "Elija el día y la hora"),
        ("2026-11-24T08:00+05:00", "Elija el día y la hora"),
    ],
)
def test_an_hour_that_is_none_sends_nothing_and_keeps_the_text(
    agent: Person, desk: Desk, number: str, hour: str, sentence: str
) -> None:
    page = send(agent, number, "Hasta mañana.", 422, salida=hour)
    assert sentence in page
    assert "Hasta mañana.</textarea>" in page
    assert replies(desk) == []


def test_the_button_for_later_without_an_hour_sends_nothing(agent: Person, desk: Desk, number: str) -> None:
    assert "Elija el día y la hora" in send(agent, number, "Hola.", 422, programar="1")
    assert replies(desk) == []


def test_a_held_reply_is_offered_again_until_another_one_is_written(
    agent: Person, desk: Desk, number: str
) -> None:
    send(agent, number, "Hasta mañana.", salida=TOMORROW.strftime("%Y-%m-%dT%H:%M"))
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        lock_ticket(session, ticket)
        assert hold_scheduled(session, ticket, utc_now()) == 1
    page = agent.get(f"/atenciones/{number}").text
    assert "su respuesta programada no salió" in page
    link = re.search(r'href="([^"#]+\?retomar=\d+)', page)
    assert link is not None
    assert "Hasta mañana.</textarea>" in agent.get(link[1]).text
    send(agent, number, "Ahora sí.")
    assert "su respuesta programada no salió" not in agent.get(f"/atenciones/{number}").text


def test_a_reply_of_another_ticket_is_not_sent_now(agent: Person, desk: Desk, number: str) -> None:
    page = send(agent, number, "Hasta mañana.", salida=TOMORROW.strftime("%Y-%m-%dT%H:%M"))
    desk.file(mail("Otra.", sender="otra@example.com"))
    other = desk.tickets()[1].number
    agent.post(action(page, "enviar-ahora").replace(number, other), status=404)
    assert replies(desk)[0].send_at == TOMORROW


def test_T60_the_back_button_and_a_second_click_send_once(agent: Person, desk: Desk, number: str) -> None:
    page = agent.get(f"/atenciones/{number}").text
    fields = {"texto": "Hola.", "clave": hidden(page, "clave"), "visto": hidden(page, "visto")}
    for _ in range(3):
        agent.post(f"/atenciones/{number}/respuesta", **fields)
    assert len(replies(desk)) == 1
    agent.post(f"/atenciones/{number}/respuesta", 409, **{**fields, "texto": "Otra cosa."})
    assert len(replies(desk)) == 1


def test_a_mail_that_is_put_off_says_why_and_until_when(
    agent: Person, desk: Desk, number: str, smtp_sink: Sink
) -> None:
    send(agent, number, "Hola.")
    smtp_sink.recipients = {"rosario@example.com": "450 4.2.1 <b>greylisted</b>"}
    desk.make_due()
    desk.send()
    page = agent.get(f"/atenciones/{number}").text
    assert "El servidor pidió esperar (450 4.2.1 &lt;b&gt;greylisted&lt;/b&gt;)" in page
    assert "/deshacer/" not in page.split("<main")[1], "a server was asked to take it"


def test_a_bounce_of_one_recipient_is_shown_beside_that_one(agent: Person, desk: Desk, number: str) -> None:
    let_on(desk, "hijo@example.com")
    send(agent, number, "Hola.", copia=["hijo@example.com"])
    desk.make_due()
    desk.send()
    with desk.sessions.begin() as session:
        session.get_one(Outgoing, replies(desk)[1].id).bounced_at = utc_now()
    (fates,) = re.findall(
        r'<ul class="deliveries">(.*?)</ul>', agent.get(f"/atenciones/{number}").text, re.DOTALL
    )
    assert ["rebotó" in fate for fate in fates.split("<li>")[1:]] == [False, True]


def broken(desk: Desk, times: int = 3) -> None:
    with desk.sessions.begin() as session:
        for _ in range(times):
            health.note_trouble(session, health.SMTP, "credentials", "535 (motivo)", utc_now())


def test_every_agents_page_says_that_no_mail_leaves_and_a_supervisor_starts_it_again(
    agent: Person, supervisor: Person, desk: Desk, number: str
) -> None:
    assert 'class="alarm"' not in agent.get("/bandeja").text
    broken(desk)
    for path in ("/bandeja", f"/atenciones/{number}"):
        page = agent.get(path).text
        assert "rechaza nuestro usuario o contraseña" in page
        assert "hasta que un supervisor lo reanude" in page
        assert "/envio/reanudar" not in page
    agent.post("/envio/reanudar", status=403)
    assert "/envio/reanudar" in supervisor.get("/bandeja").text
    page = supervisor.post("/envio/reanudar").text
    assert "Se probará el envío" in page
    assert 'class="alarm"' not in page
    send(agent, number, "Hola.")
    desk.make_due()
    assert desk.send() == 1
    assert "no había nada que reanudar" in supervisor.post("/envio/reanudar").text


def test_a_stranger_sees_no_alarm(stranger: Person, desk: Desk) -> None:
    broken(desk)
    assert 'class="alarm"' not in stranger.get("/ingresar").text
