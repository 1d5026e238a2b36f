"""When a mailbox is compared with the ledger, and what the comparison says."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from helpdesk.cli.reconciling import as_line, as_text
from helpdesk.db import utc_now
from helpdesk.desk.ledger import RawMail, stuck
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.mailbox_lease import end_lease, new_holder, take_lease
from helpdesk.desk.reconcile import (
    Comparison,
    Reconciliation,
    compared,
    due_mailbox_ids,
    newest,
    reconcile_due,
    reconcile_one,
)
from helpdesk.errors import MailboxUnreachable
from helpdesk.mail.trouble import Trouble
from scheduler.jobs import JOBS
from tests.desk import Desk
from tests.mails import mail

INBOX = SimpleNamespace(name="INBOX", uidvalidity=7)


def note(desk: Desk, at: dt.datetime, folder: str = "INBOX") -> None:
    with desk.sessions.begin() as session:
        session.add(
            Reconciliation(
                mailbox_id=desk.mailbox_id, at=at, folder=folder, uidvalidity=1, on_server=1, accounted=1
            )
        )


def due(desk: Desk, now: dt.datetime) -> list[int]:
    with desk.sessions() as session:
        return due_mailbox_ids(session, now)


def compare(
    listed: set[int], states: dict[int, str], *, moved: int = 0, ours: set[int] | None = None
) -> Comparison:
    return compared("consultas", INBOX, listed, listed if ours is None else ours, states, 0, moved)  # type: ignore[arg-type]


def test_a_day_is_limas(desk: Desk) -> None:
    before_midnight = dt.datetime(2026, 11, 24, 4, 59, tzinfo=dt.UTC)  # 23:59 of the 23rd in Lima
    note(desk, before_midnight)
    assert due(desk, before_midnight) == []
    assert due(desk, before_midnight + dt.timedelta(minutes=2)) == [desk.mailbox_id]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"kind": "import"}, False),
        ({"halted_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, False),
        ({"failures": 2, "due_at": dt.datetime(2099, 1, 1, tzinfo=dt.UTC)}, False),
        ({"failures": 2, "due_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, True),
    ],
)
def test_only_mailboxes_that_can_be_read_are_compared(
    desk: Desk, changes: dict[str, object], wanted: bool
) -> None:
    with desk.sessions.begin() as session:
        for name, value in changes.items():
            setattr(session.get_one(Mailbox, desk.mailbox_id), name, value)
    assert (due(desk, utc_now()) == [desk.mailbox_id]) is wanted


def test_what_another_worker_reads_or_compared_meanwhile_is_left_to_it(desk: Desk) -> None:
    filer = desk.worker.filer
    note(desk, utc_now())
    assert reconcile_one(desk.sessions, filer, desk.mailbox_id, since=utc_now()) is None
    with desk.sessions.begin() as session:
        assert session.get_one(Mailbox, desk.mailbox_id).holder is None
        take_lease(session, desk.mailbox_id, "somebody else", 60)
    assert reconcile_one(desk.sessions, filer, desk.mailbox_id) is None


def test_a_mailbox_that_was_halted_since_it_was_found_due_stays_halted(desk: Desk) -> None:
    assert due(desk, utc_now()) == [desk.mailbox_id]
    holder = new_holder()
    with desk.sessions.begin() as session:
        take_lease(session, desk.mailbox_id, holder, 60)
        end_lease(session, desk.mailbox_id, holder, MailboxUnreachable("no", Trouble.REFUSED))
    assert reconcile_one(desk.sessions, desk.worker.filer, desk.mailbox_id, since=utc_now()) is None
    with desk.sessions() as session:
        assert session.get_one(Mailbox, desk.mailbox_id).halted_at is not None


def test_what_was_compared_meanwhile_counts_as_no_poll(desk: Desk) -> None:
    note(desk, utc_now())
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, desk.mailbox_id).failures = 2
    assert reconcile_one(desk.sessions, desk.worker.filer, desk.mailbox_id, since=utc_now()) is None
    with desk.sessions() as session:
        box = session.get_one(Mailbox, desk.mailbox_id)
        assert (box.failures, box.succeeded_at, box.polled_at, box.holder) == (2, None, None, None)


@pytest.mark.parametrize(
    "end", [OperationalError("select", {}, Exception("lock timeout")), KeyboardInterrupt()], ids=repr
)
def test_what_says_nothing_about_the_server_gives_the_mailbox_back_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    def interrupted(_self: Mailbox):
        raise end

    monkeypatch.setattr(Mailbox, "account", interrupted)
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, desk.mailbox_id).failures = 2
    with pytest.raises(type(end)):
        reconcile_one(desk.sessions, desk.worker.filer, desk.mailbox_id)
    with desk.sessions() as session:
        box = session.get_one(Mailbox, desk.mailbox_id)
        assert (box.failures, box.succeeded_at, box.holder, box.lease_until) == (2, None, None, None)


def test_a_fault_of_ours_is_said_and_does_not_keep_the_other_mailboxes_from_being_compared(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(_self: Mailbox):
        raise ZeroDivisionError

    monkeypatch.setattr(Mailbox, "account", stumble)
    with desk.sessions.begin() as session:
        session.add(
            Mailbox(name="otra", host="127.0.0.1", port=1, username="u", password_file="/x", tls=False)
        )
    found = reconcile_due(desk.sessions, desk.worker.filer, utc_now())
    assert [(item.mailbox, item.error) for item in found] == [
        ("prueba", "error inesperado (ZeroDivisionError)"),
        ("otra", "error inesperado (ZeroDivisionError)"),
    ]
    with desk.sessions() as session:
        assert session.get_one(Mailbox, desk.mailbox_id).error_kind == Trouble.UNEXPECTED


def test_a_server_that_is_away_is_said_and_counted_like_a_poll(desk: Desk) -> None:
    found = reconcile_one(desk.sessions, desk.worker.filer, desk.mailbox_id)
    assert found is not None
    assert "no se puede conectar" in (found[0].error or "")
    assert not found[0].complete
    with desk.sessions() as session:
        box = session.get_one(Mailbox, desk.mailbox_id)
        assert (box.failures, box.holder) == (1, None)
        assert newest(session) == []


def test_the_newest_comparison_of_each_folder_is_shown(desk: Desk) -> None:
    now = utc_now()
    for days, folder in [(3, "INBOX"), (1, "INBOX"), (2, "Sent"), (40, "Vieja")]:
        note(desk, now - dt.timedelta(days=days), folder)
    with desk.sessions() as session:
        assert [(row.folder, (now - row.at).days) for row in newest(session)] == [("INBOX", 1), ("Sent", 2)]


def test_I1_every_message_is_counted_once() -> None:
    found = compare({1, 2, 3, 9}, {1: "filed", 2: "duplicate", 3: "set_aside", 5: "filed", 6: "vanished"})
    assert (found.on_server, found.accounted, found.gone, found.missing) == (4, 3, 2, (9,))
    assert found.states == {"filed": 1, "duplicate": 1, "set_aside": 1}
    assert not found.complete


def test_what_we_moved_ourselves_is_accounted_for_and_not_gone() -> None:
    found = compare({4}, {1: "filed", 2: "filed", 3: "vanished", 4: "set_aside"}, moved=2)
    assert (found.on_server, found.accounted, found.gone) == (3, 3, 1)
    assert found.states == {"set_aside": 1, "moved": 2}


def test_of_the_sent_folder_only_what_is_ours_must_be_there() -> None:
    found = compare({1, 2, 3, 4}, {2: "filed", 3: "unrelated"}, ours={3, 4})
    assert (found.on_server, found.gone, found.missing) == (3, 0, (4,))


def test_I10_what_waits_for_more_than_fifteen_minutes_is_stuck(desk: Desk) -> None:
    desk.receive(mail("uno"), mail("dos"))
    with desk.sessions.begin() as session:
        session.get_one(RawMail, 2).received_at = utc_now() - dt.timedelta(minutes=16)
    with desk.sessions() as session:
        assert [row.id for row in stuck(session)] == [2]
    desk.worker.filer.file_all()
    with desk.sessions() as session:
        assert stuck(session) == []


def test_the_sentence_says_everything_and_the_json_too() -> None:
    found = Comparison(
        "consultas",
        "INBOX",
        7,
        on_server=1204,
        received=3,
        gone=12,
        states={"filed": 1180, "duplicate": 20, "set_aside": 4},
    )
    assert as_text(found) == (
        "consultas: 1,204 in INBOX, 1,204 accounted for (1,180 filed, 20 duplicates, 4 set aside); "
        "3 of them were missing and received now; 12 more in the ledger were moved or deleted on the server"
    )
    lost = Comparison("consultas", "INBOX", 7, on_server=40, missing=tuple(range(1, 31)))
    assert "30 NOT ACCOUNTED FOR: UID 1, 2," in as_text(lost)
    assert '"accounted": 10' in as_line(lost)


def test_the_clock_asks_for_it() -> None:
    assert [job.name for job in JOBS].count("reconcile") == 1


def test_an_error_gives_the_mailbox_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: Mailbox):
        raise MailboxUnreachable("se cayó", "unreachable")

    monkeypatch.setattr(Mailbox, "account", away)
    found = reconcile_one(desk.sessions, desk.worker.filer, desk.mailbox_id)
    assert found == [Comparison("prueba", error="se cayó")]
    with desk.sessions() as session:
        assert session.get_one(Mailbox, desk.mailbox_id).holder is None
