"""An embedded PostgreSQL for a run: stopped, and its data removed, when the process ends."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from helpdesk import embedded


def start() -> str:
    """Start a server in a folder of its own and return its address."""
    root = Path(tempfile.mkdtemp(prefix="infomigra-pg-"))
    # Registered before the server's own clean-up, so that it runs after it: a server whose data is gone stays.
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return embedded.start(root / "data")
