"""Kill -9 at named places, many times: a parent that has everything imported forks a worker for each kill.

Each round delivers a mail or two, then a child polls once and dies at a place chosen by the seed; at the end
one child polls in peace. What became of the mails is then checked from outside.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass

from helpdesk.desk.answers import Catalogue
from helpdesk.desk.filing import Filer
from helpdesk.desk.intake import poll_one
from helpdesk.desk.sorting import Sorter
from helpdesk.desk.worker import open_sessions_of
from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParserProcess
from helpdesk.settings import Settings
from tests.dovecot import Dovecot
from tests.mails import mail

PLACES = ("after-fetch", "after-raw-commit", "inside-filing", "before-marking")


@dataclass(frozen=True)
class Outcome:
    """What the rounds did."""

    delivered: list[str]
    killed: dict[str, int]


class HereParser(ParserProcess):
    """The real parser, in the worker itself: starting its process anew for every kill would cost a second."""

    def parse(self, raw: bytes) -> ParsedMail:
        """Parse without a process."""
        return parse(raw)


@dataclass(frozen=True)
class Target:
    """What the workers work on; the model is the parent's, loaded once."""

    settings: Settings
    mailbox_id: int
    sorter: Sorter


def run(target: Target, server: Dovecot, user: str, *, kills: int, seed: int) -> Outcome:
    """Kill `kills` workers while they read one mailbox; then let one finish."""
    chance = random.Random(seed)
    delivered: list[str] = []
    killed = dict.fromkeys(PLACES, 0)
    number = 0
    while sum(killed.values()) < kills:
        for _ in range(chance.randint(1, 3)):
            message_id = f"<kill-{number}@example.com>"
            body = f"Consulta número {number}, quiero volver al Perú."
            server.deliver(user, mail(body, message_id=message_id, sender=f"p{number}@example.com"))
            delivered.append(message_id)
            number += 1
        place = chance.choice(PLACES)
        if poll_in_child(target, f"{place}@{chance.choice((1, 1, 2))}"):
            killed[place] += 1
    time.sleep(10 * target.settings.lease_s)  # the last victim's lease must be over
    assert not poll_in_child(target, "")
    return Outcome(delivered, killed)


def poll_in_child(target: Target, failpoint: str) -> bool:
    """Poll once in a forked child; True when it was killed. An error in the child is an error here."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ["HELPDESK_FAILPOINTS"] = failpoint
            with open_sessions_of(target.settings) as sessions:
                filer = Filer(sessions, target.settings, HereParser(), target.sorter, Catalogue())
                poll_one(sessions, filer, target.settings, target.mailbox_id)
                filer.file_all()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the worker failed by itself"
    return os.WIFSIGNALED(status)
