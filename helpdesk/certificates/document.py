"""What a constancia says, put together from its rows; `templates/constancia.py` makes the PDF of it.

Rendered once and stored with its hash. The address in its QR code comes from the settings alone (T87).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal

from helpdesk.certificates.codes import grouped
from helpdesk.certificates.fields import (
    CATEGORIES_ES,
    CONTRACT_TYPES_ES,
    DOCUMENTS_ES,
    NATIONALITIES_ES,
)
from helpdesk.certificates.places import place
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingKind
from helpdesk.settings import LIMA, Settings
from templates.constancia import ConstanciaText, Section, constancia_pdf

TITLE = "Constancia de Trabajador Migrante Andino"
LEGAL_BASE = (
    "Decisión 545 de la Comunidad Andina, Instrumento Andino de Migración Laboral",
    "RM 279-2004-TR y RM 318-2010-TR",
)
AUTOMATIC = "Aprobada automáticamente, sujeta a fiscalización posterior."
NOT_A_STATUS = (
    "No reemplaza la calidad migratoria. Antes de empezar a trabajar, la persona la confirma en Migraciones."
)
UNSEALED = (
    "Lleva un código de verificación, no firma digital: compruébela en la dirección que está junto al código."
)
SEALED = "Lleva un código de verificación y un sello electrónico de la entidad."
FOLLOWS = {
    FilingKind.EXTENSION: "Prorroga a la constancia {}, a la que reemplaza.",
    FilingKind.MODIFICATION: "Modifica a la constancia {}, a la que reemplaza.",
    FilingKind.CORRECTION: "Corrige un error material de la constancia {}, a la que reemplaza.",
}


def verify_url(settings: Settings, code: str) -> str:
    """The public address at which a code is verified."""
    return f"{settings.public_url.rstrip('/')}/v/{code}"


def render(
    constancia: Constancia, filing: Filing, settings: Settings, now: dt.datetime, replaces: str | None = None
) -> None:
    """Make the document and put it on the row, with its hash."""
    constancia.pdf = constancia_pdf(text_of(constancia, filing, settings, now, replaces))
    constancia.sha256 = hashlib.sha256(constancia.pdf).hexdigest()


def text_of(
    constancia: Constancia, filing: Filing, settings: Settings, now: dt.datetime, replaces: str | None = None
) -> ConstanciaText:
    """Everything that the document says."""
    worker, code = constancia.worker, constancia.code
    assert code is not None
    follows = FOLLOWS.get(FilingKind(filing.kind), "") if replaces else ""
    return ConstanciaText(
        title=TITLE,
        number=constancia.number,
        issued=f"Emitida el {in_lima(now)} (hora de Lima, UTC-5)",
        created_at=now,
        opening=_opening(worker),
        sections=(_person(worker), _employer(filing), _terms(filing), _filed(filing)),
        notes=(
            *([follows.format(replaces)] if follows else []),
            AUTOMATIC,
            NOT_A_STATUS,
            _seal_note(settings),
        ),
        legal_base=LEGAL_BASE,
        code=grouped(code),
        verify_url=verify_url(settings, code),
    )


def in_lima(instant: dt.datetime) -> str:
    """Date and hour as people in Lima write them."""
    return instant.astimezone(LIMA).strftime("%d/%m/%Y a las %H:%M:%S")


def day(value: dt.date) -> str:
    """A day as people in Peru write it."""
    return value.strftime("%d/%m/%Y")


def money(amount: Decimal, currency: str) -> str:
    """An amount as people in Peru write it."""
    return f"{currency} {amount:,.2f}"


def _opening(worker: FiledWorker) -> str:
    return (
        f"Se deja constancia de que {worker.name}, de nacionalidad de {NATIONALITIES_ES[worker.nationality]}, tiene "
        "registrado un contrato de trabajo en el Perú como trabajador migrante andino."
    )


def _person(worker: FiledWorker) -> Section:
    return Section(
        "Persona",
        (
            ("Nombre", worker.name),
            ("Nacionalidad", NATIONALITIES_ES[worker.nationality]),
            (DOCUMENTS_ES[worker.document_type], worker.document_number),
            ("Fecha de nacimiento", day(worker.birth_date)),
        ),
    )


def _employer(filing: Filing) -> Section:
    return Section(
        "Empleador",
        (
            ("Razón social", filing.employer_name),
            ("RUC", filing.employer_ruc),
            ("Domicilio", f"{filing.employer_address}, {place(filing.employer_ubigeo)}"),
        ),
    )


def _terms(filing: Filing) -> Section:
    return Section(
        "Contrato",
        (
            ("Categoría", CATEGORIES_ES[filing.category]),
            ("Ocupación", filing.occupation),
            ("Tipo de contrato", CONTRACT_TYPES_ES[filing.contract_type]),
            ("Inicio", day(filing.starts)),
            ("Término", day(filing.ends) if filing.ends else "Sin fecha de término"),
            ("Centro de trabajo", f"{filing.workplace_address}, {place(filing.workplace_ubigeo)}"),
        ),
    )


def _filed(filing: Filing) -> Section:
    return Section(
        "Presentación",
        (
            ("Número de atención", filing.ticket.number),
            ("Presentada", in_lima(filing.filed_at)),
            ("Para los plazos, cuenta desde el", day(filing.counts_on)),
        ),
    )


def _seal_note(settings: Settings) -> str:
    return SEALED if settings.seals else UNSEALED
