"""Damaged mails through the real parser: `python -m tests.fuzz --mails 1000000 --seed 1 --jobs 2 --keep /tmp/faults`.

In: the loop over the mails in several processes, what is counted, how a fault is told so that it can be repeated
(`--seed S --only INDEX`). Not in: the damage (`mutate.py`) and what must hold (`checks.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import psutil

from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from tests.fuzz.checks import MAX_SECONDS, faults
from tests.fuzz.mutate import mutant
from tests.fuzz.seeds import load_seeds

BLOCK = 2_000
LOOK_EVERY = 50
TRIES = 3


@dataclass(frozen=True)
class Fault:
    """One mail for which something does not hold; `python -m tests.fuzz --seed S --only INDEX` makes it again."""

    seed: int
    index: int
    what: str


@dataclass
class Tally:
    """What was seen: how many mails, the faults, the defects, the slowest (seconds, index).

    `peak_kib` is the most memory that a parser's process ever had, as far as it was looked at.
    """

    mails: int = 0
    size: int = 0
    slowest: tuple[float, int] = (0.0, -1)
    peak_kib: int = 0
    defects: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.mails += other.mails
        self.size += other.size
        self.slowest = max(self.slowest, other.slowest)
        self.peak_kib = max(self.peak_kib, other.peak_kib)
        self.defects.update(other.defects)
        self.faults += other.faults


@functools.cache
def _seeds() -> list[bytes]:
    return load_seeds()


@functools.cache
def _parser() -> ParserProcess:
    """The parser of this process; it ends with it, because its pipe ends."""
    return ParserProcess()


def run_block(seed: int, indexes: range) -> Tally:
    """Make, parse and check these mails in this process."""
    tally = Tally()
    for index in indexes:
        raw = mutant(_seeds(), seed, index)
        seconds, mail, failures = parse_timed(_parser(), raw)
        tally.mails += 1
        tally.size += len(raw)
        tally.slowest = max(tally.slowest, (seconds, index))
        if mail is not None:
            tally.defects.update(mail.defects)
            failures += list(faults(mail))
        tally.faults += [Fault(seed, index, what) for what in failures]
        if tally.mails % LOOK_EVERY == 0:
            tally.peak_kib = max(tally.peak_kib, *peaks_kib(), 0)
    return tally


def peaks_kib() -> Iterator[int]:
    """The peak memory of each process below this one."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(OSError, IndexError):  # it has ended
            status = Path(f"/proc/{child.pid}/status").read_text()
            yield int(status.partition("VmHWM:")[2].split()[0])


def parse_timed(parser: ParserProcess, raw: bytes) -> tuple[float, ParsedMail | None, list[str]]:
    """Parse; how long it took, the mail, and what went wrong.

    A mail is slow when it is slow three times: one slow time may be another process's.
    """
    seconds = MAX_SECONDS
    mail: ParsedMail | None = None
    for _ in range(TRIES):
        started = time.perf_counter()
        try:
            mail = parser.parse(raw)
        except ParseFailed as failure:
            return time.perf_counter() - started, None, [f"failed: {failure.reason}"]
        seconds = time.perf_counter() - started
        if seconds < MAX_SECONDS:
            return seconds, mail, []
    return seconds, mail, [f"took {seconds:.1f} s"]


def blocks(mails: int) -> Iterator[range]:
    """The indexes from 0 in blocks that one process takes at a time."""
    return (range(start, min(start + BLOCK, mails)) for start in range(0, mails, BLOCK))


def run(mails: int, seed: int, jobs: int) -> Iterator[Tally]:
    """The tally of each block, as they come."""
    if jobs == 1:
        yield from (run_block(seed, block) for block in blocks(mails))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(functools.partial(run_block, seed), blocks(mails))


def total(tallies: Iterable[Tally]) -> Tally:
    """All tallies in one."""
    sum_ = Tally()
    for tally in tallies:
        sum_.add(tally)
    return sum_


def keep(folder: Path, fault: Fault) -> Path:
    """Write the mail of a fault into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"fuzz-{fault.seed}-{fault.index}.eml"
    path.write_bytes(mutant(_seeds(), fault.seed, fault.index))
    return path


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit code 1 when anything does not hold."""
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--mails", type=int, default=50_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--jobs", type=int, default=1)
    asked.add_argument(
        "--only", type=int, metavar="INDEX", help="repeat one mail, and say what is wrong with it"
    )
    asked.add_argument(
        "--keep", type=Path, default=Path("var/fuzz"), help="where the mails of faults are written"
    )
    options = asked.parse_args(arguments)
    started = time.perf_counter()
    sum_ = Tally()
    once = (
        [run_block(options.seed, range(options.only, options.only + 1))] if options.only is not None else None
    )
    for tally in once or run(options.mails, options.seed, options.jobs):
        sum_.add(tally)
        for fault in tally.faults:
            print(
                f"--seed {fault.seed} --only {fault.index}: {fault.what}  {keep(options.keep, fault)}",
                flush=True,
            )
    seconds = time.perf_counter() - started
    print(
        f"{sum_.mails} mails, {sum_.size / 1e6:.0f} MB, {seconds:.0f} s, {sum_.mails / seconds:.0f} a second"
    )
    print(f"slowest {sum_.slowest[0]:.2f} s (index {sum_.slowest[1]}), {len(sum_.faults)} faults")
    print(f"peak memory of a parser's process {sum_.peak_kib / 1024:.0f} MiB")
    print(", ".join(f"{name} {count}" for name, count in sum_.defects.most_common()))
    return 1 if sum_.faults else 0
