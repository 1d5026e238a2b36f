"""The figures of the answers, recounted by hand: each says of how many, and none is made of too little."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from classifier import LINES, NONE
from helpdesk.accounts.users import Role, User
from helpdesk.db import open_engine, open_sessions
from helpdesk.desk.answer_uses import AnswerUse
from helpdesk.desk.answers import Answer, approved_answer
from helpdesk.desk.message import Message
from helpdesk.desk.suggestions import Suggestion
from helpdesk.desk.ticket import Ticket
from helpdesk.reports.answers import ENOUGH, AnswerFigures, Figures, LineFigures, answer_figures

NOW = dt.datetime(2026, 11, 23, 15, 0, tzinfo=dt.UTC)
SINCE = NOW - dt.timedelta(days=30)
CARD, GOODS, CAR = "retorno-tarjeta-migrante-retornado", "retorno-bienes-sin-impuestos", "retorno-vehiculo"
SLUGS = (CARD, GOODS, CAR)


@dataclass
class Past:
    """A desk's past, written straight into its tables."""

    session: Session
    ana: User
    numbers: Iterator[int]

    def ticket(self, line: str | None = "return") -> Ticket:
        ticket = Ticket(
            number=f"T{next(self.numbers)}",
            subject="x",
            line=line,
            opened_at=NOW,
            waiting_since=NOW,
            updated_at=NOW,
        )
        self.session.add(ticket)
        self.session.flush()
        return ticket

    def message(
        self, ticket: Ticket, direction: str, *, at: dt.datetime = NOW, writing_s: int | None = None
    ) -> Message:
        author = None if direction == "inbound" else self.ana.id
        message = Message(
            ticket_id=ticket.id, direction=direction, author_id=author, at=at, writing_s=writing_s
        )
        self.session.add(message)
        self.session.flush()
        return message

    def answer(self, slug: str) -> Answer:
        found = approved_answer(self.session, slug)
        assert found is not None
        return found

    def offer(
        self, *outcomes: str | None, line: str | None = "return", seen: bool = True, at: dt.datetime = NOW
    ) -> None:
        """A message for which answers were offered, best first, and what became of each."""
        ticket = self.ticket(line)
        message = self.message(ticket, "inbound", at=at)
        for rank, (slug, outcome) in enumerate(zip(SLUGS, outcomes, strict=False), 1):
            row = Suggestion(
                ticket_id=ticket.id,
                message_id=message.id,
                answer_id=self.answer(slug).id,
                rank=rank,
                score=1.0,
                words=[],
                at=at,
                shown_at=at if seen else None,
                outcome=outcome,
                outcome_at=at if outcome else None,
            )
            self.session.add(row)

    def reply(
        self,
        *slugs: str,
        share: float = 0.0,
        writing_s: int | None = None,
        line: str | None = "return",
        at: dt.datetime = NOW,
    ) -> Message:
        """A reply that was sent, made of these answers."""
        ticket = self.ticket(line)
        reply = self.message(ticket, "outbound", at=at, writing_s=writing_s)
        for slug in slugs:
            use = AnswerUse(
                answer_id=self.answer(slug).id,
                ticket_id=ticket.id,
                reply_id=reply.id,
                user_id=self.ana.id,
                edit_share=share,
                at=at,
            )
            self.session.add(use)
        return reply

    def figures(self) -> Figures:
        self.session.flush()
        return answer_figures(self.session, since=SINCE)

    def line(self, name: str = "all") -> LineFigures:
        return next(row for row in self.figures().lines if row.line == name)

    def of(self, slug: str) -> AnswerFigures:
        return next(row for row in self.figures().answers if row.slug == slug)


@pytest.fixture
def past(database_url: str) -> Iterator[Past]:
    engine = open_engine(database_url)
    with open_sessions(engine).begin() as session:
        ana = User(email="ana", name="Ana", role=Role.AGENT.value, password="", fs_uniquifier="ana")
        session.add(ana)
        session.flush()
        yield Past(session, ana, count())
    engine.dispose()


def test_where_nothing_happened_nothing_is_said(past: Past) -> None:
    figures = past.figures()
    assert [row.line for row in figures.lines] == [*LINES, NONE, "all"]
    for row in figures.lines:
        assert (row.offered, row.none_fitted, row.replies, row.with_answer) == (0, 0, 0, 0)
        assert (row.hit_1, row.hit_3, row.edit_share, row.saved_s) == (None, None, None, None)
    assert figures.answers == []


def test_hits_are_shares_of_the_messages_for_which_something_was_seen_and_decided(past: Past) -> None:
    past.offer("used", "passed", "passed")
    past.offer("edited", "passed")
    past.offer("passed", "passed", "used")
    past.offer("passed", "passed", "passed")
    past.offer("discarded", "discarded", "discarded")
    past.offer("discarded", "passed", "passed")
    past.offer("used", seen=False)
    past.offer(None, None, None)
    past.offer("used", at=SINCE - dt.timedelta(seconds=1))
    row = past.line()
    assert (row.offered, row.hit_1, row.hit_3, row.none_fitted) == (6, 2 / 6, 3 / 6, 1)


def test_each_line_has_its_own_figures_and_what_is_unsorted_is_shown_when_there_is_some(past: Past) -> None:
    past.offer("used", line="return")
    past.offer("passed", line="foreigner")
    past.reply(CARD, line="foreigner")
    past.offer("used", line=None)
    past.reply(line=None)
    figures = {row.line: row for row in past.figures().lines}
    counted = {name: (row.offered, row.hit_1, row.replies, row.with_answer) for name, row in figures.items()}
    assert counted == {
        **dict.fromkeys(("abroad", "resident_abroad", "none"), (0, None, 0, 0)),
        "return": (1, 1.0, 0, 0),
        "foreigner": (1, 0.0, 1, 1),
        "unsorted": (1, 1.0, 1, 0),
        "all": (3, 2 / 3, 2, 1),
    }


def test_the_edit_share_is_the_mean_of_the_replies_that_were_made_of_answers(past: Past) -> None:
    past.reply(CARD, GOODS, share=0.5)
    past.reply(CARD, share=0.25)
    past.reply(CARD)
    past.reply()
    row = past.line()
    assert (row.replies, row.with_answer, row.edit_share) == (4, 3, 0.25)


def test_what_is_no_reply_of_ours_is_not_counted(past: Past) -> None:
    past.message(past.ticket(), "note")
    past.message(past.ticket(), "inbound")
    past.message(past.ticket(), "outbound").author_id = None  # a notice, or written elsewhere
    past.reply(CARD, at=SINCE - dt.timedelta(seconds=1))
    past.reply(CARD).undone_at = NOW
    row = past.line()
    assert (row.replies, row.with_answer, row.edit_share) == (0, 0, None)
    assert past.figures().answers == []


def test_time_saved_is_the_difference_of_the_medians_when_enough_is_known_on_both_sides(past: Past) -> None:
    known, with_it = [10, 20, 300, 1000, 3000], [10, 20, 100, 200, 3000]
    expected: dict[str, tuple[list[int | None], list[int | None], float | None]] = {
        "return": ([*known], [*with_it], 200.0),
        "foreigner": ([*with_it], [*known], -200.0),
        "abroad": ([*known[1:]], [*with_it], None),
        "resident_abroad": ([*known], [*with_it[1:]], None),
        "none": ([*known[1:], None], [*with_it], None),
    }
    for line, (without, with_answer, _) in expected.items():
        for seconds in without:
            past.reply(writing_s=seconds, line=line)
        for seconds in with_answer:
            past.reply(CARD, writing_s=seconds, line=line)
    found = {row.line: row.saved_s for row in past.figures().lines if row.line != "all"}
    assert found == {line: saved for line, (*_, saved) in expected.items()}
    assert len(known) == len(with_it) == ENOUGH


def test_the_time_that_an_answer_saves_is_compared_with_its_own_line(past: Past) -> None:
    for _ in range(ENOUGH):
        past.reply(writing_s=1000, line="foreigner")
        past.reply(CARD, writing_s=60)
    assert past.line().saved_s == 940.0
    assert past.of(CARD).saved_s is None
    for _ in range(ENOUGH):
        past.reply(writing_s=300)
    assert past.of(CARD).saved_s == 240.0


def test_an_answer_says_how_often_it_was_offered_sent_changed_and_discarded(past: Past) -> None:
    past.offer("used", "passed", "passed")
    past.offer("discarded", "discarded", "discarded")
    past.offer("edited", "passed")
    past.offer("used", seen=False)
    past.reply(CARD)
    past.reply(CARD, CAR, share=0.5)
    rows = {row.slug: row for row in past.figures().answers}
    counted = {
        slug: (row.offered, row.sent, row.as_it_is, row.edit_share, row.discarded)
        for slug, row in rows.items()
    }
    assert counted == {CARD: (3, 2, 1, 0.25, 1), GOODS: (3, 0, 0, None, 1), CAR: (2, 1, 0, 0.5, 1)}
    assert [row.slug for row in past.figures().answers] == [CARD, CAR, GOODS], "the most sent first"


def test_an_answer_is_called_as_its_spanish_version_is(past: Past) -> None:
    past.reply(CARD)
    assert (past.of(CARD).title, past.of(CARD).line) == (past.answer(CARD).title, "return")


def test_an_answer_counts_in_all_its_languages_together(past: Past) -> None:
    past.reply(CARD)
    english = approved_answer(past.session, CARD, "en")
    assert english is not None
    past.session.flush()
    for use in past.session.scalars(select(AnswerUse)):
        use.answer_id = english.id
    past.reply(CARD)
    assert (past.of(CARD).sent, past.line().with_answer) == (2, 2)


def test_never_used_is_what_is_approved_and_was_not_sent_in_the_period(past: Past) -> None:
    past.reply(CARD)
    past.reply(GOODS, at=SINCE - dt.timedelta(seconds=1))
    past.answer(CAR).status = "retired"
    slugs = {answer.slug for answer in past.figures().unused}
    assert CARD not in slugs
    assert GOODS in slugs
    assert CAR not in slugs


def test_an_answer_in_several_languages_is_once_among_the_never_used(past: Past) -> None:
    unused = [answer for answer in past.figures().unused if answer.slug == CARD]
    assert [answer.language for answer in unused] == ["es"]


def test_an_answer_whose_only_reply_was_taken_back_was_never_used(past: Past) -> None:
    past.reply(CARD).undone_at = NOW
    assert CARD in {answer.slug for answer in past.figures().unused}
