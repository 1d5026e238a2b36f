"""Builders of mails, with defaults for everything that does not matter to a test."""

from __future__ import annotations

import datetime as dt
import random
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from classifier import Row, corpus_rows

DAY = dt.datetime(2026, 11, 20, 15, 0, tzinfo=dt.UTC)


def mail(
    body: str = "Vivo en Italia y quiero volver al Perú para siempre. ¿Cómo saco la tarjeta?",
    *,
    subject: str = "Retorno",
    sender: str | None = "Rosario Mamani <rosario@example.com>",
    to: str = "consultas@infomigra.example.com",
    message_id: str | None = "auto",
    reply_to_id: str | None = None,
    attachments: int = 0,
    attachment_bytes: int = 0,
    headers: dict[str, str] | None = None,
    html: str | None = None,
) -> bytes:
    """One mail as a citizen's program would write it; `reply_to_id` is the Message-ID it answers."""
    built = EmailMessage(policy=SMTP)
    if sender:
        built["From"] = sender
    built["To"] = to
    built["Subject"] = subject
    built["Date"] = format_datetime(DAY)
    if message_id:
        built["Message-ID"] = (
            f"<{random.randbytes(8).hex()}@example.com>" if message_id == "auto" else message_id
        )
    if reply_to_id:
        built["In-Reply-To"] = reply_to_id
        built["References"] = reply_to_id
    for name, value in (headers or {}).items():
        built[name] = value
    built.set_content(body)
    if html:
        built.add_alternative(html, subtype="html")
    for number in range(attachments):
        content = f"contenido {number}".encode() + random.randbytes(attachment_bytes)
        built.add_attachment(content, maintype="application", subtype="pdf", filename=f"archivo-{number}.pdf")
    return built.as_bytes()


HTML_HEAD = (
    '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style><!-- '
    + "p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt; font-family:Calibri,sans-serif;} " * 12
    + '--></style></head><body lang="ES-PE" link="#0563C1" vlink="#954F72"><div class="WordSection1">'
)
QUOTED = (
    "El lun, 16 nov 2026 a las 10:15, Perú Infomigra (<consultas@infomigra.example.com>) escribió:\n\n"
    "> Recibimos su mensaje. Una persona de nuestro equipo lo leerá y le responderá.\n> Perú Infomigra\n"
)
SIGNATURE = "--\nPersona de Prueba\nCel. 900 000 000\nEnviado desde mi teléfono\n"
TRACE = {
    "Received": "from mx.example.com (mx.example.com [192.0.2.1]) by in.example.com with ESMTPS id "
    + "x" * 40
    + "; Mon, 16 Nov 2026 10:15:00 -0500",
    "DKIM-Signature": "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=2026; b=" + "A" * 340,
    "X-Mailer": "Correo de prueba 1.0",
}


def realistic_mails(count: int, seed: int = 20261123) -> list[bytes]:
    """Mails as people's programs write them, with the corpus' texts: trace headers, text and HTML, a signature,
    in one of three a quoted mail, in one of five a file of 50 kB."""
    chance = random.Random(seed)
    rows = list(corpus_rows())
    return [_realistic(chance, chance.choice(rows), number) for number in range(count)]


def _realistic(chance: random.Random, row: Row, number: int) -> bytes:
    quoted = QUOTED if chance.random() < 1 / 3 else ""
    text = f"{row.text.body}\n\n{SIGNATURE}\n{quoted}"
    paragraphs = "".join(
        f'<p class="MsoNormal"><span lang="ES">{escape(line)}</span></p>' for line in text.split("\n")
    )
    return mail(
        text,
        subject=row.text.subject or "",
        sender=f"Persona {number} <persona{number}@example.com>",
        message_id=f"<{number}.{chance.randrange(10**9)}@example.com>",
        headers=TRACE,
        html=f"{HTML_HEAD}{paragraphs}</div></body></html>",
        attachments=int(chance.random() < 0.2),
        attachment_bytes=50_000,
    )
