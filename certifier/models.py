"""The facts that steps hand to each other.

All values are frozen and know no AWS. The documents at the end are what the steps of one
certification write to ``runs/<run id>/<step>.json``; none of them has a field that could hold a
private key or a password.
"""

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from certifier.outcome import Cause, Decision, Place, Severity, SslMode, Stage


class Fact(BaseModel):
    """A frozen value. Errors never show the input, which may be a secret put in the wrong field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


class Finding(Fact):
    """One cause, how much it weighs, what was seen, where, and what to do next.

    Made by :func:`certifier.diagnosis.finding`, which fills in the catalogue's remedy.

    Attributes:
        seen: one sentence in our words, with the names, dates and numbers that matter.
        raw: the text of the server or service behind it, control characters escaped, at most 1 KiB.
        stage: how far the connection came, for a finding of the probe or about a connection.
    """

    cause: Cause
    severity: Severity
    seen: str
    remedy: str
    place: Place
    raw: str | None = None
    stage: Stage | None = None


def errors_in(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that stop a certification."""
    return tuple(found for found in findings if found.severity is Severity.ERROR)


class Refusal(Fact):
    """Why a step refused: ``<step>-refused.json``."""

    findings: tuple[Finding, ...]


class EndpointFields(Fact):
    """The fields of a DMS endpoint that Certifier may write. ``None``: not set, or not said."""

    ssl_mode: SslMode | None = None
    certificate_arn: str | None = None
    server_name: str | None = None
    port: int | None = None
    database_name: str | None = None
    username: str | None = None
    secret_id: str | None = None
    secret_role_arn: str | None = None

    def said(self) -> dict[str, Any]:
        """Return the fields that are set, by name."""
        return {name: value for name, value in self if value is not None}


class Endpoint(Fact):
    """A DMS endpoint for PostgreSQL, as DescribeEndpoints tells it.

    Attributes:
        endpoint_type: ``source`` or ``target`` (DMS answers in upper case).
        authentication: ``password`` or ``iam``.
        rest_digest: SHA-256 over everything else that was described (extra connection attributes,
            scripts, other settings), which may hold secrets and is only ever compared.
    """

    arn: str
    identifier: str
    endpoint_type: str
    engine: str
    status: str
    fields: EndpointFields
    authentication: str = "password"
    read_only: bool = False
    rest_digest: str = ""

    @property
    def settings_digest(self) -> str:
        """SHA-256 over all that was described but the status: equal means nothing has changed."""
        told = self.model_dump(mode="json", exclude={"status"})
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class DmsCertificate(Fact):
    """A certificate in DMS, which is a bundle of CAs; ``digest`` is that of ``bundle_digest``."""

    arn: str
    identifier: str
    pem: str
    digest: str


class Leaf(Fact):
    """What is remembered of a server certificate; ``sha256`` is of its DER, in lower-case hex."""

    sha256: str
    subject: str | None = None
    not_after: datetime | None = None


class SlotFacts(Fact):
    """A replication slot of the PostgreSQL server.

    Attributes:
        active: somebody reads from it now.
        retained_bytes: of WAL that the server keeps for it; None when it keeps none any more.
        wal_status: ``reserved``, ``extended``, ``unreserved`` or ``lost``; PostgreSQL 13 and later.
    """

    name: str
    active: bool
    retained_bytes: int | None = None
    wal_status: str | None = None


class Connection(Fact):
    """What DMS shows of the last test of one endpoint from one replication instance.

    ``status``: ``testing``, ``successful``, ``failed``, ``deleting``; ``message`` only when failed.
    """

    endpoint_arn: str
    instance_arn: str
    status: str
    message: str | None = None


class ReplicationTask(Fact):
    """A DMS task. ``status`` is DMS's word (aws-facts: moving, running, stopped, ...).

    ``full_load`` says that the full load is under way (progress under 100 % in a running task of a
    migration type that loads). ``stop_date`` is when DMS says that it last stopped.
    """

    arn: str
    identifier: str
    status: str
    source_endpoint_arn: str
    target_endpoint_arn: str
    instance_arn: str
    migration_type: str
    full_load: bool = False
    stop_reason: str | None = None
    stop_date: datetime | None = None
    message: str | None = None

    def other_endpoint(self, arn: str) -> str:
        """Return the ARN of the endpoint at the task's other end."""
        return (
            self.target_endpoint_arn
            if self.source_endpoint_arn == arn
            else self.source_endpoint_arn
        )


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
    """What Read material found: ``read_material.json``. Public parts only.

    Attributes:
        endpoint: as DMS describes it; ``None`` when there is none yet.
        bundle_pem, bundle_digest: the CAs of the source, canonical.
        leaf_sha256, leaf_pem, chain_pem, key_kind: the pair that PostgreSQL is meant to serve.
    """

    endpoint: Endpoint | None = None
    trusted: Trusted | None = None
    bundle_pem: str | None = None
    bundle_digest: str | None = None
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
    """What Plan changes decided: ``plan_changes.json``.

    Attributes:
        create: the endpoint does not exist and will be created.
        target: the fields that the endpoint shall have; its ``certificate_arn`` is only known
            after Import CA, when ``desired_digest`` is not what the endpoint trusts already.
        desired_pem, desired_digest: the CAs that the endpoint shall trust; ``None``: leave it.
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
    password_version: str | None = None
    old_password_version: str | None = None
    reverted: int = 0
    opens_at: datetime | None = None
    findings: tuple[Finding, ...] = ()


class ImportedCa(Fact):
    """What Import CA did: ``import_ca.json``."""

    certificate_arn: str | None = None
    digest: str | None = None
    findings: tuple[Finding, ...] = ()


class InstanceTest(Fact):
    """One DMS test that was proven to belong to the settings it speaks of.

    ``deleted``: somebody deleted the connection before it had a result.
    """

    instance_arn: str
    passed: bool
    message: str | None = None
    deleted: bool = False


class Rehearsal(Fact):
    """What the rehearsal saw: ``rehearse_changes.json``.

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
    """What Test connection saw: ``test_connection-new.json``, ``test_connection-old.json``."""

    passed: bool
    tests: tuple[InstanceTest, ...] = ()
    settings_digest: str | None = None
    findings: tuple[Finding, ...] = ()


class Configured(Fact):
    """What Configure endpoint did: ``configure_endpoint-apply.json``, ``...-put_back.json``.

    Attributes:
        put_back: the endpoint was read back with the old values.
        settled: the undo log has nothing left to do: put back, or gone, or made by us and kept, or
            changed by somebody else since.
    """

    endpoint: Endpoint | None = None
    created: bool = False
    put_back: bool = False
    settled: bool = False
    findings: tuple[Finding, ...] = ()


class TaskWork(Fact):
    """What Pause tasks and Resume tasks did: ``pause_tasks.json``, ``resume_tasks.json``.

    ``stood_still`` is the longest time that a task did not run, in seconds.
    """

    tasks: tuple[str, ...] = ()
    owed: tuple[str, ...] = ()
    stood_still: float | None = None
    findings: tuple[Finding, ...] = ()


class ImportedCertificate(Fact):
    """What Import certificate did: ``import_certificate.json``."""

    acm_arn: str | None = None
    leaf_sha256: str | None = None
    changed: bool = False
    not_after: datetime | None = None
    findings: tuple[Finding, ...] = ()


class UndoLog(Fact):
    """How to put an endpoint back: only fields that this run writes, and VersionIds for passwords.

    Attributes:
        fields: names of the fields that are written, in ``EndpointFields``.
        old, new: their values before and after.
        created: the endpoint did not exist: it is kept, and there is nothing to put back.
        old_connects: what the rehearsal saw of the old settings.
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
