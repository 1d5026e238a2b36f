"""Filings for tests: made-up people and an employer whose RUC is a well-known public example."""

from __future__ import annotations

import copy
import datetime as dt
from functools import cache
from typing import Any

import typst

from helpdesk.certificates.application import Application, read_application
from helpdesk.certificates.contract_file import ContractFile, read_contract
from helpdesk.certificates.issuing import Submission
from helpdesk.certificates.records import Source
from helpdesk.db import utc_now
from helpdesk.settings import LIMA

RUC = "20131312955"


def today() -> dt.date:
    """The day in Lima."""
    return utc_now().astimezone(LIMA).date()


def day(offset: int) -> str:
    """A day so many days from today, as the files write it."""
    return (today() + dt.timedelta(days=offset)).isoformat()


def worker(**changed: Any) -> dict[str, Any]:
    """A person of Colombia."""
    return {
        "nationality": "COL",
        "document_type": "cc",
        "document_number": "1000000001",
        "surnames": "Ejemplo Prueba",
        "given_names": "Ana María",
        "birth_date": "1990-05-20",
        "sex": "female",
        "marital_status": "single",
        "address_abroad": "Calle de prueba 1, Bogotá",
        "address_peru": None,
        "email": "ana@example.com",
        **changed,
    }


def tree(**changed: Any) -> dict[str, Any]:
    """A filing that breaks no rule, as a file holds it. `contract__pay=1` changes one key of a part."""
    whole: dict[str, Any] = {
        "employer": {
            "ruc": RUC,
            "name": "Agrícola de Prueba S.A.C.",
            "address": "Av. Ejemplo 100",
            "ubigeo": "150122",
            "activity": "Agricultura",
            "email": "rrhh@example.com",
            "phone": "01 000 0000",
            "representative": {
                "name": "Rosa Prueba Ejemplo",
                "document_type": "dni",
                "document_number": "00000001",
            },
        },
        "workers": [worker()],
        "category": "individual",
        "category_details": {},
        "contract": {
            "type": "fixed",
            "signed": day(-10),
            "start": day(1),
            "end": day(366),
            "occupation": "Ingeniera agrónoma",
            "workplace_address": "Fundo de prueba s/n",
            "workplace_ubigeo": "110101",
            "pay": 3500.5,
            "currency": "PEN",
            "hours_per_week": 48,
        },
        "declarations": {"true_data": True, "not_public_administration": True, "privacy": True},
        "contract_file": "contrato.pdf",
    }
    for name, value in changed.items():
        node, *path = name.split("__")
        if path:
            whole[node][path[0]] = value
        else:
            whole[node] = value
    return whole


def application(**changed: Any) -> Application:
    """The same, read."""
    reading = read_application(copy.deepcopy(tree(**changed)))
    assert reading.application is not None, reading.faults
    return reading.application


@cache
def contract_pdf() -> bytes:
    """A small PDF that stands for a signed contract."""
    return bytes(typst.compile(b"= Contrato de prueba\nSin valor."))


def contract() -> ContractFile:
    """A contract's file that is accepted."""
    read = read_contract("contrato.pdf", contract_pdf())
    assert isinstance(read, ContractFile)
    return read


def submission(key: str | None = None, **changed: Any) -> Submission:
    """A filing as it comes from a file."""
    return Submission(application(**changed), contract(), Source.FILE, key=key)
