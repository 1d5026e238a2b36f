"""Days in a page's address: how many a page of figures looks back on (`?dias=`), and single ones."""

from __future__ import annotations

import datetime as dt

from flask import request

PERIODS_DAYS = (7, 30, 90)
DEFAULT_DAYS = 30


def days_asked() -> int:
    """The length that the address asks for; the usual one for none, or for one that is not offered."""
    days = request.args.get("dias", DEFAULT_DAYS, type=int)
    return days if days in PERIODS_DAYS else DEFAULT_DAYS


def day_asked(name: str) -> dt.date | None:
    """The day that an argument of the address names; None for none, or for what is no day of our times (T74)."""
    try:
        day = dt.date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return day if 1970 <= day.year <= 2200 else None
