"""Pause tasks: stop what runs on the endpoint, only if it can be started again.

A stopped task lives in its pause item alone, written before the stop: whoever finds the item knows
that the task is owed. A task that another source has stopped already is joined, so that it is not
started in the middle of our change.
"""

from collections.abc import Mapping

from certifier.diagnosis import finding
from certifier.errors import Refused
from certifier.models import Fact, Finding, ReplicationTask, TaskWork
from certifier.outcome import Cause, Place
from certifier.plan import PASSING, RUNNING
from certifier.steps.endpoints import material_of
from certifier.steps.probe_tls import Probed
from certifier.steps.proving import explained, prove
from certifier.steps.tools import PolledEvent, StepSettings, Tools

STEP = "pause_tasks"


class PauseSettings(StepSettings):
    """How many bad ends in a day open the breaker; Record counts, this step obeys."""

    breaker_limit: int


class Paused(Fact):
    """The answer: ``stopped_wave`` says that the breaker lets no change begin."""

    done: bool
    stopped_wave: bool = False


def run(event: PolledEvent, tools: Tools[PauseSettings]) -> Paused:
    """Move the pause on by one round.

    Raises:
        ClaimLost: another execution owns the source.
        Refused: a task may not stop, could not start again, or does not stop in time.
    """
    tools.store.hold(event.name, event.run)
    pauses = {pause.task_arn: pause for pause in tools.store.pauses_all()}
    begun = any(event.name in pause.sources for pause in pauses.values())
    if not begun and tools.store.breaker().open:
        _write(tools, event, (), _found(Cause.WAVE_STOPPED, "too many changes ended badly today"))
        return Paused(done=True, stopped_wave=True)
    material = material_of(event, tools)
    endpoint = material.endpoint if material else None
    if endpoint is None:
        return Paused(done=True)
    tasks = tools.dms.tasks(endpoint.arn)
    _refuse_unwilling(event, tasks)
    seen = _retained(event, tools) if tasks else None
    waiting = False
    for task in tasks:
        pause = pauses.get(task.arn)
        retained = seen if task.source_endpoint_arn == endpoint.arn else None
        if task.status == "running":
            waiting = True
            if _can_restart(event, tools, task, endpoint.arn):
                tools.store.pause_task(
                    task.arn, event.name, tools.now(), retained=retained, anew=True
                )
                tools.dms.stop_task(task.arn)
        elif task.status in PASSING:
            waiting = True
        elif pause is not None:
            joined = tools.store.pause_task(task.arn, event.name, tools.now(), retained=retained)
            if joined.stop_date is None and task.stop_date is not None:
                tools.store.note_stopped(task.arn, task.stop_date)
    if waiting and event.is_last:
        late = [t for t in tasks if t.status in RUNNING | PASSING]
        findings = tuple(_did_not_stop(task) for task in late)
        raise Refused(Cause.TASK_DID_NOT_STOP, findings=findings)
    if not waiting:
        _write(tools, event, tuple(task.arn for task in tasks if task.arn in pauses))
    return Paused(done=not waiting)


def _retained(event: PolledEvent, tools: Tools[PauseSettings]) -> Mapping[str, int] | None:
    """Return how much WAL each slot kept before anything was stopped; ``None``: nobody saw it."""
    probed = tools.documents.read(event.run_id, "probe_tls", Probed)
    if probed is None or probed.slots is None:
        return None
    return {s.name: s.retained_bytes for s in probed.slots if s.retained_bytes is not None}


def _found(cause: Cause, seen: str, raw: str | None = None) -> Finding:
    return finding(cause, place=Place.WORKFLOW, seen=seen, raw=raw)


def _write(
    tools: Tools[PauseSettings], event: PolledEvent, tasks: tuple[str, ...], *findings: Finding
) -> None:
    tools.documents.write(event.run_id, STEP, TaskWork(tasks=tasks, findings=findings))


def _did_not_stop(task: ReplicationTask) -> Finding:
    seen = f"task {task.identifier} was still {task.status} in the last round"
    return _found(Cause.TASK_DID_NOT_STOP, seen, raw=task.message)


def _refuse_unwilling(event: PolledEvent, tasks: tuple[ReplicationTask, ...]) -> None:
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
    if findings:
        raise Refused(findings[0].cause, findings=tuple(findings))


def _can_restart(
    event: PolledEvent, tools: Tools[PauseSettings], task: ReplicationTask, endpoint_arn: str
) -> bool:
    """Whether DMS connects to the task's other endpoint now; ``False`` while that is being tested.

    Raises:
        Refused: it does not, so the task could not start again.
    """
    other = tools.dms.endpoint(task.other_endpoint(endpoint_arn))
    if other is None:
        seen = f"the other endpoint of task {task.identifier} is gone"
        raise Refused(Cause.TASK_COULD_NOT_RESTART, seen=seen)
    tests = prove(
        event,
        tools,
        endpoint_arn=other.arn,
        digest=other.settings_digest,
        instances=(task.instance_arn,),
    )
    if tests is None:
        return False
    if all(test.passed for test in tests):
        return True
    seen = f"task {task.identifier} could not start again: {other.identifier} does not connect"
    why = explained(tests, tools, place=Place.DMS_TEST)
    findings = (_found(Cause.TASK_COULD_NOT_RESTART, seen), *why)
    raise Refused(Cause.TASK_COULD_NOT_RESTART, findings=findings)
