"""The certificate that a server is meant to serve lives in ACM, and its key with the host."""

from collections.abc import Iterator

import pytest

from sandbox.aws import Execution
from sandbox.world import NAME, World

ABSENT = "certificate/00000000-0000-0000-0000-000000000000"


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


def put(world: World, arn: str | None = None) -> str:
    """Let the newest certificate live in ACM, as after an issuance or a renewal there."""
    again = {} if arn is None else {"CertificateArn": arn}
    chain = {"CertificateChain": world.leaf.chain_pem} if world.leaf.chain else {}
    made = world.cloud.client("acm").import_certificate(
        Certificate=world.leaf.certificate_pem, PrivateKey=world.leaf.key_pem, **chain, **again
    )
    return str(made["CertificateArn"])


def happened(world: World, arn: str, action: str) -> list[str]:
    """Let ACM say what has become available; return the sources that were run for it."""
    runs: list[Execution] = world.cloud.emit(
        "aws.acm",
        "ACM Certificate Available",
        {"Action": action, "CertificateType": "AMAZON_ISSUED", "CommonName": world.host},
        (arn,),
    )
    assert all(run.status == "SUCCEEDED" for run in runs), [run.cause for run in runs]
    return [str(child.name) for run in runs for child in run.children]


def onboard(world: World, arn: str) -> None:
    bundle = world.put_bundle("ca.pem", world.authority.certificate_pem)
    world.onboard(server_certificate=arn, ca_bundle=bundle)


def test_it_is_read_and_compared_and_nothing_is_imported(world: World) -> None:
    """The served certificate is the intended one; ACM is only asked for its public parts."""
    arn = put(world)
    onboard(world, arn)
    assert (world.outcome(), world.causes()) == ("certified", [])
    asked = world.cloud.calls.of("acm")
    assert {(c.operation, c.caller) for c in asked} == {
        ("GetCertificate", "read_material"),
        ("DescribeCertificate", "read_material"),  # whose serial number it has
    }
    assert world.record()["probe"]["evidence"]["served_intended"] is True
    assert "acm_arn" not in world.state()
    assert list(world.cloud.acm.certificates()) == [arn]


@pytest.mark.shows("renewed_not_served")
def test_a_renewal_in_acm_starts_a_run_that_says_it_is_not_served(world: World) -> None:
    """The event names the ARN; the finding says what is left to do, and goes once it is served."""
    arn = put(world)
    onboard(world, arn)
    world.issue(new_authority=False)
    put(world, arn)
    assert happened(world, arn, "RENEWAL") == [NAME]
    assert world.outcome() == "certified"
    (found,) = world.record()["findings"]
    assert found["cause"] == "renewed_not_served"
    assert "renewed in ACM, not served yet" in found["seen"]
    world.serve()
    world.cloud.tick()
    assert (world.outcome(), world.causes()) == ("certified", [])


def test_an_import_by_its_owner_counts_like_a_renewal(world: World) -> None:
    """Who imports into ACM by themselves is followed too; an issuance says nothing new."""
    arn = put(world)
    onboard(world, arn)
    assert happened(world, arn, "REIMPORT") == [NAME]
    assert happened(world, arn, "ISSUANCE") == []


def test_our_own_import_runs_no_source(world: World) -> None:
    """What Certifier has imported for a source with a secret is not that source's intent."""
    world.onboard()
    arn = str(world.state()["acm_arn"])
    assert happened(world, arn, "REIMPORT") == []


def test_an_expiry_in_acm_runs_the_source(world: World) -> None:
    """ACM's daily event of a certificate that ends soon concerns whoever intends it."""
    arn = put(world)
    onboard(world, arn)
    (run,) = world.cloud.emit(
        "aws.acm", "ACM Certificate Approaching Expiration", {"DaysToExpiry": 20}, (arn,)
    )
    assert [child.name for child in run.children] == [NAME]


@pytest.mark.shows("intended_certificate_unreadable")
def test_an_arn_without_a_certificate_is_refused(world: World) -> None:
    """The endpoint is not touched, and the finding names the ARN."""
    arn = put(world)
    gone = arn.rpartition(":")[0] + ":" + ABSENT
    onboard(world, gone)
    assert world.outcome() == "refused"
    (found,) = world.record()["findings"]
    assert (found["cause"], gone in found["seen"]) == ("intended_certificate_unreadable", True)
    assert world.endpoint() is None


def test_a_source_may_move_from_its_secret_to_acm(world: World) -> None:
    """The copy that was imported before is not compared any more, and no new one is made."""
    world.onboard()
    assert world.outcome() == "certified"
    imported = set(world.cloud.acm.certificates())
    world.issue(new_authority=False)
    world.serve()
    arn = put(world)
    onboard(world, arn)
    assert (world.outcome(), world.causes()) == ("certified", [])
    assert set(world.cloud.acm.certificates()) == imported | {arn}
