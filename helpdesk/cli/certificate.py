"""`helpdesk certificate`: a filing from a file, and is a constancia genuine.

Of a filing, one JSON object on standard output in every case; exit code 0 issued or observed (or genuine and in force),
1 rejected (or not), 2 when a file cannot be read or the desk cannot work.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import click
from sqlalchemy.exc import DBAPIError

from helpdesk.certificates.application import Fault, read_application
from helpdesk.certificates.contract_file import ContractFile, read_contract
from helpdesk.certificates.issuing import Outcome, Result, Submission, submit
from helpdesk.certificates.notices import documents_of
from helpdesk.certificates.records import Constancia, Source
from helpdesk.certificates.sealing import seal_due
from helpdesk.certificates.verifying import Verified, verify_code, verify_file
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import ConstanciaState
from helpdesk.desk.words import STANDINGS_ES
from helpdesk.desk.worker import open_sessions_of
from helpdesk.errors import HelpdeskError
from helpdesk.mail.clamav import Scanner, ScannerDown, ScanRefused
from helpdesk.settings import Settings, load

FILE = click.Path(path_type=Path)
MOST_BYTES = 5_000_000
UNCHANGED = "El archivo es el que se emitió."
CHANGED = "El archivo no es ninguno de los que se emitieron, o fue cambiado."


@click.group()
def certificate() -> None:
    """Contract filings and constancias."""


@certificate.command("file")
@click.argument("path", metavar="FILE.json", type=FILE)
@click.option("--pdf", "out", type=FILE, help="Where to write the PDF; a folder when there are several.")
@click.option("--json", "_json", is_flag=True, help="Accepted for scripts; the output is JSON anyway.")
def file(path: Path, out: Path | None, _json: bool) -> None:
    """File a contract under the rules of the web form, and issue its constancias.

    The keys are described in docs/certificate-filing.md. Without --pdf the documents are written beside FILE.json.

    \b
    Example:
      helpdesk certificate file filing.json --pdf constancia.pdf
    """
    tree = _read_json(path)
    try:
        _file(tree, path.parent, out)
    except (HelpdeskError, DBAPIError) as error:
        message = str(error) if isinstance(error, HelpdeskError) else "La base de datos no respondió bien."
        _print(Result(Outcome.REJECTED, (Fault("", "unavailable", message),)), {})
        raise  # `main` says it on standard error, and ends with 2


def _file(tree: object, folder: Path, out: Path | None) -> NoReturn:
    settings = load()
    faults, submission = _submission(tree, folder, settings)
    if submission is None:
        _finish(Result(Outcome.REJECTED, faults), {}, 1)
    with open_sessions_of(settings) as sessions:
        with sessions.begin() as session:
            result = submit(session, submission, settings)
            ticket = result.filing.ticket.number if result.filing else None
        if result.filing is None or result.outcome is not Outcome.ISSUED:
            _finish(result, {"ticket": ticket} if ticket else {}, int(result.outcome is Outcome.REJECTED))
        seal_due(sessions, settings)
        with sessions() as session:
            certificates = _write_all(documents_of(session, result.filing), out, folder)
    _finish(result, {"ticket": ticket, "certificates": certificates}, 0)


def _read_json(path: Path) -> object:
    try:
        content = path.read_bytes()
    except OSError as error:
        _unreadable(f"No se puede leer {path.name}: {error.strerror}.")
    if len(content) > MOST_BYTES:
        _unreadable(f"{path.name} es demasiado grande para ser una solicitud.")
    try:
        tree = json.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        _unreadable(f"{path.name} no es JSON en UTF-8.")
    if not isinstance(tree, dict):
        _unreadable(f"{path.name} debe contener un objeto JSON.")
    return tree


def _submission(tree: Any, folder: Path, settings: Settings) -> tuple[tuple[Fault, ...], Submission | None]:
    reading = read_application(tree)
    contract = contract_in(folder, tree.get("contract_file"), settings)
    faults = (*reading.faults, *([contract] if isinstance(contract, Fault) else []))
    if faults or reading.application is None or isinstance(contract, Fault):
        return faults, None
    return (), Submission(reading.application, contract, Source.FILE)


def contract_in(folder: Path, name: object, settings: Settings) -> ContractFile | Fault:
    """The contract that a file in a folder is, or what is wrong with it; a scanner looks at it when there is one."""
    if not isinstance(name, str) or not name.strip():
        return Fault("contract_file", "required", "Indique el archivo del contrato firmado.")
    path = folder / name
    try:
        if not path.is_file():  # a device or a pipe may never end
            raise FileNotFoundError
        with path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError):
        return Fault(
            "contract_file", "unreadable", "No se puede leer el archivo del contrato: revise su nombre."
        )
    contract = read_contract(name, content)
    if isinstance(contract, ContractFile) and settings.clamav:
        try:
            if Scanner(settings.clamav).scan(content):
                return Fault("contract_file", "virus", "El archivo contiene un virus: no se recibió.")
        except (ScannerDown, ScanRefused):
            pass  # held until the worker's scanner has passed it
    return contract


def _write_all(documents: list[Constancia], out: Path | None, beside: Path) -> list[dict[str, Any]]:
    single = len(documents) == 1
    written = []
    for document in documents:
        sealed = document.state != ConstanciaState.SEALING.value
        target = _write(document, _target(document.number, out, beside, single)) if sealed else None
        written.append(
            {
                "worker": document.worker.name,
                "number": document.number,
                "code": document.code,
                "pdf": str(target) if target else None,
                "sha256": document.sha256 if sealed else None,
            }
        )
    return written


def _write(document: Constancia, target: Path) -> Path | None:
    """Write a document's copy; it is issued, whatever becomes of that: it can be had again from the desk."""
    assert document.pdf is not None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(document.pdf)
    except OSError as error:
        click.echo(f"{target}: {error.strerror}.", err=True)
        return None
    return target


def _target(number: str, out: Path | None, beside: Path, single: bool) -> Path:
    if out is None:
        return beside / f"{number}.pdf"
    if out.is_dir() or (not single and out.suffix.lower() != ".pdf"):
        return out / f"{number}.pdf"
    return out if single else out.with_name(f"{out.stem}-{number}.pdf")


def _unreadable(message: str) -> NoReturn:
    click.echo(message, err=True)
    _finish(Result(Outcome.REJECTED, (Fault("", "unreadable", message),)), {}, 2)


def _finish(result: Result, more: dict[str, Any], code: int) -> NoReturn:
    _print(result, more)
    raise SystemExit(code)


def _print(result: Result, more: dict[str, Any]) -> None:
    reasons = [
        {
            "rule": fault.rule,
            "message": f"{fault.key}: {fault.message}" if fault.key else fault.message,
            "source": fault.source,
            "key": fault.key,
        }
        for fault in result.reasons
    ]
    # In ASCII: what a strange file name or another encoding of the terminal would break can be printed as well.
    click.echo(json.dumps({"outcome": result.outcome.value, "reasons": reasons, **more}))


@certificate.command("verify")
@click.argument("subject", metavar="FILE|CODE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def verify(subject: str, as_json: bool) -> None:
    """Say whether a constancia is genuine, unchanged and in force: by its PDF, or by its code.

    \b
    Example:
      helpdesk certificate verify constancia.pdf
      helpdesk certificate verify 7ZQ4K-2M9XA-0TR5B-C8DWE-N1VGH
    """
    path = Path(subject)
    content = None
    try:
        if path.suffix.lower() == ".pdf" or path.is_file():
            content = path.read_bytes()
    except OSError as error:
        click.echo(f"{subject}: {error.strerror}.", err=True)
        raise SystemExit(2) from error
    settings, today = load(), utc_now()
    with open_sessions_of(settings) as sessions, sessions() as session:
        found = (
            verify_file(session, content, today)
            if content is not None
            else verify_code(session, subject, today)
        )
    _show(found, as_json)
    raise SystemExit(0 if found.good else 1)


def _show(found: Verified, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False))
        return
    click.echo(STANDINGS_ES[found.standing.value])
    if found.unchanged is not None:
        click.echo(UNCHANGED if found.unchanged else CHANGED)
    for name, value in found.facts().items():
        click.echo(f"{name}: {value}")
