"""The mailboxes page, the queue's mailbox line and the alarm on every page."""

from __future__ import annotations

import datetime as dt
import re

from helpdesk.db import utc_now
from helpdesk.desk.mailbox import Mailbox
from tests.desk import Desk
from tests.web.conftest import Person


def change(desk: Desk, **values: object) -> None:
    with desk.sessions.begin() as session:
        row = session.get_one(Mailbox, desk.mailbox_id)
        for name, value in values.items():
            setattr(row, name, value)


def read(desk: Desk) -> Mailbox:
    with desk.sessions() as session:
        return session.get_one(Mailbox, desk.mailbox_id)


def test_agents_do_not_see_the_mailboxes_page_and_cannot_press_its_buttons(agent: Person, desk: Desk) -> None:
    agent.get("/buzones", status=403)
    agent.post(f"/buzones/{desk.mailbox_id}/pausar", status=403)
    assert read(desk).active
    assert "/buzones" not in agent.get("/bandeja").text


def test_a_supervisor_sees_how_each_mailbox_is_doing(supervisor: Person, desk: Desk) -> None:
    change(
        desk,
        succeeded_at=utc_now() - dt.timedelta(minutes=2),
        watch_until=utc_now() + dt.timedelta(minutes=1),
        default_line="return",
    )
    desk.receive(b"From: p@example.com\r\n\r\nhola\r\n")
    page = supervisor.get("/buzones").text
    assert "en línea" in page
    assert "hace 2 min" in page
    assert "Línea por defecto: Retorno" in page
    assert re.search(r"<td>1</td>", page), "the backlog"
    assert "todavía ninguna" in page


def test_a_halted_mailbox_alarms_everybody_until_a_supervisor_resumes_it(
    agent: Person, supervisor: Person, desk: Desk
) -> None:
    change(desk, failures=1, error="el servidor <b>rechazó</b>", error_kind="refused", halted_at=utc_now())
    for path in ("/bandeja", "/bandeja?estado=closed"):
        page = agent.get(path).text
        assert 'role="alert"' in page
        assert "rechazó el usuario o la contraseña" in page
    assert "Ver los buzones" not in page
    page = supervisor.get("/buzones").text
    assert "Ver los buzones" in page
    assert "<b>rechazó</b>" not in page
    assert "Reanudar" in page
    assert "Se vuelve" not in supervisor.post(f"/buzones/{desk.mailbox_id}/reanudar").text
    row = read(desk)
    assert (row.halted_at, row.failures, row.error) == (None, 0, None)
    assert row.due_at <= utc_now()
    assert 'class="alarm"' not in agent.get("/bandeja").text


def test_a_mailbox_can_be_tried_now_and_paused(supervisor: Person, desk: Desk) -> None:
    change(desk, due_at=utc_now() + dt.timedelta(hours=1))
    supervisor.post(f"/buzones/{desk.mailbox_id}/probar")
    assert read(desk).due_at <= utc_now()
    page = supervisor.post(f"/buzones/{desk.mailbox_id}/pausar").text
    assert not read(desk).active
    assert "en pausa" in page
    supervisor.post(f"/buzones/{desk.mailbox_id}/borrar", status=404)
    supervisor.post("/buzones/999/pausar", status=404)


def test_mail_from_files_is_no_mailbox_of_that_page(supervisor: Person, desk: Desk) -> None:
    change(desk, kind="import")
    assert "Todavía no hay un buzón." in supervisor.get("/buzones").text
    supervisor.post(f"/buzones/{desk.mailbox_id}/reanudar", status=404)


def test_an_empty_queue_says_when_mail_was_read_last(agent: Person, desk: Desk) -> None:
    change(
        desk,
        succeeded_at=utc_now() - dt.timedelta(minutes=2, seconds=5),
        watch_until=utc_now() + dt.timedelta(minutes=1),
    )
    page = agent.get("/bandeja").text
    assert "Nada por responder." in page
    assert "Último correo leído hace 2 min (buzón: en línea)." in page


def test_three_failed_polls_turn_the_queues_mailbox_line_red_and_two_do_not(
    agent: Person, desk: Desk
) -> None:
    change(desk, failures=2, error="x", error_kind="unreachable")
    assert "no se puede leer" not in agent.get("/bandeja").text
    change(desk, failures=3)
    page = agent.get("/bandeja").text
    assert 'class="flash wrong"' in page
    assert "no se puede leer" in page
    assert "No se puede conectar con el servidor de correo." in page


def test_strangers_see_neither_alarms_nor_mailboxes(stranger: Person, desk: Desk) -> None:
    change(desk, failures=1, error="x", error_kind="refused", halted_at=utc_now())
    assert 'class="alarm"' not in stranger.get("/ingresar").text
