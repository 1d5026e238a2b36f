"""The demo's story: citizens write by SMTP, an agent answers by the desk's own rules, a citizen replies.

Everybody here is made up. Nothing is written twice: the story is played only into an empty desk.
"""

from __future__ import annotations

import datetime as dt
import email
import imaplib
import smtplib
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from sqlalchemy import func, select

from helpdesk.accounts.users import find_user
from helpdesk.db import Sessions, utc_now
from helpdesk.desk.letters import letter_of
from helpdesk.desk.reply import Draft, send_reply
from helpdesk.desk.suggestions import suggestions_of
from helpdesk.desk.ticket import MAIL, Requester, Ticket
from helpdesk.settings import Settings

PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is played."""

    sessions: Sessions
    settings: Settings
    host: str
    smtp_port: int
    imap_port: int
    password: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A citizen's mail."""

    name: str
    address: str
    subject: str
    body: str


ROSARIO = Letter(
    "Rosario Mamani",
    "rosario.mamani@example.com",
    "Regreso al Perú con mis cosas",
    "Buenas tardes:\n\nVivo en Turín desde hace ocho años y en marzo regreso a Arequipa para quedarme. Quiero saber "
    "cómo saco la tarjeta del migrante retornado y si puedo llevar mi carro y las máquinas de mi taller de costura "
    "sin pagar impuestos.\n\nGracias,\nRosario Mamani\n",
)
LETTERS = (
    ROSARIO,
    Letter(
        "Jhon Paredes",
        "jhon.paredes@example.com",
        "trabajo en españa",
        "hola soy de chiclayo tengo 27 años soy soldador me ofresen trabajo en valencia pero la agencia pide 800 soles "
        "para separar el cupo, es confiable? como saco la visa de trabajo\n\nEnviado desde mi iPhone\n",
    ),
    Letter(
        "Recursos Humanos, Textil Imaginaria",
        "rrhh@example.org",
        "Registro de contrato - trabajadora ecuatoriana",
        "Estimados señores:\n\nNuestra empresa contratará a una ciudadana ecuatoriana como patronista. Agradeceremos "
        "indicarnos cómo se registra el contrato de trabajo y si aplica el límite del 20 % de extranjeros.\n\n"
        "Atentamente,\nÁrea de Recursos Humanos\n",
    ),
    Letter(
        "Wilmer Ccori",
        "wilmer.ccori@example.com",
        "MIS APORTES A LA ONP",
        "TRABAJO EN SANTIAGO DE CHILE HACE 12 AÑOS, ANTES APORTE 9 AÑOS A LA ONP EN LIMA. QUIERO SABER SI PIERDO ESOS "
        "APORTES O SE PUEDEN SUMAR CON LOS DE CHILE PARA MI JUBILACION. GRACIAS\n",
    ),
    Letter(
        "Yorgelis Rondón",
        "yorgelis.rondon@example.com",
        "Permiso vencido",
        "Buenos días, soy venezolana y tengo el CPP vencido desde agosto. Una panadería de Trujillo me quiere dar "
        "contrato. ¿Me pueden contratar así o primero tengo que renovar? ¿Qué le digo a la dueña?\n",
    ),
    Letter("", "delia.quispe@example.com", "", "informacion por favor\n"),
    Letter(
        "Boletín Expo Empleo",
        "boletin@example.net",
        "Los 10 destinos del año",
        "Conozca los diez mejores destinos para trabajar este año. Si no desea recibir este boletín, dese de baja.\n",
    ),
)
BULLETIN = LETTERS[-1]
THANKS = "Muchas gracias por la respuesta. Una duda más: ¿el plazo corre desde que llego o desde que pido la tarjeta?\n"


def play(stage: Stage) -> None:
    """Play the story once; a desk that has tickets already is left alone."""
    with stage.sessions() as session:
        if session.scalar(select(func.count()).select_from(Ticket).where(Ticket.channel == MAIL)):
            return
    for letter in LETTERS:
        deliver(stage, citizen_mail(stage.settings.mail_from, letter))
    if _wait(lambda: _ticket_of(stage, ROSARIO.address) is not None):
        answer(stage)
        received = _wait_for_reply(stage)
        if received is not None:
            deliver(stage, reply_mail(stage.settings.mail_from, ROSARIO, received, THANKS))


def citizen_mail(to: str, letter: Letter) -> EmailMessage:
    """A mail as a citizen's program would write it."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(letter.name, addr_spec=letter.address)
    mail["To"] = to
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(dt.datetime.now().astimezone())
    mail["Message-ID"] = make_msgid(domain=letter.address.partition("@")[2])
    if letter is BULLETIN:
        mail["List-Id"] = "<boletin.example.net>"
        mail["Precedence"] = "bulk"
    mail.set_content(letter.body)
    return mail


def reply_mail(to: str, letter: Letter, received: EmailMessage, body: str) -> EmailMessage:
    """A citizen's reply to what arrived in the citizen's mailbox."""
    subject = str(received["Subject"])
    reply = Letter(
        letter.name, letter.address, subject if subject.startswith("Re:") else f"Re: {subject}", body
    )
    mail = citizen_mail(to, reply)
    mail["In-Reply-To"] = received["Message-ID"]
    mail["References"] = f"{received['References'] or ''} {received['Message-ID']}".strip()
    return mail


def deliver(stage: Stage, mail: EmailMessage) -> None:
    """Hand a citizen's mail to the demo's SMTP server."""
    with smtplib.SMTP(stage.host, stage.smtp_port, timeout=10) as client:
        client.send_message(mail)


def answer(stage: Stage) -> None:
    """Ana answers the first ticket with the best suggestion, as the composer would."""
    ticket_id = _ticket_of(stage, ROSARIO.address)
    now = utc_now()
    with stage.sessions.begin() as session:
        ticket = session.get_one(Ticket, ticket_id)
        agent = find_user(session, "ana@infomigra.example.com")
        offered = suggestions_of(session, ticket)
        if agent is None or not offered:
            return
        chosen = offered[0].answer
        text = letter_of([chosen], ticket, agent, now).text
        draft = Draft(text, f"demo-{ticket.id}", answers=((chosen.slug, chosen.language),))
        send_reply(session, ticket, draft, agent=agent, settings=stage.settings, now=now)


def _ticket_of(stage: Stage, address: str) -> int | None:
    with stage.sessions() as session:
        query = select(Ticket.id).join(Requester).where(Requester.email == address)
        return session.scalar(query.order_by(Ticket.id).limit(1))


def _wait_for_reply(stage: Stage) -> EmailMessage | None:
    found: list[EmailMessage] = []

    def look() -> bool:
        with imaplib.IMAP4(stage.host, stage.imap_port, timeout=10) as client:
            client.login(ROSARIO.address, stage.password)
            client.select("INBOX")
            _, numbers = client.search(None, "SUBJECT", '"Re:"')
            for number in numbers[0].split():
                _, parts = client.fetch(number.decode(), "(BODY.PEEK[])")
                found.extend(
                    email.message_from_bytes(part[1], policy=SMTP)
                    for part in parts
                    if isinstance(part, tuple)
                )
        return bool(found)

    return found[0] if _wait(look) else None


def _wait(ready: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if ready():
            return True
        time.sleep(0.5)
    return False
