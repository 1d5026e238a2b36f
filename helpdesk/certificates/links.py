"""Secret links for people without an account: they prove themselves, so that nothing secret is stored.

`ID-MAC`: HMAC-SHA256 over what the link is for and the row's id, 130 bits kept, under a key that is derived from the
secret key. Whoever has the link has the page, so it is only ever mailed to the address that was confirmed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from enum import StrEnum

MAC_CHARACTERS = 26
_TOKEN = re.compile(rf"(\d{{1,18}})-([a-z2-7]{{{MAC_CHARACTERS}}})", re.ASCII)


class Purpose(StrEnum):
    """What a link opens."""

    CODE = "code"  # the page that asks for the one-time code: before the address is confirmed
    DRAFT = "draft"
    FILING = "filing"


def token(key: str, purpose: Purpose, row_id: int) -> str:
    """The secret part of the link to a row."""
    return f"{row_id}-{_mac(key, purpose, row_id)}"


def row_of(key: str, purpose: Purpose, given: str) -> int | None:
    """The row that a link opens; None for anything that we did not make."""
    match = _TOKEN.fullmatch(given)
    if match is None or not hmac.compare_digest(match[2], _mac(key, purpose, int(match[1]))):
        return None
    return int(match[1])


def _mac(key: str, purpose: Purpose, row_id: int) -> str:
    secret = hashlib.sha256(b"filing-link\0" + key.encode()).digest()
    digest = hmac.new(secret, f"{purpose.value}.{row_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:MAC_CHARACTERS]
