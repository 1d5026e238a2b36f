"""The contract's file: what is no PDF and no photo, or more than one thing, is refused in words (T44 to T50)."""

from __future__ import annotations

import hashlib
import io
import random
import re
import struct
import time
import zipfile
import zlib
from functools import cache

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpdesk.certificates.application import Fault
from helpdesk.certificates.contract_file import (
    MOST_BYTES,
    MOST_PIXELS,
    NAME_CHARACTERS,
    TYPES,
    ContractFile,
    clean_name,
    read_contract,
)
from helpdesk.mail.filetype import JPEG, PDF, PNG, WEBP
from tests.filings import contract_pdf
from tests.hostile_files import (
    DRAWING,
    EICAR,
    JS,
    PAGE,
    chunk,
    crafted_pdfs,
    hostile_files,
    nested,
    png,
    zipped,
)


@cache
def picture(kind: str, mode: str = "RGB") -> bytes:
    """A small photo, with what a camera writes into it."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    out = io.BytesIO()
    Image.linear_gradient("L").resize((90, 60)).convert(mode).save(out, kind, exif=exif.tobytes())
    return out.getvalue()


def drawn_pdf(**root: object) -> bytes:
    """A PDF whose catalogue holds more than it should."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(contract_pdf())) as opened:
        for name, value in root.items():
            opened.Root[f"/{name}"] = opened.make_indirect(value)
        opened.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()


def running(action: str, **more: object) -> bytes:
    """A PDF that does something when it is opened."""
    return drawn_pdf(OpenAction=pikepdf.Dictionary(S=pikepdf.Name(f"/{action}"), **more))


def scan(packed: bytes) -> bytes:
    """A PDF that is one packed photo."""
    head = f"%PDF-1.4\n1 0 obj<</Length {len(packed)}>>stream\n".encode()
    return head + packed + b"\nendstream endobj\ntrailer<<>>\n%%EOF\n"


def zip_with_comment(comment: bytes) -> bytes:
    """A ZIP behind whose directory stands something else."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.js", JS)
        archive.comment = comment
    return out.getvalue()


def webp_canvas(width: int, height: int) -> bytes:
    """A WebP that says that it is so large, in 30 bytes."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG that says that it is so large."""
    raw = picture("JPEG")
    at = raw.index(b"\xff\xc0") + 5
    return raw[:at] + struct.pack(">HH", height, width) + raw[at + 4 :]


DOS = b"MZ\x90\x00" + bytes(60) + b"PE\x00\x00"
HOSTILE: dict[str, tuple[str, str, bytes]] = {
    # what it is: its name, the rule, its content
    "nothing": ("contrato.pdf", "required", b""),
    "30 MB": ("contrato.pdf", "too_large", contract_pdf() + bytes(30_000_000)),
    "a byte too many": ("contrato.pdf", "too_large", contract_pdf().ljust(MOST_BYTES + 1, b"\n")),
    "a program called PDF": ("contrato.pdf", "file_type", DOS),
    "a program called JPEG": ("contrato.jpg", "file_type", b"\x7fELF" + bytes(100)),
    "a script called PDF": ("contrato.pdf", "file_type", b"#!/bin/sh\nrm -rf ~\n"),
    "a shortcut called PDF": ("contrato.pdf", "file_type", b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(60)),
    "a page called PDF": ("contrato.pdf", "file_type", PAGE),
    "a page": ("contrato.html", "file_type", PAGE),
    "a drawing": ("contrato.svg", "file_type", DRAWING),
    "a drawing called PNG": ("contrato.png", "file_type", DRAWING),
    "text": ("contrato.pdf", "file_type", b"Contrato entre las partes."),
    "zeros": ("contrato.pdf", "file_type", bytes(1_000)),
    "Word": ("contrato.docx", "file_type", zipped({"[Content_Types].xml": b"x", "word/document.xml": b"x"})),
    "Word called PDF": ("contrato.pdf", "file_type", zipped({"word/document.xml": b"x"})),
    "a ZIP bomb": ("contrato.zip", "file_type", zipped({"ceros": bytes(20_000_000)})),
    "ZIPs in ZIPs": ("contrato.pdf", "file_type", nested(zipped({"ceros": bytes(1_000_000)}), 4)),
    "ZIP, then PDF": ("contrato.pdf", "file_type", zipped({"a.js": JS}) + contract_pdf()),
    "EICAR": ("contrato.pdf", "file_type", EICAR),
    "GIF and JavaScript": ("contrato.gif", "file_type", b"GIF89a/*" + bytes(8) + b"*/=1;" + JS),
    "GIF called JPEG": ("contrato.jpg", "file_type", b"GIF89a/*" + bytes(8) + b"*/=1;" + JS),
    "HEIC": ("IMG_0001.HEIC", "file_type", b"\x00\x00\x00\x18ftypheic" + bytes(100)),
    "TIFF": ("contrato.tif", "file_type", b"II*\x00\x08" + bytes(100)),
    # good content under another name
    "PDF called program": ("contrato.pdf.exe", "file_type", contract_pdf()),
    "PDF called program, turned round": ("contrato\u202efdp.exe", "file_type", contract_pdf()),
    "PDF called program, behind a NUL": ("contrato.pdf\x00.exe", "file_type", contract_pdf()),
    "PDF called program, with a dot": ("contrato.exe.", "file_type", contract_pdf()),
    "PDF called page": ("contrato.html", "file_type", contract_pdf()),
    "PDF called JPEG": ("contrato.jpg", "file_type", contract_pdf()),
    "PNG called JPEG": ("contrato.jpg", "file_type", picture("PNG")),
    "JPEG called PDF": ("contrato.pdf", "file_type", picture("JPEG")),
    # PDFs that are more, or less, than a PDF
    "half a PDF": ("contrato.pdf", "file_content", contract_pdf()[: len(contract_pdf()) // 2]),
    "all but the PDF's end": ("contrato.pdf", "file_content", contract_pdf().rstrip()[:-1]),
    "junk, then PDF": ("contrato.pdf", "file_content", b"\r\n" + contract_pdf()),
    "PDF and ZIP": ("contrato.pdf", "file_content", contract_pdf() + zipped({"a.js": JS})),
    "PDF and ZIP and the end": (
        "contrato.pdf",
        "file_content",
        contract_pdf() + zip_with_comment(b"\n%%EOF\n"),
    ),
    "PDF and ZIP with the longest comment": (
        "contrato.pdf",
        "file_content",
        contract_pdf() + zip_with_comment(b"\n%%EOF\n".rjust(65_535, b" ")),
    ),
    "PDF and a page": ("contrato.pdf", "file_content", contract_pdf() + PAGE),
    "PDF with a page at its head": (
        "contrato.pdf",
        "file_content",
        contract_pdf().replace(b"\n", b"\n%" + PAGE + b"\n", 1),
    ),
    "PDF and a program": ("contrato.pdf", "file_content", contract_pdf() + DOS),
    "PDF with /JavaScript": ("contrato.pdf", "file_content", running("JavaScript", JS=pikepdf.String("x()"))),
    "PDF with /Launch": ("contrato.pdf", "file_content", running("Launch", F=pikepdf.String("calc.exe"))),
    "PDF with /Rendition": ("contrato.pdf", "file_content", running("Rendition", JS=pikepdf.String("x()"))),
    "PDF with named scripts": (
        "contrato.pdf",
        "file_content",
        drawn_pdf(Names=pikepdf.Dictionary(JavaScript=pikepdf.Dictionary(Names=pikepdf.Array()))),
    ),
    "PDF with /J#61vaScript": (
        "contrato.pdf",
        "file_content",
        running("JavaScript", JS=pikepdf.String("x()")).replace(b"/JavaScript", b"/J#61vaScr#69pt"),
    ),
    # pictures that are more, or less, than a picture
    "9000 x 9000 in 100 bytes": ("contrato.png", "file_content", png(9_000, 9_000)),
    "9600 x 9600": ("contrato.png", "file_content", png(9_600, 9_600)),  # where Pillow begins to warn
    "60000 x 60000": ("contrato.png", "file_content", png(60_000, 60_000)),
    "65500 x 65500 JPEG": ("contrato.jpg", "file_content", jpeg_of(65_500, 65_500)),
    "16383 x 16383 WebP": ("contrato.webp", "file_content", webp_canvas(16_383, 16_383)),
    "16777216 x 16777216 WebP": ("contrato.webp", "file_content", webp_canvas(1 << 24, 1 << 24)),
    "PNG with 20 MB of packed text": (
        "contrato.png",
        "file_content",
        png(100, 100)[:33]
        + chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(20_000_000)))
        + png(100, 100)[33:],
    ),
    "half a PNG": ("contrato.png", "file_content", picture("PNG")[:-200]),
    "half a JPEG": ("contrato.jpg", "file_content", picture("JPEG")[:-200]),
    "half a WebP": ("contrato.webp", "file_content", picture("WEBP")[:-100]),
    "a PNG's first bytes": ("contrato.png", "file_content", b"\x89PNG\r\n\x1a\n"),
    "PNG and ZIP": ("contrato.png", "file_content", picture("PNG") + zipped({"a.js": JS})),
    "PNG and ZIP and the end": (
        "contrato.png",
        "file_content",
        picture("PNG") + zip_with_comment(picture("PNG")[-12:]),
    ),
    "PNG and a page": ("contrato.png", "file_content", picture("PNG") + PAGE),
    "JPEG and JavaScript": ("contrato.jpg", "file_content", picture("JPEG") + b"/*" + JS),
    "JPEG and ZIP and the end": (
        "contrato.jpg",
        "file_content",
        picture("JPEG") + zip_with_comment(b"\xff\xd9"),
    ),
    "JPEG that is a page": ("contrato.jpg", "file_content", b"\xff\xd8\xff\xe0" + PAGE + b"\xff\xd9"),
    "WebP and ZIP": ("contrato.webp", "file_content", picture("WEBP") + zipped({"a.js": JS})),
    "WebP and a page": ("contrato.webp", "file_content", picture("WEBP") + PAGE),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_upload_is_refused_in_words(what: str) -> None:
    name, rule, content = HOSTILE[what]
    begin = time.process_time()
    refused = read_contract(name, content)
    assert time.process_time() - begin < 1
    assert isinstance(refused, Fault)
    assert (refused.key, refused.rule) == ("contract_file", rule)
    assert re.fullmatch(r"[A-ZÁÉÍÓÚ][^.!?]*\.", refused.message)  # one sentence
    assert re.search(r"\b(el|la|un|una|de|otra|otro)\b", refused.message.lower())
    assert refused.source


def test_the_reason_fits_what_is_wrong() -> None:
    said = {what: read_contract(HOSTILE[what][0], HOSTILE[what][2]) for what in HOSTILE}
    words = {what: fault.message for what, fault in said.items() if isinstance(fault, Fault)}
    for what in ("9000 x 9000 in 100 bytes", "9600 x 9600", "60000 x 60000", "65500 x 65500 JPEG"):
        assert "demasiados puntos" in words[what]
    for what in ("PDF with /JavaScript", "PDF with /Launch", "PDF with /J#61vaScript"):
        assert "programa" in words[what]
    assert "5 MB" in words["30 MB"]
    assert "nombre" in words["PDF called program"]


def test_T44_of_every_hostile_file_that_mail_knows_none_but_harmless_pdfs_is_taken() -> None:
    taken = {
        file.name
        for file in hostile_files()
        if isinstance(read_contract(file.name, file.content), ContractFile)
    }
    # Broken inside, but whole by its marks: a reader may stumble over it, and ours reads none (T46).
    assert taken == {"raro-0.pdf"}
    assert crafted_pdfs()[0].endswith(b"%%EOF")


GOOD = {
    "contrato.pdf": (PDF, contract_pdf()),
    "CONTRATO.PDF": (PDF, contract_pdf()),
    "contrato": (PDF, contract_pdf()),
    "contrato firmado": (JPEG, picture("JPEG")),
    "foto.jpg": (JPEG, picture("JPEG")),
    "foto.jpeg": (JPEG, picture("JPEG", "L")),
    "foto.png": (PNG, picture("PNG")),
    "captura.png": (PNG, picture("PNG", "RGBA")),
    "foto.webp": (WEBP, picture("WEBP")),
    "transparente.webp": (WEBP, picture("WEBP", "RGBA")),
    "relleno.jpg": (JPEG, picture("JPEG") + bytes(500)),
    "galaxy.jpg": (
        JPEG,
        picture("JPEG") + b"\x00\x00\x01\x0aImage_UTC_Data" + bytes(12) + b"SEFH" + bytes(20) + b"SEFT",
    ),
    "relleno.webp": (WEBP, picture("WEBP") + bytes(500)),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_pdf_and_a_photo_are_taken_as_they_are(name: str) -> None:
    kind, content = GOOD[name]
    taken = read_contract(name, content)
    assert isinstance(taken, ContractFile)
    assert (taken.name, taken.type, taken.content) == (name, kind, content)
    assert taken.sha256 == hashlib.sha256(content).hexdigest()
    assert kind in TYPES


def test_a_pdf_that_is_filled_up_with_blanks_is_taken_up_to_5_mb() -> None:
    # Scanners and gateways do that. Blank bytes hide nothing; anything else behind the end is another file.
    for blank in (b"\n", b"\r\n", b" ", b"\x00"):
        assert isinstance(read_contract("a.pdf", contract_pdf() + blank * 1_024), ContractFile)
        assert isinstance(read_contract("a.pdf", contract_pdf() + blank * 1_024 + b"x"), Fault)
    assert isinstance(read_contract("a.pdf", contract_pdf().ljust(MOST_BYTES, b"\n")), ContractFile)


def test_a_photo_may_have_as_many_dots_as_phones_make_of_it() -> None:
    assert MOST_PIXELS >= 50_000_000
    assert isinstance(read_contract("a.png", png(8_000, 6_000)), ContractFile)
    assert isinstance(read_contract("a.png", png(10_000, 6_000)), ContractFile)
    assert isinstance(read_contract("a.png", png(10_000, 6_001)), Fault)


def test_a_scan_is_not_refused_for_what_its_packed_bytes_hold_by_chance() -> None:
    # They are as good as random: "/JS" and no letter stood in one of ten scans of 3 MB.
    draw = random.Random(44)
    for _ in range(8):
        packed = draw.randbytes(500_000) + b"/JS\x93" + draw.randbytes(500_000)
        assert isinstance(read_contract("a.pdf", scan(packed)), ContractFile)


def test_a_word_that_only_begins_like_a_program_is_none() -> None:
    assert isinstance(read_contract("a.pdf", drawn_pdf(JavaScripted=pikepdf.Dictionary())), ContractFile)
    assert isinstance(read_contract("a.pdf", drawn_pdf(JSX=pikepdf.Dictionary())), ContractFile)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/contrato.pdf", "contrato.pdf"),
        ("..\\..\\contrato.pdf", "contrato.pdf"),
        ("C:\\Users\\ana\\contrato.pdf", "contrato.pdf"),
        ("/etc/passwd", "passwd"),
        ("contrato\x00.pdf", "contrato .pdf"),
        ("con\u202etrato\u2066.pdf", "con trato .pdf"),
        ("con\u200ftra\u200bto.pdf", "con tra to.pdf"),
        ("contrato\r\nSet-Cookie: x.pdf", "contrato Set-Cookie x.pdf"),
        ('a"; filename="b.pdf', "a ; filename= b.pdf"),
        ("<img src=x>.pdf", "img src=x .pdf"),
        ("a.pdf:evil.exe", "a.pdf evil.exe"),
        ("  contrato  firmado.pdf ", "contrato firmado.pdf"),
        ("contrato.pdf. . .", "contrato.pdf"),
        (".htaccess", "htaccess"),
        ("ñandú ☂.pdf", "ñandú ☂.pdf"),
        ("\udcff.pdf", "pdf"),
        *((name, "contrato") for name in ("", ".", "..", "...", "/", "a/", "\x00", "\u202e", " ")),
    ],
)
def test_a_name_keeps_no_folder_and_no_sign_that_hides_something(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned


def test_the_end_of_a_long_name_is_kept() -> None:
    assert clean_name("n" * 500 + ".pdf") == "n" * (NAME_CHARACTERS - 4) + ".pdf"
    refused = read_contract("contrato.pdf" * 20 + ".exe", contract_pdf())
    assert isinstance(refused, Fault)


@given(st.text(max_size=200))
def test_any_name_becomes_one_that_can_be_a_files(name: str) -> None:
    cleaned = clean_name(name)
    assert 0 < len(cleaned) <= NAME_CHARACTERS
    assert not set(cleaned) & set('/\\:*?"<>|\x00\r\n\u202e')
    assert cleaned.strip(". ") == cleaned
    assert cleaned.encode()
    assert clean_name(cleaned) == cleaned


beginnings = st.sampled_from([contract_pdf(), picture("JPEG"), picture("PNG"), picture("WEBP"), b""])


@given(
    beginnings, st.integers(0, 300), st.binary(max_size=60), st.sampled_from(["a", "a.pdf", "a.jpg", "a.png"])
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's word on a broken EXIF
def test_whatever_bytes_come_are_taken_or_refused_without_an_error(
    start: bytes, cut: int, rest: bytes, name: str
) -> None:
    for content in (start[:cut] + rest + start[cut + len(rest) :], start[:cut] + rest, start + rest):
        read = read_contract(name, content)
        assert isinstance(read, ContractFile | Fault)
