"""Two doors with two keys: running what is registered, and registering, each tried from outside."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws import calls
from sandbox.world import ENDPOINT, NAME
from tests.scenarios.live import Live


@pytest.mark.parametrize("mode", ["apply", "plan"])
def test_who_may_run_cannot_bring_a_source(live: Live, mode: str) -> None:
    """Run refuses sources, to plan them too: nothing is stored, no secret read, no host asked."""
    event = {"sources": [live.world.source()], "mode": mode}
    run = live.cloud.start_machine(live.cloud.machine_arn, event)
    assert (run.status, run.error) == ("FAILED", "InvalidEvent")
    assert "Onboard" in (run.cause or "")
    assert run.children == []
    assert live.cloud.items() == []


def test_who_may_run_cannot_name_what_nobody_has_handed_over(live: Live) -> None:
    """Neither a name that Onboard never had, nor a path out of its folder."""
    run_id = live.world.onboard().run_id
    for name in ("never", "../runs/x", f"../runs/{run_id}/manifest"):
        run = live.cloud.run({"onboarded": name})
        assert (run.status, run.error, run.children) == ("FAILED", "InvalidEvent", [])


def test_running_what_was_handed_over_once_more_runs_what_is_registered_now(live: Live) -> None:
    """An old execution of Onboard does not bring its old spec back."""
    old = live.world.onboard(ssl_mode="verify-ca").run_id
    live.change()
    assert live.mode == "verify-full"
    run = live.cloud.run({"onboarded": old})
    assert run.status == "SUCCEEDED"
    assert (run.child(NAME).input["source"]["version"], live.mode) == (2, "verify-full")


def test_a_plan_that_was_handed_over_stays_a_plan(live: Live) -> None:
    """Whoever starts Run with it again cannot have it applied."""
    planned = live.cloud.run({"sources": [live.world.source()], "mode": "plan"})
    for run in (planned, live.cloud.run({"onboarded": planned.run_id})):
        assert run.output["sources"][0]["outcome"] == "planned"
    assert live.cloud.run({"onboarded": planned.run_id, "mode": "apply"}).error == "InvalidEvent"
    assert live.dms.endpoints() == []
    assert live.cloud.items() == []


def test_all_are_registered_or_none(live: Live) -> None:
    """One source has a mistake, in its spec or towards another one: nothing is stored of either."""
    good, bad = live.world.source(), live.world.source(name="sales", endpoint="s", port=0)
    taken = live.world.source(name="sales")  # the same endpoint
    before = live.cloud.objects("onboarding/").keys()
    for other in (bad, taken):
        run = live.cloud.run({"sources": [good, other]})
        assert (run.status, run.error) == ("FAILED", "InvalidEvent")
        assert live.cloud.items() == []
        assert live.cloud.objects("onboarding/").keys() == before


def test_onboard_answers_how_each_source_ended(live: Live) -> None:
    """Outcome, cause and record of each, the counts, and where the report lies."""
    run = live.cloud.run({"sources": [live.world.source()]})
    assert run.status == "SUCCEEDED"
    (one,) = run.output["sources"]
    assert {key: one[key] for key in ("name", "outcome", "cause")} == {
        "name": NAME,
        "outcome": "certified",
        "cause": None,
    }
    kept = live.cloud.objects("")
    assert f"{one['record']}.json" in kept
    assert f"{run.output['report']}.json" in kept
    assert run.output["counts"] == {"certified": 1}
    assert live.cloud.run({"names": [NAME]}).output["counts"] == {"certified": 1}
    assert live.cloud.tick().output == {"counts": {}, "sources": [], "report": None}


def test_onboard_fails_with_the_names_of_those_that_are_not_certified(live: Live) -> None:
    """As Run does: name, outcome and cause of each, and where the report lies."""
    live.fails("timeout expired", lambda one: True)
    run = live.world.onboard()
    assert (run.status, run.error) == ("FAILED", "NotCertified")
    assert f"{NAME}: refused (" in (run.cause or "")
    cause = json.loads(run.cause or "")
    assert cause["counts"] == {"refused": 1}
    assert f"{cause['report']}.json" in live.cloud.objects("reports/")


Act = Callable[[Live, Callable[[str], Any]], Any]


def _put_item(pk: str, sk: str) -> Act:
    item = {"pk": {"S": pk}, "sk": {"S": sk}}
    return lambda live, client: client("dynamodb").put_item(TableName=live.cloud.table, Item=item)


def _put_object(key: str) -> Act:
    return lambda live, client: client("s3").put_object(
        Bucket=live.cloud.bucket, Key=key, Body=io.BytesIO(json.dumps({}).encode())
    )


@pytest.mark.parametrize(
    ("step", "act", "allowed"),
    [
        ("register_sources", _put_item("SPEC#orders", "SPEC"), True),
        ("select_sources", _put_item("SPEC#orders", "SPEC"), False),
        ("configure_endpoint", _put_item("SPEC#orders", "SPEC"), False),
        ("record_certification", _put_item("SPEC#orders", "SPEC"), False),
        ("register_sources", _put_object("onboarding/x.json"), True),
        ("select_sources", _put_object("onboarding/x.json"), False),
        ("report", _put_object("onboarding/x.json"), False),
        ("register_sources", _put_object("runs/x/manifest.json"), False),
    ],
)
def test_only_the_function_of_onboard_registers(
    live: Live, step: str, act: Act, allowed: bool
) -> None:
    """Not the code but the role: no other function can write a spec, or hand one over."""
    session: Any = calls.Session(step, live.cloud.region)
    code = ""
    try:
        act(live, session.client)
    except ClientError as error:
        code = error.response["Error"]["Code"]
    assert ("AccessDenied" in code) is not allowed


def test_the_command_that_registers_goes_through_its_own_door(live: Live) -> None:
    """What ran is the child of an execution of Run that bears the name of Onboard's."""
    run = live.world.onboard()
    machines = {execution.arn.split(":")[6] for execution in live.cloud.executions}
    assert run.states == [
        "Begin onboarding", "Register sources", "Registered?", "Run sources", "Onboarded",
    ]  # fmt: skip
    assert {run.arn.split(":")[6], live.cloud.machine_arn.split(":")[-1]} <= machines
    assert (live.world.endpoint(ENDPOINT) or {})["SslMode"] == "verify-full"
