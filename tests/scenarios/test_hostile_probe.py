"""Attacks by a probe that a server has taken over: what it writes decides which CAs DMS gets."""

import json
from typing import Any

import pytest

from certifier.certificate import certificates_in
from certifier.run.event import run_id
from sandbox.aws.machine import Where
from sandbox.pki import Authority
from tests.scenarios.live import Live

ATTACKER = Authority.root("Attacker CA")


def forged(live: Live, **changes: Any) -> None:
    """Have the probe's document rewritten, as its role may, before the plan of a run reads it."""

    def forge(where: Where) -> None:
        if where.child and where.state == "Plan changes":
            key = f"runs/{run_id(where.execution)}/probe_tls.json"
            whole = {**json.loads(live.cloud.objects("runs/")[key]), **changes}
            body = json.dumps(whole).encode()
            live.cloud.client("s3").put_object(Bucket=live.cloud.bucket, Key=key, Body=body)

    live.cloud.on_state(forge)


@pytest.mark.shows("anchor_not_named")
def test_the_probe_adds_no_ca_of_its_own(live: Live) -> None:
    """It says that an old CA is still needed, and puts the attacker's beside it."""
    live.certified(task=False)
    live.world.issue()
    live.world.serve()
    ours = live.world.trusted() + live.world.authority.certificate_pem.decode()
    forged(live, union_pem=ours + ATTACKER.certificate_pem.decode(), report=None)
    since = live.now
    live.world.announce()
    assert live.outcome == "refused"
    found = live.found("anchor_not_named")
    assert "Attacker CA" in found["seen"]
    assert found["remedy"].startswith("Run it again.")
    assert live.asked(since) == []
    (theirs,) = certificates_in(ATTACKER.certificate_pem.decode())
    stored = [one["CertificatePem"] for one in live.dms.certificates()]
    assert not any(theirs in certificates_in(pem) for pem in stored)


def test_what_the_probe_may_choose_from_is_still_followed(live: Live) -> None:
    """The CAs of the source and of the endpoint, which the probe has joined itself."""
    live.certified(task=False)
    old = live.world.trusted()
    live.world.issue()
    live.world.announce()
    assert live.outcome == "certified"
    assert set(certificates_in(old)) < set(certificates_in(live.world.trusted()))
