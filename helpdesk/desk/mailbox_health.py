"""How the mailboxes are doing, for people: the queue's line, the mailboxes page, the alarm on every page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mailbox import Mailbox, imap_mailboxes
from helpdesk.desk.mailbox_trouble import care_of
from helpdesk.desk.reconcile import Reconciliation, newest
from helpdesk.desk.words import N_


class Health(StrEnum):
    """The states of a mailbox that call for different words."""

    PAUSED = "paused"
    HALTED = "halted"
    FAILING = "failing"  # for a while: people are told
    STUMBLING = "stumbling"  # the last poll or two failed
    NEVER = "never"
    ONLINE = "online"  # news are announced at once
    POLLED = "polled"


HEALTH_ES = {
    Health.PAUSED: N_("en pausa"),
    Health.HALTED: N_("detenido"),
    Health.FAILING: N_("con problemas"),
    Health.STUMBLING: N_("reintentando"),
    Health.NEVER: N_("todavía no se ha leído"),
    Health.ONLINE: N_("en línea"),
    Health.POLLED: N_("en línea, se lee cada cierto tiempo"),
}
# The chips' colours, by what a person has to do about it.
CHIPS = {
    Health.PAUSED: "status-closed",
    Health.HALTED: "out-failed",
    Health.FAILING: "out-failed",
    Health.STUMBLING: "out-uncertain",
    Health.NEVER: "out-ready",
    Health.ONLINE: "out-sent",
    Health.POLLED: "out-sent",
}


@dataclass(frozen=True, slots=True)
class MailboxView:
    """One mailbox as pages show it. `backlog`: received and not filed yet; sentences are not translated yet."""

    mailbox: Mailbox
    health: Health
    backlog: int = 0
    reconciled: tuple[Reconciliation, ...] = ()

    @property
    def words(self) -> str:
        """The state, in words."""
        return HEALTH_ES[self.health]

    @property
    def chip(self) -> str:
        """The state, as a colour."""
        return CHIPS[self.health]

    @property
    def trouble(self) -> str | None:
        """What is wrong, in words; None when nothing is."""
        return care_of(self.mailbox.error_kind).sentence if self.mailbox.error else None


def health_of(mailbox: Mailbox, now: dt.datetime) -> Health:
    """The state that a person should be told of."""
    watched = mailbox.watch_until is not None and mailbox.watch_until > now
    states = (
        (not mailbox.active, Health.PAUSED),
        (mailbox.halted_at is not None, Health.HALTED),
        (mailbox.failing, Health.FAILING),
        (mailbox.failures > 0, Health.STUMBLING),
        (mailbox.succeeded_at is None, Health.NEVER),
        (watched, Health.ONLINE),
    )
    return next((health for holds, health in states if holds), Health.POLLED)


def health_lines(session: Session, now: dt.datetime) -> list[MailboxView]:
    """The mailboxes that are read, for the queue's line."""
    return [MailboxView(box, health_of(box, now)) for box in imap_mailboxes(session)]


def mailbox_views(session: Session, now: dt.datetime) -> list[MailboxView]:
    """Every mailbox that is read from a server, with its backlog and its last comparison with the ledger."""
    query = select(RawMail.mailbox_id, func.count()).where(RawMail.state == MailState.RECEIVED.value)
    backlog = {row[0]: row[1] for row in session.execute(query.group_by(RawMail.mailbox_id))}
    reconciled = newest(session)
    return [
        MailboxView(
            box,
            health_of(box, now),
            backlog.get(box.id, 0),
            tuple(run for run in reconciled if run.mailbox_id == box.id),
        )
        for box in imap_mailboxes(session)
    ]


def mailbox_alarms(session: Session) -> list[MailboxView]:
    """The mailboxes that everybody should know of: halted, or in trouble of a kind that people must mend."""
    troubled = select(Mailbox).where(Mailbox.active, Mailbox.error_kind.is_not(None)).order_by(Mailbox.name)
    return [
        MailboxView(box, Health.HALTED if box.halted_at else Health.FAILING)
        for box in session.scalars(troubled)
        if box.halted_at or _alarming(box)
    ]


def _alarming(mailbox: Mailbox) -> bool:
    at = care_of(mailbox.error_kind).alarms_at
    return at is not None and mailbox.failures >= at
