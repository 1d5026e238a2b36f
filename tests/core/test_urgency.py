"""Urgent mail: seen at once, on whatever way it comes, and never answered by a machine."""

from __future__ import annotations

import datetime as dt

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.joining import By, merge
from helpdesk.desk.queue import View, next_open, queue_page
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.ticket import Ticket
from tests.desk import Desk
from tests.mails import mail

DANGER = (
    "Auxilio. El dueño del local nos quitó los pasaportes a las cuatro peruanas, nos tiene encerradas con llave y nos "
    "obliga a trabajar con los clientes para pagar la deuda del pasaje. No nos deja salir. Estamos en Estambul."
)


def test_danger_is_marked_comes_first_and_gets_no_acknowledgement(desk: Desk, ana: User) -> None:
    desk.file(mail(), mail(DANGER, subject="ayuda", sender="x@example.com"))
    calm, urgent = desk.tickets()
    assert (calm.urgency, urgent.urgency) == (None, "trafficking")
    assert [row.ticket_id for row in desk.outgoing()] == [calm.id]
    (event,) = [event for event in urgent.events if event.kind == "not_acknowledged"]
    assert event.why == "es urgente: la responde una persona"
    with desk.sessions() as session:
        shown = queue_page(session, View(), ana.id).tickets
        assert [ticket.id for ticket in shown] == [urgent.id, calm.id]
        after = next_open(session, session.get_one(Ticket, urgent.id), View(), ana.id)
        assert after is not None
        assert after.id == calm.id


def test_danger_in_an_answer_marks_the_ticket_that_it_joins(desk: Desk, ana: User) -> None:
    desk.file(mail())
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        me = session.get_one(User, ana.id)
        draft = Draft("Buenos días.", "k1")
        sent = send_reply(session, ticket, draft, agent=me, settings=desk.settings, now=utc_now())
        reply_id = sent.message_id
    desk.file(mail(DANGER, subject="Re: Retorno", reply_to_id=reply_id))
    (ticket,) = desk.tickets()
    assert len(ticket.messages) == 3
    assert ticket.urgency == "trafficking"


def test_a_merged_ticket_hands_its_urgency_on(desk: Desk, ana: User) -> None:
    desk.file(mail(), mail(DANGER, sender="x@example.com"))
    with desk.sessions.begin() as session:
        calm, urgent = (session.get_one(Ticket, ticket.id) for ticket in desk.tickets())
        merge(session, urgent, calm, By(session.get_one(User, ana.id), utc_now()))
    assert desk.tickets()[0].urgency == "trafficking"


def test_what_is_old_when_it_is_read_is_urgent_no_more(desk: Desk) -> None:
    desk.file(mail(DANGER), at=utc_now() - dt.timedelta(days=400))
    assert desk.tickets()[0].urgency is None
