"""Resume tasks: start again what we stopped, and only that.

Every pause that holds this source is left. Whoever leaves last starts the task, and the pause is
deleted only when the task runs: until then it waits for a restart, and found by the next run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from certifier.aws.dms import Rejected
from certifier.aws.store import Held
from certifier.diagnosis import finding
from certifier.endpoint.facts import ReplicationTask
from certifier.errors import Busy, Refused
from certifier.models import Finding
from certifier.run.documents import RESUMED, Asked, Asking, StoppedTask, TaskWork
from certifier.run.event import Done, PolledEvent
from certifier.run.state import Pause
from certifier.run.whose_stop import not_ours
from certifier.steps.context import StepContext, StepSettings
from certifier.steps.proving import ATTEMPTS, explained, prove
from certifier.text import counted, printable
from certifier.vocabulary import Cause, Witness

NOT_TAKEN = "DMS does not take the start, although both endpoints connect"

SEEN_LATE = timedelta(minutes=1)
"""How long DMS may still show a task as it was before it took our start."""

BUSY_ANSWERS = 5
"""How often one run asks a task that DMS is busy with."""


def run(event: PolledEvent, context: StepContext[StepSettings]) -> Done:
    """Move the resumption on by one round; what does not run after the last keeps waiting.

    Raises:
        ClaimLost: another execution owns the source.
    """
    held = context.store.hold(event.name, event.run)
    before = context.read(event, RESUMED) or TaskWork()
    tasks, findings, still = list(before.tasks), list(before.findings), before.stopped_seconds
    asked = dict(before.asked)
    pending: list[tuple[str, Finding]] = []
    pauses: dict[str, Pause] = {}
    unsure = False
    for pause in context.store.pauses_of(event.name):
        if not held.leave(pause.task_arn):
            continue  # another source still needs it stopped, and will start it
        pauses[pause.task_arn] = pause
        match _moved(event, context, held, pause, asked):
            case Finding() as reason if reason.cause is Cause.TASK_NOT_RESTARTED:
                pending.append((pause.task_arn, reason))
            case found if not _is_over(event, context, held, pause):
                pending.append((pause.task_arn, found or _again(pause)))
                unsure = True
            case Finding() as reason:
                findings.append(reason)
            case None:
                tasks.append(pause.task_arn)
                if pause.stop_date is not None:
                    seconds = (context.now() - pause.stop_date).total_seconds()
                    still = max(still or 0.0, seconds)
    over = event.is_last or (not unsure and all(_is_asked_out(arn, asked) for arn, _ in pending))
    work = TaskWork(
        tasks=tuple(tasks),
        pending_restarts=tuple(arn for arn, _ in pending),
        stopped_seconds=still,
        names={
            **before.names,
            **{arn: pause.identifier for arn, pause in pauses.items() if pause.identifier},
        },
        asked=asked,
        stopped=tuple(_stopped(context, pauses[arn], why) for arn, why in pending) if over else (),
        findings=(*findings, *((reason for _, reason in pending) if over else ())),
    )
    context.write(event, RESUMED, work)
    return Done(done=over)


def _stopped(context: StepContext[StepSettings], pause: Pause, reason: Finding) -> StoppedTask:
    """Return what people must know of a task that keeps waiting, with DMS's own words."""
    task = context.dms.task(pause.task_arn)
    return StoppedTask(
        arn=pause.task_arn,
        identifier=pause.name if task is None else task.identifier,
        since=pause.stop_date or pause.since,
        status=None if task is None else task.status,
        said=reason.raw or (printable(task.message) if task and task.message else None),
    )


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
    seen = f"task {pause.name} may have been stopped once more since it was seen to run"
    return _found(Cause.TASK_NOT_RESTARTED, seen)


def _is_asked_out(task: str, asked: Mapping[str, Asked]) -> bool:
    """Whether this run asks the task no more. Each start that fails costs the server a slot."""
    return task in asked and asked[task].stage is Asking.OVER


@dataclass(frozen=True)
class UnderWay:
    """A test has no result yet."""


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
    asked: dict[str, Asked],
) -> Finding | None:
    """Move one task on; what stands in its way alone keeps no other task from being started."""
    before = asked.get(pause.task_arn)
    try:
        return _move_on(event, context, held, pause, asked)
    except Refused as refused:
        why = [found.seen for found in refused.findings] or [refused.seen or refused.cause.value]
        stage, count = Asking.OVER, 0
    except Busy as busy:
        why, count = [str(busy)], (before.busy if before else 0) + 1
        stage = Asking.OVER if count >= BUSY_ANSWERS else Asking.TESTING
    seen = f"task {pause.name}, which we stopped, may not start: {'; '.join(why)}"
    reason = _found(Cause.TASK_NOT_RESTARTED, seen)
    asked[pause.task_arn] = Asked(stage=stage, at=context.now(), reason=reason, busy=count)
    return reason


def _move_on(
    event: PolledEvent,
    context: StepContext[StepSettings],
    held: Held,
    pause: Pause,
    asked: dict[str, Asked],
) -> Finding | None:
    """Move one task on; ``None``: it runs. A ``task_not_restarted`` goes on, others end it."""
    task = context.dms.task(pause.task_arn)
    if task is None:
        return _found(Cause.TASK_LEFT_ALONE, f"task {pause.name_and_arn} is gone")
    if task.status == "running":
        return None
    if task.status not in ("stopped", "failed"):
        return _not_restarted(task, f"it is {task.status}")
    if (reason := not_ours(pause, task)) is not None:
        seen = f"task {task.identifier} is {task.status}, and not by us: {reason}"
        return _found(Cause.TASK_LEFT_ALONE, seen, raw=task.message)
    if pause.stop_date is None and task.stop_date is not None:
        held.note_stopped(task.arn, task.stop_date)
    before = asked.get(task.arn)
    asked[task.arn] = _asked(event, context, held, pause, task, before=before)
    return asked[task.arn].reason


def _asked(
    event: PolledEvent,
    context: StepContext[StepSettings],
    held: Held,
    pause: Pause,
    task: ReplicationTask,
    *,
    before: Asked | None,
) -> Asked:
    """Ask a task that is stopped to start: once, and once more after the tests that DMS wants.

    What it is asked and does not do is for the next run, which comes later each time.
    """
    now = context.now()
    if before is not None and before.stage is Asking.OVER:
        return before
    if before is not None and before.stage is Asking.STARTING:
        if now - before.at < SEEN_LATE:
            return before
        often = counted(pause.starts, "time")
        times = f"it was asked to start {often} so far, and its status is {task.status} again"
        return Asked(stage=Asking.OVER, at=before.at, reason=_not_restarted(task, times))
    if before is not None:
        reason = _tested(event, context, task)
        if reason is not None:
            under_way = not isinstance(reason, Finding)
            stage = Asking.TESTING if under_way else Asking.OVER
            found = before.reason if not isinstance(reason, Finding) else reason
            return Asked(stage=stage, at=before.at, reason=found, busy=before.busy)
    held.note_started(task.arn, now)
    answer = context.dms.start_task(task.arn)
    if not isinstance(answer, Rejected):
        return Asked(
            stage=Asking.STARTING, at=now, reason=_not_restarted(task, "it was asked to start")
        )
    stage = Asking.TESTING if before is None else Asking.OVER
    seen = f"task {task.identifier}, which we stopped, may not start: "
    seen += "DMS wants a test of both endpoints first" if before is None else NOT_TAKEN
    return Asked(stage=stage, at=now, reason=_found(Cause.TASK_NOT_RESTARTED, seen, answer.text))


def _tested(
    event: PolledEvent, context: StepContext[StepSettings], task: ReplicationTask
) -> Finding | UnderWay | None:
    """DMS starts a task only after a passing test of both endpoints: make those tests.

    New ones, whatever this run has seen before: a test that DMS, or somebody else, started since
    may have failed, or a change that shows nowhere may have made the last pass worthless.

    Returns:
        ``None`` once both pass, or why the task cannot start.
    """
    reasons: list[str] = []
    under_way = False
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
        under_way = under_way or tests is None
        why = explained(tests or (), context, place=Witness.DMS_TEST)
        reasons += [f"{endpoint.identifier}: {found.seen}" for found in why]
    if reasons:
        seen = f"task {task.identifier}, which we stopped, may not start: {'; '.join(reasons)}"
        return _found(Cause.TASK_NOT_RESTARTED, seen)
    return UnderWay() if under_way else None
