"""HTML of strangers: made harmless to look at, and turned into text. Both under limits of size and nesting.

In: the allow-list of tags and attributes, the check before nh3, HTML to text. Not in: showing it (a sandboxed
frame with its own policy is the second wall). Nothing may change the HTML after `sanitise`.
"""

from __future__ import annotations

import html as entities
import re
from collections import Counter

import nh3

MAX_HTML_CHARACTERS = 1_000_000
MAX_NESTING = 200
MAX_TAGS = 40_000  # of one mail, for the conversion to text, which takes about 20 µs a tag
# Formatting tags are re-opened by HTML 5 parsers in every new block, so that output can grow by their
# product.
MAX_REOPENED_TAGS = 1_000_000
MAX_ROUNDS = 4


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words(
    "a abbr b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl "
    "dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s "
    "samp small span strike strong sub summary sup table tbody td tfoot th thead tr tt u ul var wbr"
)
_DROPPED_WITH_CONTENT = _words(
    "script style title svg math noscript iframe object template textarea select xmp noembed noframes"
)
_ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "table": {"border", "cellpadding", "cellspacing", "width", "align", "bgcolor"},
    "td": {"colspan", "rowspan", "align", "valign", "width", "bgcolor"},
    "th": {"colspan", "rowspan", "align", "valign", "width", "bgcolor", "scope"},
    "tr": {"align", "valign", "bgcolor"},
    "col": {"span", "width"},
    "ol": {"start", "type"},
    "font": {"color", "size"},
    "p": {"align"},
    "div": {"align"},
}
_LINK = re.compile(r"(?:https?:|mailto:|cid:)", re.I)
_IMAGE = re.compile(r"cid:|data:image/(?:png|jpeg|gif);base64,", re.I)

_MARKUP = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,30})")
_IMPLIED_END = _words("p li td th tr dt dd thead tbody tfoot option")
_VOID = _words("area base br col embed hr img input link meta source track wbr")
_FORMATTING = _words("a b big code em font i nobr s small strike strong tt u")
_FOREIGN = re.compile(r"<(?:svg|math)", re.I)
_HIDDEN = re.compile(r"<(script|style|title|head)\b", re.I)
_LINE_TAG = re.compile(r"/?(?:p|br|div|tr|li|h[1-6]|table|blockquote|ul|ol|hr)\b", re.I)
_BLANK_LINES = re.compile(r"\n[ \t\n]*\n")


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    """Links lead out, images are inside the mail: a remote image would tell its owner who reads (T35)."""
    if name == "src":
        return value if _IMAGE.match(value) else None
    if name == "href":
        return value if _LINK.match(value) else None
    return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_DROPPED_WITH_CONTENT,
    attributes=_ATTRIBUTES,
    attribute_filter=_keep_attribute,
    url_schemes={"http", "https", "mailto", "cid", "data"},
    link_rel="noopener noreferrer nofollow",
)


def html_defect(html: str) -> str | None:
    """Return why this HTML is not shown ("html-too-large", "html-too-deep"), or None.

    Linear in its length.
    """
    if len(html) > MAX_HTML_CHARACTERS:
        return "html-too-large"
    # Inside SVG and MathML no tag closes by itself, so all of them count there.
    uncounted = frozenset() if _FOREIGN.search(html) else _IMPLIED_END | _VOID
    open_tags: Counter[str] = Counter()
    depth = formatting = reopened = 0
    for closing, name in _MARKUP.findall(html):
        tag = name.lower()
        reopened += formatting
        if reopened > MAX_REOPENED_TAGS:
            return "html-too-deep"
        if tag in uncounted:
            continue
        if not closing:
            open_tags[tag] += 1
        elif open_tags[tag]:
            open_tags[tag] -= 1
        else:
            continue
        step = -1 if closing else 1
        depth += step
        formatting += step * (tag in _FORMATTING)
        if depth > MAX_NESTING:
            return "html-too-deep"
    return None


def sanitise(html: str) -> str:
    """Return the HTML with nothing that runs, fetches, overlays or collects; "" when it is beyond the limits.

    `sanitise(sanitise(x)) == sanitise(x)`: a result that a second pass would change is cleaned again, and
    given up after four passes. Source: OWASP ASVS 5.0, 1.3.1.
    """
    for _ in range(MAX_ROUNDS):
        if html_defect(html):
            return ""
        cleaned = _CLEANER.clean(html).strip()
        if cleaned == html:
            return cleaned
        html = cleaned
    return ""


def to_text(html: str) -> str:
    """Return the words of the HTML in reading order, with tables and lists.

    Never raises; linear beyond the limits.
    """
    if html.count("<") <= MAX_TAGS and html_defect(html) is None:
        # Imported here: most mails bring their own plain text, and lxml is slow to load.
        from inscriptis import get_text

        try:
            return _tidy(get_text(html))
        except MemoryError:
            raise
        except Exception:
            # Whatever its two libraries stumble over, the plain way keeps the words.
            return strip_tags(html)
    return strip_tags(html)


def _tidy(text: str) -> str:
    lines = (line.rstrip() for line in text.replace("\u00a0", " ").splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def strip_tags(html: str) -> str:
    """Return the words outside angle brackets, scripts and styles; one pass that never raises."""
    out: list[str] = []
    position = 0
    while (opening := html.find("<", position)) >= 0:
        out.append(html[position:opening])
        hidden = _HIDDEN.match(html, opening)
        ending = f"</{hidden[1]}" if hidden else "-->" if html.startswith("<!--", opening) else ">"
        end = html.find(ending, opening)
        if end < 0:
            position = len(html)
            break
        position = end + len(ending)
        if hidden:
            position = html.find(">", position) + 1 or len(html)
        elif _LINE_TAG.match(html, opening + 1):
            out.append("\n")
    out.append(html[position:])
    return _tidy(entities.unescape("".join(out)))
