"""Certificates, keys and CA bundles: what they are, and whether a source can use them.

Pure: the standard library, ``cryptography`` and ``pydantic``; the clock is an argument.
"""

from certifier.certificate.bundle import (
    Bundle,
    bundle_digest,
    certificates_in,
    trust_bundle,
    union,
)
from certifier.certificate.expiry import Expiring, Role, expiring
from certifier.certificate.facts import CertificateFacts, certificate_facts
from certifier.certificate.intake import Intake, intake
from certifier.certificate.keys import PrivateKey
from certifier.certificate.policy import POLICY_CAUSES, Policy, policy_findings
from certifier.certificate.reading import Certificate, Names
from certifier.certificate.secret import SECRET_KEYS, SecretParts, material_from_secret

__all__ = [
    "POLICY_CAUSES",
    "SECRET_KEYS",
    "Bundle",
    "Certificate",
    "CertificateFacts",
    "Expiring",
    "Intake",
    "Names",
    "Policy",
    "PrivateKey",
    "Role",
    "SecretParts",
    "bundle_digest",
    "certificate_facts",
    "certificates_in",
    "expiring",
    "intake",
    "material_from_secret",
    "policy_findings",
    "trust_bundle",
    "union",
]
