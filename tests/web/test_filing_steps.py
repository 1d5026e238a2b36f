"""What a page of the filing sent, read as it was meant, and kept as it was typed."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import MultiDict

from helpdesk.certificates.fields import CONTRACT, Field
from helpdesk.web.filing_steps import answers_sent

ASKED = {question.name: question for question in CONTRACT}


def sent(question: Field, **form: str) -> object:
    return answers_sent([question], MultiDict(form))[question.name]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("3500.5", 3500.5),
        ("3,500.50", 3500.5),
        ("3.500,50", 3500.5),
        ("3 500,5", 3500.5),
        ("3.500", 3500),  # thousands: no pay has three decimals
        ("1.234.567", 1_234_567),
        ("S/ 3500", "S/ 3500"),
        ("", None),
    ],
)
def test_an_amount_is_read_as_people_write_it(typed: str, meant: object) -> None:
    assert sent(ASKED["pay"], pay=typed) == meant


@pytest.mark.parametrize(
    ("day", "month", "year", "kept"),
    [
        ("5", "3", "2026", "2026-03-05"),
        ("31", "", "2026", "2026--31"),
        ("", "", "2026", "2026--"),
        ("x", "ma", "26", "26-ma-x"),
        ("", "", "", None),
    ],
)
def test_of_a_date_nothing_is_lost_and_nothing_is_added(
    day: str, month: str, year: str, kept: str | None
) -> None:
    assert sent(ASKED["start"], start_dia=day, start_mes=month, start_anio=year) == kept


@pytest.mark.parametrize(
    ("typed", "chosen", "kept"),
    [
        ("miraflores", "", "miraflores"),
        ("miraflores", "150122", "150122"),
        ("", "150122", "150122"),
        ("iquitos, maynas", "150122", "160101"),  # what was typed after the choice
        ("miraflores", "999999", "miraflores"),
    ],
)
def test_a_district_is_the_one_chosen_unless_another_was_typed_since(
    typed: str, chosen: str, kept: str
) -> None:
    form = {"workplace_ubigeo": typed, "workplace_ubigeo_elegido": chosen}
    assert sent(ASKED["workplace_ubigeo"], **form) == kept
