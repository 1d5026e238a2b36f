"""How the services that we depend on are doing: when to ask them again, and what people should be told.

In: one row a service, its waits as data, the lines that every agent's page shows. Not in: talking to the service.
A wait belongs to the service and not to the work that waits for it, so an outage costs no mail one of its tries.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from helpdesk.db import Base
from helpdesk.desk.words import N_

SMTP = "smtp"
SORTER = "sorter"
SEAL = "seal"
# One worker asks a service that was away; the others wait this long for what it finds, seconds.
PROBE_S = 60


class ServiceHealth(Base):
    """One service (the SMTP server, the virus scanner). No row, or no `error_kind`: it works."""

    __tablename__ = "service_health"

    name: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    error_kind: Mapped[str | None]
    failing_since: Mapped[dt.datetime | None]
    # When to ask again; null while it fails: not before a person says so.
    retry_at: Mapped[dt.datetime | None]
    checked_at: Mapped[dt.datetime]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one kind of trouble means: the waits double from `first_s` to `most_s`.

    After `halts_after` failures in a row only a person starts it again; people are told from `told_after` on.
    """

    sentence: str
    first_s: float = 60
    most_s: float = 900
    halts_after: int | None = None
    told_after: int = 1


TROUBLES = {
    # Two minutes at most: whoever mends the server or the network should not have to wait longer for us.
    (SMTP, "unreachable"): Trouble(
        N_("El correo no sale: no se llega al servidor SMTP. Las respuestas esperan y saldrán solas."),
        first_s=5,
        most_s=120,
        told_after=4,
    ),
    (SMTP, "busy"): Trouble(
        N_("El correo sale con demora: el servidor SMTP pide esperar."), first_s=30, most_s=300, told_after=3
    ),
    # Every wrong password counts towards the lock that many servers put on an account, and each mechanism that
    # the server offers is one.
    (SMTP, "credentials"): Trouble(
        N_(
            "El correo no sale: el servidor SMTP rechaza nuestro usuario o contraseña. Las respuestas esperan."
        ),
        halts_after=3,
    ),
    # No halt: a token that is refused locks no account.
    (SMTP, "token"): Trouble(
        N_(
            "El correo no sale: el proveedor no da, o no acepta, nuestro permiso de acceso (token). "
            "Las respuestas esperan."
        ),
        told_after=2,
    ),
    (SMTP, "settings"): Trouble(
        N_(
            "El correo no sale: no se puede leer el archivo con la contraseña de SMTP. Las respuestas esperan."
        )
    ),
    (SMTP, "no-encryption"): Trouble(
        N_("El correo no sale: el servidor SMTP no ofrece una conexión cifrada. Las respuestas esperan.")
    ),
    (SMTP, "certificate"): Trouble(
        N_("El correo no sale: el certificado del servidor SMTP no es válido. Las respuestas esperan.")
    ),
    (SMTP, "sender"): Trouble(
        N_("El correo no sale: el servidor SMTP no acepta nuestra dirección. Las respuestas esperan.")
    ),
    (SORTER, "unusable"): Trouble(
        N_(
            "El clasificador no se puede usar: el correo llega sin clasificar. Se clasificará cuando haya un modelo."
        )
    ),
    (SEAL, "unreachable"): Trouble(
        N_("El sello no responde: las constancias están numeradas y esperan. Saldrán solas."),
        first_s=5,
        most_s=300,
        told_after=3,
    ),
    (SEAL, "refused"): Trouble(
        N_("La llave del sello no se puede usar: las constancias esperan. Avise a quien administra la mesa."),
        first_s=60,
    ),
    ("clamav", "unreachable"): Trouble(
        N_("El antivirus no responde: los adjuntos nuevos esperan su revisión."),
        first_s=5,
        most_s=120,
        told_after=3,
    ),
}
UNKNOWN = Trouble(N_("Un servicio del que dependemos no responde."), told_after=3)
HALTED_ES = N_("El envío de correo está detenido hasta que un supervisor lo reanude.")


def trouble_of(row: ServiceHealth) -> Trouble:
    """What the service's present trouble means."""
    service = row.name.partition(" ")[0]  # "sorter HOST": each machine has its own file
    return TROUBLES.get((service, row.error_kind or ""), UNKNOWN)


# Trouble of one machine that was not told again for so long: the machine is gone.
GONE = dt.timedelta(minutes=10)


def sorter_trouble(session: Session, now: dt.datetime) -> ServiceHealth | None:
    """The row of a machine whose classifier cannot be used now."""
    query = select(ServiceHealth).where(
        ServiceHealth.name.startswith(f"{SORTER} "),
        ServiceHealth.error_kind.is_not(None),
        ServiceHealth.checked_at > now - GONE,
    )
    return session.scalar(query.order_by(ServiceHealth.failing_since).limit(1))


def _locked(session: Session, name: str) -> ServiceHealth | None:
    """The service's row as it is now, held until the commit."""
    query = select(ServiceHealth).where(ServiceHealth.name == name).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def may_ask(session: Session, name: str, now: dt.datetime) -> bool:
    """Whether the service may be asked now. Of several workers one is let through after a wait is over."""
    row = _locked(session, name)
    if row is None or row.error_kind is None:
        return True
    if row.retry_at is None or row.retry_at > now:
        return False
    row.retry_at = now + dt.timedelta(seconds=PROBE_S)
    return True


def note_trouble(session: Session, name: str, kind: str, error: str, now: dt.datetime) -> None:
    """Write down that the service failed, and when it may be asked again. Another kind begins its own waits."""
    new = insert(ServiceHealth).values(name=name, failures=0, checked_at=now)
    session.execute(new.on_conflict_do_nothing())
    row = _locked(session, name)
    assert row is not None
    if kind == "unreachable" and row.failures and trouble_of(row).halts_after is not None:
        # It did not come as far as what was refused before, so the refusals go on counting: a server that shuts
        # the door for a while after each of them would let us lock the account all the same.
        row.checked_at = now
        if row.retry_at is not None:  # what is halted stays so
            row.retry_at = now + dt.timedelta(seconds=TROUBLES[name, kind].most_s)
        return
    row.failures = row.failures + 1 if row.error_kind == kind else 1
    row.error_kind, row.error, row.checked_at = kind, error, now
    row.failing_since = row.failing_since or now
    trouble = trouble_of(row)
    wait_s = min(trouble.first_s * 2.0 ** min(row.failures - 1, 30), trouble.most_s)
    halted = trouble.halts_after is not None and row.failures >= trouble.halts_after
    row.retry_at = None if halted else now + dt.timedelta(seconds=wait_s)


def note_working(session: Session, name: str, now: dt.datetime) -> None:
    """Write down that the service works (again)."""
    row = _locked(session, name)
    if row is None or row.error_kind is None:
        return
    row.failures, row.error, row.error_kind = 0, None, None
    row.failing_since, row.retry_at, row.checked_at = None, None, now


def resume(session: Session, name: str, now: dt.datetime) -> bool:
    """Let the service be asked again at once, its failures forgotten. False when there was nothing to resume."""
    row = _locked(session, name)
    if row is None or row.error_kind is None:
        return False
    row.failures, row.retry_at = 0, now
    return True


def trouble_with(session: Session, name: str) -> ServiceHealth | None:
    """The service's row while it does not work."""
    row = session.get(ServiceHealth, name)
    return row if row is not None and row.error_kind is not None else None


def alarms(session: Session) -> list[str]:
    """What every agent should know now, as sentences that the page translates."""
    rows = session.scalars(
        select(ServiceHealth).where(ServiceHealth.error_kind.is_not(None)).order_by(ServiceHealth.name)
    )
    found: list[str] = []
    for row in rows:
        if row.name.startswith(f"{SORTER} ") and row.checked_at < dt.datetime.now(dt.UTC) - GONE:
            continue
        trouble = trouble_of(row)
        if row.failures >= trouble.told_after:
            found.append(trouble.sentence)
        if row.retry_at is None:
            found.append(HALTED_ES)
    return list(dict.fromkeys(found))  # several machines may have the same trouble
