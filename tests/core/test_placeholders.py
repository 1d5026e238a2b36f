"""Filling in an answer: one pass of look-up, and no value that becomes code or another placeholder (T58)."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.placeholders import PLACEHOLDERS, fill, names_in, unfilled

names = st.sampled_from(sorted(PLACEHOLDERS))
hostile = st.text(st.sampled_from("{}%$ aé\nnombre") | st.characters(codec="utf-8"), max_size=40)
literals = st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=30)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Estimado/a {{nombre}}:", "Estimado/a Rosario:"),
        ("{{ nombre }} y {{\tnombre\n}}", "Rosario y Rosario"),
        ("{{nombre}}{{numero}}", "RosarioIM-1"),
        ("{nombre} {{nombre} {nombre}}", "{nombre} {{nombre} {nombre}}"),
        ("{{agente}} {{otro}}", "{{agente}} {{otro}}"),
        ("{{pais}}", "{{pais}}"),
        ("{{Nombre}}", "{{Nombre}}"),
        ("{{}} {{ }}", "{{}} {{ }}"),
        ("", ""),
    ],
)
def test_what_is_known_is_filled_in_and_the_rest_is_left_for_the_agent(text: str, filled: str) -> None:
    assert fill(text, {"nombre": "Rosario", "numero": "IM-1", "pais": ""}) == filled


@pytest.mark.parametrize(
    "code",
    [
        "{{config}}",
        "{{7*7}}",
        "{{ ''.__class__.__mro__ }}",
        "{% for x in y %}",
        "{# nota #}",
        "${7*7}",
        "%(nombre)s",
        "{0.__class__}",
        r"\1 \g<0>",
        "<%= 7*7 %>",
    ],
)
def test_t58_template_code_stays_the_text_it_is_in_an_answer_and_in_a_name(code: str) -> None:
    assert fill(f"Hola {code}", {"nombre": "x"}) == f"Hola {code}"
    assert fill("Hola {{nombre}}", {"nombre": code}).replace("{", "").replace("}", "") == "Hola " + re.sub(
        "[{}]", "", code
    )


@given(names, hostile, hostile)
def test_t58_no_value_becomes_a_placeholder_however_many_braces_it_holds(
    name: str, value: str, other: str
) -> None:
    filled = fill(f"Hola {{{{{name}}}}}.", {name: value or "x"})
    assert unfilled(filled) == []
    assert fill(filled, dict.fromkeys(PLACEHOLDERS, other)) == filled


@pytest.mark.parametrize("braces", range(1, 9))
def test_t58_a_name_in_any_number_of_braces_does_not_ask_for_a_fact(braces: int) -> None:
    name = "{" * braces + "agente" + "}" * braces
    assert fill("{{nombre}} {{agente}}", {"nombre": name, "agente": "Ana"}) == "agente Ana"


@given(st.lists(st.tuples(literals, names), max_size=8), literals, st.dictionaries(names, literals))
def test_filling_in_is_one_pass_from_left_to_right(
    parts: list[tuple[str, str]], end: str, facts: dict[str, str]
) -> None:
    text = "".join(f"{literal}{{{{{name}}}}}" for literal, name in parts) + end
    wanted = "".join(f"{literal}{facts.get(name) or '{{' + name + '}}'}" for literal, name in parts) + end
    assert fill(text, facts) == wanted


@given(literals)
def test_a_text_without_placeholders_is_left_as_it_is(text: str) -> None:
    assert fill(text, dict.fromkeys(PLACEHOLDERS, "x")) == text
    assert unfilled(text) == names_in(text) == []


def test_what_is_missing_is_named_once_in_order_as_it_is_written() -> None:
    text = "{{ pais }} {{consulado}} {{ pais }} {{nada}} {{pais}}"
    assert unfilled(text) == ["{{ pais }}", "{{consulado}}", "{{nada}}", "{{pais}}"]
    assert names_in(text) == ["pais", "consulado", "nada"]


def test_every_placeholder_is_explained_to_the_agent() -> None:
    assert {name for name, words in PLACEHOLDERS.items() if not words.strip()} == set()
    assert names_in(" ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)) == list(PLACEHOLDERS)


@pytest.mark.parametrize("text", ["{{" + " " * 100_000, "{{ " * 30_000, ("{{" + " " * 98) * 1_000])
def test_a_long_row_of_spaces_after_a_brace_takes_no_time(text: str) -> None:
    before = time.perf_counter()
    assert unfilled(text) == names_in(text) == []
    assert fill(text, {"nombre": "Rosario"}) == text
    assert time.perf_counter() - before < 1
