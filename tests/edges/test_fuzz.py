"""G08: mails damaged at random. Nothing may leave the parser's child, and every one ends as ticket or set aside."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from sqlalchemy import func, select

from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import Address, ParsedAttachment, ParsedMail
from helpdesk.mail.sandbox import ParserProcess
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.edges.conftest import process, wait_for
from tests.fuzz.checks import faults, reads_naively
from tests.fuzz.mutate import LARGE_EVERY, mutant
from tests.fuzz.run import Fault, keep, run, total
from tests.fuzz.seeds import load_seeds

SEED = 20261123
MAILS = 10_000
PARTS = 5  # the tests run on several cores
WORST = 150
LOOKED_AT = 1_500


def small_mutants(count: int) -> list[bytes]:
    """The first damaged mails that are not among the large ones."""
    seeds = load_seeds()
    indexes = (index for index in itertools.count() if index % LARGE_EVERY)
    return [mutant(seeds, SEED, index) for index in itertools.islice(indexes, count)]


def waiting(desk: Desk) -> int:
    """How many of the worst mails are neither filed nor set aside yet."""
    with desk.sessions() as session:
        settled = select(func.count()).select_from(RawMail).where(RawMail.state != MailState.RECEIVED)
        return WORST - (session.scalar(settled) or 0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_G08_ten_thousand_damaged_mails_are_read_without_a_fault(part: int, tmp_path: Path) -> None:
    seen = total(run(MAILS // PARTS, SEED + part, jobs=1))
    assert seen.mails == MAILS // PARTS
    assert not [f"{fault.what}: {keep(tmp_path, fault)}" for fault in seen.faults]
    assert len(seen.defects) > 10, "the mails were hardly damaged at all"


@pytest.mark.timeout(900)
@pytest.mark.needs("dovecot")
def test_G08_the_worst_mails_all_end_as_ticket_or_set_aside(
    desk: Desk,
    mailbox: Mailbox,
    imap_server: Dovecot,
    user: str,
    settings: Settings,
    parser: ParserProcess,
) -> None:
    looked_at = sorted(set(small_mutants(LOOKED_AT)))
    worst = sorted(looked_at, key=lambda raw: len(parser.parse(raw).defects), reverse=True)[:WORST]
    imap_server.deliver(user, *worst)
    with process(["-m", "scheduler"], settings):
        left = WORST
        while left:
            # Half a minute for every next mail, however slow the machine is.
            wait_for(lambda left=left: waiting(desk) < left)
            left = waiting(desk)
    states = [row.state for row in desk.ledger()]
    assert len(states) == WORST
    assert set(states) <= {MailState.FILED, MailState.SET_ASIDE}
    messages = sum(len(ticket.messages) for ticket in desk.tickets())
    assert messages == states.count(MailState.FILED)


def test_the_same_numbers_make_the_same_mail() -> None:
    first, again = load_seeds(), load_seeds()
    numbers = range(300)
    assert [mutant(first, 7, number) for number in numbers] == [
        mutant(again, 7, number) for number in numbers
    ]
    assert len({mutant(first, 7, number) for number in numbers}) > 250


def test_a_careless_reader_raises_on_the_same_mails() -> None:
    mails = small_mutants(LOOKED_AT)
    raised = sum(not reads_naively(raw) for raw in mails)
    assert raised / len(mails) > 0.005


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (ParsedMail(text="a\x00b"), "NUL in a string"),
        (ParsedMail(new_text="a\ud800b"), "no JSON"),
        (ParsedMail(subject="a\nb"), "must be one line"),
        (ParsedMail(subject="a" * 999), "subject is 999 long"),
        (ParsedMail(html="<script>x</script>"), "cleaning the clean HTML"),
        (ParsedMail(defects=("parser-error-keyerror",)), "parser-error"),
        (ParsedMail(to=(Address("", "nadie"),)), "an address that is none"),
        (
            ParsedMail(attachments=(ParsedAttachment("../a", "x/y", 0, "", False, None, b""),)),
            "leads elsewhere",
        ),
        (ParsedMail(attachments=(ParsedAttachment("a", "x/y", 1, "", False, None, b""),)), "a file's size"),
    ],
)
def test_the_checks_see_a_broken_result(broken: ParsedMail, said: str) -> None:
    assert any(said in fault for fault in faults(broken))


def test_the_checks_find_nothing_wrong_with_a_good_result() -> None:
    assert not [fault for raw in load_seeds() for fault in faults(parse(raw))]


def test_a_fault_is_kept_as_the_mail_that_causes_it(tmp_path: Path) -> None:
    path = keep(tmp_path, Fault(SEED, 5, "said"))
    assert path.name == f"fuzz-{SEED}-5.eml"
    assert path.read_bytes() == mutant(load_seeds(), SEED, 5)
