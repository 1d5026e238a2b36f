"""Every content past the virus scanner, when one is configured: what waits, what it said, what if it is down.

In: the order of asking and what is written down. Not in: the protocol (`helpdesk.mail.clamav`), what people see
of it (`files.py`, `health.py`). A content is held until the scanner has passed it; a scanner that is down holds
everything that is new and loses nothing (T47).
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, undefer

from helpdesk.db import Sessions, utc_now
from helpdesk.desk.files import Blob, Scan
from helpdesk.desk.health import may_ask, note_trouble, note_working
from helpdesk.mail.clamav import Scanner, ScannerDown, ScanRefused

log = logging.getLogger(__name__)

SERVICE = "clamav"
BATCH = 100
# A content that the scanner could not check (too large, encrypted) is tried again when its rules may be newer.
AGAIN = dt.timedelta(hours=1)


def scan_due(
    sessions: Sessions, scanner: Scanner | None, *, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Have the scanner look at what waits, a few at a time. Returns how many contents it judged.

    None: no scanner is configured (any more); then nobody is to be told that it is down.
    """
    if scanner is None:
        with sessions.begin() as session:
            note_working(session, SERVICE, utc_now())
        return 0
    with sessions.begin() as session:
        if not may_ask(session, SERVICE, utc_now()):
            return 0
        # Also what came before there was a scanner: it is held until it was looked at.
        session.execute(update(Blob).where(Blob.scan == Scan.NOT_ASKED.value).values(scan=Scan.WAITING.value))
    judged = 0
    try:
        while judged < BATCH and not stopping():
            with sessions.begin() as session:
                if not _scan_next(session, scanner):
                    break
            judged += 1
    except ScannerDown as error:
        with sessions.begin() as session:
            note_trouble(session, SERVICE, "unreachable", str(error), utc_now())
        return judged
    if judged:
        with sessions.begin() as session:
            note_working(session, SERVICE, utc_now())
    return judged


def _scan_next(session: Session, scanner: Scanner) -> bool:
    """Have one content looked at; False when none waits. Raises ScannerDown."""
    now = utc_now()
    query = (
        select(Blob)
        .where(Blob.scan == Scan.WAITING.value, or_(Blob.scanned_at.is_(None), Blob.scanned_at < now - AGAIN))
        .order_by(Blob.scanned_at.asc().nulls_first(), Blob.sha256)
        .limit(1)
        .options(undefer(Blob.content))
        # The weaker lock: mail with the same file can be filed meanwhile.
        .with_for_update(key_share=True, skip_locked=True)
    )
    blob = session.scalar(query)
    if blob is None:
        return False
    try:
        virus = scanner.scan(blob.content)
    except ScanRefused as refusal:
        log.warning("blob %s: the scanner cannot check it: %s", blob.sha256, refusal)
        blob.scanned_at, blob.scan_result = now, str(refusal)
        return True
    if virus is not None:
        log.warning("blob %s: %s", blob.sha256, virus)
    blob.scan = (Scan.CLEAN if virus is None else Scan.INFECTED).value
    blob.scanned_at, blob.scan_result = now, virus
    return True
