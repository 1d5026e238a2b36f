"""The fold between what was written now and what was quoted, in time that grows with the text only (T23)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.mail.quoting import new_text

SLOW = {
    "On": "On " * 100_000,
    "On x at y": "On x at y " * 100_000,
    "El lun": "El lun, " * 100_000,
    "El lun on lines": "El lun, 3 nov 2025\n" * 100_000,
    "quote marks": "> " * 1_000_000,
    "quoted lines": ">\n" * 300_000,
    "blank lines": "De: x\n\n\n\n" * 50_000,
    "non-breaking blanks": "\r\n\u00a0" * 150_000,
    "header lines": "De: a\n" * 100_000,
    "underscores": "_" * 30 + "\n" + "_" * 500_000,
    "signatures": "--\n" * 200_000,
    "footers": "Enviado desde mi iPhone\n" * 60_000,
    "addresses": "a <b@c.example>\n" * 60_000,
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
    "Mire este correo, por favor; es de mi antiguo empleador.\n\nBegin forwarded message:\n\nFrom: x": (
        "Mire este correo, por favor; es de mi antiguo empleador."
    ),
}
KEPT = [
    "El año pasado, según su carta, el consulado me escribió:\nque vuelva en 2026.",
    "Trabajé así:\n____________________\nenero\nfebrero",
    "Enviado desde Lima el 3 de noviembre.",
    "De: Lima\nA dónde: Quito",
    "-- ",
    "",
]


@pytest.mark.parametrize("name", SLOW)
def test_a_text_made_to_hang_is_folded_at_once(name: str) -> None:
    started = time.perf_counter()
    new_text(SLOW[name])
    assert time.perf_counter() - started < 0.5  # 0.2 s on a quiet machine; tests share theirs


@pytest.mark.parametrize("text", FOLDED)
def test_quotes_and_footers_are_folded_away(text: str) -> None:
    assert new_text(text) == FOLDED[text]


@pytest.mark.parametrize("text", KEPT)
def test_sentences_that_only_look_like_quotes_stay(text: str) -> None:
    assert new_text(text) == text.strip()


@given(st.text(alphabet="El 3:nov2025,<@>\n-_Dea", max_size=200))
def test_folding_keeps_something_whenever_there_was_something(text: str) -> None:
    assert bool(new_text(text)) == bool(text.strip())
