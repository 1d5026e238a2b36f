"""From Markdown to a mail's two forms: nothing that runs or loads, and the same words in both."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html  # type: ignore[import-untyped]  # it carries no types

from templates.answer import AnswerText
from templates.catalogue import read_answers
from templates.placeholders import PLACEHOLDERS, fill, unfilled
from templates.rendering import render, to_fragment, to_text

LEFT_TO_THE_AGENT = {"pais", "consulado"}
ANSWERS = read_answers().answers
HARMLESS_TAGS = set("p br strong em a ul ol li h1 h2 h3 h4 h5 h6 blockquote pre code hr".split())
HARMLESS_ATTRIBUTES = {"href", "title", "start", "class"}
HARMLESS_LINK = re.compile(r"(https?|mailto|tel):", re.IGNORECASE)

MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<b onmouseover=alert(1)>Ana</b>",
    "<svg/onload=alert(1)>",
    "</body></html><script>alert(1)</script>",
    "<!-- nota -->",
    "<style>*{display:none}</style>",
    "<iframe src=//evil.example></iframe>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox)",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:image/svg+xml;base64,PHN2Zz4=)",
    "[x](data:image/png;base64,AAAA)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/relativo)",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "javascript:alert(1)",
    "![foto](http://evil.example/pixel.png)",
    "![foto](data:image/png;base64,AAAA)",
    "![foto][1]\n\n[1]: http://evil.example/pixel.png",
    "[![x](http://evil.example/a.png)](http://evil.example)",
    "[x](http://a.example 'a\" onclick=\"alert(1)')",
    "```<script>\nalert(1)\n```",
    "`<script>alert(1)</script>`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{% raw %}{{ x }}{body}{title}",
]


def elements(fragment: str) -> Iterator[lxml_html.HtmlElement]:
    """Every element that a browser makes of a fragment."""
    yield from lxml_html.fragment_fromstring(fragment, create_parent="div").iterdescendants()


def assert_harmless(fragment: str) -> None:
    for element in elements(fragment):
        assert element.tag in HARMLESS_TAGS
        assert set(element.attrib) <= HARMLESS_ATTRIBUTES
        assert HARMLESS_LINK.match(element.get("href", "https:"))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def words_of_html(page: str) -> list[str]:
    """What a reader of the HTML reads, in order; an item of a numbered list shows its number."""
    root = lxml_html.document_fromstring(page).body
    for numbered in root.iter("ol"):
        for number, item in enumerate(numbered.iterchildren("li"), int(numbered.get("start", 1))):
            item.text = f"{number} {item.text or ''}"
    return words(" ".join(str(piece) for piece in root.itertext()))


def words_of_text(text: str) -> list[str]:
    """What a reader of the text reads, without the addresses that stand behind a link's words."""
    return words(re.sub(r"\]\((?:https?|mailto|tel):[^)\s]*\)", "]", text))


@pytest.mark.parametrize("markdown", MARKUP)
def test_t36_nothing_that_runs_or_loads_gets_through(markdown: str) -> None:
    assert_harmless(to_fragment(markdown))
    assert_harmless(to_fragment(f"- uno\n\n  > **{markdown}** dos"))


@given(
    st.text(
        st.sampled_from("<>[]()!\"'=:/&#;`*_~-\\ \njavscriptdt:hlo1") | st.characters(codec="utf-8"),
        max_size=120,
    )
)
def test_t36_no_markdown_at_all_makes_an_element_that_is_not_on_the_list(markdown: str) -> None:
    assert_harmless(to_fragment(markdown))


@pytest.mark.parametrize("markdown", [item for item in MARKUP if "<" in item and "[" not in item])
def test_markup_is_shown_as_the_text_it_is(markdown: str) -> None:
    assert words_of_html(render(markdown, title="t").html) == words_of_text(to_text(markdown))
    assert "<" in to_text(markdown) or "```" in markdown


def test_an_image_leaves_its_words_and_is_never_fetched() -> None:
    page = render("![foto](http://evil.example/pixel.png)", title="t").html
    assert "<img" not in page
    assert "foto" in page


def test_the_title_is_escaped() -> None:
    page = render("x", title="</title><script>alert(1)</script>").html
    assert "<script" not in page
    assert lxml_html.document_fromstring(page).findtext("head/title") == "</title><script>alert(1)</script>"


def test_the_page_names_its_language_and_loads_nothing() -> None:
    page = render("Hola", title="t", language="qu").html
    assert '<html lang="qu">' in page
    assert not re.search(r"\b(src|background|@import|url\()", page)


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("**Importante**: *lea* `esto`", "Importante: lea esto\n"),
        ("uno\ndos\n\ntres", "uno\ndos\n\ntres\n"),
        ("3. tres\n4. cuatro", " 3. tres\n 4. cuatro\n"),
        ("1. uno\n\nEspere.\n\n2. dos", " 1. uno\n\nEspere.\n\n 2. dos\n"),
        ("[aquí](https://gob.pe/1)", "[aquí](https://gob.pe/1)\n"),
        ("[gob.pe/1](https://gob.pe/1)", "gob.pe/1\n"),
        ("Vea https://www.gob.pe/80268.", "Vea https://www.gob.pe/80268.\n"),
        ("Escriba a ana@example.com", "Escriba a ana@example.com\n"),
        ("S/ 49.90 y 20 % < 30 %", "S/ 49.90 y 20 % < 30 %\n"),
        ("", "\n"),
    ],
)
def test_the_text_reads_as_a_person_would_write_it(markdown: str, text: str) -> None:
    assert to_text(markdown) == text


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.slug)
def test_every_answer_renders_with_only_the_country_and_the_consulate_left_to_the_agent(
    answer: AnswerText,
) -> None:
    facts = {
        name: f"Dato{number}" for number, name in enumerate(PLACEHOLDERS) if name not in LEFT_TO_THE_AGENT
    }
    filled = fill(answer.body, facts)
    assert {hole.strip("{ }") for hole in unfilled(filled)} <= LEFT_TO_THE_AGENT
    rendered = render(filled, title=answer.title)
    assert_harmless(to_fragment(filled))
    assert words_of_html(rendered.html) == words_of_text(rendered.text)
    # Marks that Markdown did not understand would be sent as they stand.
    assert not re.search(r"\*\*|^#|\]\[|<[a-z]", rendered.text, re.MULTILINE)


blocks = st.lists(
    st.sampled_from(
        ["Un párrafo.", "**Dos** palabras", "- a\n- b", "1. a\n2. b", "7. g\n8. h", "> cita", "# Título",
         "[aquí](https://gob.pe)", "ana@example.com", "<b>no</b>", "![x](http://a.pe/x.png)", "S/ 1 &amp; 2", "a\nb"]
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@given(blocks)
def test_text_and_html_hold_the_same_words(parts: list[str]) -> None:
    rendered = render("\n\n".join(parts), title="t")
    assert words_of_html(rendered.html) == words_of_text(rendered.text)


@given(st.text(max_size=200))
def test_any_text_renders_and_ends_in_one_line_end(markdown: str) -> None:
    text = to_text(markdown)
    assert text.endswith("\n")
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    "run", ["[", "![", "([", "[](", "_a", "> ", "- ", "*", "`", "<", "a@", "x.com ", "\\"]
)
def test_a_long_run_of_marks_does_not_hold_the_desk_up(run: str) -> None:
    start = time.monotonic()
    render(run * (50_000 // len(run)), title="t")
    assert time.monotonic() - start < 5


def test_two_answers_rendered_at_once_never_mix() -> None:
    mixed: list[str] = []

    def work(person: str) -> None:
        mixed.extend(text for text in (to_text(person) for _ in range(1_000)) if text != f"{person}\n")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work, args=(f"persona {number}",)) for number in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert mixed == []


@pytest.mark.parametrize(
    "line",
    [
        "[Requisitos]: https://www.gob.pe/migraciones",
        "[1]: <tel:1800> 'Línea'",
        "~~~~ Importante: lea esto ~~~~",
        "``` Requisitos",
    ],
)
def test_no_line_that_an_agent_wrote_vanishes_as_a_definition_or_as_the_name_of_a_language(line: str) -> None:
    rendered = render(f"{line}\n\nAdiós.", title="x")
    for words in re.findall(r"\w+", line):
        assert words in rendered.text
        assert words in rendered.html


@pytest.mark.parametrize("word", [True, False])
def test_the_mail_is_whole_with_and_without_the_parts_for_outlook(word: bool) -> None:
    """Outlook draws with Word, which reads the conditional comments; every other program leaves them out."""
    html = render("Buen día:\n\n- uno\n- dos", title="Respuesta").html
    conditional = re.compile(r"<!--\[if mso\]>(.*?)<!\[endif\]-->", re.S)
    assert len(conditional.findall(html)) == 2
    seen = conditional.sub(r"\1" if word else "", html)
    assert "<!--" not in seen
    assert "<style" not in seen
    assert "<img" not in seen
    for tag in ("table", "tr", "td", "div"):
        assert len(re.findall(rf"<{tag}[ >]", seen)) == seen.count(f"</{tag}>") > 0, tag
    assert seen.count("<table") == (2 if word else 1)
