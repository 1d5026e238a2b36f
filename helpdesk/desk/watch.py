"""Being told of new mail at once (IDLE, RFC 2177): one thread for each mailbox, beside the polls.

Polling stays the truth: a watch only makes a mailbox due now and wakes the worker. So nothing is lost when a
watch dies, and a server whose polls fail is not watched at all. Of several workers one watches (a lease).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from helpdesk.db import Sessions
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.mailbox_lease import end_watch, new_holder, news, take_watch, watchable_ids
from helpdesk.desk.mailbox_trouble import care_of
from helpdesk.errors import MailboxError, SettingsError
from helpdesk.mail.imap import OpenFolder, open_folder
from helpdesk.mail.imap_idle import Idling

log = logging.getLogger(__name__)

LOOK_S = 5.0
LEASE_S = 30.0
# A listening socket may be dead without a word (F11): this often it is asked whether it is not.
ROUND_S = 120.0
LISTEN_S = 1.0
STOP_S = 2.0
# How long a mailbox is left alone after its watch ended badly: 5 s, doubled up to 10 min.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0
# A server that offers no IDLE is asked again next hour.
NO_IDLE_PAUSE_S = 3600.0


@dataclass(slots=True)
class Watch:
    """The watching threads of one worker. `wake` is called when news came; it must return at once."""

    sessions: Sessions
    wake: Callable[[], None]
    look_s: float = LOOK_S
    lease_s: float = LEASE_S
    round_s: float = ROUND_S
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: dict[int, threading.Thread] = field(default_factory=dict)
    _pauses: dict[int, tuple[float, float]] = field(default_factory=dict)  # until, how long
    _looking: threading.Thread | None = None

    def start(self) -> None:
        """Look for mailboxes to watch, now and from time to time."""
        self._looking = threading.Thread(target=self._look, name="watch", daemon=True)
        self._looking.start()

    def stop(self) -> None:
        """End within two seconds. A thread that hangs in a connection ends with the process."""
        self._stopping.set()
        end = time.monotonic() + STOP_S
        for thread in filter(None, [self._looking, *self._threads.values()]):
            thread.join(max(end - time.monotonic(), 0))

    def _look(self) -> None:
        while not self._stopping.is_set():
            try:
                self._begin_watches()
            except OperationalError:
                log.warning("watch: the database does not answer; trying again")
            except Exception:  # nobody would begin another watch until the worker is started anew
                log.exception("watch: looking for mailboxes to watch failed; trying again")
            self._stopping.wait(self.look_s)

    def _begin_watches(self) -> None:
        self._threads = {id_: thread for id_, thread in self._threads.items() if thread.is_alive()}
        with self.sessions() as session:
            ids = watchable_ids(session)
        for mailbox_id in ids:
            if mailbox_id in self._threads or time.monotonic() < self._pauses.get(mailbox_id, (0, 0))[0]:
                continue
            thread = threading.Thread(
                target=self._watch, args=[mailbox_id], name=f"watch-{mailbox_id}", daemon=True
            )
            self._threads[mailbox_id] = thread
            thread.start()

    def _watch(self, mailbox_id: int) -> None:
        """Watch one mailbox until we stop, somebody pauses it, or its connection ends."""
        watcher = new_holder()
        with self.sessions.begin() as session:
            mailbox = take_watch(session, mailbox_id, watcher, self.lease_s)
        if mailbox is None:
            return  # another worker was quicker
        pause_s: float | None = None
        try:
            pause_s = self._connect(mailbox, watcher)
        except (MailboxError, SettingsError, OperationalError) as error:
            log.info("mailbox %s is not watched for now: %s", mailbox.name, error)
            pause_s = self._next_pause(mailbox_id)
        except Exception:  # a fault of ours must not end the watching of the others
            log.exception("mailbox %s: the watch ended", mailbox.name)
            pause_s = LONGEST_PAUSE_S
        finally:
            self._leave(mailbox_id, watcher, pause_s)

    def _connect(self, mailbox: Mailbox, watcher: str) -> float | None:
        """Watch until there is a reason to end; how long the mailbox is left alone then."""
        try:
            with open_folder(mailbox.account()) as imap:
                if not imap.client.has_capability("IDLE"):
                    return NO_IDLE_PAUSE_S
                return self._listen(mailbox, watcher, imap)
        except MailboxError as error:
            if not care_of(error.kind).halts(1):
                raise
        # A wrong password: our tries count at the server, too. A poll comes now, tells people, and halts.
        self._tell(mailbox)
        return LONGEST_PAUSE_S

    def _listen(self, mailbox: Mailbox, watcher: str, imap: OpenFolder) -> float | None:
        renewed = time.monotonic()
        with Idling(imap, self.round_s) as idling:
            self._tell(mailbox)  # what came between the last poll and now was not announced
            while not self._stopping.is_set():
                if idling.wait(LISTEN_S):
                    self._tell(mailbox)
                if time.monotonic() - renewed > self.lease_s / 3:
                    renewed = time.monotonic()
                    if (now := self._renew(mailbox, watcher)) is None:
                        return self._next_pause(mailbox.id)
                    if now.succeeded_at != mailbox.succeeded_at:
                        self._pauses.pop(mailbox.id, None)  # a poll went well beside it
        return None

    def _renew(self, mailbox: Mailbox, watcher: str) -> Mailbox | None:
        with self.sessions.begin() as session:
            return take_watch(session, mailbox.id, watcher, self.lease_s)

    def _tell(self, mailbox: Mailbox) -> None:
        with self.sessions.begin() as session:
            news(session, mailbox.id)
        self.wake()

    def _next_pause(self, mailbox_id: int) -> float:
        before = self._pauses.get(mailbox_id, (0.0, FIRST_PAUSE_S / 2))[1]
        return min(before * 2, LONGEST_PAUSE_S)

    def _leave(self, mailbox_id: int, watcher: str, pause_s: float | None) -> None:
        if pause_s is not None:
            self._pauses[mailbox_id] = (time.monotonic() + pause_s, min(pause_s, LONGEST_PAUSE_S))
        try:
            with self.sessions.begin() as session:
                end_watch(session, mailbox_id, watcher)
        except OperationalError:
            log.info("watch: the database does not answer; the lease ends by itself")
