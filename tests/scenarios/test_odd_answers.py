"""DMS answers oddly in the middle of a certification: about another endpoint, with nothing, or with
values of other types than its model has."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.world import ENDPOINT, PASSWORD
from tests.days import some
from tests.scenarios.live import Live

QUARTER = 6 * 60  # of a day: longer than what a bad end puts off a change for
OPERATIONS = (
    "CreateEndpoint",
    "DeleteConnection",
    "DeleteEndpoint",
    "DescribeCertificates",
    "DescribeConnections",
    "DescribeEndpoints",
    "DescribeReplicationInstances",
    "DescribeReplicationTasks",
    "ImportCertificate",
    "ListTagsForResource",
    "ModifyEndpoint",
    "StartReplicationTask",
    "StopReplicationTask",
    "TestConnection",
)
Change = Callable[[dict[str, Any]], dict[str, Any]]


def of_another(live: Live, other: str) -> Change:
    """Everything that names our endpoint names theirs; other things get other names."""
    theirs = live.world.endpoint(other) or {}

    def change(answer: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(answer, default=str)
        for ours, another in (
            (live.arn, str(theirs["EndpointArn"])),
            (ENDPOINT, other),
            (":task:", ":task:X"),
            (":rep:", ":rep:X"),
            (":cert:", ":cert:X"),
        ):
            text = text.replace(ours, another)
        changed: dict[str, Any] = json.loads(text)
        return changed

    return change


def nothing(_: dict[str, Any]) -> dict[str, Any]:
    return {}


def other_types(answer: Any) -> Any:
    """Texts become numbers, numbers texts, and lists objects."""
    match answer:
        case dict():
            return {name: other_types(value) for name, value in answer.items()}
        case list():
            return {"items": other_types(answer[0])} if answer else {}
        case str():
            return 7
        case bool():
            return "false"
        case int() | float():
            return "seven"
        case _:
            return None


@contextmanager
def answered(live: Live, operation: str, change: Change, most: int = 400) -> Iterator[list[Any]]:
    """Change so many answers of an operation that a certification gets; yield those changed."""
    plain = live.dms._operations
    met: list[Any] = []

    def odd(params: dict[str, Any]) -> dict[str, Any]:
        answer = plain[operation](params)
        if len(met) >= most:
            return answer
        met.append(answer)
        return change(answer)

    live.dms._operations = {**plain, operation: odd}
    try:
        yield met
    finally:
        live.dms._operations = plain


def settings(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name != "Status"}


@pytest.mark.parametrize(
    ("kind", "most"), [("another", 1), ("another", 400), ("nothing", 1), ("types", 400)]
)
@pytest.mark.parametrize("operation", some(OPERATIONS))
def test_an_odd_answer_of_dms_harms_nobody(
    live: Live, operation: str, kind: str, most: int
) -> None:
    """Theirs stays as it is, ours is proven or as it was, and a later run puts all right."""
    live.certified()
    live.adopted("theirs", SslMode="none")
    before = settings(live.world.endpoint("theirs") or {})
    changes = {"another": of_another(live, "theirs"), "nothing": nothing, "types": other_types}
    with answered(live, operation, changes[kind], most):
        live.change()
    assert settings(live.world.endpoint("theirs") or {}) == before
    record = live.world.record()
    assert PASSWORD not in json.dumps(record)
    assert "Traceback" not in json.dumps(record)
    if live.outcome == "certified":
        assert live.mode == "verify-full"
    live.tick(3, minutes=QUARTER)
    ended = (live.outcome, live.mode, live.status())
    assert ended == ("certified", "verify-full", "running"), live.world.record()["findings"]
    assert settings(live.world.endpoint("theirs") or {}) == before
    assert live.unfinished == []
