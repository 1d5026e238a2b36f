"""The main job from end to end in a real browser: mail in, sorted, answered by keys, mail out, the reply joins."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from helpdesk.accounts.users import User
from helpdesk.cli.conversation import LETTERS, citizen_mail
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.sorting import change_line
from helpdesk.desk.ticket import Ticket
from helpdesk.settings import Settings
from tests.core.test_models import small_model
from tests.desk import Desk
from tests.dovecot import Dovecot
from tests.edges.browsing import BROWSER, SIZES, assert_fits, photograph, sign_in
from tests.edges.conftest import process, wait_for
from tests.mails import mail
from tests.smtp_sink import Sink
from tests.web.test_sorter_page import lessons, register, set_prediction

pytestmark = BROWSER


@pytest.mark.needs("dovecot")
def test_a_mail_is_answered_with_a_suggestion_and_the_reply_joins_the_ticket(
    page: Page,
    desk: Desk,
    mailbox: Mailbox,
    imap_server: Dovecot,
    user: str,
    settings: Settings,
    smtp_sink: Sink,
    ana: User,
) -> None:
    imap_server.deliver(user, mail(subject="Mi regreso al Perú", message_id="<pregunta@example.com>"))
    with process(["-m", "scheduler"], settings):
        wait_for(lambda: smtp_sink.mails)
        sign_in(page, ana)
        page.get_by_role("link", name="Mi regreso al Perú").click()
        expect(page.get_by_role("heading", name="Mi regreso al Perú")).to_be_visible()

        page.locator("[data-answer]").first.click()
        composer = page.get_by_label("Texto de la respuesta")
        expect(composer).to_have_value(starts_with("Estimado/a Rosario Mamani:"))
        composer.press("Control+Home")
        composer.press_sequentially("Gracias por escribir. ")
        page.get_by_role("button", name="Enviar", exact=True).click()
        expect(page.get_by_text("Respuesta en camino.")).to_be_visible()

        (reply,) = wait_for(lambda: [m for m in smtp_sink.mails if m["Auto-Submitted"] is None])
        assert reply["To"].addresses[0].addr_spec == "rosario@example.com"
        assert reply["In-Reply-To"] == "<pregunta@example.com>"
        assert (
            reply.get_body(("plain",))
            .get_content()
            .startswith("Gracias por escribir. Estimado/a Rosario Mamani:")
        )
        assert reply.get_body(("html",)) is not None
        assert reply.defects == []

        imap_server.deliver(user, mail("Muchas gracias, me quedó claro.", reply_to_id=reply["Message-ID"]))
        wait_for(lambda: len(desk.tickets()[0].messages) == 3)
        page.reload()
        expect(page.get_by_text("Muchas gracias, me quedó claro.")).to_be_visible()
    assert len(desk.tickets()) == 1
    assert len([m for m in smtp_sink.mails if m["Auto-Submitted"] is None]) == 1


def starts_with(text: str) -> re.Pattern[str]:
    """A pattern for a value that begins with `text`."""
    return re.compile("^" + re.escape(text))


def test_the_next_mail_is_answered_in_three_keystrokes(page: Page, desk: Desk, ana: User) -> None:
    desk.file(mail(subject="Tarjeta del migrante retornado"))
    sign_in(page, ana)
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name="Tarjeta del migrante retornado")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_label("Texto de la respuesta")).to_have_value(starts_with("Estimado/a Rosario"))
    page.keyboard.press("Control+Shift+Enter")
    expect(page.get_by_text("Respuesta en camino.")).to_be_visible()
    assert desk.tickets()[0].status == TicketStatus.CLOSED


def test_keys_move_in_the_list_and_do_nothing_while_typing(page: Page, desk: Desk, ana: User) -> None:
    desk.file(mail(subject="Primera"), mail(subject="Segunda", sender="b@example.com"))
    sign_in(page, ana)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".ticket-row.selected")).to_contain_text("Segunda")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Primera")).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.type("uejz1")
    expect(page.get_by_label("Texto de la respuesta")).to_have_value("uejz1")
    page.get_by_label("Texto de la respuesta").press("Escape")
    page.locator("body").click(position={"x": 5, "y": 5})
    page.keyboard.press("n")
    expect(page.get_by_label("Solo la ven quienes trabajan aquí.")).to_be_focused()


def test_one_key_confirms_the_line_and_in_doubt_two_keys_choose(page: Page, desk: Desk, ana: User) -> None:
    number = set_prediction(desk, abstained=True)
    sign_in(page, ana)
    page.goto(f"/atenciones/{number}")
    photograph(page, "doubt")
    page.keyboard.press("v")
    expect(page.get_by_text("Decidida por una persona.")).to_be_visible()
    (lesson,) = lessons(desk)
    assert lesson.label == "resident_abroad"


def test_a_hole_in_the_draft_is_shown_while_typing_and_stops_the_sending(
    page: Page, desk: Desk, ana: User
) -> None:
    desk.file(mail())
    sign_in(page, ana)
    page.goto(f"/atenciones/{desk.tickets()[0].number}")
    page.get_by_label("Texto de la respuesta").fill("Vaya al consulado de {{consulado}}.")
    expect(page.locator("[data-holes]")).to_have_text("Falta completar: {{consulado}}")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Falta completar")
    expect(page.get_by_label("Texto de la respuesta")).to_have_value("Vaya al consulado de {{consulado}}.")
    assert [row for row in desk.outgoing() if not row.notice] == []


def test_undo_within_its_window_by_one_key(page: Page, desk: Desk, ana: User) -> None:
    desk.file(mail())
    sign_in(page, ana)
    page.goto(f"/atenciones/{desk.tickets()[0].number}")
    page.get_by_label("Texto de la respuesta").fill("Demasiado pronto.")
    page.get_by_role("button", name="Enviar", exact=True).click()
    expect(page.get_by_text("Respuesta en camino.")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_text("Respuesta deshecha: no se envió nada.")).to_be_visible()
    expect(page.get_by_label("Texto de la respuesta")).to_have_value("Demasiado pronto.")


def test_everything_works_without_javascript(browser: Browser, pages: str, desk: Desk, ana: User) -> None:
    desk.file(mail(subject="Sin programa"))
    context = browser.new_context(base_url=pages, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, ana)
    page.get_by_role("link", name="Sin programa").click()
    page.locator("[data-answer]").first.click()
    expect(page.get_by_label("Texto de la respuesta")).to_have_value(starts_with("Estimado/a Rosario"))
    page.get_by_role("button", name="Enviar", exact=True).click()
    expect(page.get_by_text("Respuesta en camino.")).to_be_visible()
    page.get_by_role("button", name="Deshacer").click()
    expect(page.get_by_text("Respuesta deshecha: no se envió nada.")).to_be_visible()
    page.get_by_role("combobox", name="Línea de la atención").select_option("foreigner")
    page.get_by_role("button", name="Cambiar").click()
    expect(page.locator(".ticket-head .chip.line-foreigner")).to_be_visible()
    page.get_by_label("Asignada a").select_option(label="Nadie")
    page.get_by_role("button", name="Asignar", exact=True).click()
    page.get_by_role("button", name="Asignarme").click()
    expect(page.get_by_label("Asignada a")).to_have_value(str(ana.id))
    page.locator("summary", has_text="Nota interna").click()
    page.get_by_label("Solo la ven quienes trabajan aquí.").fill("Nota sin programa")
    page.get_by_role("button", name="Guardar la nota").click()
    expect(page.get_by_text("Nota de Ana Torres")).to_be_visible()
    page.get_by_role("button", name="Cerrar sin responder").click()
    expect(page.get_by_role("button", name="Reabrir")).to_be_visible()
    context.close()


@pytest.mark.parametrize("size", SIZES)
def test_no_page_scrolls_sideways_and_its_controls_can_be_touched(
    browser: Browser, pages: str, desk: Desk, rosa: User, size: str
) -> None:
    html = "<table><tr>" + "<td>columna</td>" * 40 + "</tr></table>"
    desk.file(
        mail("Una palabra " + "larguísima" * 40, subject="Asunto " * 12, attachments=3, html=html),
        *(mail(f"Consulta {n}", sender=f"p{n}@example.com") for n in range(5)),
    )
    register(desk, small_model(), small_model("gracias"))
    for number, line in enumerate(("return", "abroad", "none")):
        with desk.sessions.begin() as session:
            ticket = session.get_one(Ticket, desk.tickets()[number].id)
            change_line(session, ticket, line, now=utc_now(), actor=session.get_one(User, rosa.id))
    width, height = SIZES[size]
    context = browser.new_context(base_url=pages, viewport={"width": width, "height": height})
    page = context.new_page()
    sign_in(page, rosa)
    for name, path in {
        "queue": "/bandeja",
        "ticket": f"/atenciones/{desk.tickets()[0].number}",
        "supervisor": "/tablero",
        "sorter": "/clasificador",
        "ledger": "/correo",
        "sign-in": "/ingresar",
    }.items():
        page.goto(path)
        assert_fits(page, name)
        photograph(page, f"{name}-{size}")
    context.close()


def test_the_demos_letters_fill_the_queue_and_a_ticket(page: Page, desk: Desk, ana: User) -> None:
    """Also takes the pictures of the docs, when HELPDESK_SHOTS names a folder (`make shots`)."""
    desk.file(*(citizen_mail(desk.settings.mail_from, letter).as_bytes() for letter in LETTERS))
    sign_in(page, ana)
    expect(page.locator(".ticket-row")).to_have_count(len(LETTERS) - 1)  # the bulletin is out of the way
    photograph(page, "queue")
    page.get_by_role("link", name="Regreso al Perú con mis cosas").click()
    page.locator("[data-answer]").first.click()
    expect(page.get_by_label("Texto de la respuesta")).to_have_value(starts_with("Estimado/a Rosario"))
    photograph(page, "ticket")


def test_T29_nothing_in_a_mail_runs_or_loads(page: Page, desk: Desk, ana: User) -> None:
    hostile = (
        "<p>hola</p><script>document.title='x'</script><img src=x onerror=alert(1)><svg onload=alert(1)>"
        '<a href="javascript:alert(1)">enlace</a><iframe src="http://127.0.0.1:9/"></iframe>'
        '<img src="http://127.0.0.1:9/pixel.png"><style>body{background:url(http://127.0.0.1:9/b)}</style>'
    )
    desk.file(mail("hola", subject="<img src=x onerror=alert(1)>", html=hostile))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    sign_in(page, ana)
    page.goto(f"/atenciones/{desk.tickets()[0].number}")
    page.get_by_text("Ver con su formato").click()
    expect(page.frame_locator("iframe").get_by_text("hola")).to_be_visible()
    assert dialogs == []
