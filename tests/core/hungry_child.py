"""A child under the parser's limits, but with one second of processor time, that eats what it is told to."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace

from helpdesk.mail.answering import Refusal, serve
from helpdesk.mail.child import Answer
from helpdesk.mail.sandbox import LIMITS as PARSER_LIMITS

LIMITS = replace(PARSER_LIMITS, cpu_s=1)


def eat(request: bytes) -> Answer:
    """Eat so many megabytes; 0 is refused, -1 is time instead, "write" tries to write a file."""
    if request == b"write":
        return {"written": _can_write(), "secret": os.environ.get("SECRET_KEY")}, []
    megabytes = int(request)
    if not megabytes:
        raise Refusal("nothing to eat")
    while megabytes < 0:
        pass
    bytearray(megabytes << 20)
    return {"eaten": megabytes}, [b"x"]


def _can_write() -> bool:
    try:
        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(b"x")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    serve(eat, LIMITS, lambda: None)
