"""A reply as a letter on a ticket: what is known goes into the answers, the footer below, and it is rendered.

In: what the placeholders stand for, putting answers together, what the citizen gets. Not in: the words around the
answers (`templates/letter.py`), whether and when it may leave (`reply.py`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from helpdesk.accounts.users import User
from helpdesk.desk.answer_uses import edit_share
from helpdesk.desk.answers import Answer, AnswerFile
from helpdesk.desk.suggestions import language_of
from helpdesk.desk.ticket import Ticket
from helpdesk.desk.words import LINES_ES
from helpdesk.mail.compose import HEADER_CHARACTERS
from helpdesk.settings import LIMA
from templates.answer import LANGUAGES
from templates.catalogue import read_notice
from templates.letter import Composed, Part, compose, section
from templates.placeholders import fill
from templates.rendering import Rendered, render

LOCALES = {"es": "es-PE", "en": "en", "pt": "pt-BR"}

_NOT_IN_NAMES = re.compile(r"[^\w\s'’.,&-]|_")
_DOTTED = re.compile(r"\.(?=\w)")  # evil.example would become a link


def facts(ticket: Ticket, agent: User, now: dt.datetime) -> dict[str, str]:
    """What the placeholders stand for on this ticket; what is not known stays for the agent to fill in."""
    name = plain_name(ticket.requester.name) if ticket.requester else ""
    return {
        "nombre": name,
        "numero": ticket.number,
        "agente": agent.name,
        "linea": LINES_ES.get(ticket.line or "", ""),
        "fecha": now.astimezone(LIMA).strftime("%d/%m/%Y"),
    }


def plain_name(name: str) -> str:
    """A sender's name without anything that Markdown or a link finder would read as more than a name."""
    return " ".join(_DOTTED.sub(". ", _NOT_IN_NAMES.sub(" ", name)).split())


def letter_of(
    answers: Sequence[Answer], ticket: Ticket, agent: User, now: dt.datetime, *, grown: bool = False
) -> Composed:
    """A letter with these answers, with everything known filled in; `grown`: they were put in one after the other."""
    language = answers[0].language if answers else language_of(ticket)
    parts = [Part(answer.title, answer.body) for answer in answers]
    return compose(parts, language, facts(ticket, agent, now), grown=grown)


def changed_share(
    answers: Sequence[Answer], text: str, ticket: Ticket, agent: User, now: dt.datetime
) -> float:
    """Which part of a letter was changed since its answers were put in, whichever way they were; all of one without."""
    if not answers:
        return 1.0
    letters = [letter_of(answers, ticket, agent, now, grown=grown).text for grown in (False, True)]
    return min(edit_share(letter, text) for letter in letters)


def section_of(answer: Answer, ticket: Ticket, agent: User, now: dt.datetime) -> str:
    """An answer as it goes into a letter that is there already."""
    return section(Part(answer.title, answer.body), answer.language, facts(ticket, agent, now))


def files_of(answers: Sequence[Answer]) -> list[AnswerFile]:
    """The files that may go along with a reply."""
    return [file for answer in answers for file in answer.files]


def language_of_letter(answers: Sequence[Answer]) -> str:
    """The language of a letter: that of its first answer; what an agent writes alone is taken for Spanish."""
    return answers[0].language if answers else LANGUAGES[0]


def rendered_reply(ticket: Ticket, text: str, language: str = LANGUAGES[0]) -> Rendered:
    """Exactly what the citizen gets: the agent's text and the footer."""
    footer = fill(read_notice("footer", language).body, {"numero": ticket.number})
    return render(f"{text.strip()}\n\n{footer}", title=reply_subject(ticket), language=LOCALES[language])


def reply_subject(ticket: Ticket) -> str:
    """The subject of our replies: the requester's, cut so that the number has its place behind it."""
    number = f" [{ticket.number}]"
    subject = f"Re: {ticket.subject.removeprefix('Re: ') or 'Su consulta'}"
    return subject[: HEADER_CHARACTERS - len(number)].rstrip() + number
