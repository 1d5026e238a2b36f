"""What whoever approves an answer is shown of its changes, and the figures by which a ranking is judged."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.answer import MAX_BODY_BYTES, AnswerText, AttachedFile
from templates.differences import FIELDS, Change, Kind, changes
from templates.hits import Hits, hits, rank_of

SAME, OUT, IN = Kind.SAME, Kind.OUT, Kind.IN
BEFORE = AnswerText(
    slug="prueba",
    title="Traer su carro",
    line="return",
    topic="vehicle",
    language="es",
    source=("Ley 30001",),
    owner="orientacion",
    valid_from=dt.date(2026, 11, 23),
    review_by=dt.date(2027, 5, 23),
    public=False,
    keywords=("carro", "auto"),
    questions=("quiero traer mi carro",),
    attachments=(AttachedFile("guia.pdf", b"uno"),),
    body="Puede traer un carro.\n\nPida la tarjeta.",
)
WORDS = st.lists(
    st.sampled_from(["carro", "auto", " ", "\n", "\n\n", "\t", "é", "{{x}}", "<b>"]), max_size=30
)


def runs_of(before: str, after: str) -> tuple[tuple[Kind, str], ...]:
    """The runs of a body that changed."""
    [change] = changes(replace(BEFORE, body=before), replace(BEFORE, body=after))
    assert change.field == "body"
    return change.runs


def joined(runs: tuple[tuple[Kind, str], ...], *kinds: Kind) -> str:
    """What the runs of some kinds say together."""
    return "".join(words for kind, words in runs if kind in kinds)


def test_nothing_is_shown_of_an_answer_that_did_not_change() -> None:
    assert changes(BEFORE, replace(BEFORE)) == []


def test_a_change_is_shown_word_by_word_with_what_stayed_around_it() -> None:
    assert runs_of("Pida la tarjeta azul hoy.", "Pida la tarjeta del migrante hoy.") == (
        (SAME, "Pida la tarjeta "),
        (OUT, "azul"),
        (IN, "del migrante"),
        (SAME, " hoy."),
    )


@pytest.mark.parametrize(
    ("before", "after", "runs"),
    [
        ("uno dos", "uno", ((SAME, "uno"), (OUT, " dos"))),
        ("dos", "uno dos", ((IN, "uno "), (SAME, "dos"))),
        ("uno", "dos", ((OUT, "uno"), (IN, "dos"))),
        ("uno", "Uno", ((OUT, "uno"), (IN, "Uno"))),
        ("a\nb", "a\n\nb", ((SAME, "a"), (OUT, "\n"), (IN, "\n\n"), (SAME, "b"))),
        ("", "uno", ((IN, "uno"),)),
        ("uno", "", ((OUT, "uno"),)),
    ],
)
def test_what_went_out_stands_before_what_came_in(
    before: str, after: str, runs: tuple[tuple[Kind, str], ...]
) -> None:
    assert runs_of(before, after) == runs


@given(WORDS, WORDS)
def test_the_runs_hold_both_texts_whole(old: list[str], new: list[str]) -> None:
    before, after = "".join(old), "".join(new)
    if before == after:
        return
    runs = runs_of(before, after)
    assert joined(runs, SAME, OUT) == before
    assert joined(runs, SAME, IN) == after
    assert all(words for _, words in runs)
    assert all(one[0] != next_[0] for one, next_ in pairwise(runs))


@pytest.mark.parametrize(
    "text", ["{{config}}", "{{7*7}}", "{% x %}", "${x}", "<script>alert(1)</script>", "a\r\nb: c"]
)
def test_code_in_a_text_is_shown_as_it_is(text: str) -> None:
    assert joined(runs_of("Hola.", f"Hola. {text}"), IN) == f" {text}"


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("title", "Traer su moto", "moto"),
        ("line", "abroad", "abroad"),
        ("topic", "general", "general"),
        ("source", ("Ley 30001", "Ley 31827"), "\nLey 31827"),
        ("owner", "consultas", "consultas"),
        ("valid_from", dt.date(2026, 12, 1), "2026-12-01"),
        ("review_by", dt.date(2027, 6, 1), "2027-06-01"),
        ("public", True, "True"),
        ("keywords", ("carro", "auto", "moto"), "\nmoto"),
        ("questions", ("quiero traer mi moto",), "moto"),
        ("attachments", (AttachedFile("mapa.pdf", b"uno"),), "mapa.pdf"),
        ("attachments", (AttachedFile("guia.pdf", b"cuatro"),), "(60b701c8a1693)"),
        ("body", "Puede traer un carro.\n\nPida la tarjeta. Gracias.", " Gracias."),
    ],
)
def test_a_change_of_any_field_is_named_and_alone(field: str, value: object, shown: str) -> None:
    [change] = changes(BEFORE, replace(BEFORE, **{field: value}))  # type: ignore[arg-type]
    assert change.field == field
    assert joined(change.runs, IN) == shown


def test_a_file_with_other_content_is_a_change_even_if_name_and_size_are_the_same() -> None:
    other = replace(BEFORE, attachments=(AttachedFile("guia.pdf", b"dos"),))
    assert [change.field for change in changes(BEFORE, other)] == ["attachments"]


def test_every_field_of_an_answer_is_compared_but_those_that_name_it() -> None:
    assert {*FIELDS, "slug", "language"} == set(AnswerText.__slots__)


def test_fields_are_shown_in_the_order_of_the_form_with_the_text_last() -> None:
    other = replace(BEFORE, body="Otro.", keywords=(), title="Otro")
    assert [change.field for change in changes(BEFORE, other)] == ["title", "keywords", "body"]


def test_of_a_new_answer_everything_that_it_says_came_in() -> None:
    empty = replace(BEFORE, keywords=(), questions=(), attachments=())
    shown = changes(None, empty)
    assert {kind for change in shown for kind, _ in change.runs} == {IN}
    assert shown[0] == Change("title", ((IN, "Traer su carro"),))
    named = [change.field for change in shown]
    assert named == [field for field in FIELDS if field not in ("keywords", "questions", "attachments")]


@pytest.mark.parametrize("words", [600, MAX_BODY_BYTES // 2])
def test_two_texts_of_few_words_in_many_orders_take_no_time(words: int) -> None:
    before = " ".join("abcdefgh"[number**2 % 8] for number in range(min(words, 600)))
    after = " ".join("abcdefgh"[number**3 % 7] for number in range(min(words, 600)))
    before, after = f"{before} {'a ' * (words - 600)}", f"{after} {'a ' * (words - 600)}"
    started = time.process_time()
    runs = runs_of(before, after)
    assert time.process_time() - started < 1
    assert (joined(runs, SAME, OUT), joined(runs, SAME, IN)) == (before, after)


@pytest.mark.parametrize(
    ("ranked", "wanted", "place"),
    [
        (["a", "b", "c"], {"a"}, 1),
        (["a", "b", "c"], {"c"}, 3),
        (["a", "b", "c"], ("c", "b"), 2),
        (["a", "b"], {"z"}, None),
        (["a"], (), None),
        ([], {"a"}, None),
    ],
)
def test_the_place_of_a_message_is_that_of_the_first_right_answer(
    ranked: list[str], wanted: set[str], place: int | None
) -> None:
    assert rank_of(ranked, wanted) == place


def test_the_figures_are_shares_of_all_messages_and_what_is_not_found_counts_nothing() -> None:
    assert hits([1, 1, 2, 3, 4, None, None, 1]) == Hits(8, 3 / 8, 5 / 8, (3 + 1 / 2 + 1 / 3 + 1 / 4) / 8)
    assert hits([None]) == Hits(1, 0.0, 0.0, 0.0)
    assert hits(iter([1])) == Hits(1, 1.0, 1.0, 1.0)


def test_the_figures_are_plain_data_with_four_decimals() -> None:
    assert hits([1, 3, None]).as_dict() == {"messages": 3, "hit_1": 0.3333, "hit_3": 0.6667, "mrr": 0.4444}


def test_without_a_message_there_are_no_figures() -> None:
    with pytest.raises(ValueError, match="no ranks"):
        hits([])


@given(st.lists(st.none() | st.integers(1, 50), min_size=1))
def test_the_mean_reciprocal_rank_lies_between_first_and_found(ranks: list[int | None]) -> None:
    figures = hits(ranks)
    found = sum(rank is not None for rank in ranks) / len(ranks)
    assert 0 <= figures.hit_1 <= figures.mrr + 1e-9
    assert figures.mrr <= found + 1e-9
    assert figures.hit_1 <= figures.hit_3 <= found
