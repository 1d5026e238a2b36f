"""What a victim does until it dies: poll the mailbox, file, send; again and again, as a real worker.

The rules and adapters are the product's own. Only the parser's place differs: starting its child costs half a
second, so most workers parse in their own process; one in ten has a child (`plan.py`, `forked.py`).
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from helpdesk.db import Sessions, open_engine, open_sessions
from helpdesk.desk import tables
from helpdesk.desk.catalogue import Catalogue
from helpdesk.desk.filing import Counts, Filer
from helpdesk.desk.intake import poll_one
from helpdesk.desk.sending import send_due
from helpdesk.desk.sorter import Sorter
from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from helpdesk.mail.smtp import SmtpServer
from helpdesk.settings import Settings
from tests.chaos.forked import fork_instead_of_starting
from tests.chaos.plan import ROUNDS, TURNS, Victim

assert tables.metadata.tables
log = logging.getLogger(__name__)

POISON = b"X-Chaos: poison"
DEADLY = b"X-Chaos: deadly"
IDLE_S = 0.03


class HereParser(ParserProcess):
    """The real parser in the worker itself. A deadly mail ends the worker, as a fault in a C library would."""

    def parse(self, raw: bytes) -> ParsedMail:
        """Parse without a process."""
        if DEADLY in raw:
            os.kill(os.getpid(), signal.SIGABRT)
        if POISON in raw:
            raise ParseFailed("took longer than 20 s")
        return parse(raw)


class ChildParser(ParserProcess):
    """The real parser in its real child. Poison and deadly mail cost only the child."""

    def parse(self, raw: bytes) -> ParsedMail:
        """Parse in the child."""
        if DEADLY in raw or POISON in raw:
            self.close()
            raise ParseFailed("the parser process died")
        return super().parse(raw)


@dataclass(frozen=True)
class Tools:
    """What all victims share: opened once by the nursery, inherited by fork."""

    settings: Settings
    engine: Engine
    sorter: Sorter
    catalogue: Catalogue
    server: SmtpServer

    @classmethod
    def from_settings(cls, settings: Settings) -> Tools:
        """The tools of a desk."""
        assert settings.database_url
        sorter = Sorter(settings.model_path)
        server = SmtpServer.from_settings(settings)
        return cls(settings, open_engine(settings.database_url), sorter, Catalogue(), server)

    @property
    def sessions(self) -> Sessions:
        """The database."""
        return open_sessions(self.engine)

    def filer(self, parser: ParserProcess) -> Filer:
        """The filer of one worker."""
        return Filer(self.sessions, self.settings, parser, self.sorter, self.catalogue)


def poll(tools: Tools, filer: Filer, mailbox_id: int) -> int | None:
    """One poll as the product does it. Returns how much there was to do; None when another worker reads."""
    done = poll_one(tools.sessions, filer, tools.settings, mailbox_id)
    if done is None:
        return None
    return done.received + filed(done.filed) + done.marked + done.copied + done.sent_read


def send(tools: Tools) -> int:
    """One round of sending as the product does it."""
    return send_due(tools.sessions, tools.server, lease_s=tools.settings.lease_s)


@dataclass(frozen=True)
class Way:
    """A way to work: the product's, or a naive one (`naive.py`). `before` is SQL that makes room for it."""

    poll: Callable[[Tools, Filer, int], int | None] = poll
    send: Callable[[Tools], int] = send
    before: str = ""
    copies: bool = True  # whether it keeps the Sent folder


def live(tools: Tools, way: Way, mailbox_id: int, victim: Victim) -> None:
    """Work until killed; in peace, until there is nothing left to do."""
    if victim.child == "forked":
        fork_instead_of_starting()
    with (ChildParser if victim.child else HereParser)() as parser:
        filer = tools.filer(parser)
        turns: dict[str, Callable[[], int | None]] = {
            "read": lambda: way.poll(tools, filer, mailbox_id),
            "file": lambda: filed(filer.file_all()),
            "send": lambda: way.send(tools),
        }
        first = TURNS.index(victim.first)
        for round_ in count(1):
            found = [attempt(turns[name]) for name in (*TURNS[first:], *TURNS[:first])]
            if victim.in_peace and found == [0, 0, 0]:
                return
            if victim.failpoint and round_ == ROUNDS:
                os.kill(os.getpid(), signal.SIGTERM)
            if not any(found):
                time.sleep(IDLE_S)


def attempt(turn: Callable[[], int | None]) -> int | None:
    """How much was done; None when somebody else does it, or the database did not answer."""
    try:
        return turn()
    except OperationalError as error:  # as the scheduler does: the next round tries again
        log.warning("the database does not answer: %s", error)
        return None


def filed(counts: Counts) -> int:
    """How many mails came to an end."""
    return counts.filed + counts.duplicates + counts.set_aside
