"""The worker's side of the outbox: claim, hand over, settle.

Claimed under SKIP LOCKED with a lease and a fencing number (L12): a worker that dies loses nothing, one that is
late changes nothing. A claimed mail is marked as being handed over only when the server is ready for its text, so
that a death before that gives no second copy. At least once, and each copy is the same message (I-5, I-6).
"""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, func, or_, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, defer, joinedload, sessionmaker
from sqlalchemy.orm.attributes import set_committed_value

from helpdesk import failpoints
from helpdesk.db import Sessions, utc_now
from helpdesk.desk import health
from helpdesk.desk.lifecycle import OUTGOING, OutgoingState, TicketStatus, check_can_move
from helpdesk.desk.message import Message
from helpdesk.desk.outbox import ON_ITS_WAY, Outgoing
from helpdesk.desk.ticket import Event, Ticket, change_status, record
from helpdesk.mail.smtp import Answer, Handed, Parcel, ServerTrouble, SmtpServer, hand_over, open_server

log = logging.getLogger(__name__)

# Waits after the 1st, 2nd … time that the server put a mail off, seconds; the last one again and again (F24).
DELAYS_S = (30, 60, 300, 900, 1800, 3600, 7200)
GIVE_UP_AFTER_S = 72 * 3600
# Counted in tries and not in hours since it was written: an outage of ours is no try.
MOST_TRIES = 1 + len(DELAYS_S) + -(-(GIVE_UP_AFTER_S - sum(DELAYS_S)) // DELAYS_S[-1])
UNCERTAIN_WAIT_S = 600
MOST_UNCERTAIN = 4
UNCERTAIN_TOO_OFTEN = (
    "el servidor cortó la conexión {} veces después del texto: puede que el correo haya llegado"
)

BATCH = 10
PER_CONNECTION = 50
# A claim is short: it only keeps a mail until its turn comes, when the lease proper begins. Each one that came to
# nothing makes the next one longer, else several workers would take a mail from each other for ever when a server
# thinks longer than that about a recipient.
CLAIM_S = 30.0
# The hand-over ends well within the lease, so that there is time to write down how it went (F26).
SHARE_OF_LEASE = 0.8
# So many mails in a row put off or cut off, and it is the server that wants us to wait.
SETBACKS = 10
# Waits between tries to write down how a hand-over went: what is not written is sent twice.
SETTLE_WAITS_S = (0.1, 0.5, 2.0, 5.0, 10.0)

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a worker needs to hand one mail over, and the number that proves it still owns it."""

    id: int
    fence: int
    state: str
    ticket_id: int | None
    notice: bool
    envelope_from: str
    recipient: str
    size: int


def _leased(seconds: float | ColumnElement[float]) -> ColumnElement[dt.datetime]:
    return func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def claim(session: Session, *, lease_s: float, limit: int = BATCH) -> list[Claimed]:
    """Own the mails that have been due longest: ready, uncertain, or left behind by a worker that died."""
    free = or_(Outgoing.lease_until.is_(None), Outgoing.lease_until < func.now())
    query = select(Outgoing.id).where(text(ON_ITS_WAY), Outgoing.send_at <= func.now(), free)
    oldest = query.order_by(Outgoing.send_at, Outgoing.id).limit(limit).with_for_update(skip_locked=True)
    ids = session.scalars(oldest).all()
    if not ids:
        return []
    owned = (
        update(Outgoing)
        .where(Outgoing.id.in_(ids))
        .values(
            fence=Outgoing.fence + 1, lease_until=_leased(func.least(lease_s, CLAIM_S * (Outgoing.fence + 1)))
        )
        .returning(
            Outgoing.id,
            Outgoing.fence,
            Outgoing.state,
            Outgoing.ticket_id,
            Outgoing.notice,
            Outgoing.envelope_from,
            Outgoing.recipient,
            func.octet_length(Outgoing.content),
        )
    )
    rows = {row.id: Claimed(*row) for row in session.execute(owned)}
    return [rows[id_] for id_ in ids]


def begin(session: Session, claimed: Claimed, *, lease_s: float) -> bytes | None:
    """Renew the lease, mark the mail as being handed over and return its bytes; None when it is not ours any more.

    Another worker may have taken it over, or an agent may have taken it back.
    """
    ours = (Outgoing.id == claimed.id, Outgoing.fence == claimed.fence, text(ON_ITS_WAY))
    renewed = update(Outgoing).where(*ours).values(state=OutgoingState.HANDING, lease_until=_leased(lease_s))
    # This commit need not wait for the disk: should the database lose it, the mail is due again as it was. How the
    # hand-over went is another matter (`settle`).
    unhurried = func.set_config("synchronous_commit", "off", True)
    row = session.execute(renewed.returning(Outgoing.content, unhurried)).one_or_none()
    return row.content if row is not None else None


def give_back(session: Session, mails: Sequence[Claimed]) -> None:
    """End the claims on mails that were not tried: they are as they were, and due as before."""
    for mail in mails:
        ours = (Outgoing.id == mail.id, Outgoing.fence == mail.fence, text(ON_ITS_WAY))
        session.execute(update(Outgoing).where(*ours).values(state=mail.state, lease_until=None))


def settle(session: Session, claimed: Claimed, answer: Answer, now: dt.datetime) -> bool:
    """Write down how a try went. False when the lease was lost meanwhile: then nothing is changed (F26)."""
    # The ticket first, then its mail: the order in which everybody locks them.
    ticket = None if claimed.notice else session.get(Ticket, claimed.ticket_id, with_for_update=True)
    without_words = (defer(Outgoing.content), joinedload(Outgoing.reply).load_only(Message.recipient))
    ours = (Outgoing.id == claimed.id, Outgoing.fence == claimed.fence, text(ON_ITS_WAY))
    mail = session.scalar(select(Outgoing).where(*ours).options(*without_words).with_for_update(of=Outgoing))
    if mail is None:
        return False
    if ticket is not None and ticket.id == mail.ticket_id:
        set_committed_value(mail, "ticket", ticket)
    mail.lease_until, mail.reason, mail.tries = None, answer.reason, mail.tries + 1
    if mail.state != OutgoingState.HANDING.value:  # refused before its text was asked for
        check_can_move(OUTGOING, OutgoingState(mail.state), OutgoingState.HANDING)
    state = _next_state(session, mail, answer)
    check_can_move(OUTGOING, OutgoingState.HANDING, state)
    mail.state = state.value
    _NOTES[state](session, mail, now)
    return True


def _next_state(session: Session, mail: Outgoing, answer: Answer) -> OutgoingState:
    if answer.outcome is Handed.ACCEPTED:
        return OutgoingState.SENT
    if answer.outcome is Handed.UNCERTAIN:
        times = _times_uncertain(session, mail) + 1
        if times < MOST_UNCERTAIN:
            return OutgoingState.UNCERTAIN
        mail.reason = UNCERTAIN_TOO_OFTEN.format(times)
        return OutgoingState.FAILED
    too_late = mail.tries >= MOST_TRIES
    return OutgoingState.FAILED if answer.outcome is Handed.REFUSED or too_late else OutgoingState.READY


def _times_uncertain(session: Session, mail: Outgoing) -> int:
    """How often the line broke on this mail since it was queued, or an agent sent it again."""
    of_this_mail = Event.detail["outgoing"].astext == str(mail.id)
    query = select(func.count(Event.id)).where(
        Event.ticket_id == mail.ticket_id,
        Event.kind == "send_uncertain",
        of_this_mail,
        Event.at >= mail.created_at,
    )
    return session.scalar(query) or 0


def _note_sent(session: Session, mail: Outgoing, now: dt.datetime) -> None:
    mail.sent_at = now
    if mail.notice or mail.reply is None or mail.ticket is None:
        return
    if mail.ticket.first_response_at is None and mail.recipient == mail.reply.recipient:
        mail.ticket.first_response_at = now
    record(session, mail.ticket, "sent", now=now, why=mail.reason, to=mail.recipient)


def _note_failed(session: Session, mail: Outgoing, now: dt.datetime) -> None:
    if mail.ticket is None:
        return
    record(session, mail.ticket, "send_failed", now=now, why=mail.reason, to=mail.recipient)
    if not mail.notice and mail.ticket.status != TicketStatus.OPEN:
        why = "la respuesta no se pudo entregar"
        change_status(session, mail.ticket, TicketStatus.OPEN, now=now, actor=None, why=why)


def _note_uncertain(session: Session, mail: Outgoing, now: dt.datetime) -> None:
    mail.send_at = now + dt.timedelta(seconds=UNCERTAIN_WAIT_S)
    if mail.ticket is not None:
        why, to = mail.reason, mail.recipient
        record(session, mail.ticket, "send_uncertain", now=now, why=why, to=to, outgoing=mail.id)


def _note_later(_session: Session, mail: Outgoing, now: dt.datetime) -> None:
    mail.send_at = now + dt.timedelta(seconds=DELAYS_S[min(mail.tries, len(DELAYS_S)) - 1])


_NOTES = {
    OutgoingState.SENT: _note_sent,
    OutgoingState.FAILED: _note_failed,
    OutgoingState.UNCERTAIN: _note_uncertain,
    OutgoingState.READY: _note_later,
}


def send_due(
    sessions: Sessions,
    server: SmtpServer,
    *,
    lease_s: float,
    clock: Clock = utc_now,
    stopping: Callable[[], bool] = lambda: False,
    per_connection: int = PER_CONNECTION,
) -> int:
    """Hand over everything that is due; returns how many the server took. Ends early when `stopping` says so."""
    with sessions() as session:
        engine = session.get_bind()
    assert isinstance(engine, Engine)
    # One connection for the round: taking one from the pool for each step costs more than the step.
    with engine.connect() as connection:
        own = sessionmaker(connection, expire_on_commit=False)
        return _Sender(own, server, lease_s, clock, stopping, per_connection).run()


@dataclass(slots=True)
class _Sender:
    """One round of sending."""

    sessions: Sessions
    server: SmtpServer
    lease_s: float
    clock: Clock
    stopping: Callable[[], bool]
    per_connection: int
    sent: int = 0
    setbacks: int = 0
    troubled: bool = False

    def run(self) -> int:
        while not self.stopping():
            mails = self._take()
            if mails is None or not self._connect(mails):
                break
        return self.sent

    def _take(self) -> list[Claimed] | None:
        """Claim what is due. None: nothing to do now. Empty: only ask whether the server is well again."""
        with self.sessions.begin() as session:
            trouble = health.trouble_with(session, health.SMTP)
            self.troubled = trouble is not None
            if trouble is None:
                return claim(session, lease_s=self.lease_s) or None
            if not health.may_ask(session, health.SMTP, self.clock()):
                return None
            # When another worker has just found that it works, nothing is left to ask.
            return claim(session, lease_s=self.lease_s) or (None if trouble.error_kind is None else [])

    def _connect(self, mails: list[Claimed]) -> bool:
        """Hand over what was claimed, and more, on one connection. True when another one may go on."""
        try:
            with open_server(self.server) as client:
                if not mails:
                    self._note_working()
                return self._converse(client, mails)
        except ServerTrouble as trouble:
            self._note_trouble(trouble.kind, trouble.reason, mails)
            return False

    def _converse(self, client: smtplib.SMTP, mails: list[Claimed]) -> bool:
        left = self.per_connection
        while mails:
            failpoints.hit("after-claim")
            for place, mail in enumerate(mails):
                answer = None if self.stopping() else self._hand_over(client, mail)
                if answer is None or answer.hung_up or self.setbacks >= SETBACKS:
                    return self._break_off(answer, mails[place + 1 :] if answer else mails[place:])
            left -= len(mails)
            mails = (self._take() or []) if left > 0 else []
        return True

    def _break_off(self, answer: Answer | None, untried: Sequence[Claimed]) -> bool:
        """Leave the connection early. True when another one may go on at once."""
        if answer is not None and answer.trouble:
            self._note_trouble(answer.trouble, answer.reason, untried)
            return False
        if answer is not None and self.setbacks >= SETBACKS:
            self._note_trouble("busy", answer.reason, untried)
            return False
        with self.sessions.begin() as session:
            give_back(session, untried)
        return answer is not None

    def _hand_over(self, client: smtplib.SMTP, mail: Claimed) -> Answer:
        def text_of_mail() -> bytes | None:
            with self.sessions.begin() as session:
                content = begin(session, mail, lease_s=self.lease_s)
            failpoints.hit("before-data")
            return content

        parcel = Parcel(mail.envelope_from, mail.recipient, mail.size, text_of_mail)
        answer = hand_over(client, parcel, limit_s=SHARE_OF_LEASE * self.lease_s)
        failpoints.hit("after-send")
        if answer.outcome is Handed.KEPT:
            with self.sessions.begin() as session:
                give_back(session, [mail])
            return answer
        self._settle(mail, answer)
        self._count(answer)
        return answer

    def _settle(self, mail: Claimed, answer: Answer) -> None:
        """Write down how it went, through a database that is away for a moment."""
        for wait_s in (*SETTLE_WAITS_S, None):
            try:
                with self.sessions.begin() as session:
                    settle(session, mail, answer, self.clock())
                    failpoints.hit("inside-settling")
                break
            except OperationalError:
                if wait_s is None:
                    raise
                time.sleep(wait_s)
        failpoints.hit("after-settling")

    def _count(self, answer: Answer) -> None:
        decided = answer.outcome in (Handed.ACCEPTED, Handed.REFUSED)
        self.sent += answer.outcome is Handed.ACCEPTED
        self.setbacks = 0 if decided else self.setbacks + 1
        if decided and self.troubled:
            self._note_working()

    def _note_working(self) -> None:
        with self.sessions.begin() as session:
            health.note_working(session, health.SMTP, self.clock())
        self.troubled = False

    def _note_trouble(self, kind: str, reason: str, untried: Sequence[Claimed]) -> None:
        log.warning("SMTP: %s (%s)", kind, reason)
        with self.sessions.begin() as session:
            give_back(session, untried)
            health.note_trouble(session, health.SMTP, kind, reason, self.clock())
