"""The filing's JSON Schema and its page: what they promise is what the reading and the rules do."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helpdesk.certificates import fields
from helpdesk.certificates.application import read_application
from helpdesk.certificates.checks import Known
from helpdesk.certificates.rules import RULES, broken
from helpdesk.certificates.schema import (
    DIALECT,
    EXAMPLE,
    KEYS,
    SHAPE_FAULTS,
    json_schema,
    reference,
    schema_text,
)
from tests.core.test_filing_rules import CASES, COMPANY, SEASONAL
from tests.filings import tree, worker

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
SCHEMA = json_schema()
TYPES: dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
ANNOTATIONS = {"$schema", "title", "description", "format"}


def errors(schema: dict[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """Where a value does not meet a schema: as much of 2020-12 as ours uses, and no word more."""
    rest = dict(schema)
    types = rest.pop("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(TYPES[name](value) for name in types):
        yield f"{path}: type"
        return
    yield from _errors_of_values(rest, value, path)
    if isinstance(value, dict):
        yield from _errors_of_object(rest, value, path)
    for name in ("properties", "required", "additionalProperties"):
        rest.pop(name, None)
    if isinstance(value, list):
        least, most = rest.pop("minItems", 0), rest.pop("maxItems", len(value))
        if not least <= len(value) <= most:
            yield f"{path}: items"
        for place, item in enumerate(value):
            yield from errors(rest["items"], item, f"{path}[{place}]")
    rest.pop("items", None)
    for part in rest.pop("allOf", []):
        yield from errors(part, value, path)
    condition, then = rest.pop("if", None), rest.pop("then", None)
    if condition is not None and not list(errors(condition, value, path)):
        yield from errors(then, value, path)
    assert set(rest) <= ANNOTATIONS, rest


def _errors_of_values(rest: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    if "const" in rest and value != rest.pop("const"):
        yield f"{path}: const"
    if "enum" in rest and value not in rest.pop("enum"):
        yield f"{path}: enum"
    least, most = rest.pop("minLength", 0), rest.pop("maxLength", 10**9)
    pattern = rest.pop("pattern", "")
    if isinstance(value, str) and not (least <= len(value) <= most and re.search(pattern, value)):
        yield f"{path}: text"
    low, high = rest.pop("exclusiveMinimum", None), rest.pop("exclusiveMaximum", None)
    if TYPES["number"](value) and low is not None and not low < value < high:
        yield f"{path}: number"


def _errors_of_object(rest: dict[str, Any], value: dict[str, Any], path: str) -> Iterator[str]:
    known = rest.get("properties", {})
    for name in rest.get("required", []):
        if name not in value:
            yield f"{path}.{name}: required"
    for name, below in value.items():
        if name in known:
            yield from errors(known[name], below, f"{path}.{name}")
        elif rest.get("additionalProperties") is False:
            yield f"{path}.{name}: unknown"


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object with keys of its own in a schema; conditions name only what they look at."""
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield schema
        for below in schema.values():
            yield from objects(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from objects(below)


BORDER = {"category": "border", "category_details": {"home_address": "Calle 1", "border_district": "160101"}}
GOOD = {
    "the tests' sample": tree(),
    "the page's example": EXAMPLE,
    "of a company": tree(**COMPANY),
    "seasonal, of two": tree(**SEASONAL, workers=[worker(), worker(document_number="1000000002")]),
    "at the border": tree(**BORDER),
    "indefinite": tree(contract__type="indefinite", contract__end=None, contract__hours_per_week=None),
    "without details": {name: value for name, value in tree().items() if name != "category_details"},
    "details null": tree(category_details=None),
    "of fifty": tree(**SEASONAL, workers=[worker()] * 50),
}


def without(part: str, name: str) -> dict[str, Any]:
    """The sample without one key."""
    whole = tree()
    (whole[part] if part else whole).pop(name)
    return whole


def of_worker(**changed: Any) -> dict[str, Any]:
    return tree(workers=[worker(**changed)])


# Every way in which the reading refuses a shape: the rule, and the key that it names.
FAULTY: list[tuple[str, str, Any]] = [
    ("type", "(archivo)", []),
    ("type", "employer", tree(employer="RUC 20131312955")),
    ("type", "contract", tree(contract=[1])),
    ("type", "workers[0]", tree(workers=["Ana"])),
    ("type", "category_details", tree(category_details=[])),
    ("type", "employer.name", tree(employer__name=7)),
    ("type", "declarations.privacy", tree(declarations__privacy="true")),
    ("type", "category_details.lodging", tree(**SEASONAL) | {"category_details": {"lodging": 1}}),
    ("required", "employer.ruc", without("employer", "ruc")),
    ("required", "employer.ruc", without("", "employer")),
    ("required", "employer.ruc", tree(employer__ruc=None)),
    ("required", "employer.name", tree(employer__name="")),
    ("required", "employer.name", tree(employer__name=" \t ")),
    ("required", "employer.representative.name", without("employer", "representative")),
    ("required", "category", without("", "category")),
    ("required", "contract.pay", without("contract", "pay")),
    ("required", "declarations.privacy", without("declarations", "privacy")),
    ("required", "category_details.work", tree(category="seasonal")),
    ("required", "category_details.home_company", tree(category="company", category_details=None)),
    ("required", "workers[0].surnames", of_worker(surnames=None)),
    ("workers", "workers", without("", "workers")),
    ("workers", "workers", tree(workers=[])),
    ("workers", "workers", tree(workers=worker())),
    ("workers", "workers", tree(workers=[worker()] * 51)),
    ("unknown_key", "employers", tree(employers=1)),
    ("unknown_key", "employer.tax_id", tree(employer__tax_id="1")),
    (
        "unknown_key",
        "employer.representative.email",
        tree()
        | {
            "employer": tree()["employer"]
            | {"representative": tree()["employer"]["representative"] | {"email": "a@example.com"}}
        },
    ),
    ("unknown_key", "workers[0].salary", of_worker(salary=1)),
    ("unknown_key", "category_details.work", tree(category_details={"work": "Cosecha"})),
    ("unknown_key", "declarations.other", tree(declarations__other=True)),
    ("choice", "category", tree(category="permanent")),
    ("choice", "contract.type", tree(contract__type="plazo fijo")),
    ("choice", "workers[0].sex", of_worker(sex="F")),
    ("choice", "workers[0].document_type", of_worker(document_type="dni")),
    ("too_long", "employer.name", tree(employer__name="x" * 201)),
    ("too_long", "employer.address", tree(employer__address="x" * 301)),
    ("too_long", "workers[0].surnames", of_worker(surnames="x" * 101)),
    ("too_long", "workers[0].document_number", of_worker(document_number="1" * 31)),
    ("too_long", "workers[0].email", of_worker(email="x" * 250 + "@example.com")),
    ("email", "employer.email", tree(employer__email="rrhh")),
    ("email", "employer.email", tree(employer__email="rrhh@example")),
    ("email", "workers[0].email", of_worker(email="ana at example.com")),
    ("phone", "employer.phone", tree(employer__phone="llamar")),
    ("phone", "employer.phone", tree(employer__phone="------")),
    ("phone", "employer.phone", tree(employer__phone="12345")),
    ("date", "contract.start", tree(contract__start="01/12/2026")),
    ("date", "contract.start", tree(contract__start="2026-W01-1")),
    ("date", "contract.start", tree(contract__start=20261201)),
    ("number", "contract.pay", tree(contract__pay="3500")),
    ("number", "contract.pay", tree(contract__pay=True)),
    ("number", "contract.pay", tree(contract__pay=10**10)),
    ("number", "contract.pay", tree(contract__pay=10**400)),
    ("number", "contract.pay", tree(contract__pay=-(10**10))),
    ("number", "contract.hours_per_week", tree(contract__hours_per_week="48")),
    ("number", "contract.pay", tree(contract__pay=float("inf"))),
    ("ubigeo", "employer.ubigeo", tree(employer__ubigeo="Miraflores")),
    ("ubigeo", "employer.ubigeo", tree(employer__ubigeo="1501")),
    ("type", "employer.ubigeo", tree(employer__ubigeo=150122)),
    ("currency", "contract.currency", tree(contract__currency="S/.")),
    ("too_long", "contract.currency", tree(contract__currency="soles")),
    ("country", "workers[0].nationality", of_worker(nationality="C0L")),
    ("country", "workers[0].nationality", of_worker(nationality="Colombia")),
]
# What only the reading knows, and what only the schema says: the rule, and whether the schema refuses it.
APART: list[tuple[str, Any, bool]] = [
    ("ubigeo", tree(employer__ubigeo="999999"), False),
    ("currency", tree(contract__currency="QQQ"), False),
    ("date", tree(contract__start="2026-02-30"), False),
    ("number", tree(contract__pay=float("nan")), True),
]


@pytest.mark.parametrize("what", GOOD)
def test_what_can_be_filed_meets_the_schema_and_is_read(what: str) -> None:
    assert list(errors(SCHEMA, GOOD[what])) == []
    assert read_application(copy.deepcopy(GOOD[what])).faults == ()


@pytest.mark.parametrize(
    ("rule", "key", "whole"), FAULTY, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_the_reading_refuses_the_schema_refuses_as_well(rule: str, key: str, whole: Any) -> None:
    reading = read_application(copy.deepcopy(whole))
    assert reading.application is None
    assert (rule, key) in {(fault.rule, fault.key) for fault in reading.faults}
    assert list(errors(SCHEMA, whole))


@pytest.mark.parametrize(
    ("rule", "whole", "by_schema"), APART, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_a_schema_cannot_say_is_known_by_name(rule: str, whole: Any, by_schema: bool) -> None:
    assert rule in {fault.rule for fault in read_application(whole).faults}
    assert bool(list(errors(SCHEMA, whole))) is by_schema


def test_a_wrong_category_is_one_fault_and_not_one_for_each_of_its_answers() -> None:
    whole = tree(category="season", category_details={"work": "Cosecha", "lodging": True, "travel": True})
    assert [(fault.rule, fault.key) for fault in read_application(whole).faults] == [("choice", "category")]


def test_a_country_that_the_rules_turn_away_is_not_in_the_schema() -> None:
    whole = of_worker(nationality="VEN", document_type="passport", document_number="AB123456")
    assert read_application(copy.deepcopy(whole)).application is not None
    assert list(errors(SCHEMA, whole)) == [".workers[0].nationality: enum"]


def test_a_fault_names_its_key_and_how_to_mend_it_whatever_is_written_there() -> None:
    strange = {
        "\ud800": 1,
        "x" * 500: 1,
        "\x00": 1,
        "workers": [{"\udfff": []}],
        "employer": {"ruc": {"a": [1]}},
    }
    faults = read_application(strange).faults
    for fault in faults:
        assert len(fault.key) <= 80
        assert (fault.key + fault.message).encode()
        assert fault.message[0].isupper()
        assert fault.message.endswith(".")
        assert fault.source == "Formato de la solicitud"
    assert {"?", "x" * 60, "workers[0].?", "employer.ruc"} <= {fault.key for fault in faults}


@pytest.mark.parametrize(
    "value", [None, True, 1, 1.5, "x", "\ud800", [], [[]], {}, {"a": {}}, [{}], float("nan")]
)
def test_any_value_in_any_place_is_read_without_an_error(value: Any) -> None:
    def places(node: Any) -> Iterator[tuple[Any, Any]]:
        for step, below in node.items() if isinstance(node, dict) else enumerate(node):
            yield node, step
            if isinstance(below, dict | list):
                yield from places(below)

    sample = tree(**SEASONAL)
    count = len(list(places(sample)))
    assert count > 45
    for at in range(count):
        whole = copy.deepcopy(sample)
        node, step = list(places(whole))[at]
        node[step] = value
        reading = read_application(whole)
        assert (reading.application is None) == bool(reading.faults)
    read_application(value)


def test_what_is_typed_is_kept_without_what_nobody_sees() -> None:
    def name(typed: str) -> str | None:
        application = read_application(of_worker(surnames=typed)).application
        return application.workers[0].surnames if application else None

    assert name("  Ejemplo \n Prueba ") == "Ejemplo Prueba"
    assert name("Ejem\u00adplo\u200b Prue\u202eba\ufeff") == "Ejemplo Prueba"
    assert name("Ejemplo\x00\ud800Prueba") == "Ejemplo Prueba"
    for nothing in ("\u200b", "\u202e\u2066", "\x00", "\ud800", "\u00a0 \u2003"):
        assert name(nothing) is None


def test_amounts_are_kept_with_two_decimals_and_fit_their_columns() -> None:
    def pay(value: Any) -> str | None:
        application = read_application(tree(contract__pay=value)).application
        return str(application.contract.pay) if application else None

    assert [pay(value) for value in (1, 1.005, 1500.5, 0.1 + 0.2, -3)] == [
        "1.00",
        "1.00",
        "1500.50",
        "0.30",
        "-3.00",
    ]
    assert pay(9_999_999_999.99) == "9999999999.99"
    assert pay(9_999_999_999.996) is None


def test_every_object_of_the_schema_is_closed_and_its_keys_are_those_of_the_fields() -> None:
    assert SCHEMA["$schema"] == DIALECT
    found = list(objects(SCHEMA))
    assert len(found) == 6 + len(fields.DETAILS)
    assert all(each["additionalProperties"] is False for each in found)
    parts = SCHEMA["properties"]
    people = parts["workers"]["items"]
    assert list(people["properties"]) == [question.name for question in fields.WORKER]
    assert people["required"] == [question.name for question in fields.WORKER if question.required]
    assert people["properties"]["nationality"]["enum"] == ["BOL", "COL", "ECU"]
    assert people["properties"]["surnames"]["maxLength"] == 100
    assert people["properties"]["birth_date"]["format"] == "date"
    assert parts["category"]["enum"] == list(fields.CATEGORIES_ES)
    json.dumps(SCHEMA, allow_nan=False)


def test_the_example_breaks_no_rule_on_the_day_of_its_making() -> None:
    application = read_application(copy.deepcopy(EXAMPLE)).application
    assert application is not None
    assert broken(RULES, application, Known(dt.date(2026, 11, 28))) == ()


def test_every_rule_stands_on_the_page_with_the_key_that_it_names() -> None:
    assert list(KEYS) == [rule.name for rule in RULES]
    for case in CASES:
        assert re.sub(r"\[\d+\]", "[n]", case.key) == KEYS[case.rule]
    page = reference()
    for rule in RULES:
        assert f"| `{rule.name}` |" in page
        assert rule.message in page
        assert rule.source in page


def test_every_fault_of_shape_stands_on_the_page() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "helpdesk" / "certificates").glob("*.py"))
    command = (ROOT / "helpdesk" / "cli" / "certificate.py").read_text()
    raised = set(re.findall(r'Wrong\(\s*"(\w+)"', code)) | set(re.findall(r'_fault\(\s*"(\w+)"', code))
    raised |= set(re.findall(r'Fault\([^")]*(?:"[\w()]*")?,\s*"(\w+)"', command))
    raised |= {rule for rule, _, _ in FAULTY} | {rule for rule, _, _ in APART}
    assert {"unavailable", "unreadable", "virus", "file_type", "too_long"} <= raised <= set(SHAPE_FAULTS)
    for name in SHAPE_FAULTS:
        assert f"| `{name}` |" in reference()


def test_page_and_schema_are_those_that_the_code_makes() -> None:
    assert (DOCS / "certificate-filing.md").read_text() == reference()
    assert (DOCS / "certificate-filing.schema.json").read_text() == schema_text()
    assert json.loads(schema_text()) == SCHEMA
    (block,) = re.findall(r"```json\n(.*?)```", reference(), re.S)
    assert json.loads(block) == EXAMPLE
