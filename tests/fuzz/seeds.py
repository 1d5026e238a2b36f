"""The healthy mails that are damaged: our golden ones, realistic ones, and odd ones made here.

In: collecting and building them, the same bytes in every run of the same tree. Not in: the damage (`mutate.py`).
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.mails import realistic_mails

EMAILS = Path(__file__).parents[1] / "emails"
# The shapes that parsers know least, one file each.
ODD = Path(__file__).parent / "odd"
MAX_SEED_BYTES = 8_000
REALISTIC = 6


def load_seeds() -> list[bytes]:
    """Every healthy mail, at most 8 kB of each, in an order that does not change between two runs of one tree."""
    golden = [path.read_bytes()[:MAX_SEED_BYTES] for path in sorted(EMAILS.rglob("*.eml"))]
    odd = [path.read_bytes() for path in sorted(ODD.glob("*.eml"))]
    return golden + _realistic() + odd * 4


def _realistic() -> list[bytes]:
    """Realistic mails; their builder rolls the common dice for boundaries, which are put back afterwards."""
    state = random.getstate()
    random.seed(20261123)
    try:
        return [mail[:MAX_SEED_BYTES] for mail in realistic_mails(REALISTIC)]
    finally:
        random.setstate(state)
