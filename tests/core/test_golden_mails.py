"""Golden mails: what `helpdesk mail inspect --json` must say of each mail in `tests/emails/`, decided by hand.

Beside `NAME.eml`, named for its trap, stands `NAME.json`: one sentence ("trap") and the expected values of the keys
that matter. `text_contains` shows that nothing is lost; of attachments only the given keys are compared.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpdesk.mail.parse import parse

EMAILS = Path(__file__).parents[1] / "emails"
GOLDEN = sorted(EMAILS.rglob("*.json"))


def _name(path: Path) -> str:
    return path.relative_to(EMAILS).with_suffix("").as_posix()


def _expected(path: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return expected


def _only(keys: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The found attachments with only those keys that are expected of them; further ones whole."""
    wanted = [*keys, *({} for _ in found[len(keys) :])]
    return [{key: entry[key] for key in want or entry} for want, entry in zip(wanted, found, strict=False)]


@pytest.mark.parametrize("path", GOLDEN, ids=_name)
def test_a_golden_mail_is_read_as_decided(path: Path) -> None:
    expected = _expected(path)
    mail = parse(path.with_suffix(".eml").read_bytes()).to_json()
    missing = [part for part in expected.pop("text_contains", []) if part not in mail["text"]]
    assert missing == [], mail["text"]
    assert expected.pop("trap").endswith((".", "?", "!"))
    if "attachments" in expected:
        mail["attachments"] = _only(expected["attachments"], mail["attachments"])
    assert {key: mail[key] for key in expected} == expected


def test_every_mail_has_its_expectation_and_every_expectation_its_mail() -> None:
    mails = {_name(path) for path in EMAILS.glob("*/**/*.eml")}
    assert mails == {_name(path) for path in GOLDEN}


def test_there_are_at_least_250_golden_mails_and_80_of_spanish_mail_programs() -> None:
    assert len(GOLDEN) >= 250
    clients = [_expected(path) for path in GOLDEN if path.parent.name == "clients"]
    assert sum(expected["language"] == "es" for expected in clients) >= 80
