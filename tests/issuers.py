"""Processes that file contracts and are killed while they do it; and what must hold afterwards (F46, I-7).

Each process is a fork of one that has imported everything and rendered nothing: typst's threads do not survive a fork.
"""

from __future__ import annotations

import hashlib
import http.client
import multiprocessing
import os
import re
from collections import Counter
from multiprocessing.context import ForkServerProcess
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from helpdesk.certificates.issuing import submit
from helpdesk.certificates.links import Purpose, token
from helpdesk.certificates.records import Constancia, FiledWorker, Filing, FilingDraft
from helpdesk.certificates.sealing import seal_due
from helpdesk.db import Sessions, utc_now
from helpdesk.desk.files import keep_contents
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.worker import open_sessions_of
from helpdesk.settings import Settings
from tests.filings import contract, submission, tree, worker

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.issuers"])


def document(number: int) -> str:
    """The made-up document of the person of one filing."""
    return f"10{number:08d}"


def file_all(settings: Settings, numbers: list[int], failpoint: str) -> None:
    """File these, each under its own key, and seal what waits; the failpoint may end the process anywhere."""
    os.environ["HELPDESK_FAILPOINTS"] = failpoint
    with open_sessions_of(settings) as sessions:
        for number in numbers:
            with sessions.begin() as session:
                people = [worker(document_number=document(number))]
                submit(session, submission(f"key-{number}", workers=people), settings)
            seal_due(sessions, settings)


def start(settings: Settings, numbers: list[int], failpoint: str = "") -> ForkServerProcess:
    """A process that files these."""
    process = _SERVER.Process(target=file_all, args=(settings, numbers, failpoint), daemon=True)
    process.start()
    return process


def broken(session: Session) -> list[str]:
    """What does not hold of the register: each is a sentence."""
    found = []
    rows = session.scalars(select(Constancia).options(undefer(Constancia.pdf)).order_by(Constancia.id)).all()
    ordinals = sorted(row.ordinal for row in rows if row.ordinal is not None)
    if ordinals != list(range(1, len(rows) + 1)):
        found.append(f"the series has a gap or a double: {ordinals}")
    if len({row.code for row in rows}) != len(rows):
        found.append("a code was given twice")
    for row in rows:
        if row.state == "valid" and (row.pdf is None or hashlib.sha256(row.pdf).hexdigest() != row.sha256):
            found.append(f"{row.number}: the document is not the one that was stored")
    filings = session.scalars(select(Filing)).all()
    issued = Counter(session.scalars(select(FiledWorker.filing_id).join(Constancia)))
    told = Counter(session.scalars(select(Outgoing.idempotency_key)))
    valid = {row.worker.filing_id for row in rows if row.state == "valid"}
    for filing in filings:
        if issued[filing.id] != len(filing.workers):
            found.append(f"filing {filing.id} has {issued[filing.id]} documents")
        if told[f"constancia-issued-{filing.id}"] != (filing.id in valid):
            found.append(f"filing {filing.id} was told {told[f'constancia-issued-{filing.id}']} times")
    return found


class HasRegister(Protocol):
    """What has a database and settings: a desk, or a measurement."""

    @property
    def sessions(self) -> Sessions: ...
    @property
    def settings(self) -> Settings: ...


def whole_draft(desk: HasRegister, number: int) -> str:
    """A filing of which only the last click is missing; its link's secret."""
    whole, given = tree(workers=[worker(document_number=document(number), email=None)]), contract()
    answers_given = {
        key: whole[key] for key in ("workers", "category", "category_details", "contract", "declarations")
    }
    employer = {key: value for key, value in whole["employer"].items() if key != "email"}
    with desk.sessions.begin() as session:
        keep_contents(session, {given.sha256: given.content})
        draft = FilingDraft(
            email="rrhh@example.com",
            confirmed_at=utc_now(),
            answers={**answers_given, "employer": employer},
            contract_name=given.name,
            contract_mime=given.type,
            contract_sha256=given.sha256,
            created_at=utc_now(),
            updated_at=utc_now(),
        )
        session.add(draft)
        session.flush()
        return token(desk.settings.key, Purpose.DRAFT, draft.id)


def form_of(port: int, address: str) -> tuple[str, str]:
    """The check page's cookie and token: every node takes them."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", address)
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None, page[:500]
    return (response.getheader("Set-Cookie") or "").split(";")[0], found[1]
