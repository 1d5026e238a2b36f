"""The report of constancias: its figures counted by hand, whose quarter a constancia is of, what is in no table."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.certificates.deciding import annul
from helpdesk.certificates.records import Constancia, Filing, FilingKind
from helpdesk.certificates.successors import file_duplicate, file_end
from helpdesk.desk.lifecycle import ConstanciaState
from helpdesk.reports.constancias import (
    OTHERS,
    Crossing,
    Report,
    Totals,
    constancia_report,
    first_day_of_issue,
)
from helpdesk.reports.quarters import Period, days, quarter, read_period, year
from tests.desk import Desk
from tests.filings import day, today
from tests.issued import ISSUED, colombian, date, issue, issue_seven, with_passport

NOW = dt.datetime(2026, 12, 1, 15, tzinfo=dt.UTC)
FOURTH = quarter(2026, 4)


def report(desk: Desk, period: Period = FOURTH) -> Report:
    with desk.sessions() as session:
        return constancia_report(session, period, now=NOW)


def counts(found: Report, key: str) -> dict[str, int]:
    """The groups of a breakdown that have any, in their order."""
    return {row.label: row.count for row in found.breakdown(key).rows if row.count}


def constancias(session: Session, filing: int) -> list[Constancia]:
    """Those of a filing, in the order of its workers."""
    return [row for worker in session.get_one(Filing, filing).workers if (row := worker.constancia)]


def test_every_table_is_what_a_hand_counts(desk: Desk) -> None:
    issue_seven(desk)
    found = report(desk)
    assert (found.n, found.first, found.totals) == (7, 5, Totals(people=5, annulled=0, sealing=0))
    assert counts(found, "nationality") == {"Colombia": 4, "Ecuador": 2, "Bolivia": 1}
    assert counts(found, "sex") == {"Hombre": 4, "Mujer": 3}
    # On 10 November 2026: born on the 11th of 2001 is 24, on the 10th is 25; on 11 November 1961 is 64.
    ages = {"18 a 24 años": 2, "25 a 34 años": 1, "35 a 44 años": 2, "55 a 64 años": 1, "65 años o más": 1}
    assert counts(found, "age") == ages
    assert counts(found, "marital_status") == {
        "Soltera o soltero": 3,
        "Casada o casado": 2,
        "Conviviente": 1,
        "Viuda o viudo": 1,
    }
    assert counts(found, "document_type") == {
        "Cédula de ciudadanía (Colombia)": 4,
        "Pasaporte": 2,
        "Cédula de identidad (Bolivia)": 1,
    }
    assert counts(found, "occupation") == {"Ingeniera agrónoma": 6, "Soldador": 1}
    assert counts(found, "region") == {"Ica": 5, "Piura": 2}
    assert counts(found, "activity") == {"Agricultura": 6, "Construcción": 1}
    assert counts(found, "term") == {
        "Hasta 6 meses": 2,
        "Más de 6 meses, hasta 1 año": 2,
        "Más de 2 años": 2,
        "A plazo indeterminado": 1,
    }
    assert counts(found, "category") == {"De temporada": 6, "Con desplazamiento individual": 1}
    assert counts(found, "step") == {"Primera constancia": 5, "Prórroga: reemplaza a otra": 2}


def test_age_is_crossed_with_nationality(desk: Desk) -> None:
    issue_seven(desk)
    (crossing,) = [table for table in report(desk).tables if isinstance(table, Crossing)]
    found = {part.head: {row.label: row.count for row in part.rows if row.count} for part in crossing.parts}
    assert found == {
        "Bolivia": {"65 años o más": 1},
        "Colombia": {"18 a 24 años": 2, "35 a 44 años": 2},
        "Ecuador": {"25 a 34 años": 1, "55 a 64 años": 1},
    }
    assert {len(rows) for rows in crossing.rows} == {3}


def test_groups_with_an_order_keep_it_and_the_others_begin_with_the_largest(desk: Desk) -> None:
    issue_seven(desk)
    found = report(desk)
    assert [row.label for row in found.breakdown("age").rows][:3] == [
        "Menos de 18 años",
        "18 a 24 años",
        "25 a 34 años",
    ]
    assert [row.label for row in found.breakdown("marital_status").rows] == [
        *("Soltera o soltero", "Casada o casado", "Conviviente", "Viuda o viudo", "Divorciada o divorciado"),
    ]


@pytest.mark.parametrize(
    ("issued_at", "name"),
    [
        ("2026-10-01T04:59:59.999999+00:00", "2026-3"),  # 23:59:59 in Lima
        ("2026-10-01T05:00:00+00:00", "2026-4"),
        ("2027-01-01T04:59:59.999999+00:00", "2026-4"),
        ("2027-01-01T05:00:00+00:00", "2027-1"),
    ],
)
def test_a_constancia_is_of_the_quarter_of_its_day_in_lima(desk: Desk, issued_at: str, name: str) -> None:
    issue(desk, colombian(1))
    date(desk, dt.datetime.fromisoformat(issued_at))
    periods = [quarter(2026, 3), quarter(2026, 4), quarter(2027, 1)]
    assert [period.name for period in periods if report(desk, period).n] == [name]
    assert report(desk, year(int(name[:4]))).n == 1


def test_free_dates_count_both_their_first_and_their_last_day(desk: Desk) -> None:
    filings = [issue(desk, colombian(number)) for number in range(3)]
    for filing, at in zip(
        filings, ("2026-11-09T04:59:59", "2026-11-09T05:00:00", "2026-11-11T04:59:59"), strict=True
    ):
        date(desk, dt.datetime.fromisoformat(f"{at}+00:00"), filing)
    asked = days("2026-11-09", "2026-11-10")
    assert asked is not None
    assert report(desk, asked).n == 2
    with desk.sessions() as session:
        assert first_day_of_issue(session) == dt.date(2026, 11, 8)


def test_an_annulled_constancia_is_told_apart_and_is_in_no_table(desk: Desk, rosa: User) -> None:
    filing = issue(desk, colombian(1), colombian(2), with_passport(1, "ECU"))
    date(desk)
    with desk.sessions.begin() as session:
        annul(session, constancias(session, filing)[0], "Datos falsos", actor=rosa)
    found = report(desk)
    assert (found.n, found.totals) == (2, Totals(people=2, annulled=1, sealing=0))
    assert counts(found, "nationality") == {"Colombia": 1, "Ecuador": 1}
    assert {table.n for table in found.tables} == {2}


def test_what_replaces_an_annulled_one_still_replaces_one(desk: Desk, rosa: User) -> None:
    first = issue(desk, colombian(1))
    issue(desk, colombian(1), kind=FilingKind.CORRECTION, follows=first, contract__occupation="Topógrafa")
    date(desk)
    with desk.sessions.begin() as session:
        annul(session, constancias(session, first)[0], "Error", actor=rosa)
    found = report(desk)
    assert (found.n, found.first, found.totals.annulled) == (1, 0, 1)
    assert counts(found, "step") == {"Corrección: reemplaza a otra": 1}


def test_one_whose_seal_is_not_made_yet_is_told_apart(desk: Desk) -> None:
    filing = issue(desk, colombian(1), colombian(2))
    date(desk)
    with desk.sessions.begin() as session:
        constancias(session, filing)[0].state = ConstanciaState.SEALING.value
    found = report(desk)
    assert (found.n, found.totals) == (1, Totals(people=1, annulled=0, sealing=1))


def test_a_person_added_by_a_modification_gets_a_first_one(desk: Desk, rosa: User) -> None:
    first = issue(desk, colombian(1), colombian(2))
    people = (colombian(1), colombian(2), colombian(3))
    issue(desk, *people, kind=FilingKind.MODIFICATION, follows=first, approved_by=rosa)
    date(desk)
    found = report(desk)
    assert (found.n, found.totals.people) == (5, 3)
    assert counts(found, "step") == {"Primera constancia": 3, "Modificación: reemplaza a otra": 2}


def test_a_duplicate_and_an_end_issue_nothing(desk: Desk) -> None:
    filing = issue(desk, colombian(1), contract__start=day(0), contract__end=day(300))
    with desk.sessions.begin() as session:
        file_duplicate(session, session.get_one(Filing, filing), desk.settings)
    with desk.sessions.begin() as session:
        file_end(session, session.get_one(Filing, filing), today(), "Renuncia", desk.settings)
    date(desk)
    found = report(desk)
    assert (found.n, found.first) == (1, 1)
    # The length is that of the contract as it was filed, not of what was left of it.
    assert counts(found, "term") == {"Más de 6 meses, hasta 1 año": 1}


@pytest.mark.parametrize(
    ("starts", "ends", "term"),
    [
        ("2026-01-01", "2026-06-30", "half"),
        ("2026-01-01", "2026-07-01", "half"),
        ("2026-01-01", "2026-07-02", "year"),
        ("2026-08-31", "2027-02-28", "half"),
        ("2026-01-01", "2027-01-01", "year"),
        ("2026-01-01", "2027-01-02", "two"),
        ("2028-02-29", "2030-02-28", "two"),
        ("2026-01-01", "2028-01-02", "more"),
    ],
)
def test_the_length_of_a_contract_is_told_by_the_calendar(
    desk: Desk, starts: str, ends: str, term: str
) -> None:
    filing = issue(desk, colombian(1))
    date(desk)
    with desk.sessions.begin() as session:
        row = session.get_one(Filing, filing)
        row.starts, row.ends = dt.date.fromisoformat(starts), dt.date.fromisoformat(ends)
    assert [row.key for row in report(desk).breakdown("term").rows if row.count] == [term]


@pytest.mark.parametrize(
    ("born", "at", "age"),
    [
        ("2008-11-11", "2026-11-11T04:59:59+00:00", "0"),  # the evening before in Lima
        ("2008-11-11", "2026-11-11T05:00:00+00:00", "1"),
        ("2008-02-29", "2026-02-28T15:00:00+00:00", "0"),
        ("2008-02-29", "2026-03-01T15:00:00+00:00", "1"),
        ("1961-11-11", "2026-11-11T15:00:00+00:00", "6"),
    ],
)
def test_age_is_that_of_the_day_of_issue_in_lima(desk: Desk, born: str, at: str, age: str) -> None:
    filing = issue(desk, colombian(1))
    date(desk, dt.datetime.fromisoformat(at))
    with desk.sessions.begin() as session:
        session.get_one(Filing, filing).workers[0].birth_date = dt.date.fromisoformat(born)
    assert [row.key for row in report(desk, year(2026)).breakdown("age").rows if row.count] == [age]


def test_only_the_most_frequent_words_are_named(desk: Desk) -> None:
    for number in range(18):
        issue(desk, colombian(number), contract__occupation=f"Oficio {number % 17:02}")
    date(desk)
    rows = report(desk).breakdown("occupation").rows
    assert [(row.label, row.count) for row in rows[:2]] == [("Oficio 00", 2), ("Oficio 01", 1)]
    assert (len(rows), rows[-1].key, rows[-1].label, rows[-1].count) == (16, OTHERS, "Otras ocupaciones", 2)


def test_words_are_shown_as_most_people_write_them(desk: Desk) -> None:
    for number, text in enumerate(
        ("INGENIERO DE MINAS",) * 3 + ("ingeniero de minas",) * 2 + ("Ingeniéro de minas", "--")
    ):
        issue(desk, colombian(number), contract__occupation=text)
    date(desk)
    assert counts(report(desk), "occupation") == {"Ingeniero de minas": 6, "--": 1}


def test_a_period_without_constancias_has_tables_of_nothing(desk: Desk) -> None:
    found = report(desk, quarter(2026, 1))
    assert (found.n, found.first, found.totals) == (0, 0, Totals(0, 0, 0))
    assert {table.n for table in found.tables} == {0}
    with desk.sessions() as session:
        assert first_day_of_issue(session) is None


@pytest.mark.parametrize("seed", range(3))
def test_every_table_adds_up_to_the_same_and_to_what_python_counts(desk: Desk, seed: int) -> None:
    draw = random.Random(seed)
    people = [drawn(draw, number) for number in range(draw.randint(1, 100))]
    for start in range(0, len(people), 50):
        filing = issue(desk, *people[start : start + 50], contract__end=day(draw.randint(30, 900)))
        date(desk, ISSUED - dt.timedelta(days=draw.randint(0, 40)), filing)
    found = report(desk)
    assert {table.n for table in found.tables} == {found.n} == {len(people)}
    for key in ("nationality", "sex", "marital_status", "document_type"):
        known = {row.key: row.count for row in found.breakdown(key).rows if row.count}
        assert known == Counter(person[key] for person in people)
    (crossing,) = [table for table in found.tables if isinstance(table, Crossing)]
    ages = [row.count for row in found.breakdown("age").rows]
    assert [sum(row.count for row in rows) for rows in crossing.rows] == ages
    nationalities = {row.key: row.count for row in found.breakdown("nationality").rows}
    assert {part.key: part.n for part in crossing.parts} == nationalities


def drawn(draw: random.Random, number: int) -> dict[str, Any]:
    return with_passport(
        number,
        draw.choice(["BOL", "COL", "ECU"]),
        sex=draw.choice(["female", "male"]),
        marital_status=draw.choice(["single", "married", "cohabiting", "divorced", "widowed"]),
        birth_date=f"{draw.randint(1945, 2006)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
    )


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-1", "2026-01-01", "2026-03-31"),
        ("2024-1", "2024-01-01", "2024-03-31"),
        ("2026-4", "2026-10-01", "2026-12-31"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-10-05..2026-11-20", "2026-10-05", "2026-11-20"),
    ],
)
def test_periods_are_read_as_they_are_written(text: str, first: str, last: str) -> None:
    period = read_period(text)
    assert period == Period(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    assert period.name == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-5",
        "2026-0",
        "0000-1",
        "9999",
        "2026-4x",
        "2026-11-20..2026-10-05",
        "2026-02-30..2026-03-01",
        "２０２６",
    ],
)
def test_what_is_no_period_is_none(text: str) -> None:
    assert read_period(text) is None


def test_quarters_and_years_follow_one_another() -> None:
    first = quarter(2026, 1)
    assert first.previous == quarter(2025, 4)
    assert first.next == quarter(2026, 2)
    assert year(2026).previous == year(2025)
    assert Period(dt.date(2026, 1, 2), dt.date(2026, 3, 31)).next is None
    assert first.label == "I trimestre de 2026 (enero a marzo)"
    assert (first.ends - first.begins).days == 90
