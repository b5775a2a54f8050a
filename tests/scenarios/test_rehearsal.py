"""A change is rehearsed at a canary, and by the probe alone where no canary can be."""

import pytest

from sandbox.dms import Durations, Quotas, Switches
from sandbox.world import TARGET
from tests.scenarios.live import CANARY, NOT_TOUCHED, Live, is_canary, verdicts


@pytest.mark.shows("rehearsed_by_probe_only")
def test_an_endpoint_with_a_password_that_no_secret_holds_is_rehearsed_by_the_probe(
    live: Live,
) -> None:
    """Adopted without credentials: only the mode and the CA are ours, and no canary can log in."""
    live.adopted(
        CertificateArn=live.client.import_certificate(
            CertificateIdentifier="team-ca",
            CertificatePem=live.world.authority.certificate_pem.decode(),
        )["Certificate"]["CertificateArn"]
    )
    since = live.now
    live.change(credentials=None)
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert "rehearsed_by_probe_only" in live.causes
    assert "CreateEndpoint" not in live.asked(since)


@pytest.mark.shows("rehearsed_by_probe_only")
def test_without_room_for_a_canary_the_probe_rehearses(live: Live) -> None:
    """The account's quota of endpoints is reached."""
    live.certified()
    live.dms.quotas = Quotas(endpoints=2)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert "rehearsed_by_probe_only" in live.causes
    assert live.unfinished == []


def test_settings_that_dms_shows_and_does_not_take_stop_no_rehearsal(live: Live) -> None:
    """PluginName comes back with an underscore: DMS tries the change with a canary without it."""
    live.certified(task=False)
    live.modify(PostgreSQLSettings={"PluginName": "test-decoding"})
    live.cloud.clock.advance(60)
    live.change()
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert verdicts(live)["canary"] is True
    assert live.endpoint["PostgreSQLSettings"]["PluginName"] == "test_decoding"


@pytest.mark.shows("rehearsed_by_probe_only")
def test_without_room_on_the_instance_the_probe_rehearses(live: Live) -> None:
    """The replication instance serves as many endpoints as it may, this one among them."""
    live.certified()
    target = (live.world.endpoint(TARGET) or {})["EndpointArn"]
    live.cloud.clock.advance(60)
    live.client.test_connection(EndpointArn=target, ReplicationInstanceArn=live.world.instance)
    live.dms.quotas = Quotas(endpoints_per_instance=2)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.world.instance in live.found("rehearsed_by_probe_only")["seen"]
    assert live.canary is None
    assert live.unfinished == []


def test_an_instance_with_room_rehearses_for_one_that_has_none(live: Live) -> None:
    """What DMS can try, it tries: the canary fails there, and the endpoint is not touched."""
    both = [live.world.instance, live.dms.add_instance("replication-2")]
    live.certified(task=False, replication_instances=both)
    theirs = live.adopted("theirs")
    live.cloud.clock.advance(60)
    live.client.test_connection(EndpointArn=theirs, ReplicationInstanceArn=both[0])
    live.dms.quotas = Quotas(endpoints_per_instance=2)
    live.fails("timeout expired", is_canary)
    live.change(replication_instances=both)
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert {"rehearsed_by_probe_only", "connection_timeout"} <= live.causes
    assert both[1] not in live.found("rehearsed_by_probe_only")["seen"]
    assert "replication-2" in live.found("connection_timeout")["seen"]
    assert live.canary is None


@pytest.mark.shows("dms_differs_from_probe")
def test_what_dms_cannot_reach_is_refused_with_both_witnesses(live: Live) -> None:
    """The probe connected, the canary did not: the endpoint is as it was, and its task runs."""
    live.certified()
    live.fails("timeout expired", is_canary)
    since = live.now
    live.change()
    assert (live.outcome, live.status(), live.mode) == ("refused", "running", "verify-ca")
    assert {"connection_timeout", "dms_differs_from_probe"} <= live.causes
    assert not NOT_TOUCHED & set(live.asked(since))
    assert live.canary is None


@pytest.mark.shows("dms_cannot_read_secret")
def test_a_secret_that_dms_cannot_read_is_refused_by_the_rehearsal(live: Live) -> None:
    """We can read it, DMS cannot: its role, its key, or its way to Secrets Manager."""

    def denied(_: str) -> str:
        raise LookupError("AccessDeniedException")

    live.dms.secrets = denied
    live.change()
    assert live.outcome == "refused"
    assert "dms_cannot_read_secret" in live.causes
    assert live.dms.endpoints() == []


def test_a_canary_that_a_dead_run_left_is_deleted_by_the_next(live: Live) -> None:
    """It was stopped while the canary was being tested."""
    live.certified()
    live.cloud.stop_child_at("Rehearse", nth=3)
    live.change()
    assert live.canary is not None
    live.tick(2)
    assert live.canary is None
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


@pytest.mark.shows("test_never_ended", "canary_left")
def test_a_canary_that_cannot_be_deleted_is_named_and_tried_again(live: Live) -> None:
    """Its test never ends, and DMS deletes no endpoint that is being tested."""
    live.certified(task=False)
    live.dms.switches = Switches(delete_while_testing_accepted=False)
    live.dms.durations = Durations(testing=100_000)
    live.change()
    assert live.outcome == "refused"
    assert {"test_never_ended", "canary_left"} <= live.causes
    assert CANARY in live.found("canary_left")["seen"]
    live.cloud.clock.advance(200_000)
    live.dms.durations = Durations()
    live.tick(2)
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert live.canary is None
    assert live.unfinished == []
