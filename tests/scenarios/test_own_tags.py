"""A right to set tags does not become a right to change what somebody else's endpoint is."""

import pytest

from certifier.ownership import CANARY_TAG, SOURCE_TAG, STACK_TAG
from sandbox.aws.deploy import STACK
from sandbox.aws.rights import Need
from sandbox.world import ENDPOINT, NAME
from tests.scenarios.live import Live

MAKERS = ("configure_endpoint", "rehearse_changes")


def may_tag(live: Live, step: str, arn: str, tags: dict[str, str]) -> bool:
    keys = {"aws:tagkeys": tuple(tags)}
    return live.cloud._rights._allows(step, Need("dms:AddTagsToResource", arn, keys), tags)


def may_change(live: Live, arn: str) -> bool:
    return live.cloud._rights._allows("configure_endpoint", Need("dms:ModifyEndpoint", arn), {})


@pytest.mark.parametrize("step", MAKERS)
def test_only_tags_of_ours_are_set_and_never_without_that_of_the_installation(
    live: Live, step: str
) -> None:
    """On an endpoint of others without any tag: no cost centre, no consent alone."""
    arn = live.adopted("untagged", Tags=[])
    ours = {STACK_TAG: STACK}
    for wrong in (
        {SOURCE_TAG: NAME},
        {SOURCE_TAG: "*", "team": "payroll", **ours},
        {"aws-access": "everybody", **ours},
        {STACK_TAG: "another", SOURCE_TAG: NAME},
        {},
    ):
        assert not may_tag(live, step, arn, wrong), wrong
    assert may_tag(live, step, arn, {SOURCE_TAG: NAME, CANARY_TAG: NAME, **ours})


def test_what_a_step_has_tagged_itself_it_cannot_change(live: Live) -> None:
    """Consent counts only without the tag of the installation, which a step must set too."""
    arn = live.adopted("untagged", Tags=[])
    assert not may_change(live, arn)
    tags = [{"Key": SOURCE_TAG, "Value": NAME}, {"Key": STACK_TAG, "Value": STACK}]
    live.client.add_tags_to_resource(ResourceArn=arn, Tags=tags)
    assert not may_change(live, arn)


def test_with_the_owners_consent_it_can(live: Live) -> None:
    """The tag alone, as the owner's command sets it."""
    assert may_change(live, live.adopted("theirs"))


def test_what_we_made_is_known_by_its_arn(live: Live) -> None:
    """It can be changed, and the source may name it by this ARN from then on."""
    live.certified(task=False)
    arn = str(live.endpoint["EndpointArn"])
    assert arn.rpartition(":")[2].startswith("certifier-made-")
    assert may_change(live, arn)
    live.change(endpoint=arn)
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert live.endpoint["EndpointIdentifier"] == ENDPOINT
