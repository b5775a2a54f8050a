"""`discover` in a large account: pages instead of a call for each, and how far it is."""

import argparse
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

from certifier.aws.clients import Clients
from certifier.aws.dms import Dms
from certifier.aws.secrets import SecretFacts, Secrets
from certifier.cli import discover
from certifier.endpoint.facts import EndpointFields
from certifier.vocabulary import SslMode
from sandbox.dms import INSTANT, DmsStandIn
from sandbox.dms.switches import Quotas, Switches
from sandbox.pki import Authority
from tests.days import share

TASKS = share(400)
MANY = 2 * TASKS
MOST_CALLS = 40
NO_LIMITS = Quotas(endpoints_per_instance=MANY, throttled=False)


@pytest.fixture
def standin(
    aws: boto3.Session, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[DmsStandIn]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("COLUMNS", "300")
    switches = Switches(certificates_by_the_hundred=getattr(request, "param", True))
    standin = DmsStandIn(durations=INSTANT, resolve={}, quotas=NO_LIMITS, switches=switches)
    with standin.installed():
        yield standin


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Every call of boto3 from now on."""
    made: Counter[str] = Counter()
    base: Any = BaseClient
    make = base._make_api_call

    def noted(client: Any, operation: str, params: Any) -> Any:
        made[operation] += 1
        return make(client, operation, params)

    monkeypatch.setattr(base, "_make_api_call", noted)
    return made


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    discover.register(parser.add_subparsers())
    return discover.run(parser.parse_args(["discover", "--region", "eu-west-1", *words]))


def by_secret(arn: str, ca: str) -> EndpointFields:
    return EndpointFields(
        ssl_mode=SslMode.VERIFY_CA,
        certificate_arn=ca,
        database_name="orders",
        secret_id=arn,
        secret_role_arn="arn:aws:iam::123456789012:role/dms",
    )


def a_large_account(
    aws: boto3.Session, clients: Clients, standin: DmsStandIn, endpoints: int, tasks: int
) -> None:
    """Endpoints with a secret each, all tagged; connections, tasks, and a full set of CAs."""
    dms, secrets = Dms(clients.client("dms")), aws.client("secretsmanager")
    root = Authority.root("Example root").certificate_pem.decode()
    cas = [dms.import_certificate(f"ca-{number}", root, tags={}) for number in range(20)]
    instances = [standin.add_instance(f"replication-{number}") for number in range(8)]
    arns = []
    for number in range(endpoints):
        tag = {"certifier:source": f"source-{number}"}
        secret = secrets.create_secret(
            Name=f"dms/{number:03}",
            SecretString="{}",
            Tags=[{"Key": key, "Value": value} for key, value in tag.items()],
        )["ARN"]
        fields = by_secret(secret, cas[number % len(cas)].arn)
        made = dms.create_endpoint(
            f"e{number:03}", "source", "postgres", fields, password=None, tags=tag
        )
        arns.append(str(getattr(made, "arn", "")))
        tested = instances[number % len(instances)]
        standin.call("TestConnection", {"EndpointArn": arns[-1], "ReplicationInstanceArn": tested})
    for number in range(tasks):
        standin.add_task(
            f"task-{number}",
            source=arns[number],
            target=arns[-number - 1],
            instance=instances[number % len(instances)],
        )


@pytest.mark.parametrize(
    "standin", [True, False], ids=["pages of 100", "pages of 10"], indirect=True
)
def test_discover_over_800_endpoints_makes_at_most_40_calls(
    aws: boto3.Session,
    clients: Clients,
    standin: DmsStandIn,
    calls: Counter[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And knows of each what a call for each would say."""
    a_large_account(aws, clients, standin, MANY, TASKS)
    calls.clear()
    assert run("--json") == 0
    assert calls.total() <= MOST_CALLS, calls
    captured = capsys.readouterr()
    assert captured.err == ""
    found = json.loads(captured.out)
    assert len(found) == MANY
    for number, each in enumerate(found):
        assert each["consents"] == each["secret_consents"] == f"source-{number}"
        assert each["secret_arn"] == each["secret"]
        assert each["connections"]
        assert each["tasks"]
        assert each["ca_days_left"] > 300


class OnATerminal(io.StringIO):
    """Standard error of a person who looks on."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is(
    aws: boto3.Session,
    clients: Clients,
    standin: DmsStandIn,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On standard error, drawn over at the end; the answer has nothing of it."""
    a_large_account(aws, clients, standin, 12, 3)
    screen = OnATerminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    assert run("--json") == 0
    drawn = screen.getvalue()
    assert "reading" in drawn
    assert drawn.rstrip().endswith("\x1b[2K")
    assert len(json.loads(capsys.readouterr().out)) == 12


def test_an_endpoint_that_is_gone_spoils_no_other_tags(
    aws: boto3.Session, clients: Clients, standin: DmsStandIn
) -> None:
    """DMS refuses the whole list; each that is there has its tags, the other has none."""
    a_large_account(aws, clients, standin, 11, 0)
    dms = Dms(clients.client("dms"))
    arns = [each.arn for each in dms.all_endpoints()]
    gone = arns[3][:-1] + "0"
    tags = dms.tags_of([*arns, gone])
    assert tags[gone] == {}
    assert [tags[arn]["certifier:source"] for arn in arns] == [f"source-{n}" for n in range(11)]


@pytest.mark.parametrize("shown", ["name", "arn", "partial"])
def test_a_secret_is_found_by_whatever_it_is_called(aws: boto3.Session, shown: str) -> None:
    """In a list as by itself: by name, full ARN, and ARN without its suffix."""
    client = aws.client("secretsmanager")
    ids = []
    for number in range(12):
        name = f"dms/{number}"
        arn = client.create_secret(
            Name=name,
            SecretString="{}",
            Tags=[{"Key": "certifier:source", "Value": f"s{number}"}],
        )["ARN"]
        ids.append({"name": name, "arn": arn, "partial": arn[:-7]}[shown])
    found = Secrets(client).described_all([*ids, "dms/not-there"])
    assert found.keys() == set(ids)
    each = {named: facts.tags["certifier:source"] for named, facts in found.items()}
    assert each == {named: f"s{number}" for number, named in enumerate(ids)}
    alone = Secrets(client).described(ids[0])
    assert isinstance(alone, SecretFacts)
    assert found[ids[0]] == alone


def test_without_the_right_to_list_each_secret_is_asked_for(
    aws: boto3.Session, monkeypatch: pytest.MonkeyPatch, calls: Counter[str]
) -> None:
    """What one may look at is shown all the same."""
    client = aws.client("secretsmanager")
    names = [f"dms/{number}" for number in range(12)]
    for name in names:
        client.create_secret(Name=name, SecretString="{}")

    def denied(**_: Any) -> Any:
        refusal = {"Code": "AccessDeniedException", "Message": "not authorized"}
        answer = AWSResponse("", 400, HTTPHeaders(), io.BytesIO())
        return answer, {"Error": refusal, "ResponseMetadata": {"HTTPStatusCode": 400}}

    events: Any = client.meta.events
    events.register("before-call.secretsmanager.ListSecrets", denied)
    found = Secrets(client).described_all(names)
    assert found.keys() == set(names)
    assert calls["DescribeSecret"] == len(names)
