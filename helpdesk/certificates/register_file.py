"""The register of past years as a CSV file: which columns it has, and how what stands in them is read.

In: charset, delimiter and header, days and numbers as they are written in Peru, what a spreadsheet does to cells. Not
in: whether a row is allowed, and what becomes of it (`past_filings.py`, `importing.py`). No database, no clock.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpdesk.certificates import fields
from helpdesk.certificates.fields import Field, Kind
from helpdesk.certificates.places import is_district
from helpdesk.certificates.plain import plain_words
from helpdesk.desk.words import N_
from helpdesk.settings import LIMA

DELIMITERS = (";", ",", "\t")
CHARSETS = ("utf-8-sig", "cp1252")
HEADER_ROW = 1
# What stands in a filing's file as a tree stands here in columns: employer.ruc is employer_ruc.
COLUMNS: Mapping[str, tuple[tuple[str, ...], Field]] = {
    "_".join((*path, asked.name)): ((*path, asked.name), asked)
    for path, group in (
        (("employer",), fields.EMPLOYER),
        (("employer", "representative"), fields.REPRESENTATIVE),
        (("worker",), fields.WORKER),
        ((), fields.CATEGORY),
        *((("category_details",), group) for group in fields.DETAILS.values()),
        (("contract",), fields.CONTRACT),
    )
    for asked in group
}
NUMBER, ISSUED, FILING, CONTRACT_FILE = OWN_COLUMNS = ("number", "issued", "filing", "contract_file")
NEEDED = (
    *(NUMBER, ISSUED),
    *(name for name, (path, asked) in COLUMNS.items() if asked.required and path[0] != "category_details"),
)
_SEPARATORS = re.compile(r"[\s.-]+")
_QUOTED_FORMULA = re.compile(r'="([^"]*)"')
_GUARDED = re.compile(r"'(?=[=+\-@])")
_SPANISH_DAY = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})((?:[ T].*)?)", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d.*)?", re.ASCII)
# 1500, 1500.5, 1,500.50 | 1500,5 | 1.500,50. What has one point before three figures may be either, and is not read.
_POINT = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{4,}\.\d+|\d+(?:\.(?!\d{3}$)\d+)?", re.ASCII)
_COMMA = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+|\d+,\d{1,2}", re.ASCII)
_YES = dict.fromkeys(("si", "s", "x", "1", "true", "verdadero", "yes"), True)
_NO = dict.fromkeys(("no", "n", "0", "false", "falso"), False)


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with a cell; rows are counted as a spreadsheet does, the header is the first."""

    row: int
    column: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    """A row: what stands in its cells, by column, without the empty ones."""

    row: int
    cells: Mapping[str, Any]


@dataclass(slots=True)
class Table:
    """What was read, and what could not be."""

    lines: list[Line] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)

    def blame(self, row: int, column: str, rule: str, message: str) -> None:
        """Note a fault."""
        self.faults.append(RowFault(row, column, rule, message))


def read_table(content: bytes) -> Table:
    """The rows of a file. Never raises: what cannot be read is a fault; without a usable header there are no rows."""
    table = Table()
    text = _decoded(content)
    if text is None:
        table.blame(
            HEADER_ROW, "", "unreadable", N_("No es un CSV en UTF-8 o en Windows-1252: guárdelo como CSV.")
        )
        return table
    rows = _rows(text, table)
    header = [_SEPARATORS.sub("_", name.strip().lower()) for name in next(rows, [])]
    if _is_usable(header, table):
        for row, values in enumerate(rows, HEADER_ROW + 1):
            _read(row, header, values, table)
        if not table.lines and not table.faults:
            table.blame(HEADER_ROW + 1, "", "empty", N_("El archivo no tiene filas."))
    return table


def _decoded(content: bytes) -> str | None:
    if b"\x00" in content or content.startswith(b"PK\x03\x04"):  # UTF-16, or a workbook
        return None
    for charset in CHARSETS:
        try:
            return content.decode(charset)
        except UnicodeDecodeError:
            continue
    return None


def _rows(text: str, table: Table) -> Iterator[list[str]]:
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = HEADER_ROW
    try:
        for values in rows:
            yield values
            row += 1
    except csv.Error:
        words = N_("Desde aquí no se puede leer: revise las comillas de esta fila y de la siguiente.")
        table.blame(row, "", "unreadable", words)


def _is_usable(header: Sequence[str], table: Table) -> bool:
    for place, name in enumerate(header):
        if name and name not in COLUMNS and name not in OWN_COLUMNS:
            table.blame(
                HEADER_ROW,
                shown(name),
                "unknown_column",
                N_("No se conoce esta columna: quítela o corríjala."),
            )
        elif name and name in header[:place]:
            table.blame(HEADER_ROW, name, "column_twice", N_("Esta columna está dos veces."))
    for name in NEEDED:
        if name not in header:
            table.blame(HEADER_ROW, name, "missing_column", N_("Falta esta columna."))
    return not table.faults


def shown(text: str) -> str:
    """A text of the file, fit for a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text[:60])


def _read(row: int, header: Sequence[str], values: Sequence[str], table: Table) -> None:
    cells: dict[str, Any] = {}
    for place, value in enumerate(values):
        plain = _unwrapped(value)
        name = header[place] if place < len(header) else ""
        if plain and name:
            cells[name] = _as_declared(name, plain)
        elif plain:
            table.blame(row, "", "cells", N_("Hay un dato en una columna sin nombre."))
            return
    if cells:
        table.lines.append(Line(row, cells))


def _unwrapped(value: str) -> str:
    """The text of a cell, without what was put around it to keep a spreadsheet from changing or running it."""
    value = value.strip()
    if quoted := _QUOTED_FORMULA.fullmatch(value):
        return quoted[1].strip()
    return _GUARDED.sub("", value, count=1) if value.startswith("'") else value


def _as_declared(name: str, value: str) -> Any:
    kind = COLUMNS[name][1].kind if name in COLUMNS else None
    return _READ[kind](value) if kind in _READ else value


def _day(value: str) -> str:
    """A day as the files write it; what is none stays as it is, and is a fault later."""
    spanish = _SPANISH_DAY.fullmatch(value)
    if not spanish:
        return value
    day, month, year, rest = spanish.groups()
    return f"{year}-{month:0>2}-{day:0>2}{rest}"


def _number(value: str) -> float | str:
    bare = value.replace(" ", "").replace("\xa0", "")
    if _POINT.fullmatch(bare):
        return float(bare.replace(",", ""))
    if _COMMA.fullmatch(bare):
        return float(bare.replace(".", "").replace(",", "."))
    return value


def _yes(value: str) -> bool | str:
    return (_YES | _NO).get(plain_words(value), value)


def _district(value: str) -> str:
    """A spreadsheet takes the zero away that Amazonas, Áncash, Apurímac and others begin with."""
    whole = f"0{value}"
    return whole if not is_district(value) and is_district(whole) else value


def read_instant(value: str) -> dt.datetime | None:
    """A day, or a day with a time, in ISO or Spanish writing; in Lima's time unless it says another."""
    written = _day(value)
    if not _ISO.fullmatch(written):
        return None
    try:
        instant = dt.datetime.fromisoformat(written)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=LIMA)


_READ: Mapping[Kind | None, Callable[[str], Any]] = {
    Kind.DATE: _day,
    Kind.NUMBER: _number,
    Kind.YES: _yes,
    Kind.DISTRICT: _district,
    Kind.CHOICE: str.lower,
}
