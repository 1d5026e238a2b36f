"""The child's side of `child.py`: set the limits, read a request, answer it, and again.

In: the loop, the limits as the system enforces them (OWASP ASVS 5.0, 15.2). Not in: what is answered; that is
the function given to `serve`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from helpdesk.mail.child import LENGTH_BYTES, OUT_OF_MEMORY, PIPE_CHUNK, SIGNALLED, Answer, Limits

ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024
MAX_OPEN_FILES = 64
_NEXT_WORKER = 3


class Refusal(Exception):
    """Raised by an answering function that will not answer; its text is the reason, a sentence for people."""


def serve(answer: Callable[[bytes], Answer], limits: Limits, prepare: Callable[[], None]) -> None:
    """Answer the requests on standard input until it ends; the main function of a child. Never returns.

    `prepare` loads the libraries once; then a worker is forked for every so many requests. A worker starts in
    milliseconds with its memory clean and its CPU clock at zero; loading takes most of a second.
    """
    # The answer goes out by a copy of the handle; whatever a library prints must not mix with it.
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    prepare()
    # What is loaded stays as it is: no worker's collector looks at it again, and so copies its pages.
    gc.collect()
    gc.freeze()
    target.write(b"+")
    target.flush()
    if not hasattr(os, "fork"):
        while (code := _work(answer, limits, target)) == _NEXT_WORKER:
            pass
        sys.exit(code)
    while True:
        worker = os.fork()
        if worker == 0:
            os._exit(_work(answer, limits, target))
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        if code != _NEXT_WORKER:
            os._exit(SIGNALLED - code if code < 0 else code)


def _work(answer: Callable[[bytes], Answer], limits: Limits, target: IO[bytes]) -> int:
    """Answer as many requests as one worker may; return the exit code: 0 at the end of the pipe."""
    _limit_memory(limits)
    for _ in range(limits.requests_per_worker):
        try:
            request = _next_request()
            if request is None:
                return 0
            _limit_cpu(limits)
            out_of_memory = not _answer(answer, request, limits, target)
        except MemoryError:
            # The request does not even fit in, or its answer not out: the pipe is of no more use.
            return OUT_OF_MEMORY
        if out_of_memory:
            break
    return _NEXT_WORKER


def _answer(answer: Callable[[bytes], Answer], request: bytes, limits: Limits, target: IO[bytes]) -> bool:
    """Answer one request; return whether the memory was enough."""
    try:
        header, blocks = answer(request)
    except MemoryError:
        _send(target, {"failed": limits.memory_reason}, [])
        return False
    except Refusal as refusal:
        header, blocks = {"failed": str(refusal)}, []
    _send(target, header, blocks)
    return True


def _send(target: IO[bytes], header: dict[str, Any], blocks: list[bytes]) -> None:
    # A lone surrogate cannot be written as UTF-8; it must not cost the whole answer.
    encoded = json.dumps(header, ensure_ascii=False).encode("utf-8", "replace")
    lengths = (1 + len(blocks), len(encoded), *map(len, blocks))
    target.write(b"".join(length.to_bytes(LENGTH_BYTES, "big") for length in lengths) + encoded)
    for block in blocks:
        target.write(block)
    target.flush()


def _next_request() -> bytes | None:
    """Read one request straight from the handle, so that nothing of the next worker's is taken along."""
    prefix = _read_exactly(LENGTH_BYTES)
    return _read_exactly(int.from_bytes(prefix, "big")) if prefix is not None else None


def _read_exactly(size: int) -> bytes | None:
    chunks, left = [], size
    while left:
        chunk = os.read(0, min(left, PIPE_CHUNK))
        if not chunk:
            return None
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _limit_cpu(limits: Limits) -> None:
    """Allow so many more seconds of CPU than were used so far."""
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + limits.cpu_s + 1, hard))


def _limit_memory(limits: Limits) -> None:
    """Allow so much above what the child has mapped, at most 1 GB; few open files, and none written.

    macOS does not hold processes to the first limit.
    """
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))
    if sys.platform != "darwin":
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = min(ADDRESS_SPACE_BYTES, mapped + limits.memory_bytes)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
