"""The public filing in a real browser: on a phone, by keys alone, without scripts, without barriers; and verifying."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, Response, expect
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.certificates.contract_file import MOST_BYTES
from helpdesk.certificates.deciding import annul
from helpdesk.certificates.drafts import keep_contract
from helpdesk.certificates.issuing import submit
from helpdesk.certificates.links import Purpose, token
from helpdesk.certificates.records import Constancia, FiledWorker, FilingDraft
from helpdesk.db import utc_now
from helpdesk.desk.sorter import Sorter
from helpdesk.mail.sandbox import ParserProcess
from helpdesk.settings import Settings
from tests.conftest import KEY, fresh_database
from tests.desk import Desk, open_desk
from tests.edges.axe import barriers
from tests.edges.browsing import BROWSER, SHOTS, SIZES, assert_fits
from tests.edges.conftest import serving
from tests.edges.filers import CONTRACT, Filer, Hands, KeysAlone, WithoutScripts
from tests.filings import RUC, contract, day, submission, tree, worker

pytestmark = BROWSER

BUDGET_BYTES = 50_000
MOST_REQUESTS = 4
DETAILS: dict[str, dict[str, Any]] = {
    "individual": {},
    "company": {"home_company": "Empresa de Prueba Ltda.", "reason": "established"},
    "seasonal": {"work": "Cosecha de uva", "lodging": True, "travel": True},
    "border": {"home_address": "Calle de prueba 2, Leticia", "border_district": "160101"},
}


@pytest.fixture(scope="module")
def desk(
    postgres: str,
    model_path: Path,
    parser: ParserProcess,
    sorter: Sorter,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """One desk for all these tests: each files for people of its own."""
    with fresh_database(postgres) as url:
        settings = Settings(
            DATABASE_URL=url,
            SECRET_KEY=KEY,
            mode="development",
            var=tmp_path_factory.mktemp("var"),
            model=model_path,
            smtp_security="none",
        )
        with open_desk(settings, parser, sorter) as opened:
            yield opened


@pytest.fixture(scope="module")
def pages(desk: Desk) -> Iterator[str]:
    """Its pages."""
    with serving(desk.settings) as address:
        yield address


numbers = count(1_000_000_001)


def somebody(**changed: Any) -> dict[str, Any]:
    """A person who has no constancia yet."""
    return worker(document_number=str(next(numbers)), **changed)


def filing_of(category: str) -> dict[str, Any]:
    """A filing that breaks no rule, for people who have none."""
    people = 2 if category == "seasonal" else 1
    return tree(
        category=category, category_details=DETAILS[category], workers=[somebody() for _ in range(people)]
    )


@contextmanager
def window(browser: Browser, pages: str, size: str = "phone", **options: Any) -> Iterator[Page]:
    """A window that fails the test when a page logs an error or asks another host for anything."""
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    context = browser.new_context(base_url=pages, viewport=viewport, locale="es-PE", **options)  # type: ignore[arg-type]
    complaints: list[str] = []
    context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda asked: None if asked.url.startswith(pages) else complaints.append(asked.url))
    yield context.new_page()
    context.close()
    expected = ("status of 422", "status of 404")
    assert [line for line in complaints if not any(part in line for part in expected)] == []


def fits(page: Page) -> Callable[[str], None]:
    """A look at every page of a walk."""
    return lambda name: assert_fits(page, name)


@pytest.mark.parametrize("category", DETAILS)
def test_the_whole_filing_on_a_phone(browser: Browser, pages: str, desk: Desk, category: str) -> None:
    whole = filing_of(category)
    with window(browser, pages) as page:
        filer = Filer(page, desk, Hands(page), fits(page))
        filer.begin(email=f"{category}@example.com")
        filer.answer_all(whole)
        filer.file()
        documents = filer.collect()
    assert len(documents) == len(whole["workers"])
    assert all(pdf.startswith(b"%PDF-") for pdf in documents)


def test_the_whole_filing_by_keys_alone(browser: Browser, pages: str, desk: Desk) -> None:
    with window(browser, pages, "wide") as page:
        filer = Filer(page, desk, KeysAlone(page))
        filer.begin()
        filer.answer_all(filing_of("border"))
        filer.file()
        assert [pdf[:5] for pdf in filer.collect()] == [b"%PDF-"]


def test_the_whole_filing_without_scripts(browser: Browser, pages: str, desk: Desk) -> None:
    whole = filing_of("seasonal")
    with window(browser, pages, java_script_enabled=False) as page:
        filer = Filer(page, desk, WithoutScripts(page), fits(page))
        filer.begin()
        employer = {
            key: value for key, value in whole["employer"].items() if key not in ("email", "representative")
        }
        filer.answer({**employer, "ruc": "20131312954", "ubigeo": None})
        # The form's shape first: the district is missing. Its name alone is that of several.
        filer.hands.write(page.locator("#ubigeo"), "miraflores")
        filer.go_on("Guardar y continuar")
        page.get_by_role("group", name="¿Cuál de estos es?").get_by_label("Miraflores, Lima, Lima").check()
        filer.go_on("Guardar y continuar")
        summary = page.get_by_role("alert")
        expect(summary.get_by_role("link")).to_have_text(["El RUC no es válido: revise sus once cifras."])
        expect(page.locator("#ubigeo")).to_have_value("Miraflores, Lima, Lima")
        summary.get_by_role("link").click()
        expect(page.get_by_label("RUC")).to_be_focused()
        filer.answer_all(whole)
        filer.file()
        assert len(filer.collect()) == 2


def draft_of(desk: Desk, *, whole: bool = True, **changed: Any) -> str:
    """The address of a draft whose mail was confirmed; a whole one has its contract as well."""
    answers = tree(**{"workers": [somebody()], **changed})
    del answers["employer"]["email"], answers["contract_file"]
    with desk.sessions.begin() as session:
        draft = FilingDraft(
            email="rrhh@example.com",
            answers=answers if whole else {"workers": [{"nationality": "COL"}], **changed},
            confirmed_at=utc_now(),
            created_at=utc_now(),
            updated_at=utc_now(),
        )
        session.add(draft)
        session.flush()
        if whole:
            keep_contract(session, draft, contract(), utc_now())
        return f"/constancia/tramite/{token(desk.settings.key, Purpose.DRAFT, draft.id)}"


def filed(desk: Desk, supervisor: User | None = None, **changed: Any) -> tuple[str, str | None]:
    """The address of a filing's receipt, and of its constancia; annulled when somebody annuls it."""
    with desk.sessions.begin() as session:
        filing = submit(session, submission(workers=[somebody(**changed)]), desk.settings).filing
        assert filing is not None
        row = session.scalar(select(Constancia).join(FiledWorker).where(FiledWorker.filing_id == filing.id))
        if row is not None and supervisor is not None:
            annul(session, row, "Se emitió por error.", actor=session.get_one(User, supervisor.id))
        receipt = f"/constancia/solicitud/{token(desk.settings.key, Purpose.FILING, filing.id)}"
        return receipt, f"/v/{row.code}" if row is not None else None


def test_no_state_of_any_page_has_a_barrier(browser: Browser, pages: str, desk: Desk, rosa: User) -> None:
    found: list[str] = []
    with window(browser, pages) as page:

        def look(name: str) -> None:
            page.set_viewport_size({"width": 320, "height": 600})  # a large screen at 400 % (WCAG 1.4.10)
            assert_fits(page, f"{name} (320)")
            for size, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                assert_fits(page, f"{name} ({size})")
                found.extend(f"{name} ({size}): {line}" for line in barriers(page))
                if SHOTS:
                    page.screenshot(path=f"{SHOTS}/filing-{name}-{size}.png", full_page=True)

        def wrong(name: str, button: str) -> None:
            """The page as it is, and after its button was pressed too soon."""
            look(name)
            page.get_by_role("button", name=button, exact=True).click()
            expect(page.get_by_role("alert")).to_be_focused()
            assert page.title().startswith("Error: ")
            look(f"{name}-error")

        page.goto("/constancia/")
        wrong("start", "Continuar")
        page.goto("/constancia/otro-pais")
        wrong("elsewhere", "Enviar la pregunta")
        page.goto("/constancia/correo/COL")
        wrong("email", "Enviar el código")
        page.get_by_label("Correo electrónico").fill("rrhh@example.com")
        page.get_by_role("button", name="Enviar el código").click()
        wrong("code", "Continuar")
        page.get_by_role("button", name="Enviar otro código").click()
        look("code-again")

        slugs = "empleador representante categoria personas personas/1 contrato puesto archivo declaraciones"
        for slug in slugs.split():
            page.goto(f"{draft_of(desk, whole=False)}/{slug}")
            wrong(slug.replace("/", "-"), "Continuar" if slug == "personas" else "Guardar y continuar")
        for category in ("company", "seasonal", "border"):
            page.goto(f"{draft_of(desk, whole=False, category=category)}/detalles")
            wrong(f"detalles-{category}", "Guardar y continuar")
        page.get_by_label("Distrito peruano").press_sequentially("san")
        expect(page.get_by_role("option")).to_have_count(7)
        page.keyboard.press("ArrowDown")
        look("districts-offered")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Guardar y continuar").click()
        expect(page.get_by_role("group", name="¿Cuál de estos es?")).to_be_visible()
        look("districts-meant")

        seasonal = draft_of(desk, **filing_of("seasonal"))
        page.goto(f"{seasonal}/personas")
        look("people")
        page.goto(f"{seasonal}/archivo")
        look("file-given")
        page.goto(seasonal)
        look("check")
        page.goto(f"{draft_of(desk, employer__ruc='20131312954', contract__end=day(-30))}/revisar")
        wrong("check-wrong", "Presentar la solicitud")

        receipt, verify = filed(desk)
        page.goto(receipt)
        look("issued")
        page.get_by_role("button", name="Término del contrato").click()
        wrong("end", "Registrar el término")
        page.goto(filed(desk, birth_date=day(-365 * 17))[0])  # a minor
        look("observed")
        page.get_by_label("Los datos están bien").fill("Tiene permiso de la autoridad de trabajo.")
        page.get_by_role("button", name="Enviar la explicación").click()
        look("explained")

        page.goto("/v/")
        look("verify-form")
        page.goto(str(verify))
        page.get_by_text("Comparar la huella con otro programa").click()
        page.get_by_label("Elija el PDF").set_input_files(CONTRACT)
        expect(page.get_by_text("No coincide")).to_be_visible()
        look("verify-in-force")
        page.goto(str(filed(desk, rosa)[1]))
        look("verify-annulled")
        page.goto("/v/NOEXISTE")
        look("verify-unknown")
        page.goto("/constancia/datos-personales")
        look("privacy")
        page.goto("/constancia/no-hay")
        look("missing")

        page.emulate_media(color_scheme="dark")
        for path in (str(verify), receipt, f"{seasonal}/revisar", f"{seasonal}/archivo"):
            page.goto(path)
            look("dark-" + path.split("/")[-1][:8])
    assert found == [], "\n".join(found)


def test_errors_are_told_once_above_and_once_beside_and_what_was_typed_is_kept(
    browser: Browser, pages: str, desk: Desk
) -> None:
    address = draft_of(desk, whole=False)
    with window(browser, pages) as page:
        page.goto(f"{address}/personas/1")
        page.get_by_label("Apellidos").fill("Ejemplo")
        page.get_by_label("Día").fill("31")
        page.get_by_label("Año").fill("1990")
        page.get_by_role("button", name="Guardar y continuar").click()
        summary = page.get_by_role("alert")
        expect(summary).to_be_focused()
        expect(page).to_have_title("Error: Datos de la persona · Perú Infomigra")
        expect(page.get_by_label("Mes")).to_have_value("")
        for question, field in {
            "Número del documento: complete este dato.": page.get_by_label("Número del documento"),
            "Tipo de documento: elija una opción.": page.get_by_label("Cédula de identidad (Bolivia)"),
            "Fecha de nacimiento: escriba una fecha": page.get_by_label("Día"),
        }.items():
            summary.get_by_role("link", name=question).click()
            expect(field).to_be_focused()
        expect(page.get_by_label("Número del documento")).to_have_accessible_description(
            "Error: Complete este dato."
        )
    with window(browser, pages) as elsewhere:  # on another machine, by the mailed link
        elsewhere.goto(f"{address}/personas/1")
        expect(elsewhere.get_by_label("Apellidos")).to_have_value("Ejemplo")
        expect(elsewhere.get_by_label("Día")).to_have_value("31")
        elsewhere.goto(address)
        expect(elsewhere.get_by_role("heading", level=1)).to_have_text("¿Quién da el trabajo?")


def test_a_district_is_found_by_the_beginning_of_its_words(browser: Browser, pages: str, desk: Desk) -> None:
    address = f"{draft_of(desk, whole=False)}/empleador"
    with window(browser, pages) as page:
        page.goto(address)
        field = page.get_by_role("combobox", name="Distrito del domicilio")
        expect(field).to_have_attribute("aria-expanded", "false")
        field.press_sequentially("jesus m")
        expect(page.get_by_role("option")).to_have_text(["Jesús María, Lima, Lima"])
        expect(field).to_have_attribute("aria-expanded", "true")
        field.press("Escape")
        expect(page.get_by_role("option")).to_have_count(0)
        field.press_sequentially("a")
        field.press("ArrowDown")
        chosen = page.get_by_role("option", selected=True)
        expect(field).to_have_attribute("aria-activedescendant", str(chosen.get_attribute("id")))
        field.press("Enter")  # chooses, and sends nothing yet
        expect(field).to_have_value("Jesús María, Lima, Lima")
        expect(page).to_have_title(re.compile("^¿Quién"))
        page.get_by_role("button", name="Guardar y continuar").click()
        expect(page.get_by_role("alert").get_by_role("link", name="Distrito")).to_have_count(0)
    with desk.sessions() as session:
        draft = session.scalars(select(FilingDraft).order_by(FilingDraft.id.desc())).first()
        assert draft is not None
        assert draft.answers["employer"]["ubigeo"] == "150113"


def test_a_photo_that_is_too_heavy_is_made_lighter_by_the_browser(
    browser: Browser, pages: str, desk: Desk
) -> None:
    noise = Image.merge("RGB", [Image.effect_noise((1600, 1300), 90) for _ in range(3)])
    with io.BytesIO() as held:
        noise.save(held, "PNG", compress_level=1)
        photo: FilePayload = {"name": "foto.png", "mimeType": "image/png", "buffer": held.getvalue()}
    assert len(photo["buffer"]) > MOST_BYTES
    address = f"{draft_of(desk, whole=False)}/archivo"
    with window(browser, pages) as page:
        page.goto(address)
        field = page.get_by_label("Archivo del contrato firmado")
        field.set_input_files(photo)
        expect(field).to_have_value(re.compile(r"foto\.jpg$"))
        page.get_by_role("button", name="Guardar y continuar").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Declaraciones")
    with window(browser, pages, java_script_enabled=False) as page:
        page.goto(address)
        expect(page.get_by_text("Recibido: foto.jpg")).to_be_visible()
        page.get_by_label("Archivo del contrato firmado").set_input_files(photo)
        page.get_by_role("button", name="Guardar y continuar").click()
        expect(page.get_by_role("alert")).to_contain_text("pesa más de 5 MB")


def test_what_is_changed_from_the_check_leads_back_to_it(browser: Browser, pages: str, desk: Desk) -> None:
    whole = filing_of("seasonal")
    whole["employer"]["ruc"] = "20131312954"
    address = draft_of(desk, **whole)
    check = re.compile(r"/revisar$")
    with window(browser, pages) as page:
        page.goto(f"{address}/revisar")
        page.get_by_role("link", name="Cambiar Datos de la persona 2").click()
        page.get_by_label("Nombres").fill("Luz Marina")
        page.get_by_role("button", name="Guardar y continuar").click()
        page.get_by_role("button", name="Continuar").click()
        expect(page).to_have_url(check)
        expect(page.get_by_text("Luz Marina")).to_be_visible()
        page.get_by_role("button", name="Presentar la solicitud").click()
        page.get_by_role("alert").get_by_role("link", name="El RUC no es válido").click()
        ruc = page.get_by_label("RUC")
        expect(ruc).to_be_focused()
        page.get_by_role("button", name="Guardar y continuar").click()
        expect(page.get_by_role("alert")).to_be_focused()
        page.get_by_role("alert").get_by_role("link").click()
        expect(ruc).to_be_focused()
        page.keyboard.press("Control+a")
        page.keyboard.type(RUC)
        page.keyboard.press("Enter")
        expect(page).to_have_url(check)
        page.get_by_role("button", name="Presentar la solicitud").click()
        expect(page.get_by_role("heading", name="Contrato registrado")).to_be_visible()


def test_filing_again_and_again_files_once(browser: Browser, pages: str, desk: Desk) -> None:
    person = somebody()
    address = f"{draft_of(desk, workers=[person])}/revisar"
    with window(browser, pages) as page:
        other = page.context.new_page()
        for tab in (page, other):
            tab.goto(address)
        page.get_by_role("button", name="Presentar la solicitud").dblclick()
        registered = page.get_by_role("heading", name="Contrato registrado")
        expect(registered).to_be_visible()
        receipt = page.url
        other.get_by_role("button", name="Presentar la solicitud").click()
        expect(other).to_have_url(receipt)
        page.reload()
        expect(registered).to_be_visible()
        page.go_back()
        expect(registered).to_be_visible()
        page.goto(address.replace("revisar", "personas/1"))
        expect(page).to_have_url(receipt)
    with desk.sessions() as session:
        mine = select(FiledWorker).where(FiledWorker.document_number == person["document_number"])
        assert len(session.scalars(mine).all()) == 1
        assert len(session.scalars(mine.join(Constancia)).all()) == 1


def test_a_pdf_is_compared_in_the_browser_and_sent_nowhere(browser: Browser, pages: str, desk: Desk) -> None:
    _, verify = filed(desk)
    with desk.sessions() as session:
        pdf = session.scalar(select(Constancia.pdf).where(Constancia.code == str(verify).rpartition("/")[2]))
    assert pdf is not None
    asked: list[str] = []
    with window(browser, pages) as page:
        page.goto(str(verify), wait_until="networkidle")
        page.on("request", lambda request: asked.append(request.url))
        same, other = page.get_by_text("Es el mismo archivo"), page.get_by_text("No coincide")
        field = page.get_by_label("Elija el PDF")
        for content, said in ((pdf, same), (pdf + b"\n", other)):
            file: FilePayload = {"name": "constancia.pdf", "mimeType": "application/pdf", "buffer": content}
            field.set_input_files(file)
            expect(page.get_by_role("status").filter(has=said)).to_be_visible()
            field.set_input_files([])
        drop = """(page, [bytes]) => {
          const held = new DataTransfer();
          held.items.add(new File([new Uint8Array(bytes)], "constancia.pdf", { type: "application/pdf" }));
          page.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: held }));
        }"""
        for content, said in ((pdf, same), (pdf.replace(b"%%EOF", b"%%EOG"), other)):
            page.locator(".drop").evaluate(drop, [list(content)])
            expect(said).to_be_visible()
        assert asked == []
    with window(browser, pages, java_script_enabled=False) as page:
        page.goto(str(verify))
        expect(page.get_by_text("Vigente", exact=True)).to_be_visible()
        expect(page.get_by_label("Elija el PDF")).to_be_hidden()
        page.get_by_text("Comparar la huella con otro programa").click()
        expect(page.get_by_text("sha256sum")).to_be_visible()


def weigh(page: Page, path: str) -> dict[str, int]:
    """What the first view of a page asks for, and how heavy each answer is when it is compressed."""
    answered: list[Response] = []
    page.on("response", lambda response: answered.append(response))
    page.goto(path, wait_until="networkidle")
    return {urlsplit(one.url).path: len(gzip.compress(one.body())) for one in answered}


def test_the_pages_are_light(browser: Browser, pages: str, desk: Desk) -> None:
    _, verify = filed(desk)
    for path in ("/constancia/", f"{draft_of(desk, whole=False)}/puesto", str(verify)):
        with window(browser, pages) as page:
            weights = weigh(page, path)
        assert "/static/desk.css" in weights
        assert len(weights) <= MOST_REQUESTS, weights
        assert sum(weights.values()) < BUDGET_BYTES, weights
