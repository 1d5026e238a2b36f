"""Message-IDs of ours that prove themselves: a reply that names one belongs to that ticket.

`<t.TICKET.NONCE.MAC@domain>`; the MAC is HMAC-SHA256 over ticket and nonce, 96 bits kept (T02 asks for 80).
The key is derived from the secret key, so that no other use of it can forge a Message-ID.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

MAC_BYTES = 12
REFERENCES_READ = 20
_SHAPE = re.compile(r"<t\.(\d{1,18})\.([a-z2-7]{16})\.([a-z2-7]{20})@[^<>@\s]{1,255}>", re.ASCII)


def _base32(value: bytes) -> str:
    return base64.b32encode(value).decode("ascii").rstrip("=").lower()


def _mac(key: str, ticket_id: int, nonce: str) -> str:
    secret = hashlib.sha256(b"message-id\0" + key.encode()).digest()
    digest = hmac.new(secret, f"{ticket_id}.{nonce}".encode(), hashlib.sha256).digest()
    return _base32(digest[:MAC_BYTES])


def make_message_id(key: str, ticket_id: int, domain: str) -> str:
    """A new Message-ID for a mail of this ticket (RFC 5322, 3.6.4)."""
    nonce = _base32(secrets.token_bytes(10))
    return f"<t.{ticket_id}.{nonce}.{_mac(key, ticket_id, nonce)}@{domain}>"


def ticket_of(key: str, message_id: str) -> int | None:
    """The ticket that a Message-ID of ours belongs to; None for anything that we did not make."""
    match = _SHAPE.fullmatch(message_id)
    if match is None:
        return None
    ticket_id = int(match[1])
    return ticket_id if hmac.compare_digest(match[3], _mac(key, ticket_id, match[2])) else None


def tickets_of(key: str, message_ids: Iterable[str]) -> list[int]:
    """The tickets named by a mail's In-Reply-To and References, nearest first, at most 20 ids read (T14)."""
    found = (ticket_of(key, message_id) for message_id in list(message_ids)[:REFERENCES_READ])
    return list(dict.fromkeys(ticket_id for ticket_id in found if ticket_id is not None))
