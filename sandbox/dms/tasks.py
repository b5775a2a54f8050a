"""Replication instances and tasks (AWS facts, sections 3 and 6; answers recorded of real DMS)."""

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError

from sandbox.dms.world import (
    Fault,
    Instance,
    Operations,
    Task,
    World,
    bad_state,
    copy_of,
    ends_of,
    page,
    pair_of,
)

_COUNTS = ("ElapsedTimeMillis", "TablesLoaded", "TablesLoading", "TablesQueued", "TablesErrored")
NOTHING_LOADED = {"FullLoadProgressPercent": 0, **dict.fromkeys(_COUNTS, 0)}
NORMAL = "Stop Reason NORMAL"
"""What DMS says of a task that was asked to stop, and of one that has never run."""


def fatal(words: str) -> str:
    """What DMS says of a task that failed, as LastFailureMessage and as StopReason alike."""
    return f"Last Error  {words} Stop Reason FATAL_ERROR Error Level FATAL"


def answer_of(task: Task) -> dict[str, Any]:
    """How an operation that changes a task answers: only DescribeReplicationTasks has its stats."""
    return {
        "ReplicationTask": {
            name: value for name, value in task.seen.items() if name != "ReplicationTaskStats"
        }
    }


class Instances:
    """Create, describe."""

    def __init__(self, dms: World) -> None:
        self._dms = dms

    def operations(self) -> Operations:
        """The API operations that are answered here."""
        return {
            "CreateReplicationInstance": self._create,
            "DescribeReplicationInstances": self._describe,
        }

    def _create(self, params: dict[str, Any]) -> dict[str, Any]:
        instance = self.add(params, "creating")

        def available() -> None:
            instance.seen["ReplicationInstanceStatus"] = "available"

        self._dms.later(self._dms.durations.instance_creating, available)
        return {"ReplicationInstance": dict(instance.seen)}

    def add(self, params: dict[str, Any], status: str) -> Instance:
        """Make an instance in this status."""
        identifier = self._dms.identifier(
            params["ReplicationInstanceIdentifier"], "replication instance"
        )
        for other_arn, other in self._dms.state.instances.items():
            if other.seen["ReplicationInstanceIdentifier"] == identifier:
                raise self._dms.exists("replication instance", identifier, other_arn)
        if len(self._dms.state.instances) >= self._dms.quotas.instances:
            raise Fault("ResourceQuotaExceededFault", "The quota for instances is exceeded")
        arn = self._dms.new_arn("rep", params.get("ResourceIdentifier"))
        instance = Instance(
            {
                "ReplicationInstanceIdentifier": identifier,
                "ReplicationInstanceArn": arn,
                "ReplicationInstanceClass": params.get("ReplicationInstanceClass", "dms.t3.medium"),
                "ReplicationInstanceStatus": status,
                "AllocatedStorage": params.get("AllocatedStorage", 50),
                "EngineVersion": params.get("EngineVersion", "3.6.1"),
                "InstanceCreateTime": self._dms.date(),
                "KmsKeyId": params.get("KmsKeyId", self._dms.kms_key()),
                "MultiAZ": params.get("MultiAZ", False),
                "PubliclyAccessible": params.get("PubliclyAccessible", False),
            }
        )
        self._dms.state.instances[arn] = instance
        self._dms.add_tags(arn, params.get("Tags"))
        return instance

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._dms.filtered(
            params,
            [dict(instance.seen) for instance in self._dms.state.instances.values()],
            {
                "replication-instance-arn": "ReplicationInstanceArn",
                "replication-instance-id": "ReplicationInstanceIdentifier",
                "replication-instance-class": "ReplicationInstanceClass",
                "engine-version": "EngineVersion",
            },
        )
        return page(params, "ReplicationInstances", found)


class Tasks:
    """Create, describe, start, stop, modify, move, assess, delete."""

    def __init__(self, dms: World) -> None:
        self._dms = dms

    def operations(self) -> Operations:
        """The API operations that are answered here."""
        return {
            "CreateReplicationTask": self._create,
            "DescribeReplicationTasks": self._describe,
            "StartReplicationTask": self._start,
            "StopReplicationTask": self._stop,
            "ModifyReplicationTask": self._modify,
            "MoveReplicationTask": self._move,
            "StartReplicationTaskAssessment": self._assess,
            "DeleteReplicationTask": self._delete,
        }

    def _create(self, params: dict[str, Any]) -> dict[str, Any]:
        for end in ends_of(params):
            self._dms.endpoint(end)
        self._dms.instance(params["ReplicationInstanceArn"])
        task = self.add(params, "creating")
        self._dms.later(self._dms.durations.task_creating, lambda: self._ready(task))
        self._dms.note(task.seen, "creation", "Replication task has created.")
        return answer_of(task)

    def add(self, params: dict[str, Any], status: str) -> Task:
        """Make a task in this status, without a look at its endpoints."""
        identifier = self._dms.identifier(params["ReplicationTaskIdentifier"], "replication task")
        for other_arn, other in self._dms.state.tasks.items():
            if other.seen["ReplicationTaskIdentifier"] == identifier:
                raise self._dms.exists("replication task", identifier, other_arn)
        if len(self._dms.state.tasks) >= self._dms.quotas.tasks:
            raise Fault("ResourceQuotaExceededFault", "The quota for tasks is exceeded")
        arn = self._dms.new_arn("task", params.get("ResourceIdentifier"))
        task = Task(
            {
                "ReplicationTaskIdentifier": identifier,
                "ReplicationTaskArn": arn,
                "SourceEndpointArn": params["SourceEndpointArn"],
                "TargetEndpointArn": params["TargetEndpointArn"],
                "ReplicationInstanceArn": params["ReplicationInstanceArn"],
                "MigrationType": params["MigrationType"],
                "TableMappings": params["TableMappings"],
                "ReplicationTaskSettings": params.get("ReplicationTaskSettings", "{}"),
                "Status": status,
                "ReplicationTaskCreationDate": self._dms.date(),
                "ReplicationTaskStats": dict(NOTHING_LOADED),
            }
        )
        if status == "ready":
            task.seen["StopReason"] = NORMAL
        self._dms.state.tasks[arn] = task
        self._dms.add_tags(arn, params.get("Tags"))
        return task

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        tasks = [copy_of(task.seen) for task in self._dms.state.tasks.values()]
        if params.get("WithoutSettings"):
            for task in tasks:
                del task["ReplicationTaskSettings"], task["TableMappings"]
        found = self._dms.filtered(
            params,
            tasks,
            {
                "replication-task-arn": "ReplicationTaskArn",
                "replication-task-id": "ReplicationTaskIdentifier",
                "migration-type": "MigrationType",
                "endpoint-arn": ("SourceEndpointArn", "TargetEndpointArn"),
                "replication-instance-arn": "ReplicationInstanceArn",
            },
        )
        return page(params, "ReplicationTasks", found)

    def _start(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._dms.task(params["ReplicationTaskArn"])
        kind = params["StartReplicationTaskType"]
        if task.seen["Status"] not in ("ready", "stopped", "failed"):
            raise bad_state(
                f"Replication task cannot be started, invalid state: {task.seen['Status']}"
            )
        if (kind == "start-replication") == task.ran:
            when = "for the first time" if kind == "start-replication" else "previously"
            raise JsonRESTError(
                "InvalidParameterCombinationException",
                f"Start Type : {kind.upper().replace('-', '_')}, valid only for tasks running "
                f"{when}",
            )
        self._reject_unproven(task)
        task.seen |= {"Status": "starting", "ReplicationTaskStartDate": self._dms.date()}
        task.seen.pop("StopReason", None)
        self._dms.later(self._dms.durations.task_starting, lambda: self._begin(task))
        return answer_of(task)

    def _reject_unproven(self, task: Task) -> None:
        """Every endpoint of the task needs a passing test on the task's instance (section 3)."""
        instance = self._dms.instance(task.seen["ReplicationInstanceArn"])
        if instance.seen["ReplicationInstanceStatus"] != "available":
            raise bad_state("Replication instance is not available")
        for end in ends_of(task.seen):
            endpoint = self._dms.endpoint(end)
            connection = self._dms.state.connections.get(pair_of(endpoint, instance))
            passed = connection is not None and connection.status == "successful"
            if passed and self._dms.switches.modify_invalidates_pass:
                passed = connection is not None and connection.revision == endpoint.revision
            if not passed:
                raise bad_state(
                    "Test connection for replication instance "
                    f"{instance.seen['ReplicationInstanceIdentifier']} and endpoint "
                    f"{endpoint.seen['EndpointIdentifier']} should be successful for starting the "
                    "replication task"
                )

    def _begin(self, task: Task) -> None:
        if task.seen["Status"] != "starting":
            return
        if task.start_failure is not None:
            self.failed(task, task.start_failure)
            return
        if not task.ran:
            task.seen["ReplicationTaskStats"]["FullLoadProgressPercent"] = 100
        self.started(task)

    def started(self, task: Task) -> None:
        """Let a task run from now on."""
        now = self._dms.date()
        task.ran = True
        task.seen["Status"] = "running"
        task.seen.setdefault("ReplicationTaskStartDate", now)
        task.seen.pop("StopReason", None)
        stats = task.seen["ReplicationTaskStats"]
        stats.pop("StopDate", None)
        stats |= {"StartDate": now, "FreshStartDate": stats.get("FreshStartDate", now)}
        stats |= dict.fromkeys(_COUNTS, 0)
        self._dms.note(task.seen, "state change", "Replication task has started.")

    def _stop(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._dms.task(params["ReplicationTaskArn"])
        if task.seen["Status"] != "running":
            raise bad_state(
                f"Replication task cannot be stopped, invalid state: {task.seen['Status']}"
            )
        task.seen["Status"] = "stopping"
        self._dms.later(
            self._dms.durations.task_stopping,
            lambda: self.stopped(task) if task.seen["Status"] == "stopping" else None,
        )
        return answer_of(task)

    def stopped(self, task: Task) -> None:
        """Let a task be stopped from now on, for no particular reason."""
        self._over(task, "stopped", NORMAL)
        self._dms.note(task.seen, "state change", "Replication task has stopped.")

    def failed(self, task: Task, words: str) -> None:
        """Let a task have failed, with these words inside of what DMS says."""
        self._over(task, "failed", fatal(words))
        task.seen["LastFailureMessage"] = fatal(words)
        self._dms.note(task.seen, "failure", "Replication task has failed.")

    def _over(self, task: Task, status: str, reason: str) -> None:
        now = self._dms.date()
        checkpoint = f"checkpoint:V1#{task.checkpoint}#{int(now.timestamp()):016X}#0#0#*#0#0"
        task.checkpoint += 1
        task.seen |= {"Status": status, "StopReason": reason, "RecoveryCheckpoint": checkpoint}
        task.seen["ReplicationTaskStats"]["StopDate"] = now

    def _modify(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._dms.task(params["ReplicationTaskArn"])
        before = self._at_rest(task, "modified")
        for name in ("TableMappings", "ReplicationTaskSettings", "MigrationType"):
            if name in params:
                task.seen[name] = params[name]
        self._meanwhile(task, "modifying", before)
        self._dms.note(task.seen, "configuration change", "Replication task has modified.")
        return answer_of(task)

    def _move(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._dms.task(params["ReplicationTaskArn"])
        instance = self._dms.instance(params["TargetReplicationInstanceArn"])
        before = self._at_rest(task, "moved")
        task.seen["TargetReplicationInstanceArn"] = arn = instance.seen["ReplicationInstanceArn"]

        def moved() -> None:
            task.seen["ReplicationInstanceArn"] = arn
            del task.seen["TargetReplicationInstanceArn"]

        self._meanwhile(task, "moving", before, then=moved)
        return answer_of(task)

    def _assess(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._dms.task(params["ReplicationTaskArn"])
        self._meanwhile(task, "testing", self._at_rest(task, "assessed"))
        return answer_of(task)

    def _at_rest(self, task: Task, done: str) -> str:
        """The status of a task that may be changed now."""
        status = str(task.seen["Status"])
        if status not in ("ready", "stopped", "failed"):
            raise bad_state(f"Replication task cannot be {done}, invalid state: {status}")
        return status

    def _meanwhile(
        self, task: Task, status: str, before: str, *, then: Callable[[], None] | None = None
    ) -> None:
        """Let a task be in a status for a while, and afterwards in the one before."""
        task.seen["Status"] = status

        def over() -> None:
            if task.seen["Status"] == status:
                task.seen["Status"] = before
                if then is not None:
                    then()

        self._dms.later(self._dms.durations.task_creating, over)

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._dms.task(params["ReplicationTaskArn"])
        if task.seen["Status"] not in ("ready", "stopped", "failed", "creating"):
            raise bad_state(
                f"Replication task cannot be deleted, invalid state: {task.seen['Status']}"
            )
        task.seen["Status"] = "deleting"
        arn = task.seen["ReplicationTaskArn"]

        def gone() -> None:
            self._dms.state.tasks.pop(arn, None)
            self._dms.state.tags.pop(arn, None)

        self._dms.later(self._dms.durations.task_deleting, gone)
        self._dms.note(task.seen, "deletion", "Replication task has deleted.")
        return answer_of(task)

    def _ready(self, task: Task) -> None:
        if task.seen["Status"] == "creating":
            task.seen |= {"Status": "ready", "StopReason": NORMAL}
