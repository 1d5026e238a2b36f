"""The model: messages in, predictions with probability and reasons out.

In: training with an honest temperature and threshold, predicting in batches, saving and loading. Not in: how
features are made (features.py), how figures are measured (evaluation.py), how the file is laid out
(modelfile.py).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifier import modelfile
from classifier.data import DataError, Row
from classifier.evaluation import (
    TARGET_PRECISION,
    Progress,
    Report,
    choose_temperature,
    choose_threshold,
    out_of_fold,
    report,
    softmax,
)
from classifier.features import STRENGTH, WEIGHTS, Found, Reading, Sorter, fit, read
from classifier.modelfile import ModelError
from classifier.reasons import Cells, cells_of, contributions, phrases
from classifier.text import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LINES = ("abroad", "return", "resident_abroad", "foreigner")
NONE = "none"

# So many words and phrases are given as reasons.
REASONS = 6

_BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """What the model thinks of one message.

    `label` is the best label; `line` is the same, or None when the model abstained. `why` holds words and
    phrases of the message as written, each with what it added to the label's log-odds (negative: against it).
    """

    label: str
    line: str | None
    probability: float
    probabilities: dict[str, float]
    why: tuple[tuple[str, float], ...]
    abstained: bool
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain JSON data."""
        return asdict(self)


class Model:
    """A trained sorter with its threshold and its card (versions, data, measured figures)."""

    def __init__(self, sorter: Sorter, card: dict[str, Any]) -> None:
        self.card = card
        self.id = str(card["id"])
        self.labels = sorter.labels
        self.threshold = float(card["threshold"])
        self.temperature = float(card["temperature"])
        self.sorter = sorter

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
        sorter, card = modelfile.unpack(content, str(path))
        try:
            return cls(sorter, card)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ModelError(f"{path}: the card of the model file is incomplete.") from None

    def save(self, path: Path | str) -> str:
        """Write the model to a file in one step, and return the file's SHA-256; raises OSError."""
        content = modelfile.pack(self.sorter, self.card)
        modelfile.write(Path(path), content)
        return modelfile.digest_of(content)

    def predict(self, texts: Sequence[Text]) -> list[Prediction]:
        """Return one prediction for each message, in order; faster in one batch than one by one."""
        predictions: list[Prediction] = []
        for start in range(0, len(texts), _BATCH):
            predictions += self._predict([read(text) for text in texts[start : start + _BATCH]])
        return predictions

    def _predict(self, readings: list[Reading]) -> list[Prediction]:
        found = [self.sorter.find(reading) for reading in readings]
        counts = self.sorter.count(found)
        matrix = self.sorter.weigh(counts)
        probabilities = softmax(self.sorter.scores(matrix), self.temperature)
        rows = zip(readings, found, cells_of(counts, matrix), probabilities, strict=True)
        return [self._prediction(*row) for row in rows]

    def _prediction(
        self, reading: Reading, found: Found, cells: Cells, probabilities: "NDArray[np.float64]"
    ) -> Prediction:
        best = int(probabilities.argmax())
        probability = float(probabilities[best])
        abstained = probability < self.threshold
        added = contributions(self.sorter, found, cells, best)
        why = (
            (said, round(weight / self.temperature, 4)) for said, weight in phrases(reading, added, REASONS)
        )
        return Prediction(
            label=self.labels[best],
            line=None if abstained else self.labels[best],
            probability=probability,
            probabilities=dict(zip(self.labels, probabilities.tolist(), strict=True)),
            why=tuple(why),
            abstained=abstained,
            model=self.id,
        )


def train(rows: Sequence[Row], *, threshold: float | None = None, progress: Progress | None = None) -> Model:
    """Return a model that learned from the rows.

    Temperature and threshold are chosen on predictions out of fold, whole groups held out; a given `threshold`
    (0..1) is kept. Raises DataError when the rows cannot be learned from.
    """
    import numpy as np

    labels = sorted({row.label for row in rows})
    if len(labels) < 2:
        raise DataError(f"The data hold {len(labels)} label(s); at least two are needed.")
    readings = [read(row.text) for row in rows]
    if not any(reading.block_texts["letters"] for reading in readings):
        raise DataError("The texts of the data are all empty.")
    scores = out_of_fold(rows, readings, labels, progress)
    truth = np.array([labels.index(row.label) for row in rows])
    temperature = choose_temperature(scores, truth)
    figures = _measure(softmax(scores, temperature), truth, labels, threshold)
    if progress:
        progress("learning", 0, 1)
    sorter = fit(readings, [row.label for row in rows])
    if progress:
        progress("learning", 1, 1)
    return Model(sorter, _card(rows, threshold, {"temperature": temperature, **figures}))


def evaluate(model: Model, rows: Sequence[Row]) -> Report:
    """Return how well the model sorts labelled rows, which must not be those it learned from."""
    predictions = model.predict([row.text for row in rows])
    return report(
        [row.label for row in rows],
        [prediction.label for prediction in predictions],
        [prediction.probability for prediction in predictions],
        model.threshold,
    )


def _measure(
    probabilities: "NDArray[np.float64]",
    truth: "NDArray[np.intp]",
    labels: list[str],
    threshold: float | None,
) -> dict[str, Any]:
    best = probabilities.argmax(axis=1)
    certain = probabilities.max(axis=1).tolist()
    if threshold is None:
        threshold = choose_threshold(certain, (best == truth).tolist(), TARGET_PRECISION)
    measured = report([labels[i] for i in truth], [labels[i] for i in best], certain, threshold)
    return {"threshold": threshold, "metrics": measured.to_dict()}


def _card(rows: Sequence[Row], threshold: float | None, measured: dict[str, Any]) -> dict[str, Any]:
    data = hashlib.sha256()
    for said in sorted(json.dumps([row.text.subject, row.text.body, row.label]) for row in rows):
        data.update(said.encode() + b"\n")
    made_of = {
        "data_sha256": data.hexdigest(),
        "versions": modelfile.versions(),
        "settings": {
            "strength": STRENGTH,
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
        **measured,
    }
