"""Mail made to hang a parser: each must be read in under two seconds (T11, T16 to T25, T28)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import MAX_PARTS, ParsedMail

TOP = b"From: a@example.com\nMessage-ID: <a@example.com>\nDate: Mon, 3 Nov 2025 10:05:00 -0500\n"
LIMIT_S = 2.0


def nested(depth: int) -> bytes:
    heads = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
    return TOP + b"".join(heads) + b"Content-Type: text/plain\n\nhola\n"


def html_mail(html: bytes) -> bytes:
    return TOP + b"Content-Type: text/html\n\n" + html


def plain(text: str) -> bytes:
    return TOP + b"Content-Type: text/plain; charset=utf-8\n\n" + text.encode()


MAILS: dict[str, Callable[[], bytes]] = {
    "T16 nested 1,000 deep": lambda: nested(1_000),
    "T16 nested 10,000 deep": lambda: nested(10_000),
    "T16 same boundary 10,000 deep": lambda: (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 10_000
    ),
    "T17 200,000 empty parts": lambda: (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 200_000
    ),
    "T17 almost delimiters": lambda: (
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--bx\n" * 1_000_000
    ),
    "T18 200,000 headers": lambda: TOP + b"X-A: b\n" * 200_000 + b"\nhola\n",
    "T18 100,000 addresses": lambda: TOP + b"To: " + b"x@example.com, " * 100_000 + b"\n\nhola\n",
    "T18 folded header of 1 MB": lambda: TOP + b"Subject: a\n" + b" b\n" * 300_000 + b"\nhola\n",
    "T19 16,000 segments": lambda: (
        TOP + b"Content-Type: a/b" + b"".join(b";\n n*%d*=x" % n for n in range(16_000)) + b"\n\nhola\n"
    ),
    "T19 unclosed quotes": lambda: TOP + b"Content-Type: text/plain" + b';a="' * 60_000 + b"\n\nhola\n",
    "T20 comments": lambda: (
        TOP.replace(b"a@e", b"(" * 100_000 + b"a@e") + b"To: " + b"(" * 100_000 + b"\n\nhola\n"
    ),
    "T20 comment date": lambda: TOP.replace(b"Mon,", b"(" * 100_000) + b"\nhola\n",
    "T20 encoded words": lambda: TOP + b"Subject: " + b"=?utf-8?q?a" * 20_000 + b"\n\nhola\n",
    "T11 message ids": lambda: TOP + b"References: " + b"<" * 200_000 + b"\n\nhola\n",
    "T22 open tags": lambda: html_mail(b"<a " * 330_000),
    "T22 open comments": lambda: html_mail(b"<!--" * 250_000),
    "T22 open marks": lambda: html_mail(b"<![" * 330_000),
    "T24 nested divs": lambda: html_mail(b"<div>" * 100_000 + b"hola"),
    "T24 hidden nesting": lambda: html_mail(b"<b><div></b>" * 80_000 + b"hola"),
    "T24 foreign nesting": lambda: html_mail(b"<svg>" + b"<td>" * 200_000),
    "T24 reopened formatting": lambda: html_mail(b"<font size=1>" * 190 + b"<p>a" * 200_000),
    "T22 many tags in many parts": lambda: (
        TOP
        + b"Content-Type: multipart/mixed; boundary=b\n\n"
        + (b"--b\nContent-Type: text/html\n\n" + b"<p>a" * 12_000 + b"\n") * 100
    ),
    "T25 base64 of 20 MB": lambda: (
        TOP + b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + b"QUJD" * 5_000_000
    ),
    "T23 El lun": lambda: plain("El lun, " * 100_000),
    "T28 long name": lambda: TOP + b"Content-Type: application/pdf; name=x." + b"y" * 64_000 + b"\n\nhola\n",
    "long words in Latin-1": lambda: TOP + b"\n" + b"\xc3\xb3\xf3 " * 500_000,
    "mojibake of 1 MB": lambda: plain("informaciÃ³n " * 80_000),
    "lines of one character": lambda: plain("a\n" * 900_000),
}


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_made_to_hang_is_read_in_two_seconds(name: str) -> None:
    raw = MAILS[name]()
    started = time.perf_counter()
    mail = parse(raw)
    assert time.perf_counter() - started < LIMIT_S
    assert not [defect for defect in mail.defects if defect.startswith("parser-error")]


def read(name: str) -> ParsedMail:
    return parse(MAILS[name]())


def test_what_lies_too_deep_is_kept_as_one_raw_attachment() -> None:
    mail = read("T16 nested 1,000 deep")
    assert "too-deep" in mail.defects
    assert [file.type for file in mail.attachments] == ["application/octet-stream"]
    assert mail.attachments[0].content.endswith(b"hola\n")


def test_parts_beyond_the_limit_are_kept_as_one_raw_attachment() -> None:
    many = b"".join(b"--b\nContent-Type: application/pdf; name=%d.pdf\n\nx\n" % n for n in range(600))
    mail = parse(TOP + b"Content-Type: multipart/mixed; boundary=b\n\n" + many + b"--b--\n")
    assert "too-many-parts" in mail.defects
    assert len(mail.attachments) == MAX_PARTS
    assert b"599.pdf" in mail.attachments[-1].content


def test_headers_beyond_the_limit_do_not_hide_the_text() -> None:
    mail = read("T18 200,000 headers")
    assert mail.text == "hola"
    assert "headers-too-long" in mail.defects


def test_html_beyond_the_limit_gives_its_text_and_no_html() -> None:
    mail = read("T24 nested divs")
    assert (mail.text, mail.html) == ("hola", "")
    assert "html-too-deep" in mail.defects


def test_recipients_beyond_the_limit_are_left_out() -> None:
    mail = parse(TOP + b"To: " + b", ".join(b"x%d@example.com" % n for n in range(2_000)) + b"\n\nhola\n")
    assert len(mail.to) == 500
    assert "too-many-addresses" in mail.defects


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "unicode_escape", "zlib", "base64", "undefined", "\x00"]
)
def test_a_codec_that_is_no_charset_is_refused(charset: str) -> None:
    mail = parse(TOP + f'Content-Type: text/plain; charset="{charset}"\n\nhola se\u00f1ora\n'.encode())
    assert mail.text == "hola señora"
    assert "unknown-charset" in mail.defects


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 3 Nov 0000 10:05:00 -0500",
        "Mon, 3 Nov 99999 10:05:00 +9999",
        "Mon, 33 Nov 2025 10:05:00 -0500",
        "Mon, 3 Nov 2025 10:05:00 +9999",
        "(" * 500,
        "mañana",
        "1",
        "9" * 5_000,
    ],
)
def test_a_date_that_is_no_moment_is_none(date: str) -> None:
    mail = parse(f"From: a@example.com\nDate: {date}\n\nhola\n".encode())
    assert mail.date is None
    assert "bad-date" in mail.defects


def test_a_date_without_zone_is_taken_as_utc() -> None:
    mail = parse(b"From: a@example.com\nDate: Mon, 3 Nov 2025 10:05:00\n\nhola\n")
    assert mail.to_json()["date"] == "2025-11-03T10:05:00+00:00"
