"""Writing a filing into the register: its row, its workers, and the ticket that it is.

In: what a filing looks like as a ticket. Not in: whether it may be registered, and what is issued (`issuing.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from helpdesk.certificates.application import Application, Fault, Worker
from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.fields import CATEGORIES_ES
from helpdesk.certificates.places import place
from helpdesk.certificates.plain import plain_words
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingKind, Source
from helpdesk.clock.working_calendar import WorkingCalendar
from helpdesk.desk.files import keep_contents
from helpdesk.desk.lifecycle import FilingState, TicketStatus
from helpdesk.desk.message import SNIPPET_CHARACTERS, Direction, Message
from helpdesk.desk.ticket import (
    FILINGS,
    Participant,
    Person,
    Requester,
    Ticket,
    close_numbers,
    find_or_add_requesters,
    link,
    open_numbers,
    record,
)
from helpdesk.desk.words import FILING_KINDS_ES
from helpdesk.settings import LIMA

if TYPE_CHECKING:
    from helpdesk.certificates.issuing import Submission

LINE = "foreigner"
# Whoever writes about a filing and is known by an address may join its ticket.
MOST_PARTICIPANTS = 50


def enter(
    session: Session,
    submission: Submission,
    observed: Sequence[Fault],
    calendar: WorkingCalendar,
    now: dt.datetime,
) -> Filing:
    """Write the filing, its workers, its contract and its ticket. Its state is observed until it is decided."""
    application, contract = submission.application, submission.contract
    keep_contents(session, {contract.sha256: contract.content})
    ticket = _open_ticket(session, submission, now)
    filing = Filing(
        ticket_id=ticket.id,
        kind=submission.kind.value,
        source=submission.source.value,
        state=FilingState.OBSERVED.value,
        follows_id=submission.follows.id if submission.follows else None,
        idempotency_key=submission.key,
        filed_at=now,
        counts_on=calendar.counts_on(now),
        observations=[asdict(fault) for fault in observed],
        request=submission.request,
    )
    filing.ticket = ticket
    declare(filing, application, contract)
    session.add(filing)
    session.flush()
    if submission.follows is not None:
        link(session, ticket, submission.follows.ticket, "follows", now=now)
    counted = "" if filing.counts_on == now.astimezone(LIMA).date() else "fuera de la hora de atención"
    record(session, ticket, "filed", now=now, why=counted, counts_on=filing.counts_on.isoformat())
    return filing


DECLARED = (
    *("category", "details", "employer_ruc", "employer_name", "employer_address", "employer_ubigeo"),
    *("employer_activity", "representative", "email", "phone", "contract_type", "signed", "starts", "ends"),
    *(
        "occupation",
        "workplace_address",
        "workplace_ubigeo",
        "pay",
        "currency",
        "hours_per_week",
        "declarations",
    ),
    *("contract_name", "contract_mime", "contract_sha256"),
)


def enter_later(
    session: Session,
    filing: Filing,
    kind: FilingKind,
    source: Source,
    request: str,
    calendar: WorkingCalendar,
    now: dt.datetime,
) -> Filing:
    """Write a filing that follows another one and issues nothing: it declares the same of the same contract."""
    numbers = open_numbers(session, now)
    ticket = Ticket(
        number=numbers.take(),
        channel=FILINGS,
        requester=filing.ticket.requester,
        subject=f"{FILING_KINDS_ES[kind.value]}: {filing.employer_name}",
        snippet=request[:SNIPPET_CHARACTERS],
        line=LINE,
        status=TicketStatus.OPEN.value,
        opened_at=now,
        waiting_since=now,
        updated_at=now,
    )
    session.add(ticket)
    close_numbers(session, numbers)
    session.flush()
    later = Filing(
        ticket_id=ticket.id,
        kind=kind.value,
        source=source.value,
        state=FilingState.OBSERVED.value,
        follows_id=filing.id,
        filed_at=now,
        counts_on=calendar.counts_on(now),
        observations=[],
        request=request,
        **{name: getattr(filing, name) for name in DECLARED},
    )
    later.ticket = ticket
    session.add(later)
    session.flush()
    link(session, ticket, filing.ticket, "follows", now=now)
    record(session, ticket, "filed", now=now, counts_on=later.counts_on.isoformat())
    return later


def declare(filing: Filing, application: Application, contract: ContractFile) -> None:
    """Put what was declared into the row; what was observed may be declared anew until it is decided."""
    for name, value in declared(application).items():
        setattr(filing, name, value)
    filing.contract_name, filing.contract_mime = contract.name, contract.type
    filing.contract_sha256 = contract.sha256
    filing.workers = [
        FiledWorker(**named(place, worker, application.employer.name))
        for place, worker in enumerate(application.workers, 1)
    ]


def declared(application: Application) -> dict[str, Any]:
    """What was declared, as the columns of a filing."""
    employer, terms = application.employer, application.contract
    return {
        "category": application.category,
        "details": dict(application.details),
        "employer_ruc": employer.ruc,
        "employer_name": employer.name,
        "employer_address": employer.address,
        "employer_ubigeo": employer.ubigeo,
        "employer_activity": employer.activity,
        "representative": dict(employer.representative),
        "email": employer.email,
        "phone": employer.phone,
        "contract_type": terms.type,
        "signed": terms.signed,
        "starts": terms.start,
        "ends": terms.end,
        "occupation": terms.occupation,
        "workplace_address": terms.workplace_address,
        "workplace_ubigeo": terms.workplace_ubigeo,
        "pay": terms.pay,
        "currency": terms.currency,
        "hours_per_week": terms.hours_per_week,
        "declarations": dict(application.declarations),
    }


def named(position: int, worker: Worker, employer: str) -> dict[str, Any]:
    """A person on a filing, as the columns of a row."""
    words = plain_words(f"{worker.given_names} {worker.surnames} {employer}")
    return {"position": position, "words": words, **{of: getattr(worker, of) for of in WORKER_COLUMNS}}


WORKER_COLUMNS = tuple(column.name for column in fields(Worker))


def _open_ticket(session: Session, submission: Submission, now: dt.datetime) -> Ticket:
    application = submission.application
    requester = _requester(session, application, now)
    numbers = open_numbers(session, now)
    ticket = Ticket(
        number=numbers.take(),
        channel=FILINGS,
        requester=requester,
        subject=subject(submission.kind, submission.application),
        line=LINE,
        topic=None,
        status=TicketStatus.OPEN.value,
        opened_at=now,
        waiting_since=now,
        updated_at=now,
    )
    session.add(ticket)
    close_numbers(session, numbers)
    session.flush()
    session.add(_message(ticket, submission, now))
    session.add_all(_participants(ticket, application, now))
    session.flush()
    return ticket


def _requester(session: Session, application: Application, now: dt.datetime) -> Requester:
    employer = application.employer
    person = Person(employer.email, employer.name, "es")
    return find_or_add_requesters(session, [person], now)[employer.email]


def _participants(ticket: Ticket, application: Application, now: dt.datetime) -> Iterable[Participant]:
    for address, name in others_concerned(application).items():
        yield Participant(ticket_id=ticket.id, address=address, name=name, added_at=now)


def others_concerned(application: Application) -> dict[str, str]:
    """Who may write to the ticket besides the employer: the names of its people by their addresses."""
    employer = application.employer.email
    found = {
        worker.email: f"{worker.given_names} {worker.surnames}"
        for worker in application.workers
        if worker.email and worker.email != employer
    }
    return dict(list(found.items())[:MOST_PARTICIPANTS])


def subject(kind: FilingKind, application: Application) -> str:
    """What the ticket is called."""
    what, people = FILING_KINDS_ES[kind.value], len(application.workers)
    counted = f"{people} persona{'s' if people > 1 else ''}"
    return f"{what}: {application.employer.name} ({counted})"


def in_words(kind: FilingKind, application: Application, asked: str = "") -> str:
    """What was filed: the beginning of the talk, so that a mail about it has something to answer."""
    employer, terms = application.employer, application.contract
    lines = [
        f"{FILING_KINDS_ES[kind.value]} presentada por {employer.name}, RUC {employer.ruc}.",
        f"Categoría: {CATEGORIES_ES[application.category]}.",
        f"Ocupación: {terms.occupation}, en {place(terms.workplace_ubigeo)}.",
        f"Personas: {', '.join(f'{worker.given_names} {worker.surnames}' for worker in application.workers)}.",
        *([f"Qué pide: {asked}"] if asked else []),
    ]
    return "\n".join(lines)


def _message(ticket: Ticket, submission: Submission, now: dt.datetime) -> Message:
    employer = submission.application.employer
    text = in_words(submission.kind, submission.application, submission.request)
    return Message(
        ticket_id=ticket.id,
        direction=Direction.INBOUND.value,
        sender_name=employer.name,
        sender_address=employer.email,
        subject=ticket.subject,
        text=text,
        new_text=text,
        written_at=now,
        at=now,
    )


def issued_in_words(numbers: Sequence[str]) -> str:
    """What came of the filing, for a list."""
    return f"Emitida: {', '.join(numbers)}"[:SNIPPET_CHARACTERS]


def describe(filing: Filing, issued: Sequence[Constancia]) -> None:
    """Say in the queue what came of the filing."""
    numbers = [constancia.number for constancia in issued]
    kind = FILING_KINDS_ES[FilingKind(filing.kind).value]
    filing.ticket.snippet = issued_in_words(numbers) if numbers else kind[:SNIPPET_CHARACTERS]
