"""Evaluation: how good the sorting is, measured on messages that were not learned.

In: grouped folds, out-of-fold scores, the temperature that makes probabilities honest, the threshold for
abstaining, and the figures of a report. Not in: learning itself (features.py), files, printing.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from classifier.data import DataError, Row
from classifier.features import Reading, fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Vector = NDArray[np.float64]

Progress = Callable[[str, int, int], None]

FOLDS = 5
FOLDS_OF_LARGE_DATA = 3
LARGE = 4_000

# Of the messages that are sorted without asking anybody, this share must be right.
TARGET_PRECISION = 0.85

# When the target is out of reach, the threshold with the best precision that still sorts this share is taken.
LEAST_COVERAGE = 0.10

BINS = 10
_ABSENT = -30.0


@dataclass(frozen=True)
class Figures:
    """What a report says about one label."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Report:
    """How well predicted labels fit the true ones; all shares are between 0 and 1.

    `ece` is the expected calibration error over ten bins of equal width (Naeini et al. 2015); `coverage` the
    share that was not abstained; `precision_covered` the share of right labels among those; `confusion` counts
    true label, then predicted.
    """

    rows: int
    accuracy: float
    macro_f1: float
    per_label: dict[str, Figures]
    ece: float
    coverage: float
    precision_covered: float
    confusion: dict[str, dict[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON data."""
        return asdict(self)


def report(
    truth: Sequence[str], predicted: Sequence[str], probabilities: Sequence[float], threshold: float
) -> Report:
    """Compare predicted labels with true ones; `probabilities` belong to the predicted labels."""
    right = [true == guess for true, guess in zip(truth, predicted, strict=True)]
    covered = [hit for hit, probability in zip(right, probabilities, strict=True) if probability >= threshold]
    pairs = Counter(zip(truth, predicted, strict=True))
    labels = sorted({*truth, *predicted})
    per_label = {label: _figures(label, pairs) for label in labels}
    return Report(
        rows=len(right),
        accuracy=sum(right) / len(right),
        macro_f1=sum(figures.f1 for figures in per_label.values()) / len(labels),
        per_label=per_label,
        ece=calibration_error(probabilities, right),
        coverage=len(covered) / len(right),
        precision_covered=sum(covered) / len(covered) if covered else 0.0,
        confusion={true: {guess: pairs[true, guess] for guess in labels} for true in labels},
    )


def _figures(label: str, pairs: Counter[tuple[str, str]]) -> Figures:
    support = sum(count for (true, _), count in pairs.items() if true == label)
    guessed = sum(count for (_, guess), count in pairs.items() if guess == label)
    hits = pairs[label, label]
    return Figures(
        precision=hits / guessed if guessed else 0.0,
        recall=hits / support if support else 0.0,
        f1=2 * hits / (support + guessed),
        support=support,
    )


def calibration_error(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error: the mean gap between what was promised and what was kept."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for probability, hit in zip(probabilities, right, strict=True):
        bins.setdefault(min(int(probability * BINS), BINS - 1), []).append((probability, hit))
    gaps = (abs(sum(p for p, _ in members) - sum(hit for _, hit in members)) for members in bins.values())
    return sum(gaps) / len(right)


def assign_folds(rows: Sequence[Row], count: int) -> list[int]:
    """Return a fold number for each row: groups stay whole, labels are dealt out evenly, always the same way.

    Rows without a group that hold the same words are one group, so that no copy is tested on its twin.
    """
    groups = [row.group or str(row.text).strip().lower() for row in rows]
    label_of: dict[str, str] = {}
    for group, row in zip(groups, rows, strict=True):
        label_of[group] = min(row.label, label_of.get(group, row.label))
    # The digest shuffles the groups of a label the same way on every machine.
    order = sorted(label_of, key=lambda group: (label_of[group], _shuffled(group)))
    fold_of = {group: place % count for place, group in enumerate(order)}
    return [fold_of[group] for group in groups]


def _shuffled(group: str) -> bytes:
    return hashlib.sha256(group.encode(errors="replace")).digest()


def out_of_fold(
    rows: Sequence[Row],
    readings: Sequence[Reading],
    labels: Sequence[str],
    progress: Progress | None = None,
    **settings: float,
) -> "Matrix":
    """Return for each row the scores of a sorter that has not seen its group (columns: `labels`)."""
    import numpy as np

    count = FOLDS if len(rows) <= LARGE else FOLDS_OF_LARGE_DATA
    folds = assign_folds(rows, count)
    scores = np.full((len(rows), len(labels)), _ABSENT)
    for fold in range(count):
        learned = [place for place, number in enumerate(folds) if number != fold]
        held = [place for place, number in enumerate(folds) if number == fold]
        if len({rows[i].label for i in learned}) < 2:
            raise DataError(f"{len(rows)} rows are too few to validate: a part of them holds one label only.")
        sorter = fit([readings[i] for i in learned], [rows[i].label for i in learned], **settings)
        if held:
            cells = np.ix_(np.array(held), np.array([labels.index(label) for label in sorter.labels]))
            scores[cells] = sorter.scores(sorter.matrix([readings[i] for i in held]))
        if progress:
            progress("validating", fold + 1, count)
    return scores


def softmax(scores: "Matrix", temperature: float) -> "Matrix":
    """Return probabilities for rows of scores; a higher temperature makes them more modest."""
    import numpy as np

    raised = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=float)


def choose_temperature(scores: "Matrix", truth: "NDArray[np.intp]") -> float:
    """Return the temperature with the least log loss on held-out scores.

    Source: Guo et al. 2017, temperature scaling.
    """
    import numpy as np

    def loss(temperature: float) -> float:
        chosen = softmax(scores, temperature)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    return min((float(step) for step in np.geomspace(0.1, 5.0, 80)), key=loss)


def choose_threshold(probabilities: Sequence[float], right: Sequence[bool], target: float) -> float:
    """Return the lowest probability from which on the share of right labels reaches the target.

    Out of reach: the probability with the best share among those that still cover LEAST_COVERAGE of the rows.
    """
    ranked = sorted(zip(probabilities, right, strict=True), reverse=True)
    hits, steps = 0, []
    for count, (probability, hit) in enumerate(ranked, 1):
        hits += hit
        steps.append((hits / count, count, probability))
    enough = [step for step in steps if step[0] >= target]
    if enough:
        return max(enough, key=lambda step: step[1])[2]
    return max(step for step in steps if step[1] >= LEAST_COVERAGE * len(steps))[2]
