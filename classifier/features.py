"""Features: messages into numbers, numbers into scores, and a score back into words.

In: the three blocks of features (phrases, letters, marks), the linear learner over them, and what each word
added to a score. Not in: probabilities, thresholds and files (model.py), and the words themselves (text.py).
scikit-learn is imported inside the functions, because the web process imports this package and never learns.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import snowballstemmer

from classifier.signals import LETTER, Signal, signals
from classifier.text import LINK, MAIL, NAME, NUMBER, Text, Words, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Columns = NDArray[np.intp]
    Matrix = NDArray[np.float64]

# Raise it when features change their meaning: an older model file must then be refused.
FEATURES_VERSION = 1

# A word that fewer messages hold is noise at our size, and may be somebody's name.
MIN_MESSAGES = 3

# Found by grouped cross-validation on the corpus; the figures are in docs/classifier.md.
STRENGTH = 5.0
WEIGHTS = {"phrases": 1.0, "letters": 1.0, "marks": 0.1}

# In phrases a place or a nationality stands for all of its kind: what was learned of Milan holds for Turin.
KINDS = {"X": "FUERA", "P": "PERU", "N": "PERUANO", "F": "EXTRANJERO"}
STOP = "."
LONGEST_PHRASE = 3

_WORDS_REMEMBERED = 50_000
_STAND_INS = frozenset({LINK, MAIL, NAME, NUMBER})


# The first word of a run and the one after its last, as places in the message.
Span = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """One message read once: its words (the subject's first) and what they signal."""

    words: Words
    signals: tuple[Signal, ...]

    @cached_property
    def terms(self) -> list[str]:
        """One term for each word: its kind of place or nationality, else its stem; a stop for punctuation."""
        return [_term(word) for word in self.words.folded]

    @cached_property
    def block_texts(self) -> dict[str, str]:
        """What each block of features is counted from."""
        return {
            "phrases": " ".join(self.terms),
            "letters": " ".join(word for word in self.words.folded if _is_word(word)),
            "marks": " ".join(signal.name for signal in self.signals),
        }


def read(text: Text) -> Reading:
    """Return a message's words and signals."""
    subject, body = words(text.subject), words(text.body)
    both = Words((*subject.folded, "\n", *body.folded), (*subject.written, "\n", *body.written))
    return Reading(both, signals(both))


@lru_cache(maxsize=_WORDS_REMEMBERED)
def _term(word: str) -> str:
    kind = KINDS.get(LETTER.get(word, ""))
    return kind or (str(_stemmer().stemWord(word)) if _is_word(word) else STOP)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    return snowballstemmer.stemmer("spanish")


def _is_word(word: str) -> bool:
    return word[0].isalnum() or word[0] == "_"


@dataclass(frozen=True)
class Sorter:
    """Fitted vectorizers and a fitted linear classifier: messages in, one score a label out."""

    vectorizers: dict[str, Any]
    classifier: Any
    _letters_of: "dict[str, Columns]" = field(default_factory=dict, compare=False, repr=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the scores."""
        return tuple(str(label) for label in self.classifier.classes_)

    @cached_property
    def coefficients(self) -> "Matrix":
        """The weight of each feature (columns) for each label (rows)."""
        import numpy as np

        weights = self.classifier.coef_.astype(float)
        return np.vstack([-weights / 2, weights / 2]) if len(weights) == 1 else weights

    def matrix(self, readings: Sequence[Reading]) -> Any:
        """Return the sparse feature matrix of the messages, one row each."""
        return _stack(
            {
                name: vectorizer.transform(_block(name, readings))
                for name, vectorizer in self.vectorizers.items()
            }
        )

    def scores(self, matrix: Any) -> "Matrix":
        """Return one score (log-odds) for each message and label."""
        import numpy as np

        scores = np.asarray(self.classifier.decision_function(matrix), dtype=float)
        return np.column_stack([-scores / 2, scores / 2]) if scores.ndim == 1 else scores

    @cached_property
    def offsets(self) -> dict[str, int]:
        """The first column of each block."""
        sizes = [len(vectorizer.vocabulary_) for vectorizer in self.vectorizers.values()]
        return dict(zip(self.vectorizers, accumulate(sizes, initial=0), strict=False))

    def letters_of(self, word: str) -> "Columns":
        """Return the columns of one word's letter features; remembered, because words come back."""
        import numpy as np

        if word not in self._letters_of:
            known, first = self.vectorizers["letters"].vocabulary_, self.offsets["letters"]
            grams = self._letter_grams(word) if _is_word(word) else ()
            if len(self._letters_of) > _WORDS_REMEMBERED:
                self._letters_of.clear()
            self._letters_of[word] = np.array([first + known[g] for g in grams if g in known], dtype=np.intp)
        return self._letters_of[word]

    @cached_property
    def _letter_grams(self) -> Any:
        return self.vectorizers["letters"].build_analyzer()


def fit(readings: Sequence[Reading], labels: Sequence[str], *, strength: float = STRENGTH) -> Sorter:
    """Return a sorter that learned from the messages; `strength` is the inverse of the penalty (C)."""
    from sklearn.linear_model import LogisticRegression

    vectorizers = _vectorizers(min(MIN_MESSAGES, max(1, len(readings) // 10)))
    matrix = _stack({name: made.fit_transform(_block(name, readings)) for name, made in vectorizers.items()})
    classifier = LogisticRegression(C=strength, class_weight="balanced", max_iter=400)
    classifier.fit(matrix, list(labels))
    return Sorter(vectorizers, classifier)


def contributions(sorter: Sorter, reading: Reading, row: Any, label: int) -> dict[Span, float]:
    """Return what each run of words added to the score of a label.

    All of them and the classifier's intercept add up to the score; the run (0, 0) holds what no words show.
    """
    import numpy as np

    values = np.zeros(row.shape[1])
    values[row.indices] = row.data * sorter.coefficients[label, row.indices]
    letters = [sorter.letters_of(word) for word in reading.words.folded]
    others = list(_phrases_and_marks(sorter, reading))
    spans = [(place, place + 1) for place in range(len(letters))] + [span for span, _ in others]
    columns = np.concatenate([*letters, np.array([column for _, column in others], dtype=np.intp)])
    owners = np.repeat(np.arange(len(spans)), [len(found) for found in letters] + [1] * len(others))
    # A feature that occurs several times is shared out evenly over its occurrences.
    shares = values[columns] / np.bincount(columns, minlength=len(values))[columns]
    added: dict[Span, float] = {}
    for span, weight in zip(spans, np.bincount(owners, shares, len(spans)).tolist(), strict=True):
        added[span] = added.get(span, 0.0) + weight
    return added


def phrases(reading: Reading, added: dict[Span, float], most: int) -> list[tuple[str, float]]:
    """Return the runs that weigh most as the sender wrote them, heaviest first.

    A run within a heavier one that was already named is not named again; stand-ins of personal data and runs
    of one- or two-letter words never are.
    """
    weights: dict[tuple[str, ...], float] = {}
    spans: dict[tuple[str, ...], Span] = {}
    for (first, last), weight in added.items():
        run = tuple(filter(_is_word, reading.words.folded[first:last]))
        weights[run] = weights.get(run, 0.0) + weight
        spans.setdefault(run, (first, last))
    named: list[tuple[str, ...]] = []
    for run in sorted(weights, key=lambda run: -abs(weights[run])):
        if len(named) == most:
            break
        tellable = any(len(word) > 2 for word in run) and not _STAND_INS.intersection(run)
        if tellable and not any(set(run) <= set(other) for other in named):
            named.append(run)
    return [(_as_written(reading.words.written[slice(*spans[run])]), weights[run]) for run in named]


def _as_written(run: Iterable[str]) -> str:
    return re.sub(r" (?=[.,;:?!])", "", " ".join(run)).strip(" \n.,;:?!")


def _phrases_and_marks(sorter: Sorter, reading: Reading) -> Iterator[tuple[Span, int]]:
    """Yield the column of each known phrase and mark with the run of words that it was made of."""
    terms, known, first = reading.terms, sorter.vectorizers["phrases"].vocabulary_, sorter.offsets["phrases"]
    for length in range(1, LONGEST_PHRASE + 1):
        for place in range(len(terms) - length + 1):
            if (column := known.get(" ".join(terms[place : place + length]))) is not None:
                yield (place, place + length), first + column
    known, first = sorter.vectorizers["marks"].vocabulary_, sorter.offsets["marks"]
    for signal in reading.signals:
        if (column := known.get(signal.name)) is not None:
            yield (signal.first, signal.last), first + column


def _block(name: str, readings: Sequence[Reading]) -> list[str]:
    return [reading.block_texts[name] for reading in readings]


def _vectorizers(min_messages: int) -> dict[str, Any]:
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    common = {"lowercase": False, "min_df": min_messages, "dtype": np.float32}
    each = {"token_pattern": r"\S+", **common}
    return {
        "phrases": TfidfVectorizer(ngram_range=(1, LONGEST_PHRASE), sublinear_tf=True, **each),
        "letters": TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, **common),
        # Marks are there or not. They are not scaled to the message: in a short one a single mark would rule.
        "marks": CountVectorizer(binary=True, **each),
    }


def _stack(blocks: dict[str, Any]) -> Any:
    from scipy import sparse

    return sparse.hstack([WEIGHTS[name] * block for name, block in blocks.items()], format="csr")
