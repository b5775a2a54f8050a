"""One thing that was handed over, sorted by what is in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from certifier.certificate.identify import DER_ENCRYPTED_KEY, EMPTY
from certifier.certificate.pem import (
    CERTIFICATE_LABELS,
    ENCRYPTED_KEY_LABEL,
    PRIVATE_KEY_LABELS,
    Pem,
    read_pem,
)
from certifier.certificate.reading import Certificate
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.vocabulary import Cause, Witness

_REQUEST: Final = "a certificate signing request, where what the CA made of it is needed"


_WHAT: Final = {
    "CERTIFICATE REQUEST": _REQUEST,
    "NEW CERTIFICATE REQUEST": _REQUEST,
    "PUBLIC KEY": "a public key, which is only a part of a certificate",
    "RSA PUBLIC KEY": "a public key, which is only a part of a certificate",
    "X509 CRL": "a certificate revocation list",
    "PKCS7": "PKCS#7; `openssl pkcs7 -print_certs -in FILE` writes its certificates as PEM",
    "CMS": "PKCS#7; `openssl pkcs7 -print_certs -in FILE` writes its certificates as PEM",
    "OPENSSH PRIVATE KEY": "a key in OpenSSH's format; `ssh-keygen -p -m PEM -f FILE` rewrites it",
    "SSH2 ENCRYPTED PRIVATE KEY": "a key in the format of SSH",
    "DH PARAMETERS": "Diffie-Hellman parameters",
    "PGP PUBLIC KEY BLOCK": "an OpenPGP key, which is not used in TLS",
    "PGP PRIVATE KEY BLOCK": "an OpenPGP key, which is not used in TLS",
}


_SILENT: Final = frozenset({"EC PARAMETERS"})  # `openssl ecparam -genkey` writes it before each key


@dataclass(frozen=True)
class Field:
    """What one field holds.

    Attributes:
        name: what to call it in a sentence.
        present: it was handed over, be it empty.
        given: certificates in the order of the text, with duplicates.
        private_keys: unencrypted ones in DER; not part of ``repr``.
        encrypted_keys: whether an encrypted one is there.
        others: labels of the other blocks.
        findings: what is damaged, too large or not PEM at all; and, as advice, what was repaired.
    """

    name: str
    present: bool = False
    given: tuple[Certificate, ...] = ()
    private_keys: tuple[bytes, ...] = field(default=(), repr=False)
    encrypted_keys: bool = False
    others: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Each certificate once, in the order of the text."""
        return tuple(dict.fromkeys(self.given))

    def held_instead(self) -> str:
        """Return what the field holds instead of what it should, to end a sentence with."""
        if self.encrypted_keys:
            return "; it holds an encrypted private key"
        held = [_WHAT.get(label, f"a block labelled {label}") for label in sorted(set(self.others))]
        if self.certificates:
            held.insert(0, "a certificate")
        if self.private_keys:
            held.insert(0, "a private key")
        if not held:
            return "; it is empty" if self.present else ""
        return f"; it holds {', and '.join(held)}"

    def ignored_findings(self, place: Witness) -> list[Finding]:
        """Return what is said of blocks that nobody needs, in a field that is good otherwise."""
        if not self.others or not self.given:
            return []
        held = ", ".join(sorted(set(self.others)))
        seen = f"the {self.name} also holds {held}; that was left out"
        return [finding(Cause.CHAIN_REPAIRED, place=place, seen=seen)]


def read_field(name: str, data: bytes | None, place: Witness) -> Field:
    """Sort what one field holds. Never raises; a field that is ``None`` holds nothing."""
    if data is None:
        return Field(name)
    pem = read_pem(data)

    def said(cause: Cause, seen: str) -> Finding:
        return finding(cause, place=place, seen=f"the {name}: {seen}")

    found = [said(cause, seen) for cause, seen in _troubles(pem)]
    given: list[Certificate] = []
    keys: list[bytes] = []
    others: list[str] = []
    encrypted = False
    for block in pem.blocks:
        if block.label in CERTIFICATE_LABELS:
            certificate = Certificate(block.der)
            if certificate.loaded is None:
                found.append(said(Cause.PEM_DAMAGED, _unreadable(certificate)))
            else:
                given.append(certificate)
        elif block.label == ENCRYPTED_KEY_LABEL or block.encrypted:
            encrypted = True
        elif block.label in PRIVATE_KEY_LABELS:
            keys.append(block.der)
        elif block.label not in _SILENT:
            others.append(block.label)
    return Field(name, True, tuple(given), tuple(keys), encrypted, tuple(others), tuple(found))


def _troubles(pem: Pem) -> Iterator[tuple[Cause, str]]:
    for repair in pem.repaired:
        yield Cause.CHAIN_REPAIRED, repair
    for damage in pem.damaged:
        yield Cause.PEM_DAMAGED, damage
    if pem.too_large is not None:
        yield Cause.MATERIAL_TOO_LARGE, pem.too_large
    elif pem.instead == DER_ENCRYPTED_KEY:
        yield Cause.KEY_ENCRYPTED, f"is {pem.instead}"
    elif pem.instead is not None and pem.instead != EMPTY:
        yield Cause.NOT_PEM, f"is {pem.instead}"


def _unreadable(certificate: Certificate) -> str:
    name = certificate.subject
    what = f"the certificate of {name}" if name else "a block labelled as certificate"
    return f"{what} cannot be read ({'; '.join(certificate.unreadable)})"
