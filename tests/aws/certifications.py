"""What the steps of a run leave in the bucket, as they would; for tests of Record and of pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from certifier.certificate import CertificateFacts, bundle_digest
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.probe import (
    Address,
    DmsReading,
    Evidence,
    LoginFacts,
    ProbeReport,
    RequireVerdict,
    Timings,
    TlsFacts,
    Verdict,
    Verdicts,
)
from certifier.run.documents import (
    Change,
    Configured,
    ConnectionTest,
    ImportedCa,
    InstanceTest,
    Material,
    Plan,
    Probed,
    Rehearsal,
    TaskWork,
    Trusted,
    Versions,
)
from certifier.vocabulary import Cause, Decision, SslMode, Stage
from sandbox.pki import Authority

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ARN = "arn:aws:dms:eu-west-1:123456789012:endpoint:ABCDEFGHIJ"
INSTANCE = "arn:aws:dms:eu-west-1:123456789012:rep:RIRIRIRI"
OLD_CA, NEW_CA = (
    f"arn:aws:dms:eu-west-1:123456789012:cert:{name}" for name in ("OLDOLD", "NEWNEW")
)
OLD_ROOT, ROOT = (
    Authority.root(f"Example root {year}", not_before=NOW - timedelta(days=1))
    for year in (2023, 2026)
)
LEAF = ROOT.intermediate("Example issuing CA").issue(dns=["orders.db.example.com"])
BUNDLE = ROOT.certificate_pem.decode()

SPEC: dict[str, Any] = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.db.example.com",
    "database": "orders",
    "ssl_mode": "verify-full",
    "credentials": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf",
    "ca_bundle": "s3://platform-trust/bundle.pem",
}


def facts(pem: bytes) -> tuple[CertificateFacts, ...]:
    """The facts of a chain, in its own order."""
    return tuple(CertificateFacts.of(one) for one in x509.load_pem_x509_certificates(pem))


def endpoint(certificate: str = OLD_CA, mode: SslMode = SslMode.VERIFY_CA) -> Endpoint:
    return Endpoint(
        arn=ARN,
        identifier="orders-source",
        endpoint_type="source",
        engine="postgres",
        status="active",
        fields=EndpointFields(ssl_mode=mode, certificate_arn=certificate, database_name="orders"),
    )


def material(**fields: Any) -> Material:
    chosen: dict[str, Any] = {
        "endpoint": endpoint(),
        "trusted": Trusted(arn=OLD_CA, digest=bundle_digest(OLD_ROOT.certificate_pem)),
        "bundle_pem": BUNDLE,
        "bundle_digest": bundle_digest(BUNDLE),
        "leaf_sha256": facts(LEAF.fullchain_pem)[0].sha256,
        "versions": Versions(credentials="version-1", ca_bundle="version-2"),
    }
    return Material(**(chosen | fields))


def probe_report(passed: bool = True, **evidence: Any) -> ProbeReport:
    chain = facts(LEAF.fullchain_pem)
    good = Verdict(passed=True, seen="the chain ends in Example root 2026")
    bad = Verdict(
        passed=False,
        cause=Cause.HOSTNAME_MISMATCH,
        seen="the certificate is for orders.db.example.com, not for orders.internal",
        libpq='server certificate for "orders.db.example.com" does not match host name',
    )
    shown: dict[str, Any] = {
        "host": "orders.db.example.com",
        "port": 5432,
        "addresses": (
            Address(ip="10.0.3.17", outcome="connected"),
            Address(ip="10.0.4.17", outcome="not_tried"),
        ),
        "peer": "10.0.3.17",
        "connections": 1,
        "reached": Stage.QUERY,
        "server_name": "orders.db.example.com",
        "tls": TlsFacts(
            version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", bits=256, alpn=None, verified=True
        ),
        "chain": chain,
        "chain_length": len(chain),
        "anchor": facts(ROOT.certificate_pem)[0],
        "names": ("orders.db.example.com",),
        "leaf_sha256": chain[0].sha256,
        "served_intended": True,
        "days_left": 89,
        "login": LoginFacts(
            succeeded=True,
            method="scram-sha-256-plus",
            channel_binding=True,
            server_version="18.1",
            ssl="on",
            min_tls="TLSv1.2",
            session_ssl=True,
            session_version="TLSv1.3",
            session_cipher="TLS_AES_256_GCM_SHA384",
            plaintext_sessions=2,
        ),
        "timings": Timings(dns=0.4, tcp=0.2, tls=3.1, login=5.2, query=0.8, total=9.9),
    }
    return ProbeReport(
        verdict="pass" if passed else "fail",
        ssl_mode=SslMode.VERIFY_FULL,
        verdicts=Verdicts(
            require=RequireVerdict(
                passed=True,
                seen="encrypted, and the chain ends in Example root 2026",
                dms_reading=DmsReading(passed=True, seen="encrypted", differs=False),
            ),
            verify_ca=good,
            verify_full=good if passed else bad,
        ),
        findings=(),
        evidence=Evidence(**(shown | evidence)),
    )


def probed(passed: bool = True, **fields: Any) -> Probed:
    return Probed(report=probe_report(passed), **fields)


def plan(decision: Decision = Decision.CHANGE, **fields: Any) -> Plan:
    changes = (
        Change(field="ssl_mode", old="verify-ca", new="verify-full"),
        Change(field="certificate", old="Example root 2023", new="Example root 2026"),
    )
    chosen: dict[str, Any] = {
        "decision": decision,
        "changes": () if decision is Decision.UNCHANGED else changes,
        "desired_pem": BUNDLE,
        "desired_digest": bundle_digest(BUNDLE),
        "instances": (INSTANCE,),
    }
    return Plan(**(chosen | fields))


def dms_says(passed: bool = True, message: str | None = None) -> ConnectionTest:
    return ConnectionTest(passed=passed, tests=(instance_test(passed, message),))


def instance_test(passed: bool = True, message: str | None = None) -> InstanceTest:
    return InstanceTest(instance_arn=INSTANCE, passed=passed, message=message)


def changed(**more: Any) -> dict[str, Any]:
    """The documents of a run that changed the endpoint and proved it."""
    return {
        "read_material": material(),
        "probe_tls": probed(),
        "plan_changes": plan(),
        "import_ca": ImportedCa(certificate_arn=NEW_CA, digest=bundle_digest(BUNDLE)),
        "rehearse_changes": Rehearsal(old=(instance_test(),), canary=(instance_test(),)),
        "pause_tasks": TaskWork(tasks=("arn:aws:dms:eu-west-1:123456789012:task:TASK1",)),
        "configure_endpoint-apply": Configured(endpoint=endpoint(NEW_CA, SslMode.VERIFY_FULL)),
        "test_connection-new": dms_says(),
        "resume_tasks": TaskWork(
            tasks=("arn:aws:dms:eu-west-1:123456789012:task:TASK1",), stopped_seconds=41.0
        ),
        **more,
    }


def unchanged(**more: Any) -> dict[str, Any]:
    """The documents of a run over an endpoint that was right already."""
    now = endpoint(NEW_CA, SslMode.VERIFY_FULL)
    trusted = Trusted(arn=NEW_CA, digest=bundle_digest(BUNDLE))
    return {
        "read_material": material(endpoint=now, trusted=trusted),
        "probe_tls": probed(),
        "plan_changes": plan(Decision.UNCHANGED),
        "test_connection-new": dms_says(),
        **more,
    }
