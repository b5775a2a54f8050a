"""What started the machine: every event that Select sources understands, read into one value.

The state machine gets each event raw. ``parse_event`` says what an event asks for, or refuses it in
one sentence; which registered sources that concerns is ``affected_sources``. Both are pure.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from certifier.errors import InvalidEvent, UnreadableEvent
from certifier.identity import same_secret
from certifier.rds_names import rds_name
from certifier.source import InvalidSource, Source, parse_source
from certifier.text import printable
from certifier.vocabulary import Mode, Origin

CURRENT = "AWSCURRENT"
LABEL_UPDATED = "Secret Label Updated"
CLOUDTRAIL = frozenset({"AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"})
SECRET_CALLS = frozenset(
    {"PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "RotationSucceeded"}
)
"""Calls that CloudTrail shows when a secret may have a new current version (aws-facts 9)."""
EXPIRING = "ACM Certificate Approaching Expiration"
AVAILABLE = "ACM Certificate Available"
RENEWED = frozenset({"RENEWAL", "REIMPORT"})
"""What makes another certificate available under the same ARN (aws-facts 8)."""
RDS_INSTANCE = "RDS DB Instance Event"
RDS_EVENTS = frozenset({"RDS-EVENT-0501", "RDS-EVENT-0502"})
"""The server certificate must be, or will be, rotated: events of DB instances, Aurora's too."""
_RDS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
NAMES_AT_ONCE = 1000
_EXECUTION = re.compile(r"""[^\s/<>{}\[\]?*"#%\\^|~`$&,;:]{1,80}""")
"""The name of an execution (API of Step Functions, StartExecution)."""
SOURCES_AT_ONCE = 500
_ALLOWED = (
    "allowed are {} (the schedule), {'names': [...]} or {'all': true}, each with an optional "
    "'mode', and the events of Secrets Manager, ACM and RDS"
)
_OTHER_DOOR = "this state machine runs what is registered; the state machine Onboard registers"
_ONBOARDS = "allowed is {'sources': [...]} with an optional 'mode'"


@dataclass(frozen=True)
class AllDue:
    """The schedule: whatever is due."""


@dataclass(frozen=True)
class OfSecret:
    """The sources that use a secret, named by ARN or by name."""

    secret: str


@dataclass(frozen=True)
class OfCertificate:
    """The sources whose certificate in ACM this is."""

    arn: str


@dataclass(frozen=True)
class OfIntended:
    """The sources whose intended certificate lives in ACM under this ARN.

    Not those whose pair we have imported there: our own imports start nothing.
    """

    arn: str


@dataclass(frozen=True)
class OfHost:
    """The sources on the host of a DB instance of RDS, or on its cluster's.

    ``cluster`` is not in the event: Select sources asks RDS.
    """

    instance: str
    cluster: str | None = None


@dataclass(frozen=True)
class Onboarded:
    """What the execution of Onboard with this name has registered, or (to plan) has checked."""

    execution: str


@dataclass(frozen=True)
class Named:
    """These registered sources."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Everything:
    """Every registered source."""


@dataclass(frozen=True)
class NotifyTest:
    """No source: one notice, so that a person sees whether notices arrive."""


@dataclass(frozen=True)
class NothingChanged:
    """No source: CloudTrail also delivers calls that were denied, by whoever tried them."""


Choice = (
    NotifyTest
    | NothingChanged
    | AllDue
    | OfSecret
    | OfCertificate
    | OfIntended
    | OfHost
    | Onboarded
    | Named
    | Everything
)


@dataclass(frozen=True)
class Request:
    """What is asked for, how, and by whom."""

    choice: Choice
    mode: Mode = Mode.APPLY
    origin: Origin = Origin.EVENT


def parse_event(event: object) -> Request:
    """Return what the machine's input asks for.

    Raises:
        InvalidEvent: with every mistake at once; nothing has been touched.
    """
    if not isinstance(event, Mapping):  # of more bytes, the machine passes on null
        raise InvalidEvent(f"the input must be a JSON object of at most 256,000 bytes; {_ALLOWED}")
    if not event:
        return Request(AllDue(), origin=Origin.SCHEDULE)
    if "detail-type" in event or "source" in event:
        return Request(_delivered(event))
    return _direct(event)


# -- EventBridge


def _delivered(event: Mapping[str, Any]) -> Choice:
    """Return what an event of another service is about."""
    service, kind = event.get("source"), _text(event.get("detail-type"))
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    match service:
        case "aws.secretsmanager" if kind == LABEL_UPDATED:
            labels = _texts(detail.get("labelUpdated"))
            if CURRENT not in labels:
                raise UnreadableEvent(f"labelUpdated: only {CURRENT} starts a run")
            return OfSecret(_needed(event, "resources", _texts(event.get("resources"))))
        case "aws.secretsmanager" if kind in CLOUDTRAIL:
            if _text(detail.get("eventName")) not in SECRET_CALLS:
                raise UnreadableEvent(
                    f"detail.eventName: must be one of {', '.join(sorted(SECRET_CALLS))}"
                )
            if detail.get("errorCode") is not None:
                return NothingChanged()
            return OfSecret(_needed(event, "detail", _secret_of_call(detail)))
        case "aws.acm" if kind == EXPIRING:
            return OfCertificate(_needed(event, "resources", _texts(event.get("resources"))))
        case "aws.acm" if kind == AVAILABLE:
            if _text(detail.get("Action")) not in RENEWED:
                raise UnreadableEvent(f"detail.Action: must be one of {', '.join(sorted(RENEWED))}")
            return OfIntended(_needed(event, "resources", _texts(event.get("resources"))))
        case "aws.rds" if kind == RDS_INSTANCE:
            if _text(detail.get("EventID")) not in RDS_EVENTS:
                raise UnreadableEvent(
                    f"detail.EventID: must be one of {', '.join(sorted(RDS_EVENTS))}"
                )
            named = _texts(detail.get("SourceIdentifier"))
            arns = [*_texts(detail.get("SourceArn")), *_texts(event.get("resources"))]
            named += [arn.partition(":db:")[2] for arn in arns if ":db:" in arn]
            named = [name for name in named if _RDS_NAME.fullmatch(name)]
            return OfHost(_needed(event, "detail.SourceIdentifier", named))
        case _:
            raise InvalidEvent(f"an event of this source and detail-type is not known; {_ALLOWED}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    """Return the texts in ``value``, which services write as one text or as a list."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _secret_of_call(detail: Mapping[str, Any]) -> list[str]:
    """Return how a CloudTrail event names its secret: where depends on the call (aws-facts 9)."""
    found: list[str] = []
    for part, keys in (
        ("responseElements", ("arn", "aRN", "ARN")),
        ("additionalEventData", ("SecretId", "secretId")),
        ("requestParameters", ("secretId",)),
    ):
        inner = detail.get(part)
        if isinstance(inner, Mapping):
            found += [text for key in keys for text in _texts(inner.get(key))]
    return found


def _needed(event: Mapping[str, Any], field: str, found: list[str]) -> str:
    if not found:
        kind = _text(event.get("detail-type"))
        raise UnreadableEvent(f"{field}: the {kind} event does not say what it is about")
    return found[0]


# -- a person or a pipeline


def _direct(event: Mapping[str, Any]) -> Request:
    if "sources" in event:
        raise InvalidEvent(f"sources: {_OTHER_DOOR}")
    if set(event) == {"notify_test"}:
        if event["notify_test"] is not True:
            raise InvalidEvent("notify_test: must be true")
        return Request(NotifyTest(), origin=Origin.DIRECT)
    if set(event) == {"onboarded"}:
        return Request(_onboarded(event["onboarded"]), origin=Origin.DIRECT)
    mode, problems = _mode(event, ("names", "all"), _ALLOWED)
    chosen = [key for key in ("names", "all") if key in event]
    choice: Choice = AllDue()
    if len(chosen) != 1:
        problems.append(f"give exactly one of names and all; {_ALLOWED}")
    elif chosen == ["all"]:
        choice = Everything()
        if event["all"] is not True:
            problems.append("all: must be true")
    else:
        choice, wrong = _names(event["names"])
        problems += wrong
    if problems:
        raise InvalidEvent(*problems)
    return Request(choice, mode, Origin.DIRECT)


def _mode(
    event: Mapping[str, Any], fields: tuple[str, ...], allowed: str
) -> tuple[Mode, list[str]]:
    """Return the mode of a direct start, and what is wrong with it or with the other fields."""
    problems = [
        f"{printable(str(key), 60)}: is not a known field; {allowed}"
        for key in event
        if key not in (*fields, "mode")
    ]
    mode = event.get("mode", Mode.APPLY.value)
    if not isinstance(mode, str) or mode not in set(Mode):
        return Mode.APPLY, [*problems, "mode: must be 'apply' or 'plan'"]
    return Mode(mode), problems


def _onboarded(value: object) -> Choice:
    named = isinstance(value, str) and value.isprintable() and _EXECUTION.fullmatch(value)
    if not isinstance(value, str) or not named:
        raise InvalidEvent("onboarded: must be the name of an execution of Onboard")
    return Onboarded(value)


def _names(value: object) -> tuple[Choice, list[str]]:
    if not isinstance(value, list) or not value or not all(isinstance(x, str) for x in value):
        return Named(()), ["names: must be a list of names, with at least one"]
    if len(value) > NAMES_AT_ONCE:
        return Named(()), [f"names: at most {NAMES_AT_ONCE} at once; use {{'all': true}} for all"]
    return Named(tuple(dict.fromkeys(value))), []


# -- who registers


@dataclass(frozen=True)
class Registering:
    """The sources to be registered and run; with ``mode`` plan, to be checked and planned."""

    sources: tuple[Source, ...]
    mode: Mode = Mode.APPLY


def parse_registering(event: object) -> Registering:
    """Return what the input of Onboard asks for.

    Raises:
        InvalidEvent: with every mistake of every source at once; nothing has been touched.
    """
    if not isinstance(event, Mapping):
        raise InvalidEvent(f"the input must be a JSON object; {_ONBOARDS}")
    mode, problems = _mode(event, ("sources",), _ONBOARDS)
    sources, wrong = _sources(event.get("sources"))
    if problems := [*problems, *wrong]:
        raise InvalidEvent(*problems)
    return Registering(sources, mode)


def _sources(value: object) -> tuple[tuple[Source, ...], list[str]]:
    """Return the sources, or every mistake of every one of them."""
    if not isinstance(value, list) or not value:
        return (), ["sources: must be a list of sources, with at least one"]
    if len(value) > SOURCES_AT_ONCE:
        return (), [f"sources: at most {SOURCES_AT_ONCE} at once, {len(value)} were given"]
    good: list[Source] = []
    problems: list[str] = []
    for index, item in enumerate(value):
        try:
            good.append(parse_source(item))
        except InvalidSource as wrong:
            problems += [f"sources.{index}.{problem}" for problem in wrong.problems]
    for field in ("name", "endpoint"):
        said = Counter(str(getattr(source, field)).lower() for source in good)
        problems += [
            f"sources: two of them have the {field} {text}"
            for text, count in sorted(said.items())
            if count > 1
        ]
    return tuple(good), problems


# -- which sources an event concerns


def affected_sources(
    choice: OfSecret | OfCertificate | OfIntended | OfHost,
    sources: Iterable[Source],
    certificates: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return the names of the sources that an event concerns, sorted.

    Args:
        certificates: the certificates in ACM of each source, by its name.
    """
    match choice:
        case OfSecret(secret):
            hit = [source.name for source in sources if _uses(source, secret)]
        case OfCertificate(arn):
            hit = [
                s.name for s in sources if arn in (*certificates.get(s.name, ()), s.acm_certificate)
            ]
        case OfIntended(arn):
            hit = [s.name for s in sources if s.acm_certificate == arn]
        case OfHost(instance, cluster):
            hit = [s.name for s in sources if _is_host(s.host, instance, cluster)]
    return tuple(sorted(hit))


def _uses(source: Source, secret: str) -> bool:
    """Whether the source uses the secret, in whatever form an event names it."""
    return any(same_secret(arn, secret) for arn in source.secrets)


def _is_host(host: str, instance: str, cluster: str | None) -> bool:
    """Whether an RDS host name is that of the instance, or one of its cluster's.

    The first label is the identifier, the second says of what: ``cluster-`` and ``cluster-ro-``
    stand for a cluster's writer and readers. Custom endpoints have names of their own, and proxies
    other certificates.
    """
    name = rds_name(host)
    if name is None:
        return False
    if name.is_cluster:
        return cluster is not None and name.identifier == cluster.lower()
    return name.identifier == instance.lower() and not name.is_proxy
