"""The worker's part of issuing: putting the seal on what was numbered, and only then letting it leave (F47).

In: which documents wait, in what order, what is written down. Not in: the seal itself (`seal.py`). The web processes
never touch the key (T89). A signer that is down leaves the documents waiting; they are tried again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk import failpoints
from helpdesk.certificates.issuing import database_now
from helpdesk.certificates.notices import documents_of, tell_issued
from helpdesk.certificates.records import Constancia, FiledWorker, Filing
from helpdesk.certificates.seal import Sealer, SealFailed, open_sealer
from helpdesk.db import Sessions, utc_now
from helpdesk.desk.health import SEAL, may_ask, note_trouble, note_working
from helpdesk.desk.lifecycle import CONSTANCIA, ConstanciaState, check_can_move
from helpdesk.desk.ticket import record
from helpdesk.errors import SettingsError
from helpdesk.settings import Settings

log = logging.getLogger(__name__)

REASON = "Constancia de Trabajador Migrante Andino"


def seal_due(sessions: Sessions, settings: Settings, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Seal what waits, filing by filing, and let it leave. Returns how many filings were completed."""
    if not settings.seals:
        return 0
    with sessions.begin() as session:
        if not may_ask(session, SEAL, utc_now()):
            return 0
    sealer = sealer_of(settings)
    if isinstance(sealer, SettingsError):
        with sessions.begin() as session:
            note_trouble(session, SEAL, "refused", str(sealer), utc_now())
        return 0
    done = 0
    try:
        while not stopping():
            with sessions.begin() as session:
                if not _seal_next(session, sealer, settings):
                    break
            done += 1
    except SealFailed as failure:
        log.warning("seal: %s", failure.reason)
        with sessions.begin() as session:
            note_trouble(session, SEAL, "unreachable", failure.reason, utc_now())
        return done
    with sessions.begin() as session:
        note_working(session, SEAL, utc_now())
    return done


@cache
def sealer_of(settings: Settings) -> Sealer | SettingsError:
    """What seals, opened once a process; or why its key cannot be used.

    A refusal is kept as well: a token locks itself after a few wrong PINs, so nobody tries again by itself.
    """
    try:
        sealer = open_sealer(
            pkcs12=settings.seal_pkcs12,
            password_file=settings.seal_password_file,
            pkcs11_module=settings.seal_pkcs11_module,
            pkcs11_token=settings.seal_pkcs11_token,
            pkcs11_label=settings.seal_pkcs11_label,
            pin_file=settings.seal_pin_file,
            tsa_url=settings.seal_tsa_url,
        )
    except SettingsError as error:
        return error
    assert sealer is not None
    return sealer


def _seal_next(session: Session, sealer: Sealer, settings: Settings) -> bool:
    """Seal the documents of one filing; False when none waits. Raises SealFailed; then nothing is changed."""
    waiting = (
        select(Filing)
        .join(FiledWorker, FiledWorker.filing_id == Filing.id)
        .join(Constancia, Constancia.worker_id == FiledWorker.id)
        .where(Constancia.state == ConstanciaState.SEALING.value)
        .order_by(Filing.id)
        .limit(1)
        .with_for_update(of=Filing, skip_locked=True)
    )
    filing = session.scalar(waiting)
    if filing is None:
        return False
    now = database_now(session)
    documents = documents_of(session, filing)
    sealed = [row for row in documents if row.state == ConstanciaState.SEALING.value]
    for row in sealed:
        assert row.pdf is not None
        check_can_move(CONSTANCIA, ConstanciaState(row.state), ConstanciaState.VALID)
        row.pdf = sealer.seal(row.pdf, REASON, now)
        row.sha256 = hashlib.sha256(row.pdf).hexdigest()
        row.state, row.sealed_at = ConstanciaState.VALID.value, now
        record(session, filing.ticket, "constancia_sealed", now=now, number=row.number)
    failpoints.hit("after-constancia-seal")
    tell_issued(session, filing, sealed, settings, now)
    failpoints.hit("before-constancia-mail")
    return True
