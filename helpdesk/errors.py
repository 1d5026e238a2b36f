"""The few things that can go wrong in words a person can use.

Each error carries one sentence for the person in front of the screen: Spanish where an agent or a
citizen reads it, English where an operator does (settings, command line).
"""

from collections.abc import Mapping


class HelpdeskError(Exception):
    """The family: `str(error)` is a sentence fit to show."""


class SettingsError(HelpdeskError):
    """A setting is missing or wrong; the sentence names it. The process ends with exit code 2."""


class NotAllowed(HelpdeskError):
    """The rules do not allow this step now (state or role)."""


class ReplyRefused(HelpdeskError):
    """A reply cannot be queued as written; nothing was sent and the text is kept."""


class StaleReply(ReplyRefused):
    """Somebody wrote on the ticket after the agent opened it (T60)."""


class MailboxError(HelpdeskError):
    """A mailbox could not be read.

    `kind` names what happened (`helpdesk.mail.trouble.Trouble`), `detail` is what the server said, shortened.
    """

    def __init__(self, sentence: str, kind: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.kind, self.detail = kind, detail


class MailboxUnreachable(MailboxError):
    """The mailbox cannot be read now; a later poll tries again."""


class MailboxRefused(MailboxError):
    """The mailbox refused the user or the folder; trying again does not help until somebody mends it."""


class AnswerRefused(HelpdeskError):
    """A template answer cannot be used as written. `faults` holds a sentence for each field; nothing was kept."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


class StaleAnswer(HelpdeskError):
    """Somebody else changed the draft of an answer since the page was opened; nothing was overwritten."""
