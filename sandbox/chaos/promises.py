"""What must be true whatever has happened, once the schedule alone has worked for a while."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from certifier.ownership import canary_prefix
from certifier.vocabulary import Outcome
from sandbox.aws.deploy import STACK
from sandbox.aws.machine import Where
from sandbox.dms.libpq import connect
from sandbox.dms.standin import Call as DmsCall
from sandbox.world import World

STOPS = STARTS = 6
"""How often a task may be stopped, or started, for one change and two things that befall it."""

ENDPOINT_WRITES = ("CreateEndpoint", "ModifyEndpoint", "DeleteEndpoint")
MODIFIED = ("SslMode", "certificate", "ServerName", "Port", "Username", "DatabaseName")


@dataclass(frozen=True)
class Begun:
    """A start or a stop of a task that DMS has taken."""

    task: str
    operation: str
    person: bool


class Watch:
    """Follows a world from its making on: who has started and stopped what, who was notified.

    Args:
        names: the sources.
        ends: the outcomes with which they may end, where no person acts.

    Attributes:
        touched: identifiers of endpoints that a person has changed or deleted.
        locked_out: identifiers of endpoints whose password a person has changed on the server.
        acted: a person has acted at all, so that a run may rightly say no.
    """

    def __init__(self, world: World, names: tuple[str, ...], ends: tuple[str, ...]) -> None:
        self._world = world
        self._names = names
        self._people: set[int] = set()
        self._since = len(world.cloud.dms.log)
        self._notices = len(world.cloud.notices)
        self._endpoints = {e["EndpointIdentifier"]: self._settings(e) for e in self._all()}
        self._ran = {
            t["ReplicationTaskArn"] for t in world.cloud.dms.tasks() if t["Status"] == "running"
        }
        self._connected = {
            e["EndpointIdentifier"] for e in self._all() if self._does_not_connect(e) is None
        }
        self._ends = ends
        self.touched: set[str] = set()
        self.locked_out: set[str] = set()
        self._wrote: list[tuple[str, str]] = []
        world.cloud.dms.on_answer.append(self._at_answer)
        self.acted = False
        self._recorded: list[tuple[str, str, dict[str, Any]]] = []
        world.cloud.on_state(self._at_state)

    def _at_state(self, where: Where) -> None:
        """Keep what a run is about to certify."""
        if where.state == "Record certification":
            self._recorded += [
                (where.execution, one["EndpointIdentifier"], self._settings(one))
                for one in self._all()
            ]

    def _at_answer(self, call: DmsCall) -> None:
        """Keep which execution has written to which endpoint."""
        where = self._world.cloud._machines.where()
        if where is None or call.error is not None or call.operation not in ENDPOINT_WRITES:
            return
        of = {e["EndpointArn"]: e["EndpointIdentifier"] for e in self._all()}
        wrote = call.params.get("EndpointIdentifier") or of.get(call.params.get("EndpointArn", ""))
        if wrote is not None and not any(self._is_canary_name(wrote, n) for n in self._names):
            self._wrote.append((where.execution, wrote))

    def person(self, act: Callable[[], object], *, touches: str | None = None) -> bool:
        """Let a person call DMS, about an endpoint perhaps; say whether it was taken."""
        before = len(self._world.cloud.dms.log)
        try:
            act()
        except ClientError:
            return False
        finally:
            self._people |= set(range(before, len(self._world.cloud.dms.log)))
        self.touched |= {touches} if touches else set()
        return True

    def _all(self) -> list[dict[str, Any]]:
        return [
            one
            for one in self._world.cloud.dms.endpoints()
            if not any(self._is_canary(one, name) for name in self._names)
        ]

    def _is_canary(self, endpoint: Mapping[str, Any], name: str) -> bool:
        return self._is_canary_name(str(endpoint["EndpointIdentifier"]), name)

    def _is_canary_name(self, identifier: str, name: str) -> bool:
        return identifier.startswith(canary_prefix(STACK, name))

    def _settings(self, endpoint: Mapping[str, Any]) -> dict[str, Any]:
        pems = {
            c["CertificateArn"]: c["CertificatePem"] for c in self._world.cloud.dms.certificates()
        }
        seen = {**endpoint, "certificate": pems.get(endpoint.get("CertificateArn", ""))}
        return {key: seen.get(key) for key in MODIFIED}

    def begun(self) -> list[Begun]:
        """Return what was started and stopped since, oldest first."""
        return [
            Begun(
                call.params["ReplicationTaskArn"], call.operation[:-15].lower(), n in self._people
            )
            for n, call in enumerate(self._world.cloud.dms.log)
            if n >= self._since
            and call.error is None
            and call.operation in ("StartReplicationTask", "StopReplicationTask")
        ]

    def broken(self) -> list[str]:
        """Return each promise that is broken, in a line."""
        return [
            *self._left_open(),
            *self._tasks(),
            *self._of_endpoints(),
            *self._words(),
            *self._bounds(),
        ]

    # -- nothing is left open

    def _left_open(self) -> list[str]:
        cloud = self._world.cloud
        found = [f"{one.run_id} still runs" for one in cloud.executions if one.status == "RUNNING"]
        for name in self._names:
            waits = self._waits()
            for what in self._world.unfinished(name):
                if what not in waits and f"{name} has {what}" not in found:
                    found.append(f"{name} has {what}")
            found += [
                f"{name} has the canary {one['EndpointIdentifier']}"
                for one in cloud.dms.endpoints()
                if self._is_canary(one, name)
            ]
        return found

    def _waits(self) -> set[str]:
        """Return the tasks that wait for a restart, of which a person was notified."""
        sent = self._world.cloud.notices[self._notices :]
        return {
            task["ReplicationTaskArn"]
            for task in self._world.cloud.dms.tasks()
            if task["Status"] not in ("running", "starting")
            and any(task["ReplicationTaskIdentifier"] in body for _, body in sent)
        }

    # -- tasks

    def _tasks(self) -> list[str]:
        found = []
        stopped_by: dict[str, bool] = {}
        for one in self.begun():
            if one.operation == "stop":
                stopped_by[one.task] = one.person
            elif one.person:
                stopped_by.pop(one.task, None)
            elif stopped_by.get(one.task):
                found.append(f"{one.task} was started, which a person had stopped")
        waits = self._waits()
        for task in self._world.cloud.dms.tasks():
            arn, status = task["ReplicationTaskArn"], task["Status"]
            if arn not in self._ran or stopped_by.get(arn):
                continue
            if status != "running" and not (arn in waits and self._world.item("PAUSE", arn)):
                found.append(f"{task['ReplicationTaskIdentifier']} is {status}, and nobody knows")
        return found

    # -- endpoints

    def _of_endpoints(self) -> list[str]:
        now = {e["EndpointIdentifier"]: e for e in self._all()}
        specs = {name: self.spec(name) for name in self._names}
        return [
            f"{name} is {self._world.outcome(name)}, and {why}"
            for name, spec in specs.items()
            if spec is not None
            for why in self._of_endpoint(name, spec, now.get(spec["endpoint"]))
        ]

    def _of_endpoint(
        self, name: str, spec: Mapping[str, Any], endpoint: Mapping[str, Any] | None
    ) -> list[str]:
        """Return why an endpoint is neither as before nor as its source's outcome says."""
        identifier, outcome = spec["endpoint"], self._world.outcome(name)
        before, touched = self._endpoints.get(identifier), identifier in self.touched
        certified = outcome == Outcome.CERTIFIED
        if endpoint is None:
            gone = certified or (before is not None and not touched)
            return [f"{identifier} is gone"] if gone else []
        found = []
        why = self._does_not_connect(endpoint)
        if outcome not in self._ends and not self.acted:
            found.append(f"nobody has acted: {self._world.causes(name)}")
        did = identifier in self._connected and not touched and identifier not in self.locked_out
        if why is not None and (certified or did):
            found.append(f"DMS does not connect: {why}")
        if certified and endpoint["SslMode"] != spec["ssl_mode"]:
            found.append(f"{identifier} has {endpoint['SslMode']}")
        as_it_was = (before, *self._certified(identifier))
        if not certified and not touched and self._settings(endpoint) not in as_it_was:
            found.append(f"{identifier} is not as before")
        return found

    def _certified(self, identifier: str) -> list[dict[str, Any]]:
        """Return the settings with which an endpoint was certified since."""
        well = {e.arn for e in self._world.cloud.executions if e.outcome == Outcome.CERTIFIED}
        return [seen for run, name, seen in self._recorded if run in well and name == identifier]

    def spec(self, name: str) -> dict[str, Any] | None:
        """Return the source as it is registered; ``None``: it is not."""
        spec = self._world.item(f"SPEC#{name}", "SPEC").get("spec")
        return None if spec is None else dict(json.loads(spec) if isinstance(spec, str) else spec)

    def _does_not_connect(self, endpoint: Mapping[str, Any]) -> str | None:
        """Return libpq's words when DMS would not connect with the endpoint now."""
        dms = self._world.cloud.dms
        judged = dms.judge(endpoint)
        if judged is not None:
            return judged or None
        target = dms._connections._target(dms.state.endpoints[endpoint["EndpointArn"]])
        return target if isinstance(target, str) else connect(target, dms.resolve)

    # -- words

    def _words(self) -> list[str]:
        """Whether what runs say of themselves is true, and what they found was foreseen."""
        found = []
        started = {e.arn: e for e in self._world.cloud.executions}
        for arn, identifier in dict.fromkeys(self._wrote):
            run = started.get(arn)
            if run is not None and run.outcome in (Outcome.PLANNED, Outcome.REFUSED):
                found.append(f"{run.name} is {run.outcome}; {run.run_id} has written {identifier}")
        for name in self._names:
            if "unexpected" in self._world.causes(name):
                seen = [f["seen"] for f in self._world.state(name)["findings"]]
                found.append(f"{name} met an unexpected error: {seen}")
        return found

    # -- bounds

    def _bounds(self) -> list[str]:
        found = []
        ours = [one for one in self.begun() if not one.person]
        for task in {one.task for one in ours}:
            for operation, limit in (("stop", STOPS), ("start", STARTS)):
                count = sum((one.task, one.operation) == (task, operation) for one in ours)
                if count > limit:
                    found.append(f"{task} has met {operation} {count} times")
        return found
