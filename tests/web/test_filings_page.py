"""The register's page: searched by everybody who is signed in, exported by supervisors, whose looks are noted."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk.certificates.issuing import submit
from helpdesk.certificates.records import Constancia, Filing, FilingLook
from helpdesk.reports.registry_export import HEADER
from helpdesk.reports.spreadsheet import FORMULA_BEGINS, csv_chunks, guarded
from tests.desk import Desk
from tests.filings import RUC, day, submission, today, worker
from tests.web.conftest import Person

FORMULA = "=cmd|'/C calc'!A0"


def file(desk: Desk, name: str = "Ana María", number: str = "1000000001", **changed: Any) -> str:
    """A filing for one person; its ticket's number."""
    person = worker(document_number=number, given_names=name, email=None, **changed.pop("person", {}))
    with desk.sessions.begin() as session:
        result = submit(session, submission(workers=[person], **changed), desk.settings)
        assert result.filing is not None
        return result.filing.ticket.number


def rows_of(page: str) -> list[str]:
    """The texts of the table's rows, without tags."""
    body = page.partition("<tbody")[2].partition("</tbody>")[0]
    bare = [re.sub(r"<[^>]+>", " ", row) for row in body.split("<tr")[1:]]
    return [" ".join(html.unescape(row.partition(">")[2]).split()) for row in bare]


def looks(desk: Desk) -> list[tuple[int, str, str]]:
    with desk.sessions() as session:
        rows = session.scalars(select(FilingLook).order_by(FilingLook.id))
        return [(look.filing_id, look.user.name, look.what) for look in rows]


def test_a_row_says_who_and_what_and_leads_to_the_filing(agent: Person, desk: Desk) -> None:
    ticket = file(desk)
    page = agent.get("/constancias").text
    (row,) = rows_of(page)
    with desk.sessions() as session:
        number = session.scalars(select(Constancia.number)).one()
    for said in (number, "Vigente", "Ana María Ejemplo Prueba", "Colombia", "Agrícola de Prueba S.A.C."):
        assert said in row
    assert "Con desplazamiento individual" in row
    assert f'href="/constancias/{ticket}"' in page
    agent.get(f"/constancias/{ticket}")


def test_documents_are_masked_in_the_list(agent: Person, desk: Desk) -> None:
    file(desk, person={"nationality": "COL"})
    page = agent.get("/constancias").text
    assert "•••••••001" in page
    assert "••••••••955" in page
    assert "1000000001" not in page
    assert RUC not in page
    searched = agent.get("/constancias?q=1000000001").text
    assert "1000000001" not in "".join(rows_of(searched))


def test_everything_is_found_by_what_people_type(agent: Person, desk: Desk) -> None:
    first = file(desk)
    file(desk, "Óscar", "1000000002", person={"surnames": "Núñez Peñaloza"}, employer__name="Minera Ñandú")
    file(desk, "Inés", "1000000003", person={"birth_date": day(-365 * 17)})
    with desk.sessions() as session:
        paper = session.scalars(select(Constancia).order_by(Constancia.id)).first()
        assert paper is not None
        number, code = paper.number, paper.code
    seen = {
        "": {"Ana", "Óscar"},
        "?q=nunez+pena": {"Óscar"},
        "?q=%C3%91AND%C3%9A": {"Óscar"},
        "?q=oscar": {"Óscar"},
        "?q=ana+agr%C3%ADcola": {"Ana"},
        "?q=1000000002": {"Óscar"},
        f"?q={RUC}": {"Ana", "Óscar"},
        f"?q={number}": {"Ana"},
        f"?q={code}": {"Ana"},
        f"?q={first}": {"Ana"},
        "?q=nadie": set(),
        "?estado=observed": {"Inés"},
        "?estado=registered": {"Ana", "Óscar"},
        "?vigencia=in_force": {"Ana", "Óscar"},
        "?vigencia=annulled": set(),
        "?nacionalidad=BOL": set(),
        "?nacionalidad=COL&categoria=individual&q=ana": {"Ana"},
        f"?desde={today()}&hasta={today()}": {"Ana", "Óscar"},
        f"?hasta={day(-1)}": set(),
    }
    for address, wanted in seen.items():
        rows = " | ".join(rows_of(agent.get(f"/constancias{address}").text))
        assert {name for name in ("Ana", "Óscar", "Inés") if name in rows} == wanted, address


@pytest.mark.parametrize(
    "arguments",
    [
        "estado=nada&vigencia=unknown&nacionalidad=PER&categoria=x",
        "desde=ayer&hasta=9999-99-99&pagina=-1",
        "hasta=9999-12-31&desde=0001-01-01",
        "pagina=99999999999999999999999999",
        "pagina=uno&estado[]=observed&order=1;drop table filing&key[]=1",
        "estado=observed&estado=registered&estado='",
        "vigencia=%00",
        "q=%00",
        "q=%ff%fe",
        "q=%27%3B--&nacionalidad=COL%27",
    ],
)
def test_T74_bad_arguments_are_left_out(agent: Person, desk: Desk, arguments: str) -> None:
    file(desk)
    response = agent.client.get(f"/constancias?{arguments}")
    assert response.status_code in (200, 400)
    if "%00" not in arguments:
        assert response.status_code == 200


def test_T30_names_are_text(agent: Person, desk: Desk) -> None:
    file(desk, "<script>alert(1)</script>", employer__name='"><img src=x onerror=alert(1)>')
    page = agent.get("/constancias?q=<b>x</b>").text
    assert "<b>x</b>" not in page
    page = agent.get("/constancias").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_an_empty_register_says_what_to_expect_and_an_empty_search_what_to_do(
    agent: Person, desk: Desk
) -> None:
    assert "Todavía no se emitió ninguna constancia." in agent.get("/constancias").text
    file(desk)
    page = agent.get("/constancias?q=nadie&pagina=2").text
    assert "Nada coincide con esta búsqueda." in page
    assert 'href="/constancias?q=nadie&amp;estado=observed"' in page
    assert "Quitar los filtros" in page


def test_pages_keep_the_search(agent: Person, desk: Desk) -> None:
    crowd = [worker(document_number=str(1_100_000_000 + at), email=None) for at in range(50)]
    details = {"work": "Cosecha", "lodging": True, "travel": True}
    with desk.sessions.begin() as session:
        submit(
            session, submission(workers=crowd, category="seasonal", category_details=details), desk.settings
        )
    file(desk, category="seasonal", category_details=details)
    page = agent.get("/constancias?q=ana&categoria=seasonal").text
    assert len(rows_of(page)) == 50
    assert 'href="/constancias?q=ana&amp;categoria=seasonal&amp;pagina=2"' in page
    assert len(rows_of(agent.get("/constancias?q=ana&categoria=seasonal&pagina=2").text)) == 1


def test_strangers_sign_in_and_agents_do_not_export(
    stranger: Person, agent: Person, supervisor: Person, desk: Desk
) -> None:
    file(desk)
    for path in ("/constancias", "/constancias/exportar.csv", "/constancias/exportar.xlsx"):
        assert "Ingresar" in stranger.get(path).text
    assert "exportar.csv" not in agent.get("/constancias").text
    for path in ("/constancias/exportar.csv", "/constancias/exportar.xlsx"):
        agent.get(path, status=403)
        assert supervisor.client.get(path).data
    assert "exportar.csv" in supervisor.get("/constancias").text
    assert {who for _, who, _ in looks(desk)} == {"Rosa Quispe"}


def read_csv(content: bytes) -> list[dict[str, str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_a_csv_reads_back_and_every_filing_in_it_was_looked_at(supervisor: Person, desk: Desk) -> None:
    ticket = file(desk)
    file(desk, "Óscar", "1000000002")
    response = supervisor.client.get("/constancias/exportar.csv?q=ana&pagina=7")
    assert response.mimetype == "text/csv"
    assert response.headers["Content-Disposition"] == f"attachment; filename=constancias-{today()}.csv"
    assert response.headers["Cache-Control"] == "no-store"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    (row,) = read_csv(response.data)
    assert tuple(row) == HEADER
    wanted = {
        "Atención": ticket,
        "Vigencia": "Vigente",
        "Estado": "Registrada",
        "Nombres": "Ana María",
        "Número de documento": "1000000001",
        "Nacionalidad": "Colombia",
        "RUC": RUC,
        "Emitida": today().strftime("%d/%m/%Y"),
        "Fecha de nacimiento": "20/05/1990",
        "Remuneración": "3500.50",
        "Sexo": "Mujer",
        "Distrito del trabajo": "Ica, Ica, Ica",
    }
    assert {name: row[name] for name in wanted} == wanted
    with desk.sessions() as session:
        first = session.scalars(select(Filing.id).order_by(Filing.id)).first()
    assert looks(desk) == [(first, "Rosa Quispe", "export")]


def test_a_filing_with_several_people_was_looked_at_once(supervisor: Person, desk: Desk) -> None:
    people = [worker(), worker(document_number="1000000002", email=None)]
    with desk.sessions.begin() as session:
        submit(session, submission(workers=people), desk.settings)
    response = supervisor.client.get("/constancias/exportar.csv?estado=observed")
    assert [row["Constancia"] for row in read_csv(response.data)] == ["", ""]
    assert len(looks(desk)) == 1


def test_nothing_found_is_a_table_without_rows(supervisor: Person, desk: Desk) -> None:
    assert read_csv(supervisor.client.get("/constancias/exportar.csv").data) == []
    assert supervisor.client.get("/constancias/exportar.xlsx").data.startswith(b"PK")
    assert looks(desk) == []


def test_T90_a_formula_is_text_in_both_exports(supervisor: Person, desk: Desk) -> None:
    file(desk, FORMULA, employer__name="@SUM(1+1)")
    (row,) = read_csv(supervisor.client.get("/constancias/exportar.csv").data)
    assert (row["Nombres"], row["Empleador"]) == (f"'{FORMULA}", "'@SUM(1+1)")
    response = supervisor.client.get("/constancias/exportar.xlsx")
    with zipfile.ZipFile(io.BytesIO(response.data)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert html.escape(FORMULA, quote=False) in sheet


def test_an_xlsx_holds_texts_as_texts_and_days_as_days(supervisor: Person, desk: Desk) -> None:
    file(desk, "Lucía", "0102030405", person={"nationality": "ECU", "document_type": "passport"})
    response = supervisor.client.get("/constancias/exportar.xlsx")
    assert response.headers["Content-Disposition"] == f"attachment; filename=constancias-{today()}.xlsx"
    with zipfile.ZipFile(io.BytesIO(response.data)) as book:
        assert book.testzip() is None
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    cells = dict(re.findall(r'<c r="([A-Z]+\d+)"[^>]*>(.*?)</c>', sheet))
    heads = {name[:-1]: cell for name, cell in cells.items() if re.fullmatch("[A-Z]+1", name)}
    columns = {re.sub("<[^>]+>", "", cell): letters for letters, cell in heads.items()}
    assert tuple(columns) == HEADER
    assert "0102030405" in cells[f"{columns['Número de documento']}2"]
    assert cells[f"{columns['Remuneración']}2"] == "<v>3500.50</v>"
    assert re.fullmatch(r"<v>\d{5}</v>", cells[f"{columns['Emitida']}2"])
    assert [what for _, _, what in looks(desk)] == ["export"]


@pytest.mark.parametrize("begin", FORMULA_BEGINS)
def test_T90_what_begins_as_a_formula_gets_an_apostrophe(begin: str) -> None:
    assert guarded(f"{begin}1+1") == f"'{begin}1+1"
    assert guarded(f"1{begin}") == f"1{begin}"


def test_a_long_csv_comes_in_pieces() -> None:
    pieces = list(csv_chunks(("a", "b"), ((number, None) for number in range(1_200))))
    assert len(pieces) == 3
    whole = b"".join(pieces).decode("utf-8-sig").splitlines()
    assert whole[:2] == ["a;b", "0;"]
    assert whole[-1] == "1199;"
