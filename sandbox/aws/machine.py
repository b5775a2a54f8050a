"""Step Functions: moto's interpreter, taught what it lacks and corrected where it is too forgiving.

Everything here reaches into moto, which is pinned for that reason. :func:`installed` puts the seams
in and takes them out again:

- JSONata by ``jsonata-python``, with variables bound as values instead of pasted into the text;
- a Distributed Map whose children are executions of their own: their own ARN and variables, none of
  their parent's, a tolerance that holds, each to be described, listed and stopped;
- ``States.ALL`` that lets ``States.Runtime`` and ``States.DataLimitExceeded`` pass, like AWS;
- a manifest that cannot be read is ``States.ItemReaderFailed``, which a Catch sees;
- Wait states and retries that move the sandbox's clock.
"""

import copy
import json
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import boto3
import moto.stepfunctions.models as plain_models
from botocore.config import Config
from botocore.exceptions import ClientError
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto.core.responses import ActionResult
from moto.stepfunctions.models import StepFunctionBackend
from moto.stepfunctions.parser.api import (
    EvaluationFailedEventDetails,
    ExecutionStatus,
    HistoryEventType,
    MapRunFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval import (
    resource_eval_s3 as reader_s3,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import (  # noqa: E501
    ItemReader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component as distributed,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData
from moto.stepfunctions.parser.asl.parse import asl_parser
from moto.stepfunctions.parser.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.stepfunctions.responses import StepFunctionResponse

from sandbox.aws.clock import Clock


@dataclass(frozen=True)
class Where:
    """The state that a thread is working for."""

    execution: str
    state: str


class Machines:
    """What the seams share: the clock, who is where, who ended, and whom to stop at which state."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._here = threading.local()
        self._lock = threading.Lock()
        self._ended: dict[str, threading.Event] = defaultdict(threading.Event)
        self._stops: list[tuple[str, int]] = []
        self._clients: dict[tuple[str, str], Any] = {}
        self._programs: dict[str, Any] = {}
        self.result_writers: dict[str, Mapping[str, str]] = {}
        self.on_state: list[Callable[[Where], None]] = []

    def where(self) -> Where | None:
        """Return the state on whose behalf this thread invokes a Lambda, if it does."""
        return getattr(self._here, "where", None)

    @contextmanager
    def at(self, where: Where) -> Iterator[None]:
        """Work for ``where`` in this thread."""
        self._here.where = where
        try:
            yield
        finally:
            self._here.where = None

    def stop_child_at(self, state: str, nth: int = 1) -> None:
        """Stop the child execution that enters ``state`` as the ``nth`` from now on."""
        with self._lock:
            self._stops.append((state, nth))

    def to_be_stopped(self, state: str) -> bool:
        """Count an entry into ``state`` and say whether it is the one to stop at."""
        with self._lock:
            for index, (name, nth) in enumerate(self._stops):
                if name == state:
                    if nth == 1:
                        del self._stops[index]
                        return True
                    self._stops[index] = (name, nth - 1)
        return False

    def readable(self, definition: str) -> str:
        """Return a definition that moto's grammar takes.

        A tolerance is an integer to CDK and the schema, a float to moto. A result writer of a
        JSONata Map, which moto does not know, is remembered here, and written by the Map run.
        """
        parsed = json.loads(definition)
        for name, state in parsed["States"].items():
            if state["Type"] == "Map":
                if "ToleratedFailurePercentage" in state:
                    state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
                if "ResultWriter" in state:
                    self.result_writers[name] = state.pop("ResultWriter")["Arguments"]
        return json.dumps(parsed)

    def ended(self, arn: str) -> threading.Event:
        """Return the event that is set when the execution has ended."""
        with self._lock:
            return self._ended[arn]

    def client(self, region: str, service: str) -> Any:
        """Return one client for each service: making one takes longer than a call."""
        with self._lock:
            key = (region, service)
            if key not in self._clients:
                self._clients[key] = boto3.client(
                    service,
                    region_name=region,
                    aws_access_key_id="machine",
                    aws_secret_access_key="machine",
                    config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
                )
            return self._clients[key]


class ChildExecution(Execution):  # type: ignore[misc]
    """A child of a Distributed Map: an execution like any other, but of the Map's inner program."""

    def __init__(self, program: Program, parent: str, map_run: str, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._program = program
        self.parent_arn = parent
        self.map_run_arn = map_run
        self.exec_worker = self._get_start_execution_worker()
        self.exec_worker._get_evaluation_entrypoint = lambda: self._program
        self.exec_status = ExecutionStatus.RUNNING

    def run(self) -> None:
        """Run to the end in this thread."""
        self.exec_worker._execution_logic()


# ---------------------------------------------------------------------- JSONata


class _Expressions:
    """Compiled expressions, each lent to one thread at a time: they hold state while they run."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Jsonata]] = defaultdict(list)
        self._lock = threading.Lock()

    def evaluate(self, text: str, bindings: Mapping[str, Any]) -> Any:
        """Return the value, None for null; raise LookupError for undefined."""
        with self._lock:
            idle = self._idle[text]
            expression = idle.pop() if idle else None
        if expression is None:
            expression = Jsonata(text)
            expression.set_output_convert_nulls(False)
            expression.set_validate_input(False)
            for name, function in _FUNCTIONS.items():
                expression.register_lambda(name, function)
        Jsonata.CURRENT.jsonata = expression
        try:
            value = expression.evaluate(None, bindings)
        finally:
            with self._lock:
                self._idle[text].append(expression)
        if value is None:
            raise LookupError(f"The JSONata expression '{text}' returned nothing (undefined).")
        return _plain(value, text)


def _plain(value: Any, text: str) -> Any:
    """Copy a result into plain JSON values."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(item, text) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item, text) for item in value]
    raise LookupError(f"The JSONata expression '{text}' returned an unsupported result type.")


def _forbidden(name: str) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise LookupError(f"${name} is not in the sandbox: its result differs in every run")

    return function


def _partition(items: list[Any], size: int) -> list[list[Any]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


# What Step Functions adds to JSONata, and $eval, which it takes away.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "parse": json.loads,
    "range": lambda first, last, step: list(range(first, last + (1 if step > 0 else -1), step)),
    "partition": _partition,
    "uuid": _forbidden("uuid"),
    "hash": _forbidden("hash"),
    "eval": _forbidden("eval"),
}
_EXPRESSIONS = _Expressions()


def _null(value: Any) -> Any:
    return Utils.NULL_VALUE if value is None else value


def _eval_jsonata(self: StringJSONata, env: Environment) -> None:
    store = env.variable_store
    bindings = {**store._outer_scope, **store._inner_scope}
    bindings = {name: _null(value) for name, value in bindings.items()}
    data = env.states._states_data
    bindings["states"] = {"input": data["input"], "context": data["context"]}
    for key in ("result", "errorOutput"):
        if data.get(key) is not None:
            bindings["states"][key] = data[key]
    try:
        env.stack.append(_EXPRESSIONS.evaluate(self.expression, bindings))
    except Exception as error:
        raise _failure(
            env,
            StatesErrorNameType.StatesQueryEvaluationError,
            HistoryEventType.EvaluationFailed,
            "evaluationFailedEventDetails",
            EvaluationFailedEventDetails,
            str(error),
        ) from None


def _failure(
    env: Environment,
    name: StatesErrorNameType,
    event: str,
    key: str,
    details: Callable[..., Any],
    cause: str,
) -> FailureEventException:
    """An error that Retry and Catch of the state see under its own name."""
    error = StatesErrorName(typ=name)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=error,
            event_type=event,
            event_details=EventDetails(**{key: details(error=error.error_name, cause=cause)}),
        )
    )


# ---------------------------------------------------------------------- the Map


def _map_failure(env: Environment, name: StatesErrorNameType, cause: str) -> FailureEventException:
    return _failure(
        env,
        name,
        HistoryEventType.MapRunFailed,
        "mapRunFailedEventDetails",
        MapRunFailedEventDetails,
        cause,
    )


@dataclass
class _MapRun:
    """One run over a manifest: hands out items, collects outputs, and counts what failed."""

    machines: Machines
    component: Any
    env: Environment
    evaluated: Any
    items: list[Any]
    program: Program
    machine: Any
    children: dict[int, ChildExecution] = field(default_factory=dict)
    failures: int = 0
    running: dict[str, ChildExecution] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    given: int = 0
    error: Exception | None = None

    def run(self) -> Any:
        limit = self.evaluated.map_run_record.max_concurrency or len(self.items)
        workers = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(min(limit, len(self.items)))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if self.error is not None:
            raise self.error
        if self._too_many_failures():
            raise _map_failure(
                self.env,
                StatesErrorNameType.StatesExceedToleratedFailureThreshold,
                "The specified tolerated failure threshold was exceeded",
            )
        if self.evaluated.state_name in self.machines.result_writers:
            return self._write(self.machines.result_writers[self.evaluated.state_name])
        return [child.output for child in self._finished() if child.status == "SUCCEEDED"]

    def _finished(self) -> list[ChildExecution]:
        return [self.children[index] for index in sorted(self.children)]

    def _write(self, arguments: Mapping[str, str]) -> dict[str, Any]:
        """Put the results into the bucket, by status, and answer where, as AWS does."""
        place = {key: self._evaluate(value) for key, value in arguments.items()}
        arn = self.evaluated.map_run_record.map_run_arn
        folder = f"{place['Prefix'].rstrip('/')}/{arn.rsplit(':', 1)[-1]}"
        s3 = self.machines.client(self.env.aws_execution_details.region, "s3")
        files = {}
        for status in ("SUCCEEDED", "FAILED", "PENDING"):
            results = [
                {
                    "ExecutionArn": child.exec_arn,
                    "Input": json.dumps(child.input_data),
                    "Output": json.dumps(child.output),
                    "Name": child.name,
                    "Status": child.status,
                }
                for child in self._finished()
                if (child.status == "SUCCEEDED") == (status == "SUCCEEDED") and status != "PENDING"
            ]
            files[status] = [{"Key": f"{folder}/{status}_0.json"}] if results else []
            if results:
                s3.put_object(
                    Bucket=place["Bucket"],
                    Key=f"{folder}/{status}_0.json",
                    Body=json.dumps(results).encode(),
                )
        manifest = {"DestinationBucket": place["Bucket"], "MapRunArn": arn, "ResultFiles": files}
        key = f"{folder}/manifest.json"
        s3.put_object(Bucket=place["Bucket"], Key=key, Body=json.dumps(manifest).encode())
        details = {"Bucket": place["Bucket"], "Key": key}
        return {"MapRunArn": arn, "ResultWriterDetails": details}

    def _evaluate(self, value: str) -> Any:
        if not value.startswith("{%"):
            return value
        StringJSONata(value[2:-2].strip()).eval(self.env)
        return self.env.stack.pop()

    def _too_many_failures(self) -> bool:
        # Both thresholds hold; with neither given, none may fail.
        percentage = 100 * self.failures / max(1, len(self.items))
        count, share = (
            self.evaluated.tolerated_failure_count,
            self.evaluated.tolerated_failure_percentage,
        )
        return self.failures > count and percentage > share

    def _next(self) -> tuple[int, Any] | None:
        with self.lock:
            over = self.error is not None or self._too_many_failures()
            if over or self.given == len(self.items) or not self.env.is_running():
                return None
            self.given += 1
            return self.given - 1, self.items[self.given - 1]

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._child(*job)
            except Exception as error:  # noqa: BLE001  (raised again by run)
                with self.lock:
                    self.error = self.error or error

    def _child(self, index: int, item: Any) -> None:
        record = self.evaluated.map_run_record
        child = self._make(index, item)
        with self.lock:
            self.running[child.exec_arn] = child
            self.machine.executions.append(child)
        for counter in (record.item_counter, record.execution_counter):
            counter.total.count()
            counter.running.count()
        child.run()
        succeeded = child.status == "SUCCEEDED"
        for counter in (record.item_counter, record.execution_counter):
            counter.running.offset(-1)
            (counter.succeeded if succeeded else counter.failed).count()
        with self.lock:
            del self.running[child.exec_arn]
            self.children[index] = child
            self.failures += not succeeded
            if self._too_many_failures():
                for sibling in self.running.values():
                    _stop(sibling)

    def _make(self, index: int, item: Any) -> ChildExecution:
        context = self.env.states.context_object.context_object_data
        name = str(uuid.uuid4())
        parent = context["Execution"]["Id"]
        label = self.evaluated.label or self.evaluated.state_name
        return ChildExecution(
            self.program,
            parent,
            self.evaluated.map_run_record.map_run_arn,
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
            input_data=json.dumps(self._input(index, item)),
        )

    def _input(self, index: int, item: Any) -> Any:
        """What the item selector, which sees the parent's variables, makes of the item."""
        if self.evaluated.item_selector is None:
            return item
        frame = self.env.open_inner_frame()
        try:
            frame.states.reset(self.env.states.get_input())
            data = frame.states.context_object.context_object_data
            data["Map"] = MapData(Item=ItemData(Index=index, Value=copy.deepcopy(item)))
            frame.stack.append(self.env.states.get_input())
            self.evaluated.item_selector.eval(frame)
            return frame.stack.pop()
        finally:
            self.env.delete_frame(frame)


def _stop(execution: Execution) -> None:
    """Abort an execution at its next state."""
    worker = execution.exec_worker
    if worker is not None and worker.env is not None:
        worker.env.set_stop(stop_date=None, cause=None, error=None)


# ---------------------------------------------------------------------- the seams


def _say_nothing(*_: Any, **__: Any) -> None:
    """Take the place of a log that nobody reads: the history holds what happened."""


@contextmanager
def installed(machines: Machines) -> Iterator[None]:
    """Patch moto's Step Functions while the context lasts."""
    clock = machines.clock
    backends = stepfunctions_parser_backends
    plain_parse = asl_parser.AmazonStateLanguageParser.parse
    plain_state = CommonStateField._eval_body
    plain_reader = ItemReader._eval_body
    plain_equals = ErrorEqualsDecl._eval_body
    plain_invoke = lambda_eval_utils.execute_lambda_function_integration
    plain_terminated = BaseExecutionWorkerCommunication.terminated
    plain_started = Execution.get_start_execution_details
    plain_init = Execution.__init__
    plain_machine_of = StepFunctionBackend._get_state_machine_for_execution

    def parse(definition: str) -> Any:
        if definition not in machines._programs:
            machines._programs[definition] = plain_parse(machines.readable(definition))
        return machines._programs[definition]

    def map_run(self: Any, env: Environment, eval_input: Any) -> None:
        arn = env.states.context_object.context_object_data["StateMachine"]["Id"]
        region, account = env.aws_execution_details.region, env.aws_execution_details.account
        run = _MapRun(
            machines=machines,
            component=self,
            env=env,
            evaluated=eval_input,
            items=env.stack.pop(),
            program=self._get_iteration_program(),
            machine=backends[account][region].describe_state_machine(arn),
        )
        try:
            env.stack.append(run.run())
        except ClientError as error:
            name = StatesErrorNameType.StatesResultWriterFailed
            raise _map_failure(env, name, str(error)) from None

    def state(self: CommonStateField, env: Environment) -> None:
        here = Where(env.states.context_object.context_object_data["Execution"]["Id"], self.name)
        if "/" in here.execution and machines.to_be_stopped(self.name):
            env.set_stop(stop_date=None, cause="stopped by the sandbox", error=None)
            return
        for listener in machines.on_state:
            listener(here)
        plain_state(self, env)

    def reader(self: ItemReader, env: Environment) -> None:
        try:
            plain_reader(self, env)
        except FailureEventException:
            raise
        except Exception as error:
            name = StatesErrorNameType.StatesItemReaderFailed
            raise _map_failure(env, name, str(error)) from None

    def equals(self: ErrorEqualsDecl, env: Environment) -> None:
        uncatchable = (
            StatesErrorName(typ=StatesErrorNameType.StatesRuntime),
            StatesErrorName(typ=StatesErrorNameType.StatesStatesDataLimitExceeded),
        )
        error = env.stack[-1]
        plain_equals(self, env)
        if error in uncatchable and error not in self.error_names:
            env.stack[-1] = False

    def invoke(env: Environment, parameters: Any, region: str, state_credentials: Any) -> None:
        context = env.states.context_object.context_object_data
        with machines.at(Where(context["Execution"]["Id"], context["State"]["Name"])):
            plain_invoke(env, parameters, region, state_credentials)

    def terminated(self: BaseExecutionWorkerCommunication) -> None:
        plain_terminated(self)
        self.execution.stop_date = clock.now()
        machines.ended(self.execution.exec_arn).set()

    def started(self: Execution) -> Any:
        details = plain_started(self)
        details.start_time = details.start_time.isoformat(timespec="milliseconds")
        return details

    def wait(self: WaitFunction, env: Environment) -> None:
        clock.wait(self._get_wait_seconds(env))

    def init_execution(self: Execution, *args: Any, **keywords: Any) -> None:
        plain_init(self, *args, **{**keywords, "start_date": clock.now()})

    def stop_execution(self: Any, execution_arn: str) -> Execution:
        execution = self.describe_execution(execution_arn)
        for other in list(self._get_state_machine_for_execution(execution_arn).executions):
            if isinstance(other, ChildExecution) and other.parent_arn == execution_arn:
                _stop(other)
        _stop(execution)
        return execution

    def machine_of(self: Any, execution_arn: str) -> Any:
        parts = execution_arn.split(":")
        parts[6] = parts[6].split("/")[0]
        return plain_machine_of(self, ":".join(parts))

    def list_executions(self: StepFunctionResponse) -> ActionResult:
        return _list_executions(self)

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG001
        return machines.client(region, service)

    class Sleeper:
        sleep = staticmethod(clock.wait)

    with ExitStack() as stack:
        for target, name, replacement in (
            (plain_models, "stepfunctions_backends", backends),
            (asl_parser.AmazonStateLanguageParser, "parse", staticmethod(parse)),
            (StringJSONata, "_eval_body", _eval_jsonata),
            # They print the whole program, once for each level of it.
            (EvalComponent, "_log_exception", _say_nothing),
            (EvalComponent, "_log_failure_event_exception", _say_nothing),
            (distributed.DistributedIterationComponent, "_map_run", map_run),
            (CommonStateField, "_eval_body", state),
            (ItemReader, "_eval_body", reader),
            (ErrorEqualsDecl, "_eval_body", equals),
            (lambda_eval_utils, "execute_lambda_function_integration", invoke),
            (BaseExecutionWorkerCommunication, "terminated", terminated),
            (Execution, "__init__", init_execution),
            (Execution, "get_start_execution_details", started),
            (WaitFunction, "_eval_body", wait),
            (retrier_decl, "time", Sleeper),
            (StepFunctionBackend, "stop_execution", stop_execution),
            (StepFunctionBackend, "_get_state_machine_for_execution", machine_of),
            (StepFunctionResponse, "list_executions", list_executions),
            (lambda_eval_utils, "boto_client_for", client_for),
            (reader_s3, "boto_client_for", client_for),
        ):
            stack.enter_context(patch.object(target, name, replacement))
        yield


def _list_executions(response: StepFunctionResponse) -> ActionResult:
    """ListExecutions: of a machine, without the children of its Maps, or of one Map run."""
    backend = response.stepfunction_backend
    map_run, arn = response._get_param("mapRunArn"), response._get_param("stateMachineArn")
    wanted = response._get_param("statusFilter")
    found = []
    for machine in backend.state_machines:
        for execution in machine.executions:
            of_map = getattr(execution, "map_run_arn", None)
            if of_map != map_run or (map_run is None and machine.arn != arn):
                continue
            if wanted and execution.status != wanted:
                continue
            item = {
                "executionArn": execution.execution_arn,
                "name": execution.name,
                "startDate": execution.start_date,
                "stateMachineArn": machine.arn,
                "status": execution.status,
            }
            if execution.stop_date:
                item["stopDate"] = execution.stop_date
            if map_run:
                item["mapRunArn"] = map_run
            found.append(item)
    found.sort(key=lambda item: item["startDate"], reverse=True)
    first = int(response._get_param("nextToken") or 0)
    page = found[first : first + (response._get_int_param("maxResults") or 100)]
    more = first + len(page)
    token = str(more) if more < len(found) else None
    return ActionResult({"executions": page, "nextToken": token})
