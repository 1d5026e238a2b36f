"""The template answers on the desk's pages: found, written, corrected, decided about; hostile texts stay texts."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from helpdesk.accounts.users import User
from helpdesk.desk.answer_uses import MissingAnswer
from helpdesk.desk.answers import Answer, versions_of
from helpdesk.desk.reply import Draft
from helpdesk.web.answers import today
from tests.desk import Desk
from tests.mails import mail
from tests.outgoing import write_reply
from tests.web.conftest import Person, check_page

VEHICLE = "retorno-vehiculo"
SLUG = "tramite-de-prueba"
LATER = today() + dt.timedelta(days=100)
NEW: dict[str, Any] = {
    "slug": SLUG,
    "title": "Un trámite de prueba",
    "topic": "return/vehicle",
    "language": "es",
    "owner": "Ana",
    "valid_from": today().isoformat(),
    "review_by": LATER.isoformat(),
    "source": "Ley 30001\r\nLey 30001\r\n\r\nwww.gob.pe",
    "keywords": "prueba, ensayo,\r\nprueba",
    "questions": "¿Cómo pruebo?",
    "body": "Sí, puede probar.\r\n\r\n1. Pida la **tarjeta**.",
}
REPLACED: dict[str, Any] = {
    "title": "Otro título",
    "body": "Sí, puede probar hoy.\n\n1. Pida la **tarjeta**.",
}
HOSTILE = "<script>alert(1)</script> {% x %} ${x} <b onmouseover=x>&amp;</b> %(x)s 100%"


def post(person: Person, path: str, status: int = 200, /, **fields: Any) -> TestResponse:
    """Send a form; the page that comes back is checked."""
    response = person.post(path, status, **fields)
    check_page(response)
    return response


def begin(person: Person, **changes: Any) -> str:
    """Write a new answer; the address of its version."""
    path = post(person, "/respuestas/nueva", **{**NEW, **changes}).request.path
    assert re.fullmatch(r"/respuestas/version/\d+", path)
    return path


def save(person: Person, path: str, status: int = 200, **changes: Any) -> TestResponse:
    """Open a draft's form, change fields and send it."""
    seen = field(person.get(f"{path}/editar").text, "seen")
    return post(person, f"{path}/editar", status, **{**NEW, "seen": seen, **changes})


def field(page: str, name: str) -> str:
    """What stands in a field."""
    found = re.search(rf'name="{name}"[^>]*? value="([^"]*)"', page)
    found = found or re.search(rf'name="{name}"[^>]*>([^<]*)</textarea>', page)
    assert found is not None, name
    return unescape(found[1])


def listed(page: str) -> list[str]:
    """The addresses of the answers in the list."""
    return re.findall(r'answer-link" href="([^"?]+)', page)


def versions(desk: Desk, slug: str = SLUG) -> list[Answer]:
    """Every version of an answer, the newest first, with its history and files."""
    with desk.sessions() as session:
        rows = versions_of(session, slug, "es")
        for row in rows:
            _ = (row.events, row.files)
        return rows


def version_path(desk: Desk, slug: str = VEHICLE) -> str:
    return f"/respuestas/version/{versions(desk, slug)[0].id}"


def proposed(agent: Person, desk: Desk, **changes: Any) -> str:
    """Another text for an approved answer, handed to the supervisors."""
    path = post(agent, f"{version_path(desk)}/borrador").request.path.removesuffix("/editar")
    save(agent, path, revision="1", **{**REPLACED, **changes})
    return path


def test_the_list_is_narrowed_by_line_and_by_words_and_never_breaks(agent: Person) -> None:
    everything = listed(agent.get("/respuestas").text)
    assert f"/respuestas/{VEHICLE}" in everything
    of_line = agent.get("/respuestas?linea=return").text
    assert 0 < len(listed(of_line)) < len(everything)
    assert set(re.findall(r'<span class="chip line-(\w+)"', of_line)) == {"return"}
    assert listed(agent.get("/respuestas?q=traer+vehicluo").text)[0] == f"/respuestas/{VEHICLE}"
    nothing = agent.get("/respuestas?q=zzzzqq<script>{{7*7}}").text
    assert "Ninguna respuesta contiene esas palabras." in nothing
    assert field(nothing, "q") == "zzzzqq<script>{{7*7}}"
    assert "zzzzqq<script>" not in nothing
    for odd in ("estado=<script>", "linea={{7*7}}", "q=%00", "q=" + "a" * 5000):
        agent.get(f"/respuestas?{odd}")


def test_every_state_has_its_list(supervisor: Person, desk: Desk) -> None:
    path = begin(supervisor)
    for state, step in {"draft": "enviar", "in_review": "aprobar"}.items():
        assert listed(supervisor.get(f"/respuestas?estado={state}").text) == [path]
        assert f"/respuestas/{SLUG}" not in listed(supervisor.get("/respuestas").text)
        supervisor.post(f"{path}/{step}")
    assert f"/respuestas/{SLUG}" in listed(supervisor.get("/respuestas").text)
    supervisor.post(f"{path}/retirar", nota="")
    assert listed(supervisor.get("/respuestas?estado=retired").text) == [path]
    assert f"/respuestas/{SLUG}" not in listed(supervisor.get("/respuestas").text)


def test_what_should_have_been_reviewed_is_listed_apart(agent: Person, desk: Desk) -> None:
    with desk.sessions.begin() as session:
        versions_of(session, VEHICLE)[0].review_by = today() - dt.timedelta(days=1)
    page = agent.get("/respuestas?vencidas=1").text
    assert f"/respuestas/{VEHICLE}" in listed(page)
    assert len(listed(page)) == page.count("revisión vencida el")
    assert "Revisión vencida" in agent.get(f"/respuestas/{VEHICLE}").text


def test_a_favourite_is_ones_own(agent: Person, supervisor: Person) -> None:
    for _ in range(2):
        page = post(agent, f"/respuestas/{VEHICLE}/favorita", favorita="1").text
    assert "Quitar de mis favoritas" in page
    assert agent.get("/respuestas").text.count("★") == 1
    assert "★" not in supervisor.get("/respuestas").text
    post(agent, f"/respuestas/{VEHICLE}/favorita", favorita="0")
    assert "★" not in agent.get("/respuestas").text


def test_an_answer_written_from_scratch_is_kept_as_a_draft(agent: Person, desk: Desk, ana: User) -> None:
    path = begin(agent)
    page = agent.get(path).text
    assert "Es nueva" in page
    assert "la escribió Ana Torres" in page
    assert "<strong>tarjeta</strong>" in page
    (row,) = versions(desk)
    assert (row.status, row.line, row.topic, row.created_by_id) == ("draft", "return", "vehicle", ana.id)
    assert (row.source, row.keywords) == (["Ley 30001", "www.gob.pe"], ["prueba", "ensayo"])
    assert row.body == "Sí, puede probar.\n\n1. Pida la **tarjeta**."
    assert "Enviada a revisión." in post(agent, f"{path}/enviar").text
    assert "Espera la decisión de quien supervisa." in agent.get(path).text


def test_a_sent_reply_becomes_an_answer_without_the_person_in_it(
    agent: Person, desk: Desk, ana: User
) -> None:
    desk.file(mail(subject="Mi caballo"))
    number = desk.tickets()[0].number
    said = f"Con gusto, Rosario Mamani: **sí** puede.\n\nEs su atención {number}."
    letter = f"Estimado/a Rosario Mamani:\n\n{said}\n\nAtentamente,\n\nAna Torres  \nPerú Infomigra"
    reply = write_reply(desk, ana, Draft(letter, "k")).reply_id
    link = f'href="/respuestas/nueva?mensaje={reply}">Guardar como respuesta'
    assert link in agent.get(f"/atenciones/{number}").text
    page = agent.get(f"/respuestas/nueva?mensaje={reply}").text
    assert field(page, "title") == "Mi caballo"
    assert field(page, "body") == "Con gusto, {{nombre}}: **sí** puede.\n\nEs su atención {{numero}}."
    begin(agent, mensaje=field(page, "mensaje"))
    assert versions(desk)[0].reply_id == reply


def test_a_form_begins_with_no_message_but_one_that_we_sent(agent: Person, desk: Desk) -> None:
    desk.file(mail("Mi teléfono es 999 000 111."))
    asked = desk.tickets()[0].messages[0].id
    assert "999 000 111" not in agent.get(f"/respuestas/nueva?mensaje={asked}").text


def test_only_what_we_sent_becomes_an_answer(agent: Person, desk: Desk) -> None:
    desk.file(mail())
    asked = desk.tickets()[0].messages[0].id
    token = field(agent.get("/respuestas/nueva").text, "csrf_token")
    response = agent.client.post("/respuestas/nueva", data={**NEW, "mensaje": asked, "csrf_token": token})
    assert response.status_code in (400, 404, 409, 422), "refused, not broken"
    assert versions(desk) == []


def test_a_missing_answer_is_written_and_leaves_the_list(agent: Person, desk: Desk, ana: User) -> None:
    desk.file(mail())
    post(agent, f"/atenciones/{desk.tickets()[0].number}/ninguna", falta="Cómo traer un caballo")
    with desk.sessions() as session:
        entry = session.scalars(select(MissingAnswer)).one()
    page = agent.get(f"/respuestas/nueva?falta={entry.id}").text
    assert field(page, "title") == "Cómo traer un caballo"
    assert f'<option value="{entry.line}/{entry.topic}" selected>' in page
    post(agent, "/respuestas/nueva", 422, **{**NEW, "falta": str(entry.id), "title": ""})
    with desk.sessions() as session:
        assert session.scalars(select(MissingAnswer)).one().done_at is None, "nothing was kept yet"
    begin(agent, falta=field(page, "falta"))
    with desk.sessions() as session:
        assert session.scalars(select(MissingAnswer)).one().done_by_id == ana.id
    for odd in ("mensaje=999999", "falta=999999", "falta=abc", f"mensaje={2**70}"):
        assert field(agent.get(f"/respuestas/nueva?{odd}").text, "title") == ""


BAD: list[tuple[str, dict[str, str], str]] = [
    ("slug", {"slug": "Con Espacios"}, "Use minúsculas, cifras y guiones"),
    ("slug", {"slug": "../archivo"}, "Use minúsculas, cifras y guiones"),
    ("slug", {"slug": VEHICLE}, "Ya hay una respuesta con ese nombre corto."),
    ("slug", {"slug": "nueva"}, ""),  # its page would be the form's
    ("slug", {"slug": "buscar"}, ""),
    ("title", {"title": " "}, "Escriba un título"),
    ("title", {"title": "a" * 121}, "Escriba un título"),
    ("title", {"title": "Uno\r\nDos"}, "Escriba un título de una línea"),
    ("title", {"title": "Su atención {{numero}}"}, "Escriba un título"),
    ("topic", {"topic": "return/work-visa"}, "El tema «work-visa» no es de esta línea."),
    ("topic", {"topic": f"return/{HOSTILE}"}, f"El tema «{HOSTILE}» no es"),
    ("line", {"topic": "marte/general"}, "Elija una de las líneas"),
    ("valid_from", {"valid_from": "mañana"}, "Escriba una fecha"),
    ("review_by", {"review_by": ""}, "Escriba una fecha"),
    ("review_by", {"review_by": today().isoformat()}, "La revisión debe ser posterior"),
    ("body", {"body": " \r\n"}, "Escriba el texto."),
    ("body", {"body": "ñ" * 3501}, "El texto es demasiado largo"),
    ("body", {"body": "a\x0bb"}, "un carácter que no se puede enviar"),
    ("body", {"body": "Vea {{config}} y {{7*7}}."}, "«7*7» no es un dato"),
    ("body", {"body": "{{<script>alert(1)</script>}}"}, "«<script>alert(1)</script>» no es un dato"),
    ("body", {"body": "{{100%}} {{%(detail)s}}"}, "«%(detail)s» no es un dato"),
    ("public", {"public": "1", "body": "Hola {{nombre}}."}, "no puede completar datos"),
]


def test_what_is_wrong_stands_beside_its_field_and_the_text_is_kept(
    agent: Person, desk: Desk, subtests: pytest.Subtests
) -> None:
    for name, wrong, sentence in BAD:
        with subtests.test(name, wrong=wrong):
            typed = {**NEW, **wrong}
            page = post(agent, "/respuestas/nueva", 422, **typed).text
            assert f'id="mal-{name}"' in page
            assert f'href="#{name}"' in page
            assert sentence in unescape(page)
            assert "<script>alert" not in page
            assert "<title>Error:" in page
            for kept in ("slug", "title", "keywords", "body", "review_by"):
                assert field(page, kept) == typed[kept].replace("\r\n", "\n").strip()
    assert listed(agent.get("/respuestas?estado=draft").text) == []


def test_a_draft_is_changed_and_its_history_tells_by_whom(agent: Person, desk: Desk) -> None:
    path = begin(agent)
    form = agent.get(f"{path}/editar").text
    for name in ("title", "owner", "review_by", "questions"):
        assert field(form, name) == NEW[name]
    assert (field(form, "keywords"), field(form, "body")) == ("prueba, ensayo", versions(desk)[0].body)
    assert field(form, "source") == "Ley 30001\nwww.gob.pe"
    save(agent, path)
    assert [event.kind for event in versions(desk)[0].events] == ["created"], "nothing was changed"
    page = save(agent, path, slug="otro-nombre", language="pt", **REPLACED).text
    assert "Cambiada · Ana Torres" in re.sub(r"</time>\s*", "", page)
    (row,) = versions(desk)
    assert (row.title, row.body) == (REPLACED["title"], REPLACED["body"])
    wrong = save(agent, path, 422, title="", body="Sin título").text
    assert (field(wrong, "title"), field(wrong, "body")) == ("", "Sin título")
    assert 'id="mal-title"' in wrong
    assert versions(desk)[0].body == REPLACED["body"]


def test_whoever_was_slower_is_told_and_loses_nothing(agent: Person, supervisor: Person, desk: Desk) -> None:
    path = begin(agent)
    seen = field(agent.get(f"{path}/editar").text, "seen")
    save(supervisor, path, body="Lo de Rosa.")
    for old in (seen, "", "ayer"):
        page = save(agent, path, 409, seen=old, body="Lo de Ana.").text
        assert "Otra persona cambió este borrador" in page
        assert field(page, "body") == "Lo de Ana."
        assert versions(desk)[0].body == "Lo de Rosa."
    save(agent, path, seen=field(page, "seen"), body="Lo de Ana.")
    assert versions(desk)[0].body == "Lo de Ana."


def test_what_is_in_review_is_not_changed(agent: Person, desk: Desk) -> None:
    path = begin(agent, revision="1")
    assert agent.get(f"{path}/editar").request.path == path
    page = post(agent, f"{path}/editar", 409, **{**NEW, "body": "Otra cosa."}).text
    assert "Solo se cambia un borrador." in page
    assert field(page, "body") == "Otra cosa."
    assert versions(desk)[0].status == "in_review"


def test_another_text_begins_with_the_approved_one_and_there_is_one_draft(agent: Person, desk: Desk) -> None:
    (old,) = versions(desk, VEHICLE)
    first, again = (post(agent, f"/respuestas/version/{old.id}/borrador") for _ in range(2))
    assert field(first.text, "body") == old.body
    assert first.request.path == again.request.path
    draft = first.request.path.removesuffix("/editar")
    page = post(agent, f"{draft}/enviar").text
    assert "Es igual a la versión aprobada" in page
    save(agent, draft, revision="1", **REPLACED)
    assert "Ya hay una propuesta en revisión." in post(agent, f"/respuestas/version/{old.id}/borrador").text
    assert [row.status for row in versions(desk, VEHICLE)] == ["in_review", "approved"]


def test_an_answer_is_translated_into_a_language_that_we_have(agent: Person, desk: Desk) -> None:
    path = post(agent, f"{version_path(desk)}/borrador", idioma="pt").request.path.removesuffix("/editar")
    save(agent, path, title="Trazer o seu carro", topic="return/vehicle", body="Sim, pode.")
    page = agent.get(f"/respuestas/{VEHICLE}?idioma=pt").text
    assert "Trazer o seu carro" in page
    assert f"/respuestas/{VEHICLE}?idioma=es" in page
    agent.post(f"{version_path(desk)}/borrador", 400, idioma="qu")


def test_a_supervisor_sees_what_changes_and_approves_it(supervisor: Person, desk: Desk, rosa: User) -> None:
    path = proposed(supervisor, desk)
    page = supervisor.get(path).text
    assert "Qué cambia frente a la versión aprobada (1)" in page
    changes = dict(re.findall(r"<dt>([^<]+)</dt>\s*<dd class=\"text\">(.*?)</dd>", page, re.DOTALL))
    assert "<del>" in changes["Título"]
    assert re.findall(r"<ins>(.*?)</ins>", changes["Título"]) == ["Otro", "título"]
    assert "puede" in re.sub(r"<(del|ins)>.*?</\1>", "", changes["Texto"], flags=re.DOTALL), "a word stayed"
    assert "Línea" not in changes
    done = post(supervisor, f"{path}/aprobar")
    assert done.request.path == f"/respuestas/{VEHICLE}"
    assert "Sí, puede probar hoy." in done.text
    new, old = versions(desk, VEHICLE)
    assert (new.status, old.status) == ("approved", "retired")
    assert (new.events[-1].kind, new.events[-1].user_id) == ("approved", rosa.id)
    assert "No se puede pasar" in post(supervisor, f"{path}/aprobar").text, "a second click is told so"


def test_a_proposal_goes_back_with_a_word_why(supervisor: Person, desk: Desk) -> None:
    path = proposed(supervisor, desk)
    assert "Diga en una frase qué falta" in post(supervisor, f"{path}/devolver", nota=" \n").text
    assert versions(desk, VEHICLE)[0].status == "in_review"
    post(supervisor, f"{path}/devolver", nota=f"Falta el costo. {HOSTILE}")
    page = supervisor.get(path).text
    assert f"Falta el costo. {HOSTILE}" in unescape(page)
    assert "<script>alert" not in page
    assert "Seguir escribiendo" in page
    assert versions(desk, VEHICLE)[0].status == "draft"


def test_a_retired_answer_stays_to_be_read_but_not_on_the_web(supervisor: Person, desk: Desk) -> None:
    assert "/informacion/" in supervisor.get(f"/respuestas/{VEHICLE}").text
    page = post(supervisor, f"{version_path(desk)}/retirar", nota="La ley cambió.").text
    assert "Retirada. Sus versiones se conservan." in page
    assert "La ley cambió." in page
    page = supervisor.get(f"/respuestas/{VEHICLE}").text
    assert "Retirada" in page
    assert "/informacion/" not in page, "no link to what is not there"


def test_a_supervisor_says_until_when_a_text_holds(supervisor: Person, desk: Desk) -> None:
    path = version_path(desk)
    supervisor.post(f"{path}/vigente", 400, hasta="mañana")
    yesterday = (today() - dt.timedelta(days=1)).isoformat()
    assert 'class="flash wrong"' in post(supervisor, f"{path}/vigente", hasta=yesterday).text
    assert len(versions(desk, VEHICLE)) == 1
    assert "Revisada: sigue vigente." in post(supervisor, f"{path}/vigente", hasta=LATER.isoformat()).text
    new, old = versions(desk, VEHICLE)
    assert (new.status, new.review_by, old.status) == ("approved", LATER, "retired")
    assert new.body == old.body
    post(supervisor, f"{version_path(desk)}/borrador")
    assert (
        "Hay otra versión en preparación"
        in post(supervisor, f"/respuestas/version/{new.id}/vigente", hasta=LATER.isoformat()).text
    )


def test_an_old_page_does_not_bring_an_old_text_back(supervisor: Person, desk: Desk) -> None:
    old_path = version_path(desk)
    post(supervisor, f"{proposed(supervisor, desk)}/aprobar")
    post(supervisor, f"{old_path}/vigente", hasta=LATER.isoformat())
    assert "Sí, puede probar hoy." in supervisor.get(f"/respuestas/{VEHICLE}").text


def test_an_agent_decides_about_nothing_but_a_draft(agent: Person, desk: Desk) -> None:
    approved, waiting = version_path(desk), proposed(agent, desk)
    before = [(row.status, row.review_by) for row in versions(desk, VEHICLE)]
    for path in (f"{waiting}/aprobar", f"{waiting}/devolver", f"{approved}/vigente", f"{approved}/retirar"):
        assert "no tiene permiso" in post(agent, path, 403, nota="x", hasta=LATER.isoformat()).text
    assert "No se puede pasar" in post(agent, f"{waiting}/retirar").text
    assert [(row.status, row.review_by) for row in versions(desk, VEHICLE)] == before
    for page in (agent.get(waiting).text, agent.get(f"/respuestas/{VEHICLE}").text):
        assert not re.search(r'action="[^"]+/(aprobar|devolver|vigente|retirar)"', page)
    draft = begin(agent)
    post(agent, f"{draft}/retirar")
    assert versions(desk)[0].status == "retired"


def test_files_are_added_replaced_downloaded_and_taken_away(agent: Person, desk: Desk) -> None:
    path = begin(agent)
    save(agent, path, archivo=[(BytesIO(b"%PDF-1.4 viejo"), "Guía (1).pdf"), (BytesIO(b"hola"), "nota.txt")])
    page = save(agent, path, archivo=(BytesIO(b"%PDF-1.4 nuevo"), "Guía (1).pdf")).text
    assert sorted(file.name for file in versions(desk)[0].files) == ["Guía (1).pdf", "nota.txt"]
    link = re.search(r'href="(/respuestas/archivo/\d+)">Guía \(1\)\.pdf<', page)
    assert link is not None
    response = agent.get(link[1])
    assert response.data == b"%PDF-1.4 nuevo"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    gone = next(file.id for file in versions(desk)[0].files if file.name == "nota.txt")
    page = save(agent, path, quitar=str(gone)).text
    assert [file.name for file in versions(desk)[0].files] == ["Guía (1).pdf"]
    assert "nota.txt" not in page


def upload(person: Person, path: str, *contents: bytes) -> TestResponse:
    """Send a draft's form with large files; the bytes are made here, because the client forgets its own file."""
    page = person.get(f"{path}/editar").text
    files = [FileStorage(BytesIO(content), f"{number}.pdf") for number, content in enumerate(contents)]
    known = {"seen": field(page, "seen"), "csrf_token": field(page, "csrf_token"), "archivo": files}
    boundary, body = encode_multipart({**NEW, "body": "Texto nuevo.", **known})
    kind = f'multipart/form-data; boundary="{boundary}"'
    return person.client.post(f"{path}/editar", data=body, content_type=kind)


def test_files_that_are_too_large_are_refused_and_the_text_is_kept(agent: Person, desk: Desk) -> None:
    path = begin(agent)
    refused = upload(agent, path, b"a" * 2_500_000, b"a" * 2_500_001)
    check_page(refused)
    assert refused.status_code == 422
    assert "Los archivos pesan más de 5 MB en total." in refused.text
    assert 'id="mal-attachments"' in refused.text
    assert field(refused.text, "body") == "Texto nuevo."
    refused = upload(agent, path, b"a" * 7_000_000)
    assert (refused.status_code, "demasiado grande" in refused.text) == (413, True)
    assert versions(desk)[0].files == []
    assert upload(agent, path, b"a" * 5_000_000).status_code == 302
    assert versions(desk)[0].files[0].size == 5_000_000


def test_a_file_with_a_bad_name_is_refused_by_name(
    agent: Person, desk: Desk, subtests: pytest.Subtests
) -> None:
    path = begin(agent)
    for name in ("../../etc/passwd", ".htaccess", "<img src=x>.pdf", "{{7*7}}.pdf", "100%.pdf", "%(x)s.pdf"):
        with subtests.test(name):
            page = save(agent, path, 422, body="Texto nuevo.", archivo=(BytesIO(b"x"), name)).text
            assert f"El archivo «{name}» debe llamarse" in unescape(page)
            assert "<img src=x>" not in page
            assert field(page, "body") == "Texto nuevo."
    assert versions(desk)[0].files == []


def test_markup_and_template_tricks_come_out_as_text(supervisor: Person, desk: Desk) -> None:
    link = "[aquí](javascript:alert(1))"
    texts: dict[str, Any] = dict.fromkeys(("owner", "source", "keywords", "questions"), HOSTILE)
    path = begin(supervisor, title=HOSTILE, body=f"{HOSTILE} {link}", revision="1", **texts)
    pages = [supervisor.get(f"{path}").text, supervisor.get("/respuestas?estado=in_review").text]
    post(supervisor, f"{path}/aprobar")
    pages += [supervisor.get(f"/respuestas/{SLUG}").text, supervisor.get("/respuestas").text]
    pages += [post(supervisor, f"{path}/borrador").text]
    for page in pages:
        assert HOSTILE in unescape(page)
        assert not re.search(r"<script>|<b on|href=\"javascript|SECRET_KEY", page)
    assert pages[0].count("&lt;script&gt;") >= 6
    assert field(pages[-1], "owner") == HOSTILE


def test_what_there_is_not_is_not_found(supervisor: Person) -> None:
    for path in ("no-existe", "{{7*7}}", "version/999999", "version/999999/editar", "archivo/999999"):
        supervisor.get(f"/respuestas/{path}", 404)
    for path in ("version/abc", f"version/{2**70}", "version/-1"):
        supervisor.get(f"/respuestas/{path}", 404)
    for step in ("borrador", "editar", "enviar", "aprobar", "devolver", "retirar", "vigente"):
        supervisor.post(f"/respuestas/version/999999/{step}", 404, hasta=LATER.isoformat(), nota="x")
    supervisor.post("/respuestas/no-existe/favorita", 404, favorita="1")
