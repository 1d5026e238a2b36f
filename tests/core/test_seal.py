"""The seal on a PDF: put on, checked, and tampered with in every way that comes to mind (T84, F47, G35)."""

from __future__ import annotations

import datetime as dt
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import time_machine
import typst
from asn1crypto import tsp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from pkcs11.exceptions import SessionHandleInvalid
from pyhanko.keys import load_certs_from_pemder_data, load_private_key_from_pemder_data
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    NumberObject,
    StreamObject,
    pdf_name,
    pdf_string,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

from helpdesk.certificates import seal as seals
from helpdesk.certificates.seal import Sealer, SealFailed, SealVerdict, check_seal, open_sealer
from helpdesk.errors import SettingsError
from tests.certificates import DAY, authority, write
from tests.ports import free_port
from tests.seal_keys import PASSWORD, SIGNER, Key, Keys, issue, now

REASON = "Constancia de Trabajador Migrante Andino"
GOOD = SealVerdict(
    sealed=True, intact=True, whole_file=True, trusted=True, modified_after=False, signer=SIGNER
)
TEXT = """
#set document(title: "Constancia", date: datetime(year: 2026, month: 11, day: 2, hour: 9, minute: 0, second: 0))
#set text(lang: "es", region: "PE")
= Constancia
#{body}
"""


def document(body: str = "Se deja constancia.") -> bytes:
    """A PDF like the ones that are sealed."""
    source = TEXT.replace("#{body}", body).encode()
    made = typst.compile(source, format="pdf", pdf_standards=["a-3a", "ua-1"])
    assert isinstance(made, bytes)
    return made


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A folder for keys, and the authority that everybody here trusts."""
    return Keys(tmp_path_factory.mktemp("keys"), authority())


@pytest.fixture(scope="module")
def curve(keys: Keys) -> dict[str, Any]:
    """The arguments that open a key on a curve."""
    key = ec.generate_private_key(ec.SECP256R1())
    return keys.save("curve", key, issue(keys.ca, key))


@pytest.fixture(scope="module")
def pdf() -> bytes:
    """A document without a seal."""
    return document()


@pytest.fixture(scope="module")
def sealed(pdf: bytes, curve: dict[str, Any]) -> bytes:
    """The document with its seal."""
    return opened(curve).seal(pdf, REASON, now())


@pytest.fixture
def trusted(keys: Keys) -> list[bytes]:
    """What is trusted."""
    return [keys.ca.pem()]


def opened(arguments: dict[str, Any]) -> Sealer:
    """The sealer of these arguments."""
    sealer = open_sealer(**arguments)
    assert sealer is not None
    return sealer


# A good seal.


@pytest.mark.parametrize("kind", ["curve", "rsa"])
def test_a_sealed_document_is_good_on_every_count(
    kind: str, keys: Keys, pdf: bytes, trusted: list[bytes]
) -> None:
    key: Key = ec.generate_private_key(ec.SECP256R1())
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
    sealer = opened(keys.save(kind, key, issue(keys.ca, key)))
    first, second = sealer.seal(pdf, REASON, now()), sealer.seal(document("Otra."), REASON, now())
    assert check_seal(first, trusted) == check_seal(second, trusted) == GOOD
    assert GOOD.good


def test_the_seal_certifies_and_allows_no_change(pdf: bytes, curve: dict[str, Any]) -> None:
    at = dt.datetime.fromisoformat("2026-11-02T09:15:30-05:00")
    with time_machine.travel(at):
        key = ec.generate_private_key(ec.SECP256R1())
        own = authority()
        arguments = Keys(curve["pkcs12"].parent, own).save("then", key, issue(own, key))
        result = opened(arguments).seal(pdf, REASON, at)
    with pikepdf.open(BytesIO(result)) as opened_pdf:
        (field,) = list(opened_pdf.Root.AcroForm.Fields)
        value = field.V
        assert (str(field.T), str(field.TU)) == ("Sello", "Sello electrónico de la entidad")
        assert (value.SubFilter, str(value.M)) == ("/ETSI.CAdES.detached", "D:20261102091530-05'00'")
        assert str(value.Reason) == REASON
        assert value.Reference[0].TransformMethod == "/DocMDP"
        assert value.Reference[0].TransformParams.P == 1
        assert opened_pdf.Root.Perms.DocMDP.objgen == value.objgen
        assert opened_pdf.Root.AcroForm.SigFlags == 3


def test_what_makes_it_pdf_a_and_pdf_ua_stays(pdf: bytes, sealed: bytes) -> None:
    # ISO 19005-3, 6.1.9: every object begins on a line of its own, which typst's last line would hide.
    assert sealed.startswith(pdf + b"\n")
    with pikepdf.open(BytesIO(pdf)) as before, pikepdf.open(BytesIO(sealed)) as after:
        assert after.pdf_version == before.pdf_version == "1.7"
        assert "/Version" not in after.Root  # PDF 2.0 would be neither PDF/A-3 nor PDF/UA-1
        assert after.Root.Metadata.read_bytes() == before.Root.Metadata.read_bytes()
        assert b"pdfaid" in after.Root.Metadata.read_bytes()
        assert after.docinfo == before.docinfo
        assert str(after.Root.Lang) == "es-PE"
        for name in ("/MarkInfo", "/ViewerPreferences", "/OutputIntents"):
            assert after.Root[name] == before.Root[name]
        assert after.Root.StructTreeRoot.objgen == before.Root.StructTreeRoot.objgen
        page = after.pages[0]
        assert page.Tabs == "/S"
        widget = page.Annots[len(page.Annots) - 1]
        assert widget.Subtype == "/Widget"
        hidden, printed = 0b10, 0b100
        assert int(widget.F) & (hidden | printed) == printed
        # No appearance is needed for an empty rectangle, and no tag outside of the page.
        assert [int(number) for number in widget.Rect] == [-9999] * 4


def test_the_key_is_read_once(keys: Keys, pdf: bytes, trusted: list[bytes]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    arguments = keys.save("once", key, issue(keys.ca, key))
    sealer = opened(arguments)
    arguments["pkcs12"].unlink()
    arguments["password_file"].unlink()
    assert check_seal(sealer.seal(pdf, REASON, now()), trusted).good


def test_threads_seal_at_once(curve: dict[str, Any], pdf: bytes, trusted: list[bytes]) -> None:
    sealer = opened(curve)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: sealer.seal(pdf, f"{REASON} {number}", now()), range(24)))
    assert len(set(results)) == 24
    assert all(check_seal(result, trusted) == GOOD for result in results)


# Whom to trust.


def test_another_authority_of_the_same_name_is_not_trusted(sealed: bytes) -> None:
    verdict = check_seal(sealed, [authority().pem()])
    assert verdict == SealVerdict(sealed=True, intact=True, whole_file=True, trusted=False, signer=SIGNER)
    assert not verdict.good


def test_nobody_is_trusted_when_nobody_is_named(sealed: bytes) -> None:
    assert not check_seal(sealed, []).trusted


def test_trust_is_given_in_pem_or_der_and_to_the_seal_itself(
    keys: Keys, curve: dict[str, Any], sealed: bytes
) -> None:
    der = keys.ca.certificate.public_bytes(serialization.Encoding.DER)
    bundle = authority().pem() + keys.ca.pem()
    _, own, _ = pkcs12.load_key_and_certificates(curve["pkcs12"].read_bytes(), PASSWORD.encode())
    assert own is not None
    for trusted in (
        [der],
        [bundle],
        [authority().pem(), der],
        [own.public_bytes(serialization.Encoding.PEM)],
    ):
        assert check_seal(sealed, trusted) == GOOD


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_an_unreadable_trusted_certificate_is_the_callers_mistake(sealed: bytes, junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"data|parsing"):
        check_seal(sealed, [junk])


def test_the_seal_of_a_certificate_that_expired_since_is_not_trusted(
    sealed: bytes, trusted: list[bytes]
) -> None:
    with time_machine.travel(now() + 25 * DAY):
        verdict = check_seal(sealed, trusted)
    assert (verdict.intact, verdict.trusted) == (True, False)


# Tampering. A flip anywhere is noticed, also where no signature looks: in the seal's own bytes.


def flips(content: bytes) -> list[tuple[int, int]]:
    """Where to change a byte, and by which bits: all over the file, and densely in the seal."""
    dice = random.Random(84)
    start = content.index(b"/Contents <", content.rindex(b"%%EOF\n", 0, -6)) + len(b"/Contents ")
    end = content.index(b">", start)
    places = [*dice.sample(range(len(content)), 40), start, start + 1, end - 1, end, *range(start, end, 7)]
    places += [
        content.rindex(word) + 2 for word in (b"/ByteRange", b"trailer", b"/Prev", b"startxref", b"%%EOF")
    ]
    return [(place, 1 << dice.randrange(8)) for place in places]


def test_any_changed_byte_is_noticed(sealed: bytes, trusted: list[bytes]) -> None:
    places = flips(sealed)
    assert len(places) > 200
    for place, bits in places:
        changed = bytearray(sealed)
        changed[place] ^= bits
        verdict = check_seal(bytes(changed), trusted)
        assert not verdict.intact, (place, bits)


def test_a_change_in_what_the_signature_does_not_protect_is_noticed(
    sealed: bytes, trusted: list[bytes]
) -> None:
    start = sealed.index(b"/Contents <3082") + len(b"/Contents <")
    digits = sealed[start : sealed.index(b">", start)]
    changes = {
        "the version": digits.replace(b"020101310F", b"020103310F", 1),
        "the list of digests": digits.replace(
            b"310F300D06096086480165030402010500", b"310F300D06096086480165030402030500", 1
        ),
        "the padding": digits[:-2] + b"01",
        "the letters": digits.lower(),
        "one letter": digits.replace(b"A", b"a", 1),
    }
    for name, other in changes.items():
        assert other != digits, name
        verdict = check_seal(sealed.replace(digits, other), trusted)
        # All of them in small letters is the same seal, written by somebody else.
        assert verdict.intact == (name == "the letters"), name


def update(content: bytes, change: Callable[[IncrementalPdfFileWriter], None]) -> bytes:
    """The file with an incremental update after it."""
    writer = IncrementalPdfFileWriter(BytesIO(content))
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def annotated(writer: IncrementalPdfFileWriter) -> None:
    """A note on the first page."""
    note = DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/FreeText"),
            pdf_name("/Rect"): ArrayObject([NumberObject(number) for number in (50, 50, 300, 90)]),
            pdf_name("/Contents"): pdf_string("Vale también para otra persona"),
        }
    )
    page, _ = writer.find_page_for_modification(0)
    writer.register_annotation(page, writer.add_object(note))


def repainted(writer: IncrementalPdfFileWriter) -> None:
    """Another content on the first page."""
    page, _ = writer.find_page_for_modification(0)
    stream = StreamObject(stream_data=b"BT 100 100 Td (Otra) Tj ET")
    page.get_object()[pdf_name("/Contents")] = writer.add_object(stream)
    writer.mark_update(page)


def hidden(writer: IncrementalPdfFileWriter) -> None:
    """No field with a seal any more; its bytes stay in the file."""
    writer.root["/AcroForm"]["/Fields"] = ArrayObject()
    writer.update_container(writer.root["/AcroForm"])


def emptied(writer: IncrementalPdfFileWriter) -> None:
    """A field without its seal."""
    field = writer.root["/AcroForm"]["/Fields"][0]
    del field["/V"]
    writer.update_container(field)


def retold(writer: IncrementalPdfFileWriter) -> None:
    """Another byte range, so that the seal seems to cover the update."""
    seal = writer.root["/AcroForm"]["/Fields"][0]["/V"]
    start, length, after, rest = seal["/ByteRange"]
    seal["/ByteRange"] = ArrayObject([start, length, after, NumberObject(rest + 4_000)])
    writer.update_container(seal)


def written_again(writer: IncrementalPdfFileWriter) -> None:
    """Nothing that anybody sees: only the catalogue, written again."""
    writer.update_root()


@pytest.mark.parametrize("change", [annotated, repainted, written_again])
def test_an_update_after_the_seal_is_noticed(
    change: Callable[[IncrementalPdfFileWriter], None], sealed: bytes, trusted: list[bytes]
) -> None:
    after = update(sealed, change)
    assert after.startswith(sealed)
    verdict = check_seal(after, trusted)
    assert verdict == SealVerdict(
        True, True, whole_file=False, trusted=True, modified_after=True, signer=SIGNER
    )
    assert not verdict.good


@pytest.mark.parametrize("change", [hidden, emptied, retold])
def test_a_seal_that_is_put_out_of_sight_is_not_good(
    change: Callable[[IncrementalPdfFileWriter], None], sealed: bytes, trusted: list[bytes]
) -> None:
    verdict = check_seal(update(sealed, change), trusted)
    assert not verdict.whole_file
    assert not verdict.good


@pytest.mark.parametrize("rest", [b"\n", b" ", b"\0", b"basura", b"\n% nota\n", b"x" * 5_000, b"\n%%EOF\n"])
def test_bytes_after_the_end_are_noticed(rest: bytes, sealed: bytes, trusted: list[bytes]) -> None:
    verdict = check_seal(sealed + rest, trusted)
    assert not verdict.whole_file
    assert verdict.modified_after is verdict.sealed  # too many of them, and it is no PDF any more


def test_a_shortened_file_is_noticed(sealed: bytes, pdf: bytes, trusted: list[bytes]) -> None:
    for length in (0, 1, len(pdf), len(pdf) + 1, len(sealed) // 2, len(sealed) - 7, len(sealed) - 1):
        assert not check_seal(sealed[:length], trusted).intact, length
    assert not check_seal(sealed[1:], trusted).intact


def test_a_file_that_was_written_anew_carries_no_good_seal(sealed: bytes, trusted: list[bytes]) -> None:
    out = BytesIO()
    with pikepdf.open(BytesIO(sealed)) as opened_pdf:
        opened_pdf.save(out)
    assert not check_seal(out.getvalue(), trusted).intact


def test_a_seal_does_not_fit_another_document(
    pdf: bytes, curve: dict[str, Any], trusted: list[bytes]
) -> None:
    sealer = opened(curve)
    one, other = sealer.seal(pdf, REASON, now()), sealer.seal(pdf, REASON, now() - dt.timedelta(minutes=1))
    begin = one.index(b"/Contents <3082")
    end = one.index(b">", begin)
    moved = one[:begin] + other[begin:end] + one[end:]
    assert check_seal(one, trusted) == check_seal(other, trusted) == GOOD
    assert check_seal(moved, trusted) == SealVerdict(True, False, True, False, False, SIGNER)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n%%EOF", b"<html>", b"\0" * 1_000])
def test_what_is_no_pdf_carries_no_seal(content: bytes, trusted: list[bytes]) -> None:
    assert check_seal(content, trusted) == SealVerdict()


def test_a_document_without_a_seal_carries_none(pdf: bytes, trusted: list[bytes]) -> None:
    assert check_seal(pdf, trusted) == SealVerdict()


# What is not sealed.


def test_a_sealed_document_gets_no_second_seal(sealed: bytes, curve: dict[str, Any]) -> None:
    with pytest.raises(SealFailed, match="carries a signature already"):
        opened(curve).seal(sealed, REASON, now())


def test_what_is_no_pdf_is_not_sealed(curve: dict[str, Any]) -> None:
    with pytest.raises(SealFailed, match="could not be sealed") as failed:
        opened(curve).seal(b"hola", REASON, now())
    assert failed.value.reason == str(failed.value)


def test_nothing_is_sealed_outside_of_the_certificates_time(curve: dict[str, Any], pdf: bytes) -> None:
    sealer = opened(curve)
    with pytest.raises(SealFailed, match="expired on"):
        sealer.seal(pdf, REASON, now() + 21 * DAY)
    with pytest.raises(SealFailed, match="not valid before"):
        sealer.seal(pdf, REASON, now() - 2 * DAY)


def test_a_seal_that_would_not_hold_is_not_given_away(
    keys: Keys, pdf: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    monkeypatch.setattr(seals, "_signing", lambda _: lambda data: other.sign(data, ec.ECDSA(hashes.SHA256())))
    with pytest.raises(SealFailed, match="do not fit"):
        opened(keys.save("wrong", key, issue(keys.ca, key))).seal(pdf, REASON, now())


class Session:
    """A session with a token, of which only the end is asked here."""

    open = True

    def close(self) -> None:
        """End it."""
        self.open = False


def test_a_session_that_ended_is_opened_anew(curve: dict[str, Any], pdf: bytes, trusted: list[bytes]) -> None:
    signers: list[Any] = []

    def open_signer() -> Any:
        if len(signers) == 2:
            raise SettingsError("HELPDESK_SEAL_PIN_FILE: the token refuses the PIN.")
        signers.append(seals._file_signer(curve["pkcs12"], curve["password_file"]))
        signers[-1].pkcs11_session = Session()
        return signers[-1]

    async def gone(*_: Any, **__: Any) -> bytes:
        raise SessionHandleInvalid

    sealer = seals._TokenSealer(open_signer, None)
    for number in range(2):
        assert check_seal(sealer.seal(pdf, REASON, now()), trusted) == GOOD
        with pytest.raises(SealFailed, match="carries a signature already"):
            sealer.seal(sealer.seal(pdf, REASON, now()), REASON, now())
        assert len(signers) == number + 1
        signers[-1].async_sign = gone
        with pytest.raises(SealFailed, match="SessionHandleInvalid"):
            sealer.seal(pdf, REASON, now())
        assert not signers[-1].pkcs11_session.open
    with pytest.raises(SealFailed, match="refuses the PIN"):
        sealer.seal(pdf, REASON, now())


# Settings.


def test_without_a_key_there_is_no_sealer() -> None:
    assert open_sealer() is None
    assert open_sealer(tsa_url="http://127.0.0.1:9/") is None


def _failing(arguments: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as failed:
        open_sealer(**arguments)
    sentence = str(failed.value)
    assert PASSWORD not in sentence
    assert sentence.endswith(".")
    return sentence


def test_a_wrong_setting_is_named(curve: dict[str, Any], keys: Keys, tmp_path: Path) -> None:
    def named(name: str, **changes: Any) -> str:
        sentence = _failing(curve | changes)
        assert sentence.startswith(f"HELPDESK_SEAL_{name}"), sentence
        return sentence

    nowhere, text = tmp_path / "nada", write(tmp_path / "texto", b"otra clave")
    assert "No such file" in named("PKCS12", pkcs12=nowhere)
    assert "No such file" in named("PASSWORD_FILE", password_file=nowhere)
    for changes in ({"password_file": text}, {"password_file": None}, {"pkcs12": text}):
        assert "HELPDESK_SEAL_PASSWORD_FILE does not hold its password" in named("PKCS12", **changes)
    assert "HELPDESK_SEAL_PKCS11_MODULE exclude" in named("PKCS12", pkcs11_module=text)
    for url in ("ftp://127.0.0.1/", "127.0.0.1:9"):
        named("TSA_URL", tsa_url=url)


def test_a_certificate_that_is_not_valid_now_is_named(keys: Keys) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    expired = keys.save("expired", key, issue(keys.ca, key, start=-9 * DAY, end=-DAY))
    early = keys.save("early", key, issue(keys.ca, key, start=DAY))
    assert _failing(expired).startswith("HELPDESK_SEAL_PKCS12: the certificate expired on ")
    assert _failing(early).startswith("HELPDESK_SEAL_PKCS12: the certificate is not valid before ")


def test_a_key_that_nobody_should_use_is_named(keys: Keys, tmp_path: Path) -> None:
    small = rsa.generate_private_key(65537, 1024)
    assert "RSA of 2048 bits at least" in _failing(keys.save("small", small, issue(keys.ca, small)))
    alone = pkcs12.serialize_key_and_certificates(
        b"x", None, None, [keys.ca.certificate], serialization.NoEncryption()
    )
    arguments = {"pkcs12": write(tmp_path / "alone.p12", alone)}
    assert "must hold a key and its certificate" in _failing(arguments)


def test_a_wrong_token_setting_is_named(tmp_path: Path) -> None:
    nowhere, text = tmp_path / "nada.so", write(tmp_path / "texto.so", b"no es una biblioteca")
    sentence = _failing({"pkcs11_module": nowhere, "pkcs11_label": "sello"})
    assert sentence == f"HELPDESK_SEAL_PKCS11_MODULE: there is no file {nowhere}."
    sentence = _failing({"pkcs11_module": text, "pkcs11_label": "sello"})
    assert sentence.startswith(f"HELPDESK_SEAL_PKCS11_MODULE: cannot load {text} (")
    assert _failing({"pkcs11_module": text}).startswith("HELPDESK_SEAL_PKCS11_LABEL is missing")
    sentence = _failing({"pkcs11_module": text, "pkcs11_label": "sello", "pin_file": nowhere})
    assert sentence.startswith("HELPDESK_SEAL_PIN_FILE: cannot read ")


@pytest.mark.parametrize("module", ["pyhanko", "pkcs11"])
def test_without_pyhanko_the_remedy_is_named(
    module: str, curve: dict[str, Any], sealed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert "run `pip install '.[seal]'`" in _failing(curve)
    with pytest.raises(SettingsError, match="Checking a seal needs pyHanko"):
        check_seal(sealed, [])
    assert open_sealer() is None


# Time stamps.


@contextmanager
def answering(answer: Callable[[bytes], tuple[int, str, bytes]]) -> Iterator[str]:
    """An authority that answers a request with a status, a content type and a content. Yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, kind, content = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/tsa"
        server.shutdown()


@pytest.fixture(scope="module")
def stamper(keys: Keys) -> DummyTimeStamper:
    """What an authority does with a request."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = issue(keys.ca, key, stamps=True, end=300 * DAY)
    (own,) = load_certs_from_pemder_data(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return DummyTimeStamper(own, load_private_key_from_pemder_data(pem, None))


REPLY = "application/timestamp-reply"


def test_a_time_stamp_outlives_the_certificate(
    keys: Keys, curve: dict[str, Any], pdf: bytes, stamper: DummyTimeStamper
) -> None:
    # An authority of its own, which lives longer than the thirty days of the others.
    asked: list[bytes] = []

    def stamp(request: bytes) -> tuple[int, str, bytes]:
        asked.append(request)
        return 200, REPLY, stamper.request_tsa_response(tsp.TimeStampReq.load(request)).dump()

    with answering(stamp) as url:
        sealer = opened(curve | {"tsa_url": url})
        results = [sealer.seal(pdf, REASON, now()) for _ in range(2)]
    assert len(asked) == 3  # one more to measure the answers
    for result in results:
        assert check_seal(result, [keys.ca.pem()]) == GOOD
        (signature,) = PdfFileReader(BytesIO(result)).embedded_signatures
        (attribute,) = signature.signer_info["unsigned_attrs"]
        assert attribute["type"].native == "signature_time_stamp_token"
    with time_machine.travel(now() + 25 * DAY):
        assert check_seal(results[0], [keys.ca.pem()]) == GOOD
        assert not check_seal(results[0], [authority().pem()]).trusted
    changed = bytearray(results[0])
    token = changed.index(b"2A864886F70D0109100104") + 40  # TSTInfo
    changed[token] = changed[token] ^ 1
    assert not check_seal(bytes(changed), [keys.ca.pem()]).intact


def test_an_authority_that_does_not_answer_seals_nothing(curve: dict[str, Any], pdf: bytes) -> None:
    address = f"http://usuario:{PASSWORD.split()[0]}@127.0.0.1:{free_port()}/tsa?clave=x"
    with pytest.raises(SealFailed, match="gave no time stamp") as failed:
        opened(curve | {"tsa_url": address}).seal(pdf, REASON, now())
    assert "clave" not in failed.value.reason
    assert "ClientConnectorError" in failed.value.reason


def test_an_authority_that_is_silent_is_not_waited_for(
    curve: dict[str, Any], pdf: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "TSA_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sealer = opened(curve | {"tsa_url": f"http://127.0.0.1:{silent.getsockname()[1]}/"})
        with pytest.raises(SealFailed, match="gave no time stamp"):
            sealer.seal(pdf, REASON, now())


@pytest.mark.parametrize(
    "answer",
    [
        (500, "text/html", b"<h1>error</h1>"),
        (200, "text/html", b"<h1>bienvenidos</h1>"),
        (200, REPLY, b""),
        (200, REPLY, b"no es DER"),
        (200, REPLY, bytes.fromhex("30053003020102")),
        (200, REPLY, bytes(100)),
    ],
)
def test_an_authority_that_answers_nonsense_seals_nothing(
    answer: tuple[int, str, bytes], curve: dict[str, Any], pdf: bytes
) -> None:
    with answering(lambda _: answer) as url, pytest.raises(SealFailed) as failed:
        opened(curve | {"tsa_url": url}).seal(pdf, REASON, now())
    assert failed.value.reason.startswith("the time-stamping authority gave no time stamp (")
    assert "\n" not in failed.value.reason


def test_the_time_stamp_of_something_else_is_not_given_away(
    curve: dict[str, Any], pdf: bytes, stamper: DummyTimeStamper
) -> None:
    def stamp(request: bytes) -> tuple[int, str, bytes]:
        asked = tsp.TimeStampReq.load(request)
        asked["message_imprint"]["hashed_message"] = bytes(32)
        return 200, REPLY, stamper.request_tsa_response(asked).dump()

    with answering(stamp) as url, pytest.raises(SealFailed, match="do not fit"):
        opened(curve | {"tsa_url": url}).seal(pdf, REASON, now())
