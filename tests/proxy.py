"""A bad line between a client and a server: it cuts, stalls, delays or garbles after so many bytes of the server's."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

READ_BYTES = 1 << 16
GLANCE_S = 0.5
# Linger for zero seconds: `close` sends RST instead of FIN (socket(7)).
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Kind(StrEnum):
    """What happens to the line."""

    RST = "rst"  # both ends learn at once that it is gone
    FIN = "fin"  # the client learns that nothing more will come
    STALL = "stall"  # nobody learns anything
    CORRUPT = "corrupt"  # one bit turns over, and the line goes on
    NONE = "none"


@dataclass(frozen=True)
class Fault:
    """`kind` strikes when `after` bytes of the server's have passed; each block of them waits for `delay_s`."""

    kind: Kind = Kind.NONE
    after: int = 0
    delay_s: float = 0


@dataclass
class Line:
    """A proxy for one connection after the other. `passed` counts the server's bytes of the last one."""

    port: int
    passed: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)


@contextmanager
def bad_line(server_port: int, fault: Fault) -> Iterator[Line]:
    """A proxy on loopback; ends with the context."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(GLANCE_S)
        line = Line(listener.getsockname()[1])
        thread = threading.Thread(target=_accept, args=(listener, server_port, fault, line), daemon=True)
        thread.start()
        try:
            yield line
        finally:
            line.stopping.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, server_port: int, fault: Fault, line: Line) -> None:
    while not line.stopping.is_set():
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        except OSError:
            return  # the listener was shut down: the context has ended
        with client, socket.create_connection(("127.0.0.1", server_port)) as server:
            line.passed = 0
            with suppress(OSError):  # an end that hangs up while we write to it
                _relay(client, server, fault, line)


def _relay(client: socket.socket, server: socket.socket, fault: Fault, line: Line) -> None:
    if fault.kind in (Kind.RST, Kind.FIN, Kind.STALL) and not fault.after:
        _end(client, fault.kind, line)
        return
    while not line.stopping.is_set():
        ready, _, _ = select.select([client, server], [], [], GLANCE_S)
        if client in ready:
            data = client.recv(READ_BYTES)
            if not data:
                return
            server.sendall(data)
        if server in ready:
            data = server.recv(READ_BYTES)
            if not data:
                return
            if not _pass_on(client, data, fault, line):
                return


def _pass_on(client: socket.socket, data: bytes, fault: Fault, line: Line) -> bool:
    """Give the server's bytes to the client; False when that was the end of the line."""
    time.sleep(fault.delay_s)
    before, line.passed = line.passed, line.passed + len(data)
    strikes = fault.kind is not Kind.NONE and before <= fault.after < line.passed + 1
    if strikes and fault.kind is Kind.CORRUPT:
        place = min(fault.after - before, len(data) - 1)
        data = data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :]
    elif strikes:
        client.sendall(data[: fault.after - before])
        _end(client, fault.kind, line)
        return False
    client.sendall(data)
    return True


def _end(client: socket.socket, kind: Kind, line: Line) -> None:
    if kind is Kind.RST:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        return
    if kind is Kind.FIN:
        client.shutdown(socket.SHUT_WR)
    client.settimeout(GLANCE_S)
    while not line.stopping.is_set():
        with suppress(TimeoutError):
            if not client.recv(READ_BYTES):
                return
