"""The model: messages in, predictions with probability and reasons out.

In: predicting in batches, saving, loading, and measuring a finished model. Not in: how one is made (training.py),
how features are made (features.py), how figures are measured (evaluation.py), how the file is laid out
(modelfile.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier import modelfile
from classifier.data import Row
from classifier.evaluation import Report, report, softmax
from classifier.features import WEIGHTS, Features, Found, Reading, read
from classifier.learner import Learner
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
# On the frozen messages nine of ten urgent ones are seen so, and nine of ten marks are right.
SURE = {"urgency": (NOT_URGENT, 0.8)}

# So many words and phrases are given as reasons.
REASONS = 6
SIGNS = 4

_BATCH = 256
# A question within a label is asked when the message may well have that label.
_WORTH_ASKING = 0.03
_LIKELY_KEPT = 8


@dataclass(frozen=True)
class Answer:
    """What the model says to one of its other questions, such as the topic.

    `likely` holds the likeliest labels, best first, each with its probability; for a question that is asked within
    a label, over all the labels that the message may have.
    """

    label: str
    probability: float
    likely: tuple[tuple[str, float], ...] = ()


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
        shares: list[dict[str, dict[str, float]]] = [{} for _ in probabilities]
        for name, learner in self.learners.items():
            if name == LABEL:
                continue
            question, _, label = name.partition(WITHIN)
            weights = probabilities[:, self.labels.index(label)] if label else probabilities.sum(axis=1)
            rows = [row for row, weight in enumerate(weights) if weight >= _WORTH_ASKING]
            if not rows:
                continue
            said = self._probabilities(name, matrix[rows])
            for row, likely in zip(rows, said, strict=True):
                shared = (float(weights[row]) * likely).tolist()
                shares[row].setdefault(question, {}).update(zip(learner.labels, shared, strict=True))
        best = [self.labels[row] for row in probabilities.argmax(axis=1)]
        return [
            {
                question: self._answer(question, asked, said)
                for question, said in answers.items()
                if (asked := self._asked_of(question, label)) is not None
            }
            for answers, label in zip(shares, best, strict=True)
        ]

    def _asked_of(self, question: str, label: str) -> Learner | None:
        """Return what answers a question about messages with that label; None when it is not asked of them."""
        return self.learners.get(question) or self.learners.get(f"{question}{WITHIN}{label}")

    def _answer(self, question: str, asked: Learner, said: Mapping[str, float]) -> Answer:
        """Return the likeliest answer that belongs to the label; of a question in SURE the calm one only when sure."""
        ranked = sorted(said.items(), key=lambda pair: -pair[1])
        first = next(pair for pair in ranked if pair[0] in asked.labels)
        calm, needed = SURE.get(question, (None, 0.0))
        if first[0] == calm and first[1] < needed:
            first = ranked[1]
        return Answer(*first, tuple(ranked[:_LIKELY_KEPT]))

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
