"""A hundred thousand attempts to get into somebody's ticket: none succeeds (T01–T03, T14, G18).

Each is a parsed mail put to the very decision that filing makes, with what it names looked up in a real database;
some hundreds of every kind go the whole way through the parser and the ledger besides.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from sqlalchemy import func, select

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.message import Message
from helpdesk.desk.threading import find_thread, look_up
from helpdesk.desk.ticket import Participant, Ticket
from helpdesk.mail.parsed import Address, ParsedMail
from helpdesk.mail.tokens import make_message_id, plus_address
from tests.core.test_filing import answer
from tests.desk import Desk
from tests.mails import mail

ATTEMPTS = 100_000
AT_ONCE = 500
WHOLE_WAY = 300
DESK = "consultas@infomigra.example.com"
OWNER = Address("Rosario Mamani", "rosario@example.com")
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"

Forgery = Callable[[random.Random, "Target"], ParsedMail]


class Target:
    """The ticket that everybody wants to get into: its number, and a token that was really sent."""

    def __init__(self, number: str, ours: str, first: str) -> None:
        self.number, self.ours, self.first = number, ours, first


def stranger(chance: random.Random) -> Address:
    """Anybody but the owner; some look like him."""
    looks = (
        "rosario@example.com.evil.example",
        "rosario@examp1e.com",
        "rosarlo@example.com",
        "rosario@example.co",
        "rosario+x@example.com",
        f"x{chance.randrange(10**9)}@evil.example",
    )
    return Address("Rosario Mamani <rosario@example.com>", chance.choice(looks))


def flipped(chance: random.Random, ours: str) -> str:
    """One character of the token's ticket, nonce or MAC changed."""
    head, _, domain = ours.partition("@")
    place = chance.randrange(len("<t."), len(head))
    old = head[place]
    digits = "0123456789" if old.isdigit() and head[:place].count(".") == 1 else BASE32
    new = chance.choice([letter for letter in digits if letter != old]) if old != "." else "-"
    return f"{head[:place]}{new}{head[place + 1 :]}@{domain}"


def flipped_token_by_its_owner(chance: random.Random, target: Target) -> ParsedMail:
    return ParsedMail(sender=(OWNER,), in_reply_to=(flipped(chance, target.ours),))


def flipped_plus_address_by_its_owner(chance: random.Random, target: Target) -> ParsedMail:
    address = plus_address(flipped(chance, target.ours), DESK) or DESK
    return ParsedMail(sender=(OWNER,), to=(Address("", address),))


def good_token_by_a_stranger(chance: random.Random, target: Target) -> ParsedMail:
    return ParsedMail(sender=(stranger(chance),), in_reply_to=(target.ours,), references=(target.ours,))


def good_plus_address_by_a_stranger(chance: random.Random, target: Target) -> ParsedMail:
    address = plus_address(target.ours, DESK)
    assert address is not None
    return ParsedMail(sender=(stranger(chance),), to=(Address("", address),))


def number_in_the_subject_by_a_stranger(chance: random.Random, target: Target) -> ParsedMail:
    shapes = ("[{}]", "Re: [{}] Retorno", "RV: {}", "{}{}", "#{}", "[{}] cerrar", "\u202e{}", "Fwd: {} {}")
    subject = chance.choice(shapes).replace("{}", target.number)
    return ParsedMail(sender=(stranger(chance),), subject=subject)


def guessed_number_by_its_owner(chance: random.Random, target: Target) -> ParsedMail:
    """Another ticket's number, or none's: the owner is on neither."""
    year, number = target.number.split("-")[1:]
    wrong = f"PI-{year}-{(int(number) + chance.randrange(1, 10**6)) % 10**6:06d}"
    return ParsedMail(sender=(OWNER,), subject=f"[{wrong}]")


def reference_by_a_stranger(chance: random.Random, target: Target) -> ParsedMail:
    return ParsedMail(sender=(stranger(chance),), references=(f"<{chance.random()}@x>", target.first))


def made_with_another_key(chance: random.Random, target: Target) -> ParsedMail:
    forged = make_message_id(f"k{chance.random()}" * 4, 1, "infomigra.example.com")
    return ParsedMail(sender=(OWNER,), in_reply_to=(forged,))


def nobody_with_a_good_token(_: random.Random, target: Target) -> ParsedMail:
    return ParsedMail(sender=(), in_reply_to=(target.ours,), subject=f"[{target.number}]")


FORGERIES: tuple[Forgery, ...] = (
    flipped_token_by_its_owner,
    flipped_plus_address_by_its_owner,
    good_token_by_a_stranger,
    good_plus_address_by_a_stranger,
    number_in_the_subject_by_a_stranger,
    guessed_number_by_its_owner,
    reference_by_a_stranger,
    made_with_another_key,
    nobody_with_a_good_token,
)


@pytest.fixture
def target(desk: Desk, ana: User) -> Target:
    """A ticket with an answer that left, and another person's ticket beside it."""
    desk.file(mail(message_id="<first@example.com>"), mail("De otra.", sender="otra@example.net"))
    return Target(desk.tickets()[0].number, answer(desk, ana), "<first@example.com>")


def attempts(target: Target, count: int) -> Iterator[ParsedMail]:
    """Forgeries of every kind in turn."""
    chance = random.Random(20261123)
    for number in range(count):
        yield FORGERIES[number % len(FORGERIES)](chance, target)


def test_100000_forged_joins_get_into_no_ticket(desk: Desk, target: Target) -> None:
    every = attempts(target, ATTEMPTS)
    tried = named = 0
    with desk.sessions() as session:
        while batch := dict(enumerate(islice(every, AT_ONCE))):
            known = look_up(session, batch, desk.settings.key)
            for row, forged in batch.items():
                sender = forged.sender[0].address if forged.sender else None
                thread = find_thread(known, row, forged, sender=sender)
                assert thread.ticket is None, forged
                named += thread.review_of is not None
                tried += 1
    assert tried == ATTEMPTS
    assert named > ATTEMPTS / 3, "those that name the ticket rightly are shown to an agent"


def test_the_same_decision_lets_the_owner_in(desk: Desk, target: Target) -> None:
    honest = {
        0: ParsedMail(sender=(OWNER,), in_reply_to=(target.ours,)),
        1: ParsedMail(sender=(OWNER,), subject=f"Re: [{target.number}]"),
        2: ParsedMail(sender=(OWNER,), references=(target.first,)),
        3: ParsedMail(sender=(OWNER,), to=(Address("", str(plus_address(target.ours, DESK))),)),
    }
    with desk.sessions() as session:
        known = look_up(session, honest, desk.settings.key)
        for row, written in honest.items():
            assert find_thread(known, row, written, sender=OWNER.address).ticket is not None


def test_forged_joins_through_the_whole_intake_add_no_message_and_no_participant(
    desk: Desk, target: Target
) -> None:
    with desk.sessions() as session:
        before = session.scalar(select(func.count()).select_from(Message).where(Message.ticket_id == 1))
    raws = []
    for number, forged in enumerate(attempts(target, WHOLE_WAY)):
        sender = f"{forged.sender[0].address}" if forged.sender else None
        built = mail(
            f"Intento {number}",
            sender=sender,
            subject=forged.subject or "Hola",
            to=forged.to[0].address if forged.to else DESK,
            reply_to_id=(forged.in_reply_to or forged.references or (None,))[-1],
        )
        raws.append(built)
    desk.file(*raws)
    with desk.sessions() as session:
        after = session.scalar(select(func.count()).select_from(Message).where(Message.ticket_id == 1))
        assert after == before
        assert session.scalars(select(Participant)).all() == []
        first = session.get_one(Ticket, 1)
        assert first.updated_at < utc_now()
        named = select(func.count()).select_from(Ticket).where(Ticket.review_of_id == first.id)
        assert (session.scalar(named) or 0) > WHOLE_WAY / 4
