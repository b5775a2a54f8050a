"""What machines hear of a certification: the events that Record puts on an EventBridge bus.

One event says how the run ended, a second one that something needs a person, in the rhythm of the
notices. Names, ARNs, dates and words of our own vocabulary; of what a server has said only the name
of the certificate that expires first, as printable text. ``format`` changes when a field changes
its meaning or goes away; new fields may come with the same format.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from certifier.models import Fact, Finding, errors_first, weightiest
from certifier.run.record import Certification
from certifier.run.settled import still_open
from certifier.vocabulary import EVENT_SOURCE, Cause, Origin, Outcome, Severity, SslMode

NAMED_RESTARTS = 20
"""How many tasks that wait for a restart an event names; ``pending_restarts`` counts all."""


class DetailType(StrEnum):
    """The ``detail-type`` of an event: one for each outcome, and one beside it."""

    SUCCEEDED = "Certification Succeeded"
    TASK_STOPPED = "Certification Task Stopped"
    REFUSED = "Certification Refused"
    ROLLED_BACK = "Certification Rolled Back"
    FAILED = "Certification Failed"
    PLANNED = "Certification Planned"
    DEFERRED = "Certification Deferred"
    NEEDS_ATTENTION = "Certification Needs Attention"


OF_OUTCOME: Mapping[Outcome, DetailType] = MappingProxyType(
    {
        Outcome.CERTIFIED: DetailType.SUCCEEDED,
        Outcome.TASK_STOPPED: DetailType.TASK_STOPPED,
        Outcome.REFUSED: DetailType.REFUSED,
        Outcome.ROLLED_BACK: DetailType.ROLLED_BACK,
        Outcome.FAILED: DetailType.FAILED,
        Outcome.PLANNED: DetailType.PLANNED,
        Outcome.DEFERRED: DetailType.DEFERRED,
    }
)


class Detail(Fact):
    """The ``detail`` of an event.

    Attributes:
        installation: the name of the stack that certified.
        name: the source.
        summary: one line for people, such as ``orders refused: hostname_mismatch``.
        cause: the finding that matters most, advice left out; null when there is none.
        causes: those of all errors and warnings, errors first, each once.
        ssl_mode: of the endpoint as the run left it; null when no endpoint was seen.
        endpoint_arn, certificate_arn: of DMS; null when there is none, or none was seen.
        days_left: whole days until the first certificate expires that the source depends on,
            negative afterwards; null when unknown.
        share_left: the least share of its life, from 1 to 0, that one of them has left.
        late: how many of them should have been renewed by now.
        expires_at, expires: when that is, and which certificate.
        pending_restarts: how many tasks of the endpoint wait for a restart.
        pending_restart_arns: the first twenty of them.
        next_due: when the source is due again; null: when somebody asks.
        record: where the record lies, as an S3 URI; the page lies beside it.
        run: the ARN of the child execution that certified. An event is delivered at least once:
            ``run`` and the detail-type together are the same for its every copy.
        execution: the ARN of the execution that the run was part of.
    """

    format: Literal["certifier.event/1"] = "certifier.event/1"
    installation: str
    name: str
    outcome: Outcome
    summary: str
    cause: Cause | None
    causes: tuple[Cause, ...]
    ssl_mode: SslMode | None
    endpoint_arn: str | None
    certificate_arn: str | None
    days_left: int | None
    share_left: float | None
    late: int = Field(ge=0)
    expires_at: datetime | None
    expires: str | None
    pending_restarts: int = Field(ge=0)
    pending_restart_arns: tuple[str, ...] = Field(max_length=NAMED_RESTARTS)
    next_due: datetime | None
    record: str
    run: str
    execution: str
    origin: Origin
    recorded_at: datetime


class Announcement(Fact):
    """One event to put on the bus. ``resources``: the ARNs that rules can match it by."""

    detail_type: DetailType
    detail: Detail
    resources: tuple[str, ...] = ()


def announcements(
    record: Certification, *, where: str, installation: str, attention: bool
) -> tuple[Announcement, ...]:
    """Return the events of a certification, the outcome first.

    Args:
        where: the S3 URI of the record.
        attention: whether people are notified of this run because something needs them.
    """
    detail = _detail(record, where, installation)
    types = [OF_OUTCOME[record.outcome]]
    if attention:
        types.append(DetailType.NEEDS_ATTENTION)
    resources = () if detail.endpoint_arn is None else (detail.endpoint_arn,)
    return tuple(
        Announcement(detail_type=each, detail=detail, resources=resources) for each in types
    )


def _detail(record: Certification, where: str, installation: str) -> Detail:
    weighty = weightiest(still_open(record.findings, record.settled))
    endpoint, waiting = record.endpoint, record.tasks.pending_restarts
    outcome = record.outcome.words
    return Detail(
        installation=installation,
        name=record.source,
        outcome=record.outcome,
        summary=f"{record.source} {outcome}" + (f": {weighty.cause.value}" if weighty else ""),
        cause=weighty.cause if weighty else None,
        causes=_causes(record.findings),
        ssl_mode=endpoint.fields.ssl_mode if endpoint else None,
        endpoint_arn=endpoint.arn if endpoint else None,
        certificate_arn=endpoint.fields.certificate_arn if endpoint else None,
        days_left=record.days_left,
        share_left=record.share_left,
        late=len(record.late),
        expires_at=record.expires_at,
        expires=record.expires,
        pending_restarts=len(waiting),
        pending_restart_arns=waiting[:NAMED_RESTARTS],
        next_due=record.next_due,
        record=where,
        run=record.run,
        execution=record.parent,
        origin=record.origin,
        recorded_at=record.recorded_at,
    )


def _causes(findings: tuple[Finding, ...]) -> tuple[Cause, ...]:
    weighty = (each for each in findings if each.severity is not Severity.ADVICE)
    return tuple(dict.fromkeys(each.cause for each in errors_first(weighty)))


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a whole event, as a rule's target gets it."""
    detail = Detail.model_json_schema(mode="serialization")
    definitions = detail.pop("$defs", {})
    # A reader of format 1 must accept the fields that later versions add.
    detail.pop("additionalProperties", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Certifier event",
        "description": "An event that Certifier puts on an EventBridge bus for a certification.",
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": {"const": EVENT_SOURCE},
            "detail-type": {"enum": [each.value for each in DetailType]},
            "resources": {
                "type": "array",
                "description": "The ARN of the endpoint, once one was seen.",
                "items": {"type": "string"},
            },
            "detail": detail,
        },
        "$defs": definitions,
    }
