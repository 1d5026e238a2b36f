"""The register is searched by names, numbers and lists; the newest first, whatever was issued or not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.certificates import registry
from helpdesk.certificates.codes import grouped
from helpdesk.certificates.deciding import annul
from helpdesk.certificates.issuing import submit
from helpdesk.certificates.looks import looks_of, note_look, note_looks
from helpdesk.certificates.records import Constancia, Filing, FilingLook, Standing
from helpdesk.certificates.registry import PAGE_SIZE, Row, Search, all_keys, registry_page, rows_of
from helpdesk.certificates.successors import file_end
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import FilingState
from tests.desk import Desk
from tests.filings import RUC, day, submission, today, worker

OTHER_RUC = "20100070970"


def file(desk: Desk, number: str, name: str, surnames: str = "Ejemplo Prueba", **changed: Any) -> None:
    """A filing for one person."""
    person = worker(
        document_number=number, given_names=name, surnames=surnames, email=None, **changed.pop("person", {})
    )
    with desk.sessions.begin() as session:
        submit(session, submission(workers=[person], **changed), desk.settings)


def search(desk: Desk, **wanted: Any) -> list[Row]:
    with desk.sessions() as session:
        return registry_page(session, Search(**wanted), today()).rows


def names(desk: Desk, **wanted: Any) -> set[str]:
    """The given names of whom a search finds."""
    return {row.worker.given_names if row.worker else "nadie" for row in search(desk, **wanted)}


@pytest.fixture
def people(desk: Desk) -> Desk:
    """A desk with five filings; Inés' is observed, because she is a minor."""
    file(desk, "1000000001", "Ana María")
    file(
        desk,
        "1000000002",
        "Óscar",
        "Núñez Peñaloza",
        employer__ruc=OTHER_RUC,
        employer__name="Minera Ñandú 3M S.A.",
    )
    file(desk, "1710034065", "Lucía", person={"nationality": "ECU", "document_type": "cedula"})
    file(
        desk, "1234567-1a", "Wayra", person={"nationality": "BOL", "document_type": "ci"},
        category="border", category_details={"home_address": "Copacabana", "border_district": "210101"},
    )  # fmt: skip
    file(desk, "1000000005", "Inés", person={"birth_date": day(-365 * 17)})
    return desk


def test_every_name_is_found_by_the_beginning_of_its_words(people: Desk) -> None:
    found = {
        "ana": {"Ana María"},
        "MARIA": {"Ana María"},
        "oscar nun": {"Óscar"},
        "Óscar Núñez Peñaloza": {"Óscar"},
        "penaloza, oscar": {"Óscar"},
        "ñandu": {"Óscar"},
        "minera 3m": {"Óscar"},
        "agricola": {"Ana María", "Lucía", "Wayra"},
        "S.A.": {"Ana María", "Lucía", "Wayra", "Óscar"},
        "scar": set(),
        "ana oscar": set(),
    }
    for typed, wanted in found.items():
        assert names(people, text=typed) == wanted, typed


def test_every_number_is_found_whole(people: Desk) -> None:
    with people.sessions() as session:
        paper = session.scalars(select(Constancia).order_by(Constancia.id)).first()
        assert paper is not None
        assert paper.code is not None
        number, code, ticket = paper.number, paper.code, paper.worker.filing.ticket.number
    for typed in (number, number.lower(), code, grouped(code).lower(), ticket, ticket.lower(), f"#{ticket}"):
        assert names(people, text=typed) == {"Ana María"}, typed
    assert names(people, text="1.000.000.001") == {"Ana María"}
    assert names(people, text=" 1000000002 ") == {"Óscar"}
    for typed in ("1234567-1A", "12345671A", "1234567 1a"):
        assert names(people, text=typed) == {"Wayra"}, typed
    assert names(people, text=OTHER_RUC) == {"Óscar"}
    assert names(people, text=f"{RUC[:5]} {RUC[5:]}") == {"Ana María", "Lucía", "Wayra"}
    for part in ("100000000", number[:-1], code[:-1], ticket[:-1], "99999999"):
        assert names(people, text=part) == set(), part


@pytest.mark.parametrize(
    "typed",
    ["'", "';--", "a' & !b", ":*", "&|!()<->", "\\", "%", "a:*b", "²", "ª", "\u0301", "-", "x\x00y", "٣", "a" * 5000,
     "a " * 400, "\U0001f600", "'':*", "=cmd"],
)  # fmt: skip
def test_T74_no_text_is_an_operator_or_an_error(people: Desk, typed: str) -> None:
    assert names(people, text=typed) <= {"Ana María", "Óscar", "Lucía", "Wayra"}


def test_lists_and_days_narrow_a_search(people: Desk) -> None:
    assert names(people, nationality="ECU") == {"Lucía"}
    assert names(people, category="border") == {"Wayra"}
    assert names(people, category="individual", nationality="COL") == {"Ana María", "Óscar"}
    assert names(people, text="agricola", nationality="COL") == {"Ana María"}
    assert names(people, issued_from=today(), issued_until=today()) == names(people)
    assert names(people, issued_until=today() - dt.timedelta(days=1)) == set()
    assert names(people, issued_from=today() + dt.timedelta(days=1)) == set()


def test_a_day_is_a_day_in_lima(people: Desk) -> None:
    with people.sessions.begin() as session:
        paper = session.scalars(select(Constancia).order_by(Constancia.id)).first()
        assert paper is not None
        paper.issued_at = dt.datetime(2026, 3, 6, 4, 59, tzinfo=dt.UTC)  # 23:59 of the 5th in Lima
    fifth = dt.date(2026, 3, 5)
    assert names(people, issued_from=fifth, issued_until=fifth) == {"Ana María"}


def test_a_constancia_stands_in_the_search_as_it_does_by_itself(people: Desk, rosa: User) -> None:
    with people.sessions.begin() as session:
        papers = session.scalars(select(Constancia).order_by(Constancia.id)).all()
        annul(session, papers[0], "Datos falsos.", actor=rosa)
        papers[1].valid_until = today() - dt.timedelta(days=1)
    every = [row.constancia for row in search(people) if row.constancia]
    for standing in Standing:
        wanted = {paper.number for paper in every if paper.standing(today()) is standing}
        found = {row.constancia.number for row in search(people, standing=standing) if row.constancia}
        assert found == wanted, standing
    assert names(people, standing=Standing.ANNULLED) == {"Ana María"}
    assert names(people, standing=Standing.EXPIRED) == {"Óscar"}


def test_what_has_no_constancia_is_found_by_its_state_or_its_number(people: Desk) -> None:
    assert "Inés" not in names(people) | names(people, text="ines")
    assert names(people, state=FilingState.OBSERVED, text="ines") == {"Inés"}
    assert names(people, state=FilingState.REGISTERED) == names(people)
    assert names(people, state=FilingState.OBSERVED, standing=Standing.IN_FORCE) == set()
    assert names(people, state=FilingState.OBSERVED, issued_from=today(), nationality="COL") == {"Inés"}
    assert names(people, state=FilingState.OBSERVED, issued_until=today() - dt.timedelta(days=1)) == set()
    (row,) = search(people, state=FilingState.OBSERVED)
    assert (row.constancia, row.sealing) == (None, False)
    assert row.at == row.filing.filed_at
    assert names(people, text=row.ticket_number) == {"Inés"}
    assert names(people, text=row.ticket_number, state=FilingState.REGISTERED) == set()


def test_an_end_names_no_person_and_is_found_by_its_state(people: Desk) -> None:
    with people.sessions.begin() as session:
        first = session.scalars(select(Filing).order_by(Filing.id)).first()
        assert first is not None
        first.starts = today() - dt.timedelta(days=9)
        ended = file_end(session, first, today(), "", people.settings).ticket.number
    assert "nadie" in names(people, state=FilingState.REGISTERED, text=RUC)
    assert "nadie" not in names(people)
    (row,) = search(people, text=ended)
    assert (row.worker, row.constancia, row.filing.kind) == (None, None, "end")


def test_the_last_issued_comes_first_fifty_a_page(people: Desk) -> None:
    seasonal = {
        "category": "seasonal",
        "category_details": {"work": "Cosecha", "lodging": True, "travel": True},
    }
    crowd = [worker(document_number=str(1_100_000_000 + at), email=None) for at in range(50)]
    with people.sessions.begin() as session:
        submit(session, submission(workers=crowd, **seasonal), people.settings)
        old = session.scalars(select(Constancia).order_by(Constancia.id)).first()
        assert old is not None
        old.issued_at = utc_now() + dt.timedelta(hours=1)
    assert [row.worker.given_names for row in search(people)[:1] if row.worker] == ["Ana María"]
    with people.sessions() as session:
        first = registry_page(session, Search(), today())
        second = registry_page(session, Search(page=2), today())
        third = registry_page(session, Search(page=3), today())
        keys = all_keys(session, Search(), today())
    assert (len(first.rows), first.more) == (PAGE_SIZE, True)
    assert (len(second.rows), second.more) == (len(keys) - PAGE_SIZE, False)
    assert (third.rows, third.more) == ([], False)
    shown = [(row.filing.id, row.worker.id) for row in (*first.rows, *second.rows) if row.worker]
    assert shown == keys
    assert [row.at for row in first.rows] == sorted((row.at for row in first.rows), reverse=True)


def test_a_name_that_very_many_have_is_found_by_a_walk(people: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for most in (0, 1, 5_000):
        monkeypatch.setattr(registry, "MOST_NAMED", most)
        assert names(people, text="agricola") == {"Ana María", "Lucía", "Wayra"}, most


def test_no_keys_are_no_rows(desk: Desk) -> None:
    with desk.sessions() as session:
        assert rows_of(session, []) == []


def test_looks_are_noted_once_each_and_the_last_comes_first(people: Desk, ana: User, rosa: User) -> None:
    now = utc_now()
    with people.sessions.begin() as session:
        filings = session.scalars(select(Filing).order_by(Filing.id)).all()
        note_look(session, filings[0], ana, "page", now)
        note_looks(
            session,
            [filings[0].id, filings[1].id, filings[0].id],
            rosa,
            "export",
            now + dt.timedelta(minutes=1),
        )
        note_looks(session, [], rosa, "export", now)
    with people.sessions() as session:
        looks = looks_of(session, filings[0])
        assert [(look.user.name, look.what) for look in looks] == [
            ("Rosa Quispe", "export"),
            ("Ana Torres", "page"),
        ]
        assert len(looks_of(session, filings[0], limit=1)) == 1
        assert len(session.scalars(select(FilingLook)).all()) == 3
