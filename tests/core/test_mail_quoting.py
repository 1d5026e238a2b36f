"""The fold between what was written now and what was quoted, in time that grows with the text only (T23)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail.html import to_text
from helpdesk.mail.html_quotes import CLOSE, OPEN, mark_quotes, write_quotes
from helpdesk.mail.language import detect
from helpdesk.mail.quoting import new_text

SLOW = {
    "On": "On " * 100_000,
    "On x at y": "On x at y " * 100_000,
    "El lun": "El lun, " * 100_000,
    "El lun on lines": "El lun, 3 nov 2025\n" * 100_000,
    "El lun escribió on lines": "El lun escribió\n" * 60_000,
    "El lun escribió with colons": "El lun, 3 nov 2025 me escribió:\n" * 60_000,
    "quote marks": "> " * 1_000_000,
    "quoted lines": ">\n" * 300_000,
    "blank lines": "De: x\n\n\n\n" * 50_000,
    "non-breaking blanks": "\r\n\u00a0" * 150_000,
    "non-breaking blanks, 56 bytes": ("\r\n\u00a0" * 14 + "x") * 20_000,
    "header lines": "De: a\n" * 100_000,
    "header lines with addresses": "De: a@b\n\nx\n" * 60_000,
    "underscores": "_" * 30 + "\n" + "_" * 500_000,
    "signatures": "--\n" * 200_000,
    "footers": "Enviado desde mi iPhone\n" * 60_000,
    "legal notices": "x\nEste mensaje confidencial destinatario\n" * 60_000,
    "closing formulas": "x\nSaludos\nTel 123456\n" * 60_000,
    "addresses": "a <b@c.example>\n" * 60_000,
    "one long attribution": "a: b <c@d> 10:15 " * 100_000 + ":",
    "colons above quotes": "x:\n>\n" * 100_000,
    "arrows": ">>> a >>>\n" * 100_000,
    "at signs": ("@" * 599 + "\n") * 3_000,
    "verbs behind addresses": "x @a> wrote:  y\n" * 60_000,
    "addresses above dates": "a <b@c.example>\n1/11/26 10:15\n" * 60_000,
    "header names without values": "De:\n" * 100_000,
    "dates above senders": "Fecha: 1\nPara: 2\nDe: a\n" * 60_000,
    "words of programs": ("Enviado desde " + "a " * 70 + "\n") * 20_000,
    "rules of lists": ("_" * 40 + "\nx\n") * 60_000,
    "notices in the first person": "x\nEste mensaje confidencial destinatario me\n" * 60_000,
    "wide colons": "Ana 10:15：\n" * 100_000,
}
SLOW_HTML = {
    "open quotes": "<blockquote>" * 80_000,
    "unfinished tags": "<blockquote " * 80_000,
    "attributes": ("<div id=" + "id=" * 600 + ">") * 500,
    "yahoo without end": "<div class=yahoo_quoted>--" * 40_000,
    "dashes": ("<div class=yahoo_quoted>" + "-" * 390) * 2_500,
    "borders": ("<blockquote style='" + "border:" * 250 + "'>") * 500,
}
FOLDED = {
    "Hola\n\nSent from my iPhone": "Hola",
    "Hola\n\nEnviado desde Yahoo Mail para Android": "Hola",
    "Hola\n\nGet Outlook for iOS<https://aka.ms/o0ukef>": "Hola",
    "Hola\n\n> antes\n> y antes": "Hola",
    "Hola\n\n2014-05-03 10:05 GMT-05:00 Ana <ana@example.com>:\n\nantes": "Hola",
    "Hola\n\nFrom: Ana\nSent: Monday\nTo: Luis\nSubject: x\n\nantes": "Hola",
    "Hola\n\nDe: Ana\nEnviada em: segunda\nPara: Luis\nAssunto: x\n\nantes": "Hola",
    "Hola\n\nDa: Ana\nInviato: lunedì\nA: Luis\nOggetto: x\n\nantes": "Hola",
    "Hola\n\nDe : Ana\nEnvoyé : lundi\nÀ : Luis\nObjet : x\n\nantes": "Hola",
    "Hola\n\n-----Original Message-----\nantes": "Hola",
    "Hola\n\n--- El lun, 16/11/26, Ana <ana@example.com> escribió:\n\nantes": "Hola",
    "Hola\n\nAna <ana@example.com> escribió:\n\nantes": "Hola",
    "Hola\n\nEl 16/11/26 10:15, Ana escribió:\n\nantes": "Hola",
    "El lunes fui.\nEl lun, 16 nov 2026 a las 10:15, Ana (<a@example.com>) escribió:\n\n> x": "El lunes fui.",
    "Hola\n\n-- \nAna\n\nEl 16/11/26 10:15, Ana escribió:\n> x\n\nRespuesta": "Hola\nRespuesta",
    "Mire este correo, por favor; es de mi antiguo empleador.\n\nBegin forwarded message:\n\nFrom: x": (
        "Mire este correo, por favor; es de mi antiguo empleador."
    ),
}
KEPT = [
    "El año pasado, según su carta, el consulado me escribió:\nque vuelva en 2026.",
    "El 3 de noviembre de 2026 a las 10:15, mi jefe (jefe@example.com) me escribió:\nno venga más.\n\n¿Y ahora?",
    "El 3 de noviembre de 2026, mi jefe (jefe@example.com) escribió:\nno venga más.\n\n¿Y ahora?",
    "On Monday 3 November 2026 my boss wrote:\nstay at home.\n\nWhat now?",
    "Trabajé así:\n____________________\nenero\nfebrero",
    "Enviado desde Lima el 3 de noviembre.",
    "De: Lima\nA dónde: Quito",
    "Viajo así:\n\nDe: Lima\nPara: Madrid\nFecha: 3/12/2026\n\n¿Puedo?",
    "Señores:\n\nDE: Ana\nA: Dirección\nASUNTO: Constancia\nFECHA: Lima, 3 de noviembre de 2026\n\nSolicito…",
    "La carta dice:\n\n> Ud. debe salir.",
    "Pida a mi empleador el aviso.\nAviso legal: no lo tengo.",
    "-- ",
    "",
]
LANGUAGES = {
    "Gracias por la información.": "es",
    "hola quiero saber si puedo trabajar en chile": "es",
    "Mande mis papeles hace 2 meses y nada": "es",
    "BUENAS TARDES, SOLICITO LA CONSTANCIA DE TRABAJADOR MIGRANTE": "es",
    "Ok, muchas gracias, Wilson Wright https://www.example.com/this-is-the-way": "es",
    "Is there any fee for the certificate?": "en",
    "Bom dia, gostaria de trabalhar no Peru": "pt",
    "Allego il contratto firmato": "it",
    "Merci beaucoup pour votre réponse": "fr",
    "Imaynallam kachkanki, llamkayta maskachkani": "qu",
    "Ok": None,
    "Rosa Quispe Mamani": None,
}


@pytest.mark.parametrize("name", SLOW)
def test_T23_a_text_made_to_hang_is_folded_at_once(name: str) -> None:
    started = time.process_time()
    new_text(SLOW[name])
    assert time.process_time() - started < 0.5  # 0.2 s on a quiet machine; tests share theirs


@pytest.mark.parametrize("name", SLOW_HTML)
def test_T23_html_made_to_hang_is_marked_at_once(name: str) -> None:
    started = time.process_time()
    write_quotes(mark_quotes(SLOW_HTML[name]))
    assert time.process_time() - started < 1


@pytest.mark.parametrize("text", FOLDED)
def test_quotes_and_footers_are_folded_away(text: str) -> None:
    assert new_text(text) == FOLDED[text]


@pytest.mark.parametrize("text", KEPT)
def test_sentences_that_only_look_like_quotes_stay(text: str) -> None:
    assert new_text(text) == text.strip()


def test_a_header_block_is_a_forward_only_when_the_subject_says_so() -> None:
    text = "Atender, por favor.\n\nDe: Ana\nEnviado el: lunes\nAsunto: x\n\nHola"
    assert new_text(text) == "Atender, por favor."
    assert new_text(text, is_forward=True) == text


def test_quotes_of_html_become_marked_lines_however_deep() -> None:
    html = "<p>uno</p><blockquote>dos<blockquote type='cite'>tres</blockquote>cuatro</blockquote>cinco"
    assert to_text(html).replace("\n\n", "\n") == "uno\n> dos\n>> tres\n> cuatro\ncinco"


def test_a_mark_smuggled_into_html_marks_nothing() -> None:
    assert to_text(f"<p>uno{OPEN}</p><p>&#xFDD0;dos&#64977;{CLOSE}</p>") == "uno\n\ndos"


def test_a_signature_of_html_is_folded_with_one_mark() -> None:
    html = '<div>Hola</div><span class="gmail_signature_prefix">-- </span><br><div class="gmail_signature">Ana</div>'
    assert (to_text(html).count("--"), new_text(to_text(html))) == (1, "Hola")


@pytest.mark.parametrize("text", LANGUAGES)
def test_the_language_of_a_short_text_is_known_or_left_open(text: str) -> None:
    assert detect(text) == LANGUAGES[text]


@given(st.text(alphabet="El 3:nov2025,<@>\n-_Dea", max_size=200))
def test_folding_keeps_something_whenever_there_was_something(text: str) -> None:
    assert bool(new_text(text)) == bool(text.strip())


@given(st.text(alphabet=f"{OPEN}{CLOSE}a \n", max_size=60))
def test_writing_out_marks_loses_no_word(text: str) -> None:
    assert write_quotes(text).count("a") == text.count("a")
