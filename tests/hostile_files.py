"""Files made to be run, rendered or unpacked by whoever touches them: contents, names and claims (T42 to T50)."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

JS = b"alert(document.domain)"
PAGE = b"<!doctype html><script>" + JS + b"</script>"
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>' + JS + b"</script></svg>"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<</Root 1 0 R>>"
# Put together here, so that no scanner takes this file for what it tests.
EICAR = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR" + "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*").encode()


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file as a stranger sends it: the name and type are claims."""

    name: str
    type: str
    content: bytes


# Types that browsers render, run or hand to a helper, and some ways to spell them.
TYPES = (
    *("text/html", "TEXT/HTML", "text/html; charset=utf-7", "application/xhtml+xml", "text/xml"),
    *("application/xml", "application/xslt+xml", "application/rss+xml", "application/atom+xml"),
    *("image/svg+xml", "image/svg+xml; x", "image/svg", "application/mathml+xml", "text/vtt"),
    *("application/pdf", "application/x-pdf", "text/plain", "text/css", "text/javascript"),
    *(
        "application/javascript",
        "application/ecmascript",
        "application/json",
        "application/x-shockwave-flash",
    ),
    *("application/java-archive", "application/x-java-applet", "application/hta", "application/x-msdownload"),
    *("multipart/x-mixed-replace", "message/rfc822", "multipart/related", "application/x-mimearchive"),
    *(
        "image/png",
        "image/gif",
        "image/jpeg",
        "image/x-icon",
        "audio/mpeg",
        "video/mp4",
        "text/cache-manifest",
    ),
    *("application/manifest+json", "application/wasm", "application/vnd.ms-excel", "x/y", "text"),
)
NAMES = (
    *(".ht\u200baccess", "a.php.pdf", "..%2f..%2fetc%2fpasswd", "../../etc/passwd", "..\\..\\boot.ini"),
    *(
        "factura\u202efdp.exe",
        "CON.pdf",
        "a.pdf\x00.exe",
        "\ufe52\ufe52/x.pdf",
        "a.pdf:evil.exe",
        "pasaporte.pdf ",
    ),
    *(
        'a"; filename="b.exe',
        "a\r\nSet-Cookie: x=1",
        "<img src=x onerror=alert(1)>.pdf",
        "a;b=c.pdf",
        "-rf.pdf",
    ),
    *(
        "ñandú ☂.pdf",
        "x." + "e" * 64_000,
        "n" * 500 + ".pdf",
        "...",
        "a.pdf.lnk",
        "desktop.ini",
        "%00.pdf",
        "~$x.docx",
    ),
)


def hostile_files() -> list[HostileFile]:
    """All of them: every type with a page inside, every name, every content with two natures or a bomb in it."""
    by_type = [HostileFile(f"tipo-{n}.pdf", kind, PAGE) for n, kind in enumerate(TYPES)]
    by_name = [HostileFile(name, "application/pdf", PDF) for name in NAMES]
    by_content = [
        HostileFile(name, "application/octet-stream", content) for name, content in contents().items()
    ]
    return by_type + by_name + by_content


def contents() -> dict[str, bytes]:
    """Contents by the name under which they come."""
    return {
        "dibujo.svg": DRAWING,
        "dibujo.png": DRAWING,
        "pagina.jpg": PAGE,
        "pagina.txt": PAGE,
        "programa.pdf": b"MZ\x90\x00" + bytes(60) + b"PE\x00\x00",
        "pasaporte.pdf.exe": b"MZ\x90\x00" + bytes(60),
        "script.pdf": b"#!/bin/sh\nrm -rf ~\n",
        "acceso.pdf": b"L\x00\x00\x00\x01\x14\x02\x00" + bytes(60),
        "pdf-y-zip.pdf": PDF + zipped({"a.js": JS}),
        "zip-y-pdf.zip": zipped({"a.pdf": PDF}) + PDF,
        "gif-y-js.gif": b"GIF89a/*" + bytes(8) + b"*/=1;" + JS,
        "png-y-html.png": png(1, 1) + PAGE,
        "jpeg-y-html.jpg": b"\xff\xd8\xff\xe0" + PAGE + b"\xff\xd9",
        "bmp-y-js.bmp": b"BM=1;" + JS,
        "tarde.pdf": b"basura " * 50 + PDF,
        "inundacion.png": png(9_000, 9_000),
        "inundacion.gif": b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\x00\x00\x00" + b",",
        "inundacion.webp": b"RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff"
        + bytes(8),
        "inundacion.jpg": b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(30),
        "trozos.png": png(100, 100)[:40] + chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(20_000_000))),
        "bomba.zip": zipped({"ceros": bytes(20_000_000)}),
        "bomba.docx": zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": bytes(20_000_000)}),
        "muñeca.zip": nested(zipped({"ceros": bytes(5_000_000)}), 5),
        "bomba.gz": gzip.compress(bytes(20_000_000)),
        "resbala.zip": zipped(
            {"../../../tmp/resbala.sh": b"#!/bin/sh", "C:\\x.exe": b"MZ", "/etc/cron.d/x": b"x"}
        ),
        "roto.zip": zipped({"x": b"y"})[:25],
        "mentira.zip": b"PK\x03\x04" + b"\xff" * 40,
        "muchos.zip": b"PK\x03\x04" * 16_000,
        "risas.xml": b'<!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>',
        "externo.xml": b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>',
        "formula.csv": b"=cmd|'/c calc'!A1,2\r\n@SUM(1+1),3\r\n",
        "ciclo.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 600,
        "vacio.pdf": b"",
        "nulos.bin": bytes(100_000),
        "altos.bin": b"\xff" * 100_000,
        **{f"raro-{n}.pdf": crafted for n, crafted in enumerate(crafted_pdfs())},
    }


def crafted_pdfs() -> tuple[bytes, ...]:
    """PDFs that hang or fill readers; ours reads none of them."""
    return (
        b"%PDF-1.7\nxref\n0 1\ntrailer<</Prev 9>>\nstartxref\n9\n%%EOF",
        b"%PDF-1.7\n1 0 obj<</Length 99999999999>>stream\n",
        b"%PDF-1.7\n" + b"<<" * 50_000,
        b"%PDF-1.7\n1 0 obj<</Filter[" + b"/RunLengthDecode" * 5_000 + b"]>>stream\n\x80endstream",
        b"%PDF-1.7\n1 0 obj<</Type/Pages/Kids[1 0 R]/Count 999999999>>endobj",
        b"%PDF-1.7\n<x:xmpmeta><!DOCTYPE a [<!ENTITY b 'c'>]>&b;</x:xmpmeta>",
    )


def zipped(members: dict[str, bytes]) -> bytes:
    """A ZIP of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def nested(content: bytes, depth: int) -> bytes:
    """A ZIP in a ZIP in a ZIP."""
    for level in range(depth):
        content = zipped({f"{level}-{copy}.zip": content for copy in range(4)})
    return content


def png(width: int, height: int) -> bytes:
    """A PNG that says that it is so large, in less than a hundred bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\x00" * min(width * height * 3 + height, 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
