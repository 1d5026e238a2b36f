"""HTML of strangers: what stays, what goes, and that cleaning twice changes nothing (T22 to T38)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail.html import html_defect, sanitise, to_text

INERT = {
    "<script>alert(1)</script>hola": "hola",
    "<svg><animate onbegin=alert(1)></svg>": "",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(1)></math>": "",
    "<style>p{position:fixed}</style><p style='background:url(//e)' class=a id=csrf_token>x</p>": "<p>x</p>",
    "<title>x</title><noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>": "<img>'&gt;",
    "<form action=//e><input name=a>x</form>": "x",
    "<iframe src=//e></iframe>": "",
    "<img src=http://127.0.0.1:5000/x alt=logo>": '<img alt="logo">',
    "<img src=//example.net/x.png>": "<img>",
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


def test_tables_and_lists_stay_readable_as_text() -> None:
    assert to_text("<table><tr><td>RUC<td>20100</table><ul><li>uno<li>dos</ul>").split() == [
        "RUC",
        "20100",
        "*",
        "uno",
        "*",
        "dos",
    ]
