"""What a mailbox's other folders are for: done mail where no keyword is kept, and the Sent folder, both ways."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpdesk.db import utc_now
from helpdesk.desk import intake
from helpdesk.desk.intake import Poll
from helpdesk.desk.lifecycle import OutgoingState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.mailbox_check import check
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.sent_copies import copy_sent, open_sent_folder
from helpdesk.mail.imap import open_folder
from tests import dovecot
from tests.desk import Desk
from tests.dovecot import Dovecot, Features
from tests.edges.conftest import connect
from tests.imap_script import Answer, Script, Talk, script
from tests.mails import mail

pytestmark = pytest.mark.needs("dovecot")


def poll(desk: Desk, mailbox: Mailbox) -> Poll:
    done = intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    assert done is not None
    assert done.error is None, done.error
    return done


def change(desk: Desk, mailbox: Mailbox, **values: object) -> None:
    with desk.sessions.begin() as session:
        row = session.get_one(Mailbox, mailbox.id)
        for name, value in values.items():
            setattr(row, name, value)


# How filed mail is shown


@pytest.fixture(scope="module", params=[True, False], ids=["with MOVE", "without MOVE"])
def poor_server(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    """A server that keeps no keywords, with or without MOVE."""
    root = Path(tempfile.mkdtemp(prefix="infomigra-dovecot-"))
    server = dovecot.start(root, Features(keywords=False, move_and_idle=request.param))
    yield server
    server.stop()
    shutil.rmtree(root, ignore_errors=True)


def test_without_keywords_filed_mail_is_moved_or_left_but_never_deleted(
    desk: Desk, poor_server: Dovecot, user: str
) -> None:
    mailbox = connect(desk, poor_server.port, user)
    poor_server.deliver(user, mail("Uno"), mail("Dos", sender="otra@example.com"))
    assert poll(desk, mailbox).marked == 2
    poor_server.deliver(user, mail("Tres", sender="tercera@example.com"))
    assert poll(desk, mailbox).marked == 1
    assert poll(desk, mailbox).received == 0
    person = poor_server.client(user)
    inbox = len(person.search("ALL"))
    if person.has_capability("MOVE"):
        person.select_folder("Infomigra.Procesados")
        assert (inbox, len(person.search("ALL"))) == (0, 3)
    else:
        assert inbox == 3
    poor_server.send_people_home()
    assert len(desk.tickets()) == 3
    said = " ".join(sentence for _, sentence in check(mailbox))
    assert "Infomigra.Procesados" in said or "only the ledger" in said


@pytest.mark.parametrize(
    ("namespace", "root", "name"),
    [
        (b'("INBOX." ".")', b'"." ""', b"INBOX.Infomigra.Procesados"),
        (b'("" "/")', b'"/" ""', b"Infomigra/Procesados"),
        (None, b'"\\\\" ""', b"Infomigra\\\\Procesados"),
        (None, b'NIL ""', b"Infomigra-Procesados"),
    ],
)
def test_the_folder_of_filed_mail_is_written_as_the_server_writes_folders(
    desk: Desk, namespace: bytes | None, root: bytes, name: bytes
) -> None:
    capability = b"* CAPABILITY IMAP4rev1 MOVE" + (b" NAMESPACE" if namespace else b"")
    answers: dict[str, Answer] = {
        "CAPABILITY": capability + b"\r\nOK done",
        "NAMESPACE": b"* NAMESPACE (%s) NIL NIL\r\nOK done" % (namespace or b""),
        "SELECT": b"* OK [UIDVALIDITY 7] x\r\n* OK [PERMANENTFLAGS (\\Seen)] x\r\nOK done",
        "LIST": lambda talk: list_answer(talk, root),
        "CREATE": b"OK done",
        "UID MOVE": b"OK done",
    }
    with script(answers) as server:
        mailbox = connect(desk, server.port, "u")
        with open_folder(mailbox.account()) as folder:
            assert folder.mark_done([1, 2]) == "moved"
        assert any(b'CREATE "%s"' % name in line for line in server.said), server.said
        assert any(b'MOVE 1,2 "%s"' % name in line for line in server.said)
        assert not any(b"EXPUNGE" in line or b"COPY" in line or b"Deleted" in line for line in server.said)


def list_answer(talk: Talk, root: bytes) -> None:
    if talk.line.split()[2:] == [b'""', b'""']:
        talk.say(b"* LIST (\\Noselect) " + root + b"\r\n")
    talk.done()


# Our copies in the Sent folder


def sent(
    desk: Desk,
    *,
    message_id: str = "<m1@infomigra.example.com>",
    recipients: tuple[str, ...] = ("p@example.com",),
) -> None:
    """Answers that left just now."""
    desk.file(mail("Consulta", sender="p@example.com"))
    with desk.sessions.begin() as session:
        for recipient in recipients:
            session.add(
                Outgoing(
                    ticket_id=desk.tickets()[0].id,
                    idempotency_key=message_id,
                    message_id=message_id,
                    envelope_from="consultas@infomigra.example.com",
                    recipient=recipient,
                    content=mail("Respuesta", message_id=message_id, subject="Re: Retorno"),
                    state=OutgoingState.SENT.value,
                    send_at=utc_now(),
                    created_at=utc_now(),
                    sent_at=utc_now(),
                )
            )


def in_sent(server: Dovecot, user: str, name: str = "Sent") -> list[bytes]:
    """The Message-IDs of a Sent folder, in order."""
    person = server.client(user)
    person.select_folder(name)
    uids = person.search("ALL")
    given = person.fetch(uids, ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]", "FLAGS"])
    assert all(b"\\Seen" in given[uid][b"FLAGS"] for uid in uids)
    return [given[uid][b"BODY[HEADER.FIELDS (MESSAGE-ID)]"].split()[1] for uid in uids]


def test_an_answer_that_left_is_copied_once_whatever_the_number_of_recipients(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    sent(desk, recipients=("a@example.com", "b@example.com"))
    assert poll(desk, mailbox).copied == 1
    assert poll(desk, mailbox).copied == 0
    assert in_sent(imap_server, user) == [b"<m1@infomigra.example.com>"]
    assert all(row.copied_at for row in desk.outgoing() if not row.notice)


def test_a_worker_that_died_between_the_copy_and_the_note_doubles_nothing(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    sent(desk)
    poll(desk, mailbox)
    with desk.sessions.begin() as session:
        for row in desk.outgoing():
            session.merge(row).copied_at = None
    assert poll(desk, mailbox).copied == 1
    assert len(in_sent(imap_server, user)) == 1


def test_notices_and_what_left_before_the_mailbox_was_added_are_not_copied(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    sent(desk)
    with desk.sessions.begin() as session:
        for row in desk.outgoing():
            mine = session.merge(row)
            mine.sent_at = utc_now() - dt.timedelta(days=1) if not mine.notice else utc_now()
            mine.state = OutgoingState.SENT.value
    assert poll(desk, mailbox).copied == 0
    assert in_sent(imap_server, user) == []


def test_with_two_mailboxes_the_copy_goes_to_the_one_it_was_sent_from(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    with desk.sessions.begin() as session:
        other = session.get_one(Mailbox, desk.mailbox_id)
        other.active, other.username = True, "consultas@infomigra.example.com"
    sent(desk)
    assert poll(desk, mailbox).copied == 0
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, desk.mailbox_id).active = False
    assert poll(desk, mailbox).copied == 1


# What people sent from elsewhere


def test_mail_that_people_sent_from_their_own_program_is_read_once_and_as_ours(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    person = imap_server.client(user)
    person.append(
        "Sent", mail("De ayer", message_id="<viejo@example.com>"), [], utc_now() - dt.timedelta(days=3)
    )
    person.append("Sent", mail("De hoy", message_id="<nuevo@example.com>"))
    assert poll(desk, mailbox).sent_read == 1
    assert poll(desk, mailbox).sent_read == 0
    person.append("Sent", mail("Otra", message_id="<otro@example.com>"))
    assert poll(desk, mailbox).sent_read == 1
    rows = [row for row in desk.ledger() if row.folder == "Sent"]
    assert [row.sent for row in rows] == [True, True]
    assert not any(row.sent for row in desk.ledger() if row.folder == "INBOX")


def test_a_mailbox_that_wants_no_sent_folder_has_none(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    change(desk, mailbox, sent_folder="")
    sent(desk)
    imap_server.client(user).append("Sent", mail("De hoy"))
    done = poll(desk, mailbox)
    assert (done.copied, done.sent_read) == (0, 0)


def test_the_sent_folder_that_was_named_is_used(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.client(user).create_folder("Respuestas")
    change(desk, mailbox, sent_folder="Respuestas")
    sent(desk)
    assert poll(desk, mailbox).copied == 1
    assert len(in_sent(imap_server, user, "Respuestas")) == 1


def test_a_sent_folder_that_is_gone_does_not_keep_mail_from_coming_in(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    mailbox.sent_folder = "No existe"
    change(desk, mailbox, sent_folder="No existe")
    imap_server.deliver(user, mail("Uno"))
    assert poll(desk, mailbox).filed.filed == 1
    assert any(not works and "No existe" in sentence for works, sentence in check(mailbox))


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([b'(\\HasNoChildren \\Sent) "/" "Gesendet"', b'() "/" Sent'], "Gesendet"),
        ([b'() "/" INBOX', b'() "/" "Elementos enviados"'], "Elementos enviados"),
        ([b'() "." INBOX', b'() "." INBOX.Sent', b'() "." INBOX.Viejo.Sent'], "INBOX.Sent"),
        ([b'() "/" "Enviados"', b'() "/" "Sent"'], "Sent"),
        ([b'(\\Noselect) "/" Sent', b'() "/" "Sent Items"'], "Sent Items"),
        ([b'(\\HasNoChildren) "/" "[Gmail]/Enviados"'], "[Gmail]/Enviados"),
        ([b'() "/" "Clientes/Sent"', b'() "/" "Presentes"'], None),
        ([], None),
    ],
)
def test_the_sent_folder_is_found_by_its_flag_or_by_a_usual_name(
    desk: Desk, listed: list[bytes], found: str | None
) -> None:
    with sent_script(listed) as server:
        mailbox = connect(desk, server.port, "u")
        with open_folder(mailbox.account()) as folder:
            opened = open_sent_folder(mailbox, folder)
            assert (opened.name if opened else None) == found


def sent_script(listed: list[bytes], **more: Answer):  # type: ignore[no-untyped-def]
    lines = b"".join(b"* LIST " + line + b"\r\n" for line in listed)
    return script({"LIST": lines + b"OK done", **more})


def test_a_copy_that_the_server_refuses_is_tried_again_at_the_next_poll(desk: Desk) -> None:
    with sent_script([b'(\\Sent) "/" Sent'], APPEND=b"NO [OVERQUOTA] full") as server:
        assert copied(desk, server) == 0
        assert [row.copied_at for row in desk.outgoing() if not row.notice] == [None]
    assert desk.outgoing()[-1].state == OutgoingState.SENT


def test_copies_that_the_server_never_takes_hold_no_other_back(desk: Desk) -> None:
    def search(talk: Talk) -> None:
        talk.say(b"* SEARCH\r\n" if b"large" in talk.line else b"* SEARCH 1\r\n")  # the good ones are there
        talk.done()

    refusing: dict[str, Answer] = {"APPEND": b"NO [TOOBIG] above the limit", "UID SEARCH": search}
    with sent_script([b'(\\Sent) "/" Sent'], **refusing) as server:
        mailbox = connect(desk, server.port, "u")
        for name in ("good-1", *(f"large-{number}" for number in range(5)), "good-2"):
            sent(desk, message_id=f"<{name}@infomigra.example.com>")
        assert copy(desk, mailbox) == 2
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("helpdesk.desk.sent_copies.REFUSALS_AT_ONCE", 1)
            sent(desk, message_id="<good-3@infomigra.example.com>")
            assert copy(desk, mailbox) == 1, "what came last is tried first"


def copied(desk: Desk, server: Script) -> int:
    mailbox = connect(desk, server.port, "u")
    sent(desk)
    return copy(desk, mailbox)


def copy(desk: Desk, mailbox: Mailbox) -> int:
    with open_folder(mailbox.account()) as folder:
        sent_folder = open_sent_folder(mailbox, folder)
        assert sent_folder is not None
        return copy_sent(desk.sessions, mailbox, sent_folder)
