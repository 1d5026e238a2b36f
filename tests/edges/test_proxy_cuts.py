"""F09: the line to the mailbox breaks all along a large mail, three ways; nothing is ever half stored.

At every fifth kilobyte; HELPDESK_CUT_STEP_KB=1 makes it every one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select

from helpdesk.db import Sessions, utc_now
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.mailbox import Mailbox, add_mailbox
from helpdesk.desk.receive import receive
from helpdesk.errors import MailboxError, MailboxUnreachable
from helpdesk.mail.imap import ImapAccount, open_folder
from tests.desk import Desk
from tests.dovecot import PASSWORD, Dovecot
from tests.mails import mail
from tests.proxy import Fault, Kind, bad_line

pytestmark = [pytest.mark.needs("dovecot"), pytest.mark.timeout(600)]

KILOBYTE = 1024
STEP_KB = int(os.environ.get("HELPDESK_CUT_STEP_KB", "5"))
READ_TIMEOUT_S = 0.2
# A stall costs its time-outs, so many lines break at once; each of these people has a mailbox of his own.
PEOPLE = 24
# After so many broken polls one gets through, and has to bring everything.
CUTS_UNTIL_CHECKED = 40
BREAKS = (Kind.RST, Kind.FIN, Kind.STALL)
MAILS = (
    mail("La primera, corta.", message_id="<first@example.com>"),
    mail("La grande.", message_id="<large@example.com>", attachments=1, attachment_bytes=760_000),
    mail("La última, corta.", message_id="<last@example.com>"),
)
HASHES = [hashlib.sha256(raw).hexdigest() for raw in MAILS]


@dataclass
class Person:
    """Somebody's mailbox with the three mails in it, and a fresh row for it whenever it was read to the end."""

    sessions: Sessions
    password_file: Path
    server: Dovecot
    name: str

    def __post_init__(self) -> None:
        self.server.deliver(self.name, *MAILS)
        self.row = self.fresh_row()

    def fresh_row(self) -> Mailbox:
        """A mailbox that was never read."""
        with self.sessions.begin() as session:
            return add_mailbox(
                session,
                name=f"{self.name}-{os.urandom(4).hex()}",
                host="127.0.0.1",
                port=self.server.port,
                username=self.name,
                password_file=self.password_file,
                tls=False,
            )

    def poll(self, fault: Fault, read_timeout_s: float = READ_TIMEOUT_S) -> int:
        """Receive over a bad line. Returns how many bytes the server got through."""
        with bad_line(self.server.port, fault) as line:
            account = dataclasses.replace(self.row.account(), port=line.port, read_timeout_s=read_timeout_s)
            try:
                self.receive(account)
            finally:
                passed = line.passed
        return passed

    def receive(self, account: ImapAccount) -> int:
        """What a poll does first."""
        with open_folder(account) as imap:
            return receive(self.sessions, self.row, imap, now=utc_now(), max_bytes=25_000_000)

    def stored(self) -> list[str]:
        """The hashes of what the ledger holds, of the bytes themselves."""
        with self.sessions() as session:
            query = select(RawMail.raw, RawMail.sha256).where(RawMail.mailbox_id == self.row.id)
            rows = session.execute(query.order_by(RawMail.uid)).all()
        hashes = [hashlib.sha256(raw or b"").hexdigest() for raw, _ in rows]
        assert hashes == [sha256 for _, sha256 in rows]
        return hashes

    def survive(self, faults: list[Fault]) -> int:
        """Poll over one broken line after the other; now and then over a good one. Returns how many broke."""
        broken = 0
        for number, fault in enumerate(faults, 1):
            try:
                self.poll(fault)
            except MailboxUnreachable:
                broken += 1
            assert self.stored() in ([], HASHES), fault
            if number % CUTS_UNTIL_CHECKED == 0 or number == len(faults) or self.stored():
                self.poll(Fault(), read_timeout_s=10)
                assert self.stored() == HASHES, fault
                self.row = self.fresh_row()
        return broken


@pytest.fixture
def people(desk: Desk, imap_server: Dovecot, tmp_path: Path) -> list[Person]:
    """People with the same three mails."""
    secret = tmp_path / "imap-password"
    secret.write_text(PASSWORD)
    names = [f"cut{os.urandom(4).hex()}" for _ in range(PEOPLE)]
    return [Person(desk.sessions, secret, imap_server, name) for name in names]


def all_survive(people: list[Person], faults: list[Fault]) -> int:
    """Everybody takes his share. Returns how many polls broke."""
    shares = [faults[number :: len(people)] for number in range(len(people))]
    with ThreadPoolExecutor(len(people)) as pool:
        return sum(pool.map(lambda pair: pair[0].survive(pair[1]), zip(people, shares, strict=True)))


def test_F09_a_line_that_breaks_at_any_kilobyte_leaves_nothing_half_stored(people: list[Person]) -> None:
    length = people[0].poll(Fault(), read_timeout_s=10)
    assert length > 1_000 * KILOBYTE
    people[0].row = people[0].fresh_row()
    faults = [Fault(kind, after) for after, kind in product(range(0, length, STEP_KB * KILOBYTE), BREAKS)]
    assert len(faults) >= 3_000 // STEP_KB
    broken = all_survive(people, faults)
    assert broken >= len(faults) - 3 * len(BREAKS), "only the goodbye may break unnoticed"


def test_F09_a_line_that_breaks_while_we_sign_in_is_never_taken_for_a_wrong_password(
    people: list[Person],
) -> None:
    faults = [Fault(kind, after) for after, kind in product(range(0, 2 * KILOBYTE, 64), BREAKS)]
    assert all_survive(people, faults) == len(faults)


def test_a_slow_line_brings_everything(people: list[Person]) -> None:
    people[0].poll(Fault(delay_s=0.02), read_timeout_s=10)
    assert people[0].stored() == HASHES


def test_a_garbled_line_ends_in_a_sentence_of_ours_or_in_whole_mails(people: list[Person]) -> None:
    person = people[0]
    for after in range(0, 2 * KILOBYTE, 48):
        with suppress(MailboxError):
            person.poll(Fault(Kind.CORRUPT, after))
        assert len(person.stored()) in (0, len(MAILS))
        person.row = person.fresh_row()
