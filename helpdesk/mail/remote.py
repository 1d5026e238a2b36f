"""One mail's HTML with the addresses of its remote pictures, for an agent who asks to see them once.

In: a child process that reads the original mail again, as the parser does. Not in: fetching: that is the agent's
browser, or nobody (T35). What is stored of a mail never holds these addresses.
"""

from __future__ import annotations

from helpdesk.mail.answering import serve
from helpdesk.mail.body import read_body
from helpdesk.mail.child import Answer, LimitedChild, Limits
from helpdesk.mail.html import sanitise_with_remote
from helpdesk.mail.structure import read_structure

LIMITS = Limits(wall_s=10.0, cpu_s=8, requests_per_worker=1, max_content_bytes=5_000_000)


def html_with_remote(raw: bytes) -> str:
    """Return the sanitised HTML with remote pictures. Raises ChildFailed when the mail cannot be read in time."""
    with LimitedChild("helpdesk.mail.remote", "parser", LIMITS) as child:
        _, blocks = child.ask(raw)
    return b"".join(blocks).decode()


def _answer(raw: bytes) -> Answer:
    octets, root, _ = read_structure(raw)
    html = sanitise_with_remote(read_body(octets, root).html())
    return {}, [html.encode("utf-8", "replace")]


if __name__ == "__main__":
    serve(_answer, LIMITS, lambda: None)
