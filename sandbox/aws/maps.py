"""The Distributed Map, with children that are executions of their own.

In moto, children share their parent's ARN and variables, and their failures are lost. Here, as in
AWS, a child has its own ARN under ``Machine/Label``, sees its input and nothing else, can be
described and stopped, and fails the Map when more fail than it tolerates.
"""

import copy
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import (
    ExecutionStatus,
    HistoryEventType,
    MapRunFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData
from moto.stepfunctions.parser.backend.execution import Execution

from sandbox.aws.jsonata import failure


class ChildExecution(Execution):
    """A child of a Distributed Map: an execution like any other, but of the Map's inner program."""

    def __init__(self, program: Any, parent: str, map_run: str, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.parent_arn = parent
        self.map_run_arn = map_run
        worker: Any = self._get_start_execution_worker()
        worker._get_evaluation_entrypoint = lambda: program
        self._run = worker._execution_logic
        self.exec_worker = worker
        self.exec_status = ExecutionStatus.RUNNING

    @property
    def succeeded(self) -> bool:
        """Whether it came to its end."""
        return bool(self.exec_status == ExecutionStatus.SUCCEEDED)

    def run(self) -> None:
        """Run to the end in this thread."""
        self._run()


def abort(execution: Any) -> None:
    """Let an execution end at its next state, ABORTED."""
    if execution.exec_worker is not None and execution.exec_worker.env is not None:
        execution.exec_worker.env.set_stop(stop_date=None, cause=None, error=None)


@dataclass
class MapRun:
    """One run over a manifest.

    Attributes:
        env: the parent's.
        given: what moto knows of the Map state: item selector, tolerance, label, record.
        program: what each child runs.
        machine: where executions are kept, so that they can be described.
        s3: for the results, when the Map has a writer.
        writer: the writer's arguments.
    """

    env: Any
    given: Any
    items: list[Any]
    program: Any
    machine: Any
    s3: Any
    writer: Mapping[str, str] | None
    _children: dict[int, ChildExecution] = field(default_factory=dict)
    _failures: int = 0
    _taken: int = 0
    _error: Exception | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> Any:
        """Run every child, at most as many at a time as the Map says; return the Map's result."""
        at_once = self.given.map_run_record.max_concurrency or len(self.items)
        workers = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(min(at_once, len(self.items)))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if not self.env.is_running():
            return []  # the parent was stopped, and its children with it
        if self._error is not None:
            raise self._error
        if self._too_many_failures():
            raise map_failure(
                self.env,
                StatesErrorNameType.StatesExceedToleratedFailureThreshold,
                "The specified tolerated failure threshold was exceeded",
            )
        children = [self._children[index] for index in sorted(self._children)]
        if self.writer is None:
            return [child.output for child in children if child.succeeded]
        try:
            return self._write(children, self.writer)
        except ClientError as error:
            name = StatesErrorNameType.StatesResultWriterFailed
            raise map_failure(self.env, name, str(error)) from None

    def _too_many_failures(self) -> bool:
        # Both thresholds are 0 when not given; one that is given opens the way on its own.
        share = 100 * self._failures / max(1, len(self.items))
        count_allowed = int(self.given.tolerated_failure_count)
        share_allowed = float(self.given.tolerated_failure_percentage)
        return self._failures > count_allowed and share > share_allowed

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._child(*job)
            except Exception as error:  # noqa: BLE001  (run raises it again)
                with self._lock:
                    self._error = self._error or error

    def _next(self) -> tuple[int, Any] | None:
        with self._lock:
            over = self._error is not None or self._too_many_failures()
            if over or self._taken == len(self.items) or not self.env.is_running():
                return None
            self._taken += 1
            return self._taken - 1, self.items[self._taken - 1]

    def _child(self, index: int, item: Any) -> None:
        record = self.given.map_run_record
        counters = (record.item_counter, record.execution_counter)
        child = self._make(self._input(index, item))
        with self._lock:
            self._children[index] = child
            self.machine.executions.append(child)
        for counter in counters:
            counter.total.count()
            counter.running.count()
        child.run()
        for counter in counters:
            counter.running.offset(-1)
            (counter.succeeded if child.succeeded else counter.failed).count()
        with self._lock:
            self._failures += not child.succeeded
            if self._too_many_failures():
                for sibling in self._children.values():
                    abort(sibling)

    def _make(self, given: Any) -> ChildExecution:
        parent = self.env.states.context_object.context_object_data["Execution"]["Id"]
        name = str(uuid.uuid4())
        label = self.given.label or self.given.state_name
        return ChildExecution(
            self.program,
            parent,
            self.given.map_run_record.map_run_arn,
            name=name,
            sm_type=self.env.execution_type,
            role_arn=self.env.aws_execution_details.role_arn,
            exec_arn=f"{parent.rsplit(':', 1)[0]}/{label}:{name}",
            account_id=self.env.aws_execution_details.account,
            region_name=self.env.aws_execution_details.region,
            state_machine=self.machine,
            start_date=None,
            cloud_watch_logging_session=None,
            activity_store={},
            input_data=json.dumps(given),
        )

    def _input(self, index: int, item: Any) -> Any:
        """What the item selector, which sees the parent's variables, makes of the item."""
        if self.given.item_selector is None:
            return item
        frame = self.env.open_inner_frame()
        try:
            frame.states.reset(self.env.states.get_input())
            data = frame.states.context_object.context_object_data
            data["Map"] = MapData(Item=ItemData(Index=index, Value=copy.deepcopy(item)))
            frame.stack.append(self.env.states.get_input())
            self.given.item_selector.eval(frame)
            return frame.stack.pop()
        finally:
            self.env.delete_frame(frame)

    def _write(self, children: list[ChildExecution], writer: Mapping[str, str]) -> dict[str, Any]:
        """Put the results into the bucket, by status, and answer where, as AWS does."""
        place = {key: self._evaluated(value) for key, value in writer.items()}
        arn = self.given.map_run_record.map_run_arn
        folder = f"{place['Prefix'].rstrip('/')}/{arn.rsplit(':', 1)[-1]}"
        files: dict[str, list[Any]] = {"SUCCEEDED": [], "FAILED": [], "PENDING": []}
        for status in ("SUCCEEDED", "FAILED"):
            results = [
                {
                    "ExecutionArn": child.exec_arn,
                    "Input": json.dumps(child.input_data),
                    "Output": json.dumps(child.output),
                    "Name": child.name,
                    "Status": child.status,
                }
                for child in children
                if child.succeeded == (status == "SUCCEEDED")
            ]
            if results:
                key = f"{folder}/{status}_0.json"
                files[status].append({"Key": key})
                self.s3.put_object(Bucket=place["Bucket"], Key=key, Body=json.dumps(results))
        manifest = {"DestinationBucket": place["Bucket"], "MapRunArn": arn, "ResultFiles": files}
        key = f"{folder}/manifest.json"
        self.s3.put_object(Bucket=place["Bucket"], Key=key, Body=json.dumps(manifest))
        details = {"Bucket": place["Bucket"], "Key": key}
        return {"MapRunArn": arn, "ResultWriterDetails": details}

    def _evaluated(self, value: str) -> str:
        if not value.startswith("{%"):
            return value
        StringJSONata(value.removeprefix("{%").removesuffix("%}").strip()).eval(self.env)
        return str(self.env.stack.pop())


def map_failure(env: Any, name: Any, cause: str) -> FailureEventException:
    """Return an error of the Map state itself."""
    return failure(
        env,
        name,
        event=HistoryEventType.MapRunFailed,
        mapRunFailedEventDetails=MapRunFailedEventDetails(error=name.to_name(), cause=cause),
    )
