"""Reading a real Dovecot: every message by UID, stored before parsed, filed, then marked."""

from __future__ import annotations

import dataclasses

import pytest

from helpdesk.db import utc_now
from helpdesk.desk import intake
from helpdesk.desk.intake import Poll
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.mailbox_check import check
from helpdesk.desk.mailbox_lease import take_lease
from helpdesk.desk.receive import receive
from helpdesk.mail.imap import KEYWORD, open_folder
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.mails import mail

pytestmark = pytest.mark.needs("dovecot")


def poll(desk: Desk, mailbox: Mailbox) -> Poll:
    done = intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    assert done is not None
    return done


def test_mails_are_received_filed_and_marked_with_our_keyword(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *(mail(f"Consulta {n}", sender=f"p{n}@example.com") for n in range(5)))
    done = poll(desk, mailbox)
    assert (done.received, done.filed.filed, done.marked, done.error) == (5, 5, 5, None)
    person = imap_server.client(user)
    flags = person.get_flags(person.search("ALL"))
    assert all(KEYWORD in given for given in flags.values())
    assert all(b"\\Seen" not in given for given in flags.values()), "reading must not mark as seen"
    assert all(row.marked_at for row in desk.ledger())


def test_a_second_poll_receives_nothing_and_new_mail_only_once(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, mail("Uno"))
    poll(desk, mailbox)
    assert poll(desk, mailbox).received == 0
    imap_server.deliver(user, mail("Dos"))
    assert poll(desk, mailbox).received == 1
    assert len(desk.tickets()) == 2


def test_F14_a_mail_that_somebody_read_first_is_taken_too(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, mail("Leído antes"))
    person = imap_server.client(user)
    person.add_flags(person.search("ALL"), [b"\\Seen"])
    assert poll(desk, mailbox).filed.filed == 1


def test_F13_a_recreated_folder_reuses_uids_and_nothing_is_lost(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    person = imap_server.client(user)
    person.create_folder("Consultas")
    person.append("Consultas", mail("La vieja"))
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, mailbox.id).folder = "Consultas"
    poll(desk, mailbox)
    person.delete_folder("Consultas")
    person.create_folder("Consultas")
    person.append("Consultas", mail("La nueva, con el mismo UID"))
    assert poll(desk, mailbox).filed.filed == 1
    assert [row.uid for row in desk.ledger()] == [1, 1]
    assert desk.ledger()[0].uidvalidity != desk.ledger()[1].uidvalidity


def test_F12_a_mail_deleted_between_search_and_fetch_is_noted_and_the_rest_goes_on(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, mail("Uno"), mail("Dos"))
    with open_folder(mailbox.account()) as folder:
        uids = folder.uids_after(0)
        person = imap_server.client(user)
        person.delete_messages([uids[0]])
        person.expunge()
        folder.client.noop()
        gone_too = dataclasses.replace(folder)
        found = [item for chunk in gone_too.fetch(uids, 25_000_000) for item in chunk]
        assert [item.raw is None for item in found] == [True, False]
        receive(desk.sessions, mailbox, folder, now=utc_now(), max_bytes=25_000_000)
    desk.worker.filer.file_all()
    assert [ticket.snippet for ticket in desk.tickets()] == ["Dos"]


def test_a_vanished_mail_is_written_into_the_ledger(desk: Desk) -> None:
    from helpdesk.desk import ledger
    from helpdesk.desk.ledger import Folder
    from helpdesk.mail.imap import FetchedMail

    with desk.sessions.begin() as session:
        ledger.enter(session, Folder(desk.mailbox_id, "INBOX", 9), [FetchedMail(7, 0, None, None)], utc_now())
    assert desk.ledger()[0].state == MailState.VANISHED


def test_T27_a_30_mb_mail_becomes_a_ticket_that_says_so_and_delays_nobody(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    big = mail("Mi currículo va adjunto.").replace(b"\r\n\r\n", b"\r\n\r\n", 1) + b"relleno " * 3_750_000
    imap_server.deliver(user, big, mail("La siguiente.", sender="otra@example.com"))
    assert poll(desk, mailbox).filed.filed == 2
    row = desk.ledger()[0]
    assert row.truncated
    assert row.size > 30_000_000
    first, second = desk.tickets()
    assert first.snippet.startswith("Mi currículo va adjunto.")
    assert any("too-large" in defect for defect in first.messages[0].defects)
    assert second.snippet == "La siguiente."


def test_F08_a_mailbox_is_read_by_one_worker_at_a_time(desk: Desk, mailbox: Mailbox) -> None:
    with desk.sessions.begin() as session:
        assert take_lease(session, mailbox.id, "another worker", 60) is not None
    assert intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id) is None
    with desk.sessions.begin() as session:
        take_lease(session, mailbox.id, "another worker", -1)
    assert intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id) is not None


def test_a_wrong_password_is_said_and_counted(desk: Desk, mailbox: Mailbox) -> None:
    (desk.settings.var / "imap-password").write_text("otra")
    done = poll(desk, mailbox)
    assert done.error is not None
    assert "rechazó el usuario" in done.error
    assert "otra" not in done.error
    with desk.sessions() as session:
        row = session.get_one(Mailbox, mailbox.id)
        assert (row.failures, row.error_kind) == (1, "refused")


def test_a_server_that_is_away_is_said(desk: Desk, mailbox: Mailbox) -> None:
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, mailbox.id).port = 1
    assert "no se puede conectar" in (poll(desk, mailbox).error or "")


def test_check_says_in_words_what_works_and_what_does_not(desk: Desk, mailbox: Mailbox) -> None:
    assert all(works for works, _ in check(mailbox))
    assert any("keyword" in sentence for _, sentence in check(mailbox))
    (desk.settings.var / "imap-password").write_text("otra")
    works, sentence = check(mailbox)[-1]
    assert not works
    assert "helpdesk mailbox resume real" in sentence
    assert "otra" not in sentence


def test_F17_mail_that_a_person_moved_away_stays_a_ticket_and_hinders_nothing(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, mail("Uno"), mail("Dos", sender="otra@example.com"))
    poll(desk, mailbox)
    person = imap_server.client(user)
    person.create_folder("Archivo")
    person.move(person.search("ALL"), "Archivo")
    imap_server.deliver(user, mail("Tres", sender="tercera@example.com"))
    assert poll(desk, mailbox).filed.filed == 1
    assert len(desk.tickets()) == len(desk.ledger()) == 3


def test_mail_that_was_moved_away_before_it_could_be_marked_is_no_failure(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, mail("Uno"))
    with open_folder(mailbox.account()) as folder:
        receive(desk.sessions, mailbox, folder, now=utc_now(), max_bytes=25_000_000)
    desk.worker.filer.file_all()
    person = imap_server.client(user)
    person.create_folder("Archivo")
    person.move(person.search("ALL"), "Archivo")
    done = poll(desk, mailbox)
    assert (done.error, done.marked) == (None, 1)


def test_a_worker_that_is_stopping_ends_after_the_chunk_in_hand_and_the_rest_comes_later(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *(mail(f"Consulta {n}", sender=f"p{n}@example.com") for n in range(150)))
    with open_folder(mailbox.account()) as folder:
        options = {"now": utc_now(), "max_bytes": 25_000_000}
        first = receive(desk.sessions, mailbox, folder, stopping=lambda: True, **options)  # type: ignore[arg-type]
        rest = receive(desk.sessions, mailbox, folder, **options)  # type: ignore[arg-type]
    assert (first, rest) == (100, 50)
