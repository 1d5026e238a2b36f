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

OPENERS = frozenset("el en on em il le am op a in no na den".split())
DAYS_AND_MONTHS = tuple(
    "lun mar mié mie jue vie sáb sab dom mon tue wed thu fri sat sun seg ter qua qui sex gio ven mer "
    "jeu sam dim ene feb abr may jun jul ago sep set oct nov dic jan apr aug dec fev out dez gen mag "
    "giu lug ott déc fév día dia giorno".split()
)
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
)
VERB_ENDINGS = tuple({verb.split()[-1] for verb in VERBS})
# Before a verb these words make it a person's sentence ("mi jefe me escribió"); names begin with a capital.
PRONOUNS = frozenset(
    "me nos te le les lo la se que quien he she they we i who mi ti ci gli vi lhe ele".split()
)

DATE = re.compile(r"(?<!\d)(?:\d{4}|\d{1,2}:\d{2})(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d{2}")
TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d{2}(?!\d)")
DATE_START = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4})\b")
# What a program writes and a person does not: a numeric date, a time zone, a day cut to three letters.
PROGRAM_DATE = re.compile(
    r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}-\d\d-\d\d|GMT|UTC|[ap]\. ?m\.|"
    r"\b(?:lun|mar|mié|jue|vie|sáb|dom|mon|tue|wed|thu|fri|sat|sun|seg|ter|qua|qui|sex|gio|ven)\.?,? \d",
    re.I,
)

_WORDS_OF: dict[Role, str] = {
    "from": "de|from|da|von|desde|remitente",
    "sent": "enviado|enviado el|enviado a|enviados|enviada|enviada em|enviado em|enviada el|sent|sent at|inviato"
    "|inviata|envoyé|envoyé le|envoyé à|gesendet",
    "date": "fecha|date|data|datum|fecha de envío",
    "to": "para|to|a|à|an",
    "cc": "cc|cco|bcc|cci|ccn|c.c.",
    "subject": "asunto|subject|assunto|oggetto|objet|betreff|tema",
    "other": "datos adjuntos|archivos adjuntos|adjuntos|attachments|anexos|allegati|pièces jointes|importancia"
    "|importance|prioridad|responder a|reply-to|rispondi a|responder para|categorías|organización",
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
        "weitergeleitete nachricht",
        "begin forwarded message",
        "inicio del mensaje reenviado",
        "comienzo del mensaje reenviado",
        "início da mensagem encaminhada",
        "início da mensagem reencaminhada",
        "inizio messaggio inoltrato",
        "inizio del messaggio inoltrato",
        "début du message transféré",
        "début du message réexpédié",
    }
)
# One of these is in every forward mark.
FORWARD_ROOTS = ("reenviad", "forwarded", "caminhad", "inoltrat", "transféré", "réexpédié", "weitergeleitet")
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
        "reply message",
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
