"""Addresses: who speaks, or nobody (T07, T08, T13, T20)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail.addresses import read_addresses, read_spec
from helpdesk.mail.parsed import Address

CLEAR = {
    "a@EXAMPLE.com": Address("", "a@example.com"),
    "Ana Díaz <Ana@example.com>": Address("Ana Díaz", "Ana@example.com"),
    '"Díaz, Ana" <a@example.com>': Address("Díaz, Ana", "a@example.com"),
    "=?utf-8?q?D=C3=ADaz,_Ana?= <a@example.com>": Address("Díaz, Ana", "a@example.com"),
    '"=?utf-8?q?D=C3=ADaz?=" <a@example.com>': Address("Díaz", "a@example.com"),
    "=?utf-8?q?An?= =?utf-8?q?a?= <a@example.com>": Address("Ana", "a@example.com"),
    "a@example.com <a@example.com>": Address("a@example.com", "a@example.com"),
    '"other@example.net" <a@example.com>': Address("other@example.net", "a@example.com"),
    "a@example.com (Ana (la otra))": Address("Ana (la otra)", "a@example.com"),
    "Ana (MTPE) <a@example.com>": Address("Ana (MTPE)", "a@example.com"),
    '"a b"@example.com': Address("", '"a b"@example.com'),
    "<a@[192.0.2.1]>": Address("", "a@[192.0.2.1]"),
    "ñandú@perú.example": Address("", "ñandú@perú.example"),
    "An\u202ea\u200b <a@example.com>": Address("Ana", "a@example.com"),
}
DOUBTFUL = [
    "alice@gob.example)bob@evil.example",
    "<a@gob.example>b@evil.example",
    "a@gob.example,b@evil.example <c@evil.example>",
    "a@gob.example <x@evil.example>",
    "<a@gob.example> <b@evil.example>",
    "a@gob.example;b@evil.example",
    "Grupo: a@gob.example;",
    '"a@gob.example <b@evil.example>',
    "<a@gob.example, b@gob.example",
    "a@b@c.example",
    "a b@example.com",
    "<@evil.example:a@gob.example>",
    "a@example.com\u202e",
    "=?utf-8?q?a=40gob.example?=",
    "a@-\x00.example",
    "a@" + "x" * 400 + ".example",
    "((((((((((((a))))))))))))@example.com",
    "<>",
    "nadie",
]


@pytest.mark.parametrize("value", CLEAR)
def test_a_clear_address_is_read(value: str) -> None:
    assert read_addresses(value, strict=True) == ((CLEAR[value],), ())


@pytest.mark.parametrize("value", DOUBTFUL)
def test_a_doubtful_sender_is_nobody(value: str) -> None:
    assert read_addresses(value, strict=True) == ((), ("ambiguous-address",))


@pytest.mark.parametrize("value", DOUBTFUL[:2])
def test_a_crafted_address_names_nobody_even_as_a_recipient(value: str) -> None:
    assert read_addresses(value, strict=False)[0] == ()


@pytest.mark.parametrize(
    "odd",
    [
        "alice@gob.example)bob@evil.example",
        "<a@gob.example>b@evil.example",
        '"Ana <x@example.com>',
        "<x@example.com",
        "Ana (MTPE <x@example.com>",
        "<x@example.com> <y@example.com>",
        "x y@example.com",
        "x@example..com",
        ")",
        ">",
    ],
)
def test_T08_one_odd_recipient_costs_only_itself(odd: str) -> None:
    found, defects = read_addresses(f"b@example.com, {odd}, c@example.com", strict=False)
    assert [person.address for person in found] == ["b@example.com", "c@example.com"]
    assert defects == ("ambiguous-address",)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Díaz, Ana <a@example.com>", "Díaz, Ana"),
        ('Ana "la Chola <a@example.com>', "Ana la Chola"),
        ("Estudio A, B, C <a@example.com>,", "Estudio A, B, C"),
        ("Ana Díaz <a@example.com", "Ana Díaz"),
    ],
)
def test_a_name_that_is_not_quoted_is_read_when_only_one_address_can_be_meant(value: str, name: str) -> None:
    assert read_addresses(value, strict=True) == ((Address(name, "a@example.com"),), ())


@pytest.mark.parametrize("piece", ["(", '"', '"\\",', "<", ")", "()", "a(,", "<>,", ":", ";", '"\\" '])
@pytest.mark.parametrize("strict", [True, False])
def test_T20_a_header_of_brackets_and_quotes_takes_linear_time(piece: str, strict: bool) -> None:
    started = time.process_time()
    read_addresses(piece * (256_000 // len(piece)), strict=strict)
    assert time.process_time() - started < 1


def test_among_recipients_the_address_in_brackets_is_meant() -> None:
    found, _ = read_addresses("x@example.com <b@example.com>, c@example.com", strict=False)
    assert [person.address for person in found] == ["b@example.com", "c@example.com"]


def test_groups_and_semicolons_are_fine_among_recipients() -> None:
    found, defects = read_addresses(
        "Equipo: a@example.com, b@example.com; c@example.com; d@example.com", strict=False
    )
    assert [person.address[0] for person in found] == ["a", "b", "c", "d"]
    assert defects == ()


def test_one_bad_recipient_does_not_hide_the_others() -> None:
    found, defects = read_addresses("a@example.com, Pedro, b@example.com", strict=False)
    assert [person.address[0] for person in found] == ["a", "b"]
    assert defects == ("ambiguous-address",)


@given(st.text(alphabet='a@.,;:()<>"\\= ?\u202eñ\t', max_size=40))
def test_any_sender_is_a_valid_address_or_nobody(value: str) -> None:
    found, defects = read_addresses(value, strict=True)
    assert not (found and defects)
    assert all(read_spec(person.address) == person.address for person in found)
