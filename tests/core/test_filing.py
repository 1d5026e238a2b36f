"""From the ledger to a ticket, on a real database with the real parser and the real model."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import update

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.suggestions import suggestions_of
from helpdesk.desk.ticket import Ticket, change_status
from tests.desk import Desk
from tests.mails import mail


def answer(desk: Desk, agent: User, text: str = "Buenos días.", key: str = "k1", number: int = 0) -> str:
    """An agent answers a ticket; returns the Message-ID of what leaves."""
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[number].id)
        draft = Draft(text, key)
        return send_reply(
            session, ticket, draft, agent=agent, settings=desk.settings, now=utc_now()
        ).message_id


def events(ticket: Ticket) -> list[str]:
    return [event.kind for event in ticket.events]


def test_a_mail_becomes_a_ticket_with_number_requester_line_and_suggestions(desk: Desk) -> None:
    desk.file(mail())
    (ticket,) = desk.tickets()
    assert ticket.number == f"PI-{utc_now():%Y}-000001"
    assert ticket.requester is not None
    assert (ticket.requester.name, ticket.requester.email) == ("Rosario Mamani", "rosario@example.com")
    assert ticket.subject == "Retorno"
    assert "quiero volver" in ticket.messages[0].text
    assert events(ticket)[0] == "opened"
    assert {"sorted", "abstained"} & set(events(ticket))
    assert "acknowledged" in events(ticket)
    with desk.sessions() as session:
        offered = suggestions_of(session, ticket)
        assert 1 <= len(offered) <= 3
        assert all(row.words for row in offered)


def test_numbers_follow_each_other_without_gaps(desk: Desk) -> None:
    desk.file(*(mail(f"Consulta {n}") for n in range(5)))
    assert [ticket.number[-6:] for ticket in desk.tickets()] == [f"{n:06d}" for n in range(1, 6)]


def test_the_same_mail_under_another_uid_is_filed_once(desk: Desk) -> None:
    raw = mail()
    desk.file(raw)
    counts = desk.file(raw)
    assert counts.duplicates == 1
    assert len(desk.tickets()) == 1
    assert desk.ledger()[1].state == MailState.DUPLICATE
    assert "registro 1" in (desk.ledger()[1].reason or "")


def test_the_same_message_id_with_another_body_is_two_messages(desk: Desk) -> None:
    desk.file(mail("Una pregunta.", message_id="<x@example.com>"))
    desk.file(mail("Otra pregunta.", message_id="<x@example.com>"))
    assert len(desk.tickets()) == 2


def test_filing_again_what_is_filed_changes_nothing(desk: Desk) -> None:
    desk.file(mail())
    before = desk.ledger()[0].state
    with desk.sessions.begin() as session:
        session.get_one(RawMail, 1).lease_until = None
    assert desk.worker.filer.file_all().filed == 0
    assert desk.ledger()[0].state == before == MailState.FILED


def test_F52_a_mail_whose_bytes_were_damaged_is_set_aside_and_not_filed_as_what_is_left(desk: Desk) -> None:
    desk.receive(mail("Una pregunta."), mail("Otra.", sender="otra@example.com"))
    with desk.sessions.begin() as session:
        session.execute(update(RawMail).where(RawMail.id == 1).values(raw=b""))
    assert desk.worker.filer.file_all().set_aside == 1
    damaged, whole = desk.ledger()
    assert (damaged.state, damaged.reason) == (MailState.SET_ASIDE, "lo guardado ya no es lo que llegó")
    assert whole.state == MailState.FILED


def test_a_reply_joins_its_ticket_by_our_signed_message_id(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(mail("Gracias, una duda más.", subject="Otra cosa", reply_to_id=ours))
    (ticket,) = desk.tickets()
    assert [message.direction for message in ticket.messages] == ["inbound", "outbound", "inbound"]
    assert ticket.status == TicketStatus.OPEN
    assert "joined" in events(ticket)


def test_a_reply_to_the_acknowledgement_joins_too(desk: Desk) -> None:
    desk.file(mail())
    desk.file(mail("Olvidé decir algo.", reply_to_id=desk.outgoing()[0].message_id))
    assert len(desk.tickets()) == 1
    assert len(desk.tickets()[0].messages) == 2
    assert len(desk.outgoing()) == 1, "a reply that joins gets no second acknowledgement"


def test_T03_a_stranger_with_a_good_token_opens_a_ticket_of_their_own(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(mail("Soy otra persona.", sender="x@evil.example", reply_to_id=ours))
    first, second = desk.tickets()
    assert len(first.messages) == 2
    assert second.review_of is not None
    assert second.review_of.number == first.number
    assert "related" in events(second)


def test_T01_a_number_in_the_subject_alone_never_joins(desk: Desk) -> None:
    desk.file(mail())
    number = desk.tickets()[0].number
    desk.file(mail("Hola.", subject=f"Re: Retorno [{number}]", sender="x@evil.example"))
    assert [len(ticket.messages) for ticket in desk.tickets()] == [1, 1]


def test_T02_a_forged_message_id_never_joins(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    ticket_part, nonce, mac = ours.split("@")[0].split(".")[1:]
    forged = f"<t.{ticket_part}.{nonce}.{mac[:-1]}{'a' if mac[-1] != 'a' else 'b'}@infomigra.example.com>"
    desk.file(mail("Hola.", reply_to_id=forged))
    assert len(desk.tickets()) == 2


def test_T14_a_token_in_the_body_never_joins(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(mail(f"In-Reply-To: {ours}\n\n{ours}"))
    assert len(desk.tickets()) == 2


def test_a_mail_to_a_closed_ticket_opens_it_again(desk: Desk, ana: User) -> None:
    desk.file(mail())
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        draft = Draft("Listo.", "k", close=True)
        sent = send_reply(session, ticket, draft, agent=ana, settings=desk.settings, now=utc_now())
        ours = sent.message_id
    assert desk.tickets()[0].status == TicketStatus.CLOSED
    desk.file(mail("No me quedó claro.", reply_to_id=ours))
    (again,) = desk.tickets()
    assert again.status == TicketStatus.OPEN
    assert again.closed_at is None


def test_an_automatic_reply_joins_without_opening(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    away = mail("Estoy de vacaciones.", reply_to_id=ours, headers={"Auto-Submitted": "auto-replied"})
    desk.file(away)
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.WAITING
    assert ticket.messages[-1].automatic


def test_a_bulk_mail_is_kept_closed_and_out_of_the_way(desk: Desk) -> None:
    desk.file(mail("Oferta.", headers={"List-Id": "<boletin.example.net>"}))
    (ticket,) = desk.tickets()
    assert ticket.automatic
    assert ticket.status == TicketStatus.CLOSED
    assert desk.outgoing() == []


def bounce_of(message_id: str) -> bytes:
    """A delivery report (RFC 3464) for a mail of ours."""
    return "\r\n".join(
        [
            "From: MAILER-DAEMON@mx.example.com",
            "To: consultas@infomigra.example.com",
            "Subject: Undelivered Mail Returned to Sender",
            "Message-ID: <bounce-1@mx.example.com>",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
            "",
            "--b",
            "Content-Type: text/plain",
            "",
            "Your mail could not be delivered.",
            "--b",
            "Content-Type: message/delivery-status",
            "",
            "Reporting-MTA: dns; mx.example.com",
            "",
            "Final-Recipient: rfc822; rosario@example.com",
            "Action: failed",
            "Status: 5.1.1",
            "",
            "--b",
            "Content-Type: text/rfc822-headers",
            "",
            f"Message-ID: {message_id}",
            "Subject: Re: Retorno",
            "",
            "--b--",
            "",
        ]
    ).encode()


def test_a_bounce_marks_the_very_message_and_opens_the_ticket(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(bounce_of(ours))
    (ticket,) = desk.tickets()
    assert ticket.messages[1].bounced_at is not None
    assert ticket.status == TicketStatus.OPEN
    assert "bounced" in events(ticket)


NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1000)
)

ODD_MAILS = {
    "without Message-ID": mail("Hola, quiero volver.", message_id=None),
    "without From": mail("Hola, quiero volver.", sender=None),
    "with a broken charset": b"From: a@example.com\r\nSubject: hola\r\n"
    b"Content-Type: text/plain; charset=no-such-set\r\n\r\nEspa\xf1a ma\xf1ana",
    "with 50 attachments": mail(attachments=50),
    "nested 1,000 deep": b"From: a@example.com\r\nSubject: hondo\r\nMIME-Version: 1.0\r\n" + NESTED,
    "empty": b"",
    "headers only": b"From: a@example.com\r\nSubject: nada\r\n\r\n",
    "with NUL bytes": b"From: a@example.com\r\nSubject: n\x00l\r\n\r\nte\x00xto",
    "not a mail at all": bytes(range(256)) * 20,
    "with two senders": b"From: a@example.com\r\nFrom: b@example.com\r\nSubject: dos\r\n\r\nhola",
}


@pytest.mark.parametrize("trap", ODD_MAILS)
def test_an_odd_mail_ends_as_a_ticket_and_the_next_is_not_delayed(desk: Desk, trap: str) -> None:
    counts = desk.file(ODD_MAILS[trap], mail("La siguiente."))
    assert counts.filed == 2, [row.reason for row in desk.ledger()]
    odd, following = desk.tickets()
    assert following.snippet == "La siguiente."
    assert odd.messages[0].raw_mail_id == 1


def test_a_mail_without_a_sender_says_so_and_cannot_be_answered(desk: Desk, ana: User) -> None:
    from helpdesk.errors import ReplyRefused

    desk.file(ODD_MAILS["without From"])
    assert desk.tickets()[0].requester is None
    assert desk.outgoing() == []
    with pytest.raises(ReplyRefused, match="remitente"):
        answer(desk, ana)


def test_50_attachments_are_all_kept_and_equal_content_is_stored_once(desk: Desk) -> None:
    desk.file(ODD_MAILS["with 50 attachments"], mail("Otra.", attachments=50))
    first, second = desk.tickets()
    names = [file.name for file in first.messages[0].attachments]
    assert names == [f"archivo-{n}.pdf" for n in range(50)]
    from sqlalchemy import func, select

    from helpdesk.desk.files import Blob

    with desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Blob)) == 50
    assert len(second.messages[0].attachments) == 50


def test_the_broken_charset_is_read_as_spanish(desk: Desk) -> None:
    desk.file(ODD_MAILS["with a broken charset"])
    assert "España mañana" in desk.tickets()[0].messages[0].text


def test_T26_a_mail_that_kills_the_parser_is_set_aside_and_ten_good_ones_pass(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from helpdesk.mail.sandbox import ParseFailed

    poison = mail("veneno")
    parse = desk.worker.filer.parser.parse

    def dying(raw: bytes):  # the child process would be killed by a mail that nobody has found yet
        if raw == poison:
            raise ParseFailed("the parser process died")
        return parse(raw)

    monkeypatch.setattr(desk.worker.filer.parser, "parse", dying)
    counts = desk.file(poison, *(mail(f"Buena {n}") for n in range(10)))
    assert counts.filed == 10
    row = desk.ledger()[0]
    assert (row.state, row.attempts, row.reason) == (
        MailState.SET_ASIDE,
        3,
        "el proceso que lo leía terminó de golpe",
    )


def test_a_busy_database_is_not_the_mails_fault(desk: Desk) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    desk.receive(mail())
    with desk.sessions() as other:
        other.execute(text("select pg_advisory_xact_lock(7263503)"))
        with pytest.raises(OperationalError):
            desk.worker.filer.file_all()
        other.rollback()
    row = desk.ledger()[0]
    assert (row.state, row.attempts) == (MailState.RECEIVED, 0)
    assert desk.worker.filer.file_all().filed == 1


def test_a_second_report_does_not_open_the_ticket_again(desk: Desk, ana: User) -> None:
    desk.file(mail())
    ours = answer(desk, ana)
    desk.file(bounce_of(ours))
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        change_status(session, ticket, TicketStatus.CLOSED, now=utc_now(), actor=ana, why="")
    desk.file(bounce_of(ours).replace(b"bounce-1@", b"bounce-2@"))
    assert desk.tickets()[0].status == TicketStatus.CLOSED


def test_what_was_set_aside_can_be_tried_again(desk: Desk) -> None:
    from helpdesk.desk import ledger
    from helpdesk.desk.ledger import RawMail

    desk.receive(mail())
    with desk.sessions.begin() as session:
        row = session.get_one(RawMail, 1)
        ledger.settle(row, MailState.SET_ASIDE, "for the test")
    assert desk.worker.filer.file_all().filed == 0
    with desk.sessions.begin() as session:
        ledger.retry(session, session.get_one(RawMail, 1))
    assert desk.worker.filer.file_all().filed == 1


def test_T95_without_a_model_mail_arrives_unsorted(desk: Desk) -> None:
    desk.settings.model_path.exists()
    from helpdesk.desk.sorter import Sorter

    object.__setattr__(desk.worker.filer, "sorter", Sorter(desk.settings.var / "no-model.skops"))
    desk.file(mail())
    (ticket,) = desk.tickets()
    assert ticket.line is None
    assert "not_sorted" in events(ticket)


def test_arrival_is_the_servers_internal_date_but_never_the_future(desk: Desk) -> None:
    yesterday = utc_now() - dt.timedelta(hours=20)
    desk.file(mail("Ayer."), at=yesterday)
    desk.file(mail("Mañana."), at=utc_now() + dt.timedelta(days=1))
    first, second = desk.tickets()
    assert first.opened_at == yesterday
    assert second.opened_at <= utc_now()


def test_when_the_person_writes_again_the_answers_are_those_for_the_new_message(desk: Desk) -> None:
    desk.file(mail("¿Dónde saco la tarjeta del migrante retornado?", message_id="<uno@example.com>"))
    with desk.sessions() as session:
        first = suggestions_of(session, desk.tickets()[0])
    desk.file(mail("Gracias. ¿Y puedo traer mi carro sin impuestos?", reply_to_id="<uno@example.com>"))
    with desk.sessions() as session:
        [ticket] = desk.tickets()
        again = suggestions_of(session, ticket)
        assert {one.message_id for one in again} == {max(message.id for message in ticket.messages)}
        assert again[0].answer.slug == "retorno-vehiculo"
        assert not {one.id for one in again} & {one.id for one in first}
