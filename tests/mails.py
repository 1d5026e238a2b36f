"""Builders of mails, with defaults for everything that does not matter to a test."""

from __future__ import annotations

import datetime as dt
import random
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from classifier import corpus_rows

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
        content = f"contenido {number}".encode()
        built.add_attachment(content, maintype="application", subtype="pdf", filename=f"archivo-{number}.pdf")
    return built.as_bytes()


def realistic_mails(count: int, seed: int = 20261123) -> list[bytes]:
    """Mails with the corpus' texts, made-up senders and, in one of ten, a small file."""
    chance = random.Random(seed)
    rows = list(corpus_rows())
    mails = []
    for number in range(count):
        row = chance.choice(rows)
        mails.append(
            mail(
                f"{row.body}\n\nRef. {number}",
                subject=row.subject or "",
                sender=f"Persona {number} <persona{number}@example.com>",
                message_id=f"<{number}.{chance.randrange(10**9)}@example.com>",
                attachments=int(chance.random() < 0.1),
            )
        )
    return mails
