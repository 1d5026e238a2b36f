"""The one database: PostgreSQL, through SQLAlchemy. Tables are declared by the packages that own them.

Here: the declarative base, the naming convention that migrations rely on, engines and sessions.
Entry points open a session and commit once; rules only take `session` and `now` as arguments.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, DateTime, Engine, MetaData, Text, create_engine, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from helpdesk.errors import SettingsError

MIGRATIONS = Path(__file__).parent / "migrations"

# A web request that takes longer than 15 s is broken; a lock that is held longer than 3 s is a mistake.
SESSION_OPTIONS = (
    "-c timezone=UTC -c statement_timeout={statement_ms} -c lock_timeout=3000"
    " -c idle_in_transaction_session_timeout=60000"
)
WEB_STATEMENT_MS = 15_000
WORKER_STATEMENT_MS = 300_000

JSON = dict[str, Any]


class Base(DeclarativeBase):
    """What every table inherits: predictable constraint names and column types."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this class attribute as it is
        int: BigInteger,
        str: Text,
        dt.datetime: DateTime(timezone=True),
        JSON: JSONB,
        list[Any]: JSONB,
        list[str]: JSONB,
    }


Sessions = sessionmaker[Session]


def engine_options(statement_ms: int = WORKER_STATEMENT_MS) -> dict[str, Any]:
    """Options of every engine, as `create_engine` takes them."""
    return {
        "pool_pre_ping": True,
        "hide_parameters": True,  # an error's text must not carry a citizen's words into the log (T100)
        "pool_recycle": 300,
        "max_overflow": 30,  # a worker polls each mailbox in a thread of its own
        "connect_args": {
            "options": SESSION_OPTIONS.format(statement_ms=statement_ms),
            "connect_timeout": 10,
        },
    }


def driver_url(url: str) -> str:
    """The address with our driver in it. Raises SettingsError for anything but PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise SettingsError("DATABASE_URL is not a database address.") from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsError("DATABASE_URL must be a PostgreSQL address (postgresql://…).")
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def open_engine(url: str, statement_ms: int = WORKER_STATEMENT_MS) -> Engine:
    """An engine for workers and commands."""
    return create_engine(driver_url(url), **engine_options(statement_ms))


def open_sessions(engine: Engine) -> Sessions:
    """The session factory of a worker or command: `with sessions.begin() as session: …` commits once."""
    return sessionmaker(engine, expire_on_commit=False)


def hold(session: Session, row: Base) -> None:
    """Hold a row until the commit and see it as it is now: whoever changes it comes one after the other."""
    session.flush()  # a refresh would forget what is not written yet
    session.refresh(row, with_for_update={"of": type(row)})


_TOGETHER = "rows that are written together"


@contextmanager
def written_together(session: Session) -> Iterator[None]:
    """Within the block, what `append` is given is written at the end, one statement for each table.

    Nobody may look for those rows before. Many small rows cost a third of what the unit of work would take.
    """
    rows: dict[type[Base], list[JSON]] = {}
    session.info[_TOGETHER] = rows
    try:
        yield
        session.flush()  # what they refer to comes first
        for table, values in rows.items():
            session.execute(insert(table), values)
    finally:
        del session.info[_TOGETHER]


def append(session: Session, table: type[Base], values: JSON) -> None:
    """Add a row that is only looked at later: at once, or with the others of its kind (`written_together`)."""
    waiting = session.info.get(_TOGETHER)
    if waiting is None:
        session.add(table(**values))
    else:
        waiting.setdefault(table, []).append(values)


def utc_now() -> dt.datetime:
    """The present instant, aware, UTC. Called by entry points only."""
    return dt.datetime.now(dt.UTC)


def alembic_config(url: str) -> Config:
    """Alembic's configuration for our migrations."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = driver_url(url)
    return config


def upgrade(url: str) -> None:
    """Bring the schema to the newest migration."""
    command.upgrade(alembic_config(url), "head")


def check_schema(sessions: Sessions) -> None:
    """Raise SettingsError when the database is unreachable or was not migrated for this code (F41)."""
    try:
        with sessions() as session:
            current = MigrationContext.configure(session.connection()).get_current_revision()
    except OperationalError as error:
        raise SettingsError("DATABASE_URL: the database does not answer.") from error
    if current != ScriptDirectory(str(MIGRATIONS)).get_current_head():
        raise SettingsError("DATABASE_URL: the schema is not up to date; run `helpdesk db upgrade`.")
