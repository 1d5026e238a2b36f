"""Network: one hidden layer over the same features, for data with many labels.

In: fitting it and asking it. Not in: the linear learner that it stands beside (learner.py). With five labels it brings
nothing; with 77 it is worth half a point (docs/classifier.md). Its share of a score shows no words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Weights = NDArray[np.float32]

# Fewer labels need no hidden layer; more columns would make the file and the training too large.
MANY_LABELS = 20
MOST_COLUMNS = 60_000
HIDDEN = 64
EPOCHS = 10


@dataclass(frozen=True)
class Network:
    """Weights of the features (features × hidden) and of the hidden layer (hidden × labels), with their biases."""

    inner: "Weights"
    inner_bias: "Weights"
    outer: "Weights"
    outer_bias: "Weights"

    def log_probabilities(self, matrix: Any) -> "Matrix":
        """Return the logarithm of each label's probability, for each message."""
        import numpy as np

        hidden = np.maximum(matrix @ self.inner + self.inner_bias, 0)
        scores = np.asarray(hidden @ self.outer + self.outer_bias, dtype=float)
        scores -= scores.max(axis=1, keepdims=True)
        return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)), dtype=float)


def is_wanted(labels: int, columns: int) -> bool:
    """Say whether data with so many labels and features get a network."""
    return labels >= MANY_LABELS and columns <= MOST_COLUMNS


def fit_network(matrix: Any, labels: Sequence[str]) -> Network:
    """Return a network that learned from the rows: rectified units, softmax, Adam (Kingma and Ba 2015)."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    machine = MLPClassifier((HIDDEN,), batch_size=64, learning_rate_init=3e-3, alpha=1e-5, random_state=0)
    known = sorted(set(labels))
    for _ in range(EPOCHS):
        machine.partial_fit(matrix, list(labels), classes=known)
    (inner, outer), (inner_bias, outer_bias) = machine.coefs_, machine.intercepts_
    return Network(*(np.asarray(part, np.float32) for part in (inner, inner_bias, outer, outer_bias)))
