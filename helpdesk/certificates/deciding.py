"""What people decide: an observed filing is registered, refused or lapses; a constancia is annulled.

In: who decided what, why, and what that does. Every step stands in the ticket's history; whoever verifies sees an
annulment at once (T85).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import Role, User
from helpdesk.certificates.application import Application
from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.issuing import Outcome, Result, database_now, issue, known_of
from helpdesk.certificates.notices import tell_decided
from helpdesk.certificates.records import Constancia, Filing, FilingKind
from helpdesk.certificates.register import declare
from helpdesk.certificates.rules import OBSERVING, REJECTING, broken
from helpdesk.certificates.successors import check_correctable
from helpdesk.db import hold
from helpdesk.desk.lifecycle import (
    CONSTANCIA,
    FILING,
    ConstanciaState,
    FilingState,
    TicketStatus,
    check_can_move,
)
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.ticket import change_status, lock_ticket, record
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA, Settings

LAPSED_ES = (
    "Su solicitud se tiene por no presentada, porque el plazo para corregirla venció. "
    "Puede presentar otra cuando quiera."
)


def correct(
    session: Session,
    filing: Filing,
    application: Application,
    contract: ContractFile,
    settings: Settings,
) -> Result:
    """Put an observed filing right. When nothing is left to look at, it is registered and its constancias are issued.

    Else a person decides: it is observed once only. Raises NotAllowed when it is too late.
    """
    hold(session, filing)
    now = database_now(session)
    check_correctable(filing, now)
    today, kind = now.astimezone(LIMA).date(), FilingKind(filing.kind)
    known = known_of(session, application, today, filing.follows, kind)
    if rejected := broken(REJECTING, application, known):
        return Result(Outcome.REJECTED, rejected)
    for worker in filing.workers:
        session.delete(worker)
    filing.workers = []
    session.flush()
    declare(filing, application, contract)
    session.flush()
    observed = broken(OBSERVING, application, known)
    _note_correction(session, filing, "corrigió la solicitud", now)
    if observed:
        filing.observations = [asdict(fault) for fault in observed]
        return Result(Outcome.OBSERVED, observed, filing)
    issue(session, filing, settings)
    return Result(Outcome.ISSUED, (), filing)


def explain(session: Session, filing: Filing, words: str) -> None:
    """Answer an observation in words; a person decides. Raises NotAllowed when it is too late."""
    hold(session, filing)
    now = database_now(session)
    check_correctable(filing, now)
    session.add(
        Message(
            ticket_id=filing.ticket_id,
            direction=Direction.INBOUND.value,
            sender_name=filing.employer_name,
            sender_address=filing.email,
            subject=filing.ticket.subject,
            text=words,
            new_text=words,
            written_at=now,
            at=now,
        )
    )
    _note_correction(session, filing, "explicó lo observado", now)


def _note_correction(session: Session, filing: Filing, why: str, now: dt.datetime) -> None:
    filing.corrected_at = now
    record(session, filing.ticket, "filing_corrected", now=now, why=why)
    lock_ticket(session, filing.ticket)
    change_status(session, filing.ticket, TicketStatus.OPEN, now=now, actor=None, why="hay que decidir")


def register_observed(
    session: Session, filing: Filing, why: str, settings: Settings, *, actor: User
) -> list[Constancia]:
    """A person approves what a rule could not decide; the constancias are issued. Raises NotAllowed."""
    hold(session, filing)
    if filing.state != FilingState.OBSERVED.value:
        raise NotAllowed("La solicitud ya no está observada: alguien decidió antes.")
    if not why.strip():
        raise NotAllowed("Escriba por qué se aprueba: queda en la historia.")
    now = database_now(session)
    record(session, filing.ticket, "filing_registered", now=now, actor=actor, why=why.strip())
    return issue(session, filing, settings, actor=actor)


def refuse(session: Session, filing: Filing, why: str, settings: Settings, *, actor: User) -> None:
    """A person does not register an observed filing; the filer is told why. Raises NotAllowed."""
    if not why.strip():
        raise NotAllowed("Escriba por qué no se registra: se le dirá a quien la presentó.")
    hold(session, filing)
    now = database_now(session)
    _close(session, filing, FilingState.REFUSED, "filing_refused", why.strip(), now=now, actor=actor)
    filing.refusal = why.strip()
    # The reason is the agent's own words: no text of a stranger goes out.
    tell_decided(session, filing, f"Su solicitud no se registró: {why.strip()}", settings, now)


def lapse_due(session: Session, settings: Settings, today: dt.date) -> int:
    """Close what was not put right in its term. Returns how many."""
    query = (
        select(Filing)
        .where(
            Filing.state == FilingState.OBSERVED.value, Filing.due_on < today, Filing.corrected_at.is_(None)
        )
        .with_for_update(skip_locked=True)
    )
    due = session.scalars(query).all()
    now = database_now(session)
    for filing in due:
        _close(
            session,
            filing,
            FilingState.LAPSED,
            "filing_lapsed",
            "nadie respondió en el plazo",
            now=now,
            actor=None,
        )
        tell_decided(session, filing, LAPSED_ES, settings, now)
    return len(due)


def _close(
    session: Session,
    filing: Filing,
    state: FilingState,
    kind: str,
    why: str,
    *,
    now: dt.datetime,
    actor: User | None,
) -> None:
    check_can_move(FILING, FilingState(filing.state), state)
    filing.state, filing.decided_at = state.value, now
    record(session, filing.ticket, kind, now=now, actor=actor, why=why)
    lock_ticket(session, filing.ticket)
    change_status(session, filing.ticket, TicketStatus.CLOSED, now=now, actor=actor, why=why)


def annul(session: Session, constancia: Constancia, reason: str, *, actor: User) -> None:
    """Take a constancia's worth away, for good. Raises NotAllowed without a reason, or for anybody but a supervisor."""
    if not Role(actor.role).covers(Role.SUPERVISOR):
        raise NotAllowed("Solo quien supervisa anula una constancia.")
    if not reason.strip():
        raise NotAllowed("Escriba el motivo: queda en la historia.")
    hold(session, constancia)
    if constancia.state == ConstanciaState.ANNULLED.value:
        raise NotAllowed("La constancia ya estaba anulada.")
    check_can_move(CONSTANCIA, ConstanciaState(constancia.state), ConstanciaState.ANNULLED)
    now = database_now(session)
    constancia.state, constancia.annulled_at = ConstanciaState.ANNULLED.value, now
    constancia.annulled_by_id, constancia.annulment = actor.id, reason.strip()
    ticket = constancia.worker.filing.ticket
    record(
        session,
        ticket,
        "constancia_annulled",
        now=now,
        actor=actor,
        why=reason.strip(),
        number=constancia.number,
    )
