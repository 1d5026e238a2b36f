"""Command line: train, predict, evaluate and explain on any CSV or JSON lines file; no database.

Exit codes: 0 done, 1 the result could not be written, 2 the data, the model or the options are not usable.
"""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, TextIO

import click

from classifier.data import (
    ALSO_COLUMNS,
    CORPUS,
    FROZEN,
    LABEL_COLUMN,
    TEXT_COLUMNS,
    DataError,
    Record,
    read_records,
    read_rows,
    stream_records,
    text_of,
)
from classifier.evaluation import Progress, Report
from classifier.learner import STRENGTH
from classifier.model import Model, Prediction, evaluate, evaluate_also
from classifier.modelfile import ModelError
from classifier.page import page
from classifier.text import Text
from classifier.training import train

_BATCH = 64
_AT_MOST_LABELS_ACROSS = 12


class Columns(click.ParamType[tuple[str, ...]]):
    """One or more column names with commas between them; the first of several is the subject."""

    name = "COL[,COL]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names; fails when there is none."""
        names = value if isinstance(value, tuple) else tuple(name.strip() for name in value.split(","))
        if not all(names):
            self.fail("an empty column name", param, ctx)
        return names


def _file(**settings: Any) -> click.Path:
    return click.Path(path_type=Path, **settings)


text_option = click.option(
    "--text", type=Columns(), default=TEXT_COLUMNS, help="Text columns, default subject,body."
)
also_option = click.option(
    "--also", type=Columns(), help="Columns with other questions to learn, such as topic,kind."
)
label_option = click.option("--label", default=LABEL_COLUMN, show_default=True, help="Label column.")
model_option = click.option("--model", type=_file(), required=True, help="A model file made by train.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Sort messages by line, or any texts by any labels.

    Example: python -m classifier train --out var/lines.model
    """


@cli.command("train")
@click.option(
    "--data", type=_file(), multiple=True, help="A file or folder; repeatable. Default: our corpus."
)
@text_option
@label_option
@also_option
@click.option(
    "--calibrate",
    type=_file(),
    multiple=True,
    help="A labelled file or folder, not learned from, on which probabilities and threshold are chosen. "
    "Default: out of fold; with our corpus, its frozen messages.",
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), help="Abstain below it; default: chosen by validation."
)
@click.option("--out", type=_file(), required=True, help="The model file to write.")
def train_command(
    data: tuple[Path, ...],
    text: tuple[str, ...],
    label: str,
    also: tuple[str, ...] | None,
    calibrate: tuple[Path, ...],
    threshold: float | None,
    out: Path,
) -> None:
    """Learn from labelled messages and write a model file.

    Example: python -m classifier train --data mail.csv --text subject,body --label line --out var/lines.model
    """
    with _plain_errors():
        if also is None:
            also = () if data else ALSO_COLUMNS
        rows = read_rows(data or (CORPUS,), text=text, label=label, also=also)
        apart = calibrate or (() if data else (FROZEN,))
        kept = read_rows(apart, text=text, label=label) if apart else []
        with _progress() as progress:
            model = train(
                rows,
                calibrate=kept,
                threshold=threshold,
                strength=None if data else STRENGTH,
                progress=progress,
            )
    try:
        digest = model.save(out)
    except OSError as error:
        _fail(f"{out}: the model cannot be written ({error.strerror}).", code=1)
    measured = model.card["metrics"]
    click.echo(f"{out}: model {model.id}, {len(rows)} rows, {len(model.labels)} labels, sha256 {digest}")
    click.echo(
        f"out of fold: macro-F1 {measured['macro_f1']:.3f}, accuracy {measured['accuracy']:.3f}, "
        f"calibration error {measured['ece']:.3f}; could sort {measured['coverage']:.0%} with precision "
        f"{measured['precision_covered']:.3f}; threshold {model.threshold:.3f}"
    )
    if kept_apart := model.card["calibrated_on"]:
        click.echo(
            f"kept apart: {kept_apart['rows']} rows, macro-F1 {kept_apart['macro_f1']:.3f}, "
            f"calibration error {kept_apart['ece']:.3f}; sorts {kept_apart['coverage']:.0%} with precision "
            f"{kept_apart['precision_covered']:.3f}"
        )
    for name, other in model.card["also"].items():
        click.echo(f"{name}: macro-F1 {other['macro_f1']:.3f}, accuracy {other['accuracy']:.3f}")


@cli.command("predict")
@model_option
@text_option
@click.argument("file", default="-")
def predict_command(model: Path, text: tuple[str, ...], file: str) -> None:
    """Print one JSON line for each message of FILE ("-": standard input); an "id" column is passed on.

    Example: python -m classifier predict --model var/lines.model mail.csv
    """
    with _plain_errors():
        loaded = Model.load(model)
        records = _records(file)
        while batch := list(islice(records, _BATCH)):
            predictions = loaded.predict([text_of(record, text) for record in batch])
            for record, prediction in zip(batch, predictions, strict=True):
                known = {"id": record.fields["id"]} if "id" in record.fields else {}
                click.echo(json.dumps({**known, **prediction.to_dict()}, ensure_ascii=False))


@cli.command("evaluate")
@model_option
@click.option(
    "--data", type=_file(), required=True, multiple=True, help="A labelled file or folder; repeatable."
)
@text_option
@label_option
@also_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--html", type=_file(), help="Also write a page with plots.")
def evaluate_command(
    model: Path,
    data: tuple[Path, ...],
    text: tuple[str, ...],
    label: str,
    also: tuple[str, ...] | None,
    as_json: bool,
    html: Path | None,
) -> None:
    """Measure a model on labelled messages that it has not learned from.

    Example: python -m classifier evaluate --model var/lines.model --data held-out.csv --label line --json
    """
    with _plain_errors():
        loaded = Model.load(model)
        rows = read_rows(data, text=text, label=label, also=also or ())
        measured, others = evaluate(loaded, rows), evaluate_also(loaded, rows)
    if html is not None:
        _write(html, page(measured, f"Model {loaded.id} on {', '.join(file.name for file in data)}"))
    if as_json:
        said = {"model": loaded.id, **measured.to_dict()}
        if others:
            said["also"] = {name: other.to_dict() for name, other in others.items()}
        click.echo(json.dumps(said, ensure_ascii=False))
        return
    for name, other in {label: measured, **others}.items():
        click.echo(f"# {name}")
        click.echo("\n".join(_report_lines(other)))


@cli.command("explain")
@model_option
@click.option("--subject", default="", help="The message's subject.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("text", default="-")
def explain_command(model: Path, subject: str, as_json: bool, text: str) -> None:
    """Say which words of TEXT ("-": standard input) speak for the label and which against it.

    Example: python -m classifier explain --model var/lines.model "Vivo en Milán y quiero volver al Perú"
    """
    with _plain_errors():
        body = _read_all(text)
        (prediction,) = Model.load(model).predict([Text(subject, body)])
    if as_json:
        click.echo(json.dumps(prediction.to_dict(), ensure_ascii=False))
    else:
        click.echo("\n".join(_explanation_lines(prediction)))


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        _fail(f"{path}: the page cannot be written ({error.strerror}).", code=1)


def _read_all(text: str) -> str:
    if text != "-":
        return text
    try:
        return _standard_input().read()
    except UnicodeDecodeError:
        raise DataError("standard input: the text is not UTF-8.") from None


def _records(file: str) -> Iterator[Record]:
    if file == "-":
        return stream_records(_standard_input(), "standard input")
    return read_records(Path(file))


def _standard_input() -> TextIO:
    return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")


def _report_lines(measured: Report) -> Iterator[str]:
    yield f"rows {measured.rows}   accuracy {measured.accuracy:.3f}   macro-F1 {measured.macro_f1:.3f}"
    yield f"calibration error {measured.ece:.3f}   sorted {measured.coverage:.1%} of the rows"
    yield f"precision of what is sorted {measured.precision_covered:.3f}"
    shares = ", ".join(f"{share:.1%} at {at}" for at, share in measured.coverage_at.items())
    yield f"could be sorted at a precision of: {shares}"
    width = max(map(len, measured.per_label))
    yield f"\n{'label':{width}}  precision  recall     f1  support"
    for label, figures in measured.per_label.items():
        shares = f"{figures.precision:9.3f}  {figures.recall:6.3f}  {figures.f1:5.3f}"
        yield f"{label:{width}}  {shares}  {figures.support:7d}"
    if len(measured.confusion) <= _AT_MOST_LABELS_ACROSS:
        yield "\ntrue label, then how often each label was predicted (same order)"
        for label, guesses in measured.confusion.items():
            yield f"{label:{width}}  " + " ".join(f"{count:5d}" for count in guesses.values())


def _explanation_lines(prediction: Prediction) -> Iterator[str]:
    abstained = " (below the threshold: abstained)" if prediction.abstained else ""
    yield f"{prediction.label}  {prediction.probability:.1%}{abstained}"
    for label, probability in sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])[1:5]:
        yield f"  {label}  {probability:.1%}"
    yield "because (log-odds):"
    for said, weight in prediction.why:
        yield f"  {weight:+.2f}  {said}"
    for name, weight in prediction.signs:
        yield f"  {weight:+.2f}  ({name.replace('_', ' ')})"


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Give a progress bar on standard error when that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield show


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (DataError, ModelError) as error:
        _fail(str(error), code=2)


def _fail(sentence: str, *, code: int) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(code)


if __name__ == "__main__":
    cli()
