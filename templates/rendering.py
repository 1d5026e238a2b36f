"""From the agent's Markdown to the two forms of a mail, text and HTML, with the same content.

Raw HTML in the Markdown is shown as text, never passed on (T36); no remote image is ever referred to.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from inscriptis.model.tag import CustomHtmlTagHandlerMapping
from markdown_it import MarkdownIt

# A table around the text, because Outlook draws with Word: it knows neither the width of a block nor the fonts of the
# body, and takes its measure from the table that only it sees. No picture, no style sheet: nothing to load or to block.
_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body style="margin:0;padding:0">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>
<td style="padding:16px;font-family:'Segoe UI',Roboto,Helvetica,Arial,sans-serif;\
font-size:16px;line-height:1.5;color:#0D1028">
<!--[if mso]><table role="presentation" width="640"><tr><td style="font-family:Arial,sans-serif"><![endif]-->
<div style="max-width:640px">
{body}
</div>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr></table>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One content in two forms."""

    text: str
    html: str


# A link that shows its own address is written once in the text. Without brackets inside, so that a long run of
# them costs no more than its length.
_SHOWN_TWICE = re.compile(r"\[([^\[\]]+)\]\((?:mailto:|https?://)?\1/?\)")
_SCHEMES = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)


class _Markdown(MarkdownIt):
    """CommonMark whose links lead to pages, addresses and telephones; any other link stays as it was typed.

    Without link definitions and fenced code: of "[Requisitos]: https://…" or "~~~ Importante ~~~" no word would be
    left in the mail.
    """

    def validateLink(self, url: str) -> bool:
        return bool(_SCHEMES.match(url))


@cache
def _markdown() -> MarkdownIt:
    return (
        _Markdown("commonmark", {"html": False, "linkify": True, "breaks": True})
        .enable("linkify")
        .disable(["image", "reference", "fence"])
    )


def to_fragment(markdown: str) -> str:
    """Markdown as an HTML fragment that is safe to show."""
    return str(_markdown().render(markdown))


def to_text(markdown: str) -> str:
    """Markdown as plain text: the same words, lists and addresses, without the marks."""
    text = get_text(f"<html><body>{to_fragment(markdown)}</body></html>", _text_config())
    text = _SHOWN_TWICE.sub(r"\1", text)
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"


def _text_config() -> ParserConfig:
    """What `get_text` needs, for one call only: it writes into the style of `body`, which threads must not share."""
    css = {tag: copy(style) for tag, style in CSS_PROFILES["strict"].items()}
    handlers = CustomHtmlTagHandlerMapping(start_tag_mapping={"ol": _start_list}, end_tag_mapping={})
    return ParserConfig(css=css, display_links=True, custom_html_tag_handler_mapping=handlers)


def _start_list(state: Any, attributes: dict[str, str]) -> None:
    """Count a list from the number it starts with; the library always counts from 1."""
    state.li_counter.append(int(attributes.get("start", 1)))


def render(markdown: str, *, title: str, language: str = "es-PE") -> Rendered:
    """The mail's text and HTML. `title` is what a mail program may show as the page's name."""
    page = _PAGE.format(language=language, title=escape(title), body=to_fragment(markdown).strip())
    return Rendered(to_text(markdown), page)
