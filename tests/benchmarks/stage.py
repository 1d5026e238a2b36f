"""What a measurement stands on: a database, a model, a Dovecot with mails in it, a worker that is up."""

from __future__ import annotations

import email
import email.policy
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from classifier import STRENGTH, Text, corpus_rows, frozen_rows, train
from helpdesk import db
from helpdesk.accounts.users import Role, add_user
from helpdesk.cli.database import seed
from helpdesk.desk.mailbox import add_mailbox
from helpdesk.desk.worker import Worker, open_worker
from helpdesk.settings import Settings
from tests import dovecot
from tests.conftest import KEY, PASSWORD
from tests.mails import realistic_mails
from tests.postgres import start as start_postgres

FETCHED_AT_ONCE = 100
MANY = 1_000_000_000  # no brake on notices: every message is to do all of its work


@dataclass(frozen=True)
class Stage:
    """Where a measurement happens."""

    root: Path
    server: dovecot.Dovecot
    settings: Settings

    def mailbox(self, user: str, count: int, seed_: int = 20261123) -> int:
        """A mailbox of the desk with so many realistic mails; its id."""
        for start in range(0, count, 2000):
            self.server.deliver(user, *realistic_mails(min(2000, count - start), seed_ + start))
        password_file = self.root / "password"
        password_file.write_text(dovecot.PASSWORD)
        engine = db.open_engine(str(self.settings.database_url))
        with db.open_sessions(engine).begin() as session:
            mailbox = add_mailbox(
                session,
                name=user,
                host="127.0.0.1",
                port=self.server.port,
                username=user,
                password_file=password_file,
                tls=False,
            )
            made = mailbox.id
        engine.dispose()
        return made


@contextmanager
def open_stage(smtp_port: int = 25) -> Iterator[Stage]:
    """A database with the answers, a trained model, an account, and an empty mail server."""
    root = Path(tempfile.mkdtemp(prefix="infomigra-bench-"))
    mail_root = Path(tempfile.mkdtemp(prefix="infomigra-bench-mail-"))
    server = dovecot.start(mail_root)
    try:
        yield Stage(root, server, _settings(root, smtp_port))
    finally:
        server.stop()
        shutil.rmtree(mail_root, ignore_errors=True)
        shutil.rmtree(root, ignore_errors=True)


def _settings(var: Path, smtp_port: int) -> Settings:
    url = start_postgres()
    db.upgrade(url)
    engine = db.open_engine(url)
    sessions = db.open_sessions(engine)
    seed(sessions)
    train(corpus_rows(), calibrate=frozen_rows(), strength=STRENGTH).save(var / "model.skops")
    with sessions.begin() as session:
        add_user(session, email="ana@example.com", name="Ana", role=Role.AGENT, password=PASSWORD)
    engine.dispose()
    return Settings(
        DATABASE_URL=url,
        SECRET_KEY=KEY,
        mode="development",
        var=var,
        smtp_host="127.0.0.1",
        smtp_port=smtp_port,
        smtp_security="none",
        acknowledgements_per_domain_minute=MANY,
    )


@contextmanager
def running_worker(settings: Settings) -> Iterator[Worker]:
    """A worker whose model and parser are up; says what that took."""
    start = time.perf_counter()
    with open_worker(settings) as worker:
        worker.filer.sorter.predict([Text("", "hola")])
        worker.filer.parser.parse(b"From: a@example.com\r\n\r\nhola")
        print(
            f"a worker is up after {time.perf_counter() - start:.1f} s (libraries, model, parser's process)"
        )
        yield worker


def raw_fetch(server: dovecot.Dovecot, user: str) -> Iterator[bytes]:
    """Every message, fetched in chunks."""
    client = server.client(user)
    uids = client.search("ALL")
    for start in range(0, len(uids), FETCHED_AT_ONCE):
        for item in client.fetch(uids[start : start + FETCHED_AT_ONCE], ["BODY.PEEK[]"]).values():
            yield item[b"BODY[]"]
    client.logout()


def parse_all(server: dovecot.Dovecot, user: str) -> None:
    """Fetch and parse with the standard library's older policy, reading the text bodies."""
    for raw in raw_fetch(server, user):
        mail = email.message_from_bytes(raw, policy=email.policy.compat32)
        _ = (mail["From"], mail["Subject"])
        for part in mail.walk():
            if part.get_content_maintype() == "text":
                part.get_payload(decode=True).decode("utf-8", "replace")


def parse_default(server: dovecot.Dovecot, user: str) -> None:
    """Fetch and parse as `email`'s documentation advises: policy.default, get_body, iter_attachments."""
    for raw in raw_fetch(server, user):
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        _ = (mail["From"], mail["To"], mail["Subject"], mail["Date"])
        body = mail.get_body(("plain", "html"))
        if body is not None:
            body.get_content()
        for part in mail.iter_attachments():
            part.get_content()
