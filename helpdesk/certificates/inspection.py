"""The control after approval: a random sample of a semester's filings, drawn so that anybody can repeat the draw.

At least a tenth, at most 150 a semester, by settings (TUO Ley 27444, art. 34). In: who could be drawn, the draw, and
the tasks it opens. Each filing takes part in one draw; several draws of a semester share its limit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import secrets
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.certificates.records import Filing, FilingKind, Inspection, InspectionDraw, Source
from helpdesk.db import hold
from helpdesk.desk.lifecycle import INSPECTION, FilingState, InspectionState, check_can_move
from helpdesk.desk.ticket import record
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA, Settings

SEED_BYTES = 16
HALF_YEAR_MONTHS = 6
# One draw at a time, on whatever node.
_DRAWING = 7263502
# What was approved automatically; an end and a duplicate approve nothing.
DRAWN_KINDS = [kind.value for kind in FilingKind if kind not in (FilingKind.END, FilingKind.DUPLICATE)]
DECIDED = (InspectionState.CONFORMING, InspectionState.IRREGULAR)


def semester_of(day: dt.date) -> str:
    """A semester as it is written: "2026-2"."""
    return f"{day.year}-{1 if day.month <= HALF_YEAR_MONTHS else 2}"


def semester_before(day: dt.date) -> str:
    """The semester that ended before the one of a day."""
    return semester_of(_begins(semester_of(day)) - dt.timedelta(days=1))


def span(semester: str) -> tuple[dt.datetime, dt.datetime]:
    """The instants between which a semester lies, in Lima's time."""
    begins = _begins(semester)
    following = _begins(semester_of(begins + dt.timedelta(days=31 * HALF_YEAR_MONTHS)))
    return _midnight(begins), _midnight(following)


def _begins(semester: str) -> dt.date:
    year, half = semester.split("-")
    return dt.date(int(year), 1 if half == "1" else HALF_YEAR_MONTHS + 1, 1)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), LIMA)


def sample(population: Sequence[int], seed: str, count: int) -> list[int]:
    """The `count` ids whose SHA-256 of "SEED ID" comes first: anybody with the seed gets the same ones."""
    order = sorted(population, key=lambda row_id: hashlib.sha256(f"{seed} {row_id}".encode()).digest())
    return sorted(order[:count])


def eligible(session: Session, semester: str) -> list[int]:
    """The filings of a semester that were approved and took part in no draw yet, by id."""
    begins, ends = span(semester)
    approved = select(Filing.id).where(
        Filing.state == FilingState.REGISTERED.value,
        Filing.kind.in_(DRAWN_KINDS),
        Filing.source != Source.IMPORT.value,
        Filing.filed_at >= begins,
        Filing.filed_at < ends,
    )
    before = session.scalars(select(InspectionDraw.population).where(InspectionDraw.semester == semester))
    took_part = {row_id for population in before for row_id in population}
    return [row_id for row_id in session.scalars(approved.order_by(Filing.id)) if row_id not in took_part]


def draw(
    session: Session, semester: str, settings: Settings, *, now: dt.datetime, actor: User | None = None
) -> InspectionDraw:
    """Draw among the filings of a semester and open a task for each that was drawn. Raises NotAllowed for none."""
    session.execute(select(func.pg_advisory_xact_lock(_DRAWING)))
    population = eligible(session, semester)
    if not population:
        raise NotAllowed("No hay solicitudes de ese semestre que no hayan entrado ya en un sorteo.")
    seed = secrets.token_hex(SEED_BYTES)
    left = max(settings.inspection_most - _drawn_in(session, semester), 0)
    count = min(math.ceil(settings.inspection_share * len(population)), left)
    drawn = sample(population, seed, count)
    made = InspectionDraw(
        semester=semester,
        seed=seed,
        share=Decimal(str(settings.inspection_share)),
        most=settings.inspection_most,
        population=population,
        drawn=drawn,
        drawn_at=now,
        drawn_by_id=actor.id if actor else None,
    )
    session.add(made)
    session.flush()
    for filing in session.scalars(select(Filing).where(Filing.id.in_(drawn)).order_by(Filing.id)):
        session.add(Inspection(draw_id=made.id, filing_id=filing.id, updated_at=now))
        record(session, filing.ticket, "inspection_drawn", now=now, actor=actor, draw=made.id)
    session.flush()
    return made


def _drawn_in(session: Session, semester: str) -> int:
    query = select(func.coalesce(func.sum(func.jsonb_array_length(InspectionDraw.drawn)), 0))
    return int(session.scalar(query.where(InspectionDraw.semester == semester)) or 0)


def draw_due(session: Session, settings: Settings, now: dt.datetime) -> InspectionDraw | None:
    """Draw the semester that ended, once, when nobody has; what the clock asks for."""
    semester = semester_before(now.astimezone(LIMA).date())
    if not eligible(session, semester):
        return None
    try:
        return draw(session, semester, settings, now=now)
    except NotAllowed:
        return None


def move(
    session: Session,
    inspection: Inspection,
    state: InspectionState,
    findings: str,
    *,
    now: dt.datetime,
    actor: User,
) -> None:
    """Take a task up, put it back, or say what was found. Raises NotAllowed; a decision needs words."""
    hold(session, inspection)
    check_can_move(INSPECTION, InspectionState(inspection.state), state)
    if state in DECIDED and not findings.strip():
        raise NotAllowed("Escriba qué se comprobó: queda en la historia.")
    inspection.state, inspection.updated_at = state.value, now
    inspection.assignee_id = None if state is InspectionState.OPEN else actor.id
    if state not in DECIDED:
        return
    inspection.findings, inspection.decided_at = findings.strip(), now
    record(
        session,
        inspection.filing.ticket,
        "inspection_decided",
        now=now,
        actor=actor,
        why=findings.strip(),
        outcome=state.value,
    )


def inspection_of(session: Session, filing: Filing) -> Inspection | None:
    """The control of a filing, if it was drawn."""
    return session.scalar(select(Inspection).where(Inspection.filing_id == filing.id))
