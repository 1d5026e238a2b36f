"""Mail from files: mbox, maildir, .eml folders; each mail once, with its own date, whatever happens on the way."""

from __future__ import annotations

import datetime as dt
import io
import mailbox
import os
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.db import utc_now
from helpdesk.desk.importing import Imported, import_mails, look_over
from helpdesk.desk.lifecycle import MailState
from helpdesk.desk.mail_files import FoundMail, MailFile, Unreadable, find_files, read_again, read_mails
from helpdesk.desk.mailbox import IMPORTED_CLOSED, Mailbox
from helpdesk.errors import SettingsError
from helpdesk.mail.mbox import Piece, from_line_date, split_mbox
from tests.desk import Desk
from tests.mails import DAY, mail

FROM_LINE = b"From rosario@example.com Fri Nov 20 15:00:00 2026\n"
LIMIT = 25_000_000


def unix(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")


def mbox_of(*mails: bytes, from_line: bytes = FROM_LINE) -> bytes:
    """An mbox as programs write it: bare LF, `From ` in bodies escaped, an empty line behind each mail."""
    written = []
    for raw in mails:
        lines = unix(raw).split(b"\n")
        escaped = [b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines]
        written.append(from_line + b"\n".join(escaped) + b"\n")
    return b"".join(written)


def split(content: bytes, max_bytes: int = LIMIT) -> list[Piece]:
    return list(split_mbox(io.BytesIO(content), max_bytes))


def bring(desk: Desk, *paths: Path, opened: bool = False, batch: int = 200) -> Imported:
    return import_mails(
        desk.sessions, desk.worker.filer, list(paths), opened=opened, now=utc_now(), batch_mails=batch
    )


def would_bring(desk: Desk, *paths: Path) -> Imported:
    return look_over(desk.sessions, list(paths), max_bytes=LIMIT, now=utc_now())


def found_in(*paths: Path) -> list[FoundMail]:
    files = [file for file in find_files(paths) if isinstance(file, MailFile)]
    mails = [found for file in files for found in read_mails(file, LIMIT, utc_now())]
    return [found for found in mails if isinstance(found, FoundMail)]


# The mbox splitter


def test_an_mbox_gives_back_the_very_bytes_of_its_mails() -> None:
    mails = [mail(f"Consulta {n}") for n in range(5)]
    assert [piece.raw for piece in split(mbox_of(*mails))] == mails


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_whatever_is_in_the_bodies_as_many_mails_come_out_as_went_in(bodies: list[bytes]) -> None:
    mails = [b"Subject: x\r\n\r\n" + body.replace(b"\r", b"") + b"\r\n" for body in bodies]
    pieces = split(mbox_of(*mails))
    assert [unix(piece.raw) for piece in pieces] == [unix(raw) for raw in mails]


def test_from_at_the_begin_of_a_line_of_a_body_cuts_no_mail_in_two() -> None:
    body = b"Subject: uno\n\nHola.\n\nFrom now on: vivo en Italia.\n\nFrom: mi casa\n\nAdi\xf3s.\n"
    content = FROM_LINE + body + b"\n" + mbox_of(mail("dos"))
    first, second = split(content)
    assert first.raw.endswith(b"Adi\xf3s.\r\n")
    assert b"dos" in second.raw


def test_escaped_from_lines_lose_one_mark_each() -> None:
    raw = mail("Hola\nFrom aquí\n>From allá\n>>From más allá\n> From con espacio")
    (piece,) = split(mbox_of(raw))
    assert piece.raw == raw


def test_an_mbox_without_dates_in_its_from_lines_is_taken_apart_too() -> None:
    content = mbox_of(mail("uno"), mail("dos"), from_line=b"From ???@???\n")
    assert len(split(content)) == 2


def test_thunderbirds_new_from_lines_count_behind_its_old_ones() -> None:
    mails = [mail(word) for word in ("uno", "dos", "tres", "cuatro", "cinco")]
    older = mbox_of(*mails[:2], from_line=b"From - Fri Nov 20 15:00:00 2026\n")
    newer = mbox_of(*mails[2:4], from_line=b"From \n") + mbox_of(mails[4], from_line=b"From -\n")
    assert [piece.raw for piece in split(older + newer)] == mails
    assert [piece.raw for piece in split((newer + older).replace(b"\n", b"\r\n"))] == mails[2:] + mails[:2]


def test_from_lines_need_no_empty_line_above_them() -> None:
    mails = [mail("uno"), mail("dos"), mail("tres")]
    assert [piece.raw for piece in split(b"".join(FROM_LINE + unix(raw) for raw in mails))] == mails


def test_what_was_quoted_of_a_mail_is_not_cut_off_by_a_from_line_without_a_header() -> None:
    body = b"Subject: uno\n\nHola\nFrom rosario@example.com Fri Nov 20 15:00:00 2026\n\nAdi\xf3s\nFrom \nLima\n\n"
    (piece,) = split(FROM_LINE + body)
    assert piece.raw.endswith(b"Lima\r\n")


@pytest.mark.parametrize("before", [b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_an_mbox_may_begin_with_empty_lines_or_a_byte_order_mark(tmp_path: Path, before: bytes) -> None:
    (tmp_path / "a.mbox").write_bytes(before + mbox_of(mail("uno"), mail("dos")))
    assert len(found_in(tmp_path)) == 2


def test_a_mail_that_ends_without_a_line_end_and_one_without_a_header_are_mails() -> None:
    content = FROM_LINE + b"\nsin encabezado\n\n" + FROM_LINE + b"Subject: x\n\nsin fin de l\xednea"
    assert [piece.raw for piece in split(content)] == [
        b"\r\nsin encabezado\r\n",
        b"Subject: x\r\n\r\nsin fin de l\xednea",
    ]


def test_crlf_mboxes_are_read_as_well() -> None:
    mails = [mail("uno"), mail("dos")]
    assert [piece.raw for piece in split(mbox_of(*mails).replace(b"\n", b"\r\n"))] == mails


def test_the_standard_library_writes_what_we_read(tmp_path: Path) -> None:
    mails = [mail(f"Consulta {n}\n\nFrom ahora\n") for n in range(20)]
    box = mailbox.mbox(tmp_path / "a.mbox")
    for raw in mails:
        box.add(raw)
    box.close()
    assert [unix(found.piece.raw) for found in found_in(tmp_path / "a.mbox")] == [unix(raw) for raw in mails]


def test_a_mail_above_the_limit_is_kept_as_its_first_megabyte(tmp_path: Path) -> None:
    big = mail("x") + b"relleno \n" * 400_000
    first, second = split(mbox_of(big, mail("la siguiente")), max_bytes=3_000_000)
    assert (first.truncated, len(first.raw), second.truncated) == (True, 1_000_000, False)
    assert first.size == len(unix(big).replace(b"\n", b"\r\n")) + 2, "the empty line behind it is counted"
    (tmp_path / "big.eml").write_bytes(unix(big))
    (alone,) = [
        found
        for file in find_files([tmp_path])
        if isinstance(file, MailFile)
        for found in read_mails(file, 3_000_000, utc_now())
    ]
    assert isinstance(alone, FoundMail)
    assert alone.piece.raw == first.raw


def test_memory_stays_flat_however_long_the_mbox_or_its_lines_are(tmp_path: Path) -> None:
    path = tmp_path / "long.mbox"
    with path.open("wb") as file:
        for number in range(60):
            file.write(mbox_of(mail(f"Consulta {number}") + b"x" * 1_000_000 + b"\r\n"))
    tracemalloc.start()
    try:
        sizes = [
            found.piece.size for file in find_files([path]) for found in read_mails(file, LIMIT, utc_now())
        ]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(sizes) == 60
    assert peak < 20_000_000, "60 MB were read"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b"From a@example.com Fri Nov 20 15:00:00 2026\n", "2026-11-20T15:00:00+00:00"),
        (b"From - Fri Nov  6 05:00:00 2026\n", "2026-11-06T05:00:00+00:00"),
        (b"From 17@xxx Fri Nov 20 15:00:00 +0000 2026\n", "2026-11-20T15:00:00+00:00"),
        (b"From a@example.com Fri Nov 20 10:00:00 2026 -0500\n", "2026-11-20T10:00:00-05:00"),
        (b"From a@example.com Fri Nov 20 10:00 2026\n", "2026-11-20T10:00:00+00:00"),
        (b"From a@example.com Fri Nov 99 10:00:00 2026\n", None),
        (b"From ???@???\n", None),
    ],
)
def test_the_date_of_a_from_line(line: bytes, wanted: str | None) -> None:
    found = from_line_date(line)
    assert (found.isoformat() if found else None) == wanted


# Which files


def test_maildirs_with_subfolders_eml_folders_and_bare_mboxes_are_found(tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "Maildir")
    for number in range(3):
        box.add(mail(f"Maildir {number}"))
    box.add_folder("Enviados").add(mail("En una carpeta"))
    (tmp_path / "Maildir" / "tmp" / "half").write_bytes(mail("Nunca llegó entera"))
    nested = tmp_path / "sueltos" / "2019"
    nested.mkdir(parents=True)
    (nested / "uno.EML").write_bytes(mail("Suelto"))
    (nested / "notas.txt").write_text("From: no es un correo")
    (tmp_path / "INBOX").write_bytes(mbox_of(mail("Sin sufijo")))
    (tmp_path / "INBOX.msf").write_bytes(b"From: index")
    found = found_in(tmp_path)
    texts = sorted(found.piece.raw.partition(b"\r\n\r\n")[2].decode().strip() for found in found)
    assert texts == ["En una carpeta", "Maildir 0", "Maildir 1", "Maildir 2", "Sin sufijo", "Suelto"]
    folders = {found.file.folder.removeprefix(tmp_path.name + "/") for found in found}
    assert folders == {"Maildir", "Maildir/.Enviados", "sueltos/2019", "INBOX"}


def test_mboxes_are_found_under_any_name_and_in_folders_called_so(tmp_path: Path) -> None:
    (tmp_path / "Consultas.mbox").mkdir()  # as Apple Mail exports it
    (tmp_path / "Consultas.mbox" / "mbox").write_bytes(mbox_of(mail("Apple")))
    (tmp_path / "1. Dr. Poma").write_bytes(mbox_of(mail("Thunderbird"), from_line=b"From \r\n"))
    (tmp_path / "carta.txt").write_bytes(b"From the desk of Ana\nNota: no es un correo\n")
    files = list(find_files([tmp_path]))
    assert [file.path.name for file in files] == ["1. Dr. Poma", "mbox"]
    assert all(isinstance(file, MailFile) for file in files)


def test_files_that_give_no_mail_are_named_and_the_rest_goes_on(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "a-empty.eml").touch()
    (tmp_path / "b-picture.eml").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    (tmp_path / "c-gone.eml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "d-emptied.mbox").touch()
    (tmp_path / "e-not-an.mbox").write_bytes(b"Esto no es un mbox.\n")
    (tmp_path / os.fsdecode(b"f-ni\xf1o.eml")).write_bytes(b"")
    os.mkfifo(tmp_path / "g-pipe.eml")
    (tmp_path / "h-good.eml").write_bytes(mail("Buena"))
    (tmp_path / "i-old-mac.mbox").write_bytes(mbox_of(mail("Con CR")).replace(b"\n", b"\r"))
    done = bring(desk, tmp_path)
    assert (done.mails, done.new) == (1, 1)
    said = [str(file).rpartition("/")[2] for file in done.unreadable]
    assert said == [
        "a-empty.eml is empty.",
        "b-picture.eml is neither a mail nor an mbox.",
        "c-gone.eml cannot be read (No such file or directory).",
        "e-not-an.mbox is neither a mail nor an mbox.",
        "f-ni\ufffdo.eml is empty.",
        "g-pipe.eml is not a file.",
        "i-old-mac.mbox begins like an mbox, but no mail in it can be told apart.",
    ]


def test_an_mbox_that_breaks_off_gives_what_it_has(desk: Desk, tmp_path: Path) -> None:
    whole = mbox_of(mail("uno"), mail("dos " * 100))
    (tmp_path / "cut.mbox").write_bytes(whole[:-150])
    assert bring(desk, tmp_path / "cut.mbox").new == 2


# Dates


def eml(tmp_path: Path, raw: bytes) -> FoundMail:
    (tmp_path / "x.eml").write_bytes(raw)
    os.utime(tmp_path / "x.eml", (1_500_000_000, 1_500_000_000))
    (found,) = found_in(tmp_path / "x.eml")
    return found


RECEIVED = "Received: from a by b\n\tid 1; {0}\nReceived: from c by a; Thu, 1 Jan 2015 00:00:00 +0000\n"
BODY = "Subject: x\n\nHola\n"


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (
            RECEIVED.format("Tue, 3 Mar 2020 10:00:00 -0500") + "Date: Mon, 2 Mar 2020 10:00:00 -0500\n",
            "2020-03-03",
        ),
        (RECEIVED.format("nonsense") + "Date: Mon, 2 Mar 2020 10:00:00 -0500\n", "2020-03-02"),
        (
            RECEIVED.format("Fri, 1 Jan 2038 00:00:00 +0000") + "Date: Mon, 2 Mar 2020 10:00:00 -0500\n",
            "2020-03-02",
        ),
        ("Date: Mon, 2 Mar 2020 10:00:00 -0500\n", "2020-03-02"),
        ("From a@example.com Sun Mar  1 10:00:00 2020\n", "2020-03-01"),
        ("From a@example.com Sun Mar  1 10:00:00 2020\nDate: nonsense\n", "2020-03-01"),
        ("Date: Thu, 1 Jan 1970 00:00:00 +0000\n", "2017-07-14"),
        (
            RECEIVED.format("Thu, 1 Jan 1970 00:00:00 +0000") + "Date: Mon, 2 Mar 2020 10:00:00 -0500\n",
            "2020-03-02",
        ),
        ("", "2017-07-14"),
    ],
)
def test_a_mail_keeps_the_date_of_its_last_server_else_the_next_best(
    tmp_path: Path, head: str, wanted: str
) -> None:
    assert eml(tmp_path, (head + BODY).encode()).arrived_at.astimezone(dt.UTC).date().isoformat() == wanted


def test_no_mail_is_from_the_future(tmp_path: Path) -> None:
    (tmp_path / "x.eml").write_bytes(b"Date: Fri, 1 Jan 2038 00:00:00 +0000\n\nHola\n")
    later = utc_now().timestamp() + 10_000_000
    os.utime(tmp_path / "x.eml", (later, later))
    (found,) = found_in(tmp_path / "x.eml")
    assert found.arrived_at <= utc_now()


def test_a_file_whose_time_no_calendar_knows_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.eml").write_bytes(b"Subject: x\n\nHola\n")
    told = os.fstat

    def damaged(number: int) -> os.stat_result:
        fields = list(told(number))
        fields[8] = 10**15
        return os.stat_result(fields)

    monkeypatch.setattr("helpdesk.desk.mail_files.os.fstat", damaged)
    (found,) = found_in(tmp_path / "x.eml")
    assert found.piece.raw.endswith(b"Hola\r\n")


# Into the ledger


def test_imported_mail_becomes_closed_tickets_with_their_own_dates_and_nobody_is_written_to(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "a.mbox").write_bytes(
        mbox_of(mail("Uno", sender="a@example.com"), mail("Dos", sender="b@example.com"))
    )
    done = bring(desk, tmp_path / "a.mbox")
    assert (done.mails, done.new, done.states) == (2, 2, {"filed": 2})
    assert [ticket.status for ticket in desk.tickets()] == ["closed", "closed"]
    assert all(ticket.opened_at == DAY for ticket in desk.tickets())
    assert desk.outgoing() == []
    row = desk.ledger()[0]
    assert (row.folder, row.uid, row.arrived_at, row.sent) == ("a.mbox", 1, DAY, False)
    with desk.sessions() as session:
        box = session.get_one(Mailbox, row.mailbox_id)
        assert (box.name, box.kind, box.active) == (IMPORTED_CLOSED, "import", False)


def test_mail_of_ours_that_belongs_to_no_ticket_becomes_none(desk: Desk, tmp_path: Path) -> None:
    ours = desk.settings.mail_from
    (tmp_path / "Enviados.mbox").write_bytes(mbox_of(mail("Aviso a otra oficina.", sender=ours)))
    assert bring(desk, tmp_path).states == {"unrelated": 1}
    assert desk.tickets() == []


def test_with_open_they_are_left_to_be_answered_and_still_nobody_is_written_to(
    desk: Desk, tmp_path: Path
) -> None:
    fresh = mail("Llegó hace una hora").replace(b"Date: ", b"X-Date: ")
    (tmp_path / "a.eml").write_bytes(fresh)
    bring(desk, tmp_path, opened=True)
    assert desk.tickets()[0].status == "open"
    assert desk.outgoing() == []


def test_the_same_files_again_bring_nothing(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    path.write_bytes(mbox_of(*(mail(f"n {n}", sender=f"p{n}@example.com") for n in range(10))))
    assert bring(desk, path).new == 10
    again = bring(desk, path)
    assert (again.mails, again.new, again.known, again.states) == (10, 0, 10, {})
    assert len(desk.tickets()) == 10
    (tmp_path / "elsewhere").mkdir()
    path.rename(tmp_path / "elsewhere" / "b.mbox")
    assert bring(desk, tmp_path).new == 0, "known by content, not by place"


def test_a_file_that_grew_brings_what_is_new(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    path.write_bytes(mbox_of(mail("uno")))
    bring(desk, path)
    with path.open("ab") as file:
        file.write(mbox_of(mail("dos"), mail("tres")))
    assert bring(desk, path).new == 2
    assert [row.uid for row in desk.ledger()] == [1, 2, 3]


def test_mail_that_came_by_imap_is_known_and_the_other_way_round(desk: Desk, tmp_path: Path) -> None:
    first, second = mail("Vino por IMAP"), mail("Vendrá por IMAP")
    desk.file(first)
    (tmp_path / "a.mbox").write_bytes(mbox_of(first, second))
    done = bring(desk, tmp_path / "a.mbox")
    assert (done.known, done.new) == (1, 1)
    assert desk.file(second).duplicates == 1
    assert len(desk.tickets()) == 2


def test_a_mail_that_a_program_gave_other_headers_is_a_duplicate(desk: Desk, tmp_path: Path) -> None:
    raw = mail("Vino por IMAP")
    desk.file(raw)
    (tmp_path / "a.eml").write_bytes(b"X-Mozilla-Status: 0001\r\nX-Gmail-Labels: Recibidos\r\n" + raw)
    assert bring(desk, tmp_path).states == {"duplicate": 1}
    assert len(desk.tickets()) == 1


def test_the_same_mail_twice_in_one_file_is_one(desk: Desk, tmp_path: Path) -> None:
    same = mail("Dos veces")
    (tmp_path / "a.mbox").write_bytes(mbox_of(same, mail("Otra"), same))
    assert (would_bring(desk, tmp_path).new, bring(desk, tmp_path).new) == (2, 2)


def test_a_dry_run_says_what_would_happen_and_writes_nothing(desk: Desk, tmp_path: Path) -> None:
    known = mail("Conocida")
    desk.file(known)
    old = mail("Vieja").replace(b"2026", b"2009")
    (tmp_path / "a.mbox").write_bytes(mbox_of(known, old))
    (tmp_path / "b.eml").touch()
    told = would_bring(desk, tmp_path)
    assert (told.mails, told.new, told.known, len(told.unreadable)) == (2, 1, 1, 1)
    assert told.oldest is not None
    assert told.oldest.year == 2009
    assert told.newest == DAY
    assert len(desk.ledger()) == 1
    with desk.sessions() as session:
        assert session.query(Mailbox).count() == 1


def test_replies_join_the_ticket_of_the_mail_they_answer(desk: Desk, tmp_path: Path) -> None:
    first = mail("Pregunta", message_id="<uno@example.com>")
    reply = mail("Otra cosa más", message_id="<dos@example.com>", reply_to_id="<uno@example.com>")
    (tmp_path / "a.mbox").write_bytes(mbox_of(first, reply))
    bring(desk, tmp_path)
    assert [len(ticket.messages) for ticket in desk.tickets()] == [2]
    assert desk.tickets()[0].status == "closed"


def our_answer(desk: Desk) -> bytes:
    """What we once answered to <uno@example.com>, from an old mailbox."""
    return mail(
        "Respuesta",
        sender=f"Infomigra <{desk.settings.mail_from}>",
        to="rosario@example.com",
        message_id="<dos@infomigra.example.com>",
        reply_to_id="<uno@example.com>",
    )


def test_an_answer_of_ours_becomes_an_outbound_message_of_its_ticket(desk: Desk, tmp_path: Path) -> None:
    asked = mail("Pregunta", message_id="<uno@example.com>")
    answered = our_answer(desk)
    (tmp_path / "a.mbox").write_bytes(mbox_of(asked, answered))
    bring(desk, tmp_path)
    (ticket,) = desk.tickets()
    assert [message.direction for message in ticket.messages] == ["inbound", "outbound"]


def at(raw: bytes, hour: int) -> bytes:
    return raw.replace(b"15:00:00", b"%02d:00:00" % hour)


def test_the_oldest_mail_is_filed_first_whatever_the_files_are_called(desk: Desk, tmp_path: Path) -> None:
    asked = mail("Pregunta", message_id="<uno@example.com>")
    answered = our_answer(desk)
    thanked = mail("Gracias", message_id="<tres@example.com>", reply_to_id="<dos@infomigra.example.com>")
    other = mail("Otra cosa", sender="luz@example.com")
    (tmp_path / "Enviados").write_bytes(mbox_of(at(answered, 10)))
    # Gmail's export has no order; many programs write the newest first.
    (tmp_path / "INBOX").write_bytes(mbox_of(at(thanked, 11), at(other, 8), at(asked, 9)))
    done = bring(desk, tmp_path, batch=1)
    assert (done.mails, done.new, done.states) == (4, 4, {"filed": 4})
    told = [[message.new_text for message in ticket.messages] for ticket in desk.tickets()]
    assert told == [["Otra cosa"], ["Pregunta", "Respuesta", "Gracias"]]
    assert [message.direction for message in desk.tickets()[1].messages] == ["inbound", "outbound", "inbound"]
    assert bring(desk, tmp_path).new == 0


def test_a_file_that_changes_while_it_is_read_is_named_and_the_rest_goes_on(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mbox"
    path.write_bytes(mbox_of(mail("uno"), mail("dos")))
    (tmp_path / "b.eml").write_bytes(mail("tres"))

    def compacted(file: MailFile, start: int, max_bytes: int, now: dt.datetime) -> FoundMail | Unreadable:
        if file.path == path and start:
            path.write_bytes(mbox_of(mail("dos")))
        return read_again(file, start, max_bytes, now)

    monkeypatch.setattr("helpdesk.desk.importing.read_again", compacted)
    done = bring(desk, tmp_path)
    assert [str(file).rpartition("/")[2] for file in done.unreadable] == [
        "a.mbox was changed while it was read: import it again."
    ]
    assert done.new == 2


def test_a_mail_that_cannot_be_filed_is_set_aside_and_the_rest_goes_on(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from helpdesk.mail.sandbox import ParseFailed

    parse = desk.worker.filer.parser.parse

    def dying(raw: bytes):
        if b"veneno" in raw:
            raise ParseFailed("the parser process died")
        return parse(raw)

    monkeypatch.setattr(desk.worker.filer.parser, "parse", dying)
    (tmp_path / "a.mbox").write_bytes(mbox_of(mail("uno"), mail("veneno"), mail("dos")))
    assert bring(desk, tmp_path).states == {"filed": 2, "set_aside": 1}


def test_names_in_latin1_are_read_as_spanish(desk: Desk, tmp_path: Path) -> None:
    raw = "From: José Ñahui <jose@example.com>\nSubject: Devolución\nDate: Mon, 2 Mar 2020 10:00:00 -0500\n\nMañana\n"
    (tmp_path / os.fsdecode(b"a\xf1o.eml")).write_bytes(raw.encode("latin-1"))
    bring(desk, tmp_path)
    (ticket,) = desk.tickets()
    assert (ticket.subject, ticket.messages[0].sender_name) == ("Devolución", "José Ñahui")


def test_folders_whose_names_are_not_utf8_can_be_stored(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"a\xf1o 2019")
    folder.mkdir()
    (folder / "a.eml").write_bytes(mail())
    assert bring(desk, folder).new == 1
    assert desk.ledger()[0].folder == "a\ufffdo 2019"


def test_folders_far_below_can_be_stored(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*("".join(random.choices("abcdefghijkl0123456789", k=240)) for _ in range(14)))
    folder.mkdir(parents=True)
    (folder / "a.eml").write_bytes(mail())
    assert bring(desk, tmp_path).new == 1
    assert desk.ledger()[0].folder.endswith(folder.name[-100:])


def test_an_empty_folder_brings_nothing(desk: Desk, tmp_path: Path) -> None:
    done = bring(desk, tmp_path)
    assert (done.mails, done.unreadable) == (0, [])


def test_a_real_mailbox_with_the_imports_name_is_not_taken_over(desk: Desk, tmp_path: Path) -> None:
    with desk.sessions.begin() as session:
        session.get_one(Mailbox, desk.mailbox_id).name = IMPORTED_CLOSED
    with pytest.raises(SettingsError, match="no import's"):
        bring(desk, tmp_path)


def test_batches_are_committed_one_by_one(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mbox").write_bytes(
        mbox_of(*(mail(f"n {n}", sender=f"p{n}@example.com") for n in range(7)))
    )
    filed = desk.worker.filer.file_all
    calls = 0

    def breaking(**more: object):
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return filed()

    monkeypatch.setattr(type(desk.worker.filer), "file_all", lambda _self, **more: breaking(**more))
    with pytest.raises(KeyboardInterrupt):
        bring(desk, tmp_path, batch=3)
    assert [row.state for row in desk.ledger()] == [MailState.FILED] * 3 + [MailState.RECEIVED] * 3
    done = bring(desk, tmp_path, batch=3)
    assert done.new == 1
    assert {row.state for row in desk.ledger()} == {MailState.FILED}
    assert len(desk.tickets()) == 7
