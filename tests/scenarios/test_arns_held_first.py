"""An endpoint that is made has an ARN that its source holds before anybody can name it."""

from typing import Any

from sandbox.aws import Kind
from tests.scenarios.live import Live


def held(live: Live) -> list[str]:
    """The ARNs of endpoints that sources hold."""
    keys = [str(item["pk"]["S"]) for item in live.cloud.items() if item["sk"]["S"] == "OWNER"]
    return [key.removeprefix("ENDPOINT#") for key in keys if key.startswith("ENDPOINT#arn:")]


def test_the_arn_is_held_when_dms_is_asked_for_the_endpoint(live: Live) -> None:
    """Its answer is lost at first; the ARN is the one that the endpoint has from then on."""
    live.cloud.faults.inject("dms", "CreateEndpoint", Kind.KILL, caller="configure_endpoint")
    seen: list[list[str]] = []
    live.when("Configure endpoint", lambda: seen.append(held(live)), nth=2)
    live.world.onboard()
    assert live.outcome == "certified"
    arn = str((live.endpoint or {})["EndpointArn"])
    assert seen == [[arn.lower()]]
    assert held(live) == [arn.lower()]


def test_an_endpoint_that_cannot_be_made_for_long_holds_one_arn(live: Live) -> None:
    """However often it is tried: by the retries of a run, and by the next runs."""
    faults: Any = live.cloud.faults
    for _ in range(40):
        faults.inject("dms", "CreateEndpoint", Kind.BEFORE, caller="configure_endpoint")
    live.world.onboard()
    live.tick(minutes=60)
    assert live.outcome == "failed"
    assert not live.endpoint
    (arn,) = held(live)
    faults.clear()
    live.tick(3, minutes=60)
    assert live.outcome == "certified"
    assert held(live) == [arn]
    assert str((live.endpoint or {})["EndpointArn"]).lower() == arn
