"""Who gets in, and what every page carries."""

from __future__ import annotations

import pytest
from flask import Flask

from helpdesk.accounts.users import User
from helpdesk.web.guard import PUBLIC_BLUEPRINTS, PUBLIC_ENDPOINTS
from tests.desk import Desk
from tests.mails import mail
from tests.web.conftest import PASSWORD, Person


def addresses(app: Flask, method: str) -> list[str]:
    """An address for every route that answers a method, with made-up arguments."""
    adapter = app.url_map.bind("localhost")
    made_up = {"number": "PI-2026-000001", "slug": "x", "filename": "desk.css", "step": "probar"}
    found = []
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and not is_public(rule.endpoint):
            values = {name: made_up.get(name, 1) for name in rule.arguments}
            found.append(adapter.build(rule.endpoint, values, method=method))
    return sorted(set(found))


def is_public(endpoint: str) -> bool:
    return endpoint in PUBLIC_ENDPOINTS or endpoint.partition(".")[0] in PUBLIC_BLUEPRINTS


def test_whoever_is_not_signed_in_sees_only_the_sign_in_page(app: Flask) -> None:
    client = app.test_client()
    for address in addresses(app, "GET"):
        response = client.get(address)
        assert response.status_code in (302, 404, 405), address
        if response.status_code == 302:
            assert "/ingresar" in response.headers["Location"], address


def test_T65_no_form_is_accepted_without_its_token(app: Flask, agent: Person) -> None:
    posts = addresses(app, "POST")
    assert len(posts) >= 7
    for address in posts:
        assert agent.client.post(address).status_code == 400, address


def test_T65_no_form_is_accepted_from_another_site(agent: Person, desk: Desk) -> None:
    desk.file(mail())
    number = desk.tickets()[0].number
    headers = {"Sec-Fetch-Site": "cross-site"}
    response = agent.client.post(f"/atenciones/{number}/estado", data={"estado": "closed"}, headers=headers)
    assert response.status_code == 400
    assert desk.tickets()[0].status == "open"


@pytest.mark.parametrize("path", ["/ingresar", "/bandeja", "/no-existe", "/correo"])
def test_every_page_carries_the_strict_headers(agent: Person, path: str) -> None:
    headers = agent.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(app: Flask, ana: User) -> None:
    person = Person(app.test_client())
    person.sign_in(ana)
    cookie = person.client.get_cookie("infomigra")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"


def test_T77_a_wrong_name_and_a_wrong_password_get_the_same_words(stranger: Person, ana: User) -> None:
    wrong_password = stranger.sign_in(ana, "otra-clave-distinta")
    unknown = stranger.post("/ingresar", email="nadie@example.com", password=PASSWORD)
    sentence = "El correo o la contraseña no son correctos."
    assert sentence in wrong_password.text
    assert sentence in unknown.text


def test_T75_signing_in_never_leads_to_another_site(stranger: Person, ana: User) -> None:
    response = stranger.post("/ingresar", email=ana.email, password=PASSWORD, next="https://evil.example/")
    assert response.request.host == "localhost"


def test_an_account_that_is_switched_off_cannot_sign_in(stranger: Person, desk: Desk, ana: User) -> None:
    with desk.sessions.begin() as session:
        session.get_one(User, ana.id).active = False
    stranger.sign_in(ana)
    assert stranger.get("/bandeja").request.path == "/ingresar"


def test_signing_out_ends_the_session(agent: Person) -> None:
    agent.post("/salir")
    assert agent.get("/bandeja").request.path == "/ingresar"


def test_an_agent_does_not_see_the_supervisors_view(agent: Person) -> None:
    assert "no tiene permiso" in agent.get("/tablero", status=403).text


ODD = (
    "/adjuntos/99999999999999999999",
    "/correo/99999999999999999999/original.eml",
    "/mensajes/99999999999999999999/formato",
    "/atenciones/%00",
    "/atenciones/{number}?respuesta=%00",
    "/atenciones/{number}?respuesta=no-existe",
    "/atenciones/{number}/borrador/%00",
)


@pytest.mark.parametrize("path", ODD)
def test_odd_addresses_are_refused_in_words(agent: Person, desk: Desk, path: str) -> None:
    desk.file(mail())
    response = agent.client.get(path.format(number=desk.tickets()[0].number))
    assert response.status_code in (400, 404)
    assert "Ir a la bandeja" in response.text


def test_odd_fields_break_nothing(agent: Person, desk: Desk) -> None:
    desk.file(mail())
    here = f"/atenciones/{desk.tickets()[0].number}"
    agent.post(f"{here}/asignar", 404, persona="99999999999999999999")
    agent.post(f"{here}/respuesta", 400, texto="x", clave="\x00")
    agent.post(f"{here}/deshacer/99999999999999999999", 404)
    assert "ab" in agent.post(f"{here}/nota", texto="a\x00b").text
    agent.get(f"{here}?retomar=99999999999999999999")


def test_healthz_answers_without_an_account(stranger: Person) -> None:
    assert stranger.get("/healthz").json == {"status": "ok"}
