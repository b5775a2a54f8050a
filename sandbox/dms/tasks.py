"""Replication instances and tasks (AWS facts, sections 3 and 6)."""

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
    """Create, describe, start, stop, modify, delete."""

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
            "DeleteReplicationTask": self._delete,
        }

    def _create(self, params: dict[str, Any]) -> dict[str, Any]:
        for end in ends_of(params):
            self._dms.endpoint(end)
        self._dms.instance(params["ReplicationInstanceArn"])
        task = self.add(params, "creating")
        self._dms.later(
            self._dms.durations.task_creating, lambda: self._change(task, "creating", "ready")
        )
        return {"ReplicationTask": copy_of(task.seen)}

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
                "ReplicationTaskStats": {},
            }
        )
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
        task.seen["Status"] = "starting"
        self._dms.later(self._dms.durations.task_starting, lambda: self._begin(task))
        return {"ReplicationTask": copy_of(task.seen)}

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
            self.stopped(task, status="failed")
            task.seen["LastFailureMessage"] = task.start_failure
            task.seen["StopReason"] = "Stop Reason FATAL_ERROR"
            return
        self.started(task)

    def started(self, task: Task) -> None:
        """Let a task run from now on."""
        now = self._dms.date()
        task.ran = True
        task.seen |= {"Status": "running", "ReplicationTaskStartDate": now}
        task.seen.pop("StopReason", None)
        stats = task.seen["ReplicationTaskStats"]
        stats.pop("StopDate", None)
        stats |= {"StartDate": now, "FreshStartDate": stats.get("FreshStartDate", now)}
        stats.setdefault("FullLoadProgressPercent", 100)
        stats |= dict.fromkeys(_COUNTS, 0)

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
        return {"ReplicationTask": copy_of(task.seen)}

    def stopped(self, task: Task, status: str = "stopped") -> None:
        """Let a task be stopped from now on, for no particular reason."""
        task.seen |= {"Status": status, "StopReason": "Stop Reason NORMAL"}
        task.seen["ReplicationTaskStats"]["StopDate"] = self._dms.date()

    def _modify(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._dms.task(params["ReplicationTaskArn"])
        before = task.seen["Status"]
        if before not in ("ready", "stopped", "failed"):
            raise bad_state(f"Replication task cannot be modified, invalid state: {before}")
        for name in ("TableMappings", "ReplicationTaskSettings", "MigrationType"):
            if name in params:
                task.seen[name] = params[name]
        task.seen["Status"] = "modifying"
        self._dms.later(
            self._dms.durations.task_creating, lambda: self._change(task, "modifying", before)
        )
        return {"ReplicationTask": copy_of(task.seen)}

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
        return {"ReplicationTask": copy_of(task.seen)}

    def _change(self, task: Task, before: str, after: str) -> None:
        if task.seen["Status"] == before:
            task.seen["Status"] = after
