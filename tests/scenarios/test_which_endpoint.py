"""Which endpoint a source means: gone, taken, of another kind, or lacking what a new one needs."""

import pytest

from sandbox.world import NAME
from tests.scenarios.live import DAY, SECOND, Live


@pytest.mark.shows("endpoint_gone")
def test_an_endpoint_that_is_gone_is_never_made_again(live: Live) -> None:
    """We know it, somebody deleted it: a person must decide what happens."""
    live.certified(task=False)
    live.client.delete_endpoint(EndpointArn=live.arn)
    live.tick(minutes=DAY)
    assert live.outcome == "refused"
    assert "endpoint_gone" in live.causes
    assert live.dms.endpoints() == []


@pytest.mark.shows("endpoint_read_only")
def test_an_endpoint_of_a_zero_etl_integration_is_left_alone(live: Live) -> None:
    """DMS would refuse, and so do we, before anything is made."""
    live.certified(task=False)
    live.dms.set_read_only(live.arn)
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "endpoint_read_only" in live.causes
    assert live.asked(since) == []


@pytest.mark.shows("engine_mismatch")
def test_an_endpoint_of_another_engine_is_never_changed(live: Live) -> None:
    """The source says postgres, the endpoint is for Aurora."""
    live.adopted(EngineName="aurora-postgresql")
    live.change(credentials=None)
    assert (live.outcome, live.mode) == ("refused", "require")
    assert "engine_mismatch" in live.causes


@pytest.mark.shows("needs_replacement")
def test_an_endpoint_of_the_other_type_would_have_to_be_replaced(live: Live) -> None:
    """DMS cannot make a source endpoint out of a target endpoint."""
    live.adopted(EndpointType="target")
    live.change(credentials=None)
    assert live.outcome == "refused"
    assert "needs_replacement" in live.causes


@pytest.mark.shows("iam_authentication")
def test_an_endpoint_that_logs_in_with_iam_is_left_alone(live: Live) -> None:
    """It has no password that we could keep."""
    live.adopted(
        Password=None,
        PostgreSQLSettings={
            "AuthenticationMethod": "iam",
            "ServiceAccessRoleArn": "arn:aws:iam::123456789012:role/dms",
        },
    )
    live.change(credentials=None)
    assert (live.outcome, live.mode) == ("refused", "require")
    assert "iam_authentication" in live.causes


@pytest.mark.shows("endpoint_taken")
def test_a_second_source_on_the_same_endpoint_is_refused(live: Live) -> None:
    """By its ARN, though the first one has named it by its identifier, and made it just now."""
    live.certified(task=False)
    run = live.world.onboard(name=SECOND, endpoint=live.arn)
    assert (run.status, run.children) == ("FAILED", [])
    assert "endpoint_taken" in str(run.cause)
    assert live.mode == "verify-ca"
    live.tick(minutes=DAY)
    assert live.outcome == "certified"


@pytest.mark.shows("endpoint_taken")
def test_a_source_that_names_an_endpoint_by_another_name_is_refused_when_it_is_read(
    live: Live,
) -> None:
    """Both are registered before anybody has looked at the endpoint; the first one has it."""
    arn = live.adopted(SslMode="none")
    first = live.world.source(credentials=None, ssl_mode="none")
    second = live.world.source(name=SECOND, endpoint=arn, credentials=None, ssl_mode="none")
    live.cloud.run({"sources": [first, second]})
    live.tick(2, minutes=DAY)
    refused = [n for n in (NAME, SECOND) if "endpoint_taken" in live.world.causes(n)]
    assert len(refused) == 1


@pytest.mark.shows("source_invalid")
def test_a_new_endpoint_needs_credentials_and_database(live: Live) -> None:
    """The finding names what the source lacks to create one."""
    live.change(credentials=None, database=None)
    assert live.outcome == "refused"
    said = live.found("source_invalid")["seen"]
    assert "credentials" in said
    assert "database" in said
    assert live.dms.endpoints() == []
