"""The signed contract as a file: a PDF or a photo, and nothing that pretends to be one (T44–T50).

In: what can be told from the bytes without reading them as a document. Nothing is unpacked, decoded or run here. Not
in: the virus scanner's word (`helpdesk.mail.clamav`), which the entry points ask for.
"""

from __future__ import annotations

import hashlib
import io
import re
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from helpdesk.certificates.application import Fault
from helpdesk.desk.words import N_
from helpdesk.mail import filetype
from helpdesk.mail.filetype import agree, claimed_type, detect_type

MOST_BYTES = 5_000_000
MOST_PIXELS = 60_000_000
NAME_CHARACTERS = 120
KEY = "contract_file"
SOURCE = N_("Decisión 545: se presenta el contrato")
PICTURES = {filetype.JPEG: "JPEG", filetype.PNG: "PNG", filetype.WEBP: "WEBP"}
TYPES = (filetype.PDF, *PICTURES)
TOO_LARGE = N_("El archivo pesa más de 5 MB: envíe uno más ligero, o tome la foto con menos detalle.")
NO_TYPE = N_("El archivo no es un PDF ni una foto (JPEG, PNG o WebP): envíe el contrato en uno de ellos.")
OTHER_NAME = N_("El nombre del archivo dice ser otra cosa que su contenido: guárdelo otra vez y envíelo.")

_NOT_IN_NAMES = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff/\\:*?\"<>|]+"
)
# The end of a ZIP's directory, behind which stands a comment of at most 65,535 bytes (APPNOTE.TXT, 4.3.16).
_ZIP_END, _ZIP_TAIL = b"PK\x05\x06", 22 + 65_535
_PAGE = re.compile(rb"<(?:!doctype|html|script)", re.I)
_HEAD = 1_024
_BLANK = b"\x00\t\n\x0c\r "


def _name(word: str) -> str:
    """A name of a PDF; each of its letters may be written as a number (ISO 32000-1, 7.3.5)."""
    return "".join(f"(?:{letter}|#(?i:{ord(letter):02x}))" for letter in word)


# A PDF that runs something: who holds a script is one of these. No shorter words: a scan's packed bytes hold those of
# three letters by chance. What hides them in packed objects is not found here; no program of ours opens it.
_ACTIVE = re.compile(
    f"/(?:{'|'.join(map(_name, ('JavaScript', 'Launch', 'Rendition')))})(?![A-Za-z])".encode()
)
# Samsung's phones write a block of their own behind a photo, which ends with this mark.
_PHONE_END = b"SEFT"
_ENDS = {filetype.JPEG: (b"\xff\xd9", _PHONE_END), filetype.PNG: (b"IEND\xaeB`\x82",)}


@dataclass(frozen=True, slots=True)
class ContractFile:
    """A contract that was given to us; `type` is what its bytes say."""

    name: str
    type: str
    content: bytes

    @property
    def sha256(self) -> str:
        """The content's hash, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def read_contract(name: str, content: bytes) -> ContractFile | Fault:
    """The contract in some bytes, or what is wrong with them, in words."""
    name = clean_name(name)
    if not content:
        return _fault("required", N_("Adjunte el contrato firmado, en PDF o en foto."))
    if len(content) > MOST_BYTES:
        return _fault("too_large", TOO_LARGE)
    kind = detect_type(content, name)
    claimed = claimed_type(name)
    if kind not in TYPES:
        return _fault("file_type", NO_TYPE)
    if claimed is not None and not agree(claimed, kind):
        return _fault("file_type", OTHER_NAME)
    if reason := _pdf_trouble(content) if kind == filetype.PDF else _picture_trouble(content, kind):
        return _fault("file_content", reason)
    return ContractFile(name, kind, content)


def clean_name(name: str) -> str:
    """A file's name without folders and signs that no name needs; its end is kept, for it says what the file is."""
    plain = " ".join(_NOT_IN_NAMES.sub(" ", name.replace("\\", "/").rpartition("/")[2]).split())
    return plain[-NAME_CHARACTERS:].strip(". ") or "contrato"


def _fault(rule: str, message: str) -> Fault:
    return Fault(KEY, rule, message, SOURCE)


def _holds_zip(content: bytes) -> bool:
    return _ZIP_END in content[-_ZIP_TAIL:]


def _pdf_trouble(content: bytes) -> str | None:
    whole = content.startswith(b"%PDF-") and content.rstrip(_BLANK).endswith(b"%%EOF")
    if not whole or _holds_zip(content) or _PAGE.search(content[:_HEAD]):
        return N_(
            "El PDF está incompleto, o lleva otro archivo dentro: guárdelo otra vez como PDF y envíelo."
        )
    if _ACTIVE.search(content):
        return N_("El PDF contiene un programa: imprímalo como PDF y envíe la copia.")
    return None


def _picture_trouble(content: bytes, kind: str) -> str | None:
    damaged = N_(
        "La foto está incompleta, o lleva otro archivo dentro: tómela otra vez, o envíe el contrato en PDF."
    )
    too_many = N_("La foto tiene demasiados puntos: tómela con menos detalle.")
    if not _is_whole(content, kind) or _holds_zip(content):
        return damaged
    try:
        with Image.open(io.BytesIO(content), formats=(PICTURES[kind],)) as picture:
            width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return too_many
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return damaged
    return too_many if width * height > MOST_PIXELS else None


def _is_whole(content: bytes, kind: str) -> bool:
    """Whether a picture ends where it says; some programs fill up with noughts."""
    if kind == filetype.WEBP:
        size = 8 + int.from_bytes(content[4:8], "little")
        return len(content) >= size and not content[size:].strip(b"\x00")
    return content.rstrip(b"\x00").endswith(_ENDS[kind])
