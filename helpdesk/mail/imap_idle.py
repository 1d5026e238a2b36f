"""Listening on a selected folder (IDLE, RFC 2177). Who listens when, and what news lead to, is not decided here."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType

from imapclient.exceptions import IMAPClientAbortError, ProtocolError

from helpdesk.mail.imap_client import GREETING_BYTES
from helpdesk.mail.imap_folder import OpenFolder

# An answer to DONE or NOOP that takes longer than this comes from nowhere.
ANSWER_S = 15


class Idling:
    """A folder that is listened to.

    Every `round_s` seconds, or when the socket wakes us without a word, IDLE is ended and the server is asked
    for a sign of life: imapclient's `idle_check` returns nothing for ever on a dead socket (F11).
    """

    def __init__(self, folder: OpenFolder, round_s: float) -> None:
        self._folder, self._round_s = folder, round_s
        self._since = 0.0

    def __enter__(self) -> Idling:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            with self._exchange():
                self._folder.client.idle_done()

    def wait(self, seconds: float) -> bool:
        """Whether new mail was announced within about so many seconds. Raises when the line is dead."""
        began = time.monotonic()
        # Not an exchange: its clock would be a thread every second. A line that drips costs nothing here.
        self._folder.client.allow(GREETING_BYTES)
        try:
            said = self._folder.client.idle_check(timeout=seconds)
        except (ValueError, LookupError, TypeError) as error:
            raise ProtocolError(f"news that cannot be read ({type(error).__name__})") from error
        found = self._announces(said)
        woken_by_nothing = not said and time.monotonic() - began < seconds / 2
        if woken_by_nothing or time.monotonic() - self._since > self._round_s:
            found = self._sign_of_life() or found
        return found

    def _begin(self) -> None:
        with self._exchange():
            self._folder.client.idle()
        self._since = time.monotonic()

    def _sign_of_life(self) -> bool:
        with self._exchange():
            _, said = self._folder.client.idle_done()
            _, more = self._folder.client.noop()
        self._begin()
        return self._announces([*said, *more])

    def _exchange(self) -> AbstractContextManager[None]:
        return self._folder.client.exchange(ANSWER_S, GREETING_BYTES)

    @staticmethod
    def _announces(said: list[tuple[object, ...]]) -> bool:
        """Whether one of the untagged answers says that there are more messages. Raises when it says goodbye."""
        if any(answer and answer[0] == b"BYE" for answer in said):
            raise IMAPClientAbortError(f"BYE {said!r:.100}")
        return any(b"EXISTS" in answer for answer in said)
