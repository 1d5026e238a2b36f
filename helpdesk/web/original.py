"""What arrived, as it arrived: sanitised HTML in its cage, files and original mails as downloads only."""

from __future__ import annotations

from io import BytesIO

from flask import Blueprint, Response, abort, render_template, send_file
from sqlalchemy import select
from sqlalchemy.orm import undefer

from helpdesk.desk.files import Attachment, Blob
from helpdesk.desk.ledger import RawMail
from helpdesk.desk.message import Message
from helpdesk.web.guard import FILE_CSP, MAIL_CSP
from helpdesk.web.session import session

original = Blueprint("original", __name__)


@original.get("/mensajes/<id:message_id>/formato")
def html(message_id: int) -> Response:
    """A message's sanitised HTML, under a policy that lets it do nothing (L05)."""
    message = session().get(Message, message_id) or abort(404)
    response = Response(render_template("message_frame.html", html=message.html))
    response.headers["Content-Security-Policy"] = MAIL_CSP
    return response


@original.get("/adjuntos/<id:attachment_id>")
def attachment(attachment_id: int) -> Response:
    """A file, always as a download, never shown (T42)."""
    row = session().get(Attachment, attachment_id) or abort(404)
    blob = session().get_one(Blob, row.sha256)
    return _download(blob.content, row.name)


@original.get("/correo/<id:raw_id>/original.eml")
def mail(raw_id: int) -> Response:
    """The mail's original bytes."""
    query = select(RawMail).where(RawMail.id == raw_id).options(undefer(RawMail.raw))
    row = session().scalar(query)
    if row is None or row.raw is None:
        abort(404)
    return _download(row.raw, f"correo-{row.id}.eml")


def _download(content: bytes, name: str) -> Response:
    response = send_file(
        BytesIO(content), mimetype="application/octet-stream", as_attachment=True, download_name=name
    )
    response.headers["Content-Security-Policy"] = FILE_CSP
    return response
