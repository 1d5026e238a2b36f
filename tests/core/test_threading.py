"""Which ticket a mail belongs to: every way of naming one, and everybody who must not get in."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.joining import By, accept_stranger, merge
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.ticket import Event, Participant, Ticket, TicketLink, change_status
from helpdesk.mail.tokens import named_tickets, plus_address
from tests.desk import Desk
from tests.mails import mail

STRANGER = "Otra Persona <otra@example.net>"


def answer(desk: Desk, agent: User, number: int = 0, key: str = "k1") -> str:
    """An agent answers; the Message-ID of what leaves."""
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[number].id)
        draft = Draft("Buenos días.", key)
        sent = send_reply(session, ticket, draft, agent=agent, settings=desk.settings, now=utc_now())
        return (sent if not isinstance(sent, list) else sent[0]).message_id


def close(desk: Desk, *, days_ago: int) -> None:
    """Close the first ticket as if some days ago."""
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        then = utc_now() - dt.timedelta(days=days_ago)
        change_status(session, ticket, TicketStatus.CLOSED, now=then, actor=None, why="")


def kinds(ticket: Ticket) -> list[str]:
    return [event.kind for event in ticket.events]


def test_a_reply_to_our_plus_address_joins_without_any_other_mark(desk: Desk, ana: User) -> None:
    desk.file(mail())
    address = plus_address(answer(desk, ana), "consultas@infomigra.example.com")
    assert address is not None
    desk.file(mail("Gracias.", to=address))
    (ticket,) = desk.tickets()
    assert [message.direction for message in ticket.messages] == ["inbound", "outbound", "inbound"]


def test_a_plus_address_in_capitals_is_the_same_one(desk: Desk, ana: User) -> None:
    desk.file(mail())
    address = str(plus_address(answer(desk, ana), "consultas@infomigra.example.com"))
    desk.file(mail("Gracias.", to=address.upper()))
    assert len(desk.tickets()) == 1


def test_a_reply_to_ones_own_first_mail_joins(desk: Desk) -> None:
    desk.file(mail(message_id="<first@example.com>"))
    desk.file(mail("Olvidé decir que vivo en Milán.", reply_to_id="<first@example.com>"))
    (ticket,) = desk.tickets()
    assert len(ticket.messages) == 2


def test_a_reply_in_the_same_batch_joins_the_ticket_that_was_just_made(desk: Desk) -> None:
    desk.file(mail(message_id="<first@example.com>"), mail("Otra cosa.", reply_to_id="<first@example.com>"))
    assert [len(ticket.messages) for ticket in desk.tickets()] == [2]


def test_the_number_in_the_subject_joins_when_its_sender_is_on_the_ticket(desk: Desk) -> None:
    desk.file(mail())
    number = desk.tickets()[0].number
    desk.file(mail("Sigo esperando.", subject=f"RV: consulta {number.lower()}"))
    assert [len(ticket.messages) for ticket in desk.tickets()] == [2]


@pytest.mark.parametrize("way", ["token", "plus", "number", "reference"])
def test_T03_a_strangers_mail_is_for_review_whatever_it_names(desk: Desk, ana: User, way: str) -> None:
    desk.file(mail(message_id="<first@example.com>"))
    ours = answer(desk, ana)
    named = {
        "token": {"reply_to_id": ours},
        "plus": {"to": str(plus_address(ours, "consultas@infomigra.example.com"))},
        "number": {"subject": f"[{desk.tickets()[0].number}]"},
        "reference": {"reply_to_id": "<first@example.com>"},
    }[way]
    desk.file(mail("Soy otra persona.", sender=STRANGER, **named))  # type: ignore[arg-type]
    first, second = desk.tickets()
    assert len(first.messages) == 2, "not joined"
    assert second.review_of is not None
    assert second.review_of.id == first.id
    assert second.messages[0].text.startswith("Soy otra persona."), "not lost"
    with desk.sessions() as session:
        assert session.scalars(select(Participant)).all() == []


def test_T02_a_forged_token_is_counted_and_names_nothing(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    head, _, domain = ours.partition("@")
    forged = f"{head[:-1]}{'a' if head[-1] != 'a' else 'b'}@{domain}"
    assert named_tickets(desk.settings.key, [forged]).forged == 1
    desk.file(mail("Hola.", reply_to_id=forged))
    _, second = desk.tickets()
    assert second.review_of is None
    assert "forged_token" in kinds(second)


def test_T01_guessing_a_thousand_numbers_joins_nothing(desk: Desk) -> None:
    desk.file(mail())
    year = utc_now().year
    guesses = [
        mail("Hola.", subject=f"[PI-{year}-{n:06d}]", sender=f"x{n}@evil.example") for n in range(1, 301)
    ]
    desk.file(*guesses)
    tickets = desk.tickets()
    assert len(tickets) == 301
    assert {len(ticket.messages) for ticket in tickets} == {1}


def test_a_reply_within_the_time_opens_a_closed_ticket_again(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    close(desk, days_ago=29)
    desk.file(mail("No me quedó claro.", reply_to_id=ours))
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.OPEN


def test_a_reply_after_the_time_is_a_new_ticket_linked_to_the_old_one(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    close(desk, days_ago=31)
    desk.file(mail("Vuelvo a escribir.", reply_to_id=ours))
    old, new = desk.tickets()
    assert old.status == TicketStatus.CLOSED
    assert new.status == TicketStatus.OPEN
    with desk.sessions() as session:
        (link,) = session.scalars(select(TicketLink)).all()
    assert (link.ticket_id, link.other_id, link.kind) == (new.id, old.id, "follows")


def test_mail_to_a_merged_ticket_goes_to_the_one_that_holds_it(desk: Desk, ana: User) -> None:
    desk.file(mail("Una."), mail("Otra.", sender="Otra <otra@example.com>"))
    ours = answer(desk, ana, number=1)
    with desk.sessions.begin() as session:
        first, second = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        merge(session, second, first, By(session.merge(ana), utc_now()))
    desk.file(mail("Sigo aquí.", sender="Otra <otra@example.com>", reply_to_id=ours))
    first, second = desk.tickets()
    assert first.messages[-1].text.strip() == "Sigo aquí."
    assert second.messages == []


def test_T10_a_reused_message_id_is_two_messages_and_says_so(desk: Desk) -> None:
    desk.file(mail("Una pregunta.", message_id="<x@example.com>"))
    desk.file(mail("Otra pregunta.", message_id="<x@example.com>"))
    _, second = desk.tickets()
    assert "message-id-reused" in second.messages[0].defects


def test_the_same_mail_by_another_way_is_filed_once(desk: Desk) -> None:
    raw = mail(message_id="<x@example.com>")
    desk.file(raw)
    counts = desk.file(b"Received: from elsewhere.example.com; Mon, 16 Nov 2026 10:15:00 -0500\r\n" + raw)
    assert counts.duplicates == 1
    assert desk.ledger()[1].state == MailState.DUPLICATE
    assert "otro camino" in (desk.ledger()[1].reason or "")


def test_the_same_words_from_somebody_else_under_a_stolen_message_id_are_two(desk: Desk) -> None:
    desk.file(mail("Lo mismo.", message_id="<x@example.com>"))
    desk.file(mail("Lo mismo.", message_id="<x@example.com>", sender=STRANGER))
    assert len(desk.tickets()) == 2


def test_after_a_new_uidvalidity_the_old_mail_is_known(desk: Desk) -> None:
    raws = [mail(f"Consulta {n}") for n in range(5)]
    desk.file(*raws)
    desk.receive(*raws, uidvalidity=2)
    assert desk.worker.filer.file_all().duplicates == 5


def test_T07_a_mail_that_names_no_sender_joins_nothing(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(mail("Hola.", sender=None, reply_to_id=ours))
    _, second = desk.tickets()
    assert second.review_of is not None


def test_every_ticket_number_is_given_once_over_many_groups(desk: Desk) -> None:
    desk.file(*(mail(f"Consulta {n}", sender=f"p{n}@example.com") for n in range(120)))
    numbers = [int(ticket.number[-6:]) for ticket in desk.tickets()]
    assert numbers == list(range(1, 121))


def test_a_report_without_a_recipient_marks_the_only_mail_it_can_mean(desk: Desk, ana: User) -> None:
    from tests.core.test_filing import bounce_of

    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(bounce_of(ours).replace(b"Final-Recipient: rfc822; rosario@example.com\r\n", b""))
    (ticket,) = desk.tickets()
    assert ticket.messages[1].bounced_at is not None


def test_a_report_about_somebody_else_is_for_an_agent_to_judge(desk: Desk, ana: User) -> None:
    from tests.core.test_filing import bounce_of

    desk.file(mail())
    ours = answer(desk, ana)
    # The address that we wrote to may be an alias of this one; or somebody forges reports.
    desk.file(bounce_of(ours).replace(b"rosario@example.com", b"x@evil.example"))
    first, report = desk.tickets()
    assert len(first.messages) == 2
    assert (report.review_of_id, report.status) == (first.id, TicketStatus.OPEN)
    assert report.automatic
    with desk.sessions() as session:
        assert session.scalars(select(Event).where(Event.kind == "bounced")).all() == []
    by = By(ana, utc_now())
    with desk.sessions.begin() as session:
        accept_stranger(session, session.get_one(Ticket, report.id), by)
    first, report = desk.tickets()
    assert len(first.messages) == 3
    with desk.sessions() as session:
        writers = session.scalars(select(Participant).where(Participant.ticket_id == first.id)).all()
    assert writers == [], "a machine may not write to the ticket from now on"


def test_a_report_of_a_notice_or_of_a_delay_to_somebody_else_troubles_nobody(desk: Desk, ana: User) -> None:
    from tests.core.test_filing import bounce_of

    desk.file(mail())
    ours = answer(desk, ana)
    notice = next(row.message_id for row in desk.outgoing() if row.notice)
    desk.file(bounce_of(notice).replace(b"rosario@example.com", b"x@evil.example"))
    late = (
        bounce_of(ours).replace(b"bounce-1@", b"bounce-2@").replace(b"rosario@example.com", b"x@evil.example")
    )
    desk.file(late.replace(b"Action: failed", b"Action: delayed").replace(b"5.1.1", b"4.4.1"))
    _, *reports = desk.tickets()
    assert [report.status for report in reports] == [TicketStatus.CLOSED] * 2
    assert [report.review_of_id for report in reports] == [None] * 2


def complaint_about(message_id: str, recipient: str) -> bytes:
    """A feedback report (RFC 5965): somebody called a mail of ours unwanted."""
    return "\r\n".join(
        [
            "From: <abuse@example.net>",
            "To: consultas@infomigra.example.com",
            "Subject: FW: Re: Retorno",
            "Message-ID: <complaint-1@example.net>",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
            "",
            "--b",
            "Content-Type: message/feedback-report",
            "",
            "Feedback-Type: abuse",
            "Version: 1",
            f"Original-Rcpt-To: {recipient}",
            "--b",
            "Content-Type: message/rfc822",
            "",
            f"Message-ID: {message_id}",
            "From: consultas@infomigra.example.com",
            "Subject: Re: Retorno",
            "",
            "Respuesta",
            "--b--",
            "",
        ]
    ).encode()


@pytest.mark.parametrize("recipient", ["rosario@example.com", "blanked@"])
def test_a_feedback_report_is_kept_with_the_answer_that_it_is_about(
    desk: Desk, ana: User, recipient: str
) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    before = desk.tickets()[0].status
    desk.file(complaint_about(ours, recipient))
    (ticket,) = desk.tickets()
    assert ticket.status == before, "nobody waits for an answer"
    assert "complained" in [event.kind for event in ticket.events]
    assert ticket.messages[-1].automatic == "feedback-report"
    assert ticket.messages[1].bounced_at is None


def test_a_forged_feedback_report_joins_nothing(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(complaint_about(ours, "x@evil.example"))
    first, other = desk.tickets()
    assert len(first.messages) == 2
    assert other.status == TicketStatus.CLOSED
