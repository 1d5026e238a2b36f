"""Which answers fit this very message: words in common (BM25F over title, keywords and text) times the line.

BM25 after Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), with fields weighted by
repetition. Words are compared by their Spanish stem, with and without accents, so "legalizacion" finds
"legalización". No scikit-learn here: the web process ranks too, and must start light.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import snowballstemmer

K1, B = 1.2, 0.6
TITLE_WEIGHT, KEYWORD_WEIGHT = 3, 3
# An answer of a line that the classifier holds for impossible keeps a tenth of its score: it may be wrong.
LINE_FLOOR = 0.1
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
def stem(word: str) -> str:
    """The Spanish stem of a folded word."""
    return str(snowballstemmer.stemmer("spanish").stemWord(word))


def words_of(text: str) -> list[tuple[str, str]]:
    """(stem, word as written) for every telling word of a text."""
    # Some systems write an accent as a character of its own, which would end the word there.
    composed = unicodedata.normalize("NFC", text)
    found = ((fold(word), word) for word in _WORD.findall(composed))
    return [(stem(folded), word) for folded, word in found if folded not in STOP]


class Index:
    """The answers, ready to be ranked. Build once, ask often."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.candidates = list(candidates)
        self._terms = [Counter(self._stems(candidate)) for candidate in self.candidates]
        lengths = [terms.total() for terms in self._terms]
        mean = sum(lengths) / len(lengths) if any(lengths) else 1.0
        self._norms = [K1 * (1 - B + B * length / mean) for length in lengths]
        present = Counter(term for terms in self._terms for term in terms)
        count = len(self.candidates)
        self._weight = {term: math.log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in present.items()}

    @staticmethod
    def _stems(candidate: Candidate) -> list[str]:
        title = [part for part, _ in words_of(candidate.title)] * TITLE_WEIGHT
        keywords = [part for part, _ in words_of(" ".join(candidate.keywords))] * KEYWORD_WEIGHT
        return title + keywords + [part for part, _ in words_of(candidate.body)]

    def rank(self, text: str, lines: Mapping[str, float], limit: int = 3) -> list[Ranked]:
        """The best answers for a message, best first; `lines` are the probabilities of the five labels."""
        asked: dict[str, str] = {}
        for part, word in words_of(text)[:WORDS_READ]:
            asked.setdefault(part, word)
        scored = (self._score(number, asked, lines) for number in range(len(self.candidates)))
        return sorted((item for item in scored if item.score > 0), key=lambda item: (-item.score, item.slug))[
            :limit
        ]

    def _score(self, number: int, asked: Mapping[str, str], lines: Mapping[str, float]) -> Ranked:
        candidate, terms, norm = self.candidates[number], self._terms[number], self._norms[number]
        parts = [
            (self._weight[term] * terms[term] * (K1 + 1) / (terms[term] + norm), word)
            for term, word in asked.items()
            if term in terms
        ]
        line = LINE_FLOOR + (1 - LINE_FLOOR) * lines.get(candidate.line, 0.0) if lines else 1.0
        best: Sequence[tuple[float, str]] = sorted(parts, reverse=True)[:WORDS_SHOWN]
        total = sum(weight for weight, _ in parts) * line
        return Ranked(
            candidate.slug, candidate.title, round(total, 4), tuple(word.lower() for _, word in best)
        )
