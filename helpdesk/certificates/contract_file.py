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

_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff/\\:*?\"<>|]+")
_ZIP_END = b"PK\x05\x06"
# A PDF that runs something. What hides it in packed objects is not found here; no program of ours opens it.
_ACTIVE = re.compile(rb"/(?:JavaScript|JS|Launch)(?![A-Za-z])")
_ENDS = {filetype.JPEG: b"\xff\xd9", filetype.PNG: b"IEND\xaeB`\x82"}
_TAIL = 1_024


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
        return _fault(
            "too_large",
            TOO_LARGE,
        )
    kind = detect_type(content, name)
    claimed = claimed_type(name)
    if kind not in TYPES:
        return _fault(
            "file_type",
            NO_TYPE,
        )
    if claimed is not None and not agree(claimed, kind):
        return _fault(
            "file_type",
            OTHER_NAME,
        )
    if reason := _pdf_trouble(content) if kind == filetype.PDF else _picture_trouble(content, kind):
        return _fault("file_content", reason)
    return ContractFile(name, kind, content)


def clean_name(name: str) -> str:
    """A file's name without folders and signs that no name needs; its end is kept, for it says what the file is."""
    plain = " ".join(_NOT_IN_NAMES.sub(" ", name.replace("\\", "/").rpartition("/")[2]).split())
    return plain[-NAME_CHARACTERS:] or "contrato"


def _fault(rule: str, message: str) -> Fault:
    return Fault(KEY, rule, message, SOURCE)


def _pdf_trouble(content: bytes) -> str | None:
    if (
        not content.startswith(b"%PDF-")
        or b"%%EOF" not in content[-_TAIL:]
        or _ZIP_END in content[-(1 << 16) :]
    ):
        return N_(
            "El PDF está incompleto, o lleva otro archivo dentro: guárdelo otra vez como PDF y envíelo."
        )
    if _ACTIVE.search(content):
        return N_("El PDF contiene un programa: imprímalo como PDF y envíe la copia.")
    return None


def _picture_trouble(content: bytes, kind: str) -> str | None:
    damaged = N_("La foto está incompleta o dañada: tómela otra vez.")
    end = _ENDS.get(kind)
    if end is not None and not content.rstrip(b"\x00").endswith(end):
        return damaged
    try:
        with Image.open(io.BytesIO(content), formats=(PICTURES[kind],)) as picture:
            width, height = picture.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return damaged
    if width * height > MOST_PIXELS:
        return N_("La foto tiene demasiados puntos: tómela con menos detalle.")
    return None
