"""The settings: what may serve people, and one sentence for each that may not (T76)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpdesk.errors import SettingsError
from helpdesk.settings import (
    SECRET_BYTES_AT_LEAST,
    WEAK_WORDS,
    Settings,
    check_secret,
    environment_name,
    kept_secret,
    load,
    reference,
)
from scheduler.__main__ import main

ROOT = Path(__file__).parent.parent.parent
KEY = "k3y-0f-th3-t3sts-" + "x9Qw7" * 6
# Nothing listens there: these tests never come so far as to ask it.
PRODUCTION = {
    "DATABASE_URL": "postgresql://desk:hunter2hunter2@127.0.0.1:1/desk",
    "SECRET_KEY": KEY,
    "HELPDESK_PUBLIC_URL": "https://desk.example.com",
}
HERE = "{folder}"
WRONG = [
    ("SECRET_KEY", None, "SECRET_KEY is missing"),
    ("SECRET_KEY", "", "SECRET_KEY is too short"),
    ("SECRET_KEY", "x9Qw7" * 6, "SECRET_KEY is too short"),
    ("SECRET_KEY", "a" * 64, "SECRET_KEY can be guessed"),
    ("SECRET_KEY", "CHANGE-me-" + KEY, "SECRET_KEY can be guessed"),
    ("SECRET_KEY", "this-is-my-Secret-of-32-characters", "SECRET_KEY can be guessed"),
    ("DATABASE_URL", "", "DATABASE_URL"),
    ("DATABASE_URL", "nonsense", "DATABASE_URL is not a database address"),
    ("DATABASE_URL", "mysql://u:p@h/d", "DATABASE_URL must be a PostgreSQL address"),
    ("DATABASE_URL", "sqlite:///x.db", "DATABASE_URL must be a PostgreSQL address"),
    ("HELPDESK_MODE", "produccion", "HELPDESK_MODE"),
    ("HELPDESK_MODE", "", "HELPDESK_MODE"),
    ("HELPDESK_PUBLIC_URL", "http://desk.example.com", "HELPDESK_PUBLIC_URL must begin with https://"),
    ("HELPDESK_PUBLIC_URL", "desk.example.com", "HELPDESK_PUBLIC_URL must begin with https://"),
    ("HELPDESK_MAIL_FROM", "", "HELPDESK_MAIL_FROM is not an e-mail address"),
    ("HELPDESK_MAIL_FROM", "infomigra", "HELPDESK_MAIL_FROM is not an e-mail address"),
    ("HELPDESK_MAIL_FROM", "Infomigra <a@example.com>", "HELPDESK_MAIL_FROM is not an e-mail address"),
    ("HELPDESK_MAIL_FROM", "a@example.com, b@example.com", "HELPDESK_MAIL_FROM is not an e-mail address"),
    ("HELPDESK_SMTP_PORT", "smtp", "HELPDESK_SMTP_PORT"),
    ("HELPDESK_SMTP_PORT", "0", "HELPDESK_SMTP_PORT"),
    ("HELPDESK_SMTP_PORT", "65536", "HELPDESK_SMTP_PORT"),
    ("HELPDESK_SMTP_SECURITY", "ssl", "HELPDESK_SMTP_SECURITY"),
    ("HELPDESK_SMTP_PASSWORD_FILE", f"{HERE}/absent", "HELPDESK_SMTP_PASSWORD_FILE: cannot read"),
    ("HELPDESK_SMTP_PASSWORD_FILE", HERE, "HELPDESK_SMTP_PASSWORD_FILE: cannot read"),
    ("HELPDESK_SMTP_AUTH", "oauth", "HELPDESK_SMTP_AUTH"),
    ("HELPDESK_SMTP_AUTH", "xoauth2", "HELPDESK_SMTP_USER is missing: HELPDESK_SMTP_AUTH needs it"),
    ("HELPDESK_SMTP_TOKEN_URL", "https://a.example.com", "HELPDESK_SMTP_TOKEN_URL needs HELPDESK_SMTP_AUTH"),
    ("HELPDESK_SMTP_USER", "mesa", "HELPDESK_SMTP_USER and HELPDESK_SMTP_PASSWORD_FILE need each other"),
    ("HELPDESK_SMTP_TIMEOUT_S", "0", "HELPDESK_SMTP_TIMEOUT_S"),
    ("HELPDESK_UNDO_S", "-1", "HELPDESK_UNDO_S"),
    ("HELPDESK_UNDO_S", "121", "HELPDESK_UNDO_S"),
    ("HELPDESK_ACKNOWLEDGEMENTS_PER_DAY", "-1", "HELPDESK_ACKNOWLEDGEMENTS_PER_DAY"),
    ("HELPDESK_ACKNOWLEDGE_WITHIN_H", "0", "HELPDESK_ACKNOWLEDGE_WITHIN_H"),
    ("HELPDESK_MAX_MESSAGE_BYTES", "1", "HELPDESK_MAX_MESSAGE_BYTES"),
    ("HELPDESK_FILING_ATTEMPTS", "0", "HELPDESK_FILING_ATTEMPTS"),
    ("HELPDESK_LEASE_S", "0", "HELPDESK_LEASE_S"),
    ("HELPDESK_TICK_S", "-2", "HELPDESK_TICK_S"),
    ("HELPDESK_THREADS_PER_WEB_PROCESS", "0", "HELPDESK_THREADS_PER_WEB_PROCESS"),
    ("HELPDESK_WEB_PROCESSES", "two", "HELPDESK_WEB_PROCESSES"),
    ("HELPDESK_OFFICE_OPENS", "half past eight", "HELPDESK_OFFICE_OPENS"),
    ("HELPDESK_OFFICE_CLOSES", "25:00", "HELPDESK_OFFICE_CLOSES"),
    ("HELPDESK_OFFICE_CLOSES", "08:30", "HELPDESK_OFFICE_CLOSES must be later than HELPDESK_OFFICE_OPENS"),
    ("HELPDESK_FAILPOINTS", "filed", "HELPDESK_FAILPOINTS must not be set in production"),
]


def environment(folder: Path, changes: dict[str, str | None]) -> dict[str, str]:
    """A production environment with changes; None takes a variable out."""
    wanted = {**PRODUCTION, "HELPDESK_VAR": str(folder), **changes}
    return {name: value.format(folder=folder) for name, value in wanted.items() if value is not None}


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting of ours."""
    for name in list(os.environ):
        if name.startswith("HELPDESK_") or name in {"DATABASE_URL", "SECRET_KEY"}:
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_t76_a_worker_with_a_wrong_setting_says_so_in_one_sentence_and_does_not_start(
    clean: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    value: str,
    words: str,
) -> None:
    for variable, content in environment(tmp_path, {name: value}).items():
        clean.setenv(variable, content)
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith(words)
    assert said.endswith(".\n")
    assert len(said.splitlines()) == 1
    assert not [secret for secret in (KEY, "hunter2") if secret in said]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SECRET_KEY": None}, ["SECRET_KEY"]),
        ({"SECRET_KEY": None, "HELPDESK_SECRET_KEY_FILE": f"{HERE}/absent"}, ["HELPDESK_SECRET_KEY_FILE"]),
        ({"HELPDESK_SMTP_PORT": "x", "HELPDESK_TICK_S": "0"}, ["HELPDESK_SMTP_PORT", "HELPDESK_TICK_S"]),
        (
            {"HELPDESK_SMTP_SECURITY": "none", "HELPDESK_SMTP_HOST": "mail.example.com"},
            ["HELPDESK_SMTP_SECURITY"],
        ),
        ({"DATABASE_URL": None, "SECRET_KEY": None, "HELPDESK_VAR": "/dev/null/var"}, ["HELPDESK_VAR"]),
    ],
)
def test_t76_the_process_itself_ends_with_2_and_one_line(
    tmp_path: Path, changes: dict[str, str | None], words: list[str]
) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    run = subprocess.run(
        [sys.executable, "-m", "scheduler"],
        cwd=ROOT,
        env=kept | environment(tmp_path, changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert [word for word in words if word not in run.stderr] == []


def settings(clean: pytest.MonkeyPatch, folder: Path, **changes: str | None) -> Settings:
    for variable, content in environment(folder, changes).items():
        clean.setenv(variable, content)
    return load()


def test_a_right_setting_is_no_reason_to_complain(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = settings(clean, tmp_path)
    found.check()
    assert found.effective_mode == "production"
    assert found.secure_cookies
    assert found.key == KEY


def test_without_any_setting_it_is_development_with_a_key_of_its_own(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changes = dict.fromkeys(PRODUCTION)
    found = settings(clean, tmp_path, **changes)
    found.check()
    assert (found.embedded, found.effective_mode, found.secure_cookies) == (True, "development", False)
    assert found.key == load().key
    assert found.model_path == tmp_path / "model.skops"


def test_a_key_in_a_file_is_read_without_its_line_end(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    found = settings(clean, tmp_path, SECRET_KEY=None, HELPDESK_SECRET_KEY_FILE=str(path))
    assert found.key == KEY


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe" * 40])
def test_a_key_file_that_holds_no_good_key_is_refused(
    clean: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    found = settings(clean, tmp_path, SECRET_KEY=None, HELPDESK_SECRET_KEY_FILE=str(path))
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        found.check()


def test_mail_from_any_address_of_ours_is_known_in_lower_case(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = settings(
        clean,
        tmp_path,
        HELPDESK_MAIL_FROM="Desk@Example.com",
        HELPDESK_OWN_ADDRESSES=" Som@example.com,, b@x.pe ",
    )
    assert found.own == {"desk@example.com", "som@example.com", "b@x.pe"}
    assert found.mail_domain == "Example.com"


def test_the_key_that_is_kept_is_strong_private_and_always_the_same(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret_key"
    made = kept_secret(path)
    check_secret(made)
    assert len(made) >= SECRET_BYTES_AT_LEAST
    assert path.stat().st_mode & 0o077 == 0
    assert kept_secret(path) == made
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_is_made_can_never_be_one_that_is_refused(tmp_path: Path) -> None:
    letters = set().union(*(kept_secret(tmp_path / str(number)) for number in range(40)))
    assert [word for word in WEAK_WORDS if set(word) <= letters] == []


def test_processes_that_start_at_once_keep_one_key(tmp_path: Path) -> None:
    for number in range(40):
        path = tmp_path / str(number) / "secret_key"
        start, found = threading.Barrier(8), list[str]()

        def ask(path: Path = path, start: threading.Barrier = start, found: list[str] = found) -> None:
            start.wait()
            found.append(kept_secret(path))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert set(found) == {path.read_text()}


def test_every_setting_is_on_the_page_with_a_sentence() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) == len(Settings.model_fields)
    assert [
        name for name in Settings.model_fields if f"| `{environment_name(name)}` |" not in reference()
    ] == []
    assert [row for row in rows if not row.endswith(". |")] == []
    assert KEY not in reference()


TOKEN = {
    "HELPDESK_SMTP_AUTH": "xoauth2",
    "HELPDESK_SMTP_USER": "mesa@example.com",
    "HELPDESK_SMTP_TOKEN_URL": "https://login.example.com/token",
    "HELPDESK_SMTP_CLIENT_ID": "cliente-1",
    "HELPDESK_SMTP_CLIENT_SECRET_FILE": f"{HERE}/secret",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"HELPDESK_SMTP_AUTH": "oauthbearer", "HELPDESK_SMTP_REFRESH_TOKEN_FILE": f"{HERE}/secret"}, None),
        ({"HELPDESK_SMTP_TOKEN_URL": "http://127.0.0.1:8/token"}, None),
        ({"HELPDESK_SMTP_TOKEN_URL": None}, "HELPDESK_SMTP_TOKEN_URL is missing"),
        ({"HELPDESK_SMTP_CLIENT_ID": ""}, "HELPDESK_SMTP_CLIENT_ID is missing"),
        ({"HELPDESK_SMTP_TOKEN_URL": "http://login.example.com"}, "HELPDESK_SMTP_TOKEN_URL must begin with"),
        ({"HELPDESK_SMTP_CLIENT_SECRET_FILE": None}, "HELPDESK_SMTP_CLIENT_SECRET_FILE or"),
        ({"HELPDESK_SMTP_CLIENT_SECRET_FILE": f"{HERE}/absent"}, "HELPDESK_SMTP_CLIENT_SECRET_FILE: cannot"),
        ({"HELPDESK_SMTP_PASSWORD_FILE": f"{HERE}/secret"}, "HELPDESK_SMTP_PASSWORD_FILE needs"),
        ({"HELPDESK_SMTP_CLIENT_SECRET_FILE": f"{HERE}/enie"}, "HELPDESK_SMTP_CLIENT_SECRET_FILE: SMTP can"),
    ],
)
def test_what_signing_in_to_smtp_with_a_token_needs_is_said_at_start(
    clean: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, str | None], words: str | None
) -> None:
    (tmp_path / "secret").write_text("s3creto")
    (tmp_path / "enie").write_text("contraseña")
    for variable, content in environment(tmp_path, {**TOKEN, **changes}).items():
        clean.setenv(variable, content)
    settings = load()
    if words is None:
        settings.check()
        return
    with pytest.raises(SettingsError) as error:
        settings.check()
    assert str(error.value).startswith(words)
    assert "s3creto" not in str(error.value)
