"""Two hundred kills of the worker: nothing lost, nothing doubled (I-1, I-2, I-3)."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from classifier import Text
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.message import Message
from helpdesk.desk.sorting import Sorter
from helpdesk.mail.imap import KEYWORD
from helpdesk.mail.parse import parse
from helpdesk.settings import Settings
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.edges import kills
from tests.mails import mail

pytestmark = pytest.mark.needs("dovecot")

KILLS = 200


@pytest.mark.timeout(600)
def test_200_kills_lose_and_double_nothing(
    desk: Desk,
    mailbox: Mailbox,
    imap_server: Dovecot,
    user: str,
    settings: Settings,
    sorter: Sorter,
) -> None:
    # A killed worker's lease must end before the next round; a mail may meet more than three kills here.
    hurried = settings.model_copy(update={"lease_s": 0.05, "filing_attempts": 1000})
    parse(mail())  # the libraries are loaded before the first fork
    sorter.predict([Text("", "hola")])
    target = kills.Target(hurried, mailbox.id, sorter)
    outcome = kills.run(target, imap_server, user, kills=KILLS, seed=20261123)
    assert sum(outcome.killed.values()) == KILLS
    assert all(outcome.killed.values()), f"every place was hit: {outcome.killed}"

    with desk.sessions() as session:
        inbound = Counter(session.scalars(select(Message.message_id).where(Message.direction == "inbound")))
    assert set(inbound) == set(outcome.delivered), "every mail is on a ticket"
    assert set(inbound.values()) == {1}, "and on one only"

    rows = desk.ledger()
    person = imap_server.client(user)
    on_server = {
        (person.folder_status("INBOX", ["UIDVALIDITY"])[b"UIDVALIDITY"], uid) for uid in person.search("ALL")
    }
    assert {(row.uidvalidity, row.uid) for row in rows} == on_server, "the ledger is the mailbox"
    assert {row.state for row in rows} == {MailState.FILED}
    assert all(KEYWORD in flags for flags in person.get_flags(person.search("ALL")).values())
    notices = Counter(row.ticket_id for row in desk.outgoing())
    assert set(notices.values()) == {1}, "one acknowledgement for each ticket"
    assert len(notices) == len(outcome.delivered)
