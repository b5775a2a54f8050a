"""One canonical form for a bundle of certificates, and its digest; nothing in it is verified.

Two bundles are the same when they hold the same certificates, whatever their order, comments and
line breaks. So the canonical form is the certificates in DER, without duplicates, sorted, in plain
PEM, and the digest is SHA-256 over that DER, one after another.
"""

import base64
import hashlib
from collections.abc import Iterable

from certifier.certificate.pem import CERTIFICATE_LABELS, read_pem


def certificates_in(pem: bytes | str) -> tuple[bytes, ...]:
    """Return the DER of every certificate in a text, each once, sorted; without damaged blocks."""
    blocks = read_pem(pem).blocks
    return tuple(sorted({block.der for block in blocks if block.label in CERTIFICATE_LABELS}))


def to_pem(der: bytes) -> str:
    """Return one certificate in PEM, with lines of 64 characters (RFC 7468, section 2)."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


def canonical(ders: Iterable[bytes]) -> str:
    """Return certificates in canonical form."""
    return "".join(to_pem(der) for der in sorted(set(ders)))


def bundle_digest(pem: bytes | str) -> str:
    """Return the digest of a bundle, in lower-case hex.

    A text without any certificate has the digest of nothing; such a bundle is never imported.
    """
    return hashlib.sha256(b"".join(certificates_in(pem))).hexdigest()


def union(*pems: bytes | str) -> str:
    """Return all certificates of some bundles as one canonical bundle: what CA overlap trusts."""
    return canonical(der for pem in pems for der in certificates_in(pem))
