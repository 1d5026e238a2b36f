"""The answers between their files and the database: nothing is lost, nothing of people is overwritten by chance."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from sqlalchemy.orm import Session

from helpdesk.accounts.users import Role, User
from helpdesk.cli import main
from helpdesk.db import Sessions, open_engine, open_sessions
from helpdesk.desk import authoring
from helpdesk.desk.answer_files import export_answers, import_answers
from helpdesk.desk.answers import Answer, approved_answer, approved_answers, versions_of
from templates.answer import AnswerText, AttachedFile
from templates.catalogue import read_answers, write_answer
from tests.conftest import KEY
from tests.core.test_lock_order import until_somebody_waits

NOW = dt.datetime(2026, 11, 23, 15, 0, tzinfo=dt.UTC)
TEXT = AnswerText(
    slug="prueba",
    title="Una prueba: con dos puntos",
    line="return",
    topic="vehicle",
    language="es",
    source=("Ley 30001 (gob.pe/1)", "no"),
    owner="orientacion",
    valid_from=dt.date(2026, 11, 23),
    review_by=dt.date(2027, 5, 23),
    public=False,
    keywords=("545", "sí", "2026-11-23", "<script>", "a, b"),
    questions=("¿{% x %} o ${x}?", "# no es un comentario"),
    attachments=(
        AttachedFile("Guía 1.pdf", b"%PDF-1.7\r\n\x00\xff"),
        AttachedFile("vacío.txt", b""),
        AttachedFile("notas.md", b"---\nslug: prueba\n---\nno es una respuesta\n"),
    ),
    body="---\n{{nombre}}: <b>hola</b> {% x %} ${x}\n\n1. Uno  \n2. Dos\n\n---\nslug: otra",
)
ENGLISH = replace(TEXT, language="en", title="A test", body="Hello {{nombre}}.", attachments=())
CHANGED = replace(TEXT, body="Otra cosa.", attachments=TEXT.attachments[:1])

Helpdesk = Callable[..., Result]


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    """The seeded database."""
    engine = open_engine(database_url)
    yield open_sessions(engine)
    engine.dispose()


@pytest.fixture
def bare(sessions: Sessions) -> Sessions:
    """The database without an approved answer: writing hundreds of files takes a second."""
    with sessions.begin() as session:
        session.execute(update(Answer).values(status="retired"))
    return sessions


@pytest.fixture
def helpdesk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helpdesk:
    """`helpdesk answers …` on the database, in this process."""
    values = {"DATABASE_URL": database_url, "SECRET_KEY": KEY, "HELPDESK_MODE": "development"}
    for name, value in (values | {"HELPDESK_VAR": str(tmp_path / "var")}).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(main, ["answers", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for answers, not there yet."""
    return tmp_path / "respuestas"


def bring(sessions: Sessions, *texts: AnswerText) -> int:
    with sessions.begin() as session:
        return import_answers(session, texts, NOW)


def told(session: Session, slug: str = "prueba") -> list[tuple[int, str, AnswerText]]:
    """Every version of an answer in Spanish, the newest first."""
    return [(row.version, row.status, row.as_text()) for row in versions_of(session, slug, "es")]


def propose(session: Session, text: AnswerText) -> tuple[Answer, User]:
    """What somebody wrote on the pages instead of the approved text; it waits for its review."""
    user = User(email="ana", name="Ana", role=Role.AGENT.value, password="", fs_uniquifier="ana")
    session.add(user)
    session.flush()
    old = approved_answer(session, text.slug)
    assert old is not None
    draft = authoring.draft_of(session, old, language="es", now=NOW, actor=user)
    authoring.save(session, draft, text, seen=NOW, now=NOW, actor=user)
    authoring.submit(session, draft, now=NOW, actor=user)
    return draft, user


def write_on_the_page(sessions: Sessions, text: AnswerText) -> None:
    """Another text, written and approved on the pages."""
    with sessions.begin() as session:
        draft, user = propose(session, text)
        authoring.approve(session, draft, now=NOW, actor=user)


def test_what_is_exported_is_imported_as_it_was_and_writes_nothing(
    helpdesk: Helpdesk, sessions: Sessions, folder: Path
) -> None:
    bring(sessions, TEXT, ENGLISH)
    with sessions() as session:
        ours = [answer.as_text() for answer in approved_answers(session)]
    exported = helpdesk("export", folder)
    assert (exported.exit_code, exported.stdout) == (0, f"{len(ours)} answers were written to {folder}.\n")
    reading = read_answers(folder)
    assert reading.faults == ()
    assert set(reading.answers) == set(ours)
    assert (folder / "return" / "prueba" / "Guía 1.pdf").read_bytes() == b"%PDF-1.7\r\n\x00\xff"
    imported = helpdesk("import", folder)
    assert (imported.exit_code, imported.stdout) == (0, f"0 of {len(ours)} answers were new or changed.\n")


def test_the_attachment_of_a_translation_is_not_that_of_the_original(bare: Sessions, folder: Path) -> None:
    translated = replace(ENGLISH, attachments=(AttachedFile("Guía 1.pdf", b"%PDF-1.7 in English"),))
    bring(bare, TEXT, translated)
    with bare() as session:
        assert list(export_answers(session, folder))
    ours = {answer for answer in read_answers(folder).answers if answer.slug == "prueba"}
    assert ours == {TEXT, translated}


def test_an_answer_whose_translation_is_behind_its_new_topic_is_exported_so_that_it_can_be_imported(
    helpdesk: Helpdesk, bare: Sessions, folder: Path
) -> None:
    bring(bare, TEXT, ENGLISH)
    write_on_the_page(bare, replace(TEXT, topic="general"))
    assert helpdesk("export", folder).exit_code == 0
    assert helpdesk("check", folder).stderr == ""


def test_only_what_is_approved_is_exported(helpdesk: Helpdesk, bare: Sessions, folder: Path) -> None:
    bring(bare, TEXT, replace(TEXT, slug="retirada"))
    with bare.begin() as session:
        propose(session, CHANGED)
        versions_of(session, "retirada")[0].status = "retired"
    assert helpdesk("export", folder).exit_code == 0
    assert read_answers(folder).answers == (TEXT,)


def test_a_changed_file_becomes_the_approved_version_and_the_old_one_is_kept(
    helpdesk: Helpdesk, sessions: Sessions, folder: Path
) -> None:
    for text, known in ((TEXT, 1), (CHANGED, 1), (CHANGED, 0)):
        shutil.rmtree(folder, ignore_errors=True)
        write_answer(folder, text)
        done = helpdesk("import", folder)
        assert (done.exit_code, done.stdout) == (0, f"{known} of 1 answers were new or changed.\n")
    with sessions() as session:
        assert told(session) == [(2, "approved", CHANGED), (1, "retired", TEXT)]
        events = [event for row in versions_of(session, "prueba") for event in row.events]
        assert [(event.kind, event.user_id, event.note) for event in events] == [
            ("imported", None, ""),
            ("imported", None, ""),
            ("replaced", None, "por un archivo"),
        ]


def test_another_attachment_is_a_change_and_another_language_an_answer_of_its_own(sessions: Sessions) -> None:
    other = replace(TEXT, attachments=(AttachedFile("Guía 1.pdf", b"%PDF-1.7 2"), *TEXT.attachments[1:]))
    assert [bring(sessions, text) for text in (TEXT, other, ENGLISH)] == [1, 1, 1]
    with sessions() as session:
        assert told(session) == [(2, "approved", other), (1, "retired", TEXT)]
        english = versions_of(session, "prueba", "en")
        assert [(row.version, row.as_text()) for row in english] == [(1, ENGLISH)]


def test_what_people_changed_stays_until_the_file_changes_too(sessions: Sessions) -> None:
    theirs = replace(TEXT, body="Lo de la gente.")
    bring(sessions, TEXT)
    write_on_the_page(sessions, theirs)
    assert bring(sessions, TEXT) == 0
    with sessions() as session:
        assert told(session) == [(2, "approved", theirs), (1, "retired", TEXT)]
    assert bring(sessions, CHANGED) == 1
    with sessions() as session:
        assert told(session) == [(3, "approved", CHANGED), (2, "retired", theirs), (1, "retired", TEXT)]
    assert bring(sessions, TEXT) == 0, "an older file again changes nothing"


def test_an_answer_that_was_retired_on_the_pages_does_not_come_back_by_itself(sessions: Sessions) -> None:
    bring(sessions, TEXT)
    with sessions.begin() as session:
        versions_of(session, "prueba")[0].status = "retired"
    assert bring(sessions, TEXT) == 0
    with sessions() as session:
        assert approved_answer(session, "prueba") is None


def test_a_proposal_outlives_an_import_and_can_still_be_approved(sessions: Sessions) -> None:
    theirs = replace(TEXT, body="Lo de la gente.")
    bring(sessions, TEXT)
    with sessions.begin() as session:
        draft, user = propose(session, theirs)
        assert import_answers(session, [CHANGED], NOW) == 1
        assert draft.status == "in_review"
        authoring.approve(session, draft, now=NOW, actor=user)
    with sessions() as session:
        approved = approved_answer(session, "prueba")
        assert approved is not None
        assert approved.as_text() == theirs


def test_a_text_that_is_only_somebody_s_proposal_is_brought_in_by_its_file(sessions: Sessions) -> None:
    bring(sessions, TEXT)
    with sessions.begin() as session:
        propose(session, CHANGED)
    assert bring(sessions, CHANGED) == 1
    with sessions() as session:
        assert told(session) == [(3, "approved", CHANGED), (2, "in_review", CHANGED), (1, "retired", TEXT)]


def test_two_imports_at_once_bring_a_file_once(sessions: Sessions) -> None:
    with ThreadPoolExecutor(max_workers=1) as other, sessions() as ours, sessions.begin() as theirs:
        theirs.connection()
        assert import_answers(ours, [TEXT], NOW) == 1
        second = other.submit(import_answers, theirs, [TEXT], NOW)
        until_somebody_waits(ours)
        ours.commit()
        assert second.result(timeout=30) == 0
    with sessions() as session:
        assert told(session) == [(1, "approved", TEXT)]


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_file_that_cannot_be_used_is_named_and_the_others_come_in(
    helpdesk: Helpdesk, sessions: Sessions, folder: Path, command: str
) -> None:
    write_answer(folder, TEXT)
    broken = write_answer(folder, replace(TEXT, slug="rota", attachments=()))
    broken.write_text(broken.read_text().replace("topic: vehicle", "topic: '{{config}}'"))
    done = helpdesk(command, folder)
    assert done.exit_code == 1
    assert done.stderr == f"{broken}:5: the line has no topic '{{{{config}}}}'\n"
    said = "1 answers can be used, 1 files cannot." if command == "check" else "1 of 1 answers were new"
    assert done.stdout.startswith(said)
    with sessions() as session:
        assert bool(versions_of(session, "prueba")) is (command == "import")
        assert versions_of(session, "rota") == []


def test_the_answers_of_the_house_can_be_used_and_checking_needs_no_database(
    helpdesk: Helpdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://nobody@127.0.0.1:1/nothing")
    done = helpdesk("check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.endswith(" answers can be used, 0 files cannot.\n")


@pytest.mark.parametrize("command", ["check", "import"])
@pytest.mark.parametrize("name", ["", "suelta.md", "return/prueba/dentro.md", "return/prueba.txt"])
def test_a_folder_without_answers_is_a_mistake(
    helpdesk: Helpdesk, folder: Path, command: str, name: str
) -> None:
    folder.mkdir()
    if name:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("nada")
    done = helpdesk(command, folder)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"{folder} holds no answers: they are expected as LINE/SLUG.md below it.\n"


@pytest.mark.parametrize("arguments", [["check", "no-está"], ["import", "no-está"], ["import"], ["export"]])
def test_a_folder_that_is_not_there_or_not_named_is_wrong_use(
    helpdesk: Helpdesk, arguments: list[str]
) -> None:
    assert helpdesk(*arguments).exit_code == 2


def test_a_folder_that_is_not_empty_is_written_into_only_when_that_is_wanted(
    helpdesk: Helpdesk, bare: Sessions, folder: Path
) -> None:
    bring(bare, TEXT)
    folder.mkdir()
    (folder / "mío.txt").write_text("mío")
    refused = helpdesk("export", folder)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == f"{folder} is not empty; --force writes into it.\n"
    assert [path.name for path in folder.iterdir()] == ["mío.txt"]
    assert helpdesk("export", folder, "--force").exit_code == 0
    assert (folder / "mío.txt").read_text() == "mío"
    assert read_answers(folder).answers == (TEXT,)


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(
    helpdesk: Helpdesk, bare: Sessions, folder: Path
) -> None:
    bring(bare, TEXT)
    folder.mkdir()
    (folder / "return").write_text("en el camino")
    done = helpdesk("export", folder, "--force")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"{folder / 'return'}: File exists.\n"


@pytest.mark.parametrize("command", ["import", "export"])
def test_without_a_database_nothing_is_done_and_one_sentence_says_so(
    helpdesk: Helpdesk, folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    if command == "import":
        write_answer(folder, TEXT)
    done = helpdesk(command, folder)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "DATABASE_URL: the database does not answer.\n"
