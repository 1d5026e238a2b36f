"""Mailbox against ledger: every message that the server holds is accounted for, or listed (I-1)."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from helpdesk.db import JSON, Base
from helpdesk.desk.mailbox import Mailbox


class Reconciliation(Base):
    """One comparison of a mailbox's folder with the ledger. Append-only."""

    __tablename__ = "reconciliation"

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("mailbox.id"), index=True)
    at: Mapped[dt.datetime]
    folder: Mapped[str]
    uidvalidity: Mapped[int]
    on_server: Mapped[int]
    accounted: Mapped[int]
    # Found missing, and received in the same run.
    received: Mapped[int] = mapped_column(default=0)
    # In the ledger, no longer in the folder: moved or deleted by a person, or moved by us.
    gone: Mapped[int] = mapped_column(default=0)
    states: Mapped[JSON] = mapped_column(default=dict)

    mailbox: Mapped[Mailbox] = relationship()


def newest(session: Session) -> list[Reconciliation]:
    """The last comparison of each folder, by mailbox and folder."""
    query = select(Reconciliation).distinct(Reconciliation.mailbox_id, Reconciliation.folder)
    order = (Reconciliation.mailbox_id, Reconciliation.folder, Reconciliation.id.desc())
    return list(session.scalars(query.order_by(*order).options(joinedload(Reconciliation.mailbox))))
