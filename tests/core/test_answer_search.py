"""The answers' search as somebody types, and the words that it and the ranking compare."""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.catalogue import read_answers
from templates.ranking import Candidate, candidate_of
from templates.search import MOST_CHARACTERS, MOST_WORDS, Hit, Search
from templates.wording import fold, same_as, stop_words, words_of

CAR = Candidate("retorno-carro", "Traer un vehículo", "return", ("moto", "timón"), "Pregunte a la SUNAT.")
VISA = Candidate("visa-espana", "Visa de trabajo para España", "abroad", ("residencia",), "Pida cita antes.")
PASSPORT = Candidate("papeles", "Pasaporte vencido", "none", ("renovar",), "El consulado lo renueva.")
SEARCH = Search([CAR, VISA, PASSPORT])
ANSWERS = tuple(candidate_of(answer, dt.date(2026, 11, 28)) for answer in read_answers().answers)
OURS = Search(ANSWERS)
LATIN = st.characters(min_codepoint=32, max_codepoint=0x24F)


def found(query: str, search: Search = SEARCH) -> list[str]:
    """The answers that a query finds, best first."""
    return [hit.slug for hit in search.find(query)]


def answer(slug: str, title: str = "Otra cosa", keywords: tuple[str, ...] = (), body: str = "") -> Candidate:
    """An answer in which only one thing matters."""
    return Candidate(slug, title, "abroad", keywords, body)


@pytest.mark.parametrize(
    "query",
    [
        "vehículo",
        "vehiculo",
        "VEHÍCULO",
        unicodedata.normalize("NFD", "vehículo"),
        "  vehículo?! ",
        "«vehículo»",
    ],
)
def test_accents_capitals_and_signs_do_not_matter(query: str) -> None:
    assert found(query) == ["retorno-carro"]


@pytest.mark.parametrize(
    "query", ["veh", "vehí", "vehicul", "traer veh", "vehículo tra", "tim", "sun", "SUNA"]
)
def test_the_beginning_of_a_word_finds_it(query: str) -> None:
    assert found(query) == ["retorno-carro"]


def test_the_middle_of_a_word_does_not_find_it() -> None:
    assert found("saporte") == found("iculo") == []


@pytest.mark.parametrize(
    "query",
    [
        "pasaprote",  # two letters swapped
        "pasapote",  # one left out
        "pasaaporte",  # one too many
        "pasapprte",  # another one
        "pasapprtee",  # two slips
        "basaporte",  # at the beginning
        "pasapr",  # of a word that is not finished
        "Pasápporte",
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_still_finds_the_word(query: str) -> None:
    assert found(query) == ["papeles"]


@pytest.mark.parametrize("query", ["vsa", "vi5", "pssprte", "fisa vsta", "xyzzy", "pazaborde"])
def test_a_short_word_may_hold_no_slip_and_a_long_one_not_more_than_two(query: str) -> None:
    assert found(query) == []


def test_slips_are_looked_for_only_when_the_word_itself_is_nowhere() -> None:
    search = Search([answer("a", "Casa"), answer("b", "Caso")])
    assert found("casa", search) == ["a"]
    assert sorted(found("casi", search)) == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("carro", "Traer un vehículo"),
        ("chamba", "Buscar trabajo"),
        ("esposa", "Llevar a su cónyuge"),
        ("niño", "Viajar con un menor"),
        ("eeuu", "Trabajar en los Estados Unidos"),
        ("bitributación", "Convenios de doble tributación"),
    ],
)  # fmt: skip
def test_another_word_for_the_same_thing_finds_it(query: str, title: str) -> None:
    assert found(query, Search([answer("a", title), answer("b")])) == ["a"]


def test_every_word_must_be_found_in_the_same_answer() -> None:
    assert found("visa españa residencia cita") == ["visa-espana"]
    assert found("visa pasaporte") == found("visa xyzzy") == found("xyzzy visa") == []


def test_words_that_tell_nothing_need_not_be_there_unless_there_is_nothing_else() -> None:
    assert found("quiero una visa por favor") == ["visa-espana"]
    assert found("para") == ["visa-espana"]


@pytest.mark.parametrize(
    "query", ["", "   ", "\n\t", "¿?", "a", "–", "🙂", "\x00", "%", "_", "*", "'", "á e í"]
)
def test_an_empty_query_finds_nothing(query: str) -> None:
    assert SEARCH.find(query) == OURS.find(query) == []


@pytest.mark.parametrize(
    "query",
    [
        "%visa%", "visa%' or 1=1 --", "visa; drop table answer", "v.sa v?sa", ".* .+", "(visa", "[a-z]+",
        "{{config}} {{7*7}}", "{% x %} ${x}", "<script>alert(1)</script>", "visa\r\nSet-Cookie: a=b", "\\", "\ud800",
    ],
)  # fmt: skip
def test_nothing_in_a_query_is_more_than_words(query: str) -> None:
    plain = "".join(character if character.isalnum() else " " for character in query)
    assert SEARCH.find(query) == SEARCH.find(plain)
    assert found(query) in ([], ["visa-espana"])


def test_a_word_counts_more_in_the_title_than_as_a_keyword_and_least_in_the_text() -> None:
    search = Search([answer("a", body="beca"), answer("b", keywords=("beca",)), answer("c", "La beca")])
    assert found("beca", search) == ["c", "b", "a"]


def test_the_word_itself_comes_before_a_beginning_a_synonym_and_a_slip() -> None:
    titles = {"d": "Carro", "c": "Carros", "b": "Vehículo"}
    search = Search(answer(slug, title) for slug, title in titles.items())
    assert found("carro", search) == ["d", "c", "b"]
    assert found("caro", Search([answer("a", "Carro")])) == ["a"]


def test_the_name_of_an_answer_finds_it() -> None:
    assert found("visa-espana") == found("espana visa") == ["visa-espana"]


def test_equals_stand_in_a_fixed_order_and_an_overdue_one_last() -> None:
    twins = [answer(slug, "Visa") for slug in ("c", "a", "b")]
    assert found("visa", Search(twins)) == found("visa", Search(twins[::-1])) == ["a", "b", "c"]
    assert found("visa", Search([replace(twins[1], stale=True), *twins[::2]])) == ["b", "c", "a"]


def test_an_answer_is_shown_once_in_the_language_that_was_asked_for_if_it_holds_the_words() -> None:
    english = replace(VISA, language="en", title="Work visa for Spain", keywords=(), body="Book first.")
    search = Search([VISA, english])
    shown = {language: search.find("visa", language=language) for language in ("es", "en", "pt")}
    assert {language: len(hits) for language, hits in shown.items()} == {"es": 1, "en": 1, "pt": 1}
    assert (shown["es"][0].language, shown["en"][0].title) == ("es", english.title)
    assert search.find("spain", language="es")[0] == Hit("visa-espana", "en", english.title, "abroad", 8.0)


def test_no_more_answers_than_asked_for() -> None:
    assert [len(OURS.find("peru", limit=limit)) for limit in (0, 1, 8, 20)] == [0, 1, 8, 20]
    assert len(OURS.find("peru")) == 8


def test_only_the_beginning_of_a_long_query_is_read() -> None:
    assert found("visa " * MOST_WORDS + "xyzzy") == ["visa-espana"]
    assert found("visa" + " " * MOST_CHARACTERS + "xyzzy") == ["visa-espana"]
    assert found("xyzzy " * 100_000) == found("x" * 1_000_000) == []


def test_without_answers_nothing_is_found() -> None:
    assert Search([]).find("visa") == Search([answer("a", "", (), "")]).find("visa") == []


@given(st.text(LATIN, max_size=60) | st.text(max_size=60), st.sampled_from(["es", "en", "qu"]))
def test_any_query_gets_known_answers_each_once_best_first(query: str, language: str) -> None:
    hits = OURS.find(query, language=language)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.slug))
    assert len({hit.slug for hit in hits}) == len(hits) <= 8
    assert all(hit.score > 0 for hit in hits)


@given(st.sampled_from(ANSWERS), st.data())
def test_whoever_types_the_title_of_an_answer_of_ours_never_loses_it(
    candidate: Candidate, data: st.DataObject
) -> None:
    first = next(word for word in candidate.title.split() if len(word.strip("¿¡")) > 1)
    at_least = candidate.title.index(first) + 3
    typed = candidate.title[: data.draw(st.integers(at_least, max(at_least, len(candidate.title))))]
    hits = OURS.find(typed, language=candidate.language, limit=len(ANSWERS))
    assert candidate.slug in {hit.slug for hit in hits}


@pytest.mark.parametrize("candidate", ANSWERS, ids=lambda candidate: f"{candidate.slug}.{candidate.language}")
def test_the_whole_title_of_an_answer_of_ours_finds_it_among_the_first(candidate: Candidate) -> None:
    hits = OURS.find(candidate.title, language=candidate.language)
    assert candidate.slug in {hit.slug for hit in hits}


@pytest.mark.parametrize(
    ("one", "other"), [("legalización", "legalizacion"), ("retornó", "retorno"), ("trabajos", "trabajo")]
)
def test_a_word_has_one_stem_however_it_is_spelt(one: str, other: str) -> None:
    [(first, shown)], [(second, _)] = words_of(one), words_of(other)
    assert first == second
    assert shown == one


def test_the_words_that_say_nothing_are_written_as_they_are_compared() -> None:
    assert [word for word in stop_words() if fold(word) != word] == []


@given(st.text(max_size=20))
def test_a_word_is_never_its_own_synonym(word: str) -> None:
    assert word not in same_as(word)
    assert same_as("carro")
    assert all("carro" in same_as(other) for other in same_as("carro"))
