"""`/v/CODE`: what anybody sees of a constancia, how often, and what the desk hears of it."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from sqlalchemy import Engine, event

from helpdesk.accounts.limits import count_asking
from helpdesk.certificates.codes import grouped, new_code
from helpdesk.certificates.issuing import submit
from helpdesk.certificates.records import Constancia
from helpdesk.certificates.verifying import MISSES, MISSES_AN_HOUR, TRYING_ES
from helpdesk.db import utc_now
from helpdesk.web.verification import LOOKS_A_MINUTE
from tests.desk import Desk
from tests.filings import submission
from tests.web.conftest import Person


@pytest.fixture
def made(desk: Desk) -> Constancia:
    with desk.sessions.begin() as session:
        result = submit(session, submission(), desk.settings)
        assert result.filing is not None
        row = result.filing.workers[0].constancia
        assert row is not None
        return row


def test_T82_only_what_is_allowed_is_shown(stranger: Person, made: Constancia) -> None:
    page = stranger.get(f"/v/{made.code}")
    text = re.sub(r"<[^>]+>", " ", page.text)
    for shown in (made.number, "Vigente", "A. M. E. P.", "001", "Agrícola de Prueba S.A.C.", made.sha256):
        assert shown is not None
        assert shown in text
    for hidden in (
        "Ana",
        "Ejemplo Prueba",
        "1000000001",
        "1990",
        "rrhh@",
        "ana@",
        "Ingeniera",
        "20131312955",
        "PI-",
    ):
        assert hidden not in text, hidden
    assert "noindex" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "Set-Cookie" not in page.headers


def test_a_code_is_forgiven_how_it_is_written(stranger: Person, made: Constancia) -> None:
    assert made.code is not None
    for typed in (made.code.lower(), grouped(made.code), grouped(made.code).replace("-", " ")):
        assert "Vigente" in stranger.get(f"/v/?codigo={typed}").text


@pytest.mark.parametrize("typed", ["CTMA-2026-000001", "x", "0" * 25, "<script>alert(1)", "ñ" * 300])
def test_T81_what_is_no_code_of_ours_is_unknown(stranger: Person, made: Constancia, typed: str) -> None:
    page = stranger.get(f"/v/{typed}", 404).text
    assert "No existe" in page
    assert "<script>alert" not in page


def test_T81_one_address_has_so_many_looks_a_minute(stranger: Person, desk: Desk, made: Constancia) -> None:
    with desk.sessions.begin() as session:
        for minute in (utc_now(), utc_now() + dt.timedelta(minutes=1)):  # it may change meanwhile
            for _ in range(LOOKS_A_MINUTE):
                count_asking(session, "verify", "127.0.0.1", minute)
    busy = stranger.get(f"/v/{made.code}", 429).text
    assert "Espere un minuto" in busy
    assert "Vigente" not in busy


def test_T81_the_desk_hears_of_somebody_who_tries_codes(agent: Person, stranger: Person, desk: Desk) -> None:
    assert TRYING_ES not in agent.get("/bandeja").text
    with desk.sessions.begin() as session:
        for _ in range(MISSES_AN_HOUR):
            count_asking(session, MISSES, "all", utc_now())
    stranger.get(f"/v/{new_code()}", 404)
    assert TRYING_ES in agent.get("/bandeja").text


def test_T81_unknown_and_annulled_take_the_same_way_to_the_database(
    stranger: Person, desk: Desk, made: Constancia
) -> None:
    asked: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    with desk.sessions.begin() as session:
        row = session.get_one(Constancia, made.id)
        row.state, row.annulled_at = "annulled", utc_now()
    event.listen(Engine, "before_cursor_execute", note)
    try:
        ways = []
        for code, status in ((made.code, 200), (new_code(), 404), (made.code, 200), ("no es un código", 404)):
            asked.clear()
            stranger.get(f"/v/{code}", status)
            ways.append(list(asked))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert ways[0] == ways[1] == ways[2] == ways[3]
    assert ways[0]
