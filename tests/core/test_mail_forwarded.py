"""Mails that only pass another one on: whose mail it was, and when it must not be believed to be one."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from helpdesk.mail.forwarded import read_forwarded
from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import Address, Forwarded
from helpdesk.mail.written_date import LIMA, read_written_date
from tests.mails import mail

MARK = "---------- Forwarded message ---------\n"
BLOCK = (
    "De: Ana Torres <ana@example.com>\n"
    "Enviado el: lunes, 16 de noviembre de 2026 10:15\n"
    "Para: Mesa de Partes\n"
    "Asunto: Retorno\n\n"
    "Quiero volver al Perú."
)
MOMENT = dt.datetime(2026, 11, 16, 10, 15, tzinfo=LIMA)
ANAS = Forwarded(Address("Ana Torres", "ana@example.com"), "Retorno", MOMENT, "Quiero volver al Perú.")
SENDERS = {
    "Ana Torres <ana@example.com>": Address("Ana Torres", "ana@example.com"),
    "TORRES PAZ, Ana <ana@example.com>": Address("TORRES PAZ, Ana", "ana@example.com"),
    "Ana [mailto:ana@example.com]": Address("Ana", "ana@example.com"),
    "Ana <ana@example.com<mailto:ana@example.com>>": Address("Ana", "ana@example.com"),
    "ana@example.com": Address("", "ana@example.com"),
    '"Ana, la de Lima" <ana@example.com>': Address("Ana, la de Lima", "ana@example.com"),
    "Ana Torres": None,
    "Ana <ana@example.com> en nombre de Luis <luis@example.com>": None,
    "luis@example.com <ana@example.com>": None,
    "Ana <no es una dirección>": None,
}
DATES = {
    "lunes, 16 de noviembre de 2026 10:15": MOMENT,
    "lun, 16 nov 2026 a las 10:15": MOMENT,
    "lun., 16 de nov. de 2026 10:15 a. m.": MOMENT,
    "16/11/26  10:15 a. m.  (GMT-05:00)": MOMENT,
    "16 de noviembre de 2026, 10:15:00 p. m. GMT-5": MOMENT.replace(hour=22),
    "Mon, 16 Nov 2026 10:15:00 -0500": MOMENT,
    "segunda-feira, 16 de novembro de 2026 10:15": MOMENT,
    "lunedì 16 novembre 2026 10:15": MOMENT,
    "16 novembre 2026, 16:15 CET": MOMENT,
    "2026-11-16 15:15 UTC": MOMENT,
    "16 de noviembre de 2026 10:15 XYT": None,
    "16 de noviembre de 2026": None,
    "31/02/2026 10:15": None,
    "16 de enebro de 2026 10:15": None,
    "ayer por la tarde": None,
    "": None,
}


@pytest.mark.parametrize("subject", ["RV: Retorno", "FW: Retorno", "Fwd: x", "RE-envío: x", "ENC: x", "I: x"])
def test_an_outlook_block_under_the_subject_of_a_forward_is_a_forward(subject: str) -> None:
    assert read_forwarded(subject, f"Para su atención.\n\n{BLOCK}", ()) == ANAS


@pytest.mark.parametrize("subject", ["RE: Retorno", "Re: RV: Retorno", "Retorno", "I tramiti: aiuto"])
def test_an_outlook_block_under_any_other_subject_is_a_reply(subject: str) -> None:
    assert read_forwarded(subject, BLOCK, ()) is None


def test_a_forward_mark_needs_no_subject() -> None:
    assert read_forwarded("Retorno", f"{MARK}{BLOCK}", ()) == ANAS


def test_a_forward_below_an_attribution_belongs_to_the_quoted_mail() -> None:
    text = f"El lun, 16 nov 2026 a las 10:15, Luis (<luis@example.com>) escribió:\n\n{MARK}{BLOCK}"
    assert read_forwarded("Fwd: Retorno", text, ()) is None


def test_a_covering_note_may_have_299_characters_and_a_signature() -> None:
    assert read_forwarded("RV: Retorno", f"{'x' * 299}\n\n-- \n{'Mesa ' * 40}\n\n{MARK}{BLOCK}", ()) == ANAS
    assert read_forwarded("RV: Retorno", f"{'x' * 300}\n\n{MARK}{BLOCK}", ()) is None


def test_headers_with_a_blank_line_between_and_wrapped_values_are_read() -> None:
    text = (
        f"{MARK}Asunto: Retorno\n\nDe: Ana Torres\n<ana@example.com>\nEnviado: 16/11/2026 10:15\n\n"
        "Quiero volver al Perú."
    )
    assert read_forwarded("Fwd", text, ()) == ANAS


def test_the_subject_of_the_outer_mail_serves_when_the_block_has_none() -> None:
    found = read_forwarded("RV: Retorno", f"{MARK}De: Ana <ana@example.com>\nFecha: ayer\n\nHola", ())
    assert found == Forwarded(Address("Ana", "ana@example.com"), "Retorno", None, "Hola")


@pytest.mark.parametrize("sender", SENDERS)
def test_the_original_sender_is_one_certain_address_or_nobody(sender: str) -> None:
    found = read_forwarded("RV: x", f"{MARK}De: {sender}\nAsunto: x\n\nHola", ())
    assert (found and found.sender) == SENDERS[sender]


@pytest.mark.parametrize("value", DATES)
def test_a_written_date_is_read_for_certain_or_not_at_all(value: str) -> None:
    assert read_written_date(value) == DATES[value]


def test_an_english_date_in_figures_is_read_only_when_it_cannot_be_two() -> None:
    assert read_written_date("11/16/2026 10:15 AM", month_first=True) == MOMENT
    assert read_written_date("11/3/2026 10:15 AM", month_first=True) is None


def _with_attached(text: str, attached: int = 1) -> bytes:
    inner = mail("Quiero volver al Perú.", subject="Retorno", sender="Ana Torres <ana@example.com>").decode()
    part = f"--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n"
    return (
        "From: Mesa <mesa@example.org>\r\nSubject: correo adjunto\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n{part * attached}--b--\r\n"
    ).encode()


@pytest.mark.parametrize("text", ["", "-- \r\nMesa de Partes", "Enviado desde mi iPhone"])
def test_one_attached_mail_and_no_other_words_is_passed_on(text: str) -> None:
    found = parse(_with_attached(text)).forwarded
    assert found is not None
    assert (found.sender.address, found.subject, found.text) == (
        "ana@example.com",
        "Retorno",
        "Quiero volver al Perú.",
    )


def test_two_attached_mails_or_a_question_above_one_are_documents() -> None:
    assert parse(_with_attached("", attached=2)).forwarded is None
    assert parse(_with_attached("Mi jefe escribe esto. Debo firmar?")).forwarded is None


@pytest.mark.parametrize(
    "text",
    [
        MARK + "De: a\n" * 60_000,
        MARK + "De: <a@b>\n" + "x" * 500_000,
        (MARK + "\n") * 40_000,
        "<mailto:" * 100_000,
    ],
    ids=["headers", "one line", "marks", "mailto"],
)
def test_T23_a_forward_made_to_hang_is_read_at_once(text: str) -> None:
    started = time.process_time()
    read_forwarded("RV: " + "[" * 900, text, ())
    read_forwarded("RV: x", f"{MARK}De: {text}\nAsunto: x", ())
    assert time.process_time() - started < 1


def test_a_mail_that_passes_another_on_survives_the_way_over_the_pipe() -> None:
    found = parse(mail(f"{MARK}{BLOCK}", subject="Fwd: Retorno"))
    assert found.forwarded == ANAS
    assert type(found).from_wire(*found.to_wire()) == found
