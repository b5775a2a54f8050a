"""How a DMS test is started and followed; ``endpoint.connection_test`` says when it counts."""

from collections.abc import Callable, Iterable
from typing import Any

from certifier.aws.dms import TestStart
from certifier.aws.store import Held
from certifier.diagnosis import explain, finding
from certifier.endpoint.connection_test import Move, next_move
from certifier.endpoint.facts import Connection
from certifier.errors import Refused
from certifier.models import Finding
from certifier.run.documents import InstanceTest, Probed
from certifier.run.event import StepEvent
from certifier.run.state import Marker
from certifier.steps.context import StepContext
from certifier.text import Redactor
from certifier.vocabulary import Cause, Stage, Witness

ATTEMPTS = 3
"""How often a test is made whose failure would block the next start of a task."""


def prove(
    event: StepEvent,
    context: StepContext[Any],
    *,
    endpoint_arn: str,
    digest: str,
    instances: Iterable[str],
    attempts: int = 1,
    may_be_full: bool = False,
) -> tuple[InstanceTest, ...] | None:
    """Test an endpoint from each instance; ``None`` while a test is still under way.

    Safe to call again at any time: what has been started is remembered in the store.

    Args:
        digest: settings digest of the endpoint as it was last read.
        attempts: how often a failing test is made before its failure is believed.
        may_be_full: an instance without room for one more endpoint is a result, not a refusal.

    Raises:
        Refused: instances cannot run a test (``instance_unavailable``), and each is named; or one
            has no room for the endpoint (``dms_quota``).
    """
    instances = tuple(instances)
    held = context.store.hold(event.name, event.run)
    markers = held.state.markers
    shown: dict[str, Connection] = {}
    if any(_is_for(markers.get(_key(endpoint_arn, at)), digest) for at in instances):
        shown = {each.instance_arn: each for each in context.dms.connections(endpoint_arn)}
    results = []
    unavailable: tuple[Finding, ...] = ()
    for instance in instances:
        key = _key(endpoint_arn, instance)
        before = markers.get(key)
        move, marker = next_move(before, shown.get(instance), digest=digest, now=context.now())
        result: InstanceTest | None = None
        if move is Move.MISSING:
            result = InstanceTest(instance_arn=instance, passed=False, deleted=True)
        elif move is Move.BELIEVE and marker is not None:
            connection = shown[instance]
            result = InstanceTest(
                instance_arn=instance,
                passed=connection.status == "successful",
                message=connection.message,
            )
            if not result.passed and marker.failures + 1 < attempts:
                pair, failures = (endpoint_arn, instance), marker.failures + 1
                unavailable += _start(held, context, pair, digest, failures)
                result = None
        elif move is Move.START:
            try:
                unavailable += _start(held, context, (endpoint_arn, instance), digest, 0)
            except Refused as refused:
                if not may_be_full or refused.cause is not Cause.DMS_QUOTA:
                    raise
                result = InstanceTest(instance_arn=instance, passed=False, full=True)
        elif marker is not None and marker != before:
            held.mark_test(key, marker)
        if result is not None:
            results.append(result)
    if unavailable:
        raise Refused(Cause.INSTANCE_UNAVAILABLE, findings=unavailable)
    return tuple(results) if len(results) == len(instances) else None


def _key(endpoint_arn: str, instance_arn: str) -> str:
    return f"{endpoint_arn}|{instance_arn}"


def _is_for(marker: Marker | None, digest: str) -> bool:
    return marker is not None and marker.settings_digest == digest


def _start(
    held: Held,
    context: StepContext[Any],
    connection: tuple[str, str],
    digest: str,
    failures: int,
) -> tuple[Finding, ...]:
    """Start our own test; only one that DMS accepted leaves a marker.

    Returns a finding when the instance cannot run a test now.
    """
    endpoint_arn, instance = connection
    try:
        started = context.dms.test_connection(endpoint_arn, instance)
    except Refused as refused:
        if refused.cause is not Cause.INSTANCE_UNAVAILABLE:
            raise
        return (finding(refused.cause, place=Witness.DMS_TEST, seen=refused.seen),)
    if started is TestStart.ACCEPTED:
        marker = Marker(settings_digest=digest, accepted_at=context.now(), failures=failures)
        held.mark_test(_key(endpoint_arn, instance), marker)
    return ()


def usable_instances(
    event: StepEvent, context: StepContext[Any], endpoint_arn: str
) -> tuple[str, ...]:
    """Return the instances that tests run from: the source's own list, else those in use.

    Raises:
        Refused: there is none (``no_replication_instance``).
    """
    named = event.source.spec.replication_instances
    if named:
        return named
    found = {each.instance_arn for each in context.dms.connections(endpoint_arn)}
    found = found or {task.instance_arn for task in context.dms.tasks(endpoint_arn)}
    if not found:
        seen = (
            "the source names no replication instance, and none has a connection or a task on the "
            "endpoint"
        )
        raise Refused(Cause.NO_REPLICATION_INSTANCE, seen=seen)
    return tuple(sorted(found))


def hidden(
    tests: tuple[InstanceTest, ...] | None, secret: Callable[[], str | None]
) -> tuple[InstanceTest, ...] | None:
    """Return the same tests, without the password in what a server said to DMS."""
    if not tests or not any(test.message for test in tests):
        return tests
    hide = Redactor(secret())
    return tuple(hide.model(test) for test in tests)


def explained(
    tests: Iterable[InstanceTest],
    context: StepContext[Any],
    *,
    place: Witness,
    probed: Probed | None = None,
    secret: Callable[[], str | None] = lambda: None,
) -> tuple[Finding, ...]:
    """Return the findings of the failed tests: what DMS said, and how it differs from our probe.

    Args:
        probed: what our probe saw of the same settings; ``None`` when it looked at none such.
        secret: gives the password of these settings, which a server may have said to DMS; called
            only when a test has failed.
    """
    failed = [test for test in tests if not test.passed]
    hide = Redactor(secret() if failed else None)
    known = context.dms.instances(test.instance_arn for test in failed)
    names = {instance.arn: instance.identifier for instance in known}
    findings = []
    for test in failed:
        where = names.get(test.instance_arn, test.instance_arn)
        if test.deleted:
            seen = f"the connection from {where} was deleted while it was tested"
            findings.append(finding(Cause.CONNECTION_DELETED, place=place, seen=seen))
            continue
        said = explain(test.message or "")
        seen = f"from replication instance {where}: {hide.text(said.seen)}"
        raw = None if test.message is None else hide.text(test.message)
        findings.append(finding(said.cause, place=place, seen=seen, raw=raw, stage=said.stage))
        if said.cause is not Cause.DMS_CANNOT_READ_SECRET and _came_past(probed, said.stage):
            seen = f"our probe came further than DMS did from {where}"
            findings.append(finding(Cause.DMS_DIFFERS_FROM_PROBE, place=place, seen=seen))
    return tuple(findings)


def _came_past(probed: Probed | None, stage: Stage | None) -> bool:
    """Whether our probe did what failed in DMS: one that did not log in knows nothing of logins."""
    report = probed.effective if probed else None
    if report is None or not report.passed:
        return False
    order = list(Stage)
    return stage is None or order.index(stage) <= order.index(report.evidence.reached)
