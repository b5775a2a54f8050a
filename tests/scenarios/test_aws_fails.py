"""AWS denies a call, does not answer, answers something unexpected, or has no room."""

import json
from typing import Any

import pytest

from sandbox.dms import Quotas
from tests.scenarios.live import DAY, NOT_TOUCHED, Live


@pytest.mark.shows("aws_denied")
def test_a_right_that_is_missing_is_named(live: Live) -> None:
    """Somebody took ImportCertificate from the role: refused, with the action that was denied."""
    live.certified()
    live.world.issue()
    live.world.serve()
    statements = live.cloud._rights._of_role("import_ca")
    for statement in list(statements):
        actions = statement["Action"]
        if "dms:ImportCertificate" in (actions if isinstance(actions, list) else [actions]):
            statements.remove(statement)
    live.world.announce()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "ImportCertificate" in live.found("aws_denied")["seen"]
    live.cloud._rights._statements.clear()
    live.tick(minutes=DAY)
    assert live.outcome == "certified"


@pytest.mark.shows("aws_unavailable")
def test_a_service_that_does_not_answer_for_minutes_fails_the_run(live: Live) -> None:
    """Before the change nothing was touched; the schedule tries again, and it passes."""
    live.certified()
    live.unavailable("dms", "CreateEndpoint")
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "running")
    assert "aws_unavailable" in live.causes
    assert not NOT_TOUCHED & set(live.asked(since))
    live.cloud.faults.clear()
    live.tick(2)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


@pytest.mark.shows("unexpected")
def test_an_unexpected_answer_is_recorded_by_its_type(live: Live) -> None:
    """DMS answers with a fault that no table knows: failed, with nothing of its text."""
    from moto.core.exceptions import JsonRESTError

    live.certified()
    plain = live.dms._operations["DescribeReplicationTasks"]

    def odd(_: Any) -> Any:
        raise JsonRESTError("FluxCapacitorFault", "hunter2")

    live.dms._operations = {**live.dms._operations, "DescribeReplicationTasks": odd}
    try:
        live.change()
    finally:
        live.dms._operations = {**live.dms._operations, "DescribeReplicationTasks": plain}
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "running")
    found = live.found("unexpected")
    assert "FluxCapacitorFault" in f"{found['seen']} {found['raw']}"
    assert "hunter2" not in json.dumps(live.world.record())
    live.tick(2)
    assert (live.outcome, live.mode) == ("certified", "verify-full")


@pytest.mark.shows("dms_quota")
def test_without_room_for_a_certificate_the_finding_names_what_could_go(live: Live) -> None:
    """The quota is reached by certificates that no endpoint uses."""
    live.certified()
    live.client.import_certificate(
        CertificateIdentifier="forgotten",
        CertificatePem=live.world.authority.certificate_pem.decode(),
    )
    live.dms.quotas = Quotas(certificates=2)
    live.world.issue()
    live.world.serve()
    live.world.announce()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "forgotten" in live.found("dms_quota")["seen"]
