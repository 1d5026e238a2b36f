"""Evaluation: how good the sorting is, measured on messages that were not learned.

In: grouped folds, out-of-fold scores, the temperature that makes probabilities honest, the threshold for
abstaining, and the figures of a report. Not in: learning itself (features.py), files, printing.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from classifier.data import DataError, Row
from classifier.features import Features
from classifier.learner import fit, fit_beside

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

Progress = Callable[[str, int, int], None]

# The learner's own code lets go of Python's global lock, so two of them learn at the same time.
WORKERS = 2

FOLDS = 5
FOLDS_OF_LARGE_DATA = 3
LARGE = 4_000

# Of the messages that are sorted without asking anybody, this share must be right.
TARGET_PRECISION = 0.97

# How much is covered at these precisions is told with every report.
PRECISIONS = (0.90, 0.95, 0.97, 0.99)

# When the target is out of reach, the threshold with the best precision that still sorts this share is taken.
LEAST_COVERAGE = 0.10

BINS = 10
CURVE_POINTS = 50
_ABSENT = -30.0


@dataclass(frozen=True)
class Figures:
    """What a report says about one label."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Bin:
    """The messages whose probability was about the same: what was promised on average, and what was kept."""

    promised: float
    kept: float
    rows: int


@dataclass(frozen=True)
class Report:
    """How well predicted labels fit the true ones; all shares are between 0 and 1.

    `ece` is the expected calibration error over ten bins of equal width (Naeini et al. 2015), `bins` are those
    bins; `coverage` the share that was not abstained; `precision_covered` the share of right labels among
    those; `coverage_at` the largest share that could be sorted at a precision, on these very rows; `curve` the
    precision at some shares (share, precision); `confusion` counts true label, then predicted.
    """

    rows: int
    accuracy: float
    macro_f1: float
    per_label: dict[str, Figures]
    ece: float
    coverage: float
    precision_covered: float
    coverage_at: dict[str, float]
    curve: list[list[float]]
    bins: list[Bin]
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
        coverage_at={f"{target:g}": coverage_at(probabilities, right, target) for target in PRECISIONS},
        curve=_curve(probabilities, right),
        bins=calibration_bins(probabilities, right),
        confusion={true: {guess: pairs[true, guess] for guess in labels} for true in labels},
    )


def _curve(probabilities: Sequence[float], right: Sequence[bool]) -> list[list[float]]:
    """Return about CURVE_POINTS points of precision by share sorted, the surest rows first."""
    steps = precision_steps(probabilities, right)
    every = max(1, len(steps) // CURVE_POINTS)
    return [[count / len(right), precision] for precision, count, _ in steps[every - 1 :: every]]


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


def calibration_bins(probabilities: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """Return the bins of equal width that are not empty, the least probable first."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for probability, hit in zip(probabilities, right, strict=True):
        bins.setdefault(min(int(probability * BINS), BINS - 1), []).append((probability, hit))
    return [
        Bin(
            sum(p for p, _ in members) / len(members),
            sum(hit for _, hit in members) / len(members),
            len(members),
        )
        for _, members in sorted(bins.items())
    ]


def calibration_error(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error: the mean gap between what was promised and what was kept."""
    bins = calibration_bins(probabilities, right)
    return sum(abs(one.promised - one.kept) * one.rows for one in bins) / len(right)


def coverage_at(probabilities: Sequence[float], right: Sequence[bool], target: float) -> float:
    """Return the largest share of the rows, the surest first, of which the target's share is right."""
    steps = precision_steps(probabilities, right)
    return max((count for precision, count, _ in steps if precision >= target), default=0) / len(right)


def precision_steps(probabilities: Sequence[float], right: Sequence[bool]) -> list[tuple[float, int, float]]:
    """Return for each possible threshold: the share that is right, how many rows reach it, the threshold."""
    ranked = sorted(zip(probabilities, right, strict=True), reverse=True)
    hits, steps = 0, []
    for count, (probability, hit) in enumerate(ranked, 1):
        hits += hit
        # Rows of one probability are sorted together or not at all.
        if count == len(ranked) or ranked[count][0] < probability:
            steps.append((hits / count, count, probability))
    return steps


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
    features: Features,
    counts: Any,
    questions: Mapping[str, Sequence[str | None]],
    strengths: Mapping[str, Sequence[float]],
    light: Collection[str] = (),
    progress: Progress | None = None,
) -> dict[str, tuple[list[str], dict[float, "Matrix"]]]:
    """Return for each question its labels, and for each row the scores of learners that have not seen its group.

    `questions` holds an answer for each row, or None where it is not known; `counts` is a row a message, as
    `fit_features` returns it; the scores are given for each of the question's
    `strengths`; the questions in `light` get light learners. Raises DataError when a part of the rows holds one
    label only.
    """
    import numpy as np

    count = FOLDS if len(rows) <= LARGE else FOLDS_OF_LARGE_DATA
    fold_of = np.array(assign_folds(rows, count))
    scores: dict[str, tuple[list[str], dict[float, Matrix]]] = {}
    for name, answers in questions.items():
        labels = sorted({answer for answer in answers if answer is not None})
        empty = {strength: np.full((len(rows), len(labels)), _ABSENT) for strength in strengths[name]}
        scores[name] = labels, empty

    def answer(name: str, matrix: Any, learned: "NDArray[np.bool_]") -> None:
        """Fill in what learners of the learned rows say of the others."""
        labels, by_strength = scores[name]
        answers = questions[name]
        known = [row for row in np.flatnonzero(learned).tolist() if answers[row] is not None]
        if len({answers[row] for row in known}) < 2:
            if name in light:
                return  # a rare answer of another question: these rows stay without scores
            raise DataError(f"{len(rows)} rows are too few to validate: a part of them holds one label only.")
        known_answers, held = [str(answers[row]) for row in known], np.flatnonzero(~learned)
        network = fit_beside(matrix[known], known_answers)
        for strength, filled in by_strength.items():
            fitted = fit(matrix[known], known_answers, strength=strength, light=name in light)
            if len(held):
                places = np.array([labels.index(label) for label in fitted.labels])
                filled[np.ix_(held, places)] = fitted.with_network(network).scores(matrix[held])

    with ThreadPoolExecutor(WORKERS) as pool:
        for fold in range(count):
            learned = fold_of != fold
            matrix = features.learned_from(counts[learned]).weigh(counts)
            list(pool.map(partial(answer, matrix=matrix, learned=learned), questions))
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

    return min((float(step) for step in np.geomspace(0.05, 5.0, 100)), key=loss)


def choose_threshold(probabilities: Sequence[float], right: Sequence[bool], target: float) -> float:
    """Return the lowest probability from which on the share of right labels surely reaches the target.

    Surely: one standard error below the share that was seen (Wilson 1927), because the rows are few and other mail
    will be harder. Out of reach: the probability with the best such bound among those that still cover
    LEAST_COVERAGE of the rows.
    """
    steps = [
        (wilson_bound(share, count), count, probability)
        for share, count, probability in precision_steps(probabilities, right)
    ]
    enough = [step for step in steps if step[0] >= target]
    if enough:
        return max(enough, key=lambda step: step[1])[2]
    return max(step for step in steps if step[1] >= LEAST_COVERAGE * len(right))[2]


def wilson_bound(share: float, count: int) -> float:
    """Return what a share seen in so many rows surely is: the lower end of Wilson's interval of one standard error."""
    spread = (share * (1 - share) / count + 1 / (4 * count * count)) ** 0.5
    return float((share + 1 / (2 * count) - spread) / (1 + 1 / count))
