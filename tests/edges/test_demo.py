"""The newcomer's command: a whole desk comes up, people write, an agent answers, Ctrl-C ends it all by pid."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from helpdesk import db
from helpdesk.cli import demonstration
from helpdesk.cli.conversation import LETTERS
from helpdesk.cli.demonstration import train_if_needed, training_digest
from helpdesk.cli.sample_filings import PEOPLE as SAMPLES
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import FILINGS, MAIL, Ticket
from helpdesk.settings import Settings
from tests.edges.conftest import answers, wait_for
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent


def start(var: Path, port: int) -> subprocess.Popen[str]:
    """`helpdesk demo`, as `run.py demo` starts it."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("HELPDESK", "DATABASE"))
    }
    return subprocess.Popen(
        [sys.executable, "-u", "-c", "from helpdesk.cli import main; main()", "demo", "--port", str(port)],
        env={**clean, "HELPDESK_VAR": str(var)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stop(demo: subprocess.Popen[str], sign: int = signal.SIGINT) -> None:
    """Ctrl-C; every process that the demo started must be gone."""
    children = psutil.Process(demo.pid).children(recursive=True)
    assert len(children) >= 4
    demo.send_signal(sign)
    assert demo.wait(40) == 0, demo.stdout.read() if demo.stdout else ""
    assert psutil.wait_procs(children, timeout=10)[1] == []


def ready(demo: subprocess.Popen[str]) -> str:
    """What the demo says when it is ready; its address is in it."""
    said = ""
    assert demo.stdout is not None
    for line in demo.stdout:
        said += line
        if line.startswith("└"):
            return said
    raise AssertionError(said)


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[str]]]:
    """The demos of a test: ended with it, however it ends."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for demo in started:
        if demo.poll() is None:
            demo.send_signal(signal.SIGINT)
            demo.wait(40)
        if demo.stdout:
            demo.stdout.close()


@pytest.fixture
def var(model_path: Path) -> Iterator[Path]:
    """A folder that the database server's user can reach, too; the training, half a minute, was done in it."""
    folder = Path(tempfile.mkdtemp(prefix="infomigra-demo-"))
    shutil.copy(model_path, folder / "model.skops")
    (folder / "model.stamp").write_text(training_digest())
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def looking(var: Path) -> Iterator[Session]:
    """Look into the demo's database; leave no connection behind."""
    engine = db.open_engine(f"postgresql://postgres:@/postgres?host={var}/postgres")
    with Session(engine) as session:
        yield session
    engine.dispose()


BY_MAIL = Ticket.channel == MAIL


def count(var: Path, what: type[Ticket] | type[Message], *where: ColumnElement[bool]) -> int:
    with looking(var) as session:
        return session.scalar(select(func.count()).select_from(what).where(*where)) or 0


def address(said: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/", said)
    assert found is not None
    return found[0]


def test_the_demo_trains_when_there_is_no_model_and_when_the_corpus_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[list[str]] = []

    def train(command: list[str], **_: object) -> None:
        trained.append(command)
        Path(command[-1]).write_bytes(b"a model")

    monkeypatch.setattr(demonstration.subprocess, "run", train)
    settings = Settings(var=tmp_path, mode="demo")
    assert train_if_needed(settings)
    assert trained == [[sys.executable, "-m", "classifier", "train", "--out", str(tmp_path / "model.skops")]]
    (tmp_path / "model.stamp").write_text(training_digest())
    assert not train_if_needed(settings)
    (tmp_path / "model.stamp").write_text("of another corpus")
    assert train_if_needed(settings)
    (tmp_path / "model.skops").unlink()
    assert train_if_needed(settings)


@pytest.mark.timeout(240)
def test_the_demo_comes_up_plays_its_story_and_keeps_its_data(
    var: Path, running: list[subprocess.Popen[str]]
) -> None:
    port = free_port()
    with socket.socket() as taken:  # the usual port is taken: the demo finds another
        taken.bind(("127.0.0.1", port))
        taken.listen()
        running.append(start(var, port))
        said = ready(running[0])
    assert f":{port}/" not in said
    assert answers(f"{address(said)}healthz")
    assert "ana@infomigra.example.com" in said

    wait_for(lambda: count(var, Message, Message.raw_mail_id.is_not(None)) == len(LETTERS) + 1)
    assert count(var, Ticket, BY_MAIL) == len(LETTERS)
    assert count(var, Ticket, Ticket.channel == FILINGS) == len(SAMPLES)
    with looking(var) as session:
        first = session.scalars(select(Ticket).where(BY_MAIL).order_by(Ticket.id)).first()
        assert first is not None
        assert [message.direction for message in first.messages] == ["inbound", "outbound", "inbound"]
    stop(running[0])
    assert not (var / "postgres" / "postmaster.pid").exists(), "the database server was stopped, too"

    running.append(start(var, free_port()))
    second = ready(running[1])
    assert "Training" not in second
    assert count(var, Ticket, BY_MAIL) == len(LETTERS), "the data was kept and the story is not played twice"
    with urllib.request.urlopen(f"{address(second)}ingresar", timeout=5) as page:
        assert "Ingresar" in page.read().decode()
    stop(running[1], signal.SIGTERM)
