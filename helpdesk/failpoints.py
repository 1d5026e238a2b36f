"""Named places where a test may stop the process. Inert unless HELPDESK_FAILPOINTS is set.

`HELPDESK_FAILPOINTS=after-fetch@3` kills the process with SIGKILL the third time `after-fetch` is passed.
Production refuses the variable (`helpdesk.app`, `scheduler`), so that nobody can leave it on.
"""

from __future__ import annotations

import os
import signal

NAMES = ("after-fetch", "after-raw-commit", "inside-filing", "before-marking", "after-claim", "after-send")

_passes: dict[str, int] = {}


def hit(name: str) -> None:
    """Die here by SIGKILL when the environment asks for it; otherwise do nothing."""
    wanted = os.environ.get("HELPDESK_FAILPOINTS")
    if not wanted:
        return
    target, _, count = wanted.partition("@")
    _passes[name] = _passes.get(name, 0) + 1
    if target == name and _passes[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
