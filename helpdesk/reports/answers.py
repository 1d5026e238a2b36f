"""Whether the suggestions are of use: what was offered, what was sent, how much was changed, what was missing.

Hits are counted over messages whose suggestions somebody saw, the rest over all replies of agents; replies taken back
do not count. Each figure says of how many. Time is the time from opening the page to sending, as far as it is known.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from classifier import LINES, NONE
from helpdesk.desk.answer_uses import AnswerUse, approved_without_use
from helpdesk.desk.answers import Answer
from helpdesk.desk.message import Direction, Message
from helpdesk.desk.suggestions import Outcome, Suggestion
from helpdesk.desk.ticket import Ticket
from templates.answer import LANGUAGES

# Below so many replies on either side a median says nothing.
ENOUGH = 5
UNSORTED = "unsorted"


@dataclass(frozen=True, slots=True)
class Offered:
    """What was offered for one message, seen, and decided about."""

    line: str
    ranks: dict[int, tuple[str, str]]  # rank → slug and outcome

    @property
    def none_fitted(self) -> bool:
        """Whether an agent discarded all of it."""
        return all(outcome == Outcome.DISCARDED for _, outcome in self.ranks.values())

    def hit(self, most: int) -> bool:
        """Whether one of the first `most` went out."""
        return any(rank <= most and outcome in _SENT for rank, (_, outcome) in self.ranks.items())


_SENT = (Outcome.USED, Outcome.EDITED)


@dataclass(frozen=True, slots=True)
class LineFigures:
    """One line, or all of them (`line` "all"). Shares are None where there is nothing to judge by.

    `hit_1`, `hit_3`: the first, or one of three, went out. `none_fitted`: an agent discarded them all.
    `saved_s`: the median writing time without an answer less that with one, in seconds.
    """

    line: str
    offered: int
    hit_1: float | None
    hit_3: float | None
    none_fitted: int
    replies: int
    with_answer: int
    edit_share: float | None
    writing_s: float | None
    writing_with_s: float | None

    @property
    def saved_s(self) -> float | None:
        """Seconds saved by a reply; None while too few replies are known."""
        if self.writing_s is None or self.writing_with_s is None:
            return None
        return self.writing_s - self.writing_with_s


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """One answer over a period. `saved_s` compares with replies of its line that were written without any answer."""

    slug: str
    title: str
    line: str
    offered: int
    sent: int
    as_it_is: int
    edit_share: float | None
    discarded: int
    saved_s: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that the page shows for a period."""

    lines: list[LineFigures]
    answers: list[AnswerFigures]
    unused: list[Answer]


@dataclass(slots=True)
class _Reply:
    line: str
    writing_s: int | None
    slugs: list[str] = field(default_factory=list)
    edit_share: float | None = None


def answer_figures(session: Session, *, since: dt.datetime) -> Figures:
    """The figures of what happened since a moment."""
    offered = _offered(session, since)
    replies = _replies(session, since)
    lines = [_line(line, offered, replies) for line in (*LINES, NONE, UNSORTED)]
    lines = [row for row in lines if row.line != UNSORTED or row.offered or row.replies]
    return Figures(
        [*lines, _line("all", offered, replies)],
        _answers(session, offered, replies),
        approved_without_use(session, since),
    )


def _offered(session: Session, since: dt.datetime) -> list[Offered]:
    query = (
        select(Suggestion.message_id, Ticket.line, Suggestion.rank, Answer.slug, Suggestion.outcome)
        .join(Ticket, Ticket.id == Suggestion.ticket_id)
        .join(Answer, Answer.id == Suggestion.answer_id)
        .where(Suggestion.shown_at.is_not(None), Suggestion.outcome_at >= since)
    )
    found: dict[int, Offered] = {}
    for message_id, line, rank, slug, outcome in session.execute(query):
        found.setdefault(message_id, Offered(line or UNSORTED, {})).ranks[rank] = (slug, str(outcome))
    return list(found.values())


def _replies(session: Session, since: dt.datetime) -> list[_Reply]:
    sent = (
        select(Message.id, Ticket.line, Message.writing_s)
        .join(Ticket, Ticket.id == Message.ticket_id)
        .where(
            Message.direction == Direction.OUTBOUND,
            Message.author_id.is_not(None),
            Message.undone_at.is_(None),
            Message.at >= since,
        )
    )
    replies = {id_: _Reply(line or UNSORTED, writing_s) for id_, line, writing_s in session.execute(sent)}
    uses = (
        select(AnswerUse.reply_id, Answer.slug, AnswerUse.edit_share)
        .join(Answer, Answer.id == AnswerUse.answer_id)
        .where(AnswerUse.at >= since)
    )
    for reply_id, slug, share in session.execute(uses):
        if (reply := replies.get(reply_id)) is not None:
            reply.slugs.append(slug)
            reply.edit_share = share
    return list(replies.values())


def _line(line: str, offered: Iterable[Offered], replies: Iterable[_Reply]) -> LineFigures:
    seen = [one for one in offered if line in ("all", one.line)]
    sent = [one for one in replies if line in ("all", one.line)]
    helped = [one for one in sent if one.slugs]
    return LineFigures(
        line=line,
        offered=len(seen),
        hit_1=_share(sum(one.hit(1) for one in seen), len(seen)),
        hit_3=_share(sum(one.hit(3) for one in seen), len(seen)),
        none_fitted=sum(one.none_fitted for one in seen),
        replies=len(sent),
        with_answer=len(helped),
        edit_share=_mean([one.edit_share for one in helped if one.edit_share is not None]),
        writing_s=_median(one.writing_s for one in sent if not one.slugs),
        writing_with_s=_median(one.writing_s for one in helped),
    )


def _answers(session: Session, offered: Iterable[Offered], replies: Sequence[_Reply]) -> list[AnswerFigures]:
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in offered:
        for slug, outcome in one.ranks.values():
            outcomes[slug][outcome] += 1
    sent: defaultdict[str, list[_Reply]] = defaultdict(list)
    for reply in replies:
        for slug in reply.slugs:
            sent[slug].append(reply)
    named = _titles(session, {*outcomes, *sent})
    rows = [
        _answer(slug, *named[slug], outcomes[slug], sent[slug], replies)
        for slug in sorted({*outcomes, *sent})
    ]
    return sorted(rows, key=lambda row: (-row.sent, -row.offered, row.slug))


def _titles(session: Session, slugs: set[str]) -> dict[str, tuple[str, str]]:
    query = select(Answer.slug, Answer.title, Answer.line).where(Answer.slug.in_(slugs))
    query = query.order_by(Answer.language == LANGUAGES[0], Answer.id)  # the last one counts
    return {slug: (title, line) for slug, title, line in session.execute(query)}


def _answer(
    slug: str,
    title: str,
    line: str,
    outcomes: Counter[str],
    sent: Sequence[_Reply],
    replies: Iterable[_Reply],
) -> AnswerFigures:
    without = _median(one.writing_s for one in replies if one.line == line and not one.slugs)
    with_it = _median(one.writing_s for one in sent)
    shares = [one.edit_share for one in sent if one.edit_share is not None]
    return AnswerFigures(
        slug=slug,
        title=title,
        line=line,
        offered=outcomes.total(),
        sent=len(sent),
        as_it_is=sum(share == 0 for share in shares),
        edit_share=_mean(shares),
        discarded=outcomes[Outcome.DISCARDED],
        saved_s=without - with_it if without is not None and with_it is not None else None,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _median(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(median(known)) if len(known) >= ENOUGH else None
