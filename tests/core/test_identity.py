"""Identity documents and RUC numbers: what is a condition, what is only usual, and how a number is written."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.certificates.fields import DOCUMENTS_ES, REPRESENTATIVE_DOCUMENTS_ES
from helpdesk.certificates.identity import (
    REPRESENTATIVE_DOCUMENTS,
    WORKER_DOCUMENTS,
    Verdict,
    is_ecuadorian,
    is_ruc,
    judge,
    last_characters,
    masked,
    plain,
    written,
)

VALID_RUCS = ("20131312955", "20131023414", "20512333797")  # public examples (domain.md, V-41)
RUC_PREFIXES = ("10", "15", "16", "17", "20")
RUC_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
ARABIC = str.maketrans(string.digits, "٠١٢٣٤٥٦٧٨٩")
GOOD, DOUBTFUL, WRONG = Verdict.GOOD, Verdict.DOUBTFUL, Verdict.WRONG


def ruc_of(body: str) -> str:
    """Ten figures with their check figure, as domain.md says it."""
    total = sum(weight * int(figure) for weight, figure in zip(RUC_WEIGHTS, body, strict=True))
    return body + str((11 - total % 11) % 10)


def cedula_of(body: str) -> str:
    """Nine figures with the check figure that is taught in Ecuador: doubled in the odd places, modulo 10."""
    total = 0
    for place, figure in enumerate(body, 1):
        value = int(figure) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return body + str((10 - total % 10) % 10)


def one_figure_changed(number: str) -> list[str]:
    return [
        number[:place] + figure + number[place + 1 :]
        for place in range(len(number))
        for figure in string.digits
        if figure != number[place]
    ]


@pytest.mark.parametrize("number", VALID_RUCS)
def test_a_known_ruc_is_valid_and_with_any_one_figure_changed_it_is_not(number: str) -> None:
    assert is_ruc(number)
    changed = one_figure_changed(number)
    assert len(changed) == 99
    # The prefixes 10 and 20, 15 and 17 differ in one figure: then the check figure must tell.
    assert [other for other in changed if is_ruc(other)] == []


@pytest.mark.parametrize("prefix", RUC_PREFIXES)
@given(body=st.text(string.digits, min_size=8, max_size=8))
def test_a_ruc_of_each_prefix_has_one_check_figure(prefix: str, body: str) -> None:
    number = ruc_of(prefix + body)
    assert [figure for figure in string.digits if is_ruc(number[:-1] + figure)] == [number[-1]]


def test_only_five_prefixes_are_those_of_a_ruc() -> None:
    valid = [prefix for prefix in map("{:02}".format, range(100)) if is_ruc(ruc_of(f"{prefix}13131295"))]
    assert valid == list(RUC_PREFIXES)


@pytest.mark.parametrize(
    "number",
    [
        *("", "2013131295", "201313129550", "2013131295X", " 20131312955", "20131312955\n", "20-13131295-5"),
        VALID_RUCS[0].translate(ARABIC),
        "16" + "12345678".translate(ARABIC) + ruc_of("1612345678")[-1],
    ],
)
def test_what_is_not_written_in_eleven_plain_figures_is_no_ruc(number: str) -> None:
    assert not is_ruc(number)


@given(st.text(max_size=20))
def test_any_text_can_be_asked_about(text: str) -> None:
    assert is_ruc(text) in (True, False)
    for kind in WORKER_DOCUMENTS:
        assert judge(kind, written(kind, text)) in Verdict


@given(st.integers(1, 24) | st.just(30), st.text(string.digits, min_size=7, max_size=7))
def test_an_ecuadorian_number_has_a_province_and_one_check_figure(province: int, body: str) -> None:
    number = cedula_of(f"{province:02}{body}")
    assert [figure for figure in string.digits if is_ecuadorian(number[:-1] + figure)] == [number[-1]]


def test_a_known_ecuadorian_number_is_good_and_with_any_one_figure_changed_it_is_doubtful() -> None:
    assert judge("cedula", "1710034065") is GOOD  # the example of every tutorial
    assert {judge("cedula", other) for other in one_figure_changed("1710034065")} == {DOUBTFUL}


def test_provinces_that_ecuador_does_not_have_are_doubtful() -> None:
    doubtful = {
        province for province in range(100) if judge("cedula", cedula_of(f"{province:02}1003406")) is DOUBTFUL
    }
    assert doubtful == {0, *range(25, 30), *range(31, 100)}


@pytest.mark.parametrize(
    ("kind", "number", "verdict"),
    [
        ("cc", "123456", GOOD),
        ("cc", "1000000001", GOOD),
        ("cc", "12345", WRONG),
        ("cc", "12345678901", WRONG),
        ("cc", "1234567A", WRONG),
        ("cc", "1000000001".translate(ARABIC), WRONG),
        ("cedula", "171003406", WRONG),
        ("cedula", "17100340655", WRONG),
        ("cedula", "171003406A", WRONG),
        ("cedula", "1710034065".translate(ARABIC), WRONG),
        ("ci", "12345", GOOD),
        ("ci", "12345678", GOOD),
        ("ci", "1234567-1A", GOOD),
        ("ci", "12345678-1A", GOOD),
        ("ci", "1234", DOUBTFUL),
        ("ci", "123456789", DOUBTFUL),
        ("ci", "1234567LP", DOUBTFUL),
        ("ci", "123", WRONG),
        ("ci", "ABCDEF", WRONG),
        ("ci", "1234567_1A", WRONG),
        ("ci", "1" * 16, WRONG),
        ("passport", "AB123", GOOD),
        ("passport", "AB1234567890", GOOD),
        ("passport", "123456789", GOOD),
        ("passport", "AB12", DOUBTFUL),
        ("passport", "A" * 12 + "1", DOUBTFUL),
        ("passport", "AB1", WRONG),
        ("passport", "A" * 20 + "1", WRONG),
        ("passport", "ÑB123456", WRONG),
        ("passport", "AB/123456", WRONG),
    ],
)
def test_a_number_is_good_doubtful_or_wrong(kind: str, number: str, verdict: Verdict) -> None:
    assert judge(kind, number) is verdict


@pytest.mark.parametrize(
    ("kind", "number", "right"),
    [
        ("dni", "00000001", True),
        ("dni", "0000001", False),
        ("dni", "000000012", False),
        ("dni", "00000001".translate(ARABIC), False),
        ("ce", "000000001", True),
        ("ce", "AB0000000001", True),
        ("ce", "0000001", False),
        ("ce", "AB00000000012", False),
        ("passport", "AB12345", True),
        ("passport", "AB1", False),
    ],
)
def test_the_document_of_who_represents_has_its_form(kind: str, number: str, right: bool) -> None:
    assert bool(REPRESENTATIVE_DOCUMENTS[kind].must.fullmatch(number)) is right


def test_what_is_usual_is_allowed_and_every_kind_that_can_be_chosen_is_known() -> None:
    assert set(WORKER_DOCUMENTS) == set(DOCUMENTS_ES)
    assert set(REPRESENTATIVE_DOCUMENTS) == set(REPRESENTATIVE_DOCUMENTS_ES)
    assert {kind.nationality for kind in WORKER_DOCUMENTS.values()} == {"BOL", "COL", "ECU", None}


@pytest.mark.parametrize(
    ("typed", "one_way"),
    [
        (" 1.000.000.001 ", "1000000001"),
        ("ab 123\u00a0456", "AB123456"),
        ("00000001", "00000001"),
        ("ab\t12\n3", "AB123"),
        ("1234567-1a", "1234567-1A"),
        ("CTMA-2026-000001", "CTMA-2026-000001"),
        ("...", ""),
    ],
)
def test_plain_takes_out_spaces_and_dots_and_small_letters(typed: str, one_way: str) -> None:
    assert plain(typed) == one_way


@pytest.mark.parametrize(
    ("kind", "typed", "one_way"),
    [
        ("cedula", "171003406-5", "1710034065"),  # as it stands on the card
        ("cedula", "171003406\u20115", "1710034065"),
        ("cc", "1.000.000-001", "1000000001"),
        ("passport", "ab-123456", "AB123456"),
        ("dni", "00000001", "00000001"),
        ("ci", "1234567-1a", "1234567-1A"),
        ("ci", "12345671A", "1234567-1A"),
        ("ci", "1234567 1A", "1234567-1A"),
        ("ci", "1234567–1A", "1234567-1A"),
        ("ci", "1234567", "1234567"),
        ("ci", "1234567-LP", "1234567LP"),
    ],
)
def test_a_document_has_one_way_of_being_written(kind: str, typed: str, one_way: str) -> None:
    assert written(kind, typed) == one_way


@given(st.sampled_from([*WORKER_DOCUMENTS, *REPRESENTATIVE_DOCUMENTS]), st.text(max_size=30))
def test_what_is_written_in_its_one_way_stays_so(kind: str, typed: str) -> None:
    once = written(kind, typed)
    assert written(kind, once) == once
    assert plain(plain(typed)) == plain(typed)


@given(st.text(string.ascii_uppercase + string.digits, min_size=4, max_size=20))
def test_a_masked_number_shows_its_last_three_characters_alone(number: str) -> None:
    hidden = len(number) - 3
    assert masked(number) == "•" * hidden + number[-3:]
    assert last_characters(number) == number[-3:]
