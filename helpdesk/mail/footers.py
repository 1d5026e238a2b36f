"""What stands under a letter: signatures, "sent from my phone", legal notices, advertisements of programs.

In: cutting them from the end of the lines. Not in: quoted mails (`quoting.py`). A signature without a mark is cut
only in its contact lines; the name stays, and so does every line with a document number. Linear in the text.
"""

from __future__ import annotations

import re

MAX_SIGNATURE_LINES = 20
MAX_FOOTER_LINES = 300
MAX_FOOTER = 160
MAX_NOTICE_LINES = 40
MAX_NOTICE_LINE = 1_500
MIN_NOTICE = 100
MAX_CONTACT_LINE = 90
MAX_CLOSING = 60

_SENT_FROM = (
    "enviado desde",
    "enviado do",
    "enviada do",
    "enviado de",
    "enviado a partir",
    "enviado a través de",
    "enviado con",
    "enviado mediante",
    "enviado por",
    "mensaje enviado desde",
    "compartido desde",
    "sent from",
    "sent with",
    "sent via",
    "inviato da",
    "inviato con",
    "envoyé de",
    "envoyé depuis",
    "envoyé à partir",
)
_DEVICES = tuple(
    "iphone ipad android outlook yahoo gmail mail correo samsung galaxy huawei xiaomi redmi poco motorola moto "
    "honor oppo realme nokia móvil movil celular teléfono telefono smartphone mobile phone tablet blackberry "
    "proton dispositivo device téléphone cellulare tim whatsapp telegram messenger".split()
)
_FOOTERS = (
    "get outlook for",
    "obtener outlook para",
    "obtenga outlook para",
    "obtén outlook para",
    "consigue outlook para",
    "descargar outlook para",
    "descarga outlook para",
    "obter o outlook",
    "obter outlook",
    "obtenha o outlook",
    "télécharger outlook",
    "scarica outlook",
    "ottieni outlook",
    "get bluemail",
    "yahoo mail: busca",
    "yahoo mail: search",
    "libre de virus",
    "virus-free",
    "livre de vírus",
    "privo di virus",
    "este correo electrónico ha sido comprobado por avast",
    "el software de antivirus avast",
    "este mensaje no contiene virus",
    "no virus found",
    "<https://aka.ms/",
    "https://aka.ms/",
    "<https://www.avast.com/",
    "https://www.avast.com/",
    "www.avast.com",
)
_NOTICE_HEADS = (
    "aviso legal",
    "aviso de confidencialidad",
    "nota de confidencialidad",
    "cláusula de confidencialidad",
    "advertencia legal",
    "confidencialidad:",
    "confidencial:",
    "protección de datos",
    "política de privacidad",
    "confidentiality notice",
    "legal notice",
    "disclaimer",
    "aviso de confidencialidade",
    "avviso di riservatezza",
    "nota di riservatezza",
)
_NOTICE_STARTS = (
    "este mensaje",
    "este correo",
    "este e-mail",
    "este email",
    "esta comunicación",
    "la información contenida",
    "la información de este",
    "el contenido de este",
    "el presente mensaje",
    "el presente correo",
    "si usted no es el destinatario",
    "si no es el destinatario",
    "si ha recibido este",
    "this message",
    "this e-mail",
    "this email",
    "the information contained",
    "if you are not the intended",
    "if you have received this",
    "esta mensagem",
    "se você não é",
    "questo messaggio",
    "le informazioni contenute",
    "antes de imprimir",
    "piense antes de imprimir",
    "por favor, considere el medio ambiente",
    "por favor considere el medio ambiente",
    "cuidemos el medio ambiente",
    "please consider the environment",
    "antes de imprimir, pense",
    "prima di stampare",
)
_LEGAL = re.compile(
    r"confiden|destinatari|privileg|prohibid|difusi[oó]n|divulga|por error|imprimir|ambiente|remitente|adjuntos"
    r"|intended|recipient|unauthori[sz]ed|in error|prohibited|proibid|riservat|stampare|environment|sigilo",
    re.I,
)
_CLOSINGS = (
    "atentamente",
    "atte",
    "muy atentamente",
    "respetuosamente",
    "cordialmente",
    "saludos",
    "un saludo",
    "un cordial saludo",
    "reciba",
    "sin otro particular",
    "best regards",
    "kind regards",
    "regards",
    "sincerely",
    "atenciosamente",
    "cordiali saluti",
    "distinti saluti",
)
_CONTACT = re.compile(
    r"(?:tel|telf|teléfono|cel|celular|móvil|movil|fijo|anexo|central|whatsapp|wsp|phone|mobile|fax)\b[^\d+]{0,9}[+(\d]"
    r"|\+\d[\d ]{6}|www\.|https?://|@[\w-]+\.|^(?:av\.|avenida|jr\.|jirón|calle|urb\.) .*\d| \| ",
    re.I,
)
# An agent must see these at once, wherever they stand.
_IDENTITY = re.compile(
    r"\b(?:dni|ruc|ce|cpp|ptp|pasaporte|passport|carn[eé]|expediente|documento)\b|\?", re.I
)
_RULE = re.compile(r"[-*_=~•·]{2,}")


def without_footers(lines: list[str]) -> list[str]:
    """Return the lines without what programs, companies and people put under every mail.

    "-- " signatures, device lines, legal notices, contact lines under a closing formula, blank lines.
    Source: RFC 3676, 4.3 ("-- ").
    """
    first = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    end = _above_notices(lines, first, len(lines))
    marked = _signature(lines, first, end)
    if marked < end:
        return lines[: _above_notices(lines, first, marked)]
    return lines[: _above_contacts(lines, first, end)]


def _above_notices(lines: list[str], first: int, end: int) -> int:
    """The end of the lines once blank lines, device lines and legal notices are cut from it."""
    while end > first and not lines[end - 1].strip():
        end -= 1
    first = max(first, end - MAX_FOOTER_LINES)
    while end > first:
        line = lines[end - 1][:MAX_FOOTER].strip()
        if not line or _RULE.fullmatch(line) or _is_footer(line.lower()):
            end -= 1
            continue
        notice = _notice(lines, first, end)
        if notice == end:
            break
        end = notice
    return end


def _is_footer(line: str) -> bool:
    line = line.lstrip("*-–— ")
    return line.startswith(_FOOTERS) or (
        line.startswith(_SENT_FROM) and any(device in line for device in _DEVICES)
    )


def _notice(lines: list[str], first: int, end: int) -> int:
    """Where the legal notice that ends here begins, else `end`. It never begins with the mail's first line."""
    start = end
    while start > max(first + 1, end - MAX_NOTICE_LINES) and lines[start - 1].strip():
        start -= 1
    for index in range(start, end):
        line = lines[index][:MAX_FOOTER].strip(' \t*_"“').lower()
        if not line.startswith((*_NOTICE_HEADS, *_NOTICE_STARTS)):
            continue
        words = " ".join(line[:MAX_NOTICE_LINE] for line in lines[index:end])
        legal = {match.lower() for match in _LEGAL.findall(words)}
        headed = line.startswith(_NOTICE_HEADS) and (legal or words.strip(" *:.").lower() in _NOTICE_HEADS)
        if (
            headed
            or (legal and "imprimir" in words.lower()[:60])
            or (len(words) >= MIN_NOTICE and len(legal) > 1)
        ):
            return index
    return end


def _signature(lines: list[str], first: int, end: int) -> int:
    """Where the signature begins, else `end`."""
    for index in range(end - 1, max(end - MAX_SIGNATURE_LINES - 1, first) - 1, -1):
        if lines[index].rstrip() == "--":
            return index
    return end


def _above_contacts(lines: list[str], first: int, end: int) -> int:
    """The end once the contact lines under "Atentamente, / Rosa Quispe" are cut; the name stays."""
    lowest = max(end - MAX_SIGNATURE_LINES, first + 1)
    closing = next((i for i in range(end - 1, lowest - 1, -1) if _is_closing(lines[i])), None)
    if closing is None:
        return end
    signed = [index for index in range(closing + 1, end) if lines[index].strip()]
    under = [lines[index].strip() for index in signed[1:]]
    contacts = sum(_CONTACT.search(line[:MAX_CONTACT_LINE]) is not None for line in under)
    foreign = any(len(line) > MAX_CONTACT_LINE or _IDENTITY.search(line) for line in under)
    return end if foreign or contacts < 2 or 2 * contacts < len(under) else signed[0] + 1


def _is_closing(line: str) -> bool:
    return len(line) <= MAX_CLOSING and line.strip(" \t*").lower().startswith(_CLOSINGS)
