"""An adopted endpoint holds the id of its secret in any form; nothing is written for that."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.world import CONSENTED, CREDENTIALS, DATABASE, ENDPOINT, World


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


def made_by_hand(world: World, secret: str, *, as_attributes: bool = False) -> None:
    """An endpoint in the mode that the source asks for, with the secret as it is named here.

    Args:
        as_attributes: among the extra connection attributes, where others have put it.
    """
    dms = world.cloud.client("dms")
    ca = dms.import_certificate(
        CertificateIdentifier="by-hand", CertificatePem=world.authority.certificate_pem.decode()
    )["Certificate"]["CertificateArn"]
    settings = {
        "SecretsManagerSecretId": secret,
        "SecretsManagerAccessRoleArn": world.cloud.resources["DmsSecretRole"],
    }
    where: dict[str, Any] = {"PostgreSQLSettings": settings}
    if as_attributes:
        pairs = ";".join(f"{name[0].lower()}{name[1:]}={value}" for name, value in settings.items())
        where = {"ExtraConnectionAttributes": f"{pairs};captureDDLs=N"}
    dms.create_endpoint(
        EndpointIdentifier=ENDPOINT,
        EndpointType="source",
        EngineName="postgres",
        DatabaseName=DATABASE,
        SslMode="verify-full",
        CertificateArn=ca,
        Tags=CONSENTED,
        **where,
    )


def forms(world: World) -> dict[str, str]:
    full = world.arn(CREDENTIALS)
    return {"name": CREDENTIALS, "partial": full.rpartition("-")[0], "full": full}


@pytest.mark.parametrize("form", ["name", "partial", "full"])
def test_the_same_secret_in_another_form_is_not_written(world: World, form: str) -> None:
    """Certified as it is: no change planned, no task stopped, nothing irreversible."""
    made_by_hand(world, forms(world)[form])
    world.add_task()
    before = len(world.cloud.calls)
    world.onboard()
    assert (world.outcome(), world.causes()) == ("certified", [])
    writes = world.cloud.calls.of("dms", writes=True, since=before)
    assert {call.operation for call in writes} == {"TestConnection"}
    endpoint = world.endpoint() or {}
    assert endpoint["PostgreSQLSettings"]["SecretsManagerSecretId"] == forms(world)[form]


@pytest.mark.parametrize("form", ["name", "full"])
def test_a_secret_among_the_extra_attributes_is_one(world: World, form: str) -> None:
    """It is recognised there, in any case, and the endpoint stays as it is."""
    made_by_hand(world, forms(world)[form], as_attributes=True)
    attributes = (world.endpoint() or {})["ExtraConnectionAttributes"]
    before = len(world.cloud.calls)
    world.onboard()
    assert (world.outcome(), world.causes()) == ("certified", [])
    writes = world.cloud.calls.of("dms", writes=True, since=before)
    assert {call.operation for call in writes} == {"TestConnection"}
    assert world.record()["endpoint"]["fields"]["secret_id"] == forms(world)[form]
    assert (world.endpoint() or {})["ExtraConnectionAttributes"] == attributes


def test_another_secret_is_still_another(world: World) -> None:
    """A login that is not the source's is replaced, and that is reported."""
    other = world.cloud.put_secret("dms/other", {"username": "x", "password": "y"})
    made_by_hand(world, other)
    world.onboard(allow_irreversible=True)
    assert world.outcome() == "certified"
    assert "credentials_changed" in world.causes()
    endpoint = world.endpoint() or {}
    assert endpoint["PostgreSQLSettings"]["SecretsManagerSecretId"] == world.arn(CREDENTIALS)
