"""The documents that the steps of one run leave: ``runs/<run id>/<name>.json``.

The types come first, the one table of them (``LEFT_BY``) last. None of them has a field that could
hold a private key or a password.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import Field

from certifier.certificate import bundle_digest
from certifier.endpoint.facts import Endpoint, EndpointFields, ReplicationTask
from certifier.evidence import ProbeReport, SlotFacts
from certifier.models import Fact, Finding
from certifier.vocabulary import Cause, Decision, SettingsUnderTest, SslMode, Stage


class Refusal(Fact):
    """Why a step refused."""

    findings: tuple[Finding, ...]


class Versions(Fact):
    """The version at which each secret or object was read; pinned for the run."""

    credentials: str | None = None
    server_certificate: str | None = None
    ca_bundle: str | None = None


class Trusted(Fact):
    """The CA that the endpoint trusts now. ``pem`` is read only when it is needed."""

    arn: str
    digest: str
    pem: str | None = None


class Material(Fact):
    """What Read material found. Public parts only.

    Attributes:
        endpoint: as DMS describes it; ``None`` when there is none yet.
        bundle_pem, bundle_digest: the CAs of the source, canonical. Of a source with public trust,
            the public roots that the endpoint trusts already, if any; see ``public``.
        public: any public root may verify the served chain, which then settles the bundle
            (``certifier.run.public_trust``).
        named: the CAs come from a word: when there are more of them, nobody has decided that.
        leaf_sha256, leaf_pem, chain_pem, key_kind: the pair that PostgreSQL is meant to serve.
        group: which the endpoint's tags name, once its owner has consented.
    """

    endpoint: Endpoint | None = None
    group: str | None = None
    trusted: Trusted | None = None
    bundle_pem: str | None = None
    bundle_digest: str | None = None
    public: bool = False
    named: bool = False
    leaf_sha256: str | None = None
    leaf_pem: str | None = None
    chain_pem: str | None = None
    key_kind: str | None = None
    username: str | None = None
    versions: Versions = Field(default_factory=Versions)
    findings: tuple[Finding, ...] = ()


class Change(Fact):
    """One field of the endpoint that must change, with both values as a person may see them."""

    field: str
    old: str | None
    new: str | None
    reversible: bool = True


class Plan(Fact):
    """What Plan changes decided.

    Attributes:
        create: the endpoint does not exist and will be created.
        target: the endpoint's target fields; its ``certificate_arn`` is only known
            after Import CA, when ``desired_digest`` is not what the endpoint trusts already.
        desired_pem, desired_digest: the CAs that the endpoint is to trust; ``None``: leave it.
        overlap: old and new CAs are both trusted for now.
        running: the running tasks that a change must pause.
        instances: where tests run from; empty: every instance with a connection on the endpoint.
        password_version, old_password_version: VersionIds of the credentials secret, when the
            password must be set on the endpoint.
        reverted: how often others have changed back what we had proven.
        opens_at: when the window opens, for a plan that waits.
    """

    decision: Decision
    changes: tuple[Change, ...] = ()
    create: bool = False
    target: EndpointFields = Field(default_factory=EndpointFields)
    desired_pem: str | None = None
    desired_digest: str | None = None
    overlap: bool = False
    running: tuple[ReplicationTask, ...] = ()
    instances: tuple[str, ...] = ()
    names: Mapping[str, str] = {}
    password_version: str | None = None
    old_password_version: str | None = None
    reverted: int = 0
    opens_at: datetime | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def change(self) -> str | None:
        """16 hex digits that are equal for two plans that would write the same; ``None``: none."""
        if not self.changes:
            return None
        wanted = sorted((change.field, change.new or "") for change in self.changes)
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:16]


class ImportedCa(Fact):
    """What Import CA did."""

    certificate_arn: str | None = None
    digest: str | None = None
    findings: tuple[Finding, ...] = ()


class InstanceTest(Fact):
    """One DMS test that was proven to belong to the settings it speaks of.

    ``cause``, ``stage``: what the words of DMS mean, read before a password in them was hidden;
    ``None`` in what an earlier version wrote. ``deleted``: somebody deleted the connection before
    it had a result. ``full``: the instance serves as many endpoints as it may, so that nothing was
    tested. ``instance``: what people call the instance, as far as DMS has shown it.
    """

    instance_arn: str
    instance: str | None = None
    passed: bool
    message: str | None = None
    cause: Cause | None = None
    stage: Stage | None = None
    deleted: bool = False
    full: bool = False


class Rehearsal(Fact):
    """What the rehearsal saw.

    ``old`` is empty for an endpoint that is to be created; ``canary`` is empty when the new
    settings could be rehearsed by the probe only.
    """

    old: tuple[InstanceTest, ...] = ()
    canary: tuple[InstanceTest, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def old_connects(self) -> bool | None:
        """Whether the endpoint as it is connects from every instance; ``None``: not tested."""
        return all(test.passed for test in self.old) if self.old else None


class ConnectionTest(Fact):
    """What one of the two states of Test connection saw.

    Attributes:
        ssl_mode: that of the endpoint that was tested, which decides what a pass proves.
    """

    passed: bool
    tests: tuple[InstanceTest, ...] = ()
    settings_digest: str | None = None
    ssl_mode: SslMode | None = None
    findings: tuple[Finding, ...] = ()


class Configured(Fact):
    """What one of the two states of Configure endpoint did.

    Attributes:
        rolled_back: the endpoint was read back with the old values.
        settled: the undo log has nothing left to do: rolled back, or gone, or made by us and kept,
            or changed by somebody else since.
    """

    endpoint: Endpoint | None = None
    created: bool = False
    rolled_back: bool = False
    settled: bool = False
    findings: tuple[Finding, ...] = ()


class Asking(StrEnum):
    """How far a run has come with one task that it wants to start."""

    STARTING = "starting"  # DMS has taken the start
    TESTING = "testing"  # DMS has not taken it, and wants a test of both endpoints first
    OVER = "over"  # this run asks no more


class Asked(Fact):
    """What a run has asked of a task: since when it is in that stage, and why it does not run.

    ``busy``: how often DMS was too busy with the task to take a start.
    """

    stage: Asking
    at: datetime
    reason: Finding
    busy: int = 0


class StoppedTask(Fact):
    """A task that we stopped and that does not run again.

    Attributes:
        since: when it was stopped, as far as DMS says so; else when we meant to stop it.
        status: DMS's word; ``None``: it was not looked at.
        said: DMS's own words about why it does not run.
    """

    arn: str
    identifier: str
    since: datetime
    status: str | None = None
    said: str | None = None


class TaskWork(Fact):
    """What Pause tasks or Resume tasks did.

    ``stopped_seconds`` is the longest time that a task did not run, in seconds. ``names``: what
    people call the tasks, by ARN, as far as it was noted. ``asked``: by ARN,
    the tasks that this run wants to start. ``stopped``: those that do not run at its end.
    """

    tasks: tuple[str, ...] = ()
    pending_restarts: tuple[str, ...] = ()
    stopped_seconds: float | None = None
    names: Mapping[str, str] = {}
    findings: tuple[Finding, ...] = ()
    asked: Mapping[str, Asked] = {}
    stopped: tuple[StoppedTask, ...] = ()


class ImportedCertificate(Fact):
    """What Import certificate did."""

    acm_arn: str | None = None
    leaf_sha256: str | None = None
    changed: bool = False
    not_after: datetime | None = None
    findings: tuple[Finding, ...] = ()


class UndoLog(Fact):
    """How to roll an endpoint back: only fields that this run writes; passwords by VersionId.

    Attributes:
        fields: names of the fields that are written, in ``EndpointFields``.
        old, new: their values before and after.
        created: the endpoint did not exist: it is kept, and there is nothing to roll back.
        old_connects: what the rehearsal saw of the old settings.
        written: which settings were last sent to DMS; ``None``: none so far. Noted before they are
            sent. A log of an earlier version does not say, so that they may have been.
        accepted: DMS has accepted what was sent.
        written_at: when it was sent.
        old_ca_pem: the CAs of the DMS certificate in ``old``: nobody is kept from deleting that.
        change: what the change was, as ``Plan.change`` says it.
        replaces: the execution whose log, which could not be finished, this one replaced; the
            first, if that log had replaced one itself.
        left: what that one's change, and what was found of it, left on the endpoint.
    """

    endpoint_arn: str | None
    endpoint_identifier: str
    fields: tuple[str, ...]
    old: EndpointFields
    new: EndpointFields
    credentials: str | None = None
    old_password_version: str | None = None
    new_password_version: str | None = None
    created: bool = False
    old_connects: bool | None = None
    written: SettingsUnderTest | None = SettingsUnderTest.NEW
    accepted: bool = False
    written_at: datetime | None = None
    old_ca_pem: str | None = None
    change: str | None = None
    replaces: str | None = None
    left: EndpointFields = Field(default_factory=EndpointFields)

    @property
    def reversible(self) -> tuple[str, ...]:
        """The fields that can be rolled back: DMS merges, so it cannot empty one again.

        What the source had to allow as irreversible has no old value in the log; nor has what is
        no field of an endpoint, which a forged log may name.
        """
        old = self.old.given()
        return tuple(name for name in self.fields if name in old)


@dataclass(frozen=True)
class Served:
    """What the probe learnt about the chain that the server serves.

    Attributes:
        seen: a chain was captured at all; without one, nothing is dropped.
        by_bundle: it verifies against the source's own CAs alone.
        by_union: it verifies against those and the CAs that the endpoint trusts now.
    """

    seen: bool
    by_bundle: bool = False
    by_union: bool = False


@dataclass(frozen=True)
class Union:
    """The source's CAs and the endpoint's, in one canonical bundle."""

    pem: str
    digest: str


@dataclass(frozen=True)
class Answering:
    """Who answered a probe.

    Attributes:
        leaf: SHA-256 of the served certificate; ``None``: no certificate was seen.
        in_recovery: whether it is a standby; ``None``: nobody logged in to ask.
    """

    leaf: str | None = None
    in_recovery: bool | None = None


class SlotsAfter(Fact):
    """The replication slots once the tasks were resumed; ``None``: nobody logged in."""

    slots: tuple[SlotFacts, ...] | None = None


class NodeLook(Fact):
    """What one address of the host, or one node of the source, serves, seen by some connections.

    Attributes:
        node: address and port.
        reached: every connection captured a chain.
        needs_old: one of them does not verify against the source's bundle alone.
        no_way: there is no way to that address from here: it is IPv6.
    """

    node: str
    reached: bool
    needs_old: bool = False
    no_way: bool = False
    seen: str


class Probed(Fact):
    """What the probe saw.

    Attributes:
        report: with the source's CAs alone; ``None``: the source turned the probe off.
        union_report: with those and the CAs on the endpoint, when the first did not verify.
        public_pem: of a source with public trust, the roots of the owner of the root that the
            served chain ends in.
        nodes: what each address and node serves, where an old CA might be dropped.
        dropped_at: when the CA was dropped that ``union_report`` needed from memory.
        findings: of the report that counts, with the source's own leniency applied.
    """

    report: ProbeReport | None = None
    union_report: ProbeReport | None = None
    union_pem: str | None = None
    public_pem: str | None = None
    nodes: tuple[NodeLook, ...] = ()
    dropped_at: datetime | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def effective(self) -> ProbeReport | None:
        """The report for the CA that the endpoint is to have."""
        return self.union_report or self.report

    @property
    def passed(self) -> bool:
        """Whether our probe connected as strictly as the source asks."""
        return self.effective is not None and self.effective.verdict == "pass"

    @property
    def answering(self) -> Answering:
        """Who answered."""
        if self.effective is None:
            return Answering()
        evidence = self.effective.evidence
        login = evidence.login
        return Answering(evidence.leaf_sha256, login.in_recovery if login else None)

    @property
    def slots(self) -> tuple[SlotFacts, ...] | None:
        """The replication slots, where somebody logged in and could see them."""
        return slots_of(self.effective) if self.effective else None

    @property
    def served(self) -> Served:
        """What the plan may conclude about the served chain."""
        if self.report is None or not self.report.evidence.chain:
            return Served(seen=False)
        return Served(
            seen=True,
            by_bundle=self.report.verdicts.verify_ca.passed,
            by_union=self.union_report is not None and self.union_report.verdicts.verify_ca.passed,
        )

    @property
    def union(self) -> Union | None:
        """The source's CAs and the endpoint's, where they differ."""
        if self.union_pem is None:
            return None
        return Union(self.union_pem, bundle_digest(self.union_pem))


def slots_of(report: ProbeReport) -> tuple[SlotFacts, ...] | None:
    login = report.evidence.login
    return login.slots if login else None


class CanaryWork(Fact):
    """How far this run has come with its canary. Without it, a canary is another run's."""

    tests: tuple[InstanceTest, ...] | None = None


# -- the table

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Document(Generic[F]):
    """One document: the name under which it lies in the bucket, and its type."""

    name: str
    type: type[F]


MATERIAL = Document("read_material", Material)
PROBED = Document("probe_tls", Probed)
PLAN = Document("plan_changes", Plan)
IMPORTED_CA = Document("import_ca", ImportedCa)
CANARY = Document("rehearse_changes-canary", CanaryWork)
REHEARSAL = Document("rehearse_changes", Rehearsal)
PAUSED = Document("pause_tasks", TaskWork)
CONFIGURED = Document("configure_endpoint-apply", Configured)
ROLLED_BACK = Document("configure_endpoint-roll_back", Configured)
TESTED_NEW = Document("test_connection-new", ConnectionTest)
TESTED_OLD = Document("test_connection-old", ConnectionTest)
RESUMED = Document("resume_tasks", TaskWork)
SLOTS_AFTER = Document("probe_tls-again", SlotsAfter)
ACM_COPY = Document("import_certificate", ImportedCertificate)

LEFT_BY: Mapping[str, tuple[Document[Any], ...]] = {
    "claim_source": (),
    "read_material": (MATERIAL,),
    "probe_tls": (PROBED, SLOTS_AFTER),
    "plan_changes": (PLAN,),
    "import_ca": (IMPORTED_CA,),
    "rehearse_changes": (CANARY, REHEARSAL),
    "pause_tasks": (PAUSED,),
    "configure_endpoint": (CONFIGURED, ROLLED_BACK),
    "test_connection": (TESTED_NEW, TESTED_OLD),
    "resume_tasks": (RESUMED,),
    "import_certificate": (ACM_COPY,),
    "record_certification": (),
}
"""What each step of a run may leave, in the order of the workflow; besides, its refusal."""


def refusal_of(step: str) -> Document[Refusal]:
    """Return the document in which ``step`` leaves why it refused."""
    return Document(f"{step}-refused", Refusal)


def tested(settings: SettingsUnderTest) -> Document[ConnectionTest]:
    """Return the document of one of the two tests of an endpoint."""
    return TESTED_NEW if settings is SettingsUnderTest.NEW else TESTED_OLD
