"""Places of Peru by their ubigeo (INEI): two figures a department, four a province, six a district."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from helpdesk.certificates.plain import plain_words

TABLE = Path(__file__).parent / "ubigeo.tsv"
DISTRICT_FIGURES = 6

# Which departments touch which neighbour: where a border work area can be at all. Decisión 545 leaves the areas
# themselves to the countries, and no list of them was found; so this decides nothing, it only asks for a look.
BORDER_DEPARTMENTS = {
    "BOL": frozenset({"17", "21", "23"}),  # Madre de Dios, Puno, Tacna
    "COL": frozenset({"16"}),  # Loreto
    "ECU": frozenset({"01", "06", "16", "20", "24"}),  # Amazonas, Cajamarca, Loreto, Piura, Tumbes
}


@cache
def names() -> dict[str, str]:
    """Every name by its code."""
    lines = TABLE.read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def is_district(code: str) -> bool:
    """Whether this is the code of a district."""
    return len(code) == DISTRICT_FIGURES and code in names()


def place(code: str) -> str:
    """A district as people write it: "Miraflores, Lima, Lima"; the code itself when it is not known."""
    known = names()
    if not is_district(code):
        return code
    return f"{known[code]}, {known[code[:4]]}, {known[code[:2]]}"


def department(code: str) -> str:
    """The department of a district."""
    return names().get(code[:2], code)


@cache
def districts() -> tuple[tuple[str, str], ...]:
    """Every district, code and name, in the order of the departments' names."""
    known = names()
    codes = (code for code in known if len(code) == DISTRICT_FIGURES)
    by_name = sorted(codes, key=lambda code: (known[code[:2]], known[code[:4]], known[code]))
    return tuple((code, place(code)) for code in by_name)


FOUND = 12


def find(typed: str) -> list[str]:
    """The districts that somebody may mean: by code, by its whole name, else by the beginning of its words.

    Accents and case do not matter. At most `FOUND` are returned; one is no doubt.
    """
    wanted = plain_words(typed)
    if is_district(wanted):
        return [wanted]
    index = _index()
    if exact := index.get(wanted):
        return list(exact)
    words = wanted.split()
    if not words:
        return []
    near = (code for name, codes in index.items() if _begins(name, words) for code in codes)
    return list(dict.fromkeys(near))[:FOUND]


def _begins(name: str, words: list[str]) -> bool:
    there = name.split()
    return all(any(word.startswith(typed) for word in there) for typed in words)


@cache
def _index() -> dict[str, tuple[str, ...]]:
    """Districts by whole name and by their own name, both without accents."""
    found: dict[str, list[str]] = {}
    for code, name in districts():
        for known in {plain_words(name), plain_words(names()[code])}:
            found.setdefault(known, []).append(code)
    return {name: tuple(codes) for name, codes in found.items()}
