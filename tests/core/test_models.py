"""Which model sorts: the register, its files, and a desk that goes on when a file is bad."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import select

from classifier import Model, ModelError, Row, Text, modelfile, train
from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk import models
from helpdesk.desk.health import alarms
from helpdesk.desk.lifecycle import ModelState
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.models import SorterModel, model_file
from helpdesk.desk.sorter import Sorter
from helpdesk.desk.sorting import Prediction
from helpdesk.desk.ticket import Ticket
from helpdesk.desk.unsorted import sort_waiting
from helpdesk.errors import NotAllowed
from tests.core.classifier_data import small_rows
from tests.desk import Desk
from tests.mails import mail

WORDS = {
    "abroad": "quiero viajar a Canadá por trabajo",
    "return": "regreso al Perú con mi mudanza",
    "foreigner": "soy venezolano y busco contrato en Lima",
    "none": "vendemos facturas y publicidad",
    "resident_abroad": "trabajo en Milán y no me pagan",
}


def small_model(extra: str = "") -> Model:
    """A model that knows a little, made in a moment; `extra` makes it another one."""
    rows = [
        Row(Text("", f"{words} {i} {extra}"), line, f"{line}-{i}")
        for line, words in WORDS.items()
        for i in range(9)
    ]
    return train(rows)


@pytest.fixture(scope="module")
def first() -> Model:
    return small_model()


@pytest.fixture(scope="module")
def second() -> Model:
    return small_model("gracias")


def add(desk: Desk, model: Model) -> str:
    """Register a model by its file; returns its name."""
    own = desk.settings.var / f"{model.id}.own"
    model.save(own)
    with desk.sessions.begin() as session:
        return models.take_in(session, desk.settings.models_folder, own, utc_now()).id


def file_of(desk: Desk, id_: str) -> Path:
    """Where a registered model's file is."""
    with desk.sessions() as session:
        return model_file(desk.settings.models_folder, id_, session.get_one(SorterModel, id_).sha256)


def use(desk: Desk, id_: str) -> None:
    with desk.sessions.begin() as session:
        models.activate(session, session.get_one(SorterModel, id_), now=utc_now(), why="prueba")


def states(desk: Desk) -> dict[str, str]:
    with desk.sessions() as session:
        return {row.id: row.state for row in session.scalars(select(SorterModel))}


def with_own_sorter(desk: Desk) -> Sorter:
    """Give the desk a sorter that no other test has."""
    sorter = Sorter(desk.settings.model_path, desk.settings.models_folder)
    object.__setattr__(desk.worker.filer, "sorter", sorter)
    return sorter


def predictions(desk: Desk) -> list[Prediction]:
    with desk.sessions() as session:
        return list(session.scalars(select(Prediction).order_by(Prediction.id)))


def test_mail_filed_by_hand_or_with_a_line_of_its_mailbox_is_told_apart(desk: Desk, first: Model) -> None:
    """Only what came while there was no model is sorted late, and the mailbox's own line stays in doubt."""
    sorter = with_own_sorter(desk)
    object.__setattr__(sorter, "_path", desk.settings.var / "none")
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, desk.mailbox_id).default_line = "return"
    desk.file(mail("Quiero viajar a Canadá por trabajo."))
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        assert ticket.line == "return"
    add(desk, first)
    use(desk, first.id)
    assert sort_waiting(desk.sessions, sorter) == 1
    (found,) = predictions(desk)
    assert desk.tickets()[0].line == ("return" if found.abstained else found.label)


def told(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        return [line for line in alarms(session) if "clasificador" in line]


def test_one_model_is_in_use_and_one_click_goes_back(
    desk: Desk, first: Model, second: Model, rosa: User
) -> None:
    add(desk, first)
    add(desk, second)
    use(desk, first.id)
    use(desk, second.id)
    assert states(desk) == {first.id: ModelState.RETIRED, second.id: ModelState.ACTIVE}
    with desk.sessions.begin() as session:
        actor = session.get_one(User, rosa.id)
        models.bring_back(session, first.id, desk.settings.models_folder, now=utc_now(), actor=actor)
    assert states(desk) == {first.id: ModelState.ACTIVE, second.id: ModelState.RETIRED}


def test_every_ticket_keeps_the_model_that_sorted_it(desk: Desk, first: Model, second: Model) -> None:
    with_own_sorter(desk)
    add(desk, first)
    add(desk, second)
    use(desk, first.id)
    desk.file(mail("Quiero viajar a Canadá por trabajo."))
    use(desk, second.id)
    desk.file(mail("Regreso al Perú con mi mudanza.", sender="b@example.com"))
    assert [found.model for found in predictions(desk)] == [first.id, second.id]


@pytest.mark.parametrize("harm", ["missing", "truncated", "tampered", "another"])
def test_T95_with_a_bad_file_mail_arrives_unsorted_and_the_desk_is_told(
    desk: Desk, first: Model, second: Model, harm: str
) -> None:
    add(desk, first)
    use(desk, first.id)
    place = file_of(desk, first.id)
    good = place.read_bytes()
    if harm == "missing":
        place.unlink()
    elif harm == "another":
        second.save(place)
    else:
        place.write_bytes(good[: len(good) // 2] if harm == "truncated" else good[:-9] + b"x" + good[-8:])
    sorter = with_own_sorter(desk)
    desk.file(mail("Quiero viajar a Canadá por trabajo."))
    (ticket,) = desk.tickets()
    assert ticket.line is None
    assert "not_sorted" in [event.kind for event in ticket.events]
    assert len(told(desk)) == 1

    place.write_bytes(good)
    assert sort_waiting(desk.sessions, sorter) == 1
    assert told(desk) == []
    (found,) = predictions(desk)
    assert found.model == first.id
    assert "sorted_late" in [event.kind for event in desk.tickets()[0].events]
    assert sort_waiting(desk.sessions, sorter) == 0


def test_a_model_whose_file_is_damaged_later_goes_on_from_memory_and_says_so(
    desk: Desk, first: Model
) -> None:
    add(desk, first)
    use(desk, first.id)
    with_own_sorter(desk)
    desk.file(mail("Quiero viajar a Canadá por trabajo."))
    file_of(desk, first.id).write_bytes(b"rubbish")
    desk.file(mail("Regreso al Perú con mi mudanza.", sender="b@example.com"))
    assert len(predictions(desk)) == 2
    assert len(told(desk)) == 1


def test_a_worker_that_starts_takes_in_the_models_file_once(desk: Desk, first: Model, tmp_path: Path) -> None:
    own = tmp_path / "own.model"
    first.save(own)
    folder = desk.settings.models_folder
    for _ in range(2):
        with desk.sessions.begin() as session:
            assert models.adopt(session, folder, own, utc_now()) is None
    assert states(desk) == {first.id: ModelState.ACTIVE}
    assert file_of(desk, first.id).exists()


def test_a_worker_replaces_a_model_of_another_version(
    desk: Desk, first: Model, second: Model, tmp_path: Path
) -> None:
    add(desk, first)
    use(desk, first.id)
    versions = {**first.card["versions"], "scikit-learn": "0.1"}
    old = modelfile.pack(first.features, first.learners, {**first.card, "versions": versions})
    with desk.sessions.begin() as session:
        session.get_one(SorterModel, first.id).sha256 = modelfile.digest_of(old)
    file_of(desk, first.id).write_bytes(old)
    own = tmp_path / "own.model"
    second.save(own)
    with desk.sessions.begin() as session:
        assert models.adopt(session, desk.settings.models_folder, own, utc_now()) is None
    assert states(desk) == {first.id: ModelState.RETIRED, second.id: ModelState.ACTIVE}


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_file_that_one_machine_cannot_read_changes_nothing_for_the_others(
    desk: Desk, first: Model, second: Model, tmp_path: Path, harm: str
) -> None:
    add(desk, first)
    use(desk, first.id)
    place = file_of(desk, first.id)
    place.unlink() if harm == "gone" else place.write_bytes(b"rubbish")
    second.save(tmp_path / "own.model")
    with desk.sessions.begin() as session:
        assert models.adopt(session, desk.settings.models_folder, tmp_path / "own.model", utc_now())
    assert states(desk)[first.id] == ModelState.ACTIVE


def test_the_same_model_in_another_file_changes_no_file_that_is_good(desk: Desk, first: Model) -> None:
    add(desk, first)
    before = file_of(desk, first.id)
    content = before.read_bytes()
    time.sleep(2.1)  # a zip holds its time, in steps of two seconds
    add(desk, first)
    assert file_of(desk, first.id) == before
    assert before.read_bytes() == content
    assert len(list(desk.settings.models_folder.iterdir())) == 1


def test_a_model_of_other_labels_is_not_taken_in(desk: Desk, tmp_path: Path) -> None:
    train(small_rows()).save(tmp_path / "weather.model")
    with (
        desk.sessions.begin() as session,
        pytest.raises(ModelError, match="does not sort into the five lines"),
    ):
        models.take_in(session, desk.settings.models_folder, tmp_path / "weather.model", utc_now())


def test_a_folder_that_cannot_be_written_is_said_and_stops_nothing(
    desk: Desk, first: Model, tmp_path: Path
) -> None:
    first.save(tmp_path / "own.model")
    (tmp_path / "file").write_text("in the way")
    with desk.sessions.begin() as session:
        trouble = models.adopt(session, tmp_path / "file", tmp_path / "own.model", utc_now())
    assert trouble is not None
    assert states(desk) == {}


def test_another_file_of_the_set_up_stands_by_until_somebody_chooses_it(
    desk: Desk, first: Model, second: Model, tmp_path: Path
) -> None:
    add(desk, first)
    use(desk, first.id)
    second.save(tmp_path / "own.model")
    with desk.sessions.begin() as session:
        assert models.adopt(session, desk.settings.models_folder, tmp_path / "own.model", utc_now()) is None
    assert states(desk) == {first.id: ModelState.ACTIVE, second.id: ModelState.CANDIDATE}


def test_a_worker_without_any_model_starts_all_the_same(desk: Desk, tmp_path: Path) -> None:
    with desk.sessions.begin() as session:
        trouble = models.adopt(session, desk.settings.models_folder, tmp_path / "none", utc_now())
    assert trouble is not None
    assert states(desk) == {}


def test_a_model_whose_file_is_bad_cannot_be_chosen(desk: Desk, first: Model, rosa: User) -> None:
    add(desk, first)
    file_of(desk, first.id).write_bytes(b"rubbish")
    with desk.sessions.begin() as session:
        actor = session.get_one(User, rosa.id)
        with pytest.raises(NotAllowed, match="no se puede usar"):
            models.bring_back(session, first.id, desk.settings.models_folder, now=utc_now(), actor=actor)
        with pytest.raises(NotAllowed, match="no está registrado"):
            models.bring_back(session, "nobody", desk.settings.models_folder, now=utc_now(), actor=actor)


def test_a_strange_file_is_not_taken_in(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "evil").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with desk.sessions.begin() as session, pytest.raises(ModelError):
        models.take_in(session, desk.settings.models_folder, tmp_path / "evil", utc_now())


def test_F44_swaps_while_mail_is_sorted_never_mix_two_models(desk: Desk, first: Model, second: Model) -> None:
    add(desk, first)
    add(desk, second)
    sorter = Sorter(desk.settings.model_path, desk.settings.models_folder)
    text = Text("", "Quiero viajar a Canadá por trabajo.")
    expected = {model.id: model.predict([text])[0] for model in (first, second)}
    for turn in range(60):
        use(desk, (first, second)[turn % 2].id)
        with desk.sessions() as session:
            chosen = models.in_use(session)
        assert chosen is not None
        (said,) = sorter.predict([text], chosen)
        assert said is not None
        assert said.model == chosen.id
        assert said.probabilities == pytest.approx(expected[chosen.id].probabilities)
