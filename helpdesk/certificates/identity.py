"""Identity documents and RUC numbers: how each is written, and what can be said of one without asking anybody.

Kept as text, never as numbers. What a public source states is a condition; what is only usual makes a document
doubtful, and a person looks at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from stdnum.exceptions import ValidationError
from stdnum.pe import ruc

_SEPARATORS = re.compile(r"[\s.]+")
_HYPHENS = re.compile(r"[-\u2010-\u2015\u2212]+")
_COMPLEMENT = re.compile(r"([0-9]{5,8})([0-9][A-Z])")
ECUADOR_PROVINCES = frozenset({*range(1, 25), 30})
ECUADOR_WEIGHTS = (2, 1) * 4 + (2,)
LAST_SHOWN = 3


class Verdict(StrEnum):
    """What the writing of a document's number says."""

    GOOD = "good"
    DOUBTFUL = "doubtful"  # unusual: a person decides
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document: who may have it, what a number must look like, and what it usually looks like."""

    nationality: str | None
    must: re.Pattern[str]
    usual: re.Pattern[str]


def _kind(nationality: str | None, must: str, usual: str | None = None) -> DocumentKind:
    return DocumentKind(nationality, re.compile(must, re.ASCII), re.compile(usual or must, re.ASCII))


WORKER_DOCUMENTS = {
    "ci": _kind("BOL", r"(?=.*\d)[0-9A-Z-]{4,15}", r"\d{5,8}(-?\d[A-Z])?"),
    "cc": _kind("COL", r"\d{6,10}"),
    "cedula": _kind("ECU", r"\d{10}"),
    "passport": _kind(None, r"(?=.*\d)[0-9A-Z]{4,20}", r"[0-9A-Z]{5,12}"),
}
REPRESENTATIVE_DOCUMENTS = {
    "dni": _kind("PER", r"\d{8}"),
    "ce": _kind(None, r"[0-9A-Z]{8,12}"),
    "passport": _kind(None, r"(?=.*\d)[0-9A-Z]{4,20}"),
}


def plain(number: str) -> str:
    """A document's number in its one way of being written: upper case, without spaces and dots."""
    return _SEPARATORS.sub("", number).upper()


def written(kind: str, number: str) -> str:
    """The same for a kind of document: hyphens go, but the one before the complement of a Bolivian number."""
    bare = _HYPHENS.sub("", plain(number))
    complemented = _COMPLEMENT.fullmatch(bare) if kind == "ci" else None
    return "-".join(complemented.groups()) if complemented else bare


def judge(kind: str, number: str) -> Verdict:
    """What a worker's document says of itself; `number` as `written` writes it."""
    document = WORKER_DOCUMENTS[kind]
    if not document.must.fullmatch(number):
        return Verdict.WRONG
    if not document.usual.fullmatch(number) or (kind == "cedula" and not is_ecuadorian(number)):
        return Verdict.DOUBTFUL
    return Verdict.GOOD


def is_ecuadorian(number: str) -> bool:
    """Whether ten figures are a cédula by province and check figure (modulo 10)."""
    digits = [int(figure) for figure in number]
    doubled = (digit * weight for digit, weight in zip(digits, ECUADOR_WEIGHTS, strict=False))
    total = sum(value - 9 if value > 9 else value for value in doubled)
    return int(number[:2]) in ECUADOR_PROVINCES and -total % 10 == digits[9]


def is_ruc(number: str) -> bool:
    """Whether eleven figures are a RUC by prefix and check figure (SUNAT).

    python-stdnum knows the prefixes 10, 15, 17 and 20; other public validators accept 16 as well, and so do we.
    """
    if re.fullmatch("16[0-9]{9}", number):
        return bool(ruc.calc_check_digit(number) == number[-1])
    try:
        return bool(ruc.validate(number) == number)
    except ValidationError:
        return False


def last_characters(number: str) -> str:
    """What the public may see of a document's number."""
    return number[-LAST_SHOWN:]


def masked(number: str) -> str:
    """A document's number in lists and histories."""
    return "•" * max(len(number) - LAST_SHOWN, 0) + last_characters(number)
