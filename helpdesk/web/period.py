"""The days that a page of figures looks back on: a few lengths to choose from, `?dias=` in the address."""

from __future__ import annotations

from flask import request

PERIODS_DAYS = (7, 30, 90)
DEFAULT_DAYS = 30


def days_asked() -> int:
    """The length that the address asks for; the usual one for none, or for one that is not offered."""
    days = request.args.get("dias", DEFAULT_DAYS, type=int)
    return days if days in PERIODS_DAYS else DEFAULT_DAYS
