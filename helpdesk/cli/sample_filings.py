"""The demo's contract filings: made-up people, so that the register is not empty; one of them waits for a person."""

from __future__ import annotations

import datetime as dt
from typing import Any

import typst
from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.certificates.application import read_application
from helpdesk.certificates.contract_file import ContractFile, read_contract
from helpdesk.certificates.issuing import Submission, submit
from helpdesk.certificates.records import Filing, Source
from helpdesk.settings import LIMA, Settings

# Public examples of RUC numbers; the employers are made up.
EMPLOYERS = (
    ("20131312955", "Agrícola de Muestra S.A.C.", "Agricultura", "110101"),
    ("20512333797", "Textiles de Ejemplo S.A.", "Industria textil", "150101"),
)
PEOPLE = (
    ("COL", "cc", "1000000001", "Ejemplo", "Camila", "1992-03-14", "female", "Ingeniera agrónoma"),
    ("ECU", "cedula", "1710034065", "Muestra", "Andrés", "1988-07-02", "male", "Técnico de riego"),
    ("BOL", "ci", "1234567", "Modelo", "Lucía", "1999-11-23", "female", "Costurera"),
    ("BOL", "ci", "12345", "Joven", "Mateo", "2010-02-08", "male", "Ayudante"),
)


def file_samples(session: Session, settings: Settings, now: dt.datetime) -> int:
    """File them, unless there is a filing already. Returns how many."""
    if session.scalar(select(Filing.id).limit(1)) is not None:
        return 0
    contract = read_contract("contrato.pdf", bytes(typst.compile(b"= Contrato de muestra")))
    assert isinstance(contract, ContractFile)
    today = now.astimezone(LIMA).date()
    for place in range(len(PEOPLE)):
        reading = read_application(_tree(place, today))
        assert reading.application is not None, reading.faults
        submit(
            session, Submission(reading.application, contract, Source.FILE, key=f"sample-{place}"), settings
        )
    return len(PEOPLE)


def _tree(place: int, today: dt.date) -> dict[str, Any]:
    ruc, employer, activity, ubigeo = EMPLOYERS[place % len(EMPLOYERS)]
    nationality, kind, number, surnames, names, born, sex, occupation = PEOPLE[place]
    start, end = today + dt.timedelta(days=3), today + dt.timedelta(days=368)
    return {
        "employer": {
            "ruc": ruc,
            "name": employer,
            "address": "Av. de Muestra 100",
            "ubigeo": ubigeo,
            "activity": activity,
            "email": f"personal{place % len(EMPLOYERS) + 1}@example.com",
            "representative": {
                "name": "Persona de Muestra",
                "document_type": "dni",
                "document_number": "00000001",
            },
        },
        "workers": [
            {
                "nationality": nationality,
                "document_type": kind,
                "document_number": number,
                "surnames": surnames,
                "given_names": names,
                "birth_date": born,
                "sex": sex,
                "marital_status": "single",
                "address_abroad": "Calle de Muestra 1",
            }
        ],
        "category": "individual",
        "category_details": {},
        "contract": {
            "type": "fixed",
            "signed": today.isoformat(),
            "start": start.isoformat(),
            "end": end.isoformat(),
            "occupation": occupation,
            "workplace_address": "Fundo de Muestra s/n",
            "workplace_ubigeo": ubigeo,
            "pay": 2500,
            "currency": "PEN",
            "hours_per_week": 40,
        },
        "declarations": {"true_data": True, "not_public_administration": True, "privacy": True},
    }
