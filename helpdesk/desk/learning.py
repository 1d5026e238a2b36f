"""Learning overnight: a challenger learns from the corpus and from the lessons, and is compared with the champion.

In: when to learn, the comparison, the decision. Not in: the register (models.py) and the training itself
(classifier). The challenger takes over only when it is better and nobody's words look like poison (T96); a person
can always go back. One run a day: its row is the lock, so several workers train once, and a run that was killed
is taken up again (F45).
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, and_, func, not_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

import classifier
from classifier import Answer, Model, ModelError, Report, Row, Text, modelfile
from classifier.evaluation import Progress
from helpdesk.accounts.users import User
from helpdesk.db import JSON, Base, Sessions, utc_now
from helpdesk.desk import models
from helpdesk.desk.lessons import MOST_CHARS, Lesson, as_row, lessons, suspects
from helpdesk.desk.lifecycle import ModelState
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.models import NIGHTLY, SorterModel, model_file
from helpdesk.desk.ticket import MAIL, Ticket
from helpdesk.settings import LIMA

log = logging.getLogger(__name__)

# At night, when nobody waits for the machine (Lima).
NIGHT = range(2, 6)
LEASE = dt.timedelta(minutes=30)
ATTEMPTS = 3
KEPT_REFUSED = dt.timedelta(days=30)
# The newest ones; more would make the nights longer and the model no better.
MOST_LESSONS = 20_000

# What the comparison looks at: the lessons of the last weeks, and the mail of the last month.
RECENT = dt.timedelta(days=28)
MONTH = dt.timedelta(days=30)
MOST_MAILS = 5_000

# Fewer new lessons teach nothing that could be told from chance.
LESSONS_AT_LEAST = 20
# The challenger must not lose more than this on the frozen set (macro-F1), whatever it wins elsewhere.
MAY_LOSE = 0.005
# Of the certain predictions that people looked at, more contradictions than this look like poison (T96).
POISON_SHARE, POISON_AT_LEAST = 0.20, 12


@dataclass(frozen=True, slots=True)
class Material:
    """What every model learns besides the lessons, and what every model is measured on."""

    corpus: Sequence[Row]
    frozen: Sequence[Row]

    @classmethod
    def ours(cls) -> Material:
        """The repository's corpus and its frozen messages."""
        return cls(classifier.corpus_rows(), classifier.frozen_rows())


class LearningRun(Base):
    """One night's training. `finished_at` is null while it is to be done, under way, or was broken off."""

    __tablename__ = "learning_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[dt.date] = mapped_column(unique=True)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    asked_at: Mapped[dt.datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    outcome: Mapped[str | None]
    model_id: Mapped[str | None] = mapped_column(ForeignKey("sorter_model.id"))
    withheld: Mapped[int] = mapped_column(default=0)

    asked_by: Mapped[User | None] = relationship()


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a model is on a set of rows."""

    rows: int
    macro_f1: float
    accuracy: float
    precision_covered: float
    coverage: float

    @classmethod
    def of(cls, report: Report) -> Quality:
        """What a report says."""
        return cls(report.rows, report.macro_f1, report.accuracy, report.precision_covered, report.coverage)


@dataclass(frozen=True, slots=True)
class Trial:
    """What the decision is made of: the frozen set, the last weeks' lessons, and what speaks of poison."""

    frozen_before: Quality
    frozen_after: Quality
    recent: int
    recent_right_before: int
    recent_right_after: int
    new_lessons: int
    withheld: int
    certain: int
    contradicted: int
    last_month: JSON = field(default_factory=dict)

    def decide(self) -> tuple[bool, str]:
        """Whether the challenger takes over, and why (or why not)."""
        if self.contradicted >= POISON_AT_LEAST and self.contradicted > POISON_SHARE * self.certain:
            return False, (
                f"las correcciones contradicen demasiadas veces lo que era seguro "
                f"({self.contradicted} de {self.certain}): revíselas antes de que enseñen"
            )
        lost = self.frozen_before.macro_f1 - self.frozen_after.macro_f1
        if lost > MAY_LOSE:
            return False, f"pierde {lost * 100:.1f} puntos en los mensajes de control"
        won = self.recent_right_after - self.recent_right_before
        if won < 0:
            return False, f"acierta {-won} menos de los {self.recent} correos revisados"
        gained = -lost * self.frozen_after.rows + won
        if gained <= 0.5:  # less than one message: a tie
            return False, "no es mejor que el modelo en uso"
        return True, f"acierta {won} más de los {self.recent} correos revisados y no pierde en los de control"


def ask(session: Session, *, now: dt.datetime, actor: User | None) -> None:
    """Somebody wants the training of today now, whether or not it ran already; one under way is left alone."""
    day = now.astimezone(LIMA).date()
    again = {
        "asked_by_id": actor.id if actor else None,
        "asked_at": now,
        "attempts": 0,
        "lease_until": None,
        "finished_at": None,
        "outcome": None,
        "model_id": None,
        "withheld": 0,
    }
    under_way = and_(LearningRun.finished_at.is_(None), LearningRun.lease_until > now)
    new = insert(LearningRun).values(day=day, **again)
    session.execute(
        new.on_conflict_do_update(
            index_elements=["day"], set_=again, where=not_(func.coalesce(under_way, False))
        )
    )


def is_due(session: Session, now: dt.datetime) -> bool:
    """Whether a training waits: it is night and today's was not begun, or somebody asked, or a run was killed."""
    local = now.astimezone(LIMA)
    if local.hour in NIGHT:
        new = insert(LearningRun).values(day=local.date(), asked_at=now, attempts=0, withheld=0)
        session.execute(new.on_conflict_do_nothing())
    return session.scalar(select(LearningRun.id).where(*_open(now)).limit(1)) is not None


def _open(now: dt.datetime) -> tuple[Any, ...]:
    return (
        LearningRun.finished_at.is_(None),
        LearningRun.attempts < ATTEMPTS,
        or_(LearningRun.lease_until.is_(None), LearningRun.lease_until < now),
    )


def claim(session: Session, now: dt.datetime) -> int | None:
    """Take the training that is due; None when there is none. Nobody else takes it within the lease."""
    query = select(LearningRun).where(*_open(now)).order_by(LearningRun.id.desc()).limit(1)
    run = session.scalar(query.with_for_update(skip_locked=True))
    if run is None:
        return None
    run.lease_until, run.attempts = now + LEASE, run.attempts + 1
    # A worker that dies in it leaves this behind; whoever finishes writes over it.
    run.outcome = "se interrumpió"
    return run.id


def is_under_way(run: LearningRun, now: dt.datetime) -> bool:
    """Whether a run is to be done, or being done."""
    return run.finished_at is None and (run.attempts < ATTEMPTS or (run.lease_until or now) > now)


def last_run(session: Session) -> LearningRun | None:
    """The newest run."""
    return session.scalar(select(LearningRun).order_by(LearningRun.id.desc()).limit(1))


def learn(
    sessions: Sessions,
    folder: Path,
    *,
    material: Material | None = None,
    progress: Progress | None = None,
) -> str | None:
    """Do the training that is due: train, compare, decide. Returns its outcome in words, or None: nothing was due."""
    with sessions.begin() as session:
        run_id = claim(session, utc_now())
    if run_id is None:
        return None
    try:
        outcome, model_id, withheld = _learn(sessions, folder, material or Material.ours(), progress)
    except (OSError, SQLAlchemyError, ModelError, classifier.DataError) as error:
        log.exception("the training failed")
        outcome, model_id, withheld = f"falló ({type(error).__name__}); el registro dice dónde", None, 0
    with sessions.begin() as session:
        run = session.get(LearningRun, run_id, with_for_update=True)
        assert run is not None
        run.finished_at, run.outcome, run.model_id, run.withheld = utc_now(), outcome, model_id, withheld
    return outcome


def _learn(
    sessions: Sessions, folder: Path, material: Material, progress: Progress | None
) -> tuple[str, str | None, int]:
    began = utc_now()
    with sessions() as session:
        champion_row = models.active_model(session)
        if champion_row is None:
            return "no hay un modelo en uso con el cual comparar", None, 0
        taught = lessons(session, most=MOST_LESSONS)
        mails = _last_month(session, began)
    held = suspects(taught)
    used = [lesson for lesson in taught if lesson.user_id not in held]
    withheld = len(taught) - len(used)
    # Whoever went back to a model by hand has seen what the lessons until then make of it.
    since = champion_row.learned_until
    if champion_row.decided_by_id is not None:
        since = max(since, champion_row.decided_at)
    new = sum(lesson.at > since for lesson in used)
    if new < LESSONS_AT_LEAST:
        apart = f", {withheld} apartadas por contradecir lo seguro" if withheld else ""
        return f"faltan correcciones: hay {new} nuevas de {LESSONS_AT_LEAST}{apart}", None, withheld
    try:
        champion = models.load(champion_row, folder)
    except ModelError as error:
        return f"el modelo en uso no se puede leer: {error}", None, withheld
    rows = [*material.corpus, *map(as_row, used)]
    challenger, unseen = classifier.train_and_hold_out(
        rows, calibrate=material.frozen, strength=classifier.STRENGTH, progress=progress
    )
    with sessions() as session:
        known = session.get(SorterModel, challenger.id)
    if known is not None:  # the same lessons were judged before
        return f"nada nuevo que aprender (modelo {known.id})", None, withheld
    answers = unseen[len(rows) - len(used) :]
    trial = compare(champion, champion_row, challenger, used, answers, taught, material.frozen, mails, began)
    takes_over, why = trial.decide()
    content = modelfile.pack(challenger.features, challenger.learners, challenger.card)
    digest = modelfile.digest_of(content)
    modelfile.write(model_file(folder, challenger.id, digest), content)
    with sessions.begin() as session:
        row = models.register(
            session, challenger, digest, origin=NIGHTLY, now=began, lessons=len(used), trial=asdict(trial)
        )
        said = _decide(session, row, champion.id, takes_over, why)
        _forget_refused(session, folder, utc_now())
    return said, challenger.id, withheld


def _decide(session: Session, row: SorterModel, champion_id: str, takes_over: bool, why: str) -> str:
    """Let the challenger take over or not; says what was done."""
    now, active = utc_now(), models.active_model(session)
    if takes_over and active is not None and active.id == champion_id:
        models.activate(session, row, now=now, why=why)
        return f"empezó a clasificar el modelo {row.id}: {why}"
    if takes_over:
        why = "mientras se entrenaba, alguien eligió otro modelo"
    models.refuse(session, row, now=now, why=why)
    return f"no se adoptó: {why}"


def _forget_refused(session: Session, folder: Path, now: dt.datetime) -> None:
    """Remove the files of models that were refused long ago, else there is one more every night."""
    query = select(SorterModel).where(
        SorterModel.state == ModelState.REFUSED.value, SorterModel.decided_at < now - KEPT_REFUSED
    )
    for row in session.scalars(query):
        model_file(folder, row.id, row.sha256).unlink(missing_ok=True)


def compare(
    champion: Model,
    champion_row: SorterModel,
    challenger: Model,
    used: Sequence[Lesson],
    answers: Sequence[Answer],
    taught: Sequence[Lesson],
    frozen: Sequence[Row],
    mails: Sequence[Text],
    now: dt.datetime,
) -> Trial:
    """Compare the two. `answers` are the challenger's on the lessons `used`, each made without having seen it.

    The champion is asked again about what it has not learned; of what it may have learned, what counts is what it
    (or the one before it) said when the mail came.
    """
    recent = [
        (lesson, answer) for lesson, answer in zip(used, answers, strict=True) if lesson.at > now - RECENT
    ]
    asked = champion.predict([Text(lesson.subject, lesson.body) for lesson, _ in recent])
    before = [
        said.label if lesson.at > champion_row.learned_until or lesson.predicted is None else lesson.predicted
        for (lesson, _), said in zip(recent, asked, strict=True)
    ]
    window = [lesson for lesson in used if lesson.at > now - RECENT]
    certain = [lesson for lesson in window if lesson.predicted is not None and not lesson.abstained]
    return Trial(
        frozen_before=Quality.of(classifier.evaluate(champion, frozen)),
        frozen_after=Quality.of(classifier.evaluate(challenger, frozen)),
        recent=len(recent),
        recent_right_before=sum(
            guess == lesson.label for guess, (lesson, _) in zip(before, recent, strict=True)
        ),
        recent_right_after=sum(answer.label == lesson.label for lesson, answer in recent),
        new_lessons=sum(lesson.at > champion_row.learned_until for lesson in used),
        withheld=len(taught) - len(used),
        certain=len(certain),
        contradicted=sum(lesson.contradicts_certainty for lesson in certain),
        last_month=what_would_change(champion, challenger, mails),
    )


def what_would_change(champion: Model, challenger: Model, mails: Sequence[Text]) -> JSON:
    """What the challenger would have done with some mails, compared with the champion."""
    pairs = [
        (one.line or "unsorted", other.line or "unsorted")
        for one, other in zip(champion.predict(mails), challenger.predict(mails), strict=True)
    ]
    moved = Counter(pair for pair in pairs if pair[0] != pair[1])
    return {
        "mails": len(pairs),
        "same": sum(before == after for before, after in pairs),
        "unsorted_before": sum(before == "unsorted" for before, _ in pairs),
        "unsorted_after": sum(after == "unsorted" for _, after in pairs),
        "moved": [[before, after, count] for (before, after), count in moved.most_common(12)],
    }


def _last_month(session: Session, now: dt.datetime) -> list[Text]:
    """The first messages of the last month's tickets, as the classifier reads them."""
    first = (
        select(func.min(Message.id))
        .join(Ticket, Ticket.id == Message.ticket_id)
        .where(
            Message.direction == Direction.INBOUND.value,
            Ticket.opened_at > now - MONTH,
            Ticket.automatic.is_(False),
            Ticket.channel == MAIL,
        )
        .group_by(Message.ticket_id)
    )
    query = select(Message.subject, Message.new_text, func.left(Message.text, MOST_CHARS))
    found = session.execute(query.where(Message.id.in_(first)).order_by(Message.id.desc()).limit(MOST_MAILS))
    return [Text(subject, new_text or text) for subject, new_text, text in found]
