"""Mail brought from files: into the ledger, each mail once, and from there filed like any other.

In: the ledger rows, what is known already, the counts. Not in: finding and reading files (`mail_files.py`), what an
imported mail becomes (`placing.py`: no acknowledgement, and closed unless it was brought to be answered).
A mail is known by the SHA-256 of its bytes, whichever way it came, so an import that was killed is started again
and goes on, and the same files bring nothing twice. The files are read twice: what a mail answers must be filed
before it, so the oldest goes first, and files know no order ("Enviados" comes before "INBOX").
"""

from __future__ import annotations

import datetime as dt
import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from helpdesk import failpoints
from helpdesk.db import Sessions
from helpdesk.desk import ledger
from helpdesk.desk.filing import Filer
from helpdesk.desk.ledger import Folder, RawMail
from helpdesk.desk.mail_files import FoundMail, MailFile, Unreadable, find_files, read_again, read_mails
from helpdesk.desk.mailbox import IMPORTED_CLOSED, IMPORTED_OPEN, Mailbox, MailboxKind
from helpdesk.errors import SettingsError
from helpdesk.mail.imap import FetchedMail

BATCH_BYTES = 8_000_000
BATCH_MAILS = 200

# One import writes at a time: the running numbers of its rows are given under this lock.
_IMPORT_LOCK = text("select pg_advisory_xact_lock(7263504)")


@dataclass(slots=True)
class Imported:
    """What was found and what became of it. `states` counts the new ones by what they became; empty in a dry run."""

    mails: int = 0
    new: int = 0
    truncated: int = 0
    oldest: dt.datetime | None = None
    newest: dt.datetime | None = None
    unreadable: list[Unreadable] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """How many the ledger had already, or lay there twice."""
        return self.mails - self.new

    def see(self, mail: FoundMail) -> None:
        """Count one mail."""
        self.mails += 1
        self.truncated += mail.piece.truncated
        self.oldest = min(self.oldest or mail.arrived_at, mail.arrived_at)
        self.newest = max(self.newest or mail.arrived_at, mail.arrived_at)


@dataclass(slots=True)
class _Places:
    """Where each mail lies and when it arrived, in arrays: there may be millions."""

    files: list[MailFile] = field(default_factory=list)
    file_numbers: array[int] = field(default_factory=lambda: array("L"))
    starts: array[int] = field(default_factory=lambda: array("Q"))
    arrivals: array[float] = field(default_factory=lambda: array("d"))

    def add(self, mail: FoundMail) -> None:
        """Note a mail; those of one file come together."""
        if not self.files or self.files[-1] is not mail.file:
            self.files.append(mail.file)
        self.file_numbers.append(len(self.files) - 1)
        self.starts.append(mail.piece.start)
        self.arrivals.append(mail.arrived_at.timestamp())

    def oldest_first(self) -> Iterator[tuple[MailFile, int]]:
        """Each mail's file and where it begins in it."""
        for mail in sorted(range(len(self.arrivals)), key=self.arrivals.__getitem__):
            yield self.files[self.file_numbers[mail]], self.starts[mail]


# Called with the bytes read so far, the bytes there are, and what was counted so far.
Report = Callable[[int, int, Imported], None]


def silent(_done: int, _total: int, _counted: Imported) -> None:
    """The report of somebody who is not watching."""


def look_over(
    sessions: Sessions, paths: list[Path], *, max_bytes: int, now: dt.datetime, report: Report = silent
) -> Imported:
    """What an import of these paths would do. Writes nothing."""
    counted = Imported()
    seen: set[bytes] = set()
    for batch in _batches(_look(paths, max_bytes, now, counted, report), BATCH_MAILS):
        with sessions() as session:
            known = _known(session, batch)
        for mail in batch:
            digest = _sha256(mail)
            short = bytes.fromhex(
                digest[:16]
            )  # 8 of 32 bytes: the set must fit in memory for millions of mails
            counted.new += digest not in known and short not in seen
            seen.add(short)
    return counted


def import_mails(
    sessions: Sessions,
    filer: Filer,
    paths: list[Path],
    *,
    opened: bool,
    now: dt.datetime,
    batch_mails: int = BATCH_MAILS,
    report: Report = silent,
) -> Imported:
    """Bring the mails of these paths into the ledger and file them; a commit for each batch.

    `opened` says that they are still to be answered; else their tickets are closed, as history.
    Raises SettingsError when a mailbox that is no import's has the import's name.
    """
    with sessions.begin() as session:
        mailbox_id = import_mailbox(session, IMPORTED_OPEN if opened else IMPORTED_CLOSED)
        before = session.scalar(select(func.max(RawMail.id))) or 0
    counted = Imported()
    max_bytes = filer.settings.max_message_bytes
    places = _Places()
    for mail in _look(paths, max_bytes, now, counted, lambda _, total, seen: report(0, total, seen)):
        places.add(mail)
    for batch in _batches(_read_in_order(places, max_bytes, now, counted, report), batch_mails):
        with sessions.begin() as session:
            counted.new += _enter(session, mailbox_id, batch, now)
        failpoints.hit("after-import-commit")
        filer.file_all()
    filer.file_all()  # what an import that was killed had left behind
    with sessions() as session:
        counted.states = _states(session, mailbox_id, before)
    return counted


def import_mailbox(session: Session, name: str) -> int:
    """The mailbox that imported mail belongs to; made when it is first needed. It is never polled."""
    session.execute(_IMPORT_LOCK)
    mailbox = session.scalar(select(Mailbox).where(Mailbox.name == name))
    if mailbox is None:
        nowhere = {"host": "", "port": 0, "username": "", "password_file": ""}
        mailbox = Mailbox(name=name, kind=MailboxKind.IMPORT.value, active=False, idle=False, **nowhere)
        session.add(mailbox)
        session.flush()
    elif mailbox.kind != MailboxKind.IMPORT.value:
        raise SettingsError(f"The mailbox {name!r} is no import's: give it another name.")
    return mailbox.id


def _batches(mails: Iterable[FoundMail], batch_mails: int) -> Iterator[list[FoundMail]]:
    """The mails in groups that memory holds."""
    batch: list[FoundMail] = []
    weight = 0
    for mail in mails:
        if batch and (len(batch) >= batch_mails or weight + len(mail.piece.raw) > BATCH_BYTES):
            yield batch
            batch, weight = [], 0
        batch.append(mail)
        weight += len(mail.piece.raw)
    if batch:
        yield batch


def _look(
    paths: list[Path], max_bytes: int, now: dt.datetime, counted: Imported, report: Report
) -> Iterator[FoundMail]:
    """Every mail as it lies in the files, counted. What cannot be read is written into `counted`."""
    total = sum(file.size for file in find_files(paths) if isinstance(file, MailFile))
    before = 0
    for file in find_files(paths):
        if isinstance(file, Unreadable):
            counted.unreadable.append(file)
            continue
        for found in read_mails(file, max_bytes, now):
            if isinstance(found, Unreadable):
                counted.unreadable.append(found)
                continue
            counted.see(found)
            report(before + found.read_bytes, total, counted)
            yield found
        before += file.size
    report(total, total, counted)


def _read_in_order(
    places: _Places, max_bytes: int, now: dt.datetime, counted: Imported, report: Report
) -> Iterator[FoundMail]:
    """The mails again, the oldest first."""
    total = sum(file.size for file in places.files)
    done = 0
    for file, start in places.oldest_first():
        found = read_again(file, start, max_bytes, now)
        if isinstance(found, Unreadable):
            counted.unreadable.append(found)
            continue
        yield found
        done += found.piece.size
        report(min(done, total), total, counted)  # with CRLF a mail is longer than in its file
    report(total, total, counted)


def _sha256(mail: FoundMail) -> str:
    return hashlib.sha256(mail.piece.raw).hexdigest()


def _known(session: Session, batch: list[FoundMail]) -> set[str]:
    """The contents of a batch that the ledger holds already, however they came."""
    hashes = {_sha256(mail) for mail in batch}
    found = session.scalars(select(RawMail.sha256).where(RawMail.sha256.in_(hashes)))
    return {sha256 for sha256 in found if sha256}


def _enter(session: Session, mailbox_id: int, batch: list[FoundMail], now: dt.datetime) -> int:
    """Write the mails of a batch that the ledger does not know. Returns how many."""
    session.execute(_IMPORT_LOCK)
    seen = _known(session, batch)
    fresh = []
    for mail in batch:
        digest = _sha256(mail)
        if digest not in seen:
            seen.add(digest)
            fresh.append(mail)
    return sum(
        _enter_source(session, Folder(mailbox_id, folder, number), list(mails), now)
        for (folder, number), mails in groupby(fresh, lambda mail: (mail.file.folder, mail.file.number))
    )


def _enter_source(session: Session, folder: Folder, mails: list[FoundMail], now: dt.datetime) -> int:
    first = ledger.last_uid(session, folder) + 1
    rows = [
        FetchedMail(uid, mail.piece.size, mail.arrived_at, mail.piece.raw, mail.piece.truncated)
        for uid, mail in enumerate(mails, first)
    ]
    return ledger.enter(session, folder, rows, now)


def _states(session: Session, mailbox_id: int, after: int) -> dict[str, int]:
    query = select(RawMail.state, func.count()).where(RawMail.mailbox_id == mailbox_id, RawMail.id > after)
    return {row[0]: row[1] for row in session.execute(query.group_by(RawMail.state))}
