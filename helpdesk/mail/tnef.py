"""The files inside a winmail.dat, which Outlook sends to people whose programs cannot open it.

In: names and contents of the attachments of a TNEF stream (Microsoft, [MS-OXTNEF] 2.1). Not in: its copy of
the text, its calendar data, containers inside it. Nothing is decompressed, so the files are never larger than
their container.
"""

from __future__ import annotations

import contextlib
import re
import struct
from dataclasses import dataclass

from helpdesk.mail.transfer import HiddenFile

MAX_FILES = 200
MAX_ATTRIBUTES = 20_000
MAX_PROPERTIES = 100
MAX_VALUES = 16

_SIGNATURE = b"\x78\x9f\x3e\x22"
_BEGIN_FILE, _TITLE, _DATA, _PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_LONG_NAME, _MIME_TAG = 0x3707, 0x370E
_FIXED_SIZES = {1: 0, 2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16}
_COUNTED = frozenset({0x0D, 0x1E, 0x1F, 0x102})
_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,80}", re.ASCII)


@dataclass(slots=True)
class _File:
    title: str = ""
    type: str = "application/octet-stream"
    content: bytes = b""


def unpack(container: bytes) -> list[HiddenFile]:
    """Return the files of a TNEF stream; [] when it is none. Never raises.

    A stream that is cut off gives what came before the cut: perhaps the name of a file without its content.
    """
    if not container.startswith(_SIGNATURE):
        return []
    files: list[_File] = []
    position = 6  # the signature, and a key of two bytes
    for _ in range(MAX_ATTRIBUTES):
        if position + 9 > len(container):
            break
        attribute, length = struct.unpack_from("<II", container, position + 1)
        start = position + 9
        if start + length > len(container):
            break
        if attribute == _BEGIN_FILE:
            if len(files) >= MAX_FILES:
                break
            files.append(_File())
        elif files:
            _take(files[-1], attribute, container[start : start + length])
        position = start + length + 2  # a checksum follows
    return [HiddenFile(file.title, file.type, file.content) for file in files if file.title or file.content]


def _take(file: _File, attribute: int, value: bytes) -> None:
    if attribute == _TITLE and not file.title:
        file.title = value.split(b"\0")[0].decode("cp1252", "replace")
    elif attribute == _DATA:
        file.content = value
    elif attribute == _PROPERTIES:
        found: dict[int, str] = {}
        # Properties that end too early or lie about a length: those before count.
        with contextlib.suppress(struct.error):
            _read_properties(value, found)
        file.title = found.get(_LONG_NAME) or file.title
        kind = found.get(_MIME_TAG, "").lower()
        file.type = kind if _TYPE.fullmatch(kind) else file.type


def _read_properties(value: bytes, found: dict[int, str]) -> None:
    """Put the strings among the MAPI properties into `found` by their ids. Source: [MS-OXTNEF] 2.1.3.4."""
    (count,) = struct.unpack_from("<I", value)
    position = 4
    for _ in range(min(count, MAX_PROPERTIES)):
        kind, name = struct.unpack_from("<HH", value, position)
        position += 4
        if name >= 0x8000:
            position = _skip_name(value, position)
        values = 1
        if kind & 0x1000 or kind in _COUNTED:
            (values,) = struct.unpack_from("<I", value, position)
            position += 4
        if values > MAX_VALUES:
            return
        for _ in range(values):
            text, position = _value(value, position, kind & 0x0FFF)
            if text:
                found.setdefault(name, text)


def _skip_name(value: bytes, position: int) -> int:
    by_name, length = struct.unpack_from("<II", value, position + 16)
    return position + 24 + ((length + 3) // 4 * 4 if by_name else 0)


def _value(value: bytes, position: int, kind: int) -> tuple[str, int]:
    if kind not in _COUNTED:
        return "", position + _FIXED_SIZES[kind] if kind in _FIXED_SIZES else len(value)
    (length,) = struct.unpack_from("<I", value, position)
    octets = value[position + 4 : position + 4 + length]
    codec = {0x1E: "cp1252", 0x1F: "utf-16-le"}.get(kind)
    text = octets.decode(codec, "replace").split("\0")[0] if codec else ""
    return text, position + 4 + (length + 3) // 4 * 4
