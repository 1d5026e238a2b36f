"""Copies, the way back, and the marks of a mail of ours: no name or address of a participant injects anything."""

from __future__ import annotations

import datetime as dt
from email import message_from_bytes
from email.utils import getaddresses

import pytest

from helpdesk.errors import ReplyRefused
from helpdesk.mail.compose import Person, build, redated
from tests.core.test_compose import HOSTILE, LETTER, read, sent


def test_t56_a_notice_carries_our_mark_against_loops_and_a_reply_does_not() -> None:
    assert read(sent(automatic=True))["X-Infomigra-Loop"] == LETTER.sender
    assert "X-Infomigra-Loop" not in read(build(LETTER))


def test_t51_no_name_of_a_participant_becomes_a_header_or_a_recipient() -> None:
    for value in HOSTILE:
        copies = (Person("hijo@example.com", value), Person("abogada@example.com", value))
        seen = read(sent(cc=copies))
        assert [found.addr_spec for found in seen["Cc"].addresses] == [
            "hijo@example.com",
            "abogada@example.com",
        ]
        assert [found.addr_spec for found in seen["To"].addresses] == [LETTER.recipient]
        assert "bcc" not in {name.lower() for name in seen}
        old = getaddresses([message_from_bytes(sent(cc=copies))["Cc"]])
        assert [spec for _, spec in old] == ["hijo@example.com", "abogada@example.com"]


def test_t52_a_copy_goes_to_one_plain_address_or_the_mail_is_refused() -> None:
    for address in ("a@b.pe, c@evil.example", "a@b.pe\r\nBcc: c@evil.example", "ñandu@example.com", ""):
        with pytest.raises(ReplyRefused):
            sent(cc=(Person(address),))
        with pytest.raises(ReplyRefused):
            sent(reply_to=address or " ")


def test_fifty_copies_are_folded_into_lines_that_every_reader_can_take() -> None:
    copies = tuple(Person(f"persona{n}@example.com", f"Ñusta {n} " + "larga " * 20) for n in range(50))
    mail = sent(cc=copies)
    assert len(read(mail)["Cc"].addresses) == 50
    assert max(map(len, mail.split(b"\r\n"))) <= 998


def test_a_reply_address_of_its_own_is_what_a_mail_program_answers_to() -> None:
    seen = read(sent(reply_to="consultas+t.1.abc.def@infomigra.example.com"))
    (address,) = seen["Reply-To"].addresses
    assert address.addr_spec == "consultas+t.1.abc.def@infomigra.example.com"
    assert "Reply-To" not in read(build(LETTER))


def test_another_date_changes_the_date_and_nothing_else() -> None:
    mail = sent(subject="Date: 1", text="Date: 2\nDate: 3", cc=(Person("hijo@example.com", "Date: 4"),))
    later = redated(mail, LETTER.at + dt.timedelta(days=1))
    assert read(later)["Date"] == "Mon, 23 Nov 2026 20:30:00 -0500"
    assert later.replace(b"Mon, 23 Nov", b"Sun, 22 Nov") == mail
