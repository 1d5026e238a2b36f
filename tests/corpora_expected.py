"""What others expect of the mails in their corpora, in our words, and how it is compared with what we read.

In: readers of expectation files that lie beside mails, and one second opinion: Python's own `email` library, which
reads every mail and is often wrong, so that its differences are to be read, not counted as faults. Not in: finding
and parsing the mails (`corpora.py`).
"""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from helpdesk.mail.headers import decode_words
from helpdesk.mail.parsed import ParsedMail

Values = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """What one source says of one mail: our keys (`VIEWS`) and the values it expects."""

    source: str
    values: Values


@dataclass(frozen=True)
class Difference:
    """One key of one mail on which we and the source differ."""

    key: str
    mail: str
    ours: Any
    theirs: Any


def words(text: str) -> str:
    """The text with every run of white space as one space: no two programs agree about white space."""
    return " ".join(text.split())


def addresses(people: list[dict[str, str]]) -> list[str]:
    """The addresses alone, in lower case and sorted."""
    return sorted(person["address"].lower() for person in people)


def _instant(value: str | None) -> float | None:
    return dt.datetime.fromisoformat(value).timestamp() if value else None


# How our JSON is looked at under each key that a source may expect something of.
VIEWS: dict[str, Callable[[Values], Any]] = {
    "from": lambda mail: addresses(mail["from"]),
    "to": lambda mail: addresses(mail["to"]),
    "cc": lambda mail: addresses(mail["cc"]),
    "subject": lambda mail: words(mail["subject"]),
    "date": lambda mail: _instant(mail["date"]),
    "message_id": lambda mail: mail["message_id"],
    "text": lambda mail: words(mail["text"]),
    "new_text": lambda mail: words(mail["new_text"]),
    "file_names": lambda mail: sorted(file["name"] for file in mail["attachments"]),
    "is_automatic": lambda mail: mail["automatic"] is not None,
    "is_bounce": lambda mail: mail["bounce"] is not None,
    "recipient": lambda mail: ((mail["bounce"] or {}).get("recipient") or "").lower(),
    "is_final": lambda mail: not ((mail["bounce"] or {}).get("status") or "5").startswith("4"),
}


@dataclass(frozen=True)
class OneOf:
    """Any of these values is right: we name one recipient of a report, others name all."""

    values: tuple[Any, ...]


def compare(name: str, mail: ParsedMail, expected: Expected) -> tuple[list[str], list[Difference]]:
    """The keys (`source:key`) on which we agree, and the differences."""
    agreed, differences = [], []
    read = mail.to_json()
    for key, theirs in expected.values.items():
        ours = VIEWS[key](read)
        label = f"{expected.source}:{key}"
        if ours in theirs.values if isinstance(theirs, OneOf) else ours == theirs:
            agreed.append(label)
        else:
            differences.append(Difference(label, name, ours, getattr(theirs, "values", theirs)))
    return agreed, differences


def expectations_of(path: Path, raw: bytes) -> Iterator[Expected]:
    """What every source that knows this mail expects."""
    for source, read in SOURCES.items():
        values = read(path, raw)
        if values:
            yield Expected(source, values)


def _named(path: Path, raw: bytes) -> Values:
    """Corpora that say it in the file's name: `bounce_aol.txt`, `auto_earthlink.txt`, `ordinary_gmail.txt`."""
    kind = path.name.partition("_")[0]
    if path.parent.name != "emails" or kind not in ("bounce", "auto", "ordinary"):
        return {}
    values: Values = {"is_automatic": kind != "ordinary"}
    return values | ({"is_bounce": kind == "bounce"} if kind != "auto" else {})


def _bounce_table(path: Path, raw: bytes) -> Values:
    """A table of (program, file, addresses, whether temporary) in the tests beside the corpus' folder."""
    row = _rows_of(path.parent.parent).get(path.name)
    if row is None or path.parent.name != "data":
        return {}
    recipients, temporary = row
    return {
        "recipient": OneOf(tuple(name.lower() for name in recipients)),
        "is_bounce": True,
        "is_automatic": True,
        "is_final": not temporary,
    }


@functools.lru_cache(maxsize=8)
def _rows_of(folder: Path) -> dict[str, tuple[list[str], bool]]:
    rows: dict[str, tuple[list[str], bool]] = {}
    for source in folder.glob("test_detect*.py"):
        for node in ast.walk(ast.parse(source.read_bytes())):
            match _literal(node):
                case (str(), str(name), [_, *_] as recipients, bool(temporary)):
                    rows[name] = ([recipient.decode() for recipient in recipients], temporary)
                case _:
                    pass
    return rows


def _literal(node: ast.AST) -> Any:
    """The value of a tuple of constants, else None."""
    if not isinstance(node, ast.Tuple):
        return None
    with contextlib.suppress(ValueError):
        return ast.literal_eval(node)
    return None


def _reply(path: Path, raw: bytes) -> Values:
    """Replies of many mail programs, all of which say "Hello" unless a file `…_reply_text` says otherwise."""
    if path.parent.name != "standard_replies":
        return {}
    said = path.with_name(f"{path.stem}_reply_text")
    return {"new_text": words(said.read_text()) if said.exists() else "Hello"}


def _golden(path: Path, raw: bytes) -> Values:
    """A JSON file of the same name beside the mail, with keys of `helpdesk mail inspect --json`."""
    beside = path.with_suffix(".json")
    if path.suffix != ".eml" or not beside.exists():
        return {}
    given = json.loads(beside.read_text())
    return {key: VIEWS[key](given) for key in VIEWS if isinstance(given, dict) and key in given}


def _stdlib(path: Path, raw: bytes) -> Values:
    """Python's own opinion, key by key; where it raises it has none."""
    mail = message_from_bytes(raw, policy=default)
    values: Values = {}
    for key, read in _STDLIB.items():
        try:
            values[key] = read(mail)
        except Exception as error:  # it raises many kinds; naming them would be its documentation, not ours
            values[f"{key} raised"] = type(error).__name__
    return {key: value for key, value in values.items() if key in VIEWS and value not in (None, "", [])}


def _people(mail: EmailMessage, name: str) -> list[str]:
    fields = mail.get_all(name) or []
    return sorted(person.addr_spec.lower() for field in fields for person in field.addresses if person.domain)


def _date(mail: EmailMessage) -> float | None:
    when: dt.datetime | None = mail["date"].datetime if mail["date"] else None
    if when is None:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp()


def _text(mail: EmailMessage) -> str | None:
    body = mail.get_body(("plain",))
    return words(body.get_content()) if body is not None else None


def _file_names(mail: EmailMessage) -> list[str]:
    names = (part.get_filename() for part in mail.walk() if not part.is_multipart())
    return sorted(words(decode_words(name)) for name in names if name)


_STDLIB: dict[str, Callable[[EmailMessage], Any]] = {
    "from": lambda mail: _people(mail, "from"),
    "to": lambda mail: _people(mail, "to"),
    "cc": lambda mail: _people(mail, "cc"),
    "subject": lambda mail: words(str(mail["subject"] or "")),
    "date": _date,
    "message_id": lambda mail: words(str(mail["message-id"] or "")),
    "text": _text,
    "file_names": _file_names,
}
SOURCES: dict[str, Callable[[Path, bytes], Values]] = {
    "golden": _golden,
    "named": _named,
    "bounces": _bounce_table,
    "replies": _reply,
    "stdlib": _stdlib,
}
