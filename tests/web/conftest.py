"""A client that signs in and reads pages as a person would: by labels, links and buttons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from helpdesk.accounts.users import User
from helpdesk.app import create_app
from helpdesk.settings import Settings
from helpdesk.web.session import db
from tests.conftest import PASSWORD
from tests.desk import Desk

VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)


class Checked(HTMLParser):
    """Finds what is wrong with a page: tags that do not match, doubled ids, fields without a label."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(str(given["id"]))
        if tag == "label":
            self.labelled.add(str(given.get("for")))
        if tag in ("input", "select", "textarea") and given.get("type") not in ("hidden", "submit"):
            self.fields.append(str(given.get("id")))
        self.inline += [name for name in given if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        last = self.open.pop()
        assert last == tag, f"</{tag}> closes <{last}>"


def check_page(response: TestResponse) -> None:
    """What must hold for every page we show."""
    page = Checked()
    page.feed(response.text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids)), "an id stands twice"
    assert set(page.fields) <= page.labelled, "a field has no label"
    assert page.inline == [], "inline script or style"
    assert re.search(r"<title>[^<]+ · Perú Infomigra</title>", response.text)
    assert '<html lang="es-PE">' in response.text


class Person:
    """Somebody at a browser."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, status: int = 200) -> TestResponse:
        """Open a page; every HTML page is checked."""
        response = self.client.get(path, follow_redirects=True)
        assert response.status_code == status, response.text[:500]
        if response.mimetype == "text/html" and "<title>Mensaje</title>" not in response.text:
            check_page(response)
        return response

    def post(self, path: str, status: int = 200, **fields: str) -> TestResponse:
        """Send a form, with the token of the page that shows it."""
        token = re.search(r'name="csrf-token" content="([^"]+)"', self.client.get("/ingresar").text)
        if token is None:
            token = re.search(r'name="csrf-token" content="([^"]+)"', self.client.get("/bandeja").text)
        assert token is not None
        response = self.client.post(path, data={**fields, "csrf_token": token[1]}, follow_redirects=True)
        assert response.status_code == status, response.text[:500]
        return response

    def sign_in(self, user: User, password: str = PASSWORD) -> TestResponse:
        """Sign in by the form."""
        return self.post("/ingresar", email=user.email, password=password)


def signed_in(app: Flask, user: User) -> Person:
    """Somebody whose session has begun; the form and the slow look at the password have tests of their own."""
    person = Person(app.test_client())
    with person.client.session_transaction() as session:
        session.update(_user_id=user.fs_uniquifier, _fresh=True)
    return person


@pytest.fixture
def app(desk: Desk, settings: Settings) -> Iterator[Flask]:
    """The pages on the desk's database."""
    made = create_app(settings)
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def stranger(app: Flask) -> Person:
    """Somebody who is not signed in."""
    return Person(app.test_client())


@pytest.fixture
def agent(app: Flask, ana: User) -> Person:
    """Ana, signed in."""
    return signed_in(app, ana)


@pytest.fixture
def supervisor(app: Flask, rosa: User) -> Person:
    """Rosa, signed in."""
    return signed_in(app, rosa)
