"""What is offered for a message: the best answers, and one for each of several questions."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.offering import offer, whole_text
from templates.questions import LETTERS_AT_LEAST, MOST_QUESTIONS, questions_in
from templates.ranking import Candidate, Index, Ranked, Reading

VISA = Candidate("visa", "Visa de trabajo para España", "abroad", (), "", "work-visa")
CAR = Candidate("carro", "Traer un vehículo al volver", "return", (), "", "vehicle")
PENSION = Candidate("afp", "Retirar los aportes de la AFP", "resident_abroad", (), "", "pension-afp")
SCHOOL = Candidate("colegio", "Matrícula escolar tardía", "return", (), "", "school")
INDEX = Index([VISA, CAR, PENSION, SCHOOL])

ASKS_VISA = "¿Qué papeles piden para la visa de trabajo en España?"
ASKS_CAR = "¿Puedo traer mi vehículo al volver sin pagar nada?"
ASKS_PENSION = "¿Cómo hago para retirar mis aportes de la AFP?"


def offered(body: str, subject: str = "", limit: int = 3) -> list[tuple[str, str | None]]:
    """The answers offered, each with the question that it is for."""
    offers = offer(INDEX, subject, body, Reading(), limit=limit)
    return [(one.answer.slug, one.question) for one in offers]


def test_one_question_gets_the_best_answers_and_no_question_is_named() -> None:
    body = f"Buenas tardes. {ASKS_VISA} Les agradezco."
    assert offered(body)[0] == ("visa", None)
    assert {question for _, question in offered(body)} == {None}
    whole = INDEX.rank(whole_text("Visa", body))
    assert [one.answer for one in offer(INDEX, "Visa", body, Reading())] == whole


def test_several_questions_get_an_answer_each_that_names_its_question() -> None:
    body = f"Hola. {ASKS_VISA} {ASKS_CAR} {ASKS_PENSION} Gracias."
    assert dict(offered(body)) == {"visa": ASKS_VISA, "carro": ASKS_CAR, "afp": ASKS_PENSION}


@pytest.mark.parametrize(
    "form", ["1) {}", "1. {}", "1.- {}", "1 - {}", "a) {}", "A) {}", "- {}", "* {}", "• {}"]
)
def test_a_list_of_matters_is_several_questions_even_without_question_marks(form: str) -> None:
    matters = ["la visa de trabajo para España", "traer mi vehículo al volver"]
    marks = [form, form.replace("1", "2").replace("a", "b").replace("A", "B")]
    lines = [mark.format(matter) for mark, matter in zip(marks, matters, strict=True)]
    text = "Buenas tardes, les escribo por dos temas:\n" + "\n".join(lines)
    questions = questions_in(text)
    assert len(questions) == 2
    assert all(question.endswith(matter) for question, matter in zip(questions, matters, strict=True))
    assert {slug for slug, question in offered(text) if question} == {"visa", "carro"}


@pytest.mark.parametrize(
    "also",
    [
        "También quisiera saber si puedo traer mi vehículo al volver.",
        "Además necesito traer mi vehículo al volver y no sé cómo.",
        "Otra consulta es sobre traer mi vehículo al volver al país.",
        "Por otro lado, quisiera traer mi vehículo al volver.",
        "TAMBIEN QUIERO TRAER MI VEHICULO AL VOLVER A MI PAIS",
    ],
)
def test_a_second_matter_may_be_brought_in_without_a_question_mark(also: str) -> None:
    assert questions_in(f"{ASKS_VISA} {also}") == [ASKS_VISA, also]
    assert {slug for slug, question in offered(f"{ASKS_VISA} {also}") if question} == {"visa", "carro"}


def test_a_short_question_is_read_with_what_stood_before_it() -> None:
    text = f"{ASKS_VISA} Mi hermano tiene un vehículo en Chile. ¿Lo puede traer?"
    assert questions_in(text) == [ASKS_VISA, "Mi hermano tiene un vehículo en Chile. ¿Lo puede traer?"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n\n ",
        "Buenas tardes.",
        "Quiero traer mi vehículo. Vivo en Chile hace años.",
        ASKS_VISA,
        f"Hola, buenos días. {ASKS_VISA} Muchas gracias por su ayuda.",
        f"{ASKS_VISA} ¿Sí? ¿No? ¿Cuánto?",
        f"{ASKS_VISA}???? !!!",
        "???? ???? ????",
        "1) 2) 3)\n- \n* ",
    ],
)
def test_a_message_that_asks_one_thing_or_nothing_has_no_questions(text: str) -> None:
    assert questions_in(text) == []
    assert {question for _, question in offered(text)} <= {None}


def test_questions_are_no_more_than_the_most_and_in_order() -> None:
    asked = [f"¿Cuánto cuesta el trámite que empieza por {chr(97 + number) * 3}?" for number in range(20)]
    assert questions_in(" ".join(asked)) == asked[:MOST_QUESTIONS]


def test_the_best_answer_for_the_whole_comes_first_even_if_no_question_is_its_own() -> None:
    body = "Sobre la matrícula escolar. ¿Cómo puedo traer un vehículo si no estoy? ¿Y qué hay de las aves?"
    assert questions_in(body)
    assert offered(body, subject="Matrícula tardía") == [
        ("colegio", None),
        ("carro", "¿Cómo puedo traer un vehículo si no estoy?"),
    ]


def test_a_question_that_no_answer_fits_offers_nothing_of_its_own() -> None:
    body = f"{ASKS_VISA} ¿Y qué hay de la cuestión de las aves de corral?"
    assert offered(body) == [("visa", ASKS_VISA)]


def test_two_questions_for_one_answer_offer_it_once_for_the_first_of_them() -> None:
    again = "¿Y la visa de trabajo para España demora mucho tiempo?"
    assert offered(f"{ASKS_VISA} {again}") == [("visa", ASKS_VISA)]


@pytest.mark.parametrize("end", ["2027", "el 2027?", "USD 500", "la ley 30001", "Madrid"])
def test_a_question_may_end_in_a_number(end: str) -> None:
    first = f"¿Pueden darme la visa de trabajo para España y cuánto es {end}?"
    assert questions_in(f"{first} {ASKS_CAR}") == [first, ASKS_CAR]


@pytest.mark.parametrize("limit", range(5))
def test_never_more_than_asked_for_however_many_questions_there_are(limit: int) -> None:
    body = f"{ASKS_VISA} {ASKS_CAR} {ASKS_PENSION} ¿Cómo pido la matrícula escolar tardía de mi hija?"
    slugs = [slug for slug, _ in offered(body, limit=limit)]
    assert len(slugs) == len(set(slugs)) == limit


def test_nothing_is_offered_without_answers() -> None:
    assert offer(Index([]), "Visa", f"{ASKS_VISA} {ASKS_CAR}", Reading()) == []


def test_the_classifier_s_reading_counts_for_the_whole_and_less_for_one_question() -> None:
    reading = Reading({"abroad": 1.0}, {"work-visa": 1.0})
    offers = offer(INDEX, "", f"{ASKS_VISA} {ASKS_CAR}", reading)
    by_slug = {one.answer.slug: one for one in offers}
    assert offers[0].answer.slug == "visa"
    assert by_slug["carro"].question == ASKS_CAR
    assert offers[0].answer.topic == 1.0


def test_answers_come_in_the_language_of_the_message_for_every_question() -> None:
    english = [
        Candidate("visa", "Work visa for Spain", "abroad", (), "", language="en"),
        Candidate("carro", "Bring a vehicle home", "return", (), "", language="en"),
    ]
    index = Index([VISA, CAR, *english])
    body = "Which papers do I need for a work visa for Spain? And may I bring a vehicle home later on?"
    answers: list[Ranked] = [one.answer for one in offer(index, "", body, Reading(), language="en")]
    assert [(one.slug, one.language) for one in answers] == [("visa", "en"), ("carro", "en")]


def test_the_subject_alone_finds_an_answer() -> None:
    assert offered("Buenas tardes", subject="Traer un vehículo")[0][0] == "carro"


PIECES = (
    ASKS_VISA,
    ASKS_CAR,
    "1) ",
    "- ",
    "\r\n",
    "?",
    ".",
    "también quiero",
    "{{config}}",
    "<script>",
    "${x}",
)


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.integers(0, 6))
def test_any_message_gets_each_answer_once_and_only_questions_that_it_asks(body: str, limit: int) -> None:
    questions = questions_in(body)
    assert len(questions) != 1
    assert len(questions) <= MOST_QUESTIONS
    assert all(sum(char.isalpha() for char in question) >= LETTERS_AT_LEAST for question in questions)
    found = offered(body, limit=limit)
    assert len({slug for slug, _ in found}) == len(found) <= limit
    assert {question for _, question in found} <= {None, *questions}


@pytest.mark.parametrize(
    "piece",
    ["a", " ", "hola que tal ", "también ", "1) ", "?", "\n", "¿Cuánto cuesta la visa? "],
)  # fmt: skip
def test_a_hundred_thousand_characters_take_no_time(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    before = time.process_time()
    questions = questions_in(text)
    assert time.process_time() - before < 1
    assert len(questions) <= MOST_QUESTIONS
