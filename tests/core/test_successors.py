"""Life after issue: what follows a constancia, what people decide, and what whoever verifies sees of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.certificates import deciding, drafts, successors
from helpdesk.certificates.issuing import Outcome, submit
from helpdesk.certificates.records import Constancia, Filing, FilingKind, Standing
from helpdesk.certificates.verifying import verify_code
from helpdesk.db import utc_now
from helpdesk.errors import NotAllowed
from tests.desk import Desk
from tests.filings import application, contract, day, submission, today, tree, worker


@pytest.fixture
def session(desk: Desk) -> Iterator[Session]:
    """A session whose work is never committed."""
    with desk.sessions() as opened:
        yield opened


def issued(session: Session, desk: Desk, **changed: object) -> Filing:
    result = submit(session, submission(**changed), desk.settings)
    assert result.outcome is Outcome.ISSUED, result.reasons
    assert result.filing is not None
    return result.filing


def observed(session: Session, desk: Desk, **changed: object) -> Filing:
    """A filing of a minor, unless something else is asked for."""
    change = changed or {"workers": [worker(birth_date=day(-365 * 17))]}
    result = submit(session, submission(**change), desk.settings)
    assert result.outcome is Outcome.OBSERVED
    assert result.filing is not None
    return result.filing


def documents(session: Session, filing: Filing) -> list[Constancia]:
    return successors.documents_of(session, filing)


def follow(
    session: Session, desk: Desk, filing: Filing, kind: FilingKind, **contract_changes: object
) -> Filing:
    draft = successors.begin(session, filing, kind, utc_now())
    answers = {**draft.answers, "declarations": tree()["declarations"], "request": "Lo que cambia."}
    draft.answers = {**answers, "contract": {**answers["contract"], **contract_changes}}
    session.flush()
    session.refresh(draft)
    result = drafts.file_draft(session, draft, desk.settings)
    assert result.outcome is Outcome.ISSUED, result.reasons
    assert result.filing is not None
    return result.filing


def test_an_extension_issues_a_document_that_takes_the_old_ones_place(session: Session, desk: Desk) -> None:
    first = issued(session, desk)
    later = follow(session, desk, first, FilingKind.EXTENSION, end=day(700))
    (old,), (new,) = documents(session, first), documents(session, later)
    assert (old.state, new.state) == ("replaced", "valid")
    assert old.replaced_by_id == new.id
    assert new.valid_until == today() + dt.timedelta(days=700)
    assert old.code
    assert new.code
    found = verify_code(session, old.code, utc_now())
    assert (found.standing, found.replaced_by) == (Standing.REPLACED, new.number)
    assert verify_code(session, new.code, utc_now()).standing is Standing.IN_FORCE
    assert later.follows_id == first.id
    assert [row.id for row in successors.chain_of(session, later)] == [first.id, later.id]
    assert successors.offered(session, first) == []


def test_an_extension_must_end_later(session: Session, desk: Desk) -> None:
    first = issued(session, desk)
    draft = successors.begin(session, first, FilingKind.EXTENSION, utc_now())
    draft.answers = {**draft.answers, "declarations": tree()["declarations"]}
    session.flush()
    session.refresh(draft)
    result = drafts.file_draft(session, draft, desk.settings)
    assert result.outcome is Outcome.REJECTED
    assert [(fault.rule, fault.key) for fault in result.reasons] == [("extension", "contract.end")]


def test_another_employer_cannot_follow(session: Session, desk: Desk) -> None:
    first = issued(session, desk)
    draft = successors.begin(session, first, FilingKind.MODIFICATION, utc_now())
    employer = {**draft.answers["employer"], "ruc": "20512333797"}
    draft.answers = {**draft.answers, "declarations": tree()["declarations"], "employer": employer}
    session.flush()
    session.refresh(draft)
    result = drafts.file_draft(session, draft, desk.settings)
    assert [fault.rule for fault in result.reasons] == ["same_employer"]


def test_a_correction_of_the_documents_number_is_looked_at_by_a_person(session: Session, desk: Desk) -> None:
    first = issued(session, desk)
    draft = successors.begin(session, first, FilingKind.CORRECTION, utc_now())
    workers = [{**draft.answers["workers"][0], "document_number": "1000000002"}]
    draft.answers = {**draft.answers, "declarations": tree()["declarations"], "workers": workers}
    session.flush()
    session.refresh(draft)
    result = drafts.file_draft(session, draft, desk.settings)
    assert result.outcome is Outcome.OBSERVED
    assert [fault.rule for fault in result.reasons] == ["other_people"]


def test_an_end_makes_the_constancia_expire_and_a_duplicate_sends_the_same_file(
    session: Session, desk: Desk
) -> None:
    first = issued(session, desk, contract__start=day(-5), contract__signed=day(-10))
    (before,) = documents(session, first)
    kept, code = before.sha256, before.code
    successors.file_duplicate(session, first, desk.settings)
    (after,) = documents(session, first)
    assert after.sha256 == kept
    successors.file_end(session, first, today() - dt.timedelta(days=1), "renuncia", desk.settings)
    assert code
    assert verify_code(session, code, utc_now()).standing is Standing.EXPIRED
    kinds = list(
        session.scalars(select(Filing.kind).where(Filing.follows_id == first.id).order_by(Filing.id))
    )
    assert kinds == ["duplicate", "end"]


def test_an_end_outside_the_contract_is_refused(session: Session, desk: Desk) -> None:
    first = issued(session, desk)
    with pytest.raises(NotAllowed):
        successors.file_end(session, first, today() + dt.timedelta(days=30), "", desk.settings)


def test_an_observed_filing_has_two_working_days_and_is_corrected_once(session: Session, desk: Desk) -> None:
    filing = observed(session, desk)
    assert filing.due_on is not None
    assert filing.due_on > filing.counts_on
    result = deciding.correct(session, filing, application(), contract(), desk.settings)
    assert result.outcome is Outcome.ISSUED
    assert filing.state == "registered"
    assert len(documents(session, filing)) == 1
    with pytest.raises(NotAllowed):
        deciding.correct(session, filing, application(), contract(), desk.settings)


def test_a_correction_that_leaves_a_doubt_waits_for_a_person(session: Session, desk: Desk, ana: User) -> None:
    filing = observed(session, desk)
    still = application(workers=[worker(birth_date=day(-365 * 16))])
    assert deciding.correct(session, filing, still, contract(), desk.settings).outcome is Outcome.OBSERVED
    with pytest.raises(NotAllowed):
        deciding.explain(session, filing, "otra vez")
    actor = session.merge(ana)
    with pytest.raises(NotAllowed):
        deciding.register_observed(session, filing, " ", desk.settings, actor=actor)
    made = deciding.register_observed(
        session, filing, "con permiso de sus padres", desk.settings, actor=actor
    )
    assert [row.state for row in made] == ["valid"]


def test_what_nobody_puts_right_lapses_and_what_was_answered_does_not(session: Session, desk: Desk) -> None:
    left = observed(session, desk)
    answered = observed(
        session, desk, workers=[worker(document_number="1000000009", birth_date=day(-365 * 17))]
    )
    deciding.explain(session, answered, "Es mayor en su país.")
    assert deciding.lapse_due(session, desk.settings, today()) == 0
    assert deciding.lapse_due(session, desk.settings, today() + dt.timedelta(days=15)) == 1
    assert (left.state, answered.state) == ("lapsed", "observed")
    assert (left.ticket.status, answered.ticket.status) == ("closed", "open")


def test_a_person_refuses_with_a_reason_that_the_filer_is_told(
    session: Session, desk: Desk, ana: User
) -> None:
    filing = observed(session, desk)
    deciding.refuse(
        session, filing, "Falta el permiso de los padres.", desk.settings, actor=session.merge(ana)
    )
    assert (filing.state, filing.refusal) == ("refused", "Falta el permiso de los padres.")
    with pytest.raises(NotAllowed):
        deciding.register_observed(session, filing, "tarde", desk.settings, actor=session.merge(ana))


def test_T85_only_a_supervisor_annuls_and_it_is_seen_at_once(
    session: Session, desk: Desk, ana: User, rosa: User
) -> None:
    filing = issued(session, desk)
    (row,) = documents(session, filing)
    for actor, reason in ((ana, "falso"), (rosa, "  ")):
        with pytest.raises(NotAllowed):
            deciding.annul(session, row, reason, actor=session.merge(actor))
    deciding.annul(session, row, "el contrato era falso", actor=session.merge(rosa))
    assert row.code
    assert verify_code(session, row.code, utc_now()).standing is Standing.ANNULLED
    with pytest.raises(NotAllowed):
        deciding.annul(session, row, "otra vez", actor=session.merge(rosa))
    assert successors.offered(session, filing) == []


def test_filings_are_found_by_the_persons_address_and_by_numbers_in_a_mail(
    session: Session, desk: Desk
) -> None:
    filing = issued(session, desk)
    (row,) = documents(session, filing)
    mail = "Buenas, no me llegó mi constancia. Mi cédula es 1.000.000.001, gracias"
    for email, text in (
        ("nadie@example.com", mail),
        ("nadie@example.com", f"constancia {row.number}"),
        ("nadie@example.com", "RUC 20131312955"),
        ("ana@example.com", "hola"),
        ("rrhh@example.com", "hola"),
    ):
        found = successors.filings_about(session, email, successors.numbers_in(text))
        assert [each.id for each in found] == [filing.id], text
    assert successors.filings_about(session, "nadie@example.com", successors.numbers_in("soy el 12345")) == []
