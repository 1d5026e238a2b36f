"""Everything a worker process holds open: the database, the parser's child process, the model, the answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from helpdesk.db import Sessions, open_engine, open_sessions
from helpdesk.desk import tables
from helpdesk.desk.catalogue import Catalogue
from helpdesk.desk.filing import Filer
from helpdesk.desk.intake import Polls
from helpdesk.desk.sorter import Sorter
from helpdesk.embedded import database_url
from helpdesk.mail.sandbox import ParserProcess
from helpdesk.settings import Settings

assert tables.metadata.tables  # relationships between tables are named by string and need them all


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's tools; jobs and commands work with them."""

    settings: Settings
    sessions: Sessions
    filer: Filer
    polls: Polls


@contextmanager
def open_sessions_of(settings: Settings) -> Iterator[Sessions]:
    """The database of the settings, closed afterwards. Raises SettingsError."""
    engine = open_engine(database_url(settings.database_url, settings.var))
    try:
        yield open_sessions(engine)
    finally:
        engine.dispose()


@contextmanager
def open_worker(settings: Settings) -> Iterator[Worker]:
    """A worker's tools, closed afterwards. Raises SettingsError."""
    with open_sessions_of(settings) as sessions, ParserProcess() as parser:
        sorter = Sorter(settings.model_path, settings.models_folder)
        filer = Filer(sessions, settings, parser, sorter, Catalogue())
        yield Worker(settings, sessions, filer, Polls(sessions, filer, settings))
