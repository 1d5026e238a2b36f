"""Which answers fit this very message: words in common (BM25F over title, keywords and text), times line and topic.

BM25 after Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with fields weighted by
repetition. Words are compared by their Spanish stem, with and without accents, so "legalizacion" finds
"legalización". No scikit-learn here: the web process ranks too, and must start light.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest, nsmallest
from itertools import islice

from classifier.text import stem

K1, B = 1.2, 0.6
TITLE_WEIGHT, KEYWORD_WEIGHT = 3, 3
# An answer of a line that the classifier holds for impossible keeps a tenth of its score: it may be wrong.
LINE_FLOOR = 0.1
# An answer about the topic that the classifier read is worth up to twice as much.
TOPIC_GAIN = 1.0
WORDS_READ = 600
WORDS_SHOWN = 4

_WORD = re.compile(r"[^\W\d_]{3,}")
STOP = frozenset(
    [
        "con",
        "para",
        "por",
        "que",
        "los",
        "las",
        "una",
        "uno",
        "unos",
        "unas",
        "del",
        "como",
        "esta",
        "este",
        "esto",
        "estos",
        "estas",
        "ese",
        "esa",
        "eso",
        "pero",
        "mas",
        "muy",
        "sin",
        "sobre",
        "cuando",
        "donde",
        "quien",
        "cual",
        "cuales",
        "desde",
        "hasta",
        "entre",
        "tambien",
        "porque",
        "hay",
        "ser",
        "soy",
        "son",
        "fue",
        "era",
        "estoy",
        "estan",
        "estamos",
        "tengo",
        "tiene",
        "tienen",
        "tener",
        "hace",
        "hacer",
        "puedo",
        "puede",
        "pueden",
        "poder",
        "quiero",
        "quiere",
        "quisiera",
        "necesito",
        "favor",
        "gracias",
        "buenas",
        "buenos",
        "dias",
        "tardes",
        "noches",
        "hola",
        "senores",
        "senor",
        "senora",
        "estimados",
        "estimado",
        "estimada",
        "saludos",
        "atentamente",
        "ustedes",
        "usted",
        "mis",
        "sus",
        "nos",
        "les",
        "algo",
        "solo",
        "saber",
        "consulta",
        "consultar",
        "informacion",
        "ayuda",
        "correo",
        "mi",
        "me",
        "se",
        "le",
        "lo",
        "la",
        "el",
        "en",
        "de",
        "un",
        "es",
        "al",
        "ya",
        "si",
        "no",
    ]
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer as the ranking sees it."""

    slug: str
    title: str
    line: str
    keywords: tuple[str, ...]
    body: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """An answer with its score (0 and above) and the words of the message that spoke for it."""

    slug: str
    title: str
    score: float
    words: tuple[str, ...]


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@lru_cache(maxsize=50_000)
def _term(word: str) -> str | None:
    """The stem that a word is compared by; None for a word that tells nothing."""
    folded = fold(word)
    return None if folded in STOP else stem(folded)


def words_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield (stem, word as written) for every telling word of a text."""
    # Some systems write an accent as a character of its own, which would end the word there.
    for word in _WORD.findall(unicodedata.normalize("NFC", text)):
        if (term := _term(word)) is not None:
            yield term, word


class Index:
    """The answers, ready to be ranked. Build once, ask often.

    What a term adds to an answer's score depends on the two alone, so it is worked out here, once: a message
    costs a look-up for each of its terms.
    """

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.candidates = list(candidates)
        counts = [Counter(self._terms(candidate)) for candidate in self.candidates]
        lengths = [terms.total() for terms in counts]
        mean = sum(lengths) / len(lengths) if any(lengths) else 1.0
        present = Counter(term for terms in counts for term in terms)
        # The weight of a term in each answer that holds it, by the answer's number.
        self._weights: dict[str, dict[int, float]] = {term: {} for term in present}
        for number, (terms, length) in enumerate(zip(counts, lengths, strict=True)):
            norm = K1 * (1 - B + B * length / mean)
            for term, count in terms.items():
                rarity = math.log(1 + (len(counts) - present[term] + 0.5) / (present[term] + 0.5))
                self._weights[term][number] = rarity * count * (K1 + 1) / (count + norm)

    @staticmethod
    def _terms(candidate: Candidate) -> list[str]:
        title = [term for term, _ in words_of(candidate.title)] * TITLE_WEIGHT
        keywords = [term for term, _ in words_of(" ".join(candidate.keywords))] * KEYWORD_WEIGHT
        return title + keywords + [term for term, _ in words_of(candidate.body)]

    def rank(
        self,
        text: str,
        lines: Mapping[str, float],
        limit: int = 3,
        topic: tuple[str, float] = ("", 0.0),
    ) -> list[Ranked]:
        """The best answers for a message, best first.

        `lines` are the probabilities of the five labels, `topic` the likeliest topic with its probability.
        """
        asked: dict[str, str] = {}
        for term, word in islice(words_of(text), WORDS_READ):
            if term in self._weights:
                asked.setdefault(term, word)
        totals: defaultdict[int, float] = defaultdict(float)
        for term in asked:
            for number, weight in self._weights[term].items():
                totals[number] += weight
        scores = {number: self._score(number, total, lines, topic) for number, total in totals.items()}
        fitting = (number for number, score in scores.items() if score > 0)
        best = nsmallest(limit, fitting, key=lambda number: (-scores[number], self.candidates[number].slug))
        return [self._ranked(number, scores[number], asked) for number in best]

    def _score(
        self, number: int, total: float, lines: Mapping[str, float], topic: tuple[str, float]
    ) -> float:
        candidate = self.candidates[number]
        likely = lines.get(candidate.line, 0.0) if lines else 1.0
        gain = 1 + TOPIC_GAIN * topic[1] if candidate.topic and candidate.topic == topic[0] else 1.0
        return round(total * (LINE_FLOOR + (1 - LINE_FLOOR) * likely) * gain, 4)

    def _ranked(self, number: int, score: float, asked: Mapping[str, str]) -> Ranked:
        candidate = self.candidates[number]
        said = [
            (self._weights[term][number], word)
            for term, word in asked.items()
            if number in self._weights[term]
        ]
        words = (word.lower() for _, word in nlargest(WORDS_SHOWN, said))
        return Ranked(candidate.slug, candidate.title, score, tuple(words))
