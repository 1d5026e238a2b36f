"""Every setting of the desk, read from the environment once, checked at start.

`python -m helpdesk.settings` prints the reference page (`docs/settings.md`); `make check` compares them.
A wrong setting raises `SettingsError` with one sentence that names it (12-factor, III).
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
import sys
import tempfile
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from helpdesk.errors import SettingsError

SECRET_BYTES_AT_LEAST = 32
# Where the desk works: pages and deadlines are in this time, the database is in UTC.
LIMA = ZoneInfo("America/Lima")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# One bare ASCII address: "Name <address>" belongs in two settings.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
WEAK_WORDS = ("change", "secret", "example", "password", "demo")

Mode = Literal["production", "development", "demo"]


class Settings(BaseSettings):
    """The desk's settings; units are in the names."""

    model_config = SettingsConfigDict(env_prefix="HELPDESK_", extra="ignore", frozen=True)

    database_url: str | None = Field(
        None,
        min_length=1,  # an empty one is a deployment's slip, not a wish for the embedded server
        validation_alias="DATABASE_URL",
        description="PostgreSQL address (`postgresql://user:password@host/name`). "
        "Absent: an embedded server that keeps its data in `HELPDESK_VAR`.",
    )
    secret_key: str | None = Field(
        None,
        validation_alias="SECRET_KEY",
        description="Signs sessions and the Message-IDs of what we send. At least 32 characters. "
        "Absent with the embedded server: one is made and kept in `HELPDESK_VAR`.",
    )
    secret_key_file: Path | None = Field(None, description="A file that holds the secret key instead.")
    mode: Mode | None = Field(
        None,
        description="`production` when `DATABASE_URL` is given, else `development`. `demo` is set by `helpdesk demo`.",
    )
    var: Path = Field(Path("var"), description="Folder of everything the embedded default keeps.")
    public_url: str = Field(
        "http://127.0.0.1:8000", description="Where people reach the pages; https in production."
    )
    mail_from: str = Field("consultas@infomigra.example.com", description="Address our mail is sent from.")
    mail_from_name: str = Field("Perú Infomigra", description="Name beside that address.")
    own_addresses: str = Field(
        "", description="More addresses of ours, by commas: mail from them is never answered."
    )
    plus_addressing: bool = Field(
        False,
        description="Whether the mailbox takes `local+anything@domain`: replies then carry such a Reply-To, which "
        "finds their ticket in whatever mail program. Turn on only after a test mail arrived.",
    )
    smtp_host: str = Field("127.0.0.1", description="SMTP server that takes our mail.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`none` is accepted for loopback servers only."
    )
    smtp_user: str | None = Field(None, description="User for SMTP, if it asks for one.")
    smtp_auth: Literal["password", "xoauth2", "oauthbearer"] = Field(
        "password",
        description="How that user signs in: with a password, or with an access token (OAuth 2.0).",
    )
    smtp_password_file: Path | None = Field(None, description="File with that user's password.")
    smtp_token_url: str | None = Field(None, description="OAuth 2.0 token endpoint for SMTP, https.")
    smtp_client_id: str | None = Field(None, description="OAuth 2.0 client id.")
    smtp_client_secret_file: Path | None = Field(None, description="File with the OAuth 2.0 client secret.")
    smtp_refresh_token_file: Path | None = Field(
        None,
        description="File with the refresh token that a person consented to, written anew when the provider replaces "
        "it. With it the grant is `refresh_token`, without it `client_credentials`.",
    )
    smtp_scope: str | None = Field(None, description="OAuth 2.0 scope.")
    smtp_timeout_s: float = Field(60, gt=0, description="Longest wait for one SMTP answer, seconds.")
    undo_s: int = Field(10, ge=0, le=120, description="Seconds in which an agent can take a reply back.")
    acknowledgements_per_day: int = Field(
        3, ge=0, description="Most acknowledgements to one address in 24 hours."
    )
    acknowledgements_per_domain_minute: int = Field(
        60, ge=0, description="Most acknowledgements to the addresses of one domain in a minute."
    )
    loop_mails_per_hour: int = Field(
        30, ge=1, description="Mail from one address beyond this many in an hour is taken for a machine's."
    )
    loop_joins_per_hour: int = Field(
        12, ge=1, description="Mail to one ticket beyond this many in an hour does not open it again."
    )
    reopen_days: int = Field(
        30,
        ge=0,
        description="Days in which an answer opens a closed ticket again; later it becomes a new, linked one.",
    )
    authserv_ids: str = Field(
        "",
        description="Names, by commas, by which our own mail border signs Authentication-Results (RFC 8601). "
        "Empty: no verdict is believed.",
    )
    acknowledge_within_h: int = Field(
        24, ge=1, description="Older mail (an import, a restore) is not acknowledged."
    )
    clamav: str | None = Field(
        None,
        pattern=r"^(unix:/.+|(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5})$",
        description="ClamAV's daemon (`host:port` or `unix:/path`): every file is held until it has passed it. "
        "Absent: files are not scanned.",
    )
    max_message_bytes: int = Field(
        25_000_000, ge=100_000, description="A larger mail is stored as headers and first megabyte."
    )
    filing_attempts: int = Field(
        3, ge=1, description="Tries before a mail that cannot be filed is set aside."
    )
    lease_s: float = Field(120, gt=0, description="How long a worker owns what it took, seconds.")
    tick_s: float = Field(2, gt=0, description="How often the worker asks what is due, seconds.")
    threads_per_web_process: int = Field(8, ge=1, description="Threads of each web process.")
    web_processes: int = Field(2, ge=1, description="Web processes.")
    model: Path | None = Field(
        None, description="The trained classifier; default `model.skops` in `HELPDESK_VAR`."
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=5,
        description="How many proxies of ours stand before the web processes: so many X-Forwarded-* are believed.",
    )
    seal_pkcs12: Path | None = Field(
        None, description="PKCS#12 file whose key seals the constancias (PAdES). Absent: they carry no seal."
    )
    seal_password_file: Path | None = Field(None, description="File with that file's password.")
    seal_pkcs11_module: Path | None = Field(
        None, description="PKCS#11 library of the token whose key seals the constancias, instead of a file."
    )
    seal_pkcs11_token: str | None = Field(None, description="Label of the token.")
    seal_pkcs11_label: str | None = Field(
        None, description="Label of the key and its certificate on the token."
    )
    seal_pin_file: Path | None = Field(None, description="File with the token's PIN.")
    seal_tsa_url: str | None = Field(None, description="Time-stamping authority (RFC 3161) for the seal.")
    inspection_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of a semester's filings that is drawn for the control after approval.",
    )
    inspection_most: int = Field(150, ge=1, description="Most filings that are drawn in a semester.")
    draft_days: int = Field(
        30, ge=1, description="Days after which a filing that was begun and left is forgotten."
    )
    register_years: int | None = Field(
        None,
        ge=1,
        description="Years after a contract's end, or a filing without one, in which persons stay named in the "
        "register. Absent: for ever.",
    )
    office_opens: dt.time = Field(dt.time(8, 30), description="Start of the working day, Lima time.")
    office_closes: dt.time = Field(dt.time(16, 30), description="End of the working day, Lima time.")

    @property
    def embedded(self) -> bool:
        """Whether the embedded PostgreSQL is used."""
        return self.database_url is None

    @property
    def effective_mode(self) -> Mode:
        """The mode in force (see `mode`)."""
        return self.mode or ("development" if self.embedded else "production")

    @property
    def model_path(self) -> Path:
        """Where the trained classifier lies."""
        return self.model or self.var / "model.skops"

    @property
    def models_folder(self) -> Path:
        """Where the files of the registered models are."""
        return self.var / "models"

    @property
    def seals(self) -> bool:
        """Whether constancias are sealed, which the worker does: the web processes need not read the key (T89)."""
        return self.seal_pkcs12 is not None or self.seal_pkcs11_module is not None

    @property
    def mail_domain(self) -> str:
        """The domain of our Message-IDs."""
        return self.mail_from.rpartition("@")[2]

    @cached_property
    def own(self) -> frozenset[str]:
        """Our own addresses, lower case."""
        extra = (address.strip().lower() for address in self.own_addresses.split(","))
        return frozenset({self.mail_from.lower(), *filter(None, extra)})

    @cached_property
    def borders(self) -> frozenset[str]:
        """The authserv-ids that we believe, lower case."""
        names = (name.strip().lower() for name in self.authserv_ids.split(","))
        return frozenset(filter(None, names))

    @property
    def secure_cookies(self) -> bool:
        """Whether pages are served over https, so that cookies may insist on it."""
        return self.public_url.startswith("https://")

    @cached_property
    def key(self) -> str:
        """The secret key, from the environment, its file, or (embedded only) one made in `HELPDESK_VAR`.

        Raises SettingsError when it is missing, too short or a well-known word (T76).
        """
        secret = self.secret_key
        if secret is None and self.secret_key_file is not None:
            secret = read_secret(self.secret_key_file, "HELPDESK_SECRET_KEY_FILE")
        if secret is None and self.embedded:
            secret = kept_secret(self.var / "secret_key")
        if secret is None:
            raise SettingsError("SECRET_KEY is missing: give at least 32 random characters.")
        check_secret(secret)
        return secret

    def check(self) -> None:
        """Raise SettingsError when these settings must not serve people."""
        _ = self.key
        if not ADDRESS.fullmatch(self.mail_from):
            raise SettingsError("HELPDESK_MAIL_FROM is not an e-mail address.")
        if self.office_closes <= self.office_opens:
            raise SettingsError("HELPDESK_OFFICE_CLOSES must be later than HELPDESK_OFFICE_OPENS.")
        check_smtp(self)
        if self.effective_mode != "production":
            return
        if os.environ.get("HELPDESK_FAILPOINTS"):
            raise SettingsError("HELPDESK_FAILPOINTS must not be set in production.")
        host = urlsplit(self.public_url).hostname or ""
        if not self.secure_cookies and host not in LOOPBACK:
            raise SettingsError("HELPDESK_PUBLIC_URL must begin with https:// in production.")


# What a password has no use for.
OAUTH_SETTINGS = (
    "smtp_token_url",
    "smtp_client_id",
    "smtp_client_secret_file",
    "smtp_refresh_token_file",
    "smtp_scope",
)
SMTP_FILES = ("smtp_password_file", "smtp_client_secret_file", "smtp_refresh_token_file")


def check_smtp(settings: Settings) -> None:
    """Raise SettingsError when mail could not leave, or a secret would travel in the clear (T62)."""
    if settings.smtp_security == "none" and settings.smtp_host not in LOOPBACK:
        raise SettingsError("HELPDESK_SMTP_SECURITY may be `none` for a loopback server only.")
    for name in SMTP_FILES:
        path = getattr(settings, name)
        if path is not None and not read_secret(path, environment_name(name)).isascii():
            raise SettingsError(f"{environment_name(name)}: SMTP can carry ASCII characters only.")
    if settings.smtp_auth == "password":
        _check_password_way(settings)
    else:
        _check_oauth_way(settings)


def _check_password_way(settings: Settings) -> None:
    if given := [environment_name(name) for name in OAUTH_SETTINGS if getattr(settings, name)]:
        raise SettingsError(f"{given[0]} needs HELPDESK_SMTP_AUTH to be `xoauth2` or `oauthbearer`.")
    if bool(settings.smtp_user) is not bool(settings.smtp_password_file):
        raise SettingsError("HELPDESK_SMTP_USER and HELPDESK_SMTP_PASSWORD_FILE need each other.")


def _check_oauth_way(settings: Settings) -> None:
    for name in ("smtp_user", "smtp_token_url", "smtp_client_id"):
        if not getattr(settings, name):
            raise SettingsError(f"{environment_name(name)} is missing: HELPDESK_SMTP_AUTH needs it.")
    if settings.smtp_password_file is not None:
        raise SettingsError("HELPDESK_SMTP_PASSWORD_FILE needs HELPDESK_SMTP_AUTH to be `password`.")
    if settings.smtp_client_secret_file is None and settings.smtp_refresh_token_file is None:
        raise SettingsError(
            "HELPDESK_SMTP_CLIENT_SECRET_FILE or HELPDESK_SMTP_REFRESH_TOKEN_FILE is missing: "
            "HELPDESK_SMTP_AUTH needs one of them."
        )
    address = urlsplit(settings.smtp_token_url or "")
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
        raise SettingsError("HELPDESK_SMTP_TOKEN_URL must begin with https://.")


def check_secret(secret: str) -> None:
    """Raise SettingsError for a secret that can be guessed."""
    if len(secret) < SECRET_BYTES_AT_LEAST:
        raise SettingsError("SECRET_KEY is too short: give at least 32 random characters.")
    weak = len(set(secret)) < 10 or any(word in secret.lower() for word in WEAK_WORDS)
    if weak:
        raise SettingsError("SECRET_KEY can be guessed: give at least 32 random characters.")


def read_secret(path: Path, setting: str) -> str:
    """Read a secret from a file; raise SettingsError naming the setting that points to it."""
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"{setting}: cannot read {path} ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{setting}: {path} is not text.") from error


def kept_secret(path: Path) -> str:
    """The secret kept in `path`; the first process to ask makes it, and all that ask at once get the same.

    Raises SettingsError when the folder cannot be used.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _make_secret(path)
    except OSError as error:
        raise SettingsError(f"HELPDESK_VAR: cannot write {path} ({error.strerror}).") from error
    return read_secret(path, "HELPDESK_VAR")


def _make_secret(path: Path) -> None:
    # Written whole and then given its name, so that nobody reads half of it; who comes second changes nothing.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))  # hex spells none of WEAK_WORDS
    with suppress(FileExistsError):
        os.link(name, path)
    os.unlink(name)


def load() -> Settings:
    """The settings of this process. Raises SettingsError naming each bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(
            " ".join(_sentence(item["loc"], item["msg"]) for item in error.errors())
        ) from error


def environment_name(field: str) -> str:
    """The environment variable of a field."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias) if alias else f"HELPDESK_{field.upper()}"


def _sentence(loc: tuple[int | str, ...], message: str) -> str:
    field = str(loc[0])
    name = environment_name(field) if field in Settings.model_fields else field
    return f"{name}: {message[0].lower()}{message[1:]}."


def reference() -> str:
    """The settings page, in Markdown."""
    rows = ["# Settings", "", "Made by `python -m helpdesk.settings`; do not edit by hand.", ""]
    rows += ["| Variable | Default | What it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "–" if field.default is None else f"`{field.default}`"
        if field.default == "":
            default = "–"
        rows.append(f"| `{environment_name(name)}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
