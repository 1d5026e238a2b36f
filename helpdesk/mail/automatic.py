"""Mail that no person wrote: replies of machines, lists, bounces. One table for every decision.

In: why a mail counts as automatic (RFC 3834, RFC 5230, RFC 2369, RFC 2919, RFC 5965). Not in: what a delivery
report says (`bounce.py`), what we do about it. Our own addresses are the caller's knowledge.
"""

from __future__ import annotations

import re

from helpdesk.mail.addresses import read_addresses
from helpdesk.mail.headers import Headers, one_line, read_parameters

MAX_REASON = 120

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
FEEDBACK = "feedback-report"
DMARC = "dmarc-report"
_REPORTS = {
    "delivery-status": "bounce",
    "global-delivery-status": "bounce",
    "feedback-report": FEEDBACK,
    "disposition-notification": "read receipt",
    "tlsrpt": "tls-report",
}
_ROBOTS = re.compile(r"(?:bounces?|bounce-.*|auto-?reply)")
_NO_REPLY = re.compile(
    r"(?:^|[-+])(?:do-?not-?reply|no-?(?:reply|responder|responda|responde|contestar|conteste)|nao-?responda)(?:$|[-+])"
)
_OUT_OF_OFFICE = re.compile(
    r"(?:respuesta autom[aá]tica|fuera de (?:la )?oficina|automatic reply|auto(?:matic)?[ -]?reply|autoreply"
    r"|out of (?:the )?office|resposta autom[aá]tica|ausencia temporal|ausente de la oficina"
    r"|r[eé]ponse automatique|risposta automatica"
    r"|(?-i:AUTO): .{1,100}?(?:out of the office|fuera de la oficina|ausente))\b",
    re.I,
)
_BOUNCE_SUBJECT = re.compile(
    r"(?:undeliver(?:able|ed)\b|returned (?:mail|to sender)|mail delivery (?:failed|failure|problem|system|warning)"
    r"|mail system error|(?:message )?delivery (?:failure|status|report|has failed|notification|delayed|error)"
    r"|failure (?:notice|delivery)|mail (?:could not be|not) delivered|message delayed|warning: (?:message|could not)"
    r"|non-delivery|(?:message |mail )?not delivered|(?:there was an )?error sending|mail failure"
    r"|no se (?:puede|pudo|ha podido) entregar|(?:mensaje |correo )?no entregado|(?:correo|mensaje) devuelto"
    r"|notificaci[oó]n (?:de|del) estado de (?:la )?entrega|error (?:en la|de) entrega|entrega (?:fallida|retrasada)"
    r"|n[aã]o (?:foi )?(?:poss[ií]vel )?entreg|falha na entrega|notifica[cç][aã]o d[eo] (?:status|estado)"
    r"|(?:.{1,200}: )?non remis|[eé]chec de|unzustellbar|mancata consegna|mancato recapito)",
    re.I,
)
_REPORT_SUBJECT = re.compile(r"report domain: ?\S{1,253} submitter:", re.I)
# Microsoft's complaints are no multipart/report; they enclose the mail as it was.
_COMPLAINT_SUBJECT = re.compile(r"complaint about message from [0-9A-Fa-f.:]{7,45}", re.I)
_EMPTY_SENDER = re.compile(r"[^<>@]{0,200}<\s*>\s*")
_MAILERS = re.compile(
    r"mailer-?daemon|mail-?daemon|mdaemon|post-?master|mail-?delivery(?:-?(?:sub)?system)?|mailer|mailadmin"
)


def why_automatic(headers: Headers) -> str | None:
    """Return the reason why nobody must be answered, or None for a person's mail. Total; one line, short.

    Source: RFC 3834, 2 and 5; RFC 2369; RFC 5965; the headers that programs set beside them.
    """
    reason = _reported(headers) or _declared(headers) or _sent_by_robot(headers)
    return one_line(reason, MAX_REASON) if reason else None


def _reported(headers: Headers) -> str | None:
    kind = report_kind(headers)
    if kind is None and ("x-failed-recipients" in headers or _is_robots_bounce(headers)):
        return "bounce"
    return kind


def _is_robots_bounce(headers: Headers) -> bool:
    return has_bounce_subject(headers) and is_mail_system(headers)


def report_kind(headers: Headers) -> str | None:
    """What kind of report a mail is ("bounce", "read receipt", …) by its type or subject; None when it is none.

    Source: RFC 6522; RFC 7489, 7.2.1.1.
    """
    kind, parameters = read_parameters(headers.get("content-type"))
    if kind != "multipart/report":
        subject = headers.text("subject")
        if _REPORT_SUBJECT.match(subject):
            return DMARC
        return FEEDBACK if _COMPLAINT_SUBJECT.fullmatch(subject) else None
    return _REPORTS.get(parameters.get("report-type", "").lower(), "bounce")


def has_bounce_subject(headers: Headers) -> bool:
    """Whether the subject begins as mail programs begin it when a mail did not arrive."""
    return _BOUNCE_SUBJECT.match(headers.text("subject").lstrip("*[ ")) is not None


def is_robot(headers: Headers, *, only_mailers: bool = False) -> bool:
    """Whether a program is the sender by its name; with `only_mailers`, one that delivers mail."""
    if _EMPTY_SENDER.fullmatch(headers.get("from")):
        return True
    return any(
        _MAILERS.fullmatch(local)
        or (not only_mailers and (_ROBOTS.fullmatch(local) or _NO_REPLY.search(local)))
        for local in _local_parts(headers)
    )


def is_mail_system(headers: Headers) -> bool:
    """Whether a program that delivers mail sent this, by its name or by its empty envelope."""
    return is_robot(headers, only_mailers=True) or _return_path_is_empty(headers)


def _local_parts(headers: Headers) -> list[str]:
    senders, _ = read_addresses(headers.get("from"), strict=False)
    names = [sender.address.rpartition("@")[0] for sender in senders]
    # Some programs write their name without a domain.
    names = names or [headers.get("from").partition("(")[0].strip()]
    return [name.lower().replace("_", "-").replace(".", "-") for name in names]


def _return_path_is_empty(headers: Headers) -> bool:
    return headers.get("return-path", "-").replace(" ", "") == "<>"


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
    if _return_path_is_empty(headers):
        return "bounce: null return-path"
    if _EMPTY_SENDER.fullmatch(headers.get("from")):
        return "sender: empty"
    for local in _local_parts(headers):
        if _NO_REPLY.search(local):
            return "sender: no-reply"
        if _ROBOTS.fullmatch(local) or _MAILERS.fullmatch(local):
            return f"sender: {local}"
    match = _OUT_OF_OFFICE.match(headers.text("subject"))
    return f"subject: {match[0].lower()}" if match else None
