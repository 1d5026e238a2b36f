"""Search as somebody types: beginnings of words and slips of the pen, over title, keywords and text of the answers.

Each word of the query must be found: as a word, as the beginning of one, or, when neither is there, as one that is a
slip away. Typing errors are rapidfuzz's Damerau-Levenshtein distance.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from heapq import nsmallest

from rapidfuzz import process
from rapidfuzz.distance import OSA

from templates.answer import LANGUAGES
from templates.ranking import Candidate
from templates.wording import fold, same_as, stop_words

WHOLE, BEGINNING, SYNONYM, SLIP = 1.0, 0.8, 0.6, 0.4
TITLE, KEYWORDS, TEXT = 8.0, 5.0, 1.0
MOST_WORDS = 8
MOST_CHARACTERS = 100
# A word of so many letters may hold one slip, and one of twice as many two.
LETTERS_FOR_A_SLIP = 4
STALE = 0.9

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer that was found."""

    slug: str
    language: str
    title: str
    line: str
    score: float


class Search:
    """The answers, ready to be searched. Build once, ask at every key."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = list(candidates)
        self._holding: defaultdict[str, dict[int, float]] = defaultdict(dict)
        for number, candidate in enumerate(self._candidates):
            texts = (
                (candidate.body, TEXT),
                (" ".join((*candidate.keywords, candidate.slug)), KEYWORDS),
                (candidate.title, TITLE),
            )
            for text, weight in texts:
                for word in _words(text):
                    self._holding[word][number] = weight
        self._words = sorted(self._holding)

    def find(self, query: str, *, language: str = LANGUAGES[0], limit: int = 8) -> list[Hit]:
        """The answers that hold every word of the query, best first; each in one language."""
        words = _words(query[:MOST_CHARACTERS])[:MOST_WORDS]
        telling = [word for word in words if word not in stop_words()] or words
        if not telling:
            return []
        found = [self._of_word(word, last=word == words[-1]) for word in telling]
        scores = {
            number: sum(of_word[number] for of_word in found)
            for number in set(found[0]).intersection(*found[1:])
        }
        best: dict[str, tuple[float, int]] = {}
        for number, score in scores.items():
            candidate = self._candidates[number]
            preferred = (
                score
                * (STALE if candidate.stale else 1.0)
                * (1.01 if candidate.language == language else 1.0)
            )
            best[candidate.slug] = max(best.get(candidate.slug, (0.0, -1)), (preferred, number))
        first = nsmallest(limit, best.items(), key=lambda item: (-item[1][0], item[0]))
        return [self._hit(number, score) for _, (score, number) in first]

    def _of_word(self, word: str, *, last: bool) -> dict[int, float]:
        """The answers that hold a word, and how well; of the last one, which may not be finished, the beginning."""
        scores: dict[int, float] = {}
        matches = [(word, WHOLE)] if word in self._holding else []
        matches += [(other, SYNONYM) for other in same_as(word) if other in self._holding]
        if len(word) > 1 or last:
            matches += [(other, BEGINNING) for other in self._beginning_with(word)]
        if not matches:
            matches = [(other, SLIP) for other in self._nearly(word)]
        for other, quality in matches:
            for number, weight in self._holding[other].items():
                scores[number] = max(scores.get(number, 0.0), weight * quality)
        return scores

    def _beginning_with(self, start: str) -> list[str]:
        return [word for word in self._words if word.startswith(start) and word != start]

    def _nearly(self, word: str) -> list[str]:
        slips = min(len(word) // LETTERS_FOR_A_SLIP, 2)
        if not slips:
            return []
        # Somebody who is still typing has not come to the end of the word: its beginning may be nearly right, too.
        whole = process.extract(word, self._words, scorer=OSA.distance, score_cutoff=slips, limit=5)
        if whole:
            return [other for other, _, _ in whole]
        beginnings = defaultdict(list)
        for other in self._words:
            beginnings[other[: len(word)]].append(other)
        near = process.extract(word, list(beginnings), scorer=OSA.distance, score_cutoff=slips, limit=3)
        return [other for beginning, _, _ in near for other in beginnings[beginning]]

    def _hit(self, number: int, score: float) -> Hit:
        found = self._candidates[number]
        return Hit(found.slug, found.language, found.title, found.line, round(score, 3))


@lru_cache(maxsize=4)
def search_of(candidates: tuple[Candidate, ...]) -> Search:
    """The search over these answers, built once."""
    return Search(candidates)


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(fold(text)) if len(word) > 1 or word.isdigit()]
