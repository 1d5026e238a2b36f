"""Learner: rows of features into one score a label.

In: fitting a linear classifier and asking it. Not in: the features (features.py), scores into probabilities
(evaluation.py), scores back into words (reasons.py).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from classifier.network import Network, fit_network, is_wanted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

# The inverse of the penalty. For the main question the better of these is found by validation: letters to a desk
# want the first, many labels with few short texts each want the second (docs/classifier.md).
STRENGTHS = (0.3, 1.0)
# What our own corpus wants, found once: trying all of them every night would cost a third of the training.
STRENGTH = STRENGTHS[0]
# What a network's logarithm of a probability is worth beside a linear score.
NETWORK_SHARE = 0.2
# So many weights of each label a light learner keeps, and so far it is fitted: half the time, the same answers.
KEPT = 8_000
LIGHT_TOLERANCE = 1e-2


@dataclass(frozen=True)
class Learner:
    """A fitted linear classifier: its score is a sum over features, which is why every reason is exact.

    `weights` has a row for each label and a column for each feature (float32; sparse in a light learner),
    `intercepts` what each label has before any word is read. With many labels a `network` adds its opinion, which
    is no reason that words could show.
    """

    labels: tuple[str, ...]
    weights: Any
    intercepts: "NDArray[np.float32]"
    network: Network | None = None

    def scores(self, matrix: Any) -> "Matrix":
        """Return one score for each message and label; higher is likelier, the scale is the learner's own."""
        import numpy as np
        from scipy import sparse

        scores = matrix @ self.weights.T
        dense = scores.toarray() if sparse.issparse(scores) else scores
        linear = np.asarray(dense + self.intercepts, dtype=float)
        if self.network is None:
            return linear
        return linear + NETWORK_SHARE * self.network.log_probabilities(matrix)

    def with_network(self, network: Network | None) -> "Learner":
        """Return the learner with a network beside it."""
        return replace(self, network=network)

    def to_state(self) -> dict[str, Any]:
        """Return the learner as lists and arrays, for a model file."""
        from scipy import sparse

        weights: Any = self.weights
        if sparse.issparse(weights):
            weights = {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr}
        return {
            "labels": list(self.labels),
            "weights": weights,
            "intercepts": self.intercepts,
            "features": self.weights.shape[1],
            "network": None if self.network is None else asdict(self.network),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Learner":
        """Return the learner of a model file; raises KeyError, TypeError or ValueError on anything else."""
        from scipy import sparse

        labels, weights = tuple(map(str, state["labels"])), state["weights"]
        shape = len(labels), int(state["features"])
        if isinstance(weights, dict):
            parts = weights["data"], weights["indices"], weights["indptr"]
            weights = sparse.csr_array(parts, shape=shape)
            weights.check_format(full_check=True)  # indices out of bounds would be read as memory
        if weights.dtype.kind != "f" or weights.shape != shape or state["intercepts"].shape != shape[:1]:
            raise ValueError("the weights do not fit the labels")
        network = None if state["network"] is None else Network(**state["network"])
        return cls(labels, weights, state["intercepts"], network)


def fit(matrix: Any, labels: Sequence[str], *, strength: float = STRENGTH, light: bool = False) -> Learner:
    """Return a linear support vector machine (one label against the rest) that learned from the rows.

    `strength` is the inverse of the penalty (C). Rare labels weigh as much as common ones. `light`: of each label's
    weights only the heaviest KEPT are kept, for a small file where nobody asks for exact reasons.
    """
    import numpy as np
    from sklearn.svm import LinearSVC

    tolerance = LIGHT_TOLERANCE if light else 1e-4
    machine = LinearSVC(C=strength, class_weight="balanced", tol=tolerance, random_state=0)
    machine.fit(matrix, list(labels))
    weights, intercepts = machine.coef_.astype(np.float32), machine.intercept_.astype(np.float32)
    if len(weights) == 1:  # of two labels scikit-learn keeps one row
        weights, intercepts = (
            np.vstack([-weights / 2, weights / 2]),
            np.hstack([-intercepts / 2, intercepts / 2]),
        )
    if light and weights.shape[1] > KEPT:
        weights = _lightened(weights)
    return Learner(tuple(str(label) for label in machine.classes_), weights, intercepts)


def fit_beside(matrix: Any, labels: Sequence[str]) -> Network | None:
    """Return a network for the rows, if they have so many labels that it is worth it."""
    return fit_network(matrix, labels) if is_wanted(len(set(labels)), matrix.shape[1]) else None


def _lightened(weights: Any) -> Any:
    import numpy as np
    from scipy import sparse

    for row in weights:
        row[np.argpartition(np.abs(row), -KEPT)[:-KEPT]] = 0
    return sparse.csr_array(weights)
