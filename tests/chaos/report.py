"""What a run did and found, as figures and as sentences."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos import invariants
from tests.chaos.people import People
from tests.chaos.plan import Plan
from tests.chaos.stage import Stage
from tests.chaos.workers import error_log


@dataclass
class Report:
    """What a run did and found."""

    plan: Plan
    ends: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0
    doubles_in_sent_folder: int = 0

    @property
    def kills(self) -> int:
        """Processes that were killed."""
        return self.ends["failpoint"] + self.ends["moment"] + self.ends["mail"]


def errors(stage: Stage) -> list[str]:
    """What the workers stumbled over by themselves: nothing may escape, whatever is killed around them."""
    said = error_log(stage).read_text(errors="replace")
    last_words = [line for line in said.splitlines() if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return invariants.listed("I-0 a worker failed by itself", last_words)


def totals(stage: Stage, people: People) -> dict[str, int]:
    """The figures of the report."""
    kept = [arrival for arrival in stage.sink.look() if arrival.kept]
    different = {(arrival.message_id, arrival.recipient) for arrival in kept}
    hung_up = sum(arrival.fault == "kept, then hung up" for arrival in kept)
    return {
        "mails delivered": len(people.delivered) + people.copies,
        "of them delivered twice": people.copies,
        "clicks of agents": len(people.clicks),
        "mails sent": len(different),
        "extra copies": len(kept) - len(different),
        "accepted, then hung up": hung_up,
        **{f"ledger: {state}": int(number) for state, number in invariants.outcomes(stage)},
    }


def show(report: Report) -> None:
    """The report, for people."""
    plan = report.plan
    rate = report.kills / report.seconds
    print(f"{report.kills} kills in {report.seconds:.0f} s ({rate:.1f}/s), seed {plan.seed}, way {plan.way}")
    for title, counts in (("ends", report.ends), ("failpoints", report.places), ("counts", report.counts)):
        print(f"{title}: " + ", ".join(f"{name} {number}" for name, number in sorted(counts.items())))
    if not report.violations:
        print("0 lost, 0 doubled: every invariant held")
    for violation in dict.fromkeys(report.violations):
        print(f"VIOLATED {violation}")
