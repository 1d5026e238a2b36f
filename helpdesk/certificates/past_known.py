"""What of a file of the past is in the register already: the same is passed over, something else is a fault.

So the same file may be brought as often as one likes, and a file that grew brings what is new.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ARRAY, Text, any_, func, literal, select
from sqlalchemy.orm import Session

from helpdesk.certificates.checks import Document, Known
from helpdesk.certificates.past_filings import PastFiling, Report, of_rows, silent
from helpdesk.certificates.records import FORGOTTEN, Constancia, FiledWorker, Filing, Source
from helpdesk.certificates.register import WORKER_COLUMNS, declared
from helpdesk.certificates.register_file import CONTRACT_FILE, FILING, ISSUED, NUMBER, RowFault
from helpdesk.certificates.rules import RULES, broken
from helpdesk.desk.lifecycle import ConstanciaState
from helpdesk.desk.words import N_

BATCH = 500
_ALREADY_IN_FORCE = [rule for rule in RULES if rule.name == "already_in_force"]
# How the file calls what the register calls otherwise.
_COLUMN_OF = {
    "details": "category_details",
    "representative": "employer_representative",
    "email": "employer_email",
    "phone": "employer_phone",
    "starts": "contract_start",
    "ends": "contract_end",
    "contract_sha256": CONTRACT_FILE,
    **{
        name: f"contract_{name}"
        for name in (
            *("signed", "occupation", "workplace_address", "workplace_ubigeo"),
            *("pay", "currency", "hours_per_week"),
        )
    },
}
# From when until when a person has which constancia.
Span = tuple[dt.date, dt.date | None, str]


@dataclass(slots=True)
class Compared:
    """What is new, oldest first, and how many constancias are there already."""

    new: list[PastFiling] = field(default_factory=list)
    known: int = 0
    faults: list[RowFault] = field(default_factory=list)
    warnings: list[RowFault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A constancia that is there; `people` is how many are on its filing."""

    constancia: Constancia
    worker: FiledWorker
    filing: Filing
    people: int


def compare(session: Session, filings: Iterable[PastFiling], report: Report = silent) -> Compared:
    """Look every number up, and who has a constancia in force for the same days."""
    compared = Compared()
    met: defaultdict[Document, list[Span]] = defaultdict(list)
    oldest_first = sorted(filings, key=lambda past: (past.issued, past.rows))
    for start in range(0, len(oldest_first), BATCH):
        batch = oldest_first[start : start + BATCH]
        stored = _stored(session, [number for past in batch for number in past.numbers])
        new = [past for past in batch if not _is_known(past, stored, compared)]
        _warn(session, new, met, compared)
        compared.new += new
        report(start + len(batch), len(oldest_first))
    return compared


def _stored(session: Session, numbers: Sequence[str]) -> dict[str, _Stored]:
    query = (
        select(Constancia, FiledWorker, Filing)
        .join(FiledWorker, FiledWorker.id == Constancia.worker_id)
        .join(Filing, Filing.id == FiledWorker.filing_id)
        .where(Constancia.number == any_(literal(numbers, ARRAY(Text))))
    )
    found = session.execute(query).all()
    of_filings = FiledWorker.filing_id.in_({filing.id for _, _, filing in found})
    counted = select(FiledWorker.filing_id, func.count()).where(of_filings).group_by(FiledWorker.filing_id)
    people = {row[0]: row[1] for row in session.execute(counted)} if found else {}
    return {row.number: _Stored(row, worker, filing, people[filing.id]) for row, worker, filing in found}


def _is_known(past: PastFiling, stored: Mapping[str, _Stored], compared: Compared) -> bool:
    """Whether some of it is there. What is there with another content is noted as a fault."""
    there = [stored[number] for number in past.numbers if number in stored]
    if not there:
        return False
    if any(row.filing.source != Source.IMPORT.value for row in there):
        words = N_("Ese número lo emitió esta mesa: no es del registro anterior.")
        compared.faults.append(RowFault(past.rows[0], NUMBER, "number_taken", words))
    elif (
        len(there) < len(past.numbers)
        or len({row.filing.id for row in there}) > 1
        or there[0].people > len(there)
    ):
        words = N_("La solicitud ya está en el registro con otras personas.")
        compared.faults.append(RowFault(past.rows[0], FILING, "filing_taken", words))
    elif faults := list(_differences(past, there)):
        compared.faults += faults
    else:
        compared.known += len(there)
    return True


def _differences(past: PastFiling, there: Sequence[_Stored]) -> Iterator[RowFault]:
    """Where the register says something else. Whom it has forgotten it cannot compare, and does not learn anew."""
    if there[0].filing.employer_address == FORGOTTEN:
        return
    words = N_("El número ya está en el registro, y aquí con otro dato.")
    wanted = declared(past.application) | {"contract_sha256": past.contract and past.contract.sha256}
    for name, value in wanted.items():
        if getattr(there[0].filing, name) != value:
            yield RowFault(past.rows[0], _COLUMN_OF.get(name, name), "number_taken", words)
    for row, stored, worker in zip(past.rows, there, past.application.workers, strict=True):
        if stored.constancia.issued_at != past.issued:
            yield RowFault(row, ISSUED, "number_taken", words)
        for name in WORKER_COLUMNS:
            if getattr(stored.worker, name) != getattr(worker, name):
                yield RowFault(row, f"worker_{name}", "number_taken", words)


def _warn(
    session: Session,
    new: Sequence[PastFiling],
    met: defaultdict[Document, list[Span]],
    compared: Compared,
) -> None:
    """Note whose constancia another one covers: of the register, or of an earlier one of the file."""
    before = _spans(session, {worker.document_number for past in new for worker in past.application.workers})
    for past in new:
        contract = past.application.contract
        in_force: dict[Document, tuple[str, ...]] = {}
        for worker in past.application.workers:
            spans = [*before[worker.document], *met[worker.document]]
            in_force[worker.document] = tuple(_overlapping(spans, contract.start, contract.end))
        known = Known(past.issued_on, in_force)
        compared.warnings += of_rows(past.rows, broken(_ALREADY_IN_FORCE, past.application, known))
        for worker, number in zip(past.application.workers, past.numbers, strict=True):
            met[worker.document].append((contract.start, contract.end, number))


def _spans(session: Session, documents: set[str]) -> defaultdict[Document, list[Span]]:
    """The constancias that the register knows of some documents."""
    columns = (FiledWorker.nationality, FiledWorker.document_type, FiledWorker.document_number)
    query = (
        select(*columns, Constancia.valid_from, Constancia.valid_until, Constancia.number)
        .join(Constancia, Constancia.worker_id == FiledWorker.id)
        .where(
            FiledWorker.document_number == any_(literal(sorted(documents), ARRAY(Text))),
            Constancia.state.in_([ConstanciaState.VALID.value, ConstanciaState.SEALING.value]),
        )
    )
    found: defaultdict[Document, list[Span]] = defaultdict(list)
    for nationality, kind, document, begins, ends, number in session.execute(query):
        found[nationality, kind, document].append((begins, ends, number))
    return found


def _overlapping(spans: Iterable[Span], start: dt.date, end: dt.date | None) -> Iterator[str]:
    for begins, ends, number in spans:
        if (ends is None or ends >= start) and (end is None or begins <= end):
            yield number
