"""One ticket as an agent sees it, and everything that can be done to it without JavaScript."""

from __future__ import annotations

import re

import pytest

from helpdesk.accounts.users import User
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from tests.desk import Desk
from tests.mails import mail
from tests.smtp_sink import Sink
from tests.web.conftest import Person


@pytest.fixture
def number(desk: Desk) -> str:
    """A ticket."""
    desk.file(mail())
    return desk.tickets()[0].number


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def composer(page: str) -> str:
    found = re.search(r'<textarea id="texto"[^>]*>([^<]*)</textarea>', page)
    assert found is not None
    return found[1]


def send(agent: Person, number: str, text: str, status: int = 200, **more: str):
    page = agent.get(f"/atenciones/{number}").text
    fields = {"texto": text, "clave": hidden(page, "clave"), "visto": hidden(page, "visto"), **more}
    return agent.post(f"/atenciones/{number}/respuesta", status, **fields)


def test_the_ticket_shows_thread_prediction_with_words_and_three_suggestions(
    agent: Person, number: str
) -> None:
    page = agent.get(f"/atenciones/{number}").text
    assert "quiero volver al Perú" in page
    assert re.search(r"<strong>[^<]+</strong> · \d+ %", page)
    assert re.search(r"<dt>Por</dt><dd><em>[^<]+</em>", page)
    assert page.count("data-answer=") == 3
    assert "Coincide en:" in page


def test_a_suggestion_becomes_an_editable_draft_with_one_click(agent: Person, number: str) -> None:
    page = agent.get(f"/atenciones/{number}").text
    link = re.search(r'href="([^"]+)" data-key="1"', page)
    assert link is not None
    text = composer(agent.get(link[1].replace("&amp;", "&").partition("#")[0]).text)
    assert text.startswith("Estimado/a Rosario Mamani:")
    assert text.endswith("Ana Torres  \nPerú Infomigra")


def test_a_reply_is_queued_and_can_be_undone_from_the_page(agent: Person, desk: Desk, number: str) -> None:
    page = send(agent, number, "Con gusto le explico.").text
    assert "Respuesta en camino." in page
    undo = re.search(r'action="(/atenciones/[^"]+/deshacer/\d+)"', page)
    assert undo is not None
    after = agent.post(undo[1]).text
    assert "Respuesta deshecha" in after
    assert composer(after) == "Con gusto le explico."
    assert desk.outgoing()[-1].state == OutgoingState.CANCELLED


def test_an_unfilled_placeholder_stops_the_sending_and_keeps_the_text(
    agent: Person, desk: Desk, number: str
) -> None:
    text = "Diríjase al consulado de {{consulado}}."
    page = send(agent, number, text, status=422).text
    assert "Falta completar: {{consulado}}" in page
    assert composer(page) == text
    assert "<title>Error:" in page
    assert [row for row in desk.outgoing() if not row.notice] == []


def test_a_second_post_of_the_same_form_sends_once(agent: Person, desk: Desk, number: str) -> None:
    page = agent.get(f"/atenciones/{number}").text
    fields = {"texto": "Hola.", "clave": hidden(page, "clave"), "visto": hidden(page, "visto")}
    for _ in range(2):
        agent.post(f"/atenciones/{number}/respuesta", **fields)
    assert len([row for row in desk.outgoing() if not row.notice]) == 1


def test_a_form_sent_again_with_another_text_is_not_dropped(agent: Person, desk: Desk, number: str) -> None:
    page = agent.get(f"/atenciones/{number}").text
    fields = {"texto": "Hola.", "clave": hidden(page, "clave"), "visto": hidden(page, "visto")}
    sent = agent.post(f"/atenciones/{number}/respuesta", **fields).text
    undo = re.search(r'action="(/atenciones/[^"]+/deshacer/\d+)"', sent)
    assert undo is not None
    agent.post(undo[1])
    after = agent.post(f"/atenciones/{number}/respuesta", 409, **{**fields, "texto": "Hola, corregido."}).text
    assert composer(after) == "Hola, corregido."
    again = {"texto": "Hola, corregido.", "clave": hidden(after, "clave"), "visto": hidden(after, "visto")}
    agent.post(f"/atenciones/{number}/respuesta", **again)
    assert sorted(row.state for row in desk.outgoing() if not row.notice) == ["cancelled", "ready"]


def test_T60_a_reply_written_before_another_message_came_is_shown_again(
    agent: Person, desk: Desk, number: str
) -> None:
    page = agent.get(f"/atenciones/{number}").text
    desk.file(mail("Ya no hace falta.", reply_to_id=desk.outgoing()[0].message_id))
    fields = {"texto": "Le explico.", "clave": hidden(page, "clave"), "visto": hidden(page, "visto")}
    after = agent.post(f"/atenciones/{number}/respuesta", 409, **fields).text
    assert "Ya no hace falta." in after
    assert composer(after) == "Le explico."
    send_again = {**fields, "visto": hidden(after, "visto")}
    agent.post(f"/atenciones/{number}/respuesta", **send_again)
    assert len([row for row in desk.outgoing() if not row.notice]) == 1


def test_send_and_close_closes_and_goes_to_the_next_ticket(agent: Person, desk: Desk, number: str) -> None:
    desk.file(mail("Otra consulta.", sender="otra@example.com", subject="La siguiente"))
    page = send(agent, number, "Listo.", cerrar="1").text
    assert "La siguiente" in page
    assert "Respuesta en camino." in page
    assert desk.tickets()[0].status == TicketStatus.CLOSED


def test_a_note_is_shown_as_a_note(agent: Person, number: str) -> None:
    page = agent.post(f"/atenciones/{number}/nota", texto="Llamar al consulado").text
    assert "Nota de Ana Torres" in page
    assert "Llamar al consulado" in page
    agent.post(f"/atenciones/{number}/nota", 422, texto=" ")


def test_assigning_is_in_the_history_with_who(agent: Person, desk: Desk, ana: User, number: str) -> None:
    page = agent.post(f"/atenciones/{number}/asignar", persona=str(ana.id)).text
    assert "Asignación: nadie → Ana Torres" in page
    agent.post(f"/atenciones/{number}/asignar", persona="")
    assert desk.tickets()[0].assignee is None
    agent.post(f"/atenciones/{number}/asignar", 404, persona="999")


def test_changing_the_line_changes_the_suggestions(agent: Person, desk: Desk, number: str) -> None:
    page = agent.post(f"/atenciones/{number}/linea", linea="foreigner").text
    assert desk.tickets()[0].line == "foreigner"
    assert desk.tickets()[0].line_by_agent
    first = re.search(r'data-answer="([^"]+)"', page)
    assert first is not None
    assert first[1].startswith("extranjero-")
    page = agent.post(f"/atenciones/{number}/linea", linea="no-existe").text
    assert "No existe la línea" in page


def test_closing_and_opening_again(agent: Person, desk: Desk, number: str) -> None:
    agent.post(f"/atenciones/{number}/estado", estado="closed")
    assert desk.tickets()[0].status == TicketStatus.CLOSED
    agent.post(f"/atenciones/{number}/estado", estado="open")
    assert desk.tickets()[0].status == TicketStatus.OPEN
    agent.post(f"/atenciones/{number}/estado", 400, estado="no-existe")


def test_a_closed_ticket_can_be_answered(agent: Person, desk: Desk, number: str) -> None:
    agent.post(f"/atenciones/{number}/estado", estado="closed")
    send(agent, number, "Una cosa más.")
    assert desk.tickets()[0].status == TicketStatus.WAITING


def test_an_unknown_ticket_is_not_found(agent: Person) -> None:
    assert "No encontramos" in agent.get("/atenciones/PI-1999-000001", 404).text


def test_html_mail_is_shown_sanitised_in_a_cage(agent: Person, desk: Desk) -> None:
    html = (
        '<p onclick="x()">Hola <b>mundo</b></p><script>alert(1)</script><img src="http://evil.example/x.png">'
    )
    desk.file(mail("Hola mundo", html=html))
    message = desk.tickets()[0].messages[0]
    frame = agent.get(f"/mensajes/{message.id}/formato")
    assert "<b>mundo</b>" in frame.text
    for bad in ("script>", "onclick", "evil.example"):
        assert bad not in frame.text
    policy = frame.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox")
    assert "default-src 'none'" in policy
    assert 'sandbox="allow-popups"' in agent.get(f"/atenciones/{desk.tickets()[0].number}").text


def test_T42_files_and_originals_are_downloads_only(agent: Person, desk: Desk) -> None:
    raw = mail(attachments=1)
    desk.file(raw)
    message = desk.tickets()[0].messages[0]
    for path in (f"/adjuntos/{message.attachments[0].id}", f"/correo/{message.raw_mail_id}/original.eml"):
        response = agent.get(path)
        assert response.mimetype == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in response.headers["Content-Security-Policy"]
    assert agent.get(f"/correo/{message.raw_mail_id}/original.eml").data == raw


def test_a_failed_delivery_is_seen_on_the_ticket(
    agent: Person, desk: Desk, smtp_sink: Sink, number: str
) -> None:
    desk.send()
    send(agent, number, "Hola.")
    desk.make_due()
    smtp_sink.answers.append("550 5.1.1 no such user")
    desk.send()
    page = agent.get(f"/atenciones/{number}").text
    assert "no se pudo entregar" in page
    assert "550 5.1.1" in page
    again = re.search(r'action="(/atenciones/[^"]+/reenviar/\d+)"', page)
    assert again is not None
    agent.post(again[1])
    assert desk.send() == 1
    assert "enviada" in agent.get(f"/atenciones/{number}").text
