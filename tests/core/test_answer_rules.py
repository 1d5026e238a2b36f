"""The rules that every answer keeps, and the judged messages from which the ranking learns."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import LINES, NONE, TOPICS
from classifier.data import CORPUS, FROZEN
from templates.answer import (
    FAULTS,
    GENERAL,
    LANGUAGES,
    MAX_ATTACHED_BYTES,
    MAX_BODY_BYTES,
    MAX_TITLE,
    AnswerText,
    AttachedFile,
    Fault,
    faults_of,
    is_file_name,
)
from templates.catalogue import read_answers
from templates.examples import EXAMPLES, examples
from templates.wording import terms_of

GOOD = AnswerText(
    slug="prueba-2",
    title="Una prueba: ¿sí o no?",
    line="return",
    topic="vehicle",
    language="es",
    source=("Ley 30001",),
    owner="orientacion",
    valid_from=dt.date(2026, 11, 23),
    review_by=dt.date(2027, 5, 23),
    public=False,
    keywords=("carro",),
    questions=("quiero traer mi carro",),
    attachments=(AttachedFile("Guía 1.pdf", b"%PDF-1.7"),),
    body="Estimado/a {{nombre}}:\n\n\tSu número es {{ numero }}.",
)


def faults(**changed: Any) -> list[Fault]:
    """What is wrong with a good answer after a change."""
    return list(faults_of(replace(GOOD, **changed)))


def test_an_answer_that_keeps_the_rules_has_no_fault() -> None:
    assert faults() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"slug": "a"},
        {"slug": "7"},
        {"slug": "a" * 60},
        {"title": "á" * MAX_TITLE},
        {"body": "a" * MAX_BODY_BYTES},
        {"body": "ñ" * (MAX_BODY_BYTES // 2)},
        {"public": True, "body": "Sin nada que completar."},
        {"review_by": dt.date(2026, 11, 24)},
        {"attachments": ()},
        {"attachments": (AttachedFile("a.pdf", b"x" * MAX_ATTACHED_BYTES),)},
        {"keywords": (), "questions": (), "source": ()},
        {"line": NONE, "topic": GENERAL},
        # Nothing of this is ever run: it goes out as the text that it is.
        {"body": "{% for x in y %} ${x} {# n #} {config} %(x)s <script>alert(1)</script> {{" + "x" * 101 + "}}"},
    ],
)  # fmt: skip
def test_what_the_rules_allow_at_their_limits_is_no_fault(changed: dict[str, Any]) -> None:
    assert faults(**changed) == []


@pytest.mark.parametrize("line", [*LINES, NONE])
def test_every_topic_of_a_line_is_allowed_and_no_topic_of_another(line: str) -> None:
    own = (*TOPICS.get(line, ()), GENERAL)
    others = {topic for topics in TOPICS.values() for topic in topics} - set(own)
    assert [fault for topic in own for fault in faults(line=line, topic=topic)] == []
    wrong = [fault for topic in others for fault in faults(line=line, topic=topic)]
    assert {fault.detail for fault in wrong} == others
    assert {(fault.key, fault.code) for fault in wrong} == {("topic", "topic")}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *[("slug", value, "slug") for value in (
            "", "a" * 61, "Prueba", "prueba_2", "prueba-", "-prueba", "a--b", "año", "a b", "a\n", "../a", "a/b",
            "a.md", "٣",
        )],
        *[("title", value, "title") for value in (
            "", "a" * (MAX_TITLE + 1), "a\nb", "a\r\nb", "a\rb", "a\x0bb", "a\x00b", "a\x1bb", "a\x7fb", "a\u2028b",
            "a\x85b",
            "Hola\r\nBcc: otra@example.com",
        )],
        *[("language", value, "language") for value in ("", "qu", "ES", "es-PE", "spa")],
        *[("body", value, "long") for value in ("a" * (MAX_BODY_BYTES + 1), "ñ" * (MAX_BODY_BYTES // 2 + 1))],
        *[("body", f"a{sign}b", "control") for sign in ("\x00", "\r", "\r\n", "\x08", "\x1b", "\x7f", "\x0c")],
        ("body", "", "empty"),
        ("public", True, "public"),
        ("review_by", GOOD.valid_from, "dates"),
        ("review_by", dt.date(2025, 1, 1), "dates"),
        ("attachments", (AttachedFile("a.pdf", b"x" * (MAX_ATTACHED_BYTES + 1)),), "files"),
        ("attachments", tuple(AttachedFile(f"{n}.pdf", b"x" * (MAX_ATTACHED_BYTES // 2)) for n in range(3)), "files"),
    ],
)  # fmt: skip
def test_every_rule_that_is_broken_is_one_fault_of_its_field(field: str, value: object, code: str) -> None:
    assert [(fault.key, fault.code) for fault in faults(**{field: value})] == [(field, code)]


@pytest.mark.parametrize("line", ["", "retorno", "RETURN", "__class__"])
def test_an_unknown_line_is_named(line: str) -> None:
    assert Fault("line", "line", line) in faults(line=line, topic=GENERAL)


@pytest.mark.parametrize(
    "code", ["config", "7*7", "''.__class__", "Nombre", "número", "", "nombre|safe", "titulo"]
)
def test_t58_an_unknown_placeholder_is_refused_by_its_name(code: str) -> None:
    assert faults(body=f"Hola {{{{ {code} }}}} y {{{{nombre}}}}.") == [Fault("body", "placeholder", code)]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = faults(slug="", title="", language="", body="{{x}}\x00", public=True, line="x", topic="y")
    assert [fault.code for fault in found] == [
        "slug", "title", "language", "line", "topic", "control", "public", "placeholder",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["guia.pdf", "Guía 1.pdf", "a.docx", "1.PDF", "Lista (2), final.v2-b.xlsx", "ñ.zip"]
)
def test_a_file_may_have_a_plain_name(name: str) -> None:
    assert is_file_name(name)
    assert faults(attachments=(AttachedFile(name, b"x"),)) == []


@pytest.mark.parametrize(
    "name",
    [
        "", "a", "a.", ".pdf", "..", "../a.pdf", "a/b.pdf", "a\\b.pdf", "/etc/passwd", "-a.pdf", " a.pdf", "_a.pdf",
        "a.p", "a.pdfxyz", "a.pdf\n", "a\nb.pdf", "a\r\nX: y.pdf", 'a".pdf', "a;b.pdf", "a\x00.pdf", "<b>.pdf",
        "{{x}}.pdf", "a.pdf ", "a:b.pdf", "a" * 97 + ".pdf", "a\u202efdp.exe", "~a.pdf", "$a.pdf", "a.ñá",
    ],
)  # fmt: skip
def test_a_name_that_a_path_or_a_header_could_trip_over_is_refused(name: str) -> None:
    assert not is_file_name(name)
    assert faults(attachments=(AttachedFile(name, b"x"),)) == [Fault("attachments", "file_name", name)]


@given(
    st.sampled_from(["slug", "title", "line", "topic", "language", "body"]),
    st.text() | st.text(st.sampled_from("{} %$<>a\r\n\x00")),
)
def test_any_text_in_any_field_is_judged_and_every_fault_has_its_words(field: str, value: str) -> None:
    for fault in faults(**{field: value}):
        words = FAULTS[fault.code].format(fault.detail)
        assert words
        assert len(words.splitlines()) == 1
        assert fault.key in (field, "topic" if field == "line" else field)


def rows(path: Path = EXAMPLES) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, at first that of the judged messages."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def ids_in(folder: Path) -> set[str]:
    """The ids of the messages in a folder of the classifier's."""
    return {row["id"] for path in folder.glob("*.jsonl") for row in rows(path)}


def test_every_judged_message_is_in_the_corpus_once() -> None:
    judged = [row["id"] for row in rows()]
    assert len(judged) == len(set(judged)) > 1_000
    assert set(judged) - ids_in(CORPUS) == set()


def test_no_judged_message_is_one_by_which_models_are_measured() -> None:
    assert {row["id"] for row in rows()} & ids_in(FROZEN) == set()


def test_every_answer_that_was_judged_right_is_in_the_catalogue() -> None:
    known = {answer.slug for answer in read_answers().answers if answer.language == LANGUAGES[0]}
    assert {slug for row in rows() for slug in row["slugs"]} - known == set()


def test_a_judged_message_names_each_answer_once_and_nothing_else_is_in_its_row() -> None:
    assert [row for row in rows() if len(row["slugs"]) != len(set(row["slugs"]))] == []
    assert {tuple(row) for row in rows()} == {("id", "slugs")}


def test_the_judged_messages_with_a_right_answer_are_read_by_their_words() -> None:
    with_answer = {row["id"]: tuple(row["slugs"]) for row in rows() if row["slugs"]}
    read = examples()
    assert len(read) == len(with_answer)
    assert sorted(example.slugs for example in read) == sorted(with_answer.values())
    assert sum(not example.terms for example in read) < len(read) / 100
    first = next(row for row in rows(CORPUS / "abroad.jsonl") if row["id"] in with_answer)
    assert read[0].terms == terms_of(f"{first['subject']} {first['body']}")
    assert read[0].slugs == with_answer[first["id"]]
