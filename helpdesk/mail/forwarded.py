"""The mail inside a mail that does nothing but pass it on: who had written it, when, about what, and its words.

In: forward blocks in the text, and one attached mail. Not in: replies, whose quotes are folded (`quoting.py`); what
is done with a forwarded mail, and whether its words can be trusted (anybody can type a forward block).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from helpdesk.mail.addresses import read_addresses
from helpdesk.mail.body import read_body
from helpdesk.mail.charset import repair_mojibake
from helpdesk.mail.footers import without_footers
from helpdesk.mail.headers import decode_words, one_line, read_date
from helpdesk.mail.parsed import MAX_SUBJECT_CHARACTERS, Address, Forwarded, ParsedAttachment
from helpdesk.mail.quote_marks import ENGLISH, FORWARD_ROOTS, FORWARD_SUBJECT, Role
from helpdesk.mail.quoting import Quote, find_quote, header_name, heads_of, read_header, read_lines
from helpdesk.mail.structure import read_structure
from helpdesk.mail.written_date import read_written_date

MAX_NOTE_CHARACTERS = 300  # More than this above a forwarded mail is a letter of its own.
MAX_HEADER_LINES = 40
MAX_ATTACHED_BYTES = 10_000_000  # Reading it costs as much again as reading the mail.
ATTACHED_MAIL = "message/rfc822"

_MAILTO = re.compile(r"[<\[]mailto:[^<>\[\]\s]{1,320}[>\]]", re.I)
_BRACKETED = re.compile(r"\[(?:mailto:)?([^<>\[\]\s]{1,320}@[^<>\[\]\s]{1,320})\]", re.I)
_DOUBLED = re.compile(r"<([^<>\s]{1,320})(?:<mailto:[^<>]{1,320}>)>", re.I)
_NAMED = re.compile(r"([^<>\"@]{1,200})<([^<>@\s]{1,128}@[^<>@\s]{1,255})>")


def read_forwarded(subject: str, text: str, attachments: Sequence[ParsedAttachment]) -> Forwarded | None:
    """Return the mail that this one passes on, or None when it says more than a covering note, or replies.

    A forward is one that its program marks ("---------- Forwarded message ---------"), or an Outlook header block
    under a subject such as "RV:"; or one attached message/rfc822 and no other words. An original without one
    certain address is None. Linear, never raises.
    """
    attached = [file for file in attachments if file.type == ATTACHED_MAIL]
    if len(attached) == 1 and attached[0].size <= MAX_ATTACHED_BYTES:
        found = _attached(attached[0].content, text)
        if found:
            return found
    return _in_text(subject, text)


def is_forward_subject(subject: str) -> bool:
    """Whether a subject begins with the prefix of a forward ("RV:", "FW:", "ENC:", "I:")."""
    return FORWARD_SUBJECT.match(subject) is not None


def _in_text(subject: str, text: str) -> Forwarded | None:
    named, words = is_forward_subject(subject), text.lower()
    if not named and not any(root in words for root in FORWARD_ROOTS):
        return None
    lines = read_lines(text)
    quote = find_quote(heads_of(lines))
    if quote is None or quote.kind == "attribution" or not (named or quote.kind == "forward"):
        return None
    note = "\n".join(without_footers(lines[: quote.start])).strip()
    return _below(subject, lines, quote) if len(note) < MAX_NOTE_CHARACTERS else None


def _below(subject: str, lines: list[str], quote: Quote) -> Forwarded | None:
    below = _unquoted(lines[quote.after :])
    fields, names, end = _read_block(heads_of(below[: MAX_HEADER_LINES * 2]))
    sender = _sender(fields.get("from", ""))
    if sender is None:
        return None
    role: Role = "sent" if "sent" in fields else "date"
    return Forwarded(
        sender=sender,
        subject=one_line(fields.get("subject") or _without_prefix(subject), MAX_SUBJECT_CHARACTERS),
        date=read_written_date(fields.get(role, ""), month_first=names.get(role) in ENGLISH),
        text="\n".join(below[end:]).strip(),
    )


def _unquoted(lines: list[str]) -> list[str]:
    """The lines with one level of ">" less, when the first words are quoted, as Apple's programs do."""
    first = next((line for line in lines if line.strip()), "")
    if not first.startswith(">"):
        return lines
    return [line[1:].removeprefix(" ") if line.startswith(">") else line for line in lines]


def _read_block(heads: list[str]) -> tuple[Mapping[Role, str], Mapping[Role, str], int]:
    """The values and the names of the header lines by their roles, and the line behind the block.

    A line without a name goes on with the value above it. Blank lines may stand before the first header, and one
    between two of them (programs that make a paragraph of each).
    """
    fields: dict[Role, str] = {}
    names: dict[Role, str] = {}
    role: Role | None = None
    for index, head in enumerate(heads):
        if not head:
            if fields and not _goes_on(heads, index, fields):
                return fields, names, index
            continue
        found, value = read_header(head)
        if found and not (found in fields and found != "other"):
            role = found
            fields[role], names[role] = value, header_name(head)
        elif role:
            fields[role] = f"{fields[role]} {head}"[:2_000]
        elif fields:
            return fields, names, index
    return fields, names, len(heads)


def _goes_on(heads: list[str], blank: int, fields: Mapping[Role, str]) -> bool:
    following = heads[blank + 1] if blank + 1 < len(heads) else ""
    role, value = read_header(following)
    return role is not None and role != "other" and role not in fields and value != "" and len(fields) < 4


def _sender(value: str) -> Address | None:
    """The one address of a "De:" line, in the forms that programs give it, else None."""
    value = _BRACKETED.sub(r"<\1>", _DOUBLED.sub(r"<\1>", value))
    value = _MAILTO.sub("", value).strip()
    named = _NAMED.fullmatch(value)
    if named:
        # In the text a name stands without its quotes: "Quispe Mamani, Rosa <rosa@example.com>".
        name = named[1].replace("\\", " ").strip()
        value = f'"{name}" <{named[2]}>'
    people, _ = read_addresses(value, strict=True)
    return people[0] if len(people) == 1 else None


def _without_prefix(subject: str) -> str:
    return FORWARD_SUBJECT.sub("", subject, count=1).strip()


def _attached(content: bytes, text: str) -> Forwarded | None:
    """The one attached mail, when the outer mail has no words but a signature, or only its words."""
    octets, root, _ = read_structure(content.lstrip(b"\r\n"))
    words = read_body(octets, root).text()
    own = "\n".join(without_footers(read_lines(text))).strip()
    if own and own != "\n".join(read_lines(words)).strip() and text.strip() != words.strip():
        return None
    if len(root.headers.get_all("from")) != 1:
        return None
    people, _ = read_addresses(root.headers.get("from"), strict=True)
    if len(people) != 1:
        return None
    return Forwarded(
        sender=people[0],
        subject=one_line(repair_mojibake(decode_words(root.headers.get("subject"))), MAX_SUBJECT_CHARACTERS),
        date=read_date(one_line(root.headers.get("date"))),
        text=words.strip(),
    )
