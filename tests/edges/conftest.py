"""A desk that reads a real mailbox, and the processes it is made of."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, Page

from helpdesk.desk.mailbox import Mailbox, add_mailbox
from helpdesk.settings import Settings
from tests.chromium import running_browser
from tests.conftest import KEY
from tests.desk import Desk
from tests.dovecot import PASSWORD, Dovecot
from tests.ports import free_port

PATIENCE_S = 30
T = TypeVar("T")


@pytest.fixture(autouse=True)
def nobody_stays_connected(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the connections with which a test looked into its mailbox."""
    yield
    if "imap_server" in request.fixturenames:
        request.getfixturevalue("imap_server").send_people_home()


@pytest.fixture
def user() -> str:
    """A mailbox of this test alone."""
    return f"u{os.urandom(6).hex()}"


@pytest.fixture
def mailbox(desk: Desk, imap_server: Dovecot, user: str) -> Mailbox:
    """The desk's mailbox on the real server."""
    return connect(desk, imap_server.port, user)


def connect(desk: Desk, port: int, user: str) -> Mailbox:
    """Make the desk read one user's INBOX."""
    password_file = Path(desk.settings.var) / "imap-password"
    password_file.write_text(PASSWORD)
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, desk.mailbox_id).active = False
        return add_mailbox(
            session,
            name="real",
            host="127.0.0.1",
            port=port,
            username=user,
            password_file=password_file,
            tls=False,
            poll_interval_s=1,
        )


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a process of this desk."""
    return {
        **os.environ,
        "DATABASE_URL": str(settings.database_url),
        "SECRET_KEY": KEY,
        "HELPDESK_MODE": "development",
        "HELPDESK_VAR": str(settings.var),
        "HELPDESK_MODEL": str(settings.model_path),
        "HELPDESK_SMTP_HOST": "127.0.0.1",
        "HELPDESK_SMTP_PORT": str(settings.smtp_port),
        "HELPDESK_SMTP_SECURITY": "none",
        "HELPDESK_TICK_S": "0.3",
        "HELPDESK_UNDO_S": "5",
        **more,
    }


@contextmanager
def process(arguments: list[str], settings: Settings, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the desk, ended by pid."""
    log = Path(settings.var) / f"{arguments[0].replace('/', '-')}.log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, *arguments], env=environment(settings, **more), stdout=output, stderr=output
        )
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The pages, served by gunicorn as in production. Yields their address."""
    port = free_port()
    arguments = [
        *("-m", "gunicorn", "helpdesk.app:create_app()", "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--threads", "4", "--no-control-socket"),
    ]
    with process(arguments, settings):
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/healthz"))
        yield address


@pytest.fixture
def pages(settings: Settings) -> Iterator[str]:
    """The address of the pages."""
    with serving(settings) as address:
        yield address


def answers(url: str) -> bool:
    """Whether an address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_for(look: Callable[[], T]) -> T:
    """Look until there is something to see; fail after half a minute."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.1)
    raise AssertionError("nothing came within half a minute")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser, pages: str) -> Iterator[Page]:
    """A browser window that fails the test when a page logs an error or asks another host for anything."""
    context = browser.new_context(base_url=pages, viewport={"width": 1280, "height": 900}, locale="es-PE")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith((pages, "data:")) else complaints.append(asked.url),
    )
    yield opened
    context.close()
    expected = ("status of 422", "status of 409", "status of 403")
    assert [line for line in complaints if not any(part in line for part in expected)] == []
