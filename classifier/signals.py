"""Signals: who the writer is, where, and which way (the relation that decides the line).

Keywords alone cannot sort this mail: "soy ecuatoriano y quiero trabajar en Perú" and "soy peruano y quiero
trabajar en Ecuador" hold the same words. So each word is rewritten as one letter for the part that it plays
(parts.py) or the place that it names (places.py). Short patterns over those letters name relations, and runs of
the telling letters alone are features too. Both only emit features; the learner decides what they are worth.
Not in: learning, and any rule that sorts by itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from classifier.parts import ABROAD, IN_PERU, LETTER, OTHER, SMALL, STOP
from classifier.places import places
from classifier.text import Words, is_word

# Names are what the learner sees; each pattern is a run of parts with short, bounded gaps, so it is linear.
PATTERNS = {
    "soy_peruano": r"s[-_]{0,3}N|N[-_]{0,2}[lD]-{0,2}X",
    "soy_extranjero": r"s[-_]{0,3}[FE]",
    "peruano": r"N",
    "otra_nacionalidad": r"F",
    "vivo_fuera": r"l[-_]{0,3}X|D-{0,3}X|l-{0,2}E",
    "vivo_peru": r"l[-_]{0,3}P|D-{0,3}P",
    "trabajo_fuera": r"[wt][-_]{0,3}X",
    "trabajo_peru": r"[wt][-_]{0,3}P",
    "tiempo_fuera": r"y[-l]{0,4}X|X[-_]{0,3}y",
    "tiempo_peru": r"y[-l]{0,4}P",
    "estuve_fuera": r"a[-_]{0,3}X",
    "quiero_volver": r"q[-_]{0,3}r",
    "no_volver": r"m[-q]{0,3}r",
    "volver_peru": r"r[-_]{0,2}P",
    "volver_fuera": r"r[-_]{0,2}X",
    "ya_volvi": r"R",
    "de_visita": r"[rcgR][-_P]{0,4}V|V[-_]{0,3}P",
    "ir_fuera": r"[gk][-_]{0,3}X|[gk]-{1,2}E",
    "quiero_ir": r"q-{0,2}[gk]",
    "ir_a_peru": r"[gkc][-_]{0,3}P",
    "busco_fuera": r"b[-n_]{0,4}X|n-{1,2}X",
    "contratar_extranjero": r"h[-_e]{0,4}[FE]|e-{0,2}[FE]|Fe",
    "pariente_fuera": r"p[-_]{0,3}v[-_]{0,2}X",
    "pariente_peru": r"p[-_]{0,3}v[-_]{0,2}P",
    "pariente_extranjero": r"p[-_s]{0,3}[FE]",
    "pariente_peruano": r"p[-_s]{0,2}N",
    "lugar_fuera": r"X",
    "lugar_peru": r"P",
}
RELATION = "relacion:"
_NOUN = re.compile(r"(?<=[db])t")
_COMPILED = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}

# Where / who / which way: the three questions whose joint answer is the relation, first match first.
_QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("soy_extranjero", "soy_peruano", "contratar_extranjero", "peruano", "otra_nacionalidad"),
    ("vivo_fuera", "trabajo_fuera", "tiempo_fuera", "vivo_peru", "trabajo_peru", "lugar_fuera"),
    ("ya_volvi", "no_volver", "quiero_volver", "volver_peru", "ir_fuera", "ir_a_peru", "busco_fuera"),
)


@dataclass(frozen=True)
class Signal:
    """A named relation, and the words from first to last (exclusive) that say it."""

    name: str
    first: int
    last: int


def parts_of(words: Words) -> str:
    """Return one letter for each word: the part that it plays, or the place that it names."""
    letters = [LETTER.get(word, OTHER if is_word(word) else STOP) for word in words.folded]
    for first, last, in_peru in places(words.named):
        # A single word that plays a part is that part: "retorno" is no town here.
        if last > first + 1 or letters[first] == OTHER:
            letters[first:last] = (IN_PERU if in_peru else ABROAD) + SMALL * (last - first - 1)
    return _NOUN.sub("n", "".join(letters)).replace("d", SMALL)


def telling(parts: str) -> list[int]:
    """Return where the words stand that play a part or name a place, and the ends of sentences."""
    return [place for place, letter in enumerate(parts) if letter not in (SMALL, OTHER)]


def signals(parts: str) -> tuple[Signal, ...]:
    """Return the relations that the parts state, each once, and their combination (which spans no words)."""
    found = tuple(_first_of_each(parts))
    names = {signal.name for signal in found}
    answers = (next((name for name in question if name in names), "nada") for question in _QUESTIONS)
    return (*found, Signal(RELATION + "+".join(answers), 0, 0))


def _first_of_each(letters: str) -> Iterator[Signal]:
    for name, pattern in _COMPILED.items():
        if match := pattern.search(letters):
            yield Signal(name, match.start(), match.end())
