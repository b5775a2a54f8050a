"""The certification record: what was verified, when, against which CA, and what it rests on.

One JSON document for each certification, kept as evidence. Public data only: names, ARNs,
VersionIds, fingerprints. ``format`` changes when a field changes its meaning or goes away; new
fields may come with the same format.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from certifier.certificate import CertificateFacts
from certifier.decide import Problem
from certifier.models import (
    Change,
    EndpointFields,
    Fact,
    Finding,
    ImportedCertificate,
    SlotFacts,
    Versions,
)
from certifier.outcome import Mode, Origin, Outcome

FORMAT = "certifier.certification/1"
SUMMARY_FORMAT = "certifier.summary/1"


class Subject(StrEnum):
    """Which endpoint and settings a DMS test was made with."""

    CANARY = "canary with the new settings"
    BEFORE = "endpoint before the change"
    NOW = "endpoint as it shall be"
    RETURNED = "endpoint put back"


class DmsTest(Fact):
    """One connection test by DMS that was proven to belong to these settings."""

    subject: Subject
    instance_arn: str
    passed: bool
    message: str | None = None


class Trust(Fact):
    """The CAs that the endpoint trusts after the run. ``overlap``: old and new ones, for now."""

    certificate_arn: str | None = None
    digest: str | None = None
    overlap: bool = False
    anchors: tuple[CertificateFacts, ...] = ()


class EndpointRecord(Fact):
    """The endpoint as the run left it."""

    arn: str
    identifier: str
    engine: str
    created: bool = False
    fields: EndpointFields
    settings_digest: str


class TaskRecord(Fact):
    """The tasks that the change concerned. ``stood_still``: seconds, the longest of them."""

    paused: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    owed: tuple[str, ...] = ()
    stood_still: float | None = None


class SlotsRecord(Fact):
    """The server's replication slots; ``None``: nobody logged in, or the server does not tell.

    Attributes:
        before: as the probe saw them, before this run stopped any task.
        after: as the login saw them once the tasks were resumed.
        at_pause: bytes of WAL by slot when the tasks that are still owed were to be stopped.
    """

    before: tuple[SlotFacts, ...] | None = None
    after: tuple[SlotFacts, ...] | None = None
    at_pause: Mapping[str, int] = {}


class Verified(Fact):
    """Who says that it holds; ``None``: that witness was not asked in this run."""

    probe: bool | None = None
    rehearsal: bool | None = None
    dms_test: bool | None = None


class Certification(Fact):
    """What one run over one source did, saw and proved.

    Attributes:
        spec: the source as this run used it.
        probe: the report of our own TLS connection (docs/reference/probe-json.md).
        changes: what the plan found to differ; made when ``changed``.
        intended_leaf_sha256: the certificate that the server is meant to serve.
        days_left, expires, expires_at: the expiry that comes first, and of what.
        next_due: when the source is looked at again; ``None``: when somebody asks.
    """

    format: str = FORMAT
    source: str
    version: int
    spec: dict[str, Any]
    run: str
    parent: str
    mode: Mode
    origin: Origin
    outcome: Outcome
    recorded_at: datetime
    problem: Problem | None = None
    verified: Verified = Field(default_factory=Verified)
    endpoint: EndpointRecord | None = None
    changes: tuple[Change, ...] = ()
    changed: bool = False
    put_back: bool = False
    opens_at: datetime | None = None
    trust: Trust | None = None
    probe: dict[str, Any] | None = None
    tests: tuple[DmsTest, ...] = ()
    tasks: TaskRecord = Field(default_factory=TaskRecord)
    slots: SlotsRecord = Field(default_factory=SlotsRecord)
    acm: ImportedCertificate | None = None
    intended_leaf_sha256: str | None = None
    versions: Versions = Field(default_factory=Versions)
    days_left: int | None = None
    expires: str | None = None
    expires_at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    next_due: datetime | None = None


class Line(Fact):
    """One source in the summary of an execution."""

    name: str
    outcome: Outcome
    cause: str | None = None
    seen: str | None = None
    ssl_mode: str | None = None
    days_left: int | None = None
    owed: int = 0
    record: str | None = None


class Summary(Fact):
    """What one execution did with all its sources. ``failed``: why the execution itself fails."""

    format: str = SUMMARY_FORMAT
    execution: str
    mode: Mode | None = None
    origin: Origin | None = None
    reported_at: datetime
    problem: Problem | None = None
    failed: str = ""
    lines: tuple[Line, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many sources ended in each way, in the order of ``Outcome``."""
        words = [line.outcome for line in self.lines]
        return {o.value: words.count(o) for o in Outcome if o in words}
