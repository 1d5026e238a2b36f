"""Verification codes and what they open: nobody finds one by trying, and a changed PDF is never ours (T81 to T85)."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import io
import json
import math
import random
import re
from collections import Counter
from collections.abc import Iterator

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import ARRAY, Text, any_, func, insert, inspect, literal, select
from sqlalchemy.orm import Session

from helpdesk.accounts.users import User
from helpdesk.certificates import codes, deciding
from helpdesk.certificates.codes import (
    ALPHABET,
    CHECK_MODULUS,
    RANDOM_CHARACTERS,
    grouped,
    new_code,
    read_code,
)
from helpdesk.certificates.document import text_of, verify_url
from helpdesk.certificates.issuing import replace, submit
from helpdesk.certificates.notices import documents_of
from helpdesk.certificates.records import Constancia, FiledWorker, Standing
from helpdesk.certificates.verifying import NOBODYS, Verified, verify_code, verify_file
from helpdesk.db import utc_now
from helpdesk.desk.lifecycle import ConstanciaState
from helpdesk.settings import LIMA
from templates.constancia import constancia_pdf
from tests.desk import Desk
from tests.filings import day, submission, worker

LENGTH = RANDOM_CHARACTERS + 1
UNKNOWN = Verified(Standing.UNKNOWN)
# T82 and T83: everything that anybody may be told.
ALLOWED = [
    *("standing", "valid", "unchanged", "number", "issued", "valid_from", "valid_until", "initials"),
    *("document_end", "employer", "sha256", "replaced_by"),
]
_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())


def drawn(draw: random.Random, count: int) -> list[str]:
    """So many random codes with their check symbols, made otherwise than ours."""
    made = []
    while len(made) < count:
        raw = draw.randbytes(15)
        check = int.from_bytes(raw) % CHECK_MODULUS
        if check < len(ALPHABET):
            made.append(base64.b32encode(raw).translate(_CROCKFORD).decode() + ALPHABET[check])
    return made


code_texts = st.integers(0, 2**32).map(lambda seed: drawn(random.Random(seed), 1)[0])


def test_what_is_drawn_is_read_back_as_it_is_printed() -> None:
    made = [new_code() for _ in range(2_000)]
    assert len(set(made)) == 2_000
    for code in made:
        assert re.fullmatch(f"[{ALPHABET}]{{{LENGTH}}}", code)
        assert read_code(code) == read_code(grouped(code)) == code
    assert re.fullmatch(r"(\w{5}-){4}\w{5}", grouped(made[0]))
    # Every sign stands in every place: none of them tells anything of a number or a day.
    for place in range(LENGTH):
        assert len({code[place] for code in made}) == len(ALPHABET)


def test_T81_a_code_has_at_least_a_hundred_bits() -> None:
    values = 2 ** (5 * RANDOM_CHARACTERS)
    rounds, rest = divmod(values, CHECK_MODULUS)
    possible = rounds * len(ALPHABET) + min(rest, len(ALPHABET))
    assert len(set(ALPHABET)) == 32
    assert not set(ALPHABET) & set("ILOU")
    assert math.log2(possible) > 119
    assert codes.secrets.randbits.__self__.__class__.__name__ == "SystemRandom"


@given(code_texts)
def test_what_a_person_types_is_forgiven(code: str) -> None:
    for typed in (
        *(code.lower(), grouped(code), f"  {grouped(code.lower())}\n", grouped(code).replace("-", " ")),
        *(grouped(code).replace("-", "–"), grouped(code).replace("-", "—"), "-".join(code), f"{code}."),
        *(code.replace("0", "O"), code.replace("0", "o"), code.replace("1", "I"), code.replace("1", "l")),
        *(code.replace("1", "L"), code.replace("1", "i"), grouped(code).replace("-", "_"), f"{code},"),
    ):
        assert read_code(typed) == code


@given(code_texts)
def test_any_one_changed_sign_is_noticed_and_so_are_two_neighbours_that_changed_places(code: str) -> None:
    changed = [
        code[:place] + other + code[place + 1 :]
        for place in range(LENGTH)
        for other in ALPHABET
        if other != code[place]
    ]
    assert len(changed) == LENGTH * 31
    assert [wrong for wrong in changed if read_code(wrong) is not None] == []
    for place in range(RANDOM_CHARACTERS - 1):
        swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
        assert swapped == code or read_code(swapped) is None


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            " ",
            "-",
            "0" * 24,
            "0" * 26,
            "U" * 25,
            "0" * 24 + "*",
            "0" * 24 + "~",
            "0" * 24 + "U",
            "0" * 10_000,
        ),
        *(
            "٠" * 25,
            "Ｏ" * 25,
            "ß" * 13,
            "0" * 24 + "\x00",
            "' or 1=1 --",
            NOBODYS,
            "https://x.example/v/" + "0" * 25,
        ),
    ],
)
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert read_code(typed) is None


@given(st.text(max_size=100))
def test_any_text_can_be_typed(typed: str) -> None:
    code = read_code(typed)
    assert code is None or (read_code(code) == code and len(code) == LENGTH)


# From here on with a database.


@pytest.fixture
def session(desk: Desk) -> Iterator[Session]:
    """A session whose work is never committed."""
    with desk.sessions() as opened:
        yield opened


def issue(session: Session, desk: Desk, number: str = "1000000001", **changed: object) -> Constancia:
    """A constancia that was issued."""
    result = submit(session, submission(workers=[worker(document_number=number)], **changed), desk.settings)
    assert result.filing is not None, result.reasons
    (found,) = documents_of(session, result.filing)
    return found


def copy_of(row: object, **changed: object) -> dict[str, object]:
    """A row's values under its columns' names, without its id."""
    columns = [column.key for column in inspect(row).mapper.column_attrs if column.key != "id"]
    return {name: getattr(row, name) for name in columns} | changed


def issue_many(session: Session, first: Constancia, count: int) -> list[str]:
    """So many more constancias, as rows alone."""
    people = [copy_of(first.worker, position=place) for place in range(2, count + 2)]
    ids = session.scalars(insert(FiledWorker).returning(FiledWorker.id), people).all()
    rows = [
        copy_of(
            first, worker_id=row, number=f"CTMA-{first.year}-{at:06}", ordinal=at, code=new_code(), pdf=None
        )
        for at, row in enumerate(ids, 2)
    ]
    session.execute(insert(Constancia), rows)
    return [str(row["code"]) for row in rows]


def test_T81_a_million_random_codes_hit_none_of_those_that_were_issued(session: Session, desk: Desk) -> None:
    issued = issue_many(session, issue(session, desk), 5_000)
    assert session.scalar(select(func.count()).select_from(Constancia)) == 5_001

    def hits(batch: list[str]) -> int:
        there = Constancia.code == any_(literal(batch, ARRAY(Text)))
        return session.scalar(select(func.count()).select_from(Constancia).where(there)) or 0

    draw = random.Random(81)
    assert all(read_code(code) == code for code in drawn(draw, 100))
    assert hits([*drawn(draw, 1_000), issued[7], issued[-1]]) == 2  # one that was issued is found
    assert sum(hits(drawn(draw, 10_000)) for _ in range(100)) == 0


def test_T81_numbers_in_their_order_find_nothing(session: Session, desk: Desk) -> None:
    found = issue(session, desk)
    assert found.code is not None
    tried = [
        found.number,
        found.number.replace("-", ""),
        str(found.ordinal),
        str(found.id),
        found.sha256 or "",
    ]
    tried += [f"{found.year}{number:06}" for number in range(200)]
    tried += [f"{number:025}" for number in range(200)]
    tried += [f"{found.number.replace('-', '')}{number:012}" for number in range(200)]
    tried += [found.code[:-1] + sign for sign in ALPHABET if sign != found.code[-1]]
    tried += [NOBODYS, "", "%", "_" * 25, "' or true --", found.code + "0", found.code[1:]]
    answers = {verify_code(session, typed, utc_now()) for typed in tried}
    assert answers == {UNKNOWN}


def test_T82_only_the_allowed_fields_are_told_and_they_tell_no_more_than_they_may(
    session: Session, desk: Desk
) -> None:
    issued = issue(session, desk)
    found = verify_code(session, grouped(issued.code or "").lower(), utc_now())
    told = found.as_dict()
    assert list(told) == ALLOWED
    assert (told["standing"], told["valid"], told["unchanged"]) == ("in_force", True, None)
    assert (told["number"], told["sha256"], told["replaced_by"]) == (issued.number, issued.sha256, None)
    assert (told["initials"], told["document_end"]) == ("A. M. E. P.", "001")
    assert (told["employer"], told["valid_from"], told["valid_until"]) == (
        "Agrícola de Prueba S.A.C.",
        day(1),
        day(366),
    )
    words = json.dumps([told, found.facts()], ensure_ascii=False)
    person = worker()
    secrets = [
        person[name] for name in ("document_number", "surnames", "birth_date", "address_abroad", "email")
    ]
    for secret in (*secrets, "Ana", "María", "20131312955", "rrhh@example.com", "Rosa", "3500", issued.code):
        assert str(secret) not in words
    assert {name for name, value in UNKNOWN.as_dict().items() if value is not None} == {"standing", "valid"}


def test_T85_each_standing_is_told_at_once(session: Session, desk: Desk, rosa: User) -> None:
    now = utc_now()
    old, new = issue(session, desk), issue(session, desk, "1000000002")
    annulled, waiting = issue(session, desk, "1000000003"), issue(session, desk, "1000000004")

    def of(constancia: Constancia, at: dt.datetime = now) -> Verified:
        return verify_code(session, constancia.code or "", at)

    assert {of(row).standing for row in (old, new, annulled, waiting)} == {Standing.IN_FORCE}
    replace(session, old, new, now=now)
    deciding.annul(session, annulled, "Contrato falso.", actor=rosa)
    waiting.state = ConstanciaState.SEALING.value
    session.flush()
    session.expire_all()  # as another visitor reads it
    assert (of(old).standing, of(old).replaced_by, of(old).good) == (Standing.REPLACED, new.number, False)
    assert (of(annulled).standing, of(annulled).good) == (Standing.ANNULLED, False)
    assert "Contrato falso" not in str(of(annulled).as_dict())
    assert of(waiting) == UNKNOWN
    assert verify_file(session, waiting.pdf or b"", now) == Verified(Standing.UNKNOWN, unchanged=False)
    # The copies of what was replaced or annulled are unchanged, and worth nothing.
    for row, standing in ((old, Standing.REPLACED), (annulled, Standing.ANNULLED)):
        copy = verify_file(session, row.pdf or b"", now)
        assert (copy.unchanged, copy.standing, copy.good) == (True, standing, False)
    # In force through the last day in Lima.
    assert new.valid_until is not None
    midnight = dt.datetime.combine(new.valid_until + dt.timedelta(days=1), dt.time(), LIMA)
    assert of(new, midnight - dt.timedelta(seconds=1)).standing is Standing.IN_FORCE
    expired = of(new, midnight)
    assert (expired.standing, expired.good, expired.number) == (Standing.EXPIRED, False, new.number)
    assert of(annulled, midnight).standing is Standing.ANNULLED


def appended(pdf: bytes) -> bytes:
    """The file with an incremental update behind it: an annotation that covers what was said."""
    previous = re.findall(rb"startxref\s+(\d+)", pdf)[-1].decode()
    at = len(pdf)
    note = (
        b"99999 0 obj\n<</Type/Annot/Subtype/FreeText/Rect[0 0 300 300]/Contents(Indeterminado)>>\nendobj\n"
    )
    table = f"xref\n99999 1\n{at:010} 00000 n \ntrailer\n<</Size 100000/Prev {previous}>>\n".encode()
    return pdf + note + table + f"startxref\n{at + len(note)}\n%%EOF\n".encode()


def saved_anew(pdf: bytes, pages_of: bytes | None = None, *, as_well: bool = False) -> bytes:
    """The file as another program writes it; with another file's page instead of its own, or behind it."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as opened, pikepdf.open(io.BytesIO(pages_of or pdf)) as other:
        if pages_of is not None:
            opened.pages.append(other.pages[0])
            if not as_well:
                del opened.pages[0]
        opened.save(out)
    return out.getvalue()


def changed_pdfs(pdf: bytes, other: bytes, other_qr: bytes) -> Iterator[tuple[str, bytes]]:
    """Everything that somebody may do to a document, each with its name."""
    for place in sorted({*range(0, len(pdf), len(pdf) // 48), len(pdf) - 1}):
        changed = bytearray(pdf)
        changed[place] ^= 1
        yield f"one bit at {place}", bytes(changed)
    for length in (1, 10, 100, len(pdf) // 2, len(pdf) - 1):
        yield f"cut by {length}", pdf[:-length]
    for more in (b"\n", b" ", b"\x00", b"%%EOF\n", b"<!-- x -->"):
        yield f"with {more!r} behind it", pdf + more
        yield f"with {more!r} before it", more + pdf
    yield "twice", pdf + pdf
    yield "incremental update", appended(pdf)
    yield "saved anew", saved_anew(pdf)
    yield "the other's page", saved_anew(pdf, other)
    yield "the other's page as well", saved_anew(pdf, other, as_well=True)
    yield "the other's QR code", other_qr
    yield "with our mark in the middle", pdf.replace(b"/Type", b"/Type ", 1)
    yield "nothing", b""


def test_T83_T84_a_changed_pdf_is_never_the_one_that_was_issued(session: Session, desk: Desk) -> None:
    first, second = issue(session, desk), issue(session, desk, "1000000002")
    assert first.pdf is not None
    assert second.pdf is not None
    said = text_of(first, first.worker.filing, desk.settings, first.issued_at)
    assert constancia_pdf(said) == first.pdf  # so what follows differs in its code alone
    other_code = second.code or ""
    other_qr = constancia_pdf(
        dataclasses.replace(said, code=grouped(other_code), verify_url=verify_url(desk.settings, other_code))
    )
    changed = dict(changed_pdfs(first.pdf, second.pdf, other_qr))
    assert len(changed) >= 60
    assert first.pdf not in changed.values()
    told = {name: verify_file(session, content, utc_now()) for name, content in changed.items()}
    assert Counter(found.unchanged for found in told.values()) == {False: len(changed)}
    assert set(told.values()) == {Verified(Standing.UNKNOWN, unchanged=False)}
    assert not any(found.good for found in told.values())
    genuine = verify_file(session, first.pdf, utc_now())
    assert (genuine.unchanged, genuine.good, genuine.number) == (True, True, first.number)
    assert list(genuine.as_dict()) == ALLOWED
