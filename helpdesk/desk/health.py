"""How the services that we depend on are doing: when to ask them again, and what people should be told."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped, mapped_column

from helpdesk.db import Base


class ServiceHealth(Base):
    """One service (the SMTP server, the virus scanner). No row: it never failed."""

    __tablename__ = "service_health"

    name: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    error_kind: Mapped[str | None]
    failing_since: Mapped[dt.datetime | None]
    retry_at: Mapped[dt.datetime | None]
    checked_at: Mapped[dt.datetime]
