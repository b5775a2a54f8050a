"""JSONata for moto's interpreter, which has no engine of its own.

Variables are bound as values. (moto would paste them into the text of the expression, where a quote
or a backslash in a value changes its meaning.)
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from jsonata.functions import Functions
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
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
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails


class _Encoder(Functions.Encoder):  # type: ignore[misc]
    """``$string`` of an object is JSON as JavaScript writes it: letters beyond ASCII stay."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False})


Functions.Encoder = _Encoder


class JsonataError(Exception):
    """An expression that has no value: undefined, of no JSON type, or wrong."""


class _Expressions:
    """Compiled expressions, each lent to one thread at a time: they hold state while they run."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Any]] = defaultdict(list)
        self._lock = threading.Lock()

    def evaluate(self, text: str, bindings: Mapping[str, Any]) -> Any:
        """Return the value, as plain JSON.

        Raises:
            JsonataError: there is none, with the reason.
        """
        with self._lock:
            idle = self._idle[text]
            expression = idle.pop() if idle else None
        try:
            expression = expression or _compile(text)
            # The engine finds the expression under way by thread.
            Jsonata.CURRENT.jsonata = expression
            value = expression.evaluate(None, bindings)
        except JsonataError:
            raise
        except Exception as error:  # noqa: BLE001  (the engine raises what it likes)
            raise JsonataError(f"The JSONata expression '{text}' failed: {error}") from None
        finally:
            if expression is not None:
                with self._lock:
                    self._idle[text].append(expression)
        if value is None:
            raise JsonataError(f"The JSONata expression '{text}' returned nothing (undefined).")
        return _plain(value, text)


def _compile(text: str) -> Any:
    expression = Jsonata(text)
    # So that undefined (None) differs from null (NULL_VALUE).
    expression.set_output_convert_nulls(False)
    expression.set_validate_input(False)
    for name, function in _FUNCTIONS.items():
        expression.register_lambda(name, function)
    return expression


def _plain(value: Any, text: str) -> Any:
    """Copy a result into plain JSON values, so that nothing in a variable is shared."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(item, text) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item, text) for item in value]
    raise JsonataError(f"The JSONata expression '{text}' returned an unsupported result type.")


def _forbidden(name: str) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise JsonataError(f"${name} is not in the sandbox")

    return function


def _partition(items: list[Any], size: int) -> list[list[Any]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _range(first: int, last: int, step: int) -> list[int]:
    return list(range(first, last + (1 if step > 0 else -1), step))


# What Step Functions adds to JSONata, and $eval, which it takes away.
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "parse": json.loads,
    "range": _range,
    "partition": _partition,
    "uuid": _forbidden("uuid"),
    "hash": _forbidden("hash"),
    "eval": _forbidden("eval"),
}
_EXPRESSIONS = _Expressions()


def eval_jsonata(self: Any, env: Any) -> None:
    """Take the place of ``StringJSONata._eval_body``."""
    variables = {**env.variable_store._outer_scope, **env.variable_store._inner_scope}
    bindings = {k: Utils.NULL_VALUE if v is None else v for k, v in variables.items()}
    data = env.states._states_data
    bindings["states"] = {"input": data["input"], "context": data["context"]}
    for key in ("result", "errorOutput"):
        if data.get(key) is not None:
            bindings["states"][key] = data[key]
    try:
        env.stack.append(_EXPRESSIONS.evaluate(self.expression, bindings))
    except JsonataError as error:
        name = StatesErrorNameType.StatesQueryEvaluationError
        raise failure(
            env,
            name,
            event=HistoryEventType.EvaluationFailed,
            evaluationFailedEventDetails=EvaluationFailedEventDetails(
                error=name.to_name(), cause=str(error)
            ),
        ) from None


def failure(env: Any, name: Any, *, event: Any, **details: Any) -> FailureEventException:
    """Return an error that Retry and Catch of the state see under ``name``."""
    seen: Any = EventDetails
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=name),
            event_type=event,
            event_details=seen(**details),
        )
    )
