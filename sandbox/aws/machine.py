"""Step Functions: moto's interpreter, taught what it lacks and corrected where it is too forgiving.

Everything here reaches into moto, which is pinned for that reason. :func:`installed` puts the seams
in and takes them out again:

- JSONata, and Map children that are executions (``jsonata.py``, ``maps.py``);
- ``States.ALL`` lets ``States.Runtime`` and ``States.DataLimitExceeded`` pass, as in AWS;
- a Choice assigns only what its own default or rule says;
- a manifest that cannot be read is ``States.ItemReaderFailed``, which a Catch sees;
- Wait states and retries move the sandbox's clock instead of sleeping;
- Describe, List, History and Stop work on children;
- ``.sync:2`` starts and awaits another machine (``nested.py``);
- GetExecutionHistory knows ``reverseOrder``, ``maxResults`` and pages;
- StartExecution without a name gives one that nobody had before;
- Describe and History may not see a new execution for some seconds (``unseen_for``).
"""

import json
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
import moto.stepfunctions.models as plain_models
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import ExecutionDoesNotExist
from moto.stepfunctions.models import StepFunctionBackend
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
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
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval import (
    resource_eval_s3,
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
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)
from moto.stepfunctions.parser.models import (
    StepFunctionsParserBackend,
    stepfunctions_parser_backends,
)
from moto.stepfunctions.responses import StepFunctionResponse

from sandbox.aws import nested
from sandbox.aws.clock import Clock
from sandbox.aws.jsonata import eval_jsonata
from sandbox.aws.maps import ChildExecution, MapRun, abort, map_failure

CALLER_HEADER = "X-Sandbox-Caller"
OF_MACHINE_HEADER = "X-Sandbox-Of-Machine"
"""Who makes a call; Step Functions itself makes its calls without."""

# What to patch: an object, one of its attributes, and what takes its place.
Seam = tuple[Any, str, Any]


@dataclass(frozen=True)
class Where:
    """A state of an execution (its ARN), and the variables that it was entered with."""

    execution: str
    state: str
    variables: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def child(self) -> bool:
        """Whether the execution is a child of a Map."""
        return "/" in self.execution


class Machines:
    """What the seams share: the clock, who is where, who ended, and whom to stop at which state.

    Attributes:
        on_state: called in the thread of every execution that enters a state.
        unseen_for: seconds for which DescribeExecution and GetExecutionHistory do not know a new
            execution: both are eventually consistent.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.unseen_for = 0.0
        self.on_state: list[Callable[[Where], None]] = []
        self._here = threading.local()
        self._lock = threading.Lock()
        self._ended: dict[str, threading.Event] = defaultdict(threading.Event)
        self._stops: list[tuple[str, bool, int]] = []
        self._clients: dict[str, Any] = {}

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

    def stop_at(self, state: str, *, child: bool, nth: int = 1) -> None:
        """Stop the execution (a child or not) that enters ``state`` as the ``nth`` from now on."""
        with self._lock:
            self._stops.append((state, child, nth))

    def stops(self, where: Where) -> bool:
        """Count an entry into a state and say whether it is the one to stop at."""
        with self._lock:
            for index, (state, child, nth) in enumerate(self._stops):
                if (state, child) == (where.state, where.child):
                    if nth == 1:
                        del self._stops[index]
                        return True
                    self._stops[index] = (state, child, nth - 1)
        return False

    def ended(self, arn: str) -> threading.Event:
        """Return the event that is set when the execution has ended."""
        with self._lock:
            return self._ended[arn]

    def client(self, region: str, service: str) -> Any:
        """Return one client for each service: making one takes longer than a call."""
        with self._lock:
            if service not in self._clients:
                make: Any = boto3.client
                self._clients[service] = make(
                    service,
                    region_name=region,
                    aws_access_key_id="machine",
                    aws_secret_access_key="machine",
                    config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
                )
            return self._clients[service]


@contextmanager
def installed(machines: Machines) -> Iterator[None]:
    """Patch moto's Step Functions while the context lasts."""
    with ExitStack() as stack:
        for seams in (_definitions, _evaluation, _states, _errors, _time, _api):
            for target, name, replacement in seams(machines):
                stack.enter_context(patch.object(target, name, replacement))
        yield


def _definitions(machines: Machines) -> Iterable[Seam]:
    """Parse each definition once, and let a Map run real children."""

    def parse(definition: str) -> Any:
        return _parsed(definition)[0]

    def map_run(self: Any, env: Any, eval_input: Any) -> None:
        context = env.states.context_object.context_object_data
        details = env.aws_execution_details
        backend = stepfunctions_parser_backends[details.account][details.region]
        machine = backend.describe_state_machine(context["StateMachine"]["Id"])
        _, writers = _parsed(machine.definition)
        run = MapRun(
            env=env,
            given=eval_input,
            items=env.stack.pop(),
            program=self._get_iteration_program(),
            machine=machine,
            s3=machines.client(details.region, "s3"),
            writer=writers.get(eval_input.state_name),
        )
        env.stack.append(run.run())

    # What CloudFormation makes must land in the backend that executes.
    yield plain_models, "stepfunctions_backends", stepfunctions_parser_backends
    yield AmazonStateLanguageParser, "parse", staticmethod(parse)
    yield distributed.DistributedIterationComponent, "_map_run", map_run


_plain_parse = AmazonStateLanguageParser.parse


@cache
def _parsed(definition: str) -> tuple[Any, Mapping[str, Mapping[str, str]]]:
    """Return moto's program, and the result writers of its Maps, by the name of their state.

    A tolerance is an integer to CDK and the schema, a float to moto. Of the result writer of a
    JSONata Map, moto does not know.
    """
    parsed = json.loads(definition)
    writers = {}
    for name, state in parsed["States"].items():
        if "ToleratedFailurePercentage" in state:
            state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
        if "ResultWriter" in state:
            writers[name] = state.pop("ResultWriter")["Arguments"]
    return _plain_parse(json.dumps(parsed)), writers


def _sign_as_machine(request: Any, **_: Any) -> None:
    request.headers[OF_MACHINE_HEADER] = "1"


def _evaluation(machines: Machines) -> Iterable[Seam]:
    """JSONata, and clients that are made once."""

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG001
        client = machines.client(region, service)
        client.meta.events.register("before-sign", _sign_as_machine, unique_id=OF_MACHINE_HEADER)
        return client

    yield StringJSONata, "_eval_body", eval_jsonata
    yield lambda_eval_utils, "boto_client_for", client_for
    yield from nested.seams(client_for)
    yield resource_eval_s3, "boto_client_for", client_for


def _states(machines: Machines) -> Iterable[Seam]:
    """Know who enters which state, and on whose behalf a Lambda runs."""
    plain_state: Any = CommonStateField._eval_body
    plain_invoke: Any = lambda_eval_utils.execute_lambda_function_integration

    def state(self: Any, env: Any) -> None:
        context = env.states.context_object.context_object_data
        store = env.variable_store
        variables = {**store._outer_scope, **store._inner_scope}
        where = Where(context["Execution"]["Id"], self.name, variables)
        for listener in machines.on_state:
            listener(where)
        if machines.stops(where):
            env.set_stop(stop_date=None, cause="stopped by the sandbox", error=None)
            return
        plain_state(self, env)

    def invoke(env: Any, parameters: Any, region: str, state_credentials: Any) -> None:
        context = env.states.context_object.context_object_data
        with machines.at(Where(context["Execution"]["Id"], context["State"]["Name"])):
            try:
                plain_invoke(env, parameters, region, state_credentials)
            except BotoCoreError as error:
                # What moto has no name for; to AWS it is Lambda.SdkClientException.
                raise _unanswered("Invoke", error) from None

    def choose(self: Any, env: Any) -> None:
        for rule in self.choices_decl.rules:
            rule.eval(env)
            if env.stack.pop() is True:
                env.stack.append((rule.next_stmt.name, False))
                return
        env.stack.append((self.default_state.state_name, True))

    def leave(self: Any, env: Any) -> None:
        """moto takes a rule that leads to the default state for the default, Assign and all."""
        name, by_default = env.stack.pop()
        for each in (self.assign_decl, self.output) if by_default else ():
            if each:
                each.eval(env=env)
        env.next_state_name = name

    yield CommonStateField, "_eval_body", state
    yield StateChoice, "_eval_state", choose
    yield StateChoice, "_eval_state_output", leave
    yield lambda_eval_utils, "execute_lambda_function_integration", invoke


def _unanswered(operation: str, error: BotoCoreError) -> ClientError:
    """Return the error of a call that got no answer, as an error of the service."""
    return ClientError(
        {
            "Error": {"Code": "SdkClientException", "Message": str(error)},
            "ResponseMetadata": {
                "HTTPStatusCode": 0,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )


def _errors(_: Machines) -> Iterable[Seam]:
    """Errors as AWS names and catches them."""
    plain_equals: Any = ErrorEqualsDecl._eval_body
    plain_reader: Any = ItemReader._eval_body
    uncatchable = (
        StatesErrorName(typ=StatesErrorNameType.StatesRuntime),
        StatesErrorName(typ=StatesErrorNameType.StatesStatesDataLimitExceeded),
    )

    def equals(self: Any, env: Any) -> None:
        error = env.stack[-1]
        plain_equals(self, env)
        if error in uncatchable and error not in self.error_names:
            env.stack[-1] = False

    def reader(self: Any, env: Any) -> None:
        try:
            plain_reader(self, env)
        except FailureEventException:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, AWS calls it that)
            name = StatesErrorNameType.StatesItemReaderFailed
            raise map_failure(env, name, str(error)) from None

    def say_nothing(*_: Any, **__: Any) -> None:
        """moto prints the whole program here, once for each level of it."""

    yield ErrorEqualsDecl, "_eval_body", equals
    yield ItemReader, "_eval_body", reader
    yield EvalComponent, "_log_exception", say_nothing
    yield EvalComponent, "_log_failure_event_exception", say_nothing


def _time(machines: Machines) -> Iterable[Seam]:
    """Executions, waits and retries go by the sandbox's clock."""
    clock = machines.clock
    plain_init: Any = Execution.__init__
    plain_details: Any = Execution.get_start_execution_details
    plain_terminated: Any = BaseExecutionWorkerCommunication.terminated

    def init(self: Any, *args: Any, **keywords: Any) -> None:
        plain_init(self, *args, **{**keywords, "start_date": clock.now()})

    def details(self: Any) -> Any:
        found = plain_details(self)
        found.start_time = found.start_time.isoformat(timespec="milliseconds")
        return found

    def terminated(self: Any) -> None:
        plain_terminated(self)
        self.execution.stop_date = clock.now()
        machines.ended(self.execution.exec_arn).set()

    def wait(self: Any, env: Any) -> None:
        clock.wait(self._get_wait_seconds(env))

    class Time:
        sleep = staticmethod(clock.wait)

    yield EventManager, "_get_current_timestamp", staticmethod(clock.now)
    yield Execution, "__init__", init
    yield Execution, "get_start_execution_details", details
    yield BaseExecutionWorkerCommunication, "terminated", terminated
    yield WaitFunction, "_eval_body", wait
    yield retrier_decl, "time", Time


def _api(machines: Machines) -> Iterable[Seam]:
    """Children are found by their ARN, listed by their Map run, stopped with their parent."""
    plain_describe: Any = StepFunctionResponse.describe_execution
    plain_start: Any = StepFunctionsParserBackend.start_execution
    plain_machine_of: Any = StepFunctionBackend._get_state_machine_for_execution

    def machine_of(self: Any, execution_arn: str) -> Any:
        parts = execution_arn.split(":")
        parts[6] = parts[6].split("/")[0]
        return plain_machine_of(self, ":".join(parts))

    def stop(self: Any, execution_arn: str) -> Any:
        execution = self.describe_execution(execution_arn)
        for other in list(self._get_state_machine_for_execution(execution_arn).executions):
            if isinstance(other, ChildExecution) and other.parent_arn == execution_arn:
                abort(other)
        abort(execution)
        return execution

    def start(self: Any, state_machine_arn: str, name: str | None = None, *args: Any) -> Any:
        return plain_start(self, state_machine_arn, name or str(uuid.uuid4()), *args)

    def visible(plain: Any) -> Any:
        def answer(self: Any) -> Any:
            if OF_MACHINE_HEADER in self.headers:
                return plain(self)  # Step Functions itself, which waits for an execution of its own
            arn = self._get_param("executionArn")
            execution = self.stepfunction_backend.describe_execution(arn)
            age = machines.clock.now() - execution.start_date
            if age.total_seconds() < machines.unseen_for:
                raise ExecutionDoesNotExist(f"Execution Does Not Exist: '{arn}'")
            return plain(self)

        return answer

    yield StepFunctionResponse, "describe_execution", visible(plain_describe)
    yield StepFunctionResponse, "get_execution_history", visible(_get_execution_history)
    yield StepFunctionBackend, "_get_state_machine_for_execution", machine_of
    yield StepFunctionBackend, "stop_execution", stop
    yield StepFunctionsParserBackend, "start_execution", start
    yield StepFunctionResponse, "list_executions", _list_executions


def _get_execution_history(self: Any) -> ActionResult:
    """GetExecutionHistory, newest first if asked, a page at a time (default 100, at most 1,000)."""
    arn = self._get_param("executionArn")
    events = list(self.stepfunction_backend.get_execution_history(arn)["events"])
    if self._get_param("reverseOrder"):
        events.reverse()
    first = int(self._get_param("nextToken") or 0)
    more = first + min(self._get_int_param("maxResults") or 100, 1000)
    return ActionResult(
        {"events": events[first:more], "nextToken": str(more) if more < len(events) else None}
    )


def _list_executions(self: Any) -> ActionResult:
    """ListExecutions: of a machine, without the children of its Maps, or of one Map run."""
    map_run, arn = self._get_param("mapRunArn"), self._get_param("stateMachineArn")
    status = self._get_param("statusFilter")
    found: list[dict[str, Any]] = []
    for machine in self.stepfunction_backend.state_machines:
        for execution in machine.executions:
            mine = getattr(execution, "map_run_arn", None) == map_run
            if mine and (map_run or machine.arn == arn) and status in (None, execution.status):
                found.append(
                    {
                        "executionArn": execution.execution_arn,
                        "name": execution.name,
                        "startDate": execution.start_date,
                        "stopDate": execution.stop_date,
                        "stateMachineArn": machine.arn,
                        "status": execution.status,
                        "mapRunArn": map_run,
                    }
                )
    found.sort(key=lambda item: str(item["startDate"]), reverse=True)
    first = int(self._get_param("nextToken") or 0)
    page = found[first : first + (self._get_int_param("maxResults") or 100)]
    more = first + len(page)
    shown = [{key: value for key, value in item.items() if value is not None} for item in page]
    return ActionResult(
        {"executions": shown, "nextToken": str(more) if more < len(found) else None}
    )
