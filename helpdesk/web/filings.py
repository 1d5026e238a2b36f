"""The register of constancias, for the desk: searched by everybody who is signed in, exported by supervisors.

A row leads to the filing's own page (`filing.py`). Documents are masked here; whoever exports them is written down as
having looked at each filing.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from flask import Blueprint, Response, render_template, request, stream_with_context

from helpdesk.accounts.sign_in import needs
from helpdesk.accounts.users import Role
from helpdesk.certificates.fields import CATEGORIES_ES, NATIONALITIES_ES
from helpdesk.certificates.identity import masked
from helpdesk.certificates.looks import note_looks
from helpdesk.certificates.records import Standing
from helpdesk.certificates.registry import Key, Search, all_keys, registry_page
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import FilingState
from helpdesk.reports.registry_export import HEADER, exported
from helpdesk.reports.spreadsheet import Cell, csv_chunks, write_xlsx
from helpdesk.settings import LIMA
from helpdesk.web.guard import FILE_CSP
from helpdesk.web.period import day_asked
from helpdesk.web.session import agent, session

filings = Blueprint("filings", __name__, url_prefix="/constancias")

# A constancia that is not known to anybody is not in the register, and cannot be chosen.
STANDINGS = tuple(standing for standing in Standing if standing is not Standing.UNKNOWN)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PIECE_BYTES = 1 << 16

T = TypeVar("T")


def search_from_request() -> Search:
    """The search that the page's address names; anything unknown in it is left out (T74)."""
    return Search(
        text=request.args.get("q", "").strip().replace("\x00", "")[:200],
        issued_from=day_asked("desde"),
        issued_until=day_asked("hasta"),
        nationality=_chosen("nacionalidad", {code: code for code in NATIONALITIES_ES}),
        category=_chosen("categoria", {code: code for code in CATEGORIES_ES}),
        standing=_chosen("vigencia", {standing.value: standing for standing in STANDINGS}),
        state=_chosen("estado", {state.value: state for state in FilingState}),
        page=min(max(request.args.get("pagina", 1, type=int), 1), 10_000),
    )


def _chosen(name: str, known: dict[str, T]) -> T | None:
    return known.get(request.args.get(name, ""))


def search_arguments(wanted: Search) -> dict[str, Any]:
    """The address arguments of a search, without those at their default."""
    arguments = {
        "q": wanted.text or None,
        "desde": wanted.issued_from.isoformat() if wanted.issued_from else None,
        "hasta": wanted.issued_until.isoformat() if wanted.issued_until else None,
        "nacionalidad": wanted.nationality,
        "categoria": wanted.category,
        "vigencia": wanted.standing.value if wanted.standing else None,
        "estado": wanted.state.value if wanted.state else None,
        "pagina": wanted.page if wanted.page > 1 else None,
    }
    return {name: value for name, value in arguments.items() if value is not None}


def _today() -> dt.date:
    return utc_now().astimezone(LIMA).date()


@filings.get("")
def show() -> str:
    """The constancias of a search, the newest first."""
    wanted, today = search_from_request(), _today()
    return render_template(
        "filings.html",
        wanted=wanted,
        here=search_arguments(wanted),
        page=registry_page(session(), wanted, today),
        today=today,
        masked=masked,
        nationalities=NATIONALITIES_ES,
        categories=CATEGORIES_ES,
        standings=STANDINGS,
        states=tuple(FilingState),
    )


@filings.get("/exportar.csv")
@needs(Role.SUPERVISOR)
def export_csv() -> Response:
    """Every row of a search as CSV, sent while it is read."""
    keys, today = _keys_to_export(), _today()
    return _download(csv_chunks(HEADER, _rows(keys, today)), "text/csv", f"constancias-{today}.csv")


@filings.get("/exportar.xlsx")
@needs(Role.SUPERVISOR)
def export_xlsx() -> Response:
    """Every row of a search as a workbook."""
    keys, today = _keys_to_export(), _today()
    return _download(_workbook(keys, today), XLSX, f"constancias-{today}.xlsx")


def _keys_to_export() -> list[Key]:
    """What is exported; that it was looked at is kept before anything leaves."""
    keys, now = all_keys(session(), search_from_request(), _today()), utc_now()
    note_looks(session(), (filing_id for filing_id, _ in keys), agent(), "export", now)
    session().commit()
    return keys


def _rows(keys: Sequence[Key], today: dt.date) -> Iterator[Sequence[Cell]]:
    """The session is asked for when the first row is: that of the view is closed before anything is sent."""
    yield from exported(session(), keys, today)


def _workbook(keys: Sequence[Key], today: dt.date) -> Iterator[bytes]:
    """A workbook is whole before its first byte is known: it is made in a file without a name."""
    with tempfile.TemporaryFile() as file:
        write_xlsx(file, HEADER, _rows(keys, today))
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            yield piece


def _download(pieces: Iterator[bytes], mimetype: str, name: str) -> Response:
    response = Response(stream_with_context(pieces), mimetype=mimetype)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response
