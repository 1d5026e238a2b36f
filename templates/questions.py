"""The questions of a message that asks more than one thing, each with the words around it."""

from __future__ import annotations

import re
from collections.abc import Iterator

READ = 6_000
MOST_QUESTIONS = 6
# A question of fewer words tells nothing without what was said before it.
WORDS_ENOUGH = 8
LETTERS_AT_LEAST = 12

_NUMBERED = re.compile(r"^\s*(?:\d{1,2}\s*[.)\-]{1,2}|[a-hA-H]\)|[-*•])\s+", re.M)
_BETWEEN = re.compile(r"(?<=[.?!])\s+")
# How a second matter is brought in without a question mark.
_ALSO = re.compile(
    r"\b(?:otra (?:consulta|pregunta|duda)|(?:tambi[eé]n|adem[aá]s|asimismo|por otro lado|de paso|aparte)\b"
    r".{0,40}\b(?:quer[ií]a|quisiera|quiero|necesito|consult\w+|pregunt\w+|saber|dese\w+))",
    re.I,
)


def questions_in(text: str) -> list[str]:
    """What is asked, one text for each question; empty for a message that asks one thing or nothing."""
    questions: list[str] = []
    before = ""
    for sentence, numbered in _sentences(text[:READ]):
        if sum(char.isalpha() for char in sentence) < LETTERS_AT_LEAST:
            continue
        if sentence.endswith("?") or numbered or _ALSO.search(sentence):
            short = len(sentence.split()) < WORDS_ENOUGH
            questions.append(f"{before} {sentence}".strip() if short and before else sentence)
        before = sentence
    return questions[:MOST_QUESTIONS] if len(questions) > 1 else []


def _sentences(text: str) -> Iterator[tuple[str, bool]]:
    """The sentences of a text, and whether a number or a bullet stands before each."""
    for line in text.split("\n"):
        mark = _NUMBERED.match(line)
        rest = line[mark.end() :] if mark else line
        for place, sentence in enumerate(_BETWEEN.split(rest)):
            yield sentence.strip(), mark is not None and place == 0
