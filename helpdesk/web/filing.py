"""A filing as the desk sees it: what was declared, what was issued, what people decide. Every look at it is noted."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import undefer
from werkzeug.wrappers import Response

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.certificates import deciding, inspection, notices, successors
from helpdesk.certificates.fields import CATEGORIES_ES, CONTRACT, DETAILS, EMPLOYER, REPRESENTATIVE, WORKER
from helpdesk.certificates.links import Purpose, token
from helpdesk.certificates.looks import looks_of, note_look
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingKind
from helpdesk.db import utc_now
from helpdesk.desk.files import Blob
from helpdesk.desk.lifecycle import ConstanciaState, InspectionState
from helpdesk.desk.ticket import find_ticket, record
from helpdesk.desk.words import FILING_KINDS_ES
from helpdesk.errors import HelpdeskError, NotAllowed
from helpdesk.settings import LIMA
from helpdesk.web.filed import pdf_response
from helpdesk.web.filing_steps import read_out
from helpdesk.web.guard import FILE_CSP
from helpdesk.web.session import agent, session, settings

filing = Blueprint("filing", __name__, url_prefix="/constancias/<number>")

WORDS = 2_000
LOOKS = 10
_NOT_IN_HEADERS = re.compile(r"[^A-Za-z0-9._ -]+")


def found(number: str) -> Filing:
    """The filing of a ticket's number, or 404."""
    ticket = find_ticket(session(), number)
    query = select(Filing).where(Filing.ticket_id == ticket.id) if ticket else None
    return (session().scalar(query) if query is not None else None) or abort(404)


@filing.get("")
def show(number: str) -> str:
    """Everything that was declared and done."""
    row, now = found(number), utc_now()
    looks = looks_of(session(), row, LOOKS)
    note_look(session(), row, agent(), "page", now)
    session().commit()
    documents = notices.documents_of(session(), row, with_bytes=False)
    today = now.astimezone(LIMA).date()
    return render_template(
        "filing.html",
        filing=row,
        documents=documents,
        standings={each.id: each.standing(today).value for each in documents},
        sections=_sections(row),
        chain=successors.chain_of(session(), row),
        control=inspection.inspection_of(session(), row),
        corrections=FilingKind.CORRECTION in successors.offered(session(), row),
        kind_name=FILING_KINDS_ES[row.kind],
        looks=looks,
        today=today,
    )


def _sections(row: Filing) -> list[tuple[str, list[tuple[str, str]]]]:
    """What was declared, as headings with pairs of question and answer."""
    tree = successors.tree_of(row)
    employer = {**tree["employer"], "email": row.email}
    parts = [
        (gettext("Empleador"), EMPLOYER, employer),
        (gettext("Representante"), REPRESENTATIVE, employer["representative"]),
        (CATEGORIES_ES[row.category], DETAILS[row.category], tree["category_details"]),
        (gettext("Contrato"), CONTRACT, tree["contract"]),
        *((gettext("Persona %(n)s", n=at), WORKER, worker) for at, worker in enumerate(tree["workers"], 1)),
    ]
    return [
        (heading, [(question.label, read_out(answers.get(question.name), question)) for question in asked])
        for heading, asked, answers in parts
    ]


def act(number: str, action: Callable[[Filing], object], said: str) -> Response:
    """Do something to a filing, commit, and say so; a refusal is told in words."""
    row = found(number)
    try:
        action(row)
    except HelpdeskError as error:
        session().rollback()
        flash(str(error), "error")
        return redirect(url_for("filing.show", number=number))
    session().commit()
    flash(said, "fine")
    return redirect(url_for("filing.show", number=number))


def _words(name: str) -> str:
    return request.form.get(name, "").replace("\x00", "").replace("\r\n", "\n").strip()[:WORDS]


@filing.post("/registrar")
def register(number: str) -> Response:
    """Approve what was observed, and issue."""

    def approve(row: Filing) -> None:
        deciding.register_observed(session(), row, _words("motivo"), settings(), actor=agent())

    return act(number, approve, gettext("La solicitud quedó registrada y la constancia emitida."))


@filing.post("/rechazar")
def refuse(number: str) -> Response:
    """Do not register what was observed."""

    def refuse_it(row: Filing) -> None:
        deciding.refuse(session(), row, _words("motivo"), settings(), actor=agent())

    return act(number, refuse_it, gettext("La solicitud no se registró. Se le avisó a quien la presentó."))


def _document(row: Filing, *, with_bytes: bool = False) -> Constancia:
    """The document that the form or address names, of this filing only."""
    wanted = request.form.get("constancia") or request.args.get("constancia") or ""
    query = select(Constancia).join(FiledWorker, FiledWorker.id == Constancia.worker_id)
    mine = query.where(FiledWorker.filing_id == row.id, Constancia.number == wanted)
    return session().scalar(mine.options(undefer(Constancia.pdf)) if with_bytes else mine) or abort(404)


@filing.post("/anular")
@needs(Role.SUPERVISOR)
def annul(number: str) -> Response:
    """Annul a constancia, with a reason."""

    def take_back(row: Filing) -> None:
        deciding.annul(session(), _document(row), _words("motivo"), actor=agent())

    return act(
        number, take_back, gettext("La constancia quedó anulada. Quien la compruebe lo ve desde ahora.")
    )


@filing.post("/copia")
def send_copy(number: str) -> Response:
    """Send a document once more, to an address that the filing names."""

    def send(row: Filing) -> None:
        document, now = _document(row, with_bytes=True), utc_now()
        wanted = request.form.get("a", "")
        if wanted not in {row.email, document.worker.email}:
            raise NotAllowed(gettext("Solo se envía a los correos de la solicitud."))
        if document.state != ConstanciaState.VALID.value or document.pdf is None:
            raise NotAllowed(gettext("Esa constancia no está vigente, o no tiene documento."))
        notices.send_copy(session(), row, document, wanted, settings(), now)
        record(
            session(),
            row.ticket,
            "constancia_sent",
            now=now,
            actor=agent(),
            number=document.number,
            to=wanted,
        )

    return act(number, send, gettext("La copia está en camino."))


@filing.post("/correccion")
def begin_correction(number: str) -> Response:
    """Begin to correct a material error: the form with what was declared; its link also goes to the filer."""
    row, now = found(number), utc_now()
    try:
        draft = successors.begin(session(), row, FilingKind.CORRECTION, now)
    except NotAllowed as error:
        session().rollback()
        flash(str(error), "error")
        return redirect(url_for("filing.show", number=number))
    note_look(session(), row, agent(), "correction", now)
    notices.send_draft_link(session(), draft, settings(), now)
    session().commit()
    return redirect(url_for("writing.write", secret=token(settings().key, Purpose.DRAFT, draft.id)))


@filing.post("/fiscalizacion")
def inspect(number: str) -> Response:
    """Take the control of a drawn filing up, put it back, or decide it."""
    wanted = request.form.get("estado", "")
    if wanted not in {state.value for state in InspectionState}:
        abort(400)

    def move(row: Filing) -> None:
        task = inspection.inspection_of(session(), row) or abort(404)
        state = InspectionState(wanted)
        inspection.move(session(), task, state, _words("hallazgos"), now=utc_now(), actor=agent())

    return act(number, move, gettext("Quedó anotado."))


@filing.get("/documento.pdf")
def document(number: str) -> Response:
    """The constancia as it was issued; `?constancia=NUMBER`."""
    row = found(number)
    made = _document(row, with_bytes=True)
    if made.pdf is None or made.state == ConstanciaState.SEALING.value:
        abort(404)
    note_look(session(), row, agent(), "pdf", utc_now())
    session().commit()
    return pdf_response(made)


@filing.get("/contrato")
def contract(number: str) -> Response:
    """The contract's file as it was given; held while the virus scanner has not passed it."""
    row = found(number)
    query = select(Blob).where(Blob.sha256 == row.contract_sha256).options(undefer(Blob.content))
    blob = session().scalar(query) or abort(404)
    if blob.is_held(scanning=settings().clamav is not None):
        flash(gettext("El archivo está retenido: el antivirus todavía no lo aprobó."), "error")
        return redirect(url_for("filing.show", number=number))
    if not blob.is_whole():
        flash(
            gettext("Archivo dañado: lo guardado ya no es lo que llegó. Avise a quien administra la mesa."),
            "error",
        )
        return redirect(url_for("filing.show", number=number))
    note_look(session(), row, agent(), "contract", utc_now())
    session().commit()
    response = Response(blob.content, mimetype=row.contract_mime or "application/octet-stream")
    name = _NOT_IN_HEADERS.sub("_", row.contract_name or "contrato")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response
