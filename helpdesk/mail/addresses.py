"""Addresses, read strictly: what two programs could read as two different people is read as nobody.

In: mailbox lists, groups, comments, quoted names (RFC 5322, 3.4; RFC 6531 for letters beyond ASCII).
Not in: whether an address exists or may write to us. Linear, never raises. `email.utils` is not used: its
parsers took the wrong address out of crafted headers (CVE-2023-27043).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from helpdesk.mail.headers import decode_words, one_line
from helpdesk.mail.parsed import MAX_ADDRESSES, Address

MAX_ADDRESS_CHARACTERS = 320  # RFC 3696, 3: 64 + 1 + 255
MAX_NAME = 200
MAX_COMMENT_DEPTH = 10
MAX_DOUBTS = 20  # Each may cost a look through the rest of the header.

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*") | (?P<angle><[^<>]*>) | (?P<encoded>=\?[^?\s]{1,80}\?[bBqQ]\?[^?]*\?=)
      | (?P<special>[,;:()]) | (?P<space>\s+) | (?P<word>[^\s,;:()"<>]+)""",
    re.X | re.S,
)
_TOKEN_ENCODED = re.compile(r"=\?[^?\s]{1,80}\?[bBqQ]\?[^?\s]{1,400}\?=")
_LOCAL = re.compile(r'[^\s()<>\[\]:;@\\,"]{1,128}|"(?:[^"\\]|\\.){0,126}"')
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,30}|\[[0-9A-Fa-f:.IPv]{3,60}\]")


# A name that should have been quoted ("Díaz, Ana <ana@example.com>"), a bracket that was forgotten at the end: only
# one address can be read out of it.
_NOT_IN_BARE_NAMES = frozenset("@<>()[]:;\\")
_NOT_IN_BARE_SPECS = frozenset('<>"\\')


@dataclass(slots=True)
class _Mailbox:
    """The pieces of one entry of the list, in order, until it is closed."""

    phrase: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    angle: str | None = None
    comment: str = ""
    doubtful: bool = False


@lru_cache(maxsize=16)  # The sender is asked for by several rules.
def read_addresses(value: str, *, strict: bool) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Return the mailboxes of a header and the defects.

    `strict` is for headers that say who speaks (From, Reply-To): one doubtful entry and nobody is returned,
    and neither groups nor `;` are accepted. Otherwise doubtful entries are left out. Source: RFC 5322, 3.4.
    """
    entries, cut = _split(value, strict=strict)
    closed = [_close(entry, strict=strict) for entry in entries]
    defects = ("too-many-addresses",) if cut else ()
    if None not in closed:
        return tuple(address for address in closed if address), defects
    if only := _only_address(value):
        return (only,), ()
    found = () if strict else tuple(address for address in closed if address)
    return found, (*defects, "ambiguous-address")


def _only_address(value: str) -> Address | None:
    """The mailbox behind a name that is not quoted as it should be, when no other can be meant."""
    name, bracket, rest = value.partition("<")
    if not bracket:
        # Where the name is encoded no word of it can belong to the address: "=?utf-8?Q?Ana?= ana@example.com".
        name, bracket, rest = value.strip().rpartition(" ")
        bracket = bracket if all(map(_TOKEN_ENCODED.fullmatch, name.split())) else ""
    if value.count("@") != 1 or not bracket or not _NOT_IN_BARE_NAMES.isdisjoint(name):
        return None
    spec = rest.strip().removesuffix(",").rstrip().removesuffix(">").strip()
    address = read_spec(spec) if _NOT_IN_BARE_SPECS.isdisjoint(spec) else None
    return Address(_name(name.replace('"', "")), address) if address else None


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
    """Split at the commas that stand outside quotes, comments and angle brackets; tell whether some are left.

    What no two programs agree about (a bracket or quote that is never closed) makes its entry doubtful.
    """
    entries: list[_Mailbox] = []
    current, position, doubts, in_group = _Mailbox(), 0, 0, False
    while position < len(value) and doubts <= (0 if strict else MAX_DOUBTS):
        if len(entries) >= MAX_ADDRESSES:
            return entries, True
        token = _TOKEN.match(value, position)
        comment = _comment(value, token.end()) if token and token[0] == "(" else None
        if token is None or token[0] == ")" or (token[0] == "(" and comment is None):
            current.doubtful = True
            doubts, position = doubts + 1, position + 1
            continue
        position = comment[1] if comment else token.end()
        if comment:
            current.comment = current.comment or comment[0]
        elif token[0] in (":", ";"):
            if strict or (token[0] == ":" and (in_group or current.angle is not None)):
                current.doubtful = True
                entries.append(current)
            # Outlook's `;` between mailboxes counts as a comma; before a `:` stands the name of a group.
            elif token[0] == ";":
                _end_entry(entries, current)
            in_group, current = token[0] == ":", _Mailbox()
        elif token[0] == ",":
            _end_entry(entries, current)
            current = _Mailbox()
        else:
            _add(current, str(token.lastgroup), token[0])
    _end_entry(entries, current)
    return entries, False


def _end_entry(entries: list[_Mailbox], current: _Mailbox) -> None:
    if current.kinds or current.doubtful:
        entries.append(current)


def _comment(value: str, position: int) -> tuple[str, int] | None:
    """Return the text of a comment and the offset behind it; None when it does not end.

    Comments nest; beyond ten levels nobody means it.
    """
    start, depth = position, 1
    while depth:
        found = min(
            (at for at in (value.find("(", position), value.find(")", position)) if at >= 0), default=-1
        )
        if found < 0 or depth > MAX_COMMENT_DEPTH:
            return None
        depth += 1 if value[found] == "(" else -1
        position = found + 1
    return value[start : position - 1], position


def _add(current: _Mailbox, kind: str, text: str) -> None:
    if kind == "space":
        current.phrase += [" "] if current.phrase else []
        return
    current.kinds.append(kind)
    if kind == "angle":
        current.doubtful = current.doubtful or current.angle is not None
        current.angle = text[1:-1]
    else:
        current.phrase.append(text)


def _close(entry: _Mailbox, *, strict: bool) -> Address | None:
    """The mailbox of one entry, or None when it is not exactly one."""
    if entry.doubtful:
        return None
    phrase = "".join(entry.phrase).strip()
    if entry.angle is None:
        address = read_spec(phrase)
        return Address(_name(entry.comment), address) if address else None
    address = read_spec(entry.angle)
    # Text behind the brackets, or a second bare address before them, may be the one another program takes. That
    # matters for who speaks; among recipients the one in brackets is meant.
    if address is None or entry.kinds[-1] != "angle" or (strict and not _harmless(entry, address)):
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
