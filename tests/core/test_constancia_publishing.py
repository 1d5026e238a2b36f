"""The report of constancias in words and on paper: what it says, what it never says, and that it can be kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product

import pytest
import typst
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpdesk.certificates.fields import NATIONALITIES_ES
from helpdesk.reports.constancia_document import (
    DESK_ONLY,
    EMPTY,
    NOT_CROSSED,
    PRIVACY,
    report_document,
    text_of,
)
from helpdesk.reports.constancias import AGES_ES, OTHERS, Breakdown, Crossing, Report, Row, Totals
from helpdesk.reports.findings import definitions, finding, leaders, percentage
from helpdesk.reports.published import LEAST, for_the_desk_only, label_of, published
from helpdesk.reports.quarters import days, quarter, year
from templates.report import SOURCE, data_of
from tests.core.test_constancia_document import elements, opened, pieces

NOW = dt.datetime(2027, 1, 8, 15, 30, tzinfo=dt.UTC)
HOSTILE = "=cmd|'/C calc'!A0 #panic(\"x\") <script>alert(1)</script> [[[ 李"


def breakdown(key: str, **counts: int) -> Breakdown:
    return Breakdown(key, key.capitalize(), tuple(Row(name, name, n) for name, n in counts.items()))


def crossing(*ages: Sequence[int]) -> Crossing:
    """A crossing, from the counts of Bolivia, Colombia and Ecuador for each group of age."""
    labels = list(AGES_ES.items())
    parts = (
        Breakdown(key, country, tuple(Row(*labels[age], counts[place]) for age, counts in enumerate(ages)))
        for place, (key, country) in enumerate(NATIONALITIES_ES.items())
    )
    return Crossing("age_nationality", "Edad y nacionalidad", tuple(parts))


def report(
    ages: Sequence[Sequence[int]], occupations: dict[str, int] | None = None, annulled: int = 0
) -> Report:
    """A report whose tables agree with a crossing."""
    crossed = crossing(*ages)
    n = crossed.n
    by_age = (
        Row(key, label, sum(counts)) for (key, label), counts in zip(AGES_ES.items(), ages, strict=True)
    )
    words = {**(occupations or {"Soldador": n})}
    tables = (
        Breakdown(
            "nationality", "Nacionalidad", tuple(Row(part.key, part.head, part.n) for part in crossed.parts)
        ),
        Breakdown("age", "Edad al emitirse", tuple(by_age)),
        crossed,
        Breakdown("occupation", "Ocupación", tuple(Row(word.lower(), word, k) for word, k in words.items())),
        Breakdown("step", "Trámite", (Row("first", "Primera constancia", n),)),
    )
    return Report(quarter(2026, 4), NOW, Totals(people=n, annulled=annulled, sealing=0), tables)


USUAL = report(
    [(0, 0, 0), (8, 35, 11), (21, 105, 37), (15, 66, 25), (6, 36, 18), (4, 13, 5), (1, 1, 5)],
    {"Soldador": 300, "Enfermera": 109, "Chofer": 2, "Ana Torres, asistenta de": 1},
)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((1, 0), "La única constancia fue para mujeres"),
        ((4, 0), "Todas las constancias fueron para mujeres"),
        ((5, 2), "5 de las 7 constancias fueron para mujeres"),
        ((3, 3), "Tantas constancias para mujeres como para hombres: 3 y 3"),
        ((60, 40), "6 de cada 10 constancias fueron para mujeres"),
        ((63, 37), "Más de 6 de cada 10 constancias fueron para mujeres"),
        ((58, 42), "Casi 6 de cada 10 constancias fueron para mujeres"),
        ((52, 48), "Algo más de la mitad de las constancias fueron para mujeres"),
        ((67, 33), "2 de cada 3 constancias fueron para mujeres"),
        ((99, 1), "Casi todas las constancias fueron para mujeres"),
        ((0, 0), "Ningún grupo se puede nombrar"),
    ],
)
def test_a_heading_says_what_the_table_says(counts: tuple[int, int], said: str) -> None:
    table = breakdown("sex", female=counts[0], male=counts[1])
    assert finding(table) == said
    assert len(leaders(table)) == (0 if not sum(counts) else 1 + (counts[0] == counts[1]))


def test_a_heading_does_not_make_much_of_little() -> None:
    many = breakdown("region", Lima=4, **{f"R{i}": 3 for i in range(12)})
    assert finding(many) == "Lo más frecuente, con 10 %: constancias para trabajar en Lima"
    tied = breakdown("region", Ica=2, Lima=2, Piura=2)
    assert finding(tied) == "Sin un grupo mayor: 3 empatan, con 2 constancias cada uno"
    others = Breakdown(
        "occupation", "Ocupación", (Row("x", "Chofer", 3), Row(OTHERS, "Otras ocupaciones", 9))
    )
    assert finding(others) == "1 de cada 4 constancias fue para la ocupación «Chofer»"
    assert leaders(others) == {"x"}


@given(st.integers(0, 400), st.integers(1, 400))
def test_a_heading_never_says_all_of_what_is_not_all(part: int, rest: int) -> None:
    said = finding(breakdown("sex", female=part, male=rest))
    assert "Todas" not in said or part == 0
    for count in (part, rest):
        share = count / (part + rest)
        assert (percentage(share) == "0 %") is (count == 0)
        assert (percentage(share) == "100 %") is (share == 1)


def test_the_definitions_tell_of_the_annulled_and_of_those_without_a_seal() -> None:
    told = " ".join(definitions(replace(USUAL, totals=Totals(400, 7, 0))))
    assert "según su estado al 08/01/2027" in told
    assert "Las anuladas no están en las tablas: son 7." in told
    assert "sello" not in told
    assert "sello electrónico: son 2." in " ".join(definitions(replace(USUAL, totals=Totals(400, 7, 2))))


def test_neighbouring_ages_are_joined_until_no_cell_is_of_one_or_two() -> None:
    (found,) = [table for table in published(USUAL).tables if isinstance(table, Crossing)]
    assert [rows[0].label for rows in found.rows][-2:] == ["45 a 54 años", "55 años o más"]
    assert [row.count for row in found.rows[-1]] == [5, 14, 10]
    assert found.n == USUAL.n


def test_a_crossing_of_few_is_not_published_at_all() -> None:
    few = report([(0, 0, 0), (1, 4, 3), (0, 5, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)])
    (found,) = [table for table in published(few).tables if isinstance(table, Crossing)]
    assert found.rows == []
    assert [table.about for table in text_of(published(few)).tables if not table.lines] == [NOT_CROSSED]


cells = st.lists(st.tuples(*[st.sampled_from([0, 0, 0, 1, 2, 4, 7])] * 3), min_size=7, max_size=7)
# Once the two oldest groups are joined, all of them are of Colombia, and so is the one over 65.
ALL_OF_ONE_COUNTRY = [(4, 4, 4)] * 5 + [(0, 4, 0), (0, 1, 0)]


@settings(max_examples=150, deadline=None)
@given(cells)
@example(ALL_OF_ONE_COUNTRY)
def test_no_cell_of_one_or_two_can_be_found_out(ages: list[tuple[int, ...]]) -> None:
    """Whoever knows the whole publication finds more than one number for each such cell, or three and more."""
    before = report(ages)
    after = published(before)
    (found,) = [table for table in after.tables if isinstance(table, Crossing)]
    if not found.rows:
        return
    assert [part.n for part in found.parts] == [part.n for part in crossing(*ages).parts]
    assert {row.count for rows in found.rows for row in rows}.isdisjoint(range(1, LEAST))
    starts = [int(rows[0].key) for rows in found.rows] + [len(ages)]
    for place, (start, end) in enumerate(pairwise(starts)):
        columns = [row.count for row in found.rows[place]]
        if end - start > 3 or sum(columns) > 12:
            continue  # too many to try all
        possible = list(matrices([sum(age) for age in ages[start:end]], columns))
        assert tuple(ages[start:end]) in possible
        for cell in product(range(end - start), range(3)):
            values = {matrix[cell[0]][cell[1]] for matrix in possible}
            assert len(values) > 1 or values.isdisjoint(range(1, LEAST))


def matrices(rows: list[int], columns: list[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """All tables with these sums."""
    if len(rows) == 1:
        if rows[0] == sum(columns):
            yield (tuple(columns),)
        return
    for first in product(*(range(column + 1) for column in columns)):
        if sum(first) == rows[0]:
            left = [column - taken for column, taken in zip(columns, first, strict=True)]
            for more in matrices(rows[1:], left):
                yield (first, *more)


@pytest.mark.parametrize(
    ("first", "last", "label"),
    [(0, 1, "Menos de 25 años"), (1, 2, "18 a 34 años"), (5, 6, "55 años o más"), (0, 6, "Todas las edades")],
)
def test_joined_ages_have_a_name(first: int, last: int, label: str) -> None:
    assert label_of(first, last) == label


def test_each_group_of_age_is_named_as_on_the_page() -> None:
    assert [label_of(int(key), int(key)) for key in AGES_ES] == list(AGES_ES.values())


def test_what_fewer_than_three_wrote_is_not_named() -> None:
    rows = published(USUAL).breakdown("occupation").rows
    assert [(row.label, row.count) for row in rows] == [
        *(("Soldador", 300), ("Enfermera", 109), ("Otras ocupaciones", 3)),
    ]
    assert published(USUAL).breakdown("nationality") == USUAL.breakdown("nationality")


def drawn(content: bytes) -> str:
    return "\n".join(piece.text for page in opened(content).pages for piece in pieces(page))


def test_the_document_can_be_kept_and_read_aloud() -> None:
    pdf = opened(report_document(USUAL))
    with pdf.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "A")
        assert metadata["pdfuaid:part"] == "1"
        assert metadata["dc:title"] == (
            "Constancias de Trabajador Migrante Andino: informe trimestral: "
            "IV trimestre de 2026 (octubre a diciembre)"
        )
    assert pdf.Root.Lang == "es-PE"
    assert bool(pdf.Root.MarkInfo.Marked)
    tags = [str(element.S) for element in elements(pdf.Root.StructTreeRoot.K)]
    assert tags.count("/H1") == 1
    assert tags.count("/H2") == 1 + len(USUAL.tables)
    assert tags.count("/Table") == len(USUAL.tables)
    assert tags.count("/TH") == 4 * 3 + 5


def test_the_document_says_everything_that_it_is_given() -> None:
    text = text_of(published(USUAL))
    words = drawn(report_document(USUAL))
    flat = "".join(words.split())
    for said in (
        *(text.title, text.period, text.made, text.source, PRIVACY, *text.definitions),
        *(table.finding for table in text.tables),
        *(line.label for table in text.tables for line in table.lines),
    ):
        assert "".join(said.split()) in flat
    assert "Ana Torres" not in words
    assert "08/01/2027 a las 10:30 (hora de Lima)." in text.made
    assert "no ha terminado" not in text.made


def test_an_unfinished_or_another_period_is_called_what_it_is() -> None:
    unfinished = text_of(replace(USUAL, made_at=dt.datetime(2027, 1, 1, 4, 59, tzinfo=dt.UTC)))
    assert "El período no ha terminado." in unfinished.made
    assert text_of(replace(USUAL, period=year(2026))).title.endswith(": informe anual")
    asked = days("2026-11-01", "2026-11-20")
    assert asked is not None
    assert text_of(replace(USUAL, period=asked)).title.endswith(": informe")


def test_a_document_about_few_says_that_it_must_not_be_published() -> None:
    few = report([(0, 0, 0), (0, 5, 0), (0, 4, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)])
    assert for_the_desk_only(few)
    assert "".join(DESK_ONLY.split()) in "".join(drawn(report_document(few)).split())
    assert not for_the_desk_only(USUAL)


def test_a_document_about_nothing_says_so() -> None:
    empty = report([(0, 0, 0)] * 7, annulled=2)
    words = drawn(report_document(empty))
    assert EMPTY in words
    assert "son 2." in words
    assert text_of(empty).warning == ""


def test_what_people_typed_is_printed_as_text() -> None:
    hostile = report([(0, 0, 0), *[(3, 3, 3)] * 6], {HOSTILE: 30, "x" * 200: 20, "\u202eanA": 4})
    words = drawn(report_document(hostile))
    assert "#panic" in words
    assert "\u202e" not in words


def test_typst_has_nothing_to_complain_about() -> None:
    compiler = typst.Compiler(str(SOURCE), root=str(SOURCE.parent), ignore_system_fonts=True)
    for text in (text_of(published(USUAL)), text_of(report([(0, 0, 0)] * 7))):
        _, warnings = compiler.compile_with_warnings(
            format="pdf", sys_inputs={"data": data_of(text)}, timestamp=0
        )
        assert warnings == []
