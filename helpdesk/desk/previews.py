"""Small pictures for the attachments that are pictures, made by the worker: which are due, and what came of it.

In: finding and storing. Not in: decoding, which a child process does (`helpdesk.mail.pictures`). Two workers
never make the same one at once; one that dies leaves it due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from helpdesk.db import Sessions, utc_now
from helpdesk.desk.files import Attachment, Blob, Preview, Scan
from helpdesk.mail.child import ChildFailed
from helpdesk.mail.filetype import PREVIEWED
from helpdesk.mail.pictures import PictureMaker

log = logging.getLogger(__name__)

# A tick's worth: a picture takes 10 to 800 ms.
BATCH = 20


def make_due(sessions: Sessions, *, scanning: bool, stopping: Callable[[], bool] = lambda: False) -> int:
    """Make the pictures that are due, the newest first, a few at a time. Returns how many were looked at.

    With `scanning` only what the virus scanner has passed is decoded.
    """
    with sessions() as session:
        hashes = due(session, scanning=scanning)
    if not hashes:
        return 0
    done = 0
    with PictureMaker() as maker:
        for sha256 in hashes:
            if stopping():
                break
            with sessions.begin() as session:
                done += _make(session, sha256, maker)
    return done


def due(session: Session, *, scanning: bool) -> list[str]:
    """The hashes of some pictures without a preview, the newest first."""
    passed = (Scan.CLEAN,) if scanning else (Scan.CLEAN, Scan.NOT_ASKED, Scan.WAITING)
    query = (
        select(Attachment.sha256)
        .join(Blob, Blob.sha256 == Attachment.sha256)
        .outerjoin(Preview, Preview.sha256 == Attachment.sha256)
        .where(
            Attachment.detected_type.in_(PREVIEWED),
            Preview.sha256.is_(None),
            Blob.scan.in_([scan.value for scan in passed]),
        )
        .group_by(Attachment.sha256)
        .order_by(func.max(Attachment.id).desc())
        .limit(BATCH)
    )
    return list(session.scalars(query))


def _make(session: Session, sha256: str, maker: PictureMaker) -> bool:
    # The weaker lock: mail with the same file can be filed meanwhile.
    query = select(Blob).where(Blob.sha256 == sha256).options(undefer(Blob.content))
    blob = session.scalar(query.with_for_update(key_share=True, skip_locked=True))
    if blob is None or session.get(Preview, sha256) is not None:
        return False
    values = {"sha256": sha256, "made_at": utc_now(), **_picture(blob, maker)}
    session.execute(insert(Preview).values(values).on_conflict_do_nothing())
    return True


def _picture(blob: Blob, maker: PictureMaker) -> dict[str, object]:
    if not blob.is_whole():
        log.error("blob %s: the content does not match its hash", blob.sha256)
        return {"reason": "the content is damaged"}
    try:
        made = maker.make(blob.content)
    except ChildFailed as failure:
        return {"reason": failure.reason}
    return {"type": made.type, "width": made.width, "height": made.height, "content": made.content}
