"""How a template answer comes to be approved: the steps, what stops them, and that nothing of it is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from helpdesk.accounts.users import Role, User
from helpdesk.db import Sessions, open_engine, open_sessions
from helpdesk.desk import authoring
from helpdesk.desk.answer_files import import_answers
from helpdesk.desk.answers import (
    Answer,
    approved_answer,
    favourites_of,
    is_behind,
    set_favourite,
    versions_of,
)
from helpdesk.desk.authoring import approve, begin, draft_of, retire, reviewed, send_back, submit
from helpdesk.desk.lifecycle import AnswerState
from helpdesk.desk.message import Message
from helpdesk.desk.ticket import Ticket
from helpdesk.desk.words import ANSWER_FAULTS_ES
from helpdesk.errors import AnswerRefused, HelpdeskError, NotAllowed, StaleAnswer
from templates.answer import AnswerText, AttachedFile
from tests.core.test_lock_order import until_somebody_waits

T = TypeVar("T")
DAY, LATER = dt.date(2026, 11, 23), dt.date(2027, 11, 23)
START = dt.datetime(2026, 11, 23, 15, 0, tzinfo=dt.UTC)
GUIDE = AttachedFile("guía 1.pdf", b"%PDF-1.7 uno")
TEXT = AnswerText(
    slug="prueba",
    title="Traer un perro",
    line="return",
    topic="vehicle",
    language="es",
    source=("Ley 30001",),
    owner="orientacion",
    valid_from=DAY,
    review_by=dt.date(2027, 5, 23),
    public=False,
    keywords=("perro",),
    questions=("¿puedo traer mi perro?",),
    attachments=(GUIDE,),
    body="Sí, {{nombre}}.",
)
OTHER = replace(TEXT, title="Traer dos perros", body="Dos también.", keywords=("perros", "dos"))


@dataclass
class Life:
    """What is done to answers in one session, each step a minute after the one before."""

    session: Session
    ana: User
    rosa: User
    now: dt.datetime = START

    def do(self, step: Callable[..., T], *args: object, by: User | None = None) -> T:
        """One step of `authoring`, done by Ana or by somebody else."""
        self.now += dt.timedelta(minutes=1)
        return step(self.session, *args, now=self.now, actor=by or self.ana)

    def save(self, answer: Answer, text: AnswerText) -> None:
        self.do(partial(authoring.save, seen=answer.changed_at), answer, text)

    def draft(self, old: Answer, language: str = "es") -> Answer:
        return self.do(partial(draft_of, language=language), old)

    def come_to(self, state: str, text: AnswerText = TEXT) -> Answer:
        """A new answer that came so far."""
        answer = self.do(begin, text)
        if state in ("in_review", "approved"):
            self.do(submit, answer)
        if state == "approved":
            self.do(approve, answer, by=self.rosa)
        if state == "retired":
            self.do(retire, answer, "")
        return answer

    def replaced(self, old: Answer, text: AnswerText = OTHER) -> Answer:
        """The approved version with another text that follows a version."""
        draft = self.draft(old)
        self.save(draft, text)
        self.do(submit, draft)
        self.do(approve, draft)
        return draft


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    """The database, with an agent and a supervisor."""
    engine = open_engine(database_url)
    made = open_sessions(engine)
    with made.begin() as session:
        for name, role in (("ana", Role.AGENT), ("rosa", Role.SUPERVISOR)):
            session.add(User(email=name, name=name, role=role.value, password="", fs_uniquifier=name))
    yield made
    engine.dispose()


def life_in(session: Session) -> Life:
    return Life(session, *session.scalars(select(User).order_by(User.id)))


@pytest.fixture
def life(sessions: Sessions) -> Iterator[Life]:
    with sessions.begin() as session:
        yield life_in(session)


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"slug": ""}, "slug", "minúsculas"),
        ({"slug": "Con Espacios"}, "slug", "minúsculas"),
        ({"slug": "../prueba"}, "slug", "minúsculas"),
        ({"slug": "a" * 61}, "slug", "60 como máximo"),
        ({"title": ""}, "title", "título de una línea"),
        ({"title": "a" * 121}, "title", "120 letras"),
        ({"title": "Uno\r\nBcc: x@evil.example"}, "title", "una línea"),
        ({"language": "qu"}, "language", "idiomas"),
        ({"line": "retorno", "topic": "general"}, "line", "líneas"),
        ({"topic": "pension-afp"}, "topic", "El tema «pension-afp» no es de esta línea"),
        ({"body": ""}, "body", "Escriba el texto"),
        ({"body": "ñ" * 3_501}, "body", "demasiado largo"),
        ({"body": "uno\x00dos"}, "body", "carácter que no se puede enviar"),
        ({"body": "Diríjase a {{embajada}}."}, "body", "«embajada» no es un dato"),
        ({"body": "{{config}}"}, "body", "«config» no es un dato"),
        ({"body": "{{7*7}}"}, "body", "«7*7» no es un dato"),
        ({"body": "{{%(detail)s}}"}, "body", "«%(detail)s» no es un dato"),
        ({"public": True}, "public", "no la publique"),
        ({"review_by": DAY}, "review_by", "posterior"),
        ({"attachments": (AttachedFile("a.pdf", b"x" * 5_000_001),)}, "attachments", "más de 5 MB"),
        *(
            ({"attachments": (AttachedFile(name, b"x"),)}, "attachments", "debe llamarse con letras")
            for name in ["../a.pdf", "a/b.pdf", 'a"b.pdf', "a.pdf\r\nBcc: x.pdf", ".a.pdf", "a", "<b>.pdf"]
        ),
    ],
)
def test_a_text_that_cannot_be_used_is_refused_with_the_words_of_its_field(
    changes: dict[str, object], field: str, sentence: str
) -> None:
    with pytest.raises(AnswerRefused) as refusal:
        authoring.check_text(replace(TEXT, **changes))  # type: ignore[arg-type]
    assert set(refusal.value.faults) == {field}
    assert sentence in refusal.value.faults[field]


def test_everything_that_is_wrong_is_said_at_once_the_first_fault_of_each_field() -> None:
    with pytest.raises(AnswerRefused) as refusal:
        authoring.check_text(replace(TEXT, title="", body="{{uno}} {{dos}}"))
    assert set(refusal.value.faults) == {"title", "body"}
    assert "«dos»" in refusal.value.faults["body"]


@pytest.mark.parametrize("body", ["{% x %}", "${x}", "{7*7}", "<script>alert(1)</script>", "%(x)s"])
def test_code_that_means_nothing_to_us_is_text_like_any_other(body: str) -> None:
    authoring.check_text(replace(TEXT, body=body))


def test_agents_get_an_answer_only_while_it_is_approved(life: Life) -> None:
    answer = life.do(begin, TEXT)
    for step, state in ((submit, "in_review"), (approve, "approved")):
        assert approved_answer(life.session, "prueba") is None
        life.do(step, answer)
        assert answer.status == state
    assert approved_answer(life.session, "prueba") is answer
    life.do(retire, answer, "")
    assert approved_answer(life.session, "prueba") is None


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        ("draft", [approve, send_back]),
        ("in_review", [submit, retire]),
        ("approved", [submit, approve, send_back]),
        ("retired", [submit, approve, send_back, retire]),
    ],
)
def test_a_step_that_the_life_does_not_know_is_refused_and_changes_nothing(
    life: Life, state: str, refused: list[Callable[..., None]]
) -> None:
    answer = life.come_to(state)
    known = len(answer.events)
    for step in refused:
        with pytest.raises(NotAllowed):
            life.do(step, answer, *(["Por eso."] if step in (send_back, retire) else []))
    if state != "draft":
        with pytest.raises(NotAllowed, match="Solo se cambia un borrador"):
            life.save(answer, OTHER)
    life.session.expire_all()
    assert (answer.status, answer.as_text(), len(answer.events)) == (state, TEXT, known)


def test_a_draft_is_changed_in_everything_and_the_same_text_again_is_no_change(life: Life) -> None:
    answer = life.do(begin, TEXT)
    text = replace(OTHER, public=True, source=(), attachments=(AttachedFile("otra.txt", b"dos"),))
    life.save(answer, text)
    changed = answer.changed_at
    life.save(answer, text)
    life.session.expire_all()
    assert (answer.as_text(), answer.changed_at) == (text, changed)
    assert [event.kind for event in answer.events] == ["created", "saved"]


def test_a_change_that_cannot_be_used_leaves_the_draft_as_it_was(life: Life) -> None:
    answer = life.do(begin, TEXT)
    with pytest.raises(AnswerRefused):
        life.save(answer, replace(OTHER, body="{{config}}"))
    life.session.expire_all()
    assert answer.as_text() == TEXT


def test_a_short_name_is_given_once(life: Life) -> None:
    life.come_to("retired")
    with pytest.raises(AnswerRefused) as refusal:
        life.do(begin, OTHER)
    assert refusal.value.faults == {"slug": ANSWER_FAULTS_ES["taken"]}
    assert len(versions_of(life.session, "prueba")) == 1


def test_a_proposal_goes_back_only_with_a_word_why_and_is_then_changed(life: Life) -> None:
    answer = life.come_to("in_review")
    with pytest.raises(NotAllowed, match="qué falta"):
        life.do(send_back, answer, " \n")
    assert authoring.waiting_for_review(life.session) == [answer]
    life.do(send_back, answer, "Falta el plazo.")
    life.save(answer, OTHER)
    life.do(submit, answer)
    assert (answer.status, answer.version) == ("in_review", 1)


def test_what_waits_for_review_comes_oldest_first(life: Life) -> None:
    first, second = (life.do(begin, replace(TEXT, slug=slug)) for slug in ("b", "a"))
    life.do(submit, second)
    life.do(submit, first)
    assert authoring.waiting_for_review(life.session) == [second, first]


def test_an_overdue_text_is_not_approved(life: Life) -> None:
    answer = life.come_to("in_review")
    life.now = dt.datetime(2027, 5, 23, 15, tzinfo=dt.UTC)
    with pytest.raises(AnswerRefused) as refusal:
        life.do(approve, answer)
    assert refusal.value.faults == {"review_by": ANSWER_FAULTS_ES["overdue"]}
    assert answer.status == "in_review"


def test_a_proposal_that_says_nothing_new_is_not_handed_over(life: Life) -> None:
    draft = life.draft(life.come_to("approved"))
    with pytest.raises(AnswerRefused) as refusal:
        life.do(submit, draft)
    assert refusal.value.faults == {"body": ANSWER_FAULTS_ES["unchanged"]}
    assert draft.status == "draft"


def test_every_version_and_every_step_is_kept_with_who_and_why(life: Life) -> None:
    first = life.come_to("approved")
    second = life.draft(first)
    life.save(second, OTHER)
    life.do(submit, second)
    life.do(send_back, second, " Falta el plazo. ", by=life.rosa)
    life.do(submit, second)
    assert authoring.approved_beside(life.session, second) is first
    life.do(approve, second, by=life.rosa)
    life.do(retire, second, " Ya no rige. ", by=life.rosa)
    life.session.expire_all()
    versions = versions_of(life.session, "prueba")
    assert [(row.version, row.status, row.as_text()) for row in versions] == [
        (2, "retired", OTHER),
        (1, "retired", TEXT),
    ]
    assert [(event.kind, event.user, event.note) for row in versions for event in row.events] == [
        ("created", life.ana, "a partir de la versión 1"),
        ("saved", life.ana, ""),
        ("submitted", life.ana, ""),
        ("sent_back", life.rosa, "Falta el plazo."),
        ("submitted", life.ana, ""),
        ("approved", life.rosa, ""),
        ("retired", life.rosa, "Ya no rige."),
        ("created", life.ana, ""),
        ("submitted", life.ana, ""),
        ("approved", life.rosa, ""),
        ("replaced", life.rosa, "por la versión 2"),
    ]


def test_an_old_text_comes_back_as_a_new_version(life: Life) -> None:
    first = life.come_to("approved")
    second = life.replaced(first)
    draft = life.draft(first)
    assert (draft.version, draft.as_text()) == (3, TEXT)
    life.do(submit, draft)
    life.do(approve, draft)
    assert (first.status, second.status, draft.status) == ("retired", "retired", "approved")


def test_a_draft_begun_twice_is_one_also_while_it_waits_for_its_review(life: Life) -> None:
    first = life.come_to("approved")
    draft = life.draft(first)
    assert life.draft(first) is draft
    life.save(draft, OTHER)
    life.do(submit, draft)
    assert life.draft(first) is draft


def test_a_translation_has_versions_of_its_own_and_is_behind_when_the_first_changes(life: Life) -> None:
    spanish = life.come_to("approved")
    english = life.draft(spanish, "en")
    assert english.as_text() == replace(TEXT, language="en")
    assert (english.version, english.events[0].note) == (1, "a partir de la versión 1 (es)")
    life.do(submit, english)
    life.do(approve, english)
    found = {name: approved_answer(life.session, "prueba", name) for name in ("es", "en", "pt", "qu")}
    assert found == {"es": spanish, "en": english, "pt": spanish, "qu": spanish}
    assert not is_behind(english, spanish)
    assert is_behind(english, life.replaced(spanish))
    assert english.status == "approved"


def test_a_text_that_still_holds_is_a_new_version_with_a_later_date(life: Life) -> None:
    first = life.come_to("approved")
    second = life.do(reviewed, first, LATER)
    assert (second.version, second.status, first.status) == (2, "approved", "retired")
    assert second.as_text() == replace(TEXT, review_by=LATER)


def test_a_text_holds_until_a_day_that_is_later_than_it_was(life: Life) -> None:
    for number, until in enumerate([TEXT.review_by, DAY, dt.date(2026, 11, 1)]):
        with pytest.raises(AnswerRefused):
            life.do(reviewed, life.come_to("approved", replace(TEXT, slug=f"prueba-{number}")), until)


def test_a_text_still_holds_only_when_no_other_is_on_its_way(life: Life) -> None:
    first = life.come_to("approved")
    life.draft(first)
    with pytest.raises(NotAllowed, match="en preparación"):
        life.do(reviewed, first, LATER)
    assert first.status == "approved"


def test_only_the_approved_text_can_be_said_to_hold(life: Life) -> None:
    first = life.come_to("approved")
    second = life.replaced(first)
    with pytest.raises(NotAllowed):
        life.do(reviewed, first, LATER)
    assert approved_answer(life.session, "prueba") is second


def test_files_are_added_replaced_by_name_and_taken_away(life: Life) -> None:
    answer = life.do(begin, TEXT)
    more, newer = AttachedFile("b.txt", b"dos"), AttachedFile(GUIDE.name, b"%PDF-1.7 tres")
    assert authoring.files_after(answer, [more]) == (GUIDE, more)
    assert authoring.files_after(answer, [newer]) == (newer,)
    assert authoring.files_after(answer, gone=[GUIDE.name]) == ()


def test_favourites_are_everybody_s_own_and_twice_is_once(life: Life) -> None:
    for wanted in (True, True, False, False):
        set_favourite(life.session, life.ana, "prueba", wanted=wanted)
        assert favourites_of(life.session, life.ana) == ({"prueba"} if wanted else set())
        assert favourites_of(life.session, life.rosa) == set()


def test_an_answer_is_made_of_a_reply_and_of_nothing_else(life: Life) -> None:
    ticket = Ticket(number="T", subject="", opened_at=START, waiting_since=START, updated_at=START)
    asked, note, reply = (
        Message(ticket=ticket, direction=direction, at=START) for direction in ("inbound", "note", "outbound")
    )
    life.session.add(ticket)
    life.session.flush()
    for other in (asked, note):
        with pytest.raises(NotAllowed, match="respuesta enviada"):
            life.do(partial(begin, reply=other), TEXT)
    assert life.do(partial(begin, reply=reply), TEXT).reply_id == reply.id


def second_meanwhile(sessions: Sessions, first: Callable[[Life], object], second: Callable[[Life], T]) -> T:
    """Do something in a session, and something else in another before the first one is committed."""
    with ThreadPoolExecutor(max_workers=1) as other, sessions() as ours, sessions.begin() as theirs:
        first_life, second_life = life_in(ours), life_in(theirs)
        first_life.now += dt.timedelta(hours=1)
        second_life.now += dt.timedelta(hours=2)
        first(first_life)
        ours.flush()
        waiting = other.submit(second, second_life)
        until_somebody_waits(ours)
        ours.commit()
        return waiting.result(timeout=30)


def prepared(sessions: Sessions, state: str) -> None:
    with sessions.begin() as session:
        life_in(session).come_to(state)


def newest(life: Life) -> Answer:
    return versions_of(life.session, "prueba")[0]


def test_of_two_who_save_at_once_the_second_is_told_and_overwrites_nothing(sessions: Sessions) -> None:
    prepared(sessions, "draft")
    theirs = replace(OTHER, body="Lo mío.")
    with pytest.raises(StaleAnswer, match="Otra persona"):
        second_meanwhile(
            sessions,
            lambda life: life.save(newest(life), OTHER),
            lambda life: life.save(newest(life), theirs),
        )
    with sessions() as session:
        assert newest(life_in(session)).as_text() == OTHER


def test_a_page_that_was_open_for_long_does_not_overwrite_what_was_saved_since(life: Life) -> None:
    answer = life.do(begin, TEXT)
    opened = answer.changed_at
    life.save(answer, OTHER)
    with pytest.raises(StaleAnswer):
        life.do(partial(authoring.save, seen=opened), answer, replace(OTHER, body="Lo mío."))
    assert answer.as_text() == OTHER


def test_two_who_approve_at_once_approve_once(sessions: Sessions) -> None:
    prepared(sessions, "in_review")
    step: Callable[[Life], None] = lambda life: life.do(approve, newest(life))  # noqa: E731
    with pytest.raises(NotAllowed):
        second_meanwhile(sessions, step, step)
    with sessions() as session:
        assert [event.kind for event in newest(life_in(session)).events] == [
            "created",
            "submitted",
            "approved",
        ]


def test_two_who_begin_a_draft_at_once_write_on_the_same_one(sessions: Sessions) -> None:
    prepared(sessions, "approved")
    step: Callable[[Life], int] = lambda life: life.draft(newest(life)).id  # noqa: E731
    theirs = second_meanwhile(sessions, step, step)
    with sessions() as session:
        assert newest(life_in(session)).id == theirs


def test_two_who_take_the_same_short_name_at_once_are_told_in_words(sessions: Sessions) -> None:
    with pytest.raises(AnswerRefused) as refusal:
        second_meanwhile(sessions, lambda life: life.do(begin, TEXT), lambda life: life.do(begin, OTHER))
    assert list(refusal.value.faults) == ["slug"]


def test_an_approval_beside_an_import_leaves_one_approved_version(sessions: Sessions) -> None:
    with sessions.begin() as session:
        life = life_in(session)
        draft = life.draft(life.come_to("approved"))
        life.save(draft, OTHER)
        life.do(submit, draft)
    file = replace(TEXT, body="De un archivo.")
    with suppress(HelpdeskError):
        second_meanwhile(
            sessions,
            lambda life: import_answers(life.session, [file], START),
            lambda life: life.do(approve, newest(life)),
        )
    with sessions() as session:
        states = [row.status for row in versions_of(session, "prueba")]
        assert states.count(AnswerState.APPROVED) == 1


def test_a_text_that_was_replaced_meanwhile_is_not_said_to_hold(sessions: Sessions) -> None:
    with sessions.begin() as session:
        life = life_in(session)
        draft = life.draft(life.come_to("approved"))
        life.save(draft, OTHER)
        life.do(submit, draft)
    with pytest.raises(NotAllowed):
        second_meanwhile(
            sessions,
            lambda life: life.do(approve, newest(life)),
            lambda life: life.do(reviewed, versions_of(life.session, "prueba")[1], LATER),
        )
    with sessions() as session:
        approved = approved_answer(session, "prueba")
        assert approved is not None
        assert approved.as_text() == OTHER


def test_the_database_itself_holds_no_two_approved_versions(life: Life) -> None:
    life.come_to("approved")
    draft = life.draft(newest(life))
    draft.status = AnswerState.APPROVED.value
    with pytest.raises(IntegrityError, match="uq_answer_approved"):
        life.session.flush()
    life.session.rollback()
