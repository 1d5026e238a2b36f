"""Rows of the old register as filings: what belongs together, and whether it may be brought in.

The rules of the form are applied as they would have been on the day of issue, so that an old contract is not over.
What keeps a filing from being registered is a fault of its row; what a person would have looked at is a warning. No
file of the contract is asked for, and nothing was declared by ticking a box. No database.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from helpdesk.certificates import fields
from helpdesk.certificates.application import Application, Fault, read_application
from helpdesk.certificates.checks import Known
from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.fields import EARLIEST, Field, Wrong
from helpdesk.certificates.register_file import (
    COLUMNS,
    CONTRACT_FILE,
    FILING,
    ISSUED,
    NUMBER,
    Line,
    RowFault,
    read_instant,
    read_table,
)
from helpdesk.certificates.rules import OBSERVING, REJECTING, broken
from helpdesk.desk.words import N_
from helpdesk.settings import LIMA

# A file that is named in a row: its content, or what is wrong with it.
ReadContract = Callable[[str], ContractFile | Fault]
Report = Callable[[int, int], None]

OURS = re.compile(r"CTMA-(\d{4})-\d+", re.ASCII)
REPORT_EVERY = 200
_NUMBER = Field(NUMBER, N_("Número"), longest=60)
_OF_WORKER = re.compile(r"workers\[(\d+)\]\.(.+)")
# What the form asks people to declare by ticking a box. The past was asked otherwise: nothing of it is kept.
_DECLARED = {asked.name: True for asked in fields.DECLARATIONS}


@dataclass(frozen=True, slots=True)
class PastContract:
    """The file of a contract as the register will name it; its content is read again when it is stored."""

    name: str
    type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PastFiling:
    """A filing of the past: a number for each person on it, in the order of the rows."""

    rows: tuple[int, ...]
    numbers: tuple[str, ...]
    issued: dt.datetime
    application: Application
    contract_file: str | None = None
    contract: PastContract | None = None

    @property
    def issued_on(self) -> dt.date:
        """The day in Lima."""
        return self.issued.astimezone(LIMA).date()


@dataclass(slots=True)
class Checked:
    """What a file holds. With faults, nothing of it is brought in."""

    rows: int = 0
    filings: list[PastFiling] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    warnings: list[RowFault] = field(default_factory=list)


def silent(_done: int, _total: int) -> None:
    """The report of somebody who is not watching."""


def check_file(
    content: bytes, read_contract: ReadContract, now: dt.datetime, report: Report = silent
) -> Checked:
    """Read a file and check every row of it. Never raises: whatever is wrong with the file is a fault of a row."""
    table = read_table(content)
    checked = Checked(len(table.lines), faults=table.faults)
    seen: dict[str, int] = {}
    done = 0
    for lines in _groups(table.lines):
        _check(lines, seen, read_contract, now, checked)
        done += len(lines)
        if done % REPORT_EVERY < len(lines):
            report(done, checked.rows)
    checked.faults.sort(key=lambda fault: fault.row)
    checked.warnings.sort(key=lambda fault: fault.row)
    return checked


def _groups(lines: Iterable[Line]) -> list[list[Line]]:
    """Rows with an equal mark are one filing, wherever they stand; a row without one is one by itself."""
    groups: dict[object, list[Line]] = {}
    for line in lines:
        mark = line.cells.get(FILING)
        groups.setdefault(("row", line.row) if mark is None else ("mark", mark), []).append(line)
    return list(groups.values())


def _check(
    lines: Sequence[Line],
    seen: dict[str, int],
    read_contract: ReadContract,
    now: dt.datetime,
    checked: Checked,
) -> None:
    rows = tuple(line.row for line in lines)
    faults = [fault for line in lines for fault in _differences(lines[0], line)]
    numbers = [_number(line, seen, now, faults) for line in lines]
    issued = _issued(lines[0], now, faults)
    reading = read_application(_tree(lines))
    faults += of_rows(rows, reading.faults)
    contract = _contract(lines[0], read_contract, faults)
    application = reading.application
    if application is not None and issued is not None:
        known = Known(issued.astimezone(LIMA).date())
        faults += of_rows(rows, broken(REJECTING, application, known))
        checked.warnings += of_rows(rows, broken(OBSERVING, application, known))
        if not faults:
            checked.filings.append(
                PastFiling(
                    rows,
                    tuple(numbers),
                    issued,
                    replace(application, declarations={}),
                    lines[0].cells.get(CONTRACT_FILE),
                    contract,
                )
            )
    checked.faults += faults


def _tree(lines: Sequence[Line]) -> dict[str, Any]:
    """What the rows of a filing say, as the tree that a file of the desk is."""
    tree: dict[str, Any] = {"workers": [], "declarations": _DECLARED}
    for name, value in lines[0].cells.items():
        if name in COLUMNS:
            *nodes, leaf = COLUMNS[name][0]
            at = tree
            for node in nodes:
                at = at.setdefault(node, {})
            at[leaf] = value
    tree.pop("worker", None)
    for line in lines:
        of_worker = ((COLUMNS[name][0], value) for name, value in line.cells.items() if name in COLUMNS)
        tree["workers"].append({path[1]: value for path, value in of_worker if path[0] == "worker"})
    return tree


def _differences(first: Line, line: Line) -> Iterable[RowFault]:
    """A filing has one employer and one contract: its rows differ in the person and the number only."""
    for name in sorted(first.cells.keys() | line.cells.keys()):
        of_person = name == NUMBER or (name in COLUMNS and COLUMNS[name][0][0] == "worker")
        if not of_person and first.cells.get(name) != line.cells.get(name):
            words = N_("No es igual que en la fila %(row)s, que es de la misma solicitud.")
            yield RowFault(line.row, name, "filing_differs", words % {"row": first.row})


def _number(line: Line, seen: dict[str, int], now: dt.datetime, faults: list[RowFault]) -> str:
    def blame(rule: str, message: str) -> None:
        faults.append(RowFault(line.row, NUMBER, rule, message))

    try:
        number = str(_NUMBER.read(line.cells.get(NUMBER)))
    except Wrong as wrong:
        blame(wrong.rule, str(wrong))
        return ""
    ours = OURS.fullmatch(number.upper())
    if ours and int(ours[1]) >= now.astimezone(LIMA).year:
        blame(
            "number_reserved",
            N_("Ese número es de los que la mesa emitirá: aquí van los del registro anterior."),
        )
    if number in seen:
        blame("number_twice", N_("El número ya está en la fila %(row)s.") % {"row": seen[number]})
    seen.setdefault(number, line.row)
    return number


def _issued(line: Line, now: dt.datetime, faults: list[RowFault]) -> dt.datetime | None:
    value = line.cells.get(ISSUED)
    issued = read_instant(str(value)) if value is not None else None
    if issued is None or not EARLIEST.year < issued.year:
        words = N_("Escriba la fecha de emisión, con hora o sin ella: 2011-03-15 o 15/03/2011 10:30.")
        faults.append(RowFault(line.row, ISSUED, "required" if value is None else "date", words))
        return None
    if issued > now:
        words = N_("La fecha de emisión no puede ser posterior a hoy.")
        faults.append(RowFault(line.row, ISSUED, "issued_later", words))
        return None
    return issued


def _contract(line: Line, read_contract: ReadContract, faults: list[RowFault]) -> PastContract | None:
    name = line.cells.get(CONTRACT_FILE)
    if name is None:
        return None
    read = read_contract(name)
    if isinstance(read, Fault):
        faults.append(RowFault(line.row, CONTRACT_FILE, read.rule, read.message))
        return None
    return PastContract(read.name, read.type, read.sha256)


def of_rows(rows: Sequence[int], faults: Iterable[Fault]) -> list[RowFault]:
    """Faults of a tree's keys as faults of rows and columns; `rows` are those of its people, in their order."""
    return [RowFault(*_place(rows, fault.key), fault.rule, fault.message) for fault in faults]


def _place(rows: Sequence[int], key: str) -> tuple[int, str]:
    if of_worker := _OF_WORKER.fullmatch(key):
        return rows[int(of_worker[1])], f"worker_{of_worker[2]}"
    return rows[0], FILING if key == "workers" else key.replace(".", "_")
