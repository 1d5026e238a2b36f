"""Learner: rows of features into one score a label.

In: fitting a linear classifier and asking it. Not in: the features (features.py), scores into probabilities
(evaluation.py), scores back into words (reasons.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

# The inverse of the penalty, found by grouped cross-validation on the corpus (docs/classifier.md).
STRENGTH = 0.3
KEPT = 8_000


@dataclass(frozen=True)
class Learner:
    """A fitted linear classifier: its score is a sum over features, which is why every reason is exact."""

    classifier: Any

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the scores."""
        return tuple(str(label) for label in self.classifier.classes_)

    @cached_property
    def coefficients(self) -> "Matrix":
        """The weight of each feature (columns) for each label (rows)."""
        import numpy as np

        weights = self.classifier.coef_
        return np.vstack([-weights / 2, weights / 2]) if len(weights) == 1 else np.asarray(weights)

    @cached_property
    def intercepts(self) -> "Matrix":
        """What each label has before any word is read."""
        import numpy as np

        intercept = np.asarray(self.classifier.intercept_, dtype=float)
        return np.array([-intercept[0] / 2, intercept[0] / 2]) if len(intercept) == 1 else intercept

    def scores(self, matrix: Any) -> "Matrix":
        """Return one score for each message and label; higher is likelier, the scale is the learner's own."""
        import numpy as np

        scores = np.asarray(self.classifier.decision_function(matrix), dtype=float)
        return np.column_stack([-scores / 2, scores / 2]) if scores.ndim == 1 else scores


def fit(matrix: Any, labels: Sequence[str], *, strength: float = STRENGTH, sparse: bool = False) -> Learner:
    """Return a linear support vector machine (one label against the rest) that learned from the rows.

    `strength` is the inverse of the penalty (C). Rare labels weigh as much as common ones. `sparse`: of each
    label's weights only the heaviest KEPT are kept, for a small file where nobody asks for exact reasons.
    """
    import numpy as np
    from sklearn.svm import LinearSVC

    classifier = LinearSVC(C=strength, class_weight="balanced", random_state=0)
    classifier.fit(matrix, list(labels))
    classifier.coef_ = classifier.coef_.astype(np.float32)
    if sparse and classifier.coef_.shape[1] > KEPT:
        _drop_light(classifier.coef_)
    return Learner(classifier)


def _drop_light(weights: Any) -> None:
    import numpy as np

    for row in weights:
        row[np.argpartition(np.abs(row), -KEPT)[:-KEPT]] = 0
