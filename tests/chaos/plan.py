"""From a seed to a plan: which workers start, where each of them dies, and what people do meanwhile.

The plan is the same for the same seed. What the operating system makes of it is not, so a seed brings back
the kind of run that failed, not its microseconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from helpdesk import failpoints

TURNS = ("read", "file", "send")
# Who is to die at a place begins with the work in which it lies.
TURN_OF = {
    **dict.fromkeys((*failpoints.RECEIVING, *failpoints.MARKING, *failpoints.COPYING), "read"),
    **dict.fromkeys(failpoints.FILING, "file"),
    **dict.fromkeys(failpoints.SENDING, "send"),
}

# The moment of a kill is drawn from the whole of a worker's first two rounds or so: connecting, reading, filing,
# sending. On a slow or busy machine the nursery stretches it (`nursery.Nursery`).
MOMENT_MS = 100
# A parser's child that is started anew takes half a second: its worker lives long enough to use it.
STARTED_MS = 1000
STARTED_EVERY = 50
# Who waits for a place that nobody passes is killed after so many rounds all the same, at the latest in 5 s.
ROUNDS = 2
PATIENCE_MS = 5_000
# How many die at a named place; the others die at any moment.
AT_A_FAILPOINT = 0.5
# How often a worker passes its place before it dies there: mostly the first time.
PASSES = (1, 1, 1, 2)


@dataclass(frozen=True)
class Plan:
    """What to run. `child_every`: each how manieth worker parses in a real child; 0 for none."""

    kills: int
    seed: int
    workers: int = 3
    way: str = "ours"
    child_every: int = 10


@dataclass(frozen=True)
class Victim:
    """A worker and its end: at a failpoint (`name@pass`), or after `after_ms`."""

    after_ms: int
    failpoint: str = ""
    first: str = "read"  # what it begins with; then it goes on in turn: read, file, send
    child: str = ""  # where it parses: in the worker itself, in a "forked" child, or in one "started" anew
    in_peace: bool = False  # may leave when there is nothing left to do


IN_PEACE = Victim(30_000, in_peace=True)

# What people do while workers die, and how often: two acts for each kill.
ACTS = {
    "ask": 45,  # a citizen writes
    "answer": 25,  # an agent sends a reply
    "answer twice": 5,  # the same click arrives twice
    "reply": 15,  # a citizen answers a mail that reached him
    "same again": 5,  # the very same bytes are delivered a second time
    "bounce": 4,  # a mail of ours comes back
    "poison": 0.4,  # a mail that the parser refuses
    "deadly": 0.2,  # a mail that ends the process that parses it
}
ACTS_PER_KILL = 2


@dataclass(frozen=True)
class Step:
    """One kill, and what people do before it."""

    victim: Victim
    acts: tuple[str, ...]


def steps(plan: Plan) -> Iterator[Step]:
    """The plan's kills; each failpoint gets its turn, then another, in an order of the seed."""
    chance = random.Random(plan.seed)
    places: list[str] = []
    for number in range(plan.kills):
        acts = tuple(chance.choices(tuple(ACTS), tuple(ACTS.values()), k=ACTS_PER_KILL))
        child = _child(number + 1, plan.child_every)
        if chance.random() >= AT_A_FAILPOINT:
            life_ms = STARTED_MS if child == "started" else MOMENT_MS
            yield Step(Victim(chance.randint(0, life_ms), "", chance.choice(TURNS), child), acts)
            continue
        places = places or chance.sample(tuple(TURN_OF), len(TURN_OF))
        place = places.pop()
        yield Step(Victim(PATIENCE_MS, f"{place}@{chance.choice(PASSES)}", TURN_OF[place], child), acts)


def _child(number: int, child_every: int) -> str:
    if not child_every or number % child_every:
        return ""
    return "forked" if number % STARTED_EVERY else "started"
