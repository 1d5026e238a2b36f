"""Damage to mails: `mutant(seeds, seed, index)` is the same bytes whenever the two numbers and the seeds are.

In: every kind of damage, as one function each, and the dice that choose. Not in: what must hold afterwards
(`checks.py`). One mail in 200 is made large; all others stay small, so that a million take minutes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from tests.fuzz.tokens import ODDITIES, SYNTAX, TOKENS

LARGE_EVERY = 200
MAX_SMALL_BYTES = 16_000
LARGE_BYTES = (20_000, 50_000, 50_000, 200_000, 200_000, 1_500_000)
Damage = Callable[[bytes, random.Random, Sequence[bytes]], bytes]

_FIELD = re.compile(rb"^[A-Za-z-]{2,40}:[^\r\n]*(?:\r?\n[ \t][^\r\n]*){0,20}\r?\n", re.M)
_BOUNDARY = re.compile(rb'boundary="?([^"\r\n;]{1,200})', re.I)
_TOKEN = re.compile(
    rb"=\?[^?\s]{0,40}\?[bBqQ]\?[^?\r\n]{0,200}\?=|charset=[^;\s]{1,60}|(?<=Encoding: )[^\r\n]{1,60}"
    rb"|(?<=Type: )[^;\s]{1,80}|(?:file)?name\*?[0-9]{0,3}\*?=[^;\r\n]{1,200}",
    re.I,
)


def _span(mail: bytes, dice: random.Random, most: int) -> tuple[int, int]:
    start = dice.randrange(len(mail) + 1)
    return start, min(len(mail), start + dice.randint(1, most))


def flip_bytes(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Some bytes become any others."""
    if not mail:
        return mail
    octets = bytearray(mail)
    for _ in range(dice.randint(1, 20)):
        octets[dice.randrange(len(octets))] = dice.randrange(256)
    return bytes(octets)


def delete_chunk(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A piece is lost."""
    start, end = _span(mail, dice, 200)
    return mail[:start] + mail[end:]


def double_chunk(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A piece comes twice, or is put somewhere else as well."""
    start, end = _span(mail, dice, 400)
    at = dice.choice((end, dice.randrange(len(mail) + 1)))
    return mail[:at] + mail[start:end] + mail[at:]


def swap_chunks(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Two neighbouring pieces change places."""
    first, second, third = sorted(dice.randrange(len(mail) + 1) for _ in range(3))
    return mail[:first] + mail[second:third] + mail[first:second] + mail[third:]


def splice(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Header lines of another mail come in front, or its body replaces ours."""
    other = dice.choice(seeds)
    if dice.random() < 0.5:
        fields = _FIELD.findall(other)
        return b"".join(dice.sample(fields, min(len(fields), dice.randint(1, 6)))) + mail
    head, _, _ = mail.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + other.partition(b"\r\n\r\n")[2]


def damage_header(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One header line is doubled, unfolded, emptied, renamed, or loses its colon."""
    fields = list(_FIELD.finditer(mail))
    if not fields:
        return mail
    field = dice.choice(fields)
    text = field[0]
    name, _, value = text.partition(b":")
    changed = dice.choice(
        (text * 2, name + b" :" + value, name + value, name + b":\r\n", b":" + value, b" " + text,
         name.upper() + b":" + value, name + b":" + value.replace(b" ", b"\r\n "),
         name + b":" + value.replace(b"\r\n", b" \r\n \r\n"), text.replace(b"\n", b""))
    )  # fmt: skip
    return mail[: field.start()] + changed + mail[field.end() :]


def damage_boundary(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A boundary is declared otherwise than it is used, or its lines are broken."""
    found = _BOUNDARY.findall(mail)
    if not found:
        return b"Content-Type: multipart/mixed; boundary=b1\r\n" + mail
    mark = dice.choice(found)
    old, new = dice.choice(
        ((b"--" + mark + b"--", b"--" + mark), (b"--" + mark, b"--" + mark + b"--"), (b"--" + mark, b"-- " + mark),
         (b"--" + mark, b"--" + mark[:-1]), (b"--" + mark, b"--" + mark + b" \t "), (b"\n--" + mark, b"--" + mark),
         (b"--" + mark, b"--" + mark + b"x"), (mark, b""), (mark, mark[:1]), (mark, mark * 40), (mark, b"\\" + mark),
         (b"\n--" + mark, (b"\n--" + mark) * 3), (b"boundary", b"boundary*0"), (b"boundary=", b"boundary=x; boundary="))
    )  # fmt: skip
    return mail.replace(old, new, dice.choice((1, 1, 2, -1)))


def damage_token(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A charset, type, transfer encoding, file name or encoded word becomes another, or stands in a wrong place."""
    found = list(_TOKEN.finditer(mail))
    if not found or dice.random() < 0.2:
        at = dice.randrange(len(mail) + 1)
        return mail[:at] + dice.choice(TOKENS) + mail[at:]
    token = dice.choice(found)
    return mail[: token.start()] + dice.choice(TOKENS) + mail[token.end() :]


def truncate(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """The mail ends too early, or begins too late."""
    at = dice.randrange(len(mail) + 1)
    return mail[:at] if dice.random() < 0.8 else mail[at:]


def damage_line_ends(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """CR and LF come alone, doubled, in the other order, or not at all."""
    old, new = dice.choice(
        ((b"\r\n", b"\n"), (b"\r\n", b"\r"), (b"\n", b"\n\r"), (b"\r\n", b"\r\r\n"), (b"\r\n", b"\r\n\r\n"),
         (b"\r\n", b""), (b"\r\n\r\n", b"\r\n"), (b"\n", b"\x85"), (b"\r\n", b"\r\n "), (b"\r", b""),
         (b"\n\n", b"\n \n"))
    )  # fmt: skip
    return mail.replace(old, new, dice.choice((1, 2, 5, -1)))


def insert_syntax(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Characters that mean something to a parser stand where they should not."""
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(mail) + 1)
        mail = mail[:at] + dice.choice(SYNTAX) * dice.choice((1, 1, 1, 2, 30)) + mail[at:]
    return mail


def insert_oddities(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Controls, broken and rare Unicode, byte order marks."""
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(mail) + 1)
        mail = mail[:at] + dice.choice(ODDITIES) + mail[at:]
    return mail


def nest(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """The mail becomes a part of a part of a mail, three to seventy deep."""
    for level in range(dice.choice((1, 3, 8, 60, 70))):
        if len(mail) > MAX_SMALL_BYTES:
            break
        if dice.random() < 0.5:
            mail = b"Subject: dentro\r\nContent-Type: message/rfc822\r\n\r\n" + mail
        else:
            mark = b"n%d" % (level % 3)
            mail = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n%b\r\n--%b--\r\n" % (
                mark,
                mark,
                mail,
                mark,
            )
    return mail


def repeat_giant(mail: bytes, dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A piece, a header line or a bit of syntax comes thousands of times: only for the large mails."""
    start, end = _span(mail, dice, dice.choice((1, 4, 40, 2_000)))
    fields = _FIELD.findall(mail)
    unit = dice.choice((mail[start:end], dice.choice(SYNTAX), dice.choice(ODDITIES), *fields[:1])) or b"x"
    size = dice.choice(LARGE_BYTES)
    return mail[:start] + unit * (size // len(unit)) + mail[start:]


DAMAGES: tuple[Damage, ...] = (
    flip_bytes, delete_chunk, double_chunk, swap_chunks, splice, damage_header, damage_header, damage_boundary,
    damage_token, damage_token, truncate, damage_line_ends, insert_syntax, insert_syntax, insert_oddities, nest,
)  # fmt: skip


def mutant(seeds: Sequence[bytes], seed: int, index: int) -> bytes:
    """The damaged mail of this number: one to six kinds of damage to one of the seeds, one after the other."""
    dice = random.Random((seed << 40) + index)
    mail = dice.choice(seeds)
    for _ in range(dice.choice((1, 1, 2, 3, 4, 6))):
        mail = dice.choice(DAMAGES)(mail, dice, seeds)[: 2 * MAX_SMALL_BYTES]
    if index % LARGE_EVERY == 0:
        mail = repeat_giant(mail, dice, seeds)
        mail = dice.choice(DAMAGES)(mail, dice, seeds)[: 2 * LARGE_BYTES[-1]]
    return mail
