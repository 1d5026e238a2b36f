"""Reasons: a score back into words, as the sender wrote them.

In: what each run of words added to the score of a label, and which runs are worth telling. Not in: how words
become features (features.py) and what is done with the reasons (model.py).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from classifier.features import Found, Reading, Span
from classifier.learner import Learner
from classifier.text import LINK, MAIL, NAME, NUMBER, is_word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What a message fills in the matrix: the columns, how often each feature occurs, and its value.
Cells = tuple["NDArray[np.int32]", "NDArray[np.float32]", "NDArray[np.float32]"]

_STAND_INS = frozenset({LINK, MAIL, NAME, NUMBER})


def cells_of(counts: Any, matrix: Any) -> Iterator[Cells]:
    """Yield the filled cells of each message: slices, because a sparse row of its own is slow to make."""
    starts = matrix.indptr.tolist()
    for start, end in pairwise(starts):
        yield matrix.indices[start:end], counts.data[start:end], matrix.data[start:end]


def contributions(learner: Learner, found: Found, cells: Cells, label: int) -> dict[Span, float]:
    """Return what each run of words added to the score of a label.

    All of them and the classifier's intercept add up to the score; the run (0, 0) holds what no words show.
    """
    import numpy as np

    columns, counts, values = cells
    share = np.empty(learner.weights.shape[1])  # only the cells of this message are written and read
    # A feature that occurs several times is shared out evenly over its occurrences.
    share[columns] = values * learner.weights[label, columns] / counts
    added = np.bincount(found.owners, share[found.columns], len(found.spans))
    return dict(zip(found.spans, added.tolist(), strict=True))


def phrases(reading: Reading, added: dict[Span, float], most: int) -> list[tuple[str, float]]:
    """Return the runs that weigh most as the sender wrote them, heaviest first.

    A run within a heavier one that was already named is not named again; stand-ins of personal data and runs
    of one- or two-letter words never are.
    """
    weights: dict[str, float] = {}
    spans: dict[str, Span] = {}
    words = [word if is_word(word) else "" for word in reading.words.folded]
    for span, weight in added.items():
        first, last = span
        run = words[first] if last == first + 1 else " ".join(filter(None, words[first:last]))
        weights[run] = weights.get(run, 0.0) + weight
        spans.setdefault(run, span)
    named: dict[str, set[str]] = {}
    for run in sorted(weights, key=lambda run: abs(weights[run]), reverse=True):
        if len(named) == most:
            break
        said = set(run.split())
        if _tellable(said) and not any(said <= other for other in named.values()):
            named[run] = said
    return [(_as_written(reading.words.written[slice(*spans[run])]), weights[run]) for run in named]


def _tellable(said: set[str]) -> bool:
    return said.isdisjoint(_STAND_INS) and any(len(word) > 2 for word in said)


def _as_written(run: Iterable[str]) -> str:
    return re.sub(r" (?=[.,;:?!])", "", " ".join(run)).strip(" \n.,;:?!")
