"""The newcomer's command: a whole desk comes up, people write, an agent answers, Ctrl-C ends it all by pid."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

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


@pytest.mark.timeout(240)
def test_the_demo_comes_up_plays_its_story_and_keeps_its_data(
    running: list[subprocess.Popen[str]],
) -> None:
    import tempfile

    from sqlalchemy import func, select

    from helpdesk import db, embedded
    from helpdesk.desk.message import Message
    from helpdesk.desk.ticket import Ticket

    var = Path(tempfile.mkdtemp(prefix="infomigra-demo-"))
    port = free_port()
    with socket.socket() as taken:  # the usual port is taken: the demo finds another
        taken.bind(("127.0.0.1", port))
        taken.listen()
        demo = start(var, port)
        running.append(demo)
        said = ready(demo)
    address = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
    assert address is not None
    assert int(address[1]) != port
    assert answers(f"{address[0]}healthz")
    assert "ana@infomigra.example.com" in said

    url = embedded.database_url(None, var)
    engine = db.open_engine(url)
    sessions = db.open_sessions(engine)

    def story_told() -> bool:
        with sessions() as session:
            inbound = session.scalar(select(func.count()).where(Message.direction == "inbound"))
            return inbound == 8

    wait_for(story_told)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 7
        joined = session.scalar(select(Ticket).order_by(Ticket.id).limit(1))
        assert joined is not None
        assert [message.direction for message in joined.messages] == ["inbound", "outbound", "inbound"]
    engine.dispose()  # the server is about to end: leave it first
    stop(demo)

    demo = start(var, free_port())
    running.append(demo)
    second = ready(demo)
    assert "Training" not in second
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 7
    page = (
        urllib.request.urlopen(re.search(r"http://[^ ]+/", second)[0] + "ingresar", timeout=5).read().decode()
    )
    assert "Ingresar" in page
    stop(demo, signal.SIGTERM)
