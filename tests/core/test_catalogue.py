"""The answers' files: all of them can be used, and a file that cannot is named with its line."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import LINES, NONE, TOPICS
from templates.answer import LANGUAGES, AnswerText, faults_of
from templates.catalogue import (
    CatalogueError,
    answer_files,
    read_answer,
    read_answers,
    read_notice,
    write_answer,
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
public: false
keywords: [retorno, 545, "no", 20%]
questions: [quiero traer mi carro]
placeholders: [nombre, numero]
attachments: []
---
Estimado/a {{nombre}}:

Su número es {{ numero }}.
"""


SAMPLE = AnswerText(
    slug="prueba",
    title="Una prueba",
    line="return",
    topic="vehicle",
    language="es",
    source=("Ley 30001",),
    owner="orientacion",
    valid_from=dt.date(2026, 11, 23),
    review_by=dt.date(2027, 5, 23),
    public=False,
    keywords=(),
    questions=(),
    attachments=(),
    body="Texto.",
)


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
        questions=("quiero traer mi carro",),
        attachments=(),
        valid_from=dt.date(2026, 11, 23),
        review_by=dt.date(2027, 5, 23),
        public=False,
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
    assert read_answer(write(tmp_path, changed("public: false\n", ""))).public is False


@pytest.mark.parametrize(
    ("before", "after", "at", "words"),
    [
        ("slug: prueba", "slug: otra", "slug", "an answer 'otra' in 'es' must be called otra.md"),
        ("slug: prueba", "slug: Prueba Uno", "slug", "`slug` may hold small letters"),
        ("language: es", "language: en", "slug", "an answer 'prueba' in 'en' must be called prueba.en.md"),
        ("language: es", "language: qu", "language", "`language` must be one of es, en, pt"),
        ("public: false", "public: true", "public", "who reads it on the web fills in nothing"),
        ("review_by: 2027-05-23", "review_by: 2026-05-23", "review_by", "must be later than `valid_from`"),
        ("attachments: []", "attachments: [guia.pdf]", "attachments", "cannot be read"),
        ("attachments: []", "attachments: [../guia.pdf]", "attachments", "is no name for a file"),
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
        ("public: false", 'public: "no"', "public", "`public` must be true or false"),
        ("public: false", "public: [", "keywords", ""),
        ("topic: vehicle", "topic: a: b", "topic", "mapping values are not allowed"),
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
        (GOOD.partition("Estimado")[0].replace("[nombre, numero]", "[]"), 17, "there is no text"),
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
    reading = read_answers(tmp_path)
    [fault] = reading.faults
    assert len(reading.answers) == 1
    assert "stands in" in fault
    assert {str(first), str(second)} == {str(path) for path in (first, second) if str(path) in fault}
    assert f":{line_of(GOOD, 'slug')}: " in fault


def test_a_file_that_is_wrong_is_named_and_stops_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    bad = write(tmp_path, "nada", "mala.md")
    translated = GOOD.replace("language: es", "language: en").replace("topic: vehicle", "topic: deported")
    other = write(tmp_path, translated, "prueba.en.md")
    reading = read_answers(tmp_path)
    assert [answer.slug for answer in reading.answers] == ["prueba"]
    assert [fault.partition(":")[0] for fault in reading.faults] == [str(bad), str(other)]
    assert "`line` and `topic` must be those of" in reading.faults[1]


def test_a_file_that_goes_along_comes_with_its_answer(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("attachments: []", "attachments: [Guía 1.pdf]"))
    (path.parent / "prueba").mkdir()
    (path.parent / "prueba" / "Guía 1.pdf").write_bytes(b"%PDF-1.7")
    [file] = read_answer(path).attachments
    assert (file.name, file.content) == ("Guía 1.pdf", b"%PDF-1.7")


@given(
    title=st.text(min_size=1, max_size=100),
    keywords=st.lists(st.text(min_size=1, max_size=30), max_size=5),
    body=st.text(min_size=1, max_size=300),
)
def test_what_is_written_to_a_file_is_read_back_as_it_was(title: str, keywords: list[str], body: str) -> None:
    answer = replace(
        SAMPLE, title=" ".join(title.split()), keywords=tuple(keywords), body=body.replace("\r", "\n").strip()
    )
    if any(faults_of(answer)):
        return
    with tempfile.TemporaryDirectory() as folder:
        assert read_answer(write_answer(Path(folder), answer)) == answer


def test_every_answer_of_ours_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    ours = read_answers().answers
    for answer in ours:
        write_answer(tmp_path, answer)
    again = read_answers(tmp_path)
    assert again.faults == ()
    assert set(again.answers) == set(ours)


def test_every_answer_of_ours_can_be_used_and_every_line_has_some() -> None:
    reading = read_answers()
    answers = reading.answers
    assert reading.faults == ()
    assert len(answers) == len(answer_files()) >= 90
    assert {answer.line for answer in answers} == {*LINES, NONE}
    assert [answer.slug for answer in answers if answer.review_by <= answer.valid_from] == []
    assert [answer.slug for answer in answers if not (answer.source and answer.keywords)] == []


def test_every_answer_of_ours_lies_in_the_folder_of_its_line() -> None:
    assert [path.name for path in answer_files() if read_answer(path).line != path.parent.name] == []


def test_every_topic_of_the_four_lines_has_an_answer_and_the_most_used_have_translations() -> None:
    answers = read_answers().answers
    served = {(answer.line, answer.topic) for answer in answers}
    assert [topic for line in LINES for topic in TOPICS[line] if (line, topic) not in served] == []
    slugs = {language: {a.slug for a in answers if a.language == language} for language in LANGUAGES}
    assert len(slugs["en"]) >= 25
    assert len(slugs["pt"]) >= 25
    assert slugs["en"] | slugs["pt"] <= slugs["es"]


def test_no_answer_of_ours_names_what_no_longer_exists() -> None:
    assert [answer.slug for answer in read_answers().answers if "DIGEMIN" in answer.body] == []


@pytest.mark.parametrize("name", ["acknowledgement", "footer"])
def test_a_notice_holds_the_number_and_nothing_that_a_sender_chose(name: str) -> None:
    notice = read_notice(name)
    assert notice.body
    assert set(names_in(notice.subject + notice.body)) == {"numero"}
