"""The command line as a person or a script uses it: names, keys, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpdesk.settings import Settings
from tests.core.test_models import small_model
from tests.desk import Desk
from tests.dovecot import PASSWORD, Dovecot
from tests.edges.conftest import environment
from tests.mails import mail

EMAILS = Path(__file__).parent.parent / "emails"

INSPECT_KEYS = [
    *("file", "from", "to", "cc", "reply_to", "subject", "date", "message_id", "in_reply_to", "references"),
    *("text", "new_text", "html", "attachments", "automatic", "bounce", "language", "defects"),
    *("forwarded", "contains"),
]


@pytest.fixture
def helpdesk(settings: Settings):
    """Run `helpdesk …` as a process."""

    def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from helpdesk.cli import main; main(prog_name='helpdesk')", *arguments],
            env=environment(settings, **more),
            capture_output=True,
            text=True,
            input=stdin,
            timeout=120,
        )

    return run


def test_every_command_explains_itself_with_an_example(helpdesk) -> None:
    from helpdesk.cli import main

    def walk(command, path):
        yield path
        for name, sub in getattr(command, "commands", {}).items():
            yield from walk(sub, (*path, name))

    from click.testing import CliRunner

    for path in walk(main, ()):
        shown = CliRunner().invoke(main, [*path, "--help"])
        assert shown.exit_code == 0
        command = main
        for name in path:
            command = command.commands[name]
        if not getattr(command, "commands", None):
            assert "Example:" in shown.output, path


def test_inspect_prints_one_object_a_line_with_the_promised_keys_and_needs_no_database(helpdesk) -> None:
    done = helpdesk("mail", "inspect", "--json", str(EMAILS), DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(list(EMAILS.rglob("*.eml"))) >= 40
    for row in rows:
        assert list(row) == INSPECT_KEYS


def test_inspect_of_a_missing_file_is_wrong_use(helpdesk) -> None:
    assert helpdesk("mail", "inspect", "no-such.eml").returncode == 2


def test_classify_reads_json_lines_and_needs_no_database(helpdesk) -> None:
    asked = json.dumps({"subject": "Tarjeta", "body": "Vivo en Italia y quiero volver al Perú"}) + "\n"
    done = helpdesk("classify", "--json", stdin=asked * 2, DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == 2
    assert set(rows[0]) == {"line", "probability", "probabilities", "why", "abstained", "model", "also"}
    assert set(rows[0]["also"]) == {"kind", "language", "topic", "urgency"}
    assert rows[0]["also"]["language"]["label"] == "es"
    assert abs(sum(rows[0]["probabilities"].values()) - 1) < 0.01


@pytest.mark.parametrize("bad", ["not json", '["a list"]', '{"subject": "no body"}'])
def test_classify_names_the_line_that_it_cannot_read(helpdesk, bad: str) -> None:
    done = helpdesk("classify", "--json", stdin='{"body": "hola"}\n' + bad + "\n")
    assert done.returncode == 2
    assert "line 2" in done.stderr


def test_suggest_ranks_answers_with_slug_title_score_and_why(helpdesk) -> None:
    asked = json.dumps({"subject": "", "body": "Cómo obtengo la tarjeta del migrante retornado"})
    done = helpdesk("suggest", "--json", stdin=asked, DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert done.returncode == 0, done.stderr
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert 1 <= len(row["answers"]) <= 3
    assert set(row["answers"][0]) == {"slug", "title", "language", "score", "why", "question"}
    scores = [answer["score"] for answer in row["answers"]]
    assert scores == sorted(scores, reverse=True)
    assert "tarjeta" in row["answers"][0]["slug"]


def test_classify_without_a_model_says_how_to_train_one(helpdesk, tmp_path: Path) -> None:
    done = helpdesk("classify", stdin='{"body": "x"}', HELPDESK_MODEL=str(tmp_path / "none.skops"))
    assert done.returncode == 2
    assert "python -m classifier train" in done.stderr


def test_models_are_listed_used_and_learned(helpdesk, settings: Settings, tmp_path: Path) -> None:
    nothing = helpdesk("model", "list")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "No model is registered" in nothing.stderr
    own = tmp_path / "own.model"
    small_model().save(own)
    done = helpdesk("model", "use", str(own))
    assert done.returncode == 0, done.stderr
    assert "sorts the mail now" in done.stdout
    assert " active " in helpdesk("model", "list").stdout
    own.write_bytes(b"rubbish")
    bad = helpdesk("model", "use", str(own))
    assert (bad.returncode, len(bad.stderr.splitlines())) == (2, 1)
    assert "faltan correcciones" in helpdesk("model", "learn", "--now").stdout


def test_user_add_makes_an_account_and_refuses_a_second_one(helpdesk, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("una-clave-larga-1")
    arguments = ("user", "add", "Nueva@Example.com", "--role", "agent", "--password-file", str(secret))
    assert "nueva@example.com can sign in as agent" in helpdesk(*arguments).stdout
    again = helpdesk(*arguments)
    assert again.returncode == 2
    assert "already" in again.stderr
    secret.write_text("corta")
    assert (
        "at least 10"
        in helpdesk("user", "add", "b@example.com", "--role", "agent", "--password-file", str(secret)).stderr
    )


def test_a_mailbox_outside_this_machine_must_use_tls(helpdesk, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("x")
    where = ("--host", "imap.example.com", "--port", "143", "--user", "u", "--password-file", str(secret))
    refused = helpdesk("mailbox", "add", "fuera", *where, "--no-tls")
    assert refused.returncode == 2
    assert "--no-tls" in refused.stderr


@pytest.mark.needs("dovecot")
def test_mailbox_add_check_list_and_poll(
    helpdesk, desk: Desk, imap_server: Dovecot, user: str, tmp_path: Path
) -> None:
    from helpdesk.desk.mailbox import Mailbox

    with desk.sessions.begin() as session:
        session.get_one(Mailbox, desk.mailbox_id).active = False
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    where = ("--host", "127.0.0.1", "--port", str(imap_server.port), "--user", user, "--no-tls")
    added = helpdesk("mailbox", "add", "real", *where, "--password-file", str(secret))
    assert added.returncode == 0, added.stderr
    imap_server.deliver(user, mail())
    checked = helpdesk("mailbox", "check", "real")
    assert checked.returncode == 0
    assert "holds 1 messages" in checked.stdout
    polled = helpdesk("mail", "poll", "--once")
    assert polled.returncode == 0, polled.stderr
    assert "real: 1 received, 1 filed, 0 duplicates, 0 set aside" in polled.stdout
    assert "real" in helpdesk("mailbox", "list").stdout
    secret.write_text("otra")
    refused = helpdesk("mailbox", "check", "real")
    assert refused.returncode == 1
    assert "FAIL" in refused.stdout
    assert helpdesk("mail", "poll", "--once").returncode == 1
    assert helpdesk("mailbox", "check", "ninguno").returncode == 2


def test_db_upgrade_twice_changes_nothing(helpdesk) -> None:
    done = helpdesk("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert "0 template answers were new or changed" in done.stdout
