"""The answers' files: all of them can be used, and a file that cannot is named with its line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from classifier import LINES, NONE
from templates.catalogue import (
    AnswerText,
    CatalogueError,
    answer_files,
    read_answer,
    read_answers,
    read_notice,
)
from templates.placeholders import names_in

GOOD = """---
slug: prueba
title: "Una prueba: con dos puntos"
line: return
topic: vehicle
language: es
source:
  - "Ley 30001"
owner: orientacion
valid_from: 2026-11-23
review_by: 2027-05-23
public: true
keywords: [retorno, 545, "no", 20%]
placeholders: [nombre, numero]
attachments: []
---
Estimado/a {{nombre}}:

Su número es {{ numero }}.
"""


def write(folder: Path, text: str, name: str = "prueba.md") -> Path:
    path = folder / "return" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def changed(before: str, after: str) -> str:
    assert before in GOOD
    return GOOD.replace(before, after)


def line_of(text: str, start: str) -> int:
    """The number of the first line that begins so."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_an_answer_is_read_as_its_file_says_it(tmp_path: Path) -> None:
    assert read_answer(write(tmp_path, GOOD)) == AnswerText(
        slug="prueba",
        title="Una prueba: con dos puntos",
        line="return",
        topic="vehicle",
        language="es",
        owner="orientacion",
        source=("Ley 30001",),
        keywords=("retorno", "545", "no", "20%"),
        placeholders=("nombre", "numero"),
        attachments=(),
        valid_from=dt.date(2026, 11, 23),
        review_by=dt.date(2027, 5, 23),
        public=True,
        body="Estimado/a {{nombre}}:\n\nSu número es {{ numero }}.",
    )


@pytest.mark.parametrize(
    "same",
    [GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD, GOOD + "\n\n", GOOD.replace("2026-11-23", '"2026-11-23"')],
)
def test_a_file_from_another_editor_reads_the_same(tmp_path: Path, same: str) -> None:
    wanted = read_answer(write(tmp_path, GOOD))
    path = write(tmp_path, GOOD)
    path.write_bytes(same.encode())
    assert read_answer(path) == wanted


def test_an_answer_is_not_public_unless_it_says_so(tmp_path: Path) -> None:
    assert read_answer(write(tmp_path, changed("public: true\n", ""))).public is False


@pytest.mark.parametrize(
    ("before", "after", "at", "words"),
    [
        ("slug: prueba", "slug: otra", "slug", "the slug 'otra' is not the file's name"),
        ("slug: prueba\n", "", "---", "`slug` must be a text"),
        ("title: ", "title: 7 # ", "title", "`title` must be a text"),
        ("owner: orientacion", "owner: ' '", "owner", "`owner` must be a text"),
        ("line: return", "line: retorno", "line", "there is no line 'retorno'"),
        ("keywords: [", "keywords: retorno # [", "keywords", "`keywords` must be a list"),
        ('"no", 20%', "no, 20%", "keywords", "holds False"),
        ('"no", 20%', "{a: b}", "keywords", "which is no text"),
        ("keywords:", "keyword:", "keyword", "unknown key 'keyword'"),
        (
            "valid_from: 2026-11-23",
            "valid_from: 23/11/2026",
            "valid_from",
            "`valid_from` must be a date such as",
        ),
        ("review_by: 2027-05-23", "review_by: 2027-02-30", "review_by", "`review_by` must be a date such as"),
        ("review_by: 2027-05-23\n", "", "---", "`review_by` must be a date such as"),
        ("valid_from: 2026-11-23", "valid_from: 2026-11-23 10:00:00", "valid_from", "must be a date such as"),
        ("public: true", 'public: "no"', "public", "`public` must be true or false"),
        ("public: true", "public: [", "keywords", ""),
        ("topic: vehicle", "topic: a: b", "topic", "mapping values are not allowed here"),
        ("topic: vehicle", "topic: '", "keywords", ""),
        ("topic: vehicle", "topic: pension-afp", "topic", "has no topic 'pension-afp'"),
        ("topic: vehicle", "topic: \x07", "---", "control character"),
        ("Su número es", "Su {{ número }} es", "Su ", "unknown placeholder 'número'"),
        ("Su número es", "Su {{}} es", "Su ", "unknown placeholder ''"),
        ("Su número es", "{{pais}} es", "placeholders", "must list exactly ['nombre', 'numero', 'pais']"),
        ("[nombre, numero]", "[nombre]", "placeholders", "must list exactly ['nombre', 'numero']"),
        ("[nombre, numero]", "[nombre, numero, pais]", "placeholders", "must list exactly"),
    ],
)
def test_a_fault_is_named_by_file_line_and_words(
    tmp_path: Path, before: str, after: str, at: str, words: str
) -> None:
    path = write(tmp_path, changed(before, after))
    with pytest.raises(CatalogueError) as fault:
        read_answer(path)
    place, _, sentence = str(fault.value).partition(": ")
    assert words in sentence
    assert len(str(fault.value).splitlines()) == 1
    name, _, number = place.rpartition(":")
    assert name == str(path)
    # A bracket or a quote that is never closed shows only further down.
    wanted = line_of(path.read_text(), at)
    assert int(number) == wanted if words else 1 <= int(number) <= line_of(path.read_text(), "Estimado")


@pytest.mark.parametrize(
    ("content", "number", "words"),
    [
        ("", 1, "two lines of ---"),
        ("Hola\n", 1, "two lines of ---"),
        ("---\nslug: prueba\n", 1, "two lines of ---"),
        ("---\n- a\n- b\n---\nHola\n", 2, "`key: value` lines"),
        ("---\n---\nHola\n", 2, "`key: value` lines"),
        (GOOD.partition("Estimado")[0].replace("[nombre, numero]", "[]"), 16, "there is no text"),
    ],
)
def test_a_file_that_is_no_answer_at_all_is_named_too(
    tmp_path: Path, content: str, number: int, words: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(CatalogueError, match=words) as fault:
        read_answer(path)
    assert str(fault.value).startswith(f"{path}:{number}: ")


def test_a_file_in_another_encoding_is_named_with_the_line_of_its_first_strange_letter(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "")
    path.write_bytes(GOOD.encode("latin-1"))
    with pytest.raises(CatalogueError, match="UTF-8") as fault:
        read_answer(path)
    assert str(fault.value).startswith(f"{path}:{line_of(GOOD, 'Su n')}: ")


def test_two_files_with_one_slug_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path, GOOD)
    second = tmp_path / "none" / "prueba.md"
    second.parent.mkdir()
    second.write_text(GOOD, encoding="utf-8")
    with pytest.raises(CatalogueError, match="stands in") as fault:
        list(read_answers(tmp_path))
    assert {str(first), str(second)} == {
        str(path) for path in (first, second) if str(path) in str(fault.value)
    }
    assert f":{line_of(GOOD, 'slug')}: " in str(fault.value)


def test_every_answer_of_ours_can_be_used_and_every_line_has_some() -> None:
    answers = list(read_answers())
    assert len(answers) == len(answer_files()) > 0
    assert {answer.line for answer in answers} == {*LINES, NONE}
    assert [answer.slug for answer in answers if answer.review_by <= answer.valid_from] == []
    assert [answer.slug for answer in answers if not (answer.source and answer.keywords)] == []


def test_every_answer_of_ours_lies_in_the_folder_of_its_line() -> None:
    assert [path.name for path in answer_files() if read_answer(path).line != path.parent.name] == []


@pytest.mark.parametrize("name", ["acknowledgement", "footer"])
def test_a_notice_holds_the_number_and_nothing_that_a_sender_chose(name: str) -> None:
    notice = read_notice(name)
    assert notice.body
    assert set(names_in(notice.subject + notice.body)) == {"numero"}
