"""Keys with which tests seal documents: made here, trusted by nobody else."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.certificates import DAY, Authority, authority, write

PASSWORD = "clave del sello ñ"
SIGNER = "Perú Infomigra"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def now() -> dt.datetime:
    """The present instant."""
    return dt.datetime.now(dt.UTC)


def issue(
    ca: Authority, key: Key, *, start: dt.timedelta = -DAY, end: dt.timedelta = 20 * DAY, stamps: bool = False
) -> x509.Certificate:
    """A certificate for a key, to seal with or (`stamps`) for a time-stamping authority."""
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SIGNER)]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() + start)
        .not_valid_after(now() + end)
        .add_extension(usage, critical=True)
    )
    if stamps:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
        )
    return builder.sign(ca.key, hashes.SHA256())


@dataclass(frozen=True)
class Keys:
    """Keys of the entity: files as an operator has them."""

    folder: Path
    ca: Authority

    def save(
        self, name: str, key: Key, certificate: x509.Certificate, password: str = PASSWORD
    ) -> dict[str, Any]:
        """Write a key with its certificate. Returns the arguments that open it."""
        encryption = serialization.BestAvailableEncryption(password.encode())
        content = pkcs12.serialize_key_and_certificates(
            name.encode(), key, certificate, [self.ca.certificate], encryption
        )
        return {
            "pkcs12": write(self.folder / f"{name}.p12", content),
            "password_file": write(self.folder / f"{name}.txt", f"{password}\n".encode()),
        }


def curve_key(folder: Path) -> tuple[Authority, dict[str, Any]]:
    """An authority, and the arguments that open a key on a curve which it vouches for."""
    ca, key = authority(), ec.generate_private_key(ec.SECP256R1())
    return ca, Keys(folder, ca).save("curve", key, issue(ca, key))
