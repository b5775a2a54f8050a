"""A source without overlap gives up a CA at once, as it may be compromised: that never waits."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certifier.certificate import bundle_digest
from certifier.certificate.canonical import canonical
from certifier.run.documents import Served, Trusted, Union
from certifier.run.plan import Known, TaskPlan, desired_trust, plan_endpoint, plan_tasks
from certifier.vocabulary import Cause, Decision
from sandbox.pki import Authority
from tests.unit.test_plan import NOW, OLD, ROLE, material, source, task

FIRST, SECOND, COMPROMISED = (
    Authority.root(name, not_before=NOW).certificate.public_bytes(Encoding.DER)
    for name in ("One", "Two", "Three")
)


def decided(trusts: list[bytes], names: list[bytes], *, seen: bool = True, **spec: Any) -> TaskPlan:
    """Return what becomes of a named set under a running task that may not be stopped."""
    of = source(ca_bundle="rds", host="db.abcdefghijkl.eu-west-1.rds.amazonaws.com", **spec)
    old, new = canonical(trusts), canonical(names)
    found = material(
        named=True,
        trusted=Trusted(arn=OLD.arn, digest=bundle_digest(old), pem=old),
        bundle_pem=new,
        bundle_digest=bundle_digest(new),
    )
    both = canonical(sorted({*trusts, *names}))
    union = Union(pem=both, digest=bundle_digest(both))
    trust = desired_trust(of, found, Served(seen=seen, by_bundle=seen), union)
    planned = plan_endpoint(
        of,
        found,
        trust,
        Known(),
        role=ROLE,
        union=union if of.ca_overlap else None,
        anchor=hashlib.sha256(FIRST).hexdigest() if seen else None,
        seen=seen,
    )
    return plan_tasks(of, planned, [task()], [], NOW)


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize(
    "trusts", [[FIRST, SECOND, COMPROMISED], [FIRST, COMPROMISED]], ids=["drops", "drops and adds"]
)
def test_what_drops_a_ca_at_once_is_refused_while_a_task_runs(
    trusts: list[bytes], seen: bool
) -> None:
    """Waiting in silence would leave a compromised CA trusted, and the source certified."""
    what = decided(trusts, [FIRST, SECOND], seen=seen, ca_overlap=False)
    assert what.decision is Decision.CHANGE
    assert [found.cause for found in what.findings] == [Cause.TASKS_RUNNING]


@pytest.mark.parametrize("overlap", [True, False])
def test_a_set_that_has_only_grown_waits_with_and_without_overlap(overlap: bool) -> None:
    """Nothing is dropped, and what the endpoint trusts is enough."""
    what = decided([FIRST], [FIRST, SECOND], ca_overlap=overlap)
    assert what.decision is Decision.UNCHANGED
    assert [found.cause for found in what.findings] == [Cause.GROWTH_WAITS]


def test_with_overlap_an_old_ca_may_stay_while_a_task_runs() -> None:
    """Overlap is the permission to trust it for longer."""
    what = decided([FIRST, COMPROMISED], [FIRST, SECOND])
    assert [found.cause for found in what.findings] == [Cause.GROWTH_WAITS, Cause.SHRINK_WAITS]
