"""A fleet of any size, as the table and the bucket would hold it after months of use.

To run two hundred certifications takes minutes; to look at the page of two hundred sources must
not. So specs, what is remembered and the records are made here, of every kind that a fleet has.
The certificates are real ones, issued by the authorities of ``sandbox.pki``, and the findings are
the catalogue's. The same ``count``, ``now`` and ``seed`` give the same fleet, up to the keys of its
certificates.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from cryptography import x509

from certifier.aws.fleet import gather
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.aws.store.items import plain, source_key
from certifier.aws.table import Table
from certifier.certificate import CertificateFacts, bundle_digest, expiring
from certifier.certificate.facts import Leaf as RememberedLeaf
from certifier.diagnosis import finding
from certifier.endpoint.facts import EndpointFields
from certifier.evidence import (
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
from certifier.fleet.facts import InstallationFacts
from certifier.fleet.page import fleet_page
from certifier.models import Finding, weightiest
from certifier.report import certification_page
from certifier.report.fleet import fleet_html
from certifier.run.documents import Change, ImportedCertificate
from certifier.run.history import DAYS, History, PastRun
from certifier.run.record import (
    Certification,
    DmsTest,
    EndpointRecord,
    Proof,
    Subject,
    TaskRecord,
    TrustRecord,
    Verified,
)
from certifier.run.state import SourceState
from certifier.source import Source, parse_source
from certifier.vocabulary import Cause, Mode, Origin, Outcome, Severity, SslMode, Stage, Witness
from sandbox.aws import Cloud
from sandbox.pki import Authority

TEAMS = (
    "payments",
    "orders",
    "billing",
    "customer-identity",
    "warehouse",
    "logistics",
    "marketplace-settlement",
    "search",
    "recommendations",
    "hr",
)
USES = (
    "ledger",
    "events",
    "core",
    "archive",
    "reporting",
    "audit-trail",
    "staging",
    "snapshot",
    "eu-central",
    "us-east-read",
)
ACCOUNT = "123456789012"
REGION = "eu-west-1"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Member:
    """One source: as registered, as remembered, and its last record under its key."""

    spec: Source
    state: SourceState
    record: Certification | None


@dataclass(frozen=True)
class _Trust:
    """What stands between a CA and the leaves, the bundle that is trusted, and the CA."""

    issuing: Authority
    bundle: tuple[CertificateFacts, ...]
    digest: str
    anchor: CertificateFacts


def fleet(
    count: int, now: datetime, *, seed: int = 7, parent: str = "arn:aws:states:drawn"
) -> Iterator[Member]:
    """Yield ``count`` sources; about one in twelve needs a person.

    Args:
        parent: the execution that their last runs belong to, and whose report they link to.
    """
    random = Random(seed)
    trusts = _trusts(now)
    for number in range(count):
        team = TEAMS[number % len(TEAMS)]
        use = USES[number // len(TEAMS) % len(USES)]
        turn = number // (len(TEAMS) * len(USES)) + 1
        yield _Maker(f"{team}-{use}-{turn}", number, now, random, trusts, parent=parent).member()


def _facts(pem: bytes) -> tuple[CertificateFacts, ...]:
    return tuple(CertificateFacts.of(one) for one in x509.load_pem_x509_certificates(pem))


def _trusts(now: datetime) -> tuple[_Trust, ...]:
    began = now - 700 * DAY
    roots = [
        Authority.root("Internal Root 2024", not_before=began, not_after=now + 200 * DAY),
        Authority.root("Internal Root 2026", not_before=now - 90 * DAY, not_after=now + 3400 * DAY),
        Authority.root(
            "Amazon RDS eu-west-1 Root CA RSA2048 G1",
            not_before=began,
            not_after=now + 12000 * DAY,
            organization="Amazon Web Services, Inc.",
        ),
    ]
    ends = (now + 170 * DAY, now + 1500 * DAY, now + 3000 * DAY)
    names = ("Internal Issuing CA 7", "Internal Issuing CA 9", "Amazon RDS eu-west-1 Subordinate")
    issuing = [
        root.intermediate(name, not_after=end)
        for root, name, end in zip(roots, names, ends, strict=True)
    ]
    old_and_new = roots[0].certificate_pem + roots[1].certificate_pem
    bundles = (roots[0].certificate_pem, old_and_new, roots[2].certificate_pem)
    trusts = [
        _Trust(below, _facts(pem), bundle_digest(pem.decode()), _facts(root.certificate_pem)[0])
        for root, below, pem in zip(roots, issuing, bundles, strict=True)
    ]
    overlapping = replace(trusts[0], bundle=trusts[1].bundle, digest=trusts[1].digest)
    return (*trusts, overlapping)


class _Maker:
    """Makes one source; ``number`` decides what is the matter with it."""

    def __init__(
        self,
        name: str,
        number: int,
        now: datetime,
        random: Random,
        trusts: Sequence[_Trust],
        *,
        parent: str,
    ) -> None:
        self.parent = parent
        self.name, self.number, self.now, self.random = name, number, now, random
        self.trust = trusts[random.choice((0, 0, 1, 2, 2, 2, 3))]
        self.mode = random.choices(
            (SslMode.VERIFY_FULL, SslMode.VERIFY_CA, SslMode.REQUIRE, SslMode.NONE),
            (74, 11, 14, 1),
        )[0]
        self.host = f"{name}.db.example.com"
        self.recorded = now - timedelta(minutes=random.randrange(20, 1400))
        run = f"{random.getrandbits(64):016x}"
        self.key = f"records/{name}/{self.recorded:%Y%m%dT%H%M%SZ}-{run}"
        self.run = f"arn:aws:states:{REGION}:{ACCOUNT}:express:Certifier:{run}"
        self.instance = f"arn:aws:dms:{REGION}:{ACCOUNT}:rep:REPLICATION1"
        self.pending: tuple[str, ...] = ()
        self.changes: tuple[Change, ...] = ()
        life = random.choice((90, 90, 397)) * DAY
        left = life * random.uniform(0.36, 0.97)
        if number % 29 == 3:
            left = random.uniform(2, 29) * DAY
        leaf = self.trust.issuing.issue(
            dns=[self.host],
            not_before=now + left - life,
            not_after=min(now + left, now + 169 * DAY) if self.trust is trusts[0] else now + left,
        )
        self.chain = _facts(leaf.fullchain_pem)

    def member(self) -> Member:
        """Return the source."""
        spec = parse_source(self._spec())
        if self.number % 67 == 50:
            return Member(spec, SourceState(name=self.name, due_at=self.now, endpoint=None), None)
        outcome, findings = self._outcome()
        record = self._record(outcome, findings, spec)
        return Member(spec, self._state(record), record)

    def _spec(self) -> dict[str, Any]:
        secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:dms/{self.name}"
        return {
            "name": self.name,
            "endpoint": f"{self.name}-source",
            "host": self.host,
            "database": self.name.partition("-")[0],
            "ssl_mode": self.mode.value,
            "credentials": f"{secret}-AbCdEf",
            "server_certificate": f"{secret}-tls-GhIjKl",
            "ca_bundle": f"s3://platform-trust/{self.trust.digest[:8]}.pem",
            "restart_tasks": "sun 02:00-04:00 Europe/Berlin",
        }

    def _outcome(self) -> tuple[Outcome, tuple[Finding, ...]]:
        """Return how the last run ended: most are certified."""
        match self.number % 100:
            case 10 | 51:
                task = f"{self.name.partition('-')[0]}-to-warehouse"
                self.pending = (f"arn:aws:dms:{REGION}:{ACCOUNT}:task:{task}-{self.number}",)
                return Outcome.CERTIFIED, (
                    finding(
                        Cause.TASK_NOT_RESTARTED,
                        place=Witness.WORKFLOW,
                        seen=f"{task}-{self.number} has not run for 41 min: replication slot "
                        f'"{task.replace("-", "_")}" is active for PID 12345',
                        severity=Severity.ERROR,
                    ),
                )
            case 37:
                return Outcome.FAILED, (
                    finding(
                        Cause.BROKEN_AFTER_ROLLBACK,
                        place=Witness.DMS_TEST,
                        seen="the endpoint has its old settings again, and DMS does not connect "
                        "with them either",
                        raw=f'connection to server at "{self.host}" (10.0.12.7), port 5432 failed: '
                        "timeout expired",
                        stage=Stage.TCP,
                    ),
                )
            case 21:
                self.changes = (
                    Change(field="certificate_arn", old="Internal Root 2024", new="Root 2026"),
                )
                return Outcome.ROLLED_BACK, (
                    finding(
                        Cause.CONNECTION_TIMEOUT,
                        place=Witness.DMS_TEST,
                        seen=f"replication-1 could not connect to {self.host} within 60 s",
                        stage=Stage.TCP,
                    ),
                )
            case 4 | 46 | 88:
                return Outcome.REFUSED, (
                    finding(
                        Cause.UNKNOWN_AUTHORITY,
                        place=Witness.PROBE,
                        seen="the served chain ends in CN=Internal Root 2027, which is not in the "
                        "CA bundle",
                        stage=Stage.TLS,
                    ),
                )
            case 63:
                return Outcome.REFUSED, (
                    finding(
                        Cause.SECRET_UNREADABLE,
                        place=Witness.INTAKE,
                        seen=f"the secret dms/{self.name}-tls may not be read",
                    ),
                )
            case 15 | 72:
                self.changes = (Change(field="ssl_mode", old="verify-ca", new="verify-full"),)
                return Outcome.PLANNED, (
                    finding(
                        Cause.WINDOW_CLOSED,
                        place=Witness.PLAN,
                        seen="the window opens on Sunday at 02:00 Europe/Berlin",
                    ),
                )
            case 33:
                return Outcome.CERTIFIED, (
                    finding(
                        Cause.SERVED_CERTIFICATE_DIFFERS,
                        place=Witness.PROBE,
                        seen="PostgreSQL serves another certificate than the one in the secret",
                    ),
                )
            case _ if self.chain[0].not_after and self.chain[0].not_after - self.now < 30 * DAY:
                ends = self.chain[0].not_after
                return Outcome.CERTIFIED, (
                    finding(
                        Cause.CERTIFICATE_EXPIRES_SOON,
                        place=Witness.PROBE,
                        seen=f"{self.host} expires on {ends:%Y-%m-%d %H:%M} UTC, in "
                        f"{(ends - self.now).days} days; the warning window is 30 days",
                    ),
                )
            case _:
                return Outcome.CERTIFIED, ()

    def _report(self, outcome: Outcome, findings: tuple[Finding, ...]) -> ProbeReport:
        main = weightiest(findings)
        by_probe = main is not None and main.cause is Cause.UNKNOWN_AUTHORITY
        good = Verdict(passed=True, seen=f"the chain ends in {self.trust.anchor.title}")
        verdict = good
        if main is not None and by_probe:
            verdict = Verdict(passed=False, cause=main.cause, seen=main.seen)
        wrong_host = self.number % 5 == 2
        full = verdict
        if wrong_host and not by_probe:
            full = Verdict(
                passed=False,
                cause=Cause.HOSTNAME_MISMATCH,
                seen=f"the certificate does not name {self.host}",
            )
        passed = outcome is not Outcome.REFUSED
        return ProbeReport(
            verdict="pass" if passed else "fail",
            ssl_mode=self.mode,
            verdicts=Verdicts(
                require=RequireVerdict(
                    passed=verdict.passed,
                    cause=verdict.cause,
                    seen=verdict.seen,
                    dms_reading=DmsReading(passed=True, seen="encrypted", differs=by_probe),
                ),
                verify_ca=verdict,
                verify_full=full,
            ),
            findings=(),
            evidence=Evidence(
                host=self.host,
                port=5432,
                addresses=(Address(ip="10.0.12.7", outcome="connected"),),
                peer="10.0.12.7",
                connections=1,
                reached=Stage.QUERY,
                tls=TlsFacts(
                    version="TLSv1.3",
                    cipher="TLS_AES_256_GCM_SHA384",
                    bits=256,
                    alpn="postgresql",
                    verified=not by_probe,
                ),
                chain=self.chain,
                chain_length=len(self.chain),
                anchor=None if by_probe else self.trust.anchor,
                names=(self.host,),
                leaf_sha256=self.chain[0].sha256,
                served_intended=True,
                login=LoginFacts(
                    succeeded=True,
                    method="scram-sha-256-plus",
                    channel_binding=True,
                    server_version="17.5",
                    ssl="on",
                    session_ssl=True,
                ),
                timings=Timings(total=9.9),
            ),
        )

    def _record(
        self, outcome: Outcome, findings: tuple[Finding, ...], spec: Source
    ) -> Certification:
        unread = any(each.cause is Cause.SECRET_UNREADABLE for each in findings)
        report = None if unread else self._report(outcome, findings)
        first = expiring(served=self.chain, anchor=self.trust.anchor, trusted=self.trust.bundle)[0]
        arn = f"arn:aws:dms:{REGION}:{ACCOUNT}:endpoint:{self.name.upper()}"
        ca_arn = f"arn:aws:dms:{REGION}:{ACCOUNT}:cert:{self.trust.digest[:16].upper()}"
        connected = outcome in (Outcome.CERTIFIED, Outcome.ROLLED_BACK)
        differs = any(each.cause is Cause.SERVED_CERTIFICATE_DIFFERS for each in findings)
        return Certification(
            source=self.name,
            version=1,
            spec=spec.model_dump(mode="json", exclude_defaults=True),
            run=self.run,
            parent=self.parent,
            mode=Mode.APPLY,
            origin=Origin.SCHEDULE,
            outcome=outcome,
            recorded_at=self.recorded,
            verified=Verified(
                probe=Proof(connected=report.passed, encrypted=True, chain=True, host_name=True)
                if report
                else None,
                dms_test=Proof(
                    connected=connected,
                    encrypted=True,
                    chain=self.mode.verifies,
                    host_name=self.mode is SslMode.VERIFY_FULL,
                ),
            ),
            endpoint=EndpointRecord(
                arn=arn,
                identifier=f"{self.name}-source",
                engine="postgres",
                fields=EndpointFields(ssl_mode=self.mode, certificate_arn=ca_arn),
                settings_digest="0" * 64,
            ),
            changes=self.changes,
            rolled_back=outcome is Outcome.ROLLED_BACK,
            opens_at=self.now + 6 * DAY if outcome is Outcome.PLANNED else None,
            trust=TrustRecord(
                certificate_arn=ca_arn,
                digest=self.trust.digest,
                overlap=len(self.trust.bundle) > 1,
                anchors=self.trust.bundle,
            ),
            probe=report.model_dump(mode="json", by_alias=True) if report else None,
            tests=(DmsTest(subject=Subject.NOW, instance_arn=self.instance, passed=connected),),
            tasks=TaskRecord(pending_restarts=self.pending),
            acm=ImportedCertificate(
                acm_arn=f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{self.chain[0].sha256[:32]}",
                leaf_sha256=self.chain[0].sha256,
            ),
            intended_leaf_sha256="ab" * 32 if differs else self.chain[0].sha256,
            days_left=first.days_left(self.recorded),
            expires=first.what,
            expires_at=first.not_after,
            findings=findings,
            next_due=self._due(outcome),
        )

    def _due(self, outcome: Outcome) -> datetime:
        if self.pending:
            return self.now + timedelta(minutes=6)
        if outcome is Outcome.FAILED:
            return self.now + timedelta(minutes=40)
        return self.recorded + DAY

    def _state(self, record: Certification) -> SourceState:
        leaf = self.chain[0]
        certified = record.outcome is Outcome.CERTIFIED
        endpoint = record.endpoint
        return SourceState(
            name=self.name,
            due_at=record.next_due,
            outcome=record.outcome,
            findings=record.findings,
            recorded_at=record.recorded_at,
            recorded_by=record.run,
            certified_at=record.recorded_at if certified else record.recorded_at - 3 * DAY,
            endpoint=f"{self.name}-source",
            endpoint_arn=endpoint.arn if endpoint else None,
            acm_arn=record.acm.acm_arn if record.acm else None,
            acm_leaf=RememberedLeaf(
                sha256=leaf.sha256, subject=leaf.subject, not_after=leaf.not_after
            ),
            served_leaf=leaf.sha256,
            expires_at=record.expires_at,
            expires=record.expires,
            ssl_mode=self.mode.value,
            pending_restarts=self.pending,
            record=self.key,
            opens_at=record.opens_at,
            history=self._history(record),
        )

    def _history(self, record: Certification) -> History:
        """Return a past in which things went wrong now and then, and once for many on one day."""
        history, main = History(), weightiest(record.findings)
        incident = self.recorded.date() - 23 * DAY
        for ago in range(DAYS - 1, 0, -1):
            at = self.recorded - ago * DAY
            outcome, cause = Outcome.CERTIFIED, None
            drawn = self.random.random()
            if at.date() == incident and drawn < 0.06:
                outcome, cause = Outcome.FAILED, Cause.CONNECTION_TIMEOUT
            elif drawn < 0.0012:
                outcome, cause = Outcome.REFUSED, Cause.UNKNOWN_AUTHORITY
            elif drawn < 0.0016:
                outcome, cause = Outcome.ROLLED_BACK, Cause.CONNECTION_TIMEOUT
            elif drawn > 0.998:
                outcome, cause = Outcome.PLANNED, Cause.WINDOW_CLOSED
            if record.outcome is not Outcome.CERTIFIED and ago <= 2:
                outcome, cause = record.outcome, main.cause if main else None
            history = history.after(PastRun(at=at, outcome=outcome, cause=cause))
        return history.after(
            PastRun(
                at=record.recorded_at,
                outcome=record.outcome,
                cause=main.cause if main else None,
                record=self.key,
            )
        )


def settle(cloud: Cloud, members: Iterable[Member]) -> None:
    """Put sources into the table of an installation, and their records into its bucket."""
    table, s3 = Table(cloud.client("dynamodb"), cloud.table), cloud.client("s3")
    for member in members:
        spec = member.spec.model_dump_json(exclude_defaults=True)
        table.write(
            table.put_op({**source_key(member.spec.name, "SPEC"), "spec": spec, "version": 1})
        )
        table.write(table.put_op({**source_key(member.spec.name, "STATE"), **plain(member.state)}))
        if member.record is not None and member.state.record is not None:
            body = member.record.model_dump_json(indent=2).encode()
            s3.put_object(Bucket=cloud.bucket, Key=f"{member.state.record}.json", Body=body)
            page = certification_page(member.record).encode()
            s3.put_object(Bucket=cloud.bucket, Key=f"{member.state.record}.html", Body=page)


def page_of(cloud: Cloud, label: str, now: datetime, *, up: str = "") -> str:
    """Return the page of what an installation holds; ``up`` leads from it to ``records/``."""
    gathered = gather(
        Store(cloud.client("dynamodb"), cloud.table), Documents(cloud.client("s3"), cloud.bucket)
    )
    shown = InstallationFacts(
        label,
        lambda key: f"{up}{key}.html",
        gathered.sources,
        gathered.digests.bundles,
        gathered.breaker,
        finished_at=gathered.digests.finished_at,
        report=gathered.digests.report,
        unread=gathered.unread,
    )
    return fleet_html(fleet_page([shown], now))
