"""What tests stand on: a PostgreSQL of their own, a trained model, and the real servers where they are installed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from classifier import STRENGTH, Model, corpus_rows, frozen_rows, train
from helpdesk import db
from helpdesk.accounts.users import Role, User, hash_password
from helpdesk.cli.database import seed
from helpdesk.desk.sorter import Sorter
from helpdesk.mail.sandbox import ParserProcess
from helpdesk.settings import Settings
from tests import chromium, clamd, dovecot
from tests.desk import Desk, open_desk
from tests.postgres import start as start_postgres
from tests.smtp_sink import Sink, running_sink

CI = os.environ.get("CI") == "true"
PARTS = {
    "dovecot": (dovecot.program, "apt-get install dovecot-imapd"),
    "chromium": (chromium.program, "apt-get install chromium fonts-noto-core"),
    "clamd": (clamd.program, "apt-get install --no-install-recommends clamav-daemon"),
}
ROOT = Path(__file__).parent.parent
PASSWORD = "una-clave-de-prueba"
KEY = "k3y-0f-th3-t3sts-" + "x9Qw7" * 6


def missing(item: pytest.Item) -> str | None:
    """The part of the machine that a test needs and that is not there."""
    for marker in item.iter_markers("needs"):
        part = str(marker.args[0])
        if PARTS[part][0]() is None:
            return part
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here; in CI nothing may be skipped (see `pytest_runtest_setup`)."""
    for item in items:
        part = missing(item)
        if part and not CI:
            item.add_marker(pytest.mark.skip(reason=f"{part} is not installed"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """With CI=true a missing part is an error."""
    part = missing(item)
    if part and CI:
        pytest.fail(f"CI needs {part}: {PARTS[part][1]}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what did not run, and the line that mends it."""
    skipped = terminalreporter.stats.get("skipped", [])
    for part, (_, line) in PARTS.items():
        count = sum(f"{part} is not installed" in str(report.longrepr) for report in skipped)
        if count:
            terminalreporter.section(f"!!! {count} TESTS DID NOT RUN: {part} is missing", red=True, bold=True)
            terminalreporter.line(f"    {line}", red=True, bold=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """An embedded server for this run, with a migrated and seeded template database. Yields its address."""
    url = start_postgres()
    admin = create_engine(db.driver_url(url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        # A test may lose its data when the machine dies; the kills of these tests are of processes.
        connection.execute(text("alter system set fsync = off"))
        # A database cannot be copied while the server tidies it up.
        connection.execute(text("alter system set autovacuum = off"))
        connection.execute(text("select pg_reload_conf()"))
        connection.execute(text("create database prepared"))
    prepared = _database(url, "prepared")
    db.upgrade(prepared)
    engine = db.open_engine(prepared)
    seed(db.open_sessions(engine))
    engine.dispose()
    yield url
    admin.dispose()


def _database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def fresh_database(postgres: str) -> Iterator[str]:
    """A database that is migrated and seeded, and that nobody used before."""
    name = f"test_{os.urandom(6).hex()}"
    admin = create_engine(db.driver_url(postgres), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name} template prepared strategy file_copy"))
    yield _database(postgres, name)
    with admin.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))
    admin.dispose()


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A fresh database for one test."""
    with fresh_database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def model_path(pytestconfig: pytest.Config) -> Path:
    """A classifier trained on every sixth message of the corpus, for the tests of everything else."""
    return _trained(
        pytestconfig, "small", lambda: train(corpus_rows()[::6], calibrate=frozen_rows(), strength=STRENGTH)
    )


@pytest.fixture(scope="session")
def full_model_path(pytestconfig: pytest.Config) -> Path:
    """The classifier as the set-up trains it, on the whole corpus; it takes most of a minute."""
    return _trained(
        pytestconfig, "full", lambda: train(corpus_rows(), calibrate=frozen_rows(), strength=STRENGTH)
    )


def _trained(pytestconfig: pytest.Config, name: str, make: Callable[[], Model]) -> Path:
    """The file of a model, trained once for each state of the classifier's code and corpus."""
    sources = [
        path for kind in ("py", "jsonl", "txt") for path in sorted((ROOT / "classifier").rglob(f"*.{kind}"))
    ]
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    path = pytestconfig.cache.mkdir("model") / f"{name}-{state}.skops"
    # The tests run in several processes: one trains, the others wait for it.
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = path.with_suffix(f".{os.getpid()}")
            make().save(made)
            made.rename(path)
    return path


@pytest.fixture
def smtp_sink() -> Iterator[Sink]:
    """An SMTP server that keeps what our desk sends."""
    with running_sink() as sink:
        yield sink


@pytest.fixture
def settings(database_url: str, model_path: Path, smtp_sink: Sink, tmp_path: Path) -> Settings:
    """The settings of a desk under test."""
    return Settings(
        DATABASE_URL=database_url,
        SECRET_KEY=KEY,
        mode="development",
        var=tmp_path,
        model=model_path,
        smtp_host="127.0.0.1",
        smtp_port=smtp_sink.port,
        smtp_security="none",
    )


@pytest.fixture(scope="session")
def parser() -> Iterator[ParserProcess]:
    """The parser's process."""
    with ParserProcess() as running:
        yield running


@pytest.fixture(scope="session")
def sorter(model_path: Path) -> Sorter:
    """The trained model, in memory."""
    return Sorter(model_path)


@pytest.fixture
def desk(settings: Settings, parser: ParserProcess, sorter: Sorter) -> Iterator[Desk]:
    """A desk that is ready to file mail."""
    with open_desk(settings, parser, sorter) as opened:
        yield opened


@pytest.fixture
def ana(desk: Desk) -> User:
    """An agent."""
    return _person(desk, "ana@example.com", "Ana Torres", Role.AGENT)


@pytest.fixture
def rosa(desk: Desk) -> User:
    """A supervisor."""
    return _person(desk, "rosa@example.com", "Rosa Quispe", Role.SUPERVISOR)


@cache
def _hash_of_password() -> str:
    """Made once a process: Argon2id is slow on purpose."""
    return hash_password(PASSWORD)


def _person(desk: Desk, email: str, name: str, role: Role) -> User:
    with desk.sessions.begin() as session:
        person = User(
            email=email,
            name=name,
            role=role.value,
            password=_hash_of_password(),
            fs_uniquifier=os.urandom(16).hex(),
        )
        session.add(person)
        session.flush()
        return person


@pytest.fixture(scope="session")
def imap_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dovecot.Dovecot]:
    """A running Dovecot."""
    server = dovecot.start(Path(tempfile.mkdtemp(prefix="infomigra-dovecot-")))
    yield server
    server.stop()
    shutil.rmtree(server.root, ignore_errors=True)
