"""The trained models that the desk knows: which one sorts the mail, its digest, and the way back to another.

In: the register, its files, the steps of a model's life. Not in: sorting with a model (sorter.py), training one
and judging it (learning.py). A file is named after its model and never written twice; which one is used is a row
of the database, so all workers change over at the same time and nobody reads half a file (F44).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import CheckConstraint, ForeignKey, Index, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

import classifier
from classifier import LINES, NONE, ModelError, ModelVersionError, modelfile
from helpdesk.accounts.users import User
from helpdesk.db import JSON, Base
from helpdesk.desk.lifecycle import MODEL, ModelState, check_can_move, state_check
from helpdesk.errors import NotAllowed

BY_HAND, NIGHTLY = "hand", "nightly"
# What was trained by hand learned no lesson of this desk.
NO_LESSON = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class SorterModel(Base):
    """One trained model. `trial` holds how it compared with the model before it, `why` the last decision's reason."""

    __tablename__ = "sorter_model"
    __table_args__ = (
        CheckConstraint(state_check(ModelState, "state"), name="state_known"),
        Index("uq_sorter_model_active", "state", unique=True, postgresql_where=text("state = 'active'")),
        Index("ix_sorter_model_decided_at", "decided_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    state: Mapped[str] = mapped_column(default=ModelState.CANDIDATE.value)
    origin: Mapped[str]
    card: Mapped[JSON] = mapped_column(default=dict)
    trial: Mapped[JSON] = mapped_column(default=dict)
    lessons: Mapped[int] = mapped_column(default=0)
    # Lessons decided before this moment may have been learned; later ones were not.
    learned_until: Mapped[dt.datetime]
    made_at: Mapped[dt.datetime]
    decided_at: Mapped[dt.datetime]
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    why: Mapped[str] = mapped_column(default="")

    decided_by: Mapped[User | None] = relationship()


@dataclass(frozen=True, slots=True)
class InUse:
    """The model that sorts now: its name and what its file must be."""

    id: str
    sha256: str


def model_file(folder: Path, id_: str, sha256: str) -> Path:
    """Where a registered model's file is. Another content has another name, so no file is ever overwritten."""
    return folder / f"{id_}-{sha256[:12]}.model"


def load(row: SorterModel, folder: Path) -> classifier.Model:
    """The model of a row, if its file is exactly the one that was recorded. Raises ModelError."""
    return classifier.Model.load(model_file(folder, row.id, row.sha256), sha256=row.sha256)


def _lock(session: Session) -> None:
    """Whoever changes the register comes one after the other, until the commit."""
    session.execute(text("select pg_advisory_xact_lock(7263503)"))


def in_use(session: Session) -> InUse | None:
    """The active model, or None when none was ever registered."""
    query = select(SorterModel.id, SorterModel.sha256).where(SorterModel.state == ModelState.ACTIVE.value)
    row = session.execute(query).one_or_none()
    return InUse(*row) if row else None


def active_model(session: Session) -> SorterModel | None:
    """The row of the active model."""
    return session.scalar(select(SorterModel).where(SorterModel.state == ModelState.ACTIVE.value))


def known_models(session: Session, limit: int = 30) -> list[SorterModel]:
    """The models, the active one first, then the newest decisions."""
    active = SorterModel.state == ModelState.ACTIVE.value
    return list(
        session.scalars(
            select(SorterModel).order_by(active.desc(), SorterModel.decided_at.desc()).limit(limit)
        )
    )


def register(
    session: Session,
    model: classifier.Model,
    sha256: str,
    *,
    origin: str,
    now: dt.datetime,
    lessons: int = 0,
    trial: JSON | None = None,
) -> SorterModel:
    """Write down a model whose file is in its place. Of one that is known only the file may be another."""
    known = session.get(SorterModel, model.id)
    if known is not None:
        known.sha256 = sha256
        return known
    row = SorterModel(
        id=model.id,
        sha256=sha256,
        origin=origin,
        card=model.card,
        trial=trial or {},
        lessons=lessons,
        learned_until=now if origin == NIGHTLY else NO_LESSON,
        made_at=now,
        decided_at=now,
    )
    session.add(row)
    session.flush()
    return row


def take_in(session: Session, folder: Path, path: Path, now: dt.datetime) -> SorterModel:
    """Register the model of a file: its copy is kept beside the others. Raises ModelError for an unusable file."""
    _lock(session)
    content = modelfile.read(path)
    digest = modelfile.digest_of(content)
    model = classifier.Model.load(path, sha256=digest)
    check_fits(model, str(path))
    known = session.get(SorterModel, model.id)
    if known is not None and not _trouble(known, folder):
        return known
    try:
        modelfile.write(model_file(folder, model.id, digest), content)
    except OSError as error:
        raise ModelError(f"{folder}: the model cannot be kept there ({error.strerror}).") from error
    return register(session, model, digest, origin=BY_HAND, now=now)


def check_fits(model: classifier.Model, name: str) -> None:
    """Raise ModelError for a model that does not sort into our lines: each of its tickets would be refused."""
    if set(model.labels) != {*LINES, NONE} or not re.fullmatch(r"[0-9a-f]{8,64}", model.id):
        raise ModelError(f"{name}: this model does not sort into the five lines.")
    if not {"macro_f1", "ece", "coverage", "precision_covered"} <= {*model.card.get("metrics", {})}:
        raise ModelError(f"{name}: the card of the model file lacks its figures.")


def activate(
    session: Session, row: SorterModel, *, now: dt.datetime, why: str, actor: User | None = None
) -> None:
    """Let this model sort the mail from now on; the one before it is retired. Raises NotAllowed."""
    _lock(session)
    current = session.scalar(
        select(SorterModel).where(SorterModel.state == ModelState.ACTIVE.value).with_for_update()
    )
    if current is not None and current.id == row.id:
        return
    check_can_move(MODEL, ModelState(row.state), ModelState.ACTIVE)
    if current is not None:
        check_can_move(MODEL, ModelState(current.state), ModelState.RETIRED)
        current.state = ModelState.RETIRED.value
        session.flush()  # there is one active model at any moment
    row.state, row.decided_at, row.why = ModelState.ACTIVE.value, now, why
    row.decided_by_id = actor.id if actor else None


def refuse(session: Session, row: SorterModel, *, now: dt.datetime, why: str) -> None:
    """Write down that a candidate does not take over, and why. Raises NotAllowed."""
    check_can_move(MODEL, ModelState(row.state), ModelState.REFUSED)
    row.state, row.decided_at, row.why = ModelState.REFUSED.value, now, why
    session.flush()


def bring_back(session: Session, id_: str, folder: Path, *, now: dt.datetime, actor: User) -> SorterModel:
    """A supervisor chooses a model. Raises NotAllowed for one that is unknown or whose file cannot be used."""
    row = session.get(SorterModel, id_, with_for_update=True)
    if row is None:
        raise NotAllowed("Ese modelo no está registrado.")
    try:
        load(row, folder)
    except ModelError as error:
        raise NotAllowed(f"El archivo de ese modelo no se puede usar ({error}).") from error
    activate(session, row, now=now, why="lo eligió una persona", actor=actor)
    return row


def adopt(session: Session, folder: Path, path: Path, now: dt.datetime) -> str | None:
    """At the start of a worker: see to it that there is a model to sort with; the reason when there is none.

    The set-up's own file (`path`) is used when nothing is registered, or when the registered model was made for
    another version of the code. Otherwise it is only registered, so that a supervisor sees it and may choose it:
    a file that one machine cannot read for a moment must not change what all of them use.
    """
    _lock(session)
    row = active_model(session)
    trouble = _trouble(row, folder) if row is not None else None
    outdated = isinstance(trouble, ModelVersionError)
    if row is not None and not outdated:
        with contextlib.suppress(ModelError):
            take_in(session, folder, path, now)
        if trouble is not None:
            trouble = _trouble(row, folder)  # the set-up's file may have been the very one that was missing
        return str(trouble) if trouble else None
    try:
        found = take_in(session, folder, path, now)
    except ModelError as error:
        return str(error)
    why = "el anterior es de otra versión del programa" if outdated else "el primero"
    activate(session, found, now=now, why=why)
    return None


def _trouble(row: SorterModel, folder: Path) -> ModelError | None:
    """Why the row's file cannot be used; nothing when it can."""
    try:
        load(row, folder)
    except ModelError as error:
        return error
    return None
