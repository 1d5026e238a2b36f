"""Three ways to write it that look right, and lose or double mail. The harness must turn red on each.

They are here to prove that the harness can see: a run that has never failed proves nothing. They are written
with plain clients and plain SQL, as somebody in a hurry would.
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imapclient import IMAPClient
from sqlalchemy import text

from helpdesk import failpoints
from helpdesk.db import utc_now
from helpdesk.desk import ledger
from helpdesk.desk.filing import Filer
from helpdesk.desk.ledger import Folder
from helpdesk.desk.mailbox import Mailbox
from helpdesk.mail.imap import FetchedMail
from tests.chaos.worker import Tools, Way

FLAG = b"$Naive"


class Inbox:
    """An open INBOX and the ledger's folder for it."""

    def __init__(self, client: IMAPClient, tools: Tools, mailbox_id: int) -> None:
        self.client = client
        self._tools = tools
        validity = client.select_folder("INBOX")[b"UIDVALIDITY"]
        self._folder = Folder(mailbox_id, "INBOX", int(validity))

    def fetch(self, uid: int, what: str, key: bytes) -> FetchedMail:
        """One mail."""
        raw = self.client.fetch([uid], [what])[uid][key]
        failpoints.hit("after-fetch")
        return FetchedMail(uid, len(raw), utc_now(), raw)

    def store(self, mail: FetchedMail) -> None:
        """Into the ledger; filing is the product's own."""
        with self._tools.sessions.begin() as session:
            ledger.enter(session, self._folder, [mail], utc_now())
        failpoints.hit("after-raw-commit")


@contextmanager
def open_inbox(tools: Tools, mailbox_id: int) -> Iterator[Inbox]:
    """Log in and select."""
    with tools.sessions() as session:
        mailbox = session.get_one(Mailbox, mailbox_id)
    with IMAPClient(mailbox.host, port=mailbox.port, ssl=False) as client:
        client.login(mailbox.username, Path(mailbox.password_file).read_text())
        yield Inbox(client, tools, mailbox_id)


def read_marks(tools: Tools, _filer: Filer, mailbox_id: int) -> int:
    """Fetch what is unseen by RFC822. Fetching marks it as seen, so what dies in our hands is never seen again."""
    with open_inbox(tools, mailbox_id) as inbox:
        unseen = inbox.client.search(["UNSEEN"])
        for uid in unseen:
            inbox.store(inbox.fetch(uid, "RFC822", b"RFC822"))
    return len(unseen)


def no_key(tools: Tools, _filer: Filer, mailbox_id: int) -> int:
    """Peek, store, then set a flag; no unique key in the ledger. What dies before the flag is stored twice."""
    with open_inbox(tools, mailbox_id) as inbox:
        new = inbox.client.search([b"UNKEYWORD", FLAG])
        for uid in new:
            inbox.store(inbox.fetch(uid, "BODY.PEEK[]", b"BODY[]"))
            inbox.client.add_flags([uid], [FLAG], silent=True)
    return len(new)


TAKE = """
    update outgoing set state = 'sent', sent_at = now() where id = (
        select id from outgoing where state = 'ready' and send_at <= now()
        order by id limit 1 for update skip locked
    ) returning id, envelope_from, recipient, content
"""
PUT_BACK = "update outgoing set state = 'ready' where id = :id"


def mark_first(tools: Tools) -> int:
    """Write down that a mail is sent, then send it. What dies in between is never sent."""
    sent = 0
    while True:
        with tools.sessions.begin() as session:
            row = session.execute(text(TAKE)).one_or_none()
        if row is None:
            return sent
        failpoints.hit("after-claim")
        try:
            with smtplib.SMTP(tools.server.host, tools.server.port) as client:
                client.sendmail(row.envelope_from, [row.recipient], row.content)
        except (smtplib.SMTPException, OSError):
            with tools.sessions.begin() as session:
                session.execute(text(PUT_BACK), {"id": row.id})
            return sent
        failpoints.hit("after-send")
        sent += 1


WITHOUT_KEY = "alter table raw_mail drop constraint uq_raw_mail_mailbox_id_folder_uidvalidity_uid"

WAYS = {
    "ours": Way(),
    "read-marks": Way(poll=read_marks, copies=False),
    "no-key": Way(poll=no_key, before=WITHOUT_KEY, copies=False),
    "mark-first": Way(send=mark_first),
}
