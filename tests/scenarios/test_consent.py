"""Attacks by whoever may start the machine: on other teams' secrets, endpoints and data streams.

Each test is written as the attack. What protects a thing is never in the request.
"""

import json
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from certifier.aws.store import Store
from sandbox.aws.rights import Need
from sandbox.pki import Authority
from sandbox.world import CREDENTIALS, DATABASE, HOST, PAIR, USER
from tests.scenarios.live import Live

SECRET = "another-teams-password"
STRANGER = "attacker.example.com"


def without_consent(live: Live, name: str, value: Mapping[str, Any], **tags: str) -> str:
    """Another team's secret, whose owner has consented to nobody, or as ``tags`` say."""
    client = live.cloud.client("secretsmanager")
    arn = live.cloud.put_secret(name, value, tags={})
    client.untag_resource(SecretId=arn, TagKeys=["certifier:source", "certifier:host"])
    pairs = [{"Key": key.replace("_", ":"), "Value": tag} for key, tag in tags.items()]
    client.tag_resource(SecretId=arn, Tags=pairs)
    return arn


def theirs(
    live: Live, *, name: str = "dms/theirs", tags: Mapping[str, str] = {}, **value: Any
) -> str:
    """The credentials of another team, for a host of theirs."""
    login = {"username": USER, "password": SECRET, "host": HOST, "port": live.world.server.port}
    held = {key: each for key, each in {**login, **value}.items() if each is not None}
    return without_consent(live, name, held, **tags)


def asked_for(live: Live, operation: str, since: int) -> list[str]:
    """The callers of an operation of Secrets Manager since then."""
    calls = live.cloud.calls.of("secretsmanager", since=since)
    return [call.caller for call in calls if call.operation == operation]


def obey(live: Live, command: str) -> None:
    """Run an ``aws`` command as its owner would, word by word."""
    words = shlex.split(command)
    options = dict(zip(words[3::2], words[4::2], strict=True))
    key, value = (part.partition("=")[2] for part in options["--tags"].split(",", 1))
    tags = [{"Key": key, "Value": value}]
    assert options["--region"] == live.cloud.region
    match words[:3]:
        case ["aws", "dms", "add-tags-to-resource"]:
            live.client.add_tags_to_resource(ResourceArn=options["--resource-arn"], Tags=tags)
        case ["aws", "secretsmanager", "tag-resource"]:
            client = live.cloud.client("secretsmanager")
            client.tag_resource(SecretId=options["--secret-id"], Tags=tags)
        case other:
            raise AssertionError(other)


def command_in(seen: str) -> str:
    return seen.partition("consents with: ")[2]


# -- 1. consent


@pytest.mark.parametrize("mode", ["plan", "apply"])
@pytest.mark.parametrize("field", ["credentials", "server_certificate", "ca_bundle"])
@pytest.mark.shows("not_allowed")
def test_another_teams_secret_is_not_read(live: Live, field: str, mode: str) -> None:
    """Whoever names it gets nothing of it: it is refused before its value has been asked for."""
    secret = theirs(live)
    since = live.now
    source = live.world.source(**{field: secret, "credentials_mode": "inline"})
    live.cloud.run({"sources": [source], "mode": mode})
    record = live.world.record()
    assert record["outcome"] == "refused"
    assert [found["cause"] for found in record["findings"]] == ["not_allowed"]
    assert asked_for(live, "GetSecretValue", since) == []
    assert live.dms.endpoints() == []
    assert SECRET not in json.dumps(record)


def test_the_command_that_is_shown_gives_consent(live: Live) -> None:
    """Its owner runs it as it stands; the next run is certified."""
    secret = without_consent(live, "dms/consenting", live.world.pair())
    live.world.onboard(server_certificate=secret)
    assert live.outcome == "refused"
    obey(live, command_in(live.found("not_allowed")["seen"]))
    live.world.recertify()
    assert live.outcome == "certified"


@pytest.mark.parametrize("tag", ["invoices", "order", "orders-+", "", "+-x", "[a-z]+"])
def test_consent_to_others_is_none(live: Live, tag: str) -> None:
    """The tag is there, which is all that IAM can see, and names other sources."""
    secret = theirs(live, name="dms/for-others", tags={"certifier_source": tag})
    live.world.onboard(credentials=secret)
    assert live.causes == {"not_allowed"}


@pytest.mark.parametrize("tag", ["orders", "invoices orders", "ord*", "+", "invoices ord+ x"])
def test_a_name_or_a_pattern_consents(live: Live, tag: str) -> None:
    """Names or patterns, separated by blanks; DMS takes no ``*`` in a tag, so ``+`` is one too."""
    value = json.loads(
        live.cloud.client("secretsmanager").get_secret_value(SecretId=CREDENTIALS)["SecretString"]
    )
    secret = without_consent(live, "dms/for-us", value, certifier_source=tag)
    live.world.onboard(credentials=secret)
    assert live.outcome == "certified"


def test_an_endpoint_does_not_belong_to_whoever_asks_first(live: Live) -> None:
    """A running target is not moved to another host, nor its task restarted."""
    live.adopted("warehouse", EndpointType="target", Tags=[])
    live.cloud.clock.advance(5)
    before = dict(live.world.endpoint("warehouse") or {})
    since = live.now
    live.world.onboard(
        endpoint="warehouse",
        endpoint_type="target",
        restart_tasks=True,
        allow_irreversible=True,
    )
    assert (live.outcome, live.causes) == ("refused", {"not_allowed"})
    assert live.asked(since) == []
    assert live.world.endpoint("warehouse") == before
    assert live.world.item("ENDPOINT#" + before["EndpointArn"].lower(), "OWNER") == {}
    obey(live, command_in(live.found("not_allowed")["seen"]))
    live.world.recertify()
    assert live.outcome == "certified"


def test_consent_that_is_withdrawn_ends(live: Live) -> None:
    """Also for an endpoint that we made: without its tag the next run refuses, touching nothing."""
    live.world.onboard()
    live.client.remove_tags_from_resource(ResourceArn=live.arn, TagKeys=["certifier:source"])
    since = live.now
    live.world.renew()
    assert (live.outcome, live.causes) == ("refused", {"not_allowed"})
    assert live.asked(since) == []


def test_another_teams_key_does_not_get_into_acm(live: Live) -> None:
    """Under the caller's name, where the caller may use it."""
    without_consent(live, "dms/their-pair", live.world.pair())
    live.world.onboard(server_certificate=live.world.arn("dms/their-pair"))
    assert live.outcome == "refused"
    assert live.cloud.acm.certificates() == {}


def test_what_we_make_is_tagged_with_its_source(live: Live) -> None:
    """So the same rule holds for it, and no other source may take it over."""
    live.world.onboard()
    assert live.cloud._tags_of(live.arn)["certifier:source"] == "orders"
    arn = live.arn
    Store(live.cloud.client("dynamodb"), live.cloud.table).forget("orders")
    live.world.onboard(name="thieves", endpoint=arn)
    assert live.world.outcome("thieves") == "refused"
    assert live.world.causes("thieves") == ["not_allowed"]


def test_iam_holds_the_tag_too(live: Live) -> None:
    """A step that does not look cannot read the value, nor can the role that DMS assumes."""
    secret = theirs(live)
    rights = live.cloud._rights
    role = live.cloud.resources["DmsSecretRole"]
    read = "secretsmanager:GetSecretValue"
    assert not rights.role_may(role, read, secret)
    assert rights.role_may(role, read, live.world.arn(CREDENTIALS))
    readable = {
        "read_material": PAIR,
        "probe_tls": CREDENTIALS,
        "rehearse_changes": CREDENTIALS,
        "import_certificate": PAIR,
    }
    for step, name in readable.items():
        assert not rights._allows(step, Need(read, secret), {})
        assert rights._allows(step, Need(read, live.world.arn(name)), {})
    foreign = live.adopted("foreign", Tags=[])
    ours = live.adopted("ours")
    for arn, may in ((foreign, False), (ours, True)):
        assert rights._allows("configure_endpoint", Need("dms:ModifyEndpoint", arn), {}) is may
    assert not rights._allows("rehearse_changes", Need("dms:DeleteEndpoint", ours), {})


# -- 2. a host is vouched for


@pytest.mark.parametrize("mode", ["plan", "apply"])
@pytest.mark.parametrize(
    "changes",
    [
        {"ssl_mode": "require"},
        {"ssl_mode": "none"},
        {"ssl_mode": "verify-full"},
        {"ssl_mode": "require", "probe": "off"},
        {"ssl_mode": "verify-ca", "probe": "advisory"},
    ],
)
@pytest.mark.shows("host_not_vouched")
def test_a_password_does_not_go_to_a_host_of_the_callers_own(
    live: Live, changes: Mapping[str, Any], mode: str
) -> None:
    """Inline, with a secret that consents to every source, and a CA that the caller owns."""
    bundle = live.world.put_bundle("mine.pem", Authority.root("Mine").certificate_pem)
    source = {
        "host": STRANGER,
        "credentials_mode": "inline",
        "server_certificate": None,
        "ca_bundle": bundle,
        **changes,
    }
    live.cloud.hosts[STRANGER] = live.world.server.host
    try:
        live.cloud.run({"sources": [live.world.source(**source)], "mode": mode})
    finally:
        del live.cloud.hosts[STRANGER]
    record = live.world.record()
    assert record["outcome"] == "refused"
    assert "host_not_vouched" in [found["cause"] for found in record["findings"]]
    assert record["probe"] is None
    assert live.dms.endpoints() == []


def test_another_port_of_the_same_host_is_another_place(live: Live) -> None:
    """Whoever may listen on a port of that machine gets nothing."""
    live.world.onboard(port=live.world.server.port - 1, credentials_mode="inline")
    assert (live.outcome, live.causes) == ("refused", {"host_not_vouched"})


def test_a_data_stream_does_not_move_without_credentials(live: Live) -> None:
    """An endpoint whose login nobody reads stays where it is."""
    live.adopted()
    live.cloud.clock.advance(5)
    before = dict(live.endpoint)
    live.world.onboard(host=STRANGER, credentials=None, ssl_mode="require")
    assert (live.outcome, live.causes) == ("refused", {"host_not_vouched"})
    assert live.endpoint == before


@pytest.mark.parametrize(
    ("tag", "outcome"),
    [
        (None, "refused"),
        (STRANGER, "refused"),
        (HOST, "refused"),  # which means port 5432
        (HOST + ":{port}", "certified"),
        (HOST.upper() + ".:{port}", "certified"),
    ],
)
def test_a_secret_without_a_host_names_it_in_its_tag(
    live: Live, tag: str | None, outcome: str
) -> None:
    """As a managed secret of RDS, which holds a user and a password alone."""
    port = live.world.server.port
    tags = {"certifier_source": "orders"}
    tags |= {} if tag is None else {"certifier_host": tag.format(port=port)}
    value = {"username": USER, "password": "correct-horse-battery"}
    secret = without_consent(live, "dms/no-host", value, **tags)
    live.world.onboard(credentials=secret, credentials_mode="inline")
    assert live.outcome == outcome
    assert ("host_not_vouched" in live.causes) is (outcome == "refused")


def test_the_endpoint_as_it_is_vouches_for_its_own_host(live: Live) -> None:
    """Case and a final dot make no other host of it."""
    live.adopted()
    live.world.onboard(host=HOST.upper(), credentials=None, ssl_mode="verify-ca")
    assert "host_not_vouched" not in live.causes


def test_dms_does_not_read_what_nobody_consented_to(live: Live) -> None:
    """Even on an endpoint that was made with our role by somebody else."""
    secret = theirs(live)
    role = live.cloud.resources["DmsSecretRole"]
    made = live.adopted(
        "hijacked",
        ServerName=None,
        Port=None,
        Username=None,
        Password=None,
        DatabaseName=None,
        PostgreSQLSettings={
            "SecretsManagerSecretId": secret,
            "SecretsManagerAccessRoleArn": role,
            "DatabaseName": DATABASE,
        },
    )
    live.cloud.clock.advance(60)
    live.client.test_connection(EndpointArn=made, ReplicationInstanceArn=live.world.instance)
    live.dms.settle()
    live.cloud.clock.advance(60)
    (shown,) = live.client.describe_connections()["Connections"]
    assert shown["Status"] == "failed"
    assert "not authorized" in shown["LastFailureMessage"]


# -- 4. a weakening or a move is always notified


@pytest.mark.shows("endpoint_weakened")
def test_a_source_is_not_weakened_by_registering_it_again(live: Live) -> None:
    """Refused unless it names the version that it replaces; then the team is notified, once."""
    live.certified(task=False)
    weaker = {"ssl_mode": "require", "allow_downgrade": True, "allow_irreversible": True}
    run = live.world.onboard(**weaker)
    assert run.status == "FAILED"
    assert "lowers verify-ca to require" in (run.cause or "")
    assert live.mode == "verify-ca"
    sent = len(live.cloud.notices)
    live.world.onboard(**weaker, replaces=1)
    assert (live.outcome, live.mode) == ("certified", "require")
    (notice,) = live.cloud.notices[sent:]
    assert notice[0] == "Certifier eu-west-1: orders certified: endpoint_weakened"
    assert "verify-ca becomes require" in notice[1]
    live.world.recertify()
    assert len(live.cloud.notices) == sent + 1


@pytest.mark.shows("endpoint_moved", "credentials_changed", "permission_used")
def test_a_move_is_notified_although_it_is_good(live: Live) -> None:
    """With consent, vouched, rehearsed and certified: still, old and new are reported."""
    live.adopted(ServerName="old.db.example.com")
    sent = len(live.cloud.notices)
    live.world.onboard(credentials_mode="inline", allow_irreversible=True)
    assert live.outcome == "certified", live.world.record()["findings"]
    assert {"endpoint_moved", "credentials_changed", "permission_used"} <= live.causes
    ((_, text),) = live.cloud.notices[sent:]
    assert f"old.db.example.com:{live.world.server.port}" in text
    assert f"to {HOST}:" in text


# -- 6. what is said must be so


@pytest.mark.shows("nothing_verified")
@pytest.mark.parametrize("ssl_mode", ["require"])
def test_a_mode_that_verifies_nothing_says_so(live: Live, ssl_mode: str) -> None:
    """An advice in every run; record and page say how little was verified, and by whom."""
    live.world.onboard(ssl_mode=ssl_mode)
    assert (live.outcome, live.found("nothing_verified")["severity"]) == ("certified", "advice")
    record = live.world.record()
    unverified = {"connected": True, "encrypted": True, "chain": False, "host_name": False}
    assert record["verified"] == dict.fromkeys(("probe", "rehearsal", "dms_test"), unverified)
    pages = live.cloud.objects("records/orders/")
    page = pages[max(key for key in pages if key.endswith(".html"))].decode()
    assert "Neither the certificate nor the host name was verified" in page
    assert "as strictly as" not in page
    assert "verified: nothing" in page


def test_a_stranger_gets_no_proof_to_guess_at(live: Live) -> None:
    """On an unverified connection the probe does not log in, unless the source says so."""
    live.world.onboard(ssl_mode="require")
    assert live.world.record()["probe"]["evidence"]["login"] is None
    live.world.onboard(ssl_mode="require", probe_login=True)
    assert live.world.record()["probe"]["evidence"]["login"]["succeeded"] is True


# -- 9. values in secrets


@pytest.mark.shows("secret_not_text")
@pytest.mark.parametrize("key", ["username", "password", "host", "port"])
@pytest.mark.parametrize("value", ["a\0b", "a\ud800b"])
def test_a_value_that_no_client_can_send_has_its_own_cause(
    live: Live, key: str, value: str
) -> None:
    """It neither ends the step as a bug nor gets anywhere; its value is not shown."""
    live.world.put_credentials(**{key: value})
    live.world.onboard(credentials_mode="inline")
    assert live.outcome == "refused"
    assert "secret_not_text" in live.causes
    assert live.dms.endpoints() == []
