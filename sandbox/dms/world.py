"""What every part of the DMS stand-in shares: state, clock, errors and small rules."""

import base64
import hashlib
import heapq
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import JsonRESTError, ServiceException

from sandbox.dms.switches import Durations, Quotas, Switches

_NOT_IN_TAGS = re.compile(r"[^\w\s.:/=+-]")

PLAIN = ("ServerName", "Port", "Username", "DatabaseName")
"""Fields that stand at the top level of an endpoint and in its PostgreSQLSettings alike."""

_IDENTIFIER = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])*")

EVENTS_KEPT = 1_000

Operations = Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]


class Fault(ServiceException):
    """A fault of the DMS model; its attributes (`resourceArn`) arrive in the client.

    moto looks for the model of an error beside the class, so it needs one outside moto.
    """


@dataclass
class Certificate:
    """`seen`, here and below, is what the Describe operation shows."""

    seen: dict[str, Any]


@dataclass
class Endpoint:
    """`seen` lacks the plain fields, which live in `settings`. `revision` grows with a change.

    DescribeEndpoints shows `before` until `before_until`.
    """

    seen: dict[str, Any]
    settings: dict[str, Any]
    password: str | None = None
    revision: int = 0
    before: dict[str, Any] = field(default_factory=dict)
    before_until: float = 0.0


@dataclass
class Instance:
    """A replication instance."""

    seen: dict[str, Any]


@dataclass
class Task:
    """A replication task. `ran`: it has run before; `start_failure`: why it fails when started.

    `checkpoint` counts its stops.
    """

    seen: dict[str, Any]
    ran: bool = False
    start_failure: str | None = None
    checkpoint: int = 1


@dataclass
class Serverless:
    """A replication config, the status of its replication, and why its test failed."""

    seen: dict[str, Any]
    status: str
    failure: str | None = None


@dataclass
class Test:
    """One connection test under way. `message` is None while libpq works, "" once it connected."""

    __test__ = False  # pytest takes it for a test

    revision: int
    elapsed: bool = False
    message: str | None = None


@dataclass
class Connection:
    """The last test of an endpoint from an instance.

    `revision` is that of the endpoint's settings which the last verdict belongs to, -1 before the
    first; `old_status` is shown until `old_until`, although a new test is under way.
    """

    endpoint: Endpoint
    instance: Instance
    status: str = "testing"
    message: str | None = None
    revision: int = -1
    test: Test | None = None
    old_status: str | None = None
    old_until: float = 0.0


@dataclass
class State:
    """All there is, by ARN; connections by the ARNs of endpoint and instance."""

    certificates: dict[str, Certificate] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    configs: dict[str, Serverless] = field(default_factory=dict)
    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    connections: dict[tuple[str, str], Connection] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))


class World:
    """One account in one Region. See :class:`sandbox.dms.standin.DmsStandIn` for the arguments."""

    def __init__(
        self,
        *,
        switches: Switches,
        durations: Durations,
        quotas: Quotas,
        resolve: Mapping[str, str] | None,
        clock: Callable[[], float],
        tick: float,
        account: str,
        region: str,
        secrets: Callable[[str], str],
    ) -> None:
        self.switches = switches
        self.durations = durations
        self.quotas = quotas
        self.resolve = resolve
        self.judge: Callable[[Mapping[str, Any]], str | None] = lambda _: None
        self.account = account
        self.region = region
        self.secrets = secrets
        self.may: Callable[[str, str, str], bool] = lambda *_: True
        self.lock = threading.RLock()
        self.state = State()
        self._clock = clock
        self._tick = tick
        self._ticks = 0.0
        self._stamp = 0.0
        self._made = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._queued = 0

    def now(self) -> float:
        """Seconds since the epoch on the stand-in's clock."""
        return self._clock() + self._ticks

    def tick(self) -> None:
        """Let the time pass that a call takes."""
        self._ticks += self._tick

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something in that many seconds, at the first call after."""
        self._queued += 1
        heapq.heappush(self._due, (self.now() + seconds, self._queued, act))

    def advance(self) -> None:
        """Do what has come due since the last call."""
        now = self.now()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    def note(self, task: Mapping[str, Any], category: str, message: str) -> None:
        """Something happened to a task: DescribeEvents shows it."""
        self.state.events.append(
            {
                "SourceIdentifier": task["ReplicationTaskIdentifier"],
                "SourceType": "replication-task",
                "Message": message,
                "EventCategories": [category],
                "Date": self.date(),
            }
        )

    def seen_endpoint(self, endpoint: Endpoint) -> dict[str, Any]:
        """As DescribeEndpoints shows it: the type in capitals, never a password (section 3)."""
        plain = {name: endpoint.settings[name] for name in PLAIN if name in endpoint.settings}
        settings = dict(endpoint.settings)
        if self.switches.plugin_name_underscored and "PluginName" in settings:
            settings["PluginName"] = settings["PluginName"].replace("-", "_")
        if not self.switches.plain_fields_mirrored:
            settings = {name: value for name, value in settings.items() if name not in plain}
        return endpoint.seen | plain | {"PostgreSQLSettings": settings}

    def add_tags(self, arn: str, tags: list[dict[str, str]] | None) -> None:
        """Tag a resource, with what DMS takes (botocore: dms#Tag)."""
        for tag in tags or []:
            if _NOT_IN_TAGS.search(tag["Key"] + tag.get("Value", "")):
                raise invalid(f"Invalid characters in the tag {tag['Key']}")
            self.state.tags.setdefault(arn, {})[tag["Key"]] = tag.get("Value", "")

    def filtered(
        self,
        params: dict[str, Any],
        items: list[dict[str, Any]],
        names: Mapping[str, str | tuple[str, ...]],
    ) -> list[dict[str, Any]]:
        """The items that match every filter; ``names`` are the filters there are, with fields."""
        filters = params.get("Filters") or []
        found = items
        for one in filters:
            if one["Name"] not in names:
                raise invalid(f"Unrecognized filter name: {one['Name']}")
            fields = names[one["Name"]]
            wanted = {value.lower() for value in one["Values"]}
            found = [
                item
                for item in found
                if any(
                    str(item.get(name, "")).lower() in wanted
                    for name in ((fields,) if isinstance(fields, str) else fields)
                )
            ]
        if filters and not found and self.switches.unmatched_filter_raises:
            raise not_found("No resources found matching the given filters")
        return found

    def identifier(self, text: str, kind: str) -> str:
        """An identifier as DMS stores it (section 2)."""
        if not _IDENTIFIER.fullmatch(text) or len(text) > 255:
            raise invalid(
                f"The {kind} identifier must begin with a letter; it must contain only ASCII "
                "letters, digits, and hyphens; and must not end with a hyphen or contain two "
                "consecutive hyphens"
            )
        return text.lower() if self.switches.identifiers_lowered else text

    def exists(self, kind: str, identifier: str, arn: str) -> Fault:
        """The fault of a name that is taken; whether it says by what is UNCONFIRMED."""
        fault = Fault("ResourceAlreadyExistsFault", f"The {kind} {identifier} already exists")
        if self.switches.already_exists_names_arn:
            fault.resourceArn = arn  # type: ignore[attr-defined]
        return fault

    def endpoint(self, arn: str) -> Endpoint:
        """The endpoint of this ARN, or ResourceNotFoundFault."""
        try:
            return self.state.endpoints[arn]
        except KeyError:
            raise not_found(f"Endpoint {arn} not found") from None

    def instance(self, arn: str) -> Instance:
        """The replication instance of this ARN, or ResourceNotFoundFault."""
        try:
            return self.state.instances[arn]
        except KeyError:
            raise not_found(f"Replication instance {arn} not found") from None

    def task(self, arn: str) -> Task:
        """The task of this ARN, or ResourceNotFoundFault."""
        try:
            return self.state.tasks[arn]
        except KeyError:
            raise not_found(f"Replication task {arn} not found") from None

    def new_arn(self, kind: str, name: str | None = None) -> str:
        """An ARN that was never given before, or one with the name that the caller chose."""
        self._made += 1
        digest = hashlib.sha256(f"{kind}:{self._made}".encode()).digest()
        name = name or base64.b32encode(digest).decode()[:26]
        return f"arn:aws:dms:{self.region}:{self.account}:{kind}:{name}"

    def kms_key(self) -> str:
        """The key that DMS uses when none is named."""
        return f"arn:aws:kms:{self.region}:{self.account}:key/aws-dms"

    def date(self) -> datetime:
        """Now, and later than every date given before: two stops never share a StopDate."""
        self._stamp = max(round(self.now(), 3), round(self._stamp + 0.001, 3))
        return datetime.fromtimestamp(self._stamp, UTC)


def page(
    params: dict[str, Any],
    key: str,
    items: list[dict[str, Any]],
    *,
    default: int = 100,
    least: int = 20,
    most: int = 100,
) -> dict[str, Any]:
    """One page of a Describe: 20 to 100, default 100; certificates default 10 (sections 2, 4)."""
    size = params.get("MaxRecords", default)
    if not least <= size <= most:
        raise invalid(f"MaxRecords must be between {least} and {most}")
    marker = params.get("Marker")
    try:
        start = int(base64.b64decode(marker)) if marker else 0
    except ValueError:
        start = -1
    if start < 0:
        raise invalid("Invalid marker")
    shown: dict[str, Any] = {key: items[start : start + size]}
    if start + size < len(items):
        shown["Marker"] = base64.b64encode(str(start + size).encode()).decode()
    return shown


def given(params: Mapping[str, Any], name: str) -> bool:
    """Whether a field was sent, at the top level or in the settings."""
    return name in params or name in (params.get("PostgreSQLSettings") or {})


def ends_of(seen: Mapping[str, Any]) -> tuple[str, str]:
    """The ARNs of the two endpoints of a task or a replication config."""
    return seen["SourceEndpointArn"], seen["TargetEndpointArn"]


def pair_of(endpoint: Endpoint, instance: Instance) -> tuple[str, str]:
    """What names a connection."""
    return endpoint.seen["EndpointArn"], instance.seen["ReplicationInstanceArn"]


def copy_of(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task as it is now, for an answer that is serialised later."""
    return {**task, "ReplicationTaskStats": dict(task["ReplicationTaskStats"])}


def bad_state(message: str) -> Fault:
    """What is asked for is not possible now."""
    return Fault("InvalidResourceStateFault", message)


def not_found(message: str) -> Fault:
    """It does not exist."""
    return Fault("ResourceNotFoundFault", message)


def invalid(message: str) -> JsonRESTError:
    """A value that DMS does not take; the model has no such fault (section 2)."""
    return JsonRESTError("InvalidParameterValueException", message)
