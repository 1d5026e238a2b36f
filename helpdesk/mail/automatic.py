"""Mail that no person wrote: replies of machines, lists, bounces. One table for every decision.

In: why a mail counts as automatic (RFC 3834, RFC 5230, RFC 2369, RFC 2919, RFC 5965), and what a delivery
report says (RFC 3464, RFC 6533). Not in: what we do about it. Our own addresses are the caller's knowledge.
"""

from __future__ import annotations

import re

from helpdesk.mail.addresses import read_addresses, read_spec
from helpdesk.mail.body import decode_part, nested_headers
from helpdesk.mail.charset import decode_bytes
from helpdesk.mail.headers import Headers, one_line, read_ids, read_parameters
from helpdesk.mail.parsed import Bounce
from helpdesk.mail.structure import Part

MAX_REASON = 120
MAX_REPORT_CHARACTERS = 200_000

_LIST_HEADERS = (
    "list-id",
    "list-post",
    "list-help",
    "list-unsubscribe",
    "list-subscribe",
    "list-owner",
    "list-archive",
)
_PRECEDENCES = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply"})
_ROBOT_HEADERS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-mail-autoreply",
    "x-vacation",
)
_REPORTS = {
    "delivery-status": "bounce",
    "global-delivery-status": "bounce",
    "feedback-report": "feedback-report",
    "disposition-notification": "read receipt",
    "tlsrpt": "tls-report",
}
_ROBOTS = re.compile(r"(?:mailer-?daemon|postmaster|bounces?|bounce-.*|auto-?reply)")
_NO_REPLY = re.compile(
    r"(?:^|[-+])(?:do-?not-?reply|no-?(?:reply|responder|responda|responde|contestar|conteste)|nao-?responda)(?:$|[-+])"
)
_OUT_OF_OFFICE = re.compile(
    r"(?:respuesta autom[aá]tica|fuera de (?:la )?oficina|automatic reply|auto(?:matic)?[ -]?reply|autoreply"
    r"|out of (?:the )?office|resposta autom[aá]tica|ausencia temporal|ausente de la oficina"
    r"|r[eé]ponse automatique|risposta automatica)\b",
    re.I,
)
_DELIVERY = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"})
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_QUOTED_ID = re.compile(r"^[> \t]{0,10}Message-ID:\s{0,20}(<[^<>\s]{1,998}>)", re.I | re.M)
_QUOTED_RECIPIENT = re.compile(r"^[ \t]{0,8}<([^<>\s@]{1,128}@[^<>\s@]{1,253})>", re.M)
_XTEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def why_automatic(headers: Headers) -> str | None:
    """Return the reason why nobody must be answered, or None for a person's mail. Total; one line, short.

    Source: RFC 3834, 2 and 5; RFC 2369; RFC 5965; the headers that programs set beside them.
    """
    reason = _reported(headers) or _declared(headers) or _sent_by_robot(headers)
    return one_line(reason, MAX_REASON) if reason else None


def _reported(headers: Headers) -> str | None:
    kind, parameters = read_parameters(headers.get("content-type"))
    if kind == "multipart/report":
        return _REPORTS.get(parameters.get("report-type", "").lower(), "bounce")
    return "bounce" if "x-failed-recipients" in headers else None


def _declared(headers: Headers) -> str | None:
    submitted = re.split(r"[;(]", headers.get("auto-submitted"), maxsplit=1)[0].strip().lower()
    if submitted not in ("", "no"):
        return f"auto-submitted: {submitted}"
    if any(name in headers for name in _LIST_HEADERS):
        return f"list: {headers.text('list-id') or 'unnamed'}"
    precedence = headers.get("precedence").strip().lower()
    if precedence in _PRECEDENCES:
        return f"precedence: {precedence}"
    if headers.get("x-auto-response-suppress").strip().lower() not in ("", "none"):
        return f"auto-response-suppress: {headers.get('x-auto-response-suppress').strip().lower()}"
    robot = next(
        (name for name in _ROBOT_HEADERS if headers.get(name).strip().lower() not in ("", "no")), None
    )
    if robot:
        return f"header: {robot}"
    return "loop: x-infomigra-loop" if "x-infomigra-loop" in headers else None


def _sent_by_robot(headers: Headers) -> str | None:
    if headers.get("return-path", "-").replace(" ", "") == "<>":
        return "bounce: null return-path"
    senders, _ = read_addresses(headers.get("from"), strict=False)
    for sender in senders:
        local = sender.address.rpartition("@")[0].lower().replace("_", "-").replace(".", "-")
        if _NO_REPLY.search(local):
            return "sender: no-reply"
        if _ROBOTS.fullmatch(local):
            return f"sender: {local}"
    match = _OUT_OF_OFFICE.match(headers.text("subject"))
    return f"subject: {match[0].lower()}" if match else None


def read_bounce(raw: bytes, root: Part, headers: Headers, text: str) -> Bounce | None:
    """Return what a delivery report says about a mail of ours, or None when this is none. Never raises.

    The machine-readable parts come first; older programs, which write prose only, are read line by line.
    Source: RFC 3464, 2; RFC 6533, 3.
    """
    leaves = list(_leaves(root))
    reports = [part for part in leaves if part.type in _DELIVERY]
    if not reports and not _is_prose_bounce(headers):
        return None
    status, recipient = next((_read_report(raw, part) for part in reports), (None, None))
    text = text[:MAX_REPORT_CHARACTERS]
    found = _STATUS.search(text)
    named = read_spec(headers.get("x-failed-recipients").partition(",")[0])
    prose = _QUOTED_RECIPIENT.search(text)
    return Bounce(
        message_id=_returned_id(raw, leaves) or next(iter(_QUOTED_ID.findall(text)), None),
        recipient=recipient or named or (read_spec(prose[1]) if prose else None),
        status=status or (found[1] if found else None),
    )


def _leaves(part: Part) -> list[Part]:
    return [leaf for child in part.children for leaf in _leaves(child)] if part.children else [part]


def _is_prose_bounce(headers: Headers) -> bool:
    if "x-failed-recipients" in headers:
        return True
    kind, parameters = read_parameters(headers.get("content-type"))
    if kind == "multipart/report":
        return _REPORTS.get(parameters.get("report-type", "").lower(), "bounce") == "bounce"
    senders, _ = read_addresses(headers.get("from"), strict=False)
    locals_ = (sender.address.rpartition("@")[0].lower().replace("_", "-") for sender in senders)
    return any(local in ("mailer-daemon", "postmaster") for local in locals_)


def _read_report(raw: bytes, part: Part) -> tuple[str | None, str | None]:
    """Status and recipient of the first recipient that failed, else of the first one."""
    text = decode_bytes(decode_part(raw, part)[0], "utf-8")[:MAX_REPORT_CHARACTERS]
    groups = [
        nested_headers(group.strip().encode())
        for group in re.split(r"\n\r?\n", text)[:1_000]
        if group.strip()
    ]
    about = [group for group in groups if "final-recipient" in group or "original-recipient" in group]
    failed = [group for group in about if group.get("action").strip().lower() == "failed"]
    for group in failed or about or groups:
        status = _STATUS.search(group.get("status"))
        person = group.get("original-recipient") or group.get("final-recipient")
        return status[1] if status else None, _typed_address(person)
    return None, None


def _typed_address(value: str) -> str | None:
    """The address behind its type: `rfc822; x@y`, or `utf-8; x\\x{E9}@y` (RFC 6533, 3)."""
    address = value.rpartition(";")[2].strip().strip("<>")
    readable = _XTEXT.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)), address)
    return read_spec(readable)


def _returned_id(raw: bytes, leaves: list[Part]) -> str | None:
    for part in leaves:
        if part.type in _RETURNED:
            ids = read_ids(nested_headers(decode_part(raw, part)[0]).get("message-id"))
            if ids:
                return ids[0]
    return None
