"""Every table of the desk, imported once, so that migrations and relationships see them all."""

from helpdesk.accounts.limits import AskCount
from helpdesk.accounts.users import User
from helpdesk.db import Base
from helpdesk.desk.answer_uses import AnswerUse, MissingAnswer
from helpdesk.desk.answers import Answer, AnswerEvent, AnswerFile, Favourite
from helpdesk.desk.files import Attachment, Blob, Preview
from helpdesk.desk.health import ServiceHealth
from helpdesk.desk.learning import LearningRun
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.lessons import Lesson
from helpdesk.desk.mailbox import Mailbox
from helpdesk.desk.message import Message
from helpdesk.desk.models import SorterModel
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reconcile import Reconciliation
from helpdesk.desk.sorting import Prediction
from helpdesk.desk.suggestions import Suggestion
from helpdesk.desk.ticket import Event, NumberSeries, Participant, Requester, Ticket, TicketLink

metadata = Base.metadata

__all__ = [
    "Answer",
    "AnswerEvent",
    "AnswerFile",
    "AnswerUse",
    "AskCount",
    "Attachment",
    "Blob",
    "Event",
    "Favourite",
    "LearningRun",
    "Lesson",
    "Mailbox",
    "Message",
    "MissingAnswer",
    "NumberSeries",
    "Outgoing",
    "Participant",
    "Prediction",
    "Preview",
    "RawMail",
    "Reconciliation",
    "Requester",
    "ServiceHealth",
    "SorterModel",
    "Suggestion",
    "Ticket",
    "TicketLink",
    "User",
    "metadata",
]
