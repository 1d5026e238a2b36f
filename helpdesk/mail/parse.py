"""bytes → `ParsedMail`. The one entry of the parser: pure, bounded, and total.

In: putting the pieces together in order. Not in: any rule about one piece (headers, addresses, body, HTML,
quotes, automatic mail, language each have their file). It reads no clock, no network and no database; run it
in a child process (`sandbox.py`) all the same, because its libraries read what strangers wrote.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from helpdesk.mail.addresses import read_addresses
from helpdesk.mail.automatic import why_automatic
from helpdesk.mail.body import Body, read_body
from helpdesk.mail.bounce import read_bounce, read_complaint
from helpdesk.mail.charset import clean_text, decode_bytes, repair_mojibake
from helpdesk.mail.forwarded import is_forward_subject, read_forwarded
from helpdesk.mail.headers import Headers, decode_words, one_line, read_date, read_ids
from helpdesk.mail.html import html_defect, sanitise
from helpdesk.mail.language import detect
from helpdesk.mail.parsed import (
    CONTENTS,
    MAX_MESSAGE_BYTES,
    MAX_SUBJECT_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    Address,
    ParsedAttachment,
    ParsedMail,
)
from helpdesk.mail.quoting import new_text
from helpdesk.mail.structure import read_structure

MAX_KEPT_HEADERS = 100
MAX_KEPT_CHARACTERS = 2_000
MAX_KEPT_RECEIVED = 30
MAX_RECEIVED_CHARACTERS = 200
# What intake decides by: where the mail was addressed to, what the border said about it, who or what sent it.
KEPT_HEADERS = frozenset(
    {
        "authentication-results",
        "auto-submitted",
        "delivered-to",
        "envelope-to",
        "x-original-to",
        "return-path",
        "sender",
        "list-id",
        "precedence",
        "importance",
        "x-priority",
        "x-mailer",
        "user-agent",
        "received",
        "received-spf",
        "content-language",
    }
)
# Read by machines: an encoded word in them is a trick to have its content taken for syntax.
MACHINE_HEADERS = frozenset({"authentication-results", "received", "received-spf"})


def parse(raw: bytes) -> ParsedMail:
    """Return the mail that these bytes hold. Never raises, except MemoryError: strange mail has `defects`.

    At most 25 MB, 500 parts, 50 levels and 2,000,000 characters of text are read. Source: RFC 5322, RFC 2045
    to 2049.
    """
    try:
        return _parse(raw)
    except MemoryError:
        raise
    except Exception as error:
        # A mistake of ours must not hide a citizen's mail: it is shown as it came, and the mistake is named.
        return _as_it_came(raw, type(error).__name__)


def _parse(raw: bytes) -> ParsedMail:
    octets, root, defects = read_structure(raw)
    headers = root.headers
    body = read_body(octets, root)
    text, html = body.text(), body.html()
    safe = sanitise(html)
    if html.strip() and not safe:
        body.defects.append(html_defect(html) or "html-not-shown")
    bounce = read_bounce(octets, root, headers, _with_texts(text, body))
    mail = _from_headers(headers)
    writer = mail.sender[0].address if mail.sender else ""
    written = new_text(text, is_forward=is_forward_subject(mail.subject), writer=writer)
    return replace(
        mail,
        text=text,
        new_text=written,
        html=safe,
        attachments=tuple(body.attachments),
        automatic=why_automatic(headers) or ("bounce" if bounce else None),
        bounce=bounce,
        complaint=read_complaint(octets, root, headers),
        language=detect(written),
        forwarded=read_forwarded(mail.subject, text, body.attachments),
        headers=_kept(headers),
        contains=tuple(name for name in CONTENTS if name in body.contains),
    ).with_defects(*defects, *body.defects)


def _from_headers(headers: Headers) -> ParsedMail:
    sender, defects = _sender(headers)
    to, to_defects = _people(headers, "to", strict=False)
    cc, cc_defects = _people(headers, "cc", strict=False)
    reply_to, reply_defects = _people(headers, "reply-to", strict=True)
    date = read_date(one_line(headers.get("date")))
    if date is None:
        defects = (*defects, "bad-date" if headers.get("date") else "no-date")
    message_ids = read_ids(headers.get("message-id"))
    if len(message_ids) != 1 or len(headers.get_all("message-id")) > 1:
        defects = (*defects, "bad-message-id" if "message-id" in headers else "no-message-id")
    mail = ParsedMail(
        sender=sender,
        to=to,
        cc=cc,
        reply_to=reply_to,
        subject=one_line(repair_mojibake(decode_words(headers.get("subject"))), MAX_SUBJECT_CHARACTERS),
        date=date,
        message_id=message_ids[0] if message_ids else None,
        # Exchange encodes ids that are longer than a line.
        in_reply_to=read_ids(decode_words(headers.get("in-reply-to"))),
        references=read_ids(decode_words(" ".join(headers.get_all("references")))),
    )
    return mail.with_defects(*defects, *to_defects, *cc_defects, *reply_defects)


def _sender(headers: Headers) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Who wrote. Two From headers name nobody: programs differ in which of them they show (RFC 5322, 3.6)."""
    count = len(headers.get_all("from"))
    if count != 1:
        return (), ("several-from" if count else "no-from",)
    sender, defects = read_addresses(headers.get("from"), strict=True)
    return sender, defects if sender else (*defects, "no-from")


def _people(headers: Headers, name: str, *, strict: bool) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    return read_addresses(", ".join(headers.get_all(name)), strict=strict)


def _kept(headers: Headers) -> tuple[tuple[str, str], ...]:
    """The headers that intake decides by, in the order of the mail: the topmost are our own servers'."""
    kept: list[tuple[str, str]] = []
    received = 0
    for name, value in headers.fields:
        if name not in KEPT_HEADERS and not name.startswith("x-infomigra-"):
            continue
        if name == "received":
            received += 1
            value = value[:MAX_RECEIVED_CHARACTERS]
        if received <= MAX_KEPT_RECEIVED or name != "received":
            words = value if name in MACHINE_HEADERS else decode_words(value)
            kept.append((name, one_line(words, MAX_KEPT_CHARACTERS)))
    return tuple(kept[:MAX_KEPT_HEADERS])


def _with_texts(text: str, body: Body) -> str:
    """The words of the mail and of its attached texts: some programs attach the returned mail as one."""
    attached = (
        decode_bytes(file.content[:50_000], None) for file in body.attachments[:10] if "text/" in file.type
    )
    return "\n".join((text, *attached))


def _as_it_came(raw: bytes, reason: str) -> ParsedMail:
    raw = raw[:MAX_MESSAGE_BYTES]
    whole = ParsedAttachment(
        name="mensaje.eml",
        type="message/rfc822",
        size=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        inline=False,
        content_id=None,
        content=raw,
    )
    text = clean_text(decode_bytes(raw[:MAX_TEXT_CHARACTERS], None))
    return ParsedMail(
        text=text, new_text=text, attachments=(whole,), defects=(f"parser-error-{reason.lower()}",)
    )
