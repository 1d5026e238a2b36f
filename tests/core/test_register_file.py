"""The register of past years as a CSV file: what is read, what is allowed, and every fault by its row and column."""

from __future__ import annotations

import datetime as dt

import pytest

from helpdesk.certificates.register_file import read_instant, read_table
from helpdesk.settings import LIMA
from tests.past_register import SECOND, check, csv_of, many, places, row, table_of


def test_rows_of_one_filing_must_agree_about_the_contract() -> None:
    found = check(
        csv_of([row(filing="A"), row(filing="A", **SECOND, contract_pay="10", issued="2011-03-16")])
    )
    assert places(found) == {(3, "contract_pay", "filing_differs"), (3, "issued", "filing_differs")}
    assert "fila 2" in found.faults[0].message


def test_several_people_on_an_individual_contract_are_a_warning_of_the_mark() -> None:
    found = check(csv_of([row(filing="A"), row(filing="A", **SECOND)]))
    assert found.faults == []
    (warning,) = found.warnings
    assert (warning.row, warning.column, warning.rule) == (2, "filing", "several_workers")


DOCUMENT = "employer_representative_document_number"


CELLS: list[tuple[dict[str, str], tuple[str, str]]] = [
    ({"number": ""}, ("number", "required")),
    ({"number": "x" * 61}, ("number", "too_long")),
    ({"number": "CTMA-2026-000001"}, ("number", "number_reserved")),
    ({"number": "ctma-2027-000001"}, ("number", "number_reserved")),
    ({"issued": ""}, ("issued", "required")),
    ({"issued": "marzo"}, ("issued", "date")),
    ({"issued": "31/02/2011"}, ("issued", "date")),
    ({"issued": "15/03/0011"}, ("issued", "date")),
    ({"issued": "2026-11-28T15:00:01Z"}, ("issued", "issued_later")),
    ({"employer_ruc": "20131312954"}, ("employer_ruc", "ruc")),
    ({"employer_name": ""}, ("employer_name", "required")),
    ({DOCUMENT: "1"}, (DOCUMENT, "representative_document")),
    (
        {"worker_nationality": "CHL", "worker_document_type": "passport"},
        ("worker_nationality", "nationality"),
    ),
    ({"worker_nationality": "Colombia"}, ("worker_nationality", "country")),
    ({"worker_document_type": "dni"}, ("worker_document_type", "choice")),
    ({"worker_birth_date": "20/13/1980"}, ("worker_birth_date", "date")),
    ({"contract_pay": "0"}, ("contract_pay", "pay")),
    ({"contract_pay": "1.500"}, ("contract_pay", "number")),
    ({"contract_pay": "mil"}, ("contract_pay", "number")),
    ({"contract_end": ""}, ("contract_end", "end_missing")),
    ({"contract_workplace_ubigeo": "999999"}, ("contract_workplace_ubigeo", "ubigeo")),
    ({"category": "turista"}, ("category", "choice")),
    ({"contract_file": "contrato.pdf"}, ("contract_file", "unreadable")),
]


@pytest.mark.parametrize(("changed", "wanted"), CELLS, ids=lambda value: "-".join(map(str, value)))
def test_a_fault_is_named_by_row_and_column(changed: dict[str, str], wanted: tuple[str, str]) -> None:
    found = check(csv_of([row(contract_file=""), row(**(SECOND | changed))]))
    assert places(found) == {(3, *wanted)}
    assert found.faults[0].message


def test_the_questions_of_another_category_are_not_for_this_one() -> None:
    strange = check(csv_of([row(category_details_work="Cosecha")]))
    assert places(strange) == {(2, "category_details_work", "unknown_key")}
    missing = check(csv_of([row(category="border", category_details_home_address="Cúcuta")]))
    assert places(missing) == {(2, "category_details_border_district", "required")}


def test_the_same_number_twice_is_a_fault_of_the_second_row() -> None:
    found = check(csv_of([row(), row(**(SECOND | {"number": "0001-2011"}))]))
    assert places(found) == {(3, "number", "number_twice")}
    assert "fila 2" in found.faults[0].message


def test_unknown_double_and_missing_columns_are_named_before_anything_else() -> None:
    whole = row()
    del whole["contract_pay"]
    names = [*whole, "Observaciones", "number", "declarations_privacy"]
    found = check(table_of([names, ["x"] * len(names)]))
    assert places(found) == {
        (1, "observaciones", "unknown_column"),
        (1, "number", "column_twice"),
        (1, "declarations_privacy", "unknown_column"),
        (1, "contract_pay", "missing_column"),
    }


def test_a_columns_name_is_fit_for_a_terminal() -> None:
    found = check(table_of([[*row(), "\x1b[2Jmalo"], [*row().values(), "x"]]))
    assert found.faults[0].column == "?[2jmalo"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_delimiter_and_charset_are_found_out(delimiter: str, charset: str) -> None:
    checked = check(csv_of([row(employer_name="Peñaloza, Núñez; e Hijos")], delimiter, charset))
    assert checked.faults == []
    employer = checked.filings[0].application.employer
    assert (employer.name, employer.activity) == ("Peñaloza, Núñez; e Hijos", "Agricultura")
    assert checked.filings[0].application.workers[0].given_names == "Ana María"


def test_names_of_columns_may_be_written_in_other_ways() -> None:
    names = [name.upper().replace("EMPLOYER_", " Employer. ") for name in row()]
    assert check(table_of([names, list(row().values())])).faults == []


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1500", 1500), ("1500.5", 1500.5), ("1500,5", 1500.5), ("1,500.50", 1500.5), ("1.500,50", 1500.5),
        ("1 500.00", 1500), ("12,345,678.9", 12_345_678.9), ("0.75", 0.75),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(written: str, read: float) -> None:
    checked = check(csv_of([row(contract_pay=written)]))
    assert float(checked.filings[0].application.contract.pay) == read


def test_days_and_instants_are_read_in_both_ways() -> None:
    checked = check(csv_of([row(contract_signed="2011-03-01", contract_start="16-3-2011")]))
    contract = checked.filings[0].application.contract
    assert (contract.signed, contract.start) == (dt.date(2011, 3, 1), dt.date(2011, 3, 16))
    noon = dt.datetime(2011, 3, 5, 12, tzinfo=LIMA)
    for written in ("5/3/2011 12:00", "05/03/2011 12:00:00", "2011-03-05T12:00", "2011-03-05T17:00:00Z"):
        assert read_instant(written) == noon, written
    for strange in ("2011-W02-1", "20110305", "5/3/11", "2011-03-05T", "2011-03-05 25:00", ""):
        assert read_instant(strange) is None, strange


def test_what_a_spreadsheet_does_to_cells_is_undone() -> None:
    changed = {"contract_workplace_ubigeo": "20105", "employer_phone": "'+51 1 000 0000"}
    checked = check(csv_of([row(worker_document_number='="1000000001"', **changed)]))
    assert checked.faults == []
    application = checked.filings[0].application
    assert application.contract.workplace_ubigeo == "020105"
    assert application.workers[0].document_number == "1000000001"
    assert application.employer.phone == "+51 1 000 0000"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "missing_column"),
        (b"\xff\xfen\x00u\x00", "unreadable"),
        (b"PK\x03\x04 a workbook", "unreadable"),
        (b"\x81\x8d\x8f", "unreadable"),
        (csv_of([row()]).splitlines()[0], "empty"),
        (csv_of([row()]) + b'"never closed;', "unreadable"),
        (csv_of([row()]) + b'"a"b;' + b"\n", "unreadable"),
        (csv_of([row()]).rstrip() + b";;one too many\r\n", "cells"),
    ],
)
def test_what_is_no_register_is_a_fault_and_no_error(content: bytes, rule: str) -> None:
    found = check(content)
    assert {fault.rule for fault in found.faults} == {rule}


def test_the_table_is_read_without_a_database() -> None:
    assert len(read_table(csv_of(many(10))).lines) == 10
