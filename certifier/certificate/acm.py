"""What ACM's ImportCertificate asks of a certificate beyond being sound.

From the user guide's prerequisites and the API reference (2026). ACM is a side record, so none of
it stops a source.
"""

from collections.abc import Iterator
from typing import Final

from certifier.certificate.keys import KeyKind, PrivateKey
from certifier.certificate.reading import Certificate

KEY_KINDS: Final = (
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
)
MAX_CERTIFICATE_BYTES: Final = 32_768
MAX_KEY_BYTES: Final = 5_120  # the guide's limit; the API's own is 8,192
MAX_CHAIN_BYTES: Final = 2_097_152
_MAX_OCSP_URL: Final = 1_000


def unsuitable(
    leaf: Certificate, leaf_pem: bytes, chain_pem: bytes, key: PrivateKey | None
) -> Iterator[str]:
    """Yield each reason why ACM would not take the pair, as a sentence.

    Not checked: whether ACM holds the certificate already, and what a re-import may change.
    """
    kind = leaf.key_kind.name if leaf.key_kind else None
    if kind not in KEY_KINDS:
        named = f"keys of kind {kind}" if kind else "a key whose kind cannot be read"
        yield f"ACM does not take {named}; it takes {', '.join(KEY_KINDS)}"
    if leaf.version != 3:
        yield f"ACM takes X.509 version 3 alone; {leaf.title} is version {leaf.version}"
    if not (leaf.names.dns or leaf.names.ips or leaf.names.cn):
        yield f"ACM asks for a DNS name or an IP address; {leaf.title} has none"
    if not leaf.issuer:
        yield f"ACM asks for an issuer; {leaf.title} names none"
    if any(len(url) > _MAX_OCSP_URL for url in leaf.ocsp_urls):
        yield f"ACM takes OCSP addresses of at most {_MAX_OCSP_URL} characters"
    sizes = (
        ("certificate", len(leaf_pem), MAX_CERTIFICATE_BYTES),
        ("private key", 0 if key is None else len(key.pem()), MAX_KEY_BYTES),
        ("chain", len(chain_pem), MAX_CHAIN_BYTES),
    )
    for what, size, most in sizes:
        if size > most:
            yield f"ACM takes a {what} of at most {most} bytes of PEM; this one has {size}"
    signature = leaf.signature[0] if leaf.signature else ""
    if leaf.key_kind and not _same_algorithm(leaf.key_kind, signature):
        yield (
            "ACM's API reference asks that key and signature use the same algorithm; the key is"
            f" {kind}, the signature {signature}"
        )


def _same_algorithm(kind: KeyKind, signature: str) -> bool:
    """Whether an RSA key has an RSA signature, and an elliptic one an ECDSA signature."""
    if kind.name.startswith("RSA"):
        return "RSA" in signature
    return not kind.name.startswith("EC_") or "ecdsa" in signature
