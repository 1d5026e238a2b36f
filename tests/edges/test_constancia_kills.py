"""F46, F49, T86, G34: many clicks on several processes, and deaths at every step, give one filing and one series.

`HELPDESK_CLICK_ROUNDS` and `HELPDESK_KILLS` make the runs longer; docs/chaos.md says what was run.
"""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select

from helpdesk.certificates.records import Constancia, Filing
from helpdesk.failpoints import ISSUING
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.edges.conftest import answers, process, wait_for
from tests.issuers import broken, form_of, start, whole_draft
from tests.ports import free_port
from tests.seal_keys import curve_key

CLICKS = 50
ROUNDS = int(os.environ.get("HELPDESK_CLICK_ROUNDS", "2"))
KILLS = int(os.environ.get("HELPDESK_KILLS", "1"))
SEALING = ("after-constancia-seal", "before-constancia-mail")


@pytest.fixture
def seal_settings(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a key that seals."""
    _, key = curve_key(tmp_path)
    return settings.model_copy(
        update={"seal_pkcs12": key["pkcs12"], "seal_password_file": key["password_file"]}
    )


@pytest.fixture
def nodes(settings: Settings) -> Iterator[list[int]]:
    """Three web servers on one database; their ports."""
    with ExitStack() as stack:
        ports = [free_port() for _ in range(3)]
        for port in ports:
            arguments = [
                *("-m", "gunicorn", "helpdesk.app:create_app()", "--bind", f"127.0.0.1:{port}"),
                *("--worker-class", "gthread", "--threads", "8", "--no-control-socket"),
            ]
            stack.enter_context(process(arguments, settings))
        for port in ports:
            wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/healthz"))  # type: ignore[misc]
        yield ports


def click(port: int, address: str, cookie: str, csrf: str, seen: list[int]) -> None:
    """Press the button once; a node may die under it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    with suppress(OSError, http.client.HTTPException):
        connection.request("POST", address, f"csrf_token={csrf}", headers)
        seen.append(connection.getresponse().status)
    connection.close()


def kill_a_worker(port: int) -> None:
    """End a node's worker by SIGKILL; its master starts another one."""
    owner = next(
        found.pid
        for found in psutil.net_connections("tcp")
        if found.status == psutil.CONN_LISTEN and found.laddr.port == port and found.pid
    )
    master = psutil.Process(owner)
    while (parent := master.parent()) is not None and "gunicorn" in " ".join(parent.cmdline()):
        master = parent
    for child in master.children():
        with suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGKILL)


@pytest.mark.timeout(3600)
def test_T86_G34_many_clicks_on_three_nodes_with_kills_file_once(desk: Desk, nodes: list[int]) -> None:
    chance = random.Random(86)
    for number in range(1, ROUNDS + 1):
        secret = whole_draft(desk, number)
        address = f"/constancia/tramite/{secret}/revisar"
        ready = [port for port in nodes if answers(f"http://127.0.0.1:{port}/healthz")]
        cookie, csrf = form_of(ready[0], address)
        seen: list[int] = []
        clicks = [
            threading.Thread(target=click, args=(chance.choice(nodes), address, cookie, csrf, seen))
            for _ in range(CLICKS)
        ]
        killer = threading.Timer(chance.uniform(0, 0.4), kill_a_worker, [chance.choice(nodes)])
        killer.start()
        for thread in clicks:
            thread.start()
        for thread in (*clicks, killer):
            thread.join()
        for port in nodes:
            wait_for(lambda port=port: answers(f"http://127.0.0.1:{port}/healthz"))  # type: ignore[misc]
        click(nodes[0], address, cookie, csrf, seen)
        assert seen[-1] == 302
        assert set(seen) <= {302, 503}, seen
    with desk.sessions() as session:
        assert session.scalar(select(func.count(Filing.id))) == ROUNDS
        assert session.scalar(select(func.count(Constancia.id))) == ROUNDS
        assert broken(session) == []


@pytest.mark.timeout(3600)
def test_F46_a_death_at_any_step_leaves_no_gap_and_nothing_half_done(desk: Desk) -> None:
    number, deaths = 0, 0
    for failpoint in (name for name in ISSUING if name not in SEALING):
        for time in range(1, KILLS + 1):
            numbers = [number + 1, number + 2, number + 3, number + 4]
            number += 4
            pair = [start(desk.settings, numbers, f"{failpoint}@{time}"), start(desk.settings, numbers[::-1])]
            for child in pair:
                child.join(60)
            deaths += pair[0].exitcode == -signal.SIGKILL
            with desk.sessions() as session:
                assert broken(session) == []
            # What the dead one left is filed by whoever comes after it.
            again = start(desk.settings, numbers)
            again.join(60)
            assert again.exitcode == 0
    assert deaths >= KILLS
    with desk.sessions() as session:
        assert session.scalar(select(func.count(Constancia.id))) == number
        assert broken(session) == []


@pytest.mark.timeout(3600)
def test_F46_F47_a_death_while_sealing_loses_and_doubles_nothing(desk: Desk, seal_settings: Settings) -> None:
    number = 0
    for failpoint in SEALING:
        for _ in range(KILLS):
            number += 1
            dying = start(seal_settings, [number], f"{failpoint}@1")
            dying.join(60)
            assert dying.exitcode == -signal.SIGKILL
            with desk.sessions() as session:
                last = session.scalars(select(Constancia).order_by(Constancia.id.desc())).first()
                assert last is not None
                assert last.state == "sealing"  # numbered, and nobody has it
            after = start(seal_settings, [number])
            after.join(60)
            assert after.exitcode == 0
    with desk.sessions() as session:
        states = session.scalars(select(Constancia.state)).all()
        assert states == ["valid"] * number
        assert broken(session) == []
