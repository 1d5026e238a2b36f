"""Five hundred kills lose and double nothing; and the harness sees it when a naive way does (G01–G04, I-1…I-6)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpdesk.settings import Settings
from tests.chaos.plan import TURN_OF, Plan
from tests.chaos.report import Report
from tests.chaos.runner import run
from tests.chaos.stage import open_stage
from tests.dovecot import Dovecot

pytestmark = [pytest.mark.needs("dovecot"), pytest.mark.timeout(900)]

Play = Callable[[Plan], Report]
KILLS = 200
SEED = 20261123


@pytest.fixture
def play(settings: Settings, imap_server: Dovecot, tmp_path: Path) -> Play:
    """Play a plan on a stage of this test's own."""

    def played(plan: Plan) -> Report:
        with open_stage(settings, imap_server, tmp_path, plan.seed) as stage:
            return run(stage, plan)

    return played


def test_G01_two_hundred_kills_lose_nothing_and_double_nothing(play: Play) -> None:
    report = play(Plan(KILLS, SEED))
    assert report.violations == [], f"seed {SEED}"
    assert report.kills >= KILLS
    assert set(report.places) == set(TURN_OF), "a worker died at every failpoint"
    assert report.ends["moment"] > KILLS / 10, "and many at any moment"
    assert report.counts["mails delivered"] > KILLS
    assert report.counts["mails sent"] > KILLS / 2


@pytest.mark.parametrize(
    ("way", "violated"),
    [
        pytest.param("read-marks", "I-1 on the server, not in the ledger", id="fetching marks as read"),
        pytest.param("no-key", "I-2 more than one ledger row for a UID", id="no unique key"),
        pytest.param("mark-first", "I-6 never arrived", id="marked as sent first"),
    ],
)
def test_a_naive_way_turns_the_harness_red(play: Play, way: str, violated: str) -> None:
    report = play(Plan(kills=140, seed=SEED, way=way, child_every=0))
    assert any(violation.startswith(violated) for violation in report.violations), report
