"""What tests in a real browser share: signing in, looking whether a page fits, taking its picture."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from helpdesk.accounts.users import User
from tests.conftest import PASSWORD

# Playwright leaves its own pipes to the collector.
BROWSER = [pytest.mark.needs("chromium"), pytest.mark.filterwarnings("ignore::ResourceWarning")]
SIZES = {"wide": (1280, 900), "phone": (360, 740)}
SHOTS = os.environ.get("HELPDESK_SHOTS")  # a folder: the pages are photographed into it (`make shots`)


def sign_in(page: Page, user: User) -> None:
    page.goto("/")
    page.get_by_label("Correo").fill(user.email)
    page.get_by_label("Contraseña").fill(PASSWORD)
    page.get_by_role("button", name="Ingresar").click()
    expect(page.get_by_role("heading", name="Bandeja")).to_be_visible()


def photograph(page: Page, name: str) -> None:
    """A picture for the docs, when a folder is given."""
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def assert_fits(page: Page, name: str) -> None:
    """Nothing scrolls sideways, and every control can be touched."""
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{name} scrolls sideways"
    small = page.evaluate(
        "[...document.querySelectorAll('button, select, input:not([type=hidden])')]"
        ".filter(e => e.offsetParent && !e.closest('.hidden') && e.getBoundingClientRect().height < 24).length"
    )
    assert small == 0, f"{name} has controls below 24 px"
