"""How a DMS test is started and followed; ``endpoint.connection_test`` says when it counts."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from certifier.aws.dms import TestStart
from certifier.aws.store import Held
from certifier.diagnosis import CATALOGUE, Diagnosis, explain, finding
from certifier.endpoint.connection_test import Move, next_move
from certifier.endpoint.facts import Connection
from certifier.errors import Busy, Refused
from certifier.models import Finding
from certifier.redactor import Redactor
from certifier.run.documents import InstanceTest, Probed
from certifier.run.event import StepEvent
from certifier.run.state import Marker
from certifier.steps.context import StepContext
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

    Safe to call again at any time: what has been started is remembered in the store. A test that
    was started is looked at in the same call: only who has seen it under way, or what DMS showed
    before it, knows a new verdict from an old one.

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
        shown = _shown(context, endpoint_arn)
    results: list[InstanceTest] = []
    started: dict[str, Marker] = {}
    unavailable: tuple[Finding, ...] = ()
    for instance in instances:
        pair = (endpoint_arn, instance)
        before = markers.get(_key(*pair))
        move, marker = next_move(before, shown.get(instance), digest=digest, now=context.now())
        result = _result(move, instance, shown)
        again = result is not None and not (result.passed or result.deleted)
        if marker is not None and again and marker.failures + 1 < attempts:
            move, result = Move.START, None
            marker = Marker(
                settings_digest=digest, accepted_at=context.now(), failures=marker.failures + 1
            )
        if result is not None:
            results.append(result)
        elif move is Move.START:
            try:
                outcome = _start(held, context, pair, _following(digest, context.now(), marker))
            except Refused as refused:
                if not may_be_full or refused.cause is not Cause.DMS_QUOTA:
                    raise
                results.append(InstanceTest(instance_arn=instance, passed=False, full=True))
            else:
                started |= {instance: outcome} if isinstance(outcome, Marker) else {}
                unavailable += (outcome,) if isinstance(outcome, Finding) else ()
        elif marker is not None:
            _go_on(held, context, pair, move, marker, changed=marker != before)
    if started:
        _look(held, context, endpoint_arn, started)
    if unavailable:
        raise Refused(Cause.INSTANCE_UNAVAILABLE, findings=unavailable)
    return tuple(results) if len(results) == len(instances) else None


def _result(move: Move, instance: str, shown: Mapping[str, Connection]) -> InstanceTest | None:
    """Return what has come of a test; ``None`` while nothing has."""
    if move is Move.MISSING:
        return InstanceTest(instance_arn=instance, passed=False, deleted=True)
    if move is not Move.BELIEVE:
        return None
    connection = shown[instance]
    passed = connection.status == "successful"
    # Before anybody hides a password in the words, which may read like one of them.
    said = None if passed else explain(connection.message or "")
    return InstanceTest(
        instance_arn=instance,
        instance=connection.instance,
        passed=passed,
        message=connection.message,
        cause=said.cause if said else None,
        stage=said.stage if said else None,
    )


def _following(digest: str, now: datetime, before: Marker | None) -> Marker:
    """Return the marker of a test that follows on one that proved nothing."""
    if before is None:
        return Marker(settings_digest=digest, accepted_at=now)
    return Marker(
        settings_digest=digest,
        accepted_at=now,
        failures=before.failures,
        none_seen=before.none_seen,
    )


def _key(endpoint_arn: str, instance_arn: str) -> str:
    return f"{endpoint_arn}|{instance_arn}"


def _is_for(marker: Marker | None, digest: str) -> bool:
    return marker is not None and marker.settings_digest == digest


def _shown(context: StepContext[Any], endpoint_arn: str) -> dict[str, Connection]:
    """Return what DMS shows of the endpoint's tests, by instance. One call."""
    return {each.instance_arn: each for each in context.dms.connections(endpoint_arn)}


def _start(
    held: Held, context: StepContext[Any], connection: tuple[str, str], marker: Marker
) -> Marker | Finding | None:
    """Start our own test; only one that DMS accepted leaves its marker.

    ``None``: another test is under way. A finding: the instance cannot run a test now.
    """
    endpoint_arn, instance = connection
    try:
        started = context.dms.test_connection(endpoint_arn, instance)
    except Refused as refused:
        if refused.cause is not Cause.INSTANCE_UNAVAILABLE:
            raise
        return finding(refused.cause, place=Witness.DMS_TEST, seen=refused.seen)
    if started is not TestStart.ACCEPTED:
        return None
    marker = marker.model_copy(update={"accepted_at": context.now()})
    held.mark_test(_key(*connection), marker)
    return marker


def _look(
    held: Held, context: StepContext[Any], endpoint_arn: str, started: Mapping[str, Marker]
) -> None:
    """Note what DMS shows right after tests were started: most of them are seen under way."""
    shown = _shown(context, endpoint_arn)
    for instance, marker in started.items():
        move, seen = next_move(
            marker, shown.get(instance), digest=marker.settings_digest, now=context.now()
        )
        if move is Move.WAIT and seen is not None and seen != marker:
            held.mark_test(_key(endpoint_arn, instance), seen)


def _go_on(
    held: Held,
    context: StepContext[Any],
    connection: tuple[str, str],
    move: Move,
    marker: Marker,
    *,
    changed: bool,
) -> None:
    """Wait on, or have the connection deleted, and with it the verdict of before."""
    if move is Move.FORGET:
        try:
            context.dms.delete_connection(*connection)
        except Busy:
            return  # a test is still under way, whatever DMS shows of it
        marker = Marker(
            settings_digest=marker.settings_digest,
            accepted_at=context.now(),
            failures=marker.failures,
            forgotten=True,
        )
    elif not changed:
        return
    held.mark_test(_key(*connection), marker)


def usable_instances(
    event: StepEvent, context: StepContext[Any], endpoint_arn: str
) -> tuple[str, ...]:
    """Return the instances that tests run from: the source's own list, else those in use.

    Where there is neither, the only one of the account and Region.

    Raises:
        Refused: there is none (``no_replication_instance``).
    """
    named = event.source.spec.replication_instances
    if named:
        return named
    found = {each.instance_arn for each in context.dms.connections(endpoint_arn)}
    # A connection that this run has deleted, to test it anew, shows nowhere else.
    state = context.remembered(event)
    found |= {
        instance
        for arn, _, instance in (key.partition("|") for key in state.markers)
        if arn == endpoint_arn
    }
    found = found or {task.instance_arn for task in context.dms.tasks(endpoint_arn)}
    if not found and (alone := context.dms.only_instance()) is not None:
        return (alone.arn,)
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
    return tuple(
        test.model_copy(update={"message": hide.text(test.message or "") or None}) for test in tests
    )


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
        raw = None if test.message is None else hide.text(test.message)
        said = _understood(test, raw or "")
        seen = f"from replication instance {where}: {hide.text(said.seen)}"
        findings.append(finding(said.cause, place=place, seen=seen, raw=raw, stage=said.stage))
        if said.cause is not Cause.DMS_CANNOT_READ_SECRET and _came_past(probed, said.stage):
            seen = f"our probe got further than DMS did from {where}"
            findings.append(finding(Cause.DMS_DIFFERS_FROM_PROBE, place=place, seen=seen))
    return tuple(findings)


def _understood(test: InstanceTest, shown: str) -> Diagnosis:
    """Return what a failed test means, in words that quote only what may be shown of its message.

    Where a password reads like the words that name the cause, the catalogue's take their place.
    """
    said = explain(shown)
    if test.cause is None:
        return said
    if said.cause is test.cause:
        return said.model_copy(update={"stage": test.stage})
    row = CATALOGUE[test.cause]
    return Diagnosis(cause=test.cause, seen=row.why, remedy=row.remedy, stage=test.stage)


def _came_past(probed: Probed | None, stage: Stage | None) -> bool:
    """Whether our probe did what failed in DMS: one that did not log in knows nothing of logins."""
    report = probed.effective if probed else None
    if report is None or not report.passed:
        return False
    order = list(Stage)
    return stage is None or order.index(stage) <= order.index(report.evidence.reached)
