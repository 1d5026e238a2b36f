"""OpenPGP between lines of text: signed text is read without its armour, encrypted text becomes a file.

In: cutting the blocks out (RFC 9580, 6.2 and 7). Not in: checking a signature or decrypting; no key is kept.
"""

from __future__ import annotations

from helpdesk.mail.transfer import HiddenFile

MAX_BLOCKS = 20
_MARK = "-----BEGIN PGP "
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_SIGNATURE_END = "-----END PGP SIGNATURE-----"
_MESSAGE = "-----BEGIN PGP MESSAGE-----"
_MESSAGE_END = "-----END PGP MESSAGE-----"


def take_armor(text: str) -> tuple[str, list[HiddenFile], tuple[str, ...]]:
    """Return the text without OpenPGP armour, what was cut out as files, and the names of what it contains.

    Linear; never raises. A block that does not end stays where it is.
    """
    if _MARK not in text:
        return text, [], ()
    text = "\n" + text.replace("\r\n", "\n")
    files: list[HiddenFile] = []
    contains: list[str] = []
    for _ in range(MAX_BLOCKS):
        if (found := _block(text, _MESSAGE, _MESSAGE_END)) is not None:
            start, end = found
            files.append(_file("mensaje-cifrado.asc", "application/pgp-encrypted", text[start:end]))
            contains.append("pgp-encrypted")
            text = text[:start] + text[end:]
        elif (found := _block(text, _SIGNED, _SIGNATURE_END)) is not None:
            start, end = found
            words, signature = _open_signed(text[start:end])
            files.append(_file("firma.asc", "application/pgp-signature", signature))
            contains.append("pgp-signed")
            text = text[:start] + words + text[end:]
        else:
            break
    return text[1:], files, tuple(contains)


def _block(text: str, mark: str, end_mark: str) -> tuple[int, int] | None:
    """Where a block that begins and ends on a line of its own is."""
    start = text.find(f"\n{mark}")
    end = text.find(f"\n{end_mark}", start) if start >= 0 else -1
    return (start + 1, end + 1 + len(end_mark)) if end >= 0 else None


def _open_signed(block: str) -> tuple[str, str]:
    """The words and the signature of a signed text; its own headers (`Hash:`) end at the first empty line."""
    words, mark, signature = block.partition(f"\n{_SIGNATURE}")
    _, _, words = words.partition("\n\n")
    lines = (line.removeprefix("- ") for line in words.split("\n"))
    return "\n".join(lines), (mark + signature).strip("\n")


def _file(name: str, kind: str, text: str) -> HiddenFile:
    return HiddenFile(name, kind, text.encode("utf-8", "replace"))
