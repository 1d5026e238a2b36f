"""Dates as mail programs write them into the text, for people: "lunes, 16 de noviembre de 2026, 10:15 a. m.".

In: Spanish, English, Portuguese, Italian and French day-month-year and numeric dates. Not in: the Date header
(`headers.py`). Total: what cannot be read for certain is None. Reads no clock.
"""

from __future__ import annotations

import datetime as dt
import re

from helpdesk.mail.headers import EARLIEST_YEAR, LATEST_YEAR, read_date

MAX_CHARACTERS = 120
# Programs print the local time of whoever passes the mail on. Our agents, who do so, work in Peru, which has
# kept this offset all year since 1994 (IANA tzdata, America/Lima).
LIMA = dt.timezone(dt.timedelta(hours=-5))

_MONTHS = (
    "enero january janeiro gennaio janvier",
    "febrero february fevereiro febbraio février",
    "marzo march março mars",
    "abril april aprile avril",
    "mayo may maio maggio mai",
    "junio june junho giugno juin",
    "julio july julho luglio juillet",
    "agosto august août",
    "septiembre setiembre september setembro settembre septembre",
    "octubre october outubro ottobre octobre",
    "noviembre november novembro novembre",
    "diciembre december dezembro dicembre décembre",
)
# Programs cut the names to three letters or more.
_MONTH = {
    name[:length]: number
    for number, names in enumerate(_MONTHS, 1)
    for name in names.split()
    for length in range(3, len(name) + 1)
}
_WORDS = re.compile(
    r"(?P<first>[^\W\d_]{3,12})?\.?\s?(?<!\d)(?P<day>\d{1,2})(?:st|nd|rd|th|º)?(?:\s|\sde\s|,\s)"
    r"(?:(?P<second>[^\W\d_]{3,12})\.?,?\s(?:de\s|del\s)?)?(?P<year>\d{4})(?!\d)",
    re.I,
)
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})(?!\d)")
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_TIME = re.compile(r"(?<!\d)(\d{1,2})[:.h](\d{2})(?:[:.](\d{2}))?(?!\d)\s?([ap])?\.?\s?(m\b)?", re.I)
_NAMED_ZONE = re.compile(r"\b([A-Z]{2,4}T|UTC|GMT)\b")
_HOURS = {"UTC": 0, "GMT": 0, "PET": -5, "COT": -5, "EST": -5, "EDT": -4, "BRT": -3, "CET": 1, "CEST": 2}
_ZONE = re.compile(r"(?:GMT|UTC|\(|\s)([+-−])(\d{1,2})(?::?(\d{2}))?\b")


def read_written_date(value: str, *, month_first: bool = False) -> dt.datetime | None:
    """Return the aware moment of a date in words or figures, or None when it is none or could be two.

    Without a time zone the time counts as Peru's. `month_first` is for English, where "3/11/25" can be either
    and is None.
    """
    value = " ".join(value[:MAX_CHARACTERS].split())
    moment = read_date(value) if re.search(r"[+-]\d{4}\b", value) else None
    if moment:
        return moment
    day = _in_words(value) or _in_figures(value, month_first=month_first)
    time = _TIME.search(value)
    if day is None or time is None:
        return None
    try:
        moment = dt.datetime(*day, *_clock(time), tzinfo=_zone(value[time.end() :]))
    except (KeyError, ValueError, OverflowError):
        return None
    return moment if EARLIEST_YEAR <= moment.year <= LATEST_YEAR else None


def _in_words(value: str) -> tuple[int, int, int] | None:
    for match in _WORDS.finditer(value):
        name = match["second"] or match["first"] or ""
        month = _MONTH.get(name.lower())
        if month:
            return int(match["year"]), month, int(match["day"])
    return None


def _in_figures(value: str, *, month_first: bool) -> tuple[int, int, int] | None:
    iso = _ISO.search(value)
    if iso:
        return int(iso[1]), int(iso[2]), int(iso[3])
    match = _NUMERIC.search(value)
    if match is None:
        return None
    day, month, year = int(match[1]), int(match[2]), int(match[3])
    if month_first and day != month and day <= 12:
        if month <= 12:
            return None
        day, month = month, day
    return (year if year > 99 else 2000 + year), month, day


def _clock(time: re.Match[str]) -> tuple[int, int, int]:
    hour = int(time[1])
    if time[4] and time[5] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if time[4].lower() == "p" else 0)
    return hour, int(time[2]), min(int(time[3] or 0), 59)


def _zone(after: str) -> dt.timezone:
    """The zone behind the time. Raises KeyError for the name of one that is not among ours."""
    match = _ZONE.search(after)
    if match is None:
        named = _NAMED_ZONE.search(after)
        return dt.timezone(dt.timedelta(hours=_HOURS[named[1]])) if named else LIMA
    offset = dt.timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return dt.timezone(offset if match[1] == "+" else -offset)
