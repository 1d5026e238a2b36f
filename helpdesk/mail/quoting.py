"""What the sender wrote now, without the earlier mail below it and without a signature.

In: quotes of Gmail, Outlook, Hotmail, Yahoo, iPhone, Android, Zimbra and Thunderbird in Spanish, English,
Portuguese, Italian and French. Not in: deleting anything; the whole text is always kept beside this one.
Every line is looked at a bounded number of times and only in its first characters, so the work is linear.
"""

from __future__ import annotations

import re

MAX_LINE = 600  # No attribution or header line is longer; the rest of a line decides nothing.
WRAPPED_LINES = 4  # Mail programs break an attribution into at most this many lines.
HEADER_WINDOW = 12
SHORT_COMMENT = 40  # Fewer characters above a forwarded mail are a covering note, not a message.
MAX_SIGNATURE_LINES = 15


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_INVISIBLE = {ord(c): None for c in "\u200b\u200c\u200d\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff"}
_BLANKS = {0xA0: " ", 0x202F: " ", 0x2007: " "}
_OPENERS = _words("el en on em il le am op a in no na")
_DAYS_AND_MONTHS = _words(
    "lun mar mié mie jue vie sáb sab dom mon tue wed thu fri sat sun seg ter qua qui sex gio ven mer "
    "jeu sam dim ene feb abr may jun jul ago sep set oct nov dic jan apr aug dec fev out dez gen mag "
    "giu lug ott déc fév día dia giorno"
)
_VERBS = (
    "escribió",
    "escribio",
    "ha escrito",
    "escribió lo siguiente",
    "wrote",
    "escreveu",
    "ha scritto",
    "a écrit",
    "a ecrit",
    "schrieb",
)
_LAST_WORDS = tuple({verb.split()[-1] for verb in _VERBS})
_YEAR_OR_TIME = re.compile(r"(?<!\d)(?:\d{4}|\d{1,2}:\d{2})(?!\d)|\d{1,2}[./]\d{1,2}[./]\d{2}")
_DATE_START = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4})\b")
_HEADER = re.compile(
    r"\*{0,2}(de|from|da|von|desde|enviado|enviado el|enviados|sent|enviada|enviada em|inviato|envoyé|fecha"
    r"|date|data|para|to|a|à|cc|cco|bcc|asunto|subject|assunto|oggetto|objet)\*{0,2} ?: ?\*{0,2} ?\S",
    re.I,
)
_FROM_WORDS = frozenset({"de", "from", "da", "von", "desde"})
_FORWARD = frozenset(
    {
        "mensaje reenviado",
        "forwarded message",
        "mensagem encaminhada",
        "messaggio inoltrato",
        "message transféré",
        "begin forwarded message",
        "inicio del mensaje reenviado",
        "início da mensagem encaminhada",
        "inizio messaggio inoltrato",
        "début du message transféré",
    }
)
_ORIGINAL = frozenset(
    {"mensaje original", "original message", "mensagem original", "messaggio originale", "message d'origine"}
    | {"message original", "original appointment", "mensaje citado", "correo original", "reply message"}
)
_SENT_FROM = (
    "enviado desde",
    "enviado do",
    "enviada do",
    "enviado a través de",
    "enviado con",
    "sent from",
    "sent with",
    "sent via",
    "inviato da",
    "envoyé de",
    "envoyé depuis",
    "envoyé à partir",
)
_DEVICES = _words(
    "iphone ipad android outlook yahoo gmail mail correo samsung galaxy huawei xiaomi motorola móvil "
    "movil celular teléfono telefono smartphone mobile phone tablet blackberry proton dispositivo "
    "device téléphone cellulare"
)
_FOOTERS = (
    "get outlook for",
    "obtener outlook para",
    "obtenga outlook para",
    "obter o outlook",
    "obter outlook",
    "descargar outlook para",
    "télécharger outlook",
    "scarica outlook",
    "libre de virus",
    "virus-free",
    "livre de vírus",
    "<https://aka.ms/",
    "https://aka.ms/",
)


def new_text(text: str) -> str:
    """Return what the sender wrote now; a mail that is all quote, or a bare forward, is returned whole.

    Answers between the lines of a quote stay with it. Raises nothing. Source: RFC 3676, 4.3 and 4.5; the
    marks that the programs named above write.
    """
    lines = text.replace("\r\n", "\n").translate(_BLANKS).translate(_INVISIBLE).split("\n")
    heads = [line[:MAX_LINE].strip() for line in lines]
    kept = _without_quote(lines, heads)
    if kept is None:
        return "\n".join(lines).strip()
    return "\n".join(_without_footers(kept)).strip() or "\n".join(lines).strip()


def _without_quote(lines: list[str], heads: list[str]) -> list[str] | None:
    """The lines outside the quoted mail, or None when everything is meant to be read."""
    ends = _ends(heads)
    for index, head in enumerate(heads):
        if not head or head.startswith(">"):
            continue
        if _forward_mark(head):
            above = "".join(_without_footers(lines[:index]))
            return None if len(above.strip()) < SHORT_COMMENT else lines[:index]
        if _separator(heads, index) or _header_block(heads, index):
            return lines[:index]
        length = _attribution(heads, index, ends)
        if length:
            return _around_quote(lines, heads, index, index + length)
    return _without_trailing_quote(lines, heads)


def _around_quote(lines: list[str], heads: list[str], start: int, after: int) -> list[str] | None:
    """What stands above a quote with an attribution, and below it when the answer is written there."""
    first = next((i for i in range(after, len(heads)) if heads[i]), len(heads))
    if first == len(heads) or not heads[first].startswith(">"):
        return lines[:start]
    end = next((i for i in range(first, len(heads)) if heads[i] and not heads[i].startswith(">")), len(heads))
    below = _without_footers(lines[end:])
    if not "".join(below).strip():
        return lines[:start]
    # Text between quoted lines answers them, and makes no sense without them.
    return None if any(head.startswith(">") for head in heads[end:]) else [*lines[:start], *below]


def _without_trailing_quote(lines: list[str], heads: list[str]) -> list[str]:
    end = len(lines)
    while end and (not heads[end - 1] or heads[end - 1].startswith(">")):
        end -= 1
    return lines[:end]


def _dashed(head: str) -> str:
    """The words between the dashes of `---- words ----`, in lower case, or ""."""
    if not head.startswith("--") or not head.endswith("--"):
        return ""
    return head.strip("- ").lower().rstrip(":")


def _forward_mark(head: str) -> bool:
    return _dashed(head) in _FORWARD or (head.endswith(":") and head[:-1].strip().lower() in _FORWARD)


def _separator(heads: list[str], index: int) -> bool:
    head = heads[index]
    if _dashed(head) in _ORIGINAL:
        return True
    if len(head) < 20 or head.strip("_"):
        return False
    following = [line for line in heads[index + 1 : index + 4] if line]
    return bool(following) and _header_word(following[0]) is not None


def _header_word(head: str) -> str | None:
    match = _HEADER.match(head)
    return match[1].lower() if match else None


def _header_block(heads: list[str], index: int) -> bool:
    """Outlook writes the quoted mail's headers as lines, from the sender's on."""
    if _header_word(heads[index]) not in _FROM_WORDS:
        return False
    following = [head for head in heads[index + 1 : index + HEADER_WINDOW] if head][:5]
    return sum(_header_word(head) is not None for head in following) >= 2


def _ends(heads: list[str]) -> frozenset[int]:
    """The lines that an attribution could end on. Few do, so that the closer look is rarely taken."""
    return frozenset(
        index
        for index, head in enumerate(heads)
        if head.endswith(">:") or head[-40:].rstrip(" :*").lower().endswith(_LAST_WORDS)
    )


def _attribution(heads: list[str], index: int, ends: frozenset[int]) -> int:
    """How many lines the attribution ("El …, Ana <a@example.com> escribió:") here takes; 0 for none."""
    if ends.isdisjoint(range(index, index + WRAPPED_LINES)) or not _opens_attribution(heads[index]):
        return 0
    chunk = ""
    for length in range(1, WRAPPED_LINES + 1):
        head = heads[index + length - 1] if index + length <= len(heads) else ""
        if not head or head.startswith(">"):
            return 0
        chunk = f"{chunk} {head}"[: MAX_LINE + 1]
        if index + length - 1 in ends and _closes_attribution(chunk):
            return length
    return 0


def _opens_attribution(head: str) -> bool:
    if _DATE_START.match(head) or ("<" in head and "@" in head):
        return True
    words = head[:80].lower().split()[:2]
    if len(words) < 2 or words[0] not in _OPENERS:
        return False
    return words[1][0].isdigit() or words[1].startswith(_DAYS_AND_MONTHS)


def _closes_attribution(chunk: str) -> bool:
    ending = chunk.rstrip(" :*").lower()
    if not ending.endswith(_VERBS):
        # Gmail once wrote no verb: "2014-05-03 10:05 GMT-05:00 Ana <ana@example.com>:".
        return chunk.endswith(">:") and "@" in chunk and _DATE_START.match(chunk.strip()) is not None
    dated = _YEAR_OR_TIME.search(chunk) is not None
    return (dated and any(mark in chunk for mark in "@<(,")) or ("<" in chunk and "@" in chunk)


def _without_footers(lines: list[str]) -> list[str]:
    """The lines without what programs and people put under every mail: "-- " signatures, device lines,
    blanks.
    """
    end = _signature(lines)
    while end and (not lines[end - 1].strip() or _is_footer(lines[end - 1])):
        end -= 1
    return lines[:end]


def _signature(lines: list[str]) -> int:
    """Where the signature begins, else the number of lines. Source: RFC 3676, 4.3 ("-- ")."""
    first = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    lowest = max(len(lines) - MAX_SIGNATURE_LINES - 1, first + 1)
    for index in range(len(lines) - 1, lowest - 1, -1):
        if lines[index].rstrip() == "--":
            return index
    return len(lines)


def _is_footer(line: str) -> bool:
    words = line[:160].strip().lower()
    if words.startswith(_FOOTERS):
        return True
    return words.startswith(_SENT_FROM) and any(device in words for device in _DEVICES)
