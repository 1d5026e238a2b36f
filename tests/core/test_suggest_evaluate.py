"""`helpdesk suggest` and `helpdesk suggest --evaluate`: the ranking measured on a file, and what a bad file is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helpdesk.cli import main
from templates.catalogue import read_answers
from tests.conftest import KEY

CARD = {
    "subject": "Tarjeta",
    "body": "Vivo en Italia y quiero volver al Perú. ¿Cómo obtengo la tarjeta del migrante retornado?",
}
RIGHT = json.dumps({"body": "hola", "slugs": ["retorno-vehiculo"]})
Run = Callable[..., Result]


@pytest.fixture
def run(model_path: Path) -> Run:
    """The command line in this process, with the small model and without a database."""
    environment = {
        "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "SECRET_KEY": KEY,
        "HELPDESK_MODE": "development",
        "HELPDESK_MODEL": str(model_path),
    }

    def invoke(*arguments: str, typed: str | bytes | None = None, **more: str) -> Result:
        return CliRunner().invoke(main, ["suggest", *arguments], input=typed, env={**environment, **more})

    return invoke


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """A file with this content."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "mensajes.jsonl"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def offered(run: Run, message: dict[str, str]) -> list[dict[str, Any]]:
    """What is offered for a message."""
    result = run("--json", typed=json.dumps(message))
    assert result.exit_code == 0, result.output
    answers: list[dict[str, Any]] = json.loads(result.stdout)["answers"]
    return answers


@pytest.fixture
def first_three(run: Run) -> list[str]:
    """The slugs that are offered for the message about the card, best first."""
    slugs = [answer["slug"] for answer in offered(run, CARD)]
    assert len(slugs) == 3
    return slugs


def lines(message: dict[str, str], wanted: list[list[str]]) -> str:
    """A file that asks the same thing again and again, with other answers held for right."""
    return "".join(json.dumps({**message, "slugs": slugs}) + "\n" for slugs in wanted)


def strange(slugs: list[str]) -> str:
    """An answer that there is, and that is none of these."""
    return next(answer.slug for answer in read_answers().answers if answer.slug not in slugs)


def test_the_figures_are_those_of_the_places(
    run: Run, file: Callable[[str | bytes], Path], first_three: list[str]
) -> None:
    one, two, three = first_three
    path = file(lines(CARD, [[one], [two], [three], [strange(first_three)]]))
    result = run("--evaluate", str(path), "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures == {"messages": 4, "hit_1": 0.25, "hit_3": 0.75, "mrr": round((1 + 1 / 2 + 1 / 3) / 4, 4)}


def test_the_best_of_several_right_answers_counts_and_blank_lines_do_not(
    run: Run, file: Callable[[str | bytes], Path], first_three: list[str]
) -> None:
    one, two, three = first_three
    asked = lines(CARD, [[three, two], [strange(first_three), one]])
    path = file(b"\xef\xbb\xbf\n" + asked.replace("\n", "\r\n\r\n").encode())
    figures = json.loads(run("--evaluate", str(path), "--json").stdout)
    assert figures == {"messages": 2, "hit_1": 0.5, "hit_3": 1.0, "mrr": 0.75}


def test_a_message_whose_right_answer_is_not_offered_counts_as_missed(
    run: Run, file: Callable[[str | bytes], Path]
) -> None:
    path = file(lines({"body": "…"}, [["retorno-vehiculo"]]))
    figures = json.loads(run("--evaluate", str(path), "--json").stdout)
    assert figures == {"messages": 1, "hit_1": 0.0, "hit_3": 0.0, "mrr": 0.0}


def test_people_read_the_same_figures_with_their_meaning(
    run: Run, file: Callable[[str | bytes], Path], first_three: list[str]
) -> None:
    one, two, _ = first_three
    result = run("--evaluate", str(file(lines(CARD, [[one], [two], [two], [two]]))))
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["messages", "4"],
        ["hit@1", "0.250"],
        ["hit@3", "1.000"],
        ["MRR", "0.625"],
    ]
    assert "a right answer came first" in result.stdout


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ("not json", "line 2: not JSON"),
        ('["a list"]', "line 2: an object with the text `body`"),
        ('{"slugs": ["retorno-vehiculo"]}', "line 2: an object with the text `body`"),
        ('{"body": 7, "slugs": ["retorno-vehiculo"]}', "line 2: an object with the text `body`"),
        ('{"body": "a"}', "line 2: `slugs` must list"),
        ('{"body": "a", "slugs": []}', "line 2: `slugs` must list"),
        ('{"body": "a", "slugs": "retorno-vehiculo"}', "line 2: `slugs` must list"),
        ('{"body": "a", "slugs": [7]}', "line 2: `slugs` must list"),
        ('{"body": "a", "slugs": ["retorno-vehiculo", "{{7*7}}"]}', "line 2: there is no answer '{{7*7}}'"),
        (b'{"body": "\xff", "slugs": ["retorno-vehiculo"]}', "UTF-8"),
        ("[" * 100_000, "line 2: not JSON"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line_and_nothing_is_measured(
    run: Run, file: Callable[[str | bytes], Path], bad: str | bytes, complaint: str
) -> None:
    content = bad if isinstance(bad, bytes) else bad.encode()
    path = file(RIGHT.encode() + b"\n" + content + b"\n")
    result = run("--evaluate", str(path), "--json")
    assert result.exit_code == 2, repr(result.exception)
    assert complaint in result.stderr
    assert str(path) in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_messages_is_wrong_use(
    run: Run, file: Callable[[str | bytes], Path], content: str
) -> None:
    path = file(content)
    result = run("--evaluate", str(path))
    assert result.exit_code == 2
    assert f"{path}: no messages" in result.stderr


@pytest.mark.parametrize(("name", "complaint"), [("none.jsonl", "does not exist"), ("", "is a directory")])
def test_a_file_that_is_not_there_is_wrong_use(run: Run, tmp_path: Path, name: str, complaint: str) -> None:
    result = run("--evaluate", str(tmp_path / name))
    assert result.exit_code == 2
    assert complaint in result.stderr


@pytest.mark.parametrize("measured", [True, False])
def test_without_a_model_it_says_how_to_train_one(
    run: Run, file: Callable[[str | bytes], Path], tmp_path: Path, measured: bool
) -> None:
    arguments = ["--evaluate", str(file(RIGHT))] if measured else []
    result = run(*arguments, typed=RIGHT, HELPDESK_MODEL=str(tmp_path / "none.skops"))
    assert result.exit_code == 2
    assert "python -m classifier train" in result.stderr


def test_suggestions_come_best_first_with_their_reasons(run: Run) -> None:
    answers = offered(run, CARD)
    assert "tarjeta" in answers[0]["slug"]
    assert "tarjeta" in answers[0]["why"]
    assert (answers[0]["language"], answers[0]["question"]) == ("es", None)
    scores = [answer["score"] for answer in answers]
    assert scores == sorted(scores, reverse=True)


def test_of_several_questions_each_names_the_answer_that_is_for_it(run: Run) -> None:
    asked = "¿Cómo obtengo la tarjeta del migrante retornado para volver?"
    also = "¿Puedo traer mi carro usado desde Italia al volver al Perú?"
    answers = offered(run, {"body": f"Buenas tardes.\n{asked}\n{also}\nGracias."})
    questions = {answer["question"]: answer["slug"] for answer in answers if answer["question"]}
    assert questions[also] == "retorno-vehiculo"
    assert "tarjeta" in questions[asked]


def test_each_message_gets_a_line_and_people_read_slugs_with_scores(run: Run) -> None:
    result = run(typed=f"{json.dumps(CARD)}\n\n{json.dumps(CARD)}\n")
    first, second = result.stdout.splitlines()
    assert re.fullmatch(r"retorno-tarjeta[a-z-]* \(0\.\d\d\)(; [a-z-]+ \(0\.\d\d\)){2}", first)
    assert second == first


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [("not json", "stdin, line 2: not JSON"), ('{"subject": "x"}', "stdin, line 2: an object")],
)
def test_a_bad_line_of_standard_input_is_named(run: Run, bad: str, complaint: str) -> None:
    result = run("--json", typed=f"{RIGHT}\n{bad}\n")
    assert result.exit_code == 2
    assert complaint in result.stderr
