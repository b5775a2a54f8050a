"""``certifier history`` of a change of the CA that DMS did not connect with."""

from certifier.run.past import past
from certifier.run.record import Certification
from sandbox.world import ENDPOINT
from tests.scenarios.live import Live


def test_a_rolled_back_ca_is_named_with_the_one_that_is_trusted_again(live: Live) -> None:
    """Both by their names, from the record of the run alone."""
    live.certified(task=False, ca_overlap=False)
    old, trusted = _ca(live), live.endpoint["CertificateArn"]
    live.world.issue()
    live.world.serve()
    live.world.put_pair()
    new = _ca(live)
    live.fails(
        "timeout expired",
        lambda one: one["EndpointIdentifier"] == ENDPOINT and one["CertificateArn"] != trusted,
    )
    live.world.recertify()
    record = live.world.record()
    assert record["trust_change"]["added"][0]["subject"].startswith(f"CN={new}")
    assert record["trust_change"]["removed"][0]["subject"].startswith(f"CN={old}")
    (line,) = past([Certification.model_validate(record)])
    assert f"{new} → back to {old}" in line.what


def _ca(live: Live) -> str:
    subject = live.world.authority.certificate.subject.rfc4514_string()
    return subject.split(",")[0].removeprefix("CN=")
