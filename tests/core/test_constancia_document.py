"""The constancia's PDF: what it promises to archives and to screen readers, what it shows, and what it never does.

What is said and where is read from the file itself: from its tags, its text and the strokes of its QR code. Where a
picture of a page is needed, typst draws it from the same source, since nothing here draws PDFs.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pikepdf
import pytest
import typst
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from templates.constancia import QR_MARGIN, SOURCE, ConstanciaText, Section, constancia_pdf, data_of
from templates.pdf import SHOWN, printable

URL = "https://infomigra.example.gob.pe/v/7ZQ4K2M9XA0TR5BC8DWEN1VGH"
TEXT = ConstanciaText(
    title="Constancia de Trabajador Migrante Andino",
    number="CTMA-2026-000123",
    issued="Emitida el 28/11/2026 a las 11:05:09 (hora de Lima, UTC-5)",
    created_at=datetime(2026, 11, 28, 16, 5, 9, tzinfo=UTC),
    opening="Se deja constancia de que Persona de Prueba, de nacionalidad de Colombia, tiene registrado un contrato "
    "de trabajo en el Perú como trabajador migrante andino.",
    sections=(
        Section("Persona", (("Nombre", "Persona de Prueba Ñahui"), ("Fecha de nacimiento", "01/02/1990"))),
        Section("Empleador", (("Razón social", "Empresa de Prueba S.A.C."), ("RUC", "20131312955"))),
        Section("Presentación", (("Para los plazos, cuenta desde el", "30/11/2026"),)),
    ),
    notes=(
        "Aprobada automáticamente, sujeta a fiscalización posterior.",
        "No reemplaza la calidad migratoria.",
    ),
    legal_base=("Decisión 545 de la Comunidad Andina", "RM 279-2004-TR y RM 318-2010-TR"),
    code="7ZQ4K-2M9XA-0TR5B-C8DWE-N1VGH",
    verify_url=URL,
)
# As much as people ordinarily write, in every row that a constancia has.
WORDY = replace(
    TEXT,
    opening=TEXT.opening.replace(
        "Persona de Prueba", "María de los Ángeles Concepción Prueba de Huancahuari"
    ),
    sections=(
        Section(
            "Persona",
            (
                (
                    "Nombre",
                    "María de los Ángeles Concepción Prueba de Huancahuari y de la Santísima Trinidad",
                ),
                ("Nacionalidad", "Colombia"),
                ("Cédula de ciudadanía", "00000123"),
                ("Fecha de nacimiento", "01/02/1990"),
            ),
        ),
        Section(
            "Empleador",
            (
                (
                    "Razón social",
                    "Asociación de Prueba de Productores del Valle de los Ríos Apurímac, Ene y Mantaro",
                ),
                ("RUC", "20131312955"),
                (
                    "Domicilio",
                    "Av. de la Prueba 1234, interior 502, urb. Santa Rosa de Quives, etapa III, Lima, Lima",
                ),
            ),
        ),
        Section(
            "Contrato",
            (
                ("Categoría", "Trabajador con desplazamiento individual"),
                ("Ocupación", "Operario de prueba"),
                ("Tipo de contrato", "A plazo fijo"),
                ("Inicio", "01/12/2026"),
                ("Término", "30/11/2027"),
                (
                    "Centro de trabajo",
                    "Carretera de la Prueba km 1234, fundo Los Ángeles de la Esperanza, Ayacucho",
                ),
            ),
        ),
        Section(
            "Presentación",
            (
                ("Número de atención", "IM-2026-000456"),
                ("Presentada", "28/11/2026 a las 11:05:09"),
                ("Para los plazos, cuenta desde el", "30/11/2026"),
            ),
        ),
    ),
    notes=(
        "Corrige un error material de la constancia CTMA-2026-000122, a la que reemplaza.",
        *TEXT.notes,
        "Lleva un código de verificación; no lleva firma digital. Compruébela en la dirección que está junto a él.",
    ),
)
HOSTILE = {
    '#panic("x")': '#panic("x")',
    "[[[": "[[[",
    "]]] #{ [ \\": "]]] #{ [ \\",
    "$ x^2 $": "$ x^2 $",
    "@ref <label>": "@ref <label>",
    "*a* _b_ `c` = d // e /* f */": "*a* _b_ `c` = d // e /* f */",
    '#read("/etc/passwd")': '#read("/etc/passwd")',
    "<img src='http://127.0.0.1:9/x'/>": "<img src='http://127.0.0.1:9/x'/>",
    "file:///etc/passwd": "file:///etc/passwd",
    "a\x00b\x07c\x1b[31m\r\nd\te": "abc[31m d e",
    "\u202eanA\u202c \u200fb\ufeff": "anA b",
    "Empresa 🦙 👩\u200d💻 1️⃣": "Empresa ? ?? 1",
    "x" * 300: "x" * 300,
    "Ñuk'anchik Q'iru ꞌÑahui ʼa": "Ñuk'anchik Q'iru ꞌÑahui ʼa",
    "李小龙 한 עברית": "??? ? ?????",
    "\ud800\ue000\uffff": "???",
    "ﬁn Ａ 𝐁 ⅓ Ⅷ e\u0301": "fin A B 1⁄3 VIII é",
    "e" + "\u0301" * 80: "é" + "\u0301" * 2,
    " \n\u2028 ": "–",
    "": "–",
}
BLOCKS = ("/H1", "/H2", "/P", "/Lbl", "/LBody", "/Figure")
POINTS_PER_MM = 72 / 25.4


@dataclass(frozen=True)
class Block:
    """One thing that a screen reader says: its tag, its words, where on the paper it begins."""

    tag: str
    words: str
    y: float
    mcids: tuple[int, ...]


def opened(content: bytes) -> pikepdf.Pdf:
    return pikepdf.open(BytesIO(content))


def blocks(pdf: pikepdf.Pdf) -> list[Block]:
    """What a screen reader says, in the order of the tags; a picture is what its description says."""
    pages = [page.obj.objgen for page in pdf.pages]
    drawn = [{piece.mcid: piece for piece in pieces(page)} for page in pdf.pages]
    found = []
    for element in elements(pdf.Root.StructTreeRoot.K):
        if str(element.S) not in BLOCKS:
            continue
        places = [(pages.index(page.objgen), mcid) for page, mcid in marked_content(element)]
        found_pieces = [drawn[page][mcid] for page, mcid in places]
        words = "".join(piece.text for piece in found_pieces) + str(element.get("/Alt", ""))
        mcids = tuple(mcid for _, mcid in places)
        found.append(Block(str(element.S)[1:], words.strip(), found_pieces[0].y, mcids))
    return found


def elements(kids: Any) -> Iterator[Any]:
    """Every element of the tree of tags, in order."""
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            yield kid
            yield from elements(kid.get("/K", pikepdf.Array()))


def marked_content(element: Any) -> Iterator[tuple[Any, int]]:
    """The page and the number of each piece of content below an element."""
    kids = element.get("/K", pikepdf.Array())
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, int):
            yield element.Pg, kid
        elif "/MCID" in kid:
            yield kid.get("/Pg", element.get("/Pg")), int(kid.MCID)
        elif "/S" in kid:
            yield from marked_content(kid)


@dataclass
class Piece:
    """One piece of what is drawn on a page. `mcid`: the number by which the tags know it; None for decoration."""

    mcid: int | None
    y: float = 0.0
    text: str = ""


def pieces(page: pikepdf.Page) -> list[Piece]:
    """What is drawn on a page, in that order, as its fonts say what their glyphs mean."""
    letters = {name: meanings(font) for name, font in page.Resources.Font.items()}
    found: list[Piece] = []
    open_tags: list[Any] = []
    font = ""
    for drawn in pikepdf.parse_content_stream(page):
        operands, operator = drawn.operands, str(drawn.operator)
        match operator:
            case "BMC" | "BDC":
                tag: Any = operands[1] if len(operands) > 1 else {}
                if open_tags:
                    found[-1].text += str(tag.get("/ActualText", ""))
                else:
                    found.append(Piece(int(tag["/MCID"]) if "/MCID" in tag else None))
                open_tags.append(tag)
            case "EMC":
                open_tags.pop()
            case "cm" if not found[-1].y:
                found[-1].y = float(operands[5])
            case "Tf":
                font = str(operands[0])
            case "Tj" | "TJ" if "/ActualText" not in open_tags[-1]:
                strings = operands[0] if operator == "TJ" else operands
                glyphs = b"".join(bytes(part) for part in strings if isinstance(part, pikepdf.String))
                found[-1].text += "".join(
                    letters[font][glyphs[at : at + 2]] for at in range(0, len(glyphs), 2)
                )
    return found


def meanings(font: Any) -> dict[bytes, str]:
    """What each glyph of a font stands for."""
    pairs = re.findall(rb"^<(\w+)> <(\w+)>$", font.ToUnicode.read_bytes(), re.MULTILINE)
    return {
        bytes.fromhex(glyph.decode()): bytes.fromhex(text.decode()).decode("utf-16-be")
        for glyph, text in pairs
    }


def words_of(content: bytes) -> str:
    return "\n".join(block.words for block in blocks(opened(content)))


def pictures(text: ConstanciaText, ppi: int = 100) -> list[Image.Image]:
    """The pages as they are printed."""
    compiler = typst.Compiler(str(SOURCE), root=str(SOURCE.parent), ignore_system_fonts=True)
    drawn = compiler.compile(format="png", ppi=ppi, sys_inputs={"data": data_of(text)}, timestamp=0)
    assert drawn is not None
    return [
        Image.open(BytesIO(page)).convert("L") for page in (drawn if isinstance(drawn, list) else [drawn])
    ]


def saying(value: str) -> ConstanciaText:
    """A constancia with the same value wherever people's words go."""
    return replace(
        TEXT, opening=value, sections=(Section("Persona", (("Nombre", value), ("Ocupación", value))),)
    )


def test_the_file_says_that_it_can_be_kept_and_read_aloud() -> None:
    pdf = opened(constancia_pdf(TEXT))
    with pdf.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "A")
        assert metadata["pdfuaid:part"] == "1"
        assert metadata["dc:title"] == "Constancia de Trabajador Migrante Andino CTMA-2026-000123"


def test_the_file_is_spanish_tagged_and_shows_its_title() -> None:
    pdf = opened(constancia_pdf(TEXT))
    root = pdf.Root
    assert root.Lang == "es-PE"
    assert bool(root.MarkInfo.Marked)
    assert bool(root.ViewerPreferences.DisplayDocTitle)
    assert {str(element.S) for element in elements(root.StructTreeRoot.K)} >= {
        *("/Document", "/H1", "/H2", "/P", "/L", "/LI", "/Lbl", "/LBody", "/Figure", "/Link"),
    }


def test_everything_is_read_aloud_once_and_in_order() -> None:
    said = [(block.tag, block.words) for block in blocks(opened(constancia_pdf(WORDY)))]
    expected = [
        ("P", "Ministerio de Trabajo y Promoción del Empleo · Perú Infomigra"),
        ("H1", WORDY.title),
        ("P", f"N.º {WORDY.number}"),
        ("P", WORDY.issued),
        ("P", WORDY.opening),
    ]
    for section in WORDY.sections:
        expected.append(("H2", section.heading))
        expected += [pair for label, value in section.rows for pair in (("Lbl", label), ("LBody", value))]
    for heading, items in (("Tenga en cuenta", WORDY.notes), ("Base legal", WORDY.legal_base)):
        expected.append(("H2", heading))
        expected += [pair for item in items for pair in (("Lbl", "•"), ("LBody", item))]
    assert said == [
        *expected,
        ("Figure", f"Código QR que lleva a {URL}"),
        ("H2", "Compruebe esta constancia en"),
        ("P", URL),
        ("P", "Código de verificación"),
        ("P", WORDY.code),
    ]


def test_what_is_read_aloud_later_stands_lower_on_the_paper() -> None:
    said = blocks(opened(constancia_pdf(WORDY)))
    heights = [block.y for block in said if block.tag != "Figure"]
    assert heights == sorted(heights, reverse=True)
    numbers = [mcid for block in said for mcid in block.mcids]
    assert numbers == list(range(len(numbers)))


def test_a_part_without_items_is_left_out() -> None:
    bare = replace(TEXT, sections=(Section("Persona", ()), *TEXT.sections[1:]), notes=(), legal_base=())
    headings = [block.words for block in blocks(opened(constancia_pdf(bare))) if block.tag == "H2"]
    assert headings == ["Empleador", "Presentación", "Compruebe esta constancia en"]


def test_the_fonts_are_in_the_file() -> None:
    pdf = opened(constancia_pdf(TEXT))
    fonts = [item for item in pdf.objects if isinstance(item, pikepdf.Dictionary) and "/FontName" in item]
    assert {str(font.FontName).partition("+")[2].partition("-")[0] for font in fonts} == {
        *("LibertinusSerif", "DejaVuSansMono"),
    }
    assert all("/FontFile3" in font or "/FontFile2" in font for font in fonts)


@pytest.mark.parametrize(
    "text", [TEXT, saying("https://example.com/ javascript:alert(1) mailto:a@example.com")]
)
def test_the_only_thing_to_follow_is_the_link_to_the_verification(text: ConstanciaText) -> None:
    content = constancia_pdf(text)
    pdf = opened(content)
    annotations = [annotation for page in pdf.pages for annotation in page.get("/Annots", [])]
    assert [str(annotation.A.URI) for annotation in annotations] == [URL]
    assert str(annotations[0].Contents) == URL
    names = {name for item in pdf.objects for name in names_in(item)}
    assert names >= {"/URI", "/Link"}
    assert names.isdisjoint(
        "/JavaScript /JS /OpenAction /AA /Launch /GoToR /SubmitForm /EmbeddedFile /EmbeddedFiles /EF /AF".split()
    )


def names_in(item: Any) -> Iterator[str]:
    """The keys and the names in an object of a PDF, without the objects that it only points to."""
    if isinstance(item, pikepdf.Name):
        yield str(item)
    elif isinstance(item, pikepdf.Dictionary | pikepdf.Stream | pikepdf.Array):
        if not isinstance(item, pikepdf.Array):
            yield from (key for key, _ in item.items())
        kids = item if isinstance(item, pikepdf.Array) else (value for _, value in item.items())
        for kid in kids:
            if not getattr(kid, "is_indirect", False):
                yield from names_in(kid)


def test_the_qr_code_that_is_drawn_leads_to_the_verification() -> None:
    """Read from the strokes in the PDF itself: a line of modules each."""
    pdf = opened(constancia_pdf(TEXT))
    figure = next(block for block in blocks(pdf) if block.tag == "Figure")
    strokes, scale, start = [], 1.0, (0.0, 0.0)
    inside = False
    for drawn in pikepdf.parse_content_stream(pdf.pages[0]):
        operands = drawn.operands
        match str(drawn.operator):
            case "BDC":
                inside = int(operands[1].get("/MCID", -1)) in figure.mcids
            case "cm" if inside:
                scale *= float(operands[0])
            case "m" if inside:
                start = (float(operands[0]), float(operands[1]))
            case "l" if inside:
                strokes.append((*start, float(operands[0]), float(operands[1])))
            case "n" if inside:
                strokes.clear()  # that was the frame to which the picture is cut
    modules = max(stroke[2] for stroke in strokes) - min(stroke[0] for stroke in strokes)
    assert modules * scale >= 30 * POINTS_PER_MM
    image = Image.new("L", (400, 400), "white")
    for left, y, right, _ in strokes:
        ImageDraw.Draw(image).rectangle(
            [left * 8, (y - 0.5) * 8, right * 8 - 1, (y + 0.5) * 8 - 1], fill="black"
        )
    assert [read.text for read in zxingcpp.read_barcodes(image)] == [URL]


def test_a_phone_reads_the_qr_code_from_the_printed_page() -> None:
    (read,) = zxingcpp.read_barcodes(pictures(TEXT)[0])
    assert read.text == URL
    assert read.ec_level in "MQH"


def test_nothing_reaches_into_the_white_around_the_qr_code() -> None:
    page = pictures(TEXT, ppi=144)[0]
    corners = zxingcpp.read_barcodes(page)[0].position
    left, top = corners.top_left.x, corners.top_left.y
    right, bottom = corners.bottom_right.x, corners.bottom_right.y
    quiet = (right - left) * QR_MARGIN // 33 - 3  # a code of this length has 33 modules
    around = page.crop((left - quiet, top - quiet, right + quiet, bottom + quiet))
    around.paste(255, (quiet - 3, quiet - 3, around.width - quiet + 3, around.height - quiet + 3))
    assert around.getextrema() == (255, 255)


@pytest.mark.parametrize("text", [TEXT, WORDY])
def test_ordinary_data_fit_on_one_page_without_a_number(text: ConstanciaText) -> None:
    pdf = opened(constancia_pdf(text))
    assert len(pdf.pages) == 1
    assert "Página" not in drawn_text(pdf.pages[0])
    assert (round(float(pdf.pages[0].MediaBox[2])), round(float(pdf.pages[0].MediaBox[3]))) == (595, 842)


def test_long_values_flow_to_further_pages_which_say_what_they_belong_to() -> None:
    text = saying("Sociedad de nombre larguísimo " * 60)
    pdf = opened(constancia_pdf(text))
    assert len(pdf.pages) == 3
    for number, page in enumerate(pdf.pages, 1):
        assert f"Página {number} de 3" in drawn_text(page)
        assert (f"{TEXT.title} · {TEXT.number}" in drawn_text(page)) is (number > 1)
    said = blocks(pdf)
    assert [block.words for block in said].count(printable(text.opening)) == 3
    assert said[-1].words == TEXT.code


def drawn_text(page: pikepdf.Page) -> str:
    """All that is drawn on a page, also what is not read aloud."""
    return "".join(piece.text for piece in pieces(page))


@pytest.mark.parametrize("value", ["W" * 23, "W" * 300, "nombre.apellido" * 4 + "@example.com", "-" * 400])
def test_no_word_runs_off_the_paper(value: str) -> None:
    text = replace(saying(value), notes=(value,), legal_base=(value,))
    for page in pictures(text, ppi=50):
        margin = round(12 / 25.4 * 50)
        below_the_strip = (page.width - margin, margin, page.width, page.height)
        assert page.crop(below_the_strip).getextrema() == (255, 255)


def test_a_label_wider_than_its_column_stands_above_its_value() -> None:
    label = "Documento con el que la persona se identificó ante la entidad"
    text = replace(TEXT, sections=(Section("Persona", ((label, "CC 00000123"),)),))
    said = {block.words: block for block in blocks(opened(constancia_pdf(text)))}
    assert said[label].y - said["CC 00000123"].y > 10


@pytest.mark.parametrize(("value", "shown"), HOSTILE.items(), ids=lambda text: ascii(text)[:30])
def test_what_people_type_is_printed_as_text(value: str, shown: str) -> None:
    assert printable(value) == shown
    said = [block.words for block in blocks(opened(constancia_pdf(saying(value))))]
    if shown[-1] == "\u0301":  # typst draws a mark that it raises apart, and says its letter with each
        assert shown in said[said.index("Nombre") + 1]
    else:
        assert said[said.index("Nombre") + 1] == said[said.index("Ocupación") + 1] == shown
        assert said.count(shown) == 3


def test_every_word_of_a_constancia_may_be_hostile() -> None:
    value = '#panic("x") [[[ \x00 李 <a href="file:///etc/passwd">'
    text = ConstanciaText(
        **{name: value for name in ("title", "number", "issued", "opening", "code")},  # noqa: C420
        created_at=TEXT.created_at,
        sections=(Section(value, ((value, value),)),),
        notes=(value,),
        legal_base=(value,),
        verify_url=URL,
    )
    assert words_of(constancia_pdf(text)).count(printable(value)) == 10


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=60))
def test_whatever_is_typed_makes_a_document(value: str) -> None:
    assert SHOWN.fullmatch(printable(value))
    assert constancia_pdf(saying(value)).startswith(b"%PDF-1.7")


def test_nothing_is_fetched_and_no_file_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sink:
        sink.settimeout(0.2)
        url = f"http://127.0.0.1:{sink.getsockname()[1]}/x"
        value = f'<img src=\'{url}\'/> #image("{url}") ![x]({url}) #read("/etc/passwd") file:///etc/passwd'
        said = words_of(constancia_pdf(saying(value)))
        with pytest.raises(TimeoutError):
            sink.accept()
    assert value in said
    assert "root:" not in said


def test_the_font_has_every_character_that_we_let_through() -> None:
    """In regular (opening) and bold (title): under these standards, typst stops at a glyph that is missing."""
    every = "".join(chr(code) for code in range(0x10000) if SHOWN.fullmatch(chr(code)))
    letters = " ".join(letter for letter in every if not unicodedata.combining(letter))
    marked = " ".join(f"o{mark}" for mark in every if unicodedata.combining(mark))
    assert len(every) > 1_200
    for text in (letters, marked):
        constancia_pdf(replace(TEXT, title=text, opening=text))
    assert printable(letters) == unicodedata.normalize("NFC", " ".join(letters.split()))
    assert set("áéíóúüñÁÉÍÓÚÜÑ¿¡«»“”‘’–—…ªº°€çãõâêôàäëïöåøŠšŽžŁł'ʼꞌ") <= set(every)


def test_a_character_that_the_font_lacks_would_stop_the_document() -> None:
    compiler = typst.Compiler(str(SOURCE), root=str(SOURCE.parent), ignore_system_fonts=True)
    data = json.dumps(json.loads(data_of(TEXT)) | {"opening": "李"})
    with pytest.raises(typst.TypstError):
        compiler.compile(format="pdf", sys_inputs={"data": data}, pdf_standards=["a-2a", "ua-1"], timestamp=0)


def test_typst_has_nothing_to_complain_about() -> None:
    compiler = typst.Compiler(str(SOURCE), root=str(SOURCE.parent), ignore_system_fonts=True)
    _, warnings = compiler.compile_with_warnings(
        format="pdf", sys_inputs={"data": data_of(WORDY)}, timestamp=0
    )
    assert warnings == []


def test_the_same_text_gives_the_same_bytes() -> None:
    first = constancia_pdf(TEXT)
    pdf = opened(first)
    constancia_pdf(WORDY)
    lima = replace(TEXT, created_at=TEXT.created_at.astimezone(ZoneInfo("America/Lima")))
    assert constancia_pdf(TEXT) == constancia_pdf(lima) == first
    assert pdf.docinfo["/CreationDate"] == pdf.docinfo["/ModDate"] == "D:20261128160509Z"
    assert constancia_pdf(replace(TEXT, number="CTMA-2026-000124")) != first


def test_threads_get_each_their_own_document() -> None:
    texts = [replace(TEXT, number=f"CTMA-2026-{number:06}") for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(constancia_pdf, texts))
    for text, content in zip(texts, made, strict=True):
        assert f"N.º {text.number}" in words_of(content)


def test_a_child_of_a_process_that_has_made_documents_makes_the_same(tmp_path: Path) -> None:
    code = f"""
import os
from tests.core.test_constancia_document import TEXT, constancia_pdf
first = constancia_pdf(TEXT)
child = os.fork()
if child == 0:
    open({str(tmp_path / "child.pdf")!r}, "wb").write(constancia_pdf(TEXT))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
open({str(tmp_path / "parent.pdf")!r}, "wb").write(first)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])
    here = constancia_pdf(TEXT)
    assert (tmp_path / "child.pdf").read_bytes() == (tmp_path / "parent.pdf").read_bytes() == here
