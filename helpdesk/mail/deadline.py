"""A wall clock for a conversation over a socket. Nothing here knows what is said on it.

A read time-out ends a silence; it never ends a server that sends one byte every half minute. This does.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Watchdog:
    """Shuts one socket down when a block of work takes too long, from another thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._over = threading.Event()

    def watch(self, sock: socket.socket) -> None:
        """Watch this socket from now on; called again when TLS takes its descriptor over."""
        self._socket = sock
        if self._over.is_set():
            self.cut()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Raise TimeoutError when the block fails because its time was over."""
        timer = threading.Timer(seconds, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if self._over.is_set():
                raise TimeoutError(f"took longer than {seconds:.0f} s") from error
            raise
        finally:
            timer.cancel()

    def cut(self) -> None:
        """End the conversation now: whoever reads sees the end of the stream."""
        self._over.set()
        if self._socket is not None:
            with suppress(OSError):
                # Not SSLSocket.shutdown: that takes the TLS state away from under the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
