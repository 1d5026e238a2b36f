"""Words as the ranking and the search compare them: folded, by their stem, synonyms of the trade as one.

No scikit-learn here: the web process ranks and searches too, and must start light.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path

from classifier.text import stem

WORDS_READ = 600

_FOLDER = Path(__file__).parent
# Longer runs of letters are no words; they would fill the memory of stems.
_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,40}(?![^\W\d_])")


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def words_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield (term, word as written) for every telling word of a text."""
    # Some systems write an accent as a character of its own, which would end the word there.
    for word in _WORD.findall(unicodedata.normalize("NFC", text)):
        if (term := _term(word)) is not None:
            yield term, word


def terms_of(text: str) -> frozenset[str]:
    """The telling words of the first part of a text, each once, as they are compared."""
    return frozenset(asked_words(text))


def asked_words(text: str) -> dict[str, str]:
    """The terms of the first part of a text, each with the word as it was written first."""
    asked: dict[str, str] = {}
    for term, word in islice(words_of(text), WORDS_READ):
        asked.setdefault(term, word)
    return asked


@lru_cache(maxsize=50_000)
def _term(word: str) -> str | None:
    """The stem that a word is compared by, or that of its first synonym; None for a word that tells nothing."""
    folded = fold(word)
    if folded in stop_words():
        return None
    stemmed = stem(folded)
    return _synonyms().get(stemmed, stemmed)


@cache
def stop_words() -> frozenset[str]:
    """The words that tell nothing."""
    return frozenset(word for line in _lines("stopwords.txt") for word in line)


@cache
def _synonyms() -> dict[str, str]:
    """The stem of each word of synonyms.txt, and that of the first word of its line."""
    return {stem(word): stem(line[0]) for line in _lines("synonyms.txt") for word in line[1:]}


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    return {word: tuple(line) for line in _lines("synonyms.txt") for word in line}


def same_as(word: str) -> tuple[str, ...]:
    """The folded words that people use for the same thing as a folded word, without itself."""
    return tuple(other for other in _groups().get(word, ()) if other != word)


def _lines(name: str) -> list[list[str]]:
    lines = (_FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]
