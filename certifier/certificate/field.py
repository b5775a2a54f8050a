"""One thing that was handed over, sorted by what is in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from certifier.certificate.identify import (
    DER_CERTIFICATE,
    DER_CRL,
    DER_ENCRYPTED_KEY,
    DER_PUBLIC_KEY,
    DER_REQUEST,
    EMPTY,
    HTML,
    PKCS7,
    PKCS12,
    SSH_KEY,
    Content,
    named,
)
from certifier.certificate.pem import (
    CERTIFICATE_LABELS,
    ENCRYPTED_KEY_LABEL,
    PRIVATE_KEY_LABELS,
    Block,
    Pem,
    read_pem,
)
from certifier.certificate.reading import Certificate
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.vocabulary import Cause, Witness

_REQUEST: Final = Content(
    "a certificate signing request", "Supply the certificate that the CA has made of it."
)
_PUBLIC_KEY: Final = Content(
    "a public key, which is only a part of a certificate", "Supply the certificate itself."
)
_PGP: Final = Content(
    "an OpenPGP key, which is not used in TLS", "Supply the server's certificate and its key."
)
_WHAT: Final = {
    "CERTIFICATE REQUEST": _REQUEST,
    "NEW CERTIFICATE REQUEST": _REQUEST,
    "PUBLIC KEY": _PUBLIC_KEY,
    "RSA PUBLIC KEY": _PUBLIC_KEY,
    "X509 CRL": Content("a certificate revocation list", "Supply the certificate in PEM."),
    "PKCS7": PKCS7,
    "PKCS #7 SIGNED DATA": PKCS7,
    "CMS": PKCS7,
    "OPENSSH PRIVATE KEY": SSH_KEY,
    "SSH2 ENCRYPTED PRIVATE KEY": SSH_KEY,
    "DH PARAMETERS": Content(
        "Diffie-Hellman parameters", "Supply the certificate and its key; these are neither."
    ),
    "PGP PUBLIC KEY BLOCK": _PGP,
    "PGP PRIVATE KEY BLOCK": _PGP,
}
_NOT_KEYS: Final = frozenset(
    {DER_CERTIFICATE, DER_REQUEST, DER_CRL, DER_PUBLIC_KEY, PKCS7, PKCS12, SSH_KEY, HTML}
)
_SAID_ONE_BY_ONE: Final = 3
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
        others: labels of the other blocks, and ``instead`` what they are.
        findings: what is damaged, too large or not PEM at all; and, as advice, what was repaired.
    """

    name: str
    present: bool = False
    given: tuple[Certificate, ...] = ()
    private_keys: tuple[bytes, ...] = field(default=(), repr=False)
    encrypted_keys: bool = False
    others: tuple[str, ...] = ()
    instead: tuple[Content, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Each certificate once, in the order of the text."""
        return tuple(dict.fromkeys(self.given))

    def held_instead(self) -> str:
        """Return what the field holds instead of what it should, to end a sentence with."""
        if self.encrypted_keys:
            return "; it holds an encrypted private key"
        held = [content.what for content in self.instead]
        if self.certificates:
            held.insert(0, "a certificate")
        if self.private_keys:
            held.insert(0, "a private key")
        if not held:
            return "; it is empty" if self.present else ""
        return f"; it holds {', and '.join(held)}"

    def step_instead(self) -> str | None:
        """Return what to do with what the field holds instead; ``None`` when that has no name."""
        return " ".join(dict.fromkeys(content.step for content in self.instead)) or None

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

    def said(cause: Cause, seen: str, remedy: str | None = None) -> Finding:
        return finding(cause, place=place, seen=f"the {name}: {seen}", remedy=remedy)

    found = [said(*trouble) for trouble in _troubles(pem)]
    given: list[Certificate] = []
    keys: list[bytes] = []
    others: dict[str, Content] = {}
    unreadable: list[Certificate] = []
    misplaced: dict[tuple[str, Content], None] = {}
    encrypted = False
    for block in pem.blocks:
        if block.label == ENCRYPTED_KEY_LABEL or block.encrypted:
            encrypted = True
        elif block.label in CERTIFICATE_LABELS:
            certificate = Certificate(block.der)
            if certificate.loaded is not None:
                given.append(certificate)
            elif (content := named(block.der)) in (None, DER_CERTIFICATE):
                unreadable.append(certificate)
            elif content is not None:
                misplaced[block.label, content] = None
        elif block.label in PRIVATE_KEY_LABELS:
            content = named(block.der)
            if content in _NOT_KEYS and content is not None:
                misplaced[block.label, content] = None
            else:
                keys.append(block.der)
        elif block.label not in _SILENT:
            others[block.label] = _other(block)
    found += [said(*_misplaced(label, content)) for label, content in misplaced]
    found += [said(Cause.PEM_DAMAGED, seen) for seen in _unreadable(unreadable)]
    return Field(
        name,
        True,
        tuple(given),
        tuple(keys),
        encrypted,
        tuple(others),
        tuple(content for _label, content in sorted(others.items())),
        tuple(found),
    )


_Trouble = tuple[Cause, str, str | None]


def _troubles(pem: Pem) -> Iterator[_Trouble]:
    for repair in pem.repaired:
        yield Cause.CHAIN_REPAIRED, repair, None
    for label, content in pem.inside:
        yield _misplaced(label, content)
    for damage in pem.damaged:
        yield Cause.PEM_DAMAGED, damage, None
    if pem.too_large is not None:
        yield Cause.MATERIAL_TOO_LARGE, pem.too_large, None
    elif pem.instead == DER_ENCRYPTED_KEY:
        yield Cause.KEY_ENCRYPTED, pem.instead.what, pem.instead.step
    elif pem.instead is not None and pem.instead != EMPTY:
        yield Cause.NOT_PEM, pem.instead.what, pem.instead.step


def _misplaced(label: str, content: Content) -> _Trouble:
    """Say what a block holds whose label promises something else."""
    return Cause.NOT_PEM, f"a block labelled {label} holds {content.what}", content.step


def _other(block: Block) -> Content:
    if named(block.der) == DER_CERTIFICATE:
        return Content(
            f"a certificate in a block labelled {block.label}",
            "Write CERTIFICATE in its BEGIN and END lines.",
        )
    return _WHAT.get(
        block.label,
        Content(
            f"a block labelled {block.label}",
            "Supply PEM: a certificate from BEGIN CERTIFICATE to END CERTIFICATE, a key from BEGIN"
            " PRIVATE KEY to END PRIVATE KEY.",
        ),
    )


def _unreadable(certificates: list[Certificate]) -> Iterator[str]:
    """Say each of a few, or how many they are and what the first ones are called."""
    if len(certificates) <= _SAID_ONE_BY_ONE:
        for certificate in certificates:
            name = certificate.subject
            what = f"the certificate of {name}" if name else "a block labelled as certificate"
            yield f"{what} cannot be read ({'; '.join(certificate.unreadable)})"
        return
    names = "; ".join(one.title for one in certificates[:_SAID_ONE_BY_ONE])
    more = len(certificates) - _SAID_ONE_BY_ONE
    yield f"{len(certificates)} certificates cannot be read: {names}; and {more} more"
