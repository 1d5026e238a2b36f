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
MAX_LIST_FOOTER_LINES = 6
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
    "enviado via",
    "enviado vía",
    "mensaje enviado desde",
    "compartido desde",
    "sent from",
    "sent with",
    "sent via",
    "sent using",
    "inviato da",
    "inviato con",
    "envoyé de",
    "envoyé depuis",
    "envoyé à partir",
    "envoyé avec",
    "gesendet von",
    "gesendet mit",
    "von meinem",
    "diese nachricht wurde von meinem",
)
MAX_SENT_FROM_WORDS = 12
MAX_WORDS_BY = 3  # "Enviado por WhatsApp"; with more words a person tells how something was sent
BEFORE_DEVICE = 8  # Behind more words than these a device is part of a sentence.
_DEVICES = frozenset(
    "iphone ipad ipod android outlook yahoo gmail hotmail samsung galaxy huawei xiaomi redmi motorola oppo realme "
    "nokia blackberry alcatel lenovo infinix tecno zte xperia lumia proton protonmail tuta tutanota bluemail typeapp "
    "mymail spark mailspring airmail superhuman hushmail zoho zimbra gmx aol uol orange whatsapp telegram "
    "messenger".split()
)
# Words of the language, too: only behind "mi", or where the line says nothing else.
_MY = frozenset("mi my mon meu minha mio meinem".split())
_MY_DEVICES = frozenset(
    "mail correo móvil movil celular teléfono telefono smartphone mobile phone cell tablet device dispositivo "
    "téléphone cellulare portable handy mobilgerät poco honor moto vivo lg htc pixel windows android-gerät".split()
)
_ALONE = frozenset("mail correo windows tim mobile móvil mailbox".split())
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
    "de virus. www.avast.com",
    "#dab4fad8-",
    "[image: avast logo]",
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
    "avis de confidentialité",
    "vertraulichkeitshinweis",
)
_PERSONS_HEADS = ("confidencial:", "confidencialidad:")
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
    "ce message",
    "ce courriel",
    "ce mail",
    "ce courrier électronique",
    "diese e-mail",
    "diese nachricht",
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
    r"|destinatair|interdit|vertraulich|adressat|irrt[uü]mlich|vernichten|unbefugt"
    r"|intended|recipient|unauthori[sz]ed|in error|prohibited|proibid|riservat|stampare|environment|sigilo",
    re.I,
)
# No company speaks so: who does tells us something, and may well say "confidential" and "forbidden".
_FIRST_PERSON = re.compile(
    r"\b(?:mis?|yo|conmigo|quiero|quisiera|necesito|solicito|pido|ay[uú]d[ea]\w{0,5}|my|i am|i need|meus?|minhas?"
    r"|preciso|mein\w{0,2}|ich|mon|mes|je)\b|(?<!notify )(?<!contact )(?<!inform )(?<!advise )\bme\b|\?",
    re.I,
)
_PRINTING = re.compile(r"piens|pense|pensi|ambient|environment|[aá]rbol|planeta|aseg[uú]r", re.I)
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
_LIST_RULE = "_" * 40
_LINK = re.compile(r"<[^<>]{0,400}>|\([^()]{0,400}\)")
_NO_LETTERS = re.compile(r"[^\w-]")
_OF_PERSONS = ("enviado por", "enviado con", "enviado mediante", "enviado via", "enviado vía")
_RULE = re.compile(r"[-*_=~•·‐–—]{2,}")


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
        if line == "Libre" and "".join(lines[end : end + 1]).startswith("de virus. www."):
            end -= 1  # Gmail wraps Avast's words there.
            continue
        notice = min(_notice(lines, first, end), _list_footer(lines, first, end))
        if notice == end:
            break
        end = notice
    return end


def _is_footer(line: str) -> bool:
    line = line.lstrip("*-–—(< ")
    return line.startswith(_FOOTERS) or (line.startswith(_SENT_FROM) and _names_device(line))


def _names_device(line: str) -> bool:
    """Whether a line such as "Enviado desde …" goes on with a program or a device, and says nothing more."""
    prefix = max((start for start in _SENT_FROM if line.startswith(start)), key=len)
    words = [word for word in _NO_LETTERS.split(_LINK.sub(" ", line[len(prefix) :])) if word]
    if len(words) > (MAX_WORDS_BY if prefix == "enviado por" else MAX_SENT_FROM_WORDS):
        return False
    if not _DEVICES.isdisjoint(words[:BEFORE_DEVICE]):
        return True
    mine = prefix.endswith(tuple(_MY)) or not _MY.isdisjoint(words[:1])
    if mine and not _MY_DEVICES.isdisjoint(words[:3]):
        return True
    # "Sent from Mail for Windows", "Enviado desde la app de Correo".
    return len(words) < 6 and prefix not in _OF_PERSONS and not _ALONE.isdisjoint(words[:4])


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
        if _FIRST_PERSON.search(words):
            continue
        legal = {match.lower() for match in _LEGAL.findall(words)}
        # "Confidencial:" begins a person's story as well.
        enough = len(legal) > line.startswith(_PERSONS_HEADS) or words.strip(" *:.").lower() in _NOTICE_HEADS
        headed = line.startswith(_NOTICE_HEADS) and enough
        if (
            headed
            or (legal and "imprimir" in words.lower()[:60] and _PRINTING.search(words))
            or (len(words) >= MIN_NOTICE and len(legal) > 1)
        ):
            return index
    return end


def _list_footer(lines: list[str], first: int, end: int) -> int:
    """Where the words begin that Mailman writes under every mail of a list, else `end`."""
    for index in range(end - 1, max(end - MAX_LIST_FOOTER_LINES, first) - 1, -1):
        if lines[index].startswith(_LIST_RULE):
            named = any("mailing list" in line[:MAX_FOOTER].lower() for line in lines[index + 1 : end])
            return index if named else end
    return end


def _signature(lines: list[str], first: int, end: int) -> int:
    """Where the signature begins, else `end`."""
    for index in range(end - 1, max(end - MAX_SIGNATURE_LINES - 1, first) - 1, -1):
        line = lines[index].rstrip("\r")
        if line.rstrip() == "--":
            # Without its blank the mark may be a person's rule between two paragraphs, and no signature asks.
            asks = any("?" in under and "://" not in under for under in lines[index + 1 : end])
            return end if line == "--" and asks else index
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
