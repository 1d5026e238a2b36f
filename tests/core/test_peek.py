"""The first look at a mail: what lists show, and what stands for a mail that cannot be parsed."""

from __future__ import annotations

from helpdesk.mail.peek import peek
from tests.mails import mail


def test_the_header_is_read_behind_a_byte_order_mark_and_empty_lines() -> None:
    raw = mail("Hola", sender="Rosario Mamani <rosario@example.com>", subject="Retorno")
    for before in (b"", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"):
        seen = peek(before + raw)
        assert seen.sender is not None
        assert (seen.sender.address, seen.subject) == ("rosario@example.com", "Retorno")


def test_two_senders_are_nobody() -> None:
    assert peek(b"From: a@example.com\r\nFrom: b@example.com\r\nSubject: x\r\n\r\n").sender is None
