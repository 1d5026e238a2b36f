"""What the report of constancias says on paper, put together from its figures; `templates/report.py` makes the PDF."""

from __future__ import annotations

from helpdesk.reports.constancias import Breakdown, Crossing, Report
from helpdesk.reports.findings import counted, definitions, finding, percentage
from helpdesk.reports.published import ENOUGH, LEAST, for_the_desk_only, published
from helpdesk.reports.quarters import Period
from helpdesk.settings import LIMA
from templates.report import Line, ReportText, Table, Tile, report_pdf

TITLE = "Constancias de Trabajador Migrante Andino: informe"
SOURCE = (
    "Fuente: registro de constancias de Perú Infomigra (SIVITMA), Ministerio de Trabajo y Promoción del Empleo. "
    "Las barras repiten las cifras; los porcentajes están redondeados y pueden no sumar 100."
)
PRIVACY = (
    "Para cuidar a las personas, en el cruce de edad y nacionalidad se juntan edades vecinas hasta que no quede ni se "
    f"pueda deducir una casilla con 1 o 2 constancias; y no se nombran ocupaciones ni actividades con menos de {LEAST}."
)
NOT_CROSSED = "Este cruce no se publica: son tan pocas que diría cómo es una persona."
EMPTY = "No se emitió ninguna constancia en este período."
DESK_ONLY = f"No publicar: con menos de {ENOUGH} constancias, estos cuadros pueden decir cómo es una persona."


def report_document(report: Report) -> bytes:
    """The report as a PDF that may be published."""
    return report_pdf(text_of(published(report)))


def text_of(report: Report) -> ReportText:
    """Everything that the document says."""
    made = f"{report.made_at.astimezone(LIMA):%d/%m/%Y a las %H:%M}"
    unfinished = " El período no ha terminado." if report.unfinished else ""
    return ReportText(
        title=_title(report.period),
        period=report.period.label,
        made=f"Hecho el {made} (hora de Lima).{unfinished}",
        created_at=report.made_at,
        warning=DESK_ONLY if for_the_desk_only(report) else "",
        tiles=_tiles(report) if report.n else (),
        tables=tuple(_table(table) for table in report.tables) if report.n else (),
        empty=EMPTY,
        definitions=(*definitions(report), PRIVACY),
        source=SOURCE,
    )


def _title(period: Period) -> str:
    return f"{TITLE} trimestral" if period.is_quarter else f"{TITLE} anual" if period.is_year else TITLE


def _tiles(report: Report) -> tuple[Tile, ...]:
    first = report.first
    return (
        Tile(str(report.n), "constancias que se cuentan"),
        Tile(str(first), "de primera emisión"),
        Tile(str(report.n - first), "reemplazan a otra"),
        Tile(str(report.totals.people), "personas distintas"),
        Tile(str(report.totals.annulled), "anuladas, que no se cuentan"),
    )


def _table(table: Breakdown | Crossing) -> Table:
    if isinstance(table, Crossing):
        return _crossing(table)
    lines = [Line(row.label, (row.count,), (percentage(table.share(row)),)) for row in table.rows]
    return Table(
        finding(table),
        f"{table.head} · {counted(table.n)}",
        (table.head, "Constancias", "Porcentaje"),
        tuple(lines),
        ("Total", str(table.n), "100 %"),
    )


def _crossing(table: Crossing) -> Table:
    if not table.rows:
        return Table(table.head, NOT_CROSSED, (), (), ())
    lines = []
    for rows in table.rows:
        counts = tuple(row.count for row in rows)
        lines.append(Line(rows[0].label, counts, (str(sum(counts)),)))
    return Table(
        finding(table),
        f"{table.head} · {counted(table.n)}",
        ("Edad al emitirse", *(part.head for part in table.parts), "Total"),
        tuple(lines),
        ("Total", *(str(part.n) for part in table.parts), str(table.n)),
    )
