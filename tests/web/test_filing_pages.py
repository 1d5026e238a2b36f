"""The public filing, page by page as a person fills it in; without scripts, as a client that follows forms."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from helpdesk.certificates.records import Constancia, Filing, FilingDraft
from helpdesk.desk.ticket import Ticket
from tests.desk import Desk
from tests.filings import contract_pdf, tree
from tests.web.conftest import Person, check_page


class Filer:
    """Somebody who files: reads pages, fills forms in, reads the mail."""

    def __init__(self, app: Flask, desk: Desk) -> None:
        self.person, self.desk = Person(app.test_client()), desk
        self.page: TestResponse | None = None
        self.address = "/constancia/"

    def open(self, address: str, status: int = 200) -> str:
        """Look at a page."""
        response = self.person.client.get(address, follow_redirects=True)
        return self._seen(response, status)

    def send(self, fields: dict[str, Any], status: int = 200, to: str | None = None) -> str:
        """Fill in the page's form and send it."""
        token = re.search(r'name="csrf-token" content="([^"]+)"', self.text)
        assert token is not None
        response = self.person.client.post(
            to or self.address,
            data={**fields, "csrf_token": token[1]},
            content_type="multipart/form-data",
            follow_redirects=True,
        )
        return self._seen(response, status)

    def _seen(self, response: TestResponse, status: int) -> str:
        assert response.status_code == status, response.text[:3000]
        check_page(response)
        self.page, self.address = response, response.request.path
        return response.text

    @property
    def text(self) -> str:
        """The page that is open."""
        assert self.page is not None
        return self.page.text

    def mail_to(self, address: str) -> str:
        """The last mail to an address, as text."""
        row = [row for row in self.desk.outgoing() if row.recipient == address][-1]
        return row.content.decode()

    def begin(self, nationality: str = "COL", email: str = "rrhh@example.com") -> None:
        """As far as the first page that is kept."""
        self.open("/constancia/")
        self.send({"nacionalidad": nationality})
        self.send({"email": email})
        code = re.search(r"Subject: .*?(\d{6})", self.mail_to(email))
        assert code is not None
        self.send({"codigo": code[1]})

    def answer_all(self, whole: dict[str, Any], contract: bytes | None = None) -> str:
        """Every page from the first to the check."""
        employer = {key: value for key, value in whole["employer"].items() if key != "email"}
        self.send({**employer, "representative": ""})
        self.send(whole["employer"]["representative"])
        self.send({"category": whole["category"]})
        if whole["category_details"]:
            self.send(
                {key: "si" if value is True else value for key, value in whole["category_details"].items()}
            )
        self.open(self.address + "/1")
        self.send(form_of(whole["workers"][0]))
        for place, worker in enumerate(whole["workers"][1:], 2):
            self.open(self.address + f"/{place}")
            self.send(form_of(worker))
        self.send({})
        terms = whole["contract"]
        self.send(form_of({key: terms[key] for key in ("type", "signed", "start", "end", "occupation")}))
        place_keys = ("workplace_address", "workplace_ubigeo", "pay", "currency", "hours_per_week")
        self.send(form_of({key: terms[key] for key in place_keys}))
        self.send({"contract_file": (io.BytesIO(contract or contract_pdf()), "contrato.pdf")})
        return self.send({key: "si" for key, value in whole["declarations"].items() if value})


def form_of(answers: dict[str, Any]) -> dict[str, Any]:
    """Answers as a form sends them: dates in three fields."""
    sent: dict[str, Any] = {}
    for key, value in answers.items():
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            year, month, day = value.split("-")
            sent |= {f"{key}_dia": day, f"{key}_mes": month, f"{key}_anio": year}
        elif value is not None:
            sent[key] = str(value)
    return sent


@pytest.fixture
def filer(app: Flask, desk: Desk) -> Filer:
    """Somebody who files."""
    return Filer(app, desk)


def test_a_contract_is_filed_and_its_constancia_is_issued(filer: Filer, desk: Desk) -> None:
    filer.begin()
    check = filer.answer_all(tree())
    assert "Revise antes de presentar" in check
    assert "Agrícola de Prueba S.A.C." in check
    assert "Ingeniera agrónoma" in check
    page = filer.send({})
    assert "Contrato registrado" in page
    assert re.search(r"PI-\d{4}-\d{6}", page)
    with desk.sessions() as session:
        filing = session.scalars(select(Filing)).one()
        row = session.scalars(select(Constancia)).one()
        assert filing.state == "registered"
        assert filing.ticket.status == "closed"
        assert filing.ticket.channel == "constancia"
        assert (row.state, row.number[:5], row.ordinal) == ("valid", "CTMA-", 1)
        assert row.code
        number, code = row.number, row.code
    link = re.search(r'href="(/constancia/solicitud/[^"]+\.pdf)"', page)
    assert link is not None
    pdf = filer.person.client.get(link[1])
    assert pdf.status_code == 200
    assert pdf.data.startswith(b"%PDF-")
    assert number in filer.mail_to("rrhh@example.com")
    assert number in filer.mail_to("ana@example.com")
    verified = filer.person.client.get(f"/v/{code}")
    assert "Vigente" in verified.text
    assert "Ana" not in verified.text
    assert "1000000001" not in verified.text


def test_what_was_typed_is_kept_when_something_is_wrong(filer: Filer, desk: Desk) -> None:
    filer.begin()
    page = filer.send(
        {"ruc": "20131312954", "name": "Empresa de Prueba", "address": "x", "ubigeo": "Miraflores"}, 422
    )
    assert "Error: " in page
    assert "El RUC no es válido" in page or "Elija un distrito" in page
    assert 'value="20131312954"' in page
    assert 'value="Empresa de Prueba"' in page
    assert "Elija el distrito:" in page
    with desk.sessions() as session:
        assert session.scalars(select(FilingDraft)).one().answers["employer"]["name"] == "Empresa de Prueba"


def test_other_countries_are_turned_away_kindly_and_may_ask(filer: Filer, desk: Desk) -> None:
    filer.open("/constancia/")
    page = filer.send({"nacionalidad": "otra"})
    assert "SIVICE" in page
    assert "Migraciones" in page
    page = filer.send(
        {"email": "x@example.com", "name": "Persona de Prueba", "question": "¿Cómo contrato a un chileno?"}
    )
    assert "Recibimos su pregunta" in page
    with desk.sessions() as session:
        ticket = session.scalars(select(Ticket)).one()
        assert (ticket.channel, ticket.line, ticket.status) == ("web", "foreigner", "open")
