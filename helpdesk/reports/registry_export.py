"""The register as a table, a row for each person on a filing; headings and values are Spanish, as on the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy.orm import Session

from helpdesk.certificates.fields import (
    CATEGORIES_ES,
    CONTRACT_TYPES_ES,
    DOCUMENTS_ES,
    MARITAL_STATUSES_ES,
    NATIONALITIES_ES,
    SEXES_ES,
)
from helpdesk.certificates.places import place
from helpdesk.certificates.records import Constancia, FiledWorker
from helpdesk.certificates.registry import Key, Row, rows_of
from helpdesk.desk.words import FILING_KINDS_ES, FILING_STATES_ES, STANDINGS_ES
from helpdesk.reports.spreadsheet import Cell
from helpdesk.settings import LIMA

ROWS_AT_ONCE = 500
SEALING_ES = "Poniéndole el sello"

Column = Callable[[Row, dt.date], Cell]


def _of_constancia(value: Callable[[Constancia], Cell]) -> Column:
    return lambda row, _today: value(row.constancia) if row.constancia else None


def _of_person(value: Callable[[FiledWorker], Cell]) -> Column:
    return lambda row, _today: value(row.worker) if row.worker else None


def _standing(row: Row, today: dt.date) -> Cell:
    if row.constancia is None:
        return None
    return SEALING_ES if row.sealing else STANDINGS_ES[row.constancia.standing(today).value]


def _day(instant: dt.datetime) -> dt.date:
    return instant.astimezone(LIMA).date()


COLUMNS: dict[str, Column] = {
    "Constancia": _of_constancia(lambda row: row.number),
    "Vigencia": _standing,
    "Emitida": _of_constancia(lambda row: _day(row.issued_at)),
    "Vigente desde": _of_constancia(lambda row: row.valid_from),
    "Vigente hasta": _of_constancia(lambda row: row.valid_until),
    "Atención": lambda row, _today: row.ticket_number,
    "Trámite": lambda row, _today: FILING_KINDS_ES[row.filing.kind],
    "Estado": lambda row, _today: FILING_STATES_ES[row.filing.state],
    "Presentada": lambda row, _today: _day(row.filing.filed_at),
    "Nacionalidad": _of_person(lambda worker: NATIONALITIES_ES[worker.nationality]),
    "Tipo de documento": _of_person(lambda worker: DOCUMENTS_ES[worker.document_type]),
    "Número de documento": _of_person(lambda worker: worker.document_number),
    "Apellidos": _of_person(lambda worker: worker.surnames),
    "Nombres": _of_person(lambda worker: worker.given_names),
    "Fecha de nacimiento": _of_person(lambda worker: worker.birth_date),
    "Sexo": _of_person(lambda worker: SEXES_ES[worker.sex]),
    "Estado civil": _of_person(lambda worker: MARITAL_STATUSES_ES[worker.marital_status]),
    "Categoría": lambda row, _today: CATEGORIES_ES[row.filing.category],
    "RUC": lambda row, _today: row.filing.employer_ruc,
    "Empleador": lambda row, _today: row.filing.employer_name,
    "Actividad": lambda row, _today: row.filing.employer_activity,
    "Domicilio del empleador": lambda row, _today: row.filing.employer_address,
    "Distrito del empleador": lambda row, _today: place(row.filing.employer_ubigeo),
    "Tipo de contrato": lambda row, _today: CONTRACT_TYPES_ES[row.filing.contract_type],
    "Firma": lambda row, _today: row.filing.signed,
    "Inicio": lambda row, _today: row.filing.starts,
    "Término": lambda row, _today: row.filing.ends,
    "Ocupación": lambda row, _today: row.filing.occupation,
    "Distrito del trabajo": lambda row, _today: place(row.filing.workplace_ubigeo),
    "Remuneración": lambda row, _today: row.filing.pay,
    "Moneda": lambda row, _today: row.filing.currency,
    "Horas por semana": lambda row, _today: row.filing.hours_per_week,
}
HEADER = tuple(COLUMNS)


def exported(session: Session, keys: Sequence[Key], today: dt.date) -> Iterator[list[Cell]]:
    """The rows of some keys, in their order, read a few hundred at a time."""
    for start in range(0, len(keys), ROWS_AT_ONCE):
        for row in rows_of(session, keys[start : start + ROWS_AT_ONCE]):
            yield [column(row, today) for column in COLUMNS.values()]
