"""`discover` lists what else connects, writes whole files in UTF-8, and names every gap."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.dms import Dms
from certifier.cli import discover
from certifier.cli.new_files import write_new
from certifier.endpoint.facts import EndpointFields
from certifier.source import InvalidSource, parse_source
from certifier.vocabulary import SslMode
from sandbox.dms import INSTANT, DmsStandIn
from sandbox.dms.world import Fault
from sandbox.pki import Authority

ROOT = Authority.root("Example root")


@pytest.fixture
def standin(aws: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[DmsStandIn]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("COLUMNS", "300")
    with DmsStandIn(durations=INSTANT, resolve={}).installed() as standin:
        yield standin


@pytest.fixture
def dms(standin: DmsStandIn, clients: Clients) -> Dms:
    return Dms(clients.client("dms"))


def endpoint(dms: Dms, name: str, engine: str = "postgres", **fields: Any) -> str:
    own = {"server_name": "h.example.com", "port": 5432, "username": "dms"}
    whole = {"ssl_mode": SslMode.REQUIRE, "database_name": "orders", **own, **fields}
    if "secret_id" in fields:
        whole = {key: value for key, value in whole.items() if key not in own}
    kind = "target" if engine.endswith("serverless") else "source"
    password = None if "secret_id" in fields else "x"
    made = dms.create_endpoint(
        name, kind, engine, EndpointFields(**whole), password=password, tags={}
    )
    return str(getattr(made, "arn", ""))


def discovered(*words: str) -> int:
    parser = argparse.ArgumentParser()
    discover.register(parser.add_subparsers())
    return discover.run(parser.parse_args(["discover", "--region", "eu-west-1", *words]))


def test_data_providers_and_serverless_replications_are_listed(
    standin: DmsStandIn, dms: Dms, capsys: pytest.CaptureFixture[str]
) -> None:
    """With mode, certificate and days left, and why they are not managed."""
    ca = dms.import_certificate("theirs", ROOT.certificate_pem.decode(), tags={})
    source = endpoint(dms, "orders", ssl_mode=SslMode.VERIFY_FULL, certificate_arn=ca.arn)
    target = endpoint(dms, "lake", "aurora-postgresql-serverless")
    standin.add_serverless("orders-to-lake", source=source, target=target)
    standin.add_data_provider(
        "old-orders", ServerName="p", Port=5432, SslMode="verify-ca", CertificateArn=ca.arn
    )
    standin.add_data_provider("plain", ServerName="q", Port=5432)
    standin.state.providers[standin.add_data_provider("m")]["Engine"] = "mysql"
    assert discovered("--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["identifier"]) for one in printed] == [
        ("endpoint", "lake"),
        ("endpoint", "orders"),
        ("serverless_replication", "orders-to-lake"),
        ("data_provider", "old-orders"),
        ("data_provider", "plain"),
    ]
    (first, second), (old,), (plain,) = [one["ends"] for one in printed[2:]]
    assert (first["endpoint"], first["ssl_mode"]) == ("orders", "verify-full")
    assert (second["endpoint"], second["ssl_mode"]) == ("lake", "require")
    assert (first["certificate_arn"], first["ca_days_left"] > 300) == (ca.arn, True)
    assert (old["ssl_mode"], old["certificate_arn"], old["host"]) == ("verify-ca", ca.arn, "p")
    assert old["ca_days_left"] == first["ca_days_left"]
    assert (plain["ssl_mode"], plain["ca_days_left"]) == ("none", None)
    assert {one["managed"] for one in printed[2:]} == {False}
    assert discovered() == 0
    out = capsys.readouterr().out
    assert "old-orders  data provider\n    verify-ca  p:5432 · " in out
    assert "orders-to-lake  serverless replication\n    verify-full  through orders · " in out
    assert "\n    require  through lake · h.example.com:5432\n    managed: no, " in out
    assert "managed: no, because DMS tests no connection of a data provider" in out
    assert "no, because DMS tests the connections of a serverless replication only" in out


def test_an_endpoint_of_several_tasks_and_replications_is_listed_once(
    standin: DmsStandIn, dms: Dms, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each task by its name; a task that copies within one database is one too."""
    orders, lake = endpoint(dms, "orders"), endpoint(dms, "lake", "aurora-postgresql-serverless")
    instance = standin.add_instance("replication-1")
    for name, ends in {"a": (orders, lake), "b": (orders, lake), "c": (orders, orders)}.items():
        standin.add_task(name, instance=instance, source=ends[0], target=ends[1])
    for name in ("one", "two"):
        standin.add_serverless(name, source=orders, target=lake)
    standin.add_serverless("self", source=orders, target=orders)
    assert discovered("--json") == 0
    printed = {one["identifier"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(printed) == ["lake", "orders", "one", "two", "self"]
    assert list(printed["orders"]["tasks"]) == ["a", "b", "c"]
    assert list(printed["lake"]["tasks"]) == ["a", "b"]
    assert [len(printed[name]["ends"]) for name in ("one", "two", "self")] == [2, 2, 1]


def test_data_providers_that_may_not_be_listed_are_said_to_be_missing(
    standin: DmsStandIn, dms: Dms, capsys: pytest.CaptureFixture[str]
) -> None:
    """The endpoints are shown all the same."""
    endpoint(dms, "orders")

    def denied(params: Any) -> Any:
        raise Fault("AccessDeniedFault", "not authorized to perform: dms:ListDataProviders")

    standin._operations = {**standin._operations, "DescribeDataProviders": denied}
    assert discovered("--json") == 0
    printed = capsys.readouterr()
    assert [one["identifier"] for one in json.loads(printed.out)] == ["orders"]
    assert "data providers could not be listed" in printed.err


# -- files


def test_a_bundle_with_a_comment_in_another_script_is_written(
    standin: DmsStandIn, dms: Dms, tmp_path: Path
) -> None:
    """In UTF-8, byte for byte, and the run after it is not stopped by anything left behind."""
    pem = f"# Zertifizierungsstelle für Bücher — 証明書\n{ROOT.certificate_pem.decode()}"
    ca = dms.import_certificate("theirs", pem, tags={})
    endpoint(dms, "orders", ssl_mode=SslMode.VERIFY_FULL, certificate_arn=ca.arn)
    standin.state.certificates[ca.arn].seen["CertificatePem"] = pem
    assert discovered("--emit", str(tmp_path)) == 0
    assert (tmp_path / "orders-ca.pem").read_bytes() == pem.encode()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["orders-ca.pem", "orders.json"]


def test_where_one_file_is_there_none_is_written(
    dms: Dms, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of an account would look like all of it."""
    for name in ("billing", "orders"):
        endpoint(dms, name)
    (tmp_path / "orders.json").write_text("mine")
    assert discovered("--emit", str(tmp_path)) == 2
    assert "orders.json: File exists" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["orders.json"]
    assert (tmp_path / "orders.json").read_text() == "mine"


def test_what_was_written_before_an_error_is_taken_back(tmp_path: Path) -> None:
    """The second file cannot be written: its folder is a file."""
    (tmp_path / "in-the-way").write_text("")
    with pytest.raises(OSError):
        write_new({tmp_path / "a": "a", tmp_path / "in-the-way" / "b": "b"})
    assert [file.name for file in tmp_path.iterdir()] == ["in-the-way"]


@pytest.mark.parametrize("form", ["name", "partial", "full"])
def test_a_secret_in_any_form_is_written_in_full(
    dms: Dms, clients: Clients, tmp_path: Path, form: str
) -> None:
    """The source takes the full ARN, and DMS shows what it was given."""
    made = clients.client("secretsmanager").create_secret(Name="dms/orders", SecretString="{}")
    full = made["ARN"]
    named = {"name": "dms/orders", "partial": full.rpartition("-")[0], "full": full}[form]
    role = "arn:aws:iam::123456789012:role/x"
    endpoint(dms, "orders", secret_id=named, secret_role_arn=role)
    assert discovered("--emit", str(tmp_path)) == 0
    assert json.loads((tmp_path / "orders.json").read_text())["credentials"] == full


def test_every_gap_is_named(dms: Dms, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Host, CA, login and instances: whatever DMS does not say."""
    ca = dms.import_certificate("theirs", ROOT.certificate_pem.decode(), tags={})
    role = "arn:aws:iam::123456789012:role/x"
    endpoint(dms, "a-gone", secret_id="dms/gone", secret_role_arn=role)
    endpoint(dms, "b-own", ssl_mode=SslMode.VERIFY_CA, certificate_arn=ca.arn)
    assert discovered("--emit", str(tmp_path)) == 0
    gone, own = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrote")]
    for part in ("host and port", "the secret dms/gone", "replication_instances (none has"):
        assert part in gone
    for part in ("ca_bundle (upload the PEM", "credentials (it logs in as dms", "replication_inst"):
        assert part in own
    assert "host" not in own.partition("fill in")[2].partition("credentials")[0]


def test_the_serverless_engine_is_a_targets(dms: Dms, tmp_path: Path) -> None:
    """Discover lists and writes it; a source of that engine that reads is refused."""
    endpoint(dms, "lake", "aurora-postgresql-serverless")
    assert discovered("--emit", str(tmp_path)) == 0
    written = json.loads((tmp_path / "lake.json").read_text())
    source = parse_source(written)
    assert (source.engine, source.endpoint_type) == ("aurora-postgresql-serverless", "target")
    with pytest.raises(InvalidSource, match=r"engine: .* needs \"endpoint_type\": \"target\""):
        parse_source({**written, "endpoint_type": "source"})
