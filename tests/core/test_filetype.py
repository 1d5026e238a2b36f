"""What a file is by its content, whatever its name says (T42, T44, T46, T50)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail import filetype
from helpdesk.mail.filetype import EXTENSIONS, HEAD_BYTES, agree, claimed_type, detect_type
from tests.hostile_files import DRAWING, PAGE, hostile_files, nested, png, zipped

OLE = (
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    + bytes(22)
    + b"\x09\x00"
    + bytes(16)
    + b"\x00\x00\x00\x00"
    + bytes(460)
)
EML = b"Received: from a\r\nFrom: a@example.com\r\nSubject: x\r\n\r\nhola"
ODT = (
    b"PK\x03\x04" + bytes(22) + b"\x08\x00\x00\x00mimetypeapplication/vnd.oasis.opendocument.text" + bytes(90)
)


def ole(stream: str) -> bytes:
    """The first sectors of an Office 97 file with this stream."""
    return OLE + stream.encode("utf-16-le") + bytes(600)


KNOWN = [
    (b"%PDF-1.7\n", "a.pdf", filetype.PDF),
    (b"basura\n" * 9 + b"\x00%PDF-1.7\n", "a.pdf", filetype.PDF),
    (b"\r\n%PDF-1.4\r\n%\xe2\xe3\xcf\xd3\r\n1 0 obj", "a.pdf", filetype.PDF),
    (png(1, 1), "a", filetype.PNG),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a.jpg", filetype.JPEG),
    (b"GIF89a\x01\x00", "a.gif", filetype.GIF),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a.webp", filetype.WEBP),
    (b"\x00\x00\x00\x18ftypheic", "IMG_0001.HEIC", "image/heic"),
    (b"\x00\x00\x00\x18ftypisom", "a.mp4", "video/mp4"),
    (b"II*\x00\x08", "a.tif", "image/tiff"),
    (b"BM\x36\x00\x00\x00" + bytes(8), "a.bmp", "image/bmp"),
    (b"BM es un banco", "a.txt", filetype.TEXT),
    (zipped({"[Content_Types].xml": b"x", "word/document.xml": b"x"}), "a", filetype.DOCX),
    (zipped({"[Content_Types].xml": b"x", "xl/workbook.xml": b"x"}), "a", filetype.XLSX),
    (zipped({"[Content_Types].xml": b"x", "ppt/presentation.xml": b"x"}), "a", filetype.PPTX),
    (zipped({"[Content_Types].xml": b"x" * 9, "_rels/.rels": b"x"}), "a.xlsx", filetype.XLSX),
    (zipped({"[Content_Types].xml": b"x" * 9, "_rels/.rels": b"x"}), "a.pdf", filetype.ZIP),
    (ODT, "a.odt", filetype.ODT),
    (zipped({"a.txt": b"x"}), "a.docx", filetype.ZIP),
    (zipped({"META-INF/MANIFEST.MF": b"x"}), "a.zip", filetype.PROGRAM),
    (ole("WordDocument"), "a.doc", filetype.DOC),
    (ole("Workbook"), "a.xls", filetype.XLS),
    (ole("__properties_version1.0"), "a.msg", filetype.MSG),
    (ole("x"), "a.doc", filetype.OLE),
    (ole("x"), "a.msi", filetype.PROGRAM),
    (b"{\\rtf1\\ansi", "a.doc", filetype.RTF),
    ("Señora, mañana voy.".encode(), "a.txt", filetype.TEXT),
    ("Señora, mañana voy.".encode("latin-1"), "a.txt", filetype.TEXT),
    ("Señora, mañana voy.".encode("utf-16"), "a.txt", filetype.TEXT),
    (b"a" * 4_095 + "ñ".encode() + b"b", "a.txt", filetype.TEXT),
    (b"nombre;dni\nx;00000001\n", "a.csv", filetype.CSV),
    (EML, "a.eml", filetype.EML),
    (EML, "a.txt", filetype.EML),
    (b"From: la persona que escribe, hola", "a.txt", filetype.TEXT),
    (PAGE, "a.pdf", filetype.HTML),
    (b"\xef\xbb\xbf\n<!-- x --><?x?>\n<HTML>", "a.txt", filetype.HTML),
    (b"<?xml version='1.0'?><html xmlns='x'>", "a.xml", filetype.HTML),
    (b"<?xml version='1.0'?><Invoice/>", "a.xml", filetype.XML),
    (DRAWING, "a.png", filetype.SVG),
    (b"<?xml version='1.0'?><!-- x --><svg:svg>", "a.xml", filetype.SVG),
    (b"MZ\x90\x00\x03" + bytes(60), "a.pdf", filetype.PROGRAM),
    (b"MZ es el nombre", "a.txt", filetype.TEXT),
    (b"\x7fELF\x02", "a", filetype.PROGRAM),
    (b"#!/bin/sh\n", "a.pdf", filetype.SCRIPT),
    (b"alert(1)", "a.pdf.js", filetype.SCRIPT),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "a.pdf", filetype.SHORTCUT),
    (b"", "a.pdf", None),
    (bytes(100), "a.pdf", None),
]


@pytest.mark.parametrize(
    ("content", "name", "kind"), KNOWN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_content_tells_the_type(content: bytes, name: str, kind: str | None) -> None:
    assert detect_type(content, name) == kind


@pytest.mark.parametrize(
    ("name", "detected", "honest"),
    [
        ("a.pdf", filetype.PDF, True),
        ("a.PDF", filetype.PROGRAM, False),
        ("a.pdf", None, False),
        ("a.txt", filetype.CSV, True),
        ("a.csv", None, True),
        ("a.doc", filetype.RTF, True),
        ("a.doc", filetype.DOCX, False),
        ("a.jpg", filetype.PNG, False),
        ("a.xls", filetype.OLE, True),
    ],
)
def test_a_name_and_a_content_agree_or_not(name: str, detected: str | None, honest: bool) -> None:
    claimed = claimed_type(name)
    assert claimed is not None
    assert agree(claimed, detected) is honest


def test_every_extension_of_the_table_stands_for_a_type_of_the_table() -> None:
    from helpdesk.desk.files import KINDS_ES

    assert set(EXTENSIONS.values()) <= set(KINDS_ES)


@given(st.binary(max_size=600), st.text(max_size=20))
def test_whatever_comes_is_read_without_an_error(content: bytes, name: str) -> None:
    assert isinstance(detect_type(content, name), str | None)


@given(
    st.sampled_from([content for content, _, _ in KNOWN if content]),
    st.binary(max_size=200),
    st.integers(0, 60),
)
def test_marks_in_broken_files_are_read_without_an_error(start: bytes, rest: bytes, cut: int) -> None:
    assert isinstance(detect_type(start[: -cut or None] + rest, "a.docx"), str | None)


def test_T44_hostile_files_are_told_in_no_time_and_unpacked_never() -> None:
    files = hostile_files()
    assert len(files) >= 80
    begin = time.process_time()
    found = {file.name: detect_type(file.content, file.name) for file in files}
    assert time.process_time() - begin < 10
    assert found["bomba.docx"] == filetype.DOCX
    assert found["gif-y-js.gif"] == filetype.GIF
    assert found["programa.pdf"] == filetype.PROGRAM
    assert detect_type(nested(zipped({"x": b"y"}), 3), "x.zip") == filetype.ZIP


@pytest.mark.parametrize(
    "bait", [b"<!--", b"<?", b"< ", b"X-a:", b"PK\x03\x04", b"From: ", b"<svg", b"<!doctype"]
)
def test_T16_bait_for_slow_searches_is_read_in_linear_time(bait: bytes) -> None:
    begin = time.process_time()
    detect_type(bait * (HEAD_BYTES // len(bait)), "a.html")
    assert time.process_time() - begin < 1
