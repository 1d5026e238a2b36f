"""Training: labelled messages into a model with an honest temperature and threshold.

In: the questions that the data ask, learning, calibration, and the card. Not in: predicting (model.py), how
features are made (features.py) and learned from (learner.py), how figures are measured (evaluation.py).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier import modelfile
from classifier.data import DataError, Row
from classifier.evaluation import (
    TARGET_PRECISION,
    WORKERS,
    Progress,
    choose_temperature,
    choose_threshold,
    out_of_fold,
    report,
    softmax,
)
from classifier.features import WEIGHTS, fit_features, read
from classifier.learner import STRENGTH, STRENGTHS, Learner, fit, fit_beside
from classifier.model import LABEL, WITHIN, Answer, Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]


def train(
    rows: Sequence[Row],
    *,
    calibrate: Sequence[Row] = (),
    threshold: float | None = None,
    strength: float | None = None,
    progress: Progress | None = None,
) -> Model:
    """Return a model that learned from the rows.

    Temperature and threshold are chosen on predictions out of fold, whole groups held out; for the main question
    on the rows of `calibrate` instead, if there are any, which are not learned from. A given `threshold` (0..1) is
    kept. `strength` is the inverse of the penalty; without it the best one is found out of fold. Raises DataError
    when the rows cannot be learned from.
    """
    return train_and_hold_out(
        rows, calibrate=calibrate, threshold=threshold, strength=strength, progress=progress
    )[0]


def train_and_hold_out(
    rows: Sequence[Row],
    *,
    calibrate: Sequence[Row] = (),
    threshold: float | None = None,
    strength: float | None = None,
    progress: Progress | None = None,
) -> tuple[Model, list[Answer]]:
    """Return a model that learned from the rows (see `train`), and what its like said of each row unseen.

    The second is one answer for each row, from a learner that saw nothing of the row's group.
    """
    if strange := sorted({row.label for row in calibrate} - {row.label for row in rows}):
        raise DataError(f"The messages to calibrate on have a label that is not learned: {strange[0]!r}.")
    questions = _questions(rows)
    readings = [read(row.text) for row in rows]
    if not any(reading.block_texts["letters"] for reading in readings):
        raise DataError("The texts of the data are all empty.")
    features, counts = fit_features(readings)
    tried = STRENGTHS if strength is None else (strength,)
    strengths = {name: tried if name == LABEL else (STRENGTH,) for name in questions}
    light = {*questions} - {LABEL}
    held_out = out_of_fold(rows, features, counts, questions, strengths, light, progress)
    strength = _best_strength(*held_out[LABEL], questions[LABEL])  # of one, that one
    chosen = {name: strength if name == LABEL else STRENGTH for name in questions}
    measured = {
        name: _measure(held_out[name][0], held_out[name][1][chosen[name]], answers, threshold)
        for name, answers in questions.items()
    }
    features = features.learned_from(counts)
    matrix = features.weigh(counts)

    def learn(name: str) -> Learner:
        known = [row for row, answer in enumerate(questions[name]) if answer is not None]
        answers = [str(questions[name][row]) for row in known]
        learner = fit(matrix[known], answers, strength=chosen[name], light=name in light)
        return learner.with_network(fit_beside(matrix[known], answers))

    with ThreadPoolExecutor(WORKERS) as pool:
        learners = dict(zip(questions, pool.map(learn, questions), strict=True))
    if progress:
        progress("learning", 1, 1)
    labels, scores = held_out[LABEL][0], held_out[LABEL][1][strength]
    if calibrate:
        apart = features.matrix([read(row.text) for row in calibrate])
        on_apart = _measure(
            labels, learners[LABEL].scores(apart), [row.label for row in calibrate], threshold
        )
        measured[LABEL] |= {"temperature": on_apart["temperature"], "threshold": on_apart["threshold"]}
        measured[LABEL]["calibrated_on"] = on_apart["metrics"]
    unseen = softmax(scores, measured[LABEL]["temperature"])
    model = Model(features, learners, _card(rows, calibrate, threshold, strength, measured))
    return model, [Answer(labels[int(row.argmax())], float(row.max())) for row in unseen]


def _questions(rows: Sequence[Row]) -> dict[str, list[str | None]]:
    """Return the answers to each question, for each row; the main one first."""
    labels = {row.label for row in rows}
    if len(labels) < 2:
        raise DataError(f"The data hold {len(labels)} label(s); at least two are needed.")
    questions: dict[str, list[str | None]] = {LABEL: [row.label for row in rows]}
    for name in sorted({name for row in rows for name in row.also}):
        if name == LABEL or WITHIN in name:
            raise DataError(f"A column of other questions cannot be called {name!r}.")
        answers = [row.also.get(name) for row in rows]
        if len({*answers} - {None}) < 2:  # a question that has one answer needs no learner
            continue
        questions |= _within_labels(name, rows) if _is_nested(name, rows) else {name: answers}
    return questions


def _is_nested(name: str, rows: Sequence[Row]) -> bool:
    """Say whether each answer goes with one label only, and each label has several answers."""
    labels_of: dict[str, set[str]] = {}
    for row in rows:
        if name in row.also:
            labels_of.setdefault(row.also[name], set()).add(row.label)
    labels = Counter(next(iter(labels)) for labels in labels_of.values())
    return all(len(found) == 1 for found in labels_of.values()) and min(labels.values()) > 1


def _within_labels(name: str, rows: Sequence[Row]) -> dict[str, list[str | None]]:
    return {
        f"{name}{WITHIN}{label}": [row.also.get(name) if row.label == label else None for row in rows]
        for label in sorted({row.label for row in rows if name in row.also})
    }


def _best_strength(
    labels: Sequence[str], scores: Mapping[float, "Matrix"], answers: Sequence[str | None]
) -> float:
    """Return the strength whose learners were right most often about messages that they had not seen."""

    def right(strength: float) -> int:
        best = scores[strength].argmax(axis=1)
        return sum(labels[guess] == answer for guess, answer in zip(best, answers, strict=True))

    return max(scores, key=lambda strength: (right(strength), -strength))


def _measure(
    labels: list[str], scores: "Matrix", answers: Sequence[str | None], threshold: float | None
) -> dict[str, Any]:
    """Return the temperature, the threshold and the figures of one question's held-out scores."""
    import numpy as np

    known = [row for row, answer in enumerate(answers) if answer is not None]
    truth = np.array([labels.index(str(answers[row])) for row in known])
    temperature = choose_temperature(scores[known], truth)
    probabilities = softmax(scores[known], temperature)
    best = probabilities.argmax(axis=1)
    certain = probabilities.max(axis=1).tolist()
    if threshold is None:
        threshold = choose_threshold(certain, (best == truth).tolist(), TARGET_PRECISION)
    measured = report([labels[i] for i in truth], [labels[i] for i in best], certain, threshold)
    return {"temperature": temperature, "threshold": threshold, "metrics": measured.to_dict()}


def _card(
    rows: Sequence[Row],
    calibrate: Sequence[Row],
    threshold: float | None,
    strength: float,
    measured: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    made_of = {
        "data_sha256": _digest(rows),
        "code_sha256": _code_digest(),
        "calibrated_sha256": _digest(calibrate),
        "versions": modelfile.versions(),
        "settings": {
            "strength": strength,
            "weights": WEIGHTS,
            "threshold": threshold,
            "target_precision": TARGET_PRECISION,
        },
    }
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
    return {
        "id": name,
        "labels": sorted({row.label for row in rows}),
        "rows": len(rows),
        **made_of,
        "temperatures": {name: one["temperature"] for name, one in measured.items()},
        "threshold": measured[LABEL]["threshold"],
        "metrics": measured[LABEL]["metrics"],
        "calibrated_on": measured[LABEL].get("calibrated_on"),
        "also": {name: one["metrics"] for name, one in measured.items() if name != LABEL},
    }


def _digest(rows: Sequence[Row]) -> str:
    data = hashlib.sha256()
    for said in sorted(
        json.dumps([row.text.subject, row.text.body, row.label, row.group, *sorted(row.also.items())])
        for row in rows
    ):
        data.update(said.encode() + b"\n")
    return data.hexdigest()


def _code_digest() -> str:
    """One hash of what makes features of words: with other code the same messages give another model."""
    code = hashlib.sha256()
    for path in sorted([*Path(__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.txt")]):
        code.update(path.read_bytes())
    return code.hexdigest()
