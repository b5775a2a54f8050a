"""Certificates, keys and CA bundles: what they are, and whether a source can use them.

Pure: the standard library, ``cryptography`` and ``pydantic``; the clock is an argument.

Everything is loaded when it is first asked for (PEP 562): most Lambdas compare digests and facts,
and their cold start should not pay for ``cryptography``.
"""

from typing import TYPE_CHECKING

from certifier.lazy import lazily

if TYPE_CHECKING:
    from certifier.certificate.bundle import Bundle, trust_bundle
    from certifier.certificate.canonical import bundle_digest, certificates_in, union
    from certifier.certificate.expiry import Expiring, Role, expiring, share_left
    from certifier.certificate.facts import CertificateFacts, certificate_facts
    from certifier.certificate.intake import Intake, check_material
    from certifier.certificate.keys import PrivateKey
    from certifier.certificate.names import Names
    from certifier.certificate.policy import policy_findings
    from certifier.certificate.reading import Certificate
    from certifier.certificate.secret import SECRET_KEYS, SecretParts, material_from_secret
else:
    __getattr__ = lazily(
        __name__,
        {
            "bundle": ("Bundle", "trust_bundle"),
            "canonical": ("bundle_digest", "certificates_in", "union"),
            "expiry": ("Expiring", "Role", "expiring", "share_left"),
            "facts": ("CertificateFacts", "Names", "certificate_facts"),
            "intake": ("Intake", "check_material"),
            "keys": ("PrivateKey",),
            "policy": ("policy_findings",),
            "reading": ("Certificate",),
            "secret": ("SECRET_KEYS", "SecretParts", "material_from_secret"),
        },
    )

__all__ = [
    "SECRET_KEYS",
    "Bundle",
    "Certificate",
    "CertificateFacts",
    "Expiring",
    "Intake",
    "Names",
    "PrivateKey",
    "Role",
    "SecretParts",
    "bundle_digest",
    "certificate_facts",
    "certificates_in",
    "check_material",
    "expiring",
    "material_from_secret",
    "policy_findings",
    "share_left",
    "trust_bundle",
    "union",
]
