"""The probe: what libpq would say about a host, and why, from one look at it.

    report = probe(ProbeRequest("orders.db.example.com", ca_bundle=pem, policy=...))
    report.verdict, report.verdicts.verify_full.passed, report.findings, report.evidence

In the good case there is one connection: SSL request, TLS with verification, and with a user a
login and one query. When the chain does not verify, a second connection that verifies nothing
collects the evidence; no login is tried on it unless the mode itself verifies nothing.

Loaded when first asked for: most Lambdas only read reports of the one that probes.
"""

from typing import TYPE_CHECKING

from certifier.evidence import (
    Address,
    DmsReading,
    Evidence,
    LoginFacts,
    PlaintextFacts,
    ProbeReport,
    RequireVerdict,
    Timings,
    TlsFacts,
    Verdict,
    Verdicts,
)
from certifier.lazy import lazily

if TYPE_CHECKING:
    from certifier.probe.allowed import addresses_of, objection_to
    from certifier.probe.dial import Resolve, system_resolver
    from certifier.probe.look import probe
    from certifier.probe.request import TLS_VERSIONS, AddressPolicy, ProbeRequest
else:
    __getattr__ = lazily(
        __name__,
        {
            "allowed": ("addresses_of", "objection_to"),
            "dial": ("Resolve", "system_resolver"),
            "look": ("probe",),
            "request": ("TLS_VERSIONS", "AddressPolicy", "ProbeRequest"),
        },
    )

__all__ = [
    "TLS_VERSIONS",
    "Address",
    "AddressPolicy",
    "DmsReading",
    "Evidence",
    "LoginFacts",
    "PlaintextFacts",
    "ProbeReport",
    "ProbeRequest",
    "RequireVerdict",
    "Resolve",
    "Timings",
    "TlsFacts",
    "Verdict",
    "Verdicts",
    "addresses_of",
    "objection_to",
    "probe",
    "system_resolver",
]
