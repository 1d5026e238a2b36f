"""What a filing asks, as data. From one definition a field come the form, the file's keys, the columns and the schema.

A filing that is being written is the same tree of JSON values that a file holds, with less in it. Not in: whether
what was answered is allowed (`rules.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from babel.numbers import list_currencies

from helpdesk.certificates.places import is_district
from helpdesk.desk.words import N_

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}")
PHONE = re.compile(r"(?=(?:[^0-9]*[0-9]){6})\+?[0-9\s().-]{6,25}")
# Control characters and halves of characters: nobody types them, and neither a page nor a PDF can show them.
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
# Characters without a look of their own: in a name they hide what it is, or are the whole of it.
_UNSEEN = re.compile(r"[\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")
EARLIEST = dt.date(1900, 1, 1)
LATEST = dt.date(2100, 12, 31)
MOST_WORKERS = 50
MOST = 10_000_000_000  # what no number of a filing reaches

JSON = dict[str, Any]


class Kind(StrEnum):
    """How a field is asked and written."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    CHOICE = "choice"
    DATE = "date"
    NUMBER = "number"
    YES = "yes"
    DISTRICT = "district"
    CURRENCY = "currency"
    COUNTRY = "country"  # one of the choices on a page; in a file any country, about which a rule decides


class Wrong(ValueError):
    """A value cannot be used. `rule` names what is wrong with it, the message says how to mend it."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `label` is what the page asks; `longest` is in characters."""

    name: str
    label: str
    kind: Kind = Kind.TEXT
    hint: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    required: bool = True
    longest: int = 200
    autocomplete: str = ""

    def read(self, value: object) -> Any:
        """The value of a file or a filled form as we keep it. Raises Wrong; None when there is none and need not be."""
        if isinstance(value, str):
            value = " ".join(_UNWRITABLE.sub(" ", _UNSEEN.sub("", value)).split())
        if value is None or value == "":
            if self.required:
                raise Wrong("required", MISSING_ES[self.kind])
            return None
        return _READ[self.kind](self, value)


MISSING_ES = dict.fromkeys(Kind, N_("Complete este dato.")) | {
    Kind.CHOICE: N_("Elija una opción."),
    Kind.DATE: N_("Escriba día, mes y año."),
    Kind.COUNTRY: N_("Elija una opción."),
    Kind.YES: N_("Marque la casilla para continuar."),
    Kind.DISTRICT: N_("Elija el distrito."),
}


def _text(asked: Field, value: object) -> str:
    if not isinstance(value, str):
        raise Wrong("type", N_("Debe ser un texto."))
    if len(value) > asked.longest:
        raise Wrong(
            "too_long", N_("Es demasiado largo: use como máximo %(n)s letras.") % {"n": asked.longest}
        )
    return value


def _email(asked: Field, value: object) -> str:
    text = _text(asked, value).lower()
    if not ADDRESS.fullmatch(text):
        raise Wrong("email", N_("Escriba una dirección de correo, como nombre@ejemplo.com."))
    return text


def _phone(asked: Field, value: object) -> str:
    text = _text(asked, value)
    if not PHONE.fullmatch(text):
        raise Wrong("phone", N_("Escriba un teléfono con cifras, como 01 234 5678."))
    return text


def _choice(asked: Field, value: object) -> str:
    text = _text(asked, value)
    if text not in asked.choices:
        raise Wrong(
            "choice", N_("Debe ser una de estas opciones: %(known)s.") % {"known": ", ".join(asked.choices)}
        )
    return text


def _date(_asked: Field, value: object) -> str:
    try:
        day = dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    # A date in weeks ("2026-W01-1") is one as well, but nobody means it.
    if day is None or day.isoformat() != value or not EARLIEST <= day <= LATEST:
        raise Wrong("date", N_("Escriba una fecha que exista: día, mes y año con cuatro cifras."))
    return day.isoformat()


def _number(_asked: Field, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise Wrong("number", N_("Escriba un número, como 1500.50."))
    # A whole number of any length may stand in a file; what is rounded up may be too large after all.
    if abs(value) >= MOST or abs(rounded := round(value, 2)) >= MOST:
        raise Wrong("number", N_("El número es demasiado grande."))
    return rounded


def _yes(_asked: Field, value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong("type", N_("Debe ser verdadero o falso."))
    return value


def _district(asked: Field, value: object) -> str:
    text = _text(asked, value)
    if not is_district(text):
        raise Wrong("ubigeo", N_("Elija un distrito de la lista (ubigeo del INEI, seis cifras)."))
    return text


def _currency(asked: Field, value: object) -> str:
    text = _text(asked, value).upper()
    if text not in list_currencies():
        raise Wrong("currency", N_("Use el código de la moneda, como PEN o USD."))
    return text


def _country(asked: Field, value: object) -> str:
    text = _text(asked, value).upper()
    if not re.fullmatch("[A-Z]{3}", text):
        raise Wrong("country", N_("Use el código de tres letras del país (ISO 3166): BOL, COL o ECU."))
    return text


_READ = {
    Kind.TEXT: _text,
    Kind.EMAIL: _email,
    Kind.PHONE: _phone,
    Kind.CHOICE: _choice,
    Kind.DATE: _date,
    Kind.NUMBER: _number,
    Kind.YES: _yes,
    Kind.DISTRICT: _district,
    Kind.CURRENCY: _currency,
    Kind.COUNTRY: _country,
}

NATIONALITIES_ES = {"BOL": N_("Bolivia"), "COL": N_("Colombia"), "ECU": N_("Ecuador")}
DOCUMENTS_ES = {
    "ci": N_("Cédula de identidad (Bolivia)"),
    "cc": N_("Cédula de ciudadanía (Colombia)"),
    "cedula": N_("Cédula de identidad (Ecuador)"),
    "passport": N_("Pasaporte"),
}
REPRESENTATIVE_DOCUMENTS_ES = {
    "dni": N_("DNI"),
    "ce": N_("Carné de extranjería"),
    "passport": N_("Pasaporte"),
}
SEXES_ES = {"female": N_("Mujer"), "male": N_("Hombre")}
MARITAL_STATUSES_ES = {
    "single": N_("Soltera o soltero"),
    "married": N_("Casada o casado"),
    "cohabiting": N_("Conviviente"),
    "divorced": N_("Divorciada o divorciado"),
    "widowed": N_("Viuda o viudo"),
}
CATEGORIES_ES = {
    "individual": N_("Con desplazamiento individual"),
    "company": N_("De empresa"),
    "seasonal": N_("De temporada"),
    "border": N_("Fronterizo"),
}
CATEGORY_HINTS_ES = {
    "individual": N_("Viene por un contrato de trabajo o una oferta que aceptó."),
    "company": N_("Su empresa lo traslada al Perú por más de 180 días."),
    "seasonal": N_("Trabajo agrario, forestal o parecido, que depende de la época del año."),
    "border": N_("Vive en su país y va y viene al trabajo al otro lado de la frontera."),
}
REASONS_ES = {
    "established": N_("Ya está instalada en el Perú"),
    "establishing": N_("Se está instalando en el Perú"),
    "special_project": N_("Desarrolla un proyecto especial en el Perú"),
}
CONTRACT_TYPES_ES = {"fixed": N_("A plazo fijo"), "indefinite": N_("A plazo indeterminado")}

EMPLOYER = (
    Field("ruc", N_("RUC"), hint=N_("Once cifras."), longest=20),
    Field("name", N_("Razón social"), autocomplete="organization"),
    Field("address", N_("Domicilio"), autocomplete="street-address", longest=300),
    Field("ubigeo", N_("Distrito del domicilio"), Kind.DISTRICT),
    Field(
        "activity", N_("Actividad económica"), hint=N_("Por ejemplo: agricultura, construcción, comercio.")
    ),
    Field("email", N_("Correo electrónico"), Kind.EMAIL, autocomplete="email", longest=254),
    Field("phone", N_("Teléfono"), Kind.PHONE, required=False, autocomplete="tel", longest=30),
)
REPRESENTATIVE = (
    Field("name", N_("Nombre completo de quien representa al empleador"), autocomplete="name"),
    Field("document_type", N_("Tipo de documento"), Kind.CHOICE, choices=REPRESENTATIVE_DOCUMENTS_ES),
    Field("document_number", N_("Número del documento"), longest=30),
)
WORKER = (
    Field("nationality", N_("Nacionalidad"), Kind.COUNTRY, choices=NATIONALITIES_ES),
    Field("document_type", N_("Tipo de documento"), Kind.CHOICE, choices=DOCUMENTS_ES),
    Field("document_number", N_("Número del documento"), longest=30),
    Field("surnames", N_("Apellidos"), hint=N_("Uno o dos, como están en el documento."), longest=100),
    Field("given_names", N_("Nombres"), longest=100),
    Field("birth_date", N_("Fecha de nacimiento"), Kind.DATE),
    Field("sex", N_("Sexo"), Kind.CHOICE, choices=SEXES_ES),
    Field("marital_status", N_("Estado civil"), Kind.CHOICE, choices=MARITAL_STATUSES_ES),
    Field("address_abroad", N_("Domicilio en su país"), longest=300),
    Field("address_peru", N_("Domicilio en el Perú"), required=False, longest=300),
    Field(
        "email",
        N_("Correo de la persona"),
        Kind.EMAIL,
        hint=N_("Si lo escribe, también recibirá su constancia."),
        required=False,
        longest=254,
    ),
)
CATEGORY = (Field("category", N_("Categoría"), Kind.CHOICE, choices=CATEGORIES_ES),)
DETAILS: Mapping[str, tuple[Field, ...]] = {
    "individual": (),
    "company": (
        Field("home_company", N_("Empresa del país de origen que traslada a la persona")),
        Field("reason", N_("¿Cuál es la situación de esa empresa?"), Kind.CHOICE, choices=REASONS_ES),
    ),
    "seasonal": (
        Field("work", N_("¿Qué trabajo se hará, con precisión?"), longest=500),
        Field("lodging", N_("El empleador da un alojamiento adecuado"), Kind.YES),
        Field("travel", N_("El empleador paga los viajes"), Kind.YES),
    ),
    "border": (
        Field("home_address", N_("Domicilio habitual en su país"), longest=300),
        Field("border_district", N_("Distrito peruano de frontera donde trabajará"), Kind.DISTRICT),
    ),
}
CONTRACT = (
    Field("type", N_("Tipo de contrato"), Kind.CHOICE, choices=CONTRACT_TYPES_ES),
    Field("signed", N_("Fecha de la firma"), Kind.DATE),
    Field("start", N_("Fecha de inicio"), Kind.DATE),
    Field("end", N_("Fecha de término"), Kind.DATE, required=False, hint=N_("Solo si es a plazo fijo.")),
    Field("occupation", N_("Ocupación")),
    Field("workplace_address", N_("Dirección del centro de trabajo"), longest=300),
    Field("workplace_ubigeo", N_("Distrito del centro de trabajo"), Kind.DISTRICT),
    Field("pay", N_("Remuneración mensual"), Kind.NUMBER),
    Field("currency", N_("Moneda"), Kind.CURRENCY, longest=3),
    Field("hours_per_week", N_("Horas por semana"), Kind.NUMBER, required=False),
)
DECLARATIONS = (
    Field("true_data", N_("Los datos y el contrato que presento son verdaderos."), Kind.YES),
    Field("not_public_administration", N_("El empleo no es en la Administración Pública."), Kind.YES),
    Field("privacy", N_("Leí cómo se usan los datos personales."), Kind.YES),
)
