"""The tables of the report of constancias as files that other programs read: CSV and XLSX, with exact figures.

What people typed is never a formula (T90): `spreadsheet.py` guards the CSV, and in XLSX every text is written as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import BytesIO
from typing import Any

from xlsxwriter import Workbook

from helpdesk.reports.constancias import Breakdown, Crossing, Report
from helpdesk.reports.findings import definitions, finding
from helpdesk.reports.spreadsheet import Cell, csv_chunks
from helpdesk.settings import LIMA

CSV_HEAD = ("Período", "Tabla", "Grupo", "Nacionalidad", "Constancias", "Porcentaje", "De un total de")
ABOUT = "Informe"
HEAD_ROW = 2
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


def csv_of(report: Report) -> bytes:
    """All tables, one row for each figure."""
    return b"".join(csv_chunks(CSV_HEAD, _flat(report)))


def _flat(report: Report) -> Iterator[Sequence[Cell]]:
    for table in report.tables:
        for part in _parts(table):
            of = part.head if isinstance(table, Crossing) else ""
            for row in part.rows:
                share = Decimal(100 * row.count) / table.n if table.n else Decimal(0)
                yield report.period.name, table.head, row.label, of, row.count, round(share, 2), table.n


def _parts(table: Breakdown | Crossing) -> Sequence[Breakdown]:
    return table.parts if isinstance(table, Crossing) else (table,)


def xlsx_of(report: Report) -> bytes:
    """A workbook: what it is about on the first sheet, then a sheet for each table."""
    out = BytesIO()
    with Workbook(out, _OPTIONS) as book:
        formats = {
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "title": book.add_format({"bold": True, "font_size": 14}),
            "text": book.add_format({"text_wrap": True, "valign": "top"}),
            "share": book.add_format({"num_format": "0.0%"}),
            "total": book.add_format({"bold": True, "top": 1}),
            "total_share": book.add_format({"bold": True, "top": 1, "num_format": "0.0%"}),
        }
        _about(book, report, formats)
        for table in report.tables:
            _sheet(book, table, formats)
    return out.getvalue()


def _about(book: Any, report: Report, formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet(ABOUT)
    sheet.set_column(0, 0, 100)
    made = f"{report.made_at.astimezone(LIMA):%d/%m/%Y %H:%M}"
    sheet.write_string(0, 0, "Constancias de Trabajador Migrante Andino", formats["title"])
    lines = [report.period.label, f"Hecho el {made} (hora de Lima)", *definitions(report)]
    for place, line in enumerate(lines, 1):
        sheet.write_string(place, 0, line, formats["text"])


def _sheet(book: Any, table: Breakdown | Crossing, formats: dict[str, Any]) -> None:
    """The finding, the head, the rows and the sum."""
    parts = _parts(table)
    names = [part.head for part in parts] + ["Total"] if isinstance(table, Crossing) else ["Constancias"]
    sheet = book.add_worksheet(table.head)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, len(names) + 1, 14)
    sheet.freeze_panes(HEAD_ROW + 1, 1)
    sheet.write_string(0, 0, finding(table), formats["title"])
    for column, name in enumerate([table.head, *names, "Porcentaje"]):
        sheet.write_string(HEAD_ROW, column, name, formats["head"])
    place = HEAD_ROW + 1
    for rows in zip(*(part.rows for part in parts), strict=True):
        counts = [row.count for row in rows]
        _line(sheet, place, rows[0].label, counts, table.n, (None, formats["share"]))
        place += 1
    sums = [part.n for part in parts]
    _line(sheet, place, "Total", sums, table.n, (formats["total"], formats["total_share"]))


def _line(
    sheet: Any, place: int, label: str, counts: Sequence[int], n: int, formats: tuple[Any, Any]
) -> None:
    plain, share = formats
    everything = sum(counts)
    sheet.write_string(place, 0, label, plain)
    shown = [*counts, everything] if len(counts) > 1 else counts
    for column, count in enumerate(shown, 1):
        sheet.write_number(place, column, count, plain)
    sheet.write_number(place, len(shown) + 1, everything / n if n else 0, share)
