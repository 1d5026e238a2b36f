"""What the parser gives back: frozen data, its JSON, and the limits under which it was read.

In: the dataclasses, their two JSON forms (for people, and for the pipe from the parsing child), the limits.
Not in: how the data is found (`parse.py`) and what is done with it (`helpdesk.desk`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

# Limits of one mail. They bound the work of the parser on mail made to hang it (OWASP ASVS 5.0, 5.2 and
# 15.2); what lies beyond a limit is cut or kept as an attachment, and the cut is named in `defects`.
MAX_MESSAGE_BYTES = 25_000_000
MAX_HEADER_BYTES = 256_000
MAX_HEADER_LINES = 1_000
MAX_PARTS = 500
MAX_DEPTH = 50
MAX_ADDRESSES = 500
MAX_TEXT_CHARACTERS = 2_000_000
MAX_NAME_CHARACTERS = 120
MAX_SUBJECT_CHARACTERS = 998  # RFC 5322, 2.1.1: the longest line a mail may have
MAX_REFERENCES = 100

# What a mail may hold besides text and files, by the names that `ParsedMail.contains` uses.
CONTENTS = (
    "smime-signed",
    "smime-encrypted",
    "pgp-signed",
    "pgp-encrypted",
    "calendar",
    "tnef",
    "nested-message",
)


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox (RFC 5322, 3.4).

    The domain is in lower case; the name has no control or format characters.
    """

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class ParsedAttachment:
    """One file of a mail. `size` is in bytes; `content_id` is without its angle brackets."""

    name: str
    type: str
    size: int
    sha256: str
    inline: bool
    content_id: str | None
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a delivery report says (RFC 3464): whose mail, to whom, the status ("5.1.1"), and the action taken
    ("failed", "delayed", …), where the report tells them.
    """

    message_id: str | None
    recipient: str | None
    status: str | None
    action: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether the mail will never arrive. The action decides (RFC 3464, 2.3.3: a program that gave up says
        "failed" and may still give a status of class 4), else the class of the status (RFC 3463, 3.1).
        """
        if self.action:
            return self.action == "failed"
        return self.status is None or self.status.startswith("5")

    def to_json(self) -> dict[str, str | None]:
        """The report as people are shown it."""
        return {"message_id": self.message_id, "recipient": self.recipient, "status": self.status}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a feedback report says (RFC 5965): which mail somebody called unwanted, and who, where it tells."""

    message_id: str | None
    recipient: str | None


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The mail that somebody passed on: who had written it, about what, when (None: unreadable), and its words."""

    sender: Address
    subject: str
    date: dt.datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """One mail, read. `sender` is empty when the From header names nobody for certain.

    `new_text` is what the sender wrote now; `text` is everything. `forwarded` is set when the mail does nothing
    but pass another one on. `contains` names what else is in it (`CONTENTS`). `headers` are the top-level headers
    that intake decides by, decoded, in the order of the mail, names in lower case.
    """

    sender: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    date: dt.datetime | None = None
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text: str = ""
    new_text: str = ""
    html: str = ""
    attachments: tuple[ParsedAttachment, ...] = ()
    automatic: str | None = None
    bounce: Bounce | None = None
    language: str | None = None
    defects: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    forwarded: Forwarded | None = None
    contains: tuple[str, ...] = ()
    complaint: Complaint | None = None

    @property
    def report(self) -> Bounce | Complaint | None:
        """What a program says of a mail that somebody else wrote."""
        return self.bounce or self.complaint

    def header(self, name: str) -> str | None:
        """The first kept header of this name (lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)

    def to_json(self) -> dict[str, Any]:
        """The mail as `helpdesk mail inspect --json` prints it, without the contents of its attachments."""
        return {
            "from": _people(self.sender),
            "to": _people(self.to),
            "cc": _people(self.cc),
            "reply_to": _people(self.reply_to),
            "subject": self.subject,
            "date": self.date.isoformat() if self.date else None,
            "message_id": self.message_id,
            "in_reply_to": self.in_reply_to[0] if self.in_reply_to else None,
            "references": list(self.references),
            "text": self.text,
            "new_text": self.new_text,
            "html": self.html,
            "attachments": [
                {"name": a.name, "type": a.type, "size": a.size, "sha256": a.sha256, "inline": a.inline}
                for a in self.attachments
            ],
            "automatic": self.automatic,
            "bounce": self.bounce.to_json() if self.bounce else None,
            "language": self.language,
            "defects": list(self.defects),
            "forwarded": _forwarded_json(self.forwarded),
            "contains": list(self.contains),
        }

    def to_wire(self) -> tuple[dict[str, Any], list[bytes]]:
        """Everything, as JSON and the attachments' contents in order: what `from_wire` takes."""
        wire = self.to_json()
        wire["bounce"] = asdict(self.bounce) if self.bounce else None
        wire["complaint"] = asdict(self.complaint) if self.complaint else None
        wire["in_reply_to"] = list(self.in_reply_to)
        wire["headers"] = [list(pair) for pair in self.headers]
        for entry, attachment in zip(wire["attachments"], self.attachments, strict=True):
            entry["content_id"] = attachment.content_id
        return wire, [attachment.content for attachment in self.attachments]

    @classmethod
    def from_wire(cls, wire: dict[str, Any], contents: Iterable[bytes]) -> ParsedMail:
        """The mail again from `to_wire`. Raises KeyError, TypeError or ValueError on anything else."""
        files = zip(wire["attachments"], contents, strict=True)
        return cls(
            sender=_addresses(wire["from"]),
            to=_addresses(wire["to"]),
            cc=_addresses(wire["cc"]),
            reply_to=_addresses(wire["reply_to"]),
            subject=wire["subject"],
            date=dt.datetime.fromisoformat(wire["date"]) if wire["date"] else None,
            message_id=wire["message_id"],
            in_reply_to=tuple(wire["in_reply_to"]),
            references=tuple(wire["references"]),
            text=wire["text"],
            new_text=wire["new_text"],
            html=wire["html"],
            attachments=tuple(ParsedAttachment(**entry, content=content) for entry, content in files),
            automatic=wire["automatic"],
            bounce=Bounce(**wire["bounce"]) if wire["bounce"] else None,
            complaint=Complaint(**wire["complaint"]) if wire["complaint"] else None,
            language=wire["language"],
            defects=tuple(wire["defects"]),
            headers=tuple((name, value) for name, value in wire["headers"]),
            forwarded=_forwarded(wire["forwarded"]),
            contains=tuple(wire["contains"]),
        )

    def with_defects(self, *more: str) -> ParsedMail:
        """The same mail with further defects; each is named once."""
        return replace(self, defects=tuple(dict.fromkeys((*self.defects, *more))))


def _people(addresses: tuple[Address, ...]) -> list[dict[str, str]]:
    return [{"name": person.name, "address": person.address} for person in addresses]


def _addresses(entries: list[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(entry["name"], entry["address"]) for entry in entries)


def _forwarded_json(forwarded: Forwarded | None) -> dict[str, Any] | None:
    if forwarded is None:
        return None
    date = forwarded.date.isoformat() if forwarded.date else None
    return {
        "from": _people((forwarded.sender,))[0],
        "subject": forwarded.subject,
        "date": date,
        "text": forwarded.text,
    }


def _forwarded(entry: dict[str, Any] | None) -> Forwarded | None:
    if entry is None:
        return None
    date = dt.datetime.fromisoformat(entry["date"]) if entry["date"] else None
    return Forwarded(_addresses([entry["from"]])[0], entry["subject"], date, entry["text"])
