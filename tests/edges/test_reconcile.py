"""A real mailbox compared with the ledger: what is missing comes back, what is gone is said."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from click.testing import CliRunner
from sqlalchemy import delete

from helpdesk.cli import main
from helpdesk.db import utc_now
from helpdesk.desk import intake, ledger
from helpdesk.desk.ledger import Folder, RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.reconcile import Comparison, newest, reconcile_due, reconcile_one
from helpdesk.mail.imap import FetchedMail
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.edges.conftest import environment
from tests.mails import mail

pytestmark = pytest.mark.needs("dovecot")


def poll(desk: Desk, mailbox: Mailbox) -> None:
    done = intake.poll_one(desk.sessions, desk.worker.filer, desk.settings, mailbox.id)
    assert done is not None
    assert done.error is None


def reconcile(desk: Desk, mailbox: Mailbox) -> dict[str, Comparison]:
    found = reconcile_one(desk.sessions, desk.worker.filer, mailbox.id)
    assert found is not None
    return {item.folder: item for item in found}


def forget(desk: Desk, *uids: int) -> None:
    """Lose rows of the ledger that were never filed, as a careless restore might."""
    with desk.sessions.begin() as session:
        session.execute(delete(RawMail).where(RawMail.uid.in_(uids)))


def mails(count: int) -> list[bytes]:
    return [mail(f"Consulta {n}", sender=f"p{n}@example.com") for n in range(count)]


def test_I1_a_mailbox_that_was_read_is_accounted_for(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    same = mail("La misma")
    imap_server.deliver(user, *mails(3), same, same)
    poll(desk, mailbox)
    found = reconcile(desk, mailbox)["INBOX"]
    assert (found.on_server, found.accounted, found.received, found.gone) == (5, 5, 0, 0)
    assert found.states == {"filed": 4, "duplicate": 1}
    assert found.complete
    with desk.sessions() as session:
        rows = {row.folder: row for row in newest(session)}
        assert (rows["INBOX"].on_server, rows["INBOX"].accounted) == (5, 5)


def test_T102_what_the_ledger_lost_below_its_watermark_is_received_again(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *mails(5))
    with desk.sessions() as session:
        box = session.get_one(Mailbox, mailbox.id)
    from helpdesk.desk.receive import receive
    from helpdesk.mail.imap import open_folder

    with open_folder(box.account()) as imap:
        receive(desk.sessions, box, imap, now=utc_now(), max_bytes=25_000_000)
    forget(desk, 2, 3)
    poll(desk, mailbox)
    assert len(desk.ledger()) == 3, "a poll looks above the watermark only"
    found = reconcile(desk, mailbox)["INBOX"]
    assert (found.on_server, found.accounted, found.received) == (5, 5, 2)
    assert len(desk.tickets()) == 5


def test_what_vanished_before_it_was_read_and_is_listed_now_is_received(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *mails(3))
    uidvalidity = imap_server.client(user).select_folder("INBOX")[b"UIDVALIDITY"]
    # A search that left out what is there: servers do so while they build an index anew.
    with desk.sessions.begin() as session:
        lost = FetchedMail(2, 0, None, None)
        ledger.enter(session, Folder(mailbox.id, "INBOX", uidvalidity), [lost], utc_now())
    found = reconcile(desk, mailbox)["INBOX"]
    assert (found.on_server, found.accounted, found.received) == (3, 3, 3)
    assert found.states == {"filed": 3}
    assert len(desk.tickets()) == 3


def test_F21_a_restored_ledger_gets_everything_back_and_old_mail_is_not_acknowledged_again(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    person = imap_server.client(user)
    old = utc_now() - dt.timedelta(days=3)
    for raw in mails(4):
        person.append("INBOX", raw, (), old)
    found = reconcile(desk, mailbox)["INBOX"]
    assert (found.received, found.accounted) == (4, 4)
    assert len(desk.tickets()) == 4
    assert desk.outgoing() == []


def test_a_new_life_of_the_folder_is_compared_by_itself_and_doubles_nothing(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    person = imap_server.client(user)
    person.create_folder("Consultas")
    raw = mail("La única")
    person.append("Consultas", raw)
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, mailbox.id).folder = "Consultas"
    poll(desk, mailbox)
    person.delete_folder("Consultas")
    person.create_folder("Consultas")
    person.append("Consultas", raw)
    found = reconcile(desk, mailbox)["Consultas"]
    assert (found.received, found.states) == (1, {"duplicate": 1})
    assert len(desk.tickets()) == 1


def test_what_people_moved_or_deleted_is_said_and_is_no_failure(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *mails(4))
    poll(desk, mailbox)
    person = imap_server.client(user)
    person.delete_messages([1])
    person.expunge()
    person.create_folder("Archivo")
    person.move([2], "Archivo")
    found = reconcile(desk, mailbox)["INBOX"]
    assert (found.on_server, found.accounted, found.gone, found.complete) == (2, 2, 2, True)


def test_what_was_set_aside_is_accounted_for(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *mails(2))
    poll(desk, mailbox)
    with desk.sessions.begin() as session:
        session.get_one(RawMail, 1).state = MailState.SET_ASIDE.value
    found = reconcile(desk, mailbox)["INBOX"]
    assert found.states == {"filed": 1, "set_aside": 1}
    assert found.complete


def test_the_sent_folder_is_compared_too(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    person = imap_server.client(user)
    assert person.folder_exists("Sent")
    person.append(
        "Sent", mail("Antes", sender="consultas@infomigra.example.com"), (), utc_now() - dt.timedelta(days=30)
    )
    person.append("Sent", mail("Después", sender="consultas@infomigra.example.com"), (), utc_now())
    found = reconcile(desk, mailbox)["Sent"]
    assert (found.on_server, found.accounted, found.received) == (1, 1, 1)
    assert all(row.sent for row in desk.ledger())


def test_the_daily_job_compares_once_a_day(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *mails(2))
    filer, now = desk.worker.filer, utc_now()
    assert [item.folder for item in reconcile_due(desk.sessions, filer, now)] == ["INBOX", "Sent"]
    assert reconcile_due(desk.sessions, filer, now) == []
    assert reconcile_due(desk.sessions, filer, now + dt.timedelta(days=1)) != []


def test_the_command_says_it_in_a_sentence_and_in_json(
    desk: Desk, mailbox: Mailbox, imap_server: Dovecot, user: str
) -> None:
    imap_server.deliver(user, *mails(3))
    run = CliRunner(env=environment(desk.settings))
    done = run.invoke(main, ["mail", "reconcile", "--mailbox", "real"])
    assert done.exit_code == 0, done.output
    assert (
        "real: 3 in INBOX, 3 accounted for (3 filed); 3 of them were missing and received now" in done.output
    )
    rows = [
        json.loads(line) for line in run.invoke(main, ["mail", "reconcile", "--json"]).stdout.splitlines()
    ]
    assert [(row["folder"], row["on_server"], row["accounted"]) for row in rows] == [
        ("INBOX", 3, 3),
        ("Sent", 0, 0),
    ]
    assert run.invoke(main, ["mail", "reconcile", "--mailbox", "ninguno"]).exit_code == 2


def test_a_mailbox_that_cannot_be_read_is_exit_code_one_and_a_halted_one_is_left_alone(
    desk: Desk, mailbox: Mailbox
) -> None:
    run = CliRunner(env=environment(desk.settings))
    (desk.settings.var / "imap-password").write_text("otra")
    refused = run.invoke(main, ["mail", "reconcile"])
    assert refused.exit_code == 1
    assert "rechazó el usuario" in refused.output
    assert "otra" not in refused.output
    again = run.invoke(main, ["mail", "reconcile"])
    assert again.exit_code == 1
    assert "halted" in again.output
