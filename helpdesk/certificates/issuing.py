"""From a declared filing to constancias: one transaction for the number, the code, the document and the notice.

In: what the rules say of a filing, registering it, issuing what it asks for. Not in: what follows an issued
constancia (`successors.py`), the seal (`sealing.py`). The number comes from a locked row, so that a year's series has
no gap and no double whoever dies when (T86, I-7); the instant comes from the database, so that no machine's clock can
date a document back (T88).
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ARRAY, DateTime, Text, func, literal, or_, select
from sqlalchemy.orm import Session

from helpdesk import failpoints
from helpdesk.accounts.users import User
from helpdesk.certificates import register
from helpdesk.certificates.application import Application, Fault
from helpdesk.certificates.checks import Followed, Known
from helpdesk.certificates.codes import new_code
from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.document import render
from helpdesk.certificates.notices import tell_issued, tell_observed
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingKind, Source
from helpdesk.certificates.rules import OBSERVING, REJECTING, broken
from helpdesk.clock.working_calendar import WorkingCalendar
from helpdesk.desk.lifecycle import (
    CONSTANCIA,
    FILING,
    ConstanciaState,
    FilingState,
    TicketStatus,
    check_can_move,
)
from helpdesk.desk.ticket import change_status, close_numbers, lock_ticket, open_numbers, record
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA, Settings

log = logging.getLogger(__name__)

SERIES = "CTMA"
# A filing is observed once, and this many working days are given to put it right (TUO Ley 27444, art. 136).
WORKING_DAYS_TO_CORRECT = 2


class Outcome(StrEnum):
    """What became of a filing."""

    ISSUED = "issued"
    OBSERVED = "observed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Submission:
    """What is filed, and how it came. `key` makes the same filing sent twice one filing."""

    application: Application
    contract: ContractFile
    source: Source
    key: str | None = None
    kind: FilingKind = FilingKind.REGISTRATION
    follows: Filing | None = None
    request: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a submission."""

    outcome: Outcome
    reasons: tuple[Fault, ...] = ()
    filing: Filing | None = None


def calendar_of(settings: Settings) -> WorkingCalendar:
    """The office's days and hours."""
    return WorkingCalendar(settings.office_opens, settings.office_closes)


def database_now(session: Session) -> dt.datetime:
    """The present instant by the database's clock, not by the transaction's beginning."""
    return session.scalars(select(func.clock_timestamp(type_=DateTime(timezone=True)))).one()


def known_of(
    session: Session,
    application: Application,
    today: dt.date,
    besides: Filing | None = None,
    kind: FilingKind = FilingKind.REGISTRATION,
) -> Known:
    """What the register knows of an application's workers; `besides` is the filing that it follows.

    It stays true until the transaction ends.
    """
    _hold_people(session, application)
    numbers = [worker.document_number for worker in application.workers]
    query = (
        select(FiledWorker, Constancia)
        .join(Constancia, Constancia.worker_id == FiledWorker.id)
        .where(
            FiledWorker.document_number.in_(numbers),
            Constancia.state.in_([ConstanciaState.VALID.value, ConstanciaState.SEALING.value]),
            or_(Constancia.valid_until.is_(None), Constancia.valid_until >= application.contract.start),
        )
    )
    if application.contract.end is not None:
        query = query.where(Constancia.valid_from <= application.contract.end)
    if besides is not None:
        query = query.where(FiledWorker.filing_id != besides.id)
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for worker, constancia in session.execute(query):
        found[worker.document] = (*found.get(worker.document, ()), constancia.number)
    return Known(today, found, _followed(besides, kind))


def _hold_people(session: Session, application: Application) -> None:
    """Let filings for the same person wait for each other: the later one sees what the first one issued (T86)."""
    documents = sorted({" ".join(worker.document) for worker in application.workers})
    person = func.unnest(literal(documents, ARRAY(Text))).column_valued("person")
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(person, 0))))


def _followed(filing: Filing | None, kind: FilingKind) -> Followed | None:
    if filing is None:
        return None
    documents = frozenset(worker.document for worker in filing.workers)
    return Followed(kind is FilingKind.EXTENSION, filing.employer_ruc, documents, filing.ends)


def submit(session: Session, submission: Submission, settings: Settings) -> Result:
    """Register a filing and issue what it asks for, observe it, or say what keeps it from being registered.

    The caller commits. A rejected filing leaves no trace here: what was typed is the caller's to keep.
    """
    if already := filing_of_key(session, submission.key):
        return again(already)
    now = database_now(session)
    today = now.astimezone(LIMA).date()
    known = known_of(session, submission.application, today, submission.follows, submission.kind)
    if rejected := broken(REJECTING, submission.application, known):
        return Result(Outcome.REJECTED, rejected)
    observed = broken(OBSERVING, submission.application, known)
    filing = register.enter(session, submission, observed, calendar_of(settings), now)
    if observed:
        observe(session, filing, observed, settings, now=now)
        return Result(Outcome.OBSERVED, observed, filing)
    issue(session, filing, settings)
    return Result(Outcome.ISSUED, (), filing)


def filing_of_key(session: Session, key: str | None) -> Filing | None:
    """The filing that was made of this very submission."""
    return session.scalar(select(Filing).where(Filing.idempotency_key == key)) if key else None


def again(filing: Filing) -> Result:
    """What the first of several equal submissions came to."""
    observed = tuple(Fault(**reason) for reason in filing.observations)
    outcome = Outcome.ISSUED if filing.state == FilingState.REGISTERED.value else Outcome.OBSERVED
    return Result(outcome, observed if outcome is Outcome.OBSERVED else (), filing)


def observe(
    session: Session,
    filing: Filing,
    reasons: Sequence[Fault],
    settings: Settings,
    *,
    now: dt.datetime,
) -> None:
    """Ask the filer to put something right: once, with two working days (LPAG, 136)."""
    filing.due_on = calendar_of(settings).add_working_days(filing.counts_on, WORKING_DAYS_TO_CORRECT)
    why = "; ".join(dict.fromkeys(reason.rule for reason in reasons))
    record(session, filing.ticket, "filing_observed", now=now, why=why, due=filing.due_on.isoformat())
    tell_observed(session, filing, reasons, settings, now)


def issue(
    session: Session, filing: Filing, settings: Settings, *, actor: User | None = None
) -> list[Constancia]:
    """Number, render and store one constancia for each worker, and queue the notice. Returns them in order.

    Raises NotAllowed when the database's clock is behind the last constancia: nothing is issued before it (T88).
    """
    rough = database_now(session)
    numbers = open_numbers(session, rough, SERIES)
    now = database_now(session)  # whoever waited for the lock comes after whoever held it
    _check_clock(session, now)
    failpoints.hit("after-constancia-number")
    issued = []
    replaced = replaced_by(session, filing)
    for worker in filing.workers:
        constancia = Constancia(
            worker_id=worker.id,
            number=numbers.take(),
            year=numbers.year,
            ordinal=numbers.last,
            code=new_code(),
            state=(ConstanciaState.SEALING if settings.seals else ConstanciaState.VALID).value,
            issued_at=now,
            valid_from=filing.starts,
            valid_until=filing.ends,
        )
        constancia.worker = worker
        old = replaced.get(worker.position)
        render(constancia, filing, settings, now, old.number if old else None)
        session.add(constancia)
        issued.append(constancia)
    failpoints.hit("after-constancia-render")
    close_numbers(session, numbers)
    session.flush()
    failpoints.hit("after-constancia-store")
    for constancia in issued:
        if old := replaced.get(constancia.worker.position):
            replace(session, old, constancia, now=now, actor=actor)
    _finish(session, filing, issued, settings, actor, now)
    failpoints.hit("before-constancia-commit")
    return issued


def replaced_by(session: Session, filing: Filing) -> dict[int, Constancia]:
    """The constancias that those of a filing take the place of, by the worker's position: the same person's."""
    if filing.follows_id is None:
        return {}
    query = (
        select(FiledWorker, Constancia)
        .join(Constancia, Constancia.worker_id == FiledWorker.id)
        .where(FiledWorker.filing_id == filing.follows_id, Constancia.state == ConstanciaState.VALID.value)
        .with_for_update(of=Constancia)
    )
    old = session.execute(query.execution_options(populate_existing=True)).all()
    by_document = {worker.document: row for worker, row in old}
    by_position = {worker.position: row for worker, row in old}
    found: dict[int, Constancia] = {}
    for worker in filing.workers:
        # A corrected document number is another one: then the place on the filing tells who it is.
        row = by_document.get(worker.document) or by_position.get(worker.position)
        if row is not None and row not in found.values():
            found[worker.position] = row
    return found


def replace(
    session: Session, old: Constancia, new: Constancia, *, now: dt.datetime, actor: User | None = None
) -> None:
    """Let a constancia take the place of another one, which stays as it was issued."""
    check_can_move(CONSTANCIA, ConstanciaState(old.state), ConstanciaState.REPLACED)
    old.state, old.replaced_by_id = ConstanciaState.REPLACED.value, new.id
    ticket = old.worker.filing.ticket
    record(session, ticket, "constancia_replaced", now=now, actor=actor, number=old.number, by=new.number)


def _check_clock(session: Session, now: dt.datetime) -> None:
    last = session.scalar(select(func.max(Constancia.issued_at)).where(Constancia.ordinal.is_not(None)))
    if last is not None and now < last:
        log.error("constancias: the database's clock (%s) is behind the last one (%s)", now, last)
        raise NotAllowed(
            "El reloj de la base de datos está atrasado: no se emite con una fecha anterior a la última constancia."
        )


def _finish(
    session: Session,
    filing: Filing,
    issued: Sequence[Constancia],
    settings: Settings,
    actor: User | None,
    now: dt.datetime,
) -> None:
    if filing.state != FilingState.REGISTERED.value:
        check_can_move(FILING, FilingState(filing.state), FilingState.REGISTERED)
        filing.state = FilingState.REGISTERED.value
    filing.decided_at, filing.due_on = now, None
    for constancia in issued:
        record(
            session,
            filing.ticket,
            "constancia_issued",
            now=now,
            actor=actor,
            why="" if actor else "aprobación automática: se cumplen todas las reglas",
            number=constancia.number,
        )
    register.describe(filing, issued)
    lock_ticket(session, filing.ticket)
    why = "se emitió lo solicitado"
    change_status(session, filing.ticket, TicketStatus.CLOSED, now=now, actor=actor, why=why)
    if settings.seals:
        return  # the document leaves when its seal is on it (F47)
    tell_issued(session, filing, issued, settings, now)
