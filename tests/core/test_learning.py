"""What agents decide becomes lessons; a challenger learns them overnight and takes over only when it is better."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import select

from classifier import LINES, STRENGTH, Model, Row, Text, corpus_rows, frozen_rows, train
from helpdesk.accounts.users import Role, User, add_user
from helpdesk.db import utc_now
from helpdesk.desk import models
from helpdesk.desk.learning import (
    LEASE,
    LearningRun,
    Material,
    Quality,
    Trial,
    ask,
    claim,
    is_due,
    last_run,
    learn,
)
from helpdesk.desk.lessons import Lesson, as_row, lessons, suspects
from helpdesk.desk.lifecycle import ModelState
from helpdesk.desk.models import SorterModel
from helpdesk.desk.sorting import change_line
from helpdesk.desk.ticket import Ticket
from helpdesk.settings import LIMA
from tests.conftest import PASSWORD
from tests.core.test_models import add, file_of, use
from tests.desk import Desk
from tests.mails import mail


def decide(desk: Desk, agent: User, line: str | None, number: int = 0) -> None:
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[number].id)
        change_line(session, ticket, line, now=utc_now(), actor=session.get_one(User, agent.id))


def taught(desk: Desk) -> list[Lesson]:
    with desk.sessions() as session:
        return lessons(session, most=5_000)


# --- lessons ------------------------------------------------------------------------------------------------


def test_a_confirmed_line_becomes_a_lesson_with_what_the_model_had_said(desk: Desk, ana: User) -> None:
    desk.file(mail())
    decide(desk, ana, "return")
    (lesson,) = taught(desk)
    assert lesson.label == "return"
    assert lesson.predicted in (*LINES, "none")
    assert lesson.model is not None
    assert "quiero volver" in lesson.body
    assert as_row(lesson).label == "return"


def test_the_last_word_counts_and_can_be_taken_back(desk: Desk, ana: User) -> None:
    desk.file(mail())
    decide(desk, ana, "abroad")
    decide(desk, ana, "return")
    assert [lesson.label for lesson in taught(desk)] == ["return"]
    decide(desk, ana, None)
    assert taught(desk) == []


def test_T97_a_lesson_holds_no_personal_data(desk: Desk, ana: User) -> None:
    body = (
        "Me llamo Zoraida Inventada, DNI 00000017, y escribo por mi hijo Wenceslao. Llámenme al 900 000 000 o "
        "zoraida@example.com. Vivo en Turín y quiero volver. Atte., Zoraida Inventada Apaza"
    )
    desk.file(mail(body, subject="Zoraida Inventada: retorno", sender="Zoraida Inventada <zi@example.com>"))
    decide(desk, ana, "return")
    (lesson,) = taught(desk)
    kept = f"{lesson.subject} {lesson.body}".lower()
    for secret in ("zoraida", "inventada", "apaza", "00000017", "900 000 000", "example.com"):
        assert secret not in kept
    assert "vivo en turín y quiero volver" in kept


def test_names_are_found_with_and_without_their_accents_and_words_are_no_names(desk: Desk, ana: User) -> None:
    body = "Soy yanez, es decir Yán\u0303ez Yáñez; consulta de los contratos. Quiero volver."
    desk.file(mail(body, sender="Consulta de los Yáñez <y@example.com>"))
    decide(desk, ana, "return")
    (lesson,) = taught(desk)
    assert "yanez" not in lesson.body.lower()
    assert "Yáñez" not in lesson.body
    assert "consulta de los contratos" in lesson.body


def test_saying_the_same_again_makes_no_new_lesson(desk: Desk, ana: User, rosa: User) -> None:
    desk.file(mail())
    decide(desk, ana, "return")
    (before,) = taught(desk)
    decide(desk, rosa, "return")
    (after,) = taught(desk)
    assert (after.at, after.user_id) == (before.at, before.user_id)


def test_a_machines_mail_teaches_nothing(desk: Desk, ana: User) -> None:
    desk.file(mail(headers={"Auto-Submitted": "auto-replied"}))
    decide(desk, ana, "none")
    assert taught(desk) == []


# --- when to learn ------------------------------------------------------------------------------------------


def at(hour: int) -> dt.datetime:
    """An hour of a day in Lima."""
    return dt.datetime(2026, 11, 20, hour, 30, tzinfo=LIMA).astimezone(dt.UTC)


def test_learning_is_due_once_a_night_and_when_somebody_asks(desk: Desk, rosa: User) -> None:
    with desk.sessions.begin() as session:
        assert not is_due(session, at(15))
        assert is_due(session, at(3))
        run_id = claim(session, at(3))
        assert run_id is not None
        assert not is_due(session, at(3))
        assert claim(session, at(3)) is None
        session.get_one(LearningRun, run_id).finished_at = at(4)
        session.flush()
        assert not is_due(session, at(5))
        ask(session, now=at(15), actor=session.get_one(User, rosa.id))
        assert is_due(session, at(15))
        assert claim(session, at(15)) == run_id


def test_F45_a_training_that_was_killed_is_taken_up_again_after_its_lease(desk: Desk) -> None:
    with desk.sessions.begin() as session:
        assert is_due(session, at(3))
        assert claim(session, at(3)) is not None
        assert claim(session, at(3) + LEASE / 2) is None
        assert claim(session, at(3) + LEASE * 1.1) is not None


# --- the decision -------------------------------------------------------------------------------------------

QUALITY = Quality(rows=500, macro_f1=0.85, accuracy=0.85, precision_covered=0.97, coverage=0.6)
EVEN = Trial(
    frozen_before=QUALITY,
    frozen_after=QUALITY,
    recent=100,
    recent_right_before=80,
    recent_right_after=80,
    new_lessons=40,
    withheld=0,
    certain=60,
    contradicted=2,
)


@pytest.mark.parametrize(
    ("change", "takes_over", "because"),
    [
        ({}, False, "no es mejor"),
        ({"recent_right_after": 84}, True, "acierta 4 más"),
        ({"recent_right_after": 79}, False, "acierta 1 menos"),
        (
            {"frozen_after": replace(QUALITY, macro_f1=0.84), "recent_right_after": 99},
            False,
            "pierde 1.0 puntos",
        ),
        ({"frozen_after": replace(QUALITY, macro_f1=0.87)}, True, "no pierde"),
        ({"recent_right_after": 99, "contradicted": 20}, False, "contradicen demasiadas veces"),
    ],
)
def test_the_challenger_takes_over_only_when_it_is_better_and_nothing_smells(
    change: dict[str, object], takes_over: bool, because: str
) -> None:
    decided, why = replace(EVEN, **change).decide()  # type: ignore[arg-type]
    assert decided is takes_over
    assert because in why


# --- a whole night ------------------------------------------------------------------------------------------


def small_material() -> Material:
    """A small part of the corpus, to learn from in a second or two."""
    return Material(corpus_rows()[::20], frozen_rows()[::2])


@pytest.fixture(scope="module")
def champion() -> Model:
    material = small_material()
    return train(material.corpus, calibrate=material.frozen, strength=STRENGTH)


def put_to_work(desk: Desk, champion: Model) -> None:
    """Let the model sort, and let it be one that has learned lessons until forty days ago."""
    use(desk, add(desk, champion))
    with desk.sessions.begin() as session:
        session.get_one(SorterModel, champion.id).learned_until = utc_now() - dt.timedelta(days=40)


def teach_many(desk: Desk, champion: Model, rows: Sequence[Row], user: User) -> None:
    """Lessons of the last weeks, as if a person had looked at so many tickets."""
    said = champion.predict([row.text for row in rows])
    now = utc_now()
    with desk.sessions.begin() as session:
        for number, (row, found) in enumerate(zip(rows, said, strict=True)):
            when = now - dt.timedelta(days=1 + number % 20)
            ticket = Ticket(
                number=f"PI-2026-{100_000 + number + 1000 * user.id}",
                participants=[],
                subject="x",
                line=row.label,
                opened_at=when,
                waiting_since=when,
                updated_at=when,
            )
            session.add(ticket)
            session.flush()
            session.add(
                Lesson(
                    ticket_id=ticket.id,
                    user_id=user.id,
                    at=when,
                    arrived_at=when,
                    subject=row.text.subject,
                    body=row.text.body,
                    label=row.label,
                    predicted=found.label,
                    probability=found.probability,
                    abstained=found.abstained,
                    model=found.model,
                )
            )


def learn_now(desk: Desk) -> str:
    with desk.sessions.begin() as session:
        ask(session, now=utc_now(), actor=None)
    outcome = learn(desk.sessions, desk.settings.models_folder, material=small_material())
    assert outcome is not None
    return outcome


def active(desk: Desk) -> SorterModel:
    with desk.sessions() as session:
        row = models.active_model(session)
        assert row is not None
        return row


def test_honest_lessons_are_learned_and_the_new_model_takes_over(
    desk: Desk, champion: Model, ana: User
) -> None:
    put_to_work(desk, champion)
    desk.file(mail(), mail("Soy venezolano, busco trabajo en Lima.", sender="b@example.com"))
    teach_many(desk, champion, corpus_rows()[5::20], ana)
    outcome = learn_now(desk)
    row = active(desk)
    assert row.id != champion.id, outcome
    assert "empezó a clasificar" in outcome
    assert row.trial["recent_right_after"] > row.trial["recent_right_before"]
    assert row.trial["last_month"]["mails"] == 2
    assert row.lessons > 500
    with desk.sessions() as session:
        old = session.get_one(SorterModel, champion.id)
        run = last_run(session)
        assert old.state == ModelState.RETIRED
        assert run is not None
        assert (run.model_id, run.outcome) == (row.id, outcome)
    assert learn(desk.sessions, desk.settings.models_folder, material=small_material()) is None


def flipped(rows: Sequence[Row], seed: int = 7) -> list[Row]:
    """The rows with every label replaced by another one."""
    chance = random.Random(seed)
    return [replace(row, label=chance.choice([line for line in LINES if line != row.label])) for row in rows]


def test_T96_five_hundred_flipped_labels_of_one_person_are_not_learned(
    desk: Desk, champion: Model, ana: User
) -> None:
    put_to_work(desk, champion)
    teach_many(desk, champion, flipped(corpus_rows()[5::13][:500]), ana)
    assert suspects(taught(desk)) == {ana.id}
    outcome = learn_now(desk)
    assert active(desk).id == champion.id, outcome
    with desk.sessions() as session:
        run = last_run(session)
        assert run is not None
        assert run.withheld == 500


def test_T96_flipped_labels_of_many_people_beside_honest_ones_are_not_promoted(
    desk: Desk, champion: Model, ana: User
) -> None:
    put_to_work(desk, champion)
    rows = corpus_rows()
    teach_many(desk, champion, rows[5::30][:150], ana)
    with desk.sessions.begin() as session:
        crowd = [
            add_user(session, email=f"c{i}@example.com", name=f"C {i}", role=Role.AGENT, password=PASSWORD)
            for i in range(10)
        ]
    wrong = flipped(rows[7::13][:500])
    for number, person in enumerate(crowd):
        teach_many(desk, champion, wrong[number::10], person)
    outcome = learn_now(desk)
    assert active(desk).id == champion.id, outcome


def test_a_model_that_was_left_behind_by_hand_does_not_come_back_the_same_night(
    desk: Desk, champion: Model, ana: User, rosa: User
) -> None:
    put_to_work(desk, champion)
    teach_many(desk, champion, corpus_rows()[5::20], ana)
    learn_now(desk)
    assert active(desk).id != champion.id
    with desk.sessions.begin() as session:
        actor = session.get_one(User, rosa.id)
        models.bring_back(session, champion.id, desk.settings.models_folder, now=utc_now(), actor=actor)
    assert "faltan correcciones" in learn_now(desk)
    assert active(desk).id == champion.id


def test_a_training_that_fails_says_so_and_is_over(
    desk: Desk, champion: Model, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_to_work(desk, champion)
    teach_many(desk, champion, corpus_rows()[5:60], ana)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("classifier.modelfile.write", full)
    assert "falló (OSError)" in learn_now(desk)
    with desk.sessions.begin() as session:
        assert claim(session, utc_now()) is None
    assert active(desk).id == champion.id


def test_a_training_that_kills_its_worker_three_times_is_given_up(desk: Desk) -> None:
    now = utc_now()
    with desk.sessions.begin() as session:
        ask(session, now=now, actor=None)
        for turn in range(3):
            assert claim(session, now + turn * 2 * LEASE) is not None
        assert claim(session, now + 9 * LEASE) is None


def test_asking_while_a_training_is_under_way_starts_no_second_one(desk: Desk) -> None:
    now = utc_now()
    with desk.sessions.begin() as session:
        ask(session, now=now, actor=None)
        assert claim(session, now) is not None
        ask(session, now=now, actor=None)
        assert claim(session, now) is None


def test_too_few_lessons_teach_nothing(desk: Desk, champion: Model, ana: User) -> None:
    put_to_work(desk, champion)
    teach_many(desk, champion, corpus_rows()[5:15], ana)
    assert "faltan correcciones" in learn_now(desk)
    assert active(desk).id == champion.id


def test_without_a_model_in_use_there_is_nothing_to_compare_with(desk: Desk) -> None:
    assert "no hay un modelo en uso" in learn_now(desk)


def test_the_lessons_in_a_model_hold_no_names(desk: Desk, champion: Model, ana: User) -> None:
    put_to_work(desk, champion)
    planted = [
        replace(row, text=Text(row.text.subject, f"{row.text.body} DNI 00000017 zoraida@example.com"))
        for row in corpus_rows()[5::20]
    ]
    teach_many(desk, champion, planted, ana)
    learn_now(desk)
    with desk.sessions() as session:
        made = session.scalar(select(SorterModel).where(SorterModel.origin == models.NIGHTLY))
        assert made is not None
    model = Model.load(file_of(desk, made.id), sha256=made.sha256)
    terms = {term for block in model.features.blocks.values() for term in block.columns}
    assert not [term for term in terms if "zorai" in term or "00000" in term]
