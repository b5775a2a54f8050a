"""Test connection: DMS connects with the endpoint's settings, from every replication instance.

Serves two states: "Test connection" proves the new (or unchanged) settings, "Test rolled-back
settings" the old ones after a rollback. In a run that found an undo log, nothing else of this run
is known: the log says what the endpoint should be.
"""

from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint
from certifier.endpoint.fields import differing
from certifier.models import Fact, Finding
from certifier.run.documents import (
    CONFIGURED,
    MATERIAL,
    PLAN,
    PROBED,
    ConnectionTest,
    InstanceTest,
    Plan,
    UndoLog,
    tested,
)
from certifier.run.event import PolledEvent
from certifier.run.undo import may_hold_new, new_are_sent
from certifier.steps.context import StepContext, StepSettings
from certifier.steps.passwords import password_in
from certifier.steps.proving import ATTEMPTS, explained, hidden, prove, usable_instances
from certifier.vocabulary import Cause, Decision, SettingsUnderTest, SslMode, Witness


class TestEvent(PolledEvent):
    """Which of the two states calls."""

    settings: SettingsUnderTest


class TestAnswer(Fact):
    """``passed`` only counts when ``done``."""

    done: bool
    passed: bool = False


def run(event: TestEvent, context: StepContext[StepSettings]) -> TestAnswer:
    """Move the test on by one round.

    Raises:
        ClaimLost: another execution owns the source.
        Refused: there is no instance to test from, or one cannot test.
    """
    held = context.store.hold(event.name, event.run)
    claim = held.state.claim
    found = context.store.unfinished(event.name)
    log = found.log if found is not None else None
    plan = context.read(event, PLAN)
    if found is not None and found.run != event.run and claim and not claim.is_alone(context.now()):
        # What the log is about may be written once more by a step of the run that left it: nothing
        # is proven or rolled back before that is over.
        return TestAnswer(done=False)
    endpoint = _endpoint(event, context, log, plan)
    if endpoint is None:
        return _answer(event, context, passed=False)
    instances = (plan.instances if plan else ()) or usable_instances(event, context, endpoint.arn)
    unchanged = log is None
    digest = endpoint.settings_digest
    tests = prove(
        event,
        context,
        endpoint_arn=endpoint.arn,
        # No digest shows a new password: a test of the rehearsal is none of what was set since.
        digest=digest if unchanged else f"{digest} with {event.settings.value} settings",
        instances=instances,
        attempts=ATTEMPTS if unchanged else 1,
    )
    tests = hidden(tests, lambda: password_in(event, context))
    if tests is None:
        if not event.is_last:
            return TestAnswer(done=False)
        seen = f"DMS showed no result of our own test within {event.rounds} rounds"
        return _answer(
            event, context, passed=False, findings=(_found(Cause.TEST_NEVER_ENDED, seen),)
        )
    again = context.dms.endpoint(endpoint.arn)
    if again is None or again.settings_digest != endpoint.settings_digest:
        seen = f"{endpoint.identifier} was changed by somebody else while it was tested"
        findings = (_found(Cause.CHANGED_MEANWHILE, seen),)
        return _answer(event, context, passed=False, tests=tests, findings=findings)
    if log is not None and event.settings is SettingsUnderTest.NEW and all(t.passed for t in tests):
        # A password that may not have arrived is set again by the next run.
        arrived = log.created or new_are_sent(log)
        held.prove_undo(log.new_password_version if arrived else None)
    return _judge(event, context, log, endpoint, tests)


def _found(cause: Cause, seen: str) -> Finding:
    return finding(cause, place=Witness.DMS_TEST, seen=seen)


def _endpoint(
    event: TestEvent, context: StepContext[StepSettings], log: UndoLog | None, plan: Plan | None
) -> Endpoint | None:
    """Return the endpoint as it should be for this test; ``None`` when it is not.

    An unchanged source costs no extra call here: Read material has described the endpoint.
    """
    unchanged = plan is not None and plan.decision is Decision.UNCHANGED
    if log is None or (unchanged and event.settings is SettingsUnderTest.NEW):
        material = context.read(event, MATERIAL)
        return material.endpoint if material else None
    if event.settings is SettingsUnderTest.NEW and plan is not None:
        done = context.read(event, CONFIGURED)
        return done.endpoint if done else None
    endpoint = context.dms.endpoint(log.endpoint_arn or log.endpoint_identifier)
    if endpoint is None:
        return None
    if event.settings is SettingsUnderTest.OLD:
        fits = not differing(log.reversible, endpoint.fields, log.old)
    else:
        fits = may_hold_new(log) and not differing(log.fields, endpoint.fields, log.new)
    return endpoint if fits else None


def _judge(
    event: TestEvent,
    context: StepContext[StepSettings],
    log: UndoLog | None,
    endpoint: Endpoint,
    tests: tuple[InstanceTest, ...],
) -> TestAnswer:
    passed = all(test.passed for test in tests)
    probed = None  # it looked at the new settings
    if event.settings is SettingsUnderTest.NEW:
        probed = context.read(event, PROBED)
    findings = explained(
        tests,
        context,
        place=Witness.DMS_TEST,
        probed=probed,
        secret=lambda: password_in(event, context),
    )
    if not passed and log is not None and event.settings is SettingsUnderTest.OLD:
        name = endpoint.identifier
        if log.old_connects is False:
            seen = f"{name} did not connect before the change, either"
            findings += (_found(Cause.BROKEN_BEFORE, seen),)
        else:
            seen = f"{name} has its old settings again, and DMS does not connect with them now"
            findings += (_found(Cause.BROKEN_AFTER_ROLLBACK, seen),)
    return _answer(
        event,
        context,
        passed=passed,
        tests=tests,
        findings=findings,
        endpoint=endpoint,
    )


def _answer(
    event: TestEvent,
    context: StepContext[StepSettings],
    *,
    passed: bool,
    tests: tuple[InstanceTest, ...] = (),
    findings: tuple[Finding, ...] = (),
    endpoint: Endpoint | None = None,
) -> TestAnswer:
    result = ConnectionTest(
        passed=passed,
        tests=tests,
        settings_digest=endpoint.settings_digest if endpoint else None,
        ssl_mode=(endpoint.fields.ssl_mode or SslMode.NONE) if endpoint else None,
        findings=findings,
    )
    context.write(event, tested(event.settings), result)
    return TestAnswer(done=True, passed=passed)
