"""Machines that write to each other fall silent, whether they say that they are machines or not (T09, T56)."""

from __future__ import annotations

import datetime as dt

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import TicketStatus
from tests.desk import Desk
from tests.mails import mail


def test_T56_an_autoresponder_without_any_mark_gets_three_notices_and_is_then_taken_for_what_it_is(
    desk: Desk,
) -> None:
    for number in range(60):
        desk.file(mail(f"Hemos recibido su mensaje. {number}", sender="robot@example.org", message_id="auto"))
    assert len(desk.outgoing()) == 3
    automatic = [ticket for ticket in desk.tickets() if ticket.automatic]
    assert len(automatic) == 30
    assert {ticket.status for ticket in automatic} == {TicketStatus.CLOSED}


def test_T56_an_autoresponder_that_answers_each_notice_never_gets_a_second_one(desk: Desk) -> None:
    desk.file(mail(sender="robot@example.org"))
    notice = desk.outgoing()[0].message_id
    for number in range(40):
        desk.file(mail(f"Recibido {number}", sender="robot@example.org", reply_to_id=notice))
    assert len(desk.outgoing()) == 1
    (ticket,) = desk.tickets()
    assert len(ticket.messages) == 41, "nothing is lost"


def test_a_ticket_that_is_flooded_is_not_opened_again_each_time(desk: Desk, ana: User) -> None:
    from tests.core.test_filing import answer

    desk.file(mail())
    limit = desk.settings.loop_joins_per_hour
    for number in range(limit + 3):
        desk.file(mail(f"Más {number}", reply_to_id=answer(desk, ana, key=f"k{number}")))
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.WAITING
    assert ticket.messages[-1].automatic is not None
    assert ticket.messages[-1].automatic.startswith("loop:")


def test_two_desks_that_write_to_each_other_fall_silent(desk: Desk) -> None:
    """The other desk is this one's twin: what leaves here arrives there as it is, and the other way round."""
    desk.file(mail(sender="Otra Mesa <mesa@example.org>"))
    rounds = 0
    seen = 0
    while len(desk.outgoing()) > seen and rounds < 1000:
        fresh = desk.outgoing()[seen:]
        seen = len(desk.outgoing())
        rounds += 1
        # The twin acknowledges each mail of ours, marked as ours are.
        desk.file(
            *(
                mail(
                    "Recibimos su mensaje.",
                    sender="Otra Mesa <mesa@example.org>",
                    reply_to_id=row.message_id,
                    headers={"Auto-Submitted": "auto-replied"},
                )
                for row in fresh
            )
        )
    assert len(desk.outgoing()) == 1


def test_T09_a_thousand_mails_in_a_victims_name_give_three_notices(desk: Desk) -> None:
    desk.file(*(mail(f"Hola {n}", sender="victima@example.org") for n in range(1000)))
    assert len(desk.outgoing()) == 3


def test_a_domain_gets_no_more_than_its_notices_a_minute(desk: Desk) -> None:
    most = desk.settings.acknowledgements_per_domain_minute
    desk.file(*(mail(f"Hola {n}", sender=f"p{n}@example.org") for n in range(most + 5)))
    assert len(desk.outgoing()) == most
    reasons = [
        event.why for ticket in desk.tickets() for event in ticket.events if event.kind == "not_acknowledged"
    ]
    assert len(reasons) == 5


def test_own_mail_is_never_answered_and_never_in_the_way(desk: Desk) -> None:
    desk.file(mail("A mí mismo.", sender="consultas@infomigra.example.com"))
    (ticket,) = desk.tickets()
    assert ticket.automatic
    assert ticket.status == TicketStatus.CLOSED
    assert desk.outgoing() == []


def test_a_backlog_of_an_outage_is_not_taken_for_a_loop(desk: Desk) -> None:
    for hour in range(40):
        at = utc_now() - dt.timedelta(hours=40 - hour)
        desk.receive(mail(f"Consulta {hour}", sender="estudio@example.org"), at=at)
    desk.worker.filer.file_all()
    assert sum(ticket.automatic for ticket in desk.tickets()) == 0
