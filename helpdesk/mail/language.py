"""The language of a short text, among those our people write.

Not in: translation, the sender's preference.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

LANGUAGES = ("es", "en", "pt", "qu", "fr", "it")
MIN_LETTERS = 12
MIN_PROBABILITY = 0.6
MAX_CHARACTERS = 2_000  # A language shows in its first sentences; the rest only costs time.


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
    beginning = text[:MAX_CHARACTERS]
    if sum(map(str.isalpha, beginning)) < MIN_LETTERS:
        return None
    language, probability = load_identifier().classify(beginning)
    return language if probability >= MIN_PROBABILITY else None
