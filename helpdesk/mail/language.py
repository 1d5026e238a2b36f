"""The language of a short text, among those our people write.

Not in: translation, the sender's preference.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

LANGUAGES = ("es", "en", "pt", "qu", "fr", "it")
MIN_LETTERS = 12
ENOUGH_LETTERS = 25
MAX_NAMES = 5  # "Rosa Quispe Mamani" is a name, not Quechua.
MIN_PROBABILITY = 0.6
MAX_CHARACTERS = 800  # A language shows in its first sentences; the rest only costs time.

_NO_WORD = re.compile(r"@|://|^www\.|\.[a-z]{3,4}$")


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


@lru_cache(maxsize=1)
def load_identifier() -> _Identifier:
    """The language model of py3langid, restricted to our languages. Slow the first time (it loads numpy)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier  # type: ignore[no-any-return]  # the library carries no types


def detect(text: str) -> str | None:
    """Return the ISO 639-1 code of the language, or None below 12 letters or a probability of 0.6.

    Give it a text without quotes and signature: "Sent from my iPhone" has turned short Spanish into English.
    """
    # Addresses, links and file names are in no language; they have turned short Spanish into Portuguese.
    words = [word for word in text[:MAX_CHARACTERS].split() if not _NO_WORD.search(word)]
    # Nor are names. What begins with a capital is left out where enough remains, so not in text all in capitals.
    small = " ".join(word for word in words if not word[:1].isupper())
    if not small and len(words) <= MAX_NAMES:
        return None
    chosen = small if sum(map(str.isalpha, small)) >= ENOUGH_LETTERS else " ".join(words)
    if sum(map(str.isalpha, chosen)) < MIN_LETTERS:
        return None
    language, probability = load_identifier().classify(chosen)
    return language if probability >= MIN_PROBABILITY else None
