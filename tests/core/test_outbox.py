"""Mail on its way out, against a real SMTP server that misbehaves on purpose (F22–F26)."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import outbox
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.ticket import Ticket
from helpdesk.errors import NotAllowed
from helpdesk.mail.smtp import Answer, Handed
from tests.desk import Desk
from tests.mails import mail
from tests.ports import free_port
from tests.smtp_sink import Sink


def queue_reply(desk: Desk, agent: User) -> None:
    """A ticket with a reply that is due; its acknowledgement is out already."""
    desk.file(mail())
    desk.send()
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        send_reply(session, ticket, Draft("Hola.", "k"), agent=agent, settings=desk.settings, now=utc_now())
    desk.make_due()


def reply(desk: Desk) -> Outgoing:
    return next(row for row in desk.outgoing() if not row.notice)


def test_F24_a_4xx_is_tried_again_later_with_the_same_bytes(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append("451 4.3.0 try again later")
    assert desk.send() == 0
    row = reply(desk)
    assert row.state == OutgoingState.READY
    assert row.reason.startswith("451")
    assert row.send_at > utc_now()
    desk.make_due()
    assert desk.send() == 1
    assert smtp_sink.raw[-1] == row.content


def test_F24_a_5xx_is_told_to_the_agent_at_once(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append("550 5.1.1 no such user")
    desk.send()
    assert reply(desk).state == OutgoingState.FAILED
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.OPEN
    assert any(event.kind == "send_failed" and "550" in event.why for event in ticket.events)
    desk.make_due()
    assert desk.send() == 0, "a refusal is final"


def test_F23_a_line_cut_after_the_text_is_uncertain_and_sent_again_under_the_same_id(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append("drop")
    desk.send()
    assert reply(desk).state == OutgoingState.UNCERTAIN
    desk.make_due()
    desk.send()
    copies = [m["Message-ID"] for m in smtp_sink.mails if m["Auto-Submitted"] is None]
    assert len(copies) == 2
    assert set(copies) == {reply(desk).message_id}


def test_a_refusal_does_not_spoil_the_next_mail_on_the_connection(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    queue_reply(desk, ana)
    desk.file(mail("Otra.", sender="otra@example.com"))
    smtp_sink.answers.append("550 5.7.1 no")
    assert desk.send() == 1
    assert sorted(row.state for row in desk.outgoing()) == ["failed", "sent", "sent"]


def test_an_agent_can_have_a_refused_mail_sent_again(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append("550 5.7.1 blocked for now")
    desk.send()
    with desk.sessions.begin() as session:
        outbox.send_again(session, session.get_one(Outgoing, reply(desk).id), actor=ana, now=utc_now())
    assert desk.send() == 1
    assert smtp_sink.raw[-1] == reply(desk).content


@pytest.mark.parametrize("answer", ["que tal", "354 go on", "199 hm"])
def test_an_answer_that_is_none_never_counts_as_sent(
    desk: Desk, ana: User, smtp_sink: Sink, answer: str
) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append(answer)
    assert desk.send() == 0
    assert reply(desk).state == OutgoingState.UNCERTAIN


def test_a_second_click_on_send_again_changes_nothing(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append("550 5.7.1 blocked for now")
    desk.send()
    with desk.sessions.begin() as session:
        outbox.send_again(session, session.get_one(Outgoing, reply(desk).id), actor=ana, now=utc_now())
    with desk.sessions.begin() as session:
        assert outbox.claim(session, lease_s=60) is not None
    with desk.sessions.begin() as session, pytest.raises(NotAllowed):
        outbox.send_again(session, session.get_one(Outgoing, reply(desk).id), actor=ana, now=utc_now())
    assert reply(desk).state == OutgoingState.HANDING


def test_F27_without_a_server_nothing_is_lost(desk: Desk, ana: User) -> None:
    queue_reply(desk, ana)
    server = dataclasses.replace(outbox.SmtpServer.from_settings(desk.settings), port=free_port())
    outbox.send_due(desk.sessions, server, lease_s=5)
    assert reply(desk).state == OutgoingState.READY
    desk.make_due()
    assert desk.send() == 1


def test_F25_two_senders_at_once_send_each_mail_once(desk: Desk, smtp_sink: Sink) -> None:
    desk.file(*(mail(f"Hola {n}", sender=f"p{n}@example.com") for n in range(30)))
    threads = [threading.Thread(target=desk.send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(smtp_sink.raw) == 30
    assert len({m["Message-ID"] for m in smtp_sink.mails}) == 30


def test_F26_a_worker_that_lost_its_lease_changes_nothing(desk: Desk, ana: User) -> None:
    queue_reply(desk, ana)
    with desk.sessions.begin() as session:
        slow = outbox.claim(session, lease_s=-1)
    with desk.sessions.begin() as session:
        fast = outbox.claim(session, lease_s=60)
    assert slow is not None
    assert fast is not None
    assert slow.id == fast.id
    with desk.sessions.begin() as session:
        assert outbox.settle(session, slow, Answer(Handed.REFUSED, "550"), utc_now()) is False
    with desk.sessions.begin() as session:
        assert outbox.settle(session, fast, Answer(Handed.ACCEPTED, "250"), utc_now()) is True
    assert reply(desk).state == OutgoingState.SENT


def test_T62_a_server_that_offers_no_starttls_gets_no_mail(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana)
    before = len(smtp_sink.raw)
    server = dataclasses.replace(outbox.SmtpServer.from_settings(desk.settings), security="starttls")
    outbox.send_due(desk.sessions, server, lease_s=5)
    assert len(smtp_sink.raw) == before
    assert "STARTTLS" in reply(desk).reason


@pytest.mark.parametrize("code", ["421 4.3.2 shutting down", "552 5.3.4 too big", "454 4.7.0 later"])
def test_every_answer_leaves_a_reason_that_can_be_read(
    desk: Desk, ana: User, smtp_sink: Sink, code: str
) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append(code)
    desk.send()
    assert code[:3] in reply(desk).reason
