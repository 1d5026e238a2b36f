"""`helpdesk certificate file` and `verify` as a script uses them: one JSON object, exit codes, the files it writes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from helpdesk.certificates.issuing import Submission, submit
from helpdesk.certificates.records import Constancia, Filing
from helpdesk.certificates.verifying import FACTS_ES
from helpdesk.cli import main
from helpdesk.desk.ticket import Ticket
from helpdesk.desk.worker import open_sessions_of
from helpdesk.settings import Settings
from tests.clamd import running_clamd
from tests.edges.conftest import environment
from tests.filings import contract_pdf, day, submission, tree, worker
from tests.hostile_files import EICAR
from tests.seal_keys import curve_key

PROGRAM = (sys.executable, "-c", "from helpdesk.cli import main; main(prog_name='helpdesk')")
SEASONAL = {"category": "seasonal", "category_details": {"work": "Cosecha", "lodging": True, "travel": True}}
NOWHERE = "postgresql://127.0.0.1:1/none"


class Command:
    """`helpdesk certificate …` over one database and one folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.err = ""
        (folder / "contrato.pdf").write_bytes(contract_pdf())

    def write(self, whole: Any = None, name: str = "filing.json") -> Path:
        """A filing as a file; without anything, one that breaks no rule."""
        path = self.folder / name
        content = (
            whole if isinstance(whole, bytes) else json.dumps(whole or tree(), ensure_ascii=False).encode()
        )
        path.write_bytes(content)
        return path

    def start(self, *arguments: object, **more: str) -> subprocess.Popen[str]:
        """A process of its own."""
        return subprocess.Popen(
            [*PROGRAM, "certificate", *map(str, arguments)],
            env=environment(self.settings, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, child: subprocess.Popen[str], code: int) -> str:
        """What it said, when it ended as it should."""
        out, self.err = child.communicate(timeout=120)
        assert child.returncode == code, (out, self.err)
        return out

    def run(self, *arguments: object, code: int, **more: str) -> str:
        """The same without a process: what is said in many small cases."""
        done = CliRunner().invoke(
            main, ["certificate", *map(str, arguments)], env=environment(self.settings, **more)
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert done.exit_code == code, done.output
        self.err = done.stderr
        return done.stdout

    def file(self, whole: Any = None, *arguments: object, code: int, **more: str) -> dict[str, Any]:
        """File something without a process."""
        return one_object(self.run("file", self.write(whole), *arguments, code=code, **more))

    def rows(self, *tables: type) -> list[int]:
        """How many rows there are."""
        with self.session() as session:
            return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A look into the database."""
        with open_sessions_of(self.settings) as sessions, sessions() as session:
            yield session


def one_object(said: str) -> dict[str, Any]:
    """What a program reads: exactly one line, an object with the promised keys."""
    assert said.count("\n") == 1
    assert said.endswith("\n")
    read = json.loads(said)
    assert set(read) <= {"outcome", "reasons", "ticket", "certificates"}
    assert read["outcome"] in ("issued", "observed", "rejected")
    for reason in read["reasons"]:
        assert set(reason) == {"rule", "message", "source", "key"}
        assert reason["rule"]
        assert reason["source"]
        assert reason["message"].startswith(f"{reason['key']}: " if reason["key"] else "")
    assert bool(read["reasons"]) == (read["outcome"] != "issued")
    assert ("certificates" in read) == (read["outcome"] == "issued")
    assert ("ticket" in read) == (read["outcome"] != "rejected")
    return dict(read)


def named(read: dict[str, Any]) -> set[tuple[str, str]]:
    """The rules and keys that were named."""
    return {(reason["rule"], reason["key"]) for reason in read["reasons"]}


@pytest.fixture
def command(settings: Settings, tmp_path: Path) -> Iterator[Command]:
    """The command, with a contract beside what is filed."""
    (tmp_path / "in").mkdir()
    return Command(settings, tmp_path / "in")


def test_T86_a_filing_that_is_filed_twice_at_once_is_issued_once_and_its_document_verifies(
    command: Command,
) -> None:
    path = command.write()
    both = [command.start("file", path, "--json") for _ in range(2)]
    twice, read = sorted(
        (one_object(command.end(child, 0)) for child in both), key=lambda read: read["outcome"] == "issued"
    )
    assert command.err == ""
    # Of two at the same moment one is looked at by a person, and no second number is drawn.
    assert (twice["outcome"], named(twice)) == (
        "observed",
        {("already_in_force", "workers[0].document_number")},
    )
    assert (read["outcome"], read["reasons"]) == ("issued", [])
    assert read["ticket"].startswith("PI-")
    assert twice["ticket"] != read["ticket"]
    assert command.rows(Constancia, Filing, Ticket) == [1, 2, 2]
    (certificate,) = read["certificates"]
    assert list(certificate) == ["worker", "number", "code", "pdf", "sha256"]
    assert certificate["worker"] == "Ana María Ejemplo Prueba"
    pdf = path.parent / f"{certificate['number']}.pdf"
    assert Path(certificate["pdf"]) == pdf
    assert hashlib.sha256(pdf.read_bytes()).hexdigest() == certificate["sha256"]
    with command.session() as session:
        filing = session.scalars(select(Filing).where(Filing.state == "registered")).one()
        assert (filing.source, filing.ticket.number) == ("file", read["ticket"])
        assert filing.contract is not None
        assert filing.contract.content == contract_pdf()
    changed = pdf.with_name("changed.pdf")
    changed.write_bytes(pdf.read_bytes() + b"\n")
    by_file = json.loads(command.end(command.start("verify", pdf, "--json"), 0))
    by_code = json.loads(command.run("verify", certificate["code"].lower(), "--json", code=0))
    by_changed = json.loads(command.run("verify", changed, "--json", code=1))
    assert set(by_code) == {"standing", "valid", "unchanged", *FACTS_ES}
    assert (by_code["standing"], by_code["valid"], by_code["unchanged"]) == ("in_force", True, None)
    assert by_code["sha256"] == certificate["sha256"]
    assert by_file == by_code | {"unchanged": True}
    assert (by_changed["standing"], by_changed["valid"], by_changed["unchanged"]) == ("unknown", False, False)
    assert {value for name, value in by_changed.items() if name in FACTS_ES} == {None}
    # A third time, when all is over.
    assert command.file(code=0)["outcome"] == "observed"


def test_T86_filings_for_the_same_people_wait_for_each_other(settings: Settings) -> None:
    people = [worker(), worker(document_number="1000000002")]
    # The same two in another order: whoever waited for them one by one would wait for ever.
    filings = [submission(**SEASONAL, workers=people[::step]) for step in (1, -1) * 4]
    with open_sessions_of(settings) as sessions, ThreadPoolExecutor(8) as pool:

        def filed(filing: Submission) -> str:
            with sessions.begin() as session:
                return submit(session, filing, settings).outcome.value

        assert sorted(pool.map(filed, filings)) == ["issued", *["observed"] * 7]


def test_what_is_not_met_is_named_by_key_and_rule_in_any_terminal(command: Command) -> None:
    whole = tree(employer__ruc="20131312954", contract__pay=0, declarations__privacy=False)
    whole["workers"] = [worker(nationality="VEN", document_type="passport", document_number="AB123456")]
    old_terminal = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0", "LC_ALL": "C"}
    said = command.end(command.start("file", command.write(whole), **old_terminal), 1)
    assert said.isascii()
    read = one_object(said)
    assert read["outcome"] == "rejected"
    assert named(read) == {
        ("ruc", "employer.ruc"),
        ("nationality", "workers[0].nationality"),
        ("pay", "contract.pay"),
        ("privacy", "declarations.privacy"),
    }
    (nationality,) = [reason for reason in read["reasons"] if reason["rule"] == "nationality"]
    assert nationality["message"].startswith("workers[0].nationality: La constancia es solo para personas de")
    assert "RM 318-2010-TR" in nationality["source"]
    assert command.rows(Filing, Ticket, Constancia) == [0, 0, 0]
    assert sorted(path.name for path in command.folder.iterdir()) == ["contrato.pdf", "filing.json"]


def test_what_a_rule_cannot_decide_is_observed(command: Command) -> None:
    minor = worker(birth_date=day(-365 * 17))
    read = command.file(tree(workers=[minor]), code=0)
    assert (read["outcome"], named(read)) == ("observed", {("minor", "workers[0].birth_date")})
    assert command.rows(Filing, Constancia) == [1, 0]
    assert list(command.folder.glob("CTMA*")) == []


@pytest.mark.parametrize(
    ("whole", "faults"),
    [
        (
            {"employers": {}, "workers": [], "contract_file": None},
            {
                ("unknown_key", "employers"),
                ("required", "employer.ruc"),
                ("workers", "workers"),
                ("required", "category"),
                ("required", "contract.start"),
                ("required", "declarations.privacy"),
                ("required", "contract_file"),
            },
        ),
        (tree() | {"\ud800": 1}, {("unknown_key", "?")}),
        (tree(contract__pay=10**400), {("number", "contract.pay")}),
        (tree(contract__pay=float("nan")), {("number", "contract.pay")}),
        (
            tree(employer__fax="1", workers=[worker(salary=1)]),
            {
                ("unknown_key", "employer.fax"),
                ("unknown_key", "workers[0].salary"),
            },
        ),
    ],
    ids=["almost nothing", "strange key", "huge number", "no number", "unknown keys"],
)
def test_a_wrong_shape_is_rejected_with_every_key_that_is_wrong(
    command: Command, whole: dict[str, Any], faults: set[tuple[str, str]]
) -> None:
    content = json.dumps(whole).encode()
    read = command.file(content, code=1, DATABASE_URL=NOWHERE)  # no database is asked
    assert read["outcome"] == "rejected"
    assert faults <= named(read)
    assert len(faults) > 2 or faults == named(read)


def test_what_cannot_be_read_ends_with_2_and_still_says_so_in_json(command: Command) -> None:
    (command.folder / "folder.json").mkdir()
    cases = {
        "empty.json": b"",
        "text.json": b"no es JSON",
        "cut.json": b'{"employer": {',
        "list.json": b"[]",
        "word.json": b'"contrato"',
        "null.json": b"null",
        "latin.json": json.dumps(tree(), ensure_ascii=False).encode("latin-1"),
        "utf16.json": json.dumps(tree()).encode("utf-16"),
        "deep.json": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "digits.json": b'{"a": ' + b"9" * 5_000 + b"}",
        "large.json": b'{"a": "' + b"x" * 5_000_000 + b'"}',
        "pdf.json": contract_pdf(),
        "folder.json": None,
        "missing.json": None,
    }
    for name, content in cases.items():
        if content is not None:
            command.write(content, name)
        read = one_object(command.run("file", command.folder / name, code=2, DATABASE_URL=NOWHERE))
        assert (read["outcome"], named(read)) == ("rejected", {("unreadable", "")}), name
        assert name in read["reasons"][0]["message"]
        assert command.err.count("\n") == 1
        assert name in command.err
    child = command.start("file", command.folder / "list.json", DATABASE_URL=NOWHERE)
    assert one_object(command.end(child, 2))["outcome"] == "rejected"
    assert "Traceback" not in command.err


def test_a_byte_order_mark_does_no_harm(command: Command) -> None:
    content = b"\xef\xbb\xbf" + json.dumps(tree(contract__pay=0)).encode()
    assert named(command.file(content, code=1)) == {("pay", "contract.pay")}


def test_a_desk_that_cannot_work_says_so_in_json_as_well(command: Command) -> None:
    read = command.file(code=2, DATABASE_URL=NOWHERE)
    assert (read["outcome"], named(read)) == ("rejected", {("unavailable", "")})
    assert command.err == "DATABASE_URL: the database does not answer.\n"
    read = command.file(code=2, HELPDESK_SMTP_PORT="99999")
    assert named(read) == {("unavailable", "")}
    assert "HELPDESK_SMTP_PORT" in read["reasons"][0]["message"]
    assert "HELPDESK_SMTP_PORT" in command.err


def test_the_document_is_written_where_it_is_wanted(command: Command, tmp_path: Path) -> None:
    def filed(number: str, out: Path, **changed: Any) -> list[Path]:
        people = [worker(document_number=f"{number}{place}") for place in range(2 if changed else 1)]
        read = command.file(tree(workers=people, **changed), "--pdf", out, code=0)
        assert read["outcome"] == "issued"
        for certificate in read["certificates"]:
            content = Path(certificate["pdf"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == certificate["sha256"]
            assert content.startswith(b"%PDF-")
        return [Path(certificate["pdf"]) for certificate in read["certificates"]]

    folder = tmp_path / "out"
    folder.mkdir()
    year = day(0)[:4]
    assert filed("200000000", tmp_path / "one.pdf") == [tmp_path / "one.pdf"]
    assert filed("300000000", folder) == [folder / f"CTMA-{year}-000002.pdf"]
    assert filed("400000000", tmp_path / "new" / "one.pdf") == [tmp_path / "new" / "one.pdf"]
    assert filed("500000000", tmp_path / "two.pdf", **SEASONAL) == [
        tmp_path / f"two-CTMA-{year}-000004.pdf",
        tmp_path / f"two-CTMA-{year}-000005.pdf",
    ]
    assert [path.parent for path in filed("600000000", tmp_path / "several", **SEASONAL)] == [
        tmp_path / "several"
    ] * 2
    assert len(filed("700000000", folder, **SEASONAL)) == 2
    assert len(list(folder.iterdir())) == 3


def test_a_document_that_cannot_be_written_is_issued_all_the_same(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    read = command.file(None, "--pdf", tmp_path / "file" / "below.pdf", code=0)
    assert (read["outcome"], read["certificates"][0]["pdf"]) == ("issued", None)
    assert len(read["certificates"][0]["sha256"]) == 64
    assert "below.pdf" in command.err
    assert command.rows(Constancia) == [1]


def test_a_name_that_is_no_text_breaks_nothing(command: Command) -> None:
    read = command.file(None, "--pdf", command.folder / "c\udcff.pdf", code=0)
    assert Path(read["certificates"][0]["pdf"]).read_bytes().startswith(b"%PDF-")


def test_a_document_whose_seal_is_still_to_come_is_not_given_away_without_it(
    command: Command, tmp_path: Path
) -> None:
    key, password = tmp_path / "key.p12", tmp_path / "password"
    key.write_bytes(b"no key")
    password.write_text("x")
    read = command.file(
        None,
        code=0,
        HELPDESK_SEAL_PKCS12=str(key),
        HELPDESK_SEAL_PASSWORD_FILE=str(password),
    )
    (certificate,) = read["certificates"]
    assert (read["outcome"], certificate["pdf"], certificate["sha256"]) == ("issued", None, None)
    assert list(command.folder.glob("CTMA*")) == []


def test_a_document_is_written_with_its_seal(command: Command, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    _, key = curve_key(tmp_path / "keys")
    read = command.file(
        None,
        code=0,
        HELPDESK_SEAL_PKCS12=str(key["pkcs12"]),
        HELPDESK_SEAL_PASSWORD_FILE=str(key["password_file"]),
    )
    (certificate,) = read["certificates"]
    content = Path(certificate["pdf"]).read_bytes()
    assert b"/ETSI.CAdES.detached" in content
    assert hashlib.sha256(content).hexdigest() == certificate["sha256"]
    assert json.loads(command.run("verify", certificate["pdf"], "--json", code=0))["unchanged"] is True


def test_the_contracts_file_is_wanted_and_looked_at(command: Command, tmp_path: Path) -> None:
    (command.folder / "empty.pdf").write_bytes(b"")
    (command.folder / "large.pdf").write_bytes(contract_pdf().ljust(5_000_001, b"\n"))
    (command.folder / "program.pdf").write_bytes(b"MZ\x90\x00" + bytes(60))
    (command.folder / "foto.jpg").write_bytes(contract_pdf())
    (command.folder / "cut.pdf").write_bytes(contract_pdf()[:-50])
    (command.folder / "folder.pdf").mkdir()
    os.mkfifo(command.folder / "pipe.pdf")
    cases: list[tuple[Any, str]] = [
        *((name, "required") for name in (None, "", " ", 7, [], {}, True)),
        *((name, "unreadable") for name in ("none.pdf", "folder.pdf", ".", "..", "a\x00.pdf", "x" * 5_000)),
        *((name, "unreadable") for name in ("\ud800.pdf", "pipe.pdf", "/dev/zero", "../in/none.pdf")),
        ("empty.pdf", "required"),
        ("large.pdf", "too_large"),
        ("program.pdf", "file_type"),
        ("/etc/passwd", "file_type"),
        ("foto.jpg", "file_type"),
        ("cut.pdf", "file_content"),
    ]
    for name, rule in cases:
        content = json.dumps(tree(contract_file=name)).encode()
        read = command.file(content, code=1, DATABASE_URL=NOWHERE)
        assert named(read) == {(rule, "contract_file")}, name
    assert named(command.file(tree(contract_file="none.pdf", contract__pay="x"), code=1)) == {
        ("unreadable", "contract_file"),
        ("number", "contract.pay"),
    }


def test_the_contract_may_lie_elsewhere_and_keeps_its_name_alone(command: Command, tmp_path: Path) -> None:
    # Whoever runs the command could read it anyway; a path in FILE.json opens nothing else to anybody.
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "firmado.pdf"
    other.write_bytes(contract_pdf())
    assert command.file(tree(contract_file="../elsewhere/firmado.pdf"), code=0)["outcome"] == "issued"
    people = [worker(document_number="1000000002")]
    assert command.file(tree(contract_file=str(other), workers=people), code=0)["outcome"] == "issued"
    with command.session() as session:
        assert {row.contract_name for row in session.scalars(select(Filing))} == {"firmado.pdf"}


@pytest.mark.needs("clamd")
def test_T47_a_contract_with_a_virus_is_not_taken(command: Command, tmp_path: Path) -> None:
    infected = contract_pdf().replace(b"%%EOF", b"%" + EICAR + b"\n%%EOF")
    (command.folder / "contrato.pdf").write_bytes(infected)
    (tmp_path / "clamd").mkdir()
    with running_clamd(tmp_path / "clamd") as address:
        read = command.file(code=1, HELPDESK_CLAMAV=address)
        assert named(read) == {("virus", "contract_file")}
        (command.folder / "contrato.pdf").write_bytes(contract_pdf())
        assert command.file(code=0, HELPDESK_CLAMAV=address)["outcome"] == "issued"
    assert command.rows(Filing) == [1]


def test_verify_says_in_words_what_a_document_is_worth(command: Command) -> None:
    (certificate,) = command.file(code=0)["certificates"]
    code, pdf = certificate["code"], Path(certificate["pdf"])
    words = command.run("verify", "-".join(code[at : at + 5] for at in range(0, 25, 5)), code=0)
    assert words.startswith("Vigente\n")
    assert f"Número: {certificate['number']}\n" in words
    assert "Ana" not in words
    assert "1000000001" not in words
    assert "El archivo es el que se emitió." in command.run("verify", pdf, code=0)
    pdf.write_bytes(pdf.read_bytes().replace(b"%%EOF", b"%%EOf"))
    changed = command.run("verify", pdf, code=1)
    assert changed == "No existe\nEl archivo no es ninguno de los que se emitieron, o fue cambiado.\n"
    other = code[:-1] + ("0" if code[-1] != "0" else "1")
    for unknown in (other, "0" * 25, certificate["number"], "x", "../..", command.folder / "contrato.txt"):
        assert command.run("verify", unknown, code=1) == "No existe\n"
        read = json.loads(command.run("verify", unknown, "--json", code=1))
        assert (read["standing"], read["valid"], read["unchanged"]) == ("unknown", False, None)
    (command.folder / "folder.pdf").mkdir()
    for unreadable in (command.folder / "none.pdf", command.folder / "folder.pdf", "A" * 5_000):
        assert command.run("verify", unreadable, code=2) == ""
        assert command.err.count("\n") == 1


def test_each_command_explains_itself_with_an_example_and_wrong_use_is_2(command: Command) -> None:
    for name in ("file", "verify"):
        assert "Example:" in command.run(name, "--help", code=0)
        assert command.run(name, code=2) == ""
        assert "Usage:" in command.err
