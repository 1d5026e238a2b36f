"""Our Message-IDs: what proves that a reply belongs to a ticket, and everything that only looks like it."""

from __future__ import annotations

import base64
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail.tokens import (
    MAC_BYTES,
    REFERENCES_READ,
    make_message_id,
    named_tickets,
    plus_address,
    ticket_of,
)

KEY = "k3y-0f-th3-t3sts-" + "x9Qw7" * 6
DOMAIN = "infomigra.example.com"
tickets = st.integers(min_value=1, max_value=2**59)


def parts(message_id: str) -> list[str]:
    """The ticket, the nonce and the MAC of a Message-ID of ours."""
    return message_id.strip("<>").partition("@")[0].split(".")[1:]


def with_mac(message_id: str, mac: str) -> str:
    return message_id.replace(parts(message_id)[2], mac)


def bits_flipped(mac: str) -> list[str]:
    """The MAC in every form in which one bit of it differs."""
    raw = base64.b32decode(mac.upper() + "=" * (-len(mac) % 8))
    flipped = []
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << (bit % 8)
        flipped.append(base64.b32encode(bytes(changed)).decode().rstrip("=").lower())
    return flipped


@given(tickets)
def test_a_message_id_of_ours_leads_back_to_its_ticket(ticket_id: int) -> None:
    assert ticket_of(KEY, make_message_id(KEY, ticket_id, DOMAIN)) == ticket_id


def test_two_mails_of_one_ticket_have_different_message_ids() -> None:
    made = {make_message_id(KEY, 7, DOMAIN) for _ in range(500)}
    assert len(made) == 500


def test_a_message_id_is_one_that_any_mail_program_repeats_unchanged() -> None:
    made = make_message_id(KEY, 10**17, DOMAIN)
    assert re.fullmatch(r"<[a-z0-9.]+@[a-z0-9.]+>", made)
    assert len(made) < 100


def test_t02_a_mac_with_any_one_bit_flipped_is_refused() -> None:
    made = make_message_id(KEY, 42, DOMAIN)
    forgeries = bits_flipped(parts(made)[2])
    assert len(set(forgeries)) == MAC_BYTES * 8 >= 80
    assert [mac for mac in forgeries if ticket_of(KEY, with_mac(made, mac)) is not None] == []


def test_t02_a_mac_of_one_ticket_opens_no_other() -> None:
    made = make_message_id(KEY, 42, DOMAIN)
    others = [made.replace("t.42.", f"t.{number}.") for number in range(1, 10_001) if number != 42]
    assert [other for other in others if ticket_of(KEY, other) is not None] == []


@given(tickets, tickets)
def test_the_mac_of_a_mail_belongs_to_its_nonce(ticket_id: int, other: int) -> None:
    first, second = make_message_id(KEY, ticket_id, DOMAIN), make_message_id(KEY, other, DOMAIN)
    assert ticket_of(KEY, with_mac(first, parts(second)[2])) is None


def test_another_key_opens_nothing() -> None:
    assert ticket_of(KEY + "x", make_message_id(KEY, 42, DOMAIN)) is None


@pytest.mark.parametrize(
    "shape",
    [
        "",
        "{id}",
        " <{id}>",
        "<{id}>\n",
        "<{id}> ",
        "<{id}><{id}>",
        "<<{id}>>",
        "<{id}@evil.example>",
        "<x.{id}>",
        "<T{rest}>",
        "<t.{ticket}.{nonce}.{mac}>",
        "<t.{ticket}.{nonce}.@d.example>",
        "<t.{ticket}.{nonce}@d.example>",
        "<t.{ticket}..{mac}@d.example>",
        "<t..{nonce}.{mac}@d.example>",
        "<t.-{ticket}.{nonce}.{mac}@d.example>",
        "<t.{ticket}.{nonce}.{mac}=@d.example>",
        "<t.{ticket}.{nonce}.{mac}a@d.example>",
        "<t.{ticket}.{nonce}.{short}@d.example>",
        "<t.{ticket}.{nonce}.{upper}@d.example>",
        "<t.{ticket}.{nonce}.{mac}@>",
        "<t.{ticket}.{nonce}.{mac}@d.exa\nmple>",
        "<t.{ticket}.{nonce}.{mac}@d\x00.example\r\n>",
        "<t.{ticket} .{nonce}.{mac}@d.example>",
        "<t.٤٢.{nonce}.{mac}@d.example>",
        "<t.{ticket}.{nonce}.ñ{short}@d.example>",
        "<t.99999999999999999999999999.{nonce}.{mac}@d.example>",
        "<t.{ticket}.{nonce}.{mac}@{long}>",
    ],
)
def test_what_only_looks_like_one_of_ours_is_refused(shape: str) -> None:
    made = make_message_id(KEY, 42, DOMAIN)
    ticket, nonce, mac = parts(made)
    forged = shape.format(
        id=made.strip("<>"),
        rest=made.strip("<>")[1:],
        ticket=ticket,
        nonce=nonce,
        mac=mac,
        short=mac[:-1],
        upper=mac.upper(),
        long="d" * 10_000,
    )
    assert ticket_of(KEY, forged) is None


@given(st.text(max_size=400))
def test_no_text_from_outside_is_taken_for_ours_or_stops_the_reading(text: str) -> None:
    assert ticket_of(KEY, text) is None
    assert ticket_of(KEY, f"<t.1.{text}@example.com>") is None


def test_tickets_are_named_nearest_first_and_once() -> None:
    first, second = make_message_id(KEY, 1, DOMAIN), make_message_id(KEY, 2, DOMAIN)
    again = make_message_id(KEY, 2, DOMAIN)
    assert list(named_tickets(KEY, [second, "<foreign@example.com>", first, again]).tickets) == [2, 1]
    assert list(named_tickets(KEY, []).tickets) == []


def test_t14_only_the_first_twenty_ids_of_a_mail_are_read() -> None:
    foreign = [f"<{number}@example.com>" for number in range(REFERENCES_READ)]
    ours = make_message_id(KEY, 5, DOMAIN)
    assert list(named_tickets(KEY, [*foreign[1:], ours]).tickets) == [5]
    assert list(named_tickets(KEY, [*foreign, ours]).tickets) == []


def test_a_plus_address_names_the_ticket_of_its_message_id_in_any_case() -> None:
    address = plus_address(make_message_id(KEY, 42, DOMAIN), "consultas@example.com")
    assert address is not None
    assert address.startswith("consultas+t.42.")
    assert named_tickets(KEY, [], [address, address.upper()]).tickets == (42,)
    assert named_tickets(KEY, [], [address.replace("+t.42.", "+t.43.")]).forged == 1


def test_a_plus_address_that_would_be_too_long_is_none() -> None:
    assert plus_address(make_message_id(KEY, 42, DOMAIN), f"{'c' * 40}@example.com") is None


def test_a_forked_process_gives_out_nonces_of_its_own() -> None:
    make_message_id(KEY, 1, DOMAIN)  # the parent has drawn
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, make_message_id(KEY, 1, DOMAIN).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read().decode()
    assert theirs != make_message_id(KEY, 1, DOMAIN)
