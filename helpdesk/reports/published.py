"""What of the report of constancias may be published: nothing from which a reader learns how one or two persons are.

In the crossing of age and nationality, neighbouring ages are joined until no cell of one or two is left, and none can
be found out from the other tables. Everything that is shown stays exact and adds up. What people wrote in their own
words is only named when three constancias say it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from helpdesk.reports.constancias import AGES_FROM, OTHERS, OTHERS_ES, Breakdown, Crossing, Report, Row

LEAST = 3
# With fewer constancias than this, even the plain tables describe persons.
ENOUGH = 10
FREE_TEXT = ("occupation", "activity")


@dataclass(frozen=True, slots=True)
class _Ages:
    """Neighbouring groups of age, from one to another, with the counts of each by nationality."""

    first: int
    last: int
    counts: tuple[tuple[int, ...], ...]

    @property
    def columns(self) -> tuple[int, ...]:
        """What is shown: the counts by nationality."""
        return tuple(map(sum, zip(*self.counts, strict=True)))

    @property
    def tells(self) -> bool:
        """Whether a cell of one or two is shown, or can be found out.

        Known are what is shown and how many of each age there are. So a cell that is not shown is between two bounds
        (Fréchet's), and is found out when they are the same.
        """
        columns, everybody = self.columns, sum(self.columns)
        bounds = [
            (max(0, age + column - everybody), min(age, column))
            for age in map(sum, self.counts)
            for column in columns
        ]
        known = [*columns, *(least for least, most in bounds if least == most)]
        return any(0 < cell < LEAST for cell in known)

    def joined(self, after: _Ages) -> _Ages:
        return _Ages(self.first, after.last, self.counts + after.counts)


def published(report: Report) -> Report:
    """The same report with nothing in it that must not be published."""
    return replace(report, tables=tuple(_published(table) for table in report.tables))


def for_the_desk_only(report: Report) -> bool:
    """Whether there are so few constancias that not even the plain tables should be published."""
    return 0 < report.n < ENOUGH


def _published(table: Breakdown | Crossing) -> Breakdown | Crossing:
    if isinstance(table, Crossing):
        return _crossing(table)
    return _named_by_three(table) if table.key in FREE_TEXT else table


def _named_by_three(table: Breakdown) -> Breakdown:
    named = tuple(row for row in table.rows if row.key != OTHERS and row.count >= LEAST)
    rest = table.n - sum(row.count for row in named)
    return replace(table, rows=(*named, Row(OTHERS, OTHERS_ES[table.key], rest)) if rest else named)


def _crossing(table: Crossing) -> Crossing:
    """The crossing with ages joined; without rows when nothing but one row would be left."""
    ages = _joined([_Ages(i, i, (tuple(row.count for row in rows),)) for i, rows in enumerate(table.rows)])
    shown = ages if len(ages) > 1 else []
    parts = (
        replace(
            part,
            rows=tuple(Row(str(age.first), label_of(age.first, age.last), age.columns[i]) for age in shown),
        )
        for i, part in enumerate(table.parts)
    )
    return replace(table, parts=tuple(parts))


def _joined(ages: Sequence[_Ages]) -> list[_Ages]:
    ages = list(ages)
    while len(ages) > 1 and (telling := [i for i, age in enumerate(ages) if age.tells]):
        at = min(telling, key=lambda i: sum(ages[i].columns))
        beside = [i for i in (at - 1, at + 1) if 0 <= i < len(ages)]
        with_ = min(beside, key=lambda i: sum(ages[i].columns))
        at, with_ = sorted((at, with_))
        ages[at : with_ + 1] = [ages[at].joined(ages[with_])]
    return ages if not any(age.tells for age in ages) else []


def label_of(first: int, last: int) -> str:
    """The words for the ages from one group to another."""
    if first == 0 and last == len(AGES_FROM):
        return "Todas las edades"
    if first == 0:
        return f"Menos de {AGES_FROM[last]} años"
    low = AGES_FROM[first - 1]
    return f"{low} años o más" if last == len(AGES_FROM) else f"{low} a {AGES_FROM[last] - 1} años"
