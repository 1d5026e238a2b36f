"""The register of past years is brought in: all of a file or nothing, each number once, nobody is written to."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from helpdesk.certificates.application import Fault
from helpdesk.certificates.contract_file import ContractFile
from helpdesk.certificates.importing import begin_import, write
from helpdesk.certificates.issuing import Outcome, submit
from helpdesk.certificates.past_filings import check_file
from helpdesk.certificates.past_known import Compared, compare
from helpdesk.certificates.records import FORGOTTEN, Constancia, FiledWorker, Filing
from helpdesk.certificates.registry import Search, registry_page
from helpdesk.certificates.retention import forget_due
from helpdesk.cli import main
from helpdesk.db import utc_now
from helpdesk.desk.files import Blob
from helpdesk.desk.ticket import Event, Ticket
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA
from tests.conftest import KEY
from tests.desk import Desk
from tests.filings import contract_pdf, submission
from tests.past_register import NOW, SECOND, check, csv_of, many, no_files, places, row, table_of


def bring(desk: Desk, content: bytes) -> Compared:
    """What the command does."""
    checked = check(content)
    with desk.sessions.begin() as session:
        begin_import(session)
        compared = compare(session, checked.filings)
        compared.faults += checked.faults
        if not compared.faults:
            write(session, compared.new, no_files, NOW)
    return compared


def filings(desk: Desk) -> list[Filing]:
    with desk.sessions() as session:
        query = select(Filing).order_by(Filing.id)
        whole = query.options(
            joinedload(Filing.ticket), joinedload(Filing.workers).joinedload(FiledWorker.constancia)
        )
        return list(session.scalars(whole).unique())


def counts(desk: Desk) -> tuple[int, int]:
    """How many tickets and constancias there are."""
    with desk.sessions() as session:
        query = select(
            select(func.count(Ticket.id)).scalar_subquery(),
            select(func.count(Constancia.id)).scalar_subquery(),
        )
        tickets, papers = session.execute(query).one()
        return tickets, papers


def test_a_row_becomes_a_closed_filing_of_its_day_and_nobody_is_written_to(desk: Desk) -> None:
    compared = bring(desk, csv_of([row(issued="15/03/2011 10:30", worker_email="ANA@example.com")]))
    assert compared.faults == compared.warnings == []
    (filing,) = filings(desk)
    at = dt.datetime(2011, 3, 15, 10, 30, tzinfo=LIMA)
    assert (filing.source, filing.state, filing.kind) == ("import", "registered", "registration")
    assert filing.filed_at == filing.decided_at == at
    assert filing.counts_on == dt.date(2011, 3, 15)
    assert filing.declarations == {}
    assert (filing.contract_name, filing.contract_mime, filing.contract_sha256) == (None, None, None)
    assert (float(filing.pay), filing.starts, filing.ends) == (
        3500.5,
        dt.date(2011, 3, 16),
        dt.date(2012, 3, 15),
    )
    ticket = filing.ticket
    assert (ticket.number, ticket.channel, ticket.status, ticket.line) == (
        *("PI-2011-000001", "constancia", "closed", "foreigner"),
    )
    assert ticket.opened_at == ticket.closed_at == ticket.updated_at == at
    assert ticket.snippet == "Emitida: 0001-2011"
    (worker,) = filing.workers
    assert (worker.name, worker.email) == ("Ana María Ejemplo Prueba", "ana@example.com")
    assert worker.birth_date == dt.date(1980, 5, 20)
    assert worker.words == "ana maria ejemplo prueba agricola de prueba s a c"
    paper = worker.constancia
    assert paper is not None
    assert (paper.number, paper.year, paper.ordinal, paper.code, paper.sha256) == (
        "0001-2011",
        2011,
        None,
        None,
        None,
    )
    assert (paper.state, paper.issued_at, paper.valid_until) == ("valid", at, dt.date(2012, 3, 15))
    assert desk.outgoing() == []
    (talk,) = desk.tickets()[0].messages
    assert "Agrícola de Prueba" in talk.text
    assert [event.kind for event in desk.tickets()[0].events] == ["filed", "constancia_issued"]
    assert "del registro anterior; se trajo el 28/11/2026" in desk.tickets()[0].events[0].why


def test_an_old_contract_is_judged_on_its_day(desk: Desk) -> None:
    assert check(csv_of([row()])).warnings == []
    later = check(csv_of([row(issued="15/03/2013")]))
    assert [(warning.rule, warning.column) for warning in later.warnings] == [
        ("contract_over", "contract_end")
    ]
    assert later.faults == []
    assert places(check(csv_of([row(issued="28/02/2011")]))) == {(2, "contract_signed", "signed")}


def test_tickets_get_the_numbers_of_their_years_in_the_order_of_issue(desk: Desk) -> None:
    rows = [
        row(number="c", issued="2012-06-01", worker_document_number="1000000003"),
        row(number="b", issued="2011-04-02", worker_document_number="1000000002"),
        row(number="a", issued="2011-04-01"),
    ]
    bring(desk, csv_of(rows))
    papers = {filing.workers[0].constancia: filing.ticket.number for filing in filings(desk)}
    found = {paper.number: number for paper, number in papers.items() if paper}
    assert found == {"a": "PI-2011-000001", "b": "PI-2011-000002", "c": "PI-2012-000001"}


def test_rows_with_the_same_mark_are_one_filing_with_several_people(desk: Desk) -> None:
    seasonal = {
        "category": "seasonal",
        "category_details_work": "Cosecha de uva",
        "category_details_lodging": "Sí",
        "category_details_travel": "x",
    }
    rows = [
        row(filing="A", **seasonal),
        row(filing="", number="0003-2011", worker_document_number="1000000003", **seasonal),
        row(filing="A", **SECOND, **seasonal),
    ]
    assert bring(desk, csv_of(rows)).faults == []
    first, other = filings(desk)
    assert [worker.name.split()[0] for worker in first.workers] == ["Ana", "Óscar"]
    assert [worker.constancia.number for worker in first.workers if worker.constancia] == [
        "0001-2011",
        "0002-2011",
    ]
    assert first.ticket.snippet == "Emitida: 0001-2011, 0002-2011"
    assert first.details == {"work": "Cosecha de uva", "lodging": True, "travel": True}
    assert len(other.workers) == 1


def test_T90_a_formula_in_a_cell_is_text(desk: Desk) -> None:
    formula = "=cmd|'/C calc'!A0"
    bring(desk, csv_of([row(worker_surnames=formula)]))
    assert filings(desk)[0].workers[0].surnames == formula


def test_empty_rows_are_passed_over_and_rows_are_counted_as_a_spreadsheet_does(desk: Desk) -> None:
    names = list(row())
    several_lines = row(worker_address_abroad="Calle 1\nBogotá")
    rows = [
        names,
        [""] * len(names),
        list(several_lines.values()),
        [],
        list(row(**SECOND, contract_pay="0").values()),
    ]
    assert places(check(table_of(rows))) == {(5, "contract_pay", "pay")}


def test_with_one_error_nothing_is_written(desk: Desk) -> None:
    compared = bring(desk, csv_of([row(), row(**SECOND, contract_pay="0")]))
    assert places(compared) == {(3, "contract_pay", "pay")}
    assert counts(desk) == (0, 0)


def test_the_same_file_twice_brings_nothing_and_a_longer_one_the_rest(desk: Desk) -> None:
    assert bring(desk, csv_of([row()])).known == 0
    again = bring(desk, csv_of([row()]))
    assert (again.known, again.new, again.faults) == (1, [], [])
    grown = bring(desk, csv_of([row(), row(**SECOND)], ","))
    assert (grown.known, len(grown.new)) == (1, 1)
    assert counts(desk) == (2, 2)


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"worker_surnames": "Otra"}, "worker_surnames"),
        ({"contract_pay": "3500.51"}, "contract_pay"),
        ({"issued": "15/03/2011 00:01"}, "issued"),
        ({"contract_end": "16/03/2012"}, "contract_end"),
        ({"employer_phone": "01 000 0000"}, "employer_phone"),
        ({"employer_representative_name": "Otra"}, "employer_representative"),
    ],
)
def test_a_number_with_other_content_is_an_error_and_names_the_column(
    desk: Desk, changed: dict[str, str], column: str
) -> None:
    bring(desk, csv_of([row()]))
    found = bring(desk, csv_of([row(**changed), row(**SECOND)]))
    assert places(found) == {(2, column, "number_taken")}
    assert counts(desk) == (1, 1)


def test_a_filing_does_not_get_other_people_later(desk: Desk) -> None:
    bring(desk, csv_of([row(filing="A")]))
    found = bring(desk, csv_of([row(filing="A"), row(filing="A", **SECOND)]))
    assert places(found) == {(2, "filing", "filing_taken")}
    bring(
        desk,
        csv_of(
            [
                row(number="p", worker_document_number="1000000008", filing="B"),
                row(number="q", worker_document_number="1000000009", filing="B"),
            ]
        ),
    )
    fewer = bring(desk, csv_of([row(number="p", worker_document_number="1000000008")]))
    assert places(fewer) == {(2, "filing", "filing_taken")}


def test_a_number_that_this_desk_issued_is_not_of_the_past(desk: Desk) -> None:
    with desk.sessions.begin() as session:
        assert submit(session, submission(), desk.settings).outcome is Outcome.ISSUED
        paper = session.scalars(select(Constancia)).one()
        paper.number = "CTMA-2025-000001"
    assert places(bring(desk, csv_of([row(number="CTMA-2025-000001")]))) == {(2, "number", "number_taken")}


def test_who_was_forgotten_does_not_come_back(desk: Desk) -> None:
    bring(desk, csv_of([row()]))
    with desk.sessions.begin() as session:
        settings = desk.settings.model_copy(update={"register_years": 10})
        assert forget_due(session, settings, NOW) == 1
    again = bring(desk, csv_of([row()]))
    assert (again.known, again.new, again.faults) == (1, [], [])
    assert filings(desk)[0].workers[0].surnames == FORGOTTEN


def test_a_second_constancia_for_the_same_days_is_a_warning(desk: Desk) -> None:
    beside = row(number="0002-2011", contract_start="01/06/2011", contract_end="01/06/2012")
    after = row(
        number="0003-2012", contract_start="02/06/2012", contract_end="02/06/2013", issued="2012-06-01"
    )
    in_one_file = bring(desk, csv_of([row(), beside | {"issued": "16/03/2011"}]))
    assert [(each.row, each.column, each.rule) for each in in_one_file.warnings] == [
        (3, "worker_document_number", "already_in_force")
    ]
    assert bring(desk, csv_of([after])).warnings == []
    third = bring(desk, csv_of([row(number="0004-2011", issued="17/03/2011")]))
    assert [each.rule for each in third.warnings] == ["already_in_force"]
    assert counts(desk) == (4, 4)


def test_a_contract_on_file_is_stored_and_must_stay_the_same(desk: Desk) -> None:
    contents = [contract_pdf()]

    def read(name: str) -> ContractFile | Fault:
        return ContractFile(name, "application/pdf", contents[-1])

    checked = check_file(csv_of([row(contract_file="2011/0001.pdf")]), read, NOW)
    contents.append(contract_pdf() + b"\n")
    with desk.sessions() as session, pytest.raises(NotAllowed, match="cambió"):
        write(session, checked.filings, read, NOW)
    contents.pop()
    with desk.sessions.begin() as session:
        write(session, checked.filings, read, NOW)
    with desk.sessions() as session:
        filing = session.scalars(select(Filing)).one()
        assert session.get_one(Blob, filing.contract_sha256).size == len(contract_pdf())


def test_one_import_at_a_time(desk: Desk) -> None:
    with desk.sessions.begin() as first:
        begin_import(first)
        with desk.sessions() as second, pytest.raises(NotAllowed, match="en marcha"):
            begin_import(second)
    with desk.sessions.begin() as later:
        begin_import(later)


def test_several_batches_keep_every_number_with_its_person(desk: Desk) -> None:
    content = csv_of(many(1_201))
    assert bring(desk, content).faults == []
    with desk.sessions() as session:
        query = select(Constancia.number, FiledWorker.document_number, Filing.filed_at, Ticket.opened_at)
        query = query.join(FiledWorker, FiledWorker.id == Constancia.worker_id)
        query = query.join(Filing, Filing.id == FiledWorker.filing_id).join(
            Ticket, Ticket.id == Filing.ticket_id
        )
        found = {number: document for number, document, _, _ in session.execute(query)}
        assert all(filed == opened for _, _, filed, opened in session.execute(query))
        assert session.scalar(select(func.count()).select_from(Event)) == 2 * 1_201
    assert found == {each["number"]: each["worker_document_number"] for each in many(1_201)}
    assert bring(desk, content).known == 1_201


def run(desk: Desk, *arguments: str) -> Result:
    environment = {
        "DATABASE_URL": str(desk.settings.database_url),
        "SECRET_KEY": KEY,
        "HELPDESK_MODE": "development",
        "HELPDESK_VAR": str(desk.settings.var),
    }
    return CliRunner().invoke(main, ["certificate", "import", *arguments], env=environment)


def told(result: Result) -> dict[str, Any]:
    return dict(json.loads(result.stdout))


def test_the_command_looks_first_and_then_writes(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "registro.csv"
    file.write_bytes(csv_of([row(), row(**SECOND)]))
    dry = run(desk, str(file), "--dry-run")
    assert dry.exit_code == 0
    assert "2 filas: 2 constancias nuevas en 2 solicitudes, 0 que ya estaban." in dry.stdout
    assert "Sin --dry-run se importará" in dry.stdout
    assert counts(desk) == (0, 0)
    assert told(run(desk, str(file), "--json")) == {
        "dry_run": False, "rows": 2, "new": 2, "new_filings": 2, "known": 0, "written": 2, "errors": [], "warnings": [],
    }  # fmt: skip
    assert counts(desk) == (2, 2)
    assert told(run(desk, str(file), "--json"))["known"] == 2


def test_the_command_names_errors_and_ends_with_1(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "registro.csv"
    file.write_bytes(csv_of([row(), row(**SECOND, contract_pay="0", worker_birth_date="01/01/2000")]))
    for arguments in ((), ("--dry-run",)):
        failed = run(desk, str(file), *arguments)
        assert failed.exit_code == 1
        assert "fila 3, contract_pay: La remuneración debe ser mayor que cero. (pay)" in failed.stderr
        assert "fila 3, worker_birth_date" in failed.stderr, "a minor is a warning"
    machine = run(desk, str(file), "--json")
    assert machine.exit_code == 1
    assert told(machine)["written"] == 0
    assert told(machine)["errors"] == [
        {
            "row": 3,
            "column": "contract_pay",
            "rule": "pay",
            "message": "La remuneración debe ser mayor que cero.",
        }
    ]
    assert counts(desk) == (0, 0)


def test_the_command_ends_with_2_when_there_is_no_file(desk: Desk, tmp_path: Path) -> None:
    assert run(desk, str(tmp_path / "nada.csv")).exit_code == 2
    assert run(desk, str(tmp_path)).exit_code == 2


def test_contract_files_are_looked_for_beside_the_csv_only(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "registro"
    folder.mkdir()
    (tmp_path / "fuera.pdf").write_bytes(contract_pdf())
    (folder / "dentro.pdf").write_bytes(contract_pdf())
    file = folder / "registro.csv"
    for name, rules in (
        ("dentro.pdf", []),
        ("../fuera.pdf", ["outside"]),
        ("/etc/passwd", ["outside"]),
        ("no.pdf", ["unreadable"]),
    ):
        file.write_bytes(csv_of([row(contract_file=name)]))
        result = told(run(desk, str(file), "--json", "--dry-run"))
        assert [error["rule"] for error in result["errors"]] == rules, name


def test_an_imported_contract_counts_as_filed_on_its_day_and_is_found_by_its_number(desk: Desk) -> None:
    bring(desk, csv_of([row()]))
    with desk.sessions() as session:
        today = utc_now().astimezone(LIMA).date()
        (found,) = registry_page(session, Search(text="0001-2011"), today).rows
        assert found.constancia is not None
        assert found.constancia.standing(today).value == "expired"
