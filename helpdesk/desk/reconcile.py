"""Mailbox against ledger: every message that the server holds is accounted for, or listed (I-1).

In: comparing UIDs, receiving what is missing, writing down what was found. Not in: polling (`intake.py`) and the
page that shows it. A comparison is a poll that looks at every message instead of the new ones: it takes the same
lease, so one worker does it, and an error counts like a poll's.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from imapclient.exceptions import IMAPClientError
from sqlalchemy import ForeignKey, func, or_, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from helpdesk.db import JSON, Base, Sessions, utc_now
from helpdesk.desk import ledger
from helpdesk.desk.filing import Filer
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox, MailboxKind
from helpdesk.desk.mailbox_lease import (
    end_lease,
    lease_dropped_on_fault,
    new_holder,
    renew_lease,
    take_lease,
)
from helpdesk.desk.mailbox_trouble import attempt
from helpdesk.desk.receive import receive_missing
from helpdesk.desk.sent_copies import open_sent_folder
from helpdesk.mail.imap import OpenFolder, open_folder
from helpdesk.mail.imap_folder import SMALL_ANSWER, done_folder_name
from helpdesk.settings import LIMA

log = logging.getLogger(__name__)

SHOWN_FOR = dt.timedelta(days=30)
MOVED = "moved"


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


@dataclass(frozen=True, slots=True)
class Comparison:
    """One folder compared. `missing` are UIDs that the ledger lacks even now; `moved`, messages in our own folder
    of what is done, on servers that keep no keywords.
    """

    mailbox: str
    folder: str = ""
    uidvalidity: int = 0
    on_server: int = 0
    received: int = 0
    gone: int = 0
    moved: int = 0
    states: dict[str, int] = field(default_factory=dict)
    missing: tuple[int, ...] = ()
    error: str | None = None

    @property
    def accounted(self) -> int:
        """How many of the server's messages the ledger knows."""
        return self.on_server - len(self.missing)

    @property
    def complete(self) -> bool:
        """Whether every message is accounted for."""
        return not self.missing and self.error is None


def reconcile_due(sessions: Sessions, filer: Filer, now: dt.datetime) -> list[Comparison]:
    """Compare the mailboxes that were not compared today (Lima), and say what waits too long to be filed (I-10)."""
    with sessions() as session:
        due = due_mailbox_ids(session, now)
    found = [
        item for mailbox_id in due for item in reconcile_one(sessions, filer, mailbox_id, since=now) or ()
    ]
    for item in found:
        if item.missing:
            log.error("mailbox %s, %s: %d not accounted for", item.mailbox, item.folder, len(item.missing))
    with sessions() as session:
        for mail in ledger.stuck(session):
            log.error("ledger row %s: received at %s and still not filed", mail.id, mail.received_at)
    return found


def due_mailbox_ids(session: Session, now: dt.datetime) -> list[int]:
    """Active IMAP mailboxes without a comparison today; one that fails waits like its polls do."""
    midnight = dt.datetime.combine(now.astimezone(LIMA).date(), dt.time(), LIMA)
    today = select(Reconciliation.id).where(
        Reconciliation.mailbox_id == Mailbox.id, Reconciliation.at >= midnight
    )
    query = select(Mailbox.id).where(
        Mailbox.active,
        Mailbox.kind == MailboxKind.IMAP.value,
        Mailbox.halted_at.is_(None),
        or_(Mailbox.failures == 0, Mailbox.due_at <= func.now()),
        ~today.exists(),
    )
    return list(session.scalars(query.order_by(Mailbox.id)))


def reconcile_one(
    sessions: Sessions, filer: Filer, mailbox_id: int, *, since: dt.datetime | None = None
) -> list[Comparison] | None:
    """Compare one mailbox; None when another worker reads it now, or compared it today when `since` is given.

    The Sent folder is compared too when it is read.
    """
    holder = new_holder()
    with sessions() as session:
        mailbox = take_lease(session, mailbox_id, holder, filer.settings.lease_s)
        if mailbox is None or (since is not None and mailbox_id not in due_mailbox_ids(session, since)):
            return None  # not committed: a lease that ends notes a success, and nothing was read
        session.commit()
    reading = _Reading(sessions, filer, mailbox)
    with lease_dropped_on_fault(sessions, mailbox):
        found, error = attempt(mailbox.name, reading.compare_all)
    with sessions.begin() as session:
        end_lease(session, mailbox_id, holder, error)
    return [Comparison(mailbox.name, error=str(error))] if error else found


@dataclass(frozen=True, slots=True)
class _Reading:
    """One mailbox being compared."""

    sessions: Sessions
    filer: Filer
    mailbox: Mailbox

    def compare_all(self) -> list[Comparison]:
        """The folder, the folder of what is done, the Sent folder; written down unless we were stopped midway."""
        with open_folder(self.mailbox.account()) as imap:
            listed = set(imap.all_uids())
            moved = 0 if imap.keeps_keywords else _count_done(imap)
            found = [self._compare(imap, listed, listed, moved=moved, sent=False)]
            if sent := open_sent_folder(self.mailbox, imap):
                # What was sent before the mailbox was added is none of ours.
                since = sent.uids_since(self.mailbox.created_at.astimezone(LIMA).date())
                found.append(self._compare(sent, set(sent.all_uids()), set(since), moved=0, sent=True))
        if not self.filer.stopping.is_set():
            with self.sessions.begin() as session:
                session.add_all(_row(self.mailbox.id, item, utc_now()) for item in found)
        return found

    def _compare(
        self, imap: OpenFolder, listed: set[int], ours: set[int], *, moved: int, sent: bool
    ) -> Comparison:
        # What vanished before it could be read, and is listed now, has not vanished.
        known = {uid for uid, state in self._states(imap).items() if state != MailState.VANISHED}
        missing = sorted(ours - known)
        received = receive_missing(
            self.sessions,
            self.mailbox,
            imap,
            missing,
            now=utc_now(),
            max_bytes=self.filer.settings.max_message_bytes,
            progress=lambda _done, _total: self._keep_lease(),
            stopping=self.filer.stopping.is_set,
            sent=sent,
        )
        self.filer.file_all(progress=self._keep_lease)
        return compared(self.mailbox.name, imap, listed, ours, self._states(imap), received, moved)

    def _states(self, imap: OpenFolder) -> dict[int, str]:
        query = select(RawMail.uid, RawMail.state).where(
            RawMail.mailbox_id == self.mailbox.id,
            RawMail.folder == imap.name,
            RawMail.uidvalidity == imap.uidvalidity,
        )
        with self.sessions() as session:
            return {row[0]: row[1] for row in session.execute(query)}

    def _keep_lease(self) -> None:
        renew_lease(self.sessions, self.mailbox, self.filer.settings.lease_s)


def compared(
    mailbox: str,
    imap: OpenFolder,
    listed: Collection[int],
    ours: Collection[int],
    states: dict[int, str],
    received: int,
    moved: int,
) -> Comparison:
    """What a folder's UIDs and the ledger's say together. What we moved ourselves is accounted for, not gone."""
    there = {uid for uid in listed if uid in states} | set(ours)
    gone = sum(uid not in listed for uid in states)
    counts = Counter(states[uid] for uid in there if uid in states)
    return Comparison(
        mailbox=mailbox,
        folder=imap.name,
        uidvalidity=imap.uidvalidity,
        on_server=len(there) + moved,
        received=received,
        gone=max(gone - moved, 0),
        moved=moved,
        states=dict(counts) | ({MOVED: moved} if moved else {}),
        missing=tuple(sorted(uid for uid in there if uid not in states)),
    )


def _count_done(imap: OpenFolder) -> int:
    """How many messages lie in the folder that we move filed mail to, on a server that keeps no keywords."""
    name = done_folder_name(imap.client, imap.patience_s)
    with imap.client.exchange(imap.patience_s, SMALL_ANSWER):
        if not imap.client.folder_exists(name):
            return 0
        try:
            return int(imap.client.folder_status(name, ["MESSAGES"])[b"MESSAGES"])
        except IMAPClientError:
            return 0  # it may be listed and not be ours to look into


def _row(mailbox_id: int, item: Comparison, now: dt.datetime) -> Reconciliation:
    return Reconciliation(
        mailbox_id=mailbox_id,
        at=now,
        folder=item.folder,
        uidvalidity=item.uidvalidity,
        on_server=item.on_server,
        accounted=item.accounted,
        received=item.received,
        gone=item.gone,
        states=item.states,
    )


def newest(session: Session) -> list[Reconciliation]:
    """The last comparison of each folder, by mailbox and folder; of folders that are no longer read, none."""
    recent = Reconciliation.at > func.now() - SHOWN_FOR
    last = select(func.max(Reconciliation.id)).where(recent)
    query = select(Reconciliation).where(
        Reconciliation.id.in_(last.group_by(Reconciliation.mailbox_id, Reconciliation.folder))
    )
    order = (Reconciliation.mailbox_id, Reconciliation.folder)
    return list(session.scalars(query.order_by(*order).options(joinedload(Reconciliation.mailbox))))
