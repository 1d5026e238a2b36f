"""Which mail no person wrote (T56), and the language of what a person wrote."""

from __future__ import annotations

import pytest

from helpdesk.mail.language import detect
from helpdesk.mail.parse import parse

AUTOMATIC = {
    "Auto-Submitted: auto-generated": "auto-submitted: auto-generated",
    "Auto-Submitted: auto-replied; x=y": "auto-submitted: auto-replied",
    "Precedence: auto_reply": "precedence: auto_reply",
    "Precedence: junk": "precedence: junk",
    "List-Unsubscribe: <mailto:x@example.com>": "list: unnamed",
    "X-Auto-Response-Suppress: All": "auto-response-suppress: all",
    "X-Autoreply: yes": "header: x-autoreply",
    "X-Infomigra-Loop: 1": "loop: x-infomigra-loop",
    "X-Failed-Recipients: a@example.com": "bounce",
    "Content-Type: multipart/report; report-type=disposition-notification": "read receipt",
    "Subject: Fuera de la oficina: Consulta": "subject: fuera de la oficina",
    "Subject: Automatic reply: x": "subject: automatic reply",
    "Subject: Out of Office": "subject: out of office",
    "Subject: AUTO: Pérez, Juan is out of the office (returning 5/1)": (
        "subject: auto: pérez, juan is out of the office"
    ),
    "Subject: complaint about message from 192.0.2.7": "feedback-report",
}
PERSONAL = [
    "Auto-Submitted: no",
    "Auto-Submitted: No (a person)",
    "Precedence: normal",
    "X-Auto-Response-Suppress: None",
    "Subject: Re: Respuesta automática: pregunto otra vez",
    "Subject: Trabajo fuera de la ciudad",
    "Subject: Auto: lo dejé fuera de la oficina",
    "Subject: complaint about message from my boss",
    "Subject: Correo devuelto",
]
ROBOTS = [
    "noreply",
    "no-reply",
    "no_reply",
    "no.responder",
    "avisos-noreply",
    "do-not-reply",
    "MAILER-DAEMON",
    "post_master",
]
PEOPLE = ["noe.reyes", "norma", "arnold.reply", "postman", "nora-responde"]


@pytest.mark.parametrize("header", AUTOMATIC)
def test_a_machine_is_known_by_its_headers(header: str) -> None:
    assert parse(f"From: a@example.com\n{header}\n\nhola\n".encode()).automatic == AUTOMATIC[header]


@pytest.mark.parametrize("header", PERSONAL)
def test_a_person_is_not_taken_for_a_machine(header: str) -> None:
    assert parse(f"From: a@example.com\n{header}\n\nhola\n".encode()).automatic is None


@pytest.mark.parametrize(("names", "automatic"), [(ROBOTS, True), (PEOPLE, False)])
def test_the_local_part_tells_robots_from_people(names: list[str], automatic: bool) -> None:
    mails = [parse(f"From: {name}@example.com\n\nhola\n".encode()) for name in names]
    assert [mail.automatic is not None for mail in mails] == [automatic] * len(names)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Buenos días, ¿cómo legalizo mi contrato?", "es"),
        ("I would like to work in Peru next year", "en"),
        ("Quero trabalhar no Peru e preciso de ajuda", "pt"),
        ("Bonjour, je voudrais travailler au Pérou", "fr"),
        ("Vorrei lavorare in Perù, grazie", "it"),
        ("Allin p'unchaw, ñuqaqa llamk'ayta munani", "qu"),
        ("ok", None),
        ("12345 67890 !!! ...... 2025", None),
    ],
)
def test_the_language_of_a_short_text_is_found(text: str, language: str | None) -> None:
    assert detect(text) == language


def test_a_device_footer_does_not_decide_the_language() -> None:
    mail = parse("From: a@example.com\n\nMuchas gracias señorita\n\nSent from my iPhone\n".encode())
    assert (mail.new_text, mail.language) == ("Muchas gracias señorita", "es")


def test_a_robot_may_write_its_name_without_a_domain() -> None:
    senders = [
        f"From: {name}\n\nhola\n".encode() for name in ("mailer-daemon", "MAILER-DAEMON (Mail)", "Rosa")
    ]
    assert [parse(raw).automatic for raw in senders] == [
        "sender: mailer-daemon",
        "sender: mailer-daemon",
        None,
    ]


@pytest.mark.parametrize("field", ["X-Original-Message-ID", "Message-ID"])
def test_an_id_in_a_field_of_its_own_that_is_garbled_is_none(field: str) -> None:
    raw = (
        b"From: MAILER-DAEMON@mx.example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n"
        + field.encode()
        + b": <t.7.9.mac@exampl\x00e.org>\r\n\r\n"
        b"Final-Recipient: rfc822; ana@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    bounce = parse(raw).bounce
    assert bounce is not None
    assert bounce.message_id is None


def test_a_report_whose_action_is_garbled_holds_no_nul() -> None:
    raw = (
        b"From: MAILER-DAEMON@mx.example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; ana@example.com\r\nAction: fail\x00ed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    bounce = parse(raw).bounce
    assert bounce is not None
    assert "\x00" not in str(bounce)
