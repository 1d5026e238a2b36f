"""Calendar invitations in words, for mails that bring nothing else to read.

In: the few properties of the first event that a person asks for (RFC 5545, RFC 6047). Not in: calendars,
recurrence, time zones: times are shown as they were sent.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

MAX_CALENDAR_CHARACTERS = 64_000
MAX_PROPERTIES = 2_000
MAX_VALUE = 2_000

_METHODS = {
    "CANCEL": "Cita cancelada",
    "REPLY": "Respuesta a una invitación",
    "COUNTER": "Propuesta de otra hora",
}
_ANSWERS = {"ACCEPTED": "aceptada", "DECLINED": "rechazada", "TENTATIVE": "por confirmar"}
_WHEN = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?", re.ASCII)
_ESCAPED = re.compile(r"\\([\\,;nN])")

Property = tuple[str, str, str]


def summarise(calendar: str) -> str:
    """Return the first event of an iCalendar text as a few lines to read; "" when it has none. Never raises."""
    properties = list(_properties(calendar[:MAX_CALENDAR_CHARACTERS]))
    event = {name: (parameters, value) for name, parameters, value in reversed(_event(properties))}
    if not event:
        return ""
    method = next((value.upper() for name, _, value in properties if name == "METHOD"), "")
    _, title = event.get("SUMMARY", ("", ""))
    lines = [
        (_METHODS.get(method, "Invitación"), _words(title)),
        ("Respuesta", _partstat(event) if method == "REPLY" else ""),
        ("Inicio", _when(*event.get("DTSTART", ("", "")))),
        ("Fin", _when(*event.get("DTEND", ("", "")))),
        ("Lugar", _words(event.get("LOCATION", ("", ""))[1])),
        ("Organiza", _person(*event.get("ORGANIZER", ("", "")))),
    ]
    told = "\n".join(f"{label}: {value}" for label, value in lines if value)
    return f"{told}\n\n{_words(event.get('DESCRIPTION', ('', ''))[1])}".strip()


def _properties(calendar: str) -> Iterator[Property]:
    """Name, parameters and value of each line, unfolded. Source: RFC 5545, 3.1."""
    unfolded = re.sub(r"\r?\n[ \t]", "", calendar)
    for line in unfolded.splitlines()[:MAX_PROPERTIES]:
        head, value = _cut_value(line)
        name, _, parameters = head.partition(";")
        yield name.strip().upper(), parameters, value[:MAX_VALUE].strip()


def _cut_value(line: str) -> tuple[str, str]:
    """Cut at the first colon outside quotes."""
    pieces = line.split('"')
    position = 0
    for number, piece in enumerate(pieces):
        colon = piece.find(":") if number % 2 == 0 else -1
        if colon >= 0:
            return line[: position + colon], line[position + colon + 1 :]
        position += len(piece) + 1
    return line, ""


def _event(properties: list[Property]) -> list[Property]:
    """The properties of the first event itself, without those of its alarms."""
    found: list[Property] = []
    inside: list[str] = []
    for name, parameters, value in properties:
        if name == "BEGIN":
            inside.append(value.upper())
        elif name == "END":
            if inside and inside.pop() == "VEVENT":
                break
        elif inside and inside[-1] == "VEVENT":
            found.append((name, parameters, value))
    return found


def _words(value: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value).strip()


def _when(parameters: str, value: str) -> str:
    match = _WHEN.fullmatch(value)
    if match is None:
        return ""
    try:
        day = dt.date(int(match[1]), int(match[2]), int(match[3])).strftime("%d/%m/%Y")
    except ValueError:
        return ""
    if match[4] is None:
        return day
    zone = _parameter(parameters, "TZID")
    behind = " UTC" if match[6] else f" ({zone})" if zone else ""
    return f"{day} {match[4]}:{match[5]}{behind}"


def _person(parameters: str, value: str) -> str:
    name, address = _parameter(parameters, "CN"), re.sub(r"(?i)^mailto:", "", value)
    return f"{name} <{address}>" if name and address and name != address else name or address


def _partstat(event: dict[str, tuple[str, str]]) -> str:
    return _ANSWERS.get(_parameter(event.get("ATTENDEE", ("", ""))[0], "PARTSTAT").upper(), "")


def _parameter(parameters: str, wanted: str) -> str:
    for piece in re.findall(r'[^;"]+(?:"[^"]*")?', parameters)[:50]:
        name, _, value = piece.partition("=")
        if name.strip().upper() == wanted:
            return str(value.strip().strip('"'))
    return ""
