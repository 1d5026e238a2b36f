"""Named places where a test may stop the process. Inert unless HELPDESK_FAILPOINTS is set.

`HELPDESK_FAILPOINTS=after-fetch@3` kills the process with SIGKILL the third time `after-fetch` is passed.
Production refuses the variable (`helpdesk.app`, `scheduler`), so that nobody can leave it on.
"""

from __future__ import annotations

import os
import signal

# In the order in which one mail, and the answer to it, pass them.
RECEIVING = (
    "after-mailbox-lease",
    "after-search",
    "after-fetch",
    "inside-raw-commit",
    "after-raw-commit",
)
FILING = (
    "after-filing-claim",
    "after-parsing",
    "inside-filing",
    "before-filing-commit",
    "after-filing",
)
MARKING = ("before-marking", "after-marking", "before-lease-end")
SENDING = ("after-claim", "before-data", "after-send", "inside-settling", "after-settling")
COPYING = ("before-sent-copy", "after-sent-copy")
IMPORTING = ("after-import-commit",)
ISSUING = (
    "after-constancia-number",
    "after-constancia-render",
    "after-constancia-store",
    "before-constancia-commit",
    "after-constancia-seal",
    "before-constancia-mail",
)
NAMES = RECEIVING + FILING + MARKING + SENDING + COPYING + IMPORTING + ISSUING

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
