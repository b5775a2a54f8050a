"""What the fleet page needs to know of a record: a few kilobytes in place of a hundred.

Digests are kept in the bucket beside the page (``reports/latest.json``), so that whoever makes the
page again reads only the records that are new since. They are a cache: one that is lost, or of
another version, is made again from the records.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, ValidationError

from certifier.certificate import CertificateFacts
from certifier.certificate.expiry import walked
from certifier.evidence import ProbeReport
from certifier.models import Fact
from certifier.run.kept import shown
from certifier.run.record import Certification, Proof, TrustRecord
from certifier.text import printable
from certifier.vocabulary import Mode

FORMAT = "certifier.fleet/1"
SEEN = 240
"""Characters of a sentence that quotes a server; the record has all of it."""
TITLE = 120
CHAIN = 6
"""Certificates of a chain that are shown."""
CHANGES = 12
BUNDLE = 400
"""CAs of one bundle that are counted; the largest public bundle has 150."""
FINGERPRINT = 32
"""Hex digits of a SHA-256 that are kept: 128 bits tell any two certificates apart."""


class CertificateDigest(Fact):
    """A certificate: the beginning of its SHA-256, its subject, and its dates."""

    sha256: str
    title: str
    not_before: datetime | None = None
    not_after: datetime | None = None


class VerdictDigest(Fact):
    """Whether one mode would connect, and why not."""

    passed: bool
    seen: str
    cause: str | None = None


class ChangeDigest(Fact):
    """One field that was changed, or that a plan would change."""

    field: str
    old: str | None = None
    new: str | None = None


class Digest(Fact):
    """What one record says, in short.

    Attributes:
        record: key of the record in the bucket, without its suffix.
        readable: False: what lies there is not a record that this version reads.
        verified: what our probe, the rehearsal and the DMS test have verified, in words.
        probed_at: when the chain and the verdicts were seen; an earlier run's, when the last one
            connected nowhere.
        chain: as served, the leaf first, as far as a client walks it; the anchor is apart.
        bundle: the key under which the CAs that the endpoint trusts are kept.
        intended: of the certificate that the server is meant to serve.
        stopped_seconds: for how long the longest of the tasks was stopped.
    """

    record: str
    readable: bool = True
    recorded_at: datetime | None = None
    endpoint: str | None = None
    verified: Mapping[str, str] = {}
    probed_at: datetime | None = None
    verdicts: Mapping[str, VerdictDigest] = {}
    chain: tuple[CertificateDigest, ...] = ()
    anchor: CertificateDigest | None = None
    server: str | None = None
    bundle: str | None = None
    overlap: bool = False
    intended: str | None = None
    acm_arn: str | None = None
    changes: tuple[ChangeDigest, ...] = ()
    changed: bool = False
    rolled_back: bool = False
    paused: int = 0
    stopped_seconds: float | None = None

    def with_earlier(self, before: "Digest | None") -> "Digest":
        """Return the digest with what an earlier one saw, where this run looked at nothing."""
        if before is None:
            return self
        kept: dict[str, Any] = {}
        if self.probed_at is None:
            kept |= {name: getattr(before, name) for name in _OF_PROBE}
        if self.bundle is None and self.endpoint is None:
            kept |= {"bundle": before.bundle, "endpoint": before.endpoint}
        return self.model_copy(update=kept) if kept else self


_OF_PROBE = ("probed_at", "verdicts", "chain", "anchor", "server")


class Digests(Fact):
    """The digests of all sources by name, and the CAs that they trust by bundle.

    ``finished_at`` and ``report``: when the last execution with something to do was finished, and
    the key of its report.
    """

    model_config = ConfigDict(extra="ignore")

    format: str = FORMAT
    finished_at: datetime | None = None
    report: str | None = None
    of: Mapping[str, Digest] = {}
    bundles: Mapping[str, tuple[CertificateDigest, ...]] = {}

    @classmethod
    def read(cls, body: bytes | None) -> "Digests":
        """Return what was kept; nothing, when it is missing or another version's."""
        try:
            kept = shown(cls, body) if body else cls()
        except ValidationError:
            return cls()
        return kept if kept.format == FORMAT else cls()


def digest(key: str, body: bytes | None) -> tuple[Digest, tuple[CertificateDigest, ...]]:
    """Return the digest of the record under ``key``, and the CAs that its endpoint trusts."""
    try:
        record = shown(Certification, body) if body else None
    except ValidationError:
        record = None
    if record is None or record.mode is not Mode.APPLY:
        return Digest(record=key, readable=False), ()
    report = _report(record)
    trusted = tuple(map(_certificate, record.trust.anchors[:BUNDLE])) if record.trust else ()
    return Digest(
        record=key,
        recorded_at=record.recorded_at,
        endpoint=record.endpoint.identifier if record.endpoint else None,
        verified=dict(_verified(record)),
        **(_probed(report, record.recorded_at) if report else {}),
        bundle=_bundle(record.trust) if record.trust and trusted else None,
        overlap=record.trust.overlap if record.trust else False,
        intended=_short(record.intended_leaf_sha256),
        acm_arn=record.acm.acm_arn if record.acm else None,
        changes=tuple(
            ChangeDigest(
                field=change.field,
                old=None if change.old is None else printable(str(change.old), TITLE),
                new=None if change.new is None else printable(str(change.new), TITLE),
            )
            for change in record.changes[:CHANGES]
        ),
        changed=record.changed,
        rolled_back=record.rolled_back,
        paused=len(record.tasks.paused),
        stopped_seconds=record.tasks.stopped_seconds,
    ), trusted


def _report(record: Certification) -> ProbeReport | None:
    try:
        return ProbeReport.model_validate(record.probe, extra="ignore") if record.probe else None
    except ValidationError:
        return None


def _probed(report: ProbeReport, at: datetime) -> dict[str, Any]:
    evidence = report.evidence
    chain = walked(evidence.chain, evidence.anchor)[:CHAIN]
    version = evidence.login.server_version if evidence.login else None
    return {
        "probed_at": at,
        "verdicts": {
            mode: VerdictDigest(
                passed=verdict.passed, seen=printable(verdict.seen, SEEN), cause=verdict.cause
            )
            for mode, verdict in (
                ("require", report.verdicts.require),
                ("verify-ca", report.verdicts.verify_ca),
                ("verify-full", report.verdicts.verify_full),
            )
        },
        "chain": tuple(map(_certificate, chain)),
        "anchor": _certificate(evidence.anchor) if evidence.anchor else None,
        "server": printable(version, TITLE) if version else None,
    }


def _verified(record: Certification) -> Iterator[tuple[str, str]]:
    named: Iterable[tuple[str, Proof | None]] = (
        ("our probe", record.verified.probe),
        ("rehearsal in DMS", record.verified.rehearsal),
        ("DMS connection test", record.verified.dms_test),
    )
    for name, proof in named:
        if proof is not None:
            yield name, proof.words if proof.connected else "did not connect"


def _bundle(trust: TrustRecord) -> str | None:
    return trust.digest or trust.certificate_arn


_COMMON_NAME = re.compile(r"CN=((?:[^,+\\]|\\.)+)")


def title(facts: CertificateFacts) -> str:
    """Return what people call a certificate: a leaf by the host, a CA by its common name."""
    if not facts.is_ca and facts.names.dns:
        return printable(facts.names.dns[0], TITLE)
    found = _COMMON_NAME.search(facts.subject or "")
    return printable(found[1].replace("\\", "") if found else facts.title, TITLE)


def _certificate(facts: CertificateFacts) -> CertificateDigest:
    return CertificateDigest(
        sha256=facts.sha256[:FINGERPRINT],
        title=title(facts),
        not_before=facts.not_before,
        not_after=facts.not_after,
    )


def _short(sha256: str | None) -> str | None:
    return None if sha256 is None else sha256[:FINGERPRINT]
