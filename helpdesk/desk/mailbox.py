"""The mailboxes we read, how they are doing, and the lease under which one worker reads one of them."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path

from sqlalchemy import CheckConstraint, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from classifier import LINES
from helpdesk.db import Base, Sessions
from helpdesk.desk.lifecycle import state_check
from helpdesk.errors import SettingsError
from helpdesk.mail.imap import ImapAccount
from helpdesk.settings import LOOPBACK, read_secret

FAILED_POLLS_UNTIL_RED = 3


class MailboxKind(StrEnum):
    """Where a mailbox's mail comes from."""

    IMAP = "imap"
    IMPORT = "import"  # files that somebody brought; never polled


class Auth(StrEnum):
    """How we sign in to a mailbox."""

    PASSWORD = "password"
    XOAUTH2 = "xoauth2"
    OAUTHBEARER = "oauthbearer"  # RFC 7628


class Grant(StrEnum):
    """How an access token is asked for (RFC 6749)."""

    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"


class Mailbox(Base):
    """One folder of one IMAP account. Secrets stay in their files, never in the database.

    `password_file` holds the password, or with OAuth the client secret (client credentials) or the refresh token.
    """

    __tablename__ = "mailbox"
    __table_args__ = (
        CheckConstraint("poll_interval_s >= 1", name="poll_interval_positive"),
        CheckConstraint(state_check(MailboxKind, "kind"), name="kind_known"),
        CheckConstraint(state_check(Auth, "auth"), name="auth_known"),
        CheckConstraint(state_check(Grant, "oauth_grant"), name="oauth_grant_known"),
        CheckConstraint(f"default_line in {LINES}", name="default_line_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str] = mapped_column(default=MailboxKind.IMAP.value)
    host: Mapped[str]
    port: Mapped[int]
    username: Mapped[str]
    password_file: Mapped[str]
    folder: Mapped[str] = mapped_column(default="INBOX")
    tls: Mapped[bool] = mapped_column(default=True)
    active: Mapped[bool] = mapped_column(default=True)
    poll_interval_s: Mapped[int] = mapped_column(default=60)
    # The line of mail that the classifier does not dare to sort; null: "por clasificar".
    default_line: Mapped[str | None]
    auth: Mapped[str] = mapped_column(default=Auth.PASSWORD.value)
    oauth_grant: Mapped[str | None]
    token_url: Mapped[str | None]
    client_id: Mapped[str | None]
    client_secret_file: Mapped[str | None]  # only where a refresh token needs it besides
    scope: Mapped[str | None]
    idle: Mapped[bool] = mapped_column(default=True)
    # Null: the folder that the server calls \\Sent; empty: none is read or written.
    sent_folder: Mapped[str | None]
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    error_kind: Mapped[str | None]
    # Set by an error that only a person can mend (a wrong password): nothing is tried until then.
    halted_at: Mapped[dt.datetime | None]
    watcher: Mapped[str | None]
    watch_until: Mapped[dt.datetime | None]
    polled_at: Mapped[dt.datetime | None]
    succeeded_at: Mapped[dt.datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    holder: Mapped[str | None]
    lease_until: Mapped[dt.datetime | None]

    @property
    def failing(self) -> bool:
        """Whether people should be told."""
        return self.failures >= FAILED_POLLS_UNTIL_RED

    def account(self) -> ImapAccount:
        """What the IMAP adapter needs. Raises SettingsError when the password file cannot be read."""
        password = read_secret(Path(self.password_file), f"Mailbox {self.name!r}, --password-file")
        return ImapAccount(self.host, self.port, self.username, password, self.folder, self.tls)


def add_mailbox(
    session: Session,
    *,
    name: str,
    host: str,
    port: int,
    username: str,
    password_file: Path,
    folder: str = "INBOX",
    tls: bool = True,
    poll_interval_s: int = 60,
) -> Mailbox:
    """Add a mailbox. Raises SettingsError for a taken name, an unreadable file, or no TLS outside loopback."""
    if not tls and host not in LOOPBACK:
        raise SettingsError("--no-tls is accepted for a loopback server only.")
    read_secret(password_file, "--password-file")
    if session.scalar(select(Mailbox.id).where(Mailbox.name == name)):
        raise SettingsError(f"There is already a mailbox named {name!r}.")
    mailbox = Mailbox(
        name=name,
        host=host,
        port=port,
        username=username,
        password_file=str(password_file.resolve()),
        folder=folder,
        tls=tls,
        poll_interval_s=poll_interval_s,
    )
    session.add(mailbox)
    session.flush()
    return mailbox


def mailboxes(session: Session) -> list[Mailbox]:
    """All mailboxes, by name."""
    return list(session.scalars(select(Mailbox).order_by(Mailbox.name)))


def due_mailbox_ids(session: Session) -> list[int]:
    """Active mailboxes whose poll interval is over, by the database's clock; each failure doubles the wait."""
    wait = Mailbox.poll_interval_s * func.power(2, func.least(Mailbox.failures, 5))
    due_at = Mailbox.polled_at + func.make_interval(0, 0, 0, 0, 0, 0, wait)
    query = select(Mailbox.id).where(Mailbox.active, or_(Mailbox.polled_at.is_(None), due_at <= func.now()))
    return list(session.scalars(query.order_by(Mailbox.polled_at.asc().nulls_first())))


def take_lease(session: Session, mailbox_id: int, holder: str, lease_s: float) -> Mailbox | None:
    """Own the mailbox for `lease_s` seconds; None when another worker does (L15: compare and set, no lock)."""
    free = or_(Mailbox.lease_until.is_(None), Mailbox.lease_until < func.now(), Mailbox.holder == holder)
    taken = session.scalar(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id, free)
        .values(
            holder=holder,
            polled_at=func.now(),
            lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s),
        )
        .returning(Mailbox.id)
    )
    return session.get(Mailbox, taken, populate_existing=True) if taken else None


def renew_lease(sessions: Sessions, mailbox: Mailbox, lease_s: float) -> None:
    """Go on owning the mailbox while a long poll is under way."""
    with sessions.begin() as session:
        session.execute(
            update(Mailbox)
            .where(Mailbox.id == mailbox.id, Mailbox.holder == mailbox.holder)
            .values(lease_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, lease_s))
        )


def end_lease(session: Session, mailbox_id: int, holder: str, error: str | None) -> None:
    """Give the mailbox back and note how the poll went."""
    outcome = (
        {"failures": Mailbox.failures + 1, "error": error}
        if error
        else {"failures": 0, "error": None, "succeeded_at": func.now()}
    )
    session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id, Mailbox.holder == holder)
        .values(holder=None, lease_until=None, **outcome)
    )
