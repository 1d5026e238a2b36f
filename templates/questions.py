"""The questions of a message that asks more than one thing, each with the words around it."""

from __future__ import annotations

import re

MOST_QUESTIONS = 6
# A question of fewer words tells nothing without what was said before it.
WORDS_ENOUGH = 8
LETTERS_AT_LEAST = 12

_NUMBERED = re.compile(r"^\s*(?:\d{1,2}\s*[.)\-]|[a-h]\)|[-*•])\s+", re.M)
_SENTENCE = re.compile(r"[^.?!\n]{1,1000}(?:[.?!]+|\n|$)")
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
    for sentence in (match[0].strip() for match in _SENTENCE.finditer(text)):
        if sum(char.isalpha() for char in sentence) < LETTERS_AT_LEAST:
            continue
        if sentence.endswith("?") or _NUMBERED.match(sentence) or _ALSO.search(sentence):
            short = len(sentence.split()) < WORDS_ENOUGH
            questions.append(f"{before} {sentence}".strip() if short and before else sentence)
        before = sentence
    return questions[:MOST_QUESTIONS] if len(questions) > 1 else []
