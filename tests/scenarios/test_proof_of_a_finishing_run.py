"""What is said of a run that only finished another's change: as much as DMS has shown, no less."""

from certifier.report import certification_page
from certifier.run.record import Certification
from tests.scenarios.live import Live


def test_the_test_of_a_finishing_run_proves_what_the_endpoint_verifies(live: Live) -> None:
    """It has not described the endpoint for its record; its test has read it all the same."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.change()
    live.cloud.tick()
    record = live.world.record()
    assert (record["outcome"], record["endpoint"]) == ("certified", None)
    proof = record["verified"]["dms_test"]
    assert proof == {"connected": True, "encrypted": True, "chain": True, "host_name": True}
    page = certification_page(Certification.model_validate(record))
    assert "verifies the server&#39;s chain and host name" in page
    assert "not encrypted" not in page


def test_a_page_claims_no_more_than_its_evidence(live: Live) -> None:
    """A record of an earlier version, which did not know the mode: the headline says so too."""
    live.certified()
    record = live.world.record()
    record["verified"]["dms_test"] = {"connected": True}
    page = certification_page(Certification.model_validate(record))
    assert "verifies the server" not in page
    assert "DMS connects: not encrypted; verified: nothing. The source asks for verify" in page


def test_a_new_ca_is_named_once_by_the_run_after_a_finished_one(live: Live) -> None:
    """It is in the bundle and on the endpoint by then: one CA, and not two of the same name."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.world.renew()
    live.tick()
    assert "interrupted_run_finished" in live.causes
    live.tick()
    assert live.found("new_trust_anchor")["seen"].count("SHA-256") == 1
