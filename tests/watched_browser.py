"""A browser that notices everything, a server that should never be asked, and one that holds nothing back."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Browser, BrowserContext, Page, Request

PER_BARE_PAGE = 60
RAN = "PAYLOAD RAN"
# In every document: a script that runs says so where the test hears it, and stops nothing.
LISTENER = f"""
for (const name of ["alert", "confirm", "prompt", "print"])
  window[name] = () => {{
    let shown = window;
    try {{ while (shown !== top && !shown.location.href.includes("/document/")) shown = shown.parent; }}
    catch {{ shown = window; }}
    console.error("{RAN} " + shown.location.href);
  }};
"""


@dataclass
class Sink:
    """A server that is not ours, and what was asked of it."""

    port: int
    asked: list[str] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Sink]:
    """A listening server on another port of this machine; every connection counts."""

    class Listener(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(1)
            asked = b"connected"  # a connection that asks for nothing counts as well
            with suppress(OSError):
                asked = self.request.recv(200).split(b"\r\n")[0]
            seen.asked.append(asked.decode("latin-1"))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Listener) as server:
        seen = Sink(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield seen
        server.shutdown()
        thread.join()


@dataclass
class Watched:
    """A browser window and everything in it that must not happen."""

    context: BrowserContext
    page: Page
    home: str
    dialogs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def request(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", "about:")):
            self.foreign.append(request.url)

    def nothing_happened(self) -> bool:
        """Whether all is well; pytest shows the lists when it is not."""
        return (self.dialogs, self.complaints, self.foreign) == ([], [], [])


def watch(browser: Browser, home: str) -> Watched:
    """A window that listens to itself."""
    context = browser.new_context(base_url=home, viewport={"width": 1280, "height": 900}, locale="es-PE")
    context.add_init_script(LISTENER)
    page = context.new_page()
    watched = Watched(context, page, home)
    context.on("request", watched.request)
    context.on("console", lambda said: watched.complaints.append(said.text) if said.type == "error" else None)
    context.on("weberror", lambda error: watched.complaints.append(str(error.error)))
    page.on("dialog", lambda dialog: (watched.dialogs.append(dialog.message), dialog.dismiss()))
    return watched


class Bare:
    """A server that shows HTML as it is given, with no policy at all: what our pages are not."""

    def __init__(self, documents: list[str]) -> None:
        def page(path: str) -> str:
            kind, _, number = path.strip("/").partition("/")
            if kind == "document":
                return documents[int(number)]
            numbers = range(int(number), min(int(number) + PER_BARE_PAGE, len(documents)))
            return "<!doctype html>" + "".join(f"<iframe src=/document/{n}></iframe>" for n in numbers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = re.fullmatch(r"/(document|batch)/\d+", self.path)
                self.send_response(200 if known else 204 if self.path == "/favicon.ico" else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page(self.path).encode("utf-8", "replace") if known else b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.batches = range(0, len(documents), PER_BARE_PAGE)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))

    def __enter__(self) -> Bare:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def show_bare(browser: Browser, documents: list[str]) -> tuple[set[str], Watched]:
    """Show documents where nothing holds them; return the addresses of those that ran, and what was noticed."""
    with Bare(documents) as bare:
        watched = watch(browser, bare.address)
        for batch in bare.batches:
            watched.page.goto(f"{bare.address}/batch/{batch}", wait_until="load")
            watched.page.wait_for_timeout(500)  # animations, toggles and refreshes come a moment later
        watched.context.close()
    ran = {line.rpartition(" ")[2] for line in watched.complaints if RAN in line}
    return ran, watched
