"""Somebody who files a contract in a real browser: with mouse and keyboard, or with keys alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import FilePayload, Locator, Page, expect

from helpdesk.certificates import places
from helpdesk.certificates.plain import plain_words
from tests.desk import Desk
from tests.filings import contract_pdf

MOST_TABS = 60
# What has the focus is seen: it is on the screen, and something is drawn around it.
FOCUS_SEEN = """e => {
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  return parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none"
    && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
}"""
CONTRACT: FilePayload = {"name": "contrato.pdf", "mimeType": "application/pdf", "buffer": contract_pdf()}


class Hands:
    """Writes, chooses and presses as most people do."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def write(self, field: Locator, text: str) -> None:
        """Write over what a field holds."""
        field.fill(text)

    def choose(self, option: Locator) -> None:
        """Choose a radio button or mark a box."""
        option.check()

    def press(self, control: Locator) -> None:
        """Press a button or follow a link."""
        control.click()

    def give(self, field: Locator, file: FilePayload) -> None:
        """Choose a file."""
        field.set_input_files(file)

    def name(self, field: Locator, district: str) -> None:
        """Give a district: the beginning of its name, then the one that is offered."""
        self.write(field, plain_words(district)[:-3])  # without accents, as people write on a phone
        self._take(field.page.get_by_role("option", name=district, exact=True))
        expect(field).to_have_value(district)

    def _take(self, offered: Locator) -> None:
        offered.click()


class WithoutScripts(Hands):
    """The same where nothing is offered."""

    def name(self, field: Locator, district: str) -> None:
        self.write(field, plain_words(district))


class KeysAlone(Hands):
    """Tab, arrows, space and Enter; whatever has the focus must be seen."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.file: FilePayload | None = None
        page.on("filechooser", lambda chooser: chooser.set_files(self.file or []))

    def write(self, field: Locator, text: str) -> None:
        self._reach(field)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def choose(self, option: Locator) -> None:
        if option.get_attribute("type") == "checkbox":
            self._reach(option)
        else:  # a group is one stop; its arrows move and choose
            self._tab_until(option, "(e, wanted) => e.type === 'radio' && e.name === wanted.name")
            for _ in range(MOST_TABS):
                if option.evaluate("e => e === document.activeElement"):
                    break
                self.page.keyboard.press("ArrowDown")
        if not option.is_checked():
            self.page.keyboard.press("Space")
        expect(option).to_be_checked()

    def press(self, control: Locator) -> None:
        self._reach(control)
        self.page.keyboard.press("Enter")

    def give(self, field: Locator, file: FilePayload) -> None:
        self.file = file
        self._reach(field)
        self.page.keyboard.press("Enter")
        expect(field).to_have_value(re.compile(f"{re.escape(file['name'])}$"))

    def _take(self, offered: Locator) -> None:
        expect(offered).to_be_visible()
        for _ in range(MOST_TABS):
            if offered.get_attribute("aria-selected") == "true":
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Enter")

    def _reach(self, wanted: Locator) -> None:
        self._tab_until(wanted, "(e, wanted) => e === wanted")

    def _tab_until(self, wanted: Locator, there: str) -> None:
        expect(wanted).to_be_visible()
        for _ in range(MOST_TABS):
            if wanted.evaluate(f"wanted => ({there})(document.activeElement, wanted)"):
                assert self.page.evaluate(f"({FOCUS_SEEN})(document.activeElement)"), "the focus is not seen"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{MOST_TABS} tabs do not lead to {wanted}")


@dataclass
class Filer:
    """Walks through the pages. `look` sees every page before anything is done on it."""

    page: Page
    desk: Desk
    hands: Hands
    look: Callable[[str], None] = lambda name: None

    def go_on(self, button: str) -> None:
        """Press the page's button."""
        self.hands.press(self.page.get_by_role("button", name=button, exact=True))

    def see(self, heading: str, name: str) -> None:
        """Arrive at a page."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)
        self.look(name)

    def code(self, address: str) -> str:
        """The code of the last mail to an address."""
        row = [row for row in self.desk.outgoing() if row.recipient == address][-1]
        found = re.search(r"Subject: .*?(\d{6})", row.content.decode())
        assert found is not None
        return found[1]

    def begin(self, nationality: str = "Colombia", email: str = "rrhh@example.com") -> None:
        """As far as the first page that is kept."""
        self.page.goto("/constancia/")
        self.see("Registrar el contrato de una persona de Bolivia, Colombia o Ecuador", "start")
        self.hands.choose(self.page.get_by_label(nationality))
        self.go_on("Continuar")
        self.see("¿A qué correo le escribimos?", "email")
        self.hands.write(self.page.get_by_label("Correo electrónico"), email)
        self.go_on("Enviar el código")
        self.see("Escriba el código que le enviamos", "code")
        self.hands.write(self.page.get_by_label("Código"), self.code(email))
        self.go_on("Continuar")

    def answer(self, answers: Mapping[str, Any]) -> None:
        """Answer the questions of one page and go on."""
        for name, value in answers.items():
            if value is not None:
                self._answer(name, value)
        self.go_on("Guardar y continuar")

    def _answer(self, name: str, value: Any) -> None:
        field = self.page.locator(f"[name={name}]")
        if re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
            for part, written in zip(("dia", "mes", "anio"), reversed(value.split("-")), strict=True):
                self.hands.write(self.page.locator(f"[name={name}_{part}]"), written)
        elif name.endswith(("ubigeo", "district")):
            self.hands.name(field, places.place(value))
        elif value is True:
            self.hands.choose(field)
        elif field.first.get_attribute("type") == "radio":
            self.hands.choose(self.page.locator(f"[name={name}][value={value}]"))
        elif field.input_value() != str(value):
            self.hands.write(field, str(value))

    def answer_all(self, whole: Mapping[str, Any]) -> None:
        """Every page from the first question to the check."""
        employer = {key: value for key, value in whole["employer"].items() if key != "email"}
        representative = employer.pop("representative")
        self.see("¿Quién da el trabajo?", "employer")
        self.answer(employer)
        self.see("¿Quién representa al empleador?", "representative")
        self.answer(representative)
        self.see("¿En qué categoría viene la persona?", "category")
        self.answer({"category": whole["category"]})
        if whole["category_details"]:
            self.see("Sobre la categoría", f"details-{whole['category']}")
            self.answer(whole["category_details"])
        for place, worker in enumerate(whole["workers"]):
            if place:
                self.see("Personas del contrato", "people")
                self.hands.press(self.page.get_by_role("link", name="Agregar otra persona"))
            self.see("Datos de la persona", "person")
            self.answer(worker)
        self.see("Personas del contrato", "people")
        self.go_on("Continuar")
        terms = dict(whole["contract"])
        place = {name: terms.pop(name) for name in PLACE}
        self.see("El contrato", "contract")
        self.answer(terms)
        self.see("Lugar de trabajo y pago", "workplace")
        self.answer(place)
        self.see("El contrato firmado", "file")
        self.hands.give(self.page.get_by_label("Archivo del contrato firmado"), CONTRACT)
        self.go_on("Guardar y continuar")
        self.see("Declaraciones", "declarations")
        self.answer(whole["declarations"])
        self.see("Revise antes de presentar", "check")

    def file(self) -> None:
        """File what was checked; it is registered at once."""
        self.go_on("Presentar la solicitud")
        self.see("Contrato registrado", "issued")

    def collect(self) -> list[bytes]:
        """Download every document of the receipt, and find each one's hash on the page by which anybody verifies it."""
        receipt, collected = self.page.url, []
        for place in range(self.page.get_by_role("link", name="Descargar PDF").count()):
            with self.page.expect_download() as download:
                self.hands.press(self.page.get_by_role("link", name="Descargar PDF").nth(place))
            pdf = download.value.path().read_bytes()
            self.hands.press(self.page.get_by_role("link", name="Ver cómo se comprueba").nth(place))
            self.see("Comprobar una constancia", "verify")
            expect(self.page.get_by_text("Vigente", exact=True)).to_be_visible()
            expect(self.page.get_by_text(hashlib.sha256(pdf).hexdigest())).to_be_visible()
            collected.append(pdf)
            self.page.goto(receipt)
        return collected


PLACE = ("workplace_address", "workplace_ubigeo", "pay", "currency", "hours_per_week")
