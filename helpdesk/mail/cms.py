"""S/MIME envelopes: which kind one is, and the mail inside one that is only signed.

In: as much of CMS (RFC 5652, RFC 8551) as that needs. Not in: checking signatures, decrypting, certificates.
The reader takes BER with definite and indefinite lengths, goes down a fixed path, and copies no more than it
was given.
"""

from __future__ import annotations

MAX_CHUNKS = 100_000

_SIGNED_OID = bytes.fromhex("2a864886f70d010702")
_ENVELOPED_OIDS = (
    bytes.fromhex("2a864886f70d010703"),
    bytes.fromhex("2a864886f70d0109100117"),  # authenticated encryption, RFC 5083
)
_SEQUENCE, _INTEGER, _OCTETS, _OID, _SET, _EXPLICIT = 0x30, 0x02, 0x04, 0x06, 0x31, 0xA0


class _DamagedError(Exception):
    """The bytes are no CMS."""


def envelope_kind(content: bytes) -> str | None:
    """Return "smime-signed" or "smime-encrypted", or None when the bytes are neither. Never raises."""
    try:
        start, _ = _enter(content, 0, _SEQUENCE)
        oid, end = _enter(content, start, _OID)
    except _DamagedError:
        return None
    name = content[oid:end]
    return "smime-signed" if name == _SIGNED_OID else "smime-encrypted" if name in _ENVELOPED_OIDS else None


def signed_content(content: bytes) -> bytes:
    """Return the mail inside a signed envelope; b"" when there is none. Never raises. Source: RFC 5652, 5.1."""
    try:
        position, _ = _enter(content, 0, _SEQUENCE)
        position = _skip(content, position, _OID)
        position, _ = _enter(content, position, _EXPLICIT)
        position, _ = _enter(content, position, _SEQUENCE)
        position = _skip(content, position, _INTEGER)
        position = _skip(content, position, _SET)
        position, _ = _enter(content, position, _SEQUENCE)
        position = _skip(content, position, _OID)
        position, _ = _enter(content, position, _EXPLICIT)
        return _octets(content, position)
    except _DamagedError:
        return b""


def _head(content: bytes, position: int) -> tuple[int, int, int]:
    """Tag, start and end of the element here; an end of -1: it ends with two zero bytes (X.690, 8.1)."""
    if position + 2 > len(content):
        raise _DamagedError
    tag, size = content[position], content[position + 1]
    start = position + 2
    if size == 0x80:
        return tag, start, -1
    if size > 0x80:
        width = size & 0x7F
        if width > 5 or start + width > len(content):
            raise _DamagedError
        size = int.from_bytes(content[start : start + width], "big")
        start += width
    return tag, start, start + size


def _enter(content: bytes, position: int, wanted: int) -> tuple[int, int]:
    tag, start, end = _head(content, position)
    if tag != wanted:
        raise _DamagedError
    return start, end


def _skip(content: bytes, position: int, wanted: int) -> int:
    """The position behind the element here."""
    position, end = _enter(content, position, wanted)
    if end >= 0:
        return end
    open_elements = 1
    for _ in range(MAX_CHUNKS):
        tag, start, end = _head(content, position)
        if (tag, end) == (0, start):
            open_elements -= 1
        elif end < 0:
            open_elements += 1
        position = start if end < 0 else end
        if not open_elements:
            return position
    raise _DamagedError


def _octets(content: bytes, position: int) -> bytes:
    """The bytes of an octet string, which may come in pieces. Source: X.690, 8.7."""
    tag, start, end = _head(content, position)
    if tag == _OCTETS and end >= 0:
        return content[start:end]
    if tag != _OCTETS | 0x20:
        raise _DamagedError
    chunks = []
    position = start
    for _ in range(MAX_CHUNKS):
        if position == end or position >= len(content):
            break
        tag, start, stop = _head(content, position)
        if tag != _OCTETS or stop < 0:
            break
        chunks.append(content[start:stop])
        position = stop
    return b"".join(chunks)
