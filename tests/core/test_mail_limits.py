"""What is left of a mail that passes a limit: it is cut, kept as a file, and named (T16 to T21, T24, T25).

How long such mails may take is in `test_slow_inputs.py`.
"""

from __future__ import annotations

import pytest

from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import MAX_PARTS

TOP = b"From: a@example.com\nMessage-ID: <a@example.com>\nDate: Mon, 3 Nov 2025 10:05:00 -0500\n"


def nested(depth: int) -> bytes:
    heads = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
    return TOP + b"".join(heads) + b"Content-Type: text/plain\n\nhola\n"


def html_mail(html: bytes) -> bytes:
    return TOP + b"Content-Type: text/html\n\n" + html


def test_what_lies_too_deep_is_kept_as_one_raw_attachment() -> None:
    mail = parse(nested(1_000))
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
    mail = parse(TOP + b"X-A: b\n" * 200_000 + b"\nhola\n")
    assert mail.text == "hola"
    assert "headers-too-long" in mail.defects


def test_html_beyond_the_limit_gives_its_text_and_no_html() -> None:
    mail = parse(html_mail(b"<div>" * 100_000 + b"hola"))
    assert (mail.text, mail.html) == ("hola", "")
    assert "html-too-deep" in mail.defects


def test_recipients_beyond_the_limit_are_left_out() -> None:
    mail = parse(TOP + b"To: " + b", ".join(b"x%d@example.com" % n for n in range(2_000)) + b"\n\nhola\n")
    assert len(mail.to) == 500
    assert "too-many-addresses" in mail.defects


def test_T25_uuencoded_blocks_beyond_the_limit_stay_in_the_text() -> None:
    hidden = b"begin 644 a\n#86)C\nend\n" * 2_000
    mail = parse(TOP + b"Content-Type: text/plain\n\n" + hidden)
    assert len(mail.attachments) == 100
    assert "begin 644 a" in mail.text


def test_lines_beyond_the_limit_cost_the_rest_of_the_parts_only() -> None:
    dashes = b"--\n" * 300_000
    mail = parse(
        TOP + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhola\n" + dashes + b"--b\n\nfin\n--b--\n"
    )
    assert mail.text.startswith("hola")
    assert "too-many-delimiters" in mail.defects


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
