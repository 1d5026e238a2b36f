"""How often one address may ask for something: a count for each minute in the database, so that all nodes share it.

The design names flask-limiter; its storages are memory of one process or a server that we do not run. This is one
statement.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from helpdesk.db import Base

KEPT = dt.timedelta(days=1)


class AskCount(Base):
    """How often something was asked in one minute. `who` is a hash: no address is kept."""

    __tablename__ = "ask_count"

    what: Mapped[str] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[dt.datetime] = mapped_column(primary_key=True, index=True)
    times: Mapped[int]


def count_asking(session: Session, what: str, who: str, now: dt.datetime) -> int:
    """Count one more asking, and say how often it was in this minute."""
    minute = now.replace(second=0, microsecond=0)
    hashed = hashlib.sha256(f"{minute.date()}.{who}".encode()).hexdigest()[:32]
    row = insert(AskCount).values(what=what, who=hashed, minute=minute, times=1)
    once_more = row.on_conflict_do_update(
        index_elements=["what", "who", "minute"], set_={"times": AskCount.times + 1}
    )
    return session.scalar(once_more.returning(AskCount.times)) or 0


def asked_since(session: Session, what: str, since: dt.datetime) -> int:
    """How often something was asked by anybody since a moment, by whole minutes."""
    query = select(func.coalesce(func.sum(AskCount.times), 0)).where(AskCount.what == what)
    return int(session.scalar(query.where(AskCount.minute >= since)) or 0)


def forget_askings(session: Session, now: dt.datetime) -> None:
    """Drop the counts that nobody reads any more."""
    session.execute(delete(AskCount).where(AskCount.minute < now - KEPT))
