"""Message-IDs and reply addresses of ours that prove themselves: a reply that names one belongs to that ticket.

`<t.TICKET.NONCE.MAC@domain>` as a Message-ID, `local+t.TICKET.NONCE.MAC@domain` as a Reply-To (RFC 5233's
subaddress). The MAC is HMAC-SHA256 over ticket and nonce, 96 bits kept (T02 asks for 80). The key is derived from
the secret key, so that no other use of it can forge one. In lower case only: mail servers may change the case.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass

MAC_BYTES = 12
NONCE_BYTES = 10
DRAWN_AT_ONCE = 64
REFERENCES_READ = 20
LOCAL_PART_CHARACTERS = 64  # RFC 5321, 4.5.3.1.1
_TOKEN = r"t\.(\d{1,18})\.([a-z2-7]{16})\.([a-z2-7]{20})"
_MESSAGE_ID = re.compile(rf"<{_TOKEN}@[^<>@\s]{{1,255}}>", re.ASCII)
_ADDRESS = re.compile(rf"[^@\s]{{1,255}}\+{_TOKEN}@[^<>@\s]{{1,255}}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Named:
    """The tickets that a mail names by tokens of ours, nearest first; and how many tokens were forged."""

    tickets: tuple[int, ...] = ()
    forged: int = 0


_drawn = bytearray()
_drawing = threading.Lock()


def _random_bytes(count: int) -> bytes:
    """Bytes from the system's generator, drawn for many nonces at once: each draw is a call to the kernel."""
    with _drawing:
        if len(_drawn) < count:
            _drawn.extend(os.urandom(count * DRAWN_AT_ONCE))
        taken = bytes(_drawn[:count])
        del _drawn[:count]
        return taken


def _forget() -> None:
    """Begin anew: a forked process must not give out the nonces that its parent gives out too."""
    global _drawing
    _drawing = threading.Lock()
    _drawn.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _base32(value: bytes) -> str:
    return base64.b32encode(value).decode("ascii").rstrip("=").lower()


def _mac(key: str, ticket_id: int, nonce: str) -> str:
    secret = hashlib.sha256(b"message-id\0" + key.encode()).digest()
    digest = hmac.new(secret, f"{ticket_id}.{nonce}".encode(), hashlib.sha256).digest()
    return _base32(digest[:MAC_BYTES])


def make_message_id(key: str, ticket_id: int, domain: str) -> str:
    """A new Message-ID for a mail of this ticket (RFC 5322, 3.6.4)."""
    nonce = _base32(_random_bytes(NONCE_BYTES))
    return f"<t.{ticket_id}.{nonce}.{_mac(key, ticket_id, nonce)}@{domain}>"


def plus_address(message_id: str, mailbox: str) -> str | None:
    """The address to which an answer to this Message-ID may be sent; None when it would be too long."""
    local, _, domain = mailbox.rpartition("@")
    token = message_id.strip("<>").partition("@")[0]
    extended = f"{local}+{token}"
    return f"{extended}@{domain}" if len(extended) <= LOCAL_PART_CHARACTERS else None


def ticket_of(key: str, message_id: str) -> int | None:
    """The ticket that a Message-ID of ours belongs to; None for anything that we did not make."""
    return _proved(key, _MESSAGE_ID.fullmatch(message_id))


def named_tickets(key: str, message_ids: Iterable[str], addresses: Iterable[str] = ()) -> Named:
    """The tickets named by a mail's plus-addresses, In-Reply-To and References, at most 20 of each read (T14)."""
    matches = [_ADDRESS.fullmatch(address) for address in list(addresses)[:REFERENCES_READ]]
    matches += [_MESSAGE_ID.fullmatch(message_id) for message_id in list(message_ids)[:REFERENCES_READ]]
    shaped = [match for match in matches if match is not None]
    proved = [_proved(key, match) for match in shaped]
    tickets = dict.fromkeys(ticket for ticket in proved if ticket is not None)
    return Named(tuple(tickets), proved.count(None))


def _proved(key: str, match: re.Match[str] | None) -> int | None:
    if match is None:
        return None
    ticket_id, nonce, mac = int(match[1]), match[2].lower(), match[3].lower()
    return ticket_id if hmac.compare_digest(mac, _mac(key, ticket_id, nonce)) else None
