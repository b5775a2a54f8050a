"""A live endpoint to break things on: one account for a module, emptied before each test."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from moto.acm.models import acm_backends

from certifier.ownership import canary_prefix
from certifier.run.record import Subject
from sandbox.aws import Execution, Kind
from sandbox.aws.deploy import STACK
from sandbox.aws.machine import Where
from sandbox.dms import Durations, Quotas, Switches
from sandbox.dms.world import State
from sandbox.world import (
    CONSENTED,
    DATABASE,
    ENDPOINT,
    HOST,
    NAME,
    PASSWORD,
    USER,
    World,
)

SECOND = "warehouse"
CANARY = canary_prefix(STACK, NAME)
DAY = 24 * 60
NOT_TOUCHED = {"StopReplicationTask", "ModifyEndpoint"}


def is_canary(endpoint: Mapping[str, Any]) -> bool:
    """Whether an endpoint, as DMS shows it, is a canary of the source ``orders``."""
    return bool(endpoint["EndpointIdentifier"].startswith(CANARY))


def emptied(world: World) -> World:
    """Return the account as nobody has used it yet. Its clock goes on; its server stays."""
    cloud, dms = world.cloud, world.cloud.dms
    cloud.faults.clear()
    cloud._machines.on_state.clear()
    cloud._machines._stops.clear()
    cloud.hide_executions(0)
    cloud._rights._statements.clear()
    dms.settle()
    with dms.lock:
        dms.state = State()
        dms._due.clear()
    dms.switches, dms.durations, dms.quotas = Switches(), Durations(), Quotas()
    dms.judge = lambda _: None
    dms.resolve = cloud.hosts
    dms.secrets = dms._moto_secret
    world.instance = dms.add_instance("replication-1")
    for item in cloud.items():
        key = {name: item[name] for name in ("pk", "sk")}
        cloud.client("dynamodb").delete_item(TableName=cloud.table, Key=key)
    acm_backends[cloud.account][cloud.region]._certificates.clear()
    world.server.execute(f"ALTER ROLE {USER} PASSWORD '{PASSWORD}'")
    world.serve()
    world.put_credentials()
    world.put_pair()
    return world


def connected(record: Mapping[str, Any]) -> dict[str, bool | None]:
    """Return which witness of a record connected; ``None``: it was not asked."""
    return {
        who: None if proof is None else proof["connected"]
        for who, proof in record["verified"].items()
    }


class Live:
    """The source ``orders``, its endpoint and its task, in an emptied account.

    The change that most tests make is the cheapest one: ``verify-ca`` becomes ``verify-full``.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.cloud = world.cloud
        self.dms = world.cloud.dms

    @property
    def canary(self) -> Mapping[str, Any] | None:
        """The canary of the source, whatever its random part is; ``None`` without one."""
        found = [one for one in self.dms.endpoints() if is_canary(one)]
        assert len(found) <= 1
        return found[0] if found else None

    # -- how it begins

    def certified(self, *, task: bool = True, **changes: Any) -> "Live":
        """Onboard with verify-ca and, unless ``task`` is false, let a task run on the endpoint."""
        self.world.onboard(**{"ssl_mode": "verify-ca", "restart_tasks": True, **changes})
        assert self.outcome == "certified", self.world.record()["findings"]
        if task:
            self.task = self.world.add_task()
        return self

    def adopted(self, identifier: str = ENDPOINT, **changes: Any) -> str:
        """Have somebody else make an endpoint, with a password that is in no secret of ours."""
        fields = {
            "EndpointType": "source",
            "EngineName": "postgres",
            "ServerName": HOST,
            "Port": self.world.server.port,
            "DatabaseName": DATABASE,
            "Username": USER,
            "Password": PASSWORD,
            "SslMode": "require",
            "Tags": CONSENTED,
            **changes,
        }
        fields = {key: value for key, value in fields.items() if value is not None}
        made = self.client.create_endpoint(EndpointIdentifier=identifier, **fields)
        return str(made["Endpoint"]["EndpointArn"])

    # -- what is done

    def change(self, **changes: Any) -> Execution:
        """Ask for verify-full."""
        return self.world.onboard(**{"restart_tasks": True, **changes})

    def tick(self, times: int = 1, *, minutes: float = 10) -> None:
        """Let only the schedule work."""
        for _ in range(times):
            self.cloud.tick(minutes=minutes)

    def when(self, state: str, act: Callable[[], object], nth: int = 1) -> None:
        """Do something once, as a child enters a state for the ``nth`` time from now on."""
        assert state in self.cloud.child_states(), f"no child enters a state {state!r}"
        seen: list[None] = []

        def listener(where: Where) -> None:
            if where.state == state and where.child:
                seen.append(None)
                if len(seen) == nth:
                    act()

        self.cloud.on_state(listener)

    def modify(self, identifier: str = ENDPOINT, **fields: Any) -> None:
        """Have somebody else change an endpoint."""
        arn = (self.world.endpoint(identifier) or {})["EndpointArn"]
        self.client.modify_endpoint(EndpointArn=arn, EngineName="postgres", **fields)

    def fails(self, words: str, fits: Callable[[Mapping[str, Any]], bool]) -> None:
        """Let DMS fail with those words at every endpoint that fits, as it shows it."""
        self.dms.judge = lambda endpoint: words if fits(endpoint) else None

    def unavailable(self, service: str, operation: str, times: int = 50, **where: Any) -> None:
        """Let the next so many calls of an operation get no answer."""
        for _ in range(times):
            self.cloud.faults.inject(service, operation, Kind.BEFORE, **where)

    # -- what has come of it

    @property
    def client(self) -> Any:
        """DMS, as somebody else calls it."""
        return self.cloud.client("dms")

    @property
    def outcome(self) -> str | None:
        return self.world.outcome()

    @property
    def causes(self) -> set[str]:
        return set(self.world.causes())

    @property
    def endpoint(self) -> Mapping[str, Any]:
        return self.world.endpoint() or {}

    @property
    def mode(self) -> str | None:
        return self.endpoint.get("SslMode")

    @property
    def arn(self) -> str:
        return str(self.endpoint["EndpointArn"])

    @property
    def unfinished(self) -> list[str]:
        return self.world.unfinished()

    def status(self, task: str | None = None) -> str:
        """Return the status of a task, the one of the source unless another is named."""
        (found,) = (
            one["Status"]
            for one in self.dms.tasks()
            if one["ReplicationTaskArn"] == (task or self.task)
        )
        return str(found)

    def found(self, cause: str) -> Mapping[str, Any]:
        """Return the one finding of that cause in the last record."""
        (only,) = (f for f in self.world.record()["findings"] if f["cause"] == cause)
        return dict(only)

    def asked(self, since: int) -> list[str]:
        """Return what DMS was asked to write since then, tests left out."""
        calls = self.cloud.calls.of("dms", writes=True, since=since)
        return [call.operation for call in calls if call.operation != "TestConnection"]

    @property
    def now(self) -> int:
        """How many calls there were so far."""
        return len(self.cloud.calls)

    def due_in(self) -> float:
        """Return in how many minutes the source is due."""
        due = datetime.fromisoformat(self.world.state()["due_at"])
        return (due - self.cloud.clock.now()).total_seconds() / 60


def with_new_settings(endpoint: Any) -> bool:
    """The real endpoint, with its new settings."""
    return bool(endpoint["EndpointIdentifier"] == ENDPOINT and endpoint["SslMode"] == "verify-full")


def with_old_settings(endpoint: Any) -> bool:
    """The real endpoint, with its old settings."""
    return bool(endpoint["EndpointIdentifier"] == ENDPOINT and endpoint["SslMode"] == "verify-ca")


def verdicts(live: Live) -> dict[str, bool]:
    """What DMS said of the endpoint before, of the canary, and of the endpoint since."""
    names = {
        Subject.BEFORE: "before",
        Subject.CANARY: "canary",
        Subject.NOW: "new",
        Subject.RETURNED: "old",
    }
    return {names[Subject(t["subject"])]: t["passed"] for t in live.world.record()["tests"]}
