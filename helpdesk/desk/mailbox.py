"""The mailboxes we read: how each is reached, and what people do with one (add, pause, resume, poll now).

Who reads one now, and when next, is in `mailbox_lease`; how one is doing, in `mailbox_health`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import CheckConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from classifier import LINES
from helpdesk.db import Base
from helpdesk.desk.lifecycle import state_check
from helpdesk.errors import SettingsError
from helpdesk.mail.imap import ImapAccount, has_controls
from helpdesk.mail.oauth import OAuthClient
from helpdesk.settings import LOOPBACK, read_secret

FAILED_POLLS_UNTIL_RED = 3
# The mailboxes that mail brought from files belongs to: history, and what is still to be answered.
IMPORTED_CLOSED = "importación"
IMPORTED_OPEN = "importación abierta"


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
        return self.halted_at is not None or self.failures >= FAILED_POLLS_UNTIL_RED

    def account(self) -> ImapAccount:
        """What the IMAP adapter needs. Raises SettingsError when a secret's file cannot be read, or is empty."""
        check_way(self.host, tls=self.tls, token_url=self.token_url)
        secret = self._secret(self.password_file, "--password-file")
        oauth = None if self.auth == Auth.PASSWORD else self._oauth(secret)
        return ImapAccount(
            self.host,
            self.port,
            self.username,
            "" if oauth else secret,
            self.folder,
            self.tls,
            self.auth,
            oauth,
        )

    def _oauth(self, secret: str) -> OAuthClient:
        assert self.token_url is not None
        assert self.client_id is not None
        client = OAuthClient(
            self.token_url, self.client_id, f"{self.name}/{self.username}", self.scope, secret
        )
        if self.oauth_grant == Grant.CLIENT_CREDENTIALS:
            return client
        file = self.client_secret_file
        own = self._secret(file, "--client-secret-file") if file else None
        return replace(client, secret=own, refresh_token=secret, refresh_file=Path(self.password_file))

    def _secret(self, file: str, option: str) -> str:
        secret = read_secret(Path(file), f"Mailbox {self.name!r}, {option}")
        if not secret:  # somebody is writing it; at the server it would count as a wrong password
            raise SettingsError(f"Mailbox {self.name!r}, {option}: {file} is empty.")
        return secret


@dataclass(frozen=True, slots=True)
class OAuthWay:
    """How a mailbox gets its access token. `client_secret_file` may be None for a refresh token."""

    grant: Grant
    token_url: str
    client_id: str
    client_secret_file: Path | None = None
    scope: str | None = None


def check_way(host: str, *, tls: bool, token_url: str | None) -> None:
    """Raise SettingsError when a secret would travel in the clear (T62)."""
    if not tls and host not in LOOPBACK:
        raise SettingsError("--no-tls is accepted for a loopback server only.")
    if token_url is not None:
        parts = urlsplit(token_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise SettingsError("--token-url must begin with https://.")


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
    default_line: str | None = None,
    auth: Auth = Auth.PASSWORD,
    oauth: OAuthWay | None = None,
    sent_folder: str | None = None,
    idle: bool = True,
) -> Mailbox:
    """Add a mailbox. Raises SettingsError for a taken name, an unreadable file, or no TLS outside loopback.

    `password_file` holds the password, or with OAuth the client secret or the refresh token.
    """
    check_way(host, tls=tls, token_url=oauth.token_url if oauth else None)
    if (auth is Auth.PASSWORD) is not (oauth is None):
        raise SettingsError("--auth xoauth2 and oauthbearer need --oauth-grant, --token-url and --client-id.")
    for text in (host, username, folder, sent_folder or ""):
        if has_controls(text):
            raise SettingsError("Control characters are not accepted in hosts, users and folders.")
    _check_files(password_file, oauth)
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
        default_line=default_line,
        auth=auth.value,
        sent_folder=sent_folder,
        idle=idle,
        **_oauth_columns(oauth),
    )
    session.add(mailbox)
    session.flush()
    return mailbox


def _check_files(password_file: Path, oauth: OAuthWay | None) -> None:
    if has_controls(read_secret(password_file, "--password-file")):
        raise SettingsError("--password-file: more than one line, or control characters.")
    if oauth and oauth.client_secret_file:
        read_secret(oauth.client_secret_file, "--client-secret-file")


def _oauth_columns(oauth: OAuthWay | None) -> dict[str, str | None]:
    if oauth is None:
        return {}
    file = oauth.client_secret_file
    return {
        "oauth_grant": oauth.grant.value,
        "token_url": oauth.token_url,
        "client_id": oauth.client_id,
        "client_secret_file": str(file.resolve()) if file else None,
        "scope": oauth.scope,
    }


def mailboxes(session: Session) -> list[Mailbox]:
    """All mailboxes, by name, those of imported files too."""
    return list(session.scalars(select(Mailbox).order_by(Mailbox.name)))


def imap_mailboxes(session: Session) -> list[Mailbox]:
    """The mailboxes that are read from a server, by name."""
    return [mailbox for mailbox in mailboxes(session) if mailbox.kind == MailboxKind.IMAP]


def find_mailbox(session: Session, name: str) -> Mailbox:
    """The mailbox of that name that is read from a server. Raises SettingsError when there is none."""
    found = next((mailbox for mailbox in imap_mailboxes(session) if mailbox.name == name), None)
    if found is None:
        raise SettingsError(f"There is no mailbox {name!r}. See: helpdesk mailbox list")
    return found


def poll_now(mailbox: Mailbox) -> None:
    """Let the next tick poll it."""
    mailbox.due_at = func.now()


def resume(mailbox: Mailbox) -> None:
    """Read it again: somebody mended what was wrong, or the pause is over."""
    mailbox.active, mailbox.halted_at = True, None
    mailbox.failures, mailbox.error, mailbox.error_kind = 0, None, None
    poll_now(mailbox)


def pause(mailbox: Mailbox) -> None:
    """Do not read it until somebody resumes it; the poll under way is let finish."""
    mailbox.active = False
