"""From the ledger to a ticket: claim, read and sort a batch, and write it in one transaction.

In: batches, transactions and attempts. Not in: what becomes of a mail (`placing.py`).

A few mails share a transaction; when it fails, each of them gets its own, so that one never takes others along.

Idempotent: a ledger row becomes a message at most once (unique raw_mail_id), and the very same bytes under
another UID are a duplicate. A mail that cannot be filed is set aside with its reason; the next one goes on.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

import classifier
from helpdesk import failpoints
from helpdesk.db import Sessions, utc_now, written_together
from helpdesk.desk import ledger
from helpdesk.desk.catalogue import Catalogue
from helpdesk.desk.group import Item, is_believed, open_group, staff
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox, MailboxKind
from helpdesk.desk.models import in_use
from helpdesk.desk.placing import place
from helpdesk.desk.sorter import Sorter
from helpdesk.desk.unsorted import note_sorter
from helpdesk.errors import HelpdeskError
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from helpdesk.settings import Settings

log = logging.getLogger(__name__)

# Mails that are read, and then written, together: fewer waits for the disk and the parser.
BATCH = 50
DAMAGED = "the stored bytes are damaged"


@dataclass(frozen=True, slots=True)
class Counts:
    """What one round of filing did."""

    filed: int = 0
    duplicates: int = 0
    set_aside: int = 0

    def plus(self, state: MailState) -> Counts:
        """These counts with one more message in `state`."""
        return Counts(
            self.filed + (state is MailState.FILED),
            self.duplicates + (state is MailState.DUPLICATE),
            self.set_aside + (state is MailState.SET_ASIDE),
        )


@dataclass(frozen=True, slots=True)
class Filer:
    """Everything filing needs that outlives one mail."""

    sessions: Sessions
    settings: Settings
    parser: ParserProcess
    sorter: Sorter
    catalogue: Catalogue
    stopping: threading.Event = field(default_factory=threading.Event)
    # Polls file at the same time. They wait for each other here: in the database a wait ends after three seconds.
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def file_all(self, *, progress: Callable[[], None] | None = None) -> Counts:
        """File until nothing is left to claim; `progress` is called after each batch.

        The next batch is read by the parser's process while this one is written to the database.
        """
        counts = Counts()
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader") as reader:
            upcoming = reader.submit(self._read_batch)
            # A mail that failed came back into line after the next batch was claimed: look once more.
            while items := upcoming.result() or self._read_batch():
                upcoming = reader.submit(self._read_batch)
                for state in self._file_group(items):
                    counts = counts.plus(state)
                failpoints.hit("after-filing")
                if progress:
                    progress()
        return counts

    def _read_batch(self) -> list[Item]:
        """Claim some mails and read them: parsed, and sorted by the classifier in one go. Nothing when stopping."""
        if self.stopping.is_set():
            return []
        with self.sessions.begin() as session:
            ledger.set_aside_exhausted(session, self.settings.filing_attempts)
            batch = ledger.claim(session, limit=BATCH, lease_s=self.settings.lease_s)
            ours = {*staff(session), *self.settings.own} if batch else set()
            files = set(session.scalars(_IMPORTS)) if batch else set()
            model = in_use(session)
        failpoints.hit("after-filing-claim")
        items = [self._read(raw, ours, from_file=raw.mailbox_id in files) for raw in batch]
        failpoints.hit("after-parsing")
        predictions = self.sorter.predict([_words(item) for item in items], model)
        note_sorter(self.sessions, self.sorter)
        return [replace(item, prediction=found) for item, found in zip(items, predictions, strict=True)]

    def _read(self, raw: RawMail, ours: set[str], *, from_file: bool) -> Item:
        if not raw.is_intact:
            return Item(raw.id, ParseFailed(DAMAGED), None)
        try:
            mail = self.parser.parse(raw.raw or b"")
        except ParseFailed as failure:
            return Item(raw.id, failure, None)
        # What somebody brought from files never passed our border; it came into our hands another way.
        believed = from_file or is_believed(mail, self.settings.borders)
        ours_wrote = believed and any(person.address.lower() in ours for person in mail.sender)
        return Item(raw.id, mail, None, believed, ours_wrote)

    def _file_group(self, group: list[Item]) -> list[MailState]:
        """File some mails in one transaction; when one of them cannot be filed, each in its own."""
        try:
            # Ids are drawn beforehand, so that all rows of a group are written together, at its end: one
            # statement a table instead of one a row. Nothing that is still pending is queried before.
            with self._writing, self.sessions(autoflush=False) as session, session.begin():
                return self._file_items(session, group, utc_now())
        except OperationalError:
            self._give_back(group)  # the database is busy or away: that is not the mails' fault
            raise
        except (HelpdeskError, SQLAlchemyError, ValueError) as error:
            if len(group) > 1:
                return [state for item in group for state in self._file_group([item])]
            # Where it happened, but not the error's own words: the database quotes what it was given (T100).
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("ledger row %s: %s\n%s", group[0].raw_id, type(error).__name__, where)
            return [self._fail(group[0].raw_id, f"no se pudo archivar ({type(error).__name__})")]

    def _give_back(self, group: list[Item]) -> None:
        with contextlib.suppress(OperationalError), self.sessions.begin() as session:
            ledger.give_back(session, [item.raw_id for item in group])

    def _fail(self, raw_id: int, reason: str) -> MailState:
        with self.sessions.begin() as session:
            raw = ledger.lock_rows(session, [raw_id])[raw_id]
            if raw.state != MailState.RECEIVED.value:
                return MailState(raw.state)
            return ledger.fail(raw, reason, attempts_allowed=self.settings.filing_attempts)

    def _file_items(self, session: Session, items: list[Item], now: dt.datetime) -> list[MailState]:
        # One group at a time: groups would meet at the number series anyway, and nowhere else in a ring.
        ledger.lock_filing(session)
        group = open_group(session, items, self.settings, self.catalogue, now)
        with written_together(session):
            states = [place(group, position) for position in range(len(items))]
        group.close()
        failpoints.hit("before-filing-commit")
        return states


_IMPORTS = select(Mailbox.id).where(Mailbox.kind == MailboxKind.IMPORT.value)
_EMPTY = classifier.Text("", "")


def _words(item: Item) -> classifier.Text:
    """What the classifier reads: the words of the person who asks, not of whoever passed them on."""
    if isinstance(item.mail, ParseFailed):
        return _EMPTY
    if item.passed_on and item.mail.forwarded is not None:
        return classifier.Text(item.mail.forwarded.subject, item.mail.forwarded.text)
    return classifier.Text(item.mail.subject, item.mail.new_text or item.mail.text)
