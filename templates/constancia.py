"""The constancia as a PDF: `documents/constancia.typ`, filled in. Letters and compiler are those of `pdf.py`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BytesIO

import segno

from templates.pdf import DOCUMENTS, all_printable, pdf_of

SOURCE = DOCUMENTS / "constancia.typ"
QR_MARGIN = 4  # modules of white around the code: ISO/IEC 18004


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a constancia: a heading and pairs of label and value."""

    heading: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ConstanciaText:
    """Everything that a constancia says. `created_at` (aware) is the file's own date; `issued` is what people read."""

    title: str
    number: str
    issued: str
    created_at: datetime
    opening: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    legal_base: tuple[str, ...]
    code: str
    verify_url: str


def constancia_pdf(text: ConstanciaText) -> bytes:
    """The document. Never fails on what people typed, whatever it is."""
    return pdf_of(SOURCE, data_of(text), text.created_at)


def data_of(text: ConstanciaText) -> str:
    """What the typst source is given: the words as JSON, and the QR code as an SVG."""
    assert text.verify_url.isascii()
    words = asdict(text)
    del words["created_at"]
    return json.dumps(all_printable(words) | {"qr": _qr_code(text.verify_url)})


def _qr_code(url: str) -> str:
    out = BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", border=QR_MARGIN, xmldecl=False)
    return out.getvalue().decode()
