"""The life cycles as data: complete, closed, and enforced in words."""

from __future__ import annotations

import itertools
from enum import StrEnum

import pytest

from helpdesk.desk.lifecycle import (
    LIFECYCLES,
    MAIL,
    OUTGOING,
    TICKET,
    AnswerState,
    ConstanciaState,
    FilingState,
    InspectionState,
    MailState,
    ModelState,
    OutgoingState,
    TicketStatus,
    Transitions,
    can_move,
    check_can_move,
    state_check,
)
from helpdesk.errors import NotAllowed

STATES: dict[str, type[StrEnum]] = {
    "ticket": TicketStatus,
    "mail": MailState,
    "outgoing": OutgoingState,
    "model": ModelState,
    "answer": AnswerState,
    "filing": FilingState,
    "constancia": ConstanciaState,
    "inspection": InspectionState,
}
# Where a life begins: a mail that is gone before it can be read is entered as such.
BEGINNINGS: dict[str, set[StrEnum]] = {
    "ticket": {TicketStatus.OPEN},
    "mail": {MailState.RECEIVED, MailState.VANISHED},
    "outgoing": {OutgoingState.READY},
    "model": {ModelState.CANDIDATE},
    "answer": {AnswerState.DRAFT},
    "filing": {FilingState.OBSERVED},
    "constancia": {ConstanciaState.SEALING, ConstanciaState.VALID},
    "inspection": {InspectionState.OPEN},
}
FINAL: dict[str, set[StrEnum]] = {
    "ticket": set(),
    "mail": {MailState.FILED, MailState.DUPLICATE, MailState.VANISHED, MailState.UNRELATED},
    "outgoing": {OutgoingState.SENT, OutgoingState.CANCELLED},
    "model": set(),
    "answer": {AnswerState.RETIRED},
    "filing": {FilingState.REGISTERED, FilingState.LAPSED, FilingState.REFUSED},
    "constancia": {ConstanciaState.ANNULLED},
    "inspection": {InspectionState.CONFORMING, InspectionState.IRREGULAR},
}


def reached(table: Transitions, beginnings: set[StrEnum]) -> set[StrEnum]:
    """Every state that a life can come to."""
    found = set(beginnings)
    while further := {after for before in found for after in table[before]} - found:
        found |= further
    return found


@pytest.mark.parametrize("name", LIFECYCLES)
def test_every_state_has_its_row_and_leads_only_to_states(name: str) -> None:
    table = LIFECYCLES[name]
    assert set(table) == set(STATES[name])
    assert set(itertools.chain.from_iterable(table.values())) <= set(STATES[name])


@pytest.mark.parametrize("name", LIFECYCLES)
def test_no_state_follows_itself_but_a_mail_taken_over_and_every_state_can_be_come_to(name: str) -> None:
    table = LIFECYCLES[name]
    assert {state for state, after in table.items() if state in after} <= {OutgoingState.HANDING}
    assert reached(table, BEGINNINGS[name]) == set(STATES[name])


@pytest.mark.parametrize("name", LIFECYCLES)
def test_only_these_states_are_the_end(name: str) -> None:
    table = LIFECYCLES[name]
    assert {state for state, after in table.items() if not after} == FINAL[name]


@pytest.mark.parametrize(
    ("table", "before", "after"),
    [
        (OUTGOING, OutgoingState.SENT, OutgoingState.READY),
        (OUTGOING, OutgoingState.SENT, OutgoingState.CANCELLED),
        (OUTGOING, OutgoingState.HANDING, OutgoingState.CANCELLED),
        (OUTGOING, OutgoingState.UNCERTAIN, OutgoingState.CANCELLED),
        (OUTGOING, OutgoingState.UNCERTAIN, OutgoingState.FAILED),
        (OUTGOING, OutgoingState.CANCELLED, OutgoingState.READY),
        (OUTGOING, OutgoingState.READY, OutgoingState.SENT),
        (MAIL, MailState.FILED, MailState.RECEIVED),
        (MAIL, MailState.SET_ASIDE, MailState.DUPLICATE),
        (MAIL, MailState.RECEIVED, MailState.VANISHED),
        (TICKET, TicketStatus.CLOSED, TicketStatus.CLOSED),
    ],
)
def test_what_would_lose_or_double_mail_is_refused_in_words(
    table: Transitions, before: StrEnum, after: StrEnum
) -> None:
    assert not can_move(table, before, after)
    with pytest.raises(NotAllowed, match=f"«{before}» a «{after}»"):
        check_can_move(table, before, after)


@pytest.mark.parametrize("name", LIFECYCLES)
def test_the_asker_and_the_enforcer_agree_on_every_step(name: str) -> None:
    table, states = LIFECYCLES[name], STATES[name]
    for before, after in itertools.product(states, states):
        refused = False
        try:
            check_can_move(table, before, after)
        except NotAllowed:
            refused = True
        assert can_move(table, before, after) is (after in table[before]) is not refused


def test_a_state_read_from_the_database_is_known_by_its_word() -> None:
    assert TICKET[TicketStatus("open")] == {TicketStatus.WAITING, TicketStatus.CLOSED}
    with pytest.raises(ValueError, match="abierto"):
        TicketStatus("abierto")


def test_the_database_holds_a_column_to_the_same_words() -> None:
    assert state_check(TicketStatus, "status") == "status in ('open', 'waiting', 'closed')"
