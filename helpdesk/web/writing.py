"""Writing a filing: page by page, each kept as it was typed; then the check, and filing it.

Behind a secret link. Not in: what a page asks and what is wrong with it (`filing_steps.py`), what is kept
(`helpdesk.certificates.drafts`), the rules.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from helpdesk.certificates import drafts, fields
from helpdesk.certificates.application import Fault
from helpdesk.certificates.contract_file import KEY as CONTRACT_FILE
from helpdesk.certificates.contract_file import ContractFile, read_contract
from helpdesk.certificates.fields import CATEGORIES_ES, NATIONALITIES_ES
from helpdesk.certificates.issuing import Outcome
from helpdesk.certificates.links import Purpose, token
from helpdesk.certificates.records import FilingDraft
from helpdesk.db import utc_now
from helpdesk.desk.words import FILING_KINDS_ES, N_
from helpdesk.errors import HelpdeskError
from helpdesk.mail.clamav import Scanner, ScannerDown, ScanRefused
from helpdesk.settings import LIMA
from helpdesk.web import filing_steps as pages
from helpdesk.web.constancia import Shown, by_name, draft_of, shown, shown_at
from helpdesk.web.filing_steps import Step
from helpdesk.web.session import session, settings

writing = Blueprint("writing", __name__, url_prefix="/constancia/tramite/<secret>")


def _written_on(secret: str) -> FilingDraft:
    """The draft of a link, if its address was confirmed."""
    draft = draft_of(Purpose.DRAFT, secret)
    return draft if draft.confirmed_at is not None else abort(404)


def _steps(draft: FilingDraft) -> list[Step]:
    return pages.steps_of(draft.answers, follows=draft.follows_id is not None)


def _today() -> dt.date:
    return utc_now().astimezone(LIMA).date()


@writing.get("")
def write(secret: str) -> Response:
    """Go on where something is still missing."""
    draft = _written_on(secret)
    if draft.filing is not None:
        return redirect(_receipt_url(draft))
    missing = (step.slug for step in _steps(draft) if _missing(draft, step))
    return _to(draft, secret, next(missing, pages.CHECK))


def _to(draft: FilingDraft, secret: str, slug: str) -> Response:
    """To a page; from the list of people on to the only person, while there is nothing to list."""
    if slug == pages.WORKERS.slug and _nobody_yet(draft):
        return redirect(url_for("writing.worker", secret=secret, place=1))
    return redirect(url_for("writing.step", secret=secret, slug=slug))


def _nobody_yet(draft: FilingDraft) -> bool:
    return len(draft.answers.get("workers") or []) <= 1 and bool(_incomplete(draft))


def _receipt_url(draft: FilingDraft) -> str:
    assert draft.filing_id is not None
    return url_for("filed.show", secret=token(settings().key, Purpose.FILING, draft.filing_id))


def _missing(draft: FilingDraft, step: Step) -> bool:
    if step.file:
        return draft.contract_sha256 is None
    if step.slug == pages.WORKERS.slug:
        return bool(_incomplete(draft))
    return bool(
        pages.faults_of_page(step, pages.answers_at(draft.answers, step.path), draft.answers, _today())
    )


def _incomplete(draft: FilingDraft) -> list[int]:
    """The people of whom something is missing or wrong, counted from nought."""
    workers = draft.answers.get("workers") or [{}]
    places = range(len(workers))
    return [
        at
        for at in places
        if pages.faults_of_page(pages.worker_step(at), workers[at], draft.answers, _today())
    ]


@writing.get("/<slug>")
def step(secret: str, slug: str) -> str | Response:
    """One page of the filing."""
    draft = _written_on(secret)
    if draft.filing is not None:
        return redirect(_receipt_url(draft))
    if slug == pages.CHECK:
        return _check(draft, secret, [])
    if slug == pages.WORKERS.slug:
        return _workers(draft, secret, [])
    found = _step(draft, slug)
    return _page(draft, secret, found, pages.answers_at(draft.answers, found.path), [])


def _step(draft: FilingDraft, slug: str) -> Step:
    return next((step for step in _steps(draft) if step.slug == slug), None) or abort(404)


def _page(
    draft: FilingDraft, secret: str, step: Step, answers: dict[str, Any], faults: Sequence[Fault]
) -> str:
    steps = _steps(draft)
    slugs = [each.slug for each in steps]
    at = slugs.index(step.slug if step.slug in slugs else pages.WORKERS.slug)
    told = shown(faults, step.asked)
    return render_template(
        "constancia/step.html",
        draft=draft,
        step=step,
        asked=step.asked,
        answers=answers,
        at=at + 1,
        of=len(steps) + 1,
        back=_back(draft, secret, slugs[:at], step),
        note=_note(draft, step),
        faults=told,
        by_name=by_name(told),
        found=pages.districts_meant(step.asked, answers),
    )


def _note(draft: FilingDraft, step: Step) -> str | None:
    """What a page is about, when its title does not say."""
    if step.path[:1] == ("workers",):
        return str(gettext("Persona %(n)s", n=int(step.path[1]) + 1))
    if step.slug == pages.DETAILS_STEP.slug:
        return str(gettext(CATEGORIES_ES[draft.answers["category"]]))
    return str(gettext(FILING_KINDS_ES[draft.kind])) if draft.follows_id else None


def _back(draft: FilingDraft, secret: str, before: list[str], step: Step) -> str | None:
    """The page before, as the person came; none before the first: the address is confirmed once."""
    if step.path[:1] == ("workers",) and not _nobody_yet(draft):
        return url_for("writing.step", secret=secret, slug=pages.WORKERS.slug, desde=_from())
    if _from() == pages.CHECK:
        return url_for("writing.step", secret=secret, slug=pages.CHECK)
    return url_for("writing.step", secret=secret, slug=before[-1]) if before else None


def _from() -> str | None:
    """The check, when the person came from it to change something."""
    return pages.CHECK if request.args.get("desde") == pages.CHECK else None


def _next(draft: FilingDraft, secret: str, slug: str) -> Response:
    """The page after this one; back to the check when the person came from it."""
    slugs = [step.slug for step in _steps(draft)]
    at = slugs.index(slug) + 1
    going_back = _from() == pages.CHECK
    return _to(draft, secret, pages.CHECK if going_back or at >= len(slugs) else slugs[at])


@writing.post("/<slug>")
def save_step(secret: str, slug: str) -> Response | tuple[str, int]:
    """Keep what a page sent, right or wrong; go on when it is right."""
    draft = _written_on(secret)
    if draft.filing is not None:
        return redirect(_receipt_url(draft))
    if slug == pages.CHECK:
        return _file(draft, secret)
    if slug == pages.WORKERS.slug:
        incomplete = _incomplete(draft)
        return (_workers(draft, secret, incomplete), 422) if incomplete else _next(draft, secret, slug)
    found = _step(draft, slug)
    if found.file:
        return _save_contract(draft, secret, found)
    answers = pages.answers_sent(found.asked, request.form)
    faults = pages.faults_of_page(found, answers, draft.answers, _today())
    _forget_details(draft, found, answers)
    drafts.keep(draft, found.path, answers, utc_now())
    session().commit()
    if faults:
        return _page(draft, secret, found, answers, faults), 422
    return _next(draft, secret, slug)


def _forget_details(draft: FilingDraft, step: Step, answers: dict[str, Any]) -> None:
    """Another category asks other questions: what was answered to the old ones goes."""
    if step.slug == pages.CATEGORY.slug and answers.get("category") != draft.answers.get("category"):
        draft.answers = {name: value for name, value in draft.answers.items() if name != "category_details"}


def _save_contract(draft: FilingDraft, secret: str, step: Step) -> Response | tuple[str, int]:
    sent = request.files.get(CONTRACT_FILE)
    content = b""
    if sent is not None:
        content = sent.read()
        sent.close()  # a large one lies in a file
    if not content and draft.contract_sha256 is not None:
        return _next(draft, secret, step.slug)
    contract = read_contract((sent.filename if sent else None) or "contrato", content)
    if isinstance(contract, ContractFile) and (virus := _virus(content)):
        contract = virus
    if isinstance(contract, Fault):
        return _page(draft, secret, step, {}, [contract]), 422
    drafts.keep_contract(session(), draft, contract, utc_now())
    session().commit()
    return _next(draft, secret, step.slug)


def _virus(content: bytes) -> Fault | None:
    """What the scanner says, when there is one; while it is down, the file is held until it has looked at it."""
    address = settings().clamav
    if address is None:
        return None
    try:
        found = Scanner(address).scan(content)
    except (ScannerDown, ScanRefused):
        return None
    return (
        Fault(CONTRACT_FILE, "virus", N_("El archivo contiene un virus: no se recibió. Envíe otro."))
        if found
        else None
    )


def _workers(draft: FilingDraft, secret: str, incomplete: list[int]) -> str:
    slugs = [step.slug for step in _steps(draft)]
    at = slugs.index(pages.WORKERS.slug)
    told = []
    for place in incomplete:
        words = gettext("Complete los datos de la persona %(n)s.", n=place + 1)
        told.append(Shown("workers", words, url_for("writing.worker", secret=secret, place=place + 1)))
    return render_template(
        "constancia/workers.html",
        draft=draft,
        secret=secret,
        workers=draft.answers.get("workers") or [{}],
        incomplete=_incomplete(draft),
        nationalities=NATIONALITIES_ES,
        most=fields.MOST_WORKERS,
        faults=told,
        at=at + 1,
        of=len(slugs) + 1,
        back=_back(draft, secret, slugs[:at], pages.WORKERS),
        desde=_from(),
    )


def _place(draft: FilingDraft, place: int) -> int:
    """A person's place, counted from nought; the next free one is a new person."""
    count = len(draft.answers.get("workers") or [])
    return place - 1 if 1 <= place <= min(count + 1, fields.MOST_WORKERS) else abort(404)


@writing.get("/personas/<id:place>")
def worker(secret: str, place: int) -> str | Response:
    """One person of the contract."""
    draft = _written_on(secret)
    if draft.filing is not None:
        return redirect(_receipt_url(draft))
    found = pages.worker_step(_place(draft, place))
    return _page(draft, secret, found, pages.answers_at(draft.answers, found.path), [])


@writing.post("/personas/<id:place>")
def save_worker(secret: str, place: int) -> Response | tuple[str, int]:
    """Keep one person."""
    draft = _written_on(secret)
    if draft.filing is not None:
        return redirect(_receipt_url(draft))
    found = pages.worker_step(_place(draft, place))
    answers = pages.answers_sent(found.asked, request.form)
    faults = pages.faults_of_page(found, answers, draft.answers, _today())
    drafts.keep(draft, found.path, answers, utc_now())
    session().commit()
    if faults:
        return _page(draft, secret, found, answers, faults), 422
    return redirect(url_for("writing.step", secret=secret, slug=pages.WORKERS.slug, desde=_from()))


@writing.post("/personas/<id:place>/quitar")
def remove_worker(secret: str, place: int) -> Response:
    """Take a person out."""
    draft = _written_on(secret)
    if draft.filing is not None:
        return redirect(_receipt_url(draft))
    drafts.drop_worker(draft, _place(draft, place), utc_now())
    session().commit()
    return redirect(url_for("writing.step", secret=secret, slug=pages.WORKERS.slug, desde=_from()))


def _check(draft: FilingDraft, secret: str, faults: Sequence[Fault]) -> str:
    sections = []
    for step in _steps(draft):
        if step.slug == pages.WORKERS.slug:
            for at, person in enumerate(draft.answers.get("workers") or [{}]):
                sections.append(_section(pages.worker_step(at), person, secret, at + 1))
        else:
            sections.append(_section(step, pages.answers_at(draft.answers, step.path), secret, None))
    return render_template(
        "constancia/check.html",
        draft=draft,
        secret=secret,
        sections=sections,
        faults=[_shown(draft, secret, fault) for fault in faults],
    )


def _section(step: Step, answers: dict[str, Any], secret: str, place: int | None) -> dict[str, Any]:
    if place is None:
        change = url_for("writing.step", secret=secret, slug=step.slug, desde=pages.CHECK)
    else:
        change = url_for("writing.worker", secret=secret, place=place, desde=pages.CHECK)
    rows = [(question.label, pages.read_out(answers.get(question.name), question)) for question in step.asked]
    return {"title": step.title, "place": place, "change": change, "rows": rows, "file": step.file}


def _shown(draft: FilingDraft, secret: str, fault: Fault) -> Shown:
    """A fault of the whole filing, with the question that is meant and the place where it is answered."""
    group, _, name = fault.key.rpartition(".")
    if person := re.fullmatch(r"workers\[(\d+)\]", group):
        place = int(person[1]) + 1
        anchor = url_for("writing.worker", secret=secret, place=place, desde=pages.CHECK, _anchor=name)
        label = next((gettext(question.label) for question in fields.WORKER if question.name == name), "")
        return shown_at(fault, anchor, gettext("%(question)s (persona %(n)s)", question=label, n=place))
    if fault.key == "workers":
        people = url_for("writing.step", secret=secret, slug=pages.WORKERS.slug, desde=pages.CHECK)
        return shown_at(fault, people, "")
    for step in _steps(draft):
        there = ".".join(str(part) for part in step.path) == group
        label = next((gettext(question.label) for question in step.asked if question.name == name), "")
        if (there and label) or (step.file and name == CONTRACT_FILE):
            anchor = url_for("writing.step", secret=secret, slug=step.slug, desde=pages.CHECK, _anchor=name)
            return shown_at(fault, anchor, label)
    return shown_at(fault, None, "")


def _file(draft: FilingDraft, secret: str) -> Response | tuple[str, int]:
    """File it; whatever is not met is said, with the way to mend it."""
    try:
        result = drafts.file_draft(session(), draft, settings())
    except HelpdeskError as error:
        session().rollback()
        return _check(_written_on(secret), secret, [Fault("", "refused", str(error))]), 422
    if result.outcome is Outcome.REJECTED:
        session().rollback()
        return _check(_written_on(secret), secret, result.reasons), 422
    session().commit()
    return redirect(_receipt_url(draft))
