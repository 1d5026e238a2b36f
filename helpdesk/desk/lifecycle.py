"""States and allowed transitions of everything that lives here, as data (docs/life-cycles.md shows them)."""

from __future__ import annotations

from enum import StrEnum

from helpdesk.errors import NotAllowed


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    OPEN = "open"  # we owe something
    WAITING = "waiting"  # we answered; the requester's turn
    CLOSED = "closed"


class MailState(StrEnum):
    """What became of a message of the ledger."""

    RECEIVED = "received"  # raw bytes are safe, nothing else is done
    FILED = "filed"  # part of a ticket
    DUPLICATE = "duplicate"  # the very same mail is filed already
    SET_ASIDE = "set_aside"  # could not be filed; the reason is kept; can be retried
    VANISHED = "vanished"  # gone from the server before it could be read
    UNRELATED = "unrelated"  # mail of the Sent folder that belongs to no ticket: known, and left alone


class OutgoingState(StrEnum):
    """The way of a mail to the SMTP server."""

    READY = "ready"
    HANDING = "handing"  # a worker is talking to the server
    SENT = "sent"
    UNCERTAIN = "uncertain"  # the line broke after the last dot: sent again, with the same Message-ID
    FAILED = "failed"  # refused for good; the agent is told
    CANCELLED = "cancelled"  # taken back in time


class ModelState(StrEnum):
    """What a trained model is to the desk."""

    CANDIDATE = "candidate"  # trained; nobody has decided about it
    ACTIVE = "active"  # sorts the mail; there is one at most
    REFUSED = "refused"  # was tried and was not better, or not to be trusted
    RETIRED = "retired"  # sorted mail once


class AnswerState(StrEnum):
    """Where a version of a template answer stands."""

    DRAFT = "draft"  # being written
    IN_REVIEW = "in_review"  # a supervisor's turn; nobody changes it
    APPROVED = "approved"  # agents may send it; one version of an answer in a language at most
    RETIRED = "retired"  # replaced, taken back, or never approved; kept


class FilingState(StrEnum):
    """Where a contract filing stands. A filing that breaks a condition is not registered at all."""

    OBSERVED = "observed"  # a rule could not decide, or a person asked for something: once, two working days
    REGISTERED = "registered"  # approved, and what it asked for was issued
    LAPSED = "lapsed"  # observed, and not put right in time: as if it had not been presented
    REFUSED = "refused"  # a person decided that it cannot be registered


class ConstanciaState(StrEnum):
    """What was done to a constancia. That its contract ran out is no state: it is read off its dates."""

    SEALING = "sealing"  # numbered; its seal is being made, and nobody has it yet
    VALID = "valid"
    REPLACED = "replaced"  # another one says what it said, better
    ANNULLED = "annulled"  # by a supervisor, with a reason


class InspectionState(StrEnum):
    """Where the control of a drawn filing stands."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    CONFORMING = "conforming"
    IRREGULAR = "irregular"  # what was found is written beside it


Transitions = dict[StrEnum, frozenset[StrEnum]]

TICKET: Transitions = {
    TicketStatus.OPEN: frozenset({TicketStatus.WAITING, TicketStatus.CLOSED}),
    TicketStatus.WAITING: frozenset({TicketStatus.OPEN, TicketStatus.CLOSED}),
    # An answer on a closed ticket waits for the requester again.
    TicketStatus.CLOSED: frozenset({TicketStatus.OPEN, TicketStatus.WAITING}),
}
MAIL: Transitions = {
    MailState.RECEIVED: frozenset(
        {MailState.FILED, MailState.DUPLICATE, MailState.SET_ASIDE, MailState.UNRELATED}
    ),
    # Tried again, or filed by a person as it is.
    MailState.SET_ASIDE: frozenset({MailState.RECEIVED, MailState.FILED}),
    MailState.FILED: frozenset(),
    MailState.DUPLICATE: frozenset(),
    MailState.VANISHED: frozenset(),
    MailState.UNRELATED: frozenset(),
}
OUTGOING: Transitions = {
    OutgoingState.READY: frozenset({OutgoingState.HANDING, OutgoingState.CANCELLED}),
    # Handing follows handing when a worker died and another took over.
    OutgoingState.HANDING: frozenset(
        {
            OutgoingState.SENT,
            OutgoingState.UNCERTAIN,
            OutgoingState.FAILED,
            OutgoingState.READY,
            OutgoingState.HANDING,
        }
    ),
    OutgoingState.UNCERTAIN: frozenset({OutgoingState.HANDING}),
    OutgoingState.FAILED: frozenset({OutgoingState.READY}),
    OutgoingState.SENT: frozenset(),
    OutgoingState.CANCELLED: frozenset(),
}
# A supervisor may bring any model back; what sorted mail once is never a candidate again.
MODEL: Transitions = {
    ModelState.CANDIDATE: frozenset({ModelState.ACTIVE, ModelState.REFUSED}),
    ModelState.ACTIVE: frozenset({ModelState.RETIRED}),
    ModelState.REFUSED: frozenset({ModelState.ACTIVE}),
    ModelState.RETIRED: frozenset({ModelState.ACTIVE}),
}
# An approved text is never changed: who wants another one writes a draft, which may begin with any old version.
ANSWER: Transitions = {
    AnswerState.DRAFT: frozenset({AnswerState.IN_REVIEW, AnswerState.RETIRED}),
    AnswerState.IN_REVIEW: frozenset({AnswerState.APPROVED, AnswerState.DRAFT}),
    AnswerState.APPROVED: frozenset({AnswerState.RETIRED}),
    AnswerState.RETIRED: frozenset(),
}
FILING: Transitions = {
    FilingState.OBSERVED: frozenset({FilingState.REGISTERED, FilingState.LAPSED, FilingState.REFUSED}),
    FilingState.REGISTERED: frozenset(),
    FilingState.LAPSED: frozenset(),
    FilingState.REFUSED: frozenset(),
}
CONSTANCIA: Transitions = {
    ConstanciaState.SEALING: frozenset({ConstanciaState.VALID, ConstanciaState.ANNULLED}),
    ConstanciaState.VALID: frozenset({ConstanciaState.REPLACED, ConstanciaState.ANNULLED}),
    ConstanciaState.REPLACED: frozenset({ConstanciaState.ANNULLED}),
    ConstanciaState.ANNULLED: frozenset(),
}
INSPECTION: Transitions = {
    InspectionState.OPEN: frozenset(
        {InspectionState.IN_PROGRESS, InspectionState.CONFORMING, InspectionState.IRREGULAR}
    ),
    InspectionState.IN_PROGRESS: frozenset(
        {InspectionState.OPEN, InspectionState.CONFORMING, InspectionState.IRREGULAR}
    ),
    InspectionState.CONFORMING: frozenset(),
    InspectionState.IRREGULAR: frozenset(),
}
LIFECYCLES = {
    "ticket": TICKET,
    "mail": MAIL,
    "outgoing": OUTGOING,
    "model": MODEL,
    "answer": ANSWER,
    "filing": FILING,
    "constancia": CONSTANCIA,
    "inspection": INSPECTION,
}


def can_move(table: Transitions, before: StrEnum, after: StrEnum) -> bool:
    """Whether the table allows the step."""
    return after in table[before]


def check_can_move(table: Transitions, before: StrEnum, after: StrEnum) -> None:
    """Raise NotAllowed when the table does not allow the step."""
    if not can_move(table, before, after):
        raise NotAllowed(f"No se puede pasar de «{before}» a «{after}».")


def state_check(states: type[StrEnum], column: str) -> str:
    """The SQL of a CHECK constraint that holds a column to its states."""
    return f"{column} in ({', '.join(repr(state.value) for state in states)})"
