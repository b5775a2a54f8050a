"""A team brings the endpoints that it has: made by hand, by script, by others, long ago.

Each test has an endpoint and a source of its own in one world. What a person would read is looked
at as closely as what is done to the endpoint.
"""

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from certifier.aws.store import InUse, Store
from certifier.ownership import canary_prefix
from sandbox.aws import Execution
from sandbox.aws.deploy import STACK
from sandbox.dms.switches import Durations
from sandbox.pki import Authority
from sandbox.postgres import Access
from sandbox.world import CONSENTED, CREDENTIALS, DATABASE, HOST, PASSWORD, USER, World
from tests.scenarios.live import connected

THEIR_ROLE = "arn:aws:iam::123456789012:role/theirs"
OTHER_HOST = "old.db.example.com"
ONLY_DMS = "only-dms.example.com"
"""A name that DMS resolves and our probe does not."""

_numbers = itertools.count(1)


class Adopted:
    """An endpoint that was there before, and the source that adopts it."""

    def __init__(self, world: World, arn: str) -> None:
        self.world = world
        self.arn = arn
        self.identifier = str(self.described["EndpointIdentifier"])
        self.name = self.identifier
        self.calls_before = 0

    @property
    def described(self) -> Mapping[str, Any]:
        return next(e for e in self.world.cloud.dms.endpoints() if e["EndpointArn"] == self.arn)

    @property
    def mode(self) -> str:
        return str(self.described["SslMode"])

    @property
    def login(self) -> Mapping[str, Any]:
        """The settings in which a secret, or a login of its own, stands."""
        return dict(self.described["PostgreSQLSettings"])

    def adopt(self, mode: str = "apply", **spec: Any) -> Execution:
        """Start directly with a source that names the endpoint and, by default, no credentials."""
        self.calls_before = len(self.world.cloud.calls)
        bare = {"name": self.name, "endpoint": self.identifier}
        source = self.world.source(**{**bare, "credentials": None, "database": None, **spec})
        return self.world.cloud.run({"sources": [source], "mode": mode})

    @property
    def outcome(self) -> str | None:
        return self.world.outcome(self.name)

    @property
    def record(self) -> dict[str, Any]:
        return self.world.record(self.name)

    @property
    def causes(self) -> dict[str, str]:
        """Cause and severity of every finding in the newest record."""
        return {found["cause"]: found["severity"] for found in self.record["findings"]}

    def found(self, cause: str) -> dict[str, Any]:
        """The first finding with this cause in the newest record."""
        return next(f for f in self.record["findings"] if f["cause"] == cause)

    @property
    def changes(self) -> list[str]:
        """The fields that the newest record says to differ."""
        return [change["field"] for change in self.record["changes"]]

    @property
    def writes(self) -> list[str]:
        """What DMS was asked to write since the last start, but for tests."""
        calls = self.world.cloud.calls.of("dms", writes=True, since=self.calls_before)
        return [call.operation for call in calls if call.operation != "TestConnection"]


class Fleet:
    """What the team has, and the calls by which it came to be."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dms = world.cloud.client("dms")

    def plain(self, **more: Any) -> Adopted:
        """An endpoint with a login of its own, whose password only its maker knew."""
        fields = {
            "ServerName": HOST,
            "Port": self.world.server.port,
            "DatabaseName": DATABASE,
            "Username": USER,
            "Password": PASSWORD,
            "SslMode": "require",
            **more,
        }
        return self._make(**fields)

    def by_secret(self, secret: str, *, role: str = THEIR_ROLE, **more: Any) -> Adopted:
        """An endpoint that refers to a secret."""
        settings = {
            "SecretsManagerSecretId": secret,
            "SecretsManagerAccessRoleArn": role,
            "DatabaseName": DATABASE,
        }
        return self._make(**{"SslMode": "require", "PostgreSQLSettings": settings, **more})

    def _make(self, **fields: Any) -> Adopted:
        named = {
            "EndpointIdentifier": f"fleet-{next(_numbers)}",
            "EndpointType": "source",
            "EngineName": "postgres",
            "Tags": CONSENTED,
            **fields,
        }
        made = self.dms.create_endpoint(**named)["Endpoint"]
        self.world.cloud.clock.advance(5)
        return Adopted(self.world, made["EndpointArn"])

    def secret(self, name: str, **more: Any) -> str:
        """A credentials' secret of another name; return its ARN."""
        value = {"username": USER, "password": PASSWORD, "host": HOST, **more}
        return self.world.cloud.put_secret(f"dms/{name}", {"port": self.world.server.port, **value})

    def certificate(self, identifier: str, pem: bytes) -> str:
        """A CA that somebody has imported into DMS under a name of their own; return its ARN."""
        made = self.dms.import_certificate(
            CertificateIdentifier=identifier, CertificatePem=f"# by hand\n{pem.decode()}"
        )
        return str(made["Certificate"]["CertificateArn"])

    def task(self, endpoint: Adopted, **more: Any) -> str:
        """A task from the endpoint to a target of its own; return its ARN."""
        target = self.plain(EndpointType="target")
        return self.world.cloud.dms.add_task(
            f"{endpoint.identifier}-task",
            source=endpoint.arn,
            target=target.arn,
            instance=self.world.instance,
            **more,
        )

    def task_status(self, task: str) -> str:
        tasks = self.world.cloud.dms.tasks()
        return str(next(t["Status"] for t in tasks if t["ReplicationTaskArn"] == task))

    def our_role(self) -> str:
        return self.world.cloud.resources["DmsSecretRole"]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    quick = Durations(
        endpoint_creating=0, endpoint_modifying=0, endpoint_deleting=0, testing=1, task_stopping=1
    )
    with World.start(durations=quick) as started:
        started.cloud.hosts[OTHER_HOST] = started.server.host
        started.cloud.dms.resolve = {**started.cloud.hosts, ONLY_DMS: started.server.host}
        names = (HOST, OTHER_HOST, ONLY_DMS)
        started.issue(new_authority=False, dns=names)
        started.serve()
        started.put_pair()
        yield started


@pytest.fixture
def fleet(world: World) -> Fleet:
    """The breaker is closed, and libpq alone judges again, whatever an earlier test did."""
    world.cloud.dms.judge = lambda _: None
    world.cloud.client("dynamodb").delete_item(
        TableName=world.cloud.table, Key={"pk": {"S": "BREAKER"}, "sk": {"S": "STATE"}}
    )
    return Fleet(world)


# -- as time goes on


@pytest.mark.shows("secret_incomplete")
def test_a_source_that_was_refused_at_first_is_taken_up_by_the_schedule(fleet: Fleet) -> None:
    """Somebody corrects the secret and does nothing else: the next day's tick certifies it."""
    endpoint = fleet.plain()
    secret = fleet.secret("late", password="")
    endpoint.adopt(credentials=secret, credentials_mode="inline", allow_irreversible=True)
    assert (endpoint.outcome, endpoint.causes) == ("refused", {"secret_incomplete": "error"})
    fleet.secret("late")
    fleet.world.cloud.tick(minutes=24 * 60)
    assert (endpoint.outcome, endpoint.mode) == ("certified", "verify-full")


def test_a_direct_start_names_the_sources_that_are_not_certified(fleet: Fleet) -> None:
    """By name and in plan mode: the good ones are done, and the cause is about the others."""
    good, bad = fleet.plain(), fleet.plain(EngineName="aurora-postgresql")
    good.adopt()
    bad.adopt()
    for mode, fine in (("apply", "certified"), ("plan", "planned")):
        run = fleet.world.cloud.run({"names": [good.name, bad.name], "mode": mode})
        assert (run.status, run.child(good.name).outcome) == ("FAILED", fine)
        assert json.loads(run.cause or "")["reason"] == f"{bad.name}: refused (engine_mismatch)"


def test_a_source_is_held_while_a_change_is_open_and_free_afterwards(fleet: Fleet) -> None:
    """A run dies in the middle: neither moved nor forgotten until the schedule has finished it."""
    world, endpoint = fleet.world, fleet.plain()
    store = Store(world.cloud.client("dynamodb"), world.cloud.table)
    world.cloud.stop_child_at("Test connection")
    endpoint.adopt()
    run = endpoint.adopt(endpoint="elsewhere")
    assert "an undo log: a change that is not finished" in str(run.cause)
    assert isinstance(store.forget(endpoint.name), InUse)
    world.cloud.tick()
    world.cloud.tick()
    assert (endpoint.outcome, world.unfinished(endpoint.name)) == ("certified", [])
    assert store.forget(endpoint.name) is True
    endpoint.adopt()
    assert (endpoint.outcome, endpoint.writes) == ("certified", [])


# -- an endpoint with a login of its own


@pytest.mark.shows("rehearsed_by_probe_only")
@pytest.mark.parametrize("wanted", ["require", "verify-ca", "verify-full"])
def test_a_broken_plain_endpoint_is_raised_and_then_connects(fleet: Fleet, wanted: str) -> None:
    """ssl_mode none against a server that takes only TLS: repaired, and every other field stays."""
    endpoint = fleet.plain(SslMode="none")
    before = endpoint.login
    assert endpoint.adopt(ssl_mode=wanted).status == "SUCCEEDED"
    assert (endpoint.outcome, endpoint.mode, endpoint.login) == ("certified", wanted, before)
    assert "CertificateArn" in endpoint.described or wanted == "require"
    assert endpoint.causes["rehearsed_by_probe_only"] == "warning"
    assert connected(endpoint.record) == {"probe": True, "rehearsal": None, "dms_test": True}
    tests = {test["subject"]: test["passed"] for test in endpoint.record["tests"]}
    assert tests == {"endpoint before the change": False, "endpoint with its target settings": True}


@pytest.mark.parametrize("status", ["running", "stopped"])
def test_tasks_on_an_adopted_endpoint_keep_their_state(fleet: Fleet, status: str) -> None:
    """A running one is paused and runs again; a stopped one is none of our business."""
    endpoint = fleet.plain()
    task = fleet.task(endpoint, status=status)
    endpoint.adopt(restart_tasks=True)
    assert (endpoint.outcome, endpoint.mode) == ("certified", "verify-full")
    assert fleet.task_status(task) == status
    assert ("StopReplicationTask" in endpoint.writes) is (status == "running")


def test_the_database_that_the_source_does_not_name_stays_and_is_probed(fleet: Fleet) -> None:
    """The probe logs in to the endpoint's database, not to one named like the user."""
    endpoint = fleet.plain()
    endpoint.adopt(
        credentials=fleet.secret("orders-inline"), credentials_mode="inline",
        allow_irreversible=True,
    )  # fmt: skip
    assert (endpoint.outcome, endpoint.login["DatabaseName"]) == ("certified", DATABASE)
    assert connected(endpoint.record) == {"probe": True, "rehearsal": True, "dms_test": True}


@pytest.mark.parametrize("probe", ["off", "advisory"])
def test_what_neither_canary_nor_probe_has_tried_is_not_done(fleet: Fleet, probe: str) -> None:
    """No change without a rehearsal: the endpoint is as it was, and the finding says what to do."""
    endpoint = fleet.plain(ServerName=ONLY_DMS)
    before = endpoint.described
    assert endpoint.adopt(host=ONLY_DMS, probe=probe).status == "FAILED"
    assert (endpoint.outcome, endpoint.described) == ("refused", before)
    assert endpoint.causes["rehearsed_by_probe_only"] == "error"
    assert "credentials" in endpoint.found("rehearsed_by_probe_only")["remedy"]
    # No endpoint has the CA, which is there once for all of them.
    assert set(endpoint.writes) <= {"ImportCertificate"}


def test_another_host_than_the_endpoints_is_a_change(fleet: Fleet) -> None:
    """Once its secret names that host, it is ours; the letter case of a host is nobody's."""
    endpoint = fleet.plain(ServerName=OTHER_HOST)
    endpoint.adopt(ssl_mode="require")
    assert "host_not_vouched" in endpoint.causes
    named = {"credentials": fleet.world.arn(CREDENTIALS), "credentials_mode": "inline"}
    endpoint.adopt(ssl_mode="require", **named, allow_irreversible=True)
    assert (endpoint.outcome, endpoint.login["ServerName"]) == ("certified", HOST)
    assert "server_name" in endpoint.changes
    fleet.world.cloud.dms.resolve = {
        **(fleet.world.cloud.dms.resolve or {}), HOST.upper(): fleet.world.server.host
    }  # fmt: skip
    shouted = fleet.plain(ServerName=HOST.upper())
    shouted.adopt(ssl_mode="require")
    assert (shouted.outcome, shouted.writes) == ("certified", [])


# -- from a login of its own to a secret, and back


@pytest.mark.shows("irreversible")
def test_a_plain_endpoint_moves_to_a_secret_only_when_that_is_allowed(fleet: Fleet) -> None:
    """Its password is lost with the switch: refused with the reason, then done and proven."""
    endpoint = fleet.plain()
    before = endpoint.described
    secret = fleet.world.arn(CREDENTIALS)
    endpoint.adopt(credentials=secret, database=DATABASE)
    assert (endpoint.outcome, endpoint.described) == ("refused", before)
    assert "a password that nobody can read" in endpoint.found("irreversible")["seen"]
    endpoint.adopt(credentials=secret, database=DATABASE, allow_irreversible=True)
    assert (endpoint.outcome, endpoint.mode) == ("certified", "verify-full")
    assert connected(endpoint.record) == {"probe": True, "rehearsal": True, "dms_test": True}
    assert endpoint.login == {
        "DatabaseName": DATABASE,
        "SecretsManagerSecretId": secret,
        "SecretsManagerAccessRoleArn": fleet.our_role(),
    }


def test_a_switch_to_a_secret_that_fails_says_what_is_not_as_before(fleet: Fleet) -> None:
    """Mode and CA go back; the login cannot, and the finding names what stays."""
    endpoint = fleet.plain()
    fleet.world.cloud.dms.fail_after_change(endpoint.identifier)
    endpoint.adopt(credentials=fleet.world.arn(CREDENTIALS), allow_irreversible=True)
    assert (endpoint.outcome, endpoint.mode) == ("failed", "require")
    assert "secret_id, secret_role_arn" in endpoint.found("irreversible")["seen"]
    assert fleet.world.unfinished(endpoint.name) == []


def test_a_login_of_its_own_takes_the_place_of_a_secret(fleet: Fleet) -> None:
    """The canary tries the login, not the secret that goes."""
    secret = fleet.world.arn(CREDENTIALS)
    endpoint = fleet.by_secret(secret, role=fleet.our_role())
    endpoint.adopt(credentials=secret, credentials_mode="inline")
    assert endpoint.outcome == "refused"
    endpoint.adopt(credentials=secret, credentials_mode="inline", allow_irreversible=True)
    assert endpoint.outcome == "certified"
    assert connected(endpoint.record) == {"probe": True, "rehearsal": True, "dms_test": True}
    assert (endpoint.login["Username"], "SecretsManagerSecretId" in endpoint.login) == (USER, False)


def test_the_role_of_an_adopted_endpoint_stays(fleet: Fleet) -> None:
    """Same secret, a role that is not ours: the canary takes ours, the endpoint keeps its own."""
    secret = fleet.world.arn(CREDENTIALS)
    endpoint = fleet.by_secret(secret)
    before = endpoint.login
    endpoint.adopt(credentials=secret)
    assert (endpoint.outcome, endpoint.mode, endpoint.login) == ("certified", "verify-full", before)
    assert connected(endpoint.record)["rehearsal"] is True


def test_a_foreign_role_without_credentials_is_rehearsed_by_the_probe(fleet: Fleet) -> None:
    """Nobody lets us hand that role on, and the source names no secret of its own."""
    endpoint = fleet.by_secret(fleet.secret("unnamed"))
    endpoint.adopt()
    assert (endpoint.outcome, endpoint.mode) == ("certified", "verify-full")
    assert THEIR_ROLE in endpoint.found("rehearsed_by_probe_only")["seen"]


def test_another_secret_through_a_foreign_role_needs_permission(fleet: Fleet) -> None:
    """It could not be given back, so it is not half rolled back either when DMS fails with it."""
    endpoint = fleet.by_secret(fleet.secret("another"))
    ours = fleet.world.arn(CREDENTIALS)
    endpoint.adopt(credentials=ours)
    assert endpoint.outcome == "refused"
    assert THEIR_ROLE in endpoint.found("irreversible")["seen"]
    fleet.world.cloud.dms.fail_after_change(endpoint.identifier)
    endpoint.adopt(credentials=ours, allow_irreversible=True)
    assert (endpoint.outcome, fleet.world.unfinished(endpoint.name)) == ("failed", [])
    fleet.world.cloud.dms.judge = lambda _: None
    endpoint.adopt(credentials=ours, allow_irreversible=True)
    assert endpoint.outcome == "certified"


def test_an_inline_password_is_adopted_once_and_rotated_by_its_secret(fleet: Fleet) -> None:
    """At first it needs permission; then the version is known, and a rotation can be undone."""
    endpoint = fleet.plain()
    secret = fleet.secret("rotated")
    spec = {"credentials": secret, "credentials_mode": "inline"}
    endpoint.adopt(**spec, allow_irreversible=True)
    assert endpoint.outcome == "certified"
    fleet.secret("rotated", note="a new version, with the password that the role has")
    (run,) = fleet.world.cloud.emit_secret_label("dms/rotated")
    assert run.child(endpoint.name).outcome == "certified"
    assert [(c["field"], c["reversible"]) for c in endpoint.record["changes"]] == [
        ("password", True)
    ]
    endpoint.identifier = endpoint.identifier.upper()
    endpoint.adopt(**spec)
    assert (endpoint.outcome, endpoint.writes) == ("certified", [])


# -- which endpoint


@pytest.mark.shows("endpoint_taken")
def test_two_sources_on_one_endpoint_are_refused_under_any_name(fleet: Fleet) -> None:
    """By ARN, by identifier, in another letter case; registered at once, or one after the other."""
    endpoint = fleet.plain()
    assert endpoint.adopt(endpoint=endpoint.arn).status == "SUCCEEDED"
    run = endpoint.adopt(name=f"{endpoint.name}-too", endpoint=endpoint.identifier.upper())
    assert f"already belongs to the source '{endpoint.name}'" in str(run.cause)
    both = fleet.plain()
    bare = {"credentials": None, "database": None}
    sources = [
        fleet.world.source(name=f"{both.name}-{i}", endpoint=name, **bare)
        for i, name in enumerate((both.arn, both.identifier.upper()))
    ]
    run = fleet.world.cloud.run({"sources": sources})
    assert run.status == "FAILED"
    assert "refused (endpoint_taken)" in str(run.cause)
    assert both.mode == "require"


@pytest.mark.shows("engine_mismatch", "needs_replacement", "endpoint_gone")
def test_an_endpoint_that_is_not_what_the_source_says_is_left_alone(fleet: Fleet) -> None:
    """Engine, type and existence; each finding says what to correct."""
    aurora = fleet.plain(EngineName="aurora-postgresql", EndpointType="target")
    aurora.adopt()
    assert (aurora.outcome, aurora.writes) == ("refused", [])
    assert "aurora-postgresql" in aurora.found("engine_mismatch")["seen"]
    assert "endpoint_type" in aurora.found("needs_replacement")["remedy"]
    aurora.adopt(engine="aurora-postgresql", endpoint_type="target")
    assert (aurora.outcome, aurora.mode) == ("certified", "verify-full")
    aurora.adopt(name="nowhere", endpoint=f"{aurora.arn}X")
    (found,) = fleet.world.record("nowhere")["findings"]
    assert (found["cause"], "in this account and Region" in found["seen"]) == (
        "endpoint_gone",
        True,
    )


def test_a_plan_for_another_endpoint_is_about_that_one(fleet: Fleet) -> None:
    """What is remembered of the registered one does not stand in its way; nothing is registered."""
    old, new = fleet.plain(), fleet.plain()
    old.adopt(ssl_mode="verify-ca")
    old.adopt("plan", endpoint=new.identifier, replaces=1)
    assert old.record["endpoint"]["identifier"] == new.identifier
    assert (old.outcome, new.mode) == ("certified", "require")


def test_a_run_of_the_old_endpoint_leaves_nothing_behind_for_the_new_one(fleet: Fleet) -> None:
    """The source moves while a run starts: that run gives way, the next one does the new one."""
    old, new = fleet.plain(), fleet.plain()
    old.adopt()
    moved: list[str] = []

    def move(where: Any) -> None:
        if where.state == "Claim source" and where.child and not moved:
            moved.append(old.name)
            moved.append(old.adopt(endpoint=new.identifier, replaces=1).status)

    fleet.world.cloud.on_state(move)
    run = fleet.world.cloud.run({"names": [old.name]})
    assert run.child(old.name).outcome == "deferred"
    assert (moved[1:], new.mode, old.outcome) == (["SUCCEEDED"], "verify-full", "certified")
    assert fleet.world.state(old.name)["endpoint_arn"] == new.arn


# -- what the endpoint has besides


def test_extra_attributes_stay_are_rehearsed_and_are_shown_nowhere(fleet: Fleet) -> None:
    """They may hold secrets: the canary has them, no record, item, log or page does."""
    endpoint = fleet.plain(
        ExtraConnectionAttributes="afterConnectScript=hush-hush-1",
        PostgreSQLSettings={"SlotName": "hush_hush_2"},
    )
    canaries: list[Mapping[str, Any]] = []

    def look(where: Any) -> None:
        if where.state == "Rehearse: wait":
            canaries.extend(
                e for e in fleet.world.cloud.dms.endpoints()
                if e["EndpointIdentifier"].startswith(canary_prefix(STACK, endpoint.name))
            )  # fmt: skip

    fleet.world.cloud.on_state(look)
    endpoint.adopt(
        credentials=fleet.secret("extra"), credentials_mode="inline", allow_irreversible=True
    )
    assert endpoint.outcome == "certified"
    for one in (endpoint.described, canaries[0]):
        assert one["ExtraConnectionAttributes"] == "afterConnectScript=hush-hush-1"
        assert one["PostgreSQLSettings"]["SlotName"] == "hush_hush_2"
    left = [*fleet.world.cloud.objects().values(), str(fleet.world.cloud.items()).encode()]
    left += [line.encode() for line in fleet.world.cloud.log]
    assert not [text for text in left if b"hush-hush-1" in text or b"hush_hush_2" in text]


def test_the_same_ca_under_a_name_of_their_own_is_right_already(fleet: Fleet) -> None:
    """Certificates are compared, not identifiers or text: no write at all."""
    theirs = fleet.certificate("by-hand", fleet.world.authority.certificate_pem)
    endpoint = fleet.plain(SslMode="verify-full", CertificateArn=theirs)
    endpoint.adopt()
    assert (endpoint.outcome, endpoint.writes, endpoint.changes) == ("certified", [], [])


@pytest.mark.shows("overlap_pending")
def test_a_ca_that_is_still_needed_stays_beside_the_sources_own(fleet: Fleet) -> None:
    """The endpoint trusts what the server serves; the source's CA is only to come."""
    theirs = fleet.certificate("still-needed", fleet.world.authority.certificate_pem)
    coming = fleet.world.put_bundle("coming.pem", Authority.root("Coming").certificate_pem)
    endpoint = fleet.plain(SslMode="verify-full", CertificateArn=theirs)
    endpoint.adopt(ca_bundle=coming, server_certificate=None)
    assert endpoint.outcome == "certified"
    assert fleet.world.trusted(endpoint.identifier).count("BEGIN CERTIFICATE") == 2
    assert endpoint.causes["overlap_pending"] == "warning"


def test_under_require_a_certificate_is_neither_set_nor_removed(fleet: Fleet) -> None:
    """Not even when the source names another CA; and one look is enough."""
    theirs = fleet.certificate("left-there", fleet.world.authority.certificate_pem)
    other = fleet.world.put_bundle("other.pem", Authority.root("Other").certificate_pem)
    endpoint = fleet.plain(CertificateArn=theirs)
    endpoint.adopt(ssl_mode="require", ca_bundle=other)
    assert (endpoint.outcome, endpoint.writes) == ("certified", [])
    assert endpoint.described["CertificateArn"] == theirs


@pytest.mark.shows("would_weaken")
def test_a_weaker_mode_is_refused_until_it_is_allowed(fleet: Fleet) -> None:
    """And disable, which the server does not take, is tried and rolled back."""
    theirs = fleet.certificate("weakened", fleet.world.authority.certificate_pem)
    endpoint = fleet.plain(SslMode="verify-full", CertificateArn=theirs)
    endpoint.adopt(ssl_mode="require")
    assert (endpoint.outcome, "allow_downgrade" in endpoint.found("would_weaken")["remedy"]) == (
        "refused", True,
    )  # fmt: skip
    endpoint.adopt(ssl_mode="require", allow_downgrade=True)
    assert (endpoint.outcome, endpoint.mode) == ("certified", "require")
    endpoint.adopt(ssl_mode="disable", allow_downgrade=True, replaces=2)
    assert (endpoint.outcome, endpoint.mode) == ("rolled_back", "require")
    assert "hba_rejected_plaintext" in endpoint.causes
    assert "dms_differs_from_probe" not in endpoint.causes  # the probe logged in to nothing


# -- the probe stands elsewhere


def test_an_advisory_probe_warns_of_the_way_and_still_judges_tls(fleet: Fleet) -> None:
    """DMS reaches the host and we do not: certified; a wrong CA stays an error."""
    secret = fleet.secret("only-dms", host=ONLY_DMS)
    endpoint = fleet.by_secret(secret, role=fleet.our_role())
    spec = {"host": ONLY_DMS, "credentials": secret}
    endpoint.adopt(**spec)
    assert (endpoint.outcome, endpoint.causes["dns_failed"]) == ("refused", "error")
    endpoint.adopt(**spec, probe="advisory")
    assert (endpoint.outcome, endpoint.causes["dns_failed"]) == ("certified", "warning")
    assert connected(endpoint.record) == {"probe": False, "rehearsal": True, "dms_test": True}
    wrong = fleet.world.put_bundle("wrong.pem", Authority.root("Wrong").certificate_pem)
    judged = fleet.plain()
    judged.adopt(probe="advisory", ca_bundle=wrong, server_certificate=None)
    assert (judged.outcome, judged.writes) == ("refused", [])


@pytest.mark.shows("plaintext_accepted")
def test_a_server_that_takes_plain_text_too_is_warned_of(fleet: Fleet) -> None:
    """Only when the source asks for that look, which needs a user to ask for."""
    secret = fleet.world.arn(CREDENTIALS)
    endpoint = fleet.by_secret(secret, role=fleet.our_role())
    assert "probe_plaintext: needs credentials" in str(endpoint.adopt(probe_plaintext=True).cause)
    fleet.world.server.set_hba(Access.ANY)
    try:
        endpoint.adopt(credentials=secret, probe_plaintext=True)
    finally:
        fleet.world.server.set_hba(Access.TLS_ONLY)
    assert (endpoint.outcome, endpoint.causes["plaintext_accepted"]) == ("certified", "warning")


@pytest.mark.parametrize("spec", [{"probe": "advisory"}, {"probe_login": False}])
def test_a_wrong_password_is_the_rehearsals_word(fleet: Fleet, spec: dict[str, Any]) -> None:
    """Where our own login does not count, DMS refuses; and no network is blamed for it."""
    secret = fleet.secret("wrong", password="not-the-password")
    endpoint = fleet.by_secret(secret, role=fleet.our_role())
    endpoint.adopt(**spec, credentials=secret)
    assert endpoint.outcome == "refused"
    assert [f["place"] for f in endpoint.record["findings"] if f["severity"] == "error"] == [
        "rehearsal"
    ]
    assert "dms_differs_from_probe" not in endpoint.causes


# -- where tests run from


@pytest.mark.shows("no_replication_instance")
def test_without_any_instance_the_plan_says_so_already(fleet: Fleet) -> None:
    """Once the endpoint has a connection, that is where tests run from."""
    endpoint = fleet.plain()
    fleet.world.cloud.dms.add_instance("replication-2")
    for mode in ("plan", "apply"):
        assert endpoint.adopt(mode, replication_instances=None).status == "FAILED"
        assert endpoint.found("no_replication_instance")["place"] == "plan"
    fleet.dms.test_connection(EndpointArn=endpoint.arn, ReplicationInstanceArn=fleet.world.instance)
    fleet.world.cloud.clock.advance(5)
    endpoint.adopt(replication_instances=None)
    assert endpoint.outcome == "certified"


@pytest.mark.shows("instance_unavailable")
def test_every_instance_that_cannot_test_is_named_as_people_know_it(fleet: Fleet) -> None:
    """By its identifier; and so is each from which DMS does not connect."""
    dms = fleet.world.cloud.dms
    busy = [dms.add_instance(f"busy-{n}", status="modifying") for n in (1, 2)]
    idle = dms.add_instance("idle-1")
    endpoint = fleet.plain()
    endpoint.adopt(replication_instances=[fleet.world.instance, *busy])
    seen = [f["seen"] for f in endpoint.record["findings"] if f["cause"] == "instance_unavailable"]
    assert (endpoint.outcome, len(seen)) == ("refused", 2)
    assert {text.partition(" is ")[0] for text in seen} == {"busy-1", "busy-2"}
    secret = fleet.world.arn(CREDENTIALS)
    canary = canary_prefix(STACK, endpoint.name)
    dms.judge = lambda e: "timeout expired" if e["EndpointIdentifier"].startswith(canary) else None
    endpoint.adopt(
        replication_instances=[fleet.world.instance, idle],
        credentials=secret, database=DATABASE, allow_irreversible=True, replaces=1,
    )  # fmt: skip
    seen = [f["seen"] for f in endpoint.record["findings"] if f["cause"] == "connection_timeout"]
    assert {text.partition(":")[0].rpartition(" ")[2] for text in seen} == {
        "replication-1", "idle-1",
    }  # fmt: skip
