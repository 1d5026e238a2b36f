"""Answers in a real browser: found by a few letters, put into the letter, seen before they leave, read by anybody."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from helpdesk.accounts.users import User
from tests.desk import Desk
from tests.edges.browsing import BROWSER, SIZES, assert_fits, photograph, sign_in
from tests.mails import mail

pytestmark = BROWSER


def test_a_few_letters_find_an_answer_and_enter_puts_it_into_the_letter(
    page: Page, desk: Desk, ana: User
) -> None:
    desk.file(mail("¿Qué hago con mi carro?", subject="Regreso"))
    sign_in(page, ana)
    page.goto(f"/atenciones/{desk.tickets()[0].number}")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog")
    expect(palette.get_by_text("Aquí estarán sus favoritas")).to_be_visible()
    palette.get_by_role("combobox").press_sequentially("traer vehicluo")
    first = palette.get_by_role("option").first
    expect(first).to_contain_text("Traer su carro al Perú")
    expect(first).to_have_attribute("aria-selected", "true")
    expect(palette.locator("[data-seen]")).to_contain_text("Tarjeta del Migrante Retornado")
    photograph(page, "palette")
    palette.get_by_role("combobox").press("ArrowDown")
    expect(first).to_have_attribute("aria-selected", "false")
    palette.get_by_role("combobox").press("ArrowUp")
    palette.get_by_role("combobox").press("Enter")
    composer = page.get_by_label("Texto de la respuesta")
    expect(composer).to_have_value(re.compile("^Estimado/a Rosario Mamani:.*vehículo", re.S))
    expect(palette).to_be_hidden()


def test_a_second_answer_goes_into_the_same_letter_before_its_end(page: Page, desk: Desk, ana: User) -> None:
    desk.file(mail(subject="Tarjeta del migrante retornado"))
    sign_in(page, ana)
    page.goto(f"/atenciones/{desk.tickets()[0].number}")
    composer = page.get_by_label("Texto de la respuesta")
    page.locator("[data-answer]").nth(0).click()
    expect(composer).to_have_value(re.compile("^Estimado/a"))
    page.locator("[data-answer]").nth(1).click()
    expect(composer).to_have_value(re.compile(r"\n\n\*\*.+\*\*\n\n"))
    text = composer.input_value()
    assert text.count("Estimado/a") == text.count("Atentamente,") == 1
    assert text.rstrip().endswith("Perú Infomigra")
    page.get_by_role("button", name="Enviar", exact=True).click()
    expect(page.get_by_text("Respuesta en camino.")).to_be_visible()


def test_the_preview_is_the_mail_that_leaves_and_follows_the_keys(page: Page, desk: Desk, ana: User) -> None:
    desk.file(mail())
    number = desk.tickets()[0].number
    sign_in(page, ana)
    page.goto(f"/atenciones/{number}")
    composer = page.get_by_label("Texto de la respuesta")
    composer.fill("Con **gusto** le explico.")
    page.get_by_role("button", name="Vista previa").click()
    frame = page.frame_locator("iframe.preview")
    expect(frame.get_by_text("Con gusto le explico.")).to_be_visible()
    expect(frame.get_by_text(number)).to_be_visible()
    composer.press("End")
    composer.press_sequentially(" Hasta pronto.")
    expect(frame.get_by_text("Hasta pronto.")).to_be_visible()
    expect(composer).to_be_focused()
    photograph(page, "preview")
    page.get_by_role("button", name="Enviar", exact=True).click()
    expect(page.get_by_text("Respuesta en camino.")).to_be_visible()
    assert [row.state for row in desk.outgoing() if not row.notice] == ["ready"]


@pytest.mark.parametrize("size", SIZES)
def test_no_page_of_the_answers_scrolls_sideways(
    browser: Browser, pages: str, desk: Desk, rosa: User, size: str
) -> None:
    desk.file(mail())
    width, height = SIZES[size]
    context = browser.new_context(base_url=pages, viewport={"width": width, "height": height})
    page = context.new_page()
    for name, path in {
        "information": "/informacion/",
        "information-line": "/informacion/retornar-al-peru/",
        "information-answer": "/informacion/retornar-al-peru/retorno-vehiculo",
        "information-found": "/informacion/?q=carro",
    }.items():
        page.goto(path)
        assert_fits(page, name)
        photograph(page, f"{name}-{size}")
    sign_in(page, rosa)
    page.goto("/respuestas/retorno-vehiculo")
    page.get_by_role("button", name="Proponer otro texto").click()
    page.get_by_label("Texto", exact=True).fill("Sí, usted puede traer un vehículo.\n\n1. Pida la tarjeta.")
    assert_fits(page, "editor")
    photograph(page, f"answer-editor-{size}")
    page.get_by_role("button", name="Guardar y enviar a revisión").click()
    expect(page.get_by_role("button", name="Aprobar")).to_be_visible()
    assert_fits(page, "version")
    photograph(page, f"answer-version-{size}")
    for name, path in {
        "answers": "/respuestas",
        "answer": "/respuestas/retorno-vehiculo",
        "answer-figures": "/respuestas-medidas",
        "ticket-answers": f"/atenciones/{desk.tickets()[0].number}",
    }.items():
        page.goto(path)
        assert_fits(page, name)
        photograph(page, f"{name}-{size}")
    context.close()
