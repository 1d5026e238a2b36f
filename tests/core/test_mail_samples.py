"""Every sample mail in `tests/emails/`, named for its trap, against what must come out of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import Address, Bounce, ParsedMail

EMAILS = Path(__file__).parents[1] / "emails"
SAMPLES = sorted(EMAILS.glob("*.eml"))
MINE = "Muchas gracias por la respuesta. Adjunto lo que me pidieron."
ROSA = Address("Rosa Quispe", "rosa.quispe@example.com")
OURS = "<t.7.9.mac@example.org>"

EXPECTED: dict[str, dict[str, Any]] = {
    "quote_gmail_es": {"new_text": f"{MINE}\n\nRosa", "language": "es", "sender": (ROSA,)},
    "quote_signature": {"new_text": MINE},
    "quote_bottom_posted": {"new_text": "Mi DNI es 00000001."},
    "charset_cp1252_declared_latin1": {"text": "¿Cuánto cuesta? “Señora” año"},
    "charset_undeclared_8bit": {"text": "Información para migración", "defects": ()},
    "charset_unknown": {"text": "Información útil", "defects": ("unknown-charset",)},
    "charset_mojibake": {
        "text": "Quisiera información sobre la constancia de trabajador. SÃO PAULO.",
    },
    "charset_utf8_cut": {"text": "Información sobre la migración de señores\ufffd"},
    "charset_nul_and_controls": {"text": "Hola mundo feliz"},
    "charset_idna_refused": {"text": "Hola a todos ustedes", "defects": ("unknown-charset",)},
    "header_split_encoded_word": {"subject": "Consulta sobre mi código"},
    "header_encoded_newline": {"subject": "Hola Bcc: x@example.net"},
    "header_bidi_and_zero_width": {"subject": "factura", "sender": (Address("Rosa", ROSA.address),)},
    "header_raw_utf8_subject": {"subject": "Migración y niñez"},
    "header_raw_latin1_subject": {"subject": "Migración"},
    "header_bad_date": {"date": None, "defects": ("bad-date",)},
    "header_message_id_broken": {"message_id": None, "defects": ("bad-message-id",)},
    "header_message_id_huge": {"message_id": None, "defects": ("bad-message-id",)},
    "header_references": {
        "in_reply_to": ("<t.1.2.abc@example.org>",),
        "references": ("<r1@example.com>", "<t.1.2.abc@example.org>"),
    },
    "header_no_blank_line": {"subject": "Sin linea", "text": "Esto ya es texto"},
    "header_mbox_from_line": {"sender": (ROSA,), "text": "Hola", "defects": ()},
    "header_bare_cr": {"sender": (ROSA,), "text": "Hola\nmundo"},
    "from_two_headers": {"sender": (), "defects": ("several-from",)},
    "from_address_in_name": {"sender": (Address("agente@example.org", "rosa.quispe@example.com"),)},
    "from_two_addresses_in_one": {"sender": (), "defects": ("ambiguous-address", "no-from")},
    "from_group": {"sender": (), "defects": ("ambiguous-address", "no-from")},
    "from_nested_comments": {"sender": (), "defects": ("ambiguous-address", "no-from")},
    "to_undisclosed": {"to": (), "defects": ()},
    "alternative": {"text": "Versión de texto del mensaje", "html": "<p>Versión <b>HTML</b></p>"},
    "alternative_without_text": {"text": "Solo HTML\n\n  * uno\n  * dos"},
    "related_inline_image": {"html": '<p>Mire: <img src="cid:foto1"><img alt="logo"></p>'},
    "signed_pgp": {"text": "Texto firmado"},
    "format_flowed": {"text": "Esta linea sigue en la otra.\n\n> cita que sigue\n-- \nRosa"},
    "boundary_missing": {"text": "Texto suelto sin partes", "defects": ("no-boundary",)},
    "boundary_wrong": {"text": "Texto de la parte", "defects": ("wrong-boundary",)},
    "boundary_unclosed": {"text": "Texto cortado aquí", "defects": ("unclosed-multipart",)},
    "boundary_prefix_of_inner": {"text": "Texto interior", "defects": ()},
    "base64_broken": {"text": "Hola mundo feliz"},
    "encoding_unknown": {"text": "Hola mundo feliz", "defects": ("unknown-encoding",)},
    "empty": {"text": "", "sender": (), "defects": ("no-from", "no-date", "no-message-id")},
    "auto_vacation": {"automatic": "auto-submitted: auto-replied"},
    "auto_list": {"automatic": "list: Boletín <boletin.example.net>"},
    "auto_precedence_bulk": {"automatic": "precedence: bulk"},
    "auto_no_reply": {"automatic": "sender: no-reply"},
    "auto_subject_out_of_office": {"automatic": "subject: respuesta automática"},
    "auto_null_return_path": {"automatic": "bounce: null return-path", "bounce": None},
    "auto_feedback_report": {"automatic": "feedback-report", "bounce": None},
    "bounce_rfc3464": {"automatic": "bounce", "bounce": Bounce(OURS, "Juan@example.com", "5.1.1")},
    "bounce_rfc6533": {"bounce": Bounce(OURS, "josé@example.com", "5.6.7")},
    "bounce_second_recipient_failed": {"bounce": Bounce(OURS, "mal@example.com", "5.2.2")},
    "bounce_prose": {
        "automatic": "sender: mailer-daemon",
        "bounce": Bounce(OURS, "juan@example.com", "5.1.1"),
    },
}
FILES = {
    "alternative": [],
    "related_inline_image": ["foto.png"],
    "attached_mail": ["Oferta de trabajo (España).eml"],
    "attached_calendar_and_winmail": ["adjunto-1.ics", "winmail.dat"],
    "signed_pgp": ["signature.asc"],
    "smime_opaque": ["smime.p7m"],
    "boundary_prefix_of_inner": ["a.pdf"],
    "attachments_fifty": [f"f{number}.pdf" for number in range(50)],
    "attachment_names": [
        "passwd",
        "carta.pdf",
        "Señor Pérez.pdf",
        "contrato ñ.pdf",
        "cédula.pdf",
        "facfdp.exe",
        "x" * 116 + ".pdf",
        "adjunto-8.pdf",
        "clave.txt",
    ],
}
CUT_QUOTES = sorted(
    {path.stem for path in SAMPLES if path.stem.startswith("quote_")}
    - {"quote_gmail_es", "quote_bottom_posted"}
    - {"quote_interleaved", "quote_bare_forward", "quote_all_quote", "quote_trap_sentence"}
)


def read(name: str) -> ParsedMail:
    return parse((EMAILS / f"{name}.eml").read_bytes())


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_read_as_expected(name: str) -> None:
    mail = read(name)
    assert {field: getattr(mail, field) for field in EXPECTED[name]} == EXPECTED[name]


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_a_sample_keep_their_cleaned_names(name: str) -> None:
    assert [file.name for file in read(name).attachments] == FILES[name]


@pytest.mark.parametrize("name", CUT_QUOTES)
def test_a_reply_keeps_only_what_was_written_now(name: str) -> None:
    mail = read(name)
    assert mail.new_text == MINE
    assert len(mail.text) > len(MINE)


@pytest.mark.parametrize(
    "name", ["quote_interleaved", "quote_bare_forward", "quote_all_quote", "quote_trap_sentence"]
)
def test_a_mail_that_needs_its_quote_is_kept_whole(name: str) -> None:
    mail = read(name)
    assert mail.new_text == mail.text.strip()


def test_an_inline_image_is_marked_and_named_by_its_content_id() -> None:
    (image,) = read("related_inline_image").attachments
    assert (image.inline, image.content_id, image.type) == (True, "foto1", "image/png")


def test_a_token_inside_an_attached_mail_is_not_among_the_references() -> None:
    mail = read("attached_mail")
    assert (mail.message_id, mail.in_reply_to, mail.references) == ("<a1@example.com>", (), ())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_survives_the_way_over_the_pipe(path: Path) -> None:
    mail = parse(path.read_bytes())
    assert ParsedMail.from_wire(*mail.to_wire()) == mail


def test_the_json_has_exactly_the_documented_keys() -> None:
    keys = " ".join(read("related_inline_image").to_json())
    assert keys == (
        "from to cc reply_to subject date message_id in_reply_to references text new_text html attachments "
        "automatic bounce language defects"
    )


def test_mutated_samples_never_raise_and_never_need_the_last_resort() -> None:
    dice = random.Random(20251103)
    sources = [path.read_bytes() for path in SAMPLES]
    for _ in range(400):
        octets = bytearray(dice.choice(sources))
        for _ in range(dice.randint(1, 30)):
            _mutate(octets, dice, sources)
        mail = parse(bytes(octets))
        assert not [defect for defect in mail.defects if defect.startswith("parser-error")], bytes(octets)
        assert "\x00" not in mail.text + mail.subject + mail.html


def _mutate(octets: bytearray, dice: random.Random, sources: list[bytes]) -> None:
    at, end = sorted((dice.randint(0, len(octets)), dice.randint(0, len(octets))))
    match dice.randrange(5):
        case 0 if octets:
            octets[at % len(octets)] = dice.randrange(256)
        case 1:
            del octets[at : min(end, at + 40)]
        case 2:
            octets[at:at] = octets[at : min(end, at + 200)]
        case 3:
            other = dice.choice(sources)
            start = dice.randint(0, len(other))
            octets[at:at] = other[start : start + 200]
        case _:
            octets[at:at] = dice.choice(
                [b"\0", b"\r", b"\n\n", b"=?", b'"', b"(", b"<", b"--b\n", b"\xff\xfe", b"\xed\xa0\x80"]
            )
