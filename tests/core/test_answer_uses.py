"""What becomes of each suggestion, what past uses teach, in which language, and the files that go along."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.answer_files import import_answers
from helpdesk.desk.answer_uses import AnswerUse, edit_share, missing_answers, past_uses, recent_slugs, uses_of
from helpdesk.desk.answers import Answer, approved_answer
from helpdesk.desk.catalogue import Catalogue
from helpdesk.desk.letters import files_of, letter_of, section_of
from helpdesk.desk.message import Message
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reply import MOST_ATTACHED_BYTES, Draft, undo_reply
from helpdesk.desk.suggestions import (
    Suggestion,
    language_of,
    none_fits,
    note_shown,
    suggest,
    suggestions_of,
    withdraw,
)
from helpdesk.desk.ticket import Requester, Ticket
from helpdesk.errors import ReplyRefused
from helpdesk.mail.compose import Enclosure, Letter, build, one_line
from helpdesk.reports.answers import answer_figures
from templates.answer import AnswerText, AttachedFile, is_file_name
from templates.ranking import Reading
from tests.core.test_reply import replies, send
from tests.desk import Desk
from tests.mails import mail
from tests.smtp_sink import Sink

ELSEWHERE = "extranjero-banco-planilla"  # never offered to somebody who returns
LETTER = Letter(
    sender_name="Perú Infomigra",
    sender="consultas@infomigra.example.com",
    recipient_name="Rosario Mamani",
    recipient="rosario@example.com",
    subject="Re: Retorno [IM-2026-000001]",
    text="Estimada Rosario:\n",
    html="<p>Estimada Rosario:</p>",
    message_id="<t.1.abc.def@infomigra.example.com>",
    at=dt.datetime(2026, 11, 23, 1, 30, tzinfo=dt.UTC),
)
TEXT = AnswerText(
    slug="prueba",
    title="Una prueba",
    line="return",
    topic="vehicle",
    language="es",
    source=(),
    owner="orientacion",
    valid_from=dt.date(2026, 11, 23),
    review_by=dt.date(2027, 5, 23),
    public=False,
    keywords=(),
    questions=(),
    attachments=(
        AttachedFile("guia.pdf", b"%PDF-1.7\r\n.\r\n--=_x--\r\n\x00\xff"),
        AttachedFile("b.txt", b"dos\n"),
    ),
    body="Va una guía.",
)


def offered(desk: Desk, number: int = 0) -> list[str]:
    """The answers that are offered on a ticket, best first."""
    with desk.sessions() as session:
        return [row.answer.slug for row in suggestions_of(session, desk.tickets()[number])]


def letter(desk: Desk, agent: User, *slugs: str, number: int = 0) -> str:
    """The letter with these answers that the page puts into the composer."""
    with desk.sessions() as session:
        found = [answer for slug in slugs if (answer := approved_answer(session, slug))]
        return letter_of(found, desk.tickets()[number], agent, utc_now()).text


def reply_with(desk: Desk, agent: User, *slugs: str, text: str | None = None, number: int = 0) -> Outgoing:
    """Send a letter with these answers, as it is or with another text."""
    text = text or letter(desk, agent, *slugs, number=number) or "Hola."
    keys = tuple((slug, "es") for slug in slugs)
    return send(desk, agent, Draft(text, f"k{number}-{len(desk.outgoing())}", answers=keys), number)


def take_back(desk: Desk, agent: User, row: Outgoing) -> None:
    with desk.sessions.begin() as session:
        reply = session.get_one(Message, row.reply_id)
        undo_reply(session, session.get_one(Ticket, row.ticket_id), reply, agent=agent, now=utc_now())


def outcomes(desk: Desk) -> list[tuple[str, str | None, float | None]]:
    """What became of everything that was offered: answer, outcome, share; by rank."""
    with desk.sessions() as session:
        rows = session.scalars(select(Suggestion).order_by(Suggestion.id))
        return [(row.answer.slug, row.outcome, row.edit_share) for row in rows]


def uses(desk: Desk) -> list[AnswerUse]:
    with desk.sessions() as session:
        return list(session.scalars(select(AnswerUse).order_by(AnswerUse.id)))


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        ("uno dos tres cuatro", "uno  dos\n\ntres cuatro\n", 0.0),
        ("uno dos tres cuatro", "uno dos tres cinco", 0.25),
        ("uno dos tres", "uno dos tres y cuatro", 0.4),
        ("uno dos", "tres", 1.0),
        ("", "uno", 1.0),
        ("uno", "", 1.0),
        ("", "", 0.0),
    ],
)
def test_the_share_that_was_changed_is_that_of_the_words(before: str, after: str, share: float) -> None:
    assert edit_share(before, after) == share


def test_an_answer_that_is_sent_as_it_is_was_used_and_the_others_were_passed_over(
    desk: Desk, ana: User
) -> None:
    desk.file(mail())
    first, second, third = offered(desk)
    row = reply_with(desk, ana, second)
    assert outcomes(desk) == [(first, "passed", None), (second, "used", 0.0), (third, "passed", None)]
    [use] = uses(desk)
    asked = desk.tickets()[0].messages[0].id
    assert (use.rank, use.edit_share, use.asked_id, use.reply_id) == (2, 0.0, asked, row.reply_id)
    assert [event.detail for event in desk.tickets()[0].events if event.kind == "answer_used"] == [
        {"slug": second, "rank": 2}
    ]
    assert offered(desk) == []


def test_an_answer_that_is_changed_was_edited_and_the_share_is_kept(desk: Desk, ana: User) -> None:
    desk.file(mail())
    first = offered(desk)[0]
    before = letter(desk, ana, first)
    reply_with(desk, ana, first, text=f"{before} Le saludo.")
    share = edit_share(before, f"{before} Le saludo.")
    assert 0 < share < 0.1
    assert outcomes(desk)[0] == (first, "edited", share)
    assert [(use.rank, use.edit_share) for use in uses(desk)] == [(1, share)]


def test_an_answer_that_was_written_over_was_discarded_and_not_used(desk: Desk, ana: User) -> None:
    desk.file(mail())
    first = offered(desk)[0]
    reply_with(desk, ana, first, text="Algo del todo distinto.")
    assert [outcome for _, outcome, _ in outcomes(desk)] == ["discarded", "passed", "passed"]
    assert uses(desk) == []


def test_what_was_not_suggested_passes_all_suggestions_over(desk: Desk, ana: User) -> None:
    letters: list[tuple[str, ...]] = [(), (ELSEWHERE,), ("no-existe",)]
    desk.file(*(mail(sender=f"p{number}@example.com") for number in range(3)))
    for number, slugs in enumerate(letters):
        assert not {*slugs} & {*offered(desk, number)}
        reply_with(desk, ana, *slugs, number=number)
    assert [outcome for _, outcome, _ in outcomes(desk)] == ["passed"] * 9
    [use] = uses(desk)
    assert (use.rank, use.asked_id) == (None, desk.tickets()[1].messages[0].id)


def test_of_several_answers_in_one_letter_each_was_used(desk: Desk, ana: User) -> None:
    desk.file(mail())
    first, second, _ = offered(desk)
    reply_with(desk, ana, second, first, ELSEWHERE)
    assert [outcome for _, outcome, _ in outcomes(desk)] == ["used", "used", "passed"]
    assert [(use.rank, use.edit_share) for use in uses(desk)] == [(2, 0.0), (1, 0.0), (None, 0.0)]
    assert len({use.reply_id for use in uses(desk)}) == 1
    with desk.sessions() as session:
        assert set(recent_slugs(session, ana)) == {first, second, ELSEWHERE}


def test_a_second_answer_that_is_put_into_a_letter_changes_nothing_of_the_first(
    desk: Desk, ana: User
) -> None:
    desk.file(mail())
    first, second, _ = offered(desk)
    with desk.sessions() as session:
        one, other = approved_answer(session, first), approved_answer(session, second)
        assert one is not None
        assert other is not None
        ticket = desk.tickets()[0]
        begun = letter_of([one], ticket, ana, utc_now())
        added = f"\n\n{section_of(other, ticket, ana, utc_now())}"
    text = begun.text[: begun.cursor] + added + begun.text[begun.cursor :]
    reply_with(desk, ana, first, second, text=text)
    assert [outcome for _, outcome, _ in outcomes(desk)] == ["used", "used", "passed"]


def test_a_reply_taken_back_does_not_count(desk: Desk, ana: User) -> None:
    desk.file(mail())
    first = offered(desk)[0]
    take_back(desk, ana, reply_with(desk, ana, first))
    with desk.sessions() as session:
        assert list(uses_of(session, first)) == []
        assert past_uses(session) == []
        assert recent_slugs(session, ana) == []


def test_a_reply_taken_back_is_no_hit_in_the_figures(desk: Desk, ana: User) -> None:
    desk.file(mail())
    with desk.sessions.begin() as session:
        note_shown(suggestions_of(session, desk.tickets()[0]), utc_now())

    def counted() -> tuple[float | None, int, int]:
        """The share of hits, the replies with an answer, and how often an answer was sent."""
        with desk.sessions() as session:
            figures = answer_figures(session, since=utc_now() - dt.timedelta(days=1))
        sent = sum(one.sent for one in figures.answers)
        return figures.lines[-1].hit_1, figures.lines[-1].with_answer, sent

    row = reply_with(desk, ana, offered(desk)[0])
    assert counted() == (1.0, 1, 1)
    take_back(desk, ana, row)
    hit, with_answer, sent = counted()
    assert (with_answer, sent) == (0, 0)
    assert not hit


def test_an_answer_sent_again_after_taking_it_back_keeps_its_rank(desk: Desk, ana: User) -> None:
    desk.file(mail())
    second = offered(desk)[1]
    take_back(desk, ana, reply_with(desk, ana, second))
    reply_with(desk, ana, second)
    with desk.sessions() as session:
        assert [use.rank for use in uses_of(session, second)] == [2]


def test_a_suggestion_is_seen_first_once(desk: Desk) -> None:
    desk.file(mail())
    now = utc_now()
    with desk.sessions.begin() as session:
        rows = suggestions_of(session, desk.tickets()[0])
        assert {row.shown_at for row in rows} == {None}
        assert note_shown(rows, now)
        assert not note_shown(rows, now + dt.timedelta(hours=1))
        assert {row.shown_at for row in rows} == {now}


def test_what_is_withdrawn_was_passed_over_if_somebody_saw_it_and_else_is_forgotten(desk: Desk) -> None:
    desk.file(mail())
    first = offered(desk)[0]
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        note_shown(suggestions_of(session, ticket)[:1], utc_now())
        session.flush()
        withdraw(session, ticket)
    assert outcomes(desk) == [(first, "passed", None)]


def test_that_nothing_fits_discards_all_and_is_once_on_the_list_of_what_is_missing(
    desk: Desk, ana: User
) -> None:
    desk.file(mail())
    for wanted in ("", " <script> {{config}} ", "  "):
        with desk.sessions.begin() as session:
            ticket = session.get_one(Ticket, desk.tickets()[0].id)
            assert none_fits(session, ticket, wanted, now=utc_now(), actor=ana)
    assert [outcome for _, outcome, _ in outcomes(desk)] == ["discarded"] * 3
    [ticket] = desk.tickets()
    with desk.sessions() as session:
        [entry] = missing_answers(session)
        assert (entry.wanted, entry.user_id) == ("<script> {{config}}", ana.id)
        assert (entry.line, entry.topic, entry.asked_id) == (ticket.line, ticket.topic, ticket.messages[0].id)
    assert [event.kind for event in ticket.events].count("no_answer_fits") == 1
    reply_with(desk, ana)
    assert [outcome for _, outcome, _ in outcomes(desk)] == ["discarded"] * 3


def test_without_a_message_of_the_person_nothing_is_missing(desk: Desk, ana: User) -> None:
    now = utc_now()
    with desk.sessions.begin() as session:
        ticket = Ticket(number="T", subject="", opened_at=now, waiting_since=now, updated_at=now)
        session.add(ticket)
        session.flush()
        assert none_fits(session, ticket, "Algo", now=now, actor=ana) is None
        assert missing_answers(session) == []


def test_what_was_sent_for_similar_mail_is_offered_first_and_says_how_often(desk: Desk, ana: User) -> None:
    asked = "Quiero inscribir mi velero en la capitanía de Paita para la regata de veleros del puerto."
    desk.file(*(mail(asked, subject="Velero", sender=f"p{n}@example.com") for n in range(4)))
    desk.file(mail("Otra cosa: ¿cuánto cuesta el pasaporte?", sender="otra@example.com"))

    def sent(number: int) -> list[tuple[str, int]]:
        """What would be offered now on a ticket, and for how many similar mails it was sent."""
        with desk.sessions() as session:
            ticket = session.get_one(Ticket, desk.tickets()[number].id)
            withdraw(session, ticket)
            asked, now = ticket.messages[0], utc_now()
            suggest(session, ticket, asked, Reading(), Catalogue(), now, language="es")
            session.flush()
            return [(row.answer.slug, row.sent) for row in suggestions_of(session, ticket)]

    assert ELSEWHERE not in dict(sent(3))
    for number in range(3):
        row = reply_with(desk, ana, ELSEWHERE, number=number)
    assert sent(3)[0] == (ELSEWHERE, 3)
    assert all(count == 0 for slug, count in sent(4))
    take_back(desk, ana, row)
    assert sent(3)[0] == (ELSEWHERE, 2)


@pytest.mark.parametrize(
    ("language", "chosen"), [("en", "en"), ("pt", "pt"), ("es", "es"), ("fr", "es"), ("", "es"), (None, "es")]
)
def test_a_person_is_answered_in_their_language_if_we_have_it(language: str | None, chosen: str) -> None:
    assert language_of(Ticket(requester=Requester(language=language))) == chosen
    assert language_of(Ticket()) == "es"


def test_who_writes_in_english_is_offered_and_sent_english(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    asked = "I live in the United States and want to return to Peru for good. How do I get the migrant card?"
    desk.file(mail(asked, subject="Returned migrant card"))
    with desk.sessions() as session:
        rows = suggestions_of(session, desk.tickets()[0])
        languages = {row.answer.slug: row.answer.language for row in rows}
        assert languages["retorno-tarjeta-migrante-retornado"] == "en"
        english = approved_answer(session, "retorno-tarjeta-migrante-retornado", "en")
        assert english is not None
        text = letter_of([english], desk.tickets()[0], ana, utc_now()).text
    assert text.startswith("Dear Rosario Mamani,")
    send(desk, ana, Draft(text, "k", answers=((english.slug, "en"),)))
    assert "used" in [outcome for _, outcome, _ in outcomes(desk)]
    desk.make_due()
    desk.send()
    html = smtp_sink.mails[-1].get_body(("html",))
    assert html is not None
    assert '<html lang="en">' in html.get_content()
    assert smtp_sink.mails[-1]["Content-Language"] == "en"


def test_the_writing_time_is_that_since_the_page_was_opened_as_far_as_it_can_be_believed(
    desk: Desk, ana: User
) -> None:
    minutes = [None, 2.5, 59, 61, -1]
    desk.file(*(mail(sender=f"p{number}@example.com") for number in range(len(minutes))))
    for number, ago in enumerate(minutes):
        opened = None if ago is None else utc_now() - dt.timedelta(minutes=ago)
        send(desk, ana, Draft("Hola.", f"k{number}", opened_at=opened), number)
    found = [ticket.messages[-1].writing_s for ticket in desk.tickets()]
    assert found == [None, pytest.approx(150, abs=20), pytest.approx(3540, abs=20), None, None]


def with_files(desk: Desk, *texts: AnswerText) -> dict[str, int]:
    """Bring answers with files; the ids of the files by name."""
    with desk.sessions.begin() as session:
        import_answers(session, texts, utc_now())
        answers = list(session.scalars(select(Answer).where(Answer.slug.in_(text.slug for text in texts))))
        return {file.name: file.id for file in files_of(answers)}


def test_the_chosen_files_of_an_answer_go_out_with_the_reply_and_no_others(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    ids = with_files(desk, TEXT)
    desk.file(mail(), mail(sender="otra@example.com"))
    chosen = ids["guia.pdf"]
    draft = Draft("Hola.", "k", answers=(("prueba", "es"),), files=(chosen, chosen))
    send(desk, ana, draft, 0)
    send(desk, ana, replace(draft, idempotency_key="l", files=()), 1)
    desk.make_due()
    desk.send()
    sent = smtp_sink.to("rosario@example.com")[-1]
    [file] = sent.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("guia.pdf", "application/pdf")
    assert file.get_content() == TEXT.attachments[0].content
    for kind in ("plain", "html"):
        body = sent.get_body((kind,))
        assert body is not None
        assert "Hola." in body.get_content()
    assert list(smtp_sink.to("otra@example.com")[-1].iter_attachments()) == []
    kept = [[file.name for file in ticket.messages[-1].attachments] for ticket in desk.tickets()]
    assert kept == [["guia.pdf"], []]


def test_a_file_of_another_answer_is_refused_and_nothing_leaves(desk: Desk, ana: User) -> None:
    ids = with_files(desk, TEXT)
    desk.file(mail())
    for answers in ((), ((ELSEWHERE, "es"),)):
        with pytest.raises(ReplyRefused, match="ya no es de la respuesta"):
            send(desk, ana, Draft("Hola.", "k", answers=answers, files=(ids["b.txt"],)))
    assert replies(desk) == []


def test_files_that_are_too_heavy_together_are_refused(desk: Desk, ana: User) -> None:
    half = b"x" * (MOST_ATTACHED_BYTES // 2)
    texts = [
        replace(TEXT, slug=slug, attachments=(AttachedFile(f"{slug}.txt", half + slug.encode()),))
        for slug in ("uno", "dos")
    ]
    ids = with_files(desk, *texts)
    desk.file(mail())
    draft = Draft("Hola.", "k", answers=(("uno", "es"), ("dos", "es")), files=tuple(ids.values()))
    with pytest.raises(ReplyRefused, match="pesan demasiado"):
        send(desk, ana, draft)
    assert replies(desk) == []
    send(desk, ana, replace(draft, files=draft.files[:1]))
    assert len(replies(desk)) == 1


def parsed(mail_: bytes) -> EmailMessage:
    return message_from_bytes(mail_, policy=policy.default)


@pytest.mark.parametrize(
    "name",
    [
        "guía ñandú 1.pdf",
        'a"b.pdf',
        "a\\b.pdf",
        "a;b=c%41'.pdf",
        "a\r\nBcc: x@evil.example\r\n\r\n<script>.pdf",
        "a\n--=_t.1.abc.def_m--\n.pdf",
        "a\u2028\x85\x00b.pdf",
        "=?utf-8?q?=0D=0ABcc:x@evil.example?=.pdf",
        "{{config}} ${x} {% x %}.pdf",
        "../../etc/passwd",
        "\ud800.pdf",
        "",
        "x" * 500,
    ],
)
def test_no_name_of_a_file_breaks_the_mail(name: str) -> None:
    content = b"--=_t.1.abc.def_m--\r\n.\r\n" * 20
    raw = build(replace(LETTER, files=(Enclosure(name, "application/pdf", content),)))
    [file] = parsed(raw).iter_attachments()
    assert file.get_content() == content
    assert file.keys() == ["Content-Type", "Content-Disposition", "Content-Transfer-Encoding"]
    read = file.get_filename() or ""
    assert one_line(read) == read
    assert file.get_content_disposition() == "attachment"
    assert parsed(raw).keys() == [*parsed(build(LETTER)).keys()]
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()


@pytest.mark.parametrize("name", ["guia 1.pdf", "a (1), b.docx", "guía ñandú 1.pdf", "Ярлык.docx"])
def test_a_file_arrives_under_its_own_name(name: str) -> None:
    raw = build(replace(LETTER, files=(Enclosure(name, "application/pdf", b"x"),)))
    assert [file.get_filename() for file in parsed(raw).iter_attachments()] == [name]


def test_no_line_is_longer_than_a_mail_may_have_whatever_letters_a_name_is_made_of() -> None:
    name = "𝐠" * 96 + ".pdf"
    assert is_file_name(name)
    raw = build(replace(LETTER, files=(Enclosure(name, "application/pdf", b"x"),)))
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("type_", ["", "text", "text/html\r\nBcc: x@evil.example", 'a/b; name="x"', "a/ñ"])
def test_a_type_that_is_none_is_not_sent(type_: str) -> None:
    with pytest.raises(ReplyRefused, match="no se puede enviar"):
        build(replace(LETTER, files=(Enclosure("a.pdf", type_, b"x"),)))


def test_several_files_arrive_in_order_and_an_empty_one_too() -> None:
    files = [Enclosure(f"{number}.txt", "text/plain", b"x" * number) for number in range(4)]
    found = parsed(build(replace(LETTER, files=tuple(files)))).iter_attachments()
    read: Callable[[EmailMessage], object] = lambda part: part.get_payload(decode=True)  # noqa: E731
    assert [(part.get_filename(), read(part)) for part in found] == [
        (file.name, file.content) for file in files
    ]
