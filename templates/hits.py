"""How good a ranking is: how often what was wanted comes first, or among the first three."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Hits:
    """Figures over messages. `mrr`: the mean reciprocal rank (Voorhees, TREC-8, 1999); what is not found counts 0."""

    messages: int
    hit_1: float
    hit_3: float
    mrr: float

    def as_dict(self) -> dict[str, float]:
        """The figures as plain JSON data."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def rank_of(ranked: Sequence[str], wanted: Collection[str]) -> int | None:
    """The place of the first wanted one, from 1; None when none is there."""
    return next((place for place, name in enumerate(ranked, 1) if name in wanted), None)


def hits(ranks: Iterable[int | None]) -> Hits:
    """The figures for these ranks. Raises ValueError without any."""
    found = list(ranks)
    if not found:
        raise ValueError("no ranks")

    def share(most: int) -> float:
        return sum(rank is not None and rank <= most for rank in found) / len(found)

    return Hits(len(found), share(1), share(3), sum(1 / rank for rank in found if rank) / len(found))
