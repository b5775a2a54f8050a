"""The plan is the smallest set of changes, and says what may not be done and why."""

from datetime import UTC, datetime
from typing import Any

import pytest

from certifier.endpoint.facts import Endpoint, EndpointFields, ReplicationTask
from certifier.endpoint.fields import equal
from certifier.run.documents import Material, Served, Trusted, Union, Versions
from certifier.run.plan import EndpointPlan, Known, Trust, desired_trust, plan_endpoint, plan_tasks
from certifier.source import Source, parse_source
from certifier.vocabulary import Cause, Decision, Severity, SslMode

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-AbCdEf"
ROLE = "arn:aws:iam::111122223333:role/ours"
OLD = Trusted(arn="arn:aws:dms:eu-west-1:111122223333:cert:OLD", digest="old", pem="OLD")
BOTH = Union(pem="OLD+NEW", digest="both")
NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)


def source(**changes: Any) -> Source:
    return parse_source(
        {
            "name": "orders",
            "endpoint": "orders-source",
            "host": "db.example.com",
            "database": "orders",
            "ssl_mode": "verify-full",
            "credentials": SECRET,
            "ca_bundle": "s3://trust/ca.pem",
            **changes,
        }
    )


def endpoint(**changes: Any) -> Endpoint:
    fields = {
        "ssl_mode": SslMode.VERIFY_FULL,
        "certificate_arn": OLD.arn,
        "database_name": "orders",
        "secret_id": SECRET,
        "secret_role_arn": ROLE,
        **changes.pop("fields", {}),
    }
    return Endpoint(
        **{
            "arn": "arn:aws:dms:eu-west-1:111122223333:endpoint:E",
            "identifier": "orders-source",
            "endpoint_type": "source",
            "engine": "postgres",
            "status": "active",
            "fields": EndpointFields(**fields),
            **changes,
        }
    )


def material(**changes: Any) -> Material:
    return Material(
        **{
            "endpoint": endpoint(),
            "trusted": OLD,
            "bundle_pem": "OLD",
            "bundle_digest": "old",
            "versions": Versions(credentials="v1"),
            **changes,
        }
    )


def plan(
    of: Source | None = None,
    found: Material | None = None,
    known: Known | None = None,
    union: Union | None = None,
) -> EndpointPlan:
    of, found = of or source(), found or material()
    trust = desired_trust(of, found, Served(seen=True, by_bundle=True), union)
    return plan_endpoint(of, found, trust, known or Known(), role=ROLE, union=union)


def causes(planned: EndpointPlan) -> list[Cause]:
    return [found.cause for found in planned.findings]


def task(**changes: Any) -> ReplicationTask:
    return ReplicationTask(
        **{
            "arn": "arn:task:1",
            "identifier": "orders-task",
            "status": "running",
            "source_endpoint_arn": "arn:aws:dms:eu-west-1:111122223333:endpoint:E",
            "target_endpoint_arn": "arn:other",
            "instance_arn": "arn:rep:1",
            "migration_type": "cdc",
            **changes,
        }
    )


def test_an_endpoint_that_is_right_needs_nothing() -> None:
    """An empty plan is the definition of "up to date"."""
    planned = plan()
    assert (planned.changes, causes(planned), planned.create) == ((), [], False)


def test_only_the_fields_that_differ_are_changed() -> None:
    """A weaker mode on the endpoint is one change, with both values."""
    planned = plan(found=material(endpoint=endpoint(fields={"ssl_mode": SslMode.REQUIRE})))
    assert [(c.field, c.old, c.new) for c in planned.changes] == [
        ("ssl_mode", "require", "verify-full")
    ]


def test_a_missing_endpoint_is_created_with_everything() -> None:
    """Database and credentials are there, so it can be made."""
    planned = plan(found=material(endpoint=None, trusted=None))
    assert planned.create
    assert {c.field for c in planned.changes} == {
        "ssl_mode",
        "database_name",
        "secret_id",
        "secret_role_arn",
        "certificate",
    }
    assert causes(planned) == []


def test_creating_needs_database_and_credentials() -> None:
    """What is missing to create is said by name, all at once."""
    planned = plan(source(database=None, credentials=None), material(endpoint=None, trusted=None))
    assert causes(planned) == [Cause.SOURCE_INVALID]
    assert "database and credentials" in planned.findings[0].seen


@pytest.mark.parametrize(
    ("of", "known"),
    [
        (source(), Known(endpoint_arn="arn:aws:dms:eu-west-1:111122223333:endpoint:E")),
        (source(endpoint="arn:aws:dms:eu-west-1:111122223333:endpoint:E"), Known()),
    ],
)
def test_a_known_endpoint_that_is_gone_is_never_made_again(of: Source, known: Known) -> None:
    """Somebody deleted it: that is a person's business."""
    assert causes(plan(of, material(endpoint=None, trusted=None), known)) == [Cause.ENDPOINT_GONE]


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"engine": "aurora-postgresql"}, Cause.ENGINE_MISMATCH),
        ({"endpoint_type": "target"}, Cause.NEEDS_REPLACEMENT),
        ({"read_only": True}, Cause.ENDPOINT_READ_ONLY),
        ({"authentication": "iam"}, Cause.IAM_AUTHENTICATION),
    ],
)
def test_an_endpoint_that_is_not_ours_to_change_is_left_alone(
    changes: dict[str, Any], cause: Cause
) -> None:
    """Each with the reason."""
    assert causes(plan(found=material(endpoint=endpoint(**changes)))) == [cause]


def test_a_weaker_mode_is_refused_unless_allowed() -> None:
    """verify-full to require is a downgrade."""
    assert causes(plan(source(ssl_mode="require"))) == [Cause.WOULD_WEAKEN]
    assert causes(plan(source(ssl_mode="require", allow_downgrade=True))) == []


def test_under_require_the_certificate_is_neither_set_nor_removed() -> None:
    """It is left as it is, whatever the source's bundle says."""
    found = material(bundle_digest="new", endpoint=endpoint(fields={"ssl_mode": SslMode.REQUIRE}))
    assert plan(source(ssl_mode="require"), found).changes == ()


def test_a_plain_endpoint_that_gets_a_secret_cannot_be_rolled_back() -> None:
    """Nobody knows the password that it holds."""
    plain = endpoint(
        fields={
            "secret_id": None,
            "secret_role_arn": None,
            "server_name": "db.example.com",
            "port": 5432,
            "username": "dms",
        }
    )
    assert Cause.IRREVERSIBLE in causes(plan(found=material(endpoint=plain)))
    allowed = plan(source(allow_irreversible=True), material(endpoint=plain))
    assert Cause.IRREVERSIBLE not in causes(allowed)


def test_a_foreign_role_that_serves_the_same_secret_is_kept() -> None:
    """What the source does not name is not ours."""
    theirs = endpoint(fields={"secret_role_arn": "arn:aws:iam::111122223333:role/theirs"})
    assert plan(found=material(endpoint=theirs)).changes == ()


def test_an_inline_password_is_set_when_its_version_moves() -> None:
    """The applied VersionId shows a rotation; DMS never shows a password."""
    inline = source(credentials_mode="inline")
    plain = endpoint(
        fields={
            "secret_id": None,
            "secret_role_arn": None,
            "server_name": "DB.example.com",
            "port": 5432,
            "username": "dms",
        }
    )
    found = material(endpoint=plain, username="dms", versions=Versions(credentials="v2"))
    assert plan(inline, found, Known(password_version="v2")).changes == ()
    rotated = plan(inline, found, Known(password_version="v1"))
    assert [(c.field, c.old, c.new, c.reversible) for c in rotated.changes] == [
        ("password", "v1", "v2", True)
    ]
    unknown = plan(inline, found, Known())
    assert causes(unknown) == [Cause.IRREVERSIBLE]


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("server_name", "DB.example.com", "db.EXAMPLE.com", True),
        ("server_name", None, None, True),
        ("server_name", None, "none", False),
        ("server_name", "none", None, False),
        ("username", "App", "app", False),
    ],
)
def test_only_host_names_ignore_case_and_none_is_not_a_name(
    name: str, one: str | None, other: str | None, same: bool
) -> None:
    """An endpoint without a host is not one with the host ``none``."""
    assert equal(name, one, other) is same


def test_an_endpoint_without_a_host_gets_the_host_none() -> None:
    """A host may be called that."""
    empty = endpoint(fields={"secret_id": None, "secret_role_arn": None, "port": 5432})
    named = source(host="none", credentials=None)
    changed = [change.field for change in plan(named, material(endpoint=empty)).changes]
    assert "server_name" in changed


def test_somebody_who_changes_it_back_twice_is_named() -> None:
    """The second time that our proven mode is gone, a person reads how to end it."""
    found = material(endpoint=endpoint(fields={"ssl_mode": SslMode.REQUIRE}))
    proven = EndpointFields(ssl_mode=SslMode.VERIFY_FULL)
    first = plan(found=found, known=Known(certified=proven))
    second = plan(found=found, known=Known(certified=proven, reverted=first.reverted))
    assert (first.reverted, causes(first)) == (1, [])
    assert (second.reverted, causes(second)) == (2, [Cause.REVERTED_BY_OTHERS])


# -- which CAs are trusted


def trust(served: Served, union: Union | None = BOTH, **changes: Any) -> Trust:
    found = material(bundle_pem="NEW", bundle_digest="new", **changes)
    return desired_trust(source(), found, served, union)


def test_the_new_ca_alone_is_trusted_once_the_served_chain_ends_in_it() -> None:
    """The server has followed the renewal."""
    assert trust(Served(seen=True, by_bundle=True)).digest == "new"


def test_both_are_trusted_while_the_server_still_serves_the_old_chain() -> None:
    """No connection may fail in between."""
    found = trust(Served(seen=True, by_union=True))
    assert (found.digest, found.overlap) == ("both", True)
    assert [f.cause for f in found.findings] == [Cause.OVERLAP_PENDING]


def test_without_a_served_chain_nothing_is_dropped() -> None:
    """Probe off or unreachable: always both, no shrink."""
    assert trust(Served(seen=False)).digest == "both"


def test_a_compromised_ca_is_dropped_at_once() -> None:
    """``ca_overlap: false`` switches."""
    found = material(bundle_pem="NEW", bundle_digest="new")
    decided = desired_trust(source(ca_overlap=False), found, Served(seen=False), None)
    assert decided.digest == "new"


# -- tasks


def shrinking() -> EndpointPlan:
    wide = Trusted(arn="arn:cert:BOTH", digest="both", pem="OLD+NEW")
    found = material(trusted=wide, bundle_pem="NEW", bundle_digest="new")
    return plan(found=found, union=BOTH)


def raising(**of: Any) -> EndpointPlan:
    return plan(source(**of), material(endpoint=endpoint(fields={"ssl_mode": SslMode.REQUIRE})))


def test_a_change_under_a_running_task_is_refused_by_name() -> None:
    """The default: nobody allowed us to stop it."""
    decided = plan_tasks(source(), raising(), [task()], [], NOW)
    assert [f.cause for f in decided.findings] == [Cause.TASKS_RUNNING]
    assert "orders-task" in decided.findings[0].seen


def test_stopped_tasks_do_not_stand_in_the_way() -> None:
    """Only what runs must stop."""
    decided = plan_tasks(source(), raising(), [task(status="stopped")], [], NOW)
    assert (decided.decision, decided.findings) == (Decision.CHANGE, ())


def test_outside_its_window_a_change_is_planned() -> None:
    """It says when the window opens."""
    of = source(restart_tasks="sun 02:00-04:00 UTC")
    decided = plan_tasks(of, raising(), [task()], [], NOW)
    assert decided.decision is Decision.PLANNED
    assert decided.opens_at == datetime(2026, 1, 11, 2, tzinfo=UTC)


def test_inside_its_window_the_running_tasks_are_to_be_paused() -> None:
    """They are named in the plan."""
    of = source(restart_tasks="sun 11:00-13:00 UTC")
    decided = plan_tasks(of, raising(), [task()], [], NOW)
    assert (decided.decision, len(decided.running)) == (Decision.CHANGE, 1)


def test_a_full_load_is_never_interrupted() -> None:
    """It would begin anew."""
    decided = plan_tasks(source(restart_tasks=True), raising(), [task(full_load=True)], [], NOW)
    assert [f.cause for f in decided.findings] == [Cause.TASK_IN_FULL_LOAD]


def test_serverless_replications_are_a_reason_to_refuse() -> None:
    """DMS has no test for them, and no pause of ours."""
    decided = plan_tasks(source(), raising(), [], ["orders-serverless"], NOW)
    assert [f.cause for f in decided.findings] == [Cause.SERVERLESS_REPLICATION]


def test_a_shrink_waits_quietly_for_running_tasks() -> None:
    """Nothing is broken meanwhile, so it is advice, and the source is tested as it is."""
    planned = shrinking()
    assert planned.may_wait
    decided = plan_tasks(source(), planned, [task()], [], NOW)
    assert decided.decision is Decision.UNCHANGED
    assert [f.cause for f in decided.findings] == [Cause.SHRINK_WAITS]
    assert plan_tasks(source(), planned, [], [], NOW).decision is Decision.CHANGE
    loading = plan_tasks(source(restart_tasks=True), planned, [task(full_load=True)], [], NOW)
    assert [f.cause for f in loading.findings] == [Cause.SHRINK_WAITS]
    assert plan_tasks(source(restart_tasks=True), planned, [task()], [], NOW).findings == ()


def test_a_shrink_that_waits_for_a_window_is_due_when_it_opens() -> None:
    """The daily run alone would never meet a window of two hours a week."""
    window = source(restart_tasks="sun 14:00-16:00 UTC")
    decided = plan_tasks(window, shrinking(), [task()], [], NOW)
    assert [f.cause for f in decided.findings] == [Cause.SHRINK_WAITS]
    assert decided.opens_at == NOW.replace(hour=14)
    assert plan_tasks(source(), shrinking(), [task()], [], NOW).opens_at is None


@pytest.mark.parametrize(
    ("restart", "user", "causes", "severity"),
    [
        (False, "dms", [Cause.TASKS_RUNNING], Severity.ERROR),
        ("sun 14:00-16:00 UTC", "dms", [Cause.WINDOW_CLOSED], Severity.WARNING),
        (False, "dms_clone", [Cause.TASKS_RUNNING], Severity.ERROR),
    ],
)
def test_an_old_password_under_a_running_task_is_a_finding_of_its_own(
    restart: bool | str, user: str, causes: list[Cause], severity: Severity
) -> None:
    """The task keeps its connections, but could not start again: also where it waits for days."""
    inline = source(credentials_mode="inline", restart_tasks=restart)
    plain = endpoint(
        fields={
            "secret_id": None,
            "secret_role_arn": None,
            "server_name": "db.example.com",
            "port": 5432,
            "username": "dms",
        }
    )
    found = material(endpoint=plain, username=user, versions=Versions(credentials="v2"))
    planned = plan(inline, found, Known(password_version="v1"))
    decided = plan_tasks(inline, planned, [task()], [], NOW)
    assert [f.cause for f in decided.findings] == [*causes, Cause.ENDPOINT_HOLDS_OLD_PASSWORD]
    assert decided.findings[-1].severity is severity
    # Two users in turn: the one on the endpoint still works for a while.
    assert ("once that user's password is changed" in decided.findings[-1].seen) is (user != "dms")
