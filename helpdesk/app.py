"""The web application. The one module that knows everybody; `flask --app helpdesk.app run` serves it too."""

from __future__ import annotations

import math
import time
from typing import Any

from flask import Flask, render_template, request, session
from flask_babel import Babel
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from helpdesk.accounts.sign_in import init_sign_in
from helpdesk.accounts.users import check_no_demo_users
from helpdesk.certificates import tables
from helpdesk.cli import main as command_line
from helpdesk.db import WEB_STATEMENT_MS, check_schema, driver_url, engine_options, open_engine, open_sessions
from helpdesk.desk.catalogue import Catalogue
from helpdesk.embedded import database_url
from helpdesk.settings import Settings, load
from helpdesk.web.answer_figures import answer_figures
from helpdesk.web.answers import answers
from helpdesk.web.constancia import constancia
from helpdesk.web.constancia_figures import constancia_figures
from helpdesk.web.filed import filed
from helpdesk.web.filing import filing
from helpdesk.web.filings import filings
from helpdesk.web.formats import init_formats
from helpdesk.web.guard import init_guard
from helpdesk.web.health import health
from helpdesk.web.information import information
from helpdesk.web.inspections import inspections
from helpdesk.web.joining import joining
from helpdesk.web.ledger import ledger
from helpdesk.web.mailboxes import mailboxes
from helpdesk.web.original import original
from helpdesk.web.queue import queue
from helpdesk.web.reply import reply
from helpdesk.web.sending import sending
from helpdesk.web.session import CATALOGUE, SETTINGS, db
from helpdesk.web.session import settings as web_settings
from helpdesk.web.sorter import sorter
from helpdesk.web.supervisor import supervisor
from helpdesk.web.ticket import ticket
from helpdesk.web.verification import verification
from helpdesk.web.writing import writing

BLUEPRINTS = (
    health,
    information,
    constancia,
    writing,
    filed,
    verification,
    inspections,
    filings,
    filing,
    queue,
    ticket,
    joining,
    reply,
    answers,
    answer_figures,
    sending,
    original,
    ledger,
    mailboxes,
    sorter,
    supervisor,
    constancia_figures,
)
MAX_FORM_BYTES = 1_000_000
FORM_PARTS = 50

assert tables.metadata.tables  # relationships between tables are named by string and need them all

ERRORS = {
    400: "La página no entendió el pedido. Vuelva atrás e intente de nuevo.",
    403: "Su cuenta no tiene permiso para ver esta página.",
    404: "No encontramos lo que busca. Revise el número o vuelva a la bandeja.",
    405: "Esta dirección no se usa así. Vuelva a la bandeja.",
    413: "Lo enviado es demasiado grande.",
    500: "Algo falló de nuestro lado. Lo que ya estaba guardado sigue guardado.",
}
# Where people go who have no account, and the page that tells them of an error.
PUBLIC_PLACES = {
    "/informacion": "information/error.html",
    "/constancia/": "constancia/error.html",
    "/v/": "constancia/error.html",
}
PUBLIC_ERRORS = {
    400: "La página no entendió el pedido. Vuelva al inicio e intente de nuevo.",
    404: "No encontramos esa página. Revise la dirección o el enlace, o vuelva al inicio.",
    413: "El archivo es demasiado grande: se aceptan hasta 5 MB. Vuelva atrás y envíe uno más ligero.",
    429: "Hubo muchos intentos desde su conexión. Espere un minuto e intente de nuevo.",
    500: "Algo falló de nuestro lado. Intente de nuevo en unos minutos.",
}


def create_app(settings: Settings | None = None) -> Flask:
    """The desk's pages. Raises SettingsError when they must not be served with these settings."""
    settings = settings or load()
    settings.check()
    url = database_url(settings.database_url, settings.var)
    check_database(url, settings)
    app = Flask("helpdesk", template_folder="pages")
    app.config.update(
        SECRET_KEY=settings.key,
        SQLALCHEMY_DATABASE_URI=driver_url(url),
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(WEB_STATEMENT_MS),
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        MAX_FORM_PARTS=FORM_PARTS,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a reply may take an hour to write
        WTF_CSRF_SSL_STRICT=False,  # Referrer-Policy is no-referrer; Sec-Fetch-Site is checked instead
        BABEL_DEFAULT_LOCALE="es",
        BABEL_DEFAULT_TIMEZONE="America/Lima",
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.extensions[SETTINGS] = settings
    app.extensions[CATALOGUE] = Catalogue()
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    db.init_app(app)
    Babel(app)
    init_sign_in(app, db, settings)
    init_guard(app, settings)
    init_formats(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    # Their links are secrets that another site does not know; and a page that was open for days loses no typing.
    for blueprint in (writing, filed):
        app.extensions["csrf"].exempt(blueprint)
    app.register_error_handler(HTTPException, error_page)
    app.register_error_handler(CSRFError, error_page)
    app.context_processor(page_context)
    for command in command_line.commands.values():
        app.cli.add_command(command)
    return app


def check_database(url: str, settings: Settings) -> None:
    """Raise SettingsError for an unreachable or old schema, or for the demo's accounts in production (T76)."""
    engine = open_engine(url)
    sessions = open_sessions(engine)
    try:
        check_schema(sessions)
        if settings.effective_mode == "production":
            with sessions() as opened:
                check_no_demo_users(opened)
    finally:
        engine.dispose()


def error_page(error: HTTPException) -> tuple[str, int]:
    """Every error as a page with a sentence; nothing of the request is echoed (T75)."""
    db.session.rollback()  # what failed must not fail again while the page is made
    code = error.code or 500
    place = next((place for place in PUBLIC_PLACES if request.path.startswith(place)), None)
    if place:  # who reads there knows no queue, and gets no cookie
        sentence = PUBLIC_ERRORS.get(code, PUBLIC_ERRORS[500])
        return render_template(PUBLIC_PLACES[place], code=code, sentence=sentence, language="es"), code
    return render_template("error.html", code=code, sentence=ERRORS.get(code, ERRORS[500])), code


def page_context() -> dict[str, Any]:
    """What every page shows: the reply that can still be taken back."""
    undo = session.get("undo")
    left = math.ceil(undo["until"] - time.time()) if undo else 0
    return {"undo": undo if left > 0 else None, "undo_left_s": left, "help_address": help_address}


def help_address() -> str:
    """Where people write when a page does not help."""
    return web_settings().mail_from
