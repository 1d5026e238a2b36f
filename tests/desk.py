"""A whole desk for a test, without web or IMAP: mails go straight into the ledger and are filed for real."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from helpdesk.db import Sessions, utc_now
from helpdesk.desk import ledger
from helpdesk.desk.catalogue import Catalogue
from helpdesk.desk.filing import Counts, Filer
from helpdesk.desk.health import ServiceHealth
from helpdesk.desk.intake import Polls
from helpdesk.desk.ledger import Folder, RawMail
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.sending import send_due
from helpdesk.desk.sorter import Sorter
from helpdesk.desk.ticket import Ticket
from helpdesk.desk.worker import Worker, open_sessions_of
from helpdesk.mail.imap import FetchedMail
from helpdesk.mail.sandbox import ParserProcess
from helpdesk.mail.smtp import SmtpServer
from helpdesk.settings import Settings


@dataclass
class Desk:
    """The worker's tools and shortcuts for tests."""

    worker: Worker
    mailbox_id: int
    next_uid: int = 1

    @property
    def sessions(self) -> Sessions:
        """The database."""
        return self.worker.sessions

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.worker.settings

    def receive(self, *mails: bytes, at: dt.datetime | None = None, uidvalidity: int = 1) -> None:
        """Enter mails into the ledger as a poll would."""
        fetched = []
        for raw in mails:
            fetched.append(FetchedMail(self.next_uid, len(raw), at or utc_now(), raw))
            self.next_uid += 1
        with self.sessions.begin() as session:
            ledger.enter(session, Folder(self.mailbox_id, "INBOX", uidvalidity), fetched, utc_now())

    def file(self, *mails: bytes, at: dt.datetime | None = None) -> Counts:
        """Receive and file mails."""
        self.receive(*mails, at=at)
        return self.worker.filer.file_all()

    def tickets(self) -> list[Ticket]:
        """Every ticket, oldest first, with what a test looks at loaded."""
        with self.sessions() as session:
            rows = list(session.scalars(select(Ticket).order_by(Ticket.id)))
            for row in rows:
                _ = (row.requester, row.assignee, row.review_of, row.events)
                for message in row.messages:
                    _ = (message.attachments, message.author)
            return rows

    def ledger(self) -> list[RawMail]:
        """Every row of the ledger."""
        with self.sessions() as session:
            return list(session.scalars(select(RawMail).order_by(RawMail.id)))

    def outgoing(self) -> list[Outgoing]:
        """Every row of the outbox."""
        with self.sessions() as session:
            return list(session.scalars(select(Outgoing).order_by(Outgoing.id)))

    def send(self) -> int:
        """Hand over what is due."""
        server = SmtpServer.from_settings(self.settings)
        return send_due(self.sessions, server, lease_s=self.settings.lease_s)

    def make_due(self) -> None:
        """Let the undo windows and waits of the whole outbox be over."""
        with self.sessions.begin() as session:
            for row in session.scalars(select(Outgoing)):
                row.send_at = utc_now() - dt.timedelta(seconds=1)
            for service in session.scalars(select(ServiceHealth).where(ServiceHealth.retry_at.is_not(None))):
                service.retry_at = utc_now() - dt.timedelta(seconds=1)


@contextmanager
def open_desk(settings: Settings, parser: ParserProcess, sorter: Sorter) -> Iterator[Desk]:
    """A desk on a fresh database; the parser's process and the model in memory are shared by all tests."""
    password = Path(settings.var) / "password"
    password.write_text("unused")
    with open_sessions_of(settings) as sessions:
        filer = Filer(sessions, settings, parser, sorter, Catalogue())
        worker = Worker(settings, sessions, filer, Polls(sessions, filer, settings))
        with worker.sessions.begin() as session:
            mailbox = Mailbox(
                name="prueba", host="127.0.0.1", port=1, username="u", password_file=str(password), tls=False
            )
            session.add(mailbox)
            session.flush()
            mailbox_id = mailbox.id
        yield Desk(worker, mailbox_id)
