"""The commands and the environment of the processes that we start."""

from __future__ import annotations

import os
import sys

from helpdesk.settings import Settings


def web_command(settings: Settings, bind: str) -> list[str]:
    """The command that serves the pages."""
    return [
        *(sys.executable, "-m", "gunicorn", "helpdesk.app:create_app()", "--bind", bind),
        *("--worker-class", "gthread", "--workers", str(settings.web_processes)),
        *("--threads", str(settings.threads_per_web_process), "--no-control-socket"),
        *("--max-requests", "2000", "--max-requests-jitter", "200", "--log-level", "warning"),
    ]


def child_environment(settings: Settings, url: str, **more: str) -> dict[str, str]:
    """The environment of a child that shares our database and our key."""
    own = {
        "DATABASE_URL": url,
        "SECRET_KEY": settings.key,
        "HELPDESK_MODE": settings.effective_mode,
        "HELPDESK_VAR": str(settings.var),
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **own, **more}
