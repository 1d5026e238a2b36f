"""How the sorter does: how much it sorts, how often people agree, where it errs, and whether the mail has changed.

Quality is told only of tickets whose line a person confirmed or changed, and each figure says of how many.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, defer

from classifier import LINES, NONE
from classifier.evaluation import Bin, calibration_bins
from helpdesk.desk.lessons import Lesson
from helpdesk.desk.sorting import Prediction
from helpdesk.desk.ticket import FILINGS, Ticket
from helpdesk.settings import LIMA

LABELS = (*LINES, NONE)
ABSTAINED = "unsorted"

# Drift compares the last weeks with those before; under so many mails on either side it says nothing.
DRIFT = dt.timedelta(days=28)
DRIFT_BEFORE = dt.timedelta(days=84)
DRIFT_AT_LEAST = 50
# Below the first the mail is as it was, above the second it is another (the usual reading of the PSI).
STEADY, DRIFTED = 0.10, 0.25


@dataclass(frozen=True, slots=True)
class LineQuality:
    """One line: of what was sorted into it, the share that people agreed with (precision); of what people put
    into it, the share that had been sorted so (recall). None where there is nothing to judge by."""

    line: str
    sorted_into: int
    belonged: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Week:
    """The mail that came in the week that begins on a Monday (Lima)."""

    begins: dt.date
    lines: list[LineQuality]
    checked: int
    right: int


@dataclass(frozen=True, slots=True)
class Drift:
    """Population stability indices of the last weeks against those before; None: too little mail to say.

    The certainty is only compared when one model sorted all of it.
    """

    lines: float | None
    certainty: float | None
    now: int
    before: int

    @property
    def reading(self) -> str | None:
        """ "steady", "moving" or "drifted", by the worse of the two; None: too little mail."""
        known = [value for value in (self.lines, self.certainty) if value is not None]
        if not known:
            return None
        worst = max(known)
        return "steady" if worst < STEADY else "moving" if worst < DRIFTED else "drifted"


@dataclass(frozen=True, slots=True)
class SortingFigures:
    """The figures of a period; shares are computed by the page, which shows what they are shares of."""

    arrived: int
    sorted: int
    abstained: int
    without_model: int
    confirmed: int
    corrected: int
    lines: list[LineQuality]
    confusion: dict[str, dict[str, int]]
    bins: list[Bin]
    weeks: list[Week]
    drift: Drift


def sorting_figures(session: Session, *, since: dt.datetime, now: dt.datetime) -> SortingFigures:
    """The figures of the mail that arrived since a moment; drift is always that of the last weeks."""
    predictions = _predictions(session, since)
    opened = select(func.count()).where(
        Ticket.opened_at >= since,
        Ticket.automatic.is_(False),
        Ticket.merged_into_id.is_(None),
        Ticket.channel != FILINGS,  # nobody sorts them
    )
    known = (
        select(Lesson)
        .options(defer(Lesson.subject), defer(Lesson.body))
        .join(Ticket, Ticket.id == Lesson.ticket_id)
        .where(Lesson.arrived_at >= since, Ticket.merged_into_id.is_(None))
    )
    checked = list(session.scalars(known.order_by(Lesson.arrived_at)))
    judged = [lesson for lesson in checked if lesson.predicted is not None]
    arrived = session.scalar(opened.select_from(Ticket)) or 0
    abstained = sum(one.abstained for one in predictions)
    return SortingFigures(
        arrived=arrived,
        sorted=len(predictions) - abstained,
        abstained=abstained,
        without_model=max(0, arrived - len(predictions)),
        confirmed=sum(lesson.confirms for lesson in judged),
        corrected=sum(not lesson.confirms for lesson in judged),
        lines=[_quality(line, judged) for line in LABELS],
        confusion=_confusion(judged),
        bins=calibration_bins(
            [lesson.probability or 0.0 for lesson in judged], [lesson.confirms for lesson in judged]
        ),
        weeks=_weeks(judged),
        drift=_drift(session, now),
    )


@dataclass(frozen=True, slots=True)
class _Predicted:
    label: str
    probability: float
    abstained: bool
    opened_at: dt.datetime
    model: str


def _predictions(session: Session, since: dt.datetime) -> list[_Predicted]:
    """The first prediction of each ticket that arrived since a moment."""
    query = (
        select(
            Prediction.label, Prediction.probability, Prediction.abstained, Ticket.opened_at, Prediction.model
        )
        .join(Ticket, Ticket.id == Prediction.ticket_id)
        .where(Ticket.opened_at >= since, Ticket.automatic.is_(False), Ticket.merged_into_id.is_(None))
        .ext(distinct_on(Prediction.ticket_id))
        .order_by(Prediction.ticket_id, Prediction.id)
    )
    return [_Predicted(*row) for row in session.execute(query)]


def _guess(lesson: Lesson) -> str | None:
    return ABSTAINED if lesson.abstained else lesson.predicted


def _quality(line: str, judged: Sequence[Lesson]) -> LineQuality:
    into = [lesson for lesson in judged if _guess(lesson) == line]
    belonged = [lesson for lesson in judged if lesson.label == line]
    hits = sum(lesson.label == line for lesson in into)
    return LineQuality(
        line=line,
        sorted_into=len(into),
        belonged=len(belonged),
        precision=hits / len(into) if into else None,
        recall=hits / len(belonged) if belonged else None,
    )


def _confusion(judged: Iterable[Lesson]) -> dict[str, dict[str, int]]:
    pairs = Counter((lesson.label, _guess(lesson)) for lesson in judged)
    return {true: {guess: pairs[true, guess] for guess in (*LABELS, ABSTAINED)} for true in LABELS}


def _weeks(judged: Sequence[Lesson]) -> list[Week]:
    weeks: dict[dt.date, list[Lesson]] = {}
    for lesson in judged:
        day = lesson.arrived_at.astimezone(LIMA).date()
        weeks.setdefault(day - dt.timedelta(days=day.weekday()), []).append(lesson)
    return [
        Week(
            begins,
            [_quality(line, members) for line in LABELS],
            len(members),
            sum(lesson.confirms for lesson in members),
        )
        for begins, members in sorted(weeks.items(), reverse=True)
    ]


def _drift(session: Session, now: dt.datetime) -> Drift:
    found = _predictions(session, now - DRIFT - DRIFT_BEFORE)
    border = now - DRIFT
    recent = [one for one in found if one.opened_at >= border]
    earlier = [one for one in found if one.opened_at < border]
    if min(len(recent), len(earlier)) < DRIFT_AT_LEAST:
        return Drift(None, None, len(recent), len(earlier))
    # Two models are differently certain of the same mail: their certainties say nothing about the mail.
    same_model = len({one.model for one in found}) == 1
    return Drift(
        lines=stability_index([one.label for one in earlier], [one.label for one in recent]),
        certainty=stability_index([_tenth(one) for one in earlier], [_tenth(one) for one in recent])
        if same_model
        else None,
        now=len(recent),
        before=len(earlier),
    )


def _tenth(one: _Predicted) -> str:
    return str(min(int(one.probability * 10), 9))


def stability_index(before: Sequence[str], now: Sequence[str]) -> float:
    """The population stability index of two samples of categories: 0 when their shares are the same.

    The sum over categories of (a - b) · ln(a / b); half a case is added to each, so that none is empty
    (Siddiqi, Credit Risk Scorecards, 2006).
    """
    categories = {*before, *now}
    counts_before, counts_now = Counter(before), Counter(now)
    total = 0.0
    for category in categories:
        a = (counts_now[category] + 0.5) / (len(now) + 0.5 * len(categories))
        b = (counts_before[category] + 0.5) / (len(before) + 0.5 * len(categories))
        total += (a - b) * math.log(a / b)
    return total
