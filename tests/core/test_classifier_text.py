"""Masking, cutting into words, and the signals of who is where."""

import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from classifier.signals import parts_of, signals
from classifier.text import LINK, MAIL, MAX_CHARS, NAME, NAMES, NUMBER, fold, mask, masked, stem, words


@pytest.mark.parametrize(
    ("written", "hidden", "stand_in"),
    [
        ("mi DNI es 00000000.", "00000000", NUMBER),
        ("llámenme al 900 000 001", "900 000 001", NUMBER),
        ("CE 001-234-567", "234", NUMBER),
        ("escriba a ana.prueba@example.com", "ana.prueba", MAIL),
        ("vea https://example.org/aviso?id=7", "example.org", LINK),
        ("Me llamo Rosaura Inventada Quispe", "Rosaura", NAME),
    ],
)
def test_personal_data_gives_way_to_a_stand_in(written: str, hidden: str, stand_in: str) -> None:
    assert hidden not in mask(written)
    assert stand_in in mask(written)


def test_numbers_that_tell_the_topic_stay() -> None:
    assert mask("Ley 30001, el 20 % y la Decisión 545") == "Ley 30001, el 20 % y la Decisión 545"


def test_in_a_message_without_capitals_only_the_name_itself_is_hidden() -> None:
    assert words("me llamo rosaura y vivo en turin").folded == (
        "me",
        "llamo",
        NAME,
        "y",
        "vivo",
        "en",
        "turin",
    )


def test_common_names_are_hidden_wherever_they_stand() -> None:
    assert words("Atte. María Quispe").folded == ("atte", ".", NAME, NAME)


def test_case_and_accents_make_no_difference_however_they_are_encoded() -> None:
    composed, decomposed = "Señora Pérez", "SEN\u0303ORA PE\u0301REZ"
    assert fold("Ñandú") == "nandu"
    assert words(composed).folded == words(decomposed).folded


def test_a_hostile_text_is_read_in_no_time() -> None:
    hostile = (
        "me llamo " + "a " * 4000,
        "1 " * 50_000,
        "a@" * 50_000,
        "vivo " * 50_000,
        "no quiero " * 9_000,
    )
    started = time.perf_counter()
    for text in hostile:
        signals(parts_of(words(text)))
    assert time.perf_counter() - started < 1.0


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert words("a " * MAX_CHARS + "final").folded[-1] == "a"


@pytest.mark.parametrize(
    ("written", "signal"),
    [
        ("Soy ecuatoriana y quiero trabajar en Cusco", "soy_extranjero"),
        ("Soy ecuatoriana y quiero trabajar en Cusco", "ir_a_peru"),
        ("soy peruano y quiero trabajar en Quito", "ir_fuera"),
        ("soy peruano y trabajo en Quito", "trabajo_fuera"),
        ("busco trabajo en Quito", "busco_fuera"),
        ("VIVO EN ESPAÑA Y QUIERO VOLVER", "quiero_volver"),
        ("VIVO EN ESPAÑA Y QUIERO VOLVER", "vivo_fuera"),
        ("Les escribo desde Turín", "vivo_fuera"),
        ("no pienso volver al Perú", "no_volver"),
        ("viajo a Lima de visita", "de_visita"),
        ("deseamos contratar a un ingeniero colombiano", "contratar_extranjero"),
        ("mi esposo trabaja en Milán", "pariente_fuera"),
    ],
)
def test_a_relation_is_seen(written: str, signal: str) -> None:
    assert signal in {found.name for found in signals(parts_of(words(written)))}


def test_the_same_words_the_other_way_round_are_another_relation() -> None:
    into = signals(parts_of(words("soy ecuatoriano y quiero trabajar en Perú")))
    out = signals(parts_of(words("soy peruano y quiero trabajar en Ecuador")))
    assert into[-1].name == "relacion:soy_extranjero+nada+ir_a_peru"
    assert out[-1].name == "relacion:soy_peruano+lugar_fuera+ir_fuera"


def test_a_noun_is_not_taken_for_work_that_is_done_now() -> None:
    assert "trabajo_fuera" not in {found.name for found in signals(parts_of(words("un trabajo en Quito")))}


def test_a_folded_word_is_never_empty_and_holds_no_space() -> None:
    letters = [chr(code) for code in range(0x110000) if chr(code).isalnum()]
    assert [letter for letter in letters if not fold(letter) or len(fold(letter).split()) != 1] == []


def test_threads_that_stem_at_the_same_time_do_not_mix_up_their_words() -> None:
    listed = [f"{start}{end}" for start in NAMES for end in ("aciones", "amente", "iendo", "ándoles")]
    alone = [stem.__wrapped__(word) for word in listed]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            together = list(threads.map(lambda _: [stem.__wrapped__(word) for word in listed], range(4)))
    finally:
        sys.setswitchinterval(interval)
    assert together == [alone] * 4


@pytest.mark.parametrize(
    "number",
    [
        "999\u00a0888\u00a0777",
        "999\u2013888\u2013777",
        "999\u2011888\u2011777",
        "999  888  777",
        "999_888_777",
        "999.-888.-777",
        "(51)(9)99(888)",
        "00000017",
    ],
)
def test_a_number_is_hidden_however_it_is_written(number: str) -> None:
    assert not any(char.isdigit() for char in masked(f"Llame al {number} por favor"))


def test_names_are_hidden_however_they_are_written() -> None:
    assert "Eleuterio" not in mask("Me llamo: Eleuterio Panta")
    assert "Eleuterio" not in mask("Me llamo\nEleuterio Panta")
    assert "Garc" not in masked(unicodedata.normalize("NFD", "García Pérez"))
    assert "brien" not in mask("o'brien.rosa@example.com")


def test_places_are_found_where_their_name_is_a_persons_too() -> None:
    assert parts_of(words("soy de San Juan de Lurigancho")).startswith("s-P")
    assert "X" in parts_of(words("vivo en San Francisco"))


@pytest.mark.parametrize(
    "said", ["trabajo en el banco", "hace treinta y tres años", "no supe", "moro aqui até hoje"]
)
def test_everyday_words_are_no_places(said: str) -> None:
    assert not {"X", "P"} & set(parts_of(words(said)))
