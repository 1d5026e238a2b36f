"""The control after approval: who is drawn, that the draw can be repeated, and what becomes of its tasks."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.certificates import inspection, retention
from helpdesk.certificates.issuing import submit
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingDraft, Inspection
from helpdesk.certificates.verifying import verify_code
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import InspectionState
from helpdesk.errors import NotAllowed
from helpdesk.settings import LIMA, Settings
from tests.desk import Desk
from tests.filings import submission, today, worker


@pytest.fixture
def session(desk: Desk) -> Iterator[Session]:
    with desk.sessions() as opened:
        yield opened


def filed(session: Session, desk: Desk, count: int, first: int = 0) -> list[Filing]:
    made = []
    for place in range(first, first + count):
        result = submit(
            session, submission(workers=[worker(document_number=f"10000{place:05d}")]), desk.settings
        )
        assert result.filing is not None
        made.append(result.filing)
    return made


def with_settings(settings: Settings, **changed: object) -> Settings:
    return settings.model_copy(update=changed)


def test_a_tenth_is_drawn_and_anybody_can_repeat_it(session: Session, desk: Desk) -> None:
    filed(session, desk, 21)
    semester = inspection.semester_of(today())
    made = inspection.draw(session, semester, desk.settings, now=utc_now())
    assert len(made.population) == 21
    assert len(made.drawn) == math.ceil(2.1)
    # By hand, as the page says it.
    order = sorted(made.population, key=lambda row: hashlib.sha256(f"{made.seed} {row}".encode()).hexdigest())
    assert sorted(order[:3]) == made.drawn
    tasks = list(session.scalars(select(Inspection)))
    assert [task.filing_id for task in tasks] == made.drawn
    assert {task.state for task in tasks} == {"open"}


def test_each_filing_takes_part_once_and_a_semester_has_a_limit(session: Session, desk: Desk) -> None:
    settings = with_settings(desk.settings, inspection_share=1.0, inspection_most=5)
    semester = inspection.semester_of(today())
    filed(session, desk, 3)
    assert len(inspection.draw(session, semester, settings, now=utc_now()).drawn) == 3
    with pytest.raises(NotAllowed):
        inspection.draw(session, semester, settings, now=utc_now())
    filed(session, desk, 4, first=10)
    assert len(inspection.draw(session, semester, settings, now=utc_now()).drawn) == 2


def test_the_clock_draws_the_semester_that_ended_once(session: Session, desk: Desk) -> None:
    filed(session, desk, 2)
    begins, _ = inspection.span(inspection.semester_of(today()))
    assert inspection.draw_due(session, desk.settings, utc_now()) is None
    session.execute(update(Filing).values(filed_at=begins - dt.timedelta(hours=1)))
    made = inspection.draw_due(session, desk.settings, utc_now())
    assert made is not None
    assert made.semester == inspection.semester_before(today())
    assert inspection.draw_due(session, desk.settings, utc_now()) is None


@given(st.dates(dt.date(2011, 1, 1), dt.date(2099, 12, 31)))
def test_every_day_lies_in_its_semester_by_limas_time(day: dt.date) -> None:
    begins, ends = inspection.span(inspection.semester_of(day))
    noon = dt.datetime.combine(day, dt.time(12), LIMA)
    assert begins <= noon < ends
    assert 181 <= (ends - begins).days <= 184
    before = inspection.semester_before(day)
    assert inspection.span(before)[1] == begins


def test_a_task_is_taken_put_back_and_decided_with_words(session: Session, desk: Desk, ana: User) -> None:
    settings = with_settings(desk.settings, inspection_share=1.0)
    filed(session, desk, 1)
    inspection.draw(session, inspection.semester_of(today()), settings, now=utc_now())
    task, actor = session.scalars(select(Inspection)).one(), session.merge(ana)

    def move(state: InspectionState, words: str = "") -> None:
        inspection.move(session, task, state, words, now=utc_now(), actor=actor)

    move(InspectionState.IN_PROGRESS)
    assert task.assignee_id == ana.id
    move(InspectionState.OPEN)
    assert task.assignee_id is None
    with pytest.raises(NotAllowed):
        move(InspectionState.IRREGULAR)
    move(InspectionState.IRREGULAR, "La firma no es la del empleador.")
    assert task.decided_at is not None
    with pytest.raises(NotAllowed):
        move(InspectionState.OPEN)
    events = [(event.kind, event.why) for event in task.filing.ticket.events]
    assert ("inspection_decided", "La firma no es la del empleador.") in events


def test_people_are_forgotten_when_it_is_time_and_the_figures_stay(session: Session, desk: Desk) -> None:
    (old, new) = filed(session, desk, 2)
    old.ends = today() - dt.timedelta(days=800)
    session.add(FilingDraft(created_at=utc_now(), updated_at=utc_now() - dt.timedelta(days=31)))
    session.flush()
    assert retention.forget_due(session, desk.settings, utc_now()) == 0  # for ever, unless it is set
    assert session.scalars(select(FilingDraft)).all() == []
    settings = with_settings(desk.settings, register_years=2)
    assert retention.forget_due(session, settings, utc_now()) == 1
    assert retention.forget_due(session, settings, utc_now()) == 0
    session.expire_all()
    worker_of_old = session.scalars(select(FiledWorker).where(FiledWorker.filing_id == old.id)).one()
    assert (worker_of_old.surnames, worker_of_old.document_number, worker_of_old.email) == ("•", "•", None)
    assert (worker_of_old.nationality, worker_of_old.sex) == ("COL", "female")
    assert worker_of_old.birth_date == dt.date(1990, 1, 1)
    assert (old.email, old.contract_sha256, old.occupation) == ("•", None, "Ingeniera agrónoma")
    assert new.email == "rrhh@example.com"
    row = session.scalars(select(Constancia).where(Constancia.worker_id == worker_of_old.id)).one()
    assert row.pdf is None
    assert not row.pdf_stored
    assert row.code
    assert verify_code(session, row.code, utc_now()).number == row.number
