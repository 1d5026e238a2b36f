"""The suggestions on messages that neither the classifier nor the ranking knows, through the command that measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from classifier.data import FROZEN
from helpdesk.cli import main
from templates import FOLDER

JUDGED = FOLDER / "frozen_examples.jsonl"


def test_a_right_answer_comes_first_for_most_of_the_frozen_messages(
    full_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slugs = {row["id"]: row["slugs"] for row in map(json.loads, JUDGED.read_text().splitlines())}
    lines = (line for path in sorted(FROZEN.glob("*.jsonl")) for line in path.read_text().splitlines())
    rows = [{**row, "slugs": slugs[row["id"]]} for row in map(json.loads, lines) if row["id"] in slugs]
    assert len(rows) == len(slugs) > 300
    file = tmp_path / "judged.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("HELPDESK_MODEL", str(full_model_path))
    done = CliRunner().invoke(main, ["suggest", "--evaluate", str(file), "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["messages"] == len(rows)
    assert figures["hit_1"] > 0.78
    assert figures["hit_3"] > 0.90
