"""`helpdesk classify` and `helpdesk suggest`: the desk's judgement on JSON lines, without a database."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import click

from classifier import Model, ModelError, Prediction, Text
from helpdesk.errors import AnswerFileError, SettingsError
from helpdesk.settings import load
from templates.catalogue import CatalogueError, read_answers
from templates.ranking import Candidate, Index, Ranked

BATCH = 100
SUGGESTED = 3


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def classify(as_json: bool) -> None:
    """Sort messages: JSON lines with `subject` and `body` on stdin. Needs no database.

    \b
    Example:
      echo '{"subject": "Tarjeta", "body": "Vivo en Italia y quiero volver"}' | helpdesk classify --json
    """
    model = _model()
    for batch in _batches(sys.stdin):
        for prediction in model.predict(batch):
            row = _row(prediction)
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
def suggest(as_json: bool) -> None:
    """Rank the template answers for messages: JSON lines with `subject` and `body` on stdin.

    \b
    Example:
      echo '{"subject": "Tarjeta", "body": "Vivo en Italia y quiero volver"}' | helpdesk suggest --json
    """
    model, index = _model(), _index()
    for batch in _batches(sys.stdin):
        for text, prediction in zip(batch, model.predict(batch), strict=True):
            said = prediction.also.get("topic")
            ranked = index.rank(
                f"{text.subject}\n{text.subject}\n{text.body}",
                prediction.probabilities,
                SUGGESTED,
                (said.label, said.probability) if said else ("", 0.0),
            )
            answers = [_answer(item) for item in ranked]
            if as_json:
                click.echo(json.dumps({"answers": answers}, ensure_ascii=False))
            else:
                click.echo(
                    "; ".join(f"{item['slug']} ({item['score']:.1f})" for item in answers) or "none fits"
                )


def _model() -> Model:
    path = load().model_path
    try:
        return Model.load(path)
    except ModelError as error:
        hint = f"Train one: python -m classifier train --out {path}"
        raise SettingsError(f"HELPDESK_MODEL: {error} {hint}") from error


def _index() -> Index:
    try:
        return Index(
            Candidate(answer.slug, answer.title, answer.line, answer.keywords, answer.body, answer.topic)
            for answer in read_answers()
        )
    except CatalogueError as error:
        raise AnswerFileError(str(error)) from error


def _batches(lines: TextIO) -> Iterator[list[Text]]:
    batch: list[Text] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            batch.append(_text(line, number))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _text(line: str, number: int) -> Text:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise click.UsageError(f"stdin, line {number}: not JSON ({error}).") from error
    if not isinstance(row, dict) or not isinstance(row.get("body"), str):
        raise click.UsageError(f"stdin, line {number}: an object with the text `body` is expected.")
    return Text(str(row.get("subject") or ""), row["body"])


def _row(prediction: Prediction) -> dict[str, Any]:
    return {
        "line": prediction.line,
        "probability": round(prediction.probability, 4),
        "probabilities": {label: round(value, 4) for label, value in prediction.probabilities.items()},
        "why": [[word, round(weight, 3)] for word, weight in prediction.why],
        "abstained": prediction.abstained,
        "model": prediction.model,
        "also": {
            name: {"label": said.label, "probability": round(said.probability, 4)}
            for name, said in sorted(prediction.also.items())
        },
    }


def _line(row: dict[str, Any]) -> str:
    words = ", ".join(word for word, _ in row["why"][:4])
    return f"{row['line'] or 'por clasificar'}\t{row['probability']:.2f}\t{words}"


def _answer(item: Ranked) -> dict[str, Any]:
    return {"slug": item.slug, "title": item.title, "score": item.score, "why": list(item.words)}
