"""Answers that an agent wrote in another program, and mail that an agent passes on."""

from __future__ import annotations

import datetime as dt

import pytest

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import ledger
from helpdesk.desk.ledger import Folder
from helpdesk.desk.lifecycle import MailState, TicketStatus
from helpdesk.mail.imap import FetchedMail
from tests.desk import Desk
from tests.mails import mail

ANA = "Ana Torres <ana@example.com>"
DESK = "Perú Infomigra <consultas@infomigra.example.com>"
FIRST = "<first@example.com>"


def sent(desk: Desk, raw: bytes, *, at: dt.datetime | None = None) -> None:
    """A mail appears in the Sent folder, and is filed."""
    with desk.sessions.begin() as session:
        fetched = FetchedMail(desk.next_uid, len(raw), at or utc_now(), raw)
        desk.next_uid += 1
        ledger.enter(session, Folder(desk.mailbox_id, "Sent", 1), [fetched], utc_now(), sent=True)
    desk.worker.filer.file_all()


def test_an_answer_in_the_sent_folder_is_an_outbound_message_and_counts(desk: Desk) -> None:
    desk.file(mail(message_id=FIRST))
    sent(desk, mail("Buenos días, le cuento.", sender=DESK, to="rosario@example.com", reply_to_id=FIRST))
    (ticket,) = desk.tickets()
    assert [message.direction for message in ticket.messages] == ["inbound", "outbound"]
    assert ticket.messages[1].written_elsewhere == "sent-folder"
    assert ticket.messages[1].recipient == "rosario@example.com"
    assert ticket.status == TicketStatus.WAITING
    assert ticket.first_response_at is not None


def test_our_own_copy_in_the_sent_folder_is_known(desk: Desk) -> None:
    desk.file(mail())
    sent(desk, desk.outgoing()[0].content)
    assert desk.ledger()[-1].state == MailState.DUPLICATE
    assert len(desk.tickets()[0].messages) == 1


def test_other_mail_of_the_sent_folder_is_left_alone(desk: Desk) -> None:
    desk.file(mail())
    sent(desk, mail("Hola, colega.", sender=DESK, to="colega@example.org"))
    assert desk.ledger()[-1].state == MailState.UNRELATED
    assert len(desk.tickets()) == 1


def test_a_copy_to_the_desk_of_an_agents_answer_counts_for_that_agent(desk: Desk, ana: User) -> None:
    desk.file(mail(message_id=FIRST))
    desk.file(mail("Le respondo yo.", sender=ANA, to="rosario@example.com", reply_to_id=FIRST))
    (ticket,) = desk.tickets()
    assert ticket.messages[1].direction == "outbound"
    assert ticket.messages[1].author is not None
    assert ticket.messages[1].author.id == ana.id
    assert ticket.messages[1].written_elsewhere == "copy"
    assert ticket.first_response_at is not None


def test_the_same_answer_by_copy_and_in_the_sent_folder_counts_once(desk: Desk, ana: User) -> None:
    desk.file(mail(message_id=FIRST))
    raw = mail(
        "Le respondo.", sender=ANA, to="rosario@example.com", reply_to_id=FIRST, message_id="<a@example.com>"
    )
    desk.file(b"Received: from a.example.com by b.example.com; Mon, 16 Nov 2026 10:15:00 -0500\r\n" + raw)
    sent(desk, raw)
    assert [message.direction for message in desk.tickets()[0].messages] == ["inbound", "outbound"]


def test_T04_an_agents_mail_to_the_desk_alone_is_an_ordinary_new_ticket(desk: Desk, ana: User) -> None:
    desk.file(mail(message_id=FIRST))
    desk.file(mail("#close", sender=ANA, reply_to_id=FIRST))
    first, second = desk.tickets()
    assert first.status == TicketStatus.OPEN
    assert second.messages[0].direction == "inbound"


def test_a_copy_to_a_stranger_is_not_an_answer(desk: Desk, ana: User) -> None:
    desk.file(mail(message_id=FIRST))
    desk.file(mail("¿Qué opinas?", sender=ANA, to="otra@example.org", reply_to_id=FIRST))
    assert desk.tickets()[0].first_response_at is None


FORWARD = """Para la mesa, por favor.

---------- Forwarded message ---------
De: Luisa Prueba <luisa@example.net>
Date: lun, 16 nov 2026 a las 10:15
Subject: Trabajo en Chile
To: Ana Torres <ana@example.com>


Quiero ir a trabajar a Chile. ¿Qué papeles necesito?
"""


def test_a_mail_that_an_agent_forwards_becomes_the_citizens_ticket(desk: Desk, ana: User) -> None:
    desk.file(mail(FORWARD, sender=ANA, subject="Fwd: Trabajo en Chile"))
    (ticket,) = desk.tickets()
    assert ticket.requester is not None
    assert (ticket.requester.email, ticket.requester.name) == ("luisa@example.net", "Luisa Prueba")
    assert ticket.subject == "Trabajo en Chile"
    assert ticket.messages[0].forwarded_by == "ana@example.com"
    assert ticket.messages[0].new_text.startswith("Quiero ir a trabajar a Chile.")
    assert "Para la mesa" in ticket.messages[0].text, "the agent's note is kept"
    assert desk.outgoing() == [], "an address that nobody has proved is not written to"


def test_a_citizens_forward_is_the_citizens_own_mail(desk: Desk) -> None:
    desk.file(mail(FORWARD, subject="Fwd: Trabajo en Chile"))
    (ticket,) = desk.tickets()
    assert ticket.requester is not None
    assert ticket.requester.email == "rosario@example.com"


@pytest.mark.parametrize("verdict", ["fail", "pass"])
def test_T06_the_borders_word_decides_whether_a_sender_is_believed(
    desk: Desk, ana: User, verdict: str
) -> None:
    object.__setattr__(
        desk.worker.filer,
        "settings",
        desk.settings.model_copy(update={"authserv_ids": "mx.infomigra.example.com"}),
    )
    headers = {"Authentication-Results": f"mx.infomigra.example.com; dmarc={verdict} header.from=example.com"}
    desk.file(mail(message_id=FIRST))
    desk.file(mail("Sigo.", reply_to_id=FIRST, headers=headers))
    first, *others = desk.tickets()
    joined = len(first.messages) == 2
    assert joined is (verdict == "pass")
    if not joined:
        assert others[0].review_of is not None
        assert "not_acknowledged" in [event.kind for event in others[0].events]


def test_an_answer_that_is_found_late_does_not_stop_the_clock_of_who_wrote_since(desk: Desk) -> None:
    morning = utc_now() - dt.timedelta(hours=3)
    desk.file(mail(message_id=FIRST), at=morning)
    desk.file(mail("¿Siguen ahí?", reply_to_id=FIRST), at=morning + dt.timedelta(hours=2))
    answered = mail("Buenos días.", sender=DESK, to="rosario@example.com", reply_to_id=FIRST)
    sent(desk, answered, at=morning + dt.timedelta(hours=1))
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.OPEN
    assert ticket.waiting_since == morning + dt.timedelta(hours=2)


def test_an_automatic_mail_in_the_sent_folder_is_no_answer(desk: Desk) -> None:
    desk.file(mail(message_id=FIRST))
    away = {"Auto-Submitted": "auto-replied"}
    sent(
        desk,
        mail("Fuera de la oficina.", sender=DESK, to="rosario@example.com", reply_to_id=FIRST, headers=away),
    )
    (ticket,) = desk.tickets()
    assert ticket.messages[1].automatic == "auto-submitted: auto-replied", "kept with its reason"
    assert ticket.first_response_at is None
    assert ticket.status == TicketStatus.OPEN


def test_the_same_answer_counts_once_when_the_mail_server_wrote_its_parts_anew(desk: Desk, ana: User) -> None:
    desk.file(mail(message_id=FIRST))
    parts = {
        "sender": ANA,
        "to": "rosario@example.com",
        "reply_to_id": FIRST,
        "message_id": "<a@example.com>",
    }
    desk.file(mail("Le respondo.", html="<p>Le respondo.</p>", **parts))  # type: ignore[arg-type]
    sent(desk, mail("Le respondo.", html="<p>Le respondo.</p>\n<br>", **parts))  # type: ignore[arg-type]
    assert [message.direction for message in desk.tickets()[0].messages] == ["inbound", "outbound"]
    sent(desk, mail("Otras palabras.", **parts))  # type: ignore[arg-type]
    assert len(desk.tickets()[0].messages) == 3, "other words under the same Message-ID are another message"


def test_what_an_agent_passes_on_with_a_copy_to_the_citizen_is_the_citizens_mail(
    desk: Desk, ana: User
) -> None:
    desk.file(mail("Hola.", sender="Luisa Prueba <luisa@example.net>", message_id=FIRST))
    raw = mail(
        FORWARD,
        sender=ANA,
        subject="Fwd: Trabajo en Chile",
        reply_to_id=FIRST,
        headers={"Cc": "luisa@example.net"},
    )
    desk.file(raw)
    (ticket,) = desk.tickets()
    assert [message.direction for message in ticket.messages] == ["inbound", "inbound"]
    assert ticket.status == TicketStatus.OPEN
