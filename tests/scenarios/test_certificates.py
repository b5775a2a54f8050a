"""Certificates, end to end: any pair and any bundle, kept in step in ACM and DMS without a gap.

One world for all: each test has a source of its own, with its own host name, secrets and CA. They
share the PostgreSQL, which serves one certificate at a time, and the clock, which only goes on; so
the tests that let weeks pass come last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certifier.certificate import bundle_digest
from certifier.ownership import CA_TAG, STACK_TAG, certificate_identifier
from sandbox.acm import AcmSwitches, KeyTypeHeld
from sandbox.aws import Execution
from sandbox.aws.calls import Kind
from sandbox.aws.deploy import STACK
from sandbox.dms.switches import Quotas, Switches
from sandbox.pki import Authority, Key, Leaf, bundle
from sandbox.world import CONSENTED, DATABASE, PASSWORD, TARGET, TRUST_BUCKET, USER, World

DAY = timedelta(days=1)
TAG = "certifier:source"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


@pytest.fixture
def make(world: World) -> Iterator[Callable[..., Team]]:
    """Make a source; afterwards every stand-in is as it was."""
    yield lambda *args, **leaf: Team(world, *args, **leaf)
    world.cloud.faults.clear()
    world.cloud.acm.switches = AcmSwitches()
    world.cloud.dms.quotas = Quotas()
    world.cloud.dms.switches = Switches()


class Team:
    """One source and what its team keeps: a CA, a pair, two secrets.

    Attributes:
        authority, leaf: the newest pair; nothing is served and nothing is in ACM or DMS at first.
    """

    def __init__(
        self, world: World, name: str, authority: Authority | None = None, **leaf: Any
    ) -> None:
        self.world = world
        self.cloud = world.cloud
        self.name = name
        self.host = f"{name}.db.example.com"
        self.endpoint_name = f"{name}-source"
        world.cloud.hosts[self.host] = world.server.host
        self._authorities = 0
        self.issue(authority, **leaf)
        self.put_credentials()
        self.put_pair()

    # -- what the team does

    def issue(self, authority: Authority | None = None, **leaf: Any) -> None:
        """Make a new leaf, of a new CA unless one is given. Nobody knows of it yet."""
        self._authorities += authority is None
        self.authority = authority or Authority.root(f"{self.name} CA {self._authorities}")
        issuer = leaf.pop("issuer", self.authority)
        self.leaf: Leaf = issuer.issue(**{"dns": (self.host,), **leaf})

    def serve(self) -> None:
        self.world.server.use_tls(self.leaf)

    def pair(self, **changes: str | None) -> dict[str, str]:
        whole = {
            "certificate": self.leaf.fullchain_pem.decode(),
            "private_key": self.leaf.key_pem.decode(),
            "ca": self.authority.certificate_pem.decode(),
            **changes,
        }
        return {key: value for key, value in whole.items() if value is not None}

    def put_pair(self, **changes: str | None) -> str:
        return self.cloud.put_secret(f"dms/{self.name}-tls", self.pair(**changes))

    def announce(self) -> Execution:
        """Put the pair into the secret; its event runs this source, and no other."""
        (run,) = self.cloud.rotate_secret(f"dms/{self.name}-tls", self.pair())
        assert [child.name for child in run.children] == [self.name]
        return run

    def put_credentials(self, **changes: Any) -> str:
        value = {
            "username": USER,
            "password": PASSWORD,
            "host": self.host,
            "port": self.world.server.port,
            **changes,
        }
        return self.cloud.put_secret(f"dms/{self.name}", value)

    def source(self, **changes: Any) -> dict[str, Any]:
        return self.world.source(
            **{
                "name": self.name,
                "endpoint": self.endpoint_name,
                "host": self.host,
                "credentials": self.world.arn(f"dms/{self.name}"),
                "server_certificate": self.world.arn(f"dms/{self.name}-tls"),
                **changes,
            }
        )

    def onboard(self, *, mode: str = "apply", **changes: Any) -> str | None:
        """Register the source, run it, and return how that ended."""
        run = self.cloud.run({"sources": [self.source(**changes)], "mode": mode})
        return run.child(self.name).outcome

    def run(self, mode: str = "apply") -> str | None:
        return self.cloud.run({"names": [self.name], "mode": mode}).child(self.name).outcome

    def run_a_day_later(self) -> str | None:
        """Look now, and when every node has served what it serves now for a day."""
        self.run()
        self.cloud.clock.advance(days=1)
        return self.run()

    def onboarded(self, **changes: Any) -> None:
        """Serve the pair and have the source certified."""
        self.serve()
        assert self.onboard(**changes) == "certified"

    def add_task(self, status: str = "running") -> str:
        """Let a task replicate from the endpoint; return its ARN."""
        target = (
            self.world.endpoint(TARGET)
            or self.cloud.client("dms").create_endpoint(
                EndpointIdentifier=TARGET,
                EndpointType="target",
                EngineName="postgres",
                ServerName=self.host,
                Port=self.world.server.port,
                DatabaseName=DATABASE,
                Username=USER,
                Password=PASSWORD,
                SslMode="require",
            )["Endpoint"]
        )
        return self.cloud.dms.add_task(
            f"{self.name}-task",
            source=self.endpoint["EndpointArn"],
            target=target["EndpointArn"],
            instance=self.world.instance,
            status=status,
        )

    # -- what has come of it

    @property
    def state(self) -> Mapping[str, Any]:
        return self.world.state(self.name)

    @property
    def causes(self) -> set[str]:
        return set(self.world.causes(self.name))

    @property
    def record(self) -> dict[str, Any]:
        return self.world.record(self.name)

    @property
    def endpoint(self) -> dict[str, Any]:
        found = self.world.endpoint(self.endpoint_name)
        assert found is not None
        return found

    @property
    def trusted(self) -> set[str]:
        """The names of the CAs that the endpoint trusts."""
        return names_in(self.world.trusted(self.endpoint_name))

    @property
    def in_acm(self) -> dict[str, str]:
        """ARN and fingerprint of what ACM holds for the source."""
        return {
            arn: fingerprint_of(held.cert)
            for arn, held in self.cloud.acm.certificates().items()
            if held.tags.get(TAG) == self.name
        }

    def finding(self, cause: str) -> dict[str, Any]:
        (found,) = (f for f in self.record["findings"] if f["cause"] == cause)
        return dict(found)

    def forget(self, *fields: str) -> None:
        """Let the store lose what it remembers."""
        self.cloud.client("dynamodb").update_item(
            TableName=self.cloud.table,
            Key={"pk": {"S": f"SOURCE#{self.name}"}, "sk": {"S": "STATE"}},
            UpdateExpression=f"REMOVE {', '.join(fields)}",
        )

    def import_to_acm(self, leaf: Leaf | None = None) -> str:
        """Import a pair with the source's tag, as an answer that was lost has done."""
        leaf = leaf or self.leaf
        answer = self.cloud.client("acm").import_certificate(
            Certificate=leaf.certificate_pem,
            PrivateKey=leaf.key_pem,
            Tags=[{"Key": TAG, "Value": self.name}, {"Key": STACK_TAG, "Value": STACK}],
        )
        self.cloud.clock.advance(seconds=2)
        return str(answer["CertificateArn"])


def in_days(world: World, days: int) -> datetime:
    """So many days and a half from now, on the world's clock."""
    return world.cloud.clock.now().replace(microsecond=0) + (days + 0.5) * DAY


def names_in(pem: str) -> set[str]:
    if not pem:
        return set()
    found = x509.load_pem_x509_certificates(pem.encode())
    return {one.subject.rfc4514_string().split(",")[0].removeprefix("CN=") for one in found}


def fingerprint_of(pem: bytes) -> str:
    return x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


def writes(world: World, since: int) -> set[str]:
    """What has changed anything in ACM and DMS since then."""
    return {call.operation for call in world.cloud.calls.of("acm", "dms", writes=True, since=since)}


def import_ca(world: World, identifier: str, pem: bytes) -> str:
    """Import what looks like the installation's own, identifier aside."""
    answer = world.cloud.client("dms").import_certificate(
        CertificateIdentifier=identifier,
        CertificatePem=pem.decode(),
        Tags=[{"Key": CA_TAG, "Value": "ca"}, {"Key": STACK_TAG, "Value": STACK}],
    )
    return str(answer["Certificate"]["CertificateArn"])


def held(world: World) -> dict[str, str]:
    """Every DMS certificate: the names of its CAs, by ARN."""
    return {
        each["CertificateArn"]: ", ".join(sorted(names_in(each["CertificatePem"])))
        for each in world.cloud.dms.certificates()
    }


# ---- the pair in ACM


def test_a_renewed_pair_keeps_its_arn_in_acm_and_touches_no_endpoint(
    world: World, make: Callable[..., Team]
) -> None:
    """The same key type: a re-import without tags, on the ARN that whoever uses it knows."""
    team = make("renew")
    team.onboarded()
    (arn,) = team.in_acm
    assert team.in_acm == {arn: team.leaf.fingerprint}
    team.issue(team.authority)
    team.serve()
    since = len(world.cloud.calls)
    assert team.announce().child("renew").outcome == "certified"
    assert team.in_acm == {arn: team.leaf.fingerprint}
    assert team.causes == set()
    assert writes(world, since) == {"ImportCertificate", "TestConnection"}
    assert team.record["acm"]["changed"] is True
    since = len(world.cloud.calls)
    assert team.run() == "certified"
    assert writes(world, since) == {"TestConnection"}


def test_another_key_type_gets_a_new_arn_and_the_old_one_goes_when_nothing_uses_it(
    world: World, make: Callable[..., Team]
) -> None:
    """Not in the run that imports, but in a later good one; never under a load balancer."""
    team = make("keytype")
    team.onboarded()
    (old,) = team.in_acm
    team.issue(team.authority, key=Key.EC_P384)
    team.serve()
    team.announce()
    (new,) = team.in_acm.keys() - {old}
    assert team.in_acm[new] == team.leaf.fingerprint
    assert team.state["acm_arn"] == new
    world.cloud.acm.set_in_use(old, "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/x")
    assert team.run() == "certified"
    assert team.in_acm.keys() == {old, new}
    world.cloud.acm.set_in_use(old)
    assert team.run() == "certified"
    assert team.in_acm.keys() == {new}


def test_an_arn_that_the_store_has_lost_is_found_by_its_tag(
    world: World, make: Callable[..., Team]
) -> None:
    """Nothing is imported twice; another one with the tag is named and left alone."""
    team = make("lostarn")
    team.onboarded()
    (arn,) = team.in_acm
    team.forget("acm_arn")
    since = len(world.cloud.calls)
    assert team.run() == "certified"
    assert team.state["acm_arn"] == arn
    assert writes(world, since) == {"TestConnection"}
    duplicate = team.import_to_acm()
    team.forget("acm_arn")
    assert team.run() == "certified"
    assert duplicate in team.finding("acm_ambiguous")["seen"]
    assert team.run() == "certified"
    assert team.in_acm.keys() == {arn, duplicate}


@pytest.mark.parametrize("kind", [Kind.AFTER, Kind.KILL_AFTER])
def test_a_lost_answer_of_acm_leaves_no_second_certificate(
    make: Callable[..., Team], world: World, kind: Kind
) -> None:
    """Whether the answer or the Lambda was lost: the next attempt finds what was imported."""
    team = make(f"lostanswer-{kind.value.replace('_', '-')}")
    fault = world.cloud.faults.inject("acm", "ImportCertificate", kind)
    team.onboarded()
    assert fault.met
    assert list(team.in_acm.values()) == [team.leaf.fingerprint]
    assert team.state["acm_arn"] in team.in_acm


@pytest.mark.shows("acm_ambiguous")
def test_others_with_the_tag_are_named_and_none_is_taken(make: Callable[..., Team]) -> None:
    """Nobody's certificate is overwritten because of a tag. The endpoint is certified."""
    team = make("ambiguous")
    others = {team.import_to_acm(team.authority.issue(dns=(team.host,))) for _ in range(2)}
    team.onboarded()
    found = team.finding("acm_ambiguous")
    assert found["severity"] == "warning"
    assert all(arn in found["seen"] for arn in others)
    assert team.in_acm.keys() > others


@pytest.mark.shows("acm_quota", "acm_behind")
def test_a_full_acm_is_a_warning(world: World, make: Callable[..., Team]) -> None:
    """The endpoint follows the new pair, ACM stays behind, and both is said."""
    team = make("acmquota")
    team.onboarded()
    team.issue(team.authority, key=Key.EC_P384)
    team.serve()
    world.cloud.acm.switches = AcmSwitches(imported=1)
    assert team.announce().child(team.name).outcome == "certified"
    assert team.causes == {"acm_quota", "acm_behind"}
    assert "limit of imported certificates" in team.finding("acm_quota")["seen"]
    assert team.finding("acm_behind")["severity"] == "advice"


@pytest.mark.shows("acm_failed")
def test_an_acm_that_does_not_answer_is_a_warning(world: World, make: Callable[..., Team]) -> None:
    """When every attempt has failed, the source is certified, and due again soon."""
    team = make("acmfailed")
    for _ in range(20):
        world.cloud.faults.inject("acm", "ImportCertificate", Kind.BEFORE)
    team.onboarded()
    assert team.causes == {"acm_failed"}
    assert team.record["next_due"] <= world.cloud.clock.now().isoformat()
    world.cloud.faults.clear()
    assert team.run() == "certified"
    assert team.causes == set()
    assert list(team.in_acm.values()) == [team.leaf.fingerprint]


def test_an_import_that_comes_too_fast_is_made_again(
    world: World, make: Callable[..., Team]
) -> None:
    """ACM takes one a second in the whole account: the machine waits, and nobody is notified."""
    team = make("acmrate")
    fault = world.cloud.faults.inject("acm", "ImportCertificate", Kind.THROTTLE)
    team.onboarded()
    assert fault.met
    assert team.causes == set()
    assert list(team.in_acm.values()) == [team.leaf.fingerprint]


# ---- the CA in DMS


@pytest.mark.shows("overlap_pending")
def test_a_ca_rotation_passes_through_an_overlap(make: Callable[..., Team]) -> None:
    """Secret first, server later: both CAs, then the new one alone; the record names the anchor."""
    team = make("rotation")
    team.onboarded()
    team.issue()
    assert team.announce().child(team.name).outcome == "certified"
    assert team.trusted == {"rotation CA 1", "rotation CA 2"}
    assert {"overlap_pending", "served_certificate_differs"} <= team.causes
    record = team.record
    assert record["trust"]["overlap"] is True
    assert record["probe"]["evidence"]["anchor"]["subject"].startswith("CN=rotation CA 1")
    team.serve()
    assert team.run_a_day_later() == "certified"
    assert team.trusted == {"rotation CA 2"}
    assert team.causes == set()
    record = team.record
    assert record["trust"]["overlap"] is False
    assert record["probe"]["evidence"]["anchor"]["subject"].startswith("CN=rotation CA 2")


@pytest.mark.shows("shrink_waits")
def test_a_shrink_waits_for_running_tasks(make: Callable[..., Team]) -> None:
    """Nothing is broken meanwhile: it is advice, and the task is not touched."""
    team = make("shrink")
    team.onboarded()
    team.issue()
    team.announce()
    team.serve()
    task = team.add_task()
    assert team.run_a_day_later() == "certified"
    assert team.causes == {"shrink_waits"}
    assert team.finding("shrink_waits")["severity"] == "advice"
    assert team.trusted == {"shrink CA 1", "shrink CA 2"}
    status = {each["ReplicationTaskArn"]: each["Status"] for each in team.cloud.dms.tasks()}
    assert status[task] == "running"
    team.cloud.dms.set_task(task, status="stopped")
    assert team.run() == "certified"
    assert team.trusted == {"shrink CA 2"}


def test_without_overlap_the_old_ca_is_never_trusted_beside_the_new_one(
    make: Callable[..., Team],
) -> None:
    """A compromised CA: nothing is done before the server follows, and then it goes at once."""
    team = make("compromised")
    team.onboarded(ca_overlap=False)
    team.issue()
    assert team.announce().child(team.name).outcome == "refused"
    assert "overlap_pending" not in team.causes
    assert team.trusted == {"compromised CA 1"}
    team.serve()
    assert team.run() == "certified"
    assert team.trusted == {"compromised CA 2"}


def test_without_a_probe_no_anchor_is_ever_dropped(make: Callable[..., Team]) -> None:
    """Nothing shows which of the two the server needs, so both stay, whatever it serves."""
    team = make("blind")
    team.onboarded(probe="off")
    team.issue()
    team.announce()
    assert team.trusted == {"blind CA 1", "blind CA 2"}
    team.serve()
    assert team.run() == "certified"
    assert team.trusted == {"blind CA 1", "blind CA 2"}
    assert team.causes == {"overlap_pending"}


def test_sources_that_trust_the_same_ca_share_one_dms_certificate(
    world: World, make: Callable[..., Team]
) -> None:
    """The account has room for 100 of them, and for 1,000 endpoints."""
    authority = Authority.root("shared CA")
    one, other = make("shared-a", authority), make("shared-b", authority)
    for team in (one, other):
        team.onboarded()
    assert one.endpoint["CertificateArn"] == other.endpoint["CertificateArn"]
    assert list(held(world).values()).count("shared CA") == 1


@pytest.mark.parametrize("kind", [Kind.AFTER, Kind.KILL_AFTER])
def test_a_lost_answer_of_dms_leaves_one_certificate(
    world: World, make: Callable[..., Team], kind: Kind
) -> None:
    """The next attempt learns that it exists, compares, and goes on."""
    team = make(f"dmslost-{kind.value.replace('_', '-')}")
    since = world.cloud.clock.time()
    fault = world.cloud.faults.inject("dms", "ImportCertificate", kind, attempts=1)
    team.onboarded()
    assert fault.met
    assert list(held(world).values()).count(f"{team.name} CA 1") == 1
    if kind is Kind.AFTER:
        errors = [call.error for call in world.cloud.dms.log if call.at >= since]
        assert "ResourceAlreadyExistsFault" in errors


def test_facts_that_nobody_has_confirmed_may_be_the_other_way(
    world: World, make: Callable[..., Team]
) -> None:
    """A renewal ahead of the server, whatever DMS and ACM are like where no document says."""
    world.cloud.dms.switches = Switches(
        already_exists_names_arn=False,
        bundle_facts_from_last=True,
        identifiers_lowered=False,
        pem_normalised=True,
        plain_fields_mirrored=False,
        require_uses_root_certificate=True,
        unmatched_filter_raises=False,
        verify_without_certificate_refused=False,
    )
    world.cloud.acm.switches = AcmSwitches(
        algorithm_must_match_ca=True,
        chain_required=True,
        key_type_held=KeyTypeHeld.WHEN_IN_USE,
        reimports_count=False,
    )
    root = Authority.root("unconfirmed root")
    team = make("unconfirmed", root, issuer=root.intermediate("unconfirmed issuing"))
    team.onboarded()
    assert team.causes == set()
    assert list(team.in_acm.values()) == [team.leaf.fingerprint]
    other = Authority.root("unconfirmed other root")
    team.issue(other, issuer=other.intermediate("unconfirmed other issuing"), key=Key.EC_P384)
    team.announce()
    assert team.trusted == {"unconfirmed root", "unconfirmed other root"}
    team.serve()
    assert team.run_a_day_later() == "certified"
    assert team.causes == set()
    assert team.trusted == {"unconfirmed other root"}
    assert team.in_acm.keys() == {team.state["acm_arn"]}


@pytest.mark.shows("dms_certificate_conflict")
def test_another_content_under_our_identifier_is_refused(
    world: World, make: Callable[..., Team]
) -> None:
    """It is neither used nor replaced: somebody must find out who put it there."""
    team = make("conflict")
    stranger = Authority.root("a stranger's CA")
    identifier = certificate_identifier(STACK, bundle_digest(team.authority.certificate_pem))
    import_ca(world, identifier, stranger.certificate_pem)
    team.serve()
    assert team.onboard() == "refused"
    assert team.causes == {"dms_certificate_conflict"}
    assert identifier in team.finding("dms_certificate_conflict")["seen"]
    assert world.endpoint(team.endpoint_name) is None


@pytest.mark.shows("dms_quota")
def test_a_full_dms_is_reported_with_what_could_go(world: World, make: Callable[..., Team]) -> None:
    """Before the quota is hit: no import is tried, and certificates that nothing uses are named."""
    team = make("quota")
    import_ca(world, "certifier-old-one", Authority.root("old").certificate_pem)
    world.cloud.dms.quotas = Quotas(certificates=len(held(world)))
    team.serve()
    since = len(world.cloud.calls)
    assert team.onboard() == "refused"
    seen = team.finding("dms_quota")["seen"]
    assert "certifier-old-one" in seen
    assert f"{len(held(world))} of {len(held(world))}" in seen
    assert writes(world, since) == set()


# ---- the material


@pytest.mark.shows("new_trust_anchor")
def test_a_bundle_from_s3_is_held_to_its_digest_and_a_new_anchor_is_reported(
    world: World, make: Callable[..., Team]
) -> None:
    """The version that was read is in the record; a CA that was never there is notified, once."""
    team = make("frombucket")
    text = team.authority.certificate_pem
    where = world.put_bundle("frombucket.pem", b"# our CA\r\n" + text.replace(b"\n", b"\r\n"))
    team.put_pair(ca=None)
    team.onboarded(ca_bundle=where)
    assert team.trusted == {"frombucket CA 1"}
    world.put_bundle("frombucket.pem", bundle(team.authority, Authority.root("another CA")))
    before = len(world.cloud.notices)
    assert team.run() == "certified"
    assert team.trusted == {"frombucket CA 1", "another CA"}
    assert team.causes == {"new_trust_anchor"}
    assert "another CA" in team.finding("new_trust_anchor")["seen"]
    assert team.run() == "certified"
    assert team.causes == set()
    subjects = [subject for subject, _ in world.cloud.notices[before:]]
    assert subjects == ["Certifier eu-west-1: frombucket certified: new_trust_anchor"]


def test_a_bundle_from_a_secret_is_followed_when_it_changes(
    world: World, make: Callable[..., Team]
) -> None:
    """Its own event runs the sources that use it."""
    team = make("fromsecret")
    one = {"ca.crt": team.authority.certificate_pem.decode()}
    team.onboarded(ca_bundle=world.cloud.put_secret("dms/trust", one), server_certificate=None)
    assert team.trusted == {"fromsecret CA 1"}
    two = bundle(team.authority, Authority.root("fromsecret CA 2")).decode()
    (run,) = world.cloud.rotate_secret("dms/trust", {"ca.crt": two})
    assert run.child(team.name).outcome == "certified"
    assert team.trusted == {"fromsecret CA 1", "fromsecret CA 2"}


@pytest.fixture(scope="module")
def broken(world: World) -> dict[str, Team]:
    """Sources whose material is broken in one way each, all of them run at once."""
    teams: dict[str, Team] = {}
    changed: dict[str, dict[str, Any]] = {}

    def add(name: str, **changes: Any) -> Team:
        teams[name], changed[name] = Team(world, name), changes
        return teams[name]

    pem = world.authority.certificate_pem
    add("b-gone", credentials=world.cloud.put_secret("dms/b-gone-too", "{}"))
    world.cloud.client("secretsmanager").delete_secret(
        SecretId="dms/b-gone-too", ForceDeleteWithoutRecovery=True
    )
    add("b-nothing").put_credentials(password=None)
    world.cloud.put_secret(f"dms/{add('b-list').name}", "[]")
    add("b-host").put_credentials(host="other.db.example.com")
    add("b-password").put_credentials(password="a;b-never-shown")
    add("b-half").put_pair(private_key=None)
    add("b-foreign-key").put_pair(private_key=Authority.root("x").key_pem.decode())
    add("b-no-object", ca_bundle=f"s3://{TRUST_BUCKET}/nowhere.pem")
    add("b-digest", ca_bundle=world.put_bundle("b.pem", pem), ca_bundle_sha256="0" * 64)
    add("b-bucket", ca_bundle="s3://somebody-elses/ca.pem")
    add("b-large", ca_bundle=world.put_bundle("large.pem", pem + b"#" * 1_100_000))
    add("b-not-pem", ca_bundle=world.put_bundle("not.pem", b"PK\x03\x04"))
    two = add("b-two")
    two.put_pair(private_key=None)
    two.put_credentials(host="other.db.example.com")
    sources = [team.source(**changed[name]) for name, team in teams.items()]
    run = world.cloud.run({"sources": sources})
    assert run.status == "FAILED"
    assert {child.outcome for child in run.children} == {"refused"}
    return teams


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        pytest.param(
            "b-gone",
            "secret_unreadable",
            "b-gone-too",
            marks=pytest.mark.shows("secret_unreadable"),
        ),
        pytest.param(
            "b-nothing",
            "secret_incomplete",
            "password",
            marks=pytest.mark.shows("secret_incomplete"),
        ),
        ("b-list", "secret_incomplete", "b-list"),
        pytest.param(
            "b-host",
            "secret_disagrees",
            "host in",
            marks=pytest.mark.shows("secret_disagrees"),
        ),
        pytest.param(
            "b-password",
            "password_unusable",
            "dms/b-password",
            marks=pytest.mark.shows("password_unusable"),
        ),
        ("b-half", "secret_incomplete", "private key"),
        ("b-foreign-key", "key_mismatch", "does not belong"),
        pytest.param(
            "b-no-object",
            "bundle_unreadable",
            "nowhere.pem does not exist",
            marks=pytest.mark.shows("bundle_unreadable"),
        ),
        pytest.param(
            "b-digest",
            "bundle_digest_differs",
            "0" * 16,
            marks=pytest.mark.shows("bundle_digest_differs"),
        ),
        pytest.param(
            "b-bucket",
            "bucket_not_allowed",
            TRUST_BUCKET,
            marks=pytest.mark.shows("bucket_not_allowed"),
        ),
        ("b-large", "material_too_large", "large.pem"),
        ("b-not-pem", "not_pem", "zip"),
        ("b-two", "secret_disagrees", "host in"),
        ("b-two", "secret_incomplete", "private key"),
    ],
)
def test_broken_material_is_refused_by_name_before_anything_is_touched(
    world: World, broken: dict[str, Team], name: str, cause: str, words: str
) -> None:
    """Every reason at once, and what is said holds no value out of a secret."""
    team = broken[name]
    found = [f for f in team.record["findings"] if f["cause"] == cause]
    assert any(words in f["seen"] for f in found), team.record["findings"]
    assert world.endpoint(team.endpoint_name) is None
    assert team.in_acm == {}
    everything = json.dumps(team.record) + json.dumps(team.state, default=str)
    assert "never-shown" not in everything
    assert "PRIVATE KEY" not in everything


# ---- three-way identity


def test_a_server_that_was_not_reloaded_differs_from_another_node(
    make: Callable[..., Team],
) -> None:
    """The former certificate waits for its reload; one that nobody knows is another node's."""
    team = make("reload")
    team.onboarded()
    team.issue(team.authority)
    team.announce()
    assert team.causes == {"served_certificate_differs"}


@pytest.mark.shows("different_node_answers")
def test_a_certificate_that_nobody_knows_is_another_nodes(
    world: World, make: Callable[..., Team]
) -> None:
    """It verifies, so the source is certified; the names of all three are in the finding."""
    team = make("node")
    team.onboarded()
    stranger = team.authority.issue(dns=(team.host,))
    world.server.use_tls(stranger)
    assert team.run() == "certified"
    assert team.causes == {"different_node_answers"}
    assert stranger.fingerprint[:16] in team.finding("different_node_answers")["seen"]
    assert team.run() == "certified"
    assert team.causes == {"served_certificate_differs"}


def test_a_standby_that_answers_in_the_place_of_the_primary_is_reported(
    world: World, make: Callable[..., Team]
) -> None:
    """A failover behind the name: the certificate is right, the node is not."""
    team = make("standby")
    team.onboarded()
    world.server.write_file("standby.signal", b"")
    world.server.restart(settings={"restore_command": "false"})
    try:
        assert team.run() == "certified"
        assert team.causes == {"different_node_answers"}
        assert "a standby answers" in team.finding("different_node_answers")["seen"]
        assert team.record["probe"]["evidence"]["login"]["in_recovery"] is True
    finally:
        world.server.execute("SELECT pg_promote()")
    assert team.run() == "certified"
    assert "a primary answers" in team.finding("different_node_answers")["seen"]


@pytest.mark.shows("endpoint_ca_differs")
def test_an_endpoint_whose_ca_does_not_cover_the_served_chain_is_reported(
    make: Callable[..., Team],
) -> None:
    """Server and secret were renewed under a running task that nobody may stop: DMS is cut off."""
    team = make("uncovered")
    team.onboarded()
    task = team.add_task()
    team.issue()
    team.serve()
    assert team.announce().child(team.name).outcome == "refused"
    assert {"tasks_running", "endpoint_ca_differs"} <= team.causes
    found = team.finding("endpoint_ca_differs")
    assert found["severity"] == "warning"
    assert "uncovered CA 1" in found["seen"]
    assert "uncovered CA 2" in found["seen"]
    team.cloud.dms.set_task(task, status="stopped")
    assert team.run() == "certified"
    assert team.finding("endpoint_ca_differs")["severity"] == "advice"
    assert team.trusted == {"uncovered CA 1", "uncovered CA 2"}
    assert team.run_a_day_later() == "certified"
    assert team.trusted == {"uncovered CA 2"}
    assert team.causes == set()


def test_acm_is_behind_when_the_run_did_not_come_that_far(
    world: World, make: Callable[..., Team]
) -> None:
    """The new pair is in the secret, the host is out of reach: ACM keeps the old one, and ends."""
    team = make("behind", not_after=in_days(world, 12))
    team.onboarded()
    old = team.leaf
    team.issue(team.authority)
    del world.cloud.hosts[team.host]
    assert team.announce().child(team.name).outcome == "refused"
    assert team.causes == {"dns_failed", "acm_behind", "certificate_expires_soon"}
    assert old.fingerprint[:16] in team.finding("acm_behind")["seen"]
    assert list(team.in_acm.values()) == [old.fingerprint]
    assert team.record["expires"].startswith("certificate in ACM")
    world.cloud.hosts[team.host] = world.server.host
    team.serve()
    assert team.run() == "certified"
    assert team.causes == set()


# ---- expiry


def expiring(name: str, world: World, leaf: int, intermediate: int, root: int) -> Team:
    """A source whose leaf, intermediate and root end after so many days."""
    ends = [in_days(world, days) for days in (leaf, intermediate, root)]
    authority = Authority.root(f"{name} root", not_after=ends[2])
    issuing = authority.intermediate(f"{name} issuing", not_after=ends[1])
    return Team(world, name, authority, issuer=issuing, not_after=ends[0])


@pytest.mark.parametrize(
    ("name", "days", "what"),
    [
        ("ends-leaf", (40, 60, 80), "served certificate O=Server ends-leaf"),
        ("ends-middle", (80, 40, 60), "intermediate CA CN=ends-middle issuing"),
        ("ends-root", (80, 60, 40), "trusted CA CN=ends-root root"),
    ],
)
def test_days_left_says_which_certificate_ends_first(
    world: World, name: str, days: tuple[int, int, int], what: str
) -> None:
    """Leaf, intermediate or anchor, as the server serves them and the bundle holds them."""
    team = expiring(name, world, *days)
    team.serve()
    assert team.onboard(mode="plan") == "planned"
    assert team.record["expires"].startswith(what)
    assert team.record["days_left"] == 40


def test_days_left_knows_the_bundle_on_the_endpoint(
    world: World, make: Callable[..., Team]
) -> None:
    """ACM knows nothing of DMS certificates, and the probe is off: we look into it ourselves."""
    team = make("ends-bundle")
    short = Authority.root("ends-bundle DMS", not_after=in_days(world, 20))
    world.cloud.client("dms").create_endpoint(
        EndpointIdentifier=team.endpoint_name,
        EndpointType="source",
        EngineName="postgres",
        ServerName=team.host,
        Port=world.server.port,
        DatabaseName=DATABASE,
        Username=USER,
        Password=PASSWORD,
        SslMode="verify-full",
        Tags=CONSENTED,
        CertificateArn=import_ca(world, "their-own", short.certificate_pem),
    )
    source = {"credentials": None, "probe": "off", "ca_overlap": False}
    assert team.onboard(mode="plan", **source) == "planned"
    assert team.record["expires"].startswith("CA on the DMS endpoint CN=ends-bundle DMS")


# ---- weeks later


def test_tidy_deletes_after_a_week_what_no_endpoint_and_no_undo_log_uses(
    world: World, make: Callable[..., Team]
) -> None:
    """Only ours; one that another source still uses stays, and so does what a rollback may need."""
    authority = Authority.root("tidy shared CA")
    moved, stays = make("tidy-moved", authority), make("tidy-stays", authority)
    alone, cut_off = make("tidy-alone"), make("tidy-cut")
    foreign = import_ca(world, "their-bundle", Authority.root("theirs").certificate_pem)
    for team in (stays, moved, alone, cut_off):
        team.onboarded(ca_overlap=False)
    for team in (moved, alone, cut_off):
        team.issue()
        team.serve()
        if team is cut_off:
            world.cloud.stop_child_at("Test connection")
        team.announce()
    assert world.unfinished("tidy-cut")

    def days_pass(number: int) -> set[str]:
        world.cloud.clock.advance(days=number)
        alone.run()
        return set(held(world).values())

    alone.serve()
    assert {"tidy shared CA", "tidy-alone CA 1", "tidy-cut CA 1"} <= days_pass(1)
    left = days_pass(6)
    assert {"tidy shared CA", "tidy-alone CA 1", "tidy-cut CA 1"} <= left
    left = days_pass(1)
    assert "tidy-alone CA 1" not in left
    assert {"tidy shared CA", "tidy-moved CA 1", "tidy-alone CA 2"} <= left
    assert {"tidy-cut CA 1", "tidy-cut CA 2"} <= left
    assert foreign in held(world)


def test_a_certificate_that_is_in_use_after_all_is_not_deleted(
    world: World, make: Callable[..., Team], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes it between Tidy's look and its deletion: DMS refuses, and its week is new."""
    team = make("inuse")
    team.onboarded()
    unused = Authority.root("inuse unused")
    arn = import_ca(
        world,
        certificate_identifier(STACK, bundle_digest(unused.certificate_pem)),
        unused.certificate_pem,
    )
    world.cloud.clock.advance(days=1)
    team.run()
    plain = world.cloud.dms.call

    def taken(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if operation == "DeleteCertificate" and params["CertificateArn"] == arn:
            endpoint = world.cloud.dms.state.endpoints[team.endpoint["EndpointArn"]]
            endpoint.seen["CertificateArn"] = arn
        return plain(operation, params)

    monkeypatch.setattr(world.cloud.dms, "call", taken)
    world.cloud.clock.advance(days=7)
    run = world.cloud.run({"names": [team.name]})
    assert run.status == "SUCCEEDED"
    assert arn in held(world)
