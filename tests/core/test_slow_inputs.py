"""Mail made to hang, bloat or break a parser, through the real child: each under two seconds (T11, T16 to T25, T28).

Every input is built here; each names the place that it aims at. None may fail: something of the mail is always
shown.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from helpdesk.mail.parsed import MAX_MESSAGE_BYTES
from helpdesk.mail.sandbox import ParserProcess

LIMIT_S = 2.0
TOP = b"From: a@example.com\nMessage-ID: <a@example.com>\nDate: Mon, 3 Nov 2025 10:05:00 -0500\n"
MIXED = TOP + b"Content-Type: multipart/mixed; boundary=b\n\n"


def header(line: bytes) -> bytes:
    """A mail with this header line, which is folded if it is long."""
    pieces = (line[at : at + 900] for at in range(0, len(line), 900))
    return TOP + b"\n ".join(pieces) + b"\n\nhola\n"


def text(body: str | bytes) -> bytes:
    """A mail of plain text."""
    return (
        TOP
        + b"Content-Type: text/plain; charset=utf-8\n\n"
        + (body.encode() if isinstance(body, str) else body)
    )


def html(body: bytes) -> bytes:
    """A mail of HTML."""
    return TOP + b"Content-Type: text/html; charset=utf-8\n\n" + body


def part(kind: bytes, body: bytes, encoding: bytes = b"8bit") -> bytes:
    """A mail that is one part of this type."""
    return TOP + b"Content-Type: " + kind + b"\nContent-Transfer-Encoding: " + encoding + b"\n\n" + body


def nested(depth: int, inside: bytes, *, closed: bool = False) -> bytes:
    """Multiparts in each other."""
    heads = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
    ends = b"".join(b"\n--b%d--" % n for n in reversed(range(depth))) if closed else b""
    return TOP + b"".join(heads) + b"Content-Type: text/plain\n\n" + inside + ends


def attached_mails(depth: int) -> bytes:
    """Mails in mails."""
    return (TOP + b"Content-Type: message/rfc822\n\n") * depth + b"hola\n"


def tnef(files: int, properties: bytes) -> bytes:
    """A winmail.dat of many files with damaged properties."""
    one = b"".join(
        b"\x02" + struct.pack("<II", kind, len(value)) + value + b"\0\0"
        for kind, value in ((0x69002, b""), (0x18010, b"a.pdf\0"), (0x69005, properties))
    )
    return b"\x78\x9f\x3e\x22\0\0" + one * files


def calendar(lines: bytes) -> bytes:
    """A mail that is nothing but an invitation."""
    return part(b"text/calendar", b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n" + lines)


ARMOR = "-----BEGIN PGP SIGNED MESSAGE-----\n"

MAILS: dict[str, Callable[[], bytes]] = {
    # Structure.
    "T16 nested 1,000 deep": lambda: nested(1_000, b"hola"),
    "T16 nested 10,000 deep": lambda: nested(10_000, b"hola"),
    "T16 nested 49 deep around 20 MB": lambda: nested(49, b"y" * 20_000_000, closed=True),
    "T16 nested 49 deep around 20 MB of dashes": lambda: nested(49, b"\n--x" * 5_000_000, closed=True),
    "T16 nested 49 deep around 20 MB of distinct dashed lines": lambda: nested(
        49, b"".join(b"\n--%d" % n for n in range(2_000_000)), closed=True
    ),
    "T16 nested 49 deep around 20 MB of lines": lambda: nested(49, b"hola\n" * 4_000_000, closed=True),
    "T16 one boundary 10,000 deep": lambda: (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 10_000
    ),
    "T16 alternatives in alternatives": lambda: (
        TOP + b"Content-Type: multipart/alternative; boundary=b\n\n--b\n" * 45
    ),
    "T16 mails in mails, 10,000 deep": lambda: attached_mails(10_000),
    "T16 signed envelopes in each other": lambda: part(b"application/pkcs7-mime", b"\x30\x80" * 5_000_000),
    "T17 200,000 empty parts": lambda: MIXED + b"--b\n\n" * 200_000,
    "T17 8,000,000 empty parts": lambda: MIXED + b"--b\n" * 6_000_000,
    "T17 400 parts of text of 50 kB": lambda: MIXED + (b"--b\n\n" + b"hola \xc3\xb1\n" * 7_000) * 400,
    "T17 boundaries that almost match": lambda: MIXED + b"--bx\n" * 5_000_000,
    "T17 boundaries with spaces behind": lambda: MIXED + (b"--b" + b" " * 900 + b"x\n") * 20_000,
    "T17 a boundary of 30 kB": lambda: header(b"Content-Type: multipart/mixed; boundary=" + b"b" * 30_000),
    "T17 no boundary, many dashes": lambda: TOP + b"Content-Type: multipart/mixed\n\n" + b"-" * 20_000_000,
    "T17 a million closing lines": lambda: MIXED + b"--b--\n" * 4_000_000,
    "T17 499 files without a name": lambda: MIXED + b"--b\nContent-Type: image/png\n\nx\n" * 499,
    # Headers.
    "T18 200,000 headers": lambda: TOP + b"X-A: b\n" * 200_000 + b"\nhola\n",
    "T18 one header of 20 MB": lambda: TOP + b"Subject: " + b"a" * 20_000_000 + b"\n\nhola\n",
    "T18 a header of a million lines": lambda: TOP + b"Subject: a\n" + b" b\n" * 5_000_000 + b"\nhola\n",
    "T18 headers without an end": lambda: TOP + b"X-A: b\n" * 3_000_000,
    "T18 headers of line ends": lambda: TOP + b"\r" * 20_000_000,
    "T18 900 Content-Type headers": lambda: TOP + b"Content-Type: text/plain; a=b\n" * 900 + b"\nhola\n",
    "T18 900 From headers": lambda: TOP + b"From: b@example.com\n" * 900 + b"\nhola\n",
    "T18 900 lists of recipients": lambda: TOP + b"To: a@example.com, b@example.com\n" * 900 + b"\nhola\n",
    "T18 one address and then form feeds": lambda: header(
        b"To: Ana <ana@example.com" + b"\x0c" * 50_000 + b"'"
    ),
    "T18 form feeds in and around an address": lambda: header(
        b"To: Ana <"
        + b"\x0c" * 50_000
        + b"ana@example.com"
        + b"\x0c" * 50_000
        + b">,"
        + b"\x0c" * 50_000
        + b"x"
    ),
    "T18 100,000 addresses": lambda: header(b"To: " + b"x@example.com, " * 100_000),
    "T18 addresses that are none": lambda: header(b"Cc: " + b"x@@, " * 60_000),
    "T18 900 results of authentication": lambda: (
        TOP + b"Authentication-Results: a; b=c\n" * 900 + b"\nhola\n"
    ),
    # Addresses.
    "T20 open comments": lambda: header(b"To: " + b"(" * 250_000),
    "T20 comments in comments in From": lambda: header(
        b"Reply-To: " + b"(" * 100_000 + b"a" + b")" * 100_000
    ),
    "T20 short comments": lambda: header(b"To: " + b"(a)" * 80_000),
    "T20 open quotes": lambda: header(b'To: "' + b"\\" * 250_000),
    "T20 escaped quotes": lambda: header(b"To: " + b'"\\",' * 60_000),
    "T20 open angles": lambda: header(b"To: " + b"<" * 250_000),
    "T20 angles without end": lambda: header(b"To: " + b"<a" * 120_000),
    "T20 groups": lambda: header(b"To: " + b"a:b;" * 60_000),
    "T20 a phrase of one letter": lambda: header(b"To: " + b"a " * 120_000 + b"<a@example.com>"),
    "T20 a local part of 200 kB": lambda: header(b"To: <" + b"a." * 100_000 + b"@example.com>"),
    "T20 a domain of 200 kB": lambda: header(b"To: <a@" + b"a." * 100_000 + b"com>"),
    "T20 a commented date": lambda: TOP.replace(b"Mon,", b"(" * 100_000) + b"\nhola\n",
    "T20 a date of digits": lambda: TOP.replace(b"Mon,", b"9" * 200_000) + b"\nhola\n",
    # Ids.
    "T11 references of open angles": lambda: header(b"References: " + b"<" * 250_000),
    "T11 references of 12,000 ids": lambda: header(
        b"References: " + b"".join(b"<%d@example.com> " % n for n in range(12_000))
    ),
    "T11 references of words": lambda: header(b"References: " + b"a@b " * 60_000),
    "T11 a Message-ID of 200 kB": lambda: header(b"Message-Id: <" + b"a" * 200_000 + b">"),
    # Parameters.
    "T19 16,000 segments": lambda: header(
        b"Content-Type: a/b" + b"".join(b"; n*%d*=x" % n for n in range(16_000))
    ),
    "T19 segments of one number": lambda: header(b"Content-Type: a/b" + b"; n*0*=utf-8''x" * 15_000),
    "T19 open quotes": lambda: header(b"Content-Type: text/plain" + b';a="' * 60_000),
    "T19 a type of equals signs": lambda: header(b"Content-Type: " + b"a" * 100_000 + b"=" * 100_000),
    "T19 comments behind values": lambda: header(
        b"Content-Type: text/plain; charset=" + b" (" * 60_000 + b")"
    ),
    "T28 an extension of 64 kB": lambda: header(
        b'Content-Disposition: attachment; filename="x.' + b"y" * 64_000 + b'"'
    ),
    "T28 a name of dots and slashes": lambda: header(
        b'Content-Disposition: attachment; filename="' + b"../" * 60_000 + b'"'
    ),
    "T28 a percent-encoded name": lambda: header(
        b"Content-Disposition: attachment; filename*=utf-8''" + b"%C3%B1" * 30_000
    ),
    # Encoded words.
    "T20 encoded words without end": lambda: header(b"Subject: " + b"=?utf-8?q?a" * 20_000),
    "T20 encoded words of question marks": lambda: header(b"Subject: =?utf-8?q?" + b"?" * 200_000),
    "T20 encoded words of base64 pieces": lambda: header(b"Subject: " + b"=?utf-8?b?w7F?= " * 15_000),
    "T20 encoded words of two charsets": lambda: header(
        b"Subject: " + b"=?utf-8?q?=C3=B1?= =?iso-8859-1?q?=F1?= " * 6_000
    ),
    "T20 marks of encoded words": lambda: header(b"Subject: " + b"=?" * 120_000),
    # Charsets.
    "T21 an unknown charset": lambda: part(b'text/plain; charset="' + b"x" * 30_000 + b'"', b"hola\n"),
    "T21 UTF-7 of 8 MB": lambda: part(b"text/plain; charset=utf-7", b"+AGE-" * 1_600_000),
    "T21 ISO-2022-JP of 8 MB": lambda: part(b"text/plain; charset=iso-2022-jp", b"\x1b$B\x1b(B" * 1_300_000),
    "T21 HZ of 8 MB": lambda: part(b"text/plain; charset=hz", b"~{~}" * 2_000_000),
    "T21 half surrogates": lambda: part(b"text/plain; charset=utf-16", b"\xff\xfe" + b"\x00\xd8" * 4_000_000),
    "T21 Latin-1 and UTF-8 mixed": lambda: TOP + b"\n" + b"\xc3\xb3\xf3 " * 2_000_000,
    "T21 twice encoded text of 2 MB": lambda: text("informaciÃ³n " * 150_000),
    "T21 twice encoded lines": lambda: text("Ã³\n" * 600_000),
    "T21 control characters": lambda: part(b"text/plain", bytes(range(32)) * 300_000),
    "T21 zero bytes": lambda: TOP + b"\n" + b"\x00" * 20_000_000,
    # Transfer encodings.
    "T25 base64 of 20 MB": lambda: part(b"application/pdf", b"QUJD" * 5_000_000, b"base64"),
    "T25 base64 of strange characters": lambda: part(
        b"application/pdf", b"\xff!" * 10_000_000 + b"A", b"base64"
    ),
    "T25 base64 lines of one letter": lambda: part(b"application/pdf", b"A\n" * 10_000_001, b"base64"),
    "T25 base64 of equals signs": lambda: part(b"application/pdf", b"A===" * 5_000_000, b"base64"),
    "T25 quoted-printable of 20 MB": lambda: part(b"text/plain", b"=C3=B1" * 3_300_000, b"quoted-printable"),
    "T25 quoted-printable soft breaks": lambda: part(b"text/plain", b"=\n" * 10_000_000, b"quoted-printable"),
    "T25 quoted-printable of spaces": lambda: part(
        b"text/plain", b" " * 20_000_000 + b"=", b"quoted-printable"
    ),
    "T25 uuencode of one-letter lines": lambda: part(
        b"a/b", b"begin 644 a\n" + b"!\n" * 10_000_000, b"x-uuencode"
    ),
    "T25 uuencode of 20 MB": lambda: part(
        b"a/b", b"begin 644 a\n" + (b"M" + b"A" * 60 + b"\n") * 330_000, b"x-uuencode"
    ),
    "T25 uuencoded blocks in the text": lambda: text("begin 644 a\n#86)C\nend\n" * 80_000),
    "T25 uuencoded blocks without end": lambda: text("begin 644 a\n" * 150_000 + "\nend"),
    "T25 uuencoded block of empty lines": lambda: text("begin 644 a\n" + "\n" * 1_900_000 + "#86)C\n\nend "),
    # HTML.
    "T22 open tags": lambda: html(b"<a " * 330_000),
    "T22 open comments": lambda: html(b"<!--" * 250_000),
    "T22 open marks": lambda: html(b"<![" * 330_000),
    "T22 open attributes": lambda: html(b'<a b="' * 160_000),
    "T22 one tag of 1 MB": lambda: html(b"<a " + b"b=c " * 240_000 + b">hola</a>"),
    "T22 entities": lambda: html(b"&lt;" * 240_000),
    "T22 open entities": lambda: html(b"&" * 990_000),
    "T22 numeric entities": lambda: html(b"&#x41;" * 160_000),
    "T22 scripts": lambda: html(b"<script>" * 120_000),
    "T22 closing tags": lambda: html(b"</p>" * 240_000),
    "T22 HTML of 25 MB": lambda: html(b"<p>hola</p>" * 2_200_000),
    "T24 nested divs": lambda: html(b"<div>" * 100_000 + b"hola"),
    "T24 nested quotes": lambda: html(b"<blockquote>" * 150 + b"hola" * 10_000),
    "T24 nested tables": lambda: html(b"<table><tr><td>" * 60_000),
    "T24 nested lists": lambda: html(b"<ul><li>" * 100_000),
    "T24 hidden nesting": lambda: html(b"<b><div></b>" * 80_000 + b"hola"),
    "T24 foreign nesting": lambda: html(b"<svg>" + b"<td>" * 200_000),
    "T24 reopened formatting": lambda: html(b"<font size=1>" * 190 + b"<p>a" * 200_000),
    "T24 tags in many parts": lambda: (
        MIXED + (b"--b\nContent-Type: text/html\n\n" + b"<p>a" * 12_000 + b"\n") * 100
    ),
    "T22 a table of 8,000 rows": lambda: html(b"<table>" + b"<tr><td>a<td>b" * 8_000),
    # Text that looks like quotes, signatures and attributions.
    "T23 El lun": lambda: text("El lun, " * 100_000),
    "T23 El lun in lines": lambda: text("El lun escribió\n" * 60_000),
    "T23 On": lambda: text("On " * 100_000),
    "T23 On x at y": lambda: text("On x at y " * 100_000),
    "T23 quote marks": lambda: text("> " * 1_000_000),
    "T23 quoted lines": lambda: text("> a\n" * 450_000),
    "T23 signature marks": lambda: text("-- \n" * 450_000),
    "T23 header blocks": lambda: text("De: a\nEnviado: b\nPara: c\n" * 60_000),
    "T23 underscores": lambda: text("_" * 1_900_000),
    "T23 no-break spaces": lambda: text("\r\n\u00a0" * 400_000),
    "T23 verbs": lambda: text("escribió:\n" * 160_000),
    "T23 forward marks": lambda: text("---------- Forwarded message ---------\n" * 45_000),
    "T23 lines of one character": lambda: text("a\n" * 950_000),
    "T23 one line of 2 MB": lambda: text("a" * 2_000_000),
    "T23 flowed text": lambda: part(b"text/plain; format=flowed; delsp=yes", b"a \n" * 600_000),
    "T23 flowed quotes": lambda: part(b"text/plain; format=flowed", b">" * 900 + b" \n" * 900_000),
    "T23 a subject of Re": lambda: header(b"Subject: " + b"Re: " * 60_000),
    "T23 open PGP blocks": lambda: text(ARMOR * 50_000),
    "T23 PGP blocks": lambda: text(
        (ARMOR + "\na\n-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n") * 15_000
    ),
    # Invitations, containers, reports.
    "T25 a calendar of folds": lambda: calendar(b"SUMMARY:a\n" + b" a\n" * 6_000_000),
    "T25 a calendar of parameters": lambda: calendar(
        b'DTSTART;TZID="' + b'a";"' * 15_000 + b":20251103T100500\n"
    ),
    "T25 a calendar of events": lambda: calendar(b"BEGIN:VEVENT\n" * 1_500_000),
    "T25 a winmail.dat of many files": lambda: part(b"application/ms-tnef", tnef(500_000, b"\xff" * 4)),
    "T25 a winmail.dat of many properties": lambda: part(
        b"application/ms-tnef",
        tnef(200, struct.pack("<I", 100) + struct.pack("<HHI", 0x101E, 0x3707, 16) * 5_000),
    ),
    "T25 a winmail.dat that lies": lambda: part(
        b"application/ms-tnef", b"\x78\x9f\x3e\x22\0\0" + b"\x02" + struct.pack("<II", 0x69002, 2**32 - 1)
    ),
    "T25 a delivery report of blank lines": lambda: part(b"message/delivery-status", b"\n" * 20_000_000),
    "T25 a delivery report of statuses": lambda: part(
        b"multipart/report; boundary=b",
        b"--b\nContent-Type: message/delivery-status\n\n"
        + b"Final-Recipient: rfc822; a\nStatus: 5.1.1\n\n" * 400_000,
    ),
    "T27 a mail of 30 MB": lambda: text(b"hola\n" * 6_000_000),
    "T27 noise of 20 MB": lambda: bytes(range(255, -1, -1)) * 80_000,
}


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserProcess]:
    with ParserProcess() as process:
        process.parse(text("hola"))
        yield process


def processor_s(parser: ParserProcess) -> float:
    """The processor time that the child and its workers have used so far."""
    process = parser._child._process
    assert process is not None
    child = psutil.Process(process.pid)
    times = [one.cpu_times() for one in (child, *child.children())]
    ended = times[0].children_user + times[0].children_system
    return float(ended + sum(used.user + used.system for used in times))


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_made_to_hang_is_read_in_two_seconds(parser: ParserProcess, name: str) -> None:
    raw = MAILS[name]()
    before, started = processor_s(parser), time.perf_counter()
    mail = parser.parse(raw)
    wall_s = time.perf_counter() - started
    # Where other programs keep the processors busy, the child's own time tells how long it would have taken.
    assert min(wall_s, processor_s(parser) - before) < LIMIT_S
    assert not [defect for defect in mail.defects if defect.startswith("parser-error")]


def test_there_are_sixty_such_mails_and_they_are_of_every_size() -> None:
    sizes = [len(build()) for build in MAILS.values()]
    assert len(sizes) >= 60
    assert max(sizes) > MAX_MESSAGE_BYTES
    assert min(sizes) < 2_000
