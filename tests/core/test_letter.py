"""A reply as a letter: greeting, answers and closing in one language, and facts that stay the text they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html  # type: ignore[import-untyped]  # it carries no types

from templates.answer import LANGUAGES, faults_of
from templates.catalogue import read_answers
from templates.letter import Part, compose, frame_of, section, without_frame
from templates.placeholders import PLACEHOLDERS, names_in, unfilled
from templates.rendering import render

FACTS = {"nombre": "Rosario Mamani", "agente": "Ana Torres", "numero": "IM-2026-000001"}
CARD = Part("La tarjeta", "Pida la tarjeta.\n\n1. Vaya al consulado.\n2. Lleve su pasaporte.")
CAR = Part("El carro", "Su número es {{numero}}.")
HOSTILE = [
    "{{config}}",
    "{{7*7}}",
    "{{ agente }}",
    "{{{{nombre}}}}",
    "{% for x in y %}",
    "{# nota #}",
    "${7*7}",
    "%(nombre)s {0.__class__}",
    r"\1 \g<0>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "Ana\r\nBcc: otra@example.com",
]


def test_one_answer_stands_between_greeting_and_closing_without_a_heading() -> None:
    assert compose([CARD], "es", FACTS).text == (
        "Estimado/a Rosario Mamani:\n\n"
        "Pida la tarjeta.\n\n1. Vaya al consulado.\n2. Lleve su pasaporte.\n\n"
        "Atentamente,\n\nAna Torres  \nPerú Infomigra"
    )


def test_several_answers_stand_under_their_titles_in_order() -> None:
    assert compose([CAR, CARD], "es", FACTS).text == (
        "Estimado/a Rosario Mamani:\n\n"
        "**El carro**\n\nSu número es IM-2026-000001.\n\n"
        "**La tarjeta**\n\nPida la tarjeta.\n\n1. Vaya al consulado.\n2. Lleve su pasaporte.\n\n"
        "Atentamente,\n\nAna Torres  \nPerú Infomigra"
    )


@pytest.mark.parametrize("facts", [{}, {"nombre": ""}, {"agente": "Ana"}])
def test_without_a_name_the_greeting_names_nobody(facts: dict[str, str]) -> None:
    text = compose([CARD], "es", facts).text
    assert text.startswith("Buenos días:\n\nPida la tarjeta.")
    assert "nombre" not in text


def test_a_letter_without_an_answer_is_a_frame_to_write_in() -> None:
    letter = compose([], "es", FACTS)
    assert letter.text == "Estimado/a Rosario Mamani:\n\nAtentamente,\n\nAna Torres  \nPerú Infomigra"
    assert letter.text[: letter.cursor] == "Estimado/a Rosario Mamani:"


@pytest.mark.parametrize("parts", [[], [CARD], [CARD, CAR], [CAR, CARD, CAR]])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cursor_stands_behind_the_last_answer(parts: list[Part], language: str) -> None:
    letter = compose(parts, language, FACTS)
    above, below = letter.text[: letter.cursor], letter.text[letter.cursor :]
    assert below == compose([], language, FACTS).text[compose([], language, FACTS).cursor :]
    assert above.endswith({0: "", 1: CARD.body}.get(len(parts), ""))
    assert above == above.rstrip()
    assert below.startswith("\n\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_put_in_at_the_cursor_makes_the_letter_of_all_of_them(language: str) -> None:
    letter = compose([CARD, CAR], language, FACTS)
    put_in = f"\n\n{section(CAR, language, FACTS)}"
    longer = letter.text[: letter.cursor] + put_in + letter.text[letter.cursor :]
    assert longer == compose([CARD, CAR, CAR], language, FACTS).text


@pytest.mark.parametrize(
    ("language", "greeting", "nameless", "closing"),
    [
        ("es", "Estimado/a Rosario Mamani:", "Buenos días:", "Atentamente,"),
        ("en", "Dear Rosario Mamani,", "Good morning,", "Kind regards,"),
        ("pt", "Prezado(a) Rosario Mamani:", "Bom dia:", "Atenciosamente,"),
    ],
)
def test_a_letter_is_in_one_language(language: str, greeting: str, nameless: str, closing: str) -> None:
    lines = compose([CARD], language, FACTS).text.split("\n")
    assert lines[0] == greeting
    assert lines[-4:] == [closing, "", "Ana Torres  ", "Perú Infomigra"]
    assert compose([CARD], language, {}).text.split("\n")[0] == nameless


@pytest.mark.parametrize("language", ["qu", "", "ES", "es-PE", "../../../etc/passwd", "es\x00", "*"])
def test_a_language_in_which_we_have_no_letter_gets_the_spanish_one(language: str) -> None:
    assert compose([CARD], language, FACTS) == compose([CARD], "es", FACTS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_frame_asks_for_the_name_the_title_and_who_signs_and_for_nothing_else(language: str) -> None:
    frame = frame_of(language)
    asked = [names_in(text) for text in (frame.greeting, frame.nameless, frame.heading, frame.closing)]
    assert asked == [["nombre"], [], ["titulo"], ["agente"]]


def test_what_is_not_known_is_left_for_the_agent_to_see() -> None:
    part = Part("Consulado", "Vaya al consulado de {{consulado}} en {{pais}}.")
    assert unfilled(compose([part], "es", {**FACTS, "pais": ""}).text) == ["{{consulado}}", "{{pais}}"]
    assert unfilled(compose([part, CAR], "es", {}).text) == [
        "{{consulado}}",
        "{{pais}}",
        "{{numero}}",
        "{{agente}}",
    ]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("fact", ["nombre", "agente", "numero"])
def test_t58_a_fact_with_code_in_it_comes_out_as_text(fact: str, value: str) -> None:
    text = compose([CAR, CARD], "es", {**FACTS, fact: value}).text
    assert unfilled(text) == []
    assert text.replace("{", "").replace("}", "").count(value.replace("{", "").replace("}", "")) == 1
    assert "49" not in text
    html = lxml_html.document_fromstring(render(text, title="Re: consulta").html)
    assert html.xpath("//script | //img | //@onerror") == []


@given(
    st.dictionaries(
        st.sampled_from(sorted(PLACEHOLDERS)), st.text(st.characters(codec="utf-8") | st.sampled_from("{}%$"))
    )
)
def test_t58_no_facts_leave_a_placeholder_that_they_do_not_lack(facts: dict[str, str]) -> None:
    body = " / ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
    text = compose([Part("Todo", body), CARD], "es", facts).text
    missing = {f"{{{{{name}}}}}" for name in PLACEHOLDERS if not facts.get(name)}
    assert set(unfilled(text)) == missing


def test_t58_braces_around_a_placeholder_make_no_other_one_of_its_value() -> None:
    part = Part("Un corchete de más", "{{{nombre}}}")
    assert unfilled(compose([part], "es", {**FACTS, "nombre": "{agente}"}).text) == []


@pytest.mark.parametrize("value", [value for value in HOSTILE if "{" not in value and "\n" not in value])
def test_a_title_is_text_under_which_an_answer_stands(value: str) -> None:
    text = compose([Part(value, "Uno."), CARD], "es", FACTS).text
    assert f"**{value}**\n\nUno." in text
    html = lxml_html.document_fromstring(render(text, title="Re: consulta").html)
    assert html.xpath("//script | //img | //@onerror") == []


@pytest.mark.parametrize("title", ["Qué es {{config}}", "Para {{nombre}}", "{{7*7}}", "{{titulo}}"])
def test_t58_a_title_either_is_refused_or_leaves_no_placeholder_that_stops_the_letter(title: str) -> None:
    answer = next(answer for answer in read_answers().answers if not any(faults_of(answer)))
    refused = any(faults_of(replace(answer, title=title)))
    assert refused or unfilled(compose([Part(title, "Uno."), CARD], "es", FACTS).text) == []


@pytest.mark.parametrize("facts", [FACTS, {}, {**FACTS, "nombre": "Ana (María) [x] .*"}])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_without_its_frame_is_the_answers_alone(language: str, facts: dict[str, str]) -> None:
    assert without_frame(compose([CARD], language, facts).text) == CARD.body
    both = "\n\n".join(section(part, language, facts) for part in (CARD, CAR))
    assert without_frame(compose([CARD, CAR], language, facts).text) == both
    assert without_frame(f"\n{compose([CARD], language, facts).text}\n\n") == CARD.body


@pytest.mark.parametrize(
    "text",
    [
        "",
        CARD.body,
        "Le saluda atentamente, Ana.",
        "Buenos días: le explico lo que pidió.",
        f"Espere.\n\nAtentamente,\n\n{'Una cosa más. ' * 100}".strip(),
        "{{config}} <script>alert(1)</script>",
    ],
)  # fmt: skip
def test_a_text_that_is_no_letter_stays_as_it_is(text: str) -> None:
    assert without_frame(text) == text


def test_every_answer_of_ours_makes_a_letter_alone_and_beside_another() -> None:
    for answer in read_answers().answers:
        part = Part(answer.title, answer.body)
        for parts in ([part], [part, CAR]):
            text = compose(parts, answer.language, FACTS).text
            assert set(unfilled(text)) <= {f"{{{{{name}}}}}" for name in PLACEHOLDERS.keys() - FACTS.keys()}
            assert text.count(FACTS["nombre"]) == 1 + ("nombre" in answer.placeholders)
