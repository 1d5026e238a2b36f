"""Who of the desk looked at which filing, and at what of it: one row a look, never changed (Ley 29733)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy import ARRAY, BigInteger, bindparam, func, insert, literal, select
from sqlalchemy.orm import Session, joinedload

from helpdesk.accounts.users import User
from helpdesk.certificates.records import Filing, FilingLook


def note_look(session: Session, filing: Filing, user: User, what: str, now: dt.datetime) -> None:
    """Write down that somebody looked at a filing; `what` says at what of it."""
    note_looks(session, [filing.id], user, what, now)


def note_looks(session: Session, filing_ids: Iterable[int], user: User, what: str, now: dt.datetime) -> None:
    """Write down that somebody looked at several filings, each once; one statement however many there are."""
    ids = sorted(set(filing_ids))
    if not ids:
        return
    looked_at = func.unnest(bindparam("ids", ids, ARRAY(BigInteger)))
    rows = select(looked_at, literal(user.id), literal(now), literal(what))
    columns = ["filing_id", "user_id", "at", "what"]
    session.execute(insert(FilingLook).from_select(columns, rows))


def looks_of(session: Session, filing: Filing, limit: int = 50) -> list[FilingLook]:
    """The last looks at a filing, the newest first, with who looked."""
    query = select(FilingLook).where(FilingLook.filing_id == filing.id).options(joinedload(FilingLook.user))
    return list(session.scalars(query.order_by(FilingLook.at.desc(), FilingLook.id.desc()).limit(limit)))
