"""Pause tasks: stop what runs on the endpoint, only if all of it can be started again.

Nothing is stopped while anything may still say no: the breaker, the window, a full load, a task
that could not start again. A stopped task lives in its pause item alone, written before the stop:
whoever finds the item knows that the task waits for a restart. A task that another source has
stopped already is joined, so that it is not started in the middle of our change.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from certifier.aws.store import Held
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, ReplicationTask
from certifier.errors import Refused
from certifier.models import Fact, Finding
from certifier.run.documents import MATERIAL, PAUSED, PLAN, PROBED, REHEARSAL, TaskWork
from certifier.run.event import PolledEvent, run_id
from certifier.run.plan import PASSING, RUNNING, waiting
from certifier.run.undo import must_write_old, why_not_of_source
from certifier.run.whose_stop import begins_anew, not_ours
from certifier.steps.consenting import require_consent
from certifier.steps.context import StepContext, StepSettings
from certifier.steps.proving import explained, prove
from certifier.vocabulary import Action, Cause, Severity, Witness


class PauseSettings(StepSettings):
    """How many bad ends in a day open the breaker; Record counts, this step obeys."""

    breaker_limit: int


class PauseEvent(PolledEvent):
    """What the tasks have to stop for: a change, or the rollback of one."""

    action: Action


class Paused(Fact):
    """The answer.

    Attributes:
        not_now: the breaker lets no change begin, or the window has closed since.
        paused: a task is stopped for this source.
    """

    done: bool
    not_now: bool = False
    paused: bool = False


def run(event: PauseEvent, context: StepContext[PauseSettings]) -> Paused:
    """Move the pause on by one round.

    A rollback needs the same permission and window as a change. What it is the end of has begun, so
    the breaker does not ask.

    Raises:
        ClaimLost: another execution owns the source.
        Refused: a task may not stop, could not start again, or does not stop in time.
    """
    held = context.store.hold(event.name, event.run)
    before = context.read(event, PAUSED) or TaskWork()
    begins = event.action is Action.APPLY and not before.tasks
    if begins and (why := _why_stopped_by_breaker(event, context)) is not None:
        _write(context, event, (), _found(Cause.BREAKER_OPEN, why))
        return Paused(done=True, not_now=True)
    endpoint = _endpoint(event, context, held.state.owned)
    if endpoint is None:
        return Paused(done=True)
    noted = context.store.pauses()
    pauses = {pause.task_arn: pause for pause in noted.read}
    tasks = context.dms.tasks(endpoint.arn)
    running = [task for task in tasks if task.status == "running"]
    passing = [task for task in tasks if task.status in PASSING]
    if begins and (wait := _begin(event, context, endpoint, (*running, *passing))):
        return wait
    _refuse_forbidden(event, context, endpoint, running)
    _refuse_unreadable((*running, *passing), noted.unreadable)
    _refuse_unwilling(event, tasks, context.now())
    unproven = [t for t in running if not _can_restart(event, context, t, endpoint.arn)]
    if event.is_last and (running or passing):
        raise _late([*passing, *(task for task in running if task not in unproven)], unproven)
    seen = _retained(event, context) if tasks else None
    stopped = dict.fromkeys((*before.tasks, *(t.arn for t in tasks if t.arn in pauses)))
    if running and not passing and not unproven:
        stopped |= dict.fromkeys(task.arn for task in running)
        _write(context, event, tuple(stopped))
        for task in running:
            if not _is_open(event, context.now()):
                break  # the next round refuses what still runs
            pause = pauses.get(task.arn)
            anew, turn = begins_anew(pause, task), pause.turn if pause else 0
            _note(held, context, task, endpoint, seen, anew=anew, turn=turn)
            _stop(held, context, task)
    for task in tasks:
        pause = pauses.get(task.arn)
        if pause is None or task.status in RUNNING | PASSING:
            continue
        _note(held, context, task, endpoint, seen)
        if not_ours(pause, task) is None and task.stop_date is not None:
            held.note_stopped(task.arn, task.stop_date)
    if running or passing:
        return Paused(done=False, paused=bool(stopped))
    _write(context, event, tuple(stopped))
    return Paused(done=True, paused=bool(stopped))


def _endpoint(
    event: PauseEvent, context: StepContext[PauseSettings], owned: Collection[str]
) -> Endpoint | None:
    """Return the endpoint whose tasks have to stop; ``None`` when nothing is to be written to it.

    A run that finishes another's change knows it from the undo log alone.
    """
    if event.action is Action.APPLY:
        material = context.read(event, MATERIAL)
        return material.endpoint if material else None
    found = context.store.unfinished(event.name)
    if found is None or found.log.created:
        return None
    log, source = found.log, event.source.spec
    material = context.documents.read(run_id(found.run), MATERIAL)
    if why_not_of_source(log, source=source, owned=owned, material=material):
        return None  # nothing of it is followed
    endpoint = context.dms.endpoint(log.endpoint_arn or log.endpoint_identifier)
    if endpoint is None or not must_write_old(log, endpoint.fields, context.now()):
        return None
    return endpoint


def _why_stopped_by_breaker(event: PauseEvent, context: StepContext[PauseSettings]) -> str | None:
    """Return why the breaker does not let this change begin; ``None``: it does.

    It is there to protect what works. A task that cannot start again, because DMS does not connect
    with the endpoint as it is, only runs again after a change; so may an unfinished one.
    """
    breaker = context.store.breaker()
    if not breaker.open:
        return None
    rehearsal = context.read(event, REHEARSAL)
    helps = rehearsal is not None and rehearsal.old_connects is False
    if helps and (context.store.undo(event.name) or context.store.pauses_of(event.name)):
        return None
    if breaker.unreadable:
        return "the circuit breaker in the table is not valid in this version of Certifier"
    return "too many changes ended badly today"


def _stop(held: Held, context: StepContext[PauseSettings], task: ReplicationTask) -> None:
    """Stop a task, and note whether it was we who did: a person may have been quicker."""
    taken = context.dms.stop_task(task.arn)
    if taken is not None:  # else nobody can say
        held.note_stop(task.arn, taken=taken)


def _note(
    held: Held,
    context: StepContext[PauseSettings],
    task: ReplicationTask,
    endpoint: Endpoint,
    seen: Mapping[str, int] | None,
    *,
    anew: bool = False,
    turn: int | None = None,
) -> None:
    """Note that this source needs the task stopped. The slots that it has seen are its source's."""
    retained = seen if task.source_endpoint_arn == endpoint.arn else None
    held.pause(
        task.arn,
        context.now(),
        endpoints=(task.source_endpoint_arn, task.target_endpoint_arn),
        identifier=task.identifier,
        retained=retained,
        anew=anew,
        turn=turn,
    )


def _begin(
    event: PolledEvent,
    context: StepContext[PauseSettings],
    endpoint: Endpoint,
    tasks: tuple[ReplicationTask, ...],
) -> Paused | None:
    """Ask what may say no before the first task is stopped; an answer waits, or ends the step."""
    wait = _wait_for_window(event, context, tasks)
    if wait is None:
        require_consent(event, context, endpoint)
        _refuse_serverless(context, endpoint)
        # The change could not be proven from an instance that is away.
        context.dms.require_available(*context.require(event, PLAN).instances)
    return wait


def _is_open(event: PolledEvent, now: datetime) -> bool:
    """Whether tasks may be stopped at this moment, as far as the window goes."""
    window = event.source.spec.window
    return window is None or window.is_open(now)


def _wait_for_window(
    event: PolledEvent, context: StepContext[PauseSettings], tasks: tuple[ReplicationTask, ...]
) -> Paused | None:
    """Return the answer while the window is closed; ``None``: tasks may stop, or none runs.

    What was rehearsed ahead of the opening waits for it here. Once it has closed, the plan waits
    for the next one.
    """
    running = tuple(task for task in tasks if task.status in RUNNING)
    window, now = event.source.spec.window, context.now()
    if window is None or not running or window.is_open(now):
        return None
    if window.may_begin(now) and not event.is_last:
        return Paused(done=False)
    plan = context.require(event, PLAN)
    waits = waiting(window, plan.changes, running, now)
    found = {"opens_at": waits.opens_at, "findings": plan.findings + waits.findings}
    plan = plan.model_copy(update={"decision": waits.decision, **found})
    context.write(event, PLAN, plan)
    return Paused(done=True, not_now=True)


def _retained(event: PolledEvent, context: StepContext[PauseSettings]) -> Mapping[str, int] | None:
    """Return how much WAL each slot kept before anything was stopped; ``None``: nobody saw it."""
    probed = context.read(event, PROBED)
    if probed is None or probed.slots is None:
        return None
    return {s.name: s.retained_bytes for s in probed.slots if s.retained_bytes is not None}


def _found(cause: Cause, seen: str, raw: str | None = None) -> Finding:
    return finding(cause, place=Witness.WORKFLOW, seen=seen, raw=raw)


def _write(
    context: StepContext[PauseSettings],
    event: PolledEvent,
    tasks: tuple[str, ...],
    *findings: Finding,
) -> None:
    context.write(event, PAUSED, TaskWork(tasks=tasks, findings=findings))


def _late(slow: list[ReplicationTask], unproven: list[ReplicationTask]) -> Refused:
    """Return why not every task was stopped in time."""
    findings = [
        _found(
            Cause.TASK_DID_NOT_STOP,
            f"task {task.identifier} was still {task.status} in the last round",
            raw=task.message,
        )
        for task in slow
    ]
    for task in unproven:
        seen = f"the test of the other endpoint of task {task.identifier} had no result in time"
        findings.append(_found(Cause.TEST_NEVER_ENDED, seen))
    return Refused.because(*findings)


def _refuse_serverless(context: StepContext[PauseSettings], endpoint: Endpoint) -> None:
    """Refuse for a serverless replication that has come since the plan was made."""
    if configs := context.dms.serverless_replications(endpoint.arn):
        seen = f"serverless replications use {endpoint.identifier}: {', '.join(configs)}"
        raise Refused(Cause.SERVERLESS_REPLICATION, seen=seen)


def _refuse_forbidden(
    event: PauseEvent,
    context: StepContext[PauseSettings],
    endpoint: Endpoint,
    running: Collection[ReplicationTask],
) -> None:
    """Refuse to stop tasks for a rollback that the owner forbids by now.

    IAM would deny it, and with settings that DMS does not connect with no task starts again.
    """
    if event.action is Action.ROLL_BACK and running:
        require_consent(event, context, endpoint)


def _refuse_unreadable(tasks: Iterable[ReplicationTask], unreadable: Collection[str]) -> None:
    """Refuse for tasks whose pause another version of Certifier wrote.

    A stop would write over what that version has noted of its own, and needs to start the task.
    """
    if names := ", ".join(task.identifier for task in tasks if task.arn in unreadable):
        seen = f"the PAUSE of these tasks is not valid in this version of Certifier: {names}"
        remedy = "Deploy the version of Certifier that wrote it, until the tasks run again."
        found = finding(Cause.SOURCE_INVALID, place=Witness.WORKFLOW, seen=seen, remedy=remedy)
        raise Refused.because(found)


def _refuse_unwilling(
    event: PolledEvent, tasks: tuple[ReplicationTask, ...], now: datetime
) -> None:
    """Refuse for tasks that must not be stopped: they may have started since the plan was made."""
    running = [task for task in tasks if task.status in RUNNING]
    findings = [
        _found(Cause.TASK_IN_FULL_LOAD, f"task {task.identifier} has a full load under way")
        for task in running
        if task.full_load
    ]
    if running and event.source.spec.restart_tasks is False:
        names = ", ".join(task.identifier for task in running)
        findings.append(_found(Cause.TASKS_RUNNING, f"the change needs these to stop: {names}"))
    if running and not _is_open(event, now):  # closed since the first stop; or this is a rollback
        names = ", ".join(task.identifier for task in running)
        seen = f"the window is closed, and these tasks still run: {names}"
        found = _found(Cause.WINDOW_CLOSED, seen)
        findings.append(found.model_copy(update={"severity": Severity.ERROR}))
    if findings:
        raise Refused.because(*findings)


def _can_restart(
    event: PolledEvent,
    context: StepContext[PauseSettings],
    task: ReplicationTask,
    endpoint_arn: str,
) -> bool:
    """Whether DMS connects to the task's other endpoint now; ``False`` while that is being tested.

    Raises:
        Refused: it does not, so the task could not start again.
    """
    other = context.dms.endpoint(task.other_endpoint(endpoint_arn))
    if other is None:
        seen = f"the other endpoint of task {task.identifier} is gone"
        raise Refused(Cause.TASK_COULD_NOT_RESTART, seen=seen)
    tests = prove(
        event,
        context,
        endpoint_arn=other.arn,
        digest=other.settings_digest,
        instances=(task.instance_arn,),
    )
    if tests is None:
        return False
    if all(test.passed for test in tests):
        return True
    seen = f"task {task.identifier} could not start again: {other.identifier} does not connect"
    why = explained(tests, context, place=Witness.DMS_TEST)
    raise Refused.because(_found(Cause.TASK_COULD_NOT_RESTART, seen), *why)
