"""When the desk acknowledges, what the acknowledgement holds, and when it is silent (T09, T56)."""

from __future__ import annotations

import datetime as dt
import email
import email.policy

import pytest

from helpdesk.db import utc_now
from helpdesk.desk.ticket import Ticket
from tests.desk import Desk
from tests.mails import mail

SILENT = {
    "an automatic reply": mail(headers={"Auto-Submitted": "auto-replied"}),
    "a vacation notice by subject": mail(subject="Respuesta automática: Retorno"),
    "a list": mail(headers={"List-Id": "<avisos.example.org>"}),
    "bulk": mail(headers={"Precedence": "bulk"}),
    "junk": mail(headers={"Precedence": "junk"}),
    "Exchange's wish": mail(headers={"X-Auto-Response-Suppress": "All"}),
    "a null return path": mail(headers={"Return-Path": "<>"}),
    "mailer-daemon": mail(sender="MAILER-DAEMON@mx.example.com"),
    "a no-reply address": mail(sender="No Responder <no-reply@example.com>"),
    "noreply": mail(sender="noreply@example.com"),
    "our own address": mail(sender="consultas@infomigra.example.com"),
}


def why(ticket: Ticket) -> list[tuple[str, str]]:
    return [(event.kind, event.why) for event in ticket.events if "acknowledged" in event.kind]


@pytest.mark.parametrize("case", SILENT)
def test_T56_machines_and_ourselves_get_no_acknowledgement(desk: Desk, case: str) -> None:
    desk.file(SILENT[case])
    assert desk.outgoing() == []
    ((kind, reason),) = why(desk.tickets()[0])
    assert kind == "not_acknowledged"
    assert reason


def test_T09_at_most_three_acknowledgements_a_day_go_to_one_address(desk: Desk) -> None:
    desk.file(*(mail(f"Consulta {n}") for n in range(10)))
    assert len(desk.outgoing()) == 3
    assert len(desk.tickets()) == 10
    assert why(desk.tickets()[9])[0][0] == "not_acknowledged"


def test_T09_made_up_tags_give_one_mailbox_no_more_acknowledgements(desk: Desk) -> None:
    for first in (0, 10):  # counted within a group of mails, and from what was sent before it
        desk.file(*(mail(f"Consulta {n}", sender=f"ana+{n}@example.com") for n in range(first, first + 5)))
        desk.file(mail("Consulta", sender="ana@example.com"))
    assert len(desk.outgoing()) == 3
    assert {row.recipient.partition("+")[0] for row in desk.outgoing()} == {"ana"}
    desk.file(mail("Otra", sender="anais+1@example.com"), mail("Otra", sender="+51999888777@example.com"))
    assert len(desk.outgoing()) == 5, "they are other people"


def test_F21_an_old_mail_is_not_acknowledged(desk: Desk) -> None:
    desk.file(mail(), at=utc_now() - dt.timedelta(hours=25))
    assert desk.outgoing() == []


def test_T09_the_acknowledgement_holds_the_number_and_nothing_the_sender_chose(desk: Desk) -> None:
    desk.file(mail("veneno-cuerpo", subject="veneno-asunto", sender="veneno-nombre <v@example.com>"))
    (row,) = desk.outgoing()
    notice = email.message_from_bytes(row.content, policy=email.policy.default)
    assert "veneno" not in row.content.decode()
    assert desk.tickets()[0].number in notice["Subject"]
    body = notice.get_body(("plain",))
    assert body is not None
    assert desk.tickets()[0].number in body.get_content()
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice["X-Auto-Response-Suppress"] == "All"
    assert row.envelope_from == "", "the null sender, so that a bounce of it goes nowhere"


def test_T56_two_desks_that_write_to_each_other_fall_silent(desk: Desk) -> None:
    desk.file(mail(sender="otra-mesa@example.com"))
    notice = desk.outgoing()[0].content
    ours = b"From: otra-mesa@example.com\r\n" + notice.split(b"\r\n", 1)[1]  # as their desk would send it
    desk.file(ours)
    assert len(desk.outgoing()) == 1
