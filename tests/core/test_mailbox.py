"""Mailboxes by the rules: who may be added, what each trouble leads to, who owns one, when it is read next."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError, ProtocolError
from sqlalchemy import func, select

from helpdesk.db import utc_now
from helpdesk.desk.mailbox import (
    Auth,
    Grant,
    Mailbox,
    OAuthWay,
    add_mailbox,
    imap_mailboxes,
    pause,
    poll_now,
    resume,
)
from helpdesk.desk.mailbox_health import Health, health_of, mailbox_alarms
from helpdesk.desk.mailbox_lease import (
    due_mailbox_ids,
    end_lease,
    end_watch,
    new_holder,
    news,
    renew_lease,
    take_lease,
    take_watch,
    watchable_ids,
)
from helpdesk.desk.mailbox_trouble import ERROR_KINDS, care_of
from helpdesk.desk.sent_copies import mailbox_of
from helpdesk.errors import MailboxError, MailboxUnreachable, SettingsError
from helpdesk.mail.trouble import Trouble, detail_of, trouble_of
from tests.desk import Desk


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "clave"
    file.write_text("una-clave\n")
    return file


def add(desk: Desk, password: Path, **changes: object) -> Mailbox:
    given: dict[str, object] = {
        "name": "consultas",
        "host": "imap.example.com",
        "port": 993,
        "username": "consultas@example.com",
        "password_file": password,
    }
    with desk.sessions.begin() as session:
        return add_mailbox(session, **{**given, **changes})  # type: ignore[arg-type]


def fail(desk: Desk, kind: Trouble, times: int = 1) -> Mailbox:
    for _ in range(times):
        poll(desk, MailboxUnreachable("no se pudo", kind))
    return read(desk)


def poll(desk: Desk, error: MailboxError | None = None) -> None:
    """A poll, as far as the mailbox's row is concerned."""
    holder = new_holder()
    with desk.sessions.begin() as session:
        assert take_lease(session, desk.mailbox_id, holder, 60)
    with desk.sessions.begin() as session:
        end_lease(session, desk.mailbox_id, holder, error)


def read(desk: Desk) -> Mailbox:
    with desk.sessions() as session:
        return session.get_one(Mailbox, desk.mailbox_id)


def due(desk: Desk) -> bool:
    with desk.sessions() as session:
        return desk.mailbox_id in due_mailbox_ids(session)


def change(desk: Desk, **values: object) -> None:
    with desk.sessions.begin() as session:
        row = session.get_one(Mailbox, desk.mailbox_id)
        for name, value in values.items():
            setattr(row, name, value)


# Adding one


OAUTH = OAuthWay(Grant.CLIENT_CREDENTIALS, "https://login.example.com/token", "c")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tls": False}, "loopback"),
        ({"folder": "INBOX\r\nA1 DELETE x"}, "Control characters"),
        ({"username": "u\x00"}, "Control characters"),
        ({"sent_folder": "Sent\n"}, "Control characters"),
        ({"name": "prueba"}, "already a mailbox"),
        ({"password_file": Path("/nonexistent")}, "cannot read"),
        ({"auth": Auth.XOAUTH2}, "--oauth-grant"),
        ({"oauth": OAUTH}, "--oauth-grant"),
        (
            {
                "auth": Auth.XOAUTH2,
                "oauth": OAuthWay(Grant.REFRESH_TOKEN, "http://login.example.com/token", "c"),
            },
            "--token-url must begin with https",
        ),
    ],
)
def test_T62_T79_a_mailbox_that_could_leak_or_cannot_work_is_not_added(
    desk: Desk, password: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        add(desk, password, **changes)


def test_a_mailbox_is_added_with_all_that_was_said(desk: Desk, password: Path) -> None:
    added = add(desk, password, auth=Auth.OAUTHBEARER, oauth=OAUTH, default_line="return", sent_folder="")
    account = added.account()
    assert (added.default_line, added.sent_folder) == ("return", "")
    assert (account.auth, account.password) == ("oauthbearer", "")
    assert account.oauth is not None
    assert (account.oauth.secret, account.oauth.refresh_token) == ("una-clave", None)
    assert "una-clave" not in repr(account)


def test_a_secret_that_is_being_written_just_now_is_not_tried_as_a_password(
    desk: Desk, password: Path
) -> None:
    added = add(desk, password)
    password.write_text("\n")
    with pytest.raises(SettingsError, match=r"--password-file: .* is empty"):
        added.account()


def test_the_secret_in_a_row_that_somebody_changed_by_hand_is_not_sent_in_the_clear(
    desk: Desk, password: Path
) -> None:
    added = add(desk, password)
    added.tls = False
    with pytest.raises(SettingsError, match="loopback"):
        added.account()


# What each trouble is, and leads to


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), Trouble.UNREACHABLE),
        (TimeoutError("timed out"), Trouble.UNREACHABLE),
        (ssl.SSLError("wrong version number"), Trouble.UNREACHABLE),
        (ssl.SSLCertVerificationError("expired"), Trouble.CERTIFICATE),
        (LoginError("[AUTHENTICATIONFAILED] Invalid credentials (Failure)"), Trouble.REFUSED),
        (LoginError("[ALERT] Application-specific password required"), Trouble.REFUSED),
        (LoginError("LOGIN failed."), Trouble.REFUSED),
        (LoginError("[AUTHENTICATIONFAILED] Wrong user or password, please try again"), Trouble.REFUSED),
        (LoginError("[AUTHENTICATIONFAILED] Try again later"), Trouble.REFUSED),
        (LoginError("Login failed. Check your password and try again."), Trouble.REFUSED),
        (LoginError("Too many failed login attempts"), Trouble.REFUSED),
        (LoginError("LOGIN Server error - Please try again later"), Trouble.BUSY),
        (LoginError("[UNAVAILABLE] Temporary authentication failure"), Trouble.BUSY),
        (LoginError("[ALERT] Too many simultaneous connections. (Failure)"), Trouble.BUSY),
        (LoginError("Maximum number of connections from user+IP exceeded"), Trouble.BUSY),
        (
            IMAPClientError("SELECT command error: BAD [b'User is authenticated but not connected.']"),
            Trouble.BUSY,
        ),
        (IMAPClientError("Account exceeded command or bandwidth limits."), Trouble.BUSY),
        (IMAPClientError("[SERVERBUG] Internal error occurred"), Trouble.BUSY),
        (IMAPClientAbortError("* BYE Session invalidated - AccessTokenExpired"), Trouble.TOKEN),
        (IMAPClientAbortError("socket error: EOF"), Trouble.UNREACHABLE),
        (IMAPClientAbortError("unexpected response: b'220 smtp.example.com'"), Trouble.PROTOCOL),
        (ProtocolError("uneven number of response items"), Trouble.PROTOCOL),
        (IMAPClientError("Error in IMAP command received by server."), Trouble.PROTOCOL),
    ],
)
def test_F16_F17_every_error_has_a_kind(error: Exception, kind: Trouble) -> None:
    assert trouble_of(error) is kind


def test_what_a_server_says_is_told_short_on_one_line_and_without_our_secrets() -> None:
    told = detail_of(IMAPClientError("no\r\n\x1b[31m clave-1 " + "x" * 500), "clave-1", "")
    assert "clave-1" not in told
    assert told.isprintable()
    assert len(told) <= 200


def test_a_secret_that_the_server_repeats_as_it_was_quoted_is_not_told() -> None:
    secret = 'la "clave"  con\\barra'
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    told = detail_of(
        IMAPClientError(f"LOGIN command error: BAD {[f'unknown: LOGIN u {quoted}'.encode()]}"), secret
    )
    assert "unknown: LOGIN u …" in told
    assert "barra" not in told


def test_every_kind_has_its_waits_and_words() -> None:
    assert set(ERROR_KINDS) == set(Trouble)
    for care in ERROR_KINDS.values():
        assert care.waits_s == tuple(sorted(care.waits_s))
        assert care.sentence.endswith(".")
        assert care.advice
    assert [care_of("unreachable").wait_s(n) for n in (1, 2, 3, 7, 99)] == [10, 20, 40, 600, 600]
    assert [care_of("busy").wait_s(n) for n in (1, 2, 99)] == [60, 120, 1800]
    assert care_of("something new") is ERROR_KINDS[Trouble.UNEXPECTED]


def test_the_page_for_operators_says_what_the_table_says() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "mailboxes.md").read_text()
    for kind, care in ERROR_KINDS.items():
        waits = ", ".join(str(wait) for wait in care.waits_s)
        row = f"| `{kind}` | {waits} | {care.alarms_at or 'never'} | {care.halts_at or 'never'} |"
        assert row in page


def test_after_a_good_poll_the_next_one_is_due_after_the_interval(desk: Desk) -> None:
    assert due(desk), "a new mailbox is read at once"
    poll(desk)
    assert not due(desk)
    row = read(desk)
    assert row.succeeded_at is not None
    assert (row.due_at - row.succeeded_at).total_seconds() == row.poll_interval_s


@pytest.mark.parametrize("kind", [kind for kind in Trouble if kind not in (Trouble.REFUSED, Trouble.FOLDER)])
def test_trouble_that_may_pass_is_tried_again_with_growing_waits(desk: Desk, kind: Trouble) -> None:
    waits = []
    for _ in range(3):
        row = fail(desk, kind)
        assert row.polled_at is not None
        waits.append(round((row.due_at - row.polled_at).total_seconds()))
    assert waits == [care_of(kind).wait_s(n) for n in (1, 2, 3)]
    assert row.halted_at is None
    assert row.failing
    poll(desk)
    row = read(desk)
    assert (row.failures, row.error, row.error_kind) == (0, None, None)


@pytest.mark.parametrize("kind", [Trouble.REFUSED, Trouble.FOLDER])
def test_a_refusal_halts_at_once_and_alarms_until_somebody_resumes(desk: Desk, kind: Trouble) -> None:
    assert fail(desk, kind).halted_at is not None
    change(desk, due_at=utc_now() - dt.timedelta(hours=1))
    assert not due(desk)
    with desk.sessions.begin() as session:
        assert [view.mailbox.id for view in mailbox_alarms(session)] == [desk.mailbox_id]
        resume(session.get_one(Mailbox, desk.mailbox_id))
    assert due(desk)
    with desk.sessions() as session:
        assert mailbox_alarms(session) == []


def test_another_kind_of_trouble_waits_from_the_start_and_stays_red(desk: Desk) -> None:
    fail(desk, Trouble.UNREACHABLE, 9)
    row = fail(desk, Trouble.TOKEN)
    assert row.failing
    assert row.halted_at is None, "a token is given its quarter of an hour"


def test_a_bad_certificate_alarms_at_once_and_is_tried_again(desk: Desk) -> None:
    fail(desk, Trouble.CERTIFICATE)
    with desk.sessions() as session:
        (alarm,) = mailbox_alarms(session)
    assert alarm.health is Health.FAILING
    assert read(desk).halted_at is None


# Who has it, and who asks for it


def test_F08_a_lease_belongs_to_one_poll_only(desk: Desk) -> None:
    first, second = new_holder(), new_holder()
    with desk.sessions.begin() as session:
        taken = take_lease(session, desk.mailbox_id, first, 60)
        assert taken is not None
    with desk.sessions.begin() as session:
        assert take_lease(session, desk.mailbox_id, second, 60) is None
        end_lease(session, desk.mailbox_id, second, None)
    assert read(desk).holder == first
    assert not due(desk), "nobody even tries while it is being read"
    renew_lease(desk.sessions, taken, -1)
    assert due(desk)


def test_a_mailbox_that_was_halted_since_it_was_found_due_is_not_polled(desk: Desk) -> None:
    assert due(desk)
    fail(desk, Trouble.REFUSED)  # another worker's poll
    with desk.sessions.begin() as session:
        assert take_lease(session, desk.mailbox_id, new_holder(), 60) is None
    with desk.sessions.begin() as session:
        resume(session.get_one(Mailbox, desk.mailbox_id))
        assert take_lease(session, desk.mailbox_id, new_holder(), 60) is not None


def test_news_that_come_while_the_end_of_a_poll_waits_for_the_row_are_kept(desk: Desk) -> None:
    holder = new_holder()
    with desk.sessions.begin() as session:
        take_lease(session, desk.mailbox_id, holder, 60)
    with desk.sessions.begin() as ending:
        ending.scalar(select(func.now()))  # its transaction has begun
        with desk.sessions.begin() as session:
            news(session, desk.mailbox_id)
        end_lease(ending, desk.mailbox_id, holder, None)
    assert due(desk)


def test_news_during_a_poll_make_the_mailbox_due_again_right_after_it(desk: Desk) -> None:
    holder = new_holder()
    with desk.sessions.begin() as session:
        take_lease(session, desk.mailbox_id, holder, 60)
    with desk.sessions.begin() as session:
        news(session, desk.mailbox_id)
    with desk.sessions.begin() as session:
        end_lease(session, desk.mailbox_id, holder, None)
    assert due(desk)
    poll(desk)
    assert not due(desk)


def test_a_person_can_ask_for_a_poll_now_and_for_a_pause(desk: Desk) -> None:
    poll(desk)
    with desk.sessions.begin() as session:
        poll_now(session.get_one(Mailbox, desk.mailbox_id))
    assert due(desk)
    with desk.sessions.begin() as session:
        pause(session.get_one(Mailbox, desk.mailbox_id))
    assert not due(desk)


def test_mail_from_files_is_never_polled(desk: Desk) -> None:
    change(desk, kind="import")
    assert not due(desk)
    with desk.sessions() as session:
        assert imap_mailboxes(session) == []


def test_a_mailbox_is_watched_by_one_and_only_while_its_polls_succeed(desk: Desk) -> None:
    with desk.sessions() as session:
        assert watchable_ids(session) == [], "never polled yet"
    poll(desk)
    with desk.sessions.begin() as session:
        assert watchable_ids(session) == [desk.mailbox_id]
        assert take_watch(session, desk.mailbox_id, "one", 60)
    with desk.sessions.begin() as session:
        assert watchable_ids(session) == []
        assert take_watch(session, desk.mailbox_id, "two", 60) is None
        end_watch(session, desk.mailbox_id, "two")
        assert take_watch(session, desk.mailbox_id, "one", 60)
        end_watch(session, desk.mailbox_id, "one")
        assert watchable_ids(session) == [desk.mailbox_id]
    with desk.sessions.begin() as session:
        assert take_watch(session, desk.mailbox_id, "one", 60)
    fail(desk, Trouble.BUSY)
    with desk.sessions.begin() as session:
        assert take_watch(session, desk.mailbox_id, "one", 60) is None, "it may be what keeps the polls out"
        end_watch(session, desk.mailbox_id, "one")
        assert watchable_ids(session) == []


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        ({"active": False, "halted_at": utc_now()}, Health.PAUSED),
        ({"halted_at": utc_now(), "failures": 1}, Health.HALTED),
        ({"failures": 3, "succeeded_at": utc_now()}, Health.FAILING),
        ({"failures": 1, "succeeded_at": utc_now()}, Health.STUMBLING),
        ({"succeeded_at": None}, Health.NEVER),
        ({"succeeded_at": utc_now(), "watch_until": utc_now() + dt.timedelta(days=999)}, Health.ONLINE),
        ({"succeeded_at": utc_now(), "watch_until": None}, Health.POLLED),
    ],
)
def test_how_a_mailbox_is_doing_has_one_word(desk: Desk, changes: dict[str, object], health: Health) -> None:
    change(desk, **changes)
    assert health_of(read(desk), utc_now()) is health


def test_a_copy_goes_to_the_sent_folder_of_the_mailbox_it_was_sent_from() -> None:
    first = Mailbox(id=1, name="consultas", username="u1@example.com", active=True)
    second = Mailbox(id=2, name="retorno", username="Retorno@example.com", active=True)
    gone = Mailbox(id=3, name="x", username="gone@example.com", active=False)
    boxes = [second, gone, first]
    assert mailbox_of(boxes, "retorno@example.com") == 2
    assert mailbox_of(boxes, "otra@example.com") == 1
    assert mailbox_of(boxes, "gone@example.com") == 1
    assert mailbox_of([], "otra@example.com") is None
