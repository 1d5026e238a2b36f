"""From the agent's Markdown to the two forms of a mail, text and HTML, with the same content.

Raw HTML in the Markdown is shown as text, never passed on (T36); no remote image is ever referred to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import escape

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from markdown_it import MarkdownIt

_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body style="margin:0;padding:16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;\
font-size:16px;line-height:1.5;color:#0D1028">
<div style="max-width:640px">
{body}
</div>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One content in two forms."""

    text: str
    html: str


@cache
def _markdown() -> MarkdownIt:
    return (
        MarkdownIt("commonmark", {"html": False, "linkify": True, "breaks": True})
        .enable("linkify")
        .disable("image")
    )


def to_fragment(markdown: str) -> str:
    """Markdown as an HTML fragment that is safe to show."""
    return str(_markdown().render(markdown))


def to_text(markdown: str) -> str:
    """Markdown as plain text: the same words, lists and addresses, without the marks."""
    config = ParserConfig(css=CSS_PROFILES["strict"], display_links=True)
    text = get_text(f"<html><body>{to_fragment(markdown)}</body></html>", config)
    text = re.sub(r"\[([^\]]+)\]\((?:mailto:|https?://)?\1/?\)", r"\1", text)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.splitlines())).strip() + "\n"


def render(markdown: str, *, title: str, language: str = "es-PE") -> Rendered:
    """The mail's text and HTML. `title` is what a mail program may show as the page's name."""
    page = _PAGE.format(language=language, title=escape(title), body=to_fragment(markdown).strip())
    return Rendered(to_text(markdown), page)
