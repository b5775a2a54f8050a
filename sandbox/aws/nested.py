"""``states:startExecution.sync:2``: a state that starts another machine and waits for its end.

And ``aws-sdk:sfn:…``, by which a machine answers one that waits for a task token.

moto passes the names of the arguments on as they are, which the API takes with a small letter, and
answers with the API's names, where Step Functions answers with capital letters.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk,
    state_task_service_callback,
    state_task_service_sfn,
)

_LOOKS = 0.01  # seconds of real time between two looks: what is waited for moves the clock


def seams(client_for: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """Yield what to patch: an object, one of its attributes, and what takes its place."""
    service: Any = state_task_service_sfn.StateTaskServiceSfn
    plain_start: Any = service._eval_service_task

    class Often:
        @staticmethod
        def sleep(_: float) -> None:
            time.sleep(_LOOKS)

    def start(
        self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, **more: Any
    ) -> None:
        arguments = {
            name[0].lower() + name[1:]: value if isinstance(value, str) else json.dumps(value)
            for name, value in normalised_parameters.items()
        }
        plain_start(self, env, resource_runtime_part, arguments, **more)
        _capitalise(env.stack[-1])

    sdk: Any = state_task_service_aws_sdk.StateTaskServiceAwsSdk
    plain_call: Any = sdk._eval_service_task

    def call(
        self: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, **more: Any
    ) -> None:
        if self._get_boto_service_name() == "stepfunctions":
            normalised_parameters = {
                name[0].lower() + name[1:]: value for name, value in normalised_parameters.items()
            }
        plain_call(self, env, resource_runtime_part, normalised_parameters, **more)

    yield sdk, "_eval_service_task", call

    def normalise(self: Any, response: Any, **_: Any) -> None:  # noqa: ARG001
        _capitalise(response)

    yield state_task_service_callback, "time", Often
    yield state_task_service_sfn, "boto_client_for", client_for
    yield service, "_eval_service_task", start
    yield service, "_normalise_response", normalise


def _capitalise(answer: dict[str, Any]) -> None:
    for name in list(answer):
        value = answer.pop(name)
        if isinstance(value, datetime):
            value = int(value.timestamp() * 1000)
        answer[name[0].upper() + name[1:]] = value
