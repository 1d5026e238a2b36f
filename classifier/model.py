"""The model: messages in, predictions with probability and reasons out.

In: training with an honest temperature and threshold, predicting in batches, saving and loading. Not in: how
features are made (features.py) and learned from (learner.py), how figures are measured (evaluation.py), how
the file is laid out (modelfile.py).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier import modelfile
from classifier.data import DataError, Row
from classifier.evaluation import (
    TARGET_PRECISION,
    WORKERS,
    Progress,
    Report,
    choose_temperature,
    choose_threshold,
    out_of_fold,
    report,
    softmax,
)
from classifier.features import WEIGHTS, Features, Found, Reading, fit_features, read
from classifier.learner import STRENGTH, STRENGTHS, Learner, fit, fit_beside
from classifier.modelfile import ModelError
from classifier.reasons import Cells, cells_of, contributions, phrases
from classifier.text import Text
from classifier.topics import NOT_URGENT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

LINES = ("abroad", "return", "resident_abroad", "foreigner")
NONE = "none"

# The question that a model is made for; the others have the names of their columns.
LABEL = "label"
# A question whose answers belong to one label each, as a topic belongs to a line, is asked within that label.
WITHIN = "@"

# An answer that is only given when it is this probable: to overlook an urgent mail is worse than to look at a calm one.
# On the frozen messages nine of ten urgent ones are seen so, and six of seven marks are right.
SURE = {"urgency": (NOT_URGENT, 0.8)}

# So many words and phrases are given as reasons.
REASONS = 6
SIGNS = 4

_BATCH = 256


@dataclass(frozen=True)
class Answer:
    """What the model says to one of its other questions, such as the topic."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """What the model thinks of one message.

    `label` is the best label; `line` is the same, or None when the model abstained. `why` holds words and
    phrases of the message as written, each with what it added to the label's score, in log-odds (negative:
    against it); `signs` the same for the relations that the message states. `also` holds the answers to the
    model's other questions.
    """

    label: str
    line: str | None
    probability: float
    probabilities: dict[str, float]
    why: tuple[tuple[str, float], ...]
    abstained: bool
    model: str
    signs: tuple[tuple[str, float], ...] = ()
    also: Mapping[str, Answer] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain JSON data."""
        return asdict(self)


class Model:
    """Trained learners with their features and a card (versions, data, threshold, measured figures)."""

    def __init__(self, features: Features, learners: dict[str, Learner], card: dict[str, Any]) -> None:
        self.features = features
        self.learners = learners
        self.card = card
        self.id = str(card["id"])
        self.labels = learners[LABEL].labels
        self.threshold = float(card["threshold"])
        self.temperatures = {name: float(card["temperatures"][name]) for name in learners}
        _check_shapes(features, learners, self.threshold, self.temperatures)

    @classmethod
    def load(cls, path: Path | str, *, sha256: str | None = None) -> "Model":
        """Return the model in a file; with `sha256`, only if the file has exactly that digest.

        Raises ModelError (one sentence) on a missing, damaged, changed or untrusted file, or one of another
        version.
        """
        path = Path(path)
        content = modelfile.read(path)
        if sha256 is not None and modelfile.digest_of(content) != sha256:
            raise ModelError(f"{path}: the model file is not the one that was recorded.")
        unpacked = modelfile.unpack(content, str(path))
        try:
            return cls(*unpacked)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ModelError(f"{path}: the card of the model file is incomplete.") from None

    def save(self, path: Path | str) -> str:
        """Write the model to a file in one step, and return the file's SHA-256; raises OSError."""
        content = modelfile.pack(self.features, self.learners, self.card)
        modelfile.write(Path(path), content)
        return modelfile.digest_of(content)

    def predict(self, texts: Sequence[Text]) -> list[Prediction]:
        """Return one prediction for each message, in order; faster in one batch than one by one."""
        predictions: list[Prediction] = []
        for start in range(0, len(texts), _BATCH):
            predictions += self._predict([read(text) for text in texts[start : start + _BATCH]])
        return predictions

    def _predict(self, readings: list[Reading]) -> list[Prediction]:
        found = [self.features.find(reading) for reading in readings]
        counts = self.features.count(found)
        matrix = self.features.weigh(counts)
        probabilities = self._probabilities(LABEL, matrix)
        also = self._also(matrix, probabilities)
        rows = zip(readings, found, cells_of(counts, matrix), probabilities, also, strict=True)
        return [self._prediction(*row) for row in rows]

    def _also(self, matrix: Any, probabilities: "Matrix") -> list[dict[str, Answer]]:
        """Return for each message the likeliest answer to each other question."""
        best = probabilities.argmax(axis=1)
        answers: list[dict[str, Answer]] = [{} for _ in best]
        for name, learner in self.learners.items():
            if name == LABEL:
                continue
            question, _, label = name.partition(WITHIN)
            rows = (
                range(len(best)) if not label else [i for i, b in enumerate(best) if self.labels[b] == label]
            )
            if not len(rows):
                continue
            said = self._probabilities(name, matrix[list(rows)])
            for row, likely in zip(rows, said, strict=True):
                answer = _answer(question, learner.labels, likely)
                share = float(probabilities[row].max()) if label else 1.0
                answers[row][question] = Answer(answer.label, share * answer.probability)
        return answers

    def _probabilities(self, name: str, matrix: Any) -> "Matrix":
        return softmax(self.learners[name].scores(matrix), self.temperatures[name])

    def _prediction(
        self,
        reading: Reading,
        found: Found,
        cells: Cells,
        probabilities: "NDArray[np.float64]",
        also: Mapping[str, Answer],
    ) -> Prediction:
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        abstained = probability < self.threshold
        added = contributions(self.learners[LABEL], found, cells, best)
        signs = (
            (name, round(weight / self.temperatures[LABEL], 4))
            for name, weight in self.features.signs(reading, self.learners[LABEL].weights[best])
        )
        why = (
            (said, round(weight / self.temperatures[LABEL], 4))
            for said, weight in phrases(reading, added, REASONS)
        )
        return Prediction(
            label=self.labels[best],
            line=None if abstained else self.labels[best],
            probability=probability,
            probabilities=dict(zip(self.labels, probabilities.tolist(), strict=True)),
            why=tuple(why),
            abstained=abstained,
            model=self.id,
            signs=tuple(sorted(signs, key=lambda sign: -abs(sign[1])))[:SIGNS],
            also=also,
        )


def _check_shapes(
    features: Features, learners: Mapping[str, Learner], threshold: float, temperatures: Mapping[str, float]
) -> None:
    """Raise ValueError for parts that do not fit each other: they would fail only when they are asked."""
    blocks = features.blocks
    fitting = [
        set(blocks) == set(WEIGHTS),
        all(block.idf is None or len(block.idf) == len(block.columns) for block in blocks.values()),
        all(learner.weights.shape[1] == features.size for learner in learners.values()),
        all(len(learner.labels) > 1 for learner in learners.values()),
        all(0 < temperature < float("inf") for temperature in temperatures.values()),
        0 <= threshold <= 1,
    ]
    if not all(fitting):
        raise ValueError("the parts of the model do not fit each other")


def _answer(question: str, labels: Sequence[str], likely: "NDArray[np.float64]") -> Answer:
    """Return the likeliest answer; of a question in SURE the calm one only when it is sure."""
    best = int(likely.argmax())
    calm, needed = SURE.get(question, (None, 0.0))
    if labels[best] == calm and likely[best] < needed:
        best = int(likely.argsort()[-2])
    return Answer(labels[best], float(likely[best]))


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


def evaluate(model: Model, rows: Sequence[Row]) -> Report:
    """Return how well the model sorts labelled rows, which must not be those it learned from."""
    predictions = model.predict([row.text for row in rows])
    return report(
        [row.label for row in rows],
        [prediction.label for prediction in predictions],
        [prediction.probability for prediction in predictions],
        model.threshold,
    )


def evaluate_also(model: Model, rows: Sequence[Row]) -> dict[str, Report]:
    """Return how well the model answers its other questions, each on the rows whose answer is known."""
    predictions = model.predict([row.text for row in rows])
    reports = {}
    asked = {name.partition(WITHIN)[0] for name in model.learners} - {LABEL}
    for name in sorted({name for row in rows for name in row.also} & asked):
        known = [
            (row.also[name], said.also.get(name, Answer("", 0.0)))
            for row, said in zip(rows, predictions, strict=True)
            if name in row.also
        ]
        reports[name] = report(
            [true for true, _ in known],
            [answer.label for _, answer in known],
            [answer.probability for _, answer in known],
            0.0,
        )
    return reports


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
