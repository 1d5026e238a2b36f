"""What arrived, as it arrived: sanitised HTML in its cage, small pictures of our own making, files as downloads.

In: the four ways in which a stranger's bytes, or what we made of them, leave for a browser. Not in: what is
allowed in HTML (`helpdesk.mail.html`) and what is known of a file (`helpdesk.desk.files`).
"""

from __future__ import annotations

import base64
import hashlib
import logging
from dataclasses import dataclass
from io import BytesIO

from flask import Blueprint, Response, abort, make_response, render_template, send_file
from flask_babel import gettext
from flask_security import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from helpdesk.accounts.users import Role
from helpdesk.desk.files import KINDS_ES, Attachment, Blob, Preview, Scan
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.message import Message
from helpdesk.mail.child import ChildFailed
from helpdesk.mail.clamav import Scanner, ScannerDown, ScanRefused
from helpdesk.mail.html import has_remote_pictures, shown
from helpdesk.mail.pictures import TYPE as PICTURE_TYPE
from helpdesk.mail.remote import html_with_remote
from helpdesk.web.guard import FILE_CSP, FRAME_STYLE, MAIL_CSP, REMOTE_MAIL_CSP
from helpdesk.web.session import session, settings

log = logging.getLogger(__name__)

original = Blueprint("original", __name__)

# Most pictures that one message shows within its text.
INLINE_PICTURES = 40
SCAN_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class ShownFile:
    """What the page says of a file besides its name: what it is, a warning, why it is held ("" for none)."""

    kind: str
    warning: str
    held: str


@original.app_template_global()
def shown_file(file: Attachment) -> ShownFile:
    """A file in the page's words."""
    kind = gettext(KINDS_ES[file.detected_type]) if file.detected_type in KINDS_ES else ""
    return ShownFile(kind.partition(" ")[2], _warning(file, kind), _why_held(file.blob))


@original.app_template_test("with_remote_pictures")
def with_remote_pictures(message: Message) -> bool:
    """Whether a message has pictures from elsewhere that an agent can ask to see."""
    return message.raw_mail_id is not None and has_remote_pictures(message.html)


def _warning(file: Attachment, kind: str) -> str:
    if file.lies:
        claimed = gettext(KINDS_ES[file.claimed_type or ""])
        if kind:
            return str(gettext("dice ser %(claimed)s, es %(found)s", claimed=claimed, found=kind))
        return str(gettext("dice ser %(claimed)s, pero su contenido no lo es", claimed=claimed))
    if file.is_risky:
        what = kind or gettext(KINDS_ES[file.claimed_type or ""])
        return str(gettext("cuidado: es %(found)s", found=what))
    return ""


def _why_held(blob: Blob) -> str:
    if not blob.is_held(scanning=settings().clamav is not None):
        return ""
    if blob.scan == Scan.INFECTED:
        return str(gettext("contiene un virus (%(name)s)", name=blob.scan_result or "?"))
    if blob.scan_result:
        return str(gettext("el antivirus no pudo revisarlo (%(why)s)", why=blob.scan_result))
    return str(gettext("en espera del antivirus"))


@original.get("/mensajes/<id:message_id>/formato")
def html(message_id: int) -> Response:
    """A message's sanitised HTML, under a policy that lets it do nothing (L05)."""
    message = session().get(Message, message_id) or abort(404)
    return _frame(shown(message.html, pictures_of(message)), MAIL_CSP)


@original.post("/mensajes/<id:message_id>/formato")
def html_with_remote_pictures(message_id: int) -> Response:
    """The same once with the pictures that its sender keeps elsewhere: the agent's choice, for this look (T35)."""
    message = session().get(Message, message_id) or abort(404)
    raw = session().scalar(select(RawMail.raw).where(RawMail.id == message.raw_mail_id))
    if raw is None:
        abort(404)
    try:
        again = html_with_remote(raw)
    except ChildFailed as failure:
        log.warning("message %s: no remote pictures: %s", message_id, failure.reason)
        return _frame(shown(message.html, pictures_of(message)), MAIL_CSP)
    return _frame(shown(again, pictures_of(message), remote=True), REMOTE_MAIL_CSP)


def _frame(safe: str, policy: str) -> Response:
    response = make_response(render_template("message_frame.html", html=safe, style=FRAME_STYLE))
    response.headers["Content-Security-Policy"] = policy
    return response


def pictures_of(message: Message) -> dict[str, str]:
    """The previews of a message's own pictures as data: addresses, by Content-ID."""
    query = (
        select(Attachment.content_id, Preview.content)
        .join(Preview, Preview.sha256 == Attachment.sha256)
        .join(Blob, Blob.sha256 == Attachment.sha256)
        .where(
            Attachment.message_id == message.id,
            Attachment.content_id.is_not(None),
            Preview.content.is_not(None),
            Blob.scan != Scan.INFECTED.value,
        )
        .order_by(Attachment.id)
        .limit(INLINE_PICTURES)
    )
    return {cid: _data_address(content) for cid, content in session().execute(query) if cid and content}


def _data_address(content: bytes) -> str:
    return f"data:{PICTURE_TYPE};base64,{base64.b64encode(content).decode()}"


@original.get("/adjuntos/<id:attachment_id>")
def attachment(attachment_id: int) -> Response:
    """A file, always as a download, never shown (T42)."""
    row = session().get(Attachment, attachment_id) or abort(404)
    if why := _why_held(row.blob):
        return _refused(403, gettext("Este archivo no se puede descargar: %(why)s.", why=why))
    if not row.blob.is_whole():
        log.error("attachment %s: the content does not match its hash", row.id)
        return _damaged()
    return _download(row.blob.content, row.name)


@original.get("/adjuntos/<id:attachment_id>/vista")
def preview(attachment_id: int) -> Response:
    """The small picture of a file, which is our own encoding of it; never the file."""
    row = session().get(Attachment, attachment_id) or abort(404)
    small = row.preview
    if small is None or small.content is None or row.blob.is_held(scanning=settings().clamav is not None):
        abort(404)
    response = make_response(small.content)
    response.headers["Content-Type"] = PICTURE_TYPE
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response


@original.get("/correo/<id:raw_id>/original.eml")
def mail(raw_id: int) -> Response:
    """The mail's original bytes, files and all; with a scanner, only after it has passed them.

    One that is no message of a ticket belongs to the page of received mail, and is for whoever may open that.
    """
    query = select(RawMail).where(RawMail.id == raw_id).options(undefer(RawMail.raw))
    row = session().scalar(query)
    if row is None or row.raw is None:
        abort(404)
    if not current_user.may(Role.SUPERVISOR) and not _is_message(row):
        abort(403)
    if hashlib.sha256(row.raw).hexdigest() != row.sha256:
        log.error("ledger row %s: the mail does not match its hash", row.id)
        return _damaged()
    if why := _why_mail_held(row):
        return _refused(403, gettext("Este correo no se puede descargar: %(why)s.", why=why))
    return _download(row.raw, f"correo-{row.id}.eml")


def _is_message(row: RawMail) -> bool:
    return session().scalar(select(Message.id).where(Message.raw_mail_id == row.id).limit(1)) is not None


def _why_mail_held(row: RawMail) -> str:
    """The scanner's word on the whole mail, asked for now: it holds every file of it, read or not."""
    address = settings().clamav
    query = (
        select(func.min(Blob.scan_result))
        .join(Attachment, Attachment.sha256 == Blob.sha256)
        .join(Message, Message.id == Attachment.message_id)
        .where(Message.raw_mail_id == row.id, Blob.scan == Scan.INFECTED.value)
    )
    virus = session().scalar(query)
    if virus is None and address is not None:
        try:
            virus = Scanner(address, SCAN_ANSWER_S).scan(row.raw or b"")
        except (ScannerDown, ScanRefused):
            return str(gettext("el antivirus no responde"))
    return str(gettext("contiene un virus (%(name)s)", name=virus)) if virus else ""


def _download(content: bytes, name: str) -> Response:
    response = send_file(
        BytesIO(content), mimetype="application/octet-stream", as_attachment=True, download_name=name
    )
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response


def _damaged() -> Response:
    sentence = gettext("Archivo dañado: lo guardado ya no es lo que llegó. Avise a quien administra la mesa.")
    return _refused(500, sentence)


def _refused(code: int, sentence: str) -> Response:
    return make_response(render_template("error.html", code=code, sentence=sentence), code)
