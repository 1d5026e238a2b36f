"""The seal on a PDF: putting it on with the entity's key, and saying what one is worth.

In: PAdES (B-B; B-T with a time-stamping authority), the key in a PKCS#12 file or on a PKCS#11 token. Not in: which
documents are sealed and what becomes of them (`sealing.py`). Nothing here claims a "firma digital": that depends on
who issued the certificate. pyHanko is an optional part (`[seal]`) and is imported when it is needed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from helpdesk.errors import SettingsError
from helpdesk.settings import read_secret

if TYPE_CHECKING:
    from asn1crypto.cms import ContentInfo
    from asn1crypto.x509 import Certificate
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.pkcs11 import PKCS11Signer
    from pyhanko.sign.signers import Signer
    from pyhanko.sign.timestamps.aiohttp_client import HTTPTimeStamper
    from pyhanko.sign.validation import EmbeddedPdfSignature, PdfSignatureStatus

FIELD = "Sello"
TOOLTIP_ES = "Sello electrónico de la entidad"
DIGEST = "sha256"
# As DER: the number 1, and the name of SHA-256 with and without the parameters that it does not have.
VERSION_1 = bytes.fromhex("020101")
SHA_256 = (bytes.fromhex("300d06096086480165030402010500"), bytes.fromhex("300b0609608648016503040201"))
RSA_BITS_AT_LEAST = 2048
# For one answer of the time-stamping authority, from looking up its name to the last byte.
TSA_S = 15.0

PKCS12 = "HELPDESK_SEAL_PKCS12"
PASSWORD_FILE = "HELPDESK_SEAL_PASSWORD_FILE"
PKCS11_MODULE = "HELPDESK_SEAL_PKCS11_MODULE"
PKCS11_TOKEN = "HELPDESK_SEAL_PKCS11_TOKEN"
PKCS11_LABEL = "HELPDESK_SEAL_PKCS11_LABEL"
PIN_FILE = "HELPDESK_SEAL_PIN_FILE"
TSA_URL = "HELPDESK_SEAL_TSA_URL"


class SealFailed(Exception):
    """A document was not sealed; trying again later may help. `reason` is fit for a log: it holds no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sealer(Protocol):
    """Whatever puts the entity's seal on a PDF: a key of ours, or a signing service of the State."""

    def seal(self, pdf: bytes, reason: str, at: dt.datetime) -> bytes:
        """Return `pdf` with the seal on it; `reason` is shown with the seal, `at` is an aware instant.

        Raises SealFailed.
        """


@dataclass(frozen=True, slots=True)
class SealVerdict:
    """What the first seal of a PDF is worth.

    `sealed`: it carries one. `intact`: the seal and what it covers are as they were made. `whole_file`: it covers
    every byte but its own. `trusted`: its certificate leads to a trusted one, and was valid at the time of a trusted
    time stamp, else is valid now. `modified_after`: something follows what it covers. `signer`: the name in the
    certificate, whoever issued that.
    """

    sealed: bool = False
    intact: bool = False
    whole_file: bool = False
    trusted: bool = False
    modified_after: bool = False
    signer: str | None = None

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the seal."""
        return self.sealed and self.intact and self.whole_file and self.trusted and not self.modified_after


def open_sealer(
    *,
    pkcs12: Path | None = None,
    password_file: Path | None = None,
    pkcs11_module: Path | None = None,
    pkcs11_token: str | None = None,
    pkcs11_label: str | None = None,
    pin_file: Path | None = None,
    tsa_url: str | None = None,
) -> Sealer | None:
    """Open the key that the settings `HELPDESK_SEAL_*` name, and keep it; None when they name none.

    Threads may share what is returned. Raises SettingsError naming the setting that is wrong; a refused PIN must not
    be tried again by itself, because a token locks after a few.
    """
    if pkcs12 is not None and pkcs11_module is not None:
        raise SettingsError(f"{PKCS12} and {PKCS11_MODULE} exclude each other: give one of them.")
    if pkcs12 is not None:
        _need_pyhanko(PKCS12)
        signer = _file_signer(pkcs12, password_file)
        _check_dates(signer.signing_cert, PKCS12)
        return _PadesSealer(signer, _time_stamper(tsa_url))
    if pkcs11_module is not None:
        _need_pyhanko(PKCS11_MODULE)
        if not pkcs11_label:
            raise SettingsError(f"{PKCS11_LABEL} is missing: {PKCS11_MODULE} needs it.")
        pin = read_secret(pin_file, PIN_FILE) if pin_file is not None else None
        open_token = partial(_token_signer, pkcs11_module, pkcs11_token, pkcs11_label, pin)
        return _TokenSealer(open_token, _time_stamper(tsa_url))
    return None


def check_seal(pdf: bytes, trusted: Sequence[bytes]) -> SealVerdict:
    """Say what the seal of a PDF is worth. Nothing is asked of the network, so revocation is not known.

    `trusted` holds certificates in DER or PEM, of authorities or the signer's own. What cannot be read as a sealed PDF
    is not sealed. A byte changed in an authority's certificate that came along may go unnoticed: compare the hash of
    the file too (T84). Raises ValueError when a trusted certificate cannot be read, SettingsError without pyHanko.
    """
    _need_pyhanko("Checking a seal")
    from pyhanko.keys import load_certs_from_pemder_data

    roots = [certificate for content in trusted for certificate in load_certs_from_pemder_data(content)]
    for root in roots:
        _ = root.subject  # asn1crypto reads when asked; now is when an error is the caller's
    return _verdict(pdf, roots)


def _need_pyhanko(who: str) -> None:
    if find_spec("pyhanko") is None or find_spec("pkcs11") is None:
        raise SettingsError(
            f"{who} needs pyHanko, which is not installed: run `pip install '.[seal]'` in the checkout."
        )


# The key, in a file or on a token.


def _file_signer(path: Path, password_file: Path | None) -> Signer:
    """A signer with the key of a PKCS#12 file. Raises SettingsError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates
    from pyhanko.keys.internal import translate_pyca_cryptography_cert_to_asn1 as as_asn1

    password = read_secret(password_file, PASSWORD_FILE).encode() if password_file is not None else None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{PKCS12}: cannot read {path} ({error.strerror}).") from error
    try:
        key, certificate, others = load_key_and_certificates(content, password)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"{PKCS12}: {path} is not PKCS#12, or {PASSWORD_FILE} does not hold its password."
        ) from error
    if key is None or certificate is None:
        raise SettingsError(f"{PKCS12}: {path} must hold a key and its certificate.")
    return _key_signer(_signing(key), as_asn1(certificate), [as_asn1(other) for other in others])


def _signing(key: object) -> Callable[[bytes], bytes]:
    """What signs with a key of ours. Raises SettingsError for a kind or size of key that nobody should use."""
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, RSAPrivateKey) and key.key_size >= RSA_BITS_AT_LEAST:
        return lambda data: key.sign(data, PKCS1v15(), SHA256())
    if isinstance(key, EllipticCurvePrivateKey):
        return lambda data: key.sign(data, ECDSA(SHA256()))
    raise SettingsError(
        f"{PKCS12}: the key must be one on an elliptic curve, or RSA of {RSA_BITS_AT_LEAST} bits at least."
    )


def _key_signer(sign: Callable[[bytes], bytes], own: Certificate, others: list[Certificate]) -> Signer:
    """pyHanko's idea of a signer, around a key that stays loaded.

    Its SimpleSigner loads the key for each signature, and checking it takes RSA a tenth of a second.
    """
    from pyhanko.sign.signers import Signer
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    class KeySigner(Signer):
        """Signs with what it was given."""

        async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
            assert digest_algorithm == DIGEST
            return sign(data)

    return KeySigner(
        signing_cert=own,
        cert_registry=SimpleCertificateStore.from_certs(others),  # type: ignore[no-untyped-call]
        embed_roots=False,  # whoever checks has the root, or has no reason to trust the one that we bring
    )


def _token_signer(module: Path, token: str | None, label: str, pin: str | None) -> PKCS11Signer:
    """A signer with a key on a token, in a session of its own. Raises SettingsError."""
    import pkcs11
    from pkcs11.exceptions import PinIncorrect, PinInvalid, PinLenRange, PinLocked
    from pyhanko.config.pkcs11 import TokenCriteria
    from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session

    if not module.is_file():
        raise SettingsError(f"{PKCS11_MODULE}: there is no file {module}.")
    try:
        pkcs11.lib(str(module))
    except pkcs11.PKCS11Error as error:
        raise SettingsError(f"{PKCS11_MODULE}: cannot load {module} ({_words(error)}).") from error
    criteria = TokenCriteria(label=token) if token is not None else None
    try:
        session = open_pkcs11_session(str(module), token_criteria=criteria, user_pin=pin)
    except (PinIncorrect, PinInvalid, PinLenRange, PinLocked) as error:
        raise SettingsError(f"{PIN_FILE}: the token refuses the PIN ({_words(error)}).") from error
    except pkcs11.PKCS11Error as error:
        raise SettingsError(f"{PKCS11_TOKEN}: cannot open the token ({_words(error)}).") from error
    try:
        signer = PKCS11Signer(session, cert_label=label)
        _check_dates(signer.signing_cert, PKCS11_LABEL)  # looks for the key, too
    except pkcs11.PKCS11Error as error:
        session.close()
        raise SettingsError(f"{PKCS11_LABEL}: cannot use key and certificate ({_words(error)}).") from error
    except SettingsError:
        session.close()
        raise
    return signer


def _check_dates(certificate: Certificate | None, setting: str) -> None:
    """Raise SettingsError when a certificate is not valid now."""
    if fault := _out_of_date(certificate, dt.datetime.now(dt.UTC)):
        raise SettingsError(f"{setting}: {fault}.")


def _out_of_date(certificate: Certificate | None, at: dt.datetime) -> str | None:
    assert certificate is not None
    if at < certificate.not_valid_before:
        return f"the certificate is not valid before {certificate.not_valid_before:%Y-%m-%d %H:%M} UTC"
    if at > certificate.not_valid_after:
        return f"the certificate expired on {certificate.not_valid_after:%Y-%m-%d}"
    return None


def _time_stamper(url: str | None) -> HTTPTimeStamper | None:
    """The client of a time-stamping authority, which raises SealFailed for all that it does not get.

    Raises SettingsError.
    """
    from pyhanko.sign.timestamps.aiohttp_client import HTTPTimeStamper

    if not url:
        return None
    if not url.startswith(("http://", "https://")):  # many speak plain http: what they give is signed
        raise SettingsError(f"{TSA_URL} must begin with http:// or https://.")

    class Stamper(HTTPTimeStamper):
        """Keeps its trouble apart from that of the document."""

        async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> ContentInfo:
            try:
                return await super().async_timestamp(message_digest, md_algorithm)
            except Exception as error:  # a rejection is a ValueError, a wrong nonce an AttributeError
                raise SealFailed(
                    f"the time-stamping authority gave no time stamp ({_words(error)})"
                ) from error

    return Stamper(url, timeout=TSA_S)


# Sealing.


class _PadesSealer:
    """Seals with one signer of pyHanko's, as often as asked."""

    def __init__(self, signer: Signer, stamper: HTTPTimeStamper | None) -> None:
        self._signer, self._stamper = signer, stamper
        self._digits: int | None = None

    def seal(self, pdf: bytes, reason: str, at: dt.datetime) -> bytes:
        """See Sealer. The new seal is checked before the document is given away."""
        if fault := _out_of_date(self._signer.signing_cert, at):
            raise SealFailed(fault)
        try:
            sealed = asyncio.run(self._add_to(pdf, reason, at))
        except SealFailed:
            raise
        except Exception as error:
            # The libraries beneath have no common family of errors.
            raise SealFailed(f"the document could not be sealed ({_words(error)})") from error
        if not _verdict(sealed, [self._signer.signing_cert]).good:
            raise SealFailed("the new seal is not good: key and certificate, or the time stamp, do not fit")
        return sealed

    async def _add_to(self, pdf: bytes, reason: str, at: dt.datetime) -> bytes:
        """Add the seal as an incremental update. Raises SealFailed, and whatever pyHanko raises.

        pyHanko's PdfSigner is not used: for a key on an elliptic curve it declares PDF 2.0, which PDF/A-3 and
        PDF/UA-1 do not know, and it takes the time from the clock.
        """
        from pyhanko.pdf_utils.generic import pdf_name
        from pyhanko.sign.fields import InvisSigSettings, MDPPerm, SigFieldSpec, SigSeedSubFilter
        from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigMDPSetup, SigObjSetup
        from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
        from pyhanko.sign.signers.pdf_byterange import SignatureObject

        writer = _writer(pdf)
        if writer.prev.embedded_signatures:
            raise SealFailed("the document carries a signature already")
        field = SigFieldSpec(
            FIELD,
            readable_field_name=TOOLTIP_ES,
            # PDF/UA wants a widget without a tag hidden or off the page; PDF/A does not let it be hidden.
            invis_sig_settings=InvisSigSettings(set_print_flag=True, box_out_of_bounds=True),
        )
        embedder = PdfCMSEmbedder(field).write_cms(FIELD, writer)
        page = next(embedder).get_object().raw_get("/P")
        page.get_object()[pdf_name("/Tabs")] = pdf_name("/S")  # PDF/UA: now the page has something to tab to
        writer.mark_update(page)
        writer.register_extension(ESIC_EXTENSION_1)
        empty = SignatureObject(
            timestamp=at,
            subfilter=SigSeedSubFilter.PADES,
            reason=reason,
            bytes_reserved=await self._room(),
        )
        certify = SigMDPSetup(md_algorithm=DIGEST, certify=True, docmdp_perms=MDPPerm.NO_CHANGES)
        embedder.send(SigObjSetup(empty, certify))
        prepared, output = embedder.send(SigIOSetup(md_algorithm=DIGEST))
        seal = await self._signer.async_sign(
            prepared.document_digest, DIGEST, use_pades=True, timestamper=self._stamper
        )
        embedder.send(seal)
        return bytes(output.getbuffer())

    async def _room(self) -> int:
        """How many hexadecimal digits a seal may take; measured once, on a trial with a time stamp of its own."""
        if self._digits is None:
            trial = await self._signer.async_sign(
                bytes(32), DIGEST, dry_run=True, use_pades=True, timestamper=self._stamper
            )
            length = len(trial.dump())
            # A signature on a curve differs by some bytes, an authority's answer by more.
            self._digits = 2 * (length + 16 if self._stamper is None else length + length // 2)
        return self._digits


class _TokenSealer:
    """Seals with a key on a token, one document after the other, as a session of PKCS#11 wants it.

    A session ends when the token is taken out or its server starts again; the next document gets a new one.
    """

    def __init__(self, open_signer: Callable[[], PKCS11Signer], stamper: HTTPTimeStamper | None) -> None:
        self._open_signer, self._stamper = open_signer, stamper
        self._turn = threading.Lock()
        self._signer: PKCS11Signer | None = None
        self._open()

    def _open(self) -> None:
        self._signer = self._open_signer()
        self._sealer = _PadesSealer(self._signer, self._stamper)

    def seal(self, pdf: bytes, reason: str, at: dt.datetime) -> bytes:
        """See Sealer."""
        from pkcs11 import PKCS11Error

        with self._turn:
            try:
                if self._signer is None:
                    self._open()
                return self._sealer.seal(pdf, reason, at)
            except SettingsError as error:
                raise SealFailed(str(error)) from error
            except SealFailed as failure:
                if self._signer is not None and isinstance(failure.__cause__, PKCS11Error):
                    with suppress(PKCS11Error):
                        self._signer.pkcs11_session.close()
                    self._signer = None
                raise


def _writer(pdf: bytes) -> IncrementalPdfFileWriter:
    """What writes the update, on a line of its own: PDF/A wants an end of line before every object."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    class Writer(IncrementalPdfFileWriter):
        def _update_meta(self) -> None:
            """Leave the metadata alone: pyHanko would write its name and the time of the clock into them."""

    return Writer(BytesIO(pdf if pdf.endswith((b"\n", b"\r")) else pdf + b"\n"))


def _words(error: BaseException) -> str:
    """What an error says, in one short line. Causes are only named: theirs may hold addresses with passwords."""
    name = type(error).__name__ if error.__cause__ is None else type(error.__cause__).__name__
    return " ".join(f"{name}: {error}".split())[:200].rstrip(":")


# Checking.


def _verdict(pdf: bytes, roots: list[Certificate]) -> SealVerdict:
    from pyhanko.pdf_utils.reader import PdfFileReader

    try:
        signatures = PdfFileReader(BytesIO(pdf)).embedded_signatures
        if not signatures:
            return SealVerdict()
        seal = signatures[0]
        status = _status(seal, roots)
        start, length, after, rest = (int(number) for number in seal.byte_range)
        # Only what stands between the two ranges is not covered: it must be the seal, and no more than that.
        alone = _is_only(pdf[length:after], seal)
        stamp = status.timestamp_validity
        return SealVerdict(
            sealed=True,
            intact=alone
            and status.intact
            and status.valid
            and (stamp is None or (stamp.intact and stamp.valid)),
            whole_file=alone and start == 0 and after + rest == len(pdf),
            trusted=status.trusted,
            modified_after=after + rest < len(pdf),
            signer=_name(status.signing_cert),
        )
    except Exception:
        # A damaged or hostile file breaks the reader in any way it likes; it bears no seal of ours.
        return SealVerdict()


def _status(seal: EmbeddedPdfSignature, roots: list[Certificate]) -> PdfSignatureStatus:
    """pyHanko's findings; the certificate is judged at the time of a trusted time stamp, else now."""
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko.sign.validation.settings import KeyUsageConstraints
    from pyhanko_certvalidator import ValidationContext

    usage = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"})
    now = ValidationContext(trust_roots=roots, allow_fetching=False)
    status = validate_pdf_signature(seal, now, key_usage_settings=usage, skip_diff=True)
    stamp = status.timestamp_validity
    if status.trusted or stamp is None or not stamp.trusted:
        return status
    then = ValidationContext(trust_roots=roots, allow_fetching=False, moment=stamp.timestamp)
    return validate_pdf_signature(seal, then, now, key_usage_settings=usage, skip_diff=True)


def _is_only(gap: bytes, seal: EmbeddedPdfSignature) -> bool:
    """Whether a gap holds one CMS object in hexadecimal, and in it nothing that could be something else.

    Some of its fields are protected by no signature, and pyHanko reads past them (RFC 5652, 5.1 and 5.3).
    """
    from asn1crypto.parser import peek

    contents, cms, signer = seal.pkcs7_content, seal.signed_data, seal.signer_info
    digits, end = contents.hex().encode(), peek(contents)
    return (
        gap in (b"<" + digits + b">", b"<" + digits.upper() + b">")
        and contents.endswith(cms.dump(), 0, end)
        and not any(contents[end:])
        and cms["version"].dump() == signer["version"].dump() == VERSION_1
        and signer["digest_algorithm"].dump() in SHA_256
        and [one.dump() for one in cms["digest_algorithms"]] == [signer["digest_algorithm"].dump()]
    )


def _name(certificate: Certificate) -> str:
    """The common name in a certificate, or what it has instead."""
    name = certificate.subject.native.get("common_name")
    return name if isinstance(name, str) else str(certificate.subject.human_friendly)
