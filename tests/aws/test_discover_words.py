"""`discover` proposes the word that stands for the CAs of an endpoint, or for its served root."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.dms import Dms
from certifier.cli import discover
from certifier.endpoint.facts import EndpointFields
from certifier.roots import Roots
from certifier.source import parse_source
from certifier.vocabulary import SslMode
from sandbox.dms import INSTANT, DmsStandIn
from sandbox.pki import Authority
from sandbox.postgres import Access, Postgres

RDS_HOST = "orders.abc123.eu-west-1.rds.amazonaws.com"
REGION_ROOT = Authority.root("Amazon RDS eu-west-1 Root CA RSA2048 G1")
PUBLIC, PRIVATE = Authority.root("Public root"), Authority.root("Private root")
ROOTS = Roots(
    read_public=lambda: (PUBLIC.certificate_pem, "test store"),
    read_rds=lambda: REGION_ROOT.certificate_pem,
)


@pytest.fixture
def dms(clients: Clients, aws: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dms]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("COLUMNS", "250")
    with DmsStandIn(durations=INSTANT, resolve={}).installed():
        yield Dms(clients.client("dms"))


def endpoint(
    dms: Dms, name: str, authority: Authority | None, mode: SslMode, host: str, *, port: int = 1
) -> None:
    arn = None
    if authority is not None:
        arn = dms.import_certificate(f"{name}-ca", authority.certificate_pem.decode(), tags={}).arn
    fields = EndpointFields(
        ssl_mode=mode,
        certificate_arn=arn,
        server_name=host,
        port=port,
        username="dms",
        database_name="orders",
    )
    dms.create_endpoint(name, "source", "postgres", fields, password="x", tags={})


def discovered(*words: str) -> int:
    parser = argparse.ArgumentParser()
    discover.register(parser.add_subparsers())
    args = parser.parse_args(["discover", "--region", "eu-west-1", *words])
    return discover.run(args, ROOTS)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return {one["identifier"]: one for one in json.loads(capsys.readouterr().out)}


def test_the_cas_of_an_endpoint_have_a_word(
    dms: Dms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where every one of them is in a set that its host and mode may name."""
    endpoint(dms, "a-rds", REGION_ROOT, SslMode.VERIFY_CA, RDS_HOST)
    endpoint(dms, "b-alias", REGION_ROOT, SslMode.VERIFY_CA, "orders.db.example.com")
    endpoint(dms, "c-public", PUBLIC, SslMode.VERIFY_FULL, "orders.db.example.com")
    endpoint(dms, "d-weak", PUBLIC, SslMode.VERIFY_CA, "orders.db.example.com")
    endpoint(dms, "e-private", PRIVATE, SslMode.VERIFY_FULL, "orders.db.example.com")
    assert discovered("--json") == 0
    assert {name: one["ca_bundle"] for name, one in printed(capsys).items()} == {
        "a-rds": "rds",
        "b-alias": None,
        "c-public": "public",
        "d-weak": None,
        "e-private": None,
    }
    assert discovered("--emit", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "ca_bundle rds" in out
    source = parse_source(json.loads((tmp_path / "a-rds.json").read_text()))
    assert source.ca_bundle == "rds"
    line = next(line for line in out.splitlines() if "a-rds.json" in line)
    assert "ca_bundle" not in line
    line = next(line for line in out.splitlines() if "e-private.json" in line)
    assert "ca_bundle (upload the PEM file beside it)" in line


def test_the_global_bundle_of_rds_has_the_word_too(
    dms: Dms, capsys: pytest.CaptureFixture[str]
) -> None:
    """Roots of every Region, also of newer ones than the data knows, and one that has expired."""
    newer = Authority.root("Amazon RDS xx-new-9 Root CA ECC384 G1")
    old = datetime(2024, 8, 22, tzinfo=UTC)
    before = Authority.root(
        "Amazon RDS Root 2019 CA", not_before=old - timedelta(days=1825), not_after=old
    )
    pem = b"".join(one.certificate_pem for one in (REGION_ROOT, newer, before)).decode()
    ca = dms.import_certificate("global", pem, tags={})
    fields = EndpointFields(
        ssl_mode=SslMode.VERIFY_FULL,
        certificate_arn=ca.arn,
        server_name=RDS_HOST,
        port=5432,
        username="dms",
        database_name="orders",
    )
    dms.create_endpoint("orders", "source", "postgres", fields, password="x", tags={})
    assert discovered("--json") == 0
    assert printed(capsys)["orders"]["ca_bundle"] == "rds"


@pytest.mark.real_clock("OpenSSL verifies the host by the machine's clock")
def test_a_look_at_the_host_finds_the_word_and_what_it_would_allow(
    dms: Dms, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint that verifies nothing learns that it could, and with what."""
    leaf = PUBLIC.issue(dns=["localhost"])
    with Postgres.start(tls=leaf, hba=Access.TLS_ONLY) as server:
        endpoint(dms, "weak", None, SslMode.REQUIRE, "localhost", port=server.port)
        assert discovered("--probe", "--json") == 0
    weak = printed(capsys)["weak"]
    assert (weak["could_be"], weak["ca_bundle"]) == ("verify-full", "public")
