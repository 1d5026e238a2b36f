"""The queue: which tickets wait, and how the mailboxes are doing."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from helpdesk.desk.ledger_page import count_set_aside
from helpdesk.desk.lifecycle import TicketStatus
from helpdesk.desk.outbox import undelivered
from helpdesk.desk.queue import LINE_FILTERS, View, open_counts, queue_page
from helpdesk.web.session import agent, session

queue = Blueprint("queue", __name__)

STATUSES = tuple(status.value for status in TicketStatus)


def view_from_request() -> View:
    """The view that the page's address names; anything unknown in it is left out (T74)."""
    line = request.args.get("linea")
    search = request.args.get("q", "").strip().replace("\x00", "")[:200]
    # Whoever searches looks for a ticket wherever it stands, unless a view is named.
    usual = None if search and not request.args.get("asignada") and line not in LINE_FILTERS else STATUSES[0]
    status = request.args.get("estado", usual)
    assignee = request.args.get("asignada")
    return View(
        line=line if line in LINE_FILTERS else None,
        status=status if status in STATUSES else usual,
        assignee=assignee if assignee in ("me", "nobody") else None,
        urgent="urgente" in request.args,
        review="revisar" in request.args,
        search=search,
        page=min(max(request.args.get("pagina", 1, type=int), 1), 10_000),
    )


def view_arguments(view: View) -> dict[str, str | int]:
    """The address arguments of a view, without those at their default."""
    arguments = {
        "linea": view.line,
        "estado": view.status if view.status != TicketStatus.OPEN.value else None,
        "asignada": view.assignee,
        "urgente": 1 if view.urgent else None,
        "revisar": 1 if view.review else None,
        "q": view.search or None,
        "pagina": view.page if view.page > 1 else None,
    }
    return {name: value for name, value in arguments.items() if value is not None}


@queue.get("/")
def home() -> Response:
    """The desk begins at the queue."""
    return redirect(url_for("queue.show"))


@queue.get("/bandeja")
def show() -> str:
    """The tickets of a view."""
    view, user = view_from_request(), agent()
    page = queue_page(session(), view, user.id)
    return render_template(
        "queue.html",
        view=view,
        here=view_arguments(view),
        page=page,
        undelivered=undelivered(session(), page.tickets),
        counts=open_counts(session(), user.id),
        filters=LINE_FILTERS,
        set_aside=count_set_aside(session()),
    )
