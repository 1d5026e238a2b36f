"""The parser in a child process that can be killed, because small mails can hang or bloat any parser.

In: the parser as one user of a child under limits. Not in: the child and its limits (`child.py`,
`answering.py`), parsing (`parse.py`), what becomes of a mail that failed (`helpdesk.desk`).
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from types import TracebackType

from helpdesk.mail.answering import serve
from helpdesk.mail.child import Answer, ChildFailed, LimitedChild, Limits
from helpdesk.mail.language import load_identifier
from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import MAX_MESSAGE_BYTES, ParsedMail

# No more of a mail is read than this, and decoding makes nothing longer. A file may come three times: in a signed
# envelope, out of it, and out of the container that it was packed in.
LIMITS = Limits(
    wall_s=20.0,
    cpu_s=10,
    memory_bytes=512 * 1024 * 1024,
    requests_per_worker=200,
    max_content_bytes=3 * MAX_MESSAGE_BYTES,
)


class ParseFailed(ChildFailed):
    """A mail could not be read within the limits. `reason` is a sentence for people."""


class ParserProcess:
    """A child that parses mails one after the other; started when first needed, replaced when it fails.

    Safe to share between threads: one mail is parsed at a time. Used as a context manager it leaves no child.
    """

    def __init__(self, wall_limit_s: float = LIMITS.wall_s) -> None:
        self._child = LimitedChild("helpdesk.mail.sandbox", "parser", replace(LIMITS, wall_s=wall_limit_s))

    def __enter__(self) -> ParserProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def parse(self, raw: bytes) -> ParsedMail:
        """Return the parsed mail.

        Raises ParseFailed when it took 20 s, 10 s of CPU or 512 MB, or killed the child.
        """
        try:
            answer, contents = self._child.ask(raw)
            return ParsedMail.from_wire(answer, contents)
        except ChildFailed as failure:
            raise ParseFailed(failure.reason) from failure
        except (KeyError, TypeError, ValueError) as error:
            self.close()
            raise ParseFailed("the parser process died") from error

    def close(self) -> None:
        """End the child, if there is one."""
        self._child.close()


def load_libraries() -> None:
    """Import what parsing needs and imports late, so that every worker has it from the start."""
    importlib.import_module("inscriptis")
    importlib.import_module("ftfy")
    load_identifier()


def _answer(raw: bytes) -> Answer:
    return parse(raw).to_wire()


if __name__ == "__main__":
    serve(_answer, LIMITS, load_libraries)
