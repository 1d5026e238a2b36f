"""Kill -9 at named places, many times: a parent that has everything imported forks a worker for each kill.

Each round delivers a mail or two, then a child polls once and dies at a place chosen by the seed; at the end
one child polls in peace. What became of the mails is then checked from outside.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

from helpdesk.desk.intake import poll_one
from helpdesk.desk.worker import open_worker
from helpdesk.settings import Settings
from tests.dovecot import Dovecot
from tests.mails import mail

PLACES = ("after-fetch", "after-raw-commit", "inside-filing", "before-marking")


@dataclass(frozen=True)
class Outcome:
    """What the rounds did."""

    delivered: list[str]
    killed: dict[str, int]


def run(settings: Settings, mailbox_id: int, server: Dovecot, user: str, *, kills: int, seed: int) -> Outcome:
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
        if poll_in_child(settings, mailbox_id, f"{place}@{chance.choice((1, 1, 2))}"):
            killed[place] += 1
    assert not poll_in_child(settings, mailbox_id, "")
    return Outcome(delivered, killed)


def poll_in_child(settings: Settings, mailbox_id: int, failpoint: str) -> bool:
    """Poll once in a forked child; True when it was killed. An error in the child is an error here."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ["HELPDESK_FAILPOINTS"] = failpoint
            with open_worker(settings) as worker:
                poll_one(worker.sessions, worker.filer, settings, mailbox_id)
                worker.filer.file_all()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the worker failed by itself"
    return os.WIFSIGNALED(status)
