"""`helpdesk classify` and `helpdesk suggest`: the desk's judgement on JSON lines, without a database."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click

from classifier import Model, ModelError, Prediction, Text
from helpdesk.db import utc_now
from helpdesk.desk.suggestions import reading_of
from helpdesk.errors import SettingsError
from helpdesk.mail.language import detect
from helpdesk.settings import load
from templates.catalogue import read_answers
from templates.hits import hits, rank_of
from templates.offering import Offer, offer
from templates.ranking import Index, candidate_of, index_of

BATCH = 100
# What a byte that is no UTF-8 becomes when it is read all the same.
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
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
    for batch in _batches(sys.stdin, "stdin"):
        for prediction in model.predict([_text(row) for row in batch]):
            row = _row(prediction)
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON lines; with --evaluate, one object.")
@click.option(
    "--evaluate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Measure: JSON lines with `subject`, `body` and `slugs`, the answers that would be right.",
)
def suggest(as_json: bool, evaluate: Path | None) -> None:
    """Rank the template answers for messages: JSON lines with `subject` and `body` on stdin.

    \b
    Example:
      echo '{"subject": "Tarjeta", "body": "Vivo en Italia y quiero volver"}' | helpdesk suggest --json
      helpdesk suggest --evaluate messages.jsonl
    """
    if evaluate is not None:
        _evaluate(evaluate, as_json)
        return
    model, index = _model(), _index()
    for batch in _batches(sys.stdin, "stdin"):
        for offers in _offers(model, index, [_text(row) for row in batch]):
            answers = [_answer(one) for one in offers]
            if as_json:
                click.echo(json.dumps({"answers": answers}, ensure_ascii=False))
            else:
                said = (f"{item['slug']} ({item['score']:.2f})" for item in answers)
                click.echo("; ".join(said) or "none fits")


def _offers(model: Model, index: Index, texts: list[Text]) -> Iterator[list[Offer]]:
    for text, prediction in zip(texts, model.predict(texts), strict=True):
        language = detect(text.body) or ""
        yield offer(
            index, text.subject, text.body, reading_of(prediction), language=language, limit=SUGGESTED
        )


def _evaluate(path: Path, as_json: bool) -> None:
    """Print how often a right answer comes first, or among the first three."""
    model, index = _model(), _index()
    known = index.slugs
    ranks: list[int | None] = []
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for batch in _batches(lines, str(path)):
            right = [_slugs(row, known) for row in batch]
            for wanted, offers in zip(
                right, _offers(model, index, [_text(row) for row in batch]), strict=True
            ):
                ranks.append(rank_of([one.answer.slug for one in offers], wanted))
    if not ranks:
        raise click.UsageError(f"{path}: no messages.")
    figures = hits(ranks)
    if as_json:
        click.echo(json.dumps(figures.as_dict()))
        return
    click.echo(f"messages  {figures.messages}")
    click.echo(f"hit@1     {figures.hit_1:.3f}  a right answer came first")
    click.echo(f"hit@3     {figures.hit_3:.3f}  a right answer was among the first three")
    click.echo(f"MRR       {figures.mrr:.3f}  mean of 1/rank")


def _slugs(row: Row, known: frozenset[str]) -> frozenset[str]:
    slugs = row.values.get("slugs")
    if not isinstance(slugs, list) or not slugs or not all(isinstance(slug, str) for slug in slugs):
        raise click.UsageError(f"{row.place}: `slugs` must list the answers that would be right.")
    if strange := sorted(set(slugs) - known):
        raise click.UsageError(f"{row.place}: there is no answer {strange[0]!r}.")
    return frozenset(slugs)


def _model() -> Model:
    path = load().model_path
    try:
        return Model.load(path)
    except ModelError as error:
        hint = f"Train one: python -m classifier train --out {path}"
        raise SettingsError(f"HELPDESK_MODEL: {error} {hint}") from error


def _index() -> Index:
    """The answers of the catalogue's files; a file that is wrong is named on stderr."""
    reading = read_answers()
    for fault in reading.faults:
        click.echo(fault, err=True)
    return index_of(tuple(candidate_of(answer, utc_now().date()) for answer in reading.answers))


@dataclass(frozen=True, slots=True)
class Row:
    """A JSON object of an input, and where it stands."""

    place: str
    values: dict[str, Any]


def _batches(lines: TextIO, name: str) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            batch.append(_read(line, f"{name}, line {number}"))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(line: str, place: str) -> Row:
    if not line.isascii() and _NOT_UTF8.search(line):
        raise click.UsageError(f"{place}: not UTF-8.")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{place}: not JSON ({error}).") from error
    if not isinstance(values, dict) or not isinstance(values.get("body"), str):
        raise click.UsageError(f"{place}: an object with the text `body` is expected.")
    return Row(place, values)


def _text(row: Row) -> Text:
    return Text(str(row.values.get("subject") or ""), row.values["body"])


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


def _answer(item: Offer) -> dict[str, Any]:
    found = item.answer
    return {
        "slug": found.slug,
        "title": found.title,
        "language": found.language,
        "score": found.score,
        "why": list(found.words),
        "question": item.question,
    }
