"""The register as people search it: which constancias there are, and which filings have none (yet).

In: the search, one page of rows, every row for an export. Not in: what one filing says (its own page), the noting of
looks (`looks.py`), the public's verification (`verifying.py`).
A page is found in two steps: the keys of its rows in their order, then what is shown of those fifty. Words are looked
up first in their own index, because nothing tells PostgreSQL beforehand whether a name is rare or common.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    SQLColumnExpression,
    any_,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from helpdesk.certificates.codes import read_code
from helpdesk.certificates.identity import WORKER_DOCUMENTS, is_ruc, plain, written
from helpdesk.certificates.plain import plain_words
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, Standing
from helpdesk.desk.lifecycle import ConstanciaState, FilingState
from helpdesk.desk.ticket import Ticket
from helpdesk.settings import LIMA

PAGE_SIZE = 50
DAY = dt.timedelta(days=1)
MOST_WORDS = 12
# Up to so many people of a name are sorted by date; a name that more people have is met soon on a walk by date.
MOST_NAMED = 5_000
TICKET_NUMBER = re.compile(r"#?(PI-\d{4}-\d{6,})")
# The first fifty rows in an order: parallel workers only run ahead of what is asked for (ten times as long).
_ALONE = text("set local max_parallel_workers_per_gather = 0")
_SIMPLE: ColumnElement[str] = literal_column("'simple'::regconfig")

# A filing and a person on it.
Key = tuple[int, int | None]
Keys = Select[int, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; its fields are the page's address, so that a search can be kept as a link.

    `text` is words of the person's or the employer's name (their beginnings will do), or the whole of a number:
    document, RUC, constancia, code, ticket. Days are in Lima, both included: of issue, or of filing where nothing was
    issued. Without a state only constancias are found, but for a ticket's number: that is one filing, however it
    stands.
    """

    text: str = ""
    issued_from: dt.date | None = None
    issued_until: dt.date | None = None
    nationality: str | None = None
    category: str | None = None
    standing: Standing | None = None
    state: FilingState | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A person on a filing and the constancia that came of it. An end and a duplicate name no person."""

    filing: Filing
    worker: FiledWorker | None
    constancia: Constancia | None
    ticket_number: str

    @property
    def sealing(self) -> bool:
        """Whether the document has its number, and not yet its seal: nobody has it."""
        return self.constancia is not None and self.constancia.state == ConstanciaState.SEALING.value

    @property
    def at(self) -> dt.datetime:
        """When it was issued, or else filed."""
        return self.constancia.issued_at if self.constancia else self.filing.filed_at


@dataclass(frozen=True, slots=True)
class RegistryPage:
    """One page of rows; `more` says whether there is a next one."""

    rows: list[Row]
    more: bool


def registry_page(session: Session, wanted: Search, today: dt.date) -> RegistryPage:
    """What a search finds, the newest first; `today` (Lima) tells what has expired."""
    start = (max(wanted.page, 1) - 1) * PAGE_SIZE
    query = _keys(session, wanted, today).offset(start).limit(PAGE_SIZE + 1)
    keys = [(row[0], row[1]) for row in session.execute(query)]
    return RegistryPage(rows_of(session, keys[:PAGE_SIZE]), len(keys) > PAGE_SIZE)


def all_keys(session: Session, wanted: Search, today: dt.date) -> list[Key]:
    """The rows of every page of a search."""
    return [(row[0], row[1]) for row in session.execute(_keys(session, wanted, today))]


def rows_of(session: Session, keys: Sequence[Key]) -> list[Row]:
    """The rows of some keys, in their order."""
    query = (
        select(Filing, FiledWorker, Constancia, Ticket.number)
        .join(Ticket, Ticket.id == Filing.ticket_id)
        .outerjoin(FiledWorker, FiledWorker.filing_id == Filing.id)
        .outerjoin(Constancia, Constancia.worker_id == FiledWorker.id)
        .where(_among(Filing.id, {filing_id for filing_id, _ in keys}))
    )
    found: dict[Key, Row] = {}
    for filing, worker, constancia, number in session.execute(query) if keys else ():
        found[filing.id, worker.id if worker else None] = Row(filing, worker, constancia, number)
    return [found[key] for key in keys if key in found]


def _keys(session: Session, wanted: Search, today: dt.date) -> Keys:
    session.execute(_ALONE)
    said = " ".join(wanted.text.replace("\x00", " ").split())
    number, employer = TICKET_NUMBER.fullmatch(said.upper()), plain(said)
    conditions = _chosen(wanted, today)
    if number:
        ticket = select(Ticket.id).where(Ticket.number == number[1])
        conditions.append(Filing.ticket_id == ticket.scalar_subquery())
    elif is_ruc(employer):
        conditions.append(Filing.employer_ruc == employer)
    elif said:
        conditions.append(_says(session, said))
    if wanted.state is None and not number:
        return _issued(wanted, of_filings=wanted.category is not None or is_ruc(employer)).where(*conditions)
    return _of_filings(wanted).where(*conditions)


def _issued(wanted: Search, *, of_filings: bool) -> Keys:
    """Constancias by their issue. What no condition is about is not joined: a far page is a walk along one index."""
    query = (
        select(FiledWorker.filing_id, FiledWorker.id)
        .select_from(Constancia)
        .join(FiledWorker, FiledWorker.id == Constancia.worker_id)
        .where(*_between(Constancia.issued_at, wanted))
    )
    if of_filings:
        query = query.join(Filing, Filing.id == FiledWorker.filing_id)
    return query.order_by(Constancia.issued_at.desc(), Constancia.id.desc())


def _of_filings(wanted: Search) -> Keys:
    """Filings by their day, whether anything was issued or not."""
    query = (
        select(Filing.id, FiledWorker.id)
        .select_from(Filing)
        .outerjoin(FiledWorker, FiledWorker.filing_id == Filing.id)
        .outerjoin(Constancia, Constancia.worker_id == FiledWorker.id)
        .where(*_between(func.coalesce(Constancia.issued_at, Filing.filed_at), wanted))
    )
    return query.order_by(Filing.filed_at.desc(), Filing.id.desc(), FiledWorker.position)


def _chosen(wanted: Search, today: dt.date) -> list[ColumnElement[bool]]:
    """What was chosen from lists."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.nationality is not None:
        conditions.append(FiledWorker.nationality == wanted.nationality)
    if wanted.category is not None:
        conditions.append(Filing.category == wanted.category)
    if wanted.standing is not None:
        conditions.append(_stands(wanted.standing, today))
    if wanted.state is not None:
        conditions.append(Filing.state == wanted.state.value)
    return conditions


def _between(at: SQLColumnExpression[dt.datetime], wanted: Search) -> list[ColumnElement[bool]]:
    conditions = []
    if wanted.issued_from is not None:
        conditions.append(at >= _midnight(wanted.issued_from))
    if wanted.issued_until is not None:
        conditions.append(at < _midnight(wanted.issued_until) + DAY)
    return conditions


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), LIMA)


def _stands(standing: Standing, today: dt.date) -> ColumnElement[bool]:
    """`Constancia.standing` as a condition."""
    valid = Constancia.state == ConstanciaState.VALID.value
    if standing is Standing.IN_FORCE:
        return valid & or_(Constancia.valid_until.is_(None), Constancia.valid_until >= today)
    if standing is Standing.EXPIRED:
        return valid & (Constancia.valid_until < today)
    states = {Standing.REPLACED: ConstanciaState.REPLACED, Standing.ANNULLED: ConstanciaState.ANNULLED}
    return Constancia.state == states.get(standing, ConstanciaState.SEALING).value


def _says(session: Session, said: str) -> ColumnElement[bool]:
    """The condition of a text that is neither a ticket's number nor a RUC."""
    numbered = Constancia.number.in_({said, said.upper()}) | (Constancia.code == read_code(said))
    documents = {written(kind, said) for kind in WORKER_DOCUMENTS}
    lookups = [
        select(Constancia.worker_id).where(numbered),
        select(FiledWorker.id).where(FiledWorker.document_number.in_(documents)),
    ]
    words = plain_words(said).split()[:MOST_WORDS]
    if words:
        lookups.append(select(FiledWorker.id).where(_named(words)))
    found = session.scalars(union_all(*lookups).limit(MOST_NAMED + 1)).all()
    return _named(words) if len(found) > MOST_NAMED else _among(FiledWorker.id, set(found))


def _named(words: Sequence[str]) -> ColumnElement[bool]:
    """Whether every word begins one of the names. `plain_words` leaves letters and figures: none is an operator."""
    query = func.to_tsquery(_SIMPLE, " & ".join(f"'{word}':*" for word in words))
    vector: ColumnElement[str] = func.to_tsvector(_SIMPLE, FiledWorker.words)
    return vector.bool_op("@@")(query)


def _among(column: InstrumentedAttribute[int], ids: set[int]) -> ColumnElement[bool]:
    return column == any_(literal(sorted(ids), ARRAY(BigInteger)))
