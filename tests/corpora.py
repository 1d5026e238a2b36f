"""Other people's mails through our parser: `python -m tests.corpora FOLDER…` counts what comes out.

In: finding mails in folders, splitting mboxes, the real parser in its child, the figures. Not in: the mails (they
are not ours to keep here), what others expect of them (`corpora_expected.py`), and our own golden mails (they have
their own test). It judges nothing without `--compare`; a mail that cannot be parsed makes the exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from helpdesk.mail.parsed import ParsedMail
from helpdesk.mail.sandbox import ParseFailed, ParserProcess
from tests.corpora_expected import Difference, compare, expectations_of

LOOKED_AT_BYTES = 6_000
MOST_BYTES = 60_000_000
KNOWN_FIELD = re.compile(
    rb"(from|to|subject|received|return-path|date|message-id|mime-version|delivered-to|content-type|reply-to"
    rb"|sender|cc|references|in-reply-to|x-[a-z-]+)[ \t]*:",
    re.IGNORECASE,
)
ANY_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
# Texts and programs that begin like a mail and are none.
NOT_MAILS = frozenset(
    ".c .cpp .go .h .html .js .md .php .pl .pm .po .pot .py .rb .rst .sh .t .ts .vala .yaml .yml".split()
)
MBOX_LINE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\r\n]+\d[^\r\n]*\r?\n(?=[!-9;-~]+[ \t]*:)")


@dataclass(frozen=True)
class Found:
    """One mail of somebody's corpus: the file, its number in it when the file is an mbox, and its bytes."""

    path: Path
    number: int
    raw: bytes = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.path}#{self.number}" if self.number else str(self.path)


@dataclass
class Figures:
    """What a run has seen so far."""

    parsed: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    defects: Counter[str] = field(default_factory=Counter)
    defect_names: dict[str, list[str]] = field(default_factory=dict)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    reports: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def add(self, found: Found, mail: ParsedMail, seconds: float) -> None:
        """Count one mail."""
        self.parsed += 1
        self.slowest = sorted([*self.slowest, (seconds, found.name)])[-5:]
        for defect in mail.defects:
            self.defects[defect] += 1
            self.defect_names.setdefault(defect, []).append(found.name)
        self.reports["automatic"] += mail.automatic is not None
        self.reports["bounce"] += mail.bounce is not None
        if mail.bounce:
            self.reports["bounce with a recipient"] += mail.bounce.recipient is not None
            self.reports["bounce with a status"] += mail.bounce.status is not None
            self.reports["bounce with the message id"] += mail.bounce.message_id is not None


def mails_in(folders: list[Path]) -> Iterator[Found]:
    """Every mail in these folders and files, each once; an mbox gives each of its mails, numbered from one."""
    seen: set[bytes] = set()
    for path in (path for folder in folders for path in _files(folder)):
        raw = path.read_bytes()[:MOST_BYTES]
        digest = hashlib.sha256(raw).digest()
        # Packages hold each other's corpora.
        if digest not in seen and (path.suffix == ".eml" or looks_like_a_mail(raw[:LOOKED_AT_BYTES])):
            yield from _split(path, raw)
        seen.add(digest)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in (".git", ".dl"))
        for name in sorted(names):
            path = Path(root, name)
            if path.suffix.lower() not in NOT_MAILS and path.is_file() and not path.is_symlink():
                yield path


def looks_like_a_mail(start: bytes) -> bool:
    """Whether these bytes begin with a header block that names at least two fields of RFC 5322 or RFC 2045."""
    lines = start.replace(b"\r\n", b"\n").lstrip(b"\n").split(b"\n")
    known = 0
    for line in lines[1:] if lines[0].startswith((b"From ", b">From ")) else lines:
        if KNOWN_FIELD.match(line):
            known += 1
        elif not (ANY_FIELD.match(line) or (known and line[:1] in (b" ", b"\t"))):
            break
    return known >= 2


def _split(path: Path, raw: bytes) -> Iterator[Found]:
    starts = [match.start() for match in MBOX_LINE.finditer(raw)] if raw.startswith(b"From ") else []
    if len(starts) < 2:
        yield Found(path, 0, raw)
        return
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(raw)], strict=True), 1):
        yield Found(path, number, raw[start:end])


def run(folders: list[Path], *, wants_comparison: bool) -> Figures:
    """Parse every mail in the real child and count; a mail that fails stops nothing."""
    figures = Figures()
    with ParserProcess() as parser:
        for found in mails_in(folders):
            started = time.perf_counter()
            try:
                mail = parser.parse(found.raw)
            except ParseFailed as failure:
                figures.failed.append((found.name, failure.reason))
                continue
            figures.add(found, mail, time.perf_counter() - started)
            if wants_comparison:
                for expected in expectations_of(found.path, found.raw):
                    agreed, differences = compare(found.name, mail, expected)
                    figures.agreed.update(agreed)
                    figures.differences += differences
    return figures


def report(figures: Figures, *, most: int, only: str | None) -> list[str]:
    """The figures as lines for people."""
    lines = [f"{figures.parsed} parsed, {len(figures.failed)} failed"]
    lines += [f"  failed: {name}: {reason}" for name, reason in figures.failed]
    lines += [f"  slowest: {seconds:.3f} s  {name}" for seconds, name in reversed(figures.slowest)]
    lines += [f"  {count:6} {name}" for name, count in figures.reports.items()]
    lines += [
        f"  {count:6} defect {name}  (first: {figures.defect_names[name][0]})"
        for name, count in figures.defects.most_common()
    ]
    differing = Counter(difference.key for difference in figures.differences)
    for key in sorted({*figures.agreed, *differing}):
        lines.append(f"  {key}: {figures.agreed[key]} agree, {differing[key]} differ")
    shown = [entry for entry in figures.differences if only is None or entry.key.startswith(only)]
    return lines + [json.dumps(entry.__dict__, ensure_ascii=False, default=str) for entry in shown[:most]]


def main() -> int:
    """Run from the command line."""
    asked = argparse.ArgumentParser(prog="python -m tests.corpora", description=__doc__)
    asked.add_argument("folders", nargs="+", type=Path)
    asked.add_argument("--compare", action="store_true", help="against what others expect of these mails")
    asked.add_argument("--show", type=int, default=0, metavar="N", help="print the first N differences")
    asked.add_argument("--only", metavar="KEY", help="show differences of this key alone (stdlib:subject)")
    options = asked.parse_args()
    figures = run(options.folders, wants_comparison=options.compare)
    lines = "\n".join(report(figures, most=options.show, only=options.only))
    print(lines.encode(errors="backslashreplace").decode())  # others let lone surrogates through
    return 1 if figures.failed or any(name.startswith("parser-error") for name in figures.defects) else 0


if __name__ == "__main__":
    sys.exit(main())
