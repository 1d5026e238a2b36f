"""The marks by which mail programs introduce an earlier mail, as data: words, no rules.

In: attributions ("El …, Ana escribió:"), header words ("Enviado el:"), forward and reply marks in Spanish,
English, Portuguese, Italian, French and German. Not in: what a mark means for the text (`quoting.py`), and
what stands under a letter (`footers.py`).
"""

from __future__ import annotations

import re
from typing import Literal

Role = Literal["from", "sent", "date", "to", "cc", "subject", "other"]

# Zero-width and bidirectional characters: programs put them around dates and at the start of quotes.
INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
BLANKS = "\u00a0\u202f\u2007\u2009"

OPENERS = frozenset("el en on em il le am op a at in no na den på às w".split())
DAYS_AND_MONTHS = tuple(
    "lun mar mié mie jue vie sáb sab dom mon tue wed thu fri sat sun seg ter qua qui sex gio ven mer "
    "jeu sam dim ene feb abr may jun jul ago sep set oct nov dic jan apr aug dec fev out dez gen mag "
    "giu lug ott déc fév día dia giorno dniu".split()
)
GERMAN_DAYS = frozenset("mo di mi do fr sa so".split())
VERBS = (
    "escribió lo siguiente",
    "escribió",
    "escribio",
    "ha escrito",
    "wrote",
    "escreveu",
    "ha scritto",
    "a écrit",
    "a ecrit",
    "schrieb",
    "geschrieben",
    "geschreven",
    "schreef",
    "skrev",
    "pisze",
    "napisał",
    "napisał(a)",
    "написал",
    "пишет",
    "写道",
)
VERB_ENDINGS = tuple({verb.split()[-1] for verb in VERBS})
# Where the writer's name stands behind the verb: "Am 16.11.26 um 10:15 schrieb Ana Torres:".
# A name begins with a capital; "schrieb mir mein Chef" is a person's sentence.
EARLY_VERB = re.compile(r" (?:schrieb|schreef|skrev) (?!Sie )[A-ZÀ-Þ\"<]")
# Horde's words before the writer's address.
QUOTING = ("quoting ", "mensaje citado por ", "citando ", "zitat von ", "citazione da ", "citation de ")
# Before a verb these words make it a person's sentence ("mi jefe me escribió"); names begin with a capital.
PRONOUNS = frozenset(
    "me nos te le les lo la se que quien he she they we i who mi ti ci gli vi lhe ele".split()
)
# Written small within names, and between a time and a name.
PARTICLES = frozenset(
    "de del la las los y e da do dos di van von der den via vía a m p am pm h hrs hora horas um uhr kl at alle ore "
    "o".split()
)
# What a person says of somebody, and no program.
NO_NAMES = frozenset(
    "mi mis su sus el un una señor señora jefe jefa my our the meu minha mio mia mein meine mon".split()
)

DATE = re.compile(r"(?<!\d)(?:\d{4}|\d{1,2}:\d{2})(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d{2}")
TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d{2}(?!\d)")
DATE_START = re.compile(r"(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4})\b")
DATE_AND_TIME = re.compile(
    r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4},? \d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.? ?m\.?)?(?: [A-Z]{3,4})?", re.I
)
# What a program writes and a person does not: a numeric date, a time zone, a day cut to three letters.
PROGRAM_DATE = re.compile(
    r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}-\d\d-\d\d|GMT|UTC|[ap]\. ?m\.|"
    r"\b(?:lun|mar|mié|jue|vie|sáb|dom|mon|tue|wed|thu|fri|sat|sun|seg|ter|qua|qui|sex|gio|ven)\.?,? \d",
    re.I,
)
# Yahoo's app writes the earlier mail on the very line of its attribution: "El …, Ana<a@b> escribió:   Buenos …".
INLINE_VERB = re.compile(r"@[^\s<>@]{1,255}>\)? {0,3}(?:escribió|wrote|escreveu|ha scritto|a écrit) ?: {2}")
# Notes and Postbox: "Ana Torres/LIMA/ORG@ORG wrote on 16/11/2026 10:15:00:".
DATED_VERB = re.compile(
    r" (?:wrote on|escribió el|escreveu em|ha scritto il|a écrit le|schrieb am) "
    r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4},? \d{1,2}:\d{2}(?::\d{2}| [AP]M\b)"
)
# Tuta: "16 nov 2026, 10:15 por ana@example.com:".
DATED_ADDRESS = re.compile(
    r"(?:\d{1,2}\.? [^\W\d_]{3,5}\.?|[^\W\d_]{3,4}\.? \d{1,2},?) \d{4}, \d{1,2}:\d{2} "
    r"(?:by|por|von|da|di|par|de) [^\s<>@]{1,64}@[^\s<>@]{1,255}:"
)
NOTES_TO = frozenset({"to", "para", "a"})
NOTES_SUBJECT = frozenset({"subject", "asunto", "assunto", "oggetto"})
# A subject that was answered or passed on before: no memorandum has one.
ANSWERED_SUBJECT = re.compile(r"(?:re|rv|fwd?|aw|res|r|tr|enc|wg)\s?:", re.I)

_WORDS_OF: dict[Role, str] = {
    "from": "de|from|da|von|desde|remitente|mittente|van|från|fra|od",
    "sent": "enviado|enviado el|enviado a|enviados|enviada|enviada em|enviado em|enviada el|sent|sent at|inviato"
    "|inviata|envoyé|envoyé le|envoyé à|gesendet|verzonden|skickat|sendt|wysłano",
    "date": "fecha|date|data|datum|fecha de envío|dato",
    "to": "para|to|a|à|an|pour|aan|till|til|do",
    "cc": "cc|cco|bcc|cci|ccn|c.c.",
    "subject": "asunto|subject|assunto|oggetto|objet|sujet|betreff|tema|onderwerp|ämne|emne|temat",
    "other": "datos adjuntos|archivos adjuntos|adjuntos|attachments|anexos|allegati|pièces jointes|importancia"
    "|importance|prioridad|responder a|reply-to|rispondi a|répondre à|antwort an|responder para|categorías"
    "|organización",
}
ROLES: dict[str, Role] = {word: role for role, words in _WORDS_OF.items() for word in words.split("|")}
ENGLISH = frozenset({"sent", "sent at", "date"})
FROM_STARTS = tuple(f"{stars}{word}" for stars in ("", "*", "**") for word in _WORDS_OF["from"].split("|"))

FORWARD = frozenset(
    {
        "mensaje reenviado",
        "correo reenviado",
        "forwarded message",
        "mensagem encaminhada",
        "mensagem reencaminhada",
        "messaggio inoltrato",
        "message transféré",
        "message réexpédié",
        "message transmis",
        "weitergeleitete nachricht",
        "doorgestuurd bericht",
        "vidarebefordrat meddelande",
        "videresendt meddelelse",
        "videresendt melding",
        "przekazana wiadomość",
        "begin forwarded message",
        "inicio del mensaje reenviado",
        "comienzo del mensaje reenviado",
        "início da mensagem encaminhada",
        "início da mensagem reencaminhada",
        "inizio messaggio inoltrato",
        "inizio del messaggio inoltrato",
        "début du message transféré",
        "début du message réexpédié",
        "anfang der weitergeleiteten nachricht",
    }
)
# One of these is in every forward mark.
FORWARD_ROOTS = tuple(
    "reenviad forwarded caminhad inoltrat transféré transmis réexpédié weitergeleitet doorgestuurd "
    "vidarebefordrat videresendt przekazana".split()
)
ORIGINAL = frozenset(
    {
        "mensaje original",
        "original message",
        "mensagem original",
        "messaggio originale",
        "message d'origine",
        "message original",
        "ursprüngliche nachricht",
        "original appointment",
        "cita original",
        "mensaje citado",
        "correo original",
        "mail original",
        "courriel original",
        "message initial",
        "reply message",
        "original-nachricht",
        "antwort nachricht",
        "原始邮件",
        "oorspronkelijk bericht",
        "oprindelig besked",
        "oprindelig meddelelse",
        "opprinnelig melding",
        "ursprungligt meddelande",
        "oryginalna wiadomość",
        "wiadomość oryginalna",
    }
)
# Subjects of forwarded mails; "Re: Fwd:" is a reply. Outlook marks a forward by nothing else.
FORWARD_SUBJECT = re.compile(
    r"\s{0,9}(?:\[[^\]]{0,40}\]\s{0,9})?(?:fw|fwd|rv|re-?env[ií]o|reenv(?:iado)?|enc|i|tr|wg)\s{0,3}:\s{0,9}",
    re.I,
)
# "I answer below, in red": the answers stand inside a quote that carries no marks.
ANSWERS = re.compile(r"respond|respuesta|contest|coment|answer|repl[iy]|rispo|respost|réponse", re.I)
INSIDE = re.compile(
    r"abajo|entre l[ií]neas|en (?:rojo|azul|verde|negrita|may[uú]sculas)|(?:su|este) mismo correo|in-?line"
    r"|below|in (?:red|blue|bold|green|capitals)|abaixo|em (?:vermelho|azul|negrito)|in (?:rosso|blu|grassetto)"
    r"|qui sotto|di seguito|ci-dessous",
    re.I,
)
