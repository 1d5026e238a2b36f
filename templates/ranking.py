"""Which answers fit this very message: how like it is to what each answer is for, and what the classifier reads in it.

What an answer is for is the centroid of texts (Rocchio, "Relevance Feedback in Information Retrieval", 1971): its own
words in every language, the messages for which people judged it right, and those for which agents really sent it. A
text is the set of its terms, weighted by their rarity and brought to length one; likeness is the cosine. So a new
answer can be found by its words alone, and every use teaches. The weights were chosen on messages that neither the
classifier nor the centroids know (docs/answers.md).
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import nlargest, nsmallest
from typing import Protocol

from classifier import NONE
from templates.answer import GENERAL, LANGUAGES
from templates.examples import Example, examples
from templates.wording import asked_words, terms_of

# What speaks for an answer, beside a likeness between 0 and 1: the probability of its topic (its root), of its line.
TOPIC, LINE = 1 / 12, 1 / 40
# What its texts weigh in a centroid. A message counts in full for the answer that is best for it, else by half.
TITLE_AND_KEYWORDS, BODY, QUESTION, BEST, ALSO_RIGHT = 3.0, 1.0, 0.7, 1.0, 0.5
# An answer for every matter of a line is a good guess only when no topic is likely.
GENERAL_SHARE = 0.1
# When a person decided on a line, the answers of the other three must be that much better.
OTHER_LINE = 0.3
# An answer whose review is overdue must be that much better than one that is current.
STALE = 0.8
# Below it nothing is offered: a word in common is not yet an answer.
WORTH_SHOWING = 0.08
WORDS_SHOWN = 4
# From here on two messages are said to be alike.
ALIKE = 0.2


@dataclass(frozen=True, slots=True)
class Candidate:
    """One language of an answer, as the ranking sees it. `stale`: its review is overdue."""

    slug: str
    title: str
    line: str
    keywords: tuple[str, ...]
    body: str
    topic: str = ""
    language: str = LANGUAGES[0]
    questions: tuple[str, ...] = ()
    stale: bool = False


class Rankable(Protocol):
    """What the ranking asks of an answer, whether it comes from a file or from a row."""

    @property
    def slug(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def language(self) -> str: ...
    @property
    def keywords(self) -> Sequence[str]: ...
    @property
    def questions(self) -> Sequence[str]: ...
    @property
    def body(self) -> str: ...
    @property
    def review_by(self) -> dt.date: ...


def candidate_of(answer: Rankable, today: dt.date) -> Candidate:
    """An answer as the ranking sees it on a day."""
    return Candidate(
        slug=answer.slug,
        title=answer.title,
        line=answer.line,
        keywords=tuple(answer.keywords),
        body=answer.body,
        topic=answer.topic,
        language=answer.language,
        questions=tuple(answer.questions),
        stale=answer.review_by < today,
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of the past, and the answer that somebody sent for it."""

    text: str
    slug: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What the classifier reads in a message: how likely each line and each topic is. Empty: it cannot tell.

    `decided`: the line that a person decided on, whatever the words say.
    """

    lines: Mapping[str, float] = field(default_factory=dict)
    topics: Mapping[str, float] = field(default_factory=dict)
    decided: str | None = None


NOTHING_READ = Reading()


@dataclass(frozen=True, slots=True)
class Ranked:
    """An answer with its score (0 and above) and what spoke for it.

    `words` of the message that spoke for it, `topic` the probability of its topic, `sent` how many messages like this
    one were answered with it.
    """

    slug: str
    language: str
    title: str
    score: float
    words: tuple[str, ...]
    topic: float = 0.0
    sent: int = 0


class Index:
    """The answers, ready to be ranked. Build once, ask often: a message costs a look-up for each of its terms."""

    def __init__(
        self, candidates: Iterable[Candidate], known: Iterable[Example] = (), sent: Iterable[Sent] = ()
    ) -> None:
        self._versions: defaultdict[str, dict[str, Candidate]] = defaultdict(dict)
        for candidate in candidates:
            self._versions[candidate.slug][candidate.language] = candidate
        self._sent: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
        for one in sent:
            self._sent[one.slug].append(terms_of(one.text))
        texts = [text for text in self._texts(known) if text[0] in self._versions]
        self._rarity = _rarity([terms for _, _, terms in texts])
        self._rarest = max(self._rarity.values(), default=1.0)
        self._weights = _centroids(texts, self._rarity)
        self._places = {slug: _place(versions) for slug, versions in self._versions.items()}

    def _texts(self, known: Iterable[Example]) -> Iterable[tuple[str, float, frozenset[str]]]:
        """Every text that says what an answer is for: the answer, what the text weighs, its terms."""
        for slug, versions in self._versions.items():
            for version in versions.values():
                yield slug, TITLE_AND_KEYWORDS, terms_of(f"{version.title} {' '.join(version.keywords)}")
                yield slug, BODY, terms_of(version.body)
                yield from ((slug, QUESTION, terms_of(question)) for question in version.questions)
        for example in known:
            for place, slug in enumerate(example.slugs):
                yield slug, ALSO_RIGHT if place else BEST, example.terms
        for slug, messages in self._sent.items():
            yield from ((slug, BEST, terms) for terms in messages)

    @property
    def slugs(self) -> frozenset[str]:
        """The answers that are known."""
        return frozenset(self._versions)

    def rank(
        self,
        text: str,
        reading: Reading = NOTHING_READ,
        *,
        language: str = LANGUAGES[0],
        limit: int = 3,
    ) -> list[Ranked]:
        """The best answers for a message, best first, each in the language of the message where there is one."""
        asked = asked_words(text)
        vector = _vector(asked, self._rarity, self._rarest)
        likeness = dict.fromkeys(self._versions, 0.0)
        for term, weight in vector.items():
            for slug, in_answer in self._weights[term].items():
                likeness[slug] += weight * in_answer
        scores = ((self._score(slug, alike, reading), slug) for slug, alike in likeness.items())
        worth = [(score, slug) for score, slug in scores if score >= WORTH_SHOWING]
        first = nsmallest(limit, worth, key=lambda pair: (-pair[0], pair[1]))
        return [self._ranked(slug, score, asked, vector, reading, language) for score, slug in first]

    def _score(self, slug: str, alike: float, reading: Reading) -> float:
        place = self._places[slug]
        line = reading.lines.get(place.line, 0.0)
        topic = GENERAL_SHARE * line if place.topic == GENERAL else reading.topics.get(place.topic, 0.0)
        score = alike + TOPIC * math.sqrt(topic) + LINE * line
        if reading.decided and place.line not in (reading.decided, NONE):
            score *= OTHER_LINE
        return round(score * STALE if place.stale else score, 4)

    def _ranked(
        self,
        slug: str,
        score: float,
        asked: Mapping[str, str],
        vector: Mapping[str, float],
        reading: Reading,
        language: str,
    ) -> Ranked:
        shown = self.in_language(slug, language)
        said = [
            (weight * self._weights[term][slug], asked[term])
            for term, weight in vector.items()
            if slug in self._weights[term]
        ]
        words = (word.lower() for _, word in nlargest(WORDS_SHOWN, said))
        sent = sum(self._are_alike(vector, terms) for terms in self._sent.get(slug, ()))
        topic = round(reading.topics.get(shown.topic, 0.0), 4)
        return Ranked(slug, shown.language, shown.title, score, tuple(words), topic, sent)

    def _are_alike(self, vector: Mapping[str, float], terms: frozenset[str]) -> bool:
        other = _vector(terms, self._rarity, self._rarest)
        return sum(weight * other[term] for term, weight in vector.items() if term in other) >= ALIKE

    def in_language(self, slug: str, language: str) -> Candidate:
        """An answer in a language, or in the first one that there is. Raises KeyError for an unknown slug."""
        if slug not in self._versions:
            raise KeyError(slug)
        versions = self._versions[slug]
        return next(versions[name] for name in (language, *LANGUAGES, *versions) if name in versions)


@lru_cache(maxsize=4)
def index_of(candidates: tuple[Candidate, ...], sent: tuple[Sent, ...] = ()) -> Index:
    """The index of these answers, with everything that is known of messages from the first day."""
    return Index(candidates, examples(), sent)


def _rarity(texts: Sequence[frozenset[str]]) -> dict[str, float]:
    """How rare each term is: the logarithm of the inverse share of the texts that hold it (smoothed), and one."""
    holding = Counter(term for terms in texts for term in terms)
    return {term: math.log((1 + len(texts)) / (1 + count)) + 1 for term, count in holding.items()}


def _vector(terms: Iterable[str], rarity: Mapping[str, float], unknown: float = 1.0) -> dict[str, float]:
    """The weights of a text's terms, of length one; those that no answer knows count for the length only."""
    weights = {term: rarity.get(term, unknown) for term in terms}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {term: weight / length for term, weight in weights.items() if term in rarity}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer stands, whatever the language; `stale`: all its texts are."""

    line: str
    topic: str
    stale: bool


def _place(versions: Mapping[str, Candidate]) -> _Place:
    some = next(iter(versions.values()))
    return _Place(some.line, some.topic, all(version.stale for version in versions.values()))


def _centroids(
    texts: Iterable[tuple[str, float, frozenset[str]]], rarity: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """For each term the answers that it speaks for, and how much."""
    sums: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for slug, share, terms in texts:
        of_slug = sums[slug]
        for term, weight in _vector(terms, rarity).items():
            of_slug[term] += share * weight
    weights: dict[str, dict[str, float]] = {term: {} for term in rarity}
    for slug, of_slug in sums.items():
        length = math.sqrt(sum(weight * weight for weight in of_slug.values())) or 1.0
        for term, weight in of_slug.items():
            weights[term][slug] = weight / length
    return weights
