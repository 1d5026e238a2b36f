"""Mail on its way out: a row a recipient, each with its own fate, and what people and mail do to it before it leaves.

How the worker fares with a server or a network that misbehaves is `tests/edges/test_smtp_trouble.py`.
"""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from sqlalchemy import update

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import outbox, sending
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from helpdesk.desk.message import Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reply import Draft, undo_reply
from helpdesk.desk.ticket import Ticket
from helpdesk.errors import NotAllowed
from helpdesk.mail.smtp import Answer, Handed
from tests.desk import Desk
from tests.mails import mail
from tests.outgoing import fill_outbox, let_on, queue_reply, replies, reply, write_reply
from tests.smtp_sink import Sink


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
        (claimed,) = sending.claim(session, lease_s=60)
        assert sending.begin(session, claimed, lease_s=60) == reply(desk).content
    with desk.sessions.begin() as session, pytest.raises(NotAllowed):
        outbox.send_again(session, session.get_one(Outgoing, reply(desk).id), actor=ana, now=utc_now())
    assert reply(desk).state == OutgoingState.HANDING


def test_F25_three_senders_at_once_send_each_mail_once(desk: Desk, smtp_sink: Sink) -> None:
    desk.file(*(mail(f"Hola {n}", sender=f"p{n}@example.com") for n in range(30)))
    threads = [threading.Thread(target=desk.send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(smtp_sink.raw) == 30
    assert len({m["Message-ID"] for m in smtp_sink.mails}) == 30


def claim_one(desk: Desk, lease_s: float = 60) -> sending.Claimed:
    with desk.sessions.begin() as session:
        (claimed,) = sending.claim(session, lease_s=lease_s)
    return claimed


def test_F26_a_worker_that_lost_its_lease_changes_nothing(desk: Desk, ana: User) -> None:
    queue_reply(desk, ana)
    slow, fast = claim_one(desk, -1), claim_one(desk)
    assert slow.id == fast.id
    with desk.sessions.begin() as session:
        assert sending.begin(session, slow, lease_s=60) is None, "not even asked for its text"
        assert sending.settle(session, slow, Answer(Handed.REFUSED, "550"), utc_now()) is False
    with desk.sessions.begin() as session:
        assert sending.begin(session, fast, lease_s=60) is not None
        assert sending.settle(session, fast, Answer(Handed.ACCEPTED, "250"), utc_now()) is True
    assert reply(desk).state == OutgoingState.SENT


def test_L12_a_worker_that_dies_before_the_text_leaves_the_mail_as_it_was(desk: Desk, ana: User) -> None:
    queue_reply(desk, ana)
    claim_one(desk, -1)
    row = reply(desk)
    assert (row.state, row.tries, row.fence) == (OutgoingState.READY, 0, 1)
    assert desk.send() == 1


def test_a_claimed_mail_is_nobody_elses_until_the_lease_ends(desk: Desk, ana: User) -> None:
    queue_reply(desk, ana)
    claimed = claim_one(desk)
    assert desk.send() == 0
    with desk.sessions.begin() as session:
        sending.give_back(session, [claimed])
    assert desk.send() == 1


def test_the_requester_and_each_copy_get_the_same_bytes_on_a_row_of_their_own(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    queue_reply(desk, ana, "hijo@example.com", "abogada@example.com")
    rows = replies(desk)
    assert [row.recipient for row in rows] == [
        "rosario@example.com",
        "hijo@example.com",
        "abogada@example.com",
    ]
    assert len({row.content for row in rows}) == len({row.message_id for row in rows}) == 1
    assert desk.send() == 3
    (received,) = smtp_sink.to("hijo@example.com")
    assert received["To"].addresses[0].addr_spec == "rosario@example.com"
    assert [person.addr_spec for person in received["Cc"].addresses] == [
        "hijo@example.com",
        "abogada@example.com",
    ]
    assert all(len(to) == 1 for _, to in smtp_sink.envelopes)


def test_F24_each_recipient_has_a_fate_of_its_own(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana, "lleno@example.com", "nadie@example.com")
    smtp_sink.recipients = {
        "lleno@example.com": "452 4.2.2 mailbox full",
        "nadie@example.com": "550 5.1.1 no such user",
    }
    assert desk.send() == 1
    assert {row.recipient: row.state for row in replies(desk)} == {
        "rosario@example.com": OutgoingState.SENT,
        "lleno@example.com": OutgoingState.READY,
        "nadie@example.com": OutgoingState.FAILED,
    }
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.OPEN
    assert ticket.first_response_at is not None
    with desk.sessions() as session:
        assert outbox.undelivered(session, [ticket]) == {ticket.id}
        (rows,) = outbox.queue_of_ticket(session, ticket).values()
        (failed,) = (row for row in rows if row.state == OutgoingState.FAILED)
        assert failed.recipient == "nadie@example.com"
        assert len(rows) == 3


def test_a_copy_that_arrives_is_no_answer_to_the_requester(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana, "hijo@example.com")
    smtp_sink.recipients = {"rosario@example.com": "550 5.1.1 no such user"}
    assert desk.send() == 1
    assert desk.tickets()[0].first_response_at is None


def test_a_reply_to_several_is_taken_back_for_all_or_for_none(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    desk.file(mail())
    desk.send()
    let_on(desk, "hijo@example.com")
    row = write_reply(desk, ana, Draft("Hola.", "k", cc=("hijo@example.com",)))
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, row.ticket_id)
        undo_reply(session, ticket, session.get_one(Message, row.reply_id), agent=ana, now=utc_now())
    assert {row.state for row in replies(desk)} == {OutgoingState.CANCELLED}
    again = write_reply(desk, ana, Draft("Hola.", "k2", cc=("hijo@example.com",)))
    with desk.sessions.begin() as session:
        session.execute(
            update(Outgoing)
            .where(Outgoing.id == again.id)
            .values(send_at=utc_now() - dt.timedelta(seconds=1))
        )
    assert desk.send() == 1, "the requester's; the copy waits"
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, again.ticket_id)
        with pytest.raises(NotAllowed, match="ya salió"):
            undo_reply(session, ticket, session.get_one(Message, again.reply_id), agent=ana, now=utc_now())
    assert replies(desk)[-1].state == OutgoingState.READY


def test_a_reply_that_a_worker_has_claimed_can_still_be_taken_back_before_its_text_is_given(
    desk: Desk, ana: User
) -> None:
    queue_reply(desk, ana)
    claimed, row = claim_one(desk), reply(desk)
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, row.ticket_id)
        undo_reply(session, ticket, session.get_one(Message, row.reply_id), agent=ana, now=utc_now())
    with desk.sessions.begin() as session:
        assert sending.begin(session, claimed, lease_s=60) is None


def test_F28_what_is_queued_does_not_change_with_the_ticket(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    queue_reply(desk, ana)
    before = reply(desk).content
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        ticket.subject = "Otro asunto"
        written = session.get_one(Message, reply(desk).reply_id)
        written.text = written.html = "otro texto"
    desk.send()
    assert smtp_sink.raw[-1] == before == reply(desk).content


def test_F24_the_waits_of_a_mail_that_is_put_off_last_72_hours(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    queue_reply(desk, ana)
    waited = dt.timedelta()
    for number in range(1, 1000):
        smtp_sink.answers.append("451 4.7.1 greylisted")
        before = utc_now()
        desk.send()
        row = reply(desk)
        assert row.tries == number
        if row.state == OutgoingState.FAILED:
            break
        assert row.state == OutgoingState.READY
        waited += row.send_at - before
        desk.make_due()
    assert dt.timedelta(hours=72) <= waited <= dt.timedelta(hours=75)
    (ticket,) = desk.tickets()
    assert [event.kind for event in ticket.events if event.kind == "send_failed"] == ["send_failed"]


def test_F23_what_stays_uncertain_is_tried_a_few_times_and_then_told(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers += ["drop"] * 10
    for _ in range(sending.MOST_UNCERTAIN - 1):
        desk.send()
        assert reply(desk).state == OutgoingState.UNCERTAIN
        assert reply(desk).send_at - utc_now() > dt.timedelta(seconds=sending.UNCERTAIN_WAIT_S - 60)
        desk.make_due()
    desk.send()
    assert reply(desk).state == OutgoingState.FAILED
    assert "puede que el correo haya llegado" in reply(desk).reason
    copies = {raw for raw in smtp_sink.raw if b"Auto-Submitted" not in raw}
    assert copies == {reply(desk).content}, "every copy is the same mail"


def test_a_round_ends_after_the_mail_in_hand_when_it_is_told_to_stop(desk: Desk, smtp_sink: Sink) -> None:
    fill_outbox(desk.sessions, desk.settings, 15)
    server = sending.SmtpServer.from_settings(desk.settings)
    stopping = lambda: len(smtp_sink.raw) >= 3  # noqa: E731 - a question, asked once
    assert sending.send_due(desk.sessions, server, lease_s=60, stopping=stopping) == 3
    assert all(row.lease_until is None for row in desk.outgoing()), "what was claimed is free again"
    assert desk.send() == 12


def test_L11_a_connection_takes_fifty_mails_at_most(desk: Desk, smtp_sink: Sink) -> None:
    fill_outbox(desk.sessions, desk.settings, 101)
    assert desk.send() == 101
    assert smtp_sink.connections == 3


@pytest.mark.parametrize("code", ["421 4.3.2 shutting down", "552 5.3.4 too big", "454 4.7.0 later"])
def test_every_answer_leaves_a_reason_that_can_be_read(
    desk: Desk, ana: User, smtp_sink: Sink, code: str
) -> None:
    queue_reply(desk, ana)
    smtp_sink.answers.append(code)
    desk.send()
    assert code[:3] in reply(desk).reason
