"""Words without accents, case and signs: how names are compared and found."""

from __future__ import annotations

import unicodedata


def plain_words(text: str) -> str:
    """The words of a text in lower case, without accents and signs, one space between them."""
    bare = (
        character
        for character in unicodedata.normalize("NFD", text.lower())
        if not unicodedata.combining(character)
    )
    return " ".join("".join(character if character.isalnum() else " " for character in bare).split())
