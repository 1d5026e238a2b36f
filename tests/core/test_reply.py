"""The agent's reply: what stops it, what leaves, and taking it back."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from helpdesk.accounts.users import User
from helpdesk.db import utc_now
from helpdesk.desk.answers import approved_answer
from helpdesk.desk.letters import letter_of, plain_name
from helpdesk.desk.lifecycle import OutgoingState, TicketStatus
from helpdesk.desk.outbox import Outgoing
from helpdesk.desk.reply import Draft, add_note, chosen_copies, may_get_copies, send_reply, undo_reply
from helpdesk.desk.threading import numbers_in
from helpdesk.desk.ticket import Ticket
from helpdesk.errors import NotAllowed, ReplyRefused, StaleReply
from helpdesk.mail.tokens import named_tickets
from tests.desk import Desk
from tests.mails import mail
from tests.outgoing import let_on
from tests.smtp_sink import Sink


def send(desk: Desk, agent: User, draft: Draft, number: int = 0) -> Outgoing:
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[number].id)
        return send_reply(session, ticket, draft, agent=agent, settings=desk.settings, now=utc_now())


def replies(desk: Desk) -> list[Outgoing]:
    return [row for row in desk.outgoing() if not row.notice]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Escriba la respuesta"),
        ("   \n", "Escriba la respuesta"),
        ("Diríjase al consulado de {{consulado}}.", "{{consulado}}"),
        ("Hola {{ desconocido }}", "{{ desconocido }}"),
        ("a" * 100_001, "demasiado larga"),
    ],
)
def test_a_reply_that_cannot_go_out_is_refused_in_words_and_nothing_leaves(
    desk: Desk, ana: User, text: str, sentence: str
) -> None:
    desk.file(mail())
    with pytest.raises(ReplyRefused, match=sentence.replace("{", "\\{")):
        send(desk, ana, Draft(text, "k"))
    assert replies(desk) == []
    assert desk.tickets()[0].status == TicketStatus.OPEN


def test_an_answer_becomes_a_draft_with_everything_known_filled_in(desk: Desk, ana: User) -> None:
    desk.file(mail())
    with desk.sessions() as session:
        answer = approved_answer(session, "retorno-tarjeta-migrante-retornado")
        assert answer is not None
        text = letter_of([answer], desk.tickets()[0], ana, utc_now()).text
    assert text.startswith("Estimado/a Rosario Mamani:")
    assert text.endswith("Atentamente,\n\nAna Torres  \nPerú Infomigra")
    assert "{{" not in text


def test_T58_a_placeholder_in_a_name_is_plain_text(desk: Desk, ana: User) -> None:
    desk.file(mail(sender='"{{numero}} {{config}}" <rosario@example.com>'))
    with desk.sessions() as session:
        answer = approved_answer(session, "retorno-tarjeta-migrante-retornado")
        assert answer is not None
        text = letter_of([answer], desk.tickets()[0], ana, utc_now()).text
    assert text.startswith("Estimado/a numero config:")
    send(desk, ana, Draft(text, "k"))
    assert len(replies(desk)) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("María-José O'Higgins Ñahui", "María-José O'Higgins Ñahui"),
        ("[clic](https://evil.example)", "clic https evil. example"),
        ("**gratis** evil.example", "gratis evil. example"),
        ("<b>x</b>", "b x b"),
    ],
)
def test_a_name_is_only_a_name_in_our_reply(name: str, shown: str) -> None:
    assert plain_name(name) == shown


def test_a_reply_leaves_as_text_and_html_threaded_to_what_it_answers(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    desk.file(mail(message_id="<pregunta@example.com>"))
    row = send(desk, ana, Draft("Sí, **puede** traer su carro.\n\n1. Pida la tarjeta.\n2. Guárdela.", "k"))
    desk.make_due()
    desk.send()
    (received,) = [m for m in smtp_sink.to("rosario@example.com") if m["Auto-Submitted"] is None]
    assert received["Message-ID"] == row.message_id
    assert received["In-Reply-To"] == "<pregunta@example.com>"
    assert "<pregunta@example.com>" in received["References"]
    assert desk.tickets()[0].number in received["Subject"]
    text, html = received.get_body(("plain",)), received.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "Sí, puede traer su carro." in text.get_content()
    assert "<strong>puede</strong>" in html.get_content()
    assert "<ol>" in html.get_content()


def test_T36_markup_that_an_agent_pastes_arrives_as_text(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    desk.file(mail())
    send(desk, ana, Draft('<img src=x onerror=alert(1)> <b onmouseover="x">hola</b>', "k"))
    desk.make_due()
    desk.send()
    html = smtp_sink.mails[-1].get_body(("html",))
    assert html is not None
    assert "<img" not in html.get_content()
    assert "<b on" not in html.get_content()


def test_the_same_key_queues_one_reply(desk: Desk, ana: User) -> None:
    desk.file(mail())
    first = send(desk, ana, Draft("Hola.", "doble-clic"))
    second = send(desk, ana, Draft("Hola.", "doble-clic"))
    assert first.id == second.id
    assert len(replies(desk)) == 1


def test_a_reply_is_stopped_when_another_message_came_meanwhile(desk: Desk, ana: User) -> None:
    desk.file(mail(message_id="<a@example.com>"))
    seen = desk.tickets()[0].messages[-1].id
    desk.file(mail("Ya lo resolví.", reply_to_id=desk.outgoing()[0].message_id))
    with pytest.raises(StaleReply):
        send(desk, ana, Draft("Le explico…", "k", last_seen=seen))
    assert replies(desk) == []


def test_a_reply_waits_for_the_undo_window(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    desk.file(mail())
    row = send(desk, ana, Draft("Hola.", "k"))
    assert (
        row.send_at - row.created_at == dt.timedelta(seconds=desk.settings.undo_s) == dt.timedelta(seconds=10)
    )
    desk.send()
    assert [m["Auto-Submitted"] for m in smtp_sink.mails] == ["auto-replied"], "only the notice left"


def test_a_reply_taken_back_never_leaves_and_its_text_returns(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    desk.file(mail())
    row = send(desk, ana, Draft("Me equivoqué.", "k"))
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        reply = session.get_one(Outgoing, row.id).reply
        assert reply is not None
        assert undo_reply(session, ticket, reply, agent=ana, now=utc_now()) == "Me equivoqué."
    desk.make_due()
    desk.send()
    assert [m["Auto-Submitted"] for m in smtp_sink.mails] == ["auto-replied"]
    (ticket,) = desk.tickets()
    assert ticket.status == TicketStatus.OPEN
    assert ticket.messages[-1].undone_at is not None
    assert replies(desk)[0].state == OutgoingState.CANCELLED


def test_a_reply_that_left_cannot_be_taken_back(desk: Desk, ana: User) -> None:
    desk.file(mail())
    row = send(desk, ana, Draft("Hola.", "k"))
    desk.make_due()
    desk.send()
    with desk.sessions() as session:
        ticket, reply = session.get_one(Ticket, row.ticket_id), session.get_one(Outgoing, row.id).reply
        assert reply is not None
        with pytest.raises(NotAllowed, match="ya salió"):
            undo_reply(session, ticket, reply, agent=ana, now=utc_now())


def test_the_first_response_counts_when_it_left_and_notices_do_not(desk: Desk, ana: User) -> None:
    desk.file(mail())
    desk.send()
    assert desk.tickets()[0].first_response_at is None
    send(desk, ana, Draft("Hola.", "k"))
    assert desk.tickets()[0].first_response_at is None
    desk.make_due()
    desk.send()
    assert desk.tickets()[0].first_response_at is not None


def test_an_answer_used_is_remembered_on_its_suggestion(desk: Desk, ana: User) -> None:
    from helpdesk.desk.suggestions import Suggestion, suggestions_of

    desk.file(mail())
    with desk.sessions() as session:
        slug = suggestions_of(session, desk.tickets()[0])[0].answer.slug
        answer = approved_answer(session, slug)
        assert answer is not None
        text = letter_of([answer], desk.tickets()[0], ana, utc_now()).text
    send(desk, ana, Draft(text, "k", answers=((slug, "es"),)))
    with desk.sessions() as session:
        used = session.scalars(select(Suggestion).where(Suggestion.outcome == "used")).one()
        assert (used.answer.slug, used.rank, used.outcome_by_id) == (slug, 1, ana.id)


def test_T59_a_note_never_leaves_the_desk(desk: Desk, ana: User, smtp_sink: Sink) -> None:
    desk.file(mail())
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        add_note(session, ticket, "secreto-interno", agent=ana, now=utc_now())
    send(desk, ana, Draft("Hola.", "k"))
    desk.make_due()
    desk.send()
    assert len(smtp_sink.raw) == 2
    assert all(b"secreto-interno" not in raw for raw in smtp_sink.raw)


def test_T59_only_people_on_the_ticket_can_get_a_copy(desk: Desk, ana: User) -> None:
    desk.file(mail())
    let_on(desk, "hijo@example.com", desk.settings.mail_from)
    for stranger in ("otro@example.com", "hijo@example.com, otro@example.com", desk.settings.mail_from):
        with pytest.raises(ReplyRefused, match="No participa"):
            send(desk, ana, Draft("Hola.", "k", cc=(stranger,)))
    assert replies(desk) == []
    send(desk, ana, Draft("Hola.", "k", cc=("HIJO@example.com", "hijo@example.com")))
    assert [row.recipient for row in replies(desk)] == ["rosario@example.com", "hijo@example.com"]
    assert desk.tickets()[0].messages[-1].cc == ["hijo@example.com"]


def test_T59_nobody_gets_a_copy_who_was_not_chosen(desk: Desk, ana: User) -> None:
    desk.file(mail())
    let_on(desk, "hijo@example.com")
    send(desk, ana, Draft("Hola.", "k"))
    assert [row.recipient for row in replies(desk)] == ["rosario@example.com"]


@pytest.mark.parametrize(("people", "chosen"), [(0, 0), (1, 1), (10, 10), (11, 0), (500, 0)])
def test_T59_few_participants_are_chosen_beforehand_and_many_are_not(
    desk: Desk, people: int, chosen: int
) -> None:
    desk.file(mail())
    let_on(desk, "rosario@example.com", *(f"p{n}@example.com" for n in range(people)))
    with desk.sessions() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        able = may_get_copies(ticket, desk.settings)
        assert len(able) == people, "without the requester, who gets the mail anyway"
        assert len(chosen_copies(able, Draft("", "k"))) == chosen
        assert chosen_copies(able, Draft("", "k", cc=())) == set(), "what was chosen stays chosen"


def test_more_copies_than_fifty_are_refused(desk: Desk, ana: User) -> None:
    desk.file(mail())
    people = tuple(f"p{n}@example.com" for n in range(51))
    let_on(desk, *people)
    with pytest.raises(ReplyRefused, match="50"):
        send(desk, ana, Draft("Hola.", "k", cc=people))


def test_T60_the_same_key_with_other_copies_is_not_the_same_reply(desk: Desk, ana: User) -> None:
    desk.file(mail())
    let_on(desk, "hijo@example.com")
    first = send(desk, ana, Draft("Hola.", "k", cc=("hijo@example.com",)))
    assert send(desk, ana, Draft("Hola.", "k", cc=("hijo@example.com",))).id == first.id
    with pytest.raises(StaleReply):
        send(desk, ana, Draft("Hola.", "k"))
    assert len(replies(desk)) == 2


def test_T60_a_hundred_clicks_from_two_tabs_queue_the_reply_once(desk: Desk, ana: User) -> None:
    desk.file(mail())
    let_on(desk, "hijo@example.com")
    draft = Draft("Hola.", "k", cc=("hijo@example.com",))
    with ThreadPoolExecutor(max_workers=4) as tabs:
        clicks = [tabs.submit(send, desk, ana, draft) for _ in range(100)]
        rows = {click.result().id for click in clicks}
    assert len(rows) == 1
    assert len(replies(desk)) == 2, "one row a recipient"


@pytest.mark.parametrize("on", [True, False])
def test_with_plus_addressing_the_way_back_names_the_ticket(
    desk: Desk, ana: User, smtp_sink: Sink, on: bool
) -> None:
    desk.file(mail())
    with desk.sessions.begin() as session:
        ticket = session.get_one(Ticket, desk.tickets()[0].id)
        settings = desk.settings.model_copy(update={"plus_addressing": on, "mail_from": "mesa@example.com"})
        send_reply(session, ticket, Draft("Hola.", "k"), agent=ana, settings=settings, now=utc_now())
    desk.make_due()
    desk.send()
    way_back = smtp_sink.mails[-1]["Reply-To"]
    if not on:
        assert way_back is None
        return
    named = named_tickets(desk.settings.key, [], [way_back.addresses[0].addr_spec])
    assert named.tickets == (desk.tickets()[0].id,)


def test_however_long_a_subject_is_its_reply_carries_the_number(
    desk: Desk, ana: User, smtp_sink: Sink
) -> None:
    desk.file(mail(subject="Consulta sobre la tarjeta 🇵🇪 " * 30))
    send(desk, ana, Draft("Hola.", "k"))
    desk.make_due()
    desk.send()
    (ticket,) = desk.tickets()
    said = smtp_sink.mails[-1]["Subject"]
    assert said.startswith("Re: Consulta sobre la tarjeta 🇵🇪 Consulta")
    assert numbers_in(said) == [ticket.number]
    assert ticket.messages[-1].subject == said
