"""Addresses, read strictly: what two programs could read as two different people is read as nobody.

In: mailbox lists, groups, comments, quoted names (RFC 5322, 3.4; RFC 6531 for letters beyond ASCII).
Not in: whether an address exists or may write to us. Linear, never raises. `email.utils` is not used: its
parsers took the wrong address out of crafted headers (CVE-2023-27043).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from helpdesk.mail.headers import decode_words, one_line
from helpdesk.mail.parsed import MAX_ADDRESSES, Address

MAX_ADDRESS_CHARACTERS = 320  # RFC 3696, 3: 64 + 1 + 255
MAX_NAME = 200
MAX_COMMENT_DEPTH = 10

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*") | (?P<angle><[^<>]*>) | (?P<encoded>=\?[^?\s]{1,80}\?[bBqQ]\?[^?]*\?=)
      | (?P<special>[,;:()]) | (?P<space>\s+) | (?P<word>[^\s,;:()"<>]+)""",
    re.X | re.S,
)
_LOCAL = re.compile(r'[^\s()<>\[\]:;@\\,"]{1,128}|"(?:[^"\\]|\\.){0,126}"')
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,30}|\[[0-9A-Fa-f:.IPv]{3,60}\]")


class _AmbiguousError(Exception):
    """The list cannot be split into mailboxes for certain."""


@dataclass(slots=True)
class _Mailbox:
    """The pieces of one entry of the list, in order, until it is closed."""

    phrase: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    angle: str | None = None
    comment: str = ""


def read_addresses(value: str, *, strict: bool) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Return the mailboxes of a header and the defects.

    `strict` is for headers that say who speaks (From, Reply-To): one doubtful entry and nobody is returned,
    and neither groups nor `;` are accepted. Otherwise doubtful entries are left out. Source: RFC 5322, 3.4.
    """
    try:
        entries, cut = _split(value, strict=strict)
        closed = [_close(entry) for entry in entries]
    except _AmbiguousError:
        return (), ("ambiguous-address",)
    defects = ["too-many-addresses"] if cut else []
    if None in closed:
        defects.append("ambiguous-address")
        closed = [] if strict else closed
    return tuple(address for address in closed if address), tuple(defects)


def read_spec(value: str) -> str | None:
    """Return one bare address with its domain in lower case, or None.

    Source: RFC 5322, 3.4.1; RFC 6531, 3.3.
    """
    value = value.strip()
    local, at, domain = value.rpartition("@")
    if not at or len(value) > MAX_ADDRESS_CHARACTERS or one_line(value) != value:
        return None
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return None
    return f"{local}@{domain.lower()}"


def _split(value: str, *, strict: bool) -> tuple[list[_Mailbox], bool]:
    """Split at the commas that stand outside quotes, comments and angle brackets."""
    entries: list[_Mailbox] = []
    current, position, in_group = _Mailbox(), 0, False
    while position < len(value):
        if len(entries) >= MAX_ADDRESSES:
            return entries, True
        token = _TOKEN.match(value, position)
        # A quote or angle bracket that is never closed: no program agrees with the next about the rest.
        if token is None or token[0] == ")":
            raise _AmbiguousError
        position = token.end()
        if token[0] == "(":
            comment, position = _comment(value, position)
            current.comment = current.comment or comment
        elif token[0] in (":", ";"):
            in_group = _group_mark(token[0], current, in_group=in_group, strict=strict)
            if token[0] == ";" and current.kinds:
                entries.append(current)
            current = _Mailbox()
        elif token[0] == ",":
            entries += [current] if current.kinds else []
            current = _Mailbox()
        else:
            _add(current, str(token.lastgroup), token[0])
    entries += [current] if current.kinds else []
    return entries, False


def _group_mark(mark: str, current: _Mailbox, *, in_group: bool, strict: bool) -> bool:
    """Enter or leave a group; Outlook's `;` between mailboxes counts as a comma."""
    if strict or (mark == ":" and (in_group or current.angle is not None)):
        raise _AmbiguousError
    return mark == ":"


def _comment(value: str, position: int) -> tuple[str, int]:
    """Return the text of a comment and the offset behind it.

    Comments nest; beyond ten levels nobody means it.
    """
    start, depth = position, 1
    while depth:
        found = min(
            (at for at in (value.find("(", position), value.find(")", position)) if at >= 0), default=-1
        )
        if found < 0 or depth > MAX_COMMENT_DEPTH:
            raise _AmbiguousError
        depth += 1 if value[found] == "(" else -1
        position = found + 1
    return value[start : position - 1], position


def _add(current: _Mailbox, kind: str, text: str) -> None:
    if kind == "space":
        current.phrase += [" "] if current.phrase else []
        return
    current.kinds.append(kind)
    if kind == "angle":
        if current.angle is not None:
            raise _AmbiguousError
        current.angle = text[1:-1]
    else:
        current.phrase.append(text)


def _close(entry: _Mailbox) -> Address | None:
    """The mailbox of one entry, or None when it is not exactly one."""
    phrase = "".join(entry.phrase).strip()
    if entry.angle is None:
        address = read_spec(phrase)
        return Address(_name(entry.comment), address) if address else None
    address = read_spec(entry.angle)
    # Text behind the brackets, or a second bare address before them, may be the one another program takes.
    if entry.kinds[-1] != "angle" or not _harmless(entry, address or ""):
        raise _AmbiguousError
    if address is None:
        return None
    name = _name("".join(_unquote(piece) for piece in entry.phrase))
    comment = _name(entry.comment)
    return Address(f"{name} ({comment})" if name and comment else name or comment, address)


def _harmless(entry: _Mailbox, address: str) -> bool:
    bare = [piece for piece in entry.phrase if not piece.startswith(('"', "=?")) and "@" in piece]
    return all(piece.strip("'").lower() == address.lower() for piece in bare)


def _unquote(piece: str) -> str:
    return re.sub(r"\\(.)", r"\1", piece[1:-1]) if piece.startswith('"') and len(piece) > 1 else piece


def _name(phrase: str) -> str:
    return one_line(decode_words(phrase), MAX_NAME)
