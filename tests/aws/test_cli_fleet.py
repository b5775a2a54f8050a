"""status, forget, reset-breaker and discover against moto and the DMS stand-in."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.dms import Dms
from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.certificate import bundle_digest
from certifier.cli import discover, forget, reset_breaker, status
from certifier.endpoint.facts import EndpointFields
from certifier.run.state import BadEnd, Recording
from certifier.source import parse_source
from certifier.vocabulary import Outcome, SslMode
from sandbox.dms import INSTANT, DmsStandIn
from sandbox.pki import Authority
from tests.aws.certifications import SPEC

NOW = datetime.now(UTC)
RUN = "arn:aws:states:eu-west-1:123456789012:execution:machine/Source:child-1"
STACK = {
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    "Outputs": {
        "StateMachine": {"Value": "arn:aws:states:eu-west-1:123456789012:stateMachine:m"},
        "OnboardStateMachine": {"Value": "arn:aws:states:eu-west-1:123456789012:stateMachine:o"},
        "TableName": {"Value": "certifier"},
        "BucketName": {"Value": "certifier-bucket"},
    },
}


@pytest.fixture
def installed(aws: boto3.Session, table: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack named Certifier with the outputs that the commands look for."""
    install(aws, monkeypatch)


def install(aws: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make that stack, and another one."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("COLUMNS", "200")
    formation = aws.client("cloudformation")
    formation.create_stack(StackName="Certifier", TemplateBody=json.dumps(STACK))
    other = {**STACK, "Outputs": {"TableName": {"Value": "x"}}}
    formation.create_stack(StackName="Other", TemplateBody=json.dumps(other))


@pytest.fixture
def standin(installed: None) -> Iterator[DmsStandIn]:
    standin = DmsStandIn(durations=INSTANT, resolve={})
    with standin.installed():
        yield standin


def command(module: ModuleType, *argv: str) -> int:
    parser = argparse.ArgumentParser()
    module.register(parser.add_subparsers())
    name = module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    args = parser.parse_args([name, "--region", "eu-west-1", *argv])
    code: int = args.run(args)
    return code


def register(store: Store, name: str, **recorded: Any) -> None:
    store.register(parse_source({**SPEC, "name": name, "endpoint": f"{name}-source"}), NOW)
    if recorded:
        store.claim(name, RUN, NOW, lambda _: None)
        done = Recording(at=NOW, due_at=NOW + timedelta(days=1, minutes=30), **recorded)
        store.hold(name, RUN).record(done, breaker_limit=3)


def test_status_shows_the_fleet(
    installed: None, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each source, with what a person asks first."""
    state = {
        "expires_at": NOW + timedelta(days=12, hours=1),
        "certified_at": NOW - timedelta(hours=3),
        "ssl_mode": "verify-full",
        "pending_restarts": ("arn:task",),
    }
    register(store, "orders", outcome=Outcome.CERTIFIED, state=state)
    register(store, "sales")
    assert command(status) == 0
    out = capsys.readouterr().out
    first, _, *rows = out.splitlines()
    assert first == ("2 sources · 1 needs a person · changes allowed · first expiry in 12 days")
    assert [row.split("\t")[:2] for row in rows[:2]] == [
        ["orders", "task is stopped"],
        ["sales", "not run yet"],
    ]
    assert "12 d orders" in out
    assert command(status, "--json", "orders") == 0
    payload = json.loads(capsys.readouterr().out)
    assert [source["name"] for source in payload["sources"]] == ["orders"]
    assert payload["sources"][0]["days_left"] == 12
    assert payload["breaker"] == {"open": False, "since": None}


def test_status_of_an_unknown_source_is_one_line(
    installed: None, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says which name nobody registered."""
    assert command(status, "nope") == 1
    assert capsys.readouterr().err == "certifier status: 'nope' is not a registered source\n"
    assert command(status) == 0
    assert "No source is registered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("--stack", "Nope"), "there is no stack Nope in this account and Region"),
        (
            ("--stack", "Other"),
            "the stack Other is not a Certifier of this version: it lacks the outputs",
        ),
        (("--profile", "nope"), "The config profile (nope) could not be found"),
    ],
)
def test_a_wrong_place_is_one_line(
    installed: None, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], text: str
) -> None:
    """No traceback: what was not found, and exit status 2."""
    assert command(status, *argv) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.err.count("\n") == 1


def test_forget_refuses_while_a_run_has_the_source(
    installed: None, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what holds the source; then it drops it, once."""
    register(store, "orders")
    store.claim("orders", RUN, NOW, lambda _: None)
    assert command(forget, "orders") == 1
    assert "orders has a claim of the execution" in capsys.readouterr().err
    done = Recording(outcome=Outcome.CERTIFIED, at=NOW, due_at=None)
    store.hold("orders", RUN).record(done, breaker_limit=3)
    assert command(forget, "orders") == 0
    assert command(forget, "orders") == 1
    assert store.specs_all() == {}
    assert "'orders' is not a registered source" in capsys.readouterr().err


def test_reset_breaker_closes_the_breaker(
    installed: None, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was deferred is due now; a second time there is nothing to do."""
    register(store, "orders")
    store.claim("orders", RUN, NOW, lambda _: None)
    opened = store.breaker().after(BadEnd(at=NOW, source="s", run="r"), limit=1)
    store._table.write(put_breaker(store._table, opened))
    waits = Recording(outcome=Outcome.DEFERRED, at=NOW, due_at=None)
    store.hold("orders", RUN).record(waits, breaker_limit=3)
    command(status)
    out = capsys.readouterr().out
    assert "Changes are stopped" in out
    assert "after reset-breaker" in out
    assert command(reset_breaker) == 0
    assert capsys.readouterr().out == "changes may begin again\ndue now: orders\n"
    assert command(reset_breaker) == 0
    assert capsys.readouterr().out == "changes were not stopped\n"


ROOT = Authority.root("Example root")


def an_account(clients: Clients, standin: DmsStandIn) -> Dms:
    dms = Dms(clients.client("dms"))
    pem = ROOT.certificate_pem.decode()
    ca = dms.import_certificate(f"certifier-{bundle_digest(pem)[:40]}", pem, tags={})
    plain = EndpointFields(
        ssl_mode=SslMode.REQUIRE,
        server_name="127.0.0.1",
        port=1,
        username="dms",
        database_name="orders",
    )
    by_secret = EndpointFields(
        ssl_mode=SslMode.VERIFY_CA,
        certificate_arn=ca.arn,
        database_name="sales",
        secret_id="arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/sales-AbCdEf",
        secret_role_arn="arn:aws:iam::123456789012:role/dms",
    )
    dms.create_endpoint("Orders-Source", "source", "postgres", plain, password="x", tags={})
    dms.create_endpoint("sales", "target", "aurora-postgresql", by_secret, tags={})
    return dms


def test_discover_lists_every_endpoint_and_changes_nothing(
    clients: Clients, standin: DmsStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mode, expiry of the CA, tests and tasks; and what a look from here would add."""
    an_account(clients, standin)
    assert command(discover) == 0
    out = capsys.readouterr().out
    assert "127.0.0.1:1" in out
    assert "never tested" in out
    assert "could perhaps be raised: --probe" in out
    assert "2 endpoints · 1 verify nothing · 0 kept by Certifier" in out
    assert command(discover, "--json") == 0
    orders, sales = json.loads(capsys.readouterr().out)
    assert (orders["ssl_mode"], orders["ca_days_left"]) == ("require", None)
    assert (sales["ssl_mode"], sales["host"]) == ("verify-ca", None)
    assert sales["ca_days_left"] > 300


def test_discover_shows_who_has_consented(
    clients: Clients, standin: DmsStandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tag of the endpoint, and of its secret; a command only for what is missing."""
    dms = an_account(clients, standin)
    orders, sales = sorted(dms.all_endpoints(), key=lambda endpoint: endpoint.identifier.lower())
    dms.add_tags(orders.arn, {"certifier:source": "orders-+ invoices"})
    assert command(discover, "--json") == 0
    seen = {one["arn"]: one for one in json.loads(capsys.readouterr().out)}
    assert seen[orders.arn]["consents"] == "orders-+ invoices"
    assert (seen[sales.arn]["consents"], seen[sales.arn]["secret_consents"]) == (None, None)
    assert command(discover, "--emit", str(tmp_path / "sources")) == 0
    out = capsys.readouterr().out
    assert "nobody" in out
    assert orders.arn not in out
    assert f"--resource-arn {sales.arn} --tags Key=certifier:source,Value=sales" in out


def test_discover_can_look_at_the_hosts(
    clients: Clients, standin: DmsStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host that refuses says so; one that only its secret knows is left out."""
    an_account(clients, standin)
    assert command(discover, "--probe", "--json") == 0
    orders, sales = json.loads(capsys.readouterr().out)
    assert orders["could_be"] is None
    assert "127.0.0.1" in orders["why_not"]
    assert sales["why_not"] == "its host is in the secret"


def test_discover_writes_files_to_start_from(
    clients: Clients, standin: DmsStandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is a valid source once its gaps are filled; nothing is overwritten."""
    an_account(clients, standin)
    folder = tmp_path / "sources"
    assert command(discover, "--emit", str(folder)) == 0
    assert sorted(file.name for file in folder.iterdir()) == [
        "orders-source.json",
        "sales-ca.pem",
        "sales.json",
    ]
    orders, sales = (
        parse_source(json.loads((folder / name).read_text()))
        for name in ("orders-source.json", "sales.json")
    )
    assert (orders.endpoint.lower(), orders.ssl_mode) == ("orders-source", SslMode.REQUIRE)
    assert sales.credentials is not None
    assert (sales.ssl_mode, sales.endpoint_type) == (SslMode.VERIFY_CA, "target")
    assert (folder / "sales-ca.pem").read_text() == ROOT.certificate_pem.decode()
    out = capsys.readouterr().out
    assert "fill in host and port (they are in the secret); ca_bundle (upload" in out
    commands = [line for line in out.splitlines() if "its owner consents with: " in line]
    assert ["aws dms" in line or "aws secretsmanager" in line for line in commands] == [True] * 3
    assert "Key=certifier:source,Value=sales" in commands[1]
    assert command(discover, "--emit", str(folder)) == 2
    assert "File exists" in capsys.readouterr().err


def test_an_empty_account_says_so(
    clients: Clients, standin: DmsStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not an empty table."""
    assert command(discover) == 0
    assert "No PostgreSQL endpoint" in capsys.readouterr().out
