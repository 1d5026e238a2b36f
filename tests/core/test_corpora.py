"""The runner over other people's corpora: what it takes for a mail, how it splits an mbox, what it compares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpdesk.mail.parsed import Address, Bounce, ParsedMail
from tests.corpora import looks_like_a_mail, mails_in, report, run
from tests.corpora_expected import Expected, OneOf, compare, expectations_of

ONE = b"From: Rosa <rosa@example.com>\nSubject: Uno\nDate: Mon, 16 Nov 2026 10:15:00 -0500\n\nHola\n"


@pytest.mark.parametrize(
    ("start", "is_mail"),
    [
        (ONE, True),
        (b"From rosa@example.com Mon Nov 16 10:15:00 2026\n" + ONE, True),
        (b"Received: from a\n\tby b\nSubject: x\n\n", True),
        (b"Subject: only one known field\n\n", False),
        (b"Dear reader,\nFrom: here on: nothing\nTo: see\n", False),
        (b"", False),
    ],
)
def test_a_mail_is_told_by_its_header_lines(start: bytes, is_mail: bool) -> None:
    assert looks_like_a_mail(start) is is_mail


def test_an_mbox_is_split_at_its_envelope_lines_and_nowhere_else(tmp_path: Path) -> None:
    envelope = b"From rosa@example.com Mon Nov 16 10:15:00 2026\n"
    (tmp_path / "box").write_bytes(envelope + ONE + b"\nFrom here 1 on, nothing\n\n" + envelope + ONE)
    assert [found.number for found in mails_in([tmp_path])] == [1, 2]


def test_a_mail_that_two_packages_hold_counts_once(tmp_path: Path) -> None:
    for name in ("a.eml", "b.txt", "c.py"):
        (tmp_path / name).write_bytes(ONE)
    assert [found.path.name for found in mails_in([tmp_path])] == ["a.eml"]


def test_a_run_counts_what_came_out_and_what_differs_from_the_file_beside(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(ONE)
    (tmp_path / "a.json").write_text(json.dumps({"subject": "Dos", "text": "Hola"}))
    figures = run([tmp_path], wants_comparison=True)
    assert (figures.parsed, figures.failed, figures.agreed["golden:text"]) == (1, [], 1)
    assert [(entry.key, entry.ours, entry.theirs) for entry in figures.differences] == [
        ("golden:subject", "Uno", "Dos")
    ]
    lines = report(figures, most=1, only="golden:subject")
    assert "  golden:subject: 0 agree, 1 differ" in lines
    assert '"Dos"' in lines[-1]


def test_a_table_of_bounces_in_the_tests_beside_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    mail = tmp_path / "data" / "dsn_01.txt"
    mail.write_bytes(ONE)
    (tmp_path / "test_detectors.py").write_text(
        "T = [('dsn', 'dsn_01.txt', [b'A@example.com', b'b@x'], True)]"
    )
    (bounces,) = (found for found in expectations_of(mail, ONE) if found.source == "bounces")
    assert bounces.values["recipient"] == OneOf(("a@example.com", "b@x"))
    read = ParsedMail(
        sender=(Address("", "a@b"),),
        automatic="bounce",
        bounce=Bounce(message_id=None, recipient="a@example.com", status="5.1.1"),
    )
    agreed, differences = compare("m", read, bounces)
    assert (sorted(agreed), [entry.key for entry in differences]) == (
        ["bounces:is_automatic", "bounces:is_bounce", "bounces:recipient"],
        ["bounces:is_final"],
    )


def test_any_white_space_counts_as_the_same() -> None:
    agreed, _ = compare("m", ParsedMail(text="a \n\n b"), Expected("x", {"text": "a b"}))
    assert agreed == ["x:text"]
