"""Files and formatted mail on the pages: what is said of them, how they leave, what is held back (T35, T40 to T50)."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from io import BytesIO

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select, update

from helpdesk.desk.files import Attachment, Blob, Scan
from helpdesk.desk.previews import make_due
from helpdesk.desk.scans import scan_due
from helpdesk.mail.clamav import Scanner
from helpdesk.web.guard import FILE_CSP, MAIL_CSP, REMOTE_MAIL_CSP
from helpdesk.web.session import SETTINGS
from tests.core.test_clamav import ask_again_now, clamd, saying, scripted, with_files
from tests.desk import Desk
from tests.hostile_files import EICAR, PDF, HostileFile, hostile_files
from tests.mails import mail
from tests.ports import free_port
from tests.web.conftest import Person

__all__ = ["clamd"]  # a fixture


def picture(color: str = "red", size: tuple[int, int] = (200, 100)) -> bytes:
    """A PNG of one colour, with a comment that must not come along."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "secreto")
    out = BytesIO()
    Image.new("RGB", size, color).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def attachments(desk: Desk) -> dict[str, Attachment]:
    """Every file, by its name."""
    with desk.sessions() as session:
        return {row.name: row for row in session.scalars(select(Attachment).order_by(Attachment.id))}


def without_contents(value: object) -> str:
    """The name of a case, without its bytes."""
    return value if isinstance(value, str) else ""


def ticket_page(agent: Person, desk: Desk) -> str:
    return agent.get(f"/atenciones/{desk.tickets()[0].number}").text


def words(html: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def check_download(agent: Person, path: str) -> bytes:
    """Fetch a file and see that no browser would show it."""
    response = agent.client.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment; filename")
    assert response.headers["Content-Security-Policy"] == FILE_CSP
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-store"
    return response.data


def hostile_mail(files: list[HostileFile]) -> bytes:
    """A mail of these files, written by hand: no library would write such names and types."""
    import base64
    from urllib.parse import quote

    parts = []
    for file in files:
        name = quote(file.name, safe="")
        parts.append(
            f"--limite\r\nContent-Type: {file.type}; name*=utf-8''{name}\r\n"
            f"Content-Disposition: attachment; filename*=utf-8''{name}\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n{base64.encodebytes(file.content).decode()}\r\n"
        )
    head = (
        "From: a@example.com\r\nSubject: Archivos\r\nContent-Type: multipart/mixed; boundary=limite\r\n\r\n"
    )
    return (head + "".join(parts) + "--limite--\r\n").encode()


def test_T42_G33_no_hostile_file_is_ever_shown_and_each_comes_back_as_it_was(
    agent: Person, desk: Desk
) -> None:
    files = hostile_files()
    assert len(files) >= 80
    desk.file(*(hostile_mail(files[at : at + 20]) for at in range(0, len(files), 20)))
    while make_due(desk.sessions, scanning=False):
        pass
    with desk.sessions() as session:
        rows = session.scalars(select(Attachment).order_by(Attachment.id)).all()
    assert len(rows) == len(files)
    for row, file in zip(rows, files, strict=True):
        assert check_download(agent, f"/adjuntos/{row.id}") == file.content
        assert len(row.name) <= 120
        assert not re.search(r"[\x00-\x1f/\\\u200b-\u200f\u202a-\u202e]", row.name)
        small = agent.client.get(f"/adjuntos/{row.id}/vista")
        assert small.status_code == 404 or small.headers["Content-Type"] == "image/webp"
    for ticket in desk.tickets():
        agent.get(f"/atenciones/{ticket.number}")


def test_T40_whoever_is_not_signed_in_learns_nothing_about_files(stranger: Person, desk: Desk) -> None:
    desk.file(with_files(("a.pdf", PDF)))
    there = next(iter(attachments(desk).values())).id
    for path in ("/adjuntos/{}", "/adjuntos/{}/vista", "/correo/{}/original.eml", "/mensajes/{}/formato"):
        answers = [stranger.client.get(path.format(id_)) for id_ in (there, there + 10_000)]
        assert [answer.status_code for answer in answers] == [302, 302]
        assert all("/ingresar" in answer.headers["Location"] for answer in answers)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("contrato.pdf", b"MZ\x90\x00" + bytes(60), "dice ser un PDF, es un programa"),
        ("contrato.pdf", b"<html><script>x</script>", "dice ser un PDF, es una página web"),
        ("contrato.pdf", bytes(50), "dice ser un PDF, pero su contenido no lo es"),
        ("foto.jpg", picture(), "dice ser una imagen JPEG, es una imagen PNG"),
        ("instalar.exe", b"MZ\x90\x00" + bytes(60), "cuidado: es un programa"),
        ("abrir.vbs", b"MsgBox 1", "cuidado: es un programa en texto"),
        ("datos.reg", b"\xff\xfe" + "Windows Registry Editor".encode("utf-16-le"), "es un programa en texto"),
        ("oficina.rdp", b"full address:s:evil.example.com\r\n", "cuidado: es un acceso directo"),
        ("fotos.library-ms", b'<?xml version="1.0"?><libraryDescription>', "cuidado: es un acceso directo"),
        ("pagina.html", b"<html>", "cuidado: es una página web"),
    ],
    ids=without_contents,
)
def test_T50_a_file_that_lies_or_may_run_is_named_for_what_it_is(
    agent: Person, desk: Desk, name: str, content: bytes, sentence: str
) -> None:
    desk.file(with_files((name, content)))
    assert sentence in words(ticket_page(agent, desk))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.pdf", PDF, "PDF"),
        ("a.txt", b"hola", "texto"),
        ("foto", picture(), "imagen PNG"),
        ("x.bin", bytes(9), ""),
    ],
    ids=without_contents,
)
def test_an_honest_file_is_shown_with_its_type_and_without_a_warning(
    agent: Person, desk: Desk, name: str, content: bytes, kind: str
) -> None:
    desk.file(with_files((name, content)))
    said = words(ticket_page(agent, desk))
    assert f"{name} {kind}{', ' if kind else ''}{len(content)} B" in said
    assert "dice ser" not in said
    assert "cuidado" not in said


def test_a_picture_is_shown_small_and_only_as_our_own_encoding(agent: Person, desk: Desk) -> None:
    desk.file(with_files(("foto.png", picture(size=(2_000, 1_000)))))
    row = attachments(desk)["foto.png"]
    path = f"/adjuntos/{row.id}/vista"
    assert path not in ticket_page(agent, desk)
    assert agent.client.get(path).status_code == 404
    make_due(desk.sessions, scanning=False)
    assert f'<img loading="lazy" src="{path}" width="1200" height="600"' in ticket_page(agent, desk)
    response = agent.client.get(path)
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["Content-Security-Policy"] == FILE_CSP
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.data.startswith(b"RIFF")
    assert b"secreto" not in response.data
    assert b"secreto" in check_download(agent, f"/adjuntos/{row.id}")


def test_F52_a_file_that_changed_on_disk_is_not_handed_out(
    agent: Person, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A logger of this test's own: what another library did to the process' loggers does not matter here.
    told = io.StringIO()
    log = logging.Logger("files")
    log.addHandler(logging.StreamHandler(told))
    monkeypatch.setattr("helpdesk.web.original.log", log)
    desk.file(with_files(("a.pdf", PDF)))
    with desk.sessions.begin() as session:
        session.execute(update(Blob).values(content=PDF[:-1] + b"\x00"))
    response = agent.client.get(f"/adjuntos/{attachments(desk)['a.pdf'].id}")
    assert response.status_code == 500
    assert "Archivo dañado" in response.text
    assert "does not match its hash" in told.getvalue()


def test_F52_an_original_mail_that_changed_on_disk_is_not_handed_out(agent: Person, desk: Desk) -> None:
    from helpdesk.desk.ledger import RawMail

    desk.file(mail())
    with desk.sessions.begin() as session:
        session.execute(update(RawMail).values(raw=b"otra cosa"))
    assert "Archivo dañado" in agent.client.get("/correo/1/original.eml").text


@pytest.fixture
def guarded(app: Flask, agent: Person) -> Iterator[Person]:
    """Ana at a desk with a scanner, which is down."""
    before = app.extensions[SETTINGS]
    app.extensions[SETTINGS] = before.model_copy(update={"clamav": f"127.0.0.1:{free_port()}"})
    yield agent
    app.extensions[SETTINGS] = before


def test_T47_what_the_scanner_has_not_passed_is_held(guarded: Person, desk: Desk) -> None:
    desk.file(with_files(("a.pdf", PDF)))
    row = attachments(desk)["a.pdf"]
    for asked in (False, True):
        if asked:
            scan_due(desk.sessions, Scanner(f"127.0.0.1:{free_port()}"))
        page = ticket_page(guarded, desk)
        assert "en espera del antivirus" in page
        assert f'href="/adjuntos/{row.id}"' not in page
        held = guarded.client.get(f"/adjuntos/{row.id}")
        assert held.status_code == 403
        assert PDF not in held.data
        assert guarded.client.get("/correo/1/original.eml").status_code == 403
    ask_again_now(desk)
    with scripted(saying(b"stream: OK\0")) as scanner:
        scan_due(desk.sessions, scanner)
    assert check_download(guarded, f"/adjuntos/{row.id}") == PDF


@pytest.mark.needs("clamd")
def test_T47_a_virus_is_named_and_never_handed_out(agent: Person, desk: Desk, clamd: Scanner) -> None:
    desk.file(with_files(("virus.com", EICAR), ("hola.txt", b"hola")))
    scan_due(desk.sessions, clamd)
    assert "contiene un virus (Eicar-Test.UNOFFICIAL)" in ticket_page(agent, desk)
    rows = attachments(desk)
    for path in (f"/adjuntos/{rows['virus.com'].id}", "/correo/1/original.eml"):
        response = agent.client.get(path)
        assert response.status_code == 403
        assert "contiene un virus" in response.text
        assert EICAR not in response.data
    assert check_download(agent, f"/adjuntos/{rows['hola.txt'].id}") == b"hola"


@pytest.mark.needs("clamd")
def test_T47_an_original_mail_is_scanned_before_it_is_handed_out(
    app: Flask, agent: Person, desk: Desk, clamd: Scanner
) -> None:
    desk.file(with_files(("virus.com", EICAR)), mail("hola"))
    app.extensions[SETTINGS] = app.extensions[SETTINGS].model_copy(update={"clamav": clamd.address})
    assert "contiene un virus" in agent.client.get("/correo/1/original.eml").text
    check_download(agent, "/correo/2/original.eml")


LETTER = (
    '<p>Hola <b>mundo</b></p><img src="cid:foto@a" alt="mi foto"><img src="cid:falta@a" alt="falta">'
    '<img src="https://fotos.example.com/pixel.png?quien=1" alt="lejos"><img src="http://10.0.0.1/x.png">'
    '<img src="data:image/png;base64,AAAA"><script>alert(1)</script>'
)


def letter(html: str = LETTER) -> bytes:
    """A mail with HTML and a picture of its own."""
    from email import message_from_bytes, policy

    built = message_from_bytes(mail("Hola mundo", html=html), policy=policy.SMTP)
    part = built.get_body(("html",))
    assert part is not None
    part.add_related(picture(), "image", "png", cid="<foto@a>", filename="foto.png")
    return built.as_bytes()


def frame(agent: Person, *, remote: bool = False) -> tuple[str, str]:
    """The frame's HTML and its policy."""
    path = "/mensajes/1/formato"
    response = agent.post(path) if remote else agent.get(path)
    return response.text.partition("<body>")[2], response.headers["Content-Security-Policy"]


def test_T35_a_mail_shows_its_own_pictures_encoded_anew_and_no_others(agent: Person, desk: Desk) -> None:
    desk.file(letter())
    assert "data:" not in frame(agent)[0]
    make_due(desk.sessions, scanning=False)
    html, policy = frame(agent)
    assert policy == MAIL_CSP
    assert html.count("data:image/webp;base64,") == 1
    assert html.count("src=") == 1
    assert '<img alt="falta">' in html
    assert "<b>mundo</b>" in html
    assert "fotos.example.com" not in html
    assert "script" not in html


def test_T35_remote_pictures_are_shown_once_and_only_when_an_agent_asks(agent: Person, desk: Desk) -> None:
    desk.file(letter())
    page = ticket_page(agent, desk)
    assert "Mostrar imágenes remotas" in page
    assert "fotos.example.com" not in page
    assert "puede enterarse" in page
    html, policy = frame(agent, remote=True)
    assert policy == REMOTE_MAIL_CSP
    assert 'src="https://fotos.example.com/pixel.png?quien=1"' in html
    assert "10.0.0.1" not in html
    assert "script" not in html
    assert frame(agent) == (frame(agent)[0], MAIL_CSP)
    assert "fotos.example.com" not in frame(agent)[0]


def test_T35_a_mail_without_remote_pictures_offers_none(agent: Person, desk: Desk) -> None:
    desk.file(letter('<p>Hola</p><img src="cid:foto@a"><a href="https://example.com">x</a>'))
    assert "Mostrar imágenes remotas" not in ticket_page(agent, desk)


def test_T35_what_is_stored_and_printed_of_a_mail_names_no_remote_picture(desk: Desk) -> None:
    desk.file(letter())
    stored = desk.tickets()[0].messages[0].html
    assert "fotos.example.com" not in stored
    assert "10.0.0.1" not in stored
    assert 'src="cid:foto@a"' in stored


@pytest.mark.parametrize("policy", [MAIL_CSP, REMOTE_MAIL_CSP])
def test_L05_the_cage_lets_nothing_run_and_nothing_out(policy: str) -> None:
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["sandbox"] == "allow-popups"
    assert rules["default-src"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert rules["style-src"].startswith("'sha256-")
    assert not {"script-src", "connect-src", "frame-src"} & set(rules)
    assert rules["img-src"] in ("data:", "data: https:")


def test_T47_what_was_found_infected_stays_held_without_a_scanner(agent: Person, desk: Desk) -> None:
    desk.file(with_files(("a.pdf", PDF)))
    with desk.sessions.begin() as session:
        session.execute(update(Blob).values(scan=Scan.INFECTED.value, scan_result="X"))
    assert agent.client.get(f"/adjuntos/{attachments(desk)['a.pdf'].id}").status_code == 403
