"""An OAuth 2.0 token endpoint on loopback: it gives out JWTs that our Dovecot checks by a key they share."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

KEY = b"una-clave-de-prueba-de-32-bytes!"
SECRET = "s3creto-del-cliente"
REFRESH = "r3fresco-de-la-persona"


def jwt(user: str, *, life_s: int = 3600, key: bytes = KEY) -> str:
    """A signed token for one user; with a negative life it has expired."""
    now = int(time.time())
    header = {"alg": "HS256", "typ": "JWT", "kid": "default"}
    claims = {
        "sub": user,
        "email": user,
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + life_s,
        "jti": str(time.time_ns()),
    }
    signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    signature = _encoded(hmac.new(key, signed, hashlib.sha256).digest())
    return (signed + b"." + signature).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@dataclass
class Endpoint:
    """What the endpoint gives next, and what it was asked for. `give` None: the request is refused."""

    user: str
    port: int = 0
    life_s: int = 3600
    key: bytes = KEY
    expires_in: int | None = 3600
    new_refresh_token: str | None = None
    refusal: dict[str, str] | None = None
    raw: tuple[int, bytes] | None = None
    rotates: bool = False  # every refresh token is good once
    refresh_token: str = REFRESH
    drips: threading.Event | None = None  # one byte at a time, until it is set
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/token"

    def answer(self, form: dict[str, str]) -> tuple[int, bytes]:
        """The status and body for one request."""
        self.asked.append(form)
        if self.raw is not None:
            return self.raw
        good = form.get("client_secret") == SECRET
        good &= (
            form.get("grant_type") == "client_credentials" or form.get("refresh_token") == self.refresh_token
        )
        if self.refusal or not good:
            return 401, json.dumps(self.refusal or {"error": "invalid_client"}).encode()
        if self.rotates:
            self.new_refresh_token = self.refresh_token = f"r3fresco-{len(self.asked)}"
        given = {"access_token": jwt(self.user, life_s=self.life_s, key=self.key), "token_type": "Bearer"}
        more = {"expires_in": self.expires_in, "refresh_token": self.new_refresh_token}
        return 200, json.dumps(given | {name: value for name, value in more.items() if value}).encode()


@contextmanager
def token_endpoint(user: str) -> Iterator[Endpoint]:
    """A running endpoint that gives tokens for `user`."""
    endpoint = Endpoint(user)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, content = endpoint.answer({name: value[0] for name, value in parse_qs(body).items()})
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", content.decode())
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            while endpoint.drips and not endpoint.drips.wait(0.1):
                self.wfile.write(b" ")
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield endpoint
        server.shutdown()
