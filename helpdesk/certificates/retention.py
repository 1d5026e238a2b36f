"""Forgetting people when it is time: the register keeps what it counts, and loses who it was (Ley 29733).

In: filings whose contract ended so many years ago (`HELPDESK_REGISTER_YEARS`), drafts that were left, how often was
asked. What is verified by its code afterwards still has number, dates and standing.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Date, cast, func, or_, select, update
from sqlalchemy.orm import Session

from helpdesk.accounts.limits import forget_askings
from helpdesk.certificates import drafts
from helpdesk.certificates.records import FORGOTTEN, Constancia, FiledWorker, Filing
from helpdesk.settings import LIMA, Settings

BATCH = 200


def forget_due(session: Session, settings: Settings, now: dt.datetime) -> int:
    """Forget what is due. Returns how many filings lost their people."""
    drafts.purge(session, now - dt.timedelta(days=settings.draft_days))
    forget_askings(session, now)
    if settings.register_years is None:
        return 0
    before = now.astimezone(LIMA).date() - dt.timedelta(days=round(365.25 * settings.register_years))
    ended = or_(Filing.ends < before, Filing.ends.is_(None) & (func.date(Filing.filed_at) < before))
    due = (
        select(Filing.id).where(ended, Filing.employer_address != FORGOTTEN).order_by(Filing.id).limit(BATCH)
    )
    ids = list(session.scalars(due.with_for_update(skip_locked=True)))
    if ids:
        _forget(session, ids)
    return len(ids)


def _forget(session: Session, ids: list[int]) -> None:
    """What the statistics count stays: nationality, sex, age by year, occupation, region, dates."""
    born = cast(func.date_trunc("year", FiledWorker.birth_date), Date)
    of_filings = FiledWorker.filing_id.in_(ids)
    session.execute(
        update(FiledWorker)
        .where(of_filings)
        .values(
            document_number=FORGOTTEN,
            surnames=FORGOTTEN,
            given_names=FORGOTTEN,
            birth_date=born,
            address_abroad=FORGOTTEN,
            address_peru=None,
            email=None,
            words="",
        )
    )
    workers = select(FiledWorker.id).where(of_filings)
    session.execute(update(Constancia).where(Constancia.worker_id.in_(workers)).values(pdf=None))
    session.execute(
        update(Filing)
        .where(Filing.id.in_(ids))
        .values(
            employer_address=FORGOTTEN,
            representative={},
            email=FORGOTTEN,
            phone=None,
            contract_name=None,
            contract_mime=None,
            contract_sha256=None,
        )
    )
