"""A filing as it was declared: the tree of JSON values, read into records, with every fault named by its key.

Shape only. Whether what was declared is allowed stands in `rules.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from helpdesk.certificates import fields
from helpdesk.certificates.fields import JSON, Field, Wrong
from helpdesk.certificates.identity import plain, written
from helpdesk.desk.words import N_

# A message of a shape fault has no law behind it.
SHAPE_SOURCE = N_("Formato de la solicitud")


@dataclass(frozen=True, slots=True)
class Employer:
    """Who employs and files."""

    ruc: str
    name: str
    address: str
    ubigeo: str
    activity: str
    email: str
    phone: str | None
    representative: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Worker:
    """Who gets a constancia. `document_number` is written in its one way."""

    nationality: str
    document_type: str
    document_number: str
    surnames: str
    given_names: str
    birth_date: dt.date
    sex: str
    marital_status: str
    address_abroad: str
    address_peru: str | None
    email: str | None

    @property
    def document(self) -> tuple[str, str, str]:
        """What tells one person from another."""
        return (self.nationality, self.document_type, self.document_number)


@dataclass(frozen=True, slots=True)
class Contract:
    """The work contract; `end` is null when it has none. Pay is a month's."""

    type: str
    signed: dt.date
    start: dt.date
    end: dt.date | None
    occupation: str
    workplace_address: str
    workplace_ubigeo: str
    pay: Decimal
    currency: str
    hours_per_week: Decimal | None


@dataclass(frozen=True, slots=True)
class Application:
    """Everything an employer declares. `details` are the answers to the category's own questions."""

    employer: Employer
    workers: tuple[Worker, ...]
    category: str
    details: Mapping[str, Any]
    contract: Contract
    declarations: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one key, such as `workers[0].birth_date`: the rule by name, and how to mend it."""

    key: str
    rule: str
    message: str
    source: str = SHAPE_SOURCE


@dataclass(frozen=True, slots=True)
class Reading:
    """What came out of the tree: an application, or what keeps it from being one."""

    application: Application | None
    faults: tuple[Fault, ...]


def read_application(tree: object) -> Reading:
    """Read a tree of JSON values. Never raises: whatever is wrong becomes a fault, in the order of the questions."""
    faults: list[Fault] = []
    top = _object(tree, "", _TOP, faults)
    employer_tree = _object(
        top.get("employer"), "employer", (*_names(fields.EMPLOYER), "representative"), faults
    )
    employer = read_fields(fields.EMPLOYER, employer_tree, "employer", faults)
    representative = _group(
        fields.REPRESENTATIVE, employer_tree.get("representative"), "employer.representative", faults
    )
    workers = _workers(top.get("workers"), faults)
    category = read_fields(fields.CATEGORY, top, "", faults).get("category")
    details = _details(category, top.get("category_details"), faults)
    contract = _group(fields.CONTRACT, top.get("contract"), "contract", faults)
    declarations = _group(fields.DECLARATIONS, top.get("declarations"), "declarations", faults)
    if faults:
        return Reading(None, tuple(faults))
    representative = _written(representative)
    application = Application(
        employer=Employer(**{**employer, "ruc": plain(employer["ruc"])}, representative=representative),
        workers=tuple(_worker(values) for values in workers),
        category=str(category),
        details=details,
        contract=_contract(contract),
        declarations=declarations,
    )
    return Reading(application, ())


_TOP = ("employer", "workers", "category", "category_details", "contract", "declarations", "contract_file")


def read_fields(
    asked: tuple[Field, ...], values: Mapping[str, object], path: str, faults: list[Fault]
) -> JSON:
    """The answers to some questions; what cannot be used is left out and noted in `faults`."""
    read: JSON = {}
    for question in asked:
        try:
            read[question.name] = question.read(values.get(question.name))
        except Wrong as wrong:
            faults.append(Fault(_under(path, question.name), wrong.rule, str(wrong)))
    return read


def _group(asked: tuple[Field, ...], tree: object, path: str, faults: list[Fault]) -> JSON:
    return read_fields(asked, _object(tree, path, _names(asked), faults), path, faults)


def _object(tree: object, path: str, known: tuple[str, ...], faults: list[Fault]) -> Mapping[str, Any]:
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        faults.append(Fault(path or "(archivo)", "type", N_("Debe ser un objeto con sus datos.")))
        return {}
    for name in tree:
        if name not in known:
            message = N_("No se conoce esta clave. Se conocen: %(known)s.") % {
                "known": ", ".join(known) or "–"
            }
            shown = str(name)[:60].encode("utf-8", "replace").decode()
            faults.append(Fault(_under(path, shown), "unknown_key", message))
    return tree


def _details(category: str | None, tree: object, faults: list[Fault]) -> JSON:
    """The answers to the category's own questions; of a category that is not known, nothing can be said."""
    if category is None:
        return {}
    return _group(fields.DETAILS[category], tree, "category_details", faults)


def _workers(tree: object, faults: list[Fault]) -> list[JSON]:
    if not isinstance(tree, list) or not 1 <= len(tree) <= fields.MOST_WORKERS:
        message = N_("Debe haber de 1 a %(n)s trabajadores.") % {"n": fields.MOST_WORKERS}
        faults.append(Fault("workers", "workers", message))
        return []
    return [_group(fields.WORKER, worker, f"workers[{place}]", faults) for place, worker in enumerate(tree)]


def _names(asked: tuple[Field, ...]) -> tuple[str, ...]:
    return tuple(question.name for question in asked)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _worker(values: JSON) -> Worker:
    return Worker(**{**_written(values), "birth_date": dt.date.fromisoformat(values["birth_date"])})


def _written(person: JSON) -> JSON:
    number = written(person["document_type"], person["document_number"])
    return {**person, "document_number": number}


def _contract(values: JSON) -> Contract:
    days = {name: values[name] and dt.date.fromisoformat(values[name]) for name in ("signed", "start", "end")}
    hours = values["hours_per_week"]
    amounts = {"pay": amount(values["pay"]), "hours_per_week": None if hours is None else amount(hours)}
    return Contract(**{**values, **days, **amounts})


def amount(value: float) -> Decimal:
    """A number of the tree as we store it: two decimals."""
    return Decimal(str(value)).quantize(Decimal("0.01"))
