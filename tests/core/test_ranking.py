"""Which answers come first, and why."""

from __future__ import annotations

import math
import random
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import LINES, NONE
from templates.catalogue import read_answers
from templates.ranking import (
    K1,
    KEYWORD_WEIGHT,
    LINE_FLOOR,
    STOP,
    TITLE_WEIGHT,
    WORDS_READ,
    WORDS_SHOWN,
    B,
    Candidate,
    Index,
    fold,
    words_of,
)

CARD = Candidate(
    "tarjeta", "Tarjeta del migrante retornado", "return", ("tmr", "retornado"), "Pídala en el consulado."
)
CAR = Candidate(
    "vehiculo", "Traer un vehículo", "return", ("auto", "carro"), "Hasta USD 50,000 según la tabla."
)
PENSION = Candidate(
    "afp", "Retirar su AFP desde el exterior", "resident_abroad", ("afp", "pensión"), "Escriba a su AFP."
)
INDEX = Index([CARD, CAR, PENSION])
CERTAIN = {label: float(label == "return") for label in (*LINES, NONE)}
OURS = Index(
    Candidate(answer.slug, answer.title, answer.line, answer.keywords, answer.body, answer.topic)
    for answer in read_answers()
)


def slugs(text: str, lines: dict[str, float] | None = None) -> list[str]:
    return [item.slug for item in INDEX.rank(text, lines or {})]


def test_the_answer_that_shares_the_words_comes_first_and_says_which() -> None:
    best = INDEX.rank("¿Dónde saco la TARJETA de migrante?", {})[0]
    assert best.slug == "tarjeta"
    assert set(best.words) == {"tarjeta", "migrante"}
    assert best.score > 0


@pytest.mark.parametrize("text", ["", "   ", "xyzzy plugh", "12345", "que para con los las", "🙂"])
def test_a_message_without_a_telling_word_gets_no_answer(text: str) -> None:
    assert slugs(text) == []


@pytest.mark.parametrize(
    "written",
    ["vehículo", "vehiculo", "VEHÍCULO", "vehículos", "Vehiculos", unicodedata.normalize("NFD", "vehículo")],
)
def test_accents_capitals_and_plurals_find_the_same_answer(written: str) -> None:
    assert slugs(f"quiero llevar mi {written}") == ["vehiculo"]


@pytest.mark.parametrize(
    ("one", "other"), [("legalización", "legalizacion"), ("retornó", "retorno"), ("trabajos", "trabajo")]
)
def test_a_word_has_one_stem_however_it_is_spelt(one: str, other: str) -> None:
    [(first, shown)], [(second, _)] = words_of(one), words_of(other)
    assert first == second
    assert shown == one


def test_the_line_the_classifier_holds_for_likely_comes_first_but_the_other_is_not_lost() -> None:
    text = "Retirar afp, vehículo"
    assert set(slugs(text)) == {"afp", "vehiculo"}
    assert slugs(text, CERTAIN)[0] == "vehiculo"
    abroad = {**dict.fromkeys(CERTAIN, 0.0), "resident_abroad": 1.0}
    assert slugs(text, abroad)[0] == "afp"
    assert len(slugs(text, abroad)) == 2


def test_an_impossible_line_keeps_a_tenth_of_the_score_and_a_certain_one_all_of_it() -> None:
    [free] = INDEX.rank("pensión", {})
    [certain] = INDEX.rank("pensión", {"resident_abroad": 1.0})
    [impossible] = INDEX.rank("pensión", {"return": 1.0})
    assert certain.score == free.score
    assert impossible.score == pytest.approx(LINE_FLOOR * free.score, abs=1e-4)


def test_a_word_in_the_title_counts_more_than_one_in_the_text() -> None:
    titled = Candidate("a", "Brasil residencia", "abroad", (), "Una cosa distinta cualquiera.")
    told = Candidate("b", "Cosa distinta", "abroad", (), "Residencia Brasil cualquiera una.")
    assert [item.slug for item in Index([told, titled]).rank("brasil", {})] == ["a", "b"]


def test_a_rare_word_counts_more_than_one_that_every_answer_has() -> None:
    index = Index(
        Candidate(slug, f"Visa {slug}", "abroad", (), "texto") for slug in ("chile", "brasil", "canada")
    )
    assert index.rank("visa brasil", {})[0].slug == "brasil"


def test_no_more_answers_than_asked_for_and_no_more_words_than_shown() -> None:
    text = " ".join([CARD.title, CAR.title, PENSION.title, CARD.body])
    assert len(INDEX.rank(text, {}, limit=2)) == 2
    assert INDEX.rank(text, {}, limit=0) == []
    assert max(len(item.words) for item in INDEX.rank(text, {})) <= WORDS_SHOWN


def test_answers_that_fit_equally_well_stand_in_a_fixed_order() -> None:
    twins = [Candidate(slug, "Visa", "abroad", (), "") for slug in ("c", "a", "b")]
    assert [item.slug for item in Index(twins).rank("visa", {})] == ["a", "b", "c"]
    assert [item.slug for item in Index(reversed(twins)).rank("visa", {})] == ["a", "b", "c"]


@pytest.mark.parametrize("candidates", [[], [Candidate("vacia", "", "none", (), "")]])
def test_a_catalogue_without_words_offers_nothing(candidates: list[Candidate]) -> None:
    assert Index(candidates).rank("tarjeta", {}) == []


def test_only_the_beginning_of_a_very_long_message_is_read() -> None:
    filler = "palabrota " * WORDS_READ
    assert slugs(f"tarjeta {filler}") == ["tarjeta"]
    assert slugs(f"{filler} tarjeta") == []


@given(st.text(max_size=300), st.dictionaries(st.sampled_from([*LINES, NONE]), st.floats(0, 1)))
def test_any_message_gets_scores_above_nothing_best_first(text: str, lines: dict[str, float]) -> None:
    ranked = OURS.rank(text, lines)
    scores = [item.score for item in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
    assert len({item.slug for item in ranked}) == len(ranked) <= 3
    composed = unicodedata.normalize("NFC", text).lower()
    assert all(word in composed for item in ranked for word in item.words)


@pytest.mark.parametrize("candidate", OURS.candidates, ids=lambda candidate: candidate.slug)
def test_every_answer_of_ours_is_offered_to_a_message_that_says_its_title(candidate: Candidate) -> None:
    lines = {label: float(label == candidate.line) for label in (*LINES, NONE)}
    assert candidate.slug in [item.slug for item in OURS.rank(candidate.title, lines)]


def test_the_words_that_say_nothing_are_written_as_they_are_compared() -> None:
    assert [word for word in STOP if fold(word) != word] == []


def terms_of(candidate: Candidate) -> Counter[str]:
    """How often each term stands in an answer, its title and its keywords counted several times."""
    fields = [
        (candidate.title, TITLE_WEIGHT),
        (" ".join(candidate.keywords), KEYWORD_WEIGHT),
        (candidate.body, 1),
    ]
    return Counter(term for text, times in fields for term, _ in list(words_of(text)) * times)


def plain_scores(candidates: list[Candidate], text: str, lines: dict[str, float]) -> dict[str, float]:
    """BM25 as the formula is written: every term of the message against every answer."""
    counts = {candidate.slug: terms_of(candidate) for candidate in candidates}
    mean = sum(terms.total() for terms in counts.values()) / len(candidates)
    scores = {}
    for candidate in candidates:
        terms, score = counts[candidate.slug], 0.0
        for term in {term for term, _ in list(words_of(text))[:WORDS_READ]}:
            holders = sum(term in other for other in counts.values())
            rarity = math.log(1 + (len(candidates) - holders + 0.5) / (holders + 0.5))
            norm = K1 * (1 - B + B * terms.total() / mean)
            score += rarity * terms[term] * (K1 + 1) / (terms[term] + norm)
        likely = lines.get(candidate.line, 0.0) if lines else 1.0
        scores[candidate.slug] = score * (LINE_FLOOR + (1 - LINE_FLOOR) * likely)
    return scores


def random_text(chance: random.Random, longest: int) -> str:
    """Words of a small language, so that answers share some and messages repeat some."""
    known = "visa tarjeta migrante retorno vehículo pensión AFP Brasil brasilero trabajos trabajo de para la".split()
    return " ".join(chance.choices(known, k=chance.randint(0, longest)))


def random_lines(chance: random.Random) -> dict[str, float]:
    """Probabilities of the labels, some of them left out."""
    return {label: chance.random() for label in (*LINES, NONE) if chance.random() < 0.8}


@pytest.mark.parametrize("seed", range(60))
def test_the_ranking_is_that_of_the_plain_formula(seed: int) -> None:
    chance = random.Random(seed)
    candidates = [
        Candidate(
            f"answer-{number:02}",
            random_text(chance, 4),
            chance.choice((*LINES, NONE)),
            tuple(random_text(chance, 3).split()),
            random_text(chance, 30) + " texto",
        )
        for number in chance.sample(range(90), chance.randint(1, 20))
    ]
    text, lines = random_text(chance, chance.choice([3, 40, 900])), random_lines(chance)
    expected = plain_scores(candidates, text, lines)
    ranked = Index(candidates).rank(text, lines, limit=len(candidates))
    assert {item.slug for item in ranked} == {slug for slug, score in expected.items() if round(score, 4) > 0}
    assert [item.score for item in ranked] == pytest.approx(
        [expected[item.slug] for item in ranked], abs=1e-4
    )
    assert ranked == sorted(ranked, key=lambda item: (-item.score, item.slug))
    limit = chance.randint(0, 4)
    assert Index(candidates).rank(text, lines, limit) == ranked[:limit]


def test_the_words_shown_are_those_that_weigh_most_and_stand_in_the_answer() -> None:
    index = Index([CARD, CAR, PENSION, Candidate("otra", "Migrante", "abroad", (), "tarjeta tarjeta")])
    [best, *_] = index.rank("Migrante: ¿la Tarjeta TMR o el retornado? ¡Consulado!, vehículo", {})
    assert best.slug == "tarjeta"
    # "retornado" is in the title and a keyword; what another answer holds too weighs less.
    assert best.words == ("retornado", "tmr", "consulado", "tarjeta")


def test_an_answer_about_the_topic_that_was_read_comes_first_if_it_shares_a_word() -> None:
    two = [
        Candidate("a", "Traer sus cosas", "return", (), "cosas", "household-goods"),
        Candidate("b", "Traer su carro", "return", (), "carro", "vehicle"),
    ]
    index = Index(two)
    assert [item.slug for item in index.rank("traer", {})] == ["a", "b"]
    assert [item.slug for item in index.rank("traer", {}, 3, ("vehicle", 0.5))] == ["b", "a"]
    assert index.rank("nada", {}, 3, ("vehicle", 1.0)) == []
