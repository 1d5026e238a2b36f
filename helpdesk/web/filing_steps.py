"""The pages on which a filing is written, as data; reading what a page sent, and saying what is wrong with it.

A page is checked by every rule of the filing, with an application that is right everywhere else: so what one page can
decide is said on that page, and nothing is written twice.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from helpdesk.certificates import fields
from helpdesk.certificates.application import Fault, read_application, read_fields
from helpdesk.certificates.checks import Known
from helpdesk.certificates.fields import CATEGORY_HINTS_ES, DETAILS, Field, Kind
from helpdesk.certificates.places import find, is_district, place
from helpdesk.certificates.rules import REJECTING, broken
from helpdesk.desk.words import N_

Path = tuple[str | int, ...]
Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One page: what it asks, and where in the tree the answers belong."""

    slug: str
    title: str
    asked: tuple[Field, ...] = ()
    path: Path = ()
    intro: str = ""
    file: bool = False
    hints: Mapping[str, str] = field(default_factory=dict)


def _but(asked: Iterable[Field], *left_out: str) -> tuple[Field, ...]:
    return tuple(question for question in asked if question.name not in left_out)


def _only(asked: Iterable[Field], *names: str) -> tuple[Field, ...]:
    return tuple(question for question in asked if question.name in names)


PLACE = ("workplace_address", "workplace_ubigeo", "pay", "currency", "hours_per_week")
CATEGORY = Step(
    "categoria", N_("¿En qué categoría viene la persona?"), fields.CATEGORY, hints=CATEGORY_HINTS_ES
)
EMPLOYER = Step("empleador", N_("¿Quién da el trabajo?"), _but(fields.EMPLOYER, "email"), ("employer",))
REPRESENTATIVE = Step(
    "representante",
    N_("¿Quién representa al empleador?"),
    fields.REPRESENTATIVE,
    ("employer", "representative"),
)
DETAILS_STEP = Step("detalles", N_("Sobre la categoría"), path=("category_details",))
WORKERS = Step("personas", N_("Personas del contrato"))
CONTRACT = Step("contrato", N_("El contrato"), _but(fields.CONTRACT, *PLACE), ("contract",))
WORKPLACE = Step("puesto", N_("Lugar de trabajo y pago"), _only(fields.CONTRACT, *PLACE), ("contract",))
FILE = Step(
    "archivo",
    N_("El contrato firmado"),
    file=True,
    intro=N_("Envíe el contrato firmado por las dos partes. No se piden títulos ni certificados de trabajo."),
)
REQUEST = Step(
    "pedido",
    N_("¿Qué cambia?"),
    (Field("request", N_("Diga en pocas palabras qué cambia y por qué"), longest=500),),
)
DECLARATIONS = Step(
    "declaraciones",
    N_("Declaraciones"),
    fields.DECLARATIONS,
    ("declarations",),
    intro=N_("Marque cada casilla si lo que dice es cierto."),
)
CHECK = "revisar"
SEVERAL_DISTRICTS = N_("Elija un distrito entre los que empiezan así.")
NO_DISTRICT = N_(
    "Elija un distrito que exista. Escriba su nombre y su provincia, como en «Miraflores, Lima»."
)

_ALL = (EMPLOYER, REPRESENTATIVE, CATEGORY, DETAILS_STEP, WORKERS, CONTRACT, WORKPLACE, FILE, DECLARATIONS)


def steps_of(answers: Tree, *, follows: bool) -> list[Step]:
    """The pages of a filing, in order; a category without questions of its own has no page for them."""
    category = answers.get("category")
    own = DETAILS.get(str(category), ())
    steps = [replace(step, asked=own) if step is DETAILS_STEP else step for step in _ALL]
    steps = [step for step in steps if step.slug != DETAILS_STEP.slug or own]
    return [REQUEST, *steps] if follows else steps


def worker_step(place: int) -> Step:
    """The page of one person, counted from nought."""
    return Step("persona", N_("Datos de la persona"), fields.WORKER, ("workers", place))


def answers_at(tree: Tree, path: Path) -> Tree:
    """What is in a tree at a place; nothing when there is nothing yet."""
    node: Any = tree
    for step in path:
        if isinstance(node, dict):
            node = node.get(str(step))
        else:
            node = node[int(step)] if isinstance(node, list) and int(step) < len(node) else None
    return node if isinstance(node, dict) else {}


def answers_sent(asked: Iterable[Field], form: MultiDict[str, str]) -> Tree:
    """What a form sent, as the tree keeps it; what cannot be read is kept as it was typed."""
    return {question.name: _SENT.get(question.kind, _text_sent)(question.name, form) for question in asked}


def _text_sent(name: str, form: MultiDict[str, str]) -> str | None:
    return " ".join(form.get(name, "").replace("\x00", "").split())[:2_000] or None


def _date_sent(name: str, form: MultiDict[str, str]) -> str | None:
    day, month, year = (form.get(f"{name}_{part}", "").strip()[:4] for part in ("dia", "mes", "anio"))
    # Kept in three pieces even when they are no date: nothing that was typed is lost, and nothing is added to it.
    day, month, year = (part.replace("-", "") for part in (day, month, year))
    return f"{year}-{_two(month)}-{_two(day)}" if day or month or year else None


def _two(figures: str) -> str:
    return figures.zfill(2) if figures.isdecimal() else figures


_THOUSANDS = re.compile(r"\d{1,3}(\.\d{3})+")
_DECIMAL_COMMA = re.compile(r"\d{1,3}([. ]?\d{3})*,\d{1,2}")
_PLAIN_NUMBER = re.compile(r"\d+(\.\d+)?")


def _number_sent(name: str, form: MultiDict[str, str]) -> float | str | None:
    typed = _text_sent(name, form)
    if typed is None:
        return None
    if _DECIMAL_COMMA.fullmatch(typed) or _THOUSANDS.fullmatch(typed):
        typed = typed.replace(".", "").replace(" ", "").replace(",", ".")
    bare = typed.replace(",", "").replace(" ", "")
    return float(bare) if _PLAIN_NUMBER.fullmatch(bare) and len(bare) < 16 else typed


def _yes_sent(name: str, form: MultiDict[str, str]) -> bool:
    return form.get(name) == "si"


def _district_sent(name: str, form: MultiDict[str, str]) -> str | None:
    typed = _text_sent(name, form)
    found = find(typed) if typed else []
    chosen = form.get(f"{name}_elegido", "")
    if is_district(chosen) and (not typed or chosen in found):  # what was typed since then counts for more
        return chosen
    return found[0] if len(found) == 1 else typed


_SENT = {Kind.DATE: _date_sent, Kind.NUMBER: _number_sent, Kind.YES: _yes_sent, Kind.DISTRICT: _district_sent}


def districts_meant(asked: Iterable[Field], answers: Tree) -> dict[str, list[tuple[str, str]]]:
    """Of each question for a district that several may answer: which ones."""
    found = {}
    for question in asked:
        typed = answers.get(question.name)
        if question.kind is Kind.DISTRICT and isinstance(typed, str) and not is_district(typed):
            found[question.name] = [(code, place(code)) for code in find(typed)]
    return found


def written(value: object, question: Field) -> str:
    """A value as the page shows it in its field."""
    if value is None:
        return ""
    if question.kind is Kind.DISTRICT:
        return place(str(value))
    if question.kind is Kind.NUMBER and isinstance(value, int | float):
        return f"{value:.2f}".removesuffix(".00")
    return str(value)


def read_out(value: object, question: Field) -> str:
    """A value as a person reads it, translated where the words are ours: a page must not translate what was typed."""
    if value is None or value == "":
        return "–"
    if question.kind is Kind.YES:
        return str(gettext("Sí") if value else gettext("No"))
    if question.kind is Kind.DATE and (match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", str(value))):
        return f"{match[3]}/{match[2]}/{match[1]}"
    label = question.choices.get(str(value))
    return str(gettext(label)) if label else written(value, question)


def faults_of_page(step: Step, answers: Tree, draft: Tree, today: dt.date) -> list[Fault]:
    """What is wrong with a page's answers, by shape and by every rule that they alone can break."""
    if step is REQUEST:  # words to a person: no rule reads them
        faults: list[Fault] = []
        read_fields(step.asked, answers, "", faults)
        return faults
    tree = _right_elsewhere(step, answers, draft, today)
    reading = read_application(tree)
    if reading.application is None:
        return [_in_words(fault, answers) for fault in _here(step, reading.faults)]
    return list(_here(step, broken(REJECTING, reading.application, Known(today))))


def _right_elsewhere(step: Step, answers: Tree, draft: Tree, today: dt.date) -> Tree:
    tree = specimen(today)
    category = answers.get("category") if step.slug == CATEGORY.slug else draft.get("category")
    if category in DETAILS:
        tree["category"] = category
        tree["category_details"] = {} if step is CATEGORY else _right_details(str(category), draft)
    if step.path[:1] == ("workers",):
        tree["workers"] = [answers]
        return tree
    if step.path == ("contract",):  # two pages write on it
        tree["contract"].update(
            {name: value for name, value in draft.get("contract", {}).items() if value is not None}
        )
        if (draft.get("contract") or {}).get("end") is None:
            tree["contract"].pop("end", None)
    node: Any = tree
    for name in step.path:
        node = node[str(name)]
    for question in step.asked:  # nothing is right that was not answered
        node.pop(question.name, None)
    node.update(answers)
    return tree


def _right_details(category: str, draft: Tree) -> Tree:
    given = draft.get("category_details") or {}
    whole = {
        **SPECIMEN_DETAILS[category],
        **{name: value for name, value in given.items() if value is not None},
    }
    return {name: whole[name] for name in SPECIMEN_DETAILS[category]}


def _here(step: Step, faults: Iterable[Fault]) -> Iterable[Fault]:
    names = {question.name for question in step.asked}
    for fault in faults:
        key = fault.key.rpartition(".")[2]
        below = fault.key.startswith(_prefix(step))
        if below and key in names:
            yield replace(fault, key=key)


def _in_words(fault: Fault, answers: Tree) -> Fault:
    """A district that is none, in words for whoever typed a name; a file's words are about codes."""
    if fault.rule != "ubigeo":
        return fault
    several = len(find(str(answers.get(fault.key)))) > 1
    return replace(fault, message=SEVERAL_DISTRICTS if several else NO_DISTRICT)


def _prefix(step: Step) -> str:
    if step.path[:1] == ("workers",):
        return "workers[0]."
    return "".join(f"{name}." for name in step.path)


SPECIMEN_DETAILS: Mapping[str, Tree] = {
    "individual": {},
    "company": {"home_company": "Empresa", "reason": "established"},
    "seasonal": {"work": "Trabajo", "lodging": True, "travel": True},
    "border": {"home_address": "Domicilio", "border_district": "210101"},
}


def specimen(today: dt.date) -> Tree:
    """A whole application that breaks no rule, around which a page is looked at."""
    day, later = today.isoformat(), (today + dt.timedelta(days=365)).isoformat()
    return {
        "employer": {
            "ruc": "20131312955",
            "name": "Empresa",
            "address": "Domicilio",
            "ubigeo": "150101",
            "activity": "Actividad",
            "email": "empresa@example.com",
            "representative": {"name": "Persona", "document_type": "dni", "document_number": "00000000"},
        },
        "workers": [
            {
                "nationality": "BOL",
                "document_type": "passport",
                "document_number": "A0000000",
                "surnames": "Persona",
                "given_names": "Persona",
                "birth_date": "1990-01-01",
                "sex": "female",
                "marital_status": "single",
                "address_abroad": "Domicilio",
            }
        ],
        "category": "individual",
        "category_details": {},
        "contract": {
            "type": "fixed",
            "signed": day,
            "start": day,
            "end": later,
            "occupation": "Ocupación",
            "workplace_address": "Dirección",
            "workplace_ubigeo": "150101",
            "pay": 1,
            "currency": "PEN",
        },
        "declarations": {"true_data": True, "not_public_administration": True, "privacy": True},
    }
