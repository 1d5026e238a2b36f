"""Who gets in and what every answer carries: sign-in by default, strict headers on everything (T39, T65, T73)."""

from __future__ import annotations

import base64
import hashlib

from flask import Flask, Response, abort, redirect, request, session, url_for
from flask_security import current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.datastructures import MultiDict
from werkzeug.routing import IntegerConverter, Map
from werkzeug.wrappers import Response as AnyResponse

from helpdesk.settings import Settings

# Every other route needs an account: a new one is guarded without anybody thinking of it.
PUBLIC_ENDPOINTS = frozenset(
    [
        "health.healthz",
        "static",
        "security.login",
        "information.show",
        "information.of_line",
        "information.answer",
        "verification.form",
        "verification.show",
    ]
)
# Filing has no account: its links are secrets, and nothing of it is reached without one.
PUBLIC_BLUEPRINTS = frozenset({"constancia", "writing", "filed"})
# Files go into these forms: the files' own limit counts.
# Larger than what is accepted where a sentence about it is worth more than an error page.
LARGER_FORMS = {"answers.save": 6_000_000, "writing.save_step": 40_000_000}

PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
# What strangers wrote is shown in a page of its own that may do nothing: no script, no request, no frame.
# The one style in it is ours and is allowed by its hash (CSP 3, 2.3.1); a stranger's could hide and overlay.
FRAME_STYLE = (
    "body{margin:.5rem;font:16px/1.5 sans-serif;overflow-wrap:anywhere}img{max-width:100%;height:auto}"
    "pre{white-space:pre-wrap}blockquote{margin-inline:.5rem 0;padding-left:.5rem;border-left:2px solid #aab}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(FRAME_STYLE.encode()).digest()).decode()
_CAGE = (
    f"sandbox allow-popups; default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'none'; "
    "frame-ancestors 'self'; base-uri 'none'; img-src data:"
)
MAIL_CSP = _CAGE
# For one look with remote pictures, when an agent asks for it (T35).
REMOTE_MAIL_CSP = f"{_CAGE} https:"
# A mail of ours before it leaves: its styles stand in its attributes, as mail needs them.
OWN_MAIL_CSP = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; "
    "base-uri 'none'"
)
FILE_CSP = "sandbox; default-src 'none'; frame-ancestors 'none'"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# What holds nothing of anybody.
KEPT_BY_BROWSERS = frozenset({"static", "constancia.districts"})
LARGEST_ID = 2**63 - 1
CLEANED_FIELDS = frozenset({"texto", "q"})
FOREIGN = frozenset({"cross-site", "same-site"})


def init_guard(app: Flask, settings: Settings) -> None:
    """Put the guard in front of the app."""
    app.before_request(allow_larger_forms)
    CSRFProtect(app)
    app.url_map.converters["id"] = RowId
    app.before_request(refuse_nul)
    app.before_request(refuse_foreign_posts)
    app.before_request(require_sign_in)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", PAGE_CSP)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint not in KEPT_BY_BROWSERS:
            response.headers["Cache-Control"] = "no-store"
        if settings.secure_cookies:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return response


def allow_larger_forms() -> None:
    """Let a form with files be as large as its files may be."""
    if larger := LARGER_FORMS.get(request.endpoint or ""):
        request.max_content_length = larger


def require_sign_in() -> AnyResponse | None:
    """Send whoever is not signed in to the sign-in page."""
    if current_user.is_authenticated:
        session.permanent = True  # the session ends after a time without requests, not with the browser
        return None
    if request.endpoint in PUBLIC_ENDPOINTS or request.endpoint is None:
        return None
    if request.blueprint in PUBLIC_BLUEPRINTS:
        return None
    here = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("security.login", next=here))


class RowId(IntegerConverter):
    """An id in an address: no larger than the database's bigint, so that a larger one is simply not found."""

    def __init__(self, map_: Map) -> None:
        super().__init__(map_, max=LARGEST_ID)


def row_id(values: MultiDict[str, str], name: str) -> int | None:
    """An id in a form or a query; None when it is missing or cannot be one."""
    value = values.get(name, type=int)
    return value if value is not None and 0 < value <= LARGEST_ID else None


def refuse_nul() -> None:
    """Refuse NUL characters, which no person types and PostgreSQL cannot store; texts are cleaned of them instead."""
    fields = [*request.args.items(multi=True), *request.form.items(multi=True)]
    if "\x00" in request.path or any("\x00" in value for name, value in fields if name not in CLEANED_FIELDS):
        abort(400)


def refuse_foreign_posts() -> tuple[str, int] | None:
    """Refuse a form that another site sent, whatever token it carries (Sec-Fetch-Site)."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site") in FOREIGN:
        return "Este formulario no viene de nuestras páginas.", 400
    return None
