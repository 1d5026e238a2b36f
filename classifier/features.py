"""Features: messages into numbers, and numbers into scores.

In: the three blocks of features (phrases, letters, marks) and the linear learner over them. Not in: a score
back into words (reasons.py), probabilities, thresholds and files (model.py), and the words themselves
(text.py). scikit-learn is imported inside the functions, because the web process imports this package and
never learns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from classifier.signals import LETTER, Signal, signals
from classifier.text import Text, Words, is_word, stem, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Columns = NDArray[np.int32]
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
            "letters": " ".join(word for word in self.words.folded if is_word(word)),
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
    return kind or (stem(word) if is_word(word) else STOP)


@dataclass(frozen=True)
class Found:
    """Every known feature of one message, as often as it occurs.

    An occurrence has its column in the matrix and its owner: the number of the run of words, among `spans`, that
    it was made of.
    """

    columns: "Columns"
    owners: "NDArray[np.intp]"
    spans: tuple[Span, ...]


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

    def find(self, reading: Reading) -> Found:
        """Return the known features of a message; of a word its letters first, then the phrases, then the marks."""
        import numpy as np

        letters = [self.letters_of(word) for word in reading.words.folded]
        others = [*self._phrases(reading.terms), *self._marks(reading.signals)]
        spans: dict[Span, int] = {(place, place + 1): place for place in range(len(letters))}
        owners = [spans.setdefault(span, len(spans)) for span, _ in others]
        columns = [column for _, column in others]
        return Found(
            np.concatenate([*letters, np.array(columns, dtype=np.int32)]),
            np.repeat([*range(len(letters)), *owners], [*map(len, letters), *[1] * len(owners)]),
            tuple(spans),
        )

    def _phrases(self, terms: Sequence[str]) -> Iterator[tuple[Span, int]]:
        """Yield each known phrase with its column, the short ones first."""
        known, first = self.vectorizers["phrases"].vocabulary_, self.offsets["phrases"]
        phrases = terms
        for length in range(1, LONGEST_PHRASE + 1):
            if length > 1:
                phrases = [
                    f"{phrase} {term}" for phrase, term in zip(phrases, terms[length - 1 :], strict=False)
                ]
            for place, column in enumerate(map(known.get, phrases)):
                if column is not None:
                    yield (place, place + length), first + column

    def _marks(self, found: Sequence[Signal]) -> Iterator[tuple[Span, int]]:
        known, first = self.vectorizers["marks"].vocabulary_, self.offsets["marks"]
        for signal in found:
            if signal.name in known:
                yield (signal.first, signal.last), first + known[signal.name]

    def matrix(self, readings: Sequence[Reading]) -> Any:
        """Return the sparse feature matrix of the messages, one row each."""
        return self.weigh(self.count([self.find(reading) for reading in readings]))

    def count(self, found: Sequence[Found]) -> Any:
        """Return how often each feature occurs: one sparse row a message, with its columns in order."""
        import numpy as np
        from scipy import sparse

        columns = np.concatenate([one.columns for one in found])
        starts = np.cumsum([0, *(len(one.columns) for one in found)], dtype=np.int32)
        shape = len(found), self.classifier.n_features_in_
        counts = sparse.csr_array((np.ones(len(columns), np.float32), columns, starts), shape=shape)
        counts.sum_duplicates()
        return counts

    def weigh(self, counts: Any) -> Any:
        """Return the feature matrix for counts of features; it fills the same cells.

        It is what the vectorizers' own `transform` makes, which would cut every word into its letters anew.
        """
        blocks = {}
        for name, vectorizer in self.vectorizers.items():
            first = self.offsets[name]
            blocks[name] = _weighted(counts[:, first : first + len(vectorizer.vocabulary_)], vectorizer)
        return _stack(blocks)

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

        columns = self._letters_of.get(word)
        if columns is None:
            known, first = self.vectorizers["letters"].vocabulary_, self.offsets["letters"]
            grams = self._letter_grams(word) if is_word(word) else ()
            if len(self._letters_of) > _WORDS_REMEMBERED:
                self._letters_of.clear()
            columns = np.array([first + known[gram] for gram in grams if gram in known], dtype=np.int32)
            self._letters_of[word] = columns
        return columns

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


def _weighted(counts: Any, vectorizer: Any) -> Any:
    """Return one block's counts with the weights that its vectorizer would give them."""
    import numpy as np
    from sklearn.preprocessing import normalize

    if vectorizer.binary:
        counts.data.fill(1)
        return counts
    counts.data = (np.log(counts.data) + 1) * vectorizer.idf_[counts.indices]
    return normalize(counts, copy=False)
