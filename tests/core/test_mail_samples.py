"""What holds for every golden mail, whatever it says: the way over the pipe, the keys, and mails made from them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from helpdesk.mail.cms import envelope_kind, signed_content
from helpdesk.mail.parse import parse
from helpdesk.mail.parsed import CONTENTS, Bounce, ParsedMail
from helpdesk.mail.tnef import unpack

EMAILS = Path(__file__).parents[1] / "emails"
SAMPLES = sorted(EMAILS.rglob("*.eml"))
TRAPS = EMAILS / "traps"


def read(name: str) -> ParsedMail:
    return parse((TRAPS / f"{name}.eml").read_bytes())


def test_there_are_170_traps() -> None:
    assert len(list(TRAPS.glob("*.eml"))) >= 170


def test_an_inline_image_is_marked_and_named_by_its_content_id() -> None:
    (image,) = read("related_inline_image").attachments
    assert (image.inline, image.content_id, image.type) == (True, "foto1", "image/png")


def test_everything_that_a_mail_may_contain_is_seen_in_some_trap() -> None:
    seen = {name for path in TRAPS.glob("*.eml") for name in parse(path.read_bytes()).contains}
    assert seen == set(CONTENTS)


@pytest.mark.parametrize(
    ("name", "final"),
    [
        ("bounce_postfix", True),
        ("bounce_postfix_delay", False),
        ("bounce_gave_up", True),
        ("bounce_exim", True),
        ("bounce_exim_delay", False),
        ("bounce_qmail", True),
        ("bounce_spanish_prose", True),
        ("bounce_over_quota_receipt", True),
        ("bounce_second_recipient_failed", True),
    ],
)
def test_a_report_tells_a_delay_from_a_failure(name: str, final: bool) -> None:
    bounce = read(name).bounce
    assert bounce is not None
    assert bounce.is_final is final


def test_without_action_and_status_a_mail_has_not_arrived() -> None:
    assert Bounce(None, None, None).is_final
    assert not Bounce(None, None, "4.4.1").is_final


def test_every_sample_survives_the_way_over_the_pipe() -> None:
    for path in SAMPLES:
        mail = parse(path.read_bytes())
        assert ParsedMail.from_wire(*mail.to_wire()) == mail, path.name


def test_the_json_has_exactly_the_documented_keys() -> None:
    mail = read("bounce_postfix").to_json()
    assert " ".join(mail) == (
        "from to cc reply_to subject date message_id in_reply_to references text new_text html attachments "
        "automatic bounce language defects forwarded contains"
    )
    assert list(mail["bounce"]) == ["message_id", "recipient", "status"]
    assert list(mail["attachments"][0]) == ["name", "type", "size", "sha256", "inline"]


def test_damaged_envelopes_and_containers_never_raise() -> None:
    dice = random.Random(20261116)
    names = ("smime_signed_as_a_whole", "smime_signed_in_pieces", "smime_encrypted", "tnef_with_files")
    sources = [file.content for name in names for file in read(name).attachments[:2]]
    for _ in range(3_000):
        octets = bytearray(dice.choice(sources))
        for _ in range(dice.randint(1, 4)):
            octets[dice.randrange(min(len(octets), 200))] = dice.choice((0, 0x80, 0xFF, dice.randrange(256)))
        damaged = bytes(octets[: dice.randint(1, len(octets))])
        assert len(signed_content(damaged)) < len(damaged)
        assert envelope_kind(damaged) in (None, "smime-signed", "smime-encrypted")
        assert sum(len(file.content) for file in unpack(damaged)) <= len(damaged)


def test_mutated_samples_never_raise_and_never_need_the_last_resort() -> None:
    dice = random.Random(20251103)
    sources = [path.read_bytes() for path in SAMPLES]
    for _ in range(400):
        octets = bytearray(dice.choice(sources))
        for _ in range(dice.randint(1, 30)):
            _mutate(octets, dice, sources)
        mail = parse(bytes(octets))
        assert not [defect for defect in mail.defects if defect.startswith("parser-error")], bytes(octets)
        assert "\x00" not in mail.text + mail.subject + mail.html


def _mutate(octets: bytearray, dice: random.Random, sources: list[bytes]) -> None:
    at, end = sorted((dice.randint(0, len(octets)), dice.randint(0, len(octets))))
    match dice.randrange(5):
        case 0 if octets:
            octets[at % len(octets)] = dice.randrange(256)
        case 1:
            del octets[at : min(end, at + 40)]
        case 2:
            octets[at:at] = octets[at : min(end, at + 200)]
        case 3:
            other = dice.choice(sources)
            start = dice.randint(0, len(other))
            octets[at:at] = other[start : start + 200]
        case _:
            octets[at:at] = dice.choice(
                [b"\0", b"\r", b"\n\n", b"=?", b'"', b"(", b"<", b"--b\n", b"\xff\xfe", b"\xed\xa0\x80"]
            )
