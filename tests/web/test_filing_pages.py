"""The public filing, page by page as a person fills it in; without scripts, as a client that follows forms."""

from __future__ import annotations

import gc
import io
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from helpdesk.certificates.records import Constancia, Filing, FilingDraft
from helpdesk.desk.ticket import Ticket
from helpdesk.web.session import SETTINGS
from tests.clamd import running_clamd
from tests.desk import Desk
from tests.filings import contract_pdf, day, tree, worker
from tests.hostile_files import EICAR
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
        self.send(form_of(whole["workers"][0]))
        for place, person in enumerate(whole["workers"][1:], 2):
            self.open(self.address + f"/{place}")
            self.send(form_of(person))
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
    assert "¿Cuál de estos es?" in page
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


HOSTILE = {
    "thirty megabytes": ("contrato.pdf", b"%PDF-1.7\n" + bytes(30_000_000) + b"%%EOF", "más de 5 MB"),
    "a program": ("contrato.pdf", b"MZ" + bytes(200), "no es un PDF ni una foto"),
    "a page": ("contrato.pdf", b"<html><script>alert(1)</script></html>", "no es un PDF ni una foto"),
    "nothing": ("contrato.pdf", b"", "Adjunte el contrato firmado"),
}


def to_the_file(filer: Filer) -> None:
    """As far as the page that asks for the contract."""
    whole = tree()
    filer.begin()
    filer.send(
        {key: value for key, value in whole["employer"].items() if key not in ("email", "representative")}
    )
    filer.open(filer.address.rsplit("/", 1)[0] + "/archivo")


# The test client itself leaves the file open in which it keeps a large form.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_contract_is_refused_with_a_sentence_and_nothing_is_lost(
    filer: Filer, desk: Desk, name: str
) -> None:
    to_the_file(filer)
    file_name, content, sentence = HOSTILE[name]
    page = filer.send({"contract_file": (io.BytesIO(content), file_name)}, 422)
    assert sentence in page
    with desk.sessions() as session:
        draft = session.scalars(select(FilingDraft)).one()
        assert draft.contract_sha256 is None
        assert draft.answers["employer"]["name"] == "Agrícola de Prueba S.A.C."
    gc.collect()


@pytest.mark.needs("clamd")
def test_a_virus_in_the_contract_is_refused_by_the_real_scanner(
    app: Flask, filer: Filer, tmp_path: Path
) -> None:
    (tmp_path / "clamd").mkdir()
    with running_clamd(tmp_path / "clamd") as address:
        app.extensions[SETTINGS] = app.extensions[SETTINGS].model_copy(update={"clamav": address})
        to_the_file(filer)
        infected = contract_pdf().replace(b"%%EOF", b"%" + EICAR + b"\n%%EOF")
        page = filer.send({"contract_file": (io.BytesIO(infected), "contrato.pdf")}, 422)
        assert "contiene un virus" in page
        filer.send({"contract_file": (io.BytesIO(contract_pdf()), "contrato.pdf")})
        assert "Recibido: contrato.pdf" in filer.open(filer.address.rsplit("/", 1)[0] + "/archivo")


def test_the_code_is_good_for_five_tries_and_not_for_somebody_elses_draft(filer: Filer) -> None:
    filer.open("/constancia/")
    filer.send({"nacionalidad": "BOL"})
    filer.send({"email": "rrhh@example.com"})
    code = re.search(r"Subject: .*?(\d{6})", filer.mail_to("rrhh@example.com"))
    assert code is not None
    wrong = "000000" if code[1] != "000000" else "111111"
    for _ in range(5):
        assert "El código no es el que enviamos" in filer.send({"codigo": wrong}, 422)
    assert "El código no es el que enviamos" in filer.send({"codigo": code[1]}, 422)


def test_a_link_that_we_did_not_make_opens_nothing(filer: Filer) -> None:
    for address in ("tramite/1-" + "a" * 26, "codigo/1-" + "a" * 26, "solicitud/1-" + "a" * 26, "tramite/x"):
        filer.open(f"/constancia/{address}", 404)


def test_who_typed_somebody_elses_address_never_gets_the_drafts_link(filer: Filer, desk: Desk) -> None:
    filer.open("/constancia/")
    filer.send({"nacionalidad": "BOL"})
    filer.send({"email": "rrhh@example.com"})
    asking = filer.address
    assert "/constancia/codigo/" in asking
    filer.open(asking.replace("/codigo/", "/tramite/"), 404)
    assert "/constancia/" not in filer.mail_to("rrhh@example.com")  # the code alone leads nowhere


def test_an_observed_filing_is_put_right_by_its_link(filer: Filer, desk: Desk) -> None:
    filer.begin()
    young = tree(workers=[worker(birth_date=day(-365 * 17))])
    filer.answer_all(young)
    page = filer.send({})
    assert "Solicitud observada" in page
    assert "menor de 18 años" in page
    receipt = filer.address
    filer.send({}, to=f"{receipt}/corregir")
    filer.open(re.sub(r"/[^/]+$", "/personas/1", filer.address))
    filer.send(form_of(young["workers"][0] | {"birth_date": "1990-05-20"}))
    secret = filer.address.split("/")[3]
    filer.open(f"/constancia/tramite/{secret}/declaraciones")
    filer.send(dict.fromkeys(young["declarations"], "si"))
    page = filer.send({})
    assert "Contrato registrado" in page
    with desk.sessions() as session:
        assert len(session.scalars(select(Filing)).all()) == 1
        assert session.scalars(select(Constancia)).one().state == "valid"


def test_what_follows_begins_at_the_filings_link(filer: Filer, desk: Desk) -> None:
    filer.begin()
    filer.answer_all(tree(contract__start=day(-3)))
    filer.send({})
    receipt = filer.address
    assert "Registrado: Duplicado" in filer.send({"tramite": "duplicate"}, to=f"{receipt}/tramite")
    filer.open(receipt)
    filer.send({"tramite": "end"}, to=f"{receipt}/tramite")
    tomorrow, yesterday = form_of({"ended_on": day(1)}), form_of({"ended_on": day(-1)})
    assert "entre el inicio del contrato y hoy" in filer.send(tomorrow, 422)
    assert "Registrado: Término del contrato" in filer.send(yesterday)
    assert "Vencida" in filer.open(receipt)
    filer.send({"tramite": "extension"}, to=f"{receipt}/tramite")
    assert "¿Qué cambia?" in filer.text


def test_a_page_that_was_open_for_days_loses_no_typing(filer: Filer, desk: Desk) -> None:
    filer.begin()
    filer.person.client.delete_cookie("infomigra")
    page = filer.send({"ruc": "1", "name": "Empresa de Prueba"}, 422)
    assert 'value="Empresa de Prueba"' in page
