"""Prints what the suggestions cost with 500 answers and 2,000 past uses, and how often they are right.

The catalogue is filled up with copies whose words are mixed with those of other answers. Rightness is measured on the
frozen messages, which neither the classifier nor the ranking knows; beside it, in the same run, plain BM25 over the
answers' own words, as a measure of how hard they are.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from classifier import STRENGTH, Text, corpus_rows, frozen_rows, train
from classifier.data import FROZEN
from helpdesk.desk.suggestions import reading_of
from templates import FOLDER
from templates.catalogue import read_answers
from templates.examples import examples
from templates.hits import hits, rank_of
from templates.offering import offer, whole_text
from templates.ranking import Candidate, Index, Reading, Sent, candidate_of
from templates.search import Search
from templates.wording import words_of

ANSWERS, USES = 500, 2_000
QUERIES = (
    "carro",
    "tarjeta migrante",
    "vehicluo",
    "afp onp pension",
    "pasap",
    "contrato andino ecuador",
    "z",
)
TODAY = dt.date(2026, 11, 28)


def filled_up(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The answers, and copies with half of another one's words, until there are enough."""
    chance = random.Random(1)
    more = list(candidates)
    while len({one.slug for one in more}) < ANSWERS:
        one, other = chance.choice(candidates), chance.choice(candidates)
        words = chance.sample(one.body.split(), len(one.body.split()) // 2) + other.body.split()[::2]
        more.append(replace(one, slug=f"{one.slug}-{len(more)}", body=" ".join(words), title=other.title))
    return more


def milliseconds(calls: Sequence[Callable[[], object]]) -> str:
    """p50 and p95 of single calls."""
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return f"p50 {statistics.median(times):.1f} ms, p95 {statistics.quantiles(times, n=20)[-1]:.1f} ms"


def judged() -> list[tuple[Text, frozenset[str]]]:
    """The frozen messages with the answers that were judged right."""
    right = map(json.loads, (FOLDER / "frozen_examples.jsonl").read_text(encoding="utf-8").splitlines())
    slugs = {row["id"]: frozenset(row["slugs"]) for row in right}
    lines = (line for path in sorted(FROZEN.glob("*.jsonl")) for line in path.open(encoding="utf-8"))
    rows = [json.loads(line) for line in lines]
    return [(Text(row["subject"] or "", row["body"]), slugs[row["id"]]) for row in rows if row["id"] in slugs]


def bm25(candidates: Sequence[Candidate], text: str) -> list[str]:
    """The first three answers by BM25 (Robertson and Zaragoza, 2009) over title, keywords and text."""
    documents = [
        Counter(term for term, _ in words_of(f"{one.title} {' '.join(one.keywords)} {one.body}"))
        for one in candidates
    ]
    mean = sum(document.total() for document in documents) / len(documents)
    present = Counter(term for document in documents for term in document)
    scores: defaultdict[str, float] = defaultdict(float)
    for term in {term for term, _ in words_of(text)}:
        rarity = math.log(1 + (len(documents) - present[term] + 0.5) / (present[term] + 0.5))
        for one, document in zip(candidates, documents, strict=True):
            if count := document[term]:
                length = 1.2 * (0.4 + 0.6 * document.total() / mean)
                scores[one.slug] = scores[one.slug] + rarity * count * 2.2 / (count + length)
    return sorted(scores, key=lambda slug: -scores[slug])[:3]


def main() -> None:
    """Measure and print."""
    candidates = [candidate_of(answer, TODAY) for answer in read_answers().answers]
    messages = judged()
    chance = random.Random(2)
    sent = [Sent(str(row.text), chance.choice(candidates).slug) for row in corpus_rows()[:USES]]
    known = examples()
    many = filled_up(candidates)
    start = time.perf_counter()
    index = Index(many, known, sent)
    print(f"suggestions: index of {len(index.slugs)} answers, {len(known)} examples, {len(sent)} uses")
    print(f"  built in {time.perf_counter() - start:.2f} s (aim: none; once in ten minutes)")
    texts = [whole_text(text.subject, text.body) for text, _ in messages]
    calls = [partial(offer, index, text.subject, text.body, Reading()) for text, _ in messages]
    print(f"  one message, with each of its questions: {milliseconds(calls)} (aim: 30 ms)")
    search = Search(many)
    keys = [query[:length] for query in QUERIES for length in range(1, len(query) + 1)]
    print(f"  search, each key: {milliseconds([partial(search.find, key) for key in keys])}")
    model = train(corpus_rows(), calibrate=frozen_rows(), strength=STRENGTH)
    ours = Index(candidates, known)
    readings = [reading_of(said) for said in model.predict([text for text, _ in messages])]
    found = [
        rank_of([one.answer.slug for one in offer(ours, text.subject, text.body, reading)], right)
        for (text, right), reading in zip(messages, readings, strict=True)
    ]
    plain = [rank_of(bm25(candidates, text), right) for text, (_, right) in zip(texts, messages, strict=True)]
    for name, ranks in (("ours", found), ("BM25 alone", plain)):
        figures = hits(ranks)
        print(
            f"  {name}: hit@1 {figures.hit_1:.3f}, hit@3 {figures.hit_3:.3f}, MRR {figures.mrr:.3f}", end=""
        )
        print(f" ({figures.messages} frozen messages)")


if __name__ == "__main__":
    main()
