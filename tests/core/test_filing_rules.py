"""The rules of a filing: each by name, with the nearest thing that is allowed; then all of them against a truth table.

The table's oracle is written from the law and the documents' public formats (domain.md, 1 and 3), not from the rules.
"""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.certificates import fields
from helpdesk.certificates.application import Application, Worker, read_application
from helpdesk.certificates.checks import Followed, Known, age_on
from helpdesk.certificates.places import names
from helpdesk.certificates.rules import (
    DESK,
    OBSERVING,
    REJECTING,
    RULES,
    Effect,
    Rule,
    broken,
)
from tests import filings
from tests.filings import worker

TODAY = dt.date(2026, 11, 28)
SIGNED = TODAY - dt.timedelta(days=10)
ANA = ("COL", "cc", "1000000001")


def day(offset: int) -> str:
    """A day so many days from the day of filing, as the files write it."""
    return (TODAY + dt.timedelta(days=offset)).isoformat()


def filed(**changes: Any) -> Application:
    """An application that breaks no rule, but for these changes: `contract__pay`, `worker__sex`, `details__work`."""
    whole = filings.tree(contract__signed=day(-10), contract__start=day(1), contract__end=day(366))
    places = {
        "worker": whole["workers"][0],
        "details": whole["category_details"],
        "representative": whole["employer"]["representative"],
        "declare": whole["declarations"],
    }
    for name, value in copy.deepcopy(changes).items():
        part, _, key = name.partition("__")
        node = places.get(part, whole.get(part)) if key else whole
        node[key or part] = value
    reading = read_application(whole)
    assert reading.application is not None, reading.faults
    return reading.application


def broken_by(application: Application, **known: Any) -> list[tuple[str, str]]:
    """The rules that an application breaks, each with its key."""
    return [(fault.rule, fault.key) for fault in broken(RULES, application, Known(TODAY, **known))]


@dataclass(frozen=True)
class Case:
    """A change that breaks one rule, and the nearest one that breaks none; `knows` and `knew` are the register's."""

    rule: str
    key: str
    wrong: dict[str, Any] = field(default_factory=dict)
    right: dict[str, Any] = field(default_factory=dict)
    knows: dict[str, Any] = field(default_factory=dict)
    knew: dict[str, Any] = field(default_factory=dict)


SEASONAL = {"category": "seasonal", "category_details": {"work": "Cosecha", "lodging": True, "travel": True}}
COMPANY = {"category": "company", "category_details": {"home_company": "Casa", "reason": "established"}}
BORDER = {"category": "border", "details__home_address": "Calle 1, Leticia"}
TWO = [worker(), worker(document_number="1000000002")]
DOCUMENT = "workers[0].document_number"


def born(years: int, on: dt.date = TODAY, days: int = 0) -> dict[str, Any]:
    """The birth date of somebody who is so old on that day, and so many days older."""
    return {"worker__birth_date": (on.replace(year=on.year - years) - dt.timedelta(days=days)).isoformat()}


def document(kind: str, number: str, nationality: str = "COL") -> dict[str, Any]:
    return {
        "worker__nationality": nationality,
        "worker__document_type": kind,
        "worker__document_number": number,
    }


def representative(kind: str, number: str) -> dict[str, Any]:
    return {"representative__document_type": kind, "representative__document_number": number}


def follows(
    *, extends: bool = False, ruc: str = filings.RUC, who: tuple[str, str, str] = ANA, ends: int | None = 0
) -> dict[str, Any]:
    """What is known when the filing follows another one."""
    until = None if ends is None else TODAY + dt.timedelta(days=ends)
    return {"followed": Followed(extends, ruc, frozenset({who}), until)}


CASES = (
    Case("ruc", "employer.ruc", {"employer__ruc": "20131312954"}, {"employer__ruc": "20131023414"}),
    Case("ruc", "employer.ruc", {"employer__ruc": "2013131295"}, {"employer__ruc": "2013131 2955"}),
    Case(
        "representative_document",
        "employer.representative.document_number",
        representative("dni", "0000001"),
        representative("dni", "00000001"),
    ),
    Case(
        "representative_document",
        "employer.representative.document_number",
        representative("ce", "AB00000000013"),
        representative("ce", "AB0000000012"),
    ),
    Case(
        "nationality",
        "workers[0].nationality",
        document("passport", "AB123456", "VEN"),
        document("passport", "AB123456", "ECU"),
    ),
    Case(
        "document_type",
        "workers[0].document_type",
        document("cc", "1000000001", "BOL"),
        document("passport", "1000000001", "BOL"),
    ),
    Case("document_number", DOCUMENT, document("cc", "12345"), document("cc", "123456")),
    Case("document_number", DOCUMENT, document("cc", "12345678901"), document("cc", "1234567890")),
    Case(
        "worker_twice",
        "workers[1].document_number",
        {**SEASONAL, "workers": [worker(), worker(document_number="1.000.000.001")]},
        {**SEASONAL, "workers": TWO},
    ),
    Case("birth_date", "workers[0].birth_date", born(0), born(18, SIGNED)),
    Case(
        "signed",
        "contract.signed",
        {"contract__signed": day(1), "contract__start": day(1)},
        {"contract__signed": day(0), "contract__start": day(1)},
    ),
    Case("start", "contract.start", {"contract__start": day(-11)}, {"contract__start": day(-10)}),
    Case(
        "end_missing",
        "contract.end",
        {"contract__end": None},
        {"contract__type": "indefinite", "contract__end": None},
    ),
    Case(
        "end_not_asked",
        "contract.end",
        {"contract__type": "indefinite"},
        {"contract__type": "fixed"},
    ),
    Case("end", "contract.end", {"contract__end": day(1)}, {"contract__end": day(2)}),
    Case("pay", "contract.pay", {"contract__pay": 0}, {"contract__pay": 0.01}),
    Case("pay", "contract.pay", {"contract__pay": 0.004}, {"contract__pay": 0.006}),
    Case(
        "hours",
        "contract.hours_per_week",
        {"contract__hours_per_week": 0},
        {"contract__hours_per_week": 0.01},
    ),
    Case(
        "hours",
        "contract.hours_per_week",
        {"contract__hours_per_week": 168.01},
        {"contract__hours_per_week": 168},
    ),
    Case(
        "company_duration",
        "contract.end",
        {**COMPANY, "contract__start": day(0), "contract__end": day(180)},
        {**COMPANY, "contract__start": day(0), "contract__end": day(181)},
    ),
    Case(
        "seasonal_dates",
        "contract.type",
        {**SEASONAL, "contract__type": "indefinite", "contract__end": None},
        {**SEASONAL, "contract__type": "fixed"},
    ),
    Case(
        "seasonal_lodging",
        "category_details.lodging",
        {"category": "seasonal", "category_details": {"work": "Cosecha", "lodging": False, "travel": True}},
        SEASONAL,
    ),
    Case(
        "seasonal_travel",
        "category_details.travel",
        {"category": "seasonal", "category_details": {"work": "Cosecha", "lodging": True, "travel": False}},
        SEASONAL,
    ),
    Case("same_employer", "employer.ruc", knows=follows(ruc="20131023414"), knew=follows()),
    Case(
        "extension",
        "contract.end",
        knows=follows(extends=True, ends=366),
        knew=follows(extends=True, ends=365),
    ),
    Case(
        "extension",
        "contract.end",
        knows=follows(extends=True, ends=None),
        knew=follows(extends=False, ends=None),
    ),
    Case("true_data", "declarations.true_data", {"declare__true_data": False}, {"declare__true_data": True}),
    Case(
        "not_public_administration",
        "declarations.not_public_administration",
        {"declare__not_public_administration": False},
        {"declare__not_public_administration": True},
    ),
    Case("privacy", "declarations.privacy", {"declare__privacy": False}, {"declare__privacy": True}),
    Case("minor", "workers[0].birth_date", born(18, SIGNED, -1), born(18, SIGNED)),
    Case("birth_date_unlikely", "workers[0].birth_date", born(91), born(91, TODAY, -1)),
    Case("document_doubtful", DOCUMENT, document("passport", "AB12"), document("passport", "AB123")),
    Case(
        "document_doubtful",
        DOCUMENT,
        document("cedula", "1710034066", "ECU"),
        document("cedula", "1710034065", "ECU"),
    ),
    Case(
        "already_in_force",
        DOCUMENT,
        knows={"in_force": {ANA: ("CTMA-2026-000001",)}},
        knew={"in_force": {("ECU", "passport", ANA[2]): ("CTMA-2026-000001",)}},
    ),
    Case("other_people", DOCUMENT, knows=follows(who=("COL", "cc", "1000000002")), knew=follows()),
    Case("several_workers", "workers", {"workers": TWO}, {**SEASONAL, "workers": TWO}),
    Case(
        "border_district",
        "category_details.border_district",
        {**BORDER, "details__border_district": "150122"},
        {**BORDER, "details__border_district": "160101"},
    ),
    Case(
        "contract_over",
        "contract.end",
        {"contract__start": day(-10), "contract__end": day(-1)},
        {"contract__start": day(-10), "contract__end": day(0)},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_names_what_breaks_it_and_lets_the_nearest_thing_pass(case: Case) -> None:
    assert broken_by(filed(**case.wrong), **case.knows) == [(case.rule, case.key)]
    assert broken_by(filed(**case.right), **case.knew) == []


def test_every_rule_has_a_case_of_its_own() -> None:
    assert {case.rule for case in CASES} == {rule.name for rule in RULES}
    assert Counter(rule.name for rule in RULES).most_common(1)[0][1] == 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_why_in_one_or_two_sentences_and_where_it_comes_from(rule: Rule) -> None:
    sentences = re.split(r"(?<=\.)\s+(?=[A-ZÁÉÍÓÚÑ])", rule.message)
    assert 1 <= len(sentences) <= 2
    for sentence in sentences:
        assert re.fullmatch(r"[A-ZÁÉÍÓÚ][^.!?]*\.", sentence)
        assert re.search(r"\b(el|la|los|un|una|de|del|es|no|que)\b", sentence.lower())
    assert len(rule.message) <= 240
    assert re.fullmatch(r"[a-z_]+", rule.name)
    laws = r"Decisión 545|RM \d+-\d{4}-TR|Ley \d{5}|DS \d{3}-\d{4}-\w+"
    ours = r"Dígito verificador|Formato público|Coherencia de los datos|Criterio de la mesa"
    assert re.match(f"{laws}|{ours}|TUO de la Ley 27444", rule.source)


def test_nobody_is_turned_away_by_a_criterion_of_the_desk_alone() -> None:
    assert (*REJECTING, *OBSERVING) == RULES  # what rejects is asked first
    assert [rule.name for rule in REJECTING if rule.source == DESK] == []
    assert {rule.effect for rule in OBSERVING} == {Effect.OBSERVE}


def test_what_decision_545_forbids_to_ask_is_not_asked() -> None:
    groups = (fields.EMPLOYER, fields.REPRESENTATIVE, fields.WORKER, fields.CONTRACT, fields.DECLARATIONS)
    asked = [question for group in (*groups, *fields.DETAILS.values()) for question in group]
    words = " ".join(f"{question.label} {question.hint}" for question in asked)
    words += " ".join(rule.message for rule in RULES)
    assert not re.search(r"título|grado académico|certificado de trabajo|20 ?%|30 ?%|planilla", words, re.I)


# The truth table. Each document comes with what a public source says of its number.

COUNTRY_OF = {"ci": "BOL", "cc": "COL", "cedula": "ECU", "passport": None}
NUMBERS = (
    *(
        ("ci", "1234567", "good"),
        ("ci", "1234567-1A", "good"),
        ("ci", "1234", "doubtful"),
        ("ci", "12", "wrong"),
    ),
    *(("cc", "123456", "good"), ("cc", "12345", "wrong")),
    *(
        ("cedula", "1710034065", "good"),
        ("cedula", "1710034060", "doubtful"),
        ("cedula", "171003406", "wrong"),
    ),
    *(("passport", "AB12345", "good"), ("passport", "AB12", "doubtful"), ("passport", "AB", "wrong")),
)
NATIONALITIES = ("BOL", "COL", "ECU", "PER", "VEN", "CHL")
DETAILS: dict[str, dict[str, Any]] = {
    "individual": {},
    "company": COMPANY["category_details"],  # type: ignore[dict-item]
    "seasonal": SEASONAL["category_details"],  # type: ignore[dict-item]
    "border": {"home_address": "Calle 1", "border_district": "210101"},  # Puno: it touches Bolivia alone
}
SIGNATURES = (-400, -10, 0, 1)  # days from the day of filing
STARTS = (-1, 0, 30)  # days from the signature
ENDS = (None, 0, 1, 180, 181)  # days from the start


def dates() -> Iterator[tuple[str, dt.date, dt.date, dt.date | None]]:
    """The dates of a contract, with its type."""
    for kind, signed, start, end in product(("fixed", "indefinite"), SIGNATURES, STARTS, ENDS):
        signature = TODAY + dt.timedelta(days=signed)
        begin = signature + dt.timedelta(days=start)
        yield kind, signature, begin, None if end is None else begin + dt.timedelta(days=end)


def of_the_dates(
    category: str, kind: str, signed: dt.date, start: dt.date, end: dt.date | None
) -> Iterator[str]:
    """What law and sense say of a contract's dates."""
    if signed > TODAY:
        yield "signed"
    if start < signed:
        yield "start"
    if kind == "fixed" and end is None:
        yield "end_missing"
    if kind == "indefinite" and end is not None:
        yield "end_not_asked"
    if category == "seasonal" and kind == "indefinite":
        yield "seasonal_dates"  # a seasonal contract states its time
    if end is not None:
        if end <= start:
            yield "end"
        elif end < TODAY:
            yield "contract_over"
        if category == "company" and end < start + dt.timedelta(days=181):
            yield "company_duration"  # more than 180 days


def of_the_person(category: str, nationality: str, kind: str, verdict: str) -> Iterator[str]:
    """What they say of a person's country and document."""
    if nationality not in ("BOL", "COL", "ECU"):
        yield "nationality"
    if COUNTRY_OF[kind] not in (None, nationality):
        yield "document_type"
    if verdict != "good":
        yield {"wrong": "document_number", "doubtful": "document_doubtful"}[verdict]
    if category == "border" and nationality != "BOL":
        yield "border_district"


def test_truth_table_of_nationality_category_dates_and_documents() -> None:
    whole = filed()
    person = whole.workers[0]
    seen: Counter[str] = Counter()
    checked = 0
    people = [
        (replace(person, nationality=nationality, document_type=kind, document_number=number), verdict)
        for nationality, (kind, number, verdict) in product(NATIONALITIES, NUMBERS)
    ]
    known = Known(TODAY)
    for category, details in DETAILS.items():
        for kind, signed, start, end in dates():
            contract = replace(whole.contract, type=kind, signed=signed, start=start, end=end)
            dated = replace(whole, category=category, details=details, contract=contract)
            of_dates = sorted(of_the_dates(category, kind, signed, start, end))
            for somebody, verdict in people:
                found = broken(RULES, replace(dated, workers=(somebody,)), known)
                of_person = of_the_person(category, somebody.nationality, somebody.document_type, verdict)
                assert sorted(fault.rule for fault in found) == sorted([*of_dates, *of_person])
                seen.update(fault.rule for fault in found) if found else seen.update(["nothing"])
                checked += 1
    assert checked == 4 * 120 * 6 * 12 == 34_560
    assert seen["nothing"] > 300
    assert set(seen) == {
        *(
            "nothing",
            "nationality",
            "document_type",
            "document_number",
            "document_doubtful",
            "border_district",
        ),
        *("signed", "start", "end_missing", "end_not_asked", "end", "contract_over", "company_duration"),
        "seasonal_dates",
    }


NEIGHBOURS = {
    "BOL": {"Madre de Dios", "Puno", "Tacna"},
    "COL": {"Loreto"},
    "ECU": {"Tumbes", "Piura", "Cajamarca", "Amazonas", "Loreto"},
}


@pytest.mark.parametrize("nationality", NEIGHBOURS)
def test_a_border_district_is_in_a_department_that_touches_the_persons_country(nationality: str) -> None:
    whole = filed(**document("passport", "AB12345", nationality))
    departments = [(code, name) for code, name in names().items() if len(code) == 2]
    assert len(departments) == 25
    passed = set()
    for code, name in departments:
        details = {"home_address": "Calle 1", "border_district": f"{code}0101"}
        found = broken(RULES, replace(whole, category="border", details=details), Known(TODAY))
        assert [fault.rule for fault in found] in ([], ["border_district"])
        if not found:
            passed.add(name)
    assert passed == NEIGHBOURS[nationality]


@pytest.mark.parametrize("category", DETAILS)
@pytest.mark.parametrize("lodging", [True, False])
@pytest.mark.parametrize("travel", [True, False])
def test_lodging_and_travel_are_conditions_of_seasonal_work_alone(
    category: str, lodging: bool, travel: bool
) -> None:
    details = {**DETAILS["border"], "lodging": lodging, "travel": travel, "border_district": "160101"}
    found = {rule for rule, _ in broken_by(replace(filed(), category=category, details=details))}
    wanted = {"seasonal_lodging"} if not lodging else set()
    wanted |= {"seasonal_travel"} if not travel else set()
    assert found == (wanted if category == "seasonal" else set())


def birthday(day_of_birth: dt.date, years: int) -> dt.date:
    """When somebody becomes so old; who was born on a leap day, on the first of March."""
    try:
        return day_of_birth.replace(year=day_of_birth.year + years)
    except ValueError:
        return dt.date(day_of_birth.year + years, 3, 1)


@given(st.dates(dt.date(1900, 1, 1), TODAY), st.dates(dt.date(2000, 1, 1), TODAY))
def test_age_is_counted_by_birthdays(day_of_birth: dt.date, on: dt.date) -> None:
    years = age_on(day_of_birth, on)
    if on >= day_of_birth:
        assert birthday(day_of_birth, years) <= on < birthday(day_of_birth, years + 1)


leap_days = st.integers(1904 // 4, 2024 // 4).map(lambda four: dt.date(four * 4, 2, 29))


@given(st.dates(dt.date(1900, 1, 1), TODAY + dt.timedelta(days=400)) | leap_days)
def test_by_the_birth_date_a_person_is_unborn_a_minor_an_adult_or_hardly_alive(born_on: dt.date) -> None:
    whole = filed()
    person = replace(whole.workers[0], birth_date=born_on)
    found = [rule for rule, _ in broken_by(replace(whole, workers=(person,)))]
    if born_on >= TODAY:
        assert found == ["birth_date"]
    elif birthday(born_on, 18) > SIGNED:
        assert found == ["minor"]
    else:
        assert found == (["birth_date_unlikely"] if birthday(born_on, 91) <= TODAY else [])


@given(st.lists(st.tuples(st.sampled_from(NATIONALITIES), st.sampled_from(NUMBERS)), min_size=1, max_size=8))
def test_of_several_people_each_is_judged_alone_and_named_by_place(
    people: list[tuple[str, tuple[str, str, str]]],
) -> None:
    whole = filed(**SEASONAL)
    workers = tuple(
        replace(whole.workers[0], nationality=nationality, document_type=kind, document_number=number)
        for nationality, (kind, number, _) in people
    )
    alone: set[tuple[str, str]] = set()
    for place, somebody in enumerate(workers):
        found = broken_by(replace(whole, workers=(somebody,)))
        alone |= {(rule, key.replace("workers[0]", f"workers[{place}]")) for rule, key in found}
    twice = {("worker_twice", f"workers[{place}].document_number") for place in again(workers)}
    assert set(broken_by(replace(whole, workers=workers))) == alone | twice


def again(workers: tuple[Worker, ...]) -> Iterator[int]:
    """The places of those who were there before."""
    return (place for place, somebody in enumerate(workers) if somebody in workers[:place])
