"""Data: labelled messages out of CSV and JSON lines, ours or anybody's.

In: reading files and folders into rows, with the file and the row number in every complaint. Not in: what a
label means, and any learning.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from classifier.text import Text

CORPUS = Path(__file__).parent / "corpus"
FROZEN = Path(__file__).parent / "frozen"
TEXT_COLUMNS = ("subject", "body")
LABEL_COLUMN = "line"
GROUP_COLUMN = "story"
ALSO_COLUMNS = ("kind", "language", "topic", "urgency")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
_LONGEST_FIELD = 16 * 1024 * 1024


class DataError(Exception):
    """The data cannot be used; the message is one sentence that names the file and the row."""


@dataclass(frozen=True)
class Row:
    """One labelled message. Rows of one group tell the same story and are never split in validation.

    `also` holds the answers to other questions about the message, as far as they are known.
    """

    text: Text
    label: str
    group: str = ""
    also: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """One record of a file as it stands there, and where that is ("mail.csv, row 7").

    A `table` has every column in every row; an object of JSON lines may leave out what is empty.
    """

    where: str
    fields: Mapping[str, Any]
    table: bool = False


def corpus_rows() -> list[Row]:
    """Return the messages of the repository's own corpus."""
    return read_rows([CORPUS], also=ALSO_COLUMNS)


def frozen_rows() -> list[Row]:
    """Return the messages that no model learns: every model is measured on them, so that models can be compared."""
    return read_rows([FROZEN], also=ALSO_COLUMNS)


def read_rows(
    paths: Sequence[Path],
    *,
    text: Sequence[str] = TEXT_COLUMNS,
    label: str = LABEL_COLUMN,
    also: Sequence[str] = (),
) -> list[Row]:
    """Return the labelled rows of all files, and of the data files in all folders, in order.

    With several text columns the first is the subject. A column "story", where there is one, groups rows.
    The columns of `also` hold answers to other questions; where one is empty, the answer is not known.
    Raises DataError on a missing file, an unreadable row, a missing column or an empty label.
    """
    rows = [
        Row(
            text_of(record, text),
            _label_of(record, label),
            _plain(record.fields.get(GROUP_COLUMN)),
            {name: answer for name in also if (answer := _value(record, name, record.table).strip())},
        )
        for path in paths
        for file in _files(path)
        for record in read_records(file)
    ]
    if not rows:
        raise DataError(f"{', '.join(map(str, paths))}: there is no labelled row.")
    return rows


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a CSV, TSV or JSON lines file; raises DataError."""
    if path.is_dir():
        raise DataError(f"{path}: this is a folder, a file is needed.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from stream_records(stream, str(path))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None


def stream_records(stream: TextIO, name: str) -> Iterator[Record]:
    """Yield the records of an open stream: JSON lines when it begins with "{", else CSV with a header row."""
    row = 0
    lines = _lines(stream)
    try:
        first = next((line for line in lines if line.strip()), "")
        read = _read_json if first.lstrip().startswith("{") else _read_csv
        for row, fields in read(first, lines, name):
            yield Record(f"{name}, row {row}", fields, table=read is _read_csv)
    except UnicodeDecodeError:
        raise DataError(f"{name}, after row {row}: the text is not UTF-8.") from None
    except csv.Error as error:
        raise DataError(f"{name}, after row {row}: this is not CSV ({error}).") from None


def text_of(record: Record, columns: Sequence[str]) -> Text:
    """Return the message of a record: the last columns are its body, the first of several its subject.

    Raises DataError when a column of a table is missing, or when an object has none of them.
    """
    required = record.table or not any(column in record.fields for column in columns)
    values = [_value(record, column, required) for column in columns]
    return Text(values[0], "\n".join(values[1:])) if len(values) > 1 else Text("", values[0])


def _label_of(record: Record, column: str) -> str:
    label = _value(record, column).strip()
    if not label:
        raise DataError(f"{record.where}: the label column {column!r} is empty.")
    return label


def _value(record: Record, column: str, required: bool = True) -> str:
    if required and column not in record.fields:
        known = ", ".join(str(name) for name in record.fields) or "none"
        raise DataError(f"{record.where}: there is no column {column!r} (columns: {known}).")
    value = record.fields.get(column)
    if isinstance(value, (dict, list)):
        raise DataError(f"{record.where}: the column {column!r} holds no text.")
    return _plain(value)


def _plain(value: Any) -> str:
    return "" if value is None else str(value)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not files:
        raise DataError(f"{path}: the folder holds no CSV or JSON lines file.")
    return files


def _lines(stream: TextIO) -> Iterator[str]:
    # The stream is wrapped so that the first line can be looked at and still be read by the csv module.
    yield from stream


def _read_json(first: str, lines: Iterator[str], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    row = 0
    for row, line in enumerate(_chain(first, lines), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{name}, row {row}: this line is not JSON.") from None
        if not isinstance(fields, dict):
            raise DataError(f"{name}, row {row}: this line is not a JSON object.")
        yield row, fields


def _read_csv(first: str, lines: Iterator[str], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(_LONGEST_FIELD)
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(_chain(first, lines), delimiter=delimiter, strict=True)
    header = [column.strip() for column in next(reader, [])]
    for row, values in enumerate(reader, 2):
        if not any(values):
            continue
        if len(values) != len(header):
            raise DataError(f"{name}, row {row}: {len(values)} columns instead of {len(header)}.")
        yield row, dict(zip(header, values, strict=True))


def _chain(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines
