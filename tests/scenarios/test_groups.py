"""The group of a source follows the tag of its endpoint, without a call of its own."""

from collections.abc import Iterator

import pytest

from sandbox.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World.start(settings={"group_tag": "owner"}) as started:
        yield started


def tagged(world: World, value: str | None) -> None:
    """Let the endpoint's owner tag it, or take the tag away."""
    dms, arn = world.cloud.client("dms"), (world.endpoint() or {})["EndpointArn"]
    if value is None:
        dms.remove_tags_from_resource(ResourceArn=arn, TagKeys=["owner"])
    else:
        dms.add_tags_to_resource(ResourceArn=arn, Tags=[{"Key": "owner", "Value": value}])


def tag_reads(world: World) -> int:
    """How often the last run read tags in DMS."""
    since = len(world.cloud.calls)
    world.recertify()
    calls = world.cloud.calls.of("dms", since=since)
    return sum(call.operation == "ListTagsForResource" for call in calls)


def test_a_source_moves_to_the_group_that_its_endpoint_is_tagged_with(world: World) -> None:
    """And back to that of its name when the tag is gone; the tags are read once in any case."""
    world.onboard()
    assert world.state().get("group") is None
    tagged(world, "payments")
    assert tag_reads(world) == 1
    assert world.state()["group"] == "payments"
    page = world.cloud.objects("reports/latest.html")["reports/latest.html"].decode()
    assert 'data-g="payments"' in page
    tagged(world, None)
    assert tag_reads(world) == 1
    assert world.state().get("group") is None


def test_an_owner_who_does_not_consent_is_not_read_from(world: World) -> None:
    """The tags of an endpoint that the source may not use stay where they are."""
    world.onboard()
    tagged(world, "payments")
    arn = (world.endpoint() or {})["EndpointArn"]
    dms = world.cloud.client("dms")
    dms.remove_tags_from_resource(ResourceArn=arn, TagKeys=["certifier:source"])
    world.recertify()
    assert world.causes() == ["not_allowed"]
    assert world.state().get("group") is None
