"""Labelled data from files, and complaints that name the file and the row."""

import json
from pathlib import Path

import pytest

from classifier import DataError, Row, Text, corpus_rows, read_rows

GOOD = '{"subject": "s", "body": "b", "line": "x", "story": "one"}\n'


def written(path: Path, content: str | bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_json_lines_are_read_with_their_story(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", GOOD + "\n" + '{"body": "only", "line": 3}\n')
    assert read_rows([path]) == [Row(Text("s", "b"), "x", "one"), Row(Text("", "only"), "3")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_may_have_any_usual_delimiter_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    table = f'\ufefftext{delimiter}category\n"two\nlines{delimiter} here"{delimiter}sport\n'
    rows = read_rows([written(tmp_path / "a.csv", table)], text=("text",), label="category")
    assert rows == [Row(Text("", f"two\nlines{delimiter} here"), "sport")]


def test_a_folder_is_all_its_data_files_in_order(tmp_path: Path) -> None:
    written(tmp_path / "b.jsonl", GOOD)
    written(tmp_path / "a.csv", "subject,body,line\n,first,y\n")
    written(tmp_path / "notes.txt", "not data")
    assert [row.label for row in read_rows([tmp_path])] == ["y", "x"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.jsonl", GOOD + "{broken\n", "a.jsonl, row 2: this line is not JSON."),
        ("a.jsonl", GOOD + "[1]\n", "a.jsonl, row 2: this line is not a JSON object."),
        ("a.jsonl", GOOD + '{"body": "b"}\n', "a.jsonl, row 2: there is no column 'line'"),
        (
            "a.jsonl",
            GOOD + '{"body": "b", "line": " "}\n',
            "a.jsonl, row 2: the label column 'line' is empty.",
        ),
        ("a.jsonl", GOOD + '{"text": "b", "line": "x"}\n', "a.jsonl, row 2: there is no column 'subject'"),
        ("a.jsonl", '{"body": ["b"], "line": "x"}\n', "a.jsonl, row 1: the column 'body' holds no text."),
        ("a.jsonl", GOOD.encode() + b'{"body": "\xff"}\n', "a.jsonl, after row"),
        ("a.csv", "subject,body,line\n,b,x\n,b\n", "a.csv, row 3: 2 columns instead of 3."),
        ("a.csv", "body,line\nb,x\n", "a.csv, row 2: there is no column 'subject'"),
        ("a.csv", 'subject,body,line\n,"b,x\n', "a.csv, after row"),
        ("a.csv", "", "there is no labelled row"),
    ],
)
def test_bad_data_are_refused_by_file_and_row(
    tmp_path: Path, name: str, content: str | bytes, complaint: str
) -> None:
    with pytest.raises(DataError) as refused:
        read_rows([written(tmp_path / name, content)])
    assert complaint in str(refused.value)


def test_a_missing_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_rows([tmp_path / "nowhere.csv"])
    with pytest.raises(DataError, match="holds no CSV"):
        read_rows([tmp_path])


def test_the_corpus_holds_the_five_labels_and_no_message_twice() -> None:
    rows = corpus_rows()
    assert {row.label for row in rows} == {"abroad", "return", "resident_abroad", "foreigner", "none"}
    assert len({json.dumps([row.text.subject, row.text.body]) for row in rows}) == len(rows)
