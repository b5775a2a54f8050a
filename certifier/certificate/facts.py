"""What a certificate says, as frozen values that can be shown, stored and compared.

Facts are read, not judged: whether a certificate is good is for the intake, the probe and the
policy. A part that cannot be read is ``None`` (or empty) and named in ``unreadable``; no
certificate, however odd, makes these functions raise.
"""

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import Field

from certifier.models import Fact
from certifier.redactor import COMPUTED
from certifier.text import brief, printable

if TYPE_CHECKING:
    from cryptography import x509

    from certifier.certificate.reading import Certificate


from certifier.certificate.names import Names

_SERIAL_CAP: Final = 80  # twice the 20 bytes of RFC 5280, section 4.1.2.2


class CertificateFacts(Fact):
    """One certificate.

    Attributes:
        subject, issuer: RFC 4514 text, most specific attribute first.
        not_before, not_after: the first and the last second it is valid (RFC 5280, section
            4.1.2.5).
        key: kind and size in ACM's words, e.g. ``RSA_2048``, ``EC_prime256v1``, ``ED25519``.
        key_bits: the size of the key; for elliptic curves that of the field.
        signature: e.g. ``sha256WithRSAEncryption``; ``signature_hash``: e.g. ``sha256``, or
            ``None`` for schemes without one to choose (Ed25519) and for unknown ones.
        sha256: of the whole certificate, lower-case hex; ``spki_sha256``: of its public key.
        serial: lower-case hex.
        is_ca: whether it may sign certificates, as OpenSSL decides it (``X509_check_ca``).
        self_signed: whether its own key made its signature.
        strict_violations: what stricter clients (Python 3.13, Go) miss in it, in words.
        unreadable: the parts that could not be read, and why.
    """

    subject: str | None = None
    issuer: str | None = None
    names: Names = Field(default_factory=Names)
    not_before: datetime | None = None
    not_after: datetime | None = None
    key: str | None = None
    key_bits: int | None = None
    signature: str | None = None
    signature_hash: str | None = None
    sha256: Annotated[str, COMPUTED]
    spki_sha256: Annotated[str | None, COMPUTED] = None
    serial: str | None = None
    is_ca: bool | None = None
    self_signed: bool | None = None
    strict_violations: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    @classmethod
    def of(cls, certificate: "x509.Certificate | bytes") -> Self:
        """Return the facts of a certificate, given as an object or as DER."""
        if not isinstance(certificate, bytes):
            from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

            certificate = certificate.public_bytes(Encoding.DER)
        return cls(**_guarded(_certificate(certificate)))

    @property
    def title(self) -> str:
        """What to call it in a sentence: its subject, or its fingerprint when that says nothing."""
        return brief(self.subject) if self.subject else f"certificate {self.sha256[:16]}"

    @property
    def issuer_title(self) -> str:
        """What to call its issuer in a sentence."""
        return brief(self.issuer) if self.issuer else "an issuer without a name"


def certificate_facts(der: bytes) -> CertificateFacts:
    """Return the facts of one certificate in DER; all are unreadable of what is none."""
    return facts_of(_certificate(der))


def all_names(der: bytes) -> Names:
    """Return every name of one certificate in DER, to decide by: its facts keep the first."""
    from certifier.certificate.guard import guarded  # noqa: PLC0415

    names, _why = guarded(lambda: _certificate(der).names)
    return names or Names()


def facts_of(certificate: "Certificate") -> CertificateFacts:
    """Return the facts of a certificate that is being read already."""
    return CertificateFacts(**_guarded(certificate))


def _certificate(der: bytes) -> "Certificate":
    """Begin to read a certificate. Only now is ``cryptography`` loaded: who stores, compares or
    judges facts can do without it."""
    from certifier.certificate.reading import Certificate  # noqa: PLC0415

    return Certificate(der)


def _guarded(certificate: "Certificate") -> dict[str, Any]:
    """The facts; of one that makes the reader itself fail, that it does."""
    from certifier.certificate.guard import guarded  # noqa: PLC0415

    values, why = guarded(lambda: _read(certificate))
    if values is None:
        return {"sha256": certificate.sha256, "unreadable": (f"certificate: {why}",)}
    return values


def _read(certificate: "Certificate") -> dict[str, Any]:
    kind, signature = certificate.key_kind, certificate.signature
    spki, serial = certificate.spki_raw, certificate.serial
    known = spki is not None
    values = {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": certificate.names.bounded(),
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "key": kind.name if kind else None,
        "key_bits": kind.bits if kind else None,
        "signature": signature[0] if signature else None,
        "signature_hash": signature[1] if signature else None,
        "sha256": certificate.sha256,
        "spki_sha256": hashlib.sha256(spki).hexdigest() if spki else None,
        "serial": None if serial is None else printable(format(serial, "x"), _SERIAL_CAP),
        "is_ca": certificate.is_ca if known else None,
        "self_signed": certificate.self_signed if known else None,
        "strict_violations": certificate.strict_violations if known else (),
    }
    _ = (
        certificate.loaded,
        certificate.purposes_allow_tls,
    )  # what they cannot read must be named too
    return {**values, "unreadable": certificate.unreadable}


class Leaf(Fact):
    """What is remembered of a server certificate; ``sha256`` is of its DER, in lower-case hex."""

    sha256: str
    subject: str | None = None
    not_after: datetime | None = None
