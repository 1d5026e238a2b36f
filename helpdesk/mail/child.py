"""A child process under limits that answers requests over a pipe, and is killed and replaced when it fails.

In: starting the child, the pipe, the limits as the parent sees them, the sentence that says why a request
failed. Not in: the child's own side (`answering.py`), what it works out (`sandbox.py` parses mails).
On the pipe: an 8-byte length and the request; back: the 8-byte number of blocks, the 8-byte length of each,
the JSON and the blocks of bytes that go with it. Nothing that the child sends is ever executed (no pickle).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_LIMIT_S = 60.0
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")
LENGTH_BYTES = 8
PIPE_CHUNK = 1 << 20
PIPE_CAPACITY = 1 << 16  # of Linux and macOS: no more comes at once, and asking for more only takes memory
MAX_BLOCKS = 10_000
MAX_JSON_BYTES = 64_000_000  # 2,000,000 characters three times over, as JSON with escapes
SIGNALLED = 128  # the shell's way to tell which signal ended a process
OUT_OF_CPU = SIGNALLED + 24  # SIGXCPU has this number on Linux and macOS
OUT_OF_MEMORY = 4

Answer = tuple[dict[str, Any], list[bytes]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may use. `memory_bytes` comes on top of the child at rest; a worker is renewed after
    `requests_per_worker`; `max_content_bytes` bounds what all blocks of one answer may weigh.
    """

    wall_s: float = 20.0
    cpu_s: int = 10
    memory_bytes: int = 512 * 1024 * 1024
    requests_per_worker: int = 200
    max_content_bytes: int = 25_000_000

    @property
    def memory_reason(self) -> str:
        """The sentence for a request that needed more memory."""
        return f"used more than {self.memory_bytes >> 20} MB"


class ChildFailed(Exception):
    """A request could not be answered within the limits. `reason` is a sentence for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LimitedChild:
    """A child that answers requests one after the other; started when first needed, replaced when it fails.

    `module` is run with `python -m` and calls `answering.serve`; `name` is how the reasons call the process.
    Safe to share between threads: one request at a time. Used as a context manager it leaves no child.
    """

    def __init__(self, module: str, name: str, limits: Limits) -> None:
        self._module = module
        self._name = name
        self._limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, request: bytes) -> Answer:
        """Return the child's answer: JSON and blocks of bytes.

        Raises ChildFailed when a limit was passed, the child died, or it refused the request.
        """
        with self._lock:
            process = self._ready()
            try:
                answer, blocks = self._exchange(process, request)
            except (OSError, EOFError, ValueError) as error:
                # TimeoutError is an OSError; a garbled answer is treated like a death.
                reason = self._reason(process, error)
                self._kill()
                raise ChildFailed(reason) from error
            except BaseException:
                self._kill()
                raise
        if "failed" in answer:
            raise ChildFailed(str(answer["failed"]))
        return answer, blocks

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._kill()

    def _ready(self) -> subprocess.Popen[bytes]:
        """A child that is up. Its start is not counted against the request's time."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._kill()
        try:
            self._process = _start(self._module)
            _Reader(self._process, time.monotonic() + START_LIMIT_S).take(1)
        except (OSError, EOFError) as error:
            self._kill()
            raise ChildFailed(f"the {self._name} process did not start") from error
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], request: bytes) -> Answer:
        """Send one request and read the answer.

        The child reads all before it writes, so the pipes cannot both be full.
        """
        until = time.monotonic() + self._limits.wall_s
        _write(process, len(request).to_bytes(LENGTH_BYTES, "big") + request, until)
        reader = _Reader(process, until)
        count = reader.take_number()
        if not 0 < count <= MAX_BLOCKS:
            raise ValueError("no answer")
        sizes = [reader.take_number() for _ in range(count)]
        if sizes[0] > MAX_JSON_BYTES or sum(sizes[1:]) > self._limits.max_content_bytes:
            raise ValueError("answer too long")
        answer = json.loads(reader.take(sizes[0]))
        if not isinstance(answer, dict):
            raise ValueError("no answer")
        return answer, [reader.take(size) for size in sizes[1:]]

    def _reason(self, process: subprocess.Popen[bytes], error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"took longer than {self._limits.wall_s:g} s"
        died = f"the {self._name} process died"
        try:
            code = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return died
        known = {
            OUT_OF_CPU: f"took longer than {self._limits.cpu_s} s of CPU",
            OUT_OF_MEMORY: self._limits.memory_reason,
        }
        return known.get(code, died)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # The child and the worker it has forked are one process group, and go together.
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _start(module: str) -> subprocess.Popen[bytes]:
    # One thread for numpy: its pool of buffers would eat the address space that the child may have. No limits
    # are set between fork and exec, which would be unsafe in a parent with threads; the child sets its own.
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    # Nothing else of our environment: the child reads strangers' bytes and must not know the desk's secrets.
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    environment = {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback could hold a citizen's words
        env=environment,
        bufsize=0,
        start_new_session=True,
    )
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
    return process


def _write(process: subprocess.Popen[bytes], data: bytes, until: float) -> None:
    assert process.stdin is not None
    handle = process.stdin.fileno()
    view = memoryview(data)
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_WRITE)
        while view:
            _wait(selector, until)
            view = view[os.write(handle, view[:PIPE_CHUNK]) :]


class _Reader:
    """What comes out of the child, taken in as large pieces as it comes: every wait costs a switch of process."""

    def __init__(self, process: subprocess.Popen[bytes], until: float) -> None:
        assert process.stdout is not None
        self._handle = process.stdout.fileno()
        self._until = until
        self._buffer = bytearray()

    def take(self, size: int) -> bytes:
        """The next `size` bytes. Raises EOFError when the child has closed its pipe, TimeoutError when late."""
        if len(self._buffer) < size:
            self._fill(size)
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[:size]
        return taken

    def take_number(self) -> int:
        """The next length or count."""
        return int.from_bytes(self.take(LENGTH_BYTES), "big")

    def _fill(self, size: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._handle, selectors.EVENT_READ)
            while len(self._buffer) < size:
                _wait(selector, self._until)
                chunk = os.read(self._handle, PIPE_CAPACITY)
                if not chunk:
                    raise EOFError("the child closed its pipe")
                self._buffer += chunk


def _wait(selector: selectors.BaseSelector, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0 or not selector.select(left):
        raise TimeoutError
