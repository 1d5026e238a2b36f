"""What our own mail server said about the sender: SPF, DKIM and DMARC, as it wrote them on top of the mail.

In: reading Authentication-Results (RFC 8601) of servers that the desk was told to trust. Not in: checking SPF,
DKIM or DMARC anew, ARC, what follows from a verdict. Anybody can write such a header into a mail; only those
that our border put above everything that came from outside count (RFC 8601, 7.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

AUTHENTICATION = "authentication-results"
# What the border may write between two results of its own.
_BETWEEN = frozenset({"received-spf"})
_METHODS = ("dmarc", "spf", "dkim")
_RESULTS = frozenset(
    "none pass fail policy neutral temperror permerror softfail hardfail bestguesspass".split()  # RFC 8601, 2.7
)
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"|\\.|[();]|[^"\\();]+|["\\]', re.S)
_IDENTITY = re.compile(r"\s*([^\s;=]+)(?:\s+\d+)?\s*")
_METHOD = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:/\s*\d+\s*)?=\s*([A-Za-z]+)(?![\w.@-])")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The results of the border, in the words of RFC 8601 ("pass", "fail", …); None: it said nothing about it.

    `server` is the border's name; None means that nobody we trust has checked this mail.
    """

    server: str | None = None
    dmarc: str | None = None
    spf: str | None = None
    dkim: str | None = None

    @property
    def is_verified(self) -> bool:
        """Whether a server that we trust has checked this mail, with whatever result."""
        return self.server is not None


def border_verdict(headers: Iterable[tuple[str, str]], authserv_ids: Iterable[str]) -> Verdict:
    """Return what the border said; headers are names in lower case and values, from the top of the mail down.

    Only the topmost block of results by the servers named in `authserv_ids` counts: it ends at the next Received
    header or result of another server. No names, no verdict. Total and linear. Source: RFC 8601, 2.2 and 7.1.
    """
    trusted = {name.strip().lower() for name in authserv_ids}
    server: str | None = None
    found: dict[str, str] = {}
    for name, value in headers:
        if name == AUTHENTICATION:
            identity, results = read_results(value)
            if identity is not None and identity in trusted:
                server = server or identity
                for method, result in results.items():
                    found.setdefault(method, result)
                continue
        if server is not None and name not in _BETWEEN:
            break
    return Verdict(server, *(found.get(method) for method in _METHODS))


def read_results(value: str) -> tuple[str | None, dict[str, str]]:
    """Return the name of the server in lower case and its result for each method; None and none if unreadable.

    Of several DKIM signatures one that passed is enough (RFC 6376, 6.1).
    """
    first, *rest = _sections(value)
    match = _IDENTITY.fullmatch(first)
    if match is None:
        return None, {}
    results: dict[str, str] = {}
    for section in rest:
        method = _METHOD.match(section)
        if method is None or method[2].lower() not in _RESULTS:
            continue
        name, result = method[1].lower(), method[2].lower()
        if name not in results or (name == "dkim" and result == "pass"):
            results[name] = result
    return match[1].lower(), results


def _sections(value: str) -> Iterator[str]:
    """The pieces between the semicolons, without comments; what stands in quotes is no syntax."""
    section: list[str] = []
    depth = 0
    for piece in _PIECE.finditer(value):
        text = piece[0]
        if text == "(":
            depth += 1
        elif text == ")":
            depth = max(depth - 1, 0)
        elif depth:
            continue
        elif text == ";":
            yield "".join(section)
            section = []
        else:
            section.append(" " if text[0] == "\\" else re.sub(r"[\s;=]", "_", piece[1]) if piece[1] else text)
    yield "".join(section)
