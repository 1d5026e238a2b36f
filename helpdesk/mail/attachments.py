"""The files of a mail: their names, cleaned, and what is kept of them.

In: names as they were sent (RFC 2183, RFC 2231) and names for what has none. Not in: which parts are files
(`body.py`), decoding (`transfer.py`). A name is only ever shown; nothing is stored under it (T28, T43).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping

from helpdesk.mail.charset import repair_mojibake
from helpdesk.mail.headers import Headers, decode_words, one_line, read_headers, read_parameters
from helpdesk.mail.parsed import MAX_NAME_CHARACTERS, ParsedAttachment
from helpdesk.mail.structure import RAW_TYPE, Part
from helpdesk.mail.transfer import HiddenFile

MAX_EXTENSION = 10
NESTED = frozenset({"message/rfc822", "message/global"})
_EXTENSIONS = {
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pgp-signature": ".asc",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "message/rfc822": ".eml",
    "message/disposition-notification": ".txt",
    "message/feedback-report": ".txt",
    "message/delivery-status": ".txt",
    "text/rfc822-headers": ".txt",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/vcard": ".vcf",
}
_WHOLE_NAMES = {
    "application/ms-tnef": "winmail.dat",
    "application/vnd.ms-tnef": "winmail.dat",
    "application/pgp-encrypted": "version.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "text/calendar": "invite.ics",
}
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.I)


def disposition(part: Part) -> tuple[str, Mapping[str, str]]:
    """Whether a part says that it is a file ("attachment", "inline" or ""), and the parameters with it."""
    return read_parameters(part.headers.get("content-disposition"))


def file_name(part: Part) -> str:
    """The name a part was sent with, cleaned, or ""."""
    _, parameters = disposition(part)
    name = parameters.get("filename") or part.parameters.get("name") or ""
    cleaned = clean_name(repair_mojibake(name)) if name else ""
    # Programs name an enclosed mail after its subject; without an ending nobody can open it.
    if part.type in NESTED and cleaned and "." not in cleaned[-5:]:
        return f"{cleaned[: MAX_NAME_CHARACTERS - 4]}.eml"
    return cleaned


def clean_name(name: str) -> str:
    """Return a file name without path, control and bidi characters, at most 120 characters; may be "".

    Look-alikes of `.`, `/` and `\\` (as in "﹒﹒／") count as the real ones; what Windows takes for a device
    ("CON.pdf") gets a line before it.
    """
    plain = "".join(_plain_separator(char) for char in one_line(decode_words(name))[:4_000])
    last = re.split(r"[/\\]", plain.rstrip("/\\ "))[-1].strip().strip(". ")
    last = f"_{last}" if _DEVICE.match(last) else last
    stem, dot, extension = last.rpartition(".")
    if len(last) > MAX_NAME_CHARACTERS and dot and len(extension) <= MAX_EXTENSION:
        return f"{stem[: MAX_NAME_CHARACTERS - len(extension) - 1]}.{extension}"
    return last[:MAX_NAME_CHARACTERS]


def _plain_separator(char: str) -> str:
    folded = unicodedata.normalize("NFKC", char) if ord(char) > 127 else char
    return folded if folded in (".", "/", "\\") else char


def from_part(part: Part, content: bytes, *, parent: str, number: int) -> ParsedAttachment:
    """The attachment that a part is; `number` is for its name if it has none."""
    placed, _ = disposition(part)
    kind = RAW_TYPE if part.cut else part.type
    return ParsedAttachment(
        name=file_name(part) or _made_name(kind, content, number),
        type=kind,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        inline=placed == "inline" or (placed != "attachment" and parent == "multipart/related"),
        content_id=one_line(part.headers.get("content-id").strip(" <>"), 250) or None,
        content=content,
    )


def from_hidden(file: HiddenFile, number: int) -> ParsedAttachment:
    """The attachment that was found inside a text or another file."""
    return ParsedAttachment(
        name=clean_name(file.name) or _made_name(file.type, b"", number),
        type=file.type,
        size=len(file.content),
        sha256=hashlib.sha256(file.content).hexdigest(),
        inline=False,
        content_id=None,
        content=file.content,
    )


def _made_name(kind: str, content: bytes, number: int) -> str:
    if kind in NESTED:
        subject = clean_name(nested_headers(content).text("subject").replace("/", "-").replace("\\", "-"))
        return f"{subject[: MAX_NAME_CHARACTERS - 4]}.eml" if subject else "mensaje.eml"
    return _WHOLE_NAMES.get(kind) or f"adjunto-{number}{_EXTENSIONS.get(kind, '.bin')}"


def nested_headers(content: bytes) -> Headers:
    """The headers of a mail or of a block of headers that came as the content of a part."""
    return read_headers(content.lstrip(b"\r\n"))[0]
