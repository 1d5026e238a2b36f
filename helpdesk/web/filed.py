"""The filer's own page of a filing, by its secret link: what came of it, its documents, and what can be done next."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import undefer
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from helpdesk.certificates import successors
from helpdesk.certificates.application import Fault, read_fields
from helpdesk.certificates.deciding import explain as explain_filing
from helpdesk.certificates.fields import Field, Kind
from helpdesk.certificates.links import Purpose, row_of, token
from helpdesk.certificates.notices import documents_of
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingDraft, FilingKind
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import ConstanciaState
from helpdesk.desk.ticket import Event
from helpdesk.desk.words import FILING_KINDS_ES, N_
from helpdesk.errors import HelpdeskError, NotAllowed
from helpdesk.settings import LIMA
from helpdesk.web.constancia import by_name, shown
from helpdesk.web.filing_steps import answers_sent
from helpdesk.web.guard import FILE_CSP
from helpdesk.web.session import session, settings

filed = Blueprint("filed", __name__, url_prefix="/constancia/solicitud/<secret>")

# What a filer sees of the history: not who of the desk did it, nor why in the desk's words.
PUBLIC_EVENTS = (
    *("filed", "filing_observed", "filing_corrected", "filing_registered", "filing_refused", "filing_lapsed"),
    *(
        "constancia_issued",
        "constancia_sealed",
        "constancia_replaced",
        "constancia_ended",
        "constancia_annulled",
    ),
    "constancia_sent",
)
OFFERS_ES = {
    FilingKind.EXTENSION: N_("El contrato continúa: se emite una constancia con la fecha nueva."),
    FilingKind.MODIFICATION: N_("Cambió algo del contrato: se emite otra constancia."),
    FilingKind.CORRECTION: N_("Hay un error al escribir: se emite otra constancia sin él."),
    FilingKind.END: N_("El contrato terminó."),
    FilingKind.DUPLICATE: N_("Le enviamos otra vez el mismo documento."),
}
END = (
    Field("ended_on", N_("¿Qué día terminó el contrato?"), Kind.DATE),
    Field("reason", N_("¿Por qué terminó?"), required=False, longest=500),
)


def _filing(secret: str) -> Filing:
    row_id = row_of(settings().key, Purpose.FILING, secret)
    return (session().get(Filing, row_id) if row_id else None) or abort(404)


@filed.get("")
def show(secret: str) -> str:
    """What came of the filing, and what can be done now."""
    return _page(_filing(secret), secret, [])


def _page(filing: Filing, secret: str, faults: list[Any]) -> str:
    documents, today = documents_of(session(), filing, with_bytes=False), utc_now().astimezone(LIMA).date()
    local, _, domain = filing.email.partition("@")
    kinds = successors.offered(session(), filing)
    events = select(Event).where(Event.ticket_id == filing.ticket_id, Event.kind.in_(PUBLIC_EVENTS))
    return render_template(
        "constancia/filed.html",
        filing=filing,
        secret=secret,
        documents=documents,
        standings={row.id: row.standing(today).value for row in documents},
        sealing=any(row.state == ConstanciaState.SEALING.value for row in documents),
        masked=f"{local[:1]}•••@{domain}",
        offers=[(kind.value, FILING_KINDS_ES[kind.value], OFFERS_ES[kind]) for kind in kinds],
        history=session().scalars(events.order_by(Event.id)).all(),
        faults=faults,
    )


@filed.get("/<number>.pdf")
def pdf(secret: str, number: str) -> Response:
    """The document, as it was issued."""
    filing = _filing(secret)
    query = select(Constancia).join(FiledWorker, FiledWorker.id == Constancia.worker_id)
    mine = query.where(FiledWorker.filing_id == filing.id, Constancia.number == number)
    row = session().scalar(mine.options(undefer(Constancia.pdf))) or abort(404)
    if row.pdf is None or row.state == ConstanciaState.SEALING.value:
        abort(404)
    return pdf_response(row)


def pdf_response(row: Constancia) -> Response:
    """A document as a download that no page can be made of."""
    assert row.pdf is not None
    response = Response(row.pdf, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{row.number}.pdf"'
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response


def _refused(secret: str, error: HelpdeskError) -> Response:
    session().rollback()
    flash(str(error), "error")
    return redirect(url_for("filed.show", secret=secret))


def _write_on(draft: FilingDraft) -> Response:
    session().commit()
    return redirect(url_for("writing.write", secret=token(settings().key, Purpose.DRAFT, draft.id)))


@filed.post("/corregir")
def correct(secret: str) -> Response:
    """Begin to put an observed filing right: the same pages, with what was answered."""
    try:
        draft = successors.begin_correction(session(), _filing(secret), utc_now())
    except NotAllowed as error:
        return _refused(secret, error)
    return _write_on(draft)


@filed.post("/explicar")
def explain(secret: str) -> Response:
    """Answer an observation in words."""
    words = " ".join(request.form.get("explicacion", "").replace("\x00", "").split("\r\n")).strip()[:2_000]
    try:
        if not words:
            raise NotAllowed("Escriba la explicación.")
        explain_filing(session(), _filing(secret), words)
    except NotAllowed as error:
        return _refused(secret, error)
    session().commit()
    flash("Recibimos su explicación. Una persona la verá.", "fine")
    return redirect(url_for("filed.show", secret=secret))


@filed.post("/tramite")
def follow(secret: str) -> Response:
    """Begin what follows: a form with what was declared, the end's own page, or the duplicate at once."""
    filing, wanted = _filing(secret), request.form.get("tramite", "")
    if wanted not in {kind.value for kind in FilingKind}:
        abort(400)
    kind = FilingKind(wanted)
    if kind is FilingKind.END:
        return redirect(url_for("filed.end", secret=secret))
    try:
        if kind is not FilingKind.DUPLICATE:
            return _write_on(successors.begin(session(), filing, kind, utc_now()))
        later = successors.file_duplicate(session(), filing, settings())
    except HelpdeskError as error:
        return _refused(secret, error)
    return _to_later(later)


def _to_later(later: Filing) -> Response:
    session().commit()
    return redirect(url_for("filed.show", secret=token(settings().key, Purpose.FILING, later.id)))


@filed.get("/termino")
def end(secret: str) -> str:
    """Ask when the contract ended."""
    return _end(_filing(secret), secret, {}, [])


def _end(filing: Filing, secret: str, answers: dict[str, Any], faults: list[Fault]) -> str:
    told = shown(faults, END)
    return render_template(
        "constancia/end.html",
        filing=filing,
        secret=secret,
        asked=END,
        answers=answers,
        faults=told,
        by_name=by_name(told),
    )


@filed.post("/termino")
def file_end(secret: str) -> Response | tuple[str, int]:
    """Register the end of the contract."""
    filing, form = _filing(secret), MultiDict(request.form)
    answers = answers_sent(END, form)
    faults: list[Fault] = []
    read = read_fields(END, answers, "", faults)
    if not faults:
        try:
            ended_on = dt.date.fromisoformat(read["ended_on"])
            later = successors.file_end(session(), filing, ended_on, read["reason"] or "", settings())
            return _to_later(later)
        except NotAllowed as error:
            session().rollback()
            faults.append(Fault("ended_on", "end", str(error)))
    return _end(_filing(secret), secret, answers, faults), 422
