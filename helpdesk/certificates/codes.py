"""Verification codes: random, long enough that nobody finds one by trying, and easy to read aloud (T81).

Crockford's base 32 (https://www.crockford.com/base32.html): no I, L, O, U; whatever is typed is forgiven. 24 random
characters are 120 bits; the 25th is Crockford's check symbol (modulo 37). Codes whose check symbol is one of the five
signs that only serve for that are not drawn, so that a code is letters and figures; that leaves 119 bits.
"""

from __future__ import annotations

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECK_MODULUS = 37
RANDOM_CHARACTERS = 24
GROUP = 5
_FORGIVEN = str.maketrans({"O": "0", "I": "1", "L": "1"}) | dict.fromkeys(map(ord, " -\t\r\n.,–—_"))
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
LONGEST_TYPED = 80


def new_code() -> str:
    """A new code: 25 characters, the last of which checks the others."""
    while True:
        value = secrets.randbits(5 * RANDOM_CHARACTERS)
        if value % CHECK_MODULUS < len(ALPHABET):
            body = "".join(ALPHABET[value >> 5 * place & 31] for place in reversed(range(RANDOM_CHARACTERS)))
            return body + ALPHABET[value % CHECK_MODULUS]


def read_code(typed: str) -> str | None:
    """The code that somebody typed, in its one way of being written; None when it cannot be one of ours."""
    if len(typed) > LONGEST_TYPED:
        return None
    code = typed.upper().translate(_FORGIVEN)
    if len(code) != RANDOM_CHARACTERS + 1 or any(character not in _VALUES for character in code):
        return None
    value = 0
    for character in code[:-1]:
        value = value << 5 | _VALUES[character]
    return code if value % CHECK_MODULUS == _VALUES[code[-1]] else None


def grouped(code: str) -> str:
    """A code as it is printed: in groups of five."""
    return "-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP))
