"""The statistics of constancias: the page, its charts, and the files that are made of the same figures."""

from __future__ import annotations

import csv
import re
import zipfile
from datetime import datetime
from html import unescape
from io import BytesIO, StringIO
from xml.etree import ElementTree

import pikepdf
import pytest
from werkzeug.test import TestResponse

from helpdesk.reports.constancias import MOST_NAMED
from helpdesk.reports.quarters import quarter_of
from helpdesk.settings import LIMA
from tests.desk import Desk
from tests.filings import today
from tests.issued import colombian, date, issue, issue_seven
from tests.web.conftest import Person

PAGE = "/constancias/estadisticas"
FILES = ("informe.pdf", "tablas.csv", "tablas.xlsx")
FORMULA = "=cmd|'/C calc'!A0"
HOSTILE = "<script>alert(1)</script> {{7*7}} ${x} 100% %(x)s"
SHEET = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
LONG_AGO = datetime(2024, 5, 10, 12, tzinfo=LIMA)


@pytest.fixture
def seven(desk: Desk) -> str:
    """Seven constancias of the second quarter of 2024, counted by hand; the page that shows them."""
    issue_seven(desk)
    date(desk, LONG_AGO)
    return f"{PAGE}?periodo=2024-2"


def chart(page: str, key: str) -> str:
    """The section of a chart."""
    (found,) = re.findall(
        rf'<section class="message chart" aria-labelledby="{key}">(.*?)</section>', page, re.DOTALL
    )
    return str(found)


def table(page: str, key: str) -> dict[str, list[str]]:
    """The rows of a chart's table, by their heads."""
    (found,) = re.findall(r"<tbody>(.*?)</tbody>", chart(page, key), re.DOTALL)
    rows = re.findall(r'<tr[^>]*><th scope="row">(.*?)</th>(.*?)</tr>', found, re.DOTALL)
    return {
        unescape(head): [unescape(cell) for cell in re.findall(r"<td>([^<]*)</td>", cells)]
        for head, cells in rows
    }


def csv_rows(response: TestResponse) -> list[list[str]]:
    assert response.data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(StringIO(response.data.decode("utf-8-sig")), delimiter=";"))


def workbook(response: TestResponse) -> dict[str, list[list[tuple[str, str]]]]:
    """The cells of each sheet, as their type and what they hold; in a file written row by row texts are inline."""
    with zipfile.ZipFile(BytesIO(response.data)) as parts:
        names = [
            node.attrib["name"]
            for node in ElementTree.fromstring(parts.read("xl/workbook.xml")).iterfind(".//m:sheet", SHEET)
        ]
        sheets = [parts.read(f"xl/worksheets/sheet{place}.xml") for place in range(1, len(names) + 1)]
    assert b"<f>" not in b"".join(sheets), "a cell is a formula"
    return {name: rows_of(sheet) for name, sheet in zip(names, sheets, strict=True)}


def rows_of(sheet: bytes) -> list[list[tuple[str, str]]]:
    rows = ElementTree.fromstring(sheet).iterfind(".//m:row", SHEET)
    return [[(cell.attrib.get("t", "n"), "".join(cell.itertext())) for cell in row] for row in rows]


def test_only_supervisors_see_them(agent: Person, stranger: Person, seven: str) -> None:
    for path in (PAGE, *(f"{PAGE}/{name}" for name in FILES)):
        assert "no tiene permiso" in agent.get(path, 403).text
        assert stranger.client.get(path).status_code == 302


def test_every_heading_is_what_its_table_says(supervisor: Person, seven: str) -> None:
    page = supervisor.get(seven).text
    headings = re.findall(r'<section class="message chart"[^>]*>\s*<h2 id="[^"]+">([^<]+)</h2>', page)
    young = "personas de Colombia de 18 a 24 años", "personas de Colombia de 25 a 34 años"
    assert [unescape(said) for said in headings] == [
        "4 de las 7 constancias fueron para personas de Colombia",
        "4 de las 7 constancias fueron para hombres",
        "3 de las 7 constancias fueron para personas de 18 a 24 años",
        f"Tantas constancias para {young[0]} como para {young[1]}: 2 y 2",
        "3 de las 7 constancias fueron para personas solteras",
        "4 de las 7 constancias fueron para personas con cédula de ciudadanía (Colombia)",
        "6 de las 7 constancias fueron para la ocupación «Ingeniera agrónoma»",
        "5 de las 7 constancias fueron para trabajar en Ica",
        "6 de las 7 constancias fueron de empleadores de la actividad «Agricultura»",
        "Sin un grupo mayor: 3 empatan, con 2 constancias cada uno",
        "6 de las 7 constancias fueron de la categoría «De temporada»",
        "5 de las 7 constancias fueron de primera emisión, sin reemplazar a otra",
    ]


def test_tables_have_the_exact_figures_and_their_sum(supervisor: Person, seven: str) -> None:
    page = supervisor.get(seven).text
    assert table(page, "nationality") == {
        "Colombia": ["4", "57 %"],
        "Ecuador": ["2", "29 %"],
        "Bolivia": ["1", "14 %"],
        "Total": ["7", "100 %"],
    }
    assert table(page, "age_nationality")["Total"] == ["1", "4", "2", "7"]
    assert table(page, "age_nationality")["55 a 64 años"] == ["1", "0", "1", "2"]
    assert re.findall(r"<p><b>(\d+)</b>", page) == ["7", "5", "2", "0"]
    assert "para 5 personas distintas" in page


def test_charts_have_no_styles_and_say_their_numbers_to_screen_readers(
    supervisor: Person, seven: str
) -> None:
    found = chart(supervisor.get(seven).text, "sex")
    assert 'role="img" aria-labelledby="sex-t sex-d"' in found
    assert '<title id="sex-t">4 de las 7 constancias fueron para hombres</title>' in found
    assert '<desc id="sex-d">Hombre: 4 (57 %); Mujer: 3 (43 %).</desc>' in found
    bars = re.findall(r'<rect (class="lead" )?x="0" y="\d+" width="([\d.]+)%"', found)
    assert bars == [('class="lead" ', "100.00"), ("", "75.00")]
    assert "style=" not in found


def test_a_period_is_chosen_and_none_that_has_not_begun_is_offered(supervisor: Person, seven: str) -> None:
    page = supervisor.get(seven).text
    assert '<option value="2024-2" selected>II trimestre de 2024 (abril a junio)</option>' in page
    assert 'rel="prev" href="/constancias/estadisticas?periodo=2024-1"' in page
    assert 'rel="next" href="/constancias/estadisticas?periodo=2024-3"' in page
    now = quarter_of(today())
    page = supervisor.get(PAGE).text
    assert f'<option value="{now.name}" selected>' in page
    assert 'rel="next"' not in page
    offered = re.findall(r'<option value="([^"]+)"', page)
    assert offered[-1] == "2024-2"
    assert {now.name, str(now.first.year), "2024"} <= set(offered)
    assert now.next is not None
    assert now.next.name not in offered


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("periodo=2024", "7"),
        ("desde=2024-05-10&hasta=2024-05-10", "7"),
        ("periodo=2024-05-01..2024-05-31", "7"),
    ],
)
def test_a_year_and_free_dates_can_be_asked_for(
    supervisor: Person, seven: str, query: str, count: str
) -> None:
    page = supervisor.get(f"{PAGE}?{query}").text
    assert re.findall(r"<p><b>(\d+)</b>", page)[0] == count


@pytest.mark.parametrize(
    "query", ["periodo=2199-1", "periodo=x", "periodo=", "desde=2024-05-11&hasta=2024-05-10", "hasta="]
)
def test_what_is_no_period_shows_the_present_quarter_and_makes_no_file(
    supervisor: Person, query: str
) -> None:
    page = supervisor.get(f"{PAGE}?{query}").text
    assert "Ese período no existe o todavía no empieza." in page
    assert f'<option value="{quarter_of(today()).name}" selected>' in page
    for name in FILES:
        supervisor.get(f"{PAGE}/{name}?{query}", 404)


def test_a_quarter_without_constancias_says_so_and_leads_to_the_one_before(supervisor: Person) -> None:
    page = supervisor.get(PAGE).text
    assert "En este período no se emitió ninguna constancia que siga en pie." in page
    assert "el período no ha terminado" in page
    assert "<svg" not in page
    assert "Descargar PDF" not in page
    for name in FILES:
        supervisor.get(f"{PAGE}/{name}")


def test_the_pdf_is_for_archives_and_screen_readers(supervisor: Person, seven: str) -> None:
    response = supervisor.get(f"{PAGE}/informe.pdf?periodo=2024-2")
    assert response.mimetype == "application/pdf"
    assert response.headers["Content-Disposition"] == 'attachment; filename="constancias-2024-2.pdf"'
    assert "sandbox" in response.headers["Content-Security-Policy"]
    pdf = pikepdf.open(BytesIO(response.data))
    with pdf.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"], metadata["pdfuaid:part"]) == (
            "2",
            "A",
            "1",
        )
        assert "informe trimestral" in str(metadata["dc:title"])
    assert pdf.Root.Lang == "es-PE"


def test_the_csv_is_read_back(supervisor: Person, seven: str) -> None:
    response = supervisor.get(f"{PAGE}/tablas.csv?periodo=2024-2")
    assert response.headers["Content-Disposition"] == 'attachment; filename="constancias-2024-2.csv"'
    head, *rows = csv_rows(response)
    assert head == [
        "Período",
        "Tabla",
        "Grupo",
        "Nacionalidad",
        "Constancias",
        "Porcentaje",
        "De un total de",
    ]
    assert ["2024-2", "Nacionalidad", "Colombia", "", "4", "57.14", "7"] in rows
    assert ["2024-2", "Edad y nacionalidad", "18 a 24 años", "Colombia", "2", "28.57", "7"] in rows
    sums = {name: sum(int(row[4]) for row in rows if row[1] == name) for name in {row[1] for row in rows}}
    assert len(sums) == 12
    assert set(sums.values()) == {7}


def test_the_workbook_is_read_back(supervisor: Person, seven: str) -> None:
    response = supervisor.get(f"{PAGE}/tablas.xlsx?periodo=2024-2")
    assert response.headers["Content-Disposition"] == 'attachment; filename="constancias-2024-2.xlsx"'
    book = workbook(response)
    assert list(book)[:3] == ["Informe", "Nacionalidad", "Sexo"]
    assert len(book) == 13
    texts = [[text for _, text in row] for row in book["Nacionalidad"]]
    assert texts[0] == ["4 de las 7 constancias fueron para personas de Colombia"]
    assert texts[1:] == [
        ["Nacionalidad", "Constancias", "Porcentaje"],
        ["Colombia", "4", "0.5714285714285714"],
        ["Ecuador", "2", "0.2857142857142857"],
        ["Bolivia", "1", "0.1428571428571428"],
        ["Total", "7", "1"],
    ]
    assert [text for _, text in book["Edad y nacionalidad"][-1]] == ["Total", "1", "4", "2", "7", "1"]


def test_nothing_that_people_typed_becomes_a_formula_or_markup(supervisor: Person, desk: Desk) -> None:
    issue(desk, colombian(1), contract__occupation=FORMULA, employer__activity=HOSTILE)
    issue(desk, colombian(2), contract__occupation="+51 1 000", employer__activity="@SUM(1+1)")
    date(desk, LONG_AGO)
    page = supervisor.get(f"{PAGE}?periodo=2024-2").text
    assert "<script>alert" not in page
    assert HOSTILE in table(page, "activity")
    assert FORMULA in table(page, "occupation")
    groups = [row[2] for row in csv_rows(supervisor.get(f"{PAGE}/tablas.csv?periodo=2024-2"))]
    assert {f"'{FORMULA}", "'+51 1 000", "'@SUM(1+1)"} <= set(groups)
    assert not [group for group in groups if group.startswith(("=", "+", "-", "@"))]
    book = workbook(supervisor.get(f"{PAGE}/tablas.xlsx?periodo=2024-2"))
    typed = [cell for row in book["Ocupación"] for cell in row if cell[1] in (FORMULA, "+51 1 000")]
    assert [kind for kind, _ in typed] == ["inlineStr", "inlineStr"]
    assert supervisor.get(f"{PAGE}/informe.pdf?periodo=2024-2").data.startswith(b"%PDF-")


def test_long_and_many_words_keep_their_place(supervisor: Person, desk: Desk) -> None:
    long = "Especialista " * 15
    for number in range(MOST_NAMED + 2):
        occupation = long if number == 0 else f"Oficio {number:02}"
        issue(desk, colombian(number), contract__occupation=occupation)
    date(desk, LONG_AGO)
    page = supervisor.get(f"{PAGE}?periodo=2024-2").text
    rows = table(page, "occupation")
    assert long.strip() in rows
    assert rows["Otras ocupaciones"] == ["2", "12 %"]
    assert all(len(unescape(text)) <= 33 for text in re.findall(r'<text x="0"[^>]*>([^<]*)</text>', page))
