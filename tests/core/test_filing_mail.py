"""What a filing mails, and the mail that comes back about it: one history."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import cast

from sqlalchemy import select

from helpdesk.certificates.issuing import submit
from helpdesk.certificates.records import Constancia
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.ticket import Ticket
from tests.desk import Desk
from tests.filings import day, submission, worker
from tests.mails import mail


def filed(desk: Desk, **changed: object) -> str:
    """File something; the number of its ticket."""
    with desk.sessions.begin() as session:
        result = submit(session, submission(**changed), desk.settings)
        assert result.filing is not None
        return result.filing.ticket.number


def parsed(row: Outgoing) -> EmailMessage:
    return cast(EmailMessage, email.message_from_bytes(row.content, policy=email.policy.default))


def ticket(desk: Desk, number: str) -> Ticket:
    return next(row for row in desk.tickets() if row.number == number)


def test_the_employer_gets_every_document_and_a_worker_only_their_own(desk: Desk) -> None:
    people = [worker(), worker(document_number="1000000002", given_names="Luis", email="luis@example.com")]
    details = {"work": "Cosecha de uva", "lodging": True, "travel": True}
    filed(desk, category="seasonal", category_details=details, workers=people)
    sent = {row.recipient: parsed(row) for row in desk.outgoing()}
    files = {to: [part.get_filename() for part in found.iter_attachments()] for to, found in sent.items()}
    with desk.sessions() as session:
        numbers = list(session.scalars(select(Constancia.number).order_by(Constancia.id)))
    assert files == {
        "rrhh@example.com": [f"{number}.pdf" for number in numbers],
        "ana@example.com": [f"{numbers[0]}.pdf"],
        "luis@example.com": [f"{numbers[1]}.pdf"],
    }
    for found in sent.values():
        assert found["Auto-Submitted"] == "auto-replied"
        for part in found.iter_attachments():
            assert part.get_content().startswith(b"%PDF-")


def test_T09_no_mail_carries_words_that_the_filer_chose(desk: Desk) -> None:
    filed(
        desk, contract__occupation="COMPRE EN http://malo.example", workers=[worker(surnames="COMPRE AQUI")]
    )
    for row in desk.outgoing():
        text = parsed(row).as_string()
        assert "COMPRE" not in text
        assert "malo.example" not in text


def test_a_reply_to_the_notice_joins_the_filing_from_the_employer_and_from_the_worker(desk: Desk) -> None:
    number = filed(desk)
    for sender in ("rrhh@example.com", "ana@example.com"):
        notice = next(row for row in desk.outgoing() if row.recipient == sender)
        desk.file(
            mail(
                "Hay un error en el nombre.",
                sender=sender,
                reply_to_id=notice.message_id,
                subject="Re: constancia",
            )
        )
    assert len(desk.tickets()) == 1
    row = ticket(desk, number)
    assert len(row.messages) == 3
    assert row.status == "open"


def test_a_stranger_who_names_the_filing_is_kept_out(desk: Desk) -> None:
    number = filed(desk)
    desk.file(mail("Mándenme la constancia.", sender="otro@example.com", subject=f"Sobre {number}"))
    assert len(ticket(desk, number).messages) == 1


def test_a_notice_that_comes_back_is_told_on_the_filing(desk: Desk) -> None:
    number = filed(desk)
    notice = next(row for row in desk.outgoing() if row.recipient == "ana@example.com")
    assert notice.envelope_from == desk.settings.mail_from
    assert notice.ticket_id == ticket(desk, number).id


def test_an_observed_filing_says_until_when_and_why(desk: Desk) -> None:
    filed(desk, workers=[worker(birth_date=day(-365 * 17))])
    (row,) = desk.outgoing()
    text = parsed(row).get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "menor de 18 años" in text
    assert "/constancia/solicitud/" in text
    assert "hasta el" in text
