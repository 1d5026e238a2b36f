"""What must be true, looked at from outside: the mailbox by a person's own connection, the sink's log, plain SQL.

Each check answers a list of sentences, one for each violation, that begin with the invariant's name:
I-1 conservation · I-2 no doubles · I-3 durable before marked · I-4 the ledger is the watermark ·
I-5 one reply for each click · I-6 each mail sent at least once, always the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imapclient import IMAPClient
from sqlalchemy import text

from helpdesk.mail.imap import KEYWORD
from tests.chaos.people import People
from tests.chaos.stage import Stage

OUTCOMES = ("filed", "duplicate", "set_aside")


@dataclass(frozen=True)
class Box:
    """One mailbox, and a person who looks into it with a mail program."""

    mailbox_id: int
    person: IMAPClient


def ask(stage: Stage, question: str, **given: object) -> list[Any]:
    """Rows of the database as it is now."""
    with stage.sessions() as session:
        return [tuple(row) for row in session.execute(text(question), given)]


def listed(what: str, found: Iterable[object]) -> list[str]:
    """One sentence for what was found, if anything was."""
    names = sorted(str(item) for item in found)
    return [f"{what}: {len(names)}, such as {names[0]}"] if names else []


def while_running(stage: Stage, box: Box) -> list[str]:
    """What holds at every instant, workers dying or not (I-3, I-4). The order of the looks matters."""
    box.person.select_folder("INBOX", readonly=True)
    marked = set(box.person.search([b"KEYWORD", KEYWORD]))
    rows = ledger_of(stage, box, "INBOX")
    there = set(box.person.search(["ALL"]))
    decided = {uid for _, uid, state in rows if state in OUTCOMES}
    known = {uid for _, uid, _ in rows}
    below = {uid for uid in there if uid <= max(known, default=0)}
    return [
        *listed("I-3 marked on the server before its outcome was committed", marked - decided),
        *listed("I-4 missing below the ledger's highest UID", below - known),
    ]


def ledger_of(stage: Stage, box: Box, folder: str) -> list[tuple[int, int, str]]:
    """UIDVALIDITY, UID and state of the ledger's rows of a folder."""
    query = "select uidvalidity, uid, state from raw_mail where mailbox_id = :id and folder = :folder"
    return ask(stage, query, id=box.mailbox_id, folder=folder)


def the_ledger_is_the_mailbox(stage: Stage, box: Box) -> list[str]:
    """I-1, I-2: the server's messages and the ledger's rows are the same set, and none is there twice."""
    found = []
    for folder in ("INBOX", "Sent"):
        validity = box.person.select_folder(folder, readonly=True)[b"UIDVALIDITY"]
        on_server = {(validity, uid) for uid in box.person.search(["ALL"])}
        rows = Counter((validity, uid) for validity, uid, _ in ledger_of(stage, box, folder))
        found += [
            *listed("I-1 on the server, not in the ledger", on_server - set(rows)),
            *listed("I-1 in the ledger, not on the server", set(rows) - on_server),
            *listed("I-2 more than one ledger row for a UID", (uid for uid, n in rows.items() if n > 1)),
        ]
    return found


def copies_in_the_sent_folder(box: Box) -> Counter[str]:
    """How often each Message-ID is in the Sent folder."""
    box.person.select_folder("Sent", readonly=True)
    fetched = box.person.fetch(box.person.search(["ALL"]), ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"])
    headers = (next(given[key] for key in given if key.startswith(b"BODY")) for given in fetched.values())
    return Counter(header.decode().split()[-1] for header in headers)


def sent_mail_is_in_the_sent_folder(stage: Stage, box: Box) -> list[str]:
    """What an agent wrote and the server took is in the Sent folder; automatic notices are not.

    A second copy there is possible (`report.py` counts them): it is searched for before it is put there, but
    nothing but the mailbox's lease stops another worker between the search and the copy.
    """
    copies = copies_in_the_sent_folder(box)
    query = """
        select message_id from outgoing where state = 'sent' and not notice
        and sent_at > (select created_at from mailbox where id = :id)
    """
    sent = {message_id for (message_id,) in ask(stage, query, id=box.mailbox_id)}
    return [
        *listed("I-6 sent, and not in the Sent folder", sent - set(copies)),
        *listed("I-6 in the Sent folder, never sent", set(copies) - sent),
    ]


def every_row_has_one_outcome(stage: Stage) -> list[str]:
    """I-1, I-2: a filed row has one message, any other none; nothing is left undecided or unmarked."""
    query = """
        select raw_mail.id, state, count(message.id), marked_at is not null from raw_mail
        left join message on message.raw_mail_id = raw_mail.id group by raw_mail.id
    """
    rows = ask(stage, query)
    return [
        *listed("I-1 without an outcome", (row for row, state, _, _ in rows if state not in OUTCOMES)),
        *listed("I-1 filed without a message", (r for r, s, n, _ in rows if s == "filed" and n == 0)),
        *listed("I-2 filed as two messages", (r for r, _, n, _ in rows if n > 1)),
        *listed("I-2 not filed, and a message", (r for r, s, n, _ in rows if s != "filed" and n)),
        *listed("I-3 filed and never marked", (r for r, s, _, done in rows if s == "filed" and not done)),
    ]


def every_mail_is_on_one_ticket(stage: Stage, people: People) -> list[str]:
    """I-1, I-2: each delivered Message-ID is on one ticket, an answer on the ticket of the mail it answers."""
    query = "select message_id, ticket_id from message where direction = 'inbound'"
    tickets = defaultdict(list)
    for message_id, ticket in ask(stage, query):
        tickets[message_id].append(ticket)
    ours = dict(ask(stage, "select message_id, ticket_id from outgoing"))
    good = {message_id for message_id, expected in people.delivered.items() if not expected.bad}
    strayed = [
        message_id
        for message_id, expected in people.delivered.items()
        if expected.answers and tickets[message_id] not in ([], [ours.get(expected.answers)])
    ]
    return [
        *listed("I-1 delivered, on no ticket", (one for one in good if not tickets[one])),
        *listed(
            "I-1 a bad mail is on a ticket",
            (one for one in people.delivered if one not in good and tickets[one]),
        ),
        *listed("I-1 on a ticket, never delivered", set(tickets) - set(people.delivered)),
        *listed("I-2 delivered once, on tickets twice", (one for one in good if len(tickets[one]) > 1)),
        *listed("I-2 an answer is not on its ticket", strayed),
    ]


def copies_are_duplicates(stage: Stage, people: People) -> list[str]:
    """I-1: of mails that came with the very same bytes, one is filed; bad ones are set aside."""
    counts = dict(outcomes(stage))
    bad = sum(expected.bad for expected in people.delivered.values())
    wanted = {"filed": len(people.delivered) - bad, "duplicate": people.copies, "set_aside": bad}
    got = {state: counts.get(state, 0) for state in OUTCOMES}
    return [] if got == {**got, **wanted} else [f"I-1 outcomes are {got}, not {wanted}"]


def outcomes(stage: Stage) -> list[tuple[str, int]]:
    """How many mails of the mailbox came to which end."""
    return ask(stage, "select state, count(*) from raw_mail where not sent group by state order by state")


def one_reply_for_each_click(stage: Stage, people: People) -> list[str]:
    """I-5: one row for each key, one acknowledgement for each ticket that a citizen opened."""
    rows = ask(stage, "select idempotency_key, ticket_id, notice from outgoing")
    clicks = Counter((key, ticket) for key, ticket, notice in rows if not notice)
    notices = Counter(ticket for _, ticket, notice in rows if notice)
    return [
        *listed("I-5 clicked, not queued as one reply", set(people.clicks.items()) - set(clicks)),
        *listed("I-5 queued, never clicked", set(clicks) - set(people.clicks.items())),
        *listed("I-5 queued twice", (key for key, count in clicks.items() if count > 1)),
        *listed("I-5 acknowledged twice", (ticket for ticket, count in notices.items() if count > 1)),
    ]


def everything_was_sent(stage: Stage) -> list[str]:
    """I-6: each row reached the sink or is failed; all copies have the row's bytes; each copy has its claim."""
    copies = defaultdict(list)
    for arrival in stage.sink.look():
        if arrival.kept:
            copies[arrival.message_id, arrival.recipient].append(arrival.sha256)
    rows = {
        (message_id, recipient): (number, state, hashlib.sha256(content).hexdigest())
        for number, message_id, recipient, state, content in ask(
            stage, "select id, message_id, recipient, state, content from outgoing"
        )
    }
    allowed = explained_copies(stage)
    return [
        *listed(
            "I-6 never arrived", (key for key, row in rows.items() if row[1] != "failed" and not copies[key])
        ),
        *listed(
            "I-6 neither sent nor failed",
            (key for key, row in rows.items() if row[1] not in ("sent", "failed")),
        ),
        *listed("I-6 arrived, never queued", (key for key in copies if key not in rows)),
        *listed("I-6 copies differ", (key for key, row in rows.items() if {*copies[key]} - {row[2]})),
        *listed(
            "I-6 a copy that nothing explains", (k for k, r in rows.items() if len(copies[k]) > allowed[r[0]])
        ),
        *sent_is_final(stage),
    ]


def explained_copies(stage: Stage) -> Counter[object]:
    """How many copies of each outgoing mail there may be: one for each claim that came to the text of the mail.

    A hand-over that ended as `ready` was put off by the server, which kept nothing. Any other may have brought a
    copy: it was accepted, or its worker died, was late or was cut off after the text and before the settlement.
    """
    steps = ask(stage, "select outgoing_id, fence, state from chaos_journal order by step")
    handed = {(number, fence) for number, fence, state in steps if state == "handing"}
    ends = {(number, fence): state for number, fence, state in steps}
    return Counter(claim[0] for claim in handed if ends[claim] != "ready")


def sent_is_final(stage: Stage) -> list[str]:
    """I-6: what is settled as sent is never claimed again."""
    query = """
        select outgoing_id from chaos_journal later where state = 'handing' and exists (
            select from chaos_journal sent where sent.outgoing_id = later.outgoing_id
            and sent.state = 'sent' and sent.step < later.step)
    """
    return listed("I-6 sent, then claimed again", (row[0] for row in ask(stage, query)))


def at_rest(stage: Stage, people: People, box: Box) -> list[str]:
    """Everything that must hold when the work is done."""
    return [
        *while_running(stage, box),
        *the_ledger_is_the_mailbox(stage, box),
        *sent_mail_is_in_the_sent_folder(stage, box),
        *every_row_has_one_outcome(stage),
        *every_mail_is_on_one_ticket(stage, people),
        *copies_are_duplicates(stage, people),
        *one_reply_for_each_click(stage, people),
        *everything_was_sent(stage),
    ]
