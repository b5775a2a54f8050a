"""Answers of AWS that say less than today's, or use a word that this version does not know."""

from typing import Any

import pytest
from botocore.stub import Stubber

from certifier.aws.bus import Bus
from certifier.aws.dms import Dms
from certifier.errors import Unexpected
from certifier.run.announcement import announcements
from certifier.vocabulary import SslMode
from sandbox.aws import fast
from tests.unit.test_announcement import record

REGION = "eu-west-1"


def described(engine: str, ssl_mode: str) -> dict[str, Any]:
    """An endpoint as DescribeEndpoints shows it."""
    return {
        "EndpointArn": f"arn:aws:dms:{REGION}:111122223333:endpoint:{engine.upper()}",
        "EndpointIdentifier": f"{engine}-source",
        "EndpointType": "SOURCE",
        "EngineName": engine,
        "SslMode": ssl_mode,
    }


def listing(*endpoints: dict[str, Any]) -> Dms:
    """An adapter whose DMS lists these endpoints once."""
    client = fast.session(REGION).client("dms")
    stubber = Stubber(client)
    stubber.add_response("describe_endpoints", {"Endpoints": list(endpoints)})
    stubber.activate()
    return Dms(client)


def test_a_mode_of_another_engine_that_is_new_stops_no_listing() -> None:
    """Tidy and discover list every endpoint, and only those for PostgreSQL concern them."""
    dms = listing(described("kafka", "mutual"), described("postgres", "verify-ca"))
    assert [each.fields.ssl_mode for each in dms.all_endpoints()] == [None, SslMode.VERIFY_CA]


@pytest.mark.parametrize("engine", ["postgres", "aurora-postgresql"])
def test_a_mode_of_postgresql_that_is_new_is_named(engine: str) -> None:
    """It could be any strength, so that nothing is planned from it."""
    with pytest.raises(Unexpected, match=f"{engine}-source has the unknown SslMode verify-more"):
        list(listing(described(engine, "verify-more")).all_endpoints())


def test_a_bus_that_counts_no_failures_has_taken_all() -> None:
    """The record is written whatever the bus answers."""
    client = fast.session(REGION).client("events")
    with Stubber(client) as stubber:
        stubber.add_response("put_events", {})
        made = announcements(record(), where="s3://bucket/key", installation="one", attention=False)
        Bus(client, "default").put(made)
        stubber.assert_no_pending_responses()
