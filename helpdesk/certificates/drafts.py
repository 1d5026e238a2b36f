"""A filing while it is being written by somebody without an account: the address confirmed, every step kept.

In: the one-time code, what is kept of each step, the way to `submit`. Not in: pages (`helpdesk.web.constancia`), what
may be filed (`rules.py`). Whoever has a draft's link can write on it, so its link is mailed to the confirmed address
and shown to whoever confirmed it, and to nobody else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from copy import deepcopy
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from helpdesk.certificates.application import Fault, Reading, read_application
from helpdesk.certificates.contract_file import SOURCE, ContractFile
from helpdesk.certificates.deciding import correct
from helpdesk.certificates.issuing import Outcome, Result, Submission, again, submit
from helpdesk.certificates.notices import CODE_MINUTES, send_code, send_draft_link
from helpdesk.certificates.records import FilingDraft, FilingKind, Source
from helpdesk.db import hold
from helpdesk.desk.files import keep_contents
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.words import N_
from helpdesk.errors import NotAllowed
from helpdesk.settings import Settings

CODE_FIGURES = 6
MOST_TRIES = 5
MOST_CODES_OF_DRAFT = 5
MOST_CODES_OF_ADDRESS = 6
HOUR = dt.timedelta(hours=1)
CODE_LASTS = dt.timedelta(minutes=CODE_MINUTES)


def start(
    session: Session, email: str, nationality: str, settings: Settings, now: dt.datetime
) -> FilingDraft:
    """Begin a filing and mail the code that confirms its address. Raises NotAllowed when too many were sent."""
    draft = FilingDraft(
        email=email, answers={"workers": [{"nationality": nationality}]}, created_at=now, updated_at=now
    )
    session.add(draft)
    session.flush()
    mail_code(session, draft, settings, now)
    return draft


def mail_code(session: Session, draft: FilingDraft, settings: Settings, now: dt.datetime) -> None:
    """Mail a new code; the one before stops working. Raises NotAllowed when too many were sent."""
    if (
        draft.codes_sent >= MOST_CODES_OF_DRAFT
        or _codes_to(session, draft.email, now) >= MOST_CODES_OF_ADDRESS
    ):
        raise NotAllowed("Ya enviamos varios códigos a esa dirección. Espere una hora y pida otro.")
    code = f"{secrets.randbelow(10**CODE_FIGURES):0{CODE_FIGURES}d}"
    draft.code_sha256, draft.code_sent_at = _hash(settings, draft, code), now
    draft.code_tries, draft.codes_sent = 0, draft.codes_sent + 1
    send_code(session, draft, code, settings, now)


def _codes_to(session: Session, email: str | None, now: dt.datetime) -> int:
    query = select(func.count()).where(
        Outgoing.recipient == email, Outgoing.created_at > now - HOUR, Outgoing.ticket_id.is_(None)
    )
    return session.scalar(query) or 0


def confirm(session: Session, draft: FilingDraft, typed: str, settings: Settings, now: dt.datetime) -> bool:
    """Whether the typed code is the one that was mailed; then the address is confirmed and the link is mailed.

    Each code is good for half an hour and five tries.
    """
    hold(session, draft)
    if draft.confirmed_at is not None:
        return False  # who confirmed it was shown the link; nobody else is
    code = "".join(figure for figure in typed if figure.isdigit())
    fresh = draft.code_sent_at is not None and now - draft.code_sent_at <= CODE_LASTS
    if not fresh or draft.code_tries >= MOST_TRIES or draft.code_sha256 is None:
        return False
    draft.code_tries += 1
    if not hmac.compare_digest(draft.code_sha256, _hash(settings, draft, code)):
        return False
    draft.confirmed_at, draft.code_sha256 = now, None
    send_draft_link(session, draft, settings, now)
    return True


def _hash(settings: Settings, draft: FilingDraft, code: str) -> str:
    return hmac.new(settings.key.encode(), f"code.{draft.id}.{code}".encode(), hashlib.sha256).hexdigest()


def keep(draft: FilingDraft, path: tuple[str | int, ...], values: dict[str, Any], now: dt.datetime) -> None:
    """Keep what was answered on a page, right or wrong, at its place in the tree."""
    tree = deepcopy(draft.answers)
    node: Any = tree
    for step, following in pairwise(path):
        node = _below(node, step, following)
    if path:
        _put(node, path[-1], values)
    else:
        tree.update(values)
    draft.answers, draft.updated_at = tree, now


def _put(node: Any, step: str | int, values: object) -> None:
    if isinstance(step, int) and step == len(node):
        node.append(values)
    elif isinstance(values, dict) and isinstance(node, dict) and isinstance(node.get(step), dict):
        node[step] = {**node[step], **values}
    else:
        node[step] = values


def _below(node: Any, step: str | int, following: str | int) -> Any:
    if isinstance(node, dict):
        return node.setdefault(step, [] if isinstance(following, int) else {})
    return node[step]


def drop_worker(draft: FilingDraft, place: int, now: dt.datetime) -> None:
    """Take a person out of the filing; the last one stays."""
    workers = list(draft.answers.get("workers", []))
    if len(workers) > 1 and 0 <= place < len(workers):
        del workers[place]
        draft.answers, draft.updated_at = {**draft.answers, "workers": workers}, now


def keep_contract(session: Session, draft: FilingDraft, contract: ContractFile, now: dt.datetime) -> None:
    """Keep the contract's file with the draft."""
    keep_contents(session, {contract.sha256: contract.content})
    draft.contract_name, draft.contract_mime = contract.name, contract.type
    draft.contract_sha256, draft.updated_at = contract.sha256, now


def tree_of(draft: FilingDraft) -> dict[str, Any]:
    """The draft's answers as a file would hold them: the confirmed address is the employer's."""
    answers = deepcopy(draft.answers)
    answers["employer"] = {**answers.get("employer", {}), "email": draft.email}
    return {name: value for name, value in answers.items() if name != "request"}


def reading_of(draft: FilingDraft) -> Reading:
    """What has been answered so far, and what is missing."""
    return read_application(tree_of(draft))


def contract_of(draft: FilingDraft) -> ContractFile | None:
    """The contract's file, if it was given."""
    if draft.contract_sha256 is None or draft.contract is None:
        return None
    return ContractFile(draft.contract_name or "contrato", draft.contract_mime or "", draft.contract.content)


def file_draft(session: Session, draft: FilingDraft, settings: Settings) -> Result:
    """File what was written. Of many clicks one files; the others get what it came to (T86, F49).

    Raises NotAllowed for an address that was not confirmed.
    """
    hold(session, draft)
    if draft.filing is not None:
        return again(draft.filing)
    if draft.confirmed_at is None:
        raise NotAllowed("Confirme primero su correo.")
    reading, contract = reading_of(draft), contract_of(draft)
    missing = (
        () if contract else (Fault("contract_file", "required", N_("Adjunte el contrato firmado."), SOURCE),)
    )
    if reading.application is None or contract is None:
        return Result(Outcome.REJECTED, (*reading.faults, *missing))
    if draft.corrects is not None:
        result = correct(session, draft.corrects, reading.application, contract, settings)
        draft.filing = result.filing
        return result
    submission = Submission(
        application=reading.application,
        contract=contract,
        source=Source.WEB,
        key=f"draft-{draft.id}",
        kind=FilingKind(draft.kind),
        follows=draft.follows,
        request=str(draft.answers.get("request") or ""),
    )
    result = submit(session, submission, settings)
    draft.filing = result.filing
    return result


def purge(session: Session, older_than: dt.datetime) -> int:
    """Forget what was begun and left alone; what was filed is in the register."""
    old = session.scalars(select(FilingDraft).where(FilingDraft.updated_at < older_than)).all()
    for draft in old:
        session.delete(draft)
    return len(old)
