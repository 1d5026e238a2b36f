"""Tables as files that people open in a spreadsheet: CSV for es-PE, and XLSX.

What strangers wrote stays text: in a CSV nothing begins as a formula does (T90), and in an XLSX a text is written as
a text. Rows are written as they come, so that a table of any length needs little memory.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import IO

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

Cell = str | int | Decimal | dt.date | None
BOM = "\ufeff"
# What a spreadsheet takes for a formula, or skips before one; the last four are the full-width signs of East Asia.
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
DAY_FORMAT = "dd/mm/yyyy"
_ROWS_A_CHUNK = 500
_AS_TYPED = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}


def guarded(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would run."""
    return f"'{text}" if text.startswith(FORMULA_BEGINS) else text


def csv_chunks(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """A CSV in pieces: UTF-8 with a BOM, semicolons, dates as dd/mm/yyyy, a point before the decimals."""
    buffer = io.StringIO(BOM)
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow([guarded(name) for name in header])
    for number, row in enumerate(rows, 1):
        writer.writerow([_written(cell) for cell in row])
        if number % _ROWS_A_CHUNK == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return piece


def _written(cell: Cell) -> str:
    if isinstance(cell, dt.date):
        return cell.strftime("%d/%m/%Y")
    return "" if cell is None else guarded(str(cell))


def write_xlsx(file: IO[bytes], header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """An XLSX with one sheet, its first row fixed; numbers and days are such, everything else is text."""
    with Workbook(file, {"constant_memory": True, **_AS_TYPED}) as book:
        sheet = book.add_worksheet()
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": DAY_FORMAT})
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(header):
            sheet.set_column(column, column, max(12, len(name) + 2))
            sheet.write_string(0, column, name, bold)
        for line, row in enumerate(rows, 1):
            for column, cell in enumerate(row):
                _write(sheet, line, column, cell, day)


def _write(sheet: Worksheet, line: int, column: int, cell: Cell, day: object) -> None:
    if isinstance(cell, str):
        sheet.write_string(line, column, cell)
    elif isinstance(cell, dt.date):
        sheet.write_datetime(line, column, cell, day)
    elif cell is not None:
        sheet.write_number(line, column, cell)
