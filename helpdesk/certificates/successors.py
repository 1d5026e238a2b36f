"""What follows an issued constancia: prórroga, modificación, corrección, término, duplicado. Each is a filing.

A document that was issued is never edited. In: which of them may follow, the two that need no form (an end, a
duplicate), and beginning the others from what was declared before. Not in: issuing (`issuing.py`), annulment
(`deciding.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from itertools import islice
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.certificates.identity import plain
from helpdesk.certificates.issuing import calendar_of, database_now
from helpdesk.certificates.notices import documents_of, tell_later
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingDraft, FilingKind, Source
from helpdesk.certificates.register import WORKER_COLUMNS, enter_later
from helpdesk.db import hold
from helpdesk.desk.lifecycle import ConstanciaState, FilingState, TicketStatus
from helpdesk.desk.ticket import change_status, lock_ticket, record
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA, Settings


def in_force(session: Session, filing: Filing, *, with_bytes: bool = False) -> list[Constancia]:
    """The constancias of a filing that nothing has replaced or annulled, in the order of its workers."""
    rows = documents_of(session, filing, with_bytes=with_bytes)
    return [row for row in rows if row.state == ConstanciaState.VALID.value]


def offered(session: Session, filing: Filing) -> list[FilingKind]:
    """What may follow a filing now."""
    if filing.state != FilingState.REGISTERED.value or not in_force(session, filing):
        return []
    kinds = [FilingKind.MODIFICATION, FilingKind.CORRECTION, FilingKind.END, FilingKind.DUPLICATE]
    return [FilingKind.EXTENSION, *kinds] if filing.ends is not None else kinds


def check_offered(session: Session, filing: Filing, kind: FilingKind) -> None:
    """Raise NotAllowed when this may not follow that filing now."""
    if kind not in offered(session, filing):
        raise NotAllowed("Este trámite ya no corresponde a esa constancia: vuelva a cargar la página.")


def begin(session: Session, filing: Filing, kind: FilingKind, now: dt.datetime) -> FilingDraft:
    """A draft that begins with what was declared before; its address is that of the filing. Raises NotAllowed."""
    check_offered(session, filing, kind)
    draft = draft_from(filing, now)
    draft.kind, draft.follows_id = kind.value, filing.id
    session.add(draft)
    session.flush()
    return draft


def begin_correction(session: Session, filing: Filing, now: dt.datetime) -> FilingDraft:
    """A draft in which an observed filing is put right; the one that was begun before, if there is one.

    Raises NotAllowed when it is too late, or was answered already.
    """
    check_correctable(filing, now)
    query = select(FilingDraft).where(FilingDraft.corrects_id == filing.id, FilingDraft.filing_id.is_(None))
    if begun := session.scalars(query.order_by(FilingDraft.id.desc())).first():
        return begun
    draft = draft_from(filing, now)
    draft.kind, draft.follows_id, draft.corrects_id = filing.kind, filing.follows_id, filing.id
    session.add(draft)
    session.flush()
    return draft


def check_correctable(filing: Filing, now: dt.datetime) -> None:
    """Raise NotAllowed unless the filing is observed, unanswered, and within its term."""
    if filing.state != FilingState.OBSERVED.value:
        raise NotAllowed("La solicitud ya no está observada: vuelva a cargar la página.")
    if filing.corrected_at is not None:
        raise NotAllowed("Ya recibimos su respuesta: una persona la está viendo.")
    if filing.due_on is not None and now.astimezone(LIMA).date() > filing.due_on:
        raise NotAllowed("El plazo para corregir ya venció: presente una solicitud nueva.")


def draft_from(filing: Filing, now: dt.datetime) -> FilingDraft:
    """A draft with everything that a filing declares. What is declared as true is declared anew."""
    return FilingDraft(
        email=filing.email,
        confirmed_at=now,
        answers=tree_of(filing),
        contract_name=filing.contract_name,
        contract_mime=filing.contract_mime,
        contract_sha256=filing.contract_sha256,
        created_at=now,
        updated_at=now,
    )


def tree_of(filing: Filing) -> dict[str, Any]:
    """What a filing declared, as the tree of a file."""
    hours = filing.hours_per_week
    return {
        "employer": {
            "ruc": filing.employer_ruc,
            "name": filing.employer_name,
            "address": filing.employer_address,
            "ubigeo": filing.employer_ubigeo,
            "activity": filing.employer_activity,
            "representative": dict(filing.representative),
            "phone": filing.phone,
        },
        "workers": [
            {key: _plain(getattr(worker, key)) for key in WORKER_COLUMNS} for worker in filing.workers
        ],
        "category": filing.category,
        "category_details": dict(filing.details),
        "contract": {
            "type": filing.contract_type,
            "signed": filing.signed.isoformat(),
            "start": filing.starts.isoformat(),
            "end": filing.ends.isoformat() if filing.ends else None,
            "occupation": filing.occupation,
            "workplace_address": filing.workplace_address,
            "workplace_ubigeo": filing.workplace_ubigeo,
            "pay": float(filing.pay),
            "currency": filing.currency,
            "hours_per_week": float(hours) if hours is not None else None,
        },
    }


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else value


def file_end(
    session: Session,
    filing: Filing,
    ended_on: dt.date,
    reason: str,
    settings: Settings,
    *,
    actor: User | None = None,
) -> Filing:
    """Register that a contract is over: its constancias run out on that day. Raises NotAllowed."""
    later, concerned, now = _enter(session, filing, FilingKind.END, reason, settings, actor)
    if not filing.starts <= ended_on <= now.astimezone(LIMA).date():
        raise NotAllowed("El término debe estar entre el inicio del contrato y hoy.")
    for row in concerned:
        row.valid_until = ended_on if row.valid_until is None else min(ended_on, row.valid_until)
        ended = row.valid_until.isoformat()
        record(session, filing.ticket, "constancia_ended", now=now, actor=actor, number=row.number, on=ended)
    what = f"Registramos que el contrato terminó el {ended_on:%d/%m/%Y}."
    tell_later(session, later, "Término del contrato registrado", what, concerned, settings, now)
    return later


def file_duplicate(
    session: Session, filing: Filing, settings: Settings, *, actor: User | None = None
) -> Filing:
    """Send the documents of a filing once more: the very same files. Raises NotAllowed."""
    later, concerned, now = _enter(session, filing, FilingKind.DUPLICATE, "", settings, actor)
    for row in concerned:
        record(session, filing.ticket, "constancia_sent", now=now, actor=actor, number=row.number)
    what = "Le enviamos otra vez lo que se emitió: es el mismo archivo."
    tell_later(session, later, "Duplicado de su constancia", what, concerned, settings, now, enclosed=True)
    return later


def _enter(
    session: Session, filing: Filing, kind: FilingKind, request: str, settings: Settings, actor: User | None
) -> tuple[Filing, list[Constancia], dt.datetime]:
    """A later filing that issues nothing, registered at once, and what it is about; the old one is held."""
    hold(session, filing)
    check_offered(session, filing, kind)
    now = database_now(session)
    source = Source.FILE if actor else Source.WEB
    later = enter_later(session, filing, kind, source, request, calendar_of(settings), now)
    later.state, later.decided_at = FilingState.REGISTERED.value, now
    lock_ticket(session, later.ticket)
    change_status(session, later.ticket, TicketStatus.CLOSED, now=now, actor=actor, why="registrado")
    return later, in_force(session, filing, with_bytes=True), now


def chain_of(session: Session, filing: Filing) -> list[Filing]:
    """A filing with those before and after it, the first one first."""
    first = filing
    while first.follows is not None:
        first = first.follows
    found = [first]
    for row in found:
        found += session.scalars(select(Filing).where(Filing.follows_id == row.id).order_by(Filing.id))
    return found


_NUMBERS = re.compile(r"\b[A-Z]{0,4}\d[A-Z0-9-]{3,18}\b|\bCTMA-\d{4}-\d{6}\b")
NUMBERS_READ = 20


def numbers_in(text: str) -> set[str]:
    """What may be the number of a document, a RUC or a constancia in a text; the first ones of a long text."""
    found = (plain(match[0]) for match in _NUMBERS.finditer(text[:20_000].upper().replace(".", "")))
    return set(islice(found, NUMBERS_READ))


def filings_about(session: Session, email: str | None, numbers: set[str], limit: int = 10) -> list[Filing]:
    """The newest filings of an address, or that name one of these numbers of documents, RUCs or constancias."""
    of_number = (
        select(FiledWorker.filing_id)
        .outerjoin(Constancia, Constancia.worker_id == FiledWorker.id)
        .where(FiledWorker.document_number.in_(numbers) | Constancia.number.in_(numbers))
    )
    worker_of_address = select(FiledWorker.filing_id).where(FiledWorker.email == email)
    which = Filing.id.in_(of_number) | Filing.employer_ruc.in_(numbers)
    if email:
        which = which | (Filing.email == email) | Filing.id.in_(worker_of_address)
    return list(session.scalars(select(Filing).where(which).order_by(Filing.id.desc()).limit(limit)))
