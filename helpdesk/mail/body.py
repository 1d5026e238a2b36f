"""The body of a mail: which parts are what was written, and which are files.

In: the choice between alternatives, flowed text, envelopes and containers, what else the mail contains.
Not in: finding the parts (`structure.py`), decoding them (`transfer.py`), names (`attachments.py`), making HTML
harmless (`html.py`), folding quotes (`quoting.py`). Nothing is lost: what is not shown as text is kept as an
attachment.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from helpdesk.mail.armor import take_armor
from helpdesk.mail.attachments import NESTED, disposition, file_name, from_hidden, from_part, nested_headers
from helpdesk.mail.charset import clean_text, decode_bytes, find_codec, repair_mojibake
from helpdesk.mail.cms import envelope_kind, signed_content
from helpdesk.mail.html import MAX_TAGS, strip_tags, to_text
from helpdesk.mail.invitation import summarise
from helpdesk.mail.parsed import MAX_PARTS, MAX_TEXT_CHARACTERS, ParsedAttachment
from helpdesk.mail.structure import Part, read_structure
from helpdesk.mail.tnef import unpack
from helpdesk.mail.transfer import HiddenFile, decode_part, take_uu_files

MAX_META_BYTES = 2_048

_META_CHARSET = re.compile(rb"charset\s{0,5}=\s{0,5}[\"']?([\w.:-]{1,40})", re.I)
_MARKUP_AS_TEXT = re.compile(r"\s{0,100}<(?:!doctype|html|body)\b", re.I)
_ENVELOPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_CONTAINERS = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_CALENDARS = frozenset({"text/calendar", "application/ics"})
# What a part of this type shows by being there.
_SIGNS = {
    "application/pkcs7-signature": "smime-signed",
    "application/x-pkcs7-signature": "smime-signed",
    "application/pgp-signature": "pgp-signed",
    "application/pgp-encrypted": "pgp-encrypted",
    **dict.fromkeys(NESTED, "nested-message"),
    **dict.fromkeys(_CALENDARS, "calendar"),
    **dict.fromkeys(_CONTAINERS, "tnef"),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the mail as it is read: its plain text, its HTML, or both for the same words."""

    text: str = ""
    html: str = ""


@dataclass(slots=True)
class Body:
    """What was gathered from the parts of one mail, in their order. `inner` is set for a mail inside a mail."""

    raw: bytes
    inner: bool = False
    pieces: list[Piece] = field(default_factory=list)
    attachments: list[ParsedAttachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    contains: set[str] = field(default_factory=set)
    left: int = MAX_TEXT_CHARACTERS

    def text(self) -> str:
        """All words in order; HTML counts only where there is no plain text for it."""
        texts, tags = [], 0
        for piece in self.pieces:
            tags += 0 if piece.text.strip() else piece.html.count("<")
            convert = to_text if tags <= MAX_TAGS else strip_tags
            texts.append(piece.text if piece.text.strip() else convert(piece.html))
        joined = repair_mojibake(clean_text("\n\n".join(text.strip("\n") for text in texts if text.strip())))
        return self._cut(joined.rstrip(), MAX_TEXT_CHARACTERS)

    def html(self) -> str:
        """The unsafe HTML of the whole mail, "" when no part has any; plain parts between are escaped."""
        if not any(piece.html for piece in self.pieces):
            return ""
        return clean_text("\n".join(piece.html or _as_html(piece.text) for piece in self.pieces))

    def _cut(self, text: str, limit: int) -> str:
        if len(text) > limit:
            self.defects.append("text-too-long")
        return text[:limit]


def read_body(raw: bytes, root: Part, *, inner: bool = False) -> Body:
    """Gather text, HTML and attachments below the root part. Never raises."""
    body = Body(raw, inner)
    body.pieces = _gather(body, root, parent="")
    if not _says_something(body.pieces):
        # A lone named text that was not sent as an attachment is what the sender wrote.
        body.pieces += [Piece(_text(body, part)) for part in _leaves(root) if _is_named_text(part)][:1]
    if not _says_something(body.pieces) and not inner:
        body.pieces += [Piece(text) for text in _texts_of_files(body.attachments)][:1]
    if body.contains & {"smime-encrypted", "pgp-encrypted"}:
        body.defects.append("encrypted")
    return body


def _gather(body: Body, part: Part, parent: str) -> list[Piece]:
    if part.type == "multipart/alternative" and part.children:
        return _best([_gather(body, child, part.type) for child in part.children])
    if part.children:
        protocol = part.parameters.get("protocol", "").lower()
        if part.type in ("multipart/signed", "multipart/encrypted") and protocol in _SIGNS:
            body.contains.add(_SIGNS[protocol])
        return [piece for child in part.children for piece in _gather(body, child, part.type)]
    if part.type in ("text/plain", "text/html") and not part.cut and not _is_file(part):
        text = _text(body, part)
        return [Piece(html=text) if part.type == "text/html" else Piece(_without_hidden(body, text))]
    if part.start < part.end or file_name(part):
        return _attach(body, part, parent)
    return []


def _attach(body: Body, part: Part, parent: str) -> list[Piece]:
    """Keep a part as a file; return the words inside it when it is an envelope that anybody can open."""
    content, defect = decode_part(body.raw, part)
    body.defects += [defect] if defect else []
    file = from_part(part, content, parent=parent, number=len(body.attachments) + 1)
    body.attachments.append(file)
    name = file.name.lower()
    if part.cut:
        return []
    if part.type in _SIGNS:
        body.contains.add(_SIGNS[part.type])
    if part.type in _CONTAINERS or name == "winmail.dat":
        body.contains.add("tnef")
        _keep_hidden(body, unpack(content))
    # A document that is signed by itself ("contrato.pdf.p7m") is a file like any other.
    elif name == "smime.p7m" or (part.type in _ENVELOPES and not parent):
        return _open_envelope(body, content)
    return []


def _open_envelope(body: Body, content: bytes) -> list[Piece]:
    """The words of a mail that is signed as a whole; its files are kept beside the envelope."""
    kind = envelope_kind(content)
    body.contains.update([kind] if kind else [])
    mail = signed_content(content) if kind == "smime-signed" and not body.inner else b""
    if "content-type" not in nested_headers(mail):
        return []
    octets, root, defects = read_structure(mail)
    inner = read_body(octets, root, inner=True)
    body.attachments += inner.attachments
    body.defects += [*defects, *inner.defects]
    body.contains |= inner.contains
    return inner.pieces


def _without_hidden(body: Body, text: str) -> str:
    """The text without the files and armour that stand in it as lines; they become attachments."""
    text, files, found = take_armor(text)
    body.contains.update(found)
    text, more = take_uu_files(text)
    _keep_hidden(body, [*files, *more])
    return text


def _keep_hidden(body: Body, files: Iterable[HiddenFile]) -> None:
    for file in files:
        if len(body.attachments) < MAX_PARTS:
            body.attachments.append(from_hidden(file, len(body.attachments) + 1))


def _texts_of_files(files: list[ParsedAttachment]) -> Iterable[str]:
    """What can be read of a mail that has no text of its own: its invitation, or the mail that it encloses."""
    for file in files:
        if file.type in _CALENDARS and (summary := summarise(decode_bytes(file.content, None))):
            yield summary
    for file in files:
        if file.type in NESTED:
            octets, root, _ = read_structure(file.content)
            if (text := read_body(octets, root, inner=True).text()).strip():
                yield text


def _says_something(pieces: list[Piece]) -> bool:
    return any(piece.text.strip() or piece.html.strip() for piece in pieces)


def _best(choices: list[list[Piece]]) -> list[Piece]:
    """One piece out of the alternatives: the first usable plain text and the last HTML. RFC 2046, 5.1.4."""
    plain = [pieces for pieces in choices if not any(piece.html.strip() for piece in pieces)]
    marked = [pieces for pieces in choices if any(piece.html.strip() for piece in pieces)]
    texts = ("\n\n".join(piece.text for piece in pieces) for pieces in plain)
    text = next((text for text in texts if _usable(text)), "")
    html = "\n".join(piece.html or _as_html(piece.text) for piece in marked[-1]) if marked else ""
    return [Piece(text, html)]


def _usable(text: str) -> bool:
    return any(map(str.isalnum, text)) and not _MARKUP_AS_TEXT.match(text)


def _as_html(text: str) -> str:
    return f"<pre>{entities.escape(text)}</pre>" if text.strip() else ""


def _is_file(part: Part) -> bool:
    return disposition(part)[0] == "attachment" or file_name(part) != ""


def _leaves(part: Part) -> list[Part]:
    return [leaf for child in part.children for leaf in _leaves(child)] if part.children else [part]


def _is_named_text(part: Part) -> bool:
    return part.type == "text/plain" and not part.cut and disposition(part)[0] != "attachment"


def _text(body: Body, part: Part) -> str:
    """The characters of a text part, within what is left of the mail's allowance for text."""
    octets, defect = decode_part(body.raw, part)
    charset = part.parameters.get("charset")
    if defect:
        body.defects.append(defect)
    if part.type == "text/html" and not charset:
        meta = _META_CHARSET.search(octets, 0, MAX_META_BYTES)
        charset = meta[1].decode("ascii", "replace") if meta else None
    text = decode_bytes(octets[: 4 * (body.left + 1)], charset)
    if charset and find_codec(charset[:80]) is None:
        body.defects.append("unknown-charset")
    if part.parameters.get("format", "").lower() == "flowed":
        text = unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    text = body._cut(text, body.left)
    body.left -= len(text)
    return text


def unflow(text: str, *, delete_space: bool) -> str:
    """Join the soft line breaks of format=flowed text. Source: RFC 3676, 4."""
    out: list[str] = []
    open_line: list[str] = []
    open_depth = -1
    for line in text.replace("\r\n", "\n").split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words.removeprefix(" ")
        if depth != open_depth:
            out += ["".join(open_line)] if open_line else []
            open_line = [">" * depth + (" " if depth else "")]
        # "-- " is the signature mark, not a soft break.
        soft = words.endswith(" ") and words != "-- "
        open_line.append(words[:-1] if soft and delete_space else words)
        open_depth = depth if soft else -1
    return "\n".join((*out, "".join(open_line)))
