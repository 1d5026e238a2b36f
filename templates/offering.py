"""What is offered for a message: the best answers to the whole of it, and one for each of several questions."""

from __future__ import annotations

from dataclasses import dataclass

from templates.answer import LANGUAGES
from templates.questions import questions_in
from templates.ranking import Index, Ranked, Reading

# In one question of several the classifier's reading of the whole message counts less.
OF_THE_WHOLE = 0.5
# An answer to a single question must be this good beside the best one for the whole.
QUESTION_WORTH = 0.75


@dataclass(frozen=True, slots=True)
class Offer:
    """An answer that is offered; with the question that it is for, when the message asks several things."""

    answer: Ranked
    question: str | None = None


def offer(
    index: Index, subject: str, body: str, reading: Reading, *, language: str = LANGUAGES[0], limit: int = 3
) -> list[Offer]:
    """The answers to offer, best first, each once."""
    whole = index.rank(whole_text(subject, body), reading, language=language, limit=limit)
    questions = questions_in(body)
    if not whole or not questions:
        return [Offer(answer) for answer in whole]
    offers = [Offer(whole[0])]
    alone = Reading(reading.lines, {topic: share * OF_THE_WHOLE for topic, share in reading.topics.items()})
    for question in questions:
        best = index.rank(question, alone, language=language, limit=1)
        if best and best[0].score >= QUESTION_WORTH * whole[0].score:
            offers.append(Offer(best[0], question))
    offers += [Offer(answer) for answer in whole[1:]]
    return _each_once(offers)[:limit]


def whole_text(subject: str, body: str) -> str:
    """The words of a message as the ranking reads them."""
    return f"{subject}\n{body}"


def _each_once(offers: list[Offer]) -> list[Offer]:
    """The first offer of each answer; it keeps the question that a later one names."""
    asked = {offer_.answer.slug: offer_.question for offer_ in reversed(offers) if offer_.question}
    first: dict[str, Offer] = {}
    for one in offers:
        first.setdefault(one.answer.slug, Offer(one.answer, asked.get(one.answer.slug)))
    return list(first.values())
