"""Features: messages into numbers.

In: the four blocks of features (phrases, letters, marks, relations) and how they are weighed. Not in: the learner over
them (learner.py), probabilities and files (model.py), thresholds (training.py), and the words themselves (text.py).
scikit-learn is imported inside the functions, because the web process imports this package and never learns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from classifier.data import DataError
from classifier.parts import STOP
from classifier.signals import RELATION, Signal, parts_of, signals, telling
from classifier.text import Text, Words, is_word, stem, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Columns = NDArray[np.int32]

# Raise it when features change their meaning: an older model file must then be refused.
FEATURES_VERSION = 4

# A word that fewer messages hold is noise at our size, and may be somebody's name.
MIN_MESSAGES = 3

# Found by grouped cross-validation on the corpus; the figures are in docs/classifier.md.
WEIGHTS = {"phrases": 1.0, "letters": 1.0, "marks": 0.1, "relations": 0.5}

# In phrases a place or a nationality stands for all of its kind: what was learned of Milan holds for Turin.
KINDS = {"X": "FUERA", "P": "PERU", "N": "PERUANO", "F": "EXTRANJERO"}
LONGEST_PHRASE = 3

# Runs of telling words alone, whatever stands between them ("soy … de Loja … médico … en Piura").
LONGEST_RELATION = 4
LONGEST_SHOWN = 8

_WORDS_REMEMBERED = 50_000

# The first word of a run and the one after its last, as places in the message.
Span = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """One message read once: its words (the subject's first) and what they signal."""

    words: Words
    parts: str
    signals: tuple[Signal, ...]

    @cached_property
    def terms(self) -> list[str]:
        """One term for each word: its kind of place or nationality, else its stem; a stop for punctuation."""
        return [
            KINDS.get(part) or _term(word) for word, part in zip(self.words.folded, self.parts, strict=True)
        ]

    @cached_property
    def telling(self) -> list[int]:
        """Where the telling words stand."""
        return telling(self.parts)

    @cached_property
    def block_texts(self) -> dict[str, str]:
        """What each block of features is counted from."""
        return {
            "phrases": " ".join(self.terms),
            "letters": " ".join(word for word in self.words.folded if is_word(word)),
            "marks": " ".join(signal.name for signal in self.signals),
            "relations": " ".join(self.parts[place] for place in self.telling),
        }


def read(text: Text) -> Reading:
    """Return a message's words and signals."""
    subject, body = words(text.subject), words(text.body)
    pairs = ((subject.folded, body.folded), (subject.written, body.written), (subject.named, body.named))
    both = Words(*((*one, "\n", *other) for one, other in pairs))
    parts = parts_of(both)
    return Reading(both, parts, signals(parts))


@lru_cache(maxsize=_WORDS_REMEMBERED)
def _term(word: str) -> str:
    return stem(word) if is_word(word) else STOP


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
class Block:
    """One block of features: the column of each term within the block, and how telling each term is (idf).

    A block without idf holds marks, which are there or not.
    """

    columns: dict[str, int]
    idf: "NDArray[np.float32] | None"


@dataclass(frozen=True)
class Features:
    """The blocks that were learned: messages in, one sparse row each out."""

    blocks: dict[str, Block]
    _letters_of: "dict[str, Columns]" = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def size(self) -> int:
        """How many columns a row has."""
        return sum(len(block.columns) for block in self.blocks.values())

    @cached_property
    def offsets(self) -> dict[str, int]:
        """The first column of each block."""
        sizes = [len(block.columns) for block in self.blocks.values()]
        return dict(zip(self.blocks, accumulate(sizes, initial=0), strict=False))

    def find(self, reading: Reading) -> Found:
        """Return the known features of a message; of a word its letters first, then the phrases, then the marks."""
        import numpy as np

        letters = [self.letters_of(word) for word in reading.words.folded]
        others = [*self._phrases(reading.terms), *self._marks(reading.signals), *self._relations(reading)]
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
        for place, length, column in self._runs("phrases", terms, LONGEST_PHRASE):
            yield (place, place + length), column

    def _relations(self, reading: Reading) -> Iterator[tuple[Span, int]]:
        """Yield each known run of telling words; one that is drawn out over a long text shows no words."""
        places = reading.telling
        letters = [reading.parts[place] for place in places]
        for start, length, column in self._runs("relations", letters, LONGEST_RELATION):
            span = places[start], places[start + length - 1] + 1
            yield (span if span[1] - span[0] <= LONGEST_SHOWN else (0, 0)), column

    def _runs(self, block: str, terms: Sequence[str], longest: int) -> Iterator[tuple[int, int, int]]:
        """Yield each known run of terms, the short ones first: its place, its length, its column."""
        known, first = self.blocks[block].columns, self.offsets[block]
        runs = terms
        for length in range(1, longest + 1):
            if length > 1:
                runs = [f"{run} {term}" for run, term in zip(runs, terms[length - 1 :], strict=False)]
            for place, column in enumerate(map(known.get, runs)):
                if column is not None:
                    yield place, length, first + column

    def _marks(self, found: Sequence[Signal]) -> Iterator[tuple[Span, int]]:
        known, first = self.blocks["marks"].columns, self.offsets["marks"]
        for signal in found:
            if signal.name in known:
                yield (signal.first, signal.last), first + known[signal.name]

    def signs(self, reading: Reading, coefficients: "NDArray[np.float64]") -> Iterator[tuple[str, float]]:
        """Yield what each single relation that the message states adds to a label's score."""
        known, first = self.blocks["marks"].columns, self.offsets["marks"]
        for signal in reading.signals:
            if signal.name in known and not signal.name.startswith(RELATION):
                yield signal.name, WEIGHTS["marks"] * float(coefficients[first + known[signal.name]])

    def letters_of(self, word: str) -> "Columns":
        """Return the columns of one word's letter features; remembered, because words come back."""
        import numpy as np

        columns = self._letters_of.get(word)
        if columns is None:
            known, first = self.blocks["letters"].columns, self.offsets["letters"]
            grams = self._letter_grams(word) if is_word(word) else ()
            if len(self._letters_of) > _WORDS_REMEMBERED:
                self._letters_of.clear()
            columns = np.array([first + known[gram] for gram in grams if gram in known], dtype=np.int32)
            self._letters_of[word] = columns
        return columns

    @cached_property
    def _letter_grams(self) -> Any:
        return _counters(1)["letters"].build_analyzer()

    def matrix(self, readings: Sequence[Reading]) -> Any:
        """Return the sparse feature matrix of the messages, one row each."""
        return self.weigh(self.count([self.find(reading) for reading in readings]))

    def count(self, found: Sequence[Found]) -> Any:
        """Return how often each feature occurs: one sparse row a message, with its columns in order."""
        import numpy as np
        from scipy import sparse

        columns = np.concatenate([one.columns for one in found])
        starts = np.cumsum([0, *(len(one.columns) for one in found)], dtype=np.int32)
        shape = len(found), self.size
        counts = sparse.csr_array((np.ones(len(columns), np.float32), columns, starts), shape=shape)
        counts.sum_duplicates()
        return counts

    def weigh(self, counts: Any) -> Any:
        """Return the feature matrix for counts of features; it fills the same cells."""
        from scipy import sparse

        weighed = []
        for name, block in self.blocks.items():
            first = self.offsets[name]
            cells = counts[:, first : first + len(block.columns)].astype("float32")
            weighed.append(WEIGHTS[name] * _weighed(cells, block.idf))
        return sparse.hstack(weighed, format="csr")

    def learned_from(self, counts: Any) -> "Features":
        """Return the same features, how telling each term is taken from these counts of messages.

        A term that fewer than MIN_MESSAGES of them hold weighs nothing.
        """
        import numpy as np

        held = np.bincount(counts.indices, minlength=self.size)
        rare = held < _least(counts.shape[0])
        idf = np.where(rare, 0, np.log((1 + counts.shape[0]) / (1 + held)) + 1).astype(np.float32)
        blocks = {}
        for name, block in self.blocks.items():
            first = self.offsets[name]
            part = None if block.idf is None else idf[first : first + len(block.columns)]
            blocks[name] = Block(block.columns, part)
        return Features(blocks)


def fit_features(readings: Sequence[Reading]) -> "tuple[Features, Any]":
    """Return the features that enough messages hold, and how often each message holds each."""
    import numpy as np
    from scipy import sparse

    counters = _counters(_least(len(readings)))
    try:
        counts = [
            made.fit_transform([reading.block_texts[name] for reading in readings])
            for name, made in counters.items()
        ]
    except ValueError:  # scikit-learn's word for an empty vocabulary
        raise DataError("The texts of the data have no words in common.") from None
    blocks = {name: Block(_in_order(made.vocabulary_), _unlearned(made)) for name, made in counters.items()}
    return Features(blocks), sparse.csr_array(sparse.hstack(counts, format="csr", dtype=np.float32))


def _in_order(vocabulary: dict[str, Any]) -> dict[str, int]:
    return {str(term): int(column) for term, column in sorted(vocabulary.items(), key=lambda item: item[1])}


def _unlearned(counter: Any) -> "NDArray[np.float32] | None":
    import numpy as np

    return None if counter.binary else np.ones(len(counter.vocabulary_), np.float32)


def _least(messages: int) -> int:
    return min(MIN_MESSAGES, max(1, messages // 10))


def _counters(least: int) -> dict[str, Any]:
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer

    common = {"lowercase": False, "min_df": least, "dtype": np.float32}
    each = {"token_pattern": r"\S+", **common}
    return {
        "phrases": CountVectorizer(ngram_range=(1, LONGEST_PHRASE), **each),
        "letters": CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common),
        # Marks are there or not. They are not scaled to the message: in a short one a single mark would rule.
        "marks": CountVectorizer(binary=True, **each),
        "relations": CountVectorizer(ngram_range=(1, LONGEST_RELATION), **each),
    }


def _weighed(counts: Any, idf: "NDArray[np.float32] | None") -> Any:
    """Return one block's counts as TF-IDF: logarithmic counts, each row of length one (Manning et al. 2008, 6.4)."""
    import numpy as np
    from sklearn.preprocessing import normalize

    if idf is None:
        counts.data.fill(1)
        return counts
    counts.data = (np.log(counts.data) + 1) * idf[counts.indices]
    return normalize(counts, copy=False)
