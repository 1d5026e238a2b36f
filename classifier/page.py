"""The page of an evaluation: one HTML file with its figures and plots, readable without a network.

In: a report as HTML and SVG. Not in: measuring (evaluation.py). Every plot is also a table, for those who
cannot see it.
"""

from collections.abc import Iterator, Sequence
from html import escape

from classifier.evaluation import Report

_SIDE = 320
_EDGE = 40

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
figure { display: inline-block; margin: 0 2rem 1rem 0; vertical-align: top }
figcaption { max-width: 22rem; color: #444 }
.wide { overflow-x: auto }
"""


def page(measured: Report, title: str) -> str:
    """Return the whole page."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        _summary(measured),
        "<h2>Plots</h2>",
        _reliability(measured),
        _coverage(measured),
        "<h2>By label</h2>",
        _labels(measured),
        "<h2>Confusion</h2><p>Rows: the true label. Columns: what was predicted.</p>",
        _confusion(measured),
    ]
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f"<head>{meta}<title>{escape(title)}</title><style>{_STYLE}</style></head>"
    return f'<!doctype html><html lang="en">{head}<body>{"".join(parts)}</body></html>'


def _summary(measured: Report) -> str:
    rows = [
        ("rows", str(measured.rows)),
        ("accuracy", f"{measured.accuracy:.3f}"),
        ("macro-F1", f"{measured.macro_f1:.3f}"),
        ("expected calibration error", f"{measured.ece:.3f}"),
        ("sorted without asking (the model's own threshold)", f"{measured.coverage:.1%}"),
        ("precision of what is sorted", f"{measured.precision_covered:.3f}"),
        *(
            (f"could be sorted at precision {at}", f"{share:.1%}")
            for at, share in measured.coverage_at.items()
        ),
    ]
    return _table(["figure", "value"], rows)


def _labels(measured: Report) -> str:
    rows = [
        (label, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", str(one.support))
        for label, one in measured.per_label.items()
    ]
    return _table(["label", "precision", "recall", "F1", "rows"], rows)


def _confusion(measured: Report) -> str:
    most = max((n for guesses in measured.confusion.values() for n in guesses.values()), default=0) or 1
    header = "".join(f"<th scope=col>{escape(label)}</th>" for label in ("", *measured.confusion))
    body = "".join(
        f"<tr><th scope=row>{escape(label)}</th>"
        + "".join(f'<td style="{_shade(count / most)}">{count}</td>' for count in guesses.values())
        + "</tr>"
        for label, guesses in measured.confusion.items()
    )
    return f'<div class="wide"><table><tr>{header}</tr>{body}</table></div>'


def _shade(share: float) -> str:
    text = ";color:#fff" if share > 0.55 else ""
    return f"background:rgba(20,83,136,{share:.2f}){text}"


def _reliability(measured: Report) -> str:
    points = [(one.promised, one.kept) for one in measured.bins]
    sizes = [3 + 9 * (one.rows / measured.rows) ** 0.5 for one in measured.bins]
    drawn = _plot([_line([(0.0, 0.0), (1.0, 1.0)], "#999", "4"), *_dots(points, sizes)], "promised", "kept")
    table = _table(
        ["promised", "kept", "rows"],
        [(f"{one.promised:.2f}", f"{one.kept:.2f}", str(one.rows)) for one in measured.bins],
    )
    return _figure(drawn, "Calibration: on the line, probabilities mean what they say.", table)


def _coverage(measured: Report) -> str:
    points = [(share, precision) for share, precision in measured.curve if precision >= 0.5]
    scaled = [(share, (precision - 0.5) * 2) for share, precision in points]
    drawn = _plot([_line(scaled, "#145388", "")], "share sorted", "precision", low="0.5")
    table = _table(
        ["precision", "share sorted"],
        [(at, f"{share:.1%}") for at, share in measured.coverage_at.items()],
    )
    return _figure(drawn, "How much can be sorted without asking, at which precision.", table)


def _figure(drawn: str, caption: str, table: str) -> str:
    details = f"<details><summary>As a table</summary>{table}</details>"
    return f"<figure>{drawn}<figcaption>{caption}</figcaption>{details}</figure>"


def _plot(shapes: Sequence[str], across: str, up: str, low: str = "0") -> str:
    whole, far = _SIDE + 2 * _EDGE, _EDGE + _SIDE
    frame = f'<rect x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#bbb"/>'
    words = [
        (_EDGE, far + 16, "0"),
        (far - 6, far + 16, "1"),
        (_EDGE + _SIDE // 2 - 30, far + 30, across),
        (4, far, low),
        (24, _EDGE + 8, "1"),
        (4, _EDGE - 10, up),
    ]
    labels = "".join(f'<text x="{x}" y="{y}" font-size="13">{escape(said)}</text>' for x, y, said in words)
    size = f'width="{whole}" height="{whole}" viewBox="0 0 {whole} {whole}"'
    name = f'role="img" aria-label="{escape(up)} by {escape(across)}"'
    return f"<svg {size} {name}>{frame}{''.join(shapes)}{labels}</svg>"


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    path = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'


def _dots(points: Sequence[tuple[float, float]], sizes: Sequence[float]) -> Iterator[str]:
    for (x, y), size in zip(points, sizes, strict=True):
        yield f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="{size:.1f}" fill="#145388"/>'


def _x(share: float) -> float:
    return _EDGE + share * _SIDE


def _y(share: float) -> float:
    return _EDGE + (1 - share) * _SIDE


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"
