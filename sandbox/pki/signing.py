"""One certificate, made and signed, also as no builder would sign it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.pki.der import OLD_ALGORITHMS, as_version_1, edited, with_algorithm, with_pss_key
from sandbox.pki.keys import Key, PrivateKey, pss_padding, sign


def yesterday() -> datetime:
    """A day ago by the machine's clock, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


def sign_certificate(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    kind: Key,
    public: PrivateKey,
    signer: PrivateKey,
    signer_kind: Key,
    issuer_ski: bytes | None,
    since: datetime,
    not_before: datetime | None,
    not_after: datetime | None,
    days: int,
    digest: hashes.HashAlgorithm | None,
    pss: bool,
    version: int,
    ski: bool,
    aki: bool,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    serial: int | None = None,
) -> x509.Certificate:
    """A certificate for `public`, signed by `signer`.

    Without dates it begins at `since` and ends after `days`; without `not_before`, but with a
    `not_after` before that, it lasted for `days`.
    """
    begin = not_before or since
    if not_before is None and not_after is not None and not_after <= begin:
        begin = not_after - timedelta(days=days)
    end = not_after or begin + timedelta(days=days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    own_ski = x509.SubjectKeyIdentifier.from_public_key(public.public_key())
    if ski:
        builder = builder.add_extension(own_ski, critical=False)
    if aki:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier(issuer_ski or own_ski.digest, None, None), critical=False
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    chosen = None if signer_kind is Key.ED25519 else digest or hashes.SHA256()
    use_pss = pss or signer_kind is Key.RSA_PSS
    edits: list[Callable[[list[bytes]], list[bytes]]] = []
    modern: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None
    if isinstance(chosen, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        modern = chosen
    elif chosen is not None:  # the builder no longer signs with what is broken; we do it below
        modern = hashes.SHA256()
        algorithm = OLD_ALGORITHMS[type(chosen), isinstance(signer, rsa.RSAPrivateKey)]
        edits.append(lambda tbs: with_algorithm(tbs, algorithm))
    made = builder.sign(signer, modern, rsa_padding=pss_padding(modern) if use_pss else None)
    if kind is Key.RSA_PSS:
        edits.append(with_pss_key)
    if version == 1:
        edits.append(as_version_1)
    if not edits:
        return made
    return edited(made, edits, lambda tbs: sign(signer, tbs, chosen, use_pss))
