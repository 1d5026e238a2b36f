"""Which answers come first, and why."""

from __future__ import annotations

import datetime as dt
import math
import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import LINES, NONE
from templates import ranking
from templates.catalogue import read_answers
from templates.examples import Example
from templates.ranking import WORDS_SHOWN, Candidate, Index, Reading, Sent, candidate_of, index_of
from templates.wording import WORDS_READ, terms_of

CARD = Candidate("tarjeta", "Tarjeta del migrante retornado", "return", ("tmr",), "Pídala en el consulado.")
CAR = Candidate("vehiculo", "Traer un vehículo", "return", ("auto", "moto"), "Hasta USD 50,000.")
PENSION = Candidate("afp", "Retirar su AFP", "resident_abroad", ("afp", "pensión"), "Escriba a su AFP.")
INDEX = Index([CARD, CAR, PENSION])
READ = read_answers().answers
ANSWERS = tuple(candidate_of(answer, dt.date(2026, 11, 28)) for answer in READ)
OURS = index_of(ANSWERS)


def slugs(text: str, reading: Reading = ranking.NOTHING_READ, index: Index = INDEX) -> list[str]:
    """The answers offered for a text, best first."""
    return [item.slug for item in index.rank(text, reading)]


def visa(slug: str, topic: str = "", line: str = "abroad", *, stale: bool = False) -> Candidate:
    """An answer of one word: it is found by "visa" and differs from its like in nothing else."""
    return Candidate(slug, "Visa", line, (), "", topic, stale=stale)


def test_the_answer_that_shares_the_words_comes_first_and_says_which() -> None:
    best = INDEX.rank("¿Dónde saco la TARJETA de migrante?")[0]
    assert (best.slug, best.title) == ("tarjeta", CARD.title)
    assert set(best.words) == {"tarjeta", "migrante"}


@pytest.mark.parametrize("text", ["", "   ", "xyzzy plugh", "12345", "que para con los", "🙂", "\x00"])
def test_a_message_without_a_telling_word_gets_no_answer(text: str) -> None:
    assert slugs(text) == slugs(text, Reading({"return": 1.0}, decided="return")) == []


def test_a_topic_that_is_likely_enough_offers_its_answers_without_a_word_in_common() -> None:
    index = Index([visa("a", "youth-mobility"), visa("b", "pre-departure")])
    [found] = index.rank("xyzzy", Reading({"abroad": 1.0}, {"youth-mobility": 1.0}))
    assert (found.slug, found.words) == ("a", ())
    assert slugs("xyzzy", Reading({"abroad": 1.0}, {"youth-mobility": 0.1}), index) == []


@pytest.mark.parametrize(
    "written",
    ["vehículo", "vehiculo", "VEHÍCULO", "vehículos", "Vehiculos", unicodedata.normalize("NFD", "vehículo")],
)
def test_accents_capitals_and_plurals_find_the_same_answer(written: str) -> None:
    assert slugs(f"quiero llevar mi {written}") == ["vehiculo"]


@pytest.mark.parametrize("written", ["carro", "coche", "camionetas", "automóvil", "car"])
def test_another_word_for_the_same_thing_finds_it_and_is_shown_as_it_was_written(written: str) -> None:
    [found] = INDEX.rank(f"quiero llevar mi {written}")
    assert (found.slug, found.words) == ("vehiculo", (written,))


def test_the_line_the_classifier_holds_for_likely_comes_first_but_the_other_is_not_lost() -> None:
    twins = Index([visa("a", line="abroad"), visa("b", line="return")])
    assert slugs("visa", index=twins) == ["a", "b"]
    assert slugs("visa", Reading({"abroad": 0.3, "return": 0.6}), twins) == ["b", "a"]


def test_what_a_person_decided_beats_likeness_except_for_answers_of_no_line() -> None:
    index = Index([visa("a"), visa("b", line="foreigner"), visa("c", line=NONE)])
    decided = Reading({"foreigner": 1.0}, decided="foreigner")
    free = {item.slug: item.score for item in index.rank("visa")}
    held = {item.slug: item.score for item in index.rank("visa", decided)}
    assert list(held) == ["b", "c", "a"]
    assert held["c"] == free["c"]
    assert held["a"] == pytest.approx(ranking.OTHER_LINE * free["a"], abs=1e-4)


def test_an_answer_about_the_topic_that_was_read_comes_first_and_says_how_likely_it_is() -> None:
    index = Index([visa("a", "pre-departure"), visa("b", "youth-mobility")])
    first, second = index.rank("visa", Reading({}, {"youth-mobility": 0.5}))
    assert (first.slug, first.topic) == ("b", 0.5)
    assert (second.slug, second.topic) == ("a", 0.0)


def test_an_answer_for_every_matter_of_a_line_comes_first_only_when_no_topic_is_likely() -> None:
    index = Index([visa("a", "youth-mobility"), visa("b", "general")])
    lines = {"abroad": 1.0}
    assert slugs("visa", Reading(lines), index) == ["b", "a"]
    assert slugs("visa", Reading(lines, {"youth-mobility": 0.6}), index) == ["a", "b"]


def test_an_overdue_answer_stands_behind_a_current_one_unless_another_language_is_current() -> None:
    assert slugs("visa", index=Index([visa("a", stale=True), visa("b")])) == ["b", "a"]
    current = replace(visa("a"), language="en")
    assert slugs("visa", index=Index([visa("a", stale=True), current, visa("b")]))[0] == "a"


def test_an_answer_is_overdue_from_the_day_after_its_review() -> None:
    days = (READ[0].review_by + dt.timedelta(more) for more in (0, 1))
    assert [candidate_of(READ[0], day).stale for day in days] == [False, True]


def test_a_word_in_the_title_counts_more_than_one_in_the_text() -> None:
    titled = Candidate("b", "Brasil residencia", "abroad", (), "Una cosa distinta cualquiera.")
    told = Candidate("a", "Cosa distinta", "abroad", (), "Residencia Brasil cualquiera una.")
    assert slugs("brasil", index=Index([told, titled])) == ["b", "a"]


def test_a_rare_word_counts_more_than_one_that_every_answer_has() -> None:
    names = ("chile", "brasil", "canada")
    index = Index(Candidate(name, f"Visa {name}", "abroad", (), "texto") for name in names)
    assert slugs("visa brasil", index=index)[0] == "brasil"
    assert index.rank("visa brasil")[0].words == ("brasil", "visa")


def test_one_word_in_common_among_many_is_not_yet_an_answer() -> None:
    strange = " ".join(f"{chr(97 + n % 26)}{chr(97 + n // 26)}xyz" for n in range(300))
    assert slugs("tarjeta") == ["tarjeta"]
    assert slugs(f"tarjeta {strange}") == []


def test_no_more_answers_than_asked_for_and_no_more_words_than_shown() -> None:
    text = " ".join([CARD.title, CAR.title, PENSION.title, CARD.body])
    assert [len(INDEX.rank(text, limit=limit)) for limit in (0, 1, 2, 3, 9)] == [0, 1, 2, 3, 3]
    assert max(len(item.words) for item in INDEX.rank(text)) == WORDS_SHOWN


def test_answers_that_fit_equally_well_stand_in_a_fixed_order() -> None:
    twins = [visa(slug) for slug in ("c", "a", "b")]
    assert slugs("visa", index=Index(twins)) == slugs("visa", index=Index(reversed(twins))) == ["a", "b", "c"]


@pytest.mark.parametrize("candidates", [[], [Candidate("vacia", "", "none", (), "")]])
def test_a_catalogue_without_words_offers_nothing(candidates: list[Candidate]) -> None:
    assert slugs("tarjeta", Reading({NONE: 1.0}), Index(candidates)) == []


def test_only_the_beginning_of_a_very_long_message_is_read() -> None:
    filler = "palabrota " * WORDS_READ
    assert slugs(f"tarjeta {filler}") == ["tarjeta"]
    assert slugs(f"{filler} tarjeta") == []


def test_an_answer_comes_in_the_language_of_the_message_else_in_the_first_that_there_is() -> None:
    english, portuguese = replace(visa("a"), language="en"), replace(visa("a"), language="pt")
    both, one = Index([portuguese, visa("a"), english]), Index([portuguese])
    shown = [both.rank("visa", language=language)[0].language for language in ("es", "en", "pt", "qu", "")]
    assert shown == ["es", "en", "pt", "es", "es"]
    assert one.rank("visa", language="en")[0].language == "pt"
    with pytest.raises(KeyError):
        both.in_language("b", "es")


def test_an_answer_is_found_by_the_words_of_each_of_its_languages() -> None:
    translated = replace(CARD, title="Returned citizen card", body="Ask at your embassy.", language="en")
    found = Index([CARD, CAR, translated]).rank("which embassy?", language="es")[0]
    assert (found.slug, found.language, found.title) == ("tarjeta", "es", CARD.title)


def test_what_was_sent_for_a_message_is_offered_for_the_next_like_it() -> None:
    asked = "perdí los papelitos amarillos del ómnibus"
    assert slugs(asked) == []
    taught = Index([CARD, CAR, PENSION], sent=[Sent(asked, "afp"), Sent("otra cosa diferente", "afp")])
    [found] = taught.rank("¿y si perdí los papelitos amarillos?")
    assert (found.slug, found.sent) == ("afp", 1)


def test_the_best_answer_of_a_judged_message_comes_before_one_that_is_right_too() -> None:
    judged = Example(terms_of("chullo morado"), ("b", "a"))
    assert slugs("chullo morado", index=Index([visa("a"), visa("b")], [judged])) == ["b", "a"]


def test_messages_of_an_answer_that_is_no_longer_there_offer_nothing() -> None:
    index = Index([CARD], [Example(terms_of("chullo"), ("vieja",))], [Sent("chullo", "vieja")])
    assert index.slugs == {"tarjeta"}
    assert slugs("chullo", index=index) == []


WORDS = ("visa", "tarjeta", "{{config}}", "{{7*7}}", "{% x %}", "${x}", "<script>", "\r\n", "%s", "\x00")


@given(
    st.text(max_size=300) | st.lists(st.sampled_from(WORDS)).map(" ".join),
    st.dictionaries(st.sampled_from([*LINES, NONE]), st.floats(0, 1)),
    st.sampled_from([None, *LINES, NONE]),
)
def test_any_message_gets_scores_above_nothing_best_first(
    text: str, lines: dict[str, float], decided: str | None
) -> None:
    ranked = OURS.rank(text, Reading(lines, {"vehicle": 0.5}, decided))
    assert ranked == sorted(ranked, key=lambda item: (-item.score, item.slug))
    assert all(item.score >= ranking.WORTH_SHOWING for item in ranked)
    assert len({item.slug for item in ranked}) == len(ranked) <= 3
    composed = unicodedata.normalize("NFC", text).lower()
    assert all(word in composed for item in ranked for word in item.words)


@pytest.mark.parametrize("candidate", ANSWERS, ids=lambda candidate: f"{candidate.slug}.{candidate.language}")
def test_every_answer_of_ours_is_offered_for_its_title_and_for_most_of_its_questions(
    candidate: Candidate,
) -> None:
    reading = Reading({candidate.line: 1.0}, {candidate.topic: 1.0})
    assert candidate.slug in slugs(candidate.title, reading, OURS)
    own = sum(candidate.slug in slugs(question, reading, OURS) for question in candidate.questions)
    assert own > len(candidate.questions) / 2 or not candidate.questions


def test_nine_in_ten_questions_of_our_answers_find_them_by_their_words_alone() -> None:
    found = [one.slug in slugs(text, index=OURS) for one in ANSWERS for text in one.questions]
    assert len(found) > 1_000
    assert sum(found) / len(found) >= 0.9


def weighed_texts(
    candidates: list[Candidate], known: list[Example], sent: list[Sent]
) -> Iterator[tuple[str, float, frozenset[str]]]:
    """Every text that says what an answer is for: the answer, what the text weighs, its terms."""
    for one in candidates:
        yield one.slug, ranking.TITLE_AND_KEYWORDS, terms_of(" ".join([one.title, *one.keywords]))
        yield one.slug, ranking.BODY, terms_of(one.body)
        yield from ((one.slug, ranking.QUESTION, terms_of(question)) for question in one.questions)
    for example in known:
        yield example.slugs[0], ranking.BEST, example.terms
        yield from ((slug, ranking.ALSO_RIGHT, example.terms) for slug in example.slugs[1:])
    yield from ((one.slug, ranking.BEST, terms_of(one.text)) for one in sent)


def plain_likeness(texts: list[tuple[str, float, frozenset[str]]], text: str) -> dict[str, float]:
    """The cosine of a message and each answer's centroid, with every term written out."""
    holding = Counter(term for _, _, terms in texts for term in terms)
    rarity = {term: math.log((1 + len(texts)) / (1 + count)) + 1 for term, count in holding.items()}
    said = {term: rarity.get(term, max(rarity.values(), default=1.0)) for term in terms_of(text)}
    centroids: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for slug, share, terms in texts:
        for term in terms:
            centroids[slug][term] += share * rarity[term] / math.hypot(*(rarity[each] for each in terms))
    asked_length = math.hypot(*said.values()) or 1.0
    return {
        slug: sum(said[term] * centroid.get(term, 0.0) for term in said)
        / (asked_length * (math.hypot(*centroid.values()) or 1.0))
        for slug, centroid in centroids.items()
    }


def random_text(chance: random.Random, longest: int) -> str:
    """Words of a small language, so that answers share some and messages repeat some."""
    known = "visa tarjeta migrante retorno vehículo pensión AFP Brasil trabajos trabajo chullo de para la"
    return " ".join(chance.choices(known.split(), k=chance.randint(0, longest)))


def random_answer(chance: random.Random, slug: str) -> Candidate:
    """An answer made of such words."""
    title, keyword, question, body = (random_text(chance, longest) for longest in (4, 3, 5, 20))
    line, topic = chance.choice((*LINES, NONE)), chance.choice(["vehicle", "general", "pension-afp"])
    stale = chance.random() < 0.2
    return Candidate(slug, title, line, (keyword,), body, topic, questions=(question,), stale=stale)


@pytest.mark.parametrize("seed", range(40))
def test_the_ranking_is_that_of_the_plain_formula(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"answer-{number:02}" for number in chance.sample(range(90), chance.randint(3, 20))]
    candidates = [random_answer(chance, name) for name in names]
    known = [Example(terms_of(random_text(chance, 9)), tuple(chance.sample(names, 2))) for _ in names]
    sent = [Sent(random_text(chance, 9), chance.choice(names)) for _ in names]
    text = random_text(chance, chance.choice([3, 40, 900]))
    lines = {label: chance.random() for label in (*LINES, NONE)}
    reading = Reading(lines, {"vehicle": chance.random()}, chance.choice([None, "return"]))
    expected = plain_likeness(list(weighed_texts(candidates, known, sent)), text)
    for one in candidates:
        line = lines[one.line]
        topic = ranking.GENERAL_SHARE * line if one.topic == "general" else reading.topics.get(one.topic, 0.0)
        expected[one.slug] += ranking.TOPIC * math.sqrt(topic) + ranking.LINE * line
        expected[one.slug] *= (
            ranking.OTHER_LINE if reading.decided and one.line not in ("return", NONE) else 1
        )
        expected[one.slug] *= ranking.STALE if one.stale else 1
    index = Index(candidates, known, sent)
    ranked = index.rank(text, reading, limit=len(names))
    worth = {slug for slug, score in expected.items() if round(score, 4) >= ranking.WORTH_SHOWING}
    assert {item.slug for item in ranked} == worth
    assert [item.score for item in ranked] == pytest.approx(
        [expected[item.slug] for item in ranked], abs=1e-4
    )
    assert ranked == sorted(ranked, key=lambda item: (-item.score, item.slug))
    assert index.rank(text, reading, limit=2) == ranked[:2]
