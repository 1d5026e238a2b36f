"""HTML of strangers: made harmless to look at, and turned into text. Both under limits of size and nesting.

In: the allow-list of tags and attributes, the check before nh3, the pictures that may be shown, HTML to text.
Not in: the page that shows it (a sandboxed frame with its own policy is the second wall). Nothing may change
the HTML after nh3: what is shown differs from what is stored only in the `src` of pictures, and these are put
in by nh3's own pass (T32).
"""

from __future__ import annotations

import html as entities
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

import nh3

from helpdesk.mail.html_quotes import mark_quotes, write_quotes

MAX_HTML_CHARACTERS = 1_000_000
MAX_NESTING = 200
MAX_TAGS = 40_000  # of one mail, for the conversion to text, which takes about 20 µs a tag
# No mail can nest deeper than it opens tags, whatever hides from the count below what is truly closed ("</div>" in
# a comment or in an attribute's value); nh3 takes a time that grows with the square of the depth, 1 s for this.
MAX_OPENED_TAGS = 20_000
# Formatting tags are re-opened by HTML 5 parsers in every new block, so that output can grow by their
# product.
MAX_REOPENED_TAGS = 1_000_000
MAX_ROUNDS = 4
MAX_ENTITIES = 100_000  # nh3 takes a time that grows with the square of their number
# Of pictures within one shown mail: a mail may name the same picture ten thousand times.
MAX_PICTURE_CHARACTERS = 12_000_000

# Stands where a mail had a picture from elsewhere. The address itself is not kept: it is read from the original
# mail again when an agent asks for it. The domain can be nobody's (RFC 2606, 2).
REMOTE_PICTURE = "cid:remote-picture@infomigra.invalid"


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
_REMOTE = re.compile(r"(?:https?:)?//", re.I)
_PUBLIC_NAME = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,20}")
_PRIVATE_NAMES = (".local", ".localhost", ".internal", ".lan", ".invalid", ".arpa")

_MARKUP = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,30})")
_IMPLIED_END = _words("p li td th tr dt dd thead tbody tfoot option")
_VOID = _words("area base br col embed hr img input link meta source track wbr")
_FORMATTING = _words("a b big code em font i nobr s small strike strong tt u")
_FOREIGN = re.compile(r"<(?:svg|math)", re.I)
_HIDDEN = re.compile(r"<(script|style|title|head)\b", re.I)
_LINE_TAG = re.compile(r"/?(?:p|br|div|tr|li|h[1-6]|table|blockquote|ul|ol|hr)\b", re.I)
_BLANK_LINES = re.compile(r"\n[ \t\n]*\n")

Picture = Callable[[str], str | None]


def _cleaner(picture: Picture) -> nh3.Cleaner:
    """nh3 with our lists; `picture` decides what stands in the `src` of an image. It must never raise:
    nh3 keeps the value for which it did."""

    def keep(tag: str, name: str, value: str) -> str | None:
        if name == "src":
            return picture(value)
        if name == "href":
            return value if _LINK.match(value) else None
        return value

    return nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto", "cid", "data"},
        link_rel="noopener noreferrer nofollow",
    )


def _stored_picture(source: str) -> str | None:
    """Images are inside the mail; a remote one would tell its owner who reads (T35), and leaves a mark only."""
    if _REMOTE.match(source.strip()):
        return REMOTE_PICTURE
    return source if _IMAGE.match(source) else None


def _stored_or_remote(source: str) -> str | None:
    return remote_address(source) or _stored_picture(source)


_STORED = _cleaner(_stored_picture)
_WITH_REMOTE = _cleaner(_stored_or_remote)


def html_defect(html: str) -> str | None:
    """Return why this HTML is not shown ("html-too-large", "html-too-deep"), or None.

    Linear in its length.
    """
    if len(html) > MAX_HTML_CHARACTERS or html.count("&") > MAX_ENTITIES:
        return "html-too-large"
    # Inside SVG and MathML no tag closes by itself, so all of them count there.
    uncounted = frozenset() if _FOREIGN.search(html) else _IMPLIED_END | _VOID
    open_tags: Counter[str] = Counter()
    depth = formatting = reopened = opened = 0
    for closing, name in _MARKUP.findall(html):
        tag = name.lower()
        reopened += formatting
        if reopened > MAX_REOPENED_TAGS:
            return "html-too-deep"
        if tag in uncounted:
            continue
        if not closing:
            opened += 1
            if opened > MAX_OPENED_TAGS:
                return "html-too-large"
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
    return _settled(html, _STORED)


def sanitise_with_remote(html: str) -> str:
    """The same, with the addresses of remote pictures: for one look at a mail, never to be stored."""
    return _settled(html, _WITH_REMOTE)


def _settled(html: str, cleaner: nh3.Cleaner) -> str:
    for _ in range(MAX_ROUNDS):
        if html_defect(html):
            return ""
        cleaned = cleaner.clean(html).strip()
        if cleaned == html:
            return cleaned
        html = cleaned
    return ""


def has_remote_pictures(html: str) -> bool:
    """Whether the sanitised HTML had pictures from elsewhere."""
    return REMOTE_PICTURE in html


def remote_address(source: str) -> str | None:
    """The address of a remote picture that a browser may be sent to, or None.

    https, a public name, no port, no user: the picture is asked for from inside our network, and must not be
    a way to reach what is in it (T35).
    """
    try:
        parts = urlsplit(source.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "") or port not in (None, 443) or "@" in parts.netloc:
        return None
    # Letters that browsers and we could read differently ("\\", "%2e", full-width digits) make no public name.
    if not _PUBLIC_NAME.fullmatch(host) or host.endswith(_PRIVATE_NAMES) or _is_number(host):
        return None
    return parts._replace(scheme="https").geturl()


def _is_number(host: str) -> bool:
    """Whether a host is an IP address, in any of the forms that browsers take for one (WHATWG URL, 3.5)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        return last.isdigit() or last.startswith("0x")
    return True


def shown(html: str, pictures: Mapping[str, str], *, remote: bool = False) -> str:
    """The HTML as the frame shows it: cleaned once more, and `cid:` replaced within that very pass.

    `pictures` are data: addresses by Content-ID (RFC 2392), made from our own previews. Whatever else stands
    in a `src` goes, a picture that the mail itself encoded as text too; https stays only with `remote`.
    """
    left = MAX_PICTURE_CHARACTERS

    def picture(source: str) -> str | None:
        nonlocal left
        if remote and not source.lower().startswith("cid:"):
            return remote_address(source)
        data = pictures.get(unquote(source[4:])) if source.lower().startswith("cid:") else None
        left -= len(data or "")
        return data if left >= 0 else None

    return "" if html_defect(html) else _cleaner(picture).clean(html)


def to_text(html: str) -> str:
    """Return the words of the HTML in reading order, with tables and lists.

    Never raises; linear beyond the limits.
    """
    if html.count("<") <= MAX_TAGS and html_defect(html) is None:
        # Imported here: most mails bring their own plain text, and lxml is slow to load.
        from inscriptis import get_text
        from inscriptis.css_profiles import CSS_PROFILES
        from inscriptis.model.config import ParserConfig

        try:
            # The strict profile neither indents every <div> nor puts blanks around every <span>.
            words = get_text(mark_quotes(html), ParserConfig(css=CSS_PROFILES["strict"]))
            return _tidy(write_quotes(_tidy(words)))
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
