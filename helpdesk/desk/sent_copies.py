"""What we sent, in the mailbox's own Sent folder: whoever opens the mailbox with a mail program finds it there.

A copy is searched for before it is put there, so a worker that dies in between doubles nothing, and a server
that keeps copies by itself (Gmail, Exchange) is left to do so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from helpdesk import failpoints
from helpdesk.db import Sessions
from helpdesk.desk.lifecycle import OutgoingState
from helpdesk.desk.mailbox import Mailbox, imap_mailboxes
from helpdesk.desk.outbox import Outgoing
from helpdesk.mail.imap import OpenFolder
from helpdesk.mail.imap_folder import SentMail, append_copies, find_sent_folder

log = logging.getLogger(__name__)

COPIES_AT_ONCE = 50
REFUSALS_AT_ONCE = 10
# What left, was written by a person, and has no copy yet.
WAITING = (
    Outgoing.state == OutgoingState.SENT.value,
    Outgoing.copied_at.is_(None),
    Outgoing.sent_at.is_not(None),
    ~Outgoing.notice,
)


def open_sent_folder(mailbox: Mailbox, imap: OpenFolder) -> OpenFolder | None:
    """The mailbox's Sent folder, selected instead of the one that was; None when there is none, or is not to be.

    A Sent folder that cannot be opened is no failure of the mailbox: incoming mail does not depend on it.
    """
    if mailbox.sent_folder == "":
        return None
    try:
        name = mailbox.sent_folder or find_sent_folder(imap.client, imap.patience_s)
        return None if name in (None, imap.name) else imap.select(str(name))
    except IMAPClientAbortError:
        raise
    except IMAPClientError as error:
        log.warning("mailbox %s: the Sent folder cannot be opened (%s)", mailbox.name, error)
        return None


def copy_sent(sessions: Sessions, mailbox: Mailbox, sent_folder: OpenFolder) -> int:
    """Put what left since the last time into the Sent folder. Returns how many mails are there now."""
    with sessions() as session:
        mails = mails_to_copy(session, mailbox)
    copied = refused = 0
    for mail in mails:
        failpoints.hit("before-sent-copy")
        try:
            copied += _copy(sessions, sent_folder, mail)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            log.warning("mailbox %s: a sent mail cannot be copied (%s)", mailbox.name, error)
            refused += 1
            if refused == REFUSALS_AT_ONCE:
                break  # it is not about single mails
    return copied


def _copy(sessions: Sessions, sent_folder: OpenFolder, mail: SentMail) -> bool:
    """Copy one mail; False when another worker is at it. Its rows stay locked meanwhile: one looks, one copies."""
    # Every recipient's row of the same mail: they share one copy.
    same = (Outgoing.message_id == mail.message_id, Outgoing.copied_at.is_(None))
    with sessions.begin() as session:
        if not session.scalars(select(Outgoing.id).where(*same).with_for_update(skip_locked=True)).all():
            return False
        append_copies(sent_folder, [mail])
        failpoints.hit("after-sent-copy")
        session.execute(update(Outgoing).where(*same).values(copied_at=func.now()))
    return True


def mails_to_copy(session: Session, mailbox: Mailbox) -> list[SentMail]:
    """Answers of people that left and have no copy yet; automatic notices are not copied.

    The last one comes first: what a server never takes (a mail above its limit) sinks, and holds nobody back.
    """
    boxes = imap_mailboxes(session)
    senders = session.scalars(select(Outgoing.envelope_from).where(*WAITING).distinct())
    ours = [sender for sender in senders if mailbox_of(boxes, sender) == mailbox.id]
    first, at = func.min(Outgoing.id), func.min(Outgoing.sent_at)
    query = select(Outgoing.message_id, first, at).where(
        *WAITING, Outgoing.envelope_from.in_(ours), Outgoing.sent_at >= mailbox.created_at
    )
    rows = session.execute(
        query.group_by(Outgoing.message_id).order_by(first.desc()).limit(COPIES_AT_ONCE)
    ).all()
    ids = [row[1] for row in rows]
    contents = {
        row.id: row.content
        for row in session.execute(select(Outgoing.id, Outgoing.content).where(Outgoing.id.in_(ids)))
    }
    return [SentMail(message_id, contents[id_], sent_at) for message_id, id_, sent_at in rows if sent_at]


def mailbox_of(boxes: Sequence[Mailbox], sender: str) -> int | None:
    """The mailbox whose Sent folder a sender's mail belongs to: the one of that name, else the first."""
    active = sorted((box for box in boxes if box.active), key=lambda box: box.id)
    named = [box for box in active if sender.lower() in (box.username.lower(), box.name.lower())]
    return next((box.id for box in named or active), None)
