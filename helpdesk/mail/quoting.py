"""What the sender wrote now, without the earlier mail below it and without a signature.

In: finding where a quoted or forwarded mail begins, and which answers stand around or inside it. Not in: the
marks themselves (`quote_marks.py`), signatures and other footers (`footers.py`), who had written a forwarded
mail (`forwarded.py`); deleting anything: the whole text is always kept beside this one. Every line is looked
at a bounded number of times and only in its first characters, so the work is linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from helpdesk.mail.footers import without_footers
from helpdesk.mail.quote_marks import (
    ANSWERED_SUBJECT,
    ANSWERS,
    BLANKS,
    DATE,
    DATE_AND_TIME,
    DATE_START,
    DATED_ADDRESS,
    DATED_VERB,
    DAYS_AND_MONTHS,
    EARLY_VERB,
    FORWARD,
    FROM_STARTS,
    GERMAN_DAYS,
    INLINE_VERB,
    INSIDE,
    INVISIBLE,
    NO_NAMES,
    NOTES_SUBJECT,
    NOTES_TO,
    OPENERS,
    ORIGINAL,
    PARTICLES,
    PROGRAM_DATE,
    PRONOUNS,
    QUOTING,
    ROLES,
    TIME,
    VERB_ENDINGS,
    VERBS,
    Role,
)

MAX_LINE = 600  # No attribution or header line is longer; the rest of a line decides nothing.
MAX_HEADER_NAME = 30
WRAPPED_LINES = 4  # Mail programs break an attribution into at most this many lines.
HEADER_WINDOW = 12
NOTES_WINDOW = 24
MAX_FALSE_MARKS = 2_000  # More lines that nearly are marks than any letter has: the rest are not looked at.
SHORT_NOTE = 40  # Fewer characters above a forwarded mail are a covering note, not a message.
MAX_NOTE_ON_ANSWERS = 300

_ENDINGS = (":", *VERB_ENDINGS)


@dataclass(frozen=True, slots=True)
class Quote:
    """Where an earlier mail begins: its mark takes the lines from `start` up to, but not including, `after`."""

    kind: Literal["forward", "original", "headers", "attribution"]
    start: int
    after: int


def new_text(text: str, *, is_forward: bool = False, writer: str = "") -> str:
    """Return what the sender wrote now; a mail that is all quote, or a bare forward, is returned whole.

    Answers between the lines of a quote stay with it. `is_forward` says that the subject names a forward, which
    is all that Outlook tells; `writer` is the sender's address. Raises nothing. Source: RFC 3676, 4.3 and 4.5;
    the marks that the programs write.
    """
    lines = read_lines(text)
    kept = _written(lines, heads_of(lines), is_forward=is_forward, writer=writer)
    if kept is None:
        return "\n".join(lines).strip()
    return "\n".join(without_footers(kept)).strip() or "\n".join(lines).strip()


def read_lines(text: str) -> list[str]:
    """The lines of a text with plain blanks and without invisible characters."""
    text = text.replace("\r\n", "\n")
    if not text.isascii():
        for blank in BLANKS:
            text = text.replace(blank, " ")
        for invisible in INVISIBLE:
            text = text.replace(invisible, "")
    return text.split("\n")


def heads_of(lines: list[str]) -> list[str]:
    """The beginnings of the lines, which decide what they are."""
    return [line[:MAX_LINE].strip() for line in lines]


def find_quote(heads: list[str], *, writer: str = "") -> Quote | None:
    """Return the first mark of an earlier mail outside lines that begin with ">", or None. Linear.

    `writer` is the address of whoever wrote the text.
    """
    false_marks = 0
    # Chinese programs write a wide colon, Proton wrote hyphens (U+2010) around "Original Message".
    heads = [head if head.isascii() else head.replace("：", ":").replace("‐", "-") for head in heads]
    for index, head in enumerate(heads):
        if not head or (head[0] == ">" and not _between_arrows(head)):
            continue
        if head[-1] == "*":
            head = head.rstrip("* ")
        marked = head.lstrip("* ").startswith(("--", "__", ">"))
        ending = head.endswith(_ENDINGS) or (head.endswith(">") and "@" in head)
        if not (
            marked
            or ending
            or head[:MAX_HEADER_NAME].lower().startswith(FROM_STARTS)
            or INLINE_VERB.search(head)
        ):
            continue
        quote = _mark(heads, index, ending=ending, writer=writer)
        if quote:
            return quote
        false_marks += 1
        if false_marks > MAX_FALSE_MARKS:
            return None
    return None


def _mark(heads: list[str], index: int, *, ending: bool, writer: str) -> Quote | None:
    head = heads[index]
    words = _dashed(head.strip("* "))
    if words in FORWARD or (head.endswith(":") and head[:-1].strip().lower() in FORWARD):
        return Quote("forward", index, index + 1)
    if words in ORIGINAL or _rule_above_headers(heads, index) or _dashed_attribution(words):
        return Quote("original", index, index + 1)
    if _between_arrows(head) or (INLINE_VERB.search(head) and _opens_with_date(head)):
        return Quote("original", index, index + 1)
    if _notes_block(heads, index):
        return Quote("headers", index, index)
    if _header_block(heads, index, writer):
        first = _first_header(heads, index)
        return Quote("headers", first, first)
    start = _attribution(heads, index) if ending else None
    return None if start is None else Quote("attribution", start, index + 1)


def _written(lines: list[str], heads: list[str], *, is_forward: bool, writer: str) -> list[str] | None:
    """The lines outside the quoted mail, or None when everything is meant to be read."""
    quote = find_quote(heads, writer=writer) or _quoted_attribution(heads)
    if quote is None:
        return _without_trailing_quote(lines, heads)
    if quote.kind == "attribution":
        return _around_quote(lines, heads, quote)
    above = lines[: quote.start]
    note = "\n".join(without_footers(above)).strip()
    if (quote.kind == "forward" or is_forward) and len(note) < SHORT_NOTE:
        return None
    told = len(note) < MAX_NOTE_ON_ANSWERS and ANSWERS.search(note) and INSIDE.search(note)
    if told and quote.kind != "forward":
        return None
    # Where the earlier mail is marked line by line, what follows it is the writer's again.
    return above if quote.kind == "headers" else _around_quote(lines, heads, quote)


def _around_quote(lines: list[str], heads: list[str], quote: Quote) -> list[str]:
    """What stands above a quote with an attribution, and below it when the answer is written there."""
    first = _next_words(heads, quote.after)
    if first == len(heads) or not heads[first].startswith(">"):
        return lines[: quote.start]
    end = next((i for i in range(first, len(heads)) if heads[i] and heads[i][0] != ">"), len(heads))
    below = without_footers(lines[end:])
    if not "".join(below).strip():
        return lines[: quote.start]
    if any(head.startswith(">") for head in heads[end:]):
        # Text between quoted lines answers them, and makes no sense without them.
        return _without_trailing_quote(lines, heads)
    return [*without_footers(lines[: quote.start]), *below]


def _without_trailing_quote(lines: list[str], heads: list[str]) -> list[str]:
    end = len(lines)
    while end and (not heads[end - 1] or heads[end - 1][0] == ">"):
        end -= 1
    # "My boss wrote to me:" and marked lines after it: the writer quotes, not the program.
    return lines if end and heads[end - 1].endswith(":") else lines[:end]


def _next_words(heads: list[str], index: int) -> int:
    return next((i for i in range(index, len(heads)) if heads[i]), len(heads))


def _dashed(head: str) -> str:
    """The words between the dashes of `---- words ----`, in lower case, or ""."""
    if not head.startswith("--") or not head.endswith("--"):
        return ""
    return head.strip("- ").lower().rstrip(": ")


def _dashed_attribution(words: str) -> bool:
    """Zoho and Notes put the attribution between dashes: "---- El lun, … Ana <…> escribió ----"."""
    return words.endswith(VERBS) and ("@" in words or DATE.search(words) is not None)


def _ends_with_address(head: str) -> bool:
    """Gmail wrote no verb, and in some years no colon: "2014/11/16 Ana Torres <ana@example.com>"."""
    return head.endswith(">") and DATE_START.match(head) is not None


def _between_arrows(head: str) -> bool:
    """GroupWise: `>>> "Ana Torres" <ana@example.com> 16/11/2026 10:15 >>>`."""
    return head.startswith(">>> ") and head.endswith(" >>>") and DATE.search(head) is not None


def _rule_above_headers(heads: list[str], index: int) -> bool:
    head = heads[index]
    if len(head) < 20 or head.strip("_"):
        return False
    first = next((line for line in heads[index + 1 : index + 4] if line), "")
    role, value = read_header(first)
    return role == "from" and value != ""


def read_header(head: str) -> tuple[Role | None, str]:
    """The role and the value of a line such as "*Enviado el:* lunes …"; (None, "") when it is no header line."""
    name, colon, _ = head[:MAX_HEADER_NAME].partition(":")
    role = ROLES.get(name.strip("* \t").lower()) if colon else None
    return (role, head[len(name) + 1 :].strip("* \t")) if role else (None, "")


def header_name(head: str) -> str:
    """The name of a header line in lower case, as "enviado el"."""
    return head[:MAX_HEADER_NAME].partition(":")[0].strip("* \t").lower()


def _header_block(heads: list[str], index: int, writer: str) -> bool:
    """Outlook writes the quoted mail's headers as lines, from the sender's on.

    A memorandum ("De: / Para: / Asunto: / Fecha:") and an itinerary look alike; they name no address, or the
    writer's own, and do not say when something was *sent*.
    """
    role, sender = read_header(heads[index])
    if role != "from":
        return False
    above = heads[_first_header(heads, index) : index]
    following = [head for head in heads[index + 1 : index + HEADER_WINDOW] if head][:7]
    # Where a table was, each value stands below its name.
    sender = sender or next(iter(following), "")
    values = dict(reversed([read_header(head) for head in (*above, *following)]))
    roles = values.keys() - {None, "from", "other"}
    if not sender or len(roles) < 2:
        return False
    own = writer != "" and writer.lower() in sender.lower()
    answered = ANSWERED_SUBJECT.match(values.get("subject", "")) and "@" in values.get("to", "")
    return "sent" in roles or ("@" in sender and not own) or bool(answered)


def _notes_block(heads: list[str], index: int) -> bool:
    """Notes wrote a table above the quoted mail: its sender, its date, and on lines of their own "Para", "Asunto"."""
    if not heads[index].endswith(">") or "@" not in heads[index]:
        return False
    following = [head for head in heads[index + 1 : index + NOTES_WINDOW] if head]
    names = {header_name(f"{head}:") for head in following}
    dated = any(map(DATE_AND_TIME.fullmatch, following[:2]))
    return dated and not (names.isdisjoint(NOTES_TO) or names.isdisjoint(NOTES_SUBJECT))


def _first_header(heads: list[str], index: int) -> int:
    """The first line of the block whose sender stands at `index`: some programs write the date above it."""
    first = index
    while first and first > index - 4 and read_header(heads[first - 1])[0] not in (None, "from", "other"):
        first -= 1
    return first


def _attribution(heads: list[str], end: int) -> int | None:
    """The line where the attribution that ends here ("El …, Ana <a@example.com> escribió:") begins, or None."""
    following = _next_words(heads[: end + 4], end + 1)
    quoted = following < min(len(heads), end + 4) and heads[following].startswith(">")
    chunk, bare = "", None
    for start in range(end, max(end - WRAPPED_LINES, -1), -1):
        head = heads[start]
        chunk = f"{head} {chunk}" if chunk else head
        if not head or head[0] == ">" or len(chunk) > MAX_LINE:
            break
        if _opens_with_date(head) and _closes(chunk, quoted=quoted):
            return start
        if bare is None and "<" in head and "@" in head and _closes(chunk, quoted=quoted):
            bare = start
    if bare is None and quoted and (DATED_VERB.search(heads[end]) or DATED_ADDRESS.fullmatch(heads[end])):
        return end
    return bare


def _quoted_attribution(heads: list[str]) -> Quote | None:
    """The first block of ">" lines, when it begins with its own attribution, as Apple's and Yahoo's do."""
    first = next((index for index, head in enumerate(heads) if head[:1] == ">"), len(heads))
    block = [head[1:].strip() for head in heads[first : first + WRAPPED_LINES] if head[:1] == ">"]
    ends = (end for end, head in enumerate(block) if head.endswith(_ENDINGS))
    return Quote("attribution", first, first) if any(_attribution(block, end) == 0 for end in ends) else None


def _opens_with_date(head: str) -> bool:
    head = head.lstrip("*- ")
    if DATE_START.match(head):
        return True
    words = head[:80].lower().split()[:2]
    if len(words) < 2 or words[0] not in OPENERS:
        return False
    return (
        words[1][0].isdigit()
        or words[1].startswith(DAYS_AND_MONTHS)
        or (words[0] == "am" and words[1].rstrip(".,") in GERMAN_DAYS)
    )


def _closes(chunk: str, *, quoted: bool) -> bool:
    """Whether these words are a whole attribution. `quoted`: the next words are marked with ">"."""
    ending = chunk.rstrip(" :*").lower()
    verb = next((verb for verb in VERBS if ending.endswith(verb)), None)
    addressed, dated = "@" in chunk, DATE.search(chunk) is not None
    if verb is None:
        # "Ana <ana@example.com> escribió el 16/11/26:", a language we do not know, or no verb at all.
        if not chunk.endswith(":") and not (quoted and _ends_with_address(chunk)):
            return False
        if quoted and addressed and ending.startswith(QUOTING):
            return True
        early = quoted and TIME.search(chunk) is not None and EARLY_VERB.search(chunk) is not None
        known = quoted or any(f" {word} " in chunk for word in VERBS) or DATE_START.match(chunk) is not None
        return dated and (early or (addressed and known))
    subject = chunk.rstrip(" :*")[: -len(verb)].split()[-1:] or [""]
    if subject[0] in PRONOUNS:
        return False
    # "<ana@example.com> escribió:" is no person's sentence either.
    if quoted or (subject[0].endswith(">") and chunk.endswith(":")):
        return dated or addressed
    time = TIME.search(chunk)
    if not dated or time is None:
        return False
    small = {word.strip(".,()") for word in chunk[time.end() : -len(verb)].split() if word[0].islower()}
    # "a las 10:15 mi jefe (…) escribió:", "a las 10:15 fui a la oficina y el señor escribió:"
    if not small.isdisjoint(NO_NAMES):
        return False
    return addressed or (PROGRAM_DATE.search(chunk) is not None and len(small - PARTICLES) < 2)
