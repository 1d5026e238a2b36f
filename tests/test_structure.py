"""The house keeps its shape: who imports whom, what is guarded, what is documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from flask import Flask
from importlinter.cli import lint_imports

from helpdesk import failpoints
from helpdesk.accounts.sign_in import needs
from helpdesk.desk import words
from helpdesk.desk.lifecycle import LIFECYCLES, OutgoingState, TicketStatus
from helpdesk.settings import Settings, environment_name
from helpdesk.web.guard import PUBLIC_BLUEPRINTS, PUBLIC_ENDPOINTS
from scheduler.jobs import JOBS
from templates.catalogue import answer_files, read_answer
from templates.letter import Part, compose
from templates.placeholders import PLACEHOLDERS, unfilled
from templates.rendering import render
from tests import in_step

ROOT = Path(__file__).parent.parent
LIGHT = (
    "classifier",
    "templates",
    "helpdesk.mail.parse",
    "helpdesk.clock.working_calendar",
    "helpdesk.desk.tables",
    "helpdesk.desk.filing",
    "helpdesk.desk.worker",
    "scheduler.jobs",
)


def test_the_import_contracts_hold_and_no_module_is_without_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename="pyproject.toml", cache_dir=None) == 0


@pytest.mark.parametrize("module", LIGHT)
def test_importing_the_core_loads_neither_flask_nor_scikit_learn(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('flask', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_web_starts_without_scikit_learn() -> None:
    code = "import sys, helpdesk.app; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_every_route_but_a_named_few_is_behind_the_guard(settings: Settings) -> None:
    from helpdesk.app import create_app

    app: Flask = create_app(settings)
    guards = [function.__name__ for function in app.before_request_funcs[None]]
    assert "require_sign_in" in guards
    information = {"information.show", "information.of_line", "information.answer"}
    verification = {"verification.form", "verification.show"}
    assert {"health.healthz", "static", "security.login", *information, *verification} == PUBLIC_ENDPOINTS
    # Filing has no account; what is on these pages stands behind secret links.
    assert {"constancia", "writing", "filed"} == PUBLIC_BLUEPRINTS
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= PUBLIC_ENDPOINTS
    assert app.view_functions["supervisor.show"].needs_role == "supervisor"
    assert needs.__name__ == "needs"


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`{environment_name(name)}`" in page


def test_generated_pages_say_what_the_code_says() -> None:
    assert in_step.pages_out_of_step() == []


def test_migrations_and_models_agree(postgres: str) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url

    from helpdesk.db import driver_url

    admin = create_engine(driver_url(postgres), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("create database from_nothing"))
    admin.dispose()
    in_step.check_migrations(
        make_url(postgres).set(database="from_nothing").render_as_string(hide_password=False)
    )


@pytest.mark.parametrize("path", answer_files(), ids=lambda path: path.stem)
def test_every_answer_renders_with_its_facts(path: Path) -> None:
    answer = read_answer(path)
    facts = dict.fromkeys(PLACEHOLDERS, "dato")
    letter = compose([Part(answer.title, answer.body)], answer.language, facts).text
    assert unfilled(letter) == []
    rendered = render(letter, title=answer.title)
    assert "dato" in rendered.text
    assert "dato" in rendered.html
    assert len(rendered.text.encode()) + len(rendered.html.encode()) < 10_000  # a mail of less than 20 KB


def test_there_are_at_least_six_answers_a_line() -> None:
    lines = [path.parent.name for path in answer_files()]
    for line in ("abroad", "return", "resident_abroad", "foreigner"):
        assert lines.count(line) >= 6


def test_every_job_has_an_interval_and_a_name_of_its_own() -> None:
    assert len({job.name for job in JOBS}) == len(JOBS) >= 2
    assert all(job.interval_ticks > 0 for job in JOBS)


def test_every_event_that_is_recorded_has_words() -> None:
    recorded = set()
    for path in (ROOT / "helpdesk").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("record", "_say"):
                recorded |= {arg.value for arg in node.args[2:3] if isinstance(arg, ast.Constant)}
    assert recorded
    assert recorded <= set(words.EVENTS)


def test_every_state_has_words() -> None:
    assert set(words.STATUSES_ES) == {status.value for status in TicketStatus}
    assert set(words.OUTGOING_ES) == {state.value for state in OutgoingState}


def test_every_transition_leads_to_a_known_state() -> None:
    for table in LIFECYCLES.values():
        for targets in table.values():
            assert targets <= set(table)


def test_every_failpoint_is_passed_somewhere() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "helpdesk").rglob("*.py"))
    for name in failpoints.NAMES:
        assert f'failpoints.hit("{name}")' in code


def test_what_people_read_can_be_translated() -> None:
    methods = [("pages/**.html", "jinja2"), ("**.py", "python")]
    found = {str(message) for _, _, message, _, _ in extract_from_dir(str(ROOT / "helpdesk"), methods)}
    assert len(found) > 100
    for table in (words.LINES_ES, words.LINES_SHORT_ES, words.STATUSES_ES, words.OUTGOING_ES, words.EVENTS):
        assert set(table.values()) <= found


def test_T30_nothing_is_shown_unescaped_but_the_caged_mail() -> None:
    safe = [
        path.name for path in (ROOT / "helpdesk" / "pages").rglob("*.html") if "|safe" in path.read_text()
    ]
    assert safe == ["message_frame.html"]


def test_T106_nothing_is_unpickled_or_evaluated() -> None:
    bad = re.compile(
        r"\b(pickle|marshal|joblib)\b\.|\byaml\.load\((?!.*, _Loader\))|\beval\(|\bexec\(|shell=True"
    )
    for folder in ("classifier", "helpdesk", "scheduler", "templates"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not bad.search(path.read_text()), path
