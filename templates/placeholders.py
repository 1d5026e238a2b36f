"""The fixed table of placeholders, and the only way they are replaced: one pass of look-up, no template engine.

A value can never become a placeholder itself (T58): its braces go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDERS = {
    "nombre": "nombre de la persona que escribe",
    "numero": "número de atención",
    "agente": "nombre de quien responde",
    "linea": "línea de atención",
    "fecha": "fecha de hoy",
    "pais": "país del que se trata (lo completa quien responde)",
    "consulado": "consulado que corresponde (lo completa quien responde)",
}

# One run of one kind, spaces included: two that may share the spaces take minutes over a long row of them.
_PLACEHOLDER = re.compile(r"\{\{([^{}]{0,100})\}\}")
_BRACES = re.compile(r"[{}]+")


def fill(text: str, facts: Mapping[str, str]) -> str:
    """Replace each placeholder whose fact is known and not empty; leave the others for the agent to see."""

    def value(match: re.Match[str]) -> str:
        fact = facts.get(match[1].strip(), "")
        return _BRACES.sub("", fact) if fact else match[0]

    return _PLACEHOLDER.sub(value, text)


def unfilled(text: str) -> list[str]:
    """The placeholders still in a text, known or not, each once, in order."""
    return list(dict.fromkeys(match[0] for match in _PLACEHOLDER.finditer(text)))


def names_in(text: str) -> list[str]:
    """The names of the placeholders in a text, each once, in order."""
    return list(dict.fromkeys(match[1].strip() for match in _PLACEHOLDER.finditer(text)))
