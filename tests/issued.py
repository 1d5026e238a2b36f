"""Constancias for tests, issued by the real rules and then dated: the database's clock tells when they were issued."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select, update

from helpdesk.accounts.users import User
from helpdesk.certificates.deciding import register_observed
from helpdesk.certificates.issuing import Outcome, Submission, submit
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingKind, Source
from tests.desk import Desk
from tests.filings import application, contract, day, worker

ISSUED = dt.datetime(2026, 11, 10, 15, tzinfo=dt.UTC)
SEASONAL = {"work": "Cosecha de uva", "lodging": True, "travel": True}


def colombian(number: int, **changed: Any) -> dict[str, Any]:
    """A person of Colombia; another one for another number."""
    return worker(document_number=str(1_000_000_000 + number), email=None, **changed)


def with_passport(number: int, nationality: str, **changed: Any) -> dict[str, Any]:
    """A person of a country."""
    passport = {"document_type": "passport", "document_number": f"AB{number:05}"}
    return worker(nationality=nationality, email=None, **{**passport, **changed})


def issue(
    desk: Desk,
    *workers: dict[str, Any],
    kind: FilingKind = FilingKind.REGISTRATION,
    follows: int | None = None,
    approved_by: User | None = None,
    **changed: Any,
) -> int:
    """File a contract, a seasonal one for several people. Returns the filing's id.

    `approved_by`: who registers it, when the rules observe it.
    """
    if len(workers) > 1:
        changed = {"category": "seasonal", "category_details": SEASONAL, **changed}
    with desk.sessions.begin() as session:
        old = session.get_one(Filing, follows) if follows else None
        read = application(workers=list(workers), **changed)
        result = submit(session, Submission(read, contract(), Source.FILE, None, kind, old), desk.settings)
        assert result.filing is not None, result.reasons
        if approved_by is None:
            assert result.outcome is Outcome.ISSUED, result.reasons
        else:
            register_observed(session, result.filing, "Se comprobó", desk.settings, actor=approved_by)
        return result.filing.id


def date(desk: Desk, at: dt.datetime = ISSUED, filing: int | None = None) -> None:
    """Date what was issued, of one filing or of all. Afterwards nothing can be issued that would be older."""
    workers = select(FiledWorker.id)
    if filing is not None:
        workers = workers.where(FiledWorker.filing_id == filing)
    with desk.sessions.begin() as session:
        session.execute(update(Constancia).where(Constancia.worker_id.in_(workers)).values(issued_at=at))


def issue_seven(desk: Desk) -> None:
    """Seven constancias of four filings, all of one day; two of them replace the first filing's."""
    couple = (
        colombian(1, birth_date="1990-05-20"),
        colombian(2, birth_date="2001-11-11", sex="male", marital_status="married"),
    )
    first = issue(desk, *couple)
    issue(
        desk,
        with_passport(1, "ECU", birth_date="2001-11-10", sex="male", marital_status="widowed"),
        with_passport(2, "BOL", birth_date="1961-01-01", document_type="ci", document_number="1234567"),
        contract__occupation="INGENIERA  AGRONOMA",
        contract__workplace_ubigeo="200101",
        contract__end=day(101),
        employer__activity="agricultura.",
    )
    issue(
        desk,
        with_passport(3, "ECU", birth_date="1961-11-11", sex="male", marital_status="cohabiting"),
        contract__type="indefinite",
        contract__end=None,
        contract__occupation="Soldador",
        employer__activity="Construcción",
    )
    issue(desk, *couple, kind=FilingKind.EXTENSION, follows=first, contract__end=day(800))
    date(desk)
