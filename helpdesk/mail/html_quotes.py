"""Quotes of HTML mails, carried over into their text: ">" before quoted lines, a rule above Outlook's headers.

In: marking the places in the HTML before it is turned into text, and writing the marks out afterwards. Not in: the
conversion (`html.py`), the fold (`quoting.py`), which then works on text alone. Linear, never raises.
"""

from __future__ import annotations

import re
from itertools import pairwise

from helpdesk.mail.quote_marks import FORWARD_ROOTS

# Noncharacters (Unicode 16, 23.7): no text may hold them, so none is mistaken for a mark.
OPEN, CLOSE, RULE, SIGNATURE = "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"
RULE_LINE = "_" * 32
MAX_QUOTE_DEPTH = 20

_TAG = re.compile(r"<(/?)(blockquote|div|pre|span|table)\b([^<>]{0,2000})>", re.I)
_INDENTED = re.compile(r"border(?:-\w{1,6})?\s?:\s?(?:none|0)")
# Looked for in the attributes in lower case; which program writes them: Outlook, new Outlook, OWA; Yahoo; Gmail,
# Thunderbird, Proton, OWA.
_OUTLOOK = (
    "divrplyfwdmsg",
    "mail-editor-reference-message-container",
    "border-top:solid #e1e1e1",
    "border-top:solid #b5c4df",
)
_OUTLOOK_END = "appendonsend"
_YAHOO = "yahoo_quoted"
_SIGNED = ("gmail_signature", "moz-signature", "protonmail_signature_block-user", 'id="signature"')
_UNSIGNED = ("gmail_signature_prefix", "signature_block-empty")
_AFTER_CLOSE = re.compile(f"{CLOSE}(?=[^\n{CLOSE}])")
_BEFORE_OPEN = re.compile(f"(?<=[^\n {OPEN}]){OPEN}")
_MARKS = re.compile(f"[{OPEN}{CLOSE}{RULE}{SIGNATURE}]")
_ENTITIES = re.compile(r"&#(?:x0*fdd[0-3]|0*6497[6-9]);?", re.I)


def mark_quotes(html: str) -> str:
    """Return the HTML with invisible marks where a quote opens and closes, or Outlook's headers begin."""
    html = _MARKS.sub("", _ENTITIES.sub("", html))
    pieces: list[str] = []
    opened: dict[str, list[bool]] = {"blockquote": [], "div": []}
    last, ruled = 0, False
    for match in _TAG.finditer(html):
        closing, name, attributes = match[1], match[2].lower(), match[3]
        if closing:
            quotes = opened.get(name)
            if quotes and quotes.pop():
                pieces += [html[last : match.start()], CLOSE]
                last = match.start()
            continue
        before, after = _opening_marks(html, match, ruled=ruled)
        ruled = ruled or RULE in before
        if name in opened and not attributes.endswith("/"):
            opened[name].append(after == OPEN)
        if before or after:
            pieces += [html[last : match.start()], before, match[0], after]
            last = match.end()
    return "".join((*pieces, html[last:]))


def _opening_marks(html: str, tag: re.Match[str], *, ruled: bool) -> tuple[str, str]:
    """What to write before and behind an opening tag."""
    name, attributes = tag[2].lower(), tag[3].lower()
    if name == "blockquote":
        # Without border and quotation class it is how editors indent the writer's own words.
        own = _INDENTED.search(attributes) and "cite" not in attributes and "quote" not in attributes
        return "", "" if own else OPEN
    if _holds(attributes, _SIGNED) and not _holds(attributes, _UNSIGNED):
        return "", f"{SIGNATURE}<br>"
    if name != "div":
        return "", ""
    if _YAHOO in attributes:
        beginning = html[tag.end() : tag.end() + 400].lower()
        return "", "" if "--" in beginning and _holds(beginning, FORWARD_ROOTS) else OPEN
    outlook = _holds(attributes, _OUTLOOK) or (not ruled and _OUTLOOK_END in attributes)
    return (f"<div>{RULE}</div>", "") if outlook else ("", "")


def _holds(attributes: str, words: tuple[str, ...]) -> bool:
    return any(word in attributes for word in words)


def write_quotes(text: str) -> str:
    """Return the text with its marks written out as people read them. Source: RFC 3676, 4.5 (">")."""
    if not _MARKS.search(text):
        return text
    depth, written = 0, []
    text = _AFTER_CLOSE.sub(f"{CLOSE}\n", _BEFORE_OPEN.sub(f"\n{OPEN}", text))
    for line in text.split("\n"):
        words = line.lstrip(f" {OPEN}") if OPEN in line else line
        depth += line[: len(line) - len(words)].count(OPEN)
        inside = depth
        depth = max(depth + words.count(OPEN) - words.count(CLOSE), 0)
        words = words.replace(RULE, RULE_LINE).replace(SIGNATURE, "-- ")
        bare = _MARKS.sub("", words)
        if bare.strip() or not _MARKS.search(line):
            prefix = ">" * min(inside, MAX_QUOTE_DEPTH)
            written.append(f"{prefix} {bare}".rstrip() if prefix else bare)
    return "\n".join(_once(written))


def _once(lines: list[str]) -> list[str]:
    """The lines without a rule, or a signature mark, that is followed by the same with only blanks between."""
    words = [index for index, line in enumerate(lines) if line.strip()]
    double = {
        first
        for first, second in pairwise(words)
        if lines[first].rstrip() == lines[second].rstrip() and lines[first].rstrip() in (RULE_LINE, "--")
    }
    return [line for index, line in enumerate(lines) if index not in double]
