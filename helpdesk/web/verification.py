"""`/v/CODE`: is a constancia genuine and in force? For anybody; without names, numbers of documents or the PDF (T82).

The page holds the document's hash, so that a browser compares a PDF without sending it anywhere.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from helpdesk.accounts.limits import count_asking
from helpdesk.certificates.codes import LONGEST_TYPED, grouped, read_code
from helpdesk.certificates.records import Standing
from helpdesk.certificates.verifying import FACTS_ES, HITS, MISSES, verify_code
from helpdesk.db import utc_now
from helpdesk.web.session import session

verification = Blueprint("verification", __name__, url_prefix="/v")

LOOKS_A_MINUTE = 30


@verification.get("/")
def form() -> Response | str:
    """A field for the code, and a place for the PDF."""
    typed = request.args.get("codigo", "").replace("\x00", "")[:LONGEST_TYPED]
    if typed:
        return redirect(url_for("verification.show", typed=read_code(typed) or typed))
    return render_template("constancia/verify.html", found=None, typed="", facts=FACTS_ES)


@verification.get("/<typed>")
def show(typed: str) -> tuple[str, int]:
    """What a code stands for; the same way, and the same time, for every code."""
    now = utc_now()
    times = count_asking(session(), "verify", request.remote_addr or "", now)
    session().commit()
    if times > LOOKS_A_MINUTE:
        words = gettext(
            "Se hicieron muchas comprobaciones desde su conexión. Espere un minuto e intente de nuevo."
        )
        return render_template("constancia/busy.html", words=words), 429
    found = verify_code(session(), typed, now)
    code = read_code(typed)
    count_asking(session(), MISSES if found.standing is Standing.UNKNOWN else HITS, "all", now)
    session().commit()
    status = 404 if found.standing is Standing.UNKNOWN else 200
    page = render_template(
        "constancia/verify.html",
        found=found,
        typed=grouped(code) if code else typed[:LONGEST_TYPED],
        facts=FACTS_ES,
    )
    return page, status
