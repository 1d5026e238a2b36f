"""The constancias that were issued in a period, counted as the ministry's quarterly report tabulated them.

Counted are those issued on the period's days (Lima) that stand today: in force, replaced or run out. Annulled ones and
those whose seal is not made yet are told apart and are in no table. Constancias are counted, not persons: whose
contract was extended in the period is there twice. In: the queries and what they found. Not in: how it is said
(`findings.py`), what of it may be published (`published.py`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import CTE, Date, Integer, Interval, cast, func, literal, select, tuple_
from sqlalchemy import case as sql_case
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from helpdesk.certificates.fields import (
    CATEGORIES_ES,
    DOCUMENTS_ES,
    MARITAL_STATUSES_ES,
    NATIONALITIES_ES,
    SEXES_ES,
)
from helpdesk.certificates.places import department
from helpdesk.certificates.plain import plain_words
from helpdesk.certificates.records import Constancia, FiledWorker, Filing
from helpdesk.desk.lifecycle import ConstanciaState
from helpdesk.desk.words import N_
from helpdesk.reports.quarters import Period
from helpdesk.settings import LIMA

COUNTED = (ConstanciaState.VALID.value, ConstanciaState.REPLACED.value)
# Of what people wrote in their own words, so many groups are named; the others are one.
MOST_NAMED = 15
OTHERS = "others"
OTHERS_ES = {"occupation": N_("Otras ocupaciones"), "activity": N_("Otras actividades")}

AGES_FROM = (18, 25, 35, 45, 55, 65)
AGES_ES = {
    "0": N_("Menos de 18 años"),
    "1": N_("18 a 24 años"),
    "2": N_("25 a 34 años"),
    "3": N_("35 a 44 años"),
    "4": N_("45 a 54 años"),
    "5": N_("55 a 64 años"),
    "6": N_("65 años o más"),
}
TERMS_ES = {
    "half": N_("Hasta 6 meses"),
    "year": N_("Más de 6 meses, hasta 1 año"),
    "two": N_("Más de 1 año, hasta 2 años"),
    "more": N_("Más de 2 años"),
    "open": N_("A plazo indeterminado"),
}
FIRST = "first"
STEPS_ES = {
    FIRST: N_("Primera constancia"),
    "extension": N_("Prórroga: reemplaza a otra"),
    "modification": N_("Modificación: reemplaza a otra"),
    "correction": N_("Corrección: reemplaza a otra"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One group of a breakdown."""

    key: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How the constancias divide by one thing. `head` names it. The rows have an order, and add up to `n`."""

    key: str
    head: str
    rows: tuple[Row, ...]

    @property
    def n(self) -> int:
        """How many were counted."""
        return sum(row.count for row in self.rows)

    def share(self, row: Row) -> float:
        """The part of all that a row is."""
        return row.count / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Crossing:
    """A breakdown by age for each nationality, all with the same groups of age."""

    key: str
    head: str
    parts: tuple[Breakdown, ...]

    @property
    def n(self) -> int:
        """How many were counted."""
        return sum(part.n for part in self.parts)

    @property
    def rows(self) -> list[tuple[Row, ...]]:
        """For each group of age, the row of each nationality."""
        return list(zip(*(part.rows for part in self.parts), strict=True))


@dataclass(frozen=True, slots=True)
class Totals:
    """What was issued in the period, and what of it is in no table. `people`: different ones, by their document."""

    people: int
    annulled: int
    sealing: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about a period, as it stood at a moment."""

    period: Period
    made_at: dt.datetime
    totals: Totals
    tables: tuple[Breakdown | Crossing, ...]

    @property
    def n(self) -> int:
        """How many constancias the tables count."""
        return self.tables[0].n

    @property
    def unfinished(self) -> bool:
        """Whether more may still be issued in the period."""
        return self.made_at < self.period.ends

    def breakdown(self, key: str) -> Breakdown:
        """The breakdown of a name."""
        return next(table for table in self.tables if isinstance(table, Breakdown) and table.key == key)

    @property
    def first(self) -> int:
        """How many replace none."""
        return next(row.count for row in self.breakdown("step").rows if row.key == FIRST)


def constancia_report(session: Session, period: Period, *, now: dt.datetime) -> Report:
    """The report of a period. Two queries, however many constancias there are."""
    counts = _counts(session, period)
    return Report(period, now, _totals(session, period), _tables(counts))


def first_day_of_issue(session: Session) -> dt.date | None:
    """The day (Lima) of the oldest constancia."""
    issued_at = session.scalar(select(func.min(Constancia.issued_at)))
    return issued_at.astimezone(LIMA).date() if issued_at else None


def _day() -> ColumnElement[dt.date]:
    return cast(func.timezone("America/Lima", Constancia.issued_at), Date)


def _totals(session: Session, period: Period) -> Totals:
    def of(*states: str) -> ColumnElement[bool]:
        return Constancia.state.in_(states)

    person = tuple_(FiledWorker.nationality, FiledWorker.document_type, FiledWorker.document_number)
    query = (
        select(
            func.count(person.distinct()).filter(of(*COUNTED)),
            func.count().filter(of(ConstanciaState.ANNULLED.value)),
            func.count().filter(of(ConstanciaState.SEALING.value)),
        )
        .select_from(Constancia)
        .join(FiledWorker, FiledWorker.id == Constancia.worker_id)
        .where(Constancia.issued_at >= period.begins, Constancia.issued_at < period.ends)
    )
    return Totals(*session.execute(query).one())


Counts = Mapping[tuple[str, ...], Counter[tuple[str, ...]]]


def _counts(session: Session, period: Period) -> Counts:
    """Counts by the names of what they are grouped by: {("sex",): {("female",): 3}, …}; one scan for all of them."""
    issued = _issued(period)
    columns = list(issued.c)
    sets = [tuple_(column) for column in columns]
    sets.append(tuple_(issued.c.nationality, issued.c.age))
    query = select(*columns, func.count().label("n")).group_by(func.grouping_sets(*sets))
    found: defaultdict[tuple[str, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row in session.execute(query).mappings():
        # No column is ever null, so what is null here was not grouped by.
        grouped = {name: str(value) for name, value in row.items() if value is not None and name != "n"}
        found[tuple(grouped)][tuple(grouped.values())] += row["n"]
    return found


def _issued(period: Period) -> CTE:
    """One row for each constancia that counts, with what it is grouped by."""
    old = aliased(Constancia)
    replaces = select(literal(1)).where(old.replaced_by_id == Constancia.id).exists()
    age = cast(func.extract("year", func.age(_day(), FiledWorker.birth_date)), Integer)
    return (
        select(
            FiledWorker.nationality,
            FiledWorker.sex,
            func.width_bucket(age, cast(list(AGES_FROM), ARRAY(Integer))).label("age"),
            FiledWorker.marital_status,
            FiledWorker.document_type,
            Filing.category,
            Filing.occupation,
            func.left(Filing.workplace_ubigeo, 2).label("region"),
            Filing.employer_activity.label("activity"),
            _term().label("term"),
            sql_case((replaces, Filing.kind), else_=FIRST).label("step"),
        )
        .select_from(Constancia)
        .join(FiledWorker, FiledWorker.id == Constancia.worker_id)
        .join(Filing, Filing.id == FiledWorker.filing_id)
        .where(
            Constancia.issued_at >= period.begins,
            Constancia.issued_at < period.ends,
            Constancia.state.in_(COUNTED),
        )
        .cte("issued")
    )


def _term() -> ColumnElement[str]:
    """How long the contract is to last. From 1 January to 1 July is six months (Código Civil, 183)."""

    def within(length: str) -> ColumnElement[bool]:
        return Filing.ends <= Filing.starts + cast(literal(length), Interval)

    return sql_case(
        (Filing.ends.is_(None), "open"),
        (within("6 months"), "half"),
        (within("1 year"), "year"),
        (within("2 years"), "two"),
        else_="more",
    )


def _tables(counts: Counts) -> tuple[Breakdown | Crossing, ...]:
    def of(key: str) -> Counter[str]:
        return Counter({value: n for (value,), n in counts.get((key,), {}).items()})

    by_age = counts.get(("nationality", "age"), Counter())
    regions = {code: department(code) for code in of("region")}
    return (
        _by_size("nationality", N_("Nacionalidad"), NATIONALITIES_ES, of("nationality")),
        _by_size("sex", N_("Sexo"), SEXES_ES, of("sex")),
        _in_order("age", N_("Edad al emitirse"), AGES_ES, of("age")),
        Crossing("age_nationality", N_("Edad y nacionalidad"), tuple(_parts(by_age))),
        _by_size("marital_status", N_("Estado civil"), MARITAL_STATUSES_ES, of("marital_status")),
        _by_size("document_type", N_("Documento"), DOCUMENTS_ES, of("document_type")),
        _by_words("occupation", N_("Ocupación"), of("occupation")),
        _by_size("region", N_("Región del centro de trabajo"), regions, of("region")),
        _by_words("activity", N_("Actividad del empleador"), of("activity")),
        _in_order("term", N_("Duración del contrato"), TERMS_ES, of("term")),
        _by_size("category", N_("Categoría"), CATEGORIES_ES, of("category")),
        _in_order("step", N_("Trámite"), STEPS_ES, of("step")),
    )


def _in_order(key: str, head: str, labels: Mapping[str, str], counts: Mapping[str, int]) -> Breakdown:
    """Groups that have an order of their own; also those of which there are none. One without a label is not lost."""
    known = {**labels, **{name: name for name in counts if name not in labels}}
    return Breakdown(key, head, tuple(Row(name, label, counts.get(name, 0)) for name, label in known.items()))


def _by_size(key: str, head: str, labels: Mapping[str, str], counts: Mapping[str, int]) -> Breakdown:
    """The same, the largest first."""
    rows = _in_order(key, head, labels, counts).rows
    return Breakdown(key, head, tuple(sorted(rows, key=_size)))


def _size(row: Row) -> tuple[int, str]:
    return -row.count, plain_words(row.label)


def _parts(counts: Counter[tuple[str, ...]]) -> Iterable[Breakdown]:
    for nationality, country in NATIONALITIES_ES.items():
        mine = {age: n for (of, age), n in counts.items() if of == nationality}
        yield _in_order(nationality, country, AGES_ES, mine)


def _by_words(key: str, head: str, counts: Counter[str]) -> Breakdown:
    """Groups in people's own words, without regard to case, accents and signs; the smaller ones together."""
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, n in counts.items():
        spellings[plain_words(text)][text] += n
    rows = [Row(name, _spelling(written), written.total()) for name, written in spellings.items()]
    rows.sort(key=_size)
    rest = sum(row.count for row in rows[MOST_NAMED:])
    named = (*rows[:MOST_NAMED], Row(OTHERS, OTHERS_ES[key], rest)) if rest else tuple(rows)
    return Breakdown(key, head, named)


def _spelling(written: Counter[str]) -> str:
    """How most people write it, with a capital in front; rather not all in capitals."""
    most = min(written, key=lambda text: (text.isupper(), -written[text], text))
    return most[:1].upper() + most[1:]
