"""What a file is by its content: a small table of marks, so that a name or a mail's claim need not be believed.

In: the marks, containers told apart by the names inside them, text and what kind of text. Not in: whether a
name lies about it and in which words (`helpdesk.desk.files`), reading any of these formats: no archive is
unpacked and no document parsed (T44, T46). Sources: the formats' own specifications; PRONOM for the marks.
"""

from __future__ import annotations

import codecs
import re

HEAD_BYTES = 65_536  # what is looked at, at most
TEXT_BYTES = 4_096
ZIP_ENTRIES = 100

PNG, JPEG, GIF, WEBP = "image/png", "image/jpeg", "image/gif", "image/webp"
PREVIEWED = frozenset({PNG, JPEG, GIF, WEBP})
PDF, RTF, ZIP = "application/pdf", "application/rtf", "application/zip"
DOC, XLS, PPT = "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"
MSG, OLE = "application/vnd.ms-outlook", "application/x-ole-storage"
_OOXML = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX = _OOXML + "wordprocessingml.document", _OOXML + "spreadsheetml.sheet"
PPTX = _OOXML + "presentationml.presentation"
_ODF = "application/vnd.oasis.opendocument."
ODT, ODS, ODP = _ODF + "text", _ODF + "spreadsheet", _ODF + "presentation"
TEXT, CSV, HTML, XML = "text/plain", "text/csv", "text/html", "text/xml"
SVG, EML = "image/svg+xml", "message/rfc822"
PROGRAM, SCRIPT, SHORTCUT = "application/x-executable", "text/x-script", "application/x-ms-shortcut"

# What may do harm when somebody opens it, whatever it is called.
RISKY = frozenset({PROGRAM, SCRIPT, SHORTCUT, HTML, SVG})

# What a file begins with; the first that fits counts.
_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", PDF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", RTF),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    (b"\x7fELF", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM),  # Java classes and universal Mach-O
    (b"\xfe\xed\xfa\xce", PROGRAM),
    (b"\xfe\xed\xfa\xcf", PROGRAM),
    (b"\xce\xfa\xed\xfe", PROGRAM),
    (b"\xcf\xfa\xed\xfe", PROGRAM),
    (b"dex\n03", PROGRAM),
    (b"L\x00\x00\x00\x01\x14\x02\x00", SHORTCUT),
    (b"#!", SCRIPT),
)
# The brand of an ISO base media file (ISO/IEC 14496-12, 4.3), which stands behind "ftyp".
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "image/heic"),
    b"avif": "image/avif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_RIFF = {b"WEBP": WEBP, b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
# What a ZIP holds tells which document it is; the first name that fits counts.
_ZIP_NAMES: tuple[tuple[bytes, str], ...] = (
    (b"word/", DOCX),
    (b"xl/", XLSX),
    (b"ppt/", PPTX),
    (b"AndroidManifest.xml", PROGRAM),
    (b"META-INF/MANIFEST.MF", PROGRAM),  # a Java archive
)
_ODF_TYPES = {kind.encode(): kind for kind in (ODT, ODS, ODP)}
# Names of streams in an OLE file's directory (MS-CFB 2.6.1), in UTF-16; the first that is there counts.
_OLE_STREAMS = tuple(
    (name.encode("utf-16-le"), kind)
    for name, kind in (
        ("WordDocument", DOC),
        ("Workbook", XLS),
        ("PowerPoint Document", PPT),
        ("__properties_version1.0", MSG),
        ("Book", XLS),
    )
)
_OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_SECTOR = 4_096

# The extensions under which each type is usual. What is not here claims nothing.
EXTENSIONS: dict[str, str] = {
    **dict.fromkeys(("pdf",), PDF),
    **dict.fromkeys(("png",), PNG),
    **dict.fromkeys(("jpg", "jpeg", "jfif", "jpe"), JPEG),
    **dict.fromkeys(("gif",), GIF),
    **dict.fromkeys(("webp",), WEBP),
    **dict.fromkeys(("heic", "heif"), "image/heic"),
    **dict.fromkeys(("tif", "tiff"), "image/tiff"),
    **dict.fromkeys(("bmp", "dib"), "image/bmp"),
    **dict.fromkeys(("docx", "docm", "dotx"), DOCX),
    **dict.fromkeys(("xlsx", "xlsm"), XLSX),
    **dict.fromkeys(("pptx", "pptm", "ppsx"), PPTX),
    **dict.fromkeys(("doc", "dot"), DOC),
    **dict.fromkeys(("xls",), XLS),
    **dict.fromkeys(("ppt", "pps"), PPT),
    **dict.fromkeys(("msg",), MSG),
    **dict.fromkeys(("odt",), ODT),
    **dict.fromkeys(("ods",), ODS),
    **dict.fromkeys(("odp",), ODP),
    **dict.fromkeys(("rtf",), RTF),
    **dict.fromkeys(("zip",), ZIP),
    **dict.fromkeys(("csv", "tsv"), CSV),
    **dict.fromkeys(("txt", "log", "md"), TEXT),
    **dict.fromkeys(("eml",), EML),
    **dict.fromkeys(("htm", "html", "xhtml", "mht", "shtml"), HTML),
    **dict.fromkeys(("svg",), SVG),
    **dict.fromkeys(("exe", "dll", "com", "scr", "msi", "apk", "jar", "cpl", "pif"), PROGRAM),
    **dict.fromkeys(("js", "jse", "vbs", "vbe", "wsf", "wsh", "hta", "bat", "cmd", "ps1", "sh"), SCRIPT),
    **dict.fromkeys(("reg", "ws", "wsc", "sct", "vb", "psm1"), SCRIPT),
    **dict.fromkeys(("lnk", "url", "scf", "desktop"), SHORTCUT),
    **dict.fromkeys(("rdp", "website", "library-ms", "search-ms", "settingcontent-ms"), SHORTCUT),
}
# Types that share their bytes or their readers: a name for one is no lie for the other.
_SAME: tuple[frozenset[str], ...] = (
    frozenset({TEXT, CSV, XML, EML}),
    frozenset({OLE, DOC, XLS, PPT, MSG}),
    frozenset({RTF, DOC}),  # Word itself writes RTF and calls it .doc
    frozenset({EML, HTML}),  # web archives (.mht) are mails
)
_TEXTUAL = frozenset({TEXT, CSV, XML})

_HTML_START = re.compile(
    r"<(?:!doctype\s{1,9}html|html|head|body|script|iframe|meta|title|style|form|table|div|p|a|img|h1|br)"
    r"(?=[\s/>])",
    re.I,
)
_HTML_INSIDE = re.compile(r"<(?:html|script|iframe|object|embed)(?=[\s/>])", re.I)
_SVG_START = re.compile(r"<(?:!doctype\s{1,9})?svg(?=[\s/>:])", re.I)
_MAIL_START = re.compile(
    r"(?:From |(?:Return-Path|Received|Delivered-To|From|To|Subject|Date|Message-ID|MIME-Version|"
    r"DKIM-Signature|Authentication-Results|X-[\w-]{1,60}):)"
)
_MAIL_HEADER = re.compile(r"^(?:From|To|Subject|Date|Message-ID|MIME-Version):", re.I | re.M)


def extension(name: str) -> str:
    """The last extension of a file name, in lower case, or ""."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def claimed_type(name: str) -> str | None:
    """What a file's name says that it is; None when it says nothing that we know."""
    return EXTENSIONS.get(extension(name))


def agree(claimed: str, detected: str | None) -> bool:
    """Whether a file that says that it is `claimed` may honestly turn out to be `detected`."""
    if detected is None:
        # We know the marks of all these; only of free text anything may be true.
        return claimed in _TEXTUAL or claimed in (SCRIPT, SHORTCUT)
    return claimed == detected or any(claimed in kinds and detected in kinds for kinds in _SAME)


def detect_type(head: bytes, name: str) -> str | None:
    """Return the type of a file by its first bytes, or None when they tell nothing.

    At most 64 kB and one sector of an OLE directory are looked at; `name` decides only between texts, and
    between documents of one container whose names lie further back. Never raises; linear. T50: the mark at
    the very start counts, so that a file with two natures is what most programs take it for.
    """
    content, head = head, head[:HEAD_BYTES]
    if found := _by_mark(head):
        return found
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_type(head, name)
    if head.startswith(_OLE_MARK):
        return _ole_type(content, name)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n\x00").startswith(b"%PDF-"):
        return PDF
    if text := _as_text(head[:TEXT_BYTES]):
        return _text_type(text, name)
    # Readers take a PDF that begins anywhere in the first kilobyte (ISO 32000-1, annex H.3.4.1).
    return PDF if b"%PDF-" in head[:1024] else None


def _by_mark(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "image/bmp"
    if head[:2] == b"MZ" and 0 in head[:64]:  # a text may begin with these letters, too
        return PROGRAM
    if head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"):
        return "audio/mpeg"
    return next((kind for mark, kind in _MARKS if head.startswith(mark)), None)


def _zip_type(head: bytes, name: str) -> str:
    """Which document a ZIP is, by the names of its first members; nothing is unpacked."""
    names = _zip_names(head)
    if names[:1] == [b"mimetype"]:
        return next((kind for mark, kind in _ODF_TYPES.items() if head[38:].startswith(mark)), ZIP)
    found = next((kind for mark, kind in _ZIP_NAMES if any(n.startswith(mark) for n in names)), None)
    claimed = claimed_type(name)
    if found is None and b"[Content_Types].xml" in names and claimed in (DOCX, XLSX, PPTX):
        return claimed
    return found or ZIP


def _zip_names(head: bytes) -> list[bytes]:
    """The members' names that stand in local headers (APPNOTE.TXT, 4.3.7), in their order."""
    names: list[bytes] = []
    at = 0
    while len(names) < ZIP_ENTRIES and 0 <= at < len(head):
        length = int.from_bytes(head[at + 26 : at + 28], "little")
        names.append(head[at + 30 : at + 30 + min(length, 255)])
        at = head.find(b"PK\x03\x04", at + 30)
    return names


def _ole_type(content: bytes, name: str) -> str:
    shift = int.from_bytes(content[30:32], "little")
    first = int.from_bytes(content[48:52], "little")
    start = (first + 1) << min(shift, 12)
    directory = content[start : start + _OLE_SECTOR] + content[:HEAD_BYTES]
    found = next((kind for stream, kind in _OLE_STREAMS if stream in directory), None)
    claimed = claimed_type(name)
    if found is None and claimed == PROGRAM:  # .msi
        return PROGRAM
    return found or OLE


def _as_text(head: bytes) -> str | None:
    """The characters of a text: UTF-16 with its mark, UTF-8, or Latin-1 without control characters."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[: len(head) & ~1].decode("utf-16", "replace")
    if not head or any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head) or 127 in head:
        return None
    try:
        # Not the final piece: the cut may have halved the last character.
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _text_type(text: str, name: str) -> str:
    start = _after_prologue(text)
    if _SVG_START.match(start):
        return SVG
    if _HTML_START.match(start):
        return HTML
    claimed = claimed_type(name)
    if claimed in (SCRIPT, SHORTCUT):
        return claimed
    if _MAIL_START.match(start) and len(_MAIL_HEADER.findall(start)) >= 2:
        return EML
    if _SVG_START.search(start) and start.startswith("<"):
        return SVG
    if _HTML_INSIDE.search(start) and (start.startswith("<") or claimed == HTML):
        return HTML
    if start.startswith("<?xml") or text.startswith("<?xml"):
        return XML
    return CSV if claimed == CSV else TEXT


def _after_prologue(text: str) -> str:
    """The text behind spaces, an XML declaration and comments."""
    rest = text.lstrip("\ufeff \t\r\n\f")
    for _ in range(20):
        ending = "-->" if rest.startswith("<!--") else "?>" if rest.startswith("<?") else ""
        end = rest.find(ending) if ending else -1
        if end < 0:
            break
        rest = rest[end + len(ending) :].lstrip()
    return rest
