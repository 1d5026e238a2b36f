"""The register of past years, brought into this one: each number once, all of a file or nothing of it.

In: writing what is new. Not in: reading and checking the rows (`register_file.py`, `past_filings.py`), what is there
already (`past_known.py`). Nothing is issued and nobody is written to: each filing becomes a closed ticket of its year,
and is found, followed and counted like any other.
What is written goes in batches, oldest first, all in the caller's transaction: the numbers of this year's tickets,
for which new mail would have to wait, are taken last and held shortest.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.past_filings import PastFiling, ReadContract, Report, silent
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingKind, Source
from helpdesk.certificates.register import (
    LINE,
    declared,
    in_words,
    issued_in_words,
    named,
    others_concerned,
    subject,
)
from helpdesk.db import JSON, Base
from helpdesk.desk.files import keep_contents
from helpdesk.desk.lifecycle import ConstanciaState, FilingState, TicketStatus
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.ticket import (
    FILINGS,
    Event,
    Numbers,
    Participant,
    Person,
    Ticket,
    close_numbers,
    find_or_add_requesters,
    open_numbers,
)
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA

BATCH = 500
# One import writes at a time.
_IMPORTING = 7263505
_REGISTRATION = FilingKind.REGISTRATION


def begin_import(session: Session) -> None:
    """Keep other imports out until the commit. Raises NotAllowed while one is running."""
    if not session.scalar(select(func.pg_try_advisory_xact_lock(_IMPORTING))):
        raise NotAllowed("Otra importación está en marcha: espere a que termine.")


def write(
    session: Session,
    filings: Sequence[PastFiling],
    read_contract: ReadContract,
    now: dt.datetime,
    report: Report = silent,
) -> None:
    """Write filings, given oldest first. Raises NotAllowed when a contract's file is another one than was checked."""
    requesters = _requesters(session, filings, now)
    numbers: Numbers | None = None
    for start in range(0, len(filings), BATCH):
        batch = filings[start : start + BATCH]
        tickets = []
        for past in batch:
            if numbers is None or numbers.year != past.issued_on.year:
                if numbers is not None:
                    close_numbers(session, numbers)
                numbers = open_numbers(session, past.issued)
            tickets.append(_ticket(past, numbers.take(), requesters[past.application.employer.email]))
        _write_batch(session, batch, tickets, read_contract, now)
        report(start + len(batch), len(filings))
    if numbers is not None:
        close_numbers(session, numbers)


def _requesters(session: Session, filings: Sequence[PastFiling], now: dt.datetime) -> dict[str, int]:
    """Who filed, by address, in the order of the addresses (two writers never wait for each other in a ring)."""
    names = {past.application.employer.email: past.application.employer.name for past in filings}
    addresses = sorted(names)
    found: dict[str, int] = {}
    for start in range(0, len(addresses), BATCH):
        people = [Person(address, names[address], "es") for address in addresses[start : start + BATCH]]
        kept = find_or_add_requesters(session, people, now)
        found |= {address: requester.id for address, requester in kept.items()}
    return found


def _write_batch(
    session: Session,
    batch: Sequence[PastFiling],
    tickets: list[JSON],
    read_contract: ReadContract,
    now: dt.datetime,
) -> None:
    keep_contents(session, dict(_contents(batch, read_contract)))
    rows: dict[type[Base], list[JSON]] = {
        table: [] for table in (Ticket, Message, Participant, Filing, FiledWorker, Constancia, Event)
    }
    of_tickets, of_filings = _new_ids(session, Ticket, len(batch)), _new_ids(session, Filing, len(batch))
    of_people = _new_ids(session, FiledWorker, sum(len(past.numbers) for past in batch))
    for past, ticket in zip(batch, tickets, strict=True):
        ticket_id, filing_id = next(of_tickets), next(of_filings)
        rows[Ticket].append({"id": ticket_id, **ticket})
        rows[Message].append(_message(past, ticket_id, ticket["subject"]))
        rows[Participant] += _participants(past, ticket_id)
        rows[Filing].append({"id": filing_id, **_filing(past, ticket_id)})
        rows[Event] += _events(past, ticket_id, now)
        for person, number in zip(_people(past, filing_id), past.numbers, strict=True):
            worker_id = next(of_people)
            rows[FiledWorker].append({"id": worker_id, **person})
            rows[Constancia].append(_constancia(past, number, worker_id))
    for table, values in rows.items():
        if values:
            session.execute(insert(table), values)


def _new_ids(session: Session, table: type[Base], count: int) -> Iterator[int]:
    """Ids of rows to come. With them known, each row is one short prepared statement: twice as fast."""
    sequence = func.pg_get_serial_sequence(table.__tablename__, "id")
    query = select(func.nextval(sequence)).select_from(func.generate_series(1, count))
    return iter(session.scalars(query).all())


def _contents(batch: Iterable[PastFiling], read_contract: ReadContract) -> Iterable[tuple[str, bytes]]:
    for past in batch:
        if past.contract is None or past.contract_file is None:
            continue
        read = read_contract(past.contract_file)
        if not isinstance(read, ContractFile) or read.sha256 != past.contract.sha256:
            raise NotAllowed(
                f"El archivo del contrato de la fila {past.rows[0]} cambió mientras se importaba."
            )
        yield read.sha256, read.content


def _ticket(past: PastFiling, number: str, requester_id: int) -> JSON:
    instants = dict.fromkeys(("opened_at", "waiting_since", "updated_at", "closed_at"), past.issued)
    return {
        "number": number,
        "channel": FILINGS,
        "requester_id": requester_id,
        "subject": subject(_REGISTRATION, past.application),
        "snippet": issued_in_words(past.numbers),
        "line": LINE,
        "status": TicketStatus.CLOSED.value,
        **instants,
    }


def _message(past: PastFiling, ticket_id: int, of: str) -> JSON:
    employer = past.application.employer
    text = in_words(_REGISTRATION, past.application)
    return {
        "ticket_id": ticket_id,
        "direction": Direction.INBOUND.value,
        "sender_name": employer.name,
        "sender_address": employer.email,
        "subject": of,
        "text": text,
        "new_text": text,
        "written_at": past.issued,
        "at": past.issued,
    }


def _participants(past: PastFiling, ticket_id: int) -> Iterable[JSON]:
    for address, name in others_concerned(past.application).items():
        yield {"ticket_id": ticket_id, "address": address, "name": name, "added_at": past.issued}


def _filing(past: PastFiling, ticket_id: int) -> JSON:
    contract = past.contract
    return {
        "ticket_id": ticket_id,
        "kind": _REGISTRATION.value,
        "source": Source.IMPORT.value,
        "state": FilingState.REGISTERED.value,
        **declared(past.application),
        "contract_name": contract.name if contract else None,
        "contract_mime": contract.type if contract else None,
        "contract_sha256": contract.sha256 if contract else None,
        "filed_at": past.issued,
        "counts_on": past.issued_on,
        "observations": [],
        "decided_at": past.issued,
    }


def _people(past: PastFiling, filing_id: int) -> Iterable[JSON]:
    employer = past.application.employer.name
    for position, worker in enumerate(past.application.workers, 1):
        yield {"filing_id": filing_id, **named(position, worker, employer)}


def _constancia(past: PastFiling, number: str, worker_id: int) -> JSON:
    return {
        "worker_id": worker_id,
        "number": number,
        "year": past.issued_on.year,
        "state": ConstanciaState.VALID.value,
        "issued_at": past.issued,
        "valid_from": past.application.contract.start,
        "valid_until": past.application.contract.end,
    }


def _events(past: PastFiling, ticket_id: int, now: dt.datetime) -> Iterable[JSON]:
    brought = f"del registro anterior; se trajo el {now.astimezone(LIMA):%d/%m/%Y}"
    told: list[tuple[str, str, dict[str, Any]]] = [
        ("filed", brought, {"counts_on": past.issued_on.isoformat()})
    ]
    told += [("constancia_issued", "", {"number": number}) for number in past.numbers]
    for kind, why, detail in told:
        yield {"ticket_id": ticket_id, "at": past.issued, "kind": kind, "why": why, "detail": detail}
