"""The parser in a child process that can be killed, because small mails can hang or bloat any parser.

In: the child and its limits, the pipe between, the decision that a mail has failed. Not in: parsing
(`parse.py`), what becomes of a mail that failed (`helpdesk.desk`). On the pipe: an 8-byte length, then the
mail; back: an 8-byte length, JSON, then the attachments' bytes. Nothing that the child sends is ever executed
(no pickle).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from helpdesk.mail.language import load_identifier
from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import ParsedMail

WALL_LIMIT_S = 20.0
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
START_LIMIT_S = 60.0
CPU_LIMIT_S = 10
MEMORY_LIMIT_BYTES = 512 * 1024 * 1024  # what one mail may need on top of the child at rest
ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024
MAILS_PER_CHILD = 200
_LENGTH_BYTES = 8
_NEXT_WORKER = 3
_SIGNALLED = 128  # the shell's way to tell which signal ended a process
_OUT_OF_CPU = _SIGNALLED + 24  # SIGXCPU has this number on Linux and macOS
_PIPE_CHUNK = 1 << 20
MAX_HEADER_BYTES = 64_000_000  # 2,000,000 characters three times over, as JSON with escapes
_TOO_BIG = f"used more than {MEMORY_LIMIT_BYTES >> 20} MB"
_DIED = "the parser process died"


class ParseFailed(Exception):
    """A mail could not be read within the limits. `reason` is a sentence for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ParserProcess:
    """A child that parses mails one after the other; started when first needed, replaced when it fails.

    Safe to share between threads: one mail is parsed at a time. Used as a context manager it leaves no child.
    """

    def __init__(self, wall_limit_s: float = WALL_LIMIT_S) -> None:
        self._wall_limit_s = wall_limit_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ParserProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def parse(self, raw: bytes) -> ParsedMail:
        """Return the parsed mail.

        Raises ParseFailed when it took 20 s, 10 s of CPU or 512 MB, or killed the child.
        """
        with self._lock:
            child = self._ready_child()
            try:
                answer, contents = _ask(child, raw, time.monotonic() + self._wall_limit_s)
                if "failed" in answer:
                    raise ParseFailed(str(answer["failed"]))
                return ParsedMail.from_wire(answer, contents)
            except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
                # TimeoutError is an OSError; a garbled answer is treated like a death.
                reason = _reason(child, error, self._wall_limit_s)
                self._kill()
                raise ParseFailed(reason) from error
            except BaseException:
                self._kill()
                raise

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._kill()

    def _ready_child(self) -> subprocess.Popen[bytes]:
        """A child that is up. Its start is not counted against the mail's time."""
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._kill()
        try:
            self._child = _start()
            _read(self._child, 1, time.monotonic() + START_LIMIT_S)
        except (OSError, EOFError) as error:
            self._kill()
            raise ParseFailed("the parser process did not start") from error
        return self._child

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        # The child and the worker it has forked are one process group, and go together.
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


def _start() -> subprocess.Popen[bytes]:
    # One thread for numpy: its pool of buffers would eat the address space that the child may have. No limits
    # are set between fork and exec, which would be unsafe in a parent with threads; the child sets its own.
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    # Nothing else of our environment: the child reads strangers' bytes and must not know the desk's secrets.
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    environment = {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    child = subprocess.Popen(
        [sys.executable, "-m", "helpdesk.mail.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback could hold a citizen's words
        env=environment,
        bufsize=0,
        start_new_session=True,
    )
    for pipe in (child.stdin, child.stdout):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
    return child


def _ask(child: subprocess.Popen[bytes], raw: bytes, until: float) -> tuple[dict[str, Any], list[bytes]]:
    """Send one mail and read the answer.

    The child reads all before it writes, so the pipes cannot both be full.
    """
    _write(child, len(raw).to_bytes(_LENGTH_BYTES, "big") + raw, until)
    length = int.from_bytes(_read(child, _LENGTH_BYTES, until), "big")
    if length > MAX_HEADER_BYTES:
        raise ValueError("answer too long")
    answer = json.loads(_read(child, length, until))
    # Decoding never makes content longer than the mail it came in, so a larger claim is a lie.
    sizes = [int(entry["size"]) for entry in answer.get("attachments", ())]
    if min(sizes, default=0) < 0 or sum(sizes) > len(raw):
        raise ValueError("attachments larger than their mail")
    return answer, [_read(child, size, until) for size in sizes]


def _write(child: subprocess.Popen[bytes], data: bytes, until: float) -> None:
    assert child.stdin is not None
    handle = child.stdin.fileno()
    view = memoryview(data)
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_WRITE)
        while view:
            _wait(selector, until)
            view = view[os.write(handle, view[:_PIPE_CHUNK]) :]


def _read(child: subprocess.Popen[bytes], size: int, until: float) -> bytes:
    assert child.stdout is not None
    handle = child.stdout.fileno()
    chunks, left = [], size
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while left:
            _wait(selector, until)
            chunk = os.read(handle, min(left, _PIPE_CHUNK))
            if not chunk:
                raise EOFError("the child closed its pipe")
            chunks.append(chunk)
            left -= len(chunk)
    return b"".join(chunks)


def _wait(selector: selectors.BaseSelector, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0 or not selector.select(left):
        raise TimeoutError


def _reason(child: subprocess.Popen[bytes], error: Exception, wall_limit_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"took longer than {wall_limit_s:g} s"
    try:
        code = child.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return _DIED
    return f"took longer than {CPU_LIMIT_S} s of CPU" if code == _OUT_OF_CPU else _DIED


def main() -> None:
    """The child: load the libraries once, then fork a worker for every 200 mails.

    A worker starts in milliseconds with its memory clean and its CPU clock at zero; loading takes most of a
    second.
    """
    # The answer goes out by a copy of the handle; whatever a library prints must not mix with it.
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    load_libraries()
    target.write(b"+")
    target.flush()
    if not hasattr(os, "fork"):
        sys.exit(_serve(target, limit=sys.maxsize))
    while True:
        worker = os.fork()
        if worker == 0:
            os._exit(_serve(target, limit=MAILS_PER_CHILD))
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        if code != _NEXT_WORKER:
            os._exit(_SIGNALLED - code if code < 0 else code)


def load_libraries() -> None:
    """Import what parsing needs and imports late, so that every worker has it from the start."""
    importlib.import_module("inscriptis")
    importlib.import_module("ftfy")
    load_identifier()


def _serve(target: IO[bytes], limit: int) -> int:
    """Answer up to `limit` mails; return the exit code: 0 at the end of the pipe."""
    _limit_memory()
    for _ in range(limit):
        raw = _next_mail()
        if raw is None:
            return 0
        _limit_cpu()
        try:
            header, contents = parse(raw).to_wire()
        except MemoryError:
            header, contents = {"failed": _TOO_BIG}, []
        _answer(target, header, contents)
    return _NEXT_WORKER


def _next_mail() -> bytes | None:
    """Read one mail straight from the handle, so that nothing of the next worker's mail is taken along."""
    prefix = _read_exactly(_LENGTH_BYTES)
    return _read_exactly(int.from_bytes(prefix, "big")) if prefix is not None else None


def _read_exactly(size: int) -> bytes | None:
    chunks, left = [], size
    while left:
        chunk = os.read(0, min(left, _PIPE_CHUNK))
        if not chunk:
            return None
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _answer(target: IO[bytes], header: dict[str, Any], contents: list[bytes]) -> None:
    encoded = json.dumps(header, ensure_ascii=False).encode()
    target.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)
    for content in contents:
        target.write(content)
    target.flush()


def _limit_cpu() -> None:
    """Allow ten more seconds of CPU than were used so far."""
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + CPU_LIMIT_S + 1, hard))


def _limit_memory() -> None:
    """Allow 512 MB above what the child has mapped, at most 1 GB.

    macOS does not hold processes to this limit.
    """
    if sys.platform in ("win32", "darwin"):
        return
    import resource

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = min(ADDRESS_SPACE_BYTES, mapped + MEMORY_LIMIT_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
