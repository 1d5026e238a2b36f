"""How pages show times, lengths of time, sizes and the words for states (es-PE, Lima time)."""

from __future__ import annotations

import datetime as dt

from flask import Flask
from flask_babel import gettext, ngettext
from markupsafe import Markup

from helpdesk.db import utc_now
from helpdesk.desk import words
from helpdesk.desk.queue import UNSORTED
from helpdesk.desk.topics import TOPICS_ES
from helpdesk.settings import LIMA
from templates.rendering import to_fragment

MINUTE, HOUR, DAY = 60, 3600, 86_400


def lima(instant: dt.datetime | None) -> str:
    """Date and time as people in Lima write it."""
    return instant.astimezone(LIMA).strftime("%d/%m/%Y %H:%M") if instant else ""


def duration(seconds: float | None) -> str:
    """A length of time in its two telling units; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < MINUTE:
        return str(gettext("menos de 1 min"))
    if seconds < HOUR:
        return str(gettext("%(n)s min", n=int(seconds // MINUTE)))
    if seconds < DAY:
        hours, minutes = divmod(int(seconds // MINUTE), 60)
        text = gettext("%(h)s h %(m)s min", h=hours, m=minutes) if minutes else gettext("%(h)s h", h=hours)
        return str(text)
    days, hours = divmod(int(seconds // HOUR), 24)
    text = ngettext("%(num)s día", "%(num)s días", days)
    return f"{text} {hours} h" if hours and days < 10 else str(text)


def ago(instant: dt.datetime | None) -> str:
    """How long ago something was."""
    if instant is None:
        return str(gettext("nunca"))
    return str(gettext("hace %(time)s", time=waiting(instant)))


def waiting(instant: dt.datetime) -> str:
    """How long somebody has been waiting, short enough for a list."""
    return duration((utc_now() - instant).total_seconds())


def percent(share: float) -> str:
    """A probability as whole percents; 100 % only when it is certain."""
    return f"{min(int(share * 100 + 0.5), 99) if share < 1 else 100} %"


def file_size(size: int) -> str:
    """Bytes in the unit people read."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def line_name(line: str | None) -> str:
    """The short name of a line, or of none."""
    name = words.UNSORTED_ES if line in (None, UNSORTED) else words.LINES_SHORT_ES.get(str(line), str(line))
    return str(gettext(name))


def topic_name(topic: str | None) -> str:
    """A topic as people read it."""
    return str(gettext(TOPICS_ES.get(topic or "", topic or "")))


def capitalize_first(text: str) -> str:
    """The text with a capital letter in front, and the others as they are."""
    return text[:1].upper() + text[1:]


def answer_html(body: str) -> Markup:
    """An answer's Markdown as HTML. Markup in it is text (T36), so the result is safe to show."""
    return Markup(to_fragment(body))  # noqa: S704 - the renderer escapes whatever is not its own


def init_formats(app: Flask) -> None:
    """Make these known to the pages."""
    for function in (
        lima,
        duration,
        ago,
        waiting,
        percent,
        file_size,
        line_name,
        topic_name,
        capitalize_first,
        answer_html,
    ):
        app.add_template_filter(function)
    app.jinja_env.globals["words"] = words
