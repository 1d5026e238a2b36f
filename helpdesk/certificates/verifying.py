"""Is a constancia genuine, unchanged and in force? What anybody may know of it, and nothing more (T82).

One look by an index, whatever comes of it: an unknown code and an annulled one take the same way (T81). What is said
is read at the moment of asking, never kept (T85).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from helpdesk.accounts.limits import asked_since
from helpdesk.certificates.codes import read_code
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, Standing
from helpdesk.desk.words import N_
from helpdesk.settings import LIMA

# A well-formed code that is drawn for nobody (its check symbol is wrong): looked up when there is nothing to look up,
# so that the answer takes as long.
NOBODYS = "0" * 24 + "1"
# Counted after a look, one or the other, so that both take as long; so many misses in an hour are no slips any more.
MISSES, HITS = "verify-miss", "verify-hit"
MISSES_AN_HOUR = 100
TRYING_ES = N_("Alguien prueba códigos de verificación: hubo más de 100 que no existen en la última hora.")
FACTS_ES = {
    "number": N_("Número"),
    "issued": N_("Emitida"),
    "valid_from": N_("Desde"),
    "valid_until": N_("Hasta"),
    "initials": N_("Iniciales de la persona"),
    "document_end": N_("El documento de la persona termina en"),
    "employer": N_("Empleador"),
    "sha256": N_("Huella SHA-256 del PDF"),
    "replaced_by": N_("La reemplaza"),
}


@dataclass(frozen=True, slots=True)
class Verified:
    """What may be said to anybody. `unchanged` is null when no file was compared."""

    standing: Standing
    number: str | None = None
    issued: dt.date | None = None
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None
    initials: str | None = None
    document_end: str | None = None
    employer: str | None = None
    sha256: str | None = None
    replaced_by: str | None = None
    unchanged: bool | None = None

    @property
    def good(self) -> bool:
        """Whether one may rely on it today."""
        return self.standing is Standing.IN_FORCE and self.unchanged is not False

    def facts(self) -> dict[str, str]:
        """What is known, by what it is called."""
        values = ((label, getattr(self, name)) for name, label in FACTS_ES.items())
        return {label: _written(value) for label, value in values if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        values = {name: getattr(self, name) for name in FACTS_ES}
        plain = {
            name: value.isoformat() if isinstance(value, dt.date) else value for name, value in values.items()
        }
        return {"standing": self.standing.value, "valid": self.good, "unchanged": self.unchanged, **plain}


def _written(value: object) -> str:
    return value.strftime("%d/%m/%Y") if isinstance(value, dt.date) else str(value)


def many_misses(session: Session, now: dt.datetime) -> str | None:
    """A sentence for the desk when somebody seems to try codes out (T81)."""
    missed = asked_since(session, MISSES, now - dt.timedelta(hours=1))
    return TRYING_ES if missed > MISSES_AN_HOUR else None


def verify_code(session: Session, typed: str, now: dt.datetime) -> Verified:
    """What a code stands for; `Standing.UNKNOWN` with nothing else for anything that we did not issue."""
    return _look_up(session, Constancia.code == (read_code(typed) or NOBODYS), now, None)


def verify_file(session: Session, content: bytes, now: dt.datetime) -> Verified:
    """What a PDF stands for: any change, even one appended byte, makes it another file than ours (T84)."""
    sha256 = hashlib.sha256(content).hexdigest()
    found = _look_up(session, Constancia.sha256 == sha256, now, True)
    return found if found.number else Verified(Standing.UNKNOWN, unchanged=False)


def _look_up(
    session: Session, which: ColumnElement[bool], now: dt.datetime, unchanged: bool | None
) -> Verified:
    later = aliased(Constancia)
    query = (
        select(Constancia, FiledWorker, Filing.employer_name, later.number)
        .join(FiledWorker, FiledWorker.id == Constancia.worker_id)
        .join(Filing, Filing.id == FiledWorker.filing_id)
        .outerjoin(later, later.id == Constancia.replaced_by_id)
        .where(which)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return Verified(Standing.UNKNOWN)
    constancia, worker, employer, replaced_by = row
    standing = constancia.standing(now.astimezone(LIMA).date())
    if standing is Standing.UNKNOWN:
        return Verified(standing)
    return Verified(
        standing=standing,
        number=constancia.number,
        issued=constancia.issued_at.astimezone(LIMA).date(),
        valid_from=constancia.valid_from,
        valid_until=constancia.valid_until,
        initials=worker.initials,
        document_end=worker.document_end,
        employer=employer,
        sha256=constancia.sha256,
        replaced_by=replaced_by,
        unchanged=unchanged,
    )
