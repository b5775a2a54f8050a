"""Certificates, keys and CA bundles: what they are, and whether a source can use them.

Pure: the standard library, ``cryptography`` and ``pydantic``; the clock is an argument.
"""

from certifier.certificate.bundle import Bundle, bundle_digest, certificates_in, union
from certifier.certificate.facts import Certificate, CertificateFacts, Names, certificate_facts
from certifier.certificate.keys import PrivateKey
from certifier.certificate.policy import POLICY_CAUSES, Policy, policy_findings

__all__ = [
    "POLICY_CAUSES",
    "Bundle",
    "Certificate",
    "CertificateFacts",
    "Names",
    "Policy",
    "PrivateKey",
    "bundle_digest",
    "certificate_facts",
    "certificates_in",
    "policy_findings",
    "union",
]
