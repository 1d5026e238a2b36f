"""Mail made to run script, fetch or deceive, shown by the real pages in a real browser (T29 to T38, G12).

A thousand and more payloads, each in four places: the body, the subject, the sender's name and a file's name.
They go through the real parser and filing. What counts: no dialog, no script, no request to anywhere else, no
complaint about our own policy. A last test shows that the same payloads do all of that where nothing holds them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from email.header import Header
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Request, expect
from sqlalchemy import select, text

from helpdesk.accounts.users import User
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import Ticket
from helpdesk.mail.html import sanitise, shown
from tests.chromium import running_browser
from tests.desk import Desk
from tests.edges.test_browser import sign_in
from tests.hostile_files import hostile_files
from tests.mails import mail
from tests.payloads import payloads
from tests.watched_browser import Sink, Watched, listening, show_bare, watch
from tests.web.test_files import hostile_mail as files_mail

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright leaves its own pipes to the collector
]

PER_TICKET = 40
# What of a parsed page could run, fetch or lead astray; everything else in it is words.
BAD_TAGS = (
    "script|svg|math|style|link|meta|base|iframe|frame|object|embed|form|input|button|select|textarea|video|"
    "audio|source|track|picture|template|dialog|portal|slot|applet|bgsound|marquee"
)
BAD_ATTRIBUTES = "on.*|style|id|class|name|srcset|background|ping|form.*|data-.*|hx-.*|is|slot|xlink:.*"
AUDIT = f"""() => [...document.body.querySelectorAll("*")].flatMap((node) => [
  ...(/^({BAD_TAGS})$/i.test(node.localName) ? [node.localName] : []),
  ...[...node.attributes].filter((a) => /^({BAD_ATTRIBUTES})$/i.test(a.name)
    || (a.name === "href" && !/^(https?:|mailto:|cid:)/i.test(a.value))
    || (a.name === "src" && !/^data:image\\/webp;base64,/.test(a.value))
  ).map((a) => node.localName + " " + a.name + "=" + a.value),
])"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server that is not ours."""
    with listening() as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


def hostile_mail(number: int, payload: str) -> bytes:
    """A mail with the payload in all four places, and in some that are not shown."""
    word = Header(payload.replace("\n", " ").replace("\x00", ""), "utf-8", maxlinelen=70).encode()
    name = quote(payload.replace("\x00", ""), safe="")
    body = base64.encodebytes(f"<p>Hola {number}</p>{payload}".encode()).decode()
    lines = (
        f"From: {word} <ataque{number}@example.com>",
        "To: consultas@infomigra.example.com",
        f"Subject: {word}",
        f"Message-ID: <ataque.{number}@example.com>",
        "Date: Fri, 20 Nov 2026 10:00:00 -0500",
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=limite",
        "",
        "--limite",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        body,
        "--limite",
        f"Content-Type: application/pdf; name*=utf-8''{name}",
        f"Content-Disposition: attachment; filename*=utf-8''{name}",
        f"Content-ID: <{name}>",
        f"Content-Location: {name}",
        "",
        "%PDF-1.4 archivo",
        "--limite--",
        "",
    )
    return "\r\n".join(lines).encode()


@pytest.mark.timeout(900)
def test_G12_every_third_payload_in_four_places_run_fetch_and_break_nothing(
    browser: Browser, desk: Desk, pages: str, sink: Sink, ana: User
) -> None:
    attacks = payloads(sink.port)[::3]
    assert len(attacks) >= 450
    assert desk.file(*(hostile_mail(n, attack.html) for n, attack in enumerate(attacks))).filed == len(
        attacks
    )
    watched = watch(browser, pages)
    sign_in(watched.page, ana)
    look_through_the_queue(watched.page, len(attacks))
    gather(desk, PER_TICKET)
    audited = sum(look_at_ticket(watched, number) for number in ticket_numbers(desk))
    watched.context.close()
    assert audited >= 0.9 * len(attacks)
    assert watched.nothing_happened(), watched
    assert sink.asked == []


def look_through_the_queue(page: Page, count: int) -> None:
    """Every page of the list: subjects, names and first words."""
    seen = 0
    page.goto("/bandeja")
    while True:
        seen += page.locator(".ticket-row").count()
        assert "PAYLOAD" not in page.title()
        following = page.locator(".pages a[rel=next]")
        if following.count() == 0:
            break
        page.goto(str(following.get_attribute("href")))
    assert seen == count


def gather(desk: Desk, size: int) -> None:
    """Put the messages of many tickets into one, so that one page shows them."""
    with desk.sessions.begin() as session:
        session.execute(
            text(
                "update message set ticket_id = first.id from (select min(id) as id, (id / :size) as part"
                " from ticket group by id / :size) first where message.ticket_id / :size = first.part"
            ),
            {"size": size},
        )


def ticket_numbers(desk: Desk) -> list[str]:
    """The tickets that hold messages."""
    with desk.sessions() as session:
        query = select(Ticket.number).where(Ticket.id.in_(select(Message.ticket_id))).order_by(Ticket.id)
        return list(session.scalars(query))


def look_at_ticket(watched: Watched, number: str) -> int:
    """Open a ticket and every mail of it with its own format; return how many of these were looked through."""
    page = watched.page
    page.goto(f"/atenciones/{number}")
    page.evaluate(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; });"
        "document.querySelectorAll('iframe').forEach((f) => { f.loading = 'eager'; });"
    )
    frames = page.frames[1:]
    for frame in frames:
        frame.wait_for_url("**/formato", wait_until="load")
        assert frame.evaluate(AUDIT) == []
    assert page.evaluate("[...document.scripts].every((s) => s.src.startsWith(location.origin))")
    return len(frames)


def test_G12_the_same_payloads_run_and_fetch_where_nothing_holds_them(browser: Browser, sink: Sink) -> None:
    """Shows that the test above can fail: of these payloads, many work in this very browser."""
    attacks = payloads(sink.port)[::3]
    ran, _ = show_bare(browser, [attack.html for attack in attacks])
    numbers = {int(url.rpartition("/")[2]) for url in ran if "/document/" in url}
    families = {attacks[number].family for number in numbers}
    assert len(numbers) >= 90
    assert families >= {"script", "handler", "address", "drawing", "mutation", "broken", "polyglot"}
    assert len(sink.asked) >= 30


def test_L04_the_sanitiser_holds_all_payloads_without_any_policy(browser: Browser, sink: Sink) -> None:
    """The first wall by itself: what is shown in the cage does nothing even outside of it (every third payload)."""
    attacks = payloads(sink.port)[::3]
    safe = [f"<!doctype html><body>{shown(sanitise(attack.html), {}, remote=True)}" for attack in attacks]
    ran, watched = show_bare(browser, safe)
    assert ran == set()
    assert watched.nothing_happened(), watched
    assert sink.asked == []


def test_T42_no_hostile_file_is_shown_by_a_browser(
    browser: Browser, desk: Desk, pages: str, ana: User
) -> None:
    files = hostile_files()
    desk.file(*(files_mail(files[at : at + 20]) for at in range(0, len(files), 20)))
    watched = watch(browser, pages)
    page = watched.page
    sign_in(page, ana)
    for number in range(1, len(files) + 1):
        with page.expect_download() as arriving:
            page.evaluate("(address) => { location.href = address; }", f"/adjuntos/{number}")
        arriving.value.cancel()
    assert page.url.endswith("/bandeja")
    watched.context.close()
    assert watched.nothing_happened(), watched


@pytest.mark.parametrize("width", [360, 1280])
def test_T35_remote_pictures_are_fetched_after_a_click_and_without_a_referrer(
    browser: Browser, desk: Desk, pages: str, ana: User, width: int
) -> None:
    desk.file(
        mail(
            "Hola",
            subject="Con fotos",
            html=f'<p>{"Hola " * 200}</p><img src="https://fotos.example.com/a.png" width=1500>',
        )
    )
    watched = watch(browser, pages)
    watched.page.set_viewport_size({"width": width, "height": 740})
    fetched: list[Request] = []
    watched.context.route(
        "https://fotos.example.com/**", lambda route: (fetched.append(route.request), route.abort())
    )
    sign_in(watched.page, ana)
    page = watched.page
    page.get_by_role("link", name="Con fotos").click()
    page.get_by_text("Ver con su formato").click()
    cage = page.frame_locator(".message iframe")
    expect(cage.get_by_text("Hola Hola").first).to_be_visible()
    assert fetched == []
    # Playwright hands requests over only while it is waited for, not while a test sleeps.
    with page.expect_request("https://fotos.example.com/**"):
        page.get_by_role("button", name="Mostrar imágenes remotas").click()
    expect(cage.locator("img[src^='https://fotos.example.com/']")).to_have_count(1)
    assert "referer" not in fetched[0].all_headers()
    assert cage.locator("body").evaluate(
        "(body) => body.scrollWidth <= body.ownerDocument.defaultView.innerWidth"
    )
    box = page.locator(".message iframe").bounding_box()
    assert box is not None
    assert box["width"] >= min(width, 700) * 0.7
    assert box["height"] >= 250
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.reload()
    assert len(fetched) == 1
    assert watched.dialogs == []
    watched.context.close()
