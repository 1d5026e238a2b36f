"""Where it is played: a database with a journal of its own, a mailbox on Dovecot, the sink, an agent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from helpdesk.accounts.users import Role, User, add_user
from helpdesk.db import Sessions
from helpdesk.desk.mailbox import add_mailbox
from helpdesk.desk.worker import open_sessions_of
from helpdesk.settings import Settings
from tests.chaos import sink as sinks
from tests.chaos.sink import Sink
from tests.dovecot import PASSWORD, Dovecot

# Killed workers' leases must end soon, and a mail may meet a few kills before it is set aside.
LEASE_S = 0.15
FILING_ATTEMPTS = 8
SETTINGS = {
    "lease_s": LEASE_S,
    "filing_attempts": FILING_ATTEMPTS,
    "undo_s": 0,
    "smtp_security": "none",
    "smtp_host": "127.0.0.1",
    "mode": "development",
}
ENVIRONMENT = {"database_url": "DATABASE_URL", "secret_key": "SECRET_KEY"}

# An auditor inside the database: every step of every outgoing mail, in the order of the commits' locks.
JOURNAL = """
create table chaos_journal (
    step bigint generated always as identity primary key, outgoing_id bigint, fence bigint, state text
);
create function chaos_note() returns trigger language plpgsql as $$
begin
    if (old.state, old.fence) is distinct from (new.state, new.fence) then
        insert into chaos_journal (outgoing_id, fence, state) values (new.id, new.fence, new.state);
    end if;
    return new;
end $$;
create trigger chaos_note after update on outgoing for each row execute function chaos_note();
"""


@dataclass(frozen=True)
class Stage:
    """Everything outside the workers."""

    settings: Settings
    sessions: Sessions
    server: Dovecot
    sink: Sink
    agent: User
    folder: Path

    def new_mailbox(self, user: str) -> int:
        """A mailbox that nobody has written to yet, instead of the one before. Returns its id."""
        password_file = self.folder / "imap-password"
        password_file.write_text(PASSWORD)
        person = self.server.client(user)
        person.create_folder("Sent")
        with self.sessions.begin() as session:
            session.execute(text("update mailbox set active = false"))
            return add_mailbox(
                session,
                name=user,
                host="127.0.0.1",
                port=self.server.port,
                username=user,
                password_file=password_file,
                tls=False,
                sent_folder="Sent",
            ).id

    def environment(self) -> dict[str, str]:
        """The environment of a process of this desk."""
        given = self.settings.model_dump(include={*SETTINGS, *ENVIRONMENT, "smtp_port", "model", "var"})
        named = {ENVIRONMENT.get(name, f"HELPDESK_{name.upper()}"): str(it) for name, it in given.items()}
        # One thread for numpy: a fork takes none of them along.
        return {**os.environ, **named, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@contextmanager
def open_stage(settings: Settings, server: Dovecot, folder: Path, seed: int) -> Iterator[Stage]:
    """A stage on a migrated and seeded database."""
    with sinks.running(folder / "sink.jsonl", seed) as sink:
        hurried = settings.model_copy(update={**SETTINGS, "smtp_port": sink.port})
        with open_sessions_of(hurried) as sessions:
            with sessions.begin() as session:
                session.execute(text(JOURNAL))
                agent = add_user(
                    session,
                    email="agente@example.com",
                    name="Ana Torres",
                    role=Role.AGENT,
                    password="una-clave-de-prueba",
                )
            yield Stage(hurried, sessions, server, sink, agent, folder)
