"""One run: workers die by the plan while people write; every few hundred kills all is let finish, and counted."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import text

from helpdesk.desk import ledger
from helpdesk.desk.ledger import RawMail
from tests.chaos import invariants
from tests.chaos.invariants import Box
from tests.chaos.naive import WAYS
from tests.chaos.nursery import End
from tests.chaos.people import People
from tests.chaos.plan import IN_PEACE, Plan, Step, steps
from tests.chaos.report import Report, errors, totals
from tests.chaos.stage import LEASE_S, Stage
from tests.chaos.workers import Workers, running_workers

# Kills between two counts; each time in a new mailbox, so that the looks stay cheap.
KILLS_A_ROUND = 500
LOOK_EVERY = 10
# A deadly mail ends so many workers in peace as it is allowed attempts; no run needs more than this.
WORKERS_IN_PEACE = 300
# Time passes: what the server put off is due now, not in half an hour.
TIME_PASSES = "update outgoing set send_at = now() where state in ('ready', 'uncertain') and send_at > now()"
UNFINISHED = """
    select count(*) from outgoing where state in ('ready', 'handing', 'uncertain')
    union all select count(*) from raw_mail where state = 'received'
"""
NOT_COPIED = """
    union all select count(*) from outgoing where state = 'sent' and not notice and copied_at is null
"""

Progress = Callable[[int], None]


@dataclass
class Run:
    """A run under way."""

    stage: Stage
    people: People
    workers: Workers
    report: Report
    box: Box

    def kill(self, round_: list[Step], progress: Progress) -> None:
        """One kill after the other, with people at work; now and then a look while workers are dying."""
        window = 2 * self.report.plan.workers
        for number, step in enumerate(round_, 1):
            self.workers.order(step.victim)
            for act in step.acts:
                self.people.do(act)
            while self.workers.waiting >= window:
                self.note(self.workers.end())
            if number % LOOK_EVERY == 0:
                self.time_passes()
                self.report.violations += invariants.while_running(self.stage, self.box)
                progress(self.report.kills)
        while self.workers.waiting:
            self.note(self.workers.end())

    def note(self, end: End) -> None:
        """Count how a worker ended."""
        self.report.ends[end.how] += 1
        if end.how == "failpoint":
            self.report.places[end.failpoint.partition("@")[0]] += 1

    def time_passes(self) -> None:
        """Make due what the sink put off."""
        with self.stage.sessions.begin() as session:
            session.execute(text(TIME_PASSES))

    def finish(self) -> None:
        """Let workers work in peace until nothing is left; an agent tries again what was set aside by accident."""
        self.rest()
        if self.try_again():
            self.rest()
        self.report.violations += invariants.at_rest(self.stage, self.people, self.box)
        copies = invariants.copies_in_the_sent_folder(self.box)
        self.report.doubles_in_sent_folder += copies.total() - len(copies)

    def rest(self) -> None:
        """One worker after the other in peace, until one has left nothing behind."""
        for _ in range(WORKERS_IN_PEACE):
            time.sleep(LEASE_S)  # the last victims' leases must be over
            self.time_passes()
            self.workers.order(IN_PEACE)
            self.note(self.workers.end())
            if not self.unfinished():
                return
        self.report.violations.append("I-1 the work does not come to an end")

    def unfinished(self) -> bool:
        """Whether a worker has left something behind."""
        way = WAYS[self.report.plan.way]
        query = UNFINISHED + NOT_COPIED if way.copies else UNFINISHED
        return any(left for (left,) in invariants.ask(self.stage, query))

    def try_again(self) -> int:
        """What an agent does with good mail whose workers died too often: one click. Returns how many."""
        query = "select id, raw from raw_mail where state = 'set_aside'"
        good = [number for number, raw in invariants.ask(self.stage, query) if b"X-Chaos" not in raw]
        self.report.ends["tried again by hand"] += len(good)
        with self.stage.sessions.begin() as session:
            for number in good:
                ledger.retry(session, session.get_one(RawMail, number))
        return len(good)


def run(stage: Stage, plan: Plan, progress: Progress = lambda _kills: None) -> Report:
    """Play the plan. What is wrong afterwards is in the report; it raises only when the harness itself fails."""
    began = time.monotonic()
    report = Report(plan)
    people = People(stage, random.Random(plan.seed))
    todo = steps(plan)
    box = open_box(stage, people)
    with running_workers(stage, plan, box.mailbox_id) as workers:
        prepare(stage, WAYS[plan.way].before)
        while round_ := list(islice(todo, KILLS_A_ROUND)):
            if report.kills:
                box = open_box(stage, people)
                workers.mailbox_id = box.mailbox_id
            one = Run(stage, people, workers, report, box)
            one.kill(round_, progress)
            one.finish()
    report.violations += errors(stage)
    report.counts = {**totals(stage, people), "doubles in Sent": report.doubles_in_sent_folder}
    report.seconds = time.monotonic() - began
    return report


def open_box(stage: Stage, people: People) -> Box:
    """A new mailbox with a first mail in it, and a person who looks into it."""
    people.user = f"chaos{os.urandom(6).hex()}"
    stage.server.send_people_home()
    mailbox_id = stage.new_mailbox(people.user)
    people.ask()
    return Box(mailbox_id, stage.server.client(people.user))


def prepare(stage: Stage, sql: str) -> None:
    """Make room for a naive way."""
    if sql:
        with stage.sessions.begin() as session:
            session.execute(text(sql))
