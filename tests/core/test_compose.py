"""The one builder of outgoing mail, against what strangers put into subjects, names and ids (T51–T55)."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpdesk.errors import ReplyRefused
from helpdesk.mail.compose import (
    HEADER_CHARACTERS,
    REFERENCES_KEPT,
    Letter,
    build,
    one_line,
    trim_references,
)

LETTER = Letter(
    sender_name="Perú Infomigra",
    sender="consultas@infomigra.example.com",
    recipient_name="Rosario Mamani",
    recipient="rosario@example.com",
    subject="Re: Retorno [IM-2026-000001]",
    text="Estimada Rosario:\n\nSu tarjeta está lista.\n",
    html="<p>Estimada Rosario:</p><p>Su tarjeta está lista.</p>",
    message_id="<t.1.abc.def@infomigra.example.com>",
    at=dt.datetime(2026, 11, 23, 1, 30, tzinfo=dt.UTC),
    in_reply_to="<question@example.com>",
    references=("<earlier@example.com>", "<question@example.com>"),
)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Content-Language",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
]
BREAKS = [
    "\r\n",
    "\n",
    "\r",
    "\x00",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\r\n ",
    "\n\n",
]
INJECTED = [
    "Bcc: x@evil.example",
    "To: x@evil.example",
    "Content-Type: text/html\r\n\r\n<script>",
    ".\r\nMAIL FROM:<>",
]
ENCODED = [
    "=0D=0ABcc:_x@evil.example",
    "=0ABcc:x@evil.example",
    "=0D",
    "=00",
    "=0A.",
    "=E2=80=A8Bcc:x",
    "=22=3C",
]
CHARSETS = ["utf-8", "us-ascii", "iso-8859-1", "utf-8*es", "unknown", "UTF-8"]
PHRASES = [
    "x@evil.example, y@evil.example",
    "<x@evil.example>",
    '" <x@evil.example>, "',
    "Rosario (Lima)",
    "(" * 300,
    ")" * 300,
    "a (" + "c" * 90 + ")",
    "a" * 70 + ", b@evil.example",
    "x@evil.example, " * 20,
    "<x@evil.example>, " * 20,
    'a" <x@evil.example>, "' * 12,
    "a,b" * 90,
    "grupo: x@evil.example;",
    "undisclosed-recipients:;",
    '"',
    "\\",
    'a\\"b',
    "\\" * 100,
    "[x]",
    "a.b.c",
    "",
    " ",
    "\t",
    "Bcc: x@evil.example",
    "ñ" * 300,
    "😀" * 300,
    "é " * 200,
    "a" * 1000,
    "palabra " * 100,
    "\u202eoirasor",
    "\ufeff\u200b",
    "\ud800",
    "a\ud83d, b",
    "=?",
    "?=",
    "=?utf-8?q?",
    "=?=?=?",
    "=?x?y?z?=",
    "=?utf-8?b?DQpCY2M6IHhAZXZpbC5leGFtcGxl?=",
    "=?utf-8?b?####?=",
    "=?utf-7?q?+AA0ACg-Bcc:x?=",
    "=?utf-8?q?a?= =?utf-8?q?=0D=0AB?=",
]
HOSTILE = [
    *(f"Retorno{a}{b}" for a, b in itertools.product(BREAKS, INJECTED)),
    *(f"=?{a}?q?{b}?=" for a, b in itertools.product(CHARSETS, ENCODED)),
    *(f"{a}=?utf-8?q?{b}?={a}" for a, b in itertools.product(["x", " ", ", ", '"', "<"], ENCODED)),
    *PHRASES,
    *(f"{phrase}{'ñ'}" for phrase in PHRASES),
]


def sent(**changes: Any) -> bytes:
    """The bytes of our letter with changes."""
    return build(replace(LETTER, **changes))


def read(mail: bytes) -> EmailMessage:
    """The mail as a careful modern reader sees it."""
    return message_from_bytes(mail, policy=policy.default)


def words_of(part: EmailMessage) -> str:
    """The words of one part, with the line ends of this machine."""
    return str(part.get_content()).replace("\r\n", "\n")


def names_of(mail: bytes) -> list[str]:
    """The header names, by the bytes alone: what stands before the first empty line and is not folded."""
    head = mail.partition(b"\r\n\r\n")[0].decode("ascii")
    return [line.partition(":")[0] for line in head.split("\r\n") if line[0] not in " \t"]


def assert_nothing_was_injected(mail: bytes) -> None:
    assert names_of(mail) in (
        HEADERS,
        [name for name in HEADERS if name not in ("In-Reply-To", "References")],
    )
    assert b"\n" not in mail.replace(b"\r\n", b"")
    assert b"\r" not in mail.replace(b"\r\n", b"")
    assert b"\x00" not in mail
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    seen = read(mail)
    for name, address in (("From", LETTER.sender), ("To", LETTER.recipient)):
        assert [found.addr_spec for found in seen[name].addresses] == [address]
        # An older reader, which knows no encoded words, finds the same one address.
        assert [spec for _, spec in getaddresses([message_from_bytes(mail)[name]])] == [address]
    assert not {"bcc", "cc"} & {name.lower() for name in seen}
    assert seen.get_body(("plain",)) is not None


def test_there_are_enough_hostile_values_to_speak_of() -> None:
    assert len(set(HOSTILE)) >= 200


@pytest.mark.parametrize("field", ["subject", "recipient_name", "sender_name", "in_reply_to"])
def test_t51_no_value_of_a_stranger_becomes_a_header_or_a_recipient_and_the_reply_succeeds(
    field: str,
) -> None:
    for value in HOSTILE:
        assert_nothing_was_injected(sent(**{field: value}))


def test_t51_no_reference_of_a_stranger_becomes_a_header_and_the_reply_succeeds() -> None:
    for value in HOSTILE:
        mail = sent(references=(value, f"<{value}>", "<question@example.com>"))
        assert_nothing_was_injected(mail)
        assert read(mail)["References"].split()[-1] == "<question@example.com>"


@given(st.text(st.characters(), max_size=300), st.text(st.characters(), max_size=300))
@settings(max_examples=150)
def test_t51_any_subject_and_any_name_make_one_mail_to_one_person(subject: str, name: str) -> None:
    assert_nothing_was_injected(sent(subject=subject, recipient_name=name))


@pytest.mark.parametrize(
    "value",
    [
        "Retorno al Perú",
        "Rosario (Lima), la de ayer: «hola»",
        'Ana \\ "Anita" O\'Higgins',
        "x@evil.example, y@evil.example",
        "=?utf-8?q?literal?=",
        "palabra " * 20 + "fin",
        "ñandú " * 30 + "fin",
        "😀😀 " * 40 + "fin",
        "a" * 200,
    ],
)
def test_the_citizen_reads_the_subject_and_the_name_as_they_were_written(value: str) -> None:
    mail = sent(subject=value, recipient_name=value)
    [(name, _)] = getaddresses([message_from_bytes(mail)["To"]])
    assert str(make_header(decode_header(name))) == value
    assert read(mail)["Subject"] == value


def test_a_name_that_is_empty_leaves_the_bare_address() -> None:
    assert read(sent(recipient_name=" \r\n "))["To"] == "rosario@example.com"


@pytest.mark.parametrize("value", HOSTILE)
def test_a_header_value_is_one_line_of_at_most_250_characters(value: str) -> None:
    line = one_line(value)
    assert len(line) <= HEADER_CHARACTERS
    assert line.splitlines() in ([], [line])
    assert not re.search(r"[\x00-\x1f\x7f\u0085\u2028\u2029]", line)
    assert one_line(line) == line


@pytest.mark.parametrize("field", ["sender", "recipient"])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@example.com",
        "a@",
        "a@b.pe, c@evil.example",
        "a@b.pe,c@evil.example",
        "a@b.pe c@evil.example",
        "a@b.pe;c@evil.example",
        "<a@b.pe>",
        "Ana <a@b.pe>",
        "a@b.pe\r\nBcc: c@evil.example",
        "a@b.pe\n",
        "a@b.pe\x00",
        "a b@c.pe",
        '"a b"@c.pe',
        "a@b@c.pe",
        "a@gob.pe)b@evil.example",
        "<a@gob.pe>b@evil.example",
        "(a)b@c.pe",
        ".a@b.pe",
        "a.@b.pe",
        "a..b@c.pe",
        "a@b..pe",
        "a@.pe",
        "a@b.pe.",
        "a@[127.0.0.1]",
        "a@b_c.pe",
        "ñandu@example.com",
        "a@ñandu.example",
        "=?utf-8?q?a?=@b.pe",
        "a" * 65 + "@b.pe",
        "a@" + "b" * 64 + ".pe",
        "grupo:a@b.pe;",
    ],
)
def test_t52_t53_only_one_plain_address_is_written_to_and_any_other_is_refused_in_words(
    field: str, address: str
) -> None:
    with pytest.raises(ReplyRefused, match="No se puede enviar a la dirección «") as refusal:
        sent(**{field: address})
    assert len(str(refusal.value).splitlines()) == 1


@given(
    st.from_regex(
        r"[a-z0-9!#$%&'*+/^_`{|}~-]{1,30}(\.[a-z0-9+]{1,30})?@[a-z0-9-]{1,20}(\.[a-z]{2,9}){0,3}",
        fullmatch=True,
    )
)
def test_every_plain_address_is_accepted_and_read_back_as_it_is(address: str) -> None:
    assert read(sent(recipient=address))["To"].addresses[0].addr_spec == address


@pytest.mark.parametrize(
    "body",
    [
        "\r.\rMAIL FROM:<x@evil.example>\r",
        "uno\rdos\r\ntres\ncuatro",
        "\n.\n..\n.\r\n",
        "x" * 5000,
        "ñ" * 3000,
        "…Å\x85\x0b\x0c\x1c\u2028fin",
        "\x00",
        "media \ud83d letra",
        "",
        "From here\n.From\n",
        "fin sin salto",
    ],
)
def test_t55_no_body_ends_the_mail_early_or_breaks_a_line(body: str) -> None:
    mail = sent(text=body, html=f"<p>{body}</p>")
    assert_nothing_was_injected(mail)
    part = read(mail).get_body(("plain",))
    assert isinstance(part, EmailMessage)
    written = words_of(part)
    wanted = body.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").replace("\ud83d", "?")
    assert written.removesuffix("\n") == wanted.removesuffix("\n")


def test_the_text_comes_first_and_the_html_second_in_utf_8() -> None:
    first, second = read(build(LETTER)).iter_parts()
    assert (first.get_content_type(), second.get_content_type()) == ("text/plain", "text/html")
    assert isinstance(first, EmailMessage)
    assert isinstance(second, EmailMessage)
    assert (words_of(first), words_of(second)) == (LETTER.text, LETTER.html)
    assert {first.get_content_charset(), second.get_content_charset()} == {"utf-8"}


def test_the_date_is_lima_time_and_the_headers_name_language_and_thread() -> None:
    seen = read(build(LETTER))
    assert seen["Date"] == "Sun, 22 Nov 2026 20:30:00 -0500"
    assert seen["Message-ID"] == LETTER.message_id
    assert seen["Content-Language"] == "es-PE"
    assert seen["In-Reply-To"] == "<question@example.com>"
    assert seen["References"] == "<earlier@example.com> <question@example.com>"


def test_a_letter_that_answers_nothing_names_no_thread() -> None:
    seen = read(sent(in_reply_to=None, references=()))
    assert "In-Reply-To" not in seen
    assert "References" not in seen


def test_t56_only_a_notice_says_that_it_is_automatic() -> None:
    notice = read(sent(automatic=True))
    assert (notice["Auto-Submitted"], notice["X-Auto-Response-Suppress"]) == ("auto-replied", "All")
    assert "Auto-Submitted" not in read(build(LETTER))


@given(st.lists(st.integers(min_value=0, max_value=30), max_size=60), st.integers(min_value=0, max_value=30))
def test_a_long_thread_keeps_its_first_id_and_its_newest_ones(numbers: list[int], answered: int) -> None:
    ids = tuple(f"<{number}@example.com>" for number in numbers)
    kept = trim_references(replace(LETTER, references=ids, in_reply_to=f"<{answered}@example.com>"))
    assert len(kept) == len(set(kept)) <= REFERENCES_KEPT
    assert kept[-1] == f"<{answered}@example.com>"
    assert set(kept) <= {*ids, kept[-1]}
    others = [item for item in ids if item != kept[-1]]
    assert not others or kept[0] == others[0]
