"""`helpdesk certificate import`: the register of past years from a CSV file, all of it or nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from helpdesk.certificates.application import Fault
from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.importing import begin_import, write
from helpdesk.certificates.past_filings import Checked, ReadContract, check_file
from helpdesk.certificates.past_known import Compared, compare
from helpdesk.certificates.register_file import RowFault
from helpdesk.cli.certificate import FILE, contract_in
from helpdesk.cli.progress import progress
from helpdesk.db import check_schema, utc_now
from helpdesk.desk.worker import open_sessions_of
from helpdesk.settings import Settings, load

MOST_BYTES = 200_000_000
# What a person reads on a terminal; --json names every one.
SHOWN = 100


@click.command("import")
@click.argument("path", metavar="FILE.csv", type=FILE)
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every error and warning.")
def certificate_import(path: Path, dry_run: bool, as_json: bool) -> None:
    """Bring contracts of the register's past, a row for each constancia. Nobody is written to.

    The columns are described in docs/filing-import.md. With one error nothing is written and the exit code is 1;
    numbers that are there already with the same content are passed over.

    \b
    Example:
      helpdesk certificate import --dry-run registro-2011.csv
      helpdesk certificate import registro-2011.csv
    """
    content = _read(path)
    settings = load()
    settings.check()
    with open_sessions_of(settings) as sessions:
        check_schema(sessions)
        now, read_contract = utc_now(), _contracts(path.parent, settings)
        with progress("Checking") as report:
            checked = check_file(content, read_contract, now, report)
        with sessions.begin() as session:
            if not dry_run:
                begin_import(session)
            with progress("Comparing") as report:
                compared = compare(session, checked.filings, report)
            compared.faults = _by_row(checked.faults + compared.faults)
            compared.warnings = _by_row(checked.warnings + compared.warnings)
            if not dry_run and not compared.faults:
                with progress("Writing") as report:
                    write(session, compared.new, read_contract, now, report)
    if as_json:
        click.echo(json.dumps(_summary(checked, compared, dry_run=dry_run)))
    else:
        _tell(checked, compared, dry_run=dry_run)
    sys.exit(1 if compared.faults else 0)


def _by_row(faults: list[RowFault]) -> list[RowFault]:
    return sorted(faults, key=lambda fault: fault.row)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        click.echo(f"No se puede leer {path.name}: {error.strerror}.", err=True)
        sys.exit(2)
    if len(content) > MOST_BYTES:
        click.echo(f"{path.name} pesa más de {MOST_BYTES // 1_000_000} MB: divídalo.", err=True)
        sys.exit(2)
    return content


def _contracts(folder: Path, settings: Settings) -> ReadContract:
    """Reads the files that the rows name: in the folder of the CSV or below it, and nowhere else."""
    inside = folder.resolve()

    def read(name: str) -> ContractFile | Fault:
        try:
            allowed = (inside / name).resolve().is_relative_to(inside)
        except (OSError, ValueError):
            allowed = False
        if not allowed:
            return Fault("contract_file", "outside", "El archivo debe estar en la carpeta del CSV.")
        return contract_in(inside, name, settings)

    return read


def _summary(checked: Checked, compared: Compared, *, dry_run: bool) -> dict[str, object]:
    new = sum(len(past.numbers) for past in compared.new)
    return {
        "dry_run": dry_run,
        "rows": checked.rows,
        "new": new,
        "new_filings": len(compared.new),
        "known": compared.known,
        "written": 0 if dry_run or compared.faults else new,
        "errors": [asdict(fault) for fault in compared.faults],
        "warnings": [asdict(fault) for fault in compared.warnings],
    }


def _tell(checked: Checked, compared: Compared, *, dry_run: bool) -> None:
    _list("Errores", compared.faults)
    _list("Avisos", compared.warnings)
    new = sum(len(past.numbers) for past in compared.new)
    click.echo(
        f"{checked.rows:,} filas: {new:,} constancias nuevas en {len(compared.new):,} solicitudes, "
        f"{compared.known:,} que ya estaban."
    )
    if compared.faults:
        click.echo("No se escribió nada: corrija los errores e intente de nuevo.")
    elif dry_run:
        click.echo("No se escribió nada. Sin --dry-run se importará.")
    elif new:
        click.echo("Importadas.")


def _list(title: str, faults: list[RowFault]) -> None:
    if not faults:
        return
    click.echo(f"{title}: {len(faults):,}", err=True)
    for line in _lines(faults[:SHOWN]):
        click.echo(line, err=True)
    if len(faults) > SHOWN:
        click.echo(f"  … y {len(faults) - SHOWN:,} más; --json los da todos.", err=True)


def _lines(faults: Iterable[RowFault]) -> Iterable[str]:
    for fault in faults:
        column = f", {fault.column}" if fault.column else ""
        yield f"  fila {fault.row}{column}: {fault.message} ({fault.rule})"
