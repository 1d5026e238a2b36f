"""Building a mail of ours: one builder, so that no header, recipient or line can be injected (T51–T55).

The header lines are written here and not by `email.message`: its parser decodes encoded words inside what it is
given, breaks included, and its folding drops the quotes of a long display name. Both make headers or recipients
out of a citizen's subject or name (Python 3.11).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import policy
from email.header import Header
from email.parser import BytesHeaderParser
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote

from helpdesk.errors import ReplyRefused
from helpdesk.settings import LIMA

HEADER_CHARACTERS = 250
REFERENCES_KEPT = 11
LINE_CHARACTERS = 76
# Longer words and display names are encoded: that may be folded, a word or a quoted string may not.
UNFOLDED_CHARACTERS = 60
# Line breaks, control characters, and halves of characters that UTF-8 cannot carry.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_ADDR_SPEC = re.compile(
    rf"(?!.*=\?)(?=[^@]{{1,64}}@){_ATEXT}+(\.{_ATEXT}+)*@[A-Za-z0-9-]{{1,63}}(\.[A-Za-z0-9-]{{1,63}}){{0,8}}"
)
_MESSAGE_ID = re.compile(rf"(?!.*=\?)<[!-;=?-~]{{1,{HEADER_CHARACTERS - 2}}}>")
_PLAIN = re.compile(rf"(?!.*=\?)(?!.*[!-~]{{{UNFOLDED_CHARACTERS + 1}}})[ -~]*")
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,100}/[a-z0-9.+-]{1,100}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ().,_-]")
_DATE = re.compile(rb"(?m)^Date: [^\r\n]*")
_ATOMS = re.compile(rf"{_ATEXT}+( {_ATEXT}+)*")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who gets a copy."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that goes along with a mail."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be sent. `automatic` marks a notice (RFC 3834); `reply_to` replaces the sender's own address."""

    sender_name: str
    sender: str
    recipient_name: str
    recipient: str
    subject: str
    text: str
    html: str
    message_id: str
    at: dt.datetime
    cc: tuple[Person, ...] = ()
    reply_to: str | None = None
    language: str = "es-PE"
    in_reply_to: str | None = None
    references: tuple[str, ...] = field(default=())
    automatic: bool = False
    files: tuple[Enclosure, ...] = ()


def one_line(value: str) -> str:
    """A header value: breaks and control characters become a space, 250 characters at most."""
    return " ".join(_BREAKS.sub(" ", value).split())[:HEADER_CHARACTERS].rstrip()


def check_recipient(address: str) -> str:
    """The address, if it is one plain ASCII addr-spec. Raises ReplyRefused for anything else (T52, T53)."""
    if not _ADDR_SPEC.fullmatch(address):
        raise ReplyRefused(f"No se puede enviar a la dirección «{one_line(address)}».")
    return address


def build(letter: Letter) -> bytes:
    """The mail's bytes with CRLF line ends. Raises ReplyRefused for a recipient that is not one address."""
    headers = list(_headers(letter))
    _check_addresses(dict(headers), letter)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    assert head.count("\r\n") - head.count("\r\n ") == len(headers), "each header is one header (T51)"
    mime = "MIME-Version: 1.0\r\n"
    return (head + mime).encode("ascii") + (_mixed(letter) if letter.files else _alternatives(letter))


def _boundary(letter: Letter) -> str:
    return f"=_{letter.message_id.strip('<>').rpartition('@')[0][-40:]}"


def _mixed(letter: Letter) -> bytes:
    """The text, and the files behind it (RFC 2046, 5.1.3; names as RFC 2231 says). Base64 holds no "=_" or "--"."""
    # Not one of them may begin with the other (RFC 2046, 5.1.2).
    boundary = _boundary(letter).replace("=_", "=_m.", 1)
    parts = [_alternatives(letter), *(_enclosed(file) for file in letter.files)]
    opening = f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'.encode("ascii")
    between = f"--{boundary}\r\n".encode("ascii")
    return opening + b"".join(between + part for part in parts) + f"--{boundary}--\r\n".encode("ascii")


def _enclosed(file: Enclosure) -> bytes:
    if not _MEDIA_TYPE.fullmatch(file.type):
        raise ReplyRefused(f"El archivo «{one_line(file.name)}» no se puede enviar.")
    head = (
        f"Content-Type: {file.type}\r\n"
        f"Content-Disposition: attachment;{_file_name(one_line(file.name))}\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode("ascii") + base64.encodebytes(file.content).replace(b"\n", b"\r\n")


def _file_name(name: str) -> str:
    """The parameters that name a file: quoted when it is plain, else encoded and in pieces (RFC 2231, 3 and 4)."""
    if not _NOT_PLAIN.search(name) and len(name) <= UNFOLDED_CHARACTERS:
        return f'\r\n filename="{name}"'
    pieces = [quote(char.encode("utf-8"), safe="") for char in name]
    lines = [""]
    for piece in pieces:
        if len(lines[-1]) + len(piece) > UNFOLDED_CHARACTERS:
            lines.append("")
        lines[-1] += piece
    if len(lines) == 1:
        return f"\r\n filename*=utf-8''{lines[0]}"
    first, *more = lines
    parts = [f"filename*0*=utf-8''{first}", *(f"filename*{n}*={line}" for n, line in enumerate(more, 1))]
    return ";".join(f"\r\n {part}" for part in parts)


def _alternatives(letter: Letter) -> bytes:
    """Text and HTML of the same content (RFC 2046, 5.1.4), quoted-printable.

    Written here: the standard library's generator takes ten times as long. In quoted-printable no line can begin
    with the boundary, because there "=" is always followed by two hexadecimal digits or the line's end.
    """
    boundary = _boundary(letter)
    parts = [
        f'--{boundary}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\n'.encode("ascii")
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + _quoted_printable(text)
        for subtype, text in (("plain", letter.text), ("html", letter.html))
    ]
    opening = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    return opening.encode("ascii") + b"".join(parts) + f"--{boundary}--\r\n".encode("ascii")


def _quoted_printable(text: str) -> bytes:
    """The text in UTF-8 with CRLF line ends, no line longer than 76 (RFC 2045, 6.7); the line end behind it is the
    boundary's.
    """
    whole = text.encode("utf-8", "replace").replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")
    return binascii.b2a_qp(whole.replace(b"\n", b"\r\n") + b"\r\n", istext=True)


def redated(content: bytes, at: dt.datetime) -> bytes:
    """The mail with another Date, as when it leaves at another hour than was planned; nothing else changes."""
    date = f"Date: {format_datetime(at.astimezone(LIMA))}".encode("ascii")
    return _DATE.sub(date, content, count=1)


def _headers(letter: Letter) -> Iterator[tuple[str, str]]:
    yield "From", _mailbox("From", letter.sender_name, letter.sender)
    yield "To", _mailbox("To", letter.recipient_name, letter.recipient)
    if letter.cc:
        yield "Cc", ",\r\n ".join(_mailbox("Cc", person.name, person.address) for person in letter.cc)
    if letter.reply_to:
        yield "Reply-To", _mailbox("Reply-To", letter.sender_name, letter.reply_to)
    yield "Subject", _unstructured("Subject", one_line(letter.subject))
    yield "Date", format_datetime(letter.at.astimezone(LIMA))
    yield "Message-ID", letter.message_id
    yield "Content-Language", letter.language
    if answered := _message_ids([letter.in_reply_to or ""]):
        yield "In-Reply-To", answered[0]
        yield "References", "\r\n ".join(trim_references(letter))
    if letter.automatic:
        yield "Auto-Submitted", "auto-replied"
        yield "X-Auto-Response-Suppress", "All"
        # A notice that comes back, by whatever way, is known for ours and never answered (T56).
        yield "X-Infomigra-Loop", letter.sender


@lru_cache(maxsize=512)
def _unstructured(name: str, value: str) -> str:
    """Text as it stands when it is plain ASCII, else as encoded words (RFC 2047); folded."""
    charset = "us-ascii" if _PLAIN.fullmatch(value) else "utf-8"
    return Header(value, charset, header_name=name, maxlinelen=LINE_CHARACTERS).encode(linesep="\r\n")


@lru_cache(maxsize=512)
def _mailbox(name: str, display_name: str, address: str) -> str:
    """A display name as atoms, a quoted string or encoded words, and the address (RFC 5322, 3.4)."""
    shown, spec = one_line(display_name), check_recipient(address)
    if not shown:
        return spec
    if len(shown) > UNFOLDED_CHARACTERS or not _PLAIN.fullmatch(shown):
        shown = Header(shown, "utf-8", header_name=name, maxlinelen=LINE_CHARACTERS).encode(linesep="\r\n")
    elif not _ATOMS.fullmatch(shown):
        escaped = re.sub(r'(["\\])', r"\\\1", shown)
        shown = f'"{escaped}"'
    mailbox = f"{shown} <{spec}>"
    fits = "\r\n" not in shown and len(f"{name}: {mailbox}") <= LINE_CHARACTERS
    return mailbox if fits else f"{shown}\r\n <{spec}>"


def trim_references(letter: Letter) -> list[str]:
    """References: the first and the newest ones, ending in what is answered (RFC 5322, 3.6.4)."""
    before = [item for item in letter.references if item != letter.in_reply_to]
    chain = _message_ids([*dict.fromkeys(before), letter.in_reply_to or ""])
    return chain if len(chain) <= REFERENCES_KEPT else [chain[0], *chain[-(REFERENCES_KEPT - 1) :]]


def _message_ids(items: Iterable[str]) -> list[str]:
    """The ids that can be repeated as they are; a part of one, or something else, helps no mail program."""
    return [item for item in items if _MESSAGE_ID.fullmatch(item)]


def _check_addresses(headers: dict[str, str], letter: Letter) -> None:
    """Raise ReplyRefused unless a reader finds the very addresses in the headers that we meant (T54)."""
    meant = {
        "From": (letter.sender,),
        "To": (letter.recipient,),
        "Cc": tuple(person.address for person in letter.cc),
        "Reply-To": (letter.reply_to,) if letter.reply_to else (),
    }
    for name, addresses in meant.items():
        if _read_back(name, headers.get(name, "")) != addresses:
            wanted = one_line(", ".join(addresses))
            raise ReplyRefused(f"No se puede enviar a la dirección «{wanted}».")


@lru_cache(maxsize=512)
def _read_back(name: str, value: str) -> tuple[str, ...]:
    """The addresses that the standard library's reader finds in a header; none in an empty one."""
    if not value or _ADDR_SPEC.fullmatch(value):  # one plain address reads as itself
        return (value,) if value else ()
    parsed = BytesHeaderParser(policy=policy.default).parsebytes(f"{name}: {value}\r\n".encode("ascii"))
    return tuple(address.addr_spec for address in parsed[name].addresses)
