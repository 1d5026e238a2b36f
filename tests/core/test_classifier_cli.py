"""python -m classifier on files that are not ours: output, exit codes, complaints."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from classifier.__main__ import cli
from tests.core.classifier_data import small_rows

COLUMNS = ["--text", "text", "--label", "category"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small topics as somebody else's CSV, with other column names."""
    path = tmp_path_factory.mktemp("data") / "topics.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "category"])
        writer.writerows([number, row.text.body, row.label] for number, row in enumerate(small_rows()))
    return path


@pytest.fixture(scope="module")
def trained(table: Path) -> Path:
    """A model that the command line trained."""
    out = table.with_name("topics.model")
    result = run("train", "--data", str(table), *COLUMNS, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "60 rows, 3 labels" in result.stdout
    return out


def run(*arguments: str, typed: str | bytes | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(cli, list(arguments), input=typed)


def test_predictions_are_json_lines_in_the_order_of_the_file(table: Path, trained: Path) -> None:
    result = run("predict", "--model", str(trained), "--text", "text", str(table))
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["id"] for line in lines] == [str(number) for number in range(60)]
    assert {"line", "label", "probability", "probabilities", "why", "abstained", "model"} <= set(lines[0])


def test_messages_are_read_from_standard_input_as_json_lines_too(trained: Path) -> None:
    result = run(
        "predict", "--model", str(trained), typed='\ufeff{"body": "Snow and wind"}\n{"subject": null}\n'
    )
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["label"] == "weather"
    assert second["abstained"]


def test_an_evaluation_holds_every_figure(table: Path, trained: Path) -> None:
    result = run("evaluate", "--model", str(trained), "--data", str(table), *COLUMNS, "--json")
    measured = json.loads(result.stdout)
    assert measured["accuracy"] > 0.9
    assert set(measured["per_label"]["sport"]) == {"precision", "recall", "f1", "support"}
    assert {"macro_f1", "ece", "coverage", "precision_covered", "confusion"} <= set(measured)


def test_an_evaluation_for_people_names_the_labels(table: Path, trained: Path) -> None:
    result = run("evaluate", "--model", str(trained), "--data", str(table), *COLUMNS)
    assert result.exit_code == 0
    assert "macro-F1" in result.stdout
    assert "weather" in result.stdout


def test_an_explanation_names_words_of_the_message(trained: Path) -> None:
    typed = "Clouds and snow near the coast"
    assert "snow" in run("explain", "--model", str(trained), typed).stdout
    same = run("explain", "--model", str(trained), "--json", "-", typed=typed)
    assert json.loads(same.stdout)["label"] == "weather"


def test_bad_data_give_one_sentence_and_exit_code_two(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"body": "a", "line": "x"}\n{"body": "b"}\n')
    result = run("train", "--data", str(bad), "--out", str(tmp_path / "m"))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{bad}, row 2: ")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_an_evaluation_makes_a_page_that_needs_no_network(table: Path, trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "figures.html"
    result = run("evaluate", "--model", str(trained), "--data", str(table), *COLUMNS, "--html", str(page))
    assert result.exit_code == 0, result.output
    content = page.read_text(encoding="utf-8")
    assert content.count("<svg") == 2
    assert all(label in content for label in ("weather", "sport", "food"))
    assert not re.search(r"(src|href)=", content)
    assert "expected calibration error" in content
    wrong = run("evaluate", "--model", str(trained), "--data", str(table), *COLUMNS, "--html", str(tmp_path))
    assert (wrong.exit_code, "cannot be written" in wrong.stderr) == (1, True)


def test_other_columns_are_learned_answered_and_measured_too(tmp_path: Path) -> None:
    data = tmp_path / "two.jsonl"
    rows = [
        {
            "body": row.text.body,
            "line": row.label,
            "tone": "loud" if number % 2 else "calm",
            "part": f"{row.label}{number % 2}",
        }
        for number, row in enumerate(small_rows())
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "two.model"
    result = run("train", "--data", str(data), "--also", "tone,part", "--out", str(out))
    assert result.exit_code == 0, result.output
    # A part belongs to one label, so it is asked within the label; a tone is asked of all.
    assert "tone: macro-F1" in result.stdout
    assert "part@food: macro-F1" in result.stdout
    (said,) = map(
        json.loads, run("predict", "--model", str(out), typed='{"body": "Snow and wind"}').stdout.splitlines()
    )
    assert said["also"]["part"]["label"].startswith(said["label"])
    assert said["also"]["tone"]["label"] in ("loud", "calm")
    told = run("evaluate", "--model", str(out), "--data", str(data), "--also", "part,tone", "--json")
    assert set(json.loads(told.stdout)["also"]) == {"part", "tone"}


def test_probabilities_can_be_chosen_on_messages_kept_apart(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "apart.model"
    result = run("train", "--data", str(table), *COLUMNS, "--calibrate", str(table), "--out", str(out))
    assert "kept apart: 60 rows" in result.stdout


def test_what_cannot_be_learned_is_said_before_the_work(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("text,category\nrain,zzz\n")
    out = ["--out", str(tmp_path / "m")]
    strange = run("train", "--data", str(table), *COLUMNS, "--calibrate", str(other), *out)
    assert (strange.exit_code, "label that is not learned: 'zzz'" in strange.stderr) == (2, True)
    alone = tmp_path / "alone.csv"
    alone.write_text("text,category\n" + "".join(f"{i + 10},{'ab'[i % 2]}\n" for i in range(60)))
    nothing = run("train", "--data", str(alone), *COLUMNS, *out)
    assert (nothing.exit_code, len(nothing.stderr.splitlines())) == (2, 1)
    named = tmp_path / "named.csv"
    named.write_text("text,category,label\nrain,weather,x\nsnow,weather,y\ngoal,sport,x\n")
    clash = run("train", "--data", str(named), *COLUMNS, "--also", "label", *out)
    assert (clash.exit_code, "cannot be called 'label'" in clash.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text,category\nrain,weather\nsnow\n", "row 3: 1 columns instead of 2"),
        ('text,category\nrain,weather\n"snow,weather\n', "this is not CSV"),
        ("text,category\nrain,weather\nsnow,\n", "row 3: the label column 'category' is empty"),
        ("words,category\nrain,weather\n", "row 2: there is no column 'text'"),
        (
            '{"text": "rain", "category": "weather"}\n{"text": ["a"], "category": "x"}\n',
            "row 2: the column 'text'",
        ),
        ('{"text": "rain", "category": "weather"}\n\n[1]\n', "row 3: this line is not a JSON object"),
        ("", "no labelled row"),
    ],
)
def test_bad_data_are_named_by_file_and_row(tmp_path: Path, content: str, complaint: str) -> None:
    bad = tmp_path / "bad.data"
    bad.write_text(content)
    result = run("train", "--data", str(bad), *COLUMNS, "--out", str(tmp_path / "m"))
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert str(bad) in result.stderr


@pytest.mark.parametrize("command", ["predict", "explain", "evaluate"])
def test_an_unusable_model_gives_one_sentence_and_exit_code_two(
    tmp_path: Path, table: Path, command: str
) -> None:
    model = tmp_path / "bad.model"
    model.write_text("no model")
    data = ["--data", str(table)] if command == "evaluate" else ["-"]
    result = run(command, "--model", str(model), *data, typed="hello")
    assert (result.exit_code, result.stderr) == (2, f"{model}: this is not a model file, or it is damaged.\n")


@pytest.mark.parametrize("typed", [b"\xff\xfe", b'{"body": "a"}\nnonsense\n'])
def test_unreadable_standard_input_gives_exit_code_two(trained: Path, typed: bytes) -> None:
    result = run("predict", "--model", str(trained), typed=typed)
    assert result.exit_code == 2
    assert "standard input" in result.stderr


def test_a_model_that_cannot_be_written_gives_exit_code_one(table: Path) -> None:
    result = run("train", "--data", str(table), *COLUMNS, "--out", str(table / "sub" / "m"))
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize("command", [[], ["train"], ["predict"], ["evaluate"], ["explain"]])
def test_every_help_has_an_example(command: list[str]) -> None:
    assert "Example: python -m classifier" in run(*command, "--help").stdout


def test_the_real_program_predicts_in_a_pipe_and_draws_nothing_there(trained: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "classifier", "predict", "--model", str(trained)],
        input='{"body": "The goalkeeper and the players"}\n',
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["label"] == "sport"
    assert done.stderr == ""
