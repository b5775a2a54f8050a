"""Resume tasks: start again what we stopped, and only that.

Every pause that holds this source is left. Whoever leaves last starts the task, and the pause is
deleted only when the task runs: until then it waits for a restart, and found by the next run.
"""

from certifier.aws.dms import Rejected
from certifier.aws.store import Held
from certifier.diagnosis import finding
from certifier.endpoint.facts import ReplicationTask
from certifier.errors import Busy, Refused
from certifier.models import Finding
from certifier.run.documents import RESUMED, TaskWork
from certifier.run.event import Done, PolledEvent
from certifier.run.state import Pause
from certifier.run.whose_stop import not_ours
from certifier.steps.context import StepContext, StepSettings
from certifier.steps.proving import ATTEMPTS, explained, prove
from certifier.vocabulary import Cause, Witness


def run(event: PolledEvent, context: StepContext[StepSettings]) -> Done:
    """Move the resumption on by one round; what does not run after the last keeps waiting.

    Raises:
        ClaimLost: another execution owns the source.
    """
    held = context.store.hold(event.name, event.run)
    before = context.read(event, RESUMED) or TaskWork()
    tasks, findings, still = list(before.tasks), list(before.findings), before.stopped_seconds
    pending: list[tuple[str, Finding]] = []
    for pause in context.store.pauses_of(event.name):
        if not held.leave(pause.task_arn):
            continue  # another source still needs it stopped, and will start it
        task = context.dms.task(pause.task_arn)
        match _moved(event, context, held, pause, task):
            case Finding() as reason if reason.cause is Cause.TASK_NOT_RESTARTED:
                pending.append((pause.task_arn, reason))
            case found if not _is_over(event, context, held, pause):
                pending.append((pause.task_arn, found or _again(pause)))
            case Finding() as reason:
                findings.append(reason)
            case None:
                tasks.append(pause.task_arn)
                if pause.stop_date is not None:
                    seconds = (context.now() - pause.stop_date).total_seconds()
                    still = max(still or 0.0, seconds)
    over = not pending or event.is_last
    work = TaskWork(
        tasks=tuple(tasks),
        pending_restarts=tuple(arn for arn, _ in pending),
        stopped_seconds=still,
        findings=(*findings, *((reason for _, reason in pending) if over else ())),
    )
    context.write(event, RESUMED, work)
    return Done(done=over)


def _is_over(
    event: PolledEvent, context: StepContext[StepSettings], held: Held, pause: Pause
) -> bool:
    """Whether this source has nothing to do with the pause any more.

    Not while a step of an earlier owner may still be about to stop the task.
    """
    claim = held.state.claim
    if claim is not None and not claim.is_alone(context.now()):
        return False
    if held.delete_pause(pause):
        return True
    left = context.store.paused(pause.task_arn)
    return left is None or event.name not in left.sources


def _again(pause: Pause) -> Finding:
    seen = f"task {pause.task_arn} may have been stopped once more since it was seen to run"
    return _found(Cause.TASK_NOT_RESTARTED, seen)


def _found(cause: Cause, seen: str, raw: str | None = None) -> Finding:
    return finding(cause, place=Witness.WORKFLOW, seen=seen, raw=raw)


def _not_restarted(task: ReplicationTask, what: str) -> Finding:
    seen = f"task {task.identifier}, which we stopped, does not run again yet: {what}"
    return _found(Cause.TASK_NOT_RESTARTED, seen, raw=task.message)


def _moved(
    event: PolledEvent,
    context: StepContext[StepSettings],
    held: Held,
    pause: Pause,
    task: ReplicationTask | None,
) -> Finding | None:
    """Move one task on; what stands in its way alone keeps no other task from being started."""
    try:
        return _move_on(event, context, held, pause, task)
    except Refused as refused:
        why = [found.seen for found in refused.findings] or [refused.seen or refused.cause.value]
    except Busy as busy:
        why = [str(busy)]
    seen = f"task {pause.task_arn}, which we stopped, may not start: {'; '.join(why)}"
    return _found(Cause.TASK_NOT_RESTARTED, seen)


def _move_on(
    event: PolledEvent,
    context: StepContext[StepSettings],
    held: Held,
    pause: Pause,
    task: ReplicationTask | None,
) -> Finding | None:
    """Move one task on; ``None``: it runs. A ``task_not_restarted`` goes on, others end it."""
    if task is None:
        return _found(Cause.TASK_LEFT_ALONE, f"task {pause.task_arn} is gone")
    if task.status == "running":
        return None
    if task.status not in ("stopped", "failed"):
        return _not_restarted(task, f"it is {task.status}")
    if (reason := not_ours(pause, task)) is not None:
        seen = f"task {task.identifier} is {task.status}, and not by us: {reason}"
        return _found(Cause.TASK_LEFT_ALONE, seen, raw=task.message)
    if pause.stop_date is None and task.stop_date is not None:
        held.note_stopped(task.arn, task.stop_date)
    held.note_started(task.arn, context.now())
    answer = context.dms.start_task(task.arn)
    if isinstance(answer, Rejected):
        return _test_again(event, context, task, answer)
    return _not_restarted(task, "it was asked to start")


def _test_again(
    event: PolledEvent, context: StepContext[StepSettings], task: ReplicationTask, answer: Rejected
) -> Finding:
    """DMS starts a task only after a passing test of both endpoints: make those tests.

    New ones, whatever this run has seen before: a test that DMS, or somebody else, started since
    may have failed, or a change that shows nowhere may have made the last pass worthless.
    """
    reasons: list[str] = []
    for arn in (task.source_endpoint_arn, task.target_endpoint_arn):
        endpoint = context.dms.endpoint(arn)
        if endpoint is None:
            reasons.append(f"endpoint {arn} is gone")
            continue
        tests = prove(
            event,
            context,
            endpoint_arn=arn,
            digest=f"{endpoint.settings_digest} to start {task.arn}",
            instances=(task.instance_arn,),
            attempts=ATTEMPTS,
        )
        if tests is None:
            reasons.append(f"{endpoint.identifier} is being tested")
        why = explained(tests or (), context, place=Witness.DMS_TEST)
        reasons += [f"{endpoint.identifier}: {found.seen}" for found in why]
    return _found(
        Cause.TASK_NOT_RESTARTED,
        f"task {task.identifier}, which we stopped, may not start: "
        + ("; ".join(reasons) or "DMS does not take the start, although both endpoints connect"),
        raw=answer.text,
    )
