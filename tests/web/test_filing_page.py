"""A filing as the desk sees it: what people decide on its page, who may, and that every look is noted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.certificates.issuing import submit
from helpdesk.certificates.records import Constancia, Filing, FilingDraft, FilingLook, Inspection
from tests.desk import Desk
from tests.filings import contract_pdf, day, submission, worker
from tests.mails import mail
from tests.web.conftest import Person


def file(desk: Desk, **changed: Any) -> str:
    """File something; the number of its ticket."""
    with desk.sessions.begin() as session:
        result = submit(session, submission(**changed), desk.settings)
        assert result.filing is not None, result.reasons
        return result.filing.ticket.number


def file_minor(desk: Desk) -> str:
    return file(desk, workers=[worker(birth_date=day(-365 * 17))])


def constancia_of(desk: Desk) -> Constancia:
    with desk.sessions() as session:
        return session.scalars(select(Constancia)).one()


def state_of(desk: Desk) -> str:
    with desk.sessions() as session:
        return session.scalars(select(Filing)).one().state


def test_the_page_shows_what_was_declared_and_notes_the_look(agent: Person, desk: Desk, ana: User) -> None:
    number = file(desk)
    page = agent.get(f"/constancias/{number}").text
    for words in (
        "Agrícola de Prueba S.A.C.",
        "1000000001",
        "Ana María",
        "Ingeniera agrónoma",
        "contrato.pdf",
    ):
        assert words in page
    assert "Nadie todavía." in page
    agent.get(f"/constancias/{number}/contrato")
    again = agent.get(f"/constancias/{number}").text
    assert "el contrato" in again
    with desk.sessions() as session:
        looks = session.scalars(select(FilingLook).order_by(FilingLook.id)).all()
        assert [(look.user_id, look.what) for look in looks] == [
            (ana.id, "page"),
            (ana.id, "contract"),
            (ana.id, "page"),
        ]


def test_the_contract_and_the_document_are_downloads(agent: Person, desk: Desk) -> None:
    number, made = file(desk), constancia_of(desk)
    contract = agent.client.get(f"/constancias/{number}/contrato")
    assert contract.data == contract_pdf()
    assert contract.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in contract.headers["Content-Security-Policy"]
    pdf = agent.client.get(f"/constancias/{number}/documento.pdf?constancia={made.number}")
    assert pdf.data.startswith(b"%PDF-")
    assert (
        agent.client.get(f"/constancias/{number}/documento.pdf?constancia=CTMA-1999-000001").status_code
        == 404
    )


def test_a_person_registers_what_was_observed(agent: Person, desk: Desk) -> None:
    number = file_minor(desk)
    page = agent.get(f"/constancias/{number}").text
    assert "Una persona debe decidir" in page
    refused = agent.post(f"/constancias/{number}/registrar", motivo=" ").text
    assert "Escriba por qué se aprueba" in refused
    done = agent.post(f"/constancias/{number}/registrar", motivo="con permiso").text
    assert "La solicitud quedó registrada" in done
    assert constancia_of(desk).state == "valid"
    late = agent.post(f"/constancias/{number}/rechazar", motivo="tarde").text
    assert "No se puede pasar" in late


def test_a_person_refuses_and_the_filer_is_told(agent: Person, desk: Desk) -> None:
    number = file_minor(desk)
    agent.post(f"/constancias/{number}/rechazar", motivo="Falta el permiso de los padres.")
    assert state_of(desk) == "refused"
    assert "Falta el permiso de los padres." in desk.outgoing()[-1].content.decode()


def test_only_a_supervisor_annuls(agent: Person, supervisor: Person, desk: Desk) -> None:
    number, made = file(desk), constancia_of(desk)
    assert "Anular para siempre" not in agent.get(f"/constancias/{number}").text
    agent.post(f"/constancias/{number}/anular", 403, constancia=made.number, motivo="x")
    page = supervisor.post(
        f"/constancias/{number}/anular", constancia=made.number, motivo="el contrato era falso"
    ).text
    assert "Anulada" in page
    assert "el contrato era falso" in page
    assert "Anulada" in supervisor.get(f"/v/{made.code}").text


def test_a_copy_goes_only_to_the_addresses_of_the_filing(agent: Person, desk: Desk) -> None:
    number, made = file(desk), constancia_of(desk)
    before = len(desk.outgoing())
    refused = agent.post(f"/constancias/{number}/copia", constancia=made.number, a="otra@example.com").text
    assert "Solo se envía a los correos de la solicitud." in refused
    assert len(desk.outgoing()) == before
    agent.post(f"/constancias/{number}/copia", constancia=made.number, a="ana@example.com")
    sent = desk.outgoing()[-1]
    assert sent.recipient == "ana@example.com"
    assert f"{made.number}.pdf" in sent.content.decode()


def test_a_correction_begins_with_what_was_declared(agent: Person, desk: Desk) -> None:
    number = file(desk)
    page = agent.post(f"/constancias/{number}/correccion").text
    assert "¿Qué cambia?" in page
    with desk.sessions() as session:
        draft = session.scalars(select(FilingDraft)).one()
        assert draft.kind == "correction"
        assert draft.answers["workers"][0]["surnames"] == "Ejemplo Prueba"
    assert desk.outgoing()[-1].recipient == "rrhh@example.com"


def test_a_ticket_of_the_same_person_shows_the_filing(agent: Person, desk: Desk) -> None:
    number = file(desk)
    body = "Buenas tardes, no me llegó mi constancia, mi cédula es 1000000001."
    desk.file(mail(body, sender="Ana <otra@example.com>", subject="Mi constancia"))
    ticket = desk.tickets()[-1]
    page = agent.get(f"/atenciones/{ticket.number}").text
    assert f"/constancias/{number}" in page
    assert constancia_of(desk).number in page


def test_a_filing_is_a_ticket_with_its_history(agent: Person, desk: Desk) -> None:
    number = file(desk)
    page = agent.get(f"/atenciones/{number}").text
    assert "Constancia emitida" in page
    assert "esta atención" in page
    assert number not in agent.get("/bandeja").text
    minor = file(desk, workers=[worker(document_number="1000000007", birth_date=day(-365 * 17))])
    assert minor in agent.get("/bandeja").text


def test_the_draw_opens_tasks_that_are_decided_on_the_filings_page(
    agent: Person, supervisor: Person, desk: Desk
) -> None:
    number = file(desk)
    page = supervisor.get("/constancias/fiscalizacion").text
    assert "Todavía no se sorteó" in page
    semester = page.split('name="semestre" value="')[1][:6]
    agent.post("/constancias/fiscalizacion/sorteo", 403, semestre=semester)
    supervisor.post("/constancias/fiscalizacion/sorteo", 400, semestre="x")
    drawn = supervisor.post("/constancias/fiscalizacion/sorteo", semestre=semester).text
    assert "Salieron 1 de 1 solicitudes." in drawn
    assert number in agent.get("/constancias/fiscalizacion").text
    agent.post(f"/constancias/{number}/fiscalizacion", estado="in_progress")
    agent.post(f"/constancias/{number}/fiscalizacion", estado="conforming", hallazgos="Todo en orden.")
    assert "Todo en orden." in agent.get(f"/constancias/{number}").text
    with desk.sessions() as session:
        assert session.scalars(select(Inspection)).one().state == "conforming"


@pytest.mark.parametrize("what", ["", "/contrato", "/documento.pdf"])
def test_nobody_without_an_account_sees_a_filing(stranger: Person, desk: Desk, what: str) -> None:
    number = file(desk)
    response = stranger.client.get(f"/constancias/{number}{what}")
    assert response.status_code == 302
    assert "/ingresar" in response.headers["Location"]


def test_what_people_typed_is_text_on_every_page(agent: Person, desk: Desk) -> None:
    nasty = "<script>alert(1)</script>"
    number = file(desk, workers=[worker(surnames=nasty)], contract__occupation=nasty)
    for address in (f"/constancias/{number}", f"/atenciones/{number}"):
        page = agent.get(address).text
        assert nasty not in page
        assert "&lt;script&gt;" in page
