"""The public filing of a contract: begin, confirm the address, answer page by page, check, file. No account.

Every page is a form that works without JavaScript; what was typed is kept whatever happens. In: pages and addresses.
Not in: what a page asks (`filing_steps.py`), what is kept (`helpdesk.certificates.drafts`), the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from helpdesk.accounts.limits import count_asking
from helpdesk.certificates import drafts
from helpdesk.certificates.application import SHAPE_SOURCE, Fault, read_fields
from helpdesk.certificates.fields import NATIONALITIES_ES, Field, Kind
from helpdesk.certificates.inquiry import ask_a_person
from helpdesk.certificates.links import Purpose, row_of, token
from helpdesk.certificates.places import districts as all_districts
from helpdesk.certificates.records import FilingDraft
from helpdesk.db import utc_now
from helpdesk.desk.words import N_
from helpdesk.errors import HelpdeskError, NotAllowed
from helpdesk.web import filing_steps as pages
from helpdesk.web.session import session, settings

constancia = Blueprint("constancia", __name__, url_prefix="/constancia")

EMAIL = (Field("email", N_("Correo electrónico"), Kind.EMAIL, autocomplete="email", longest=254),)
QUESTION = (
    *EMAIL,
    Field("name", N_("Su nombre"), autocomplete="name"),
    Field("question", N_("Su pregunta"), longest=2_000),
)
# Codes and questions that one address may ask for in a minute; a family behind one router is still served.
ASKS_A_MINUTE = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """A fault as a page shows it: its words beside the field, and where to jump.

    `question` is what was asked, for the summary, when the words alone do not tell; `source` where a rule comes from.
    """

    key: str
    message: str
    anchor: str | None
    question: str = ""
    source: str = ""

    @property
    def told(self) -> str:
        """The words for the summary, far from the field: "RUC: complete este dato."."""
        if not self.question:
            return self.message
        if self.question.endswith(("?", ".")):
            return f"{self.question} {self.message}"
        return f"{self.question}: {self.message[:1].lower()}{self.message[1:]}"


def shown(faults: Sequence[Fault], asked: Sequence[Field] = ()) -> list[Shown]:
    """Faults of one page: they link to its fields."""
    labels = {question.name: gettext(question.label) for question in asked}
    return [shown_at(fault, f"#{fault.key}", labels.get(fault.key, "")) for fault in faults]


def shown_at(fault: Fault, anchor: str | None, question: str) -> Shown:
    """A fault that is mended at an address. A rule's words say what they are about; those of a shape may not."""
    of_shape = fault.source == SHAPE_SOURCE
    source = "" if of_shape else gettext(fault.source)
    return Shown(fault.key, gettext(fault.message), anchor, question if of_shape else "", source)


def by_name(faults: Sequence[Shown]) -> dict[str, Shown]:
    """The first fault of each field."""
    found: dict[str, Shown] = {}
    for fault in faults:
        found.setdefault(fault.key, fault)
    return found


def not_too_often(what: str) -> None:
    """Stop whoever asks too often from one address, with a page that says so."""
    times = count_asking(session(), what, request.remote_addr or "", utc_now())
    session().commit()
    if times > ASKS_A_MINUTE:
        abort(429)


@constancia.app_template_filter("answer_value")
def answer_value(value: object, question: Field) -> str:
    """A value in its field."""
    return pages.written(value, question)


@constancia.get("/distritos.json")
def districts() -> tuple[list[str], int, dict[str, str]]:
    """Every district's whole name: what the page offers while somebody types, when scripts run."""
    return [name for _, name in all_districts()], 200, {"Cache-Control": "private, max-age=86400"}


@constancia.get("/datos-personales")
def privacy() -> str:
    """What is done with what a filing says of people."""
    return render_template("constancia/privacy.html", years=settings().register_years)


@constancia.get("/")
def start() -> str:
    """The beginning: whose contract may be registered here."""
    return render_template("constancia/start.html", nationalities=NATIONALITIES_ES, faults=[])


@constancia.post("/")
def choose() -> Response | tuple[str, int]:
    """From the nationality to the address, or to the right place for everybody else."""
    nationality = request.form.get("nacionalidad")
    if nationality in NATIONALITIES_ES:
        return redirect(url_for("constancia.email", pais=nationality))
    if nationality == "otra":
        return redirect(url_for("constancia.elsewhere"))
    faults = [Shown("nacionalidad", gettext("Elija un país para continuar."), "#nacionalidad")]
    return render_template("constancia/start.html", nationalities=NATIONALITIES_ES, faults=faults), 422


@constancia.get("/otro-pais")
def elsewhere() -> str:
    """Where the contract of a person of another country is registered, and a question to us."""
    return _elsewhere({}, [])


def _elsewhere(answers: dict[str, Any], faults: list[Shown]) -> str:
    return render_template(
        "constancia/elsewhere.html",
        asked=QUESTION,
        answers=answers,
        faults=faults,
        by_name=by_name(faults),
    )


@constancia.post("/otro-pais")
def ask() -> Response | tuple[str, int] | str:
    """Turn the visit into an inquiry."""
    not_too_often("question")
    answers = pages.answers_sent(QUESTION, request.form)
    faults: list[Fault] = []
    read = read_fields(QUESTION, answers, "", faults)
    if faults:
        return _elsewhere(answers, shown(faults, QUESTION)), 422
    ticket = ask_a_person(session(), read, utc_now())
    session().commit()
    return render_template("constancia/asked.html", number=ticket.number)


@constancia.get("/correo/<pais>")
def email(pais: str) -> str:
    """To which address everything goes."""
    return _email(pais if pais in NATIONALITIES_ES else abort(404), {}, [])


def _email(nationality: str, answers: dict[str, Any], faults: list[Shown]) -> str:
    return render_template(
        "constancia/email.html",
        nationality=nationality,
        asked=EMAIL,
        answers=answers,
        faults=faults,
        by_name=by_name(faults),
    )


@constancia.post("/correo/<pais>")
def give_email(pais: str) -> Response | tuple[str, int]:
    """Begin a draft and mail its code."""
    nationality = pais if pais in NATIONALITIES_ES else abort(404)
    not_too_often("code")
    answers = pages.answers_sent(EMAIL, request.form)
    faults: list[Fault] = []
    read = read_fields(EMAIL, answers, "", faults)
    if faults:
        return _email(nationality, answers, shown(faults, EMAIL)), 422
    try:
        draft = drafts.start(session(), read["email"], nationality, settings(), utc_now())
        session().commit()
    except HelpdeskError as error:  # too many codes, or an address that no mail can be sent to
        session().rollback()
        return _email(nationality, answers, [Shown("email", str(error), "#email")]), 422
    return redirect(url_for("constancia.code", secret=token(settings().key, Purpose.CODE, draft.id)))


def draft_of(purpose: Purpose, secret: str) -> FilingDraft:
    """The draft that a link opens, or 404."""
    row_id = row_of(settings().key, purpose, secret)
    return (session().get(FilingDraft, row_id) if row_id else None) or abort(404)


@constancia.get("/codigo/<secret>")
def code(secret: str) -> str | Response:
    """Ask for the code that was mailed."""
    return _code(draft_of(Purpose.CODE, secret), secret, [])


def _code(draft: FilingDraft, secret: str, faults: list[Shown]) -> str:
    local, _, domain = (draft.email or "").partition("@")
    worker = (draft.answers.get("workers") or [{}])[0]
    return render_template(
        "constancia/code.html",
        secret=secret,
        address=f"{local[:1]}•••@{domain}",
        nationality=worker.get("nationality", "BOL"),
        faults=faults,
    )


@constancia.post("/codigo/<secret>")
def give_code(secret: str) -> Response | tuple[str, int]:
    """Confirm the address; then the first page."""
    not_too_often("confirm")
    draft = draft_of(Purpose.CODE, secret)
    right = drafts.confirm(session(), draft, request.form.get("codigo", ""), settings(), utc_now())
    session().commit()
    if right:
        return redirect(url_for("writing.write", secret=token(settings().key, Purpose.DRAFT, draft.id)))
    if draft.confirmed_at is not None:
        words = gettext("Este código ya se usó. Siga con el enlace que le enviamos a su correo.")
    else:
        words = gettext("El código no es el que enviamos, o ya no sirve. Revíselo, o pida otro.")
    return _code(draft, secret, [Shown("codigo", words, "#codigo")]), 422


@constancia.post("/codigo/<secret>/otro")
def another_code(secret: str) -> Response:
    """Mail another code."""
    not_too_often("code")
    draft = draft_of(Purpose.CODE, secret)
    try:
        drafts.mail_code(session(), draft, settings(), utc_now())
        session().commit()
        flash(gettext("Enviamos otro código. El anterior ya no sirve."), "fine")
    except NotAllowed as error:
        session().rollback()
        flash(str(error), "error")
    return redirect(url_for("constancia.code", secret=secret))
