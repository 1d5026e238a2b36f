"""A look at the beginning of a mail: who, about what, when. For lists and for what cannot be parsed.

In: the few header fields that people know a mail by, read from a bounded number of bytes. Not in: bodies,
threads, what becomes of the mail; whoever decides by a mail has it parsed (`parse.py`, in its child process).
Linear and total: strange headers give empty fields, never an error.
"""

from __future__ import annotations

import codecs
import datetime as dt
from dataclasses import dataclass

from helpdesk.mail.addresses import read_addresses
from helpdesk.mail.headers import one_line, read_date, read_headers, read_ids
from helpdesk.mail.parsed import MAX_NAME_CHARACTERS, MAX_SUBJECT_CHARACTERS, Address

PEEK_BYTES = 16_000


@dataclass(frozen=True, slots=True)
class Peek:
    """What the header's first lines say. `received_at` is when the last server on the way took the mail."""

    sender: Address | None
    subject: str
    message_id: str | None
    written_at: dt.datetime | None
    received_at: dt.datetime | None


def peek(head: bytes) -> Peek:
    """Read the first 16 kB of a mail. Source: RFC 5322, 3.6; RFC 5321, 4.4 (each server puts its line on top)."""
    headers, _, _ = read_headers(head[:PEEK_BYTES].removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n"))
    senders, _ = read_addresses(headers.get("from"), strict=True)
    message_ids = read_ids(headers.get("message-id"))
    trace = headers.get("received")
    return Peek(
        sender=_shortened(senders[0]) if len(headers.get_all("from")) == 1 and senders else None,
        subject=headers.text("subject")[:MAX_SUBJECT_CHARACTERS],
        message_id=message_ids[0] if message_ids else None,
        written_at=read_date(one_line(headers.get("date"))),
        received_at=read_date(one_line(trace.rpartition(";")[2])) if ";" in trace else None,
    )


def _shortened(sender: Address) -> Address:
    return Address(sender.name[:MAX_NAME_CHARACTERS], sender.address)
