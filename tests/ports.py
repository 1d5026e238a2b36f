"""A port that nobody uses now, and that the system gives to nobody before it is used."""

import secrets
import socket

# Below the range from which systems take the port of an outgoing connection (Linux 32768, others 49152): one of those
# may be taken by any connection on the machine between the look and the start of the server.
LOWEST, HIGHEST = 20_000, 32_000


def free_port() -> int:
    """A free TCP port on loopback."""
    while True:
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
