"""A real ClamAV daemon with a signature database of one line: the EICAR test file."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hostile_files import EICAR

CONFIG = """
Foreground yes
DatabaseDirectory {folder}/db
LocalSocket {folder}/clamd.socket
PidFile {folder}/clamd.pid
StreamMaxLength 30M
"""
PATIENCE_S = 30


def program() -> str | None:
    """Where the daemon is, if there is one."""
    return shutil.which("clamd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def running_clamd(folder: Path) -> Iterator[str]:
    """A daemon on a Unix socket in `folder`. Yields its address as `HELPDESK_CLAMAV` takes it."""
    (folder / "db").mkdir()
    (folder / "db" / "one.ndb").write_text(f"Eicar-Test:0:*:{EICAR.hex()}\n")
    (folder / "clamd.conf").write_text(CONFIG.format(folder=folder))
    with (folder / "clamd.log").open("wb") as log:
        daemon = subprocess.Popen(
            [str(program()), f"--config-file={folder / 'clamd.conf'}"], stdout=log, stderr=log
        )
        try:
            _wait_for(folder / "clamd.socket", daemon)
            yield f"unix:{folder / 'clamd.socket'}"
        finally:
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _wait_for(path: Path, daemon: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if daemon.poll() is not None:
            raise AssertionError((path.parent / "clamd.log").read_text())
        with socket.socket(socket.AF_UNIX) as knock:
            if path.exists() and knock.connect_ex(str(path)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("clamd did not come up")
