"""What a report says of a mail: whether it will still arrive (delivery reports), or that it was unwanted (feedback).

In: the machine-readable parts (RFC 3464, RFC 6533, RFC 8098, RFC 5965), and the prose of programs that write
nothing else.
Not in: whether a mail is automatic (`automatic.py`), what becomes of a mail that did not arrive (`helpdesk.desk`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from helpdesk.mail.addresses import read_addresses, read_spec
from helpdesk.mail.attachments import nested_headers
from helpdesk.mail.automatic import (
    FEEDBACK,
    has_bounce_subject,
    is_mail_system,
    is_robot,
    report_kind,
    why_automatic,
)
from helpdesk.mail.charset import decode_bytes
from helpdesk.mail.headers import Headers, one_line, read_ids
from helpdesk.mail.parsed import Bounce, Complaint
from helpdesk.mail.structure import Part, read_structure
from helpdesk.mail.transfer import decode_part

MAX_REPORT_CHARACTERS = 200_000
MAX_PROSE_LINES = 300
MAX_PROSE_LINE = 400
MAX_OTHER_PARTS = 5

_DELIVERY = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECEIPT = "message/disposition-notification"
_FEEDBACK = "message/feedback-report"
_HTML = "text/html"
_RETURNED = frozenset(
    {
        "message/rfc822",
        "message/global",
        "message/partial",
        "text/rfc822-headers",
        "message/global-headers",
    }
)
_FIELD_LINE = re.compile(r"[ \t]|[\w-]{1,60}[ \t]{0,5}:")
_STATUS = re.compile(r"(?<!\d)(?<!\d\.)([245]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
# In prose, "2.11.0" and "PHP/5.3.3" are versions of programs.
_TOLD_STATUS = re.compile(r"(?<![\d/])(?<!\d\.)([45]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
_PROGRAM_LINE = re.compile(r"[> \t]{0,8}(?:x-[\w-]{1,60}|user-agent|received|mime-version)\s{0,5}:", re.I)
_QUOTED_ID = re.compile(r"^[> \t]{0,10}Message-ID:\s{0,20}(<[^<>\s\x00-\x1f\x7f]{1,998}>)", re.I | re.M)
_OWN_ID = re.compile(r"^(?:X-)?(?:Original-)?Message-ID:\s{0,20}(<[^<>\s\x00-\x1f\x7f]{1,998}>)", re.I | re.M)
_QUOTED_TO = re.compile(r"^[> \t]{0,10}To:[ \t]{0,20}(\S[^\n]{0,400})", re.I | re.M)
_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ADDRESS = re.compile(
    r"(?<![\w.+=@-])[\w.%+'=&#$!*/?^{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}(?![\w@])"
)
# From such a line on the returned mail is shown; its addresses are not the report's words.
_RETURNED_MARK = re.compile(
    r"(?:[-=_*> ]{0,80}(?:original (?:message|mail|e-mail)|returned (?:message|mail)|this is a copy|(?:a|the) copy of"
    r"|copy of (?:the|your)|message headers?|the (?:header|text) of|here is (?:a|the)|the following is"
    r"|unsent message|below this line|included (?:is|below)|original headers|mensaje original"
    r"|encabezados? (?:del|de) |copia del mensaje|transcript of session)"
    r"|(?:received|return-path|x-[\w-]+|mime-version|message-id|delivered-to):\s)",
    re.I,
)
_HEADER_LINE = re.compile(
    r"[> \t]{0,8}(?:from|sender|reply-to|de|cc|x-\w+|message-?id|remitente|reporting-mta):", re.I
)
_TO_LINE = re.compile(r"[> \t]{0,8}(?:to|para):", re.I)
_AT_START = re.compile(r"\s{0,8}<([^<>\s@]{1,128}@[^<>\s@]{1,253})>")
_ALONE = re.compile(
    r"""[\s>*\-\u2022"'<\[(]{0,12}([^\s<>()\[\]"',;:]{1,128}@[^\s<>()\[\]"',;:]{1,253}?)[\s"'>)\]:;.,]{0,8}"""
)
_INTRODUCED = re.compile(
    r"(?:recipients?|user ?id|user|address(?:ed to)?|error-for|userid|mailbox|deliver(?:able|y|ed)?(?: your message)?"
    r"|message|mail|destinatarios?|direcci[oó]n|buz[oó]n|correo|smtp|rcpt|full|dda|generated from"
    r"|(?:un)?known|para|to|a)\s{0,3}(?:[:=]|to|from|is|a)?[\s:=\[<\"'(]{0,10}$",
    re.I,
)
_DELAYED = re.compile(
    r"delayed|not yet (?:been )?deliver|will (?:continue|be retried|keep trying|retry)|do not need to resend"
    r"|attempts will continue|continue to (?:try|attempt)|this is a warning|warning only|still trying"
    r"|se ha (?:retrasado|demorado)|se seguir[aá] intentando|retrasad|atrasad|continuar[aá] tentando",
    re.I,
)
# Words of a report of failure or delay: a postmaster is a person, too, and people write of mail that came back.
_FAILED = re.compile(
    r"undeliver|unable to deliver|non-deliver|not (?:be |been |yet )?(?:deliver|relay|sent|reach)|n't (?:be )?deliver"
    r"|not able to deliver|fail(?:ed|ure)|reject|refus|deferred|postponed|delayed|error|unknown|no such|invalid"
    r"|(?:not|n't) (?:exist|found|listed|recogni[sz]ed)|account is disabled|mailbox|quota|(?<!\d)[45]\d\d[ -]"
    r"|no se (?:pudo|puede|ha podido) entregar|no (?:fue|pudo ser|ha sido) entregad|rechazad|desconocid|no existe"
    r"|devuelto|buz[oó]n|non remis|n'a pas p[uû]|nicht zugestellt|unzustellbar|n[aã]o (?:foi|p[oô]de) ",
    re.I,
)
_NO_MORE = re.compile(r"giving up|given up|not going to try", re.I)
_GIVEN_UP = re.compile(
    r"giving up|given up|not going to try|permanent (?:error|fail)|could not be delivered|failed permanently"
    r"|no se pudo entregar|no se ha podido entregar|no pudo ser entregado",
    re.I,
)


def read_bounce(raw: bytes, root: Part, headers: Headers, text: str) -> Bounce | None:
    """Return what a delivery report says about a mail of ours, or None when this is none. Never raises.

    The machine-readable parts come first; older programs, which write prose only, are read line by line.
    Source: RFC 3464, 2; RFC 6533, 3; RFC 8098, 3.2.6.2.
    """
    leaves = _leaves(root)
    if any(part.type == _FEEDBACK for part in leaves):
        return None
    found = _read_reports(raw, leaves)
    # A person may enclose a report, too, and show it to us; only a program's is its own.
    if found is not None and not (why_automatic(headers) or has_bounce_subject(headers)):
        return None
    if found is None:
        gives_back = any(part.type in _RETURNED for part in leaves)
        if not is_robot_report(headers, text, gives_back=gives_back):
            return None
        raw, leaves = _enclosed_report(raw, leaves)
        found = _read_reports(raw, leaves)
    recipient, status, action = found or (None, None, None)
    text = text[:MAX_REPORT_CHARACTERS]
    words = _own_words(text)
    named = read_spec(headers.get("x-failed-recipients").partition(",")[0])
    returned = _returned(raw, leaves)
    return Bounce(
        message_id=_returned_id(returned, text) or _id_in_other_parts(raw, leaves),
        recipient=recipient or named or _named_in(words, headers) or _only_recipient(returned, text),
        status=status or _told_status(words) or _told_status(text.split("\n")),
        action=action or (_told_action("\n".join(words)) if found is None else None),
    )


def read_complaint(raw: bytes, root: Part, headers: Headers) -> Complaint | None:
    """Return what a feedback report says about a mail of ours, or None when this is none. Never raises.

    The one who complained is often blanked out. Source: RFC 5965, 2 and 3.
    """
    if report_kind(headers) != FEEDBACK:
        return None
    leaves = _leaves(root)
    returned = _returned(raw, leaves)
    fields = [group for part in leaves if part.type == _FEEDBACK for group in _groups(raw, part)]
    named = (_typed_address(group.get("original-rcpt-to")) for group in fields)
    recipient = next(filter(None, named), None) or _only_recipient(returned, "")
    return Complaint(_returned_id(returned, ""), recipient)


def is_robot_report(headers: Headers, text: str, *, gives_back: bool = False) -> bool:
    """Whether a program wrote this mail to say that another one did not arrive, and maybe gives that one back."""
    if "x-failed-recipients" in headers:
        return True
    kind = report_kind(headers)
    if kind is not None:
        return kind == "bounce"
    told, mailer = has_bounce_subject(headers), is_robot(headers, only_mailers=True)
    if told and is_mail_system(headers):
        return True
    # A robot that gives the mail back need not have a mailer's name.
    program = mailer or (gives_back and is_robot(headers))
    if not (program or told):  # nearly every mail; its text need not be looked through
        return False
    text = text[:MAX_REPORT_CHARACTERS]
    if _FAILED.search(text) is None:
        return mailer and gives_back and _says_what(text, headers)
    return _says_what(text, headers, in_a_list=not program)


def _says_what(text: str, headers: Headers, *, in_a_list: bool = False) -> bool:
    """Whether the text gives a status or names a recipient; with `in_a_list`, apart from any sentence."""
    if _told_status(text.split("\n")) is not None:
        return True
    words = _own_words(text)
    best = _best_named(words, headers)
    if best is None:
        return False
    rank, number, _ = best
    return not in_a_list or rank <= 1 or len(words[number].split()) <= 3


def _leaves(part: Part) -> list[Part]:
    return [leaf for child in part.children for leaf in _leaves(child)] if part.children else [part]


def _read_reports(raw: bytes, leaves: list[Part]) -> tuple[str | None, str | None, str | None] | None:
    """Recipient, status and action of the first report that is about a mail that did not arrive."""
    for part in leaves:
        if part.type in _DELIVERY:
            return _read_report(_groups(raw, part))
        if part.type == _RECEIPT:
            for group in _groups(raw, part):
                # A program that refused or deleted the mail unread answers so; "displayed" is a read receipt.
                disposition = group.get("disposition").lower()
                if "automatic-action" in disposition and "deleted" in disposition:
                    return _typed_address(group.get("final-recipient")), None, "failed"
    return None


def _enclosed_report(raw: bytes, leaves: list[Part]) -> tuple[bytes, list[Part]]:
    """The parts of the report that a filter enclosed in a mail of its own; else the parts as they are."""
    enclosed = next((part for part in leaves if part.type == "message/rfc822"), None)
    if enclosed is not None:
        octets, root, _ = read_structure(decode_part(raw, enclosed)[0])
        if root.type == "multipart/report":
            return octets, _leaves(root)
    return raw, leaves


def _groups(raw: bytes, part: Part) -> list[Headers]:
    text = decode_bytes(decode_part(raw, part)[0], "utf-8")[:MAX_REPORT_CHARACTERS]
    pieces = re.split(r"\n\r?\n", text)[:1_000]
    return [nested_headers(_fields_only(piece)) for piece in pieces if piece.strip()]


def _fields_only(piece: str) -> bytes:
    """The lines that belong to a field: some programs break what a server said without indenting it."""
    lines = [line for line in piece.strip().split("\n") if _FIELD_LINE.match(line)]
    return "\n".join(lines).encode("utf-8", "replace")


def _read_report(groups: list[Headers]) -> tuple[str | None, str | None, str | None]:
    """What is said about the first recipient that failed, else about the first one."""
    about = [group for group in groups if "final-recipient" in group or "original-recipient" in group]
    failed = [group for group in about if _action(group) == "failed"]
    for group in failed or about or groups:
        status = _STATUS.search(group.get("status")) or _STATUS.search(group.get("diagnostic-code"))
        person = _typed_address(group.get("original-recipient")) or _typed_address(
            group.get("final-recipient")
        )
        return person, status[1] if status else None, _action(group) or None
    return None, None, None


def _action(group: Headers) -> str:
    return one_line(group.get("action").partition("(")[0], 40).lower()


def _typed_address(value: str) -> str | None:
    """The address behind its type: `rfc822; x@y`, or `utf-8; x\\x{E9}@y` (RFC 6533, 3)."""
    address = value.rpartition(";")[2].strip().strip("<>")
    readable = _XTEXT.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)), address)
    return read_spec(readable)


def _returned(raw: bytes, leaves: list[Part]) -> list[Headers]:
    return [nested_headers(decode_part(raw, part)[0]) for part in leaves if part.type in _RETURNED][:5]


def _returned_id(returned: list[Headers], text: str) -> str | None:
    ids = (read_ids(headers.get("message-id")) for headers in returned)
    return next((found[0] for found in ids if found), None) or next(iter(_QUOTED_ID.findall(text)), None)


def _id_in_other_parts(raw: bytes, leaves: list[Part]) -> str | None:
    """The Message-ID that the report gives in a field of its own, or that stands in a file of headers."""
    others = [
        part
        for part in leaves
        if part.type.startswith(("message/", "text/")) and part.type not in (*_RETURNED, _HTML)
    ]
    texts = (
        decode_bytes(decode_part(raw, part)[0], "utf-8")[:MAX_REPORT_CHARACTERS]
        for part in others[:MAX_OTHER_PARTS]
    )
    return next((found[1] for found in map(_OWN_ID.search, texts) if found), None)


def _only_recipient(returned: list[Headers], text: str) -> str | None:
    """Whom the returned mail was addressed to, when that was one person."""
    lists = [headers.get("to") for headers in returned] or _QUOTED_TO.findall(text)
    people = read_addresses(lists[0], strict=False)[0] if lists else ()
    return people[0].address if len(people) == 1 else None


def _own_words(text: str) -> list[str]:
    """The lines that the reporting program wrote itself, above the mail that it returns."""
    lines = [line[:MAX_PROSE_LINE] for line in text.split("\n", MAX_PROSE_LINES)[:MAX_PROSE_LINES]]
    end = next(
        (number for number, line in enumerate(lines) if number and _RETURNED_MARK.match(line)), len(lines)
    )
    return lines[:end]


def _named_in(words: list[str], headers: Headers) -> str | None:
    """The address that the report is about."""
    best = _best_named(words, headers)
    return best[2] if best else None


def _best_named(words: list[str], headers: Headers) -> tuple[int, int, str] | None:
    """Rank, line and address of what stands out most; the earlier of two like ones."""
    strangers = ("to", "delivered-to", "from", "sender")
    known = {found.lower() for name in strangers for found in _ADDRESS.findall(headers.get(name))}
    candidates = (
        (rank, number, address)
        for number, line in enumerate(words)
        for rank, address in _candidates(line)
        if address.lower() not in known and not is_mailer(address)
    )
    return min(candidates, default=None)


def _candidates(line: str) -> Iterator[tuple[int, str]]:
    """The addresses of one line with their rank: first in brackets, alone, introduced by a word, any."""
    if "@" not in line or _HEADER_LINE.match(line):
        return
    for rank, pattern in enumerate((_AT_START.match(line), _ALONE.fullmatch(line))):
        address = read_spec(pattern[1]) if pattern else None
        if address:
            yield rank, address
    for match in _ADDRESS.finditer(line):
        # "SMTP=x@y" and "'x@y'" are how some programs write it.
        found = match[0].rpartition("=")[2] if "=" in match[0][:6] else match[0]
        address = read_spec(found.lstrip("'"))
        if address:
            yield _rank(line, match.start()), address


def _rank(line: str, position: int) -> int:
    """How much the words before an address say that it is the one: what the returned mail says least."""
    if _TO_LINE.match(line):
        return 4
    return 2 if _INTRODUCED.search(line, 0, position) else 3


def is_mailer(address: str) -> bool:
    """Whether the address is that of a mail program, not of a recipient."""
    return bool(re.match(r"(?:mailer-?daemon|postmaster|mdaemon|abuse|helpdesk|support)@", address, re.I))


def _told_status(lines: list[str]) -> str | None:
    """The status that prose gives; a line that tells which programs handled a mail gives none."""
    prose = "\n".join(line for line in lines if not _PROGRAM_LINE.match(line))
    found = _TOLD_STATUS.search(prose)
    return found[1] if found else None


def _told_action(prose: str) -> str | None:
    """What a program did, from its words: a delay, unless it also says that it tries no more."""
    if _DELAYED.search(prose) and not _NO_MORE.search(prose):
        return "delayed"
    return "failed" if _GIVEN_UP.search(prose) else None
