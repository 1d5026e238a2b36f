"""What must hold for whatever the parser makes of whatever mail; and how a careless reader fares with the same mail.

In: the checks of one parsed mail. Not in: making mails (`mutate.py`), counting and reporting (`run.py`).
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from helpdesk.mail.html import sanitise
from helpdesk.mail.parsed import (
    MAX_ADDRESSES,
    MAX_NAME_CHARACTERS,
    MAX_PARTS,
    MAX_REFERENCES,
    MAX_SUBJECT_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    ParsedMail,
)

MAX_SECONDS = 2.0
_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_IN_FILE_NAME = re.compile(r"[\x00-\x1f\x7f/\\\u202a-\u202e\u2066-\u2069]")
# A quoted local part may hold spaces and angle brackets (RFC 5322, 3.2.4); nothing may hold a control character.
_ADDRESS = re.compile(r'(?:"[^\x00-\x1f\x7f]+"|[^\x00-\x20\x7f<>"]+)@[^\x00-\x20\x7f<>"@]+')


def faults(mail: ParsedMail) -> Iterator[str]:
    """What is wrong with this result, one short sentence each; nothing for a good one."""
    yield from (f"defect {name}" for name in mail.defects if name.startswith("parser-error"))
    yield from _unprintable(mail)
    yield from _over_limits(mail)
    yield from _broken_lines(mail)
    if mail.html and sanitise(mail.html) != mail.html:
        yield "cleaning the clean HTML changes it"


def _unprintable(mail: ParsedMail) -> Iterator[str]:
    wire, _ = mail.to_wire()
    try:
        written = json.dumps(wire, ensure_ascii=False)
        written.encode()
    except (TypeError, ValueError) as error:
        yield f"no JSON: {type(error).__name__}"
        return
    if "\\u0000" in written and _holds_nul(wire):
        yield "NUL in a string"


def _holds_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_nul(item) for item in value)
    return isinstance(value, str) and "\x00" in value


def _over_limits(mail: ParsedMail) -> Iterator[str]:
    people = (*mail.sender, *mail.to, *mail.cc, *mail.reply_to)
    sizes = {
        "text": (len(mail.text), MAX_TEXT_CHARACTERS),
        "new text": (len(mail.new_text), MAX_TEXT_CHARACTERS),
        "subject": (len(mail.subject), MAX_SUBJECT_CHARACTERS),
        "to": (len(mail.to), MAX_ADDRESSES),
        "cc": (len(mail.cc), MAX_ADDRESSES),
        "references": (len(mail.references), MAX_REFERENCES),
        "files": (len(mail.attachments), MAX_PARTS),
        "file name": (max((len(file.name) for file in mail.attachments), default=0), MAX_NAME_CHARACTERS),
        "address": (max((len(person.address) for person in people), default=0), 320),
    }
    yield from (
        f"{name} is {size} long, over {limit}" for name, (size, limit) in sizes.items() if size > limit
    )
    if any(file.size != len(file.content) for file in mail.attachments):
        yield "a file's size is not the length of its content"


def _broken_lines(mail: ParsedMail) -> Iterator[str]:
    """What becomes part of a header line, of one line on a page, or of a file name must not hold line breaks."""
    people = (*mail.sender, *mail.to, *mail.cc, *mail.reply_to)
    ids = (mail.message_id or "", *mail.in_reply_to, *mail.references)
    lines = (mail.subject, *(person.name for person in people), *ids, mail.automatic or "", *mail.defects)
    if any(_LINE_BREAK.search(line) for line in lines):
        yield "a control character in what must be one line"
    if any(not file.name or _IN_FILE_NAME.search(file.name) for file in mail.attachments):
        yield "a file name that leads elsewhere"
    if not all(_ADDRESS.fullmatch(person.address) for person in people):
        yield "an address that is none"


def reads_naively(raw: bytes) -> bool:
    """Whether Python's `email`, used as its documentation shows, reads this mail without raising."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _reads_naively(raw)


def _reads_naively(raw: bytes) -> bool:
    try:
        mail = message_from_bytes(raw, policy=default)
        _ = [str(mail[name] or "") for name in ("from", "to", "cc", "subject", "date", "message-id")]
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("plain", "html"))
        if body is not None:
            body.get_content()
        for part in mail.iter_attachments() if mail.is_multipart() else ():
            part.get_filename()
            part.get_content()
    except Exception:
        return False
    return True
