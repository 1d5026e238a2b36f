"""The page of received mail: what came, what became of it and why; what was set aside is decided here."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest
from sqlalchemy import insert, update

from helpdesk.db import utc_now
from helpdesk.desk import ledger
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.ledger_page import Filter, ledger_page, state_counts
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.message import Message
from helpdesk.desk.receive import WITHHELD
from helpdesk.desk.reconcile import Reconciliation
from helpdesk.desk.ticket import Ticket
from helpdesk.desk.words import MAIL_ES
from tests.desk import Desk
from tests.mails import mail
from tests.web.conftest import Person

POISON = mail("Lo que nadie pudo leer.", subject="Atascado", sender="Inés Poma <ines@example.com>")


def set_aside(desk: Desk, raw: bytes = POISON, reason: str = "leerlo tomó más de 20 s") -> int:
    """Receive a mail and set it aside, as the filer does after its last attempt."""
    desk.receive(raw)
    row = desk.ledger()[-1]
    with desk.sessions.begin() as session:
        ledger.settle(session.get_one(RawMail, row.id), MailState.SET_ASIDE, reason)
    return row.id


def rows_of(page: str) -> list[str]:
    """The texts of the table's rows, without tags."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    bare = [re.sub(r"<[^>]+>", " ", row) for row in body.split("<tr>")[1:]]
    return [" ".join(html.unescape(row).split()) for row in bare]


def test_every_state_of_a_mail_has_words() -> None:
    assert set(MAIL_ES) == {state.value for state in MailState}


def test_a_filed_mail_is_shown_with_who_what_why_and_its_ticket(supervisor: Person, desk: Desk) -> None:
    desk.file(mail(subject="Retorno", sender="Rosario Mamani <rosario@example.com>"))
    page = supervisor.get("/correo").text
    (row,) = rows_of(page)
    number = desk.tickets()[0].number
    for said in ("Rosario Mamani", "rosario@example.com", "Retorno", "archivado", number, "prueba · INBOX"):
        assert said in row
    assert "no responde a ningún correo nuestro" in row
    assert "todavía no" in row, "it is not marked on the server"
    assert f"/atenciones/{number}" in page


def test_a_mail_that_cannot_be_parsed_is_shown_by_its_header(supervisor: Person, desk: Desk) -> None:
    set_aside(desk)
    (row,) = rows_of(supervisor.get("/correo").text)
    for said in ("Inés Poma", "Atascado", "apartado", "leerlo tomó más de 20 s"):
        assert said in row


def test_a_duplicate_leads_to_the_ticket_of_the_mail_it_repeats(supervisor: Person, desk: Desk) -> None:
    same = mail("Lo mismo dos veces")
    desk.file(same)
    desk.file(same)
    row = rows_of(supervisor.get("/correo?estado=duplicate").text)[0]
    assert "duplicado" in row
    assert desk.tickets()[0].number in row
    assert len(desk.tickets()) == 1


def test_a_duplicate_by_another_way_leads_to_its_ticket_too(supervisor: Person, desk: Desk) -> None:
    same = mail("Lo mismo por otro camino", message_id="<camino@example.com>")
    desk.file(same)
    desk.receive(b"Received: from a by b; Mon, 23 Nov 2026 10:00:00 -0500\r\n" + same)
    with desk.sessions.begin() as session:
        ledger.settle(session.get_one(RawMail, 2), MailState.DUPLICATE, "por otro camino")
    assert desk.tickets()[0].number in rows_of(supervisor.get("/correo?estado=duplicate").text)[0]


def test_a_duplicate_without_words_and_id_leads_to_the_ticket_of_its_very_bytes(
    supervisor: Person, desk: Desk
) -> None:
    empty = [mail("", message_id=None, sender=f"{name}@example.com") for name in ("ana", "luz")]
    desk.file(empty[0])
    desk.file(empty[1])
    desk.file(empty[0])
    assert desk.tickets()[0].number in rows_of(supervisor.get("/correo").text)[0]


def test_a_vanished_mail_explains_itself(supervisor: Person, desk: Desk) -> None:
    desk.receive(mail())
    with desk.sessions.begin() as session:
        row = session.get_one(RawMail, 1)
        row.state, row.raw, row.reason = MailState.VANISHED.value, None, "desapareció"
    (row_text,) = rows_of(supervisor.get("/correo").text)
    assert "alguien lo borró o lo movió" in row_text
    assert "Ver texto" not in row_text
    supervisor.get("/correo/1/texto", status=404)


def test_a_mail_that_the_server_withholds_explains_itself(supervisor: Person, desk: Desk) -> None:
    desk.receive(mail())
    with desk.sessions.begin() as session:
        row = session.get_one(RawMail, 1)
        row.state, row.raw, row.reason = MailState.VANISHED.value, None, WITHHELD
    (row_text,) = rows_of(supervisor.get("/correo").text)
    assert "anuncia este correo pero no lo entrega" in row_text
    assert "alguien lo borró" not in row_text


def test_I10_a_mail_that_waits_too_long_is_called_stuck(supervisor: Person, desk: Desk) -> None:
    desk.receive(mail())
    assert "Atascado" not in rows_of(supervisor.get("/correo").text)[0]
    with desk.sessions.begin() as session:
        session.get_one(RawMail, 1).received_at = utc_now() - dt.timedelta(minutes=16)
    assert "Atascado" in rows_of(supervisor.get("/correo").text)[0]


def test_filters_are_in_the_address_and_counts_are_per_state(supervisor: Person, desk: Desk) -> None:
    desk.file(
        mail("Una persona", subject="De persona", sender="a@example.com"),
        mail("Una lista", subject="De lista", sender="b@example.com", headers={"List-Id": "<x.example.org>"}),
        at=dt.datetime(2026, 3, 5, 12, tzinfo=dt.UTC),
    )
    set_aside(desk)
    seen = {
        "/correo": {"De persona", "De lista", "Atascado"},
        "/correo?estado=set_aside": {"Atascado"},
        "/correo?automatico=si": {"De lista"},
        "/correo?automatico=no": {"De persona"},
        "/correo?hasta=2026-03-05": {"De persona", "De lista"},
        "/correo?desde=2026-03-06": {"Atascado"},
        "/correo?q=A@EXAMPLE": {"De persona"},
        "/correo?q=20+s": {"Atascado"},
        "/correo?q=100%25": set(),
        f"/correo?buzon={desk.mailbox_id}&estado=filed": {"De persona", "De lista"},
        "/correo?buzon=999": set(),
        "/correo?estado=nada&buzon=x&automatico=9&desde=ayer&pagina=-1": {
            "De persona",
            "De lista",
            "Atascado",
        },
    }
    for address, wanted in seen.items():
        rows = " | ".join(rows_of(supervisor.get(address).text))
        assert {name for name in ("De persona", "De lista", "Atascado") if name in rows} == wanted, address
    with desk.sessions() as session:
        counts = state_counts(session, Filter(state="set_aside"))
    assert (counts["filed"], counts["set_aside"], counts["vanished"]) == (2, 1, 0)


def test_a_day_is_a_day_in_lima(desk: Desk) -> None:
    late = dt.datetime(2026, 3, 6, 4, 59, tzinfo=dt.UTC)  # 23:59 of the 5th in Lima
    desk.receive(mail(), at=late)
    with desk.sessions() as session:
        fifth = Filter(since=dt.date(2026, 3, 5), until=dt.date(2026, 3, 5))
        assert len(ledger_page(session, fifth).rows) == 1
        assert ledger_page(session, Filter(since=dt.date(2026, 3, 6))).rows == []


def test_the_last_arrived_comes_first_fifty_a_page(supervisor: Person, desk: Desk) -> None:
    start = utc_now() - dt.timedelta(days=1)
    for number in range(53):
        desk.receive(mail(subject=f"Número {number:02}"), at=start + dt.timedelta(minutes=number))
    first = supervisor.get("/correo").text
    assert "Número 52" in rows_of(first)[0]
    assert len(rows_of(first)) == 50
    assert "pagina=2" in first
    second = supervisor.get("/correo?pagina=2").text
    assert [row for row in rows_of(second) if "Número 00" in row]
    assert len(rows_of(second)) == 3


def test_what_was_set_aside_can_be_tried_again_and_the_filter_stays(supervisor: Person, desk: Desk) -> None:
    raw_id = set_aside(desk)
    page = supervisor.get("/correo?estado=set_aside").text
    action = re.search(r'action="(/correo/\d+/reintentar[^"]*)"', page)
    assert action is not None
    after = supervisor.post(html.unescape(action[1]))
    assert "Se intentará de nuevo" in after.text
    assert after.request.query_string == b"estado=set_aside"
    desk.worker.filer.file_all()
    assert desk.tickets()[0].subject == "Atascado"
    refused = supervisor.post(f"/correo/{raw_id}/reintentar").text
    assert "No se puede pasar" in refused


def test_T26_filing_by_hand_makes_a_ticket_of_what_can_be_had(supervisor: Person, desk: Desk) -> None:
    long = mail("Lo que nadie pudo leer. " * 2_000, subject="Atascado", sender="Inés Poma <Ines@example.com>")
    raw_id = set_aside(desk, long)
    page = supervisor.post(f"/correo/{raw_id}/archivar").text
    (ticket,) = desk.tickets()
    assert ticket.number in page
    assert (ticket.subject, ticket.line, ticket.status) == ("Atascado", None, "open")
    assert ticket.requester is not None
    assert ticket.requester.email == "ines@example.com"
    (message,) = ticket.messages
    assert len(message.text) == 20_000
    assert "Lo que nadie pudo leer" in message.text
    (file,) = message.attachments
    assert (file.name, file.size) == (f"correo-{raw_id}.eml", len(long))
    (event,) = [event for event in ticket.events if event.kind == "filed_by_hand"]
    assert event.actor_id is not None
    assert event.why == "leerlo tomó más de 20 s"
    row = desk.ledger()[0]
    assert row.state == MailState.FILED
    assert ticket.number in (row.reason or "")
    assert desk.outgoing() == [], "nothing is sent because somebody filed by hand"
    supervisor.get(f"/adjuntos/{file.id}")


def test_filing_by_hand_twice_makes_one_ticket(supervisor: Person, desk: Desk) -> None:
    raw_id = set_aside(desk)
    supervisor.post(f"/correo/{raw_id}/archivar")
    assert "ya no está apartado" in supervisor.post(f"/correo/{raw_id}/archivar").text
    assert len(desk.tickets()) == 1


def test_the_same_mail_set_aside_twice_is_filed_by_hand_once(supervisor: Person, desk: Desk) -> None:
    first, second = set_aside(desk), set_aside(desk)
    supervisor.post(f"/correo/{first}/archivar")
    assert desk.tickets()[0].number in supervisor.post(f"/correo/{second}/archivar").text
    assert len(desk.tickets()) == 1
    assert desk.ledger()[1].state == MailState.DUPLICATE


@pytest.mark.parametrize("raw", [None, b"otra cosa"])
def test_F52_a_mail_that_changed_on_disk_is_not_filed_by_hand(
    supervisor: Person, desk: Desk, raw: bytes | None
) -> None:
    raw_id = set_aside(desk)
    with desk.sessions.begin() as session:
        session.execute(update(RawMail).values(raw=raw))
    assert "Correo dañado" in supervisor.post(f"/correo/{raw_id}/archivar").text
    assert desk.tickets() == []
    assert desk.ledger()[0].state == MailState.SET_ASIDE


@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff\xfe", b"no header at all", b"From: \r\nSubject: =?x?q?=00?=\r\n\r\n\xff" * 3]
)
def test_junk_can_be_looked_at_and_filed_by_hand(supervisor: Person, desk: Desk, raw: bytes) -> None:
    raw_id = set_aside(desk, raw)
    supervisor.get("/correo")
    supervisor.get(f"/correo/{raw_id}/texto")
    supervisor.post(f"/correo/{raw_id}/archivar")
    (ticket,) = desk.tickets()
    assert ticket.requester is None
    supervisor.get(f"/atenciones/{ticket.number}")


def test_our_own_address_is_nobodys_requester(supervisor: Person, desk: Desk) -> None:
    raw_id = set_aside(desk, mail("Propio", sender=desk.settings.mail_from.upper()))
    supervisor.post(f"/correo/{raw_id}/archivar")
    assert desk.tickets()[0].requester is None


def test_T30_the_source_is_shown_as_text_only(supervisor: Person, desk: Desk) -> None:
    turned = "\u202egnorw"
    raw = mail(f"<script>alert(1)</script> {turned}", subject="<b>Asunto</b>")
    desk.receive(raw)
    page = supervisor.get("/correo/1/texto").text
    assert "<script>alert" not in page
    assert "<b>Asunto" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page, "nothing turns the writing round"
    assert "Message-ID" in page


def test_a_long_source_is_cut_and_says_so(supervisor: Person, desk: Desk) -> None:
    desk.receive(mail("x" * 400_000))
    page = supervisor.get("/correo/1/texto").text
    assert "Se muestran los primeros 200 kB" in page
    assert len(page) < 300_000


def test_the_page_says_what_the_last_comparison_found(supervisor: Person, desk: Desk) -> None:
    with desk.sessions.begin() as session:
        whole = {"mailbox_id": desk.mailbox_id, "at": utc_now(), "folder": "INBOX", "uidvalidity": 1}
        session.add(Reconciliation(**whole, on_server=9, accounted=8))
    assert "faltan 1 en esta lista" in supervisor.get("/correo").text
    with desk.sessions.begin() as session:
        session.add(Reconciliation(**whole, on_server=9, accounted=9, received=1, gone=2))
    page = supervisor.get("/correo").text
    assert "De 9 correos, los 9 están en esta lista." in page
    assert "1 faltaba y se recibió entonces." in page
    assert "faltan 1" not in page


def test_an_empty_ledger_says_what_to_expect(supervisor: Person) -> None:
    assert "Todavía no llegó ningún correo." in supervisor.get("/correo").text
    assert "Ningún correo coincide" in supervisor.get("/correo?q=nada").text


def test_agents_see_the_number_only_and_supervisors_the_way_there(
    agent: Person, supervisor: Person, desk: Desk
) -> None:
    assert "apartado" not in agent.get("/bandeja").text
    raw_id = set_aside(desk)
    page = agent.get("/bandeja").text
    assert "1 correo apartado: avise a su supervisor." in page
    assert 'href="/correo"' not in page
    assert "/correo?estado=set_aside" in supervisor.get("/bandeja").text
    for path in ("/correo", f"/correo/{raw_id}/texto", f"/correo/{raw_id}/original.eml"):
        agent.get(path, status=403)
    assert supervisor.client.get(f"/correo/{raw_id}/original.eml").data == POISON
    for step in ("reintentar", "archivar"):
        agent.post(f"/correo/{raw_id}/{step}", status=403)
    assert desk.ledger()[0].state == MailState.SET_ASIDE


def test_strangers_are_sent_to_sign_in(stranger: Person, desk: Desk) -> None:
    set_aside(desk)
    for path in ("/correo", "/correo/1/texto"):
        assert "Ingresar" in stranger.get(path).text


def test_a_far_page_is_found_too(desk: Desk) -> None:
    fill_ledger(desk, 2_600)
    with desk.sessions() as session:
        found = ledger_page(session, Filter(page=52))
        assert len(found.rows) == 50
        assert not found.more
        assert found.rows[-1].subject == "Asunto 1"


def fill_ledger(desk: Desk, count: int) -> None:
    """Filed mails in the ledger, without filing them."""
    start = utc_now() - dt.timedelta(days=300)
    at = [start + dt.timedelta(minutes=number) for number in range(count)]
    with desk.sessions.begin() as session:
        ticket = Ticket(
            number="PI-2026-000001",
            subject="",
            line=None,
            opened_at=at[0],
            waiting_since=at[0],
            updated_at=at[0],
        )
        session.add(ticket)
        session.flush()
        raws = [
            {
                "mailbox_id": desk.mailbox_id,
                "folder": "INBOX",
                "uidvalidity": 1,
                "uid": number + 1,
                "size": 900,
                "raw": b"x" * 900,
                "arrived_at": at[number],
                "state": "filed",
                "reason": "PI-2026-000001: no responde a ningún correo nuestro",
            }
            for number in range(count)
        ]
        ids = list(session.scalars(insert(RawMail).returning(RawMail.id), raws))
        messages = [
            {
                "ticket_id": ticket.id,
                "direction": "inbound",
                "sender_name": f"Persona {id_}",
                "sender_address": f"p{id_}@example.com",
                "subject": f"Asunto {id_}",
                "at": at[0],
                "raw_mail_id": id_,
                "references": [],
                "defects": [],
            }
            for id_ in ids
        ]
        session.execute(insert(Message), messages)
