"""The body of a mail: which parts are what was written, and which are files.

In: transfer encodings, the choice between alternatives, flowed text, attachment names. Not in: finding the
parts (`structure.py`), making HTML harmless (`html.py`), folding quotes (`quoting.py`). Nothing is lost: what
is not shown as text is kept as an attachment.
"""

from __future__ import annotations

import binascii
import hashlib
import html as entities
import re
import unicodedata
from dataclasses import dataclass, field

from helpdesk.mail.charset import clean_text, decode_bytes, repair_mojibake
from helpdesk.mail.headers import (
    Headers,
    decode_words,
    lenient_base64,
    one_line,
    read_headers,
    read_parameters,
)
from helpdesk.mail.html import MAX_TAGS, strip_tags, to_text
from helpdesk.mail.parsed import MAX_NAME_CHARACTERS, MAX_TEXT_CHARACTERS, ParsedAttachment
from helpdesk.mail.structure import RAW_TYPE, Part

MAX_META_BYTES = 2_048
MAX_EXTENSION = 10

_IDENTITY = frozenset({"", "7bit", "8bit", "binary", "7-bit", "8-bit", "none"})
_NESTED = frozenset({"message/rfc822", "message/global"})
_META_CHARSET = re.compile(rb"charset\s{0,5}=\s{0,5}[\"']?([\w.:-]{1,40})", re.I)
_MARKUP_AS_TEXT = re.compile(r"\s{0,100}<(?:!doctype|html|body)\b", re.I)
_EXTENSIONS = {
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pgp-signature": ".asc",
    "application/ms-tnef": ".dat",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "text/rfc822-headers": ".txt",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/vcard": ".vcf",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the mail as it is read: its plain text, its HTML, or both for the same words."""

    text: str = ""
    html: str = ""


@dataclass(slots=True)
class Body:
    """What was gathered from the parts of one mail, in their order."""

    raw: bytes
    pieces: list[Piece] = field(default_factory=list)
    attachments: list[ParsedAttachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
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


def read_body(raw: bytes, root: Part) -> Body:
    """Gather text, HTML and attachments below the root part. Never raises."""
    body = Body(raw)
    body.pieces = _gather(body, root, parent="")
    if not any(piece.text.strip() or piece.html.strip() for piece in body.pieces):
        # A lone named text that was not sent as an attachment is what the sender wrote.
        body.pieces += [Piece(_text(body, part)) for part in _named_texts(root)[:1]]
    return body


def _gather(body: Body, part: Part, parent: str) -> list[Piece]:
    if part.type == "multipart/alternative" and part.children:
        return _best([_gather(body, child, part.type) for child in part.children])
    if part.children:
        return [piece for child in part.children for piece in _gather(body, child, part.type)]
    if part.type in ("text/plain", "text/html") and not part.cut and not _is_file(part):
        text = _text(body, part)
        return [Piece(html=text) if part.type == "text/html" else Piece(text)]
    if part.start < part.end or file_name(part):
        body.attachments.append(_attachment(body, part, parent))
    return []


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


def _disposition(part: Part) -> tuple[str, dict[str, str]]:
    return read_parameters(part.headers.get("content-disposition"))


def _is_file(part: Part) -> bool:
    kind, _ = _disposition(part)
    return kind == "attachment" or file_name(part) != ""


def _named_texts(part: Part) -> list[Part]:
    if part.children:
        return [text for child in part.children for text in _named_texts(child)]
    is_text = part.type == "text/plain" and not part.cut and _disposition(part)[0] != "attachment"
    return [part] if is_text else []


def decode_part(raw: bytes, part: Part) -> tuple[bytes, str | None]:
    """Return the content of a part, and a defect when its transfer encoding is unknown.

    Source: RFC 2045, 6.
    """
    octets = part.octets(raw)
    encoding = part.headers.get("content-transfer-encoding").split(";")[0].strip("\"' \t").lower()
    if part.cut or encoding in _IDENTITY:
        return octets, None
    if encoding == "base64":
        return lenient_base64(octets), None
    if encoding == "quoted-printable":
        return binascii.a2b_qp(octets), None
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _uudecode(octets), None
    return octets, "unknown-encoding"


def _uudecode(octets: bytes) -> bytes:
    lines = octets.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith(b"begin ")), -1)
    out = []
    for line in lines[first + 1 :]:
        if line.strip() == b"end":
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders pad wrongly; the first byte says how many characters count.
            out.append(binascii.a2b_uu(line[: 1 + (((line[0] - 32) & 63) * 4 + 2) // 3]) if line else b"")
    return b"".join(out)


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
    if charset and not _known(charset):
        body.defects.append("unknown-charset")
    if part.parameters.get("format", "").lower() == "flowed":
        text = unflow(text, delete_space=part.parameters.get("delsp", "").lower() == "yes")
    text = body._cut(text, body.left)
    body.left -= len(text)
    return text


def _known(charset: str) -> bool:
    from helpdesk.mail.charset import find_codec

    return find_codec(charset[:80]) is not None


def unflow(text: str, *, delete_space: bool) -> str:
    """Join the soft line breaks of format=flowed text. Source: RFC 3676, 4."""
    out: list[str] = []
    open_depth = -1
    for line in text.replace("\r\n", "\n").split("\n"):
        words = line.lstrip(">")
        depth = len(line) - len(words)
        words = words.removeprefix(" ")
        if depth == open_depth:
            out[-1] += words
        else:
            out.append(">" * depth + (" " if depth else "") + words)
        # "-- " is the signature mark, not a soft break.
        soft = words.endswith(" ") and words != "-- "
        open_depth = depth if soft else -1
        if soft and delete_space:
            out[-1] = out[-1][:-1]
    return "\n".join(out)


def file_name(part: Part) -> str:
    """The name a part was sent with, cleaned, or ""."""
    _, parameters = _disposition(part)
    name = parameters.get("filename") or part.parameters.get("name") or ""
    return clean_name(name) if name else ""


def clean_name(name: str) -> str:
    """Return a file name without path, control and bidi characters, at most 120 characters; may be "".

    Look-alikes of `.`, `/` and `\\` (as in "﹒﹒／") count as the real ones.
    """
    plain = "".join(_plain_separator(char) for char in one_line(decode_words(name))[:4_000])
    last = re.split(r"[/\\]", plain.rstrip("/\\ "))[-1].strip().lstrip(". ")
    stem, dot, extension = last.rpartition(".")
    if len(last) > MAX_NAME_CHARACTERS and dot and len(extension) <= MAX_EXTENSION:
        return f"{stem[: MAX_NAME_CHARACTERS - len(extension) - 1]}.{extension}"
    return last[:MAX_NAME_CHARACTERS]


def _plain_separator(char: str) -> str:
    folded = unicodedata.normalize("NFKC", char) if ord(char) > 127 else char
    return folded if folded in (".", "/", "\\") else char


def _attachment(body: Body, part: Part, parent: str) -> ParsedAttachment:
    content, defect = decode_part(body.raw, part)
    if defect:
        body.defects.append(defect)
    disposition, _ = _disposition(part)
    content_id = one_line(part.headers.get("content-id").strip(" <>"), 250) or None
    kind = RAW_TYPE if part.cut else part.type
    return ParsedAttachment(
        name=file_name(part) or _made_name(kind, content, len(body.attachments) + 1),
        type=kind,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        inline=disposition == "inline" or (disposition != "attachment" and parent == "multipart/related"),
        content_id=content_id,
        content=content,
    )


def _made_name(kind: str, content: bytes, number: int) -> str:
    if kind in _NESTED:
        subject = clean_name(nested_headers(content).text("subject").replace("/", "-").replace("\\", "-"))
        return f"{subject[: MAX_NAME_CHARACTERS - 4]}.eml" if subject else "mensaje.eml"
    if kind == "application/ms-tnef":
        return "winmail.dat"
    return f"adjunto-{number}{_EXTENSIONS.get(kind, '.bin')}"


def nested_headers(content: bytes) -> Headers:
    """The headers of a mail or of a block of headers that came as the content of a part."""
    return read_headers(content.lstrip(b"\r\n"))[0]
