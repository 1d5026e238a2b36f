"""What a table of the report of constancias says, as a heading in words; and what everything in it means (es-PE).

A heading never says more than the table: it names the largest group, or that several are equally large.
"""

from __future__ import annotations

from collections.abc import Sequence

from helpdesk.desk.words import N_
from helpdesk.reports.constancias import OTHERS, Breakdown, Crossing, Report, Row
from helpdesk.settings import LIMA

# Under so many constancias people are counted, not shared out by tens.
FEW = 10
# Below this share the largest group is one of many, and its percentage says more than tenths.
SMALL = 0.2
NEAR_HALF = 0.03
FRACTIONS = ((1, 4), (1, 3), (2, 3), (3, 4))

_MARITAL_ES = {
    "single": N_("para personas solteras"),
    "married": N_("para personas casadas"),
    "cohabiting": N_("para personas que conviven"),
    "divorced": N_("para personas divorciadas"),
    "widowed": N_("para personas viudas"),
}
_SEXES_ES = {"female": N_("para mujeres"), "male": N_("para hombres")}
_TERMS_ES = {
    "half": N_("por contratos de hasta 6 meses"),
    "year": N_("por contratos de más de 6 meses y hasta 1 año"),
    "two": N_("por contratos de más de 1 año y hasta 2 años"),
    "more": N_("por contratos de más de 2 años"),
    "open": N_("por contratos a plazo indeterminado"),
}
_STEPS_ES = {
    "first": N_("de primera emisión, sin reemplazar a otra"),
    "extension": N_("de prórroga, en reemplazo de otra"),
    "modification": N_("de modificación, en reemplazo de otra"),
    "correction": N_("de corrección, en reemplazo de otra"),
}
# How each table's groups go on after "6 de cada 10 constancias fueron …".
_FIXED_ES = {"sex": _SEXES_ES, "marital_status": _MARITAL_ES, "term": _TERMS_ES, "step": _STEPS_ES}
_BY_LABEL_ES = {
    "nationality": N_("para personas de %(label)s"),
    "age": N_("para personas de %(low)s"),
    "document_type": N_("para personas con %(low)s"),
    "category": N_("de la categoría «%(label)s»"),
    "occupation": N_("para la ocupación «%(label)s»"),
    "region": N_("para trabajar en %(label)s"),
    "activity": N_("de empleadores de la actividad «%(label)s»"),
}


def finding(table: Breakdown | Crossing) -> str:
    """The heading of a table."""
    groups = _groups(table)
    most = max((row.count for row, _ in groups), default=0)
    if not most:
        return N_("Ningún grupo se puede nombrar")
    first = [words for row, words in groups if row.count == most]
    match first:
        case [words]:
            return _one(words, most, table.n)
        case [words, also]:
            return N_("Tantas constancias %(a)s como %(b)s: %(n)s y %(n)s") % {
                "a": words,
                "b": also,
                "n": most,
            }
        case _:
            tied = {"k": len(first), "n": counted(most)}
            return N_("Sin un grupo mayor: %(k)s empatan, con %(n)s cada uno") % tied


def leaders(table: Breakdown) -> set[str]:
    """The keys of the groups that the heading is about."""
    named = [row for row in table.rows if row.key != OTHERS]
    most = max((row.count for row in named), default=0)
    return {row.key for row in named if row.count == most > 0}


def counted(n: int) -> str:
    """So many constancias."""
    return N_("1 constancia") if n == 1 else N_("%(n)s constancias") % {"n": n}


def percentage(share: float) -> str:
    """A share in whole percents, which are 0 and 100 only when they are."""
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{int(share * 100 + 0.5)} %"


def _groups(table: Breakdown | Crossing) -> list[tuple[Row, str]]:
    if isinstance(table, Breakdown):
        return [(row, _words(table.key, row)) for row in table.rows if row.key != OTHERS]
    return [
        (row, N_("para personas de %(country)s de %(age)s") % {"country": part.head, "age": _low(row.label)})
        for part in table.parts
        for row in part.rows
    ]


def _words(key: str, row: Row) -> str:
    known = _FIXED_ES.get(key, {}).get(row.key)
    return known or _BY_LABEL_ES.get(key, "«%(label)s»") % {"label": row.label, "low": _low(row.label)}


def _low(label: str) -> str:
    return label[:1].lower() + label[1:]


def _one(words: str, count: int, n: int) -> str:
    share = count / n
    if n >= FEW and share < SMALL:
        return N_("Lo más frecuente, con %(share)s: constancias %(words)s") % {
            "share": percentage(share),
            "words": words,
        }
    return f"{_portion(count, n)} {words}"


def _portion(count: int, n: int) -> str:
    """ "6 de cada 10 constancias fueron", or how else people say it; "casi" and "más de" tell what is rounded."""
    share = count / n
    if n == 1:
        return N_("La única constancia fue")
    if count == n:
        return N_("Todas las constancias fueron")
    if n < FEW:
        verb = N_("fue") if count == 1 else N_("fueron")
        return N_("%(count)s de las %(n)s constancias %(verb)s") % {"count": count, "n": n, "verb": verb}
    return _half(2 * count, n) if abs(share - 0.5) < NEAR_HALF else _part(share)


def _half(twice: int, n: int) -> str:
    part = N_("La mitad") if twice == n else N_("Algo más de la mitad") if twice > n else N_("Casi la mitad")
    return N_("%(part)s de las constancias fueron") % {"part": part}


def _part(share: float) -> str:
    for part, whole in FRACTIONS:
        if abs(share - part / whole) < 0.01:
            return _of_each("", part, whole)
    return _tenths(share)


def _tenths(share: float) -> str:
    whole, rest = divmod(share * 10, 1)
    if whole == 9 and rest >= 0.65:
        return N_("Casi todas las constancias fueron")
    near = N_("Casi ") if 0.65 <= rest < 0.85 else N_("Más de ") if 0.15 <= rest < 0.65 else ""
    return _of_each(near, int(whole) + (rest >= 0.65), 10)


def _of_each(near: str, part: int, whole: int) -> str:
    words = {"near": near, "part": part, "whole": whole, "verb": N_("fue") if part == 1 else N_("fueron")}
    return N_("%(near)s%(part)s de cada %(whole)s constancias %(verb)s") % words


def definitions(report: Report) -> Sequence[str]:
    """What was counted and how, in sentences."""
    made = f"{report.made_at.astimezone(LIMA):%d/%m/%Y}"
    totals = report.totals
    return (
        N_(
            "Se cuentan las constancias emitidas en el período (días de Lima) según su estado al %(made)s: vigentes, "
            "vencidas y reemplazadas. Las anuladas no están en las tablas: son %(annulled)s."
        )
        % {"made": made, "annulled": totals.annulled},
        *_sealing(totals.sealing),
        N_(
            "Se cuentan constancias, no personas: una prórroga, una modificación o una corrección es otra constancia, "
            "que reemplaza a la anterior. Un duplicado o un término no emite ninguna."
        ),
        N_(
            "La edad es la del día en que se emitió. La región es el departamento del centro de trabajo. La duración "
            "es la que el contrato tenía al presentarse."
        ),
        N_(
            "La ocupación y la actividad son las palabras de quien presentó el contrato, sin distinguir mayúsculas, "
            "tildes ni signos; se nombran las 15 más frecuentes."
        ),
    )


def _sealing(n: int) -> Sequence[str]:
    """Only said when there are any."""
    return (N_("Tampoco están las que esperan su sello electrónico: son %(n)s.") % {"n": n},) if n else ()
