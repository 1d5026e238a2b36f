"""The parsing child: it answers, it is replaced when it fails, and it ends with its parent (T26)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from helpdesk.mail.child import ChildFailed, LimitedChild
from helpdesk.mail.parse import parse
from helpdesk.mail.sandbox import LIMITS, ParseFailed, ParserProcess
from tests.core import hungry_child

MAIL = "From: Ana <ana@example.com>\nSubject: Señal\n\nBuenos días a todos\n".encode()
HUNGRY = hungry_child.__name__


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserProcess]:
    with ParserProcess(wall_limit_s=15) as process:
        yield process


def child_of(parser: ParserProcess) -> subprocess.Popen[bytes]:
    child = parser._child._process
    assert child is not None
    return child


def test_the_child_reads_as_the_parser_does_also_after_its_worker_was_renewed(parser: ParserProcess) -> None:
    for _ in range(LIMITS.requests_per_worker + 5):
        assert parser.parse(MAIL) == parse(MAIL)


def test_a_mail_of_25_mb_passes_through_both_pipes(parser: ParserProcess) -> None:
    raw = b"From: a@example.com\nContent-Type: application/zip\n\n" + os.urandom(1 << 20) * 23
    (attachment,) = parser.parse(raw).attachments
    assert attachment.content == raw.partition(b"\n\n")[2]


def test_a_mail_that_needs_more_than_512_mb_is_told_and_a_good_one_is_read_right_after(
    parser: ParserProcess,
) -> None:
    # Intake never hands over more than 25 MB; what is larger must end as such, and not with a dead desk.
    with pytest.raises(ParseFailed) as failure:
        parser.parse(bytes(400_000_000))
    assert failure.value.reason == "used more than 512 MB"
    assert parser.parse(MAIL).subject == "Señal"


def test_memory_that_runs_out_while_parsing_is_told_by_a_living_child() -> None:
    with LimitedChild(HUNGRY, "parser", LIMITS) as child:
        answer, blocks = child.ask(b"100")
        assert (answer, blocks) == ({"eaten": 100}, [b"x"])
        process = child._process
        with pytest.raises(ChildFailed) as failure:
            child.ask(b"2000")
        assert failure.value.reason == "used more than 512 MB"
        assert child.ask(b"1") == ({"eaten": 1}, [b"x"])
        assert child._process is process


def test_a_child_may_refuse_in_its_own_words_and_may_not_answer_more_than_allowed() -> None:
    with LimitedChild(HUNGRY, "parser", replace(LIMITS, max_content_bytes=0)) as child:
        with pytest.raises(ChildFailed, match="nothing to eat"):
            child.ask(b"0")
        with pytest.raises(ChildFailed, match="the parser process died"):
            child.ask(b"1")


def test_a_child_that_uses_up_its_processor_time_is_told() -> None:
    with (
        LimitedChild(HUNGRY, "parser", replace(hungry_child.LIMITS, wall_s=60.0)) as child,
        pytest.raises(ChildFailed, match="took longer than 1 s of CPU"),
    ):
        child.ask(b"-1")


def test_a_child_that_cannot_start_is_told() -> None:
    with (
        LimitedChild("tests.no_such_module", "parser", LIMITS) as child,
        pytest.raises(ChildFailed, match="the parser process did not start"),
    ):
        child.ask(b"")


def test_the_child_writes_no_file_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "secreto")
    with LimitedChild(HUNGRY, "parser", LIMITS) as child:
        assert child.ask(b"write")[0] == {"written": False, "secret": None}


def test_no_child_is_started_before_it_is_needed_and_none_is_left() -> None:
    with ParserProcess() as parser:
        assert parser._child._process is None
        parser.parse(MAIL)
        child = child_of(parser)
    assert child.returncode is not None
    parser.close()


def test_a_hanging_child_is_killed_and_the_next_mail_has_a_fresh_one() -> None:
    with ParserProcess(wall_limit_s=0.5) as parser:
        parser.parse(MAIL)
        stuck = child_of(parser)
        os.killpg(stuck.pid, signal.SIGSTOP)
        with pytest.raises(ParseFailed, match=r"took longer than 0\.5 s"):
            parser.parse(MAIL)
        assert stuck.returncode == -signal.SIGKILL
        assert parser.parse(MAIL).subject == "Señal"


@pytest.mark.parametrize(
    ("deadly", "reason"),
    [(signal.SIGKILL, "the parser process died"), (signal.SIGXCPU, "took longer than 10 s of CPU")],
)
def test_a_worker_that_dies_over_a_mail_is_told_and_replaced(
    parser: ParserProcess, deadly: signal.Signals, reason: str
) -> None:
    parser.parse(MAIL)
    worker = worker_of(child_of(parser).pid)
    os.kill(worker, signal.SIGSTOP)
    threading.Timer(0.3, end_stopped, (worker, deadly)).start()
    with pytest.raises(ParseFailed) as failure:
        parser.parse(MAIL)
    assert failure.value.reason == reason
    assert parser.parse(MAIL).subject == "Señal"


def end_stopped(pid: int, deadly: signal.Signals) -> None:
    os.kill(pid, deadly)
    with contextlib.suppress(ProcessLookupError):  # it may be gone already
        os.kill(pid, signal.SIGCONT)


def worker_of(pid: int) -> int:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (map(int, line.split()) for line in listing.stdout.splitlines())
    return next(child for child, parent in pairs if parent == pid)


def test_a_child_that_died_between_mails_is_replaced_without_a_word(parser: ParserProcess) -> None:
    parser.parse(MAIL)
    os.killpg(child_of(parser).pid, signal.SIGKILL)
    child_of(parser).wait()
    assert parser.parse(MAIL).subject == "Señal"


def test_the_child_ends_when_its_parent_is_gone(parser: ParserProcess) -> None:
    parser.parse(MAIL)
    child = child_of(parser)
    assert child.stdin is not None
    child.stdin.close()
    deadline = time.monotonic() + 5
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert child.returncode == 0


def test_threads_may_share_one_parser(parser: ParserProcess) -> None:
    mails = [f"From: a@example.com\nSubject: n{number}\n\nhola\n".encode() for number in range(60)]
    with ThreadPoolExecutor(6) as pool:
        subjects = [mail.subject for mail in pool.map(parser.parse, mails)]
    assert subjects == [f"n{number}" for number in range(60)]
