"""The report of constancias as a PDF: `documents/report.typ`, filled in. Letters and compiler are those of `pdf.py`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from templates.pdf import DOCUMENTS, all_printable, pdf_of

SOURCE = DOCUMENTS / "report.typ"


@dataclass(frozen=True, slots=True)
class Tile:
    """A large figure and what it is of."""

    figure: str
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: a number for each of its columns, each also drawn as a bar, and what follows them."""

    label: str
    counts: tuple[int, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A finding in words, and the table that says it. `head` names the columns: label, counts, what follows."""

    finding: str
    about: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]
    total: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportText:
    """Everything that the report says. Without tables, `empty` says why; a `warning` stands above all else."""

    title: str
    period: str
    made: str
    created_at: datetime
    warning: str
    tiles: tuple[Tile, ...]
    tables: tuple[Table, ...]
    empty: str
    definitions: tuple[str, ...]
    source: str


def report_pdf(text: ReportText) -> bytes:
    """The document. Never fails on what people typed, whatever it is."""
    return pdf_of(SOURCE, data_of(text), text.created_at)


def data_of(text: ReportText) -> str:
    """What the typst source is given: the words as JSON."""
    words = asdict(text)
    del words["created_at"]
    return json.dumps({name: all_printable(value) if value else value for name, value in words.items()})
