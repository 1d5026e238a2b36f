"""The mails of a filing: what was issued, observed or decided, and the one-time code.

They hold numbers, dates and addresses of ours, and no text that the filer chose: a filer names the addresses that
some of them go to (T09). They are marked as automatic; a bounce of one comes back to its ticket.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from helpdesk.certificates.application import Fault
from helpdesk.certificates.document import day, verify_url
from helpdesk.certificates.links import Purpose, token
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingDraft
from helpdesk.desk.outbox import Outgoing
from helpdesk.mail.compose import Enclosure, Letter, build
from helpdesk.mail.tokens import make_message_id
from helpdesk.settings import Settings
from templates.catalogue import read_notice
from templates.placeholders import fill
from templates.rendering import render

PDF = "application/pdf"
CODE_MINUTES = 30
NO_DOCUMENT = "Este trámite no lleva documento nuevo."


def filing_url(settings: Settings, filing: Filing) -> str:
    """The filer's own page of a filing: a secret."""
    return f"{settings.public_url.rstrip('/')}/constancia/solicitud/{token(settings.key, Purpose.FILING, filing.id)}"


def draft_url(settings: Settings, draft: FilingDraft) -> str:
    """The page at which a filing is written on: a secret."""
    return (
        f"{settings.public_url.rstrip('/')}/constancia/tramite/{token(settings.key, Purpose.DRAFT, draft.id)}"
    )


def tell_issued(
    session: Session, filing: Filing, issued: Sequence[Constancia], settings: Settings, now: dt.datetime
) -> None:
    """Send every document to the employer, and to each worker with an address the worker's own."""
    facts = {
        "numero": filing.ticket.number,
        "presentada": day(filing.counts_on),
        "constancias": _listed(issued, settings),
        "enlace": filing_url(settings, filing),
    }
    _queue(session, filing, "constancia-issued", filing.email, facts, settings, now, files=_files(issued))
    for constancia in issued:
        worker = constancia.worker
        if worker.email and worker.email != filing.email and constancia.code:
            own = {
                "numero": filing.ticket.number,
                "constancia": constancia.number,
                "enlace": verify_url(settings, constancia.code),
            }
            key, files = f"constancia-worker-{constancia.number}", _files([constancia])
            _queue(
                session, filing, "constancia-worker", worker.email, own, settings, now, files=files, key=key
            )


def tell_observed(
    session: Session, filing: Filing, reasons: Sequence[Fault], settings: Settings, now: dt.datetime
) -> None:
    """Say what must be put right, and until when."""
    assert filing.due_on is not None
    told = dict.fromkeys(reason.message for reason in reasons)
    facts = {
        "numero": filing.ticket.number,
        "presentada": day(filing.counts_on),
        "observaciones": "\n".join(f"- {message}" for message in told),
        "hasta": day(filing.due_on),
        "enlace": filing_url(settings, filing),
    }
    _queue(session, filing, "constancia-observed", filing.email, facts, settings, now)


def tell_decided(
    session: Session, filing: Filing, decision: str, settings: Settings, now: dt.datetime
) -> None:
    """Say that a filing was not registered: refused by a person, or not put right in time."""
    facts = {"numero": filing.ticket.number, "decision": decision, "enlace": filing_url(settings, filing)}
    _queue(session, filing, "constancia-decided", filing.email, facts, settings, now)


def tell_later(
    session: Session,
    filing: Filing,
    subject: str,
    what: str,
    concerned: Sequence[Constancia],
    settings: Settings,
    now: dt.datetime,
    *,
    enclosed: bool = False,
) -> None:
    """Say what a later filing did (an end, a duplicate), with the documents when they are asked for."""
    facts = {
        "asunto": subject,
        "que": what,
        "numero": filing.ticket.number,
        "presentada": day(filing.counts_on),
        "constancias": _listed(concerned, settings),
        "enlace": filing_url(settings, filing),
    }
    files = _files(concerned) if enclosed else ()
    _queue(session, filing, "constancia-later", filing.email, facts, settings, now, files=files)


def send_copy(
    session: Session,
    filing: Filing,
    constancia: Constancia,
    recipient: str,
    settings: Settings,
    now: dt.datetime,
) -> None:
    """Send a document once more, to an address of the filing."""
    assert constancia.code is not None
    facts = {
        "numero": filing.ticket.number,
        "constancia": constancia.number,
        "enlace": verify_url(settings, constancia.code),
    }
    key = f"constancia-copy-{constancia.number}-{secrets.token_hex(8)}"
    files = _files([constancia])
    _queue(session, filing, "constancia-worker", recipient, facts, settings, now, files=files, key=key)


def send_code(session: Session, draft: FilingDraft, code: str, settings: Settings, now: dt.datetime) -> None:
    """Mail the one-time code that confirms an address."""
    facts = {"codigo": code, "minutos": str(CODE_MINUTES)}
    _to_drafter(session, "constancia-code", draft, facts, settings, now)


def send_draft_link(session: Session, draft: FilingDraft, settings: Settings, now: dt.datetime) -> None:
    """Mail the link with which a filing is written on later, or elsewhere."""
    _to_drafter(session, "constancia-draft", draft, {"enlace": draft_url(settings, draft)}, settings, now)


def _to_drafter(
    session: Session,
    notice: str,
    draft: FilingDraft,
    facts: dict[str, str],
    settings: Settings,
    now: dt.datetime,
) -> None:
    assert draft.email is not None
    nonce = secrets.token_hex(12)
    letter = _letter(notice, draft.email, facts, f"<{notice}.{nonce}@{settings.mail_domain}>", settings, now)
    session.add(_outgoing(None, f"{notice}-{nonce}", letter, now))


def _listed(issued: Sequence[Constancia], settings: Settings) -> str:
    rows = [f"- {row.number}: {verify_url(settings, row.code)}" for row in issued if row.code]
    return "\n".join(rows) or NO_DOCUMENT


def _files(issued: Sequence[Constancia]) -> tuple[Enclosure, ...]:
    return tuple(Enclosure(f"{row.number}.pdf", PDF, row.pdf) for row in issued if row.pdf)


def _queue(
    session: Session,
    filing: Filing,
    notice: str,
    recipient: str,
    facts: dict[str, str],
    settings: Settings,
    now: dt.datetime,
    *,
    files: tuple[Enclosure, ...] = (),
    key: str | None = None,
) -> None:
    message_id = make_message_id(settings.key, filing.ticket_id, settings.mail_domain)
    letter = _letter(notice, recipient, facts, message_id, settings, now, files)
    session.add(_outgoing(filing.ticket_id, key or f"{notice}-{filing.id}", letter, now))


def _letter(
    notice: str,
    recipient: str,
    facts: dict[str, str],
    message_id: str,
    settings: Settings,
    now: dt.datetime,
    files: tuple[Enclosure, ...] = (),
) -> Letter:
    form = read_notice(notice)
    subject = fill(form.subject, facts)
    rendered = render(fill(form.body, facts), title=subject)
    return Letter(
        sender_name=settings.mail_from_name,
        sender=settings.mail_from,
        recipient_name="",
        recipient=recipient,
        subject=subject,
        text=rendered.text,
        html=rendered.html,
        message_id=message_id,
        at=now,
        automatic=True,
        files=files,
    )


def _outgoing(ticket_id: int | None, key: str, letter: Letter, now: dt.datetime) -> Outgoing:
    return Outgoing(
        ticket_id=ticket_id,
        notice=True,
        idempotency_key=key,
        message_id=letter.message_id,
        # Not the null sender: that a constancia did not arrive must come to its ticket.
        envelope_from=letter.sender,
        recipient=letter.recipient,
        content=build(letter),
        send_at=now,
        created_at=now,
    )


def documents_of(session: Session, filing: Filing, *, with_bytes: bool = True) -> list[Constancia]:
    """The constancias of a filing in the order of its workers; `with_bytes`: with their PDFs."""
    query = (
        select(Constancia)
        .join(FiledWorker, FiledWorker.id == Constancia.worker_id)
        .where(FiledWorker.filing_id == filing.id)
        .order_by(FiledWorker.position)
    )
    return list(session.scalars(query.options(undefer(Constancia.pdf)) if with_bytes else query))
