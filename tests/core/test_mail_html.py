"""HTML of strangers: what stays, what goes, and that cleaning twice changes nothing (T22 to T38)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail import html as mail_html
from helpdesk.mail.html import (
    MAX_HTML_CHARACTERS,
    REMOTE_PICTURE,
    has_remote_pictures,
    html_defect,
    remote_address,
    sanitise,
    sanitise_with_remote,
    shown,
    to_text,
)
from tests.payloads import payloads

INERT = {
    "<script>alert(1)</script>hola": "hola",
    "<svg><animate onbegin=alert(1)></svg>": "",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(1)></math>": "",
    "<style>p{position:fixed}</style><p style='background:url(//e)' class=a id=csrf_token>x</p>": "<p>x</p>",
    "<title>x</title><noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>": "<img>'&gt;",
    "<form action=//e><input name=a>x</form>": "x",
    "<iframe src=//e></iframe>": "",
    "<img src=http://127.0.0.1:5000/x alt=logo>": f'<img src="{REMOTE_PICTURE}" alt="logo">',
    "<img src=//example.net/x.png>": f'<img src="{REMOTE_PICTURE}">',
    "<img src=HtTpS://example.net/x.png>": f'<img src="{REMOTE_PICTURE}">',
    "<img src=foto.png srcset='//example.net/x.png 2x'>": "<img>",
    "<img src='cid:foto'>": '<img src="cid:foto">',
    "<img src='data:image/svg+xml;base64,AAAA'>": "<img>",
    "<img src='data:image/png;base64,AAAA'>": '<img src="data:image/png;base64,AAAA">',
    "<a href='javascript:alert(1)'>x</a>": '<a rel="noopener noreferrer nofollow">x</a>',
    "<a href='data:text/html,x'>x</a>": '<a rel="noopener noreferrer nofollow">x</a>',
    "<a href='//example.net'>x</a>": '<a rel="noopener noreferrer nofollow">x</a>',
    "<table background=//e><tr><td onclick=x()>a": "<table><tbody><tr><td>a</td></tr></tbody></table>",
}
FRAGMENTS = [
    *(
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<div>",
        "</div>",
        "<table>",
        "<td>",
        "<tr>",
        "</table>",
        "<a href=x>",
        "</a>",
    ),
    *(
        "<svg>",
        "<math>",
        "<style>",
        "</style>",
        "<!--",
        "-->",
        "<img src=cid:a>",
        "<li>",
        "<ul>",
        "&amp;",
        "&lt;",
    ),
    *(
        "<pre>\n",
        "<mtext>",
        "<title>",
        "<noscript>",
        "<font>",
        "<p title='</p>'>",
        "texto",
        "<",
        ">",
        '"',
        "'",
    ),
]


@pytest.mark.parametrize("html", INERT)
def test_what_runs_fetches_or_collects_is_removed(html: str) -> None:
    assert sanitise(html) == INERT[html]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_cleaning_twice_changes_nothing(html: str) -> None:
    assert sanitise(sanitise(html)) == sanitise(html)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
def test_html_to_text_never_raises(html: str) -> None:
    assert isinstance(to_text(html), str)


def test_sloppy_but_ordinary_html_is_within_the_limits() -> None:
    newsletter = "<p>uno<br><li>dos" * 500 + "<table><tr><td>x</table>" * 500
    assert html_defect(newsletter) is None
    assert sanitise(newsletter) != ""


def test_beyond_the_limits_only_the_words_are_left() -> None:
    html = "<div>" * 300 + "<style>p{}</style><p>Hola<br>se&ntilde;ora</p><!-- no -->"
    assert sanitise(html) == ""
    assert to_text(html).split() == ["Hola", "señora"]


@pytest.mark.parametrize(
    "level",
    ["<q><xmp></q></xmp>", "<div title='</div>'>", "<q a=</q>", "<q><!--</q>-->", "<q><title></q></title>"],
)
def test_T24_what_only_seems_to_be_closed_is_beyond_the_limits(level: str) -> None:
    assert html_defect(level * (MAX_HTML_CHARACTERS // len(level))) == "html-too-large"
    assert html_defect("<div><b>hola</b></div>" * 5_000) is None


def test_tables_and_lists_stay_readable_as_text() -> None:
    assert to_text("<table><tr><td>RUC<td>20100</table><ul><li>uno<li>dos</ul>").split() == [
        "RUC",
        "20100",
        "*",
        "uno",
        "*",
        "dos",
    ]


OWN = "data:image/webp;base64,UklGRg=="


def test_T32_cleaning_twice_changes_nothing_for_twenty_thousand_mixtures() -> None:
    chance = random.Random(32)
    pieces = [*FRAGMENTS, *(payload.html for payload in payloads(9))]
    for _ in range(20_000):
        once = sanitise("".join(chance.choices(pieces, k=chance.randint(1, 8))))
        assert sanitise(once) == once
        inside = shown(once, {"a": OWN})
        assert shown(inside.replace(OWN, "cid:a"), {"a": OWN}) == inside


def test_T32_what_is_shown_differs_from_what_is_stored_in_the_pictures_only() -> None:
    stored = sanitise(
        '<p title="cid:a">cid:a</p><img src=cid:a alt="<b>"><a href="cid:a">x</a><img src=cid:b>'
    )
    assert shown(stored, {"a": OWN}) == stored.replace('src="cid:a"', f'src="{OWN}"').replace(
        ' src="cid:b"', ""
    )


def test_a_picture_is_found_by_its_id_as_addresses_write_it() -> None:
    assert OWN in shown(sanitise('<img src="CID:foto%201%40a">'), {"foto 1@a": OWN})


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(
    "source",
    ["data:image/png;base64,AAAA", OWN, "http://example.net/x", "cid:x", REMOTE_PICTURE, "x.png", ""],
)
def test_T42_nothing_but_our_own_encoding_is_shown(source: str, remote: bool) -> None:
    assert "src" not in shown(f'<img src="{source}">', {}, remote=remote)


def test_T45_a_picture_that_is_named_ten_thousand_times_is_not_sent_as_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail_html, "MAX_PICTURE_CHARACTERS", 10 * len(OWN))
    assert shown("<img src=cid:a>" * 10_000, {"a": OWN}).count(OWN) == 10


def test_T24_beyond_the_limits_nothing_is_shown() -> None:
    assert shown("<div>" * 300 + "x", {}) == ""


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("https://fotos.example.com/a.png?b=1", "https://fotos.example.com/a.png?b=1"),
        ("HTTPS://Fotos.Example.com/a.png", "https://Fotos.Example.com/a.png"),
        ("//fotos.example.com/a.png", "https://fotos.example.com/a.png"),
        ("https://fotos.example.com:443/a.png", "https://fotos.example.com:443/a.png"),
        ("http://fotos.example.com/a.png", None),
        ("https://fotos.example.com:8443/a.png", None),
        ("https://ana:clave@fotos.example.com/a.png", None),
        ("https://localhost/a.png", None),
        ("https://intranet/a.png", None),
        ("https://impresora.local/a.png", None),
        ("https://impresora.local./a.png", None),
        ("https://127.0.0.1/a.png", None),
        ("https://10.1/a.png", None),
        ("https://0x7f.0.0.0x1/a.png", None),
        ("https://2130706433/a.png", None),
        ("https://[::1]/a.png", None),
        ("https://[::ffff:10.0.0.1]/a.png", None),
        ("https://\uff11\uff10.0.0.1/a.png", None),
        ("https://10.0.0.1\\.example.com/a.png", None),
        ("https://10.0.0.1%2eexample.com/a.png", None),
        ("https://10.0.0.1#.example.com", None),
        ("https:\\\\fotos.example.com\\a.png", None),
        ("javascript:alert(1)//fotos.example.com", None),
        ("data:image/png;base64,AAAA", None),
        ("foto.png", None),
        ("https://[", None),
        ("https://fotos.example.com:x/", None),
        ("", None),
    ],
)
def test_T35_a_browser_is_sent_to_public_names_over_https_only(source: str, address: str | None) -> None:
    assert remote_address(source) == address


def test_T35_the_addresses_of_remote_pictures_are_read_for_one_look_and_never_stored() -> None:
    html = '<img src="https://fotos.example.com/a.png?a=1&amp;b=2" onload=x()><img src="http://10.0.0.1/x">'
    assert "example.com" not in sanitise(html)
    assert has_remote_pictures(sanitise(html))
    assert not has_remote_pictures(sanitise("<p>https://example.com<img src=cid:a>"))
    looked = shown(sanitise_with_remote(html), {}, remote=True)
    assert looked == '<img src="https://fotos.example.com/a.png?a=1&amp;b=2"><img>'
