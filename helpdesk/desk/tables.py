"""Every table of the desk, imported once, so that migrations and relationships see them all."""

from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.answers import Answer
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.message import Attachment, Blob, Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.sorting import Prediction
from helpdesk.desk.suggestions import Suggestion
from helpdesk.desk.ticket import Event, NumberSeries, Requester, Ticket

metadata = Base.metadata

__all__ = [
    "Answer",
    "Attachment",
    "Blob",
    "Event",
    "Mailbox",
    "Message",
    "NumberSeries",
    "Outgoing",
    "Prediction",
    "RawMail",
    "Requester",
    "Suggestion",
    "Ticket",
    "User",
    "metadata",
]
