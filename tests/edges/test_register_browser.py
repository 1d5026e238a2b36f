"""The register in a real browser: its pages fit, axe finds nothing, decisions are made by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from helpdesk.accounts.users import User
from helpdesk.certificates import inspection
from helpdesk.certificates.issuing import submit
from helpdesk.db import utc_now
from tests.desk import Desk
from tests.edges.axe import barriers
from tests.edges.browsing import BROWSER, SIZES, assert_fits, photograph, sign_in
from tests.filings import day, submission, today, worker

pytestmark = BROWSER


def fill(desk: Desk) -> tuple[str, str]:
    """An issued filing that was drawn, and an observed one; the numbers of their tickets."""
    settings = desk.settings.model_copy(update={"inspection_share": 1.0})
    with desk.sessions.begin() as session:
        issued = submit(session, submission(), desk.settings).filing
        inspection.draw(session, inspection.semester_of(today()), settings, now=utc_now())
        young = [worker(document_number="1000000007", birth_date=day(-365 * 17))]
        observed = submit(session, submission(workers=young), desk.settings).filing
        assert issued is not None
        assert observed is not None
        return issued.ticket.number, observed.ticket.number


@pytest.mark.parametrize("size", SIZES)
def test_the_registers_pages_fit_and_axe_finds_nothing(
    browser: Browser, pages: str, desk: Desk, rosa: User, size: str
) -> None:
    issued, observed = fill(desk)
    width, height = SIZES[size]
    context = browser.new_context(
        base_url=pages, viewport={"width": width, "height": height}, bypass_csp=True, locale="es-PE"
    )
    page = context.new_page()
    sign_in(page, rosa)
    for name, path in {
        "constancias": "/constancias",
        "constancia-issued": f"/constancias/{issued}",
        "constancia-observed": f"/constancias/{observed}",
        "constancia-ticket": f"/atenciones/{issued}",
        "constancia-draws": "/constancias/fiscalizacion",
        "constancia-figures": "/constancias/estadisticas",
    }.items():
        page.goto(path)
        assert_fits(page, name)
        assert barriers(page) == [], name
        photograph(page, f"{name}-{size}")
    context.close()


def test_an_observed_filing_is_registered_by_keyboard(page: Page, desk: Desk, ana: User) -> None:
    _, observed = fill(desk)
    sign_in(page, ana)
    page.goto(f"/constancias/{observed}")
    page.get_by_label("Por qué").focus()
    page.keyboard.type("Trae el permiso de sus padres.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Registrar y emitir")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("La solicitud quedó registrada y la constancia emitida.")).to_be_visible()
    expect(page.get_by_role("heading", name="CTMA-")).to_be_visible()
