"""A register of past years for tests: rows of made-up people as the old system would export them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence
from typing import Any

from helpdesk.certificates.application import Fault
from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.past_filings import Checked, check_file
from helpdesk.certificates.past_known import Compared
from tests.filings import RUC

NOW = dt.datetime(2026, 11, 28, 15, tzinfo=dt.UTC)
SECOND = {"number": "0002-2011", "worker_document_number": "1000000002", "worker_given_names": "Óscar"}
ROW: dict[str, str] = {
    "number": "0001-2011",
    "issued": "15/03/2011",
    "employer_ruc": RUC,
    "employer_name": "Agrícola de Prueba S.A.C.",
    "employer_address": "Av. Ejemplo 100",
    "employer_ubigeo": "150122",
    "employer_activity": "Agricultura",
    "employer_email": "rrhh@example.com",
    "employer_phone": "",
    "employer_representative_name": "Rosa Prueba Ejemplo",
    "employer_representative_document_type": "dni",
    "employer_representative_document_number": "00000001",
    "worker_nationality": "COL",
    "worker_document_type": "cc",
    "worker_document_number": "1000000001",
    "worker_surnames": "Ejemplo Prueba",
    "worker_given_names": "Ana María",
    "worker_birth_date": "20/05/1980",
    "worker_sex": "female",
    "worker_marital_status": "single",
    "worker_address_abroad": "Calle de prueba 1, Bogotá",
    "worker_address_peru": "",
    "worker_email": "",
    "category": "individual",
    "contract_type": "fixed",
    "contract_signed": "01/03/2011",
    "contract_start": "16/03/2011",
    "contract_end": "15/03/2012",
    "contract_occupation": "Ingeniera agrónoma",
    "contract_workplace_address": "Fundo de prueba s/n",
    "contract_workplace_ubigeo": "110101",
    "contract_pay": "3,500.50",
    "contract_currency": "PEN",
    "contract_hours_per_week": "48",
}


def row(**changed: str) -> dict[str, str]:
    """A row that breaks no rule."""
    return {**ROW, **changed}


def many(count: int) -> Iterable[dict[str, str]]:
    """Rows of different people, ten to an employer's address, over the years from 2011."""
    for at in range(count):
        year = 2011 + at * 14 // count
        yield row(
            number=f"{at + 1:05d}-{year}",
            issued=f"{at % 28 + 1:02d}/05/{year}",
            employer_email=f"rrhh{at // 10}@example.com",
            worker_document_number=f"{1_000_000_000 + at}",
            contract_signed=f"01/05/{year}",
            contract_start=f"01/06/{year}",
            contract_end=f"31/05/{year + 1}",
        )


def csv_of(rows: Iterable[dict[str, str]], delimiter: str = ";", charset: str = "utf-8-sig") -> bytes:
    """The rows as a file, with the columns of the first one."""
    whole = list(rows)
    return table_of(
        [list(whole[0]), *([each.get(name, "") for name in whole[0]] for each in whole)], delimiter, charset
    )


def table_of(rows: Sequence[Sequence[Any]], delimiter: str = ";", charset: str = "utf-8-sig") -> bytes:
    """Any cells as a file."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode(charset)


def no_files(name: str) -> ContractFile | Fault:
    """Contracts that are not there."""
    return Fault("contract_file", "unreadable", f"{name}: no está.")


def check(content: bytes) -> Checked:
    """Read and check a file, on a day in 2026."""
    return check_file(content, no_files, NOW)


def places(checked: Checked | Compared) -> set[tuple[int, str, str]]:
    """The faults by row, column and rule."""
    return {(fault.row, fault.column, fault.rule) for fault in checked.faults}
